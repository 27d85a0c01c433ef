/* CPU time that decoding takes, a picture of the stream (decoded or not), for what foveadecode may leave out, beside avdec_h264 or another decoder.
 *
 *   decode-cost CLIP [ROUNDS [OTHER]]      CLIP has one video stream and nothing else; OTHER is a launch text, by default "avdec_h264 max-threads=1"
 *
 * All ways are measured in turn, ROUNDS times: process CPU time of filesrc ! parsebin ! WAY ! fakesink, less that of the same without a decoder. The sink reads
 * GstVideoMeta, as foveadetect does; "copied" is for one that does not. Medians are printed, and pictures that came out. */
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { MAX_ROUNDS = 101, MAX_WAYS = 16 };

typedef struct Way {
  const char *name, *decoder;
  bool takes_meta;
} Way;

static const Way ways[] = {
  {"parsing alone", "identity", true}, /* the first: it is taken off the others */
  {"other", NULL, true},
  {"foveadecode", "foveadecode threads=1", true},
  {"  copied", "foveadecode threads=1", false},
  {"  threads=0", "foveadecode", true},
  {"  motion-vectors=true", "foveadecode threads=1 motion-vectors=true", true},
  {"  loop-filter=nonref", "foveadecode threads=1 loop-filter=nonref", true},
  {"  loop-filter=off", "foveadecode threads=1 loop-filter=off", true},
  {"  skip=nonref", "foveadecode threads=1 skip=nonref", true},
  {"  skip=nonref loop-filter=off", "foveadecode threads=1 skip=nonref loop-filter=off", true},
  {"  max-fps=5", "foveadecode threads=1 max-fps=5", true},
  {"  max-fps=5 loop-filter=off", "foveadecode threads=1 max-fps=5 loop-filter=off", true},
  {"  skip=nokey", "foveadecode threads=1 skip=nokey", true},
};
G_STATIC_ASSERT(G_N_ELEMENTS(ways) <= MAX_WAYS);

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[count / 2];
}

static double cpu_ms(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static GstPadProbeReturn on_query(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);
  if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION) return GST_PAD_PROBE_OK;
  gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
  return GST_PAD_PROBE_HANDLED;
}

static void on_buffer(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer count) { ++*(int *)count; }

static void run_to_end(GstElement *pipeline) {
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    g_autofree gchar *debug = NULL;
    gst_message_parse_error(message, NULL, &debug);
    fprintf(stderr, "decode-cost: %s\n", debug);
    exit(1);
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
}

/* CPU ms of the whole clip. */
static double measure(const char *clip, const char *decoder, bool takes_meta, int *ret_pictures) {
  GError *error = NULL;
  g_autofree gchar *text = g_strdup_printf("filesrc location=\"%s\" ! parsebin ! %s ! fakesink name=sink sync=false signal-handoffs=true", clip, decoder);
  g_autoptr(GstElement) pipeline = gst_parse_launch(text, &error);
  if (!pipeline || error) {
    fprintf(stderr, "decode-cost: %s\n", error->message);
    exit(1);
  }
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(sink, "sink");
  *ret_pictures = 0;
  g_signal_connect(sink, "handoff", G_CALLBACK(on_buffer), ret_pictures);
  if (takes_meta) gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM, on_query, NULL, NULL);
  double start = cpu_ms();
  run_to_end(pipeline);
  return cpu_ms() - start;
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc < 2) {
    fprintf(stderr, "usage: decode-cost CLIP [ROUNDS [OTHER]]\n");
    return 2;
  }
  int rounds = argc > 2 ? CLAMP(atoi(argv[2]), 1, MAX_ROUNDS) : 5, pictures[MAX_WAYS];
  const char *other = argc > 3 ? argv[3] : "avdec_h264 max-threads=1";
  static double cost[MAX_WAYS][MAX_ROUNDS];
  for (int round = 0; round < rounds; round++)
    for (guint i = 0; i < G_N_ELEMENTS(ways); i++)
      cost[i][round] = measure(argv[1], ways[i].decoder ? ways[i].decoder : other, ways[i].takes_meta, &pictures[i]);
  double parsing = median(cost[0], rounds);
  printf("%-30s %12s %10s\n", "", "CPU ms/frame", "pictures");
  for (guint i = 1; i < G_N_ELEMENTS(ways); i++)
    printf("%-30s %12.2f %10d\n", ways[i].decoder ? ways[i].name : other, (median(cost[i], rounds) - parsing) / pictures[0], pictures[i]);
  printf("%d pictures, medians of %d rounds; parsing, taken off: %.2f ms a frame\n", pictures[0], rounds, parsing / pictures[0]);
  return 0;
}

/* What foveapublish costs a pipeline: processor time of a live one that publishes, less that of the same one with an identity in its place, in turn.
 *
 *   publish-cost [-f FPS] [-s SECONDS] [-o OBJECTS] [-n RUNS] PROPERTIES
 *
 * PROPERTIES are foveapublish's, as in a launch text. Every frame carries OBJECTS regions. The broker's own time is not in it, as it is another process. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <gst/gst.h>

#include "common/meta.h"

#define MAX_RUNS 21

static gint object_count = 5;

static gdouble processor_time(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (gdouble)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (gdouble)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static GstPadProbeReturn add_objects(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  FoveaObject objects[64];
  for (gint i = 0; i < object_count; i++)
    objects[i] = (FoveaObject){.x0 = (gfloat)(i * 5), .y0 = 5, .x1 = (gfloat)(i * 5 + 40), .y1 = 60, .confidence = 0.7f, .label_id = i, .label = "person", .id = i};
  GST_PAD_PROBE_INFO_DATA(info) = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
  fovea_meta_write(GST_PAD_PROBE_INFO_BUFFER(info), FOVEA_META_ROI, objects, (guint)object_count, 320, 240);
  return GST_PAD_PROBE_OK;
}

/* Processor seconds a second. */
static gdouble measure(const gchar *element, gint fps, gint seconds) {
  GError *error = NULL;
  gchar *launch = g_strdup_printf("videotestsrc is-live=true pattern=black num-buffers=%d ! video/x-raw,format=GRAY8,width=320,height=240,framerate=%d/1 ! identity name=source ! %s ! fakesink sync=false",
                                  fps * seconds, fps, element);
  GstElement *pipeline = gst_parse_launch(launch, &error);
  if (!pipeline || error)
    g_error("%s", error->message);
  GstElement *source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
  GstPad *pad = gst_element_get_static_pad(source, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, add_objects, NULL, NULL);
  GstBus *bus = gst_element_get_bus(pipeline);
  gdouble before = processor_time();
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
    g_error("the pipeline failed");
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gdouble spent = (processor_time() - before) / seconds;
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_object_unref(pad);
  gst_object_unref(source);
  gst_object_unref(pipeline);
  g_free(launch);
  return spent;
}

static int compare(const void *a, const void *b) {
  gdouble x = *(const gdouble *)a, y = *(const gdouble *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  gint fps = 30, seconds = 10, runs = 3;
  gst_init(&argc, &argv);
  for (int option; (option = getopt(argc, argv, "f:s:o:n:")) != -1;) {
    gint value = atoi(optarg ? optarg : "0");
    *(option == 'f' ? &fps : option == 's' ? &seconds : option == 'o' ? &object_count : &runs) = value;
  }
  if (optind != argc - 1 || fps < 1 || seconds < 1 || object_count < 0 || object_count > 64 || runs < 1 || runs > MAX_RUNS) {
    fprintf(stderr, "usage: publish-cost [-f FPS] [-s SECONDS] [-o OBJECTS] [-n RUNS] PROPERTIES\n");
    return 2;
  }
  gdouble with[MAX_RUNS], without[MAX_RUNS], cost[MAX_RUNS];
  gchar *element = g_strdup_printf("foveapublish %s", argv[optind]);
  for (gint run = 0; run < runs; run++) {
    without[run] = measure("identity", fps, seconds);
    with[run] = measure(element, fps, seconds);
    cost[run] = with[run] - without[run];
  }
  qsort(cost, (size_t)runs, sizeof *cost, compare);
  printf("%d messages a second with %d objects each: %.3f %% of a core (median of %d runs of %d s; least %.3f, most %.3f)\n", fps, object_count, 100 * cost[runs / 2], runs, seconds,
         100 * cost[0], 100 * cost[runs - 1]);
  g_free(element);
  return 0;
}

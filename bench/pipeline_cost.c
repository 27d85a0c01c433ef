/* What the pipeline costs beside inference: the wall time of a frame through appsrc ! foveadetect ! fakesink, against the time of the
 * model alone. The frame is one 1280x720 NV12 buffer pushed again and again, so that no source and no decoder is measured.
 *
 *   pipeline-cost MODEL [ROUNDS [FRAMES [THREADS]]]
 *
 * Both are measured in turn, ROUNDS times; the medians and the share of the frame's time that is not inference are printed. */
#include <fovea/fovea.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1280, HEIGHT = 720, FRAME_BYTES = WIDTH * HEIGHT * 3 / 2, MAX_ROUNDS = 101 };

typedef struct Bench {
  const char *model;
  int frames, threads;
  GstBuffer *frame;
  FvSession *session;
} Bench;

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[count / 2];
}

static GstBuffer *noise_frame(void) {
  guint8 *bytes = g_malloc(FRAME_BYTES);
  guint32 state = 1;
  for (int i = 0; i < FRAME_BYTES; i++) bytes[i] = (guint8)((state = state * 1664525u + 1013904223u) >> 24);
  return gst_buffer_new_wrapped(bytes, FRAME_BYTES);
}

static int open_session(Bench *bench) {
  FvError err;
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  FvPlanParams params = fv_plan_params(.device = "cpu", .threads = bench->threads);
  if (fv_model_open(bench->model, NULL, &model, &err) < 0 || fv_plan_create(model, &params, &plan, &err) < 0 ||
      fv_session_create(plan, &bench->session, &err) < 0) {
    fprintf(stderr, "pipeline-cost: %s\n", err.message);
    return -1;
  }
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
  return 0;
}

/* Milliseconds a frame. */
static double time_model(const Bench *bench) {
  for (int i = 0; i < 5; i++) fv_session_run(bench->session, NULL);
  gint64 start = g_get_monotonic_time();
  for (int i = 0; i < bench->frames; i++) fv_session_run(bench->session, NULL);
  return (double)(g_get_monotonic_time() - start) / 1e3 / bench->frames;
}

static GstElement *make_pipeline(const Bench *bench) {
  GError *error = NULL;
  g_autofree char *text = g_strdup_printf(
    "appsrc name=src format=time max-buffers=4 block=true caps=video/x-raw,format=NV12,width=%d,height=%d,framerate=30/1 ! "
    "foveadetect name=detect policy=keep-all device=cpu threads=%d ! fakesink name=sink signal-handoffs=true sync=false", WIDTH, HEIGHT, bench->threads);
  GstElement *pipeline = gst_parse_launch(text, &error);
  if (!pipeline || error) {
    fprintf(stderr, "pipeline-cost: %s\n", error->message);
    exit(1);
  }
  g_autoptr(GstElement) detect = gst_bin_get_by_name(GST_BIN(pipeline), "detect");
  g_object_set(detect, "model", bench->model, NULL);
  return pipeline;
}

static void push(GstElement *source, GstBuffer *frame, int index) {
  GstBuffer *copy = gst_buffer_copy(frame); /* shares the memory */
  GST_BUFFER_PTS(copy) = gst_util_uint64_scale(index, GST_SECOND, 30);
  GST_BUFFER_DURATION(copy) = GST_SECOND / 30;
  gst_app_src_push_buffer(GST_APP_SRC(source), copy);
}

typedef struct Arrivals {
  int count, warmup;
  gint64 start, end;
} Arrivals;

static void on_frame(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user) {
  Arrivals *arrivals = user;
  arrivals->end = g_get_monotonic_time();
  if (++arrivals->count == arrivals->warmup) arrivals->start = arrivals->end;
}

static double time_pipeline(const Bench *bench) {
  GstElement *pipeline = make_pipeline(bench);
  g_autoptr(GstElement) source = gst_bin_get_by_name(GST_BIN(pipeline), "src");
  g_autoptr(GstElement) sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
  Arrivals arrivals = {.warmup = 5};
  g_signal_connect(sink, "handoff", G_CALLBACK(on_frame), &arrivals);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  for (int i = 0; i < bench->frames + arrivals.warmup; i++) push(source, bench->frame, i);
  gst_app_src_end_of_stream(GST_APP_SRC(source));
  GstMessage *message = gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  bool failed = GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR || arrivals.count != bench->frames + arrivals.warmup;
  gst_message_unref(message);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(pipeline);
  if (failed) {
    fprintf(stderr, "pipeline-cost: the pipeline failed after %d frames\n", arrivals.count);
    exit(1);
  }
  return (double)(arrivals.end - arrivals.start) / 1e3 / bench->frames;
}

static int number(int argc, char **argv, int index, int fallback, int most) {
  int value = argc > index ? atoi(argv[index]) : fallback;
  return value < 1 ? 1 : value > most ? most : value;
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  if (argc < 2) {
    fprintf(stderr, "usage: pipeline-cost MODEL [ROUNDS [FRAMES [THREADS]]]\n");
    return 2;
  }
  Bench bench = {.model = argv[1], .frames = number(argc, argv, 3, 100, 100000), .threads = number(argc, argv, 4, 1, FV_MAX_THREADS)};
  int rounds = number(argc, argv, 2, 7, MAX_ROUNDS);
  double alone[MAX_ROUNDS], piped[MAX_ROUNDS], share[MAX_ROUNDS];
  if (open_session(&bench) < 0) return 1;
  bench.frame = noise_frame();
  for (int i = 0; i < rounds; i++) {
    alone[i] = time_model(&bench);
    piped[i] = time_pipeline(&bench);
    share[i] = (piped[i] - alone[i]) / piped[i];
  }
  printf("model alone %.3f ms, through the pipeline %.3f ms, not inference: %.1f %% of a frame (medians of %d rounds of %d frames, %d threads)\n",
         median(alone, rounds), median(piped, rounds), 100 * median(share, rounds), rounds, bench.frames, bench.threads);
  fv_session_destroy(&bench.session);
  gst_buffer_unref(bench.frame);
  return 0;
}

/* GStreamer's own leaks tracer counts what is alive after many lives of a pipeline. */
#include "support.h"

#include <gst/gsttracer.h>

#define CYCLES 50

static GstTracer *leaks_tracer(void) {
  GList *tracers = gst_tracing_get_active_tracers();
  GstTracer *found = NULL;
  for (GList *link = tracers; link && !found; link = link->next)
    if (g_str_equal(G_OBJECT_TYPE_NAME(link->data), "GstLeaksTracer"))
      found = gst_object_ref(link->data);
  g_list_free_full(tracers, gst_object_unref);
  return found;
}

static guint count_live(GstTracer *tracer) {
  GstStructure *live = NULL;
  g_signal_emit_by_name(tracer, "get-live-objects", &live);
  const GValue *list = gst_structure_get_value(live, "live-objects-list");
  guint count = gst_value_list_get_size(list);
  for (guint i = 0; i < count; i++) {
    const GstStructure *alive = gst_value_get_structure(gst_value_list_get_value(list, i));
    g_test_message("alive: %s", G_VALUE_TYPE_NAME(gst_structure_get_value(alive, "object")));
  }
  gst_structure_free(live);
  return count;
}

static void live_once(gint cycle) {
  gchar *model = test_model(cycle % 10 == 9 ? "garbage.onnx" : "tiny.onnx");
  gchar *launch = g_strdup_printf(
    "videotestsrc pattern=white num-buffers=%d is-live=%s ! video/x-raw,format=NV12,width=64,height=48,framerate=1000/1 ! "
    "foveadetect threads=1 device=cpu model=%s ! foveaoverlay ! foveapublish file-path=/dev/null ! fakesink sync=false",
    cycle % 4, cycle % 2 ? "true" : "false", model);
  GstElement *pipeline = gst_parse_launch(launch, NULL);
  GstBus *bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  if (cycle % 3) { /* every third is stopped in the middle */
    GstMessage *message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    gst_message_unref(message);
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  gst_object_unref(pipeline);
  g_free(launch);
  g_free(model);
}

static void many_lives_leave_nothing(void) {
  GstTracer *tracer = leaks_tracer();
  if (!tracer) {
    g_test_skip("this GStreamer has no leaks tracer");
    return;
  }
  for (gint cycle = 0; cycle < 10; cycle++) /* what is made once and kept */
    live_once(cycle);
  guint before = count_live(tracer);
  for (gint cycle = 0; cycle < CYCLES; cycle++)
    live_once(cycle);
  g_assert_cmpuint(count_live(tracer), ==, before);
  gst_object_unref(tracer);
}

/* One element through all its states again and again, with frames in flight. */
static void one_element_starts_again_and_again(void) {
  gchar *model = test_model("tiny.onnx");
  gchar *launch = g_strdup_printf(
    "videotestsrc pattern=white ! video/x-raw,format=I420,width=32,height=24 ! foveadetect name=detector threads=1 device=cpu "
    "model=%s ! fakesink",
    model);
  GstElement *pipeline = gst_parse_launch(launch, NULL);
  GstElement *detector = gst_bin_get_by_name(GST_BIN(pipeline), "detector");
  for (gint i = 0; i < 100; i++) {
    g_assert_cmpint(gst_element_set_state(pipeline, GST_STATE_PLAYING), !=, GST_STATE_CHANGE_FAILURE);
    if (i % 2)
      g_assert_cmpint(gst_element_get_state(pipeline, NULL, NULL, 20 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
    if (i % 5 == 0)
      g_object_set(detector, "model", model, NULL); /* a load on its way must not outlive the element */
    gst_element_set_state(pipeline, i % 3 ? GST_STATE_NULL : GST_STATE_READY);
  }
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(detector);
  gst_object_unref(pipeline);
  g_free(launch);
  g_free(model);
}

int main(int argc, char **argv) {
  /* Not tasks: the thread that ran one lets go of it a moment after the pad has stopped. */
  g_setenv("GST_TRACERS", "leaks(filters=\"GstElement,GstPad,GstBuffer,GstBufferPool,GstEvent,GstCaps,GstBus\")", TRUE);
  g_setenv("GST_LEAKS_TRACER_SIG", "0", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/plugins/leaks/many-lives-leave-nothing", many_lives_leave_nothing);
  g_test_add_func("/plugins/leaks/one-element-starts-again-and-again", one_element_starts_again_and_again);
  return g_test_run();
}

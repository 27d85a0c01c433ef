#include "support.h"

#include <fovea/device.h>

#define WIDTH 64
#define HEIGHT 48
#define FRAME(i) ((GstClockTime)(i)*40 * GST_MSECOND)

static GstBuffer *white(gint index) {
  return test_frame(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, 255, FRAME(index));
}

static GstHarness *nv12_detector(const gchar *more) {
  GstHarness *harness = test_detector(more);
  test_set_caps(harness, "NV12", WIDTH, HEIGHT);
  return harness;
}

static void assert_square(const FoveaObject *object, gint width, gint height) {
  g_assert_cmpstr(object->label, ==, "square");
  g_assert_cmpint(object->label_id, ==, 0);
  g_assert_cmpfloat_with_epsilon(object->confidence, 0.9f, 0.02f);
  g_assert_cmpfloat_with_epsilon(object->x0, 0.25f * (gfloat)width, 1.0f);
  g_assert_cmpfloat_with_epsilon(object->y0, 0.25f * (gfloat)height, 1.0f);
  g_assert_cmpfloat_with_epsilon(object->x1, 0.75f * (gfloat)width, 1.0f);
  g_assert_cmpfloat_with_epsilon(object->y1, 0.75f * (gfloat)height, 1.0f);
}

/* White shows both objects, black none, and the picture passes as it was. */
static void detects_in_format(gconstpointer data) {
  const gchar *name = data;
  GstVideoFormat format = gst_video_format_from_string(name);
  GstHarness *harness = test_detector("");
  test_set_caps(harness, name, WIDTH, HEIGHT);
  GstBuffer *in = test_frame(format, WIDTH, HEIGHT, 255, 0);
  GstMemory *memory = gst_buffer_get_memory(in, 0);
  g_assert_cmpint(gst_harness_push(harness, in), ==, GST_FLOW_OK);
  GstBuffer *out = gst_harness_pull(harness);
  g_assert_true(gst_buffer_peek_memory(out, 0) == memory);
  GArray *objects = test_objects(out, WIDTH, HEIGHT);
  g_assert_cmpuint(objects->len, ==, 2);
  assert_square(&g_array_index(objects, FoveaObject, 0), WIDTH, HEIGHT);
  g_assert_cmpstr(g_array_index(objects, FoveaObject, 1).label, ==, "stripe");
  g_array_unref(objects);
  gst_buffer_unref(out);
  gst_memory_unref(memory);
  gst_harness_push(harness, test_frame(format, WIDTH, HEIGHT, 0, FRAME(1)));
  out = gst_harness_pull(harness);
  g_assert_cmpuint(test_object_count(out, WIDTH, HEIGHT), ==, 0);
  gst_buffer_unref(out);
  gst_harness_teardown(harness);
}

static gboolean has_vulkan(void) {
  FvDeviceInfo devices[8];
  gint count = fv_devices_list(devices, G_N_ELEMENTS(devices));
  for (gint i = 0; i < MIN(count, (gint)G_N_ELEMENTS(devices)); i++)
    if (g_str_has_prefix(devices[i].id, "vulkan") && devices[i].usable)
      return TRUE;
  return FALSE;
}

/* Pictures on GStreamer's own Vulkan device are read from there, and go on as they came. */
static void reads_vulkan_images(void) {
  GstElementFactory *upload = gst_element_factory_find("vulkanupload"), *factory = gst_element_factory_find("foveadetect");
  GstCaps *image = gst_caps_from_string("video/x-raw(memory:VulkanImage),format=RGBA,width=64,height=48");
  gboolean built = gst_element_factory_can_sink_any_caps(factory, image);
  gst_caps_unref(image);
  gst_object_unref(factory);
  if (!upload || !built || !has_vulkan()) {
    gst_clear_object(&upload);
    g_test_skip("vulkanupload, a Vulkan device or the headers of GStreamer's Vulkan library are not there");
    return;
  }
  gst_object_unref(upload);
  gchar *model = test_model("tiny.onnx");
  gchar *launch = g_strdup_printf("vulkanupload ! video/x-raw(memory:VulkanImage) ! foveadetect name=detector threads=1 device=cpu model=%s", model);
  GstHarness *harness = gst_harness_new_parse(launch);
  gst_harness_set_live(harness, FALSE);
  test_set_caps(harness, "RGBA", WIDTH, HEIGHT);
  for (guint i = 0; i < 3; i++) {
    g_assert_cmpint(gst_harness_push(harness, test_frame(GST_VIDEO_FORMAT_RGBA, WIDTH, HEIGHT, 255, FRAME(i))), ==, GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull(harness);
    g_assert_true(gst_memory_is_type(gst_buffer_peek_memory(out, 0), "VulkanImage"));
    GArray *objects = test_objects(out, WIDTH, HEIGHT);
    g_assert_cmpuint(objects->len, ==, 2);
    assert_square(&g_array_index(objects, FoveaObject, 0), WIDTH, HEIGHT);
    g_array_unref(objects);
    gst_buffer_unref(out);
  }
  gst_harness_teardown(harness);
  g_free(launch);
  g_free(model);
}

/* Rows further apart than the caps say, as decoders deliver them; the gaps hold what must not be looked at. */
static void reads_strides_of_the_video_meta(void) {
  GstHarness *harness = test_detector("");
  test_set_caps(harness, "NV12", 33, 25);
  gsize offset[GST_VIDEO_MAX_PLANES] = {32, 32 + 80 * 25};
  gint stride[GST_VIDEO_MAX_PLANES] = {80, 96};
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, 32 + 80 * 25 + 96 * 13, NULL);
  gst_buffer_memset(buffer, 0, 0, gst_buffer_get_size(buffer));
  for (gint y = 0; y < 25; y++)
    gst_buffer_memset(buffer, offset[0] + (gsize)y * 80, 235, 33);
  for (gint y = 0; y < 13; y++)
    gst_buffer_memset(buffer, offset[1] + (gsize)y * 96, 128, 34);
  gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_NV12, 33, 25, 2, offset, stride);
  GST_BUFFER_PTS(buffer) = 0;
  gst_harness_push(harness, buffer);
  buffer = gst_harness_pull(harness);
  GArray *objects = test_objects(buffer, 33, 25);
  g_assert_cmpuint(objects->len, ==, 2);
  assert_square(&g_array_index(objects, FoveaObject, 0), 33, 25);
  g_array_unref(objects);
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

static gboolean saw_eos(GstHarness *harness) {
  gboolean eos = FALSE;
  GstEvent *event;
  while ((event = gst_harness_try_pull_event(harness))) {
    eos |= GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    gst_event_unref(event);
  }
  return eos;
}

static void end_of_stream_comes_after_every_frame(void) {
  GstHarness *harness = nv12_detector("");
  for (gint i = 0; i < 10; i++)
    g_assert_cmpint(gst_harness_push(harness, white(i)), ==, GST_FLOW_OK);
  g_assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
  for (gint i = 0; i < 10; i++) {
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, FRAME(i));
    FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
    g_assert_true(frame->analysed);
    g_assert_cmpuint(frame->seq, ==, (guint64)i);
    gst_buffer_unref(buffer);
  }
  GstEvent *event;
  gboolean eos = FALSE;
  while (!eos && (event = gst_harness_pull_event(harness))) {
    eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    gst_event_unref(event);
  }
  g_assert_true(eos);
  g_assert_cmpint(gst_harness_push(harness, white(10)), ==, GST_FLOW_EOS);
  gst_harness_teardown(harness);
}

static void flush_empties_and_goes_on(void) {
  GstHarness *harness = nv12_detector("");
  GstSegment segment;
  for (gint i = 0; i < 3; i++)
    gst_harness_push(harness, white(i));
  g_assert_true(gst_harness_push_event(harness, gst_event_new_flush_start()));
  g_assert_cmpint(gst_harness_push(harness, white(3)), ==, GST_FLOW_FLUSHING);
  g_assert_true(gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE)));
  g_assert_false(saw_eos(harness));
  GstBuffer *buffer;
  while ((buffer = gst_harness_try_pull(harness)))
    gst_buffer_unref(buffer);
  gst_segment_init(&segment, GST_FORMAT_TIME);
  g_assert_true(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
  g_assert_cmpint(gst_harness_push(harness, white(100)), ==, GST_FLOW_OK);
  buffer = gst_harness_pull(harness);
  g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, FRAME(100));
  g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, 2);
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

/* A flush right after new caps: they stick, though the event itself may have been waiting. */
static void caps_survive_a_flush(void) {
  GstHarness *harness = nv12_detector("");
  GstSegment segment;
  gst_harness_push(harness, white(0));
  test_set_caps(harness, "GRAY8", 80, 60);
  gst_harness_push_event(harness, gst_event_new_flush_start());
  gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE));
  gst_segment_init(&segment, GST_FORMAT_TIME);
  gst_harness_push_event(harness, gst_event_new_segment(&segment));
  GstBuffer *buffer;
  while ((buffer = gst_harness_try_pull(harness)))
    gst_buffer_unref(buffer);
  g_assert_cmpint(gst_harness_push(harness, test_frame(GST_VIDEO_FORMAT_GRAY8, 80, 60, 255, FRAME(1))), ==, GST_FLOW_OK);
  buffer = gst_harness_pull(harness);
  g_assert_cmpuint(test_object_count(buffer, 80, 60), ==, 2);
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

static void size_and_format_change_between_frames(void) {
  GstHarness *harness = nv12_detector("");
  gst_harness_push(harness, white(0));
  test_set_caps(harness, "RGB", 320, 240);
  gst_harness_push(harness, test_frame(GST_VIDEO_FORMAT_RGB, 320, 240, 255, FRAME(1)));
  GstBuffer *buffer = gst_harness_pull(harness);
  g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, 2);
  gst_buffer_unref(buffer);
  buffer = gst_harness_pull(harness);
  GArray *objects = test_objects(buffer, 320, 240);
  g_assert_cmpuint(objects->len, ==, 2);
  assert_square(&g_array_index(objects, FoveaObject, 0), 320, 240);
  g_array_unref(objects);
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

typedef struct BadModel {
  const gchar *path; /* test name */
  const gchar *file; /* "/…" as it is; without an ending: a model's name */
  GQuark (*domain)(void);
  gint code;
  const gchar *says; /* part of the sentence */
} BadModel;

static const BadModel bad_models[] = {
  {"/plugins/detect/error/no-model-of-that-name", "nobody", gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND, "no model of that name in"},
  {"/plugins/detect/error/missing-file", "nowhere.onnx", gst_resource_error_quark, GST_RESOURCE_ERROR_NOT_FOUND, "nowhere.onnx"},
  {"/plugins/detect/error/garbage", "garbage.onnx", gst_stream_error_quark, GST_STREAM_ERROR_WRONG_TYPE, "garbage.onnx"},
  {"/plugins/detect/error/empty", "empty.onnx", gst_stream_error_quark, GST_STREAM_ERROR_WRONG_TYPE, "empty.onnx"},
  {"/plugins/detect/error/no-detector", "unfit.onnx", gst_library_error_quark, GST_LIBRARY_ERROR_SETTINGS, "config"},
};

/* The state change fails, one error with one sentence is posted, and the element goes back to NULL and can be used again. */
static void bad_model_is_an_error(gconstpointer data) {
  const BadModel *bad = data;
  GstElement *element = gst_element_factory_make("foveadetect", NULL);
  GstBus *bus = gst_bus_new();
  gst_object_ref_sink(element);
  gst_element_set_bus(element, bus);
  gchar *file = strchr(bad->file, '.') ? test_model(bad->file) : g_strdup(bad->file);
  g_object_set(element, "model", file, NULL);
  g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
  GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  GError *error = NULL;
  gst_message_parse_error(message, &error, NULL);
  g_assert_error(error, bad->domain(), bad->code);
  g_assert_nonnull(strstr(error->message, bad->says));
  g_assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
  g_error_free(error);
  gst_message_unref(message);
  g_free(file);
  gst_element_set_state(element, GST_STATE_NULL);
  file = test_model("tiny.onnx");
  g_object_set(element, "model", file, NULL);
  g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), !=, GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element, GST_STATE_NULL);
  g_free(file);
  gst_element_set_bus(element, NULL);
  gst_object_unref(bus);
  gst_object_unref(element);
}

static void without_a_model_the_shipped_one_runs(void) {
  GstElement *element = gst_object_ref_sink(gst_element_factory_make("foveadetect", NULL));
  gst_element_set_state(element, GST_STATE_PAUSED);
  GstStructure *stats = NULL;
  g_object_get(element, "stats", &stats, NULL);
  g_assert_cmpint(gst_element_get_state(element, NULL, NULL, 0), !=, GST_STATE_CHANGE_FAILURE);
  g_assert_cmpstr(gst_structure_get_string(stats, "device"), ==, "cpu");
  gst_structure_free(stats);
  gst_element_set_state(element, GST_STATE_NULL);
  gst_object_unref(element);
}

static void interval_analyses_every_nth_frame(void) {
  GstHarness *harness = nv12_detector("interval=3");
  for (gint i = 0; i < 7; i++) {
    gst_harness_push(harness, white(i));
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_cmpint(fovea_frame_meta_get(buffer)->analysed, ==, i % 3 == 0);
    g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, 2);
    gst_buffer_unref(buffer);
  }
  GstElement *detector = test_find(harness, "detector");
  g_assert_cmpuint(test_stat(detector, "frames"), ==, 7);
  g_assert_cmpuint(test_stat(detector, "analysed"), ==, 3);
  g_assert_cmpuint(test_stat(detector, "skipped"), ==, 4);
  g_assert_cmpuint(test_stat(detector, "dropped"), ==, 0);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

static void old_boxes_are_not_repeated_for_ever(void) {
  GstHarness *harness = nv12_detector("interval=100");
  const gint times[] = {0, 20, 30}; /* frames of 40 ms: the limit of one second lies between the last two */
  const guint counts[] = {2, 2, 0};
  for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
    gst_harness_push(harness, white(times[i]));
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, counts[i]);
    gst_buffer_unref(buffer);
  }
  gst_harness_teardown(harness);
}

static void properties_keep_their_ranges(void) {
  GstElement *element = gst_object_ref_sink(gst_element_factory_make("foveadetect", NULL));
  guint interval = 0;
  gint most = 0;
  gfloat threshold = -1;
  gchar *device = NULL;
  g_object_get(element, "interval", &interval, "max-detections", &most, "threshold", &threshold, "device", &device, NULL);
  g_assert_cmpuint(interval, ==, 1);
  g_assert_cmpint(most, ==, 100);
  g_assert_cmpfloat(threshold, ==, 0.0f);
  g_assert_cmpstr(device, ==, "auto");
  g_free(device);
  g_object_set(element, "inference-interval", 5, "batch-size", 1, NULL);
  g_object_get(element, "interval", &interval, NULL);
  g_assert_cmpuint(interval, ==, 5);
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), "threshold");
  g_assert_cmpfloat(G_PARAM_SPEC_FLOAT(spec)->maximum, ==, 1.0f);
  g_assert_true(spec->flags & GST_PARAM_CONTROLLABLE);
  spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), "threads");
  g_assert_cmpint(G_PARAM_SPEC_INT(spec)->maximum, ==, 64);
  gst_object_unref(element);
}

/* Every field by name and type: other people's readers depend on it. */
static void region_of_interest_has_the_known_layout(void) {
  GstHarness *harness = nv12_detector("meta=roi");
  gst_harness_push(harness, white(0));
  GstBuffer *buffer = gst_harness_pull(harness);
  gpointer state = NULL;
  GstVideoRegionOfInterestMeta *roi =
    (GstVideoRegionOfInterestMeta *)gst_buffer_iterate_meta_filtered(buffer, &state, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE);
  g_assert_nonnull(roi);
  g_assert_cmpstr(g_quark_to_string(roi->roi_type), ==, "square");
  g_assert_cmpuint(roi->x, ==, 16);
  g_assert_cmpuint(roi->y, ==, 12);
  g_assert_cmpuint(roi->w, ==, 32);
  g_assert_cmpuint(roi->h, ==, 24);
  g_assert_cmpuint(g_list_length(roi->params), ==, 1);
  GstStructure *detection = gst_video_region_of_interest_meta_get_param(roi, "detection");
  g_assert_cmpint(gst_structure_n_fields(detection), ==, 7);
  const struct {
    const gchar *name;
    gdouble value;
  } doubles[] = {{"x_min", 0.25}, {"x_max", 0.75}, {"y_min", 0.25}, {"y_max", 0.75}, {"confidence", 0.9}};
  for (guint i = 0; i < G_N_ELEMENTS(doubles); i++) {
    gdouble value = -1;
    g_assert_true(gst_structure_get_double(detection, doubles[i].name, &value));
    g_assert_cmpfloat_with_epsilon(value, doubles[i].value, 0.02);
  }
  gint label_id = -1;
  g_assert_true(gst_structure_get_int(detection, "label_id", &label_id));
  g_assert_cmpint(label_id, ==, 0);
  g_assert_cmpstr(gst_structure_get_string(detection, "label"), ==, "square");
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

static void others_metas_are_kept(void) {
  GstHarness *harness = nv12_detector("meta=roi");
  GstBuffer *buffer = white(0);
  gst_buffer_add_video_region_of_interest_meta(buffer, "theirs", 1, 2, 3, 4);
  gst_harness_push(harness, buffer);
  buffer = gst_harness_pull(harness);
  GArray *objects = test_objects(buffer, WIDTH, HEIGHT);
  g_assert_cmpuint(objects->len, ==, 3);
  const FoveaObject *theirs = &g_array_index(objects, FoveaObject, 0);
  g_assert_cmpstr(theirs->label, ==, "theirs");
  g_assert_cmpfloat(theirs->confidence, <, 0.0f);
  g_assert_cmpfloat(theirs->x1, ==, 4.0f);
  g_array_unref(objects);
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

/* Scaling moves boxes, keeps fractions of a pixel, and keeps the frame's own facts. */
static void metas_survive_conversion_and_scaling(void) {
  GstHarness *harness =
    test_detector("! videoconvert ! videoscale ! capsfilter caps=video/x-raw,format=BGRx,width=128,height=96");
  test_set_caps(harness, "NV12", WIDTH, HEIGHT);
  gst_harness_push(harness, white(0));
  GstBuffer *buffer = gst_harness_pull(harness);
  GArray *objects = test_objects(buffer, 128, 96);
  g_assert_cmpuint(objects->len, ==, 2);
  assert_square(&g_array_index(objects, FoveaObject, 0), 128, 96);
  g_array_unref(objects);
  g_assert_cmpstr(fovea_frame_meta_get(buffer)->model, ==, "tiny");
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

static void threshold_changes_while_playing(void) {
  GstHarness *harness = nv12_detector("");
  GstElement *detector = test_find(harness, "detector");
  const gfloat thresholds[] = {0.5f, 0.7f, 0.95f, 0.0f};
  const guint counts[] = {2, 1, 0, 2};
  for (guint i = 0; i < G_N_ELEMENTS(thresholds); i++) {
    g_object_set(detector, "threshold", thresholds[i], NULL);
    gst_harness_push(harness, white((gint)i));
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, counts[i]);
    gst_buffer_unref(buffer);
  }
  g_object_set(detector, "max-detections", 1, NULL);
  gst_harness_push(harness, white(9));
  GstBuffer *buffer = gst_harness_pull(harness);
  g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, 1);
  gst_buffer_unref(buffer);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

/* A live stream faster than the detector: order kept, every frame accounted for, the last one analysed. */
static void live_stream_keeps_the_newest(void) {
  GstHarness *harness = test_detector("");
  gst_harness_set_live(harness, TRUE);
  test_set_caps(harness, "NV12", WIDTH, HEIGHT);
  const gint count = 200;
  for (gint i = 0; i < count; i++)
    g_assert_cmpint(gst_harness_push(harness, white(i)), ==, GST_FLOW_OK);
  gst_harness_push_event(harness, gst_event_new_eos());
  GstClockTime last = GST_CLOCK_TIME_NONE;
  guint64 passed = 0;
  gboolean analysed = FALSE;
  while (last != FRAME(count - 1)) {
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_true(last == GST_CLOCK_TIME_NONE || GST_BUFFER_PTS(buffer) > last);
    last = GST_BUFFER_PTS(buffer);
    analysed = fovea_frame_meta_get(buffer)->analysed;
    passed++;
    gst_buffer_unref(buffer);
  }
  g_assert_true(analysed);
  GstElement *detector = test_find(harness, "detector");
  g_assert_cmpuint(test_stat(detector, "frames"), ==, passed);
  g_assert_cmpuint(passed + test_stat(detector, "dropped"), ==, (guint64)count);
  g_assert_cmpuint(test_stat(detector, "analysed") + test_stat(detector, "skipped"), ==, passed);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

static GstPadProbeReturn hold(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
  return GST_PAD_PROBE_OK; /* of a blocking probe: stays blocked */
}

/* A live sink waits for each frame's time; meanwhile the frames behind it are analysed, not passed over. */
static void waiting_sink_costs_no_analysis(void) {
  GstHarness *harness = test_detector("");
  gst_harness_set_live(harness, TRUE);
  test_set_caps(harness, "NV12", WIDTH, HEIGHT);
  GstElement *detector = test_find(harness, "detector");
  GstPad *pad = gst_element_get_static_pad(detector, "src");
  gulong probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, hold, NULL, NULL);
  for (guint64 i = 0; i < 4; i++) {
    gst_harness_push(harness, white((gint)i));
    for (gint tries = 0; tries < 10000 && test_stat(detector, "analysed") <= i; tries++)
      g_usleep(1000);
    g_assert_cmpuint(test_stat(detector, "analysed"), ==, i + 1);
  }
  gst_pad_remove_probe(pad, probe);
  for (gint i = 0; i < 4; i++)
    gst_buffer_unref(gst_harness_pull(harness));
  gst_object_unref(pad);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

static void late_frames_are_not_analysed(void) {
  GstHarness *harness = nv12_detector("");
  gst_harness_push(harness, white(0));
  gst_buffer_unref(gst_harness_pull(harness));
  g_assert_true(
    gst_harness_push_upstream_event(harness, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 40 * GST_MSECOND, FRAME(0))));
  const gboolean analysed[] = {FALSE, TRUE}; /* 40 ms late: until 80 ms after it nothing is analysed */
  for (gint i = 1; i <= 2; i++) {
    gst_harness_push(harness, white(i));
    GstBuffer *buffer = gst_harness_pull(harness);
    g_assert_cmpint(fovea_frame_meta_get(buffer)->analysed, ==, analysed[i - 1]);
    gst_buffer_unref(buffer);
  }
  gst_harness_teardown(harness);
}

static void latency_is_added_to_upstreams(void) {
  GstHarness *harness = nv12_detector("");
  gst_harness_set_live(harness, TRUE); /* bins leave out the latency of what is not */
  gst_harness_set_upstream_latency(harness, 50 * GST_MSECOND);
  gst_harness_push(harness, white(0));
  gst_buffer_unref(gst_harness_pull(harness));
  g_assert_cmpuint(gst_harness_query_latency(harness), >, 50 * GST_MSECOND);
  gst_harness_teardown(harness);
}

static GstPadProbeReturn refuse(GstPad *pad, GstPadProbeInfo *info, gpointer data) {
  gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
  GST_PAD_PROBE_INFO_FLOW_RETURN(info) = (GstFlowReturn)GPOINTER_TO_INT(data);
  return GST_PAD_PROBE_HANDLED;
}

static void downstream_errors_reach_upstream(void) {
  GstHarness *harness = nv12_detector("");
  gst_pad_set_active(harness->sinkpad, FALSE);
  GstFlowReturn flow = GST_FLOW_OK;
  for (gint i = 0; i < 10 && flow == GST_FLOW_OK; i++)
    flow = gst_harness_push(harness, white(i));
  g_assert_cmpint(flow, ==, GST_FLOW_FLUSHING);
  gst_harness_teardown(harness);

  const GstFlowReturn refusals[] = {GST_FLOW_NOT_LINKED, GST_FLOW_EOS, GST_FLOW_ERROR};
  for (guint r = 0; r < G_N_ELEMENTS(refusals); r++) {
    harness = nv12_detector("");
    GstPad *pad = gst_pad_get_peer(harness->sinkpad);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, refuse, GINT_TO_POINTER(refusals[r]), NULL);
    flow = GST_FLOW_OK;
    for (gint i = 0; i < 10 && flow == GST_FLOW_OK; i++)
      flow = gst_harness_push(harness, white(i));
    g_assert_cmpint(flow, ==, refusals[r]);
    gst_object_unref(pad);
    gst_harness_teardown(harness);
  }
}

static void assert_flows_again(GstHarness *harness) {
  g_assert_cmpint(gst_harness_push(harness, white(50)), ==, GST_FLOW_OK);
  GstBuffer *buffer = NULL;
  do {
    gst_clear_buffer(&buffer);
    buffer = gst_harness_pull(harness);
    g_assert_nonnull(buffer);
  } while (GST_BUFFER_PTS(buffer) != FRAME(50));
  gst_buffer_unref(buffer);
}

/* After not-linked a relink is enough; after the end of a segment the next one is. */
static void goes_on_after_a_refusal(void) {
  const GstFlowReturn refusals[] = {GST_FLOW_NOT_LINKED, GST_FLOW_EOS};
  for (guint r = 0; r < G_N_ELEMENTS(refusals); r++) {
    GstHarness *harness = nv12_detector("");
    GstPad *pad = gst_pad_get_peer(harness->sinkpad);
    gulong probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, refuse, GINT_TO_POINTER(refusals[r]), NULL);
    for (gint i = 0; i < 10 && gst_harness_push(harness, white(i)) == GST_FLOW_OK; i++)
      continue;
    gst_pad_remove_probe(pad, probe);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    if (refusals[r] == GST_FLOW_EOS)
      gst_harness_push_event(harness, gst_event_new_segment(&segment));
    else
      gst_harness_push_upstream_event(harness, gst_event_new_reconfigure());
    assert_flows_again(harness);
    gst_object_unref(pad);
    gst_harness_teardown(harness);
  }
}

static void frame_smaller_than_its_caps_is_an_error(void) {
  GstHarness *harness = nv12_detector("");
  GstBus *bus = gst_bus_new();
  GstElement *detector = test_find(harness, "detector");
  gst_element_set_bus(detector, bus);
  GstFlowReturn flow = GST_FLOW_OK;
  for (gint i = 0; i < 10 && flow == GST_FLOW_OK; i++)
    flow = gst_harness_push(harness, gst_buffer_new_allocate(NULL, 100, NULL));
  g_assert_cmpint(flow, ==, GST_FLOW_ERROR);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 5 * GST_SECOND, GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  gst_message_unref(message);
  gst_element_set_bus(detector, NULL);
  gst_object_unref(detector);
  gst_object_unref(bus);
  gst_harness_teardown(harness);
}

/* A model that cannot be loaded while playing: a warning, and the old one goes on. */
static void bad_model_while_playing_keeps_the_old(void) {
  GstHarness *harness = nv12_detector("");
  GstBus *bus = gst_bus_new();
  GstElement *detector = test_find(harness, "detector");
  gst_element_set_bus(detector, bus);
  gchar *file = test_model("garbage.onnx");
  g_object_set(detector, "model", file, NULL);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_WARNING);
  g_assert_nonnull(message);
  gst_message_unref(message);
  gst_harness_push(harness, white(0));
  GstBuffer *buffer = gst_harness_pull(harness);
  g_assert_cmpuint(test_object_count(buffer, WIDTH, HEIGHT), ==, 2);
  gst_buffer_unref(buffer);
  g_free(file);
  gst_element_set_bus(detector, NULL);
  gst_object_unref(detector);
  gst_object_unref(bus);
  gst_harness_teardown(harness);
}

static void stats_tell_times_and_device(void) {
  GstHarness *harness = nv12_detector("");
  for (gint i = 0; i < 5; i++) {
    gst_harness_push(harness, white(i));
    gst_buffer_unref(gst_harness_pull(harness));
  }
  GstElement *detector = test_find(harness, "detector");
  GstStructure *stats = NULL;
  g_object_get(detector, "stats", &stats, NULL);
  gdouble p50 = -1, p95 = -1, p99 = -1;
  g_assert_true(gst_structure_get(stats, "total-p50-ms", G_TYPE_DOUBLE, &p50, "total-p95-ms", G_TYPE_DOUBLE, &p95, "total-p99-ms",
                                  G_TYPE_DOUBLE, &p99, NULL));
  g_assert_true(p50 >= 0.0 && p50 <= p95 && p95 <= p99);
  g_assert_cmpstr(gst_structure_get_string(stats, "device"), ==, "cpu");
  g_assert_cmpstr(gst_structure_get_string(stats, "family"), ==, "ssd");
  gst_structure_free(stats);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

/* The CPU would have to map them: whoever has other memory is not asked for DMA buffers. */
static void dma_buffers_are_wanted_by_devices_that_import_them(void) {
  GstHarness *harness = test_detector("");
  GstElement *detector = test_find(harness, "detector");
  GstPad *pad = gst_element_get_static_pad(detector, "sink");
  GstCaps *offered = gst_pad_query_caps(pad, NULL), *template = gst_pad_get_pad_template_caps(pad);
  GstCaps *dma = gst_caps_from_string("video/x-raw(memory:DMABuf),format=NV12,width=64,height=48,framerate=25/1");
  g_assert_false(gst_caps_is_empty(offered));
  g_assert_false(gst_caps_can_intersect(offered, dma));
  g_assert_true(gst_caps_can_intersect(template, dma));
  gst_caps_unref(dma);
  gst_caps_unref(template);
  gst_caps_unref(offered);
  gst_object_unref(pad);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

static void formats_are_named_and_bounded(void) {
  GstElementFactory *factory = gst_element_factory_find("foveadetect");
  GstCaps *strange = gst_caps_from_string("video/x-raw,format=P010_10LE,width=64,height=48");
  GstCaps *huge = gst_caps_from_string("video/x-raw,format=NV12,width=64,height=20000");
  GstCaps *memory = gst_caps_from_string("video/x-raw(memory:GLMemory),format=NV12,width=64,height=48");
  g_assert_false(gst_element_factory_can_sink_any_caps(factory, strange));
  g_assert_false(gst_element_factory_can_sink_any_caps(factory, huge));
  g_assert_false(gst_element_factory_can_sink_any_caps(factory, memory));
  gst_caps_unref(strange);
  gst_caps_unref(huge);
  gst_caps_unref(memory);
  gst_object_unref(factory);
}

int main(int argc, char **argv) {
  static const gchar *formats[] = {"NV12", "I420", "YUY2", "RGB", "BGR", "RGBA", "BGRA", "RGBx", "BGRx", "GRAY8"};
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    gchar *path = g_strdup_printf("/plugins/detect/format/%s", formats[i]);
    g_test_add_data_func(path, formats[i], detects_in_format);
    g_free(path);
  }
  for (guint i = 0; i < G_N_ELEMENTS(bad_models); i++)
    g_test_add_data_func(bad_models[i].path, &bad_models[i], bad_model_is_an_error);
  g_test_add_func("/plugins/detect/reads-vulkan-images", reads_vulkan_images);
  g_test_add_func("/plugins/detect/caps/formats-are-named-and-bounded", formats_are_named_and_bounded);
  g_test_add_func("/plugins/detect/caps/dma-buffers-are-wanted-by-devices-that-import-them", dma_buffers_are_wanted_by_devices_that_import_them);
  g_test_add_func("/plugins/detect/caps/size-and-format-change-between-frames", size_and_format_change_between_frames);
  g_test_add_func("/plugins/detect/caps/survive-a-flush", caps_survive_a_flush);
  g_test_add_func("/plugins/detect/reads-strides-of-the-video-meta", reads_strides_of_the_video_meta);
  g_test_add_func("/plugins/detect/end-of-stream-comes-after-every-frame", end_of_stream_comes_after_every_frame);
  g_test_add_func("/plugins/detect/flush-empties-and-goes-on", flush_empties_and_goes_on);
  g_test_add_func("/plugins/detect/without-a-model-the-shipped-one-runs", without_a_model_the_shipped_one_runs);
  g_test_add_func("/plugins/detect/interval-analyses-every-nth-frame", interval_analyses_every_nth_frame);
  g_test_add_func("/plugins/detect/old-boxes-are-not-repeated-for-ever", old_boxes_are_not_repeated_for_ever);
  g_test_add_func("/plugins/detect/properties-keep-their-ranges", properties_keep_their_ranges);
  g_test_add_func("/plugins/detect/meta/region-of-interest-has-the-known-layout", region_of_interest_has_the_known_layout);
  g_test_add_func("/plugins/detect/meta/others-are-kept", others_metas_are_kept);
  g_test_add_func("/plugins/detect/meta/survive-conversion-and-scaling", metas_survive_conversion_and_scaling);
  g_test_add_func("/plugins/detect/threshold-changes-while-playing", threshold_changes_while_playing);
  g_test_add_func("/plugins/detect/live-stream-keeps-the-newest", live_stream_keeps_the_newest);
  g_test_add_func("/plugins/detect/waiting-sink-costs-no-analysis", waiting_sink_costs_no_analysis);
  g_test_add_func("/plugins/detect/late-frames-are-not-analysed", late_frames_are_not_analysed);
  g_test_add_func("/plugins/detect/latency-is-added-to-upstreams", latency_is_added_to_upstreams);
  g_test_add_func("/plugins/detect/error/downstream-errors-reach-upstream", downstream_errors_reach_upstream);
  g_test_add_func("/plugins/detect/goes-on-after-a-refusal", goes_on_after_a_refusal);
  g_test_add_func("/plugins/detect/error/frame-smaller-than-its-caps", frame_smaller_than_its_caps_is_an_error);
  g_test_add_func("/plugins/detect/error/bad-model-while-playing-keeps-the-old", bad_model_while_playing_keeps_the_old);
  g_test_add_func("/plugins/detect/stats-tell-times-and-device", stats_tell_times_and_device);
  return g_test_run();
}

/* foveadetect on a Vulkan device: elements share what the device holds, and a device that fails in mid-stream is told of, whatever becomes of the stream. */
#include "support.h"

#include <stdlib.h>

#include <fovea/fovea.h>

#define WIDTH 64
#define HEIGHT 48

static gboolean has_vulkan(void) {
  FvDeviceInfo *devices = g_new0(FvDeviceInfo, 32);
  gint count = MIN(fv_devices_list(devices, 32), 32);
  gboolean found = FALSE;
  for (gint i = 1; i < count; i++)
    found |= devices[i].usable;
  g_free(devices);
  if (!found)
    g_test_skip("no Vulkan device");
  return found;
}

/* FOVEA_VULKAN's words make the device fail, see core/vulkan/fault.h; they are read when it is opened. */
static GstHarness *vulkan_detector(const gchar *more, const gchar *fault) {
  gchar *text = g_strdup_printf("device=vulkan %s", more);
  if (fault)
    g_setenv("FOVEA_VULKAN", fault, TRUE);
  GstHarness *harness = test_detector(text);
  test_set_caps(harness, "NV12", WIDTH, HEIGHT);
  g_unsetenv("FOVEA_VULKAN");
  g_free(text);
  return harness;
}

static GstFlowReturn push_white(GstHarness *harness, gint index) {
  return gst_harness_push(harness, test_frame(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, 255, (GstClockTime)index * 40 * GST_MSECOND));
}

static void pull_two_objects(GstHarness *harness) {
  GstBuffer *out = gst_harness_pull(harness);
  g_assert_nonnull(out);
  g_assert_cmpuint(test_object_count(out, WIDTH, HEIGHT), ==, 2);
  gst_buffer_unref(out);
}

static void assert_device(GstElement *detector, const gchar *prefix) {
  GstStructure *stats = NULL;
  g_object_get(detector, "stats", &stats, NULL);
  if (!g_str_has_prefix(gst_structure_get_string(stats, "device"), prefix))
    g_error("runs on %s, not %s", gst_structure_get_string(stats, "device"), prefix);
  gst_structure_free(stats);
}

static void assert_fallback_message(GstBus *bus) {
  GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
  g_assert_nonnull(message);
  gst_message_unref(message);
  message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT);
  g_assert_nonnull(message);
  const GstStructure *structure = gst_message_get_structure(message);
  g_assert_true(gst_structure_has_name(structure, "fovea-device-fallback"));
  g_assert_true(g_str_has_prefix(gst_structure_get_string(structure, "from"), "vulkan:"));
  g_assert_cmpstr(gst_structure_get_string(structure, "to"), ==, "cpu");
  g_assert_nonnull(gst_structure_get_string(structure, "reason"));
  g_test_message("%s", gst_structure_get_string(structure, "reason"));
  gst_message_unref(message);
  g_assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING | GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR));
}

/* Every frame has its boxes, the failed one included; a new element finds a new device. */
static void falls_back_to_the_cpu(gconstpointer fault) {
  if (!has_vulkan())
    return;
  GstHarness *harness = vulkan_detector("", fault);
  GstElement *detector = test_find(harness, "detector");
  GstBus *bus = gst_bus_new();
  gst_element_set_bus(detector, bus);
  for (gint i = 0; i < 6; i++) {
    g_assert_cmpint(push_white(harness, i), ==, GST_FLOW_OK);
    pull_two_objects(harness);
    if (i == 0)
      assert_device(detector, "vulkan:");
  }
  assert_device(detector, "cpu");
  assert_fallback_message(bus);
  g_assert_cmpuint(test_stat(detector, "analysed"), ==, 6);
  GstHarness *another = vulkan_detector("", NULL);
  GstElement *second = test_find(another, "detector");
  g_assert_cmpint(push_white(another, 0), ==, GST_FLOW_OK);
  pull_two_objects(another);
  assert_device(second, "vulkan:");
  gst_object_unref(second);
  gst_harness_teardown(another);
  gst_element_set_bus(detector, NULL);
  gst_object_unref(bus);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

/* Both had the same plan, and both find the other one. */
static void sharers_fall_back_together(void) {
  if (!has_vulkan())
    return;
  GstHarness *first = vulkan_detector("", "lose:4"), *second = vulkan_detector("", NULL);
  GstElement *one = test_find(first, "detector"), *other = test_find(second, "detector");
  for (gint i = 0; i < 4; i++) {
    g_assert_cmpint(push_white(first, i), ==, GST_FLOW_OK);
    g_assert_cmpint(push_white(second, i), ==, GST_FLOW_OK);
    pull_two_objects(first);
    pull_two_objects(second);
  }
  assert_device(one, "cpu");
  assert_device(other, "cpu");
  gst_object_unref(one);
  gst_object_unref(other);
  gst_harness_teardown(first);
  gst_harness_teardown(second);
}

static void without_fallback_it_is_an_error(void) {
  if (!has_vulkan())
    return;
  GstHarness *harness = vulkan_detector("fallback=none", "lose:3");
  GstElement *detector = test_find(harness, "detector");
  GstBus *bus = gst_bus_new();
  gst_element_set_bus(detector, bus);
  g_assert_cmpint(push_white(harness, 0), ==, GST_FLOW_OK);
  pull_two_objects(harness);
  push_white(harness, 1);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND, GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  GError *error = NULL;
  gst_message_parse_error(message, &error, NULL);
  g_assert_error(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT);
  g_assert_nonnull(strstr(error->message, "lost"));
  g_error_free(error);
  gst_message_unref(message);
  assert_device(detector, "vulkan:");
  gst_element_set_bus(detector, NULL);
  gst_object_unref(bus);
  gst_object_unref(detector);
  gst_harness_teardown(harness);
}

static void elements_share_weights(void) {
  if (!has_vulkan())
    return;
  GstHarness *first = vulkan_detector("", NULL), *second = vulkan_detector("", NULL);
  GstElement *one = test_find(first, "detector"), *other = test_find(second, "detector");
  GstStructure *a = NULL, *b = NULL;
  g_object_get(one, "stats", &a, NULL);
  g_object_get(other, "stats", &b, NULL);
  guint64 bytes = 0, other_bytes = 0;
  guint sharers = 0;
  g_assert_true(gst_structure_get(a, "weight-bytes", G_TYPE_UINT64, &bytes, "weight-sharers", G_TYPE_UINT, &sharers, NULL));
  g_assert_true(gst_structure_get(b, "weight-bytes", G_TYPE_UINT64, &other_bytes, NULL));
  g_assert_cmpuint(bytes, >, 0);
  g_assert_cmpuint(bytes, ==, other_bytes);
  g_assert_cmpuint(sharers, ==, 2);
  gst_structure_free(a);
  gst_structure_free(b);
  gst_object_unref(one);
  gst_harness_teardown(first);
  g_object_get(other, "stats", &b, NULL);
  g_assert_true(gst_structure_get(b, "weight-sharers", G_TYPE_UINT, &sharers, NULL));
  g_assert_cmpuint(sharers, ==, 1);
  gst_structure_free(b);
  g_assert_cmpint(push_white(second, 0), ==, GST_FLOW_OK);
  pull_two_objects(second);
  gst_object_unref(other);
  gst_harness_teardown(second);
}

int main(int argc, char **argv) {
  gchar *cache = g_dir_make_tmp("fovea-device-XXXXXX", NULL);
  g_setenv("FOVEA_CACHE_DIR", cache, TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/plugins/device/falls-back/lost", "lose:4", falls_back_to_the_cpu);
  g_test_add_data_func("/plugins/device/falls-back/silent", "hang:4", falls_back_to_the_cpu);
  g_test_add_func("/plugins/device/falls-back/sharers-together", sharers_fall_back_together);
  g_test_add_func("/plugins/device/without-fallback-it-is-an-error", without_fallback_it_is_an_error);
  g_test_add_func("/plugins/device/elements-share-weights", elements_share_weights);
  int result = g_test_run();
  gchar *remove = g_strdup_printf("rm -rf '%s'", cache);
  if (system(remove) != 0)
    result = 1;
  g_free(remove);
  g_free(cache);
  return result;
}

/* A real model on a real picture, through every format that the detector takes. Both lie in FOVEA_SHARED_DIR. */
#include "support.h"

static gchar *shared_file(const gchar *folder, const gchar *name) {
  const gchar *shared = g_getenv("FOVEA_SHARED_DIR");
  gchar *path = shared ? g_build_filename(shared, folder, name, NULL) : NULL;
  if (path && g_file_test(path, G_FILE_TEST_EXISTS))
    return path;
  g_free(path);
  return NULL;
}

static gboolean have_element(const gchar *name) {
  GstElementFactory *factory = gst_element_factory_find(name);
  gboolean found = factory != NULL;
  gst_clear_object(&factory);
  return found;
}

static void keep_objects(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data) {
  GArray **objects = data;
  *objects = test_objects(buffer, 1280, 720);
}

/* The cat of cat_720p.jpg: x 101..902, y 87..713 as found in RGB, and to the eye. */
static void finds_the_cat(gconstpointer format) {
  gchar *model = shared_file("models/onnx", "nanodet_m_320.onnx"), *picture = shared_file("media/images", "cat_720p.jpg");
  if (!model || !picture || !have_element("jpegdec")) {
    g_test_skip("FOVEA_SHARED_DIR has no models and pictures, or jpegdec is not installed");
    g_free(model);
    g_free(picture);
    return;
  }
  gchar *launch = g_strdup_printf(
    "filesrc location=%s ! jpegdec ! videoconvert ! video/x-raw,format=%s ! foveadetect threads=1 device=cpu model=%s ! "
    "fakesink name=sink signal-handoffs=true",
    picture, (const gchar *)format, model);
  GstElement *pipeline = gst_parse_launch(launch, NULL), *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  GstBus *bus = gst_element_get_bus(pipeline);
  GArray *objects = NULL;
  g_signal_connect(sink, "handoff", G_CALLBACK(keep_objects), &objects);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  g_assert_cmpstr(GST_MESSAGE_TYPE_NAME(message), ==, "eos");
  gst_element_set_state(pipeline, GST_STATE_NULL);
  g_assert_cmpuint(objects->len, >=, 1);
  const FoveaObject *cat = &g_array_index(objects, FoveaObject, 0);
  g_assert_cmpstr(cat->label, ==, "cat");
  g_assert_cmpfloat(cat->confidence, >, 0.5f);
  g_assert_cmpfloat_with_epsilon(cat->x0, 101, 40);
  g_assert_cmpfloat_with_epsilon(cat->y0, 87, 40);
  g_assert_cmpfloat_with_epsilon(cat->x1, 902, 40);
  g_assert_cmpfloat_with_epsilon(cat->y1, 713, 40);
  g_array_unref(objects);
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
  g_free(launch);
  g_free(model);
  g_free(picture);
}

int main(int argc, char **argv) {
  static const gchar *formats[] = {"NV12", "I420", "YUY2", "RGB", "BGR", "RGBA", "BGRA", "RGBx", "BGRx"};
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    gchar *path = g_strdup_printf("/plugins/real/finds-the-cat-in/%s", formats[i]);
    g_test_add_data_func(path, formats[i], finds_the_cat);
    g_free(path);
  }
  return g_test_run();
}

/* Decodes files and prints one line per frame: FILE PTS-IN-NS SHA256-OF-PICTURE FLAGS, where FLAGS are "c" for a corrupted one and "-" for a whole one; then "FILE end" or
 * "FILE error TEXT". */
#include <stdio.h>
#include <string.h>

#include <gst/app/gstappsink.h>
#include <gst/gst.h>

static void print_frame(const gchar *file, GstSample *sample) {
  GstBuffer *buffer = gst_sample_get_buffer(sample);
  const GstSegment *segment = gst_sample_get_segment(sample);
  GstMapInfo map;
  g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
  gchar *sum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, map.data, map.size);
  gst_buffer_unmap(buffer, &map);
  printf("%s %" G_GUINT64_FORMAT " %.16s %s\n", file, gst_segment_to_stream_time(segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer)), sum,
         GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED) ? "c" : "-");
  g_free(sum);
}

static void print_end(const gchar *file, GstElement *pipeline) {
  GstBus *bus = gst_element_get_bus(pipeline);
  GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  if (message) {
    GError *error = NULL;
    gst_message_parse_error(message, &error, NULL);
    printf("%s error %s\n", file, error->message);
    g_error_free(error);
    gst_message_unref(message);
  } else
    printf("%s end\n", file);
  gst_object_unref(bus);
}

static gboolean decode(const gchar *file) {
  GError *error = NULL;
  gboolean transport = g_str_has_suffix(file, ".ts"), libav = gst_registry_check_feature_version(gst_registry_get(), "avdec_h264", 1, 0, 0);
  gchar *text = g_strdup_printf("filesrc name=file ! %s ! h264parse ! %s ! videoconvert ! video/x-raw,format=I420 ! appsink name=out sync=false",
                                transport ? "tsdemux" : "qtdemux", libav ? "avdec_h264 max-threads=1 output-corrupt=true" : "openh264dec");
  GstElement *pipeline = gst_parse_launch(text, &error);
  g_free(text);
  if (!pipeline) {
    fprintf(stderr, "%s\n", error->message);
    return FALSE;
  }
  GstElement *source = gst_bin_get_by_name(GST_BIN(pipeline), "file"), *out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
  g_object_set(source, "location", file, NULL);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstSample *sample;
  while ((sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out), 20 * GST_SECOND))) {
    print_frame(file, sample);
    gst_sample_unref(sample);
  }
  print_end(file, pipeline);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(source);
  gst_object_unref(out);
  gst_object_unref(pipeline);
  return TRUE;
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  for (gint i = 1; i < argc; i++)
    if (!decode(argv[i]))
      return 1;
  return 0;
}

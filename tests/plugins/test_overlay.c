#include "support.h"

#define WIDTH 160
#define HEIGHT 120

static GstHarness *overlay(const gchar *format, const gchar *properties) {
  gchar *launch = g_strdup_printf("foveaoverlay line-width=2 %s", properties);
  GstHarness *harness = gst_harness_new_parse(launch);
  test_set_caps(harness, format, WIDTH, HEIGHT);
  g_free(launch);
  return harness;
}

static void add_roi(GstBuffer *buffer, const gchar *label, guint x, guint y, guint w, guint h, gdouble confidence) {
  GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(buffer, label, x, y, w, h);
  gst_video_region_of_interest_meta_add_param(
    roi, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, confidence, "label_id", G_TYPE_INT, 0, NULL));
}

/* The first component, Y or a colour, at a pixel. */
static guint8 sample(GstBuffer *buffer, GstVideoFormat format, gint x, gint y) {
  GstVideoInfo info;
  GstVideoFrame frame;
  gst_video_info_set_format(&info, format, WIDTH, HEIGHT);
  g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ));
  guint8 value = *((guint8 *)GST_VIDEO_FRAME_COMP_DATA(&frame, 1) +
                   (y >> GST_VIDEO_FORMAT_INFO_H_SUB(info.finfo, 1)) * GST_VIDEO_FRAME_COMP_STRIDE(&frame, 1) +
                   (x >> GST_VIDEO_FORMAT_INFO_W_SUB(info.finfo, 1)) * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, 1));
  gst_video_frame_unmap(&frame);
  return value;
}

/* Edges change, the inside and the outside do not. The second component (G or U) of white differs from that of every palette
 * colour. */
static void draws_boxes_in_format(gconstpointer data) {
  GstVideoFormat format = gst_video_format_from_string(data);
  GstHarness *harness = overlay(data, "show-labels=false show-scores=false");
  GstBuffer *buffer = test_frame(format, WIDTH, HEIGHT, 255, 0);
  const guint8 white = sample(buffer, format, 0, 0);
  add_roi(buffer, "thing", 40, 30, 80, 60, 0.9);
  gst_harness_push(harness, buffer);
  buffer = gst_harness_pull(harness);
  const gint edge[][2] = {{40, 30}, {41, 60}, {119, 60}, {80, 30}, {80, 31}, {80, 89}, {119, 89}};
  for (guint i = 0; i < G_N_ELEMENTS(edge); i++)
    g_assert_cmpint(sample(buffer, format, edge[i][0], edge[i][1]), !=, white);
  const gint untouched[][2] = {{80, 60}, {36, 60}, {124, 60}, {80, 26}, {80, 94}, {44, 34}, {0, 0}};
  for (guint i = 0; i < G_N_ELEMENTS(untouched); i++)
    g_assert_cmpint(sample(buffer, format, untouched[i][0], untouched[i][1]), ==, white);
  gst_buffer_unref(buffer);
  gst_harness_teardown(harness);
}

static gsize changed_bytes(GstHarness *harness, GstBuffer *buffer) {
  GstMapInfo before, after;
  GstBuffer *copy = gst_buffer_copy_deep(buffer);
  gst_harness_push(harness, buffer);
  GstBuffer *out = gst_harness_pull(harness);
  gst_buffer_map(copy, &before, GST_MAP_READ);
  gst_buffer_map(out, &after, GST_MAP_READ);
  gsize changed = 0;
  for (gsize i = 0; i < before.size; i++)
    changed += before.data[i] != after.data[i];
  gst_buffer_unmap(copy, &before);
  gst_buffer_unmap(out, &after);
  gst_buffer_unref(copy);
  gst_buffer_unref(out);
  return changed;
}

static void writes_labels_beside_boxes(void) {
  GstHarness *bare = overlay("BGRx", "show-labels=false show-scores=false"), *labelled = overlay("BGRx", "");
  GstBuffer *a = test_frame(GST_VIDEO_FORMAT_BGRx, WIDTH, HEIGHT, 255, 0),
            *b = test_frame(GST_VIDEO_FORMAT_BGRx, WIDTH, HEIGHT, 255, 0);
  add_roi(a, "thing", 40, 30, 80, 60, 0.9);
  add_roi(b, "thing", 40, 30, 80, 60, 0.9);
  g_assert_cmpuint(changed_bytes(labelled, b), >, changed_bytes(bare, a));
  gst_harness_teardown(bare);
  gst_harness_teardown(labelled);
}

static void leaves_out_what_scores_too_little(void) {
  GstHarness *harness = overlay("NV12", "min-confidence=0.5");
  GstBuffer *buffer = test_frame(GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT, 255, 0);
  add_roi(buffer, "thing", 40, 30, 80, 60, 0.4);
  g_assert_cmpuint(changed_bytes(harness, buffer), ==, 0);
  gst_harness_teardown(harness);
}

static void frames_without_objects_stay_as_they_are(void) {
  GstHarness *harness = overlay("I420", "");
  g_assert_cmpuint(changed_bytes(harness, test_frame(GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT, 77, 0)), ==, 0);
  gst_harness_teardown(harness);
}

/* Other elements may write anything into a meta: nothing outside the frame is touched (the sanitizers watch), and no size is
 * believed. */
static void survives_hostile_metas(void) {
  static const gchar *formats[] = {"NV12", "I420", "YUY2", "RGB", "GRAY8", "BGRx"};
  for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
    GstHarness *harness = overlay(formats[f], "font-size=200 line-width=32");
    GstBuffer *buffer = test_frame(gst_video_format_from_string(formats[f]), WIDTH, HEIGHT, 255, 0);
    gchar *endless = g_strnfill(5000, 'W');
    add_roi(buffer, endless, G_MAXUINT, G_MAXUINT, G_MAXUINT, G_MAXUINT, 1e300);
    add_roi(buffer, "\xe2\x82\xac\xe2\x82\xac", 0, 0, G_MAXUINT, G_MAXUINT, 0.0 / 1.0);
    add_roi(buffer, "", WIDTH - 1, HEIGHT - 1, 0, 0, -1e300);
    add_roi(buffer, "corner", WIDTH - 3, HEIGHT - 3, 100, 100, 0.5);
    GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(buffer, "odd", 5, 5, 10, 10);
    gst_video_region_of_interest_meta_add_param(roi, gst_structure_new("detection", "confidence", G_TYPE_STRING, "high", NULL));
    gst_video_region_of_interest_meta_add_param(roi, gst_structure_new("keypoints", "points", G_TYPE_INT, 3, NULL));
    g_assert_cmpint(gst_harness_push(harness, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref(gst_harness_pull(harness));
    g_free(endless);
    gst_harness_teardown(harness);
  }
}

int main(int argc, char **argv) {
  static const gchar *formats[] = {"NV12", "I420", "YUY2", "RGB", "BGR", "RGBA", "BGRA", "RGBx", "BGRx"};
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    gchar *path = g_strdup_printf("/plugins/overlay/draws-boxes-in/%s", formats[i]);
    g_test_add_data_func(path, formats[i], draws_boxes_in_format);
    g_free(path);
  }
  g_test_add_func("/plugins/overlay/writes-labels-beside-boxes", writes_labels_beside_boxes);
  g_test_add_func("/plugins/overlay/leaves-out-what-scores-too-little", leaves_out_what_scores_too_little);
  g_test_add_func("/plugins/overlay/frames-without-objects-stay-as-they-are", frames_without_objects_stay_as_they_are);
  g_test_add_func("/plugins/overlay/survives-hostile-metas", survives_hostile_metas);
  return g_test_run();
}

/* Frames and harnesses for tests of elements. FOVEA_TEST_MODELS is where tests/models/make_models.py wrote its models. */
#ifndef FOVEA_TESTS_PLUGINS_SUPPORT_H
#define FOVEA_TESTS_PLUGINS_SUPPORT_H

#include <string.h>

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "common/framemeta.h"
#include "common/meta.h"

static inline gchar *test_model(const gchar *name) {
  return g_build_filename(g_getenv("FOVEA_TEST_MODELS"), name, NULL);
}

/* Black to white: 0..255 in every channel, whatever the format. */
static inline GstBuffer *test_frame(GstVideoFormat format, gint width, gint height, guint8 brightness, GstClockTime pts) {
  GstVideoInfo info;
  GstVideoFrame frame;
  gst_video_info_set_format(&info, format, (guint)width, (guint)height);
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&info), NULL);
  gst_buffer_memset(buffer, 0, 0, GST_VIDEO_INFO_SIZE(&info));
  g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_WRITE));
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS(&frame); c++) {
    guint8 value = brightness;
    if (GST_VIDEO_INFO_IS_YUV(&info))
      value = c == 0 ? (guint8)(16 + brightness * 219 / 255) : 128;
    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, c); y++)
      for (gint x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(&frame, c); x++)
        *((guint8 *)GST_VIDEO_FRAME_COMP_DATA(&frame, c) + y * GST_VIDEO_FRAME_COMP_STRIDE(&frame, c) +
          x * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, c)) = value;
  }
  gst_video_frame_unmap(&frame);
  GST_BUFFER_PTS(buffer) = pts;
  return buffer;
}

static inline void test_set_caps(GstHarness *harness, const gchar *format, gint width, gint height) {
  gchar *caps = g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,framerate=25/1", format, width, height);
  gst_harness_set_src_caps_str(harness, caps);
  g_free(caps);
}

/* A playing foveadetect with the tiny model and what else the launch text says after it. */
static inline GstHarness *test_detector(const gchar *more) {
  gchar *model = test_model("tiny.onnx");
  gchar *launch = g_strdup_printf("foveadetect name=detector threads=1 device=cpu model=%s %s", model, more);
  GstHarness *harness = gst_harness_new_parse(launch);
  g_assert_nonnull(harness);
  gst_harness_set_live(harness, FALSE); /* a harness says it is, unless told */
  g_free(launch);
  g_free(model);
  return harness;
}

static inline GstElement *test_find(GstHarness *harness, const gchar *name) {
  if (GST_IS_BIN(harness->element))
    return gst_bin_get_by_name(GST_BIN(harness->element), name);
  return gst_object_ref(harness->element);
}

static inline GArray *test_objects(GstBuffer *buffer, gint width, gint height) {
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
  fovea_meta_read(buffer, width, height, frame ? frame->label_quarks : NULL, objects);
  return objects;
}

static inline guint test_object_count(GstBuffer *buffer, gint width, gint height) {
  GArray *objects = test_objects(buffer, width, height);
  guint count = objects->len;
  g_array_unref(objects);
  return count;
}

static inline guint64 test_stat(GstElement *element, const gchar *name) {
  GstStructure *stats = NULL;
  guint64 value = 0;
  g_object_get(element, "stats", &stats, NULL);
  g_assert_true(gst_structure_get_uint64(stats, name, &value));
  gst_structure_free(stats);
  return value;
}

#endif

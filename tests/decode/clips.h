/* Short clips, made by the encoders at hand, and what decoders make of them. */
#ifndef FOVEA_TESTS_DECODE_CLIPS_H
#define FOVEA_TESTS_DECODE_CLIPS_H

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

typedef struct TestClip {
  GstCaps *caps;
  GPtrArray *packets; /* GstBuffer */
} TestClip;

typedef struct TestPicture {
  GstClockTime pts;
  gchar *checksum; /* of the visible pixels */
  GstVideoFormat format;
  gint width, height;
  GstBufferFlags flags;
} TestPicture;

static inline void test_clip_free(TestClip *clip) {
  gst_caps_unref(clip->caps);
  g_ptr_array_unref(clip->packets);
  g_free(clip);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TestClip, test_clip_free)

static inline void test_picture_free(gpointer data) {
  TestPicture *picture = data;
  g_free(picture->checksum);
  g_free(picture);
}

/* The first element of the launch text that this machine lacks, or NULL. */
static inline gchar *test_missing_element(const gchar *launch) {
  gchar *missing = NULL;
  g_auto(GStrv) parts = g_strsplit(launch, "!", -1);
  for (guint i = 0; parts[i] && !missing; i++) {
    g_auto(GStrv) words = g_strsplit(g_strstrip(parts[i]), " ", 2);
    if (strchr(words[0], '/'))
      continue;
    GstElementFactory *factory = gst_element_factory_find(words[0]);
    if (factory)
      gst_object_unref(factory);
    else
      missing = g_strdup(words[0]);
  }
  return missing;
}

static inline gboolean test_skips_without(const gchar *launch) {
  g_autofree gchar *missing = test_missing_element(launch);
  if (!missing)
    return FALSE;
  g_autofree gchar *why = g_strdup_printf("GStreamer's element %s is not installed", missing);
  g_test_skip(why);
  return TRUE;
}

/* Runs a launch text that ends in compressed video. */
static inline TestClip *test_clip_new(const gchar *launch) {
  TestClip *clip = g_new0(TestClip, 1);
  clip->packets = g_ptr_array_new_with_free_func((GDestroyNotify)gst_buffer_unref);
  g_autofree gchar *ended = g_strconcat(launch, " ! identity", NULL); /* caps alone may not end a launch text */
  GstHarness *harness = gst_harness_new_parse(ended);
  GstBuffer *buffer;
  gst_harness_play(harness);
  while (gst_harness_pull_until_eos(harness, &buffer) && buffer)
    g_ptr_array_add(clip->packets, buffer);
  clip->caps = gst_pad_get_current_caps(harness->sinkpad);
  g_assert_nonnull(clip->caps);
  gst_harness_teardown(harness);
  return clip;
}

static inline GstBuffer *test_clip_packet(const TestClip *clip, guint index) { return g_ptr_array_index(clip->packets, index); }

static inline gchar *test_checksum(GstBuffer *buffer, const GstVideoInfo *info) {
  GstVideoFrame frame;
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
  g_assert_true(gst_video_frame_map(&frame, info, buffer, GST_MAP_READ));
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&frame); plane++)
    for (gint y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(&frame, plane); y++)
      g_checksum_update(sum, (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(&frame, plane) + y * GST_VIDEO_FRAME_PLANE_STRIDE(&frame, plane),
                        GST_VIDEO_FRAME_COMP_WIDTH(&frame, plane) * GST_VIDEO_FRAME_COMP_PSTRIDE(&frame, plane));
  gst_video_frame_unmap(&frame);
  return g_strdup(g_checksum_get_string(sum));
}

/* A file-like upstream, and a downstream that reads GstVideoMeta or does not. */
static inline GstHarness *test_decoder(const gchar *launch, gboolean takes_meta) {
  GstHarness *harness = gst_harness_new_parse(launch);
  g_assert_nonnull(harness);
  gst_harness_set_live(harness, FALSE);
  if (takes_meta)
    gst_harness_add_propose_allocation_meta(harness, GST_VIDEO_META_API_TYPE, NULL);
  return harness;
}

/* The element itself, which a harness of a launch text keeps in a bin of its own. */
static inline GstElement *test_decoder_element(GstHarness *harness) {
  if (!GST_IS_BIN(harness->element))
    return gst_object_ref(harness->element);
  return gst_bin_get_by_name(GST_BIN(harness->element), "decoder");
}

/* What is there to be pulled, with the caps that are current. */
static inline void test_collect(GstHarness *harness, GPtrArray *pictures) {
  GstBuffer *buffer;
  while ((buffer = gst_harness_try_pull(harness))) {
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(harness->sinkpad);
    GstVideoInfo info;
    g_assert_true(gst_video_info_from_caps(&info, caps));
    TestPicture *picture = g_new0(TestPicture, 1);
    *picture = (TestPicture){.pts = GST_BUFFER_PTS(buffer), .checksum = test_checksum(buffer, &info), .format = GST_VIDEO_INFO_FORMAT(&info),
                             .width = info.width, .height = info.height, .flags = GST_BUFFER_FLAGS(buffer)};
    g_ptr_array_add(pictures, picture);
    gst_buffer_unref(buffer);
  }
}

static inline GPtrArray *test_pictures_new(void) { return g_ptr_array_new_with_free_func(test_picture_free); }
static inline const TestPicture *test_picture(const GPtrArray *pictures, guint index) { return g_ptr_array_index(pictures, index); }

static inline void test_push(GstHarness *harness, const TestClip *clip, guint first, guint end, GPtrArray *pictures) {
  for (guint i = first; i < MIN(end, clip->packets->len); i++) {
    gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clip, i)));
    test_collect(harness, pictures);
  }
}

static inline void test_finish(GstHarness *harness, GPtrArray *pictures) {
  g_assert_true(gst_harness_push_event(harness, gst_event_new_eos()));
  test_collect(harness, pictures);
}

static inline GPtrArray *test_decode(const TestClip *clip, const gchar *launch, gboolean takes_meta) {
  GPtrArray *pictures = test_pictures_new();
  GstHarness *harness = test_decoder(launch, takes_meta);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, G_MAXUINT, pictures);
  test_finish(harness, pictures);
  gst_harness_teardown(harness);
  return pictures;
}

static inline const TestPicture *test_find_picture(const GPtrArray *pictures, GstClockTime pts) {
  for (guint i = 0; i < pictures->len; i++)
    if (test_picture(pictures, i)->pts == pts)
      return test_picture(pictures, i);
  return NULL;
}

static inline guint64 test_stat(GstHarness *harness, const gchar *name) {
  g_autoptr(GstElement) element = test_decoder_element(harness);
  g_autoptr(GstStructure) stats = NULL;
  guint64 value = 0;
  guint small = 0;
  g_object_get(element, "stats", &stats, NULL);
  if (gst_structure_get_uint(stats, name, &small))
    return small;
  g_assert_true(gst_structure_get_uint64(stats, name, &value));
  return value;
}

/* Every compressed picture has come to one end, and to one only. */
static inline void test_assert_accounts(GstHarness *harness) {
  static const gchar *ends[] = {"decoded", "skipped", "thinned", "late", "hidden", "dropped"};
  guint64 sum = 0;
  for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
    sum += test_stat(harness, ends[i]);
  g_assert_cmpuint(sum, ==, test_stat(harness, "frames"));
}

#define TEST_SOURCE "videotestsrc num-buffers=%u pattern=%s ! video/x-raw,format=%s,width=%d,height=%d,framerate=25/1%s ! "
#define TEST_MOVING "ball"

/* 25 pictures a second, I420. encoder: launch text; more: further fields of the raw caps, with a comma before each. */
static inline TestClip *test_clip_made(guint count, gint width, gint height, const gchar *more, const gchar *encoder) {
  g_autofree gchar *source = g_strdup_printf(TEST_SOURCE, count, TEST_MOVING, "I420", width, height, more);
  g_autofree gchar *launch = g_strconcat(source, encoder, NULL);
  return test_clip_new(launch);
}

#define TEST_H264 "x264enc threads=1 key-int-max=10 bframes=2 b-adapt=false speed-preset=veryfast ! h264parse ! video/x-h264,stream-format=avc,alignment=au"
#define TEST_H264_NO_B "x264enc threads=1 key-int-max=10 tune=zerolatency ! h264parse ! video/x-h264,stream-format=avc,alignment=au"
#define TEST_H264_BYTES \
  "x264enc threads=1 key-int-max=10 bframes=2 ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au"

#endif

/* Pictures are the same as another decoder's, and what was asked to be left out is, exactly. */
#include "clips.h"

#include "common/motionmeta.h"

/* --- exact pictures ---------------------------------------------------------------------------------------- */

typedef struct Exact {
  const gchar *name, *format, *encoder, *reference; /* encoder and reference decoder */
} Exact;

static const Exact exact[] = {
  {"h264-avc", "I420", TEST_H264, "avdec_h264"},
  {"h264-byte-stream", "I420", TEST_H264_BYTES, "avdec_h264"},
  {"h264-4:4:4", "Y444", TEST_H264, "avdec_h264"},
  {"h264-4:2:2", "Y42B", TEST_H264, "avdec_h264"},
  {"h265", "I420", "x265enc speed-preset=ultrafast key-int-max=10 ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au", "avdec_h265"},
  {"h265-byte-stream", "I420", "x265enc speed-preset=ultrafast key-int-max=10 ! h265parse ! video/x-h265,stream-format=byte-stream,alignment=au", "avdec_h265"},
  {"h265-10-bit", "I420_10LE", "x265enc speed-preset=ultrafast key-int-max=10 ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au", "avdec_h265"},
  {"vp8", "I420", "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=10", "avdec_vp8"},
  {"vp8-hidden", "I420", "vp8enc deadline=1000000 auto-alt-ref=true lag-in-frames=10 keyframe-max-dist=40", "avdec_vp8"},
  {"vp9", "I420", "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=10", "avdec_vp9"},
  {"av1", "I420", "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=10 ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu", "av1dec"},
  {"jpeg", "I420", "jpegenc ! jpegparse", "avdec_mjpeg"},
  {"jpeg-grey", "GRAY8", "jpegenc ! jpegparse", "avdec_mjpeg"},
};

static void assert_same_pictures(const GPtrArray *pictures, const GPtrArray *others) {
  g_assert_cmpuint(pictures->len, ==, others->len);
  for (guint i = 0; i < pictures->len; i++) {
    const TestPicture *a = test_picture(pictures, i), *b = test_picture(others, i);
    g_assert_cmpuint(a->pts, ==, b->pts);
    g_assert_cmpint(a->format, ==, b->format);
    g_assert_cmpint(a->width, ==, b->width);
    g_assert_cmpint(a->height, ==, b->height);
    g_assert_cmpstr(a->checksum, ==, b->checksum);
  }
}

/* With one thread and several, memory handed on and copied. 182x146 is no multiple of any block: it is cropped. */
static void decodes_exactly(gconstpointer data) {
  const Exact *test = data;
  if (test_skips_without(test->encoder) || test_skips_without(test->reference))
    return;
  g_autofree gchar *source = g_strdup_printf(TEST_SOURCE, 24, TEST_MOVING, test->format, 182, 146, "");
  g_autofree gchar *launch = g_strconcat(source, test->encoder, NULL);
  g_autoptr(TestClip) clip = test_clip_new(launch);
  g_autoptr(GPtrArray) expected = test_decode(clip, test->reference, FALSE);
  g_assert_cmpuint(expected->len, ==, 24);
  static const gchar *ways[] = {"foveadecode threads=1", "foveadecode threads=3", "foveadecode"};
  for (guint i = 0; i < 2 * G_N_ELEMENTS(ways); i++) {
    g_autoptr(GPtrArray) pictures = test_decode(clip, ways[i / 2], i % 2);
    assert_same_pictures(pictures, expected);
  }
}

/* Shape, colours and fields go on as libavcodec's other element has them; but where chroma samples sit as the stream's caps say, which that element drops in newer GStreamer (1.26). */
static void describes_what_it_decodes(gconstpointer data) {
  const gchar *more = data;
  if (test_skips_without("x264enc") || test_skips_without("avdec_h264"))
    return;
  g_autoptr(TestClip) clip =
    test_clip_made(6, 176, 144, more, g_strrstr(more, "interleaved") ? "x264enc interlaced=true threads=1 ! h264parse ! video/x-h264,stream-format=avc" : TEST_H264);
  GstHarness *ours = test_decoder("foveadecode name=decoder", TRUE), *other = test_decoder("avdec_h264", TRUE);
  g_autoptr(GPtrArray) pictures = test_pictures_new(), others = test_pictures_new();
  gst_harness_set_src_caps(ours, gst_caps_ref(clip->caps));
  gst_harness_set_src_caps(other, gst_caps_ref(clip->caps));
  test_push(ours, clip, 0, 6, pictures);
  test_push(other, clip, 0, 6, others);
  test_finish(ours, pictures);
  test_finish(other, others);
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(ours->sinkpad), expected = gst_pad_get_current_caps(other->sinkpad);
  static const gchar *fields[] = {"format", "width", "height", "framerate", "pixel-aspect-ratio", "interlace-mode", "colorimetry", "chroma-site"};
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
    const GValue *a = gst_structure_get_value(gst_caps_get_structure(caps, 0), fields[i]);
    const GValue *b = gst_structure_get_value(gst_caps_get_structure(expected, 0), fields[i]);
    if (g_str_equal(fields[i], "chroma-site") && gst_structure_has_field(gst_caps_get_structure(clip->caps, 0), fields[i]))
      b = gst_structure_get_value(gst_caps_get_structure(clip->caps, 0), fields[i]);
    g_test_message("%s", fields[i]);
    g_assert_true((!a && !b) || (a && b && gst_value_compare(a, b) == GST_VALUE_EQUAL));
  }
  const guint64 flags = GST_VIDEO_BUFFER_FLAG_INTERLACED | GST_VIDEO_BUFFER_FLAG_TFF;
  g_assert_cmpuint(pictures->len, ==, 6);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpuint(test_picture(pictures, i)->flags & flags, ==, test_picture(others, i)->flags & flags);
  gst_harness_teardown(ours);
  gst_harness_teardown(other);
}

/* What downstream writes into does not come back in later pictures. */
static void keeps_references_from_being_written(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(20, 176, 144, "", TEST_H264);
  g_autoptr(GPtrArray) expected = test_decode(clip, "foveadecode threads=1", FALSE);
  GstHarness *harness = test_decoder("foveadecode threads=1", TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  guint seen = 0;
  for (guint i = 0; i <= clip->packets->len; i++) {
    if (i < clip->packets->len)
      gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clip, i)));
    else
      gst_harness_push_event(harness, gst_event_new_eos());
    for (GstBuffer *buffer; (buffer = gst_harness_try_pull(harness)); gst_buffer_unref(buffer)) {
      GstVideoInfo info;
      GstVideoFrame frame;
      gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 176, 144);
      g_autofree gchar *sum = test_checksum(buffer, &info);
      g_assert_cmpstr(sum, ==, test_picture(expected, seen++)->checksum);
      buffer = gst_buffer_make_writable(buffer);
      g_assert_true(gst_video_frame_map(&frame, &info, buffer, GST_MAP_READWRITE));
      memset(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0), 0, (gsize)(GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0) * 144));
      gst_video_frame_unmap(&frame);
    }
  }
  g_assert_cmpuint(seen, ==, 20);
  gst_harness_teardown(harness);
}

/* --- leaving out ------------------------------------------------------------------------------------------- */

static gsize nal_size(const guint8 *length) { return (gsize)length[0] << 24 | (gsize)length[1] << 16 | (gsize)length[2] << 8 | length[3]; }

/* Of H.264 with lengths of 4 bytes: the highest nal_ref_idc of its slices is not 0. */
static gboolean is_h264_reference(GstBuffer *packet) {
  GstMapInfo map;
  gboolean reference = FALSE;
  g_assert_true(gst_buffer_map(packet, &map, GST_MAP_READ));
  for (gsize at = 0; at + 5 <= map.size; at += 4 + nal_size(map.data + at)) {
    guint8 head = map.data[at + 4];
    reference |= (head & 31) >= 1 && (head & 31) <= 5 && (head >> 5 & 3) != 0;
  }
  gst_buffer_unmap(packet, &map);
  return reference;
}

/* Of H.265 likewise: the even types below 16 are those that no picture of their layer refers to; x265 makes one layer. */
static gboolean is_h265_reference(GstBuffer *packet) {
  GstMapInfo map;
  gboolean reference = FALSE;
  g_assert_true(gst_buffer_map(packet, &map, GST_MAP_READ));
  for (gsize at = 0; at + 5 <= map.size; at += 4 + nal_size(map.data + at)) {
    guint type = map.data[at + 4] >> 1 & 63;
    reference |= type < 32 && (type >= 16 || type % 2);
  }
  gst_buffer_unmap(packet, &map);
  return reference;
}

static gboolean is_key(GstBuffer *packet) { return !GST_BUFFER_FLAG_IS_SET(packet, GST_BUFFER_FLAG_DELTA_UNIT); }

typedef struct Skip {
  const gchar *name, *encoder, *decoder;
  gboolean (*stays)(GstBuffer *packet);
} Skip;

#define H265 "x265enc speed-preset=veryfast key-int-max=10 option-string=\"bframes=3:b-adapt=0:repeat-headers=0:open-gop=0\" ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au"
static const Skip skips[] = {
  {"nonref/h264", TEST_H264, "foveadecode name=decoder skip=nonref", is_h264_reference},
  {"nonref/h264-one-thread", TEST_H264, "foveadecode name=decoder skip=nonref threads=1", is_h264_reference},
  {"nonref/h265", H265, "foveadecode name=decoder skip=nonref", is_h265_reference},
  {"nokey/h264", TEST_H264, "foveadecode name=decoder skip=nokey", is_key},
  {"nokey/h265", H265, "foveadecode name=decoder skip=nokey", is_key},
  {"nokey/vp9", "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=10", "foveadecode name=decoder skip=nokey", is_key},
  {"nokey/av1", "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=10 ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu",
   "foveadecode name=decoder skip=nokey", is_key},
  {"nonref/jpeg-keeps-all", "jpegenc", "foveadecode name=decoder skip=nonref", is_key},
};

/* Exactly the pictures that should stay come out, the same as when all are decoded. */
static void leaves_out(gconstpointer data) {
  const Skip *test = data;
  if (test_skips_without(test->encoder))
    return;
  g_autoptr(TestClip) clip = test_clip_made(40, 176, 144, "", test->encoder);
  g_autoptr(GPtrArray) all = test_decode(clip, "foveadecode", TRUE), pictures = test_pictures_new();
  g_assert_cmpuint(all->len, ==, 40);
  GstHarness *harness = test_decoder(test->decoder, TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, G_MAXUINT, pictures);
  test_finish(harness, pictures);
  guint expected = 0;
  for (guint i = 0; i < clip->packets->len; i++) {
    GstClockTime pts = GST_BUFFER_PTS(test_clip_packet(clip, i));
    const TestPicture *picture = test_find_picture(pictures, pts);
    gboolean stays = test->stays(test_clip_packet(clip, i));
    expected += stays;
    g_assert_cmpint(picture != NULL, ==, stays);
    if (stays)
      g_assert_cmpstr(picture->checksum, ==, test_find_picture(all, pts)->checksum);
  }
  g_assert_cmpuint(pictures->len, ==, expected);
  g_assert_cmpuint(test_stat(harness, "decoded"), ==, expected);
  g_assert_cmpuint(test_stat(harness, "skipped"), ==, clip->packets->len - expected);
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
}

/* Noise of 8-pixel blocks, brighter and darker, moved by so many pixels. */
static GstBuffer *moved_noise(gint dx, gint dy, GstClockTime pts) {
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, 320 * 240 * 3 / 2, NULL);
  GstMapInfo map;
  gst_buffer_map(buffer, &map, GST_MAP_WRITE);
  memset(map.data, 128, map.size);
  for (gint y = 0; y < 240; y++)
    for (gint x = 0; x < 320; x++) {
      guint block = (guint)((x - dx + 1024) / 8 * 7919 + (y - dy + 1024) / 8 * 104729);
      map.data[y * 320 + x] = (guint8)(64 + (block * 2654435761u >> 25));
    }
  gst_buffer_unmap(buffer, &map);
  GST_BUFFER_PTS(buffer) = pts;
  GST_BUFFER_DURATION(buffer) = GST_SECOND / 25;
  return buffer;
}

G_GNUC_BEGIN_IGNORE_DEPRECATIONS /* the properties are GValueArrays */
static void set_ints(GstElement *element, const gchar *property, const gint values[2]) {
  GValueArray *array = g_value_array_new(2);
  for (guint i = 0; i < 2; i++) {
    GValue value = G_VALUE_INIT;
    g_value_init(&value, G_TYPE_INT);
    g_value_set_int(&value, values[i]);
    g_value_array_append(array, &value);
  }
  g_object_set(element, property, array, NULL);
  g_value_array_free(array);
}
G_GNUC_END_IGNORE_DEPRECATIONS

static void set_array(GstElement *element, const gchar *property, const gchar *first, const gchar *second) {
  GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(element), property);
  const gchar *texts[] = {first, second};
  GValue array = G_VALUE_INIT;
  g_value_init(&array, GST_TYPE_ARRAY);
  for (guint i = 0; i < 2; i++) {
    GValue value = G_VALUE_INIT;
    g_value_init(&value, GST_PARAM_SPEC_ARRAY_LIST(spec)->element_spec->value_type);
    g_assert_true(gst_value_deserialize(&value, texts[i]));
    gst_value_array_append_and_take_value(&array, &value);
  }
  g_object_set_property(G_OBJECT(element), property, &array);
  g_value_unset(&array);
}

/* Every other picture is of a second layer, which nothing refers to and which leaves no probabilities behind. */
static TestClip *vp8_layers(void) {
  GstHarness *harness = gst_harness_new_parse("vp8enc name=decoder deadline=1 cpu-used=8 keyframe-max-dist=40 error-resilient=default");
  g_autoptr(GstElement) encoder = test_decoder_element(harness);
  g_object_set(encoder, "temporal-scalability-number-layers", 2, "temporal-scalability-periodicity", 2, NULL);
  set_ints(encoder, "temporal-scalability-rate-decimator", (const gint[]){2, 1});
  set_ints(encoder, "temporal-scalability-layer-id", (const gint[]){0, 1});
  set_ints(encoder, "temporal-scalability-target-bitrate", (const gint[]){200000, 300000});
  set_array(encoder, "temporal-scalability-layer-flags", "no-ref-golden+no-ref-alt+no-upd-golden+no-upd-alt",
            "no-ref-golden+no-ref-alt+no-upd-last+no-upd-golden+no-upd-alt+no-upd-entropy");
  set_array(encoder, "temporal-scalability-layer-sync-flags", "false", "true");
  gst_harness_set_src_caps_str(harness, "video/x-raw,format=I420,width=320,height=240,framerate=25/1");
  TestClip *clip = g_new0(TestClip, 1);
  clip->packets = g_ptr_array_new_with_free_func((GDestroyNotify)gst_buffer_unref);
  for (gint i = 0; i < 20; i++)
    gst_harness_push(harness, moved_noise(i, i, (GstClockTime)i * 40 * GST_MSECOND));
  gst_harness_push_event(harness, gst_event_new_eos());
  for (GstBuffer *buffer; (buffer = gst_harness_try_pull(harness));)
    g_ptr_array_add(clip->packets, buffer);
  clip->caps = gst_pad_get_current_caps(harness->sinkpad);
  gst_harness_teardown(harness);
  return clip;
}

/* VP8 has no mark on its packets: libavcodec looks inside. */
static void leaves_out_vp8(gconstpointer data) {
  if (test_skips_without("vp8enc"))
    return;
  g_autoptr(TestClip) clip = vp8_layers();
  g_autoptr(GPtrArray) all = test_decode(clip, "foveadecode", TRUE), pictures = test_pictures_new();
  g_assert_cmpuint(all->len, ==, 20);
  GstHarness *harness = test_decoder(data, TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, G_MAXUINT, pictures);
  test_finish(harness, pictures);
  g_assert_cmpuint(pictures->len, ==, 10);
  for (guint i = 0; i < pictures->len; i++)
    g_assert_cmpstr(test_picture(pictures, i)->checksum, ==, test_picture(all, 2 * i)->checksum);
  g_assert_cmpuint(test_stat(harness, "skipped"), ==, 10);
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
}

/* Turned off while playing, key pictures alone end at a key picture, and what follows is exact. */
static void changes_while_playing(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(60, 176, 144, "", TEST_H264_NO_B);
  g_autoptr(GPtrArray) all = test_decode(clip, "foveadecode", TRUE), pictures = test_pictures_new();
  GstHarness *harness = test_decoder("foveadecode threads=1 name=decoder", TRUE);
  g_autoptr(GstElement) element = test_decoder_element(harness);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, 15, pictures);
  g_assert_cmpuint(pictures->len, ==, 15);
  gst_util_set_object_arg(G_OBJECT(element), "skip", "nokey");
  test_push(harness, clip, 15, 35, pictures);
  g_assert_cmpuint(pictures->len, ==, 17); /* 20 and 30 */
  gst_util_set_object_arg(G_OBJECT(element), "skip", "none");
  test_push(harness, clip, 35, 60, pictures);
  g_assert_cmpuint(pictures->len, ==, 37); /* 40 to 59 */
  for (guint i = 0; i < pictures->len; i++)
    g_assert_cmpstr(test_picture(pictures, i)->checksum, ==, test_find_picture(all, test_picture(pictures, i)->pts)->checksum);
  test_finish(harness, pictures);
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
}

/* Only the key pictures, whose blocks were not filtered either, may stay the same. */
static void loop_filter_can_be_off(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(20, 176, 144, "", "x264enc threads=1 key-int-max=10 quantizer=40 pass=quant ! h264parse ! video/x-h264,stream-format=avc");
  g_autoptr(GPtrArray) on = test_decode(clip, "foveadecode", TRUE), off = test_decode(clip, "foveadecode loop-filter=off", TRUE),
                       nonref = test_decode(clip, "foveadecode loop-filter=nonref", TRUE);
  guint differ_off = 0, differ_nonref = 0;
  g_assert_cmpuint(off->len, ==, on->len);
  g_assert_cmpuint(nonref->len, ==, on->len);
  for (guint i = 0; i < on->len; i++) {
    differ_off += g_strcmp0(test_picture(on, i)->checksum, test_picture(off, i)->checksum) != 0;
    differ_nonref += g_strcmp0(test_picture(on, i)->checksum, test_picture(nonref, i)->checksum) != 0;
  }
  g_assert_cmpuint(differ_off, >, differ_nonref);
  g_assert_cmpuint(differ_nonref, >, 0);
}

typedef struct Thin {
  const gchar *name, *encoder;
  gdouble max_fps;
  guint expected; /* of 4 seconds at 25 a second */
} Thin;

static const Thin thins[] = {
  {"h264-5", TEST_H264, 5, 20},      {"h264-1", TEST_H264, 1, 4},   {"h264-12", TEST_H264, 12, 48}, {"h264-0.5", TEST_H264, 0.5, 2},
  {"h264-25", TEST_H264, 25, 100},   {"h264-60", TEST_H264, 60, 100}, {"h264-no-b-10", TEST_H264_NO_B, 10, 40}, {"jpeg-5", "jpegenc", 5, 20},
  {"vp8-5", "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=10", 5, 20},
};

/* So many come out, evenly (a slot's picture may be any of it, so that two are never two slots apart), and each is exact. */
static void thins_out(gconstpointer data) {
  const Thin *test = data;
  if (test_skips_without(test->encoder))
    return;
  g_autoptr(TestClip) clip = test_clip_made(100, 96, 80, "", test->encoder);
  g_autoptr(GPtrArray) all = test_decode(clip, "foveadecode", TRUE), pictures = test_pictures_new();
  g_autofree gchar *launch = g_strdup_printf("foveadecode name=decoder max-fps=%g", test->max_fps);
  GstHarness *harness = test_decoder(launch, TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, G_MAXUINT, pictures);
  test_finish(harness, pictures);
  g_assert_cmpuint(pictures->len, >=, test->expected - 1);
  g_assert_cmpuint(pictures->len, <=, test->expected);
  for (guint i = 0; i < pictures->len; i++) {
    const TestPicture *picture = test_picture(pictures, i);
    g_assert_cmpstr(picture->checksum, ==, test_find_picture(all, picture->pts)->checksum);
    if (i > 0)
      g_assert_cmpuint(picture->pts - test_picture(pictures, i - 1)->pts, <, (GstClockTime)(2 * GST_SECOND / test->max_fps) + GST_SECOND / 25);
  }
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
}

/* --- streams ----------------------------------------------------------------------------------------------- */

static void push_flush(GstHarness *harness) {
  GstSegment segment;
  gst_segment_init(&segment, GST_FORMAT_TIME);
  g_assert_true(gst_harness_push_event(harness, gst_event_new_flush_start()));
  g_assert_true(gst_harness_push_event(harness, gst_event_new_flush_stop(TRUE)));
  g_assert_true(gst_harness_push_event(harness, gst_event_new_segment(&segment)));
}

/* As after a seek: whatever waited inside is forgotten, and the pictures from the key picture on are those of an unbroken run. */
static void flushes(gconstpointer data) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(50, 176, 144, "", TEST_H264);
  g_autoptr(GPtrArray) all = test_decode(clip, "foveadecode", TRUE);
  GstHarness *harness = test_decoder(data, TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  for (guint start = 40; start <= 40; start -= 10) {
    g_autoptr(GPtrArray) pictures = test_pictures_new(), thrown_away = test_pictures_new();
    test_push(harness, clip, start, start + 10, pictures);
    g_assert_true(is_key(test_clip_packet(clip, start)));
    for (guint i = 0; i < pictures->len; i++)
      g_assert_cmpstr(test_picture(pictures, i)->checksum, ==, test_picture(all, start + i)->checksum);
    push_flush(harness);
    test_collect(harness, thrown_away);
    g_assert_cmpuint(thrown_away->len, ==, 0);
  }
  g_autoptr(GPtrArray) pictures = test_pictures_new();
  test_push(harness, clip, 0, G_MAXUINT, pictures);
  test_finish(harness, pictures);
  assert_same_pictures(pictures, all);
  gst_harness_teardown(harness);
}

/* Another size, then another codec, with caps between them. */
static void follows_caps(void) {
  if (test_skips_without("x264enc") || test_skips_without("vp8enc"))
    return;
  TestClip *clips[] = {test_clip_made(12, 176, 144, "", TEST_H264), test_clip_made(12, 320, 180, "", TEST_H264),
                                 test_clip_made(12, 96, 64, "", "vp8enc deadline=1")};
  GstHarness *harness = test_decoder("foveadecode name=decoder", TRUE);
  g_autoptr(GPtrArray) pictures = test_pictures_new();
  const gint widths[] = {176, 320, 96};
  for (guint i = 0; i < G_N_ELEMENTS(clips); i++) {
    if (i == 0)
      gst_harness_set_src_caps(harness, gst_caps_ref(clips[i]->caps));
    else
      g_assert_true(gst_harness_push_event(harness, gst_event_new_caps(clips[i]->caps)));
    for (guint p = 0; p < 12; p++) /* collected later would be with the wrong caps: each is checked by its own meta */
      gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clips[i], p)));
  }
  gst_harness_push_event(harness, gst_event_new_eos());
  for (guint i = 0; i < 36; i++) {
    g_autoptr(GstBuffer) buffer = gst_harness_try_pull(harness);
    g_assert_nonnull(buffer);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    g_assert_nonnull(meta);
    g_assert_cmpint((gint)meta->width, ==, widths[i / 12]);
  }
  g_assert_null(gst_harness_try_pull(harness));
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
  for (guint i = 0; i < G_N_ELEMENTS(clips); i++)
    test_clip_free(clips[i]);
}

/* The stream itself says that its size changes; caps of the compressed video stay. */
static void follows_the_stream(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) small = test_clip_made(10, 176, 144, "", TEST_H264_BYTES), large = test_clip_made(10, 320, 180, "", TEST_H264_BYTES);
  GstHarness *harness = test_decoder("foveadecode threads=2", TRUE);
  gst_harness_set_src_caps_str(harness, "video/x-h264,stream-format=byte-stream,alignment=au,framerate=25/1");
  for (guint i = 0; i < 10; i++)
    gst_harness_push(harness, gst_buffer_ref(test_clip_packet(small, i)));
  for (guint i = 0; i < 10; i++) {
    GstBuffer *packet = gst_buffer_copy(test_clip_packet(large, i));
    GST_BUFFER_PTS(packet) += 400 * GST_MSECOND;
    GST_BUFFER_DTS(packet) += 400 * GST_MSECOND;
    gst_harness_push(harness, packet);
  }
  gst_harness_push_event(harness, gst_event_new_eos());
  for (guint i = 0; i < 20; i++) {
    g_autoptr(GstBuffer) buffer = gst_harness_try_pull(harness);
    g_assert_nonnull(buffer);
    g_assert_cmpint((gint)gst_buffer_get_video_meta(buffer)->width, ==, i < 10 ? 176 : 320);
  }
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(harness->sinkpad);
  GstVideoInfo info;
  g_assert_true(gst_video_info_from_caps(&info, caps));
  g_assert_cmpint(info.height, ==, 180);
  gst_harness_teardown(harness);
}

/* Live input without reordering: a picture out for every packet in, no delay reported; from files, the pictures that threads hold. */
static void is_prompt_when_live(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(10, 176, 144, "", TEST_H264_NO_B);
  GstHarness *harness = gst_harness_new_parse("foveadecode name=decoder threads=4");
  gst_harness_set_live(harness, TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  for (guint i = 0; i < 10; i++) {
    gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clip, i)));
    GstBuffer *buffer = gst_harness_try_pull(harness);
    g_assert_nonnull(buffer);
    gst_buffer_unref(buffer);
  }
  g_assert_cmpuint(gst_harness_query_latency(harness), ==, 0);
  g_assert_cmpuint(test_stat(harness, "delay"), ==, 0);
  gst_harness_teardown(harness);
  harness = test_decoder("foveadecode name=decoder threads=4", FALSE);
  g_autoptr(GPtrArray) pictures = test_pictures_new();
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, G_MAXUINT, pictures);
  g_assert_cmpuint(pictures->len, ==, 7);
  g_assert_cmpuint(test_stat(harness, "delay"), ==, 3);
  gst_harness_teardown(harness);
}

/* Key pictures alone come out at once, though the stream reorders. */
static void is_prompt_with_key_pictures(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(40, 176, 144, "", TEST_H264);
  GstHarness *harness = gst_harness_new_parse("foveadecode name=decoder skip=nokey");
  g_autoptr(GPtrArray) pictures = test_pictures_new();
  gst_harness_set_live(harness, TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, 39, pictures); /* the last key picture is 30 */
  g_assert_cmpuint(pictures->len, ==, 4);
  gst_harness_teardown(harness);
}

/* Downstream is far behind: what no other needs is left out. */
static void skips_when_late(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(40, 176, 144, "", TEST_H264);
  GstHarness *harness = test_decoder("foveadecode name=decoder threads=1", TRUE);
  g_autoptr(GPtrArray) pictures = test_pictures_new();
  guint references = 0;
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  test_push(harness, clip, 0, 10, pictures); /* what was said before the first picture is forgotten */
  for (guint i = 10; i < clip->packets->len; i++) { /* said again and again, since newer GStreamer looks no farther ahead than a second */
    gst_harness_push_upstream_event(harness, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 4.0, 1000 * (gint64)GST_SECOND, GST_BUFFER_PTS(test_clip_packet(clip, i))));
    test_push(harness, clip, i, i + 1, pictures);
    references += is_h264_reference(test_clip_packet(clip, i));
  }
  test_finish(harness, pictures);
  g_assert_cmpuint(test_stat(harness, "late"), ==, 30 - references);
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
}

/* --- motion ------------------------------------------------------------------------------------------------ */

static TestClip *moving_clip(gint dx, gint dy) {
  TestClip *clip = g_new0(TestClip, 1);
  clip->packets = g_ptr_array_new_with_free_func((GDestroyNotify)gst_buffer_unref);
  GstHarness *harness = gst_harness_new_parse("x264enc threads=1 bframes=0 key-int-max=100 quantizer=20 pass=quant ! h264parse ! video/x-h264,stream-format=avc,alignment=au ! identity");
  gst_harness_set_src_caps_str(harness, "video/x-raw,format=I420,width=320,height=240,framerate=25/1");
  for (gint i = 0; i < 8; i++)
    gst_harness_push(harness, moved_noise(i * dx, i * dy, (GstClockTime)i * 40 * GST_MSECOND));
  gst_harness_push_event(harness, gst_event_new_eos());
  for (GstBuffer *buffer; (buffer = gst_harness_try_pull(harness));)
    g_ptr_array_add(clip->packets, buffer);
  clip->caps = gst_pad_get_current_caps(harness->sinkpad);
  gst_harness_teardown(harness);
  return clip;
}

/* Most of the area moved as the picture did. */
static void assert_motion(GstBuffer *buffer, gint dx, gint dy) {
  gsize count;
  FoveaMotionMeta *motion = fovea_motion_meta_get(buffer);
  g_assert_nonnull(motion);
  g_assert_cmpuint(motion->width, ==, 320);
  g_assert_cmpuint(motion->height, ==, 240);
  const FoveaMotionVector *vectors = fovea_motion_meta_vectors(motion, &count);
  guint area = 0, right = 0;
  for (gsize i = 0; i < count; i++) {
    guint size = (guint)vectors[i].width * vectors[i].height;
    g_assert_cmpint(vectors[i].reference, ==, -1);
    area += size;
    right += ABS(vectors[i].dx - 4 * dx) <= 1 && ABS(vectors[i].dy - 4 * dy) <= 1 ? size : 0;
  }
  g_assert_cmpuint(area, >, 320 * 240 / 2);
  g_assert_cmpuint(right * 10, >, area * 7);
}

static void exports_motion(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = moving_clip(5, -2);
  GstHarness *harness = test_decoder("foveadecode motion-vectors=true", TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  for (guint i = 0; i < clip->packets->len; i++)
    gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clip, i)));
  gst_harness_push_event(harness, gst_event_new_eos());
  for (guint i = 0; i < 8; i++) {
    g_autoptr(GstBuffer) buffer = gst_harness_try_pull(harness);
    g_assert_nonnull(buffer);
    if (i == 0)
      g_assert_null(fovea_motion_meta_get(buffer));
    else
      assert_motion(buffer, 5, -2);
    g_autoptr(GstBuffer) copy = gst_buffer_copy(buffer);
    g_assert_cmpint(fovea_motion_meta_get(copy) != NULL, ==, i > 0);
  }
  gst_harness_teardown(harness);
}

/* Scaled frames keep vectors, which say themselves what size they are for. */
static void motion_survives_scaling(void) {
  GstHarness *harness = gst_harness_new_parse("videoscale ! video/x-raw,width=160,height=120 ! identity");
  gst_harness_set_src_caps_str(harness, "video/x-raw,format=I420,width=320,height=240,framerate=25/1");
  const FoveaMotionVector vector = {.x = 100, .y = 50, .dx = 4, .dy = -8, .width = 16, .height = 8, .reference = -1};
  g_autoptr(GBytes) vectors = g_bytes_new(&vector, sizeof(vector));
  GstBuffer *buffer = moved_noise(0, 0, 0);
  fovea_motion_meta_add(buffer, 320, 240, vectors);
  gst_harness_push(harness, buffer);
  g_autoptr(GstBuffer) scaled = gst_harness_pull(harness);
  FoveaMotionMeta *motion = fovea_motion_meta_get(scaled);
  g_assert_nonnull(motion);
  gsize count;
  g_assert_cmpint(fovea_motion_meta_vectors(motion, &count)[0].dy, ==, -8);
  g_assert_cmpuint(count, ==, 1);
  g_assert_cmpuint(motion->width, ==, 320);
  gst_harness_teardown(harness);
}

static void makes_no_motion_unasked(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = moving_clip(4, 0);
  GstHarness *harness = test_decoder("foveadecode threads=1", TRUE);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  for (guint i = 0; i < 3; i++)
    gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clip, i)));
  for (GstBuffer *buffer; (buffer = gst_harness_try_pull(harness)); gst_buffer_unref(buffer))
    g_assert_null(fovea_motion_meta_get(buffer));
  gst_harness_teardown(harness);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS(exact); i++) {
    g_autofree gchar *path = g_strconcat("/decode/exact/", exact[i].name, NULL);
    g_test_add_data_func(path, &exact[i], decodes_exactly);
  }
  g_test_add_data_func("/decode/describes/plain", "", describes_what_it_decodes);
  g_test_add_data_func("/decode/describes/shape", ",pixel-aspect-ratio=4/3", describes_what_it_decodes);
  g_test_add_data_func("/decode/describes/colours", ",colorimetry=bt709", describes_what_it_decodes);
  g_test_add_data_func("/decode/describes/full-range", ",colorimetry=1:4:0:0", describes_what_it_decodes);
  g_test_add_data_func("/decode/describes/fields", ",interlace-mode=interleaved,field-order=top-field-first", describes_what_it_decodes);
  g_test_add_func("/decode/references-are-not-written", keeps_references_from_being_written);
  for (guint i = 0; i < G_N_ELEMENTS(skips); i++) {
    g_autofree gchar *path = g_strconcat("/decode/skip/", skips[i].name, NULL);
    g_test_add_data_func(path, &skips[i], leaves_out);
  }
  g_test_add_data_func("/decode/skip/nonref/vp8-one-thread", "foveadecode name=decoder skip=nonref threads=1", leaves_out_vp8);
  g_test_add_data_func("/decode/skip/nonref/vp8-threads", "foveadecode name=decoder skip=nonref threads=3", leaves_out_vp8);
  g_test_add_func("/decode/skip/while-playing", changes_while_playing);
  g_test_add_func("/decode/loop-filter", loop_filter_can_be_off);
  for (guint i = 0; i < G_N_ELEMENTS(thins); i++) {
    g_autofree gchar *path = g_strconcat("/decode/max-fps/", thins[i].name, NULL);
    g_test_add_data_func(path, &thins[i], thins_out);
  }
  g_test_add_data_func("/decode/flush/one-thread", "foveadecode threads=1", flushes);
  g_test_add_data_func("/decode/flush/threads", "foveadecode threads=4", flushes);
  g_test_add_func("/decode/change/caps", follows_caps);
  g_test_add_func("/decode/change/stream", follows_the_stream);
  g_test_add_func("/decode/prompt/live", is_prompt_when_live);
  g_test_add_func("/decode/prompt/key-pictures", is_prompt_with_key_pictures);
  g_test_add_func("/decode/late", skips_when_late);
  g_test_add_func("/decode/motion/points-the-right-way", exports_motion);
  g_test_add_func("/decode/motion/scaled", motion_survives_scaling);
  g_test_add_func("/decode/motion/only-when-asked", makes_no_motion_unasked);
  return g_test_run();
}

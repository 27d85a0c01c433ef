/* Damaged and hostile streams: nothing crashes, nothing ends the pipeline, everything is counted. */
#include "clips.h"

#include <sys/resource.h>

static GstBus *watch(GstHarness *harness) {
  g_autoptr(GstElement) element = test_decoder_element(harness);
  GstBus *bus = gst_bus_new();
  gst_element_set_bus(element, bus);
  return bus;
}

/* The base class ends a stream of which not one picture came with an error of its own; others are ours. */
static guint count_errors(GstBus *bus) {
  guint count = 0;
  for (GstMessage *message; (message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR)); gst_message_unref(message)) {
    g_autofree gchar *debug = NULL;
    gst_message_parse_error(message, NULL, &debug);
    count += !strstr(debug, "no valid frames found");
  }
  return count;
}

typedef struct Codec {
  const gchar *name, *encoder;
} Codec;

static const Codec codecs[] = {
  {"h264", TEST_H264},
  {"h264-byte-stream", TEST_H264_BYTES},
  {"h265", "x265enc speed-preset=ultrafast key-int-max=10 ! h265parse ! video/x-h265,stream-format=hvc1,alignment=au"},
  {"vp8", "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=10"},
  {"vp9", "vp9enc deadline=1 cpu-used=8 keyframe-max-dist=10"},
  {"av1", "av1enc cpu-used=8 usage-profile=realtime keyframe-max-dist=10 ! av1parse ! video/x-av1,stream-format=obu-stream,alignment=tu"},
  {"jpeg", "jpegenc ! jpegparse"},
};

/* A copy with bytes turned over, or its end cut off. */
static GstBuffer *damaged(GstBuffer *packet, GRand *random) {
  gsize size = gst_buffer_get_size(packet);
  GstBuffer *copy = gst_buffer_copy_deep(packet);
  if (size < 2 || g_rand_int_range(random, 0, 3) == 0)
    return copy;
  if (g_rand_int_range(random, 0, 4) == 0) {
    gst_buffer_set_size(copy, g_rand_int_range(random, 1, (gint32)size));
    return copy;
  }
  GstMapInfo map;
  g_assert_true(gst_buffer_map(copy, &map, GST_MAP_READWRITE));
  for (gint i = g_rand_int_range(random, 1, 6); i > 0; i--)
    map.data[g_rand_int_range(random, 0, g_rand_boolean(random) ? (gint32)MIN(size, 40) : (gint32)size)] ^= (guint8)g_rand_int_range(random, 1, 256);
  gst_buffer_unmap(copy, &map);
  return copy;
}

static guint64 decode_damaged(const TestClip *clip, guint seed, const gchar *launch, gboolean drops) {
  GstHarness *harness = test_decoder(launch, seed % 2);
  g_autoptr(GstBus) bus = watch(harness);
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  g_autoptr(GPtrArray) pictures = test_pictures_new();
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  for (guint i = 0; i < clip->packets->len; i++) {
    g_assert_cmpint(gst_harness_push(harness, damaged(test_clip_packet(clip, i), random)), ==, GST_FLOW_OK);
    test_collect(harness, pictures);
  }
  test_finish(harness, pictures);
  g_assert_cmpuint(count_errors(bus), ==, 0);
  g_assert_cmpuint(pictures->len, ==, test_stat(harness, "decoded"));
  for (guint i = 0; drops && i < pictures->len; i++)
    g_assert_false(test_picture(pictures, i)->flags & GST_BUFFER_FLAG_CORRUPTED);
  test_assert_accounts(harness);
  guint64 noticed = test_stat(harness, "errors") + test_stat(harness, "corrupt") + test_stat(harness, "dropped");
  gst_harness_teardown(harness);
  return noticed;
}

static void survives_damage(gconstpointer data) {
  const Codec *codec = data;
  if (test_skips_without(codec->encoder))
    return;
  g_autoptr(TestClip) clip = test_clip_made(20, 176, 144, "", codec->encoder);
  static const gchar *ways[] = {"foveadecode name=decoder threads=1", "foveadecode name=decoder threads=3 corrupt=drop", "foveadecode name=decoder skip=nonref max-fps=10",
                                "foveadecode name=decoder motion-vectors=true loop-filter=off"};
  guint64 noticed = 0;
  for (guint seed = 0; seed < 40; seed++)
    noticed += decode_damaged(clip, seed, ways[seed % 4], seed % 4 == 1);
  g_assert_cmpuint(noticed, >, 0);
}

/* With corrupt=conceal the picture with the damage goes out, marked; with drop it stays back. */
static void marks_or_drops(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(20, 176, 144, "", TEST_H264_NO_B);
  GstBuffer *cut = gst_buffer_copy_deep(test_clip_packet(clip, 5));
  gsize half = gst_buffer_get_size(cut) / 2;
  gst_buffer_memset(cut, half, 0xff, half);
  gst_buffer_unref(clip->packets->pdata[5]);
  clip->packets->pdata[5] = cut;
  for (guint drop = 0; drop < 2; drop++) {
    GstHarness *harness = test_decoder(drop ? "foveadecode name=decoder threads=1 corrupt=drop" : "foveadecode name=decoder threads=1", TRUE);
    g_autoptr(GPtrArray) pictures = test_pictures_new();
    gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
    test_push(harness, clip, 0, G_MAXUINT, pictures);
    test_finish(harness, pictures);
    const TestPicture *picture = test_find_picture(pictures, GST_BUFFER_PTS(cut));
    g_assert_cmpint(picture != NULL, ==, !drop);
    g_assert_true(drop || (picture->flags & GST_BUFFER_FLAG_CORRUPTED));
    g_assert_cmpuint(test_stat(harness, "corrupt"), ==, 1);
    g_assert_cmpuint(test_stat(harness, "dropped"), ==, drop);
    gst_harness_teardown(harness);
  }
}

/* max-errors is the base class's: so many errors in a row, and the element gives up. */
static void gives_up_when_asked(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(2, 176, 144, "", TEST_H264);
  GstHarness *harness = test_decoder("foveadecode name=decoder threads=1 max-errors=5", TRUE);
  g_autoptr(GstBus) bus = watch(harness);
  gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
  GstFlowReturn flow = GST_FLOW_OK;
  guint pushed = 0;
  for (; flow == GST_FLOW_OK && pushed < 100; pushed++) {
    GstBuffer *packet = gst_buffer_new_allocate(NULL, 64, NULL);
    gst_buffer_memset(packet, 0, 0x55, 64);
    GST_BUFFER_PTS(packet) = pushed * 40 * GST_MSECOND;
    flow = gst_harness_push(harness, packet);
  }
  g_assert_cmpint(flow, ==, GST_FLOW_ERROR);
  g_assert_cmpuint(pushed, <, 20);
  g_assert_cmpuint(count_errors(bus), ==, 1);
  gst_harness_teardown(harness);
}

/* --- sizes ------------------------------------------------------------------------------------------------- */

static gint64 peak_memory(void) { /* bytes */
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (gint64)usage.ru_maxrss * 1024;
}

/* The frame header of a JPEG picture says another size. */
static GstBuffer *jpeg_of_size(GstBuffer *picture, guint width, guint height) {
  GstBuffer *copy = gst_buffer_copy_deep(picture);
  GstMapInfo map;
  gst_buffer_map(copy, &map, GST_MAP_READWRITE);
  for (gsize i = 0; i + 9 < map.size; i++)
    if (map.data[i] == 0xff && map.data[i + 1] == 0xc0) {
      const guint8 size[] = {(guint8)(height >> 8), (guint8)height, (guint8)(width >> 8), (guint8)width};
      memcpy(map.data + i + 5, size, sizeof(size));
      break;
    }
  gst_buffer_unmap(copy, &map);
  return copy;
}

static void assert_refused(GstHarness *harness, GstBuffer *packet, gint64 limit) {
  g_autoptr(GstBus) bus = watch(harness);
  gint64 before = peak_memory();
  g_assert_cmpint(gst_harness_push(harness, packet), ==, GST_FLOW_OK);
  gst_harness_push_event(harness, gst_event_new_eos());
  g_assert_null(gst_harness_try_pull(harness));
  g_assert_cmpuint(test_stat(harness, "errors"), >, 0);
  g_assert_cmpuint(count_errors(bus), ==, 0);
  if (!g_getenv("FOVEA_SANITIZED"))
    g_assert_cmpint(peak_memory() - before, <, limit);
  test_assert_accounts(harness);
  gst_harness_teardown(harness);
}

static void refuses_large_jpeg(void) {
  if (test_skips_without("jpegenc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(1, 64, 64, "", "jpegenc");
  static const guint sizes[][2] = {{65500, 65500}, {16385, 64}, {64, 16385}, {65535, 16}, {16384, 16384}};
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    GstHarness *harness = test_decoder("foveadecode name=decoder threads=1", TRUE);
    gst_harness_set_src_caps_str(harness, "image/jpeg,framerate=25/1");
    assert_refused(harness, jpeg_of_size(test_clip_packet(clip, 0), sizes[i][0], sizes[i][1]), 64 << 20);
  }
}

typedef struct Bits {
  guint8 bytes[64];
  guint at;
} Bits;

static void put_bits(Bits *bits, guint value, guint count) {
  while (count--) {
    bits->bytes[bits->at / 8] |= (guint8)((value >> count & 1) << (7 - bits->at % 8));
    bits->at++;
  }
}

static void put_golomb(Bits *bits, guint value) {
  guint length = 0;
  for (guint rest = value + 1; rest > 1; rest >>= 1)
    length++;
  put_bits(bits, 0, length);
  put_bits(bits, value + 1, length + 1);
}

static void put_start(Bits *bits, guint head) {
  bits->at = (bits->at + 7) / 8 * 8;
  put_bits(bits, 1, 32);
  put_bits(bits, head, 8);
}

/* SPS, PPS and the head of an IDR slice (H.264, 7.3.2.1.1, 7.3.2.2, 7.3.3) of so many macroblocks. */
static GstBuffer *h264_of_size(guint columns, guint rows) {
  Bits bits = {.at = 0};
  put_start(&bits, 0x67);
  put_bits(&bits, 66, 8); /* baseline */
  put_bits(&bits, 0xc0, 8);
  put_bits(&bits, 62, 8); /* level 6.2 */
  put_golomb(&bits, 0);
  put_golomb(&bits, 0); /* frame_num of 4 bits */
  put_golomb(&bits, 2); /* picture order as decoded */
  put_golomb(&bits, 1);
  put_bits(&bits, 0, 1);
  put_golomb(&bits, columns - 1);
  put_golomb(&bits, rows - 1);
  put_bits(&bits, 0xc, 4); /* frames only, 8x8 inference, no cropping, no VUI */
  put_bits(&bits, 1, 1);
  put_start(&bits, 0x68);
  put_golomb(&bits, 0);
  put_golomb(&bits, 0);
  put_bits(&bits, 0, 2);
  put_golomb(&bits, 0);
  put_golomb(&bits, 0);
  put_golomb(&bits, 0);
  put_bits(&bits, 0, 3);
  put_golomb(&bits, 0);
  put_golomb(&bits, 0);
  put_golomb(&bits, 0);
  put_bits(&bits, 0, 3);
  put_bits(&bits, 1, 1);
  put_start(&bits, 0x65);
  put_golomb(&bits, 0);
  put_golomb(&bits, 7);
  put_golomb(&bits, 0);
  put_bits(&bits, 0, 4);
  put_golomb(&bits, 0);
  put_bits(&bits, 0, 2);
  put_golomb(&bits, 0);
  put_bits(&bits, 0x5555, 16);
  GstBuffer *buffer = gst_buffer_new_memdup(bits.bytes, (bits.at + 7) / 8);
  GST_BUFFER_PTS(buffer) = 0;
  return buffer;
}

static void refuses_large_h264(void) {
  static const guint sizes[][2] = {{1250, 1250}, {1025, 2}, {2, 1025}, {1024, 1024}, {4000, 30}};
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    GstHarness *harness = test_decoder("foveadecode name=decoder threads=1", TRUE);
    gst_harness_set_src_caps_str(harness, "video/x-h264,stream-format=byte-stream,alignment=au,framerate=25/1");
    assert_refused(harness, h264_of_size(sizes[i][0], sizes[i][1]), 256 << 20);
  }
}

/* The other way about: the stream above is one that is decoded when its size is fair. */
static void takes_fair_h264(void) {
  GstHarness *harness = test_decoder("foveadecode name=decoder threads=1", TRUE);
  gst_harness_set_src_caps_str(harness, "video/x-h264,stream-format=byte-stream,alignment=au,framerate=25/1");
  gst_harness_push(harness, h264_of_size(20, 15));
  gst_harness_push_event(harness, gst_event_new_eos());
  g_autoptr(GstBuffer) buffer = gst_harness_try_pull(harness);
  g_assert_nonnull(buffer);
  g_assert_cmpint((gint)gst_buffer_get_video_meta(buffer)->width, ==, 320);
  g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED));
  gst_harness_teardown(harness);
}

static void refuses_large_caps(void) {
  GstHarness *harness = test_decoder("foveadecode name=decoder", TRUE);
  g_autoptr(GstBus) bus = watch(harness);
  gst_harness_set_src_caps_str(harness, "video/x-h264,stream-format=byte-stream,alignment=au,width=16385,height=32");
  GstBuffer *packet = gst_buffer_new_allocate(NULL, 8, NULL);
  gst_buffer_memset(packet, 0, 0, 8);
  g_assert_cmpint(gst_harness_push(harness, packet), !=, GST_FLOW_OK);
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  g_autofree gchar *debug = NULL;
  gst_message_parse_error(message, NULL, &debug);
  g_assert_nonnull(strstr(debug, "16385x32"));
  gst_harness_teardown(harness);
}

/* Codec data that is not what its caps say, of every length. */
static void survives_codec_data(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  for (guint i = 0; i < 60; i++) {
    guint8 bytes[64];
    for (guint b = 0; b < sizeof(bytes); b++)
      bytes[b] = (guint8)g_rand_int_range(random, 0, 256);
    bytes[0] = 1;
    g_autoptr(GstBuffer) data = gst_buffer_new_memdup(bytes, i + 1);
    GstHarness *harness = test_decoder("foveadecode name=decoder threads=1", TRUE);
    GstCaps *caps = gst_caps_new_simple(i % 2 ? "video/x-h264" : "video/x-h265", "stream-format", G_TYPE_STRING, i % 2 ? "avc" : "hvc1", "alignment", G_TYPE_STRING, "au",
                                        "codec_data", GST_TYPE_BUFFER, data, NULL);
    gst_harness_set_src_caps(harness, caps);
    gst_harness_push(harness, gst_buffer_new_memdup(bytes, sizeof(bytes)));
    gst_harness_push_event(harness, gst_event_new_eos());
    g_assert_null(gst_harness_try_pull(harness));
    gst_harness_teardown(harness);
  }
}

/* --- life -------------------------------------------------------------------------------------------------- */

/* Pictures outlive the decoder that made them; nothing else does. */
static void leaves_nothing_behind(void) {
  if (test_skips_without("x264enc"))
    return;
  g_autoptr(TestClip) clip = test_clip_made(8, 176, 144, "", TEST_H264);
  for (guint i = 0; i < 50; i++) {
    GstHarness *harness = test_decoder(i % 2 ? "foveadecode name=decoder threads=2" : "foveadecode name=decoder threads=1", TRUE);
    GstElement *element = test_decoder_element(harness);
    g_object_add_weak_pointer(G_OBJECT(element), (gpointer *)&element);
    gst_object_unref(element);
    gst_harness_set_src_caps(harness, gst_caps_ref(clip->caps));
    for (guint p = 0; p < clip->packets->len; p++)
      gst_harness_push(harness, gst_buffer_ref(test_clip_packet(clip, p)));
    g_autoptr(GstBuffer) last = gst_harness_pull(harness);
    gst_harness_teardown(harness);
    g_assert_null(element);
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 176, 144);
    g_autofree gchar *sum = test_checksum(last, &info);
    g_assert_nonnull(sum);
  }
  for (guint p = 0; p < clip->packets->len; p++)
    g_assert_cmpint(GST_MINI_OBJECT_REFCOUNT_VALUE(test_clip_packet(clip, p)), ==, 1);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_log_set_always_fatal(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  for (guint i = 0; i < G_N_ELEMENTS(codecs); i++) {
    g_autofree gchar *path = g_strconcat("/decode/damage/", codecs[i].name, NULL);
    g_test_add_data_func(path, &codecs[i], survives_damage);
  }
  g_test_add_func("/decode/damage/marked-or-dropped", marks_or_drops);
  g_test_add_func("/decode/damage/max-errors", gives_up_when_asked);
  g_test_add_func("/decode/damage/codec-data", survives_codec_data);
  g_test_add_func("/decode/size/jpeg", refuses_large_jpeg);
  g_test_add_func("/decode/size/h264", refuses_large_h264);
  g_test_add_func("/decode/size/h264-fair", takes_fair_h264);
  g_test_add_func("/decode/size/caps", refuses_large_caps);
  g_test_add_func("/decode/life", leaves_nothing_behind);
  return g_test_run();
}

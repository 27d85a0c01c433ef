/* Decoding times worked out from the times at which pictures are shown. */
#include "common/decodetimes.h"

#define MS ((gint64)GST_MSECOND)
#define FRAME (40 * MS)

typedef struct Stream {
  FoveaDecodeTimes times;
  guint put, taken;
  gint64 pts[1024], dts[1024]; /* in decoding order; dts of those taken */
} Stream;

static void begin(Stream *stream, const gchar *media_type) {
  GstCaps *caps = gst_caps_new_empty_simple(media_type);
  fovea_decode_times_begin(&stream->times, caps);
  gst_caps_unref(caps);
}

static Stream *stream_new(const gchar *media_type) {
  Stream *stream = g_new0(Stream, 1);
  stream->times.negative = TRUE;
  begin(stream, media_type);
  return stream;
}

static void take(Stream *stream) {
  gint64 dts;
  gpointer frame;
  while ((frame = fovea_decode_times_take(&stream->times, &dts))) {
    g_assert_cmpuint(GPOINTER_TO_UINT(frame), ==, stream->taken + 1); /* in the order put */
    stream->dts[stream->taken++] = dts;
  }
}

static void put(Stream *stream, gint64 pts, gint64 dts) {
  stream->pts[stream->put++] = pts;
  fovea_decode_times_put(&stream->times, GUINT_TO_POINTER(stream->put), pts, dts);
  take(stream);
}

/* A group in decoding order, `times` times over, the first number being where each begins. */
static void put_groups(Stream *stream, gint64 at, const gint *group, guint size, guint times) {
  for (guint i = 0; i < times; i++)
    for (guint j = 0; j < size; j++) put(stream, at + (gint64)(i * size) * FRAME + group[j] * FRAME, FOVEA_NO_TIME);
}

static void end(Stream *stream) {
  fovea_decode_times_settle(&stream->times);
  take(stream);
  g_assert_cmpuint(stream->taken, ==, stream->put);
}

static void stream_free(Stream *stream) {
  end(stream);
  g_free(stream);
}

static void assert_rising(const Stream *stream, guint from) {
  for (guint i = from; i + 1 < stream->taken; i++) g_assert_cmpint(stream->dts[i], <, stream->dts[i + 1]);
}

static void assert_in_time(const Stream *stream, guint from) {
  for (guint i = from; i < stream->taken; i++) g_assert_cmpint(stream->dts[i], <=, stream->pts[i]);
}

static const gint plain[] = {1}, bbp[] = {3, 1, 2}, pyramid[] = {4, 2, 1, 3}, eight[] = {8, 4, 2, 1, 3, 6, 5, 7}, sixteen[] = {16, 8, 4, 2, 1, 3, 6, 5, 7, 12, 10, 9, 11, 14, 13, 15};
static const struct { const gchar *name; const gint *group; guint size, depth; } patterns[] = {
  {"two B-frames", bbp, G_N_ELEMENTS(bbp), 2}, {"a pyramid", pyramid, G_N_ELEMENTS(pyramid), 2}, {"groups of eight", eight, G_N_ELEMENTS(eight), 3},
  {"groups of sixteen", sixteen, G_N_ELEMENTS(sixteen), 4}};

static void test_patterns(void) {
  for (guint i = 0; i < G_N_ELEMENTS(patterns); i++)
    for (guint codec = 0; codec < 2; codec++) {
      Stream *stream = stream_new(codec ? "video/x-h265" : "video/x-h264");
      g_test_message("%s", patterns[i].name);
      put(stream, 0, FOVEA_NO_TIME);
      put_groups(stream, 0, patterns[i].group, patterns[i].size, 10);
      end(stream);
      assert_rising(stream, 0);
      assert_in_time(stream, 0);
      for (guint j = 0; j < stream->taken; j++) g_assert_cmpint(stream->dts[j], ==, ((gint64)j - patterns[i].depth) * FRAME); /* at even distances */
      stream_free(stream);
    }
}

/* Nothing is changed, and nothing waits for longer than it takes to see that. */
static void test_without_b_frames(void) {
  Stream *stream = stream_new("video/x-h264"), *other = stream_new("video/x-vp9");
  put_groups(stream, 0, plain, 1, 50);
  g_assert_cmpuint(stream->taken, ==, 50);
  for (guint i = 0; i < 50; i++) g_assert_cmpint(stream->dts[i], ==, FOVEA_NO_TIME);
  put(other, 80 * MS, FOVEA_NO_TIME);
  put(other, 40 * MS, FOVEA_NO_TIME);
  g_assert_cmpuint(other->taken, ==, 2);
  g_assert_cmpint(other->dts[1], ==, FOVEA_NO_TIME);
  stream_free(stream);
  stream_free(other);
}

static void test_told(void) {
  Stream *stream = stream_new("video/x-h264");
  const gint64 pts[] = {80, 200, 120, 160}, dts[] = {0, 40, 80, 120};
  for (guint i = 0; i < G_N_ELEMENTS(pts); i++) {
    put(stream, pts[i] * MS, (dts[i] - 80) * MS);
    g_assert_cmpuint(stream->taken, ==, i + 1);
    g_assert_cmpint(stream->dts[i], ==, (dts[i] - 80) * MS);
  }
  stream_free(stream);
}

/* Where times before 0 cannot be told, those of the first frames are between 0 and the first picture, told or not. */
static void test_from_zero_on(void) {
  for (guint told = 0; told < 2; told++) {
    Stream *stream = stream_new("video/x-h264");
    stream->times.negative = FALSE;
    put(stream, 0, told ? -2 * FRAME : FOVEA_NO_TIME);
    for (guint i = 0; i < 12; i++) put(stream, (i / 3 * 3 + bbp[i % 3]) * FRAME, told ? ((gint64)i - 1) * FRAME : FOVEA_NO_TIME);
    end(stream);
    g_assert_cmpint(stream->dts[0], ==, 0);
    assert_rising(stream, 0);
    assert_in_time(stream, 0);
    g_assert_cmpint(stream->dts[6], ==, 4 * FRAME);
    stream_free(stream);
  }
}

/* A jitter buffer shifts frames by some milliseconds, and gives two the same time. */
static void test_uneven(void) {
  Stream *stream = stream_new("video/x-h264");
  put(stream, 0, FOVEA_NO_TIME);
  for (guint i = 0; i < 300; i++) put(stream, (i / 4 * 4 + pyramid[i % 4]) * FRAME + (gint64)((i * 7919) % 41) * MS - 20 * MS, FOVEA_NO_TIME);
  end(stream);
  assert_rising(stream, 0);
  for (guint i = 0; i < stream->taken; i++) g_assert_cmpint(stream->dts[i] - stream->pts[i], <, 5 * MS); /* of steps between equal ones */
  stream_free(stream);
}

/* An encoder that begins to use B-frames later: all go on rising, and after the first group they are in time again. */
static void test_later(void) {
  Stream *stream = stream_new("video/x-h264");
  put_groups(stream, 0, plain, 1, 30);
  put_groups(stream, 30 * FRAME, pyramid, 4, 10);
  put_groups(stream, 70 * FRAME, eight, 8, 10);
  end(stream);
  for (guint i = 0; i < stream->taken; i++) stream->dts[i] = stream->dts[i] != FOVEA_NO_TIME ? stream->dts[i] : stream->pts[i];
  assert_rising(stream, 0);
  for (guint i = 0; i < stream->taken; i++)
    if ((i >= 34 && i < 70) || i >= 78)
      g_assert_cmpint(stream->dts[i], <=, stream->pts[i]);
  stream_free(stream);
}

static void test_gaps_and_steps(void) {
  Stream *stream = stream_new("video/x-h264");
  put(stream, 0, FOVEA_NO_TIME);
  put_groups(stream, 0, bbp, 3, 10);
  put_groups(stream, 60 * (gint64)GST_SECOND, bbp, 3, 10);
  assert_rising(stream, 0);
  assert_in_time(stream, 0);
  guint from = stream->taken;
  put(stream, 10 * (gint64)GST_SECOND, FOVEA_NO_TIME); /* another time axis */
  put_groups(stream, 10 * (gint64)GST_SECOND, bbp, 3, 10);
  end(stream);
  assert_rising(stream, from);
  assert_in_time(stream, from);
  stream_free(stream);
}

/* Frames that waited are those of the caps before; what follows waits anew, and goes on behind them. */
static void test_other_caps(void) {
  Stream *stream = stream_new("video/x-h264");
  put(stream, 0, FOVEA_NO_TIME);
  put(stream, 3 * FRAME, FOVEA_NO_TIME);
  g_assert_cmpuint(stream->taken, ==, 0);
  end(stream);
  begin(stream, "video/x-h265");
  put(stream, 4 * FRAME, FOVEA_NO_TIME);
  put_groups(stream, 4 * FRAME, bbp, 3, 3);
  end(stream);
  assert_in_time(stream, 2);
  assert_rising(stream, 2);
  g_assert_cmpint(stream->dts[2], >, stream->pts[0]);
  stream_free(stream);
}

static void note_freed(gpointer frame) { *(guint *)frame += 1; }

static void test_clear(void) {
  FoveaDecodeTimes times = {0};
  GstCaps *caps = gst_caps_new_empty_simple("video/x-h264");
  guint freed[2] = {0};
  gint64 dts;
  fovea_decode_times_begin(&times, caps);
  fovea_decode_times_put(&times, &freed[0], 0, FOVEA_NO_TIME);
  fovea_decode_times_put(&times, &freed[1], FRAME, FOVEA_NO_TIME);
  fovea_decode_times_clear(&times, note_freed);
  g_assert_cmpuint(freed[0], ==, 1);
  g_assert_cmpuint(freed[1], ==, 1);
  fovea_decode_times_settle(&times);
  g_assert_null(fovea_decode_times_take(&times, &dts));
  gst_caps_unref(caps);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE); /* no element is needed */
  gst_init(&argc, &argv);
  g_test_add_func("/decoding-times/patterns", test_patterns);
  g_test_add_func("/decoding-times/without-b-frames", test_without_b_frames);
  g_test_add_func("/decoding-times/told", test_told);
  g_test_add_func("/decoding-times/from-zero-on", test_from_zero_on);
  g_test_add_func("/decoding-times/uneven", test_uneven);
  g_test_add_func("/decoding-times/later", test_later);
  g_test_add_func("/decoding-times/gaps-and-steps", test_gaps_and_steps);
  g_test_add_func("/decoding-times/other-caps", test_other_caps);
  g_test_add_func("/decoding-times/clear", test_clear);
  return g_test_run();
}

/* GOPs: how frames are put together to them, and what becomes of them in a spool. */
#include <string.h>


#include <glib/gstdio.h>

#include "encoded/gopspool.h"
#include "encoded/paramsets.h"
#include "encoded/preroll.h"

#define FRAME_NS (40 * (gint64)GST_MSECOND)

static GstCaps *test_caps(void) {
  return gst_caps_from_string("video/x-h264, stream-format=(string)avc, alignment=(string)au, codec_data=(buffer)0164000affe1001a, width=(int)160, height=(int)120, framerate=(fraction)25/1");
}

/* Its bytes follow from its number. */
static FoveaFrame make_frame(guint number, gboolean key, gsize size) {
  FoveaFrame frame = {.pts = (gint64)number * FRAME_NS, .dts = (gint64)number * FRAME_NS - FRAME_NS, .arrived = 1 + number};
  frame.buffer = gst_buffer_new_allocate(NULL, size, NULL);
  gst_buffer_memset(frame.buffer, 0, (guint8)(number * 7 + 1), size);
  GST_BUFFER_DURATION(frame.buffer) = FRAME_NS;
  if (!key)
    GST_BUFFER_FLAG_SET(frame.buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  return frame;
}

static FoveaGop *make_gop(guint first, guint count, gsize size) {
  GstCaps *caps = test_caps();
  FoveaGop *gop = fovea_gop_new(caps, G_GINT64_CONSTANT(1700000000000000000), 0);
  for (guint i = 0; i < count; i++) {
    FoveaFrame frame = make_frame(first + i, i == 0, size);
    fovea_gop_append(gop, &frame);
  }
  gst_caps_unref(caps);
  return gop;
}

static void assert_same_frame(const FoveaFrame *a, const FoveaFrame *b) {
  GstMapInfo map;
  g_assert_cmpint(a->pts, ==, b->pts);
  g_assert_cmpint(a->dts, ==, b->dts);
  g_assert_cmpuint(GST_BUFFER_DURATION(a->buffer), ==, GST_BUFFER_DURATION(b->buffer));
  g_assert_cmpint(fovea_frame_is_key(a), ==, fovea_frame_is_key(b));
  g_assert_cmpuint(gst_buffer_get_size(a->buffer), ==, gst_buffer_get_size(b->buffer));
  g_assert_true(gst_buffer_map(a->buffer, &map, GST_MAP_READ));
  g_assert_cmpint(gst_buffer_memcmp(b->buffer, 0, map.data, map.size), ==, 0);
  gst_buffer_unmap(a->buffer, &map);
}

static void assert_same(const FoveaGop *a, const FoveaGop *b) {
  g_assert_true(gst_caps_is_equal(a->caps, b->caps));
  g_assert_cmpint(a->start, ==, b->start);
  g_assert_cmpint(a->end, ==, b->end);
  g_assert_cmpint(a->epoch, ==, b->epoch);
  g_assert_cmpuint(a->part, ==, b->part);
  g_assert_cmpint(a->cut, ==, b->cut);
  g_assert_cmpuint(a->bytes, ==, b->bytes);
  g_assert_cmpuint(a->frames->len, ==, b->frames->len);
  for (guint i = 0; i < a->frames->len; i++) assert_same_frame(fovea_gop_frame(a, i), fovea_gop_frame(b, i));
}

/* ---- frames and steps ---- */

static void test_times(void) {
  GstSegment segment;
  FoveaFrame frame;
  GstBuffer *buffer = gst_buffer_new();
  gst_segment_init(&segment, GST_FORMAT_TIME);
  segment.start = segment.position = 1000 * GST_SECOND;
  g_assert_false(fovea_frame_init(&frame, buffer, &segment)); /* no time */
  GST_BUFFER_PTS(buffer) = 1000 * GST_SECOND + 5;
  GST_BUFFER_DTS(buffer) = 999 * GST_SECOND;
  g_assert_true(fovea_frame_init(&frame, buffer, &segment));
  g_assert_cmpint(frame.pts, ==, 5);
  g_assert_cmpint(frame.dts, ==, -(gint64)GST_SECOND);
  fovea_frame_clear(&frame);
  gst_segment_init(&segment, GST_FORMAT_BYTES);
  g_assert_false(fovea_frame_init(&frame, buffer, &segment));
  gst_buffer_unref(buffer);
}

static FoveaGopStep step(const FoveaGop *open, guint number, gboolean key, gsize size, GstCaps *caps, gint64 shortest, gint64 longest) {
  FoveaFrame frame = make_frame(number, key, size);
  FoveaGopBounds bounds = {shortest, longest};
  FoveaGopStep result = fovea_gop_step(open, &frame, caps, &bounds);
  fovea_frame_clear(&frame);
  return result;
}

static void test_steps(void) {
  GstCaps *caps = test_caps(), *other = gst_caps_copy(caps);
  gst_caps_set_simple(other, "width", G_TYPE_INT, 320, NULL);
  FoveaGop *gop = make_gop(10, 5, 100);
  g_assert_cmpint(step(NULL, 0, FALSE, 10, caps, 0, 0), ==, FOVEA_GOP_REFUSE);
  g_assert_cmpint(step(NULL, 0, TRUE, 10, caps, 0, 0), ==, FOVEA_GOP_BEGIN);
  g_assert_cmpint(step(gop, 15, FALSE, 10, caps, 0, 0), ==, FOVEA_GOP_GROW);
  g_assert_cmpint(step(gop, 15, TRUE, 10, caps, 0, 0), ==, FOVEA_GOP_BEGIN);
  g_assert_cmpint(step(gop, 15, TRUE, 10, caps, 6 * FRAME_NS, 0), ==, FOVEA_GOP_GROW);
  g_assert_cmpint(step(gop, 16, TRUE, 10, caps, 6 * FRAME_NS, 0), ==, FOVEA_GOP_BEGIN);
  g_assert_cmpint(step(gop, 15, FALSE, 10, other, 0, 0), ==, FOVEA_GOP_REFUSE); /* another size needs a key frame */
  g_assert_cmpint(step(gop, 9, FALSE, 10, caps, 0, 0), ==, FOVEA_GOP_REFUSE);   /* back in time */
  g_assert_cmpint(step(gop, 15, FALSE, 10, caps, 0, 5 * FRAME_NS), ==, FOVEA_GOP_CUT);
  g_assert_cmpint(step(gop, 15, FALSE, FOVEA_GOP_MAX_BYTES, caps, 0, 0), ==, FOVEA_GOP_CUT);
  fovea_gop_unref(gop);
  gst_caps_unref(caps);
  gst_caps_unref(other);
}

/* Sets are taken from one key frame to the next, as they were, and from no other. */
static void test_param_sets(void) {
  static const guint8 with[] = {0, 0, 0, 1, 9, 16, 0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 7, 7}, without[] = {0, 0, 0, 1, 0x65, 8, 8},
                      expected[] = {0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 8, 8};
  GstCaps *stream = gst_caps_from_string("video/x-h264, stream-format=byte-stream"), *packets = test_caps();
  const struct { GstCaps *caps; const guint8 *data; gsize size; gboolean key; const guint8 *after; gsize after_size; } cases[] = {
    {stream, without, sizeof without, TRUE, without, sizeof without}, {stream, with, sizeof with, TRUE, with, sizeof with}, {stream, without, sizeof without, TRUE, expected, sizeof expected},
    {stream, without, sizeof without, FALSE, without, sizeof without}, {packets, without, sizeof without, TRUE, without, sizeof without}, {stream, with, 2, TRUE, NULL, 0},
    {stream, with, 4, TRUE, NULL, 0}, {stream, with, 12, TRUE, NULL, 0}};
  FoveaParamSets known = {0};
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    FoveaFrame frame = make_frame(i, cases[i].key, 1);
    GstBuffer *data = gst_buffer_new_memdup(cases[i].data, cases[i].size);
    gst_buffer_copy_into(data, frame.buffer, GST_BUFFER_COPY_METADATA, 0, (gsize)-1);
    gst_buffer_unref(frame.buffer);
    frame.buffer = data;
    fovea_param_sets_complete(&known, &frame, cases[i].caps);
    if (cases[i].after) {
      g_assert_cmpuint(gst_buffer_get_size(frame.buffer), ==, cases[i].after_size);
      g_assert_cmpint(gst_buffer_memcmp(frame.buffer, 0, cases[i].after, cases[i].after_size), ==, 0);
    }
    g_assert_cmpint(fovea_frame_is_key(&frame), ==, cases[i].key);
    fovea_frame_clear(&frame);
  }
  fovea_param_sets_clear(&known);
  gst_caps_unref(stream);
  gst_caps_unref(packets);
}

/* ---- bytes ---- */

static void test_round_trip(void) {
  FoveaGop *gop = make_gop(3, 40, 1234), *back;
  FvError err;
  gop->part = 2;
  gop->cut = TRUE;
  g_array_index(gop->frames, FoveaFrame, 4).dts = FOVEA_NO_TIME;
  GST_BUFFER_DURATION(g_array_index(gop->frames, FoveaFrame, 5).buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_FLAG_SET(g_array_index(gop->frames, FoveaFrame, 6).buffer, GST_BUFFER_FLAG_DISCONT);
  GBytes *message = fovea_gop_encode(gop);
  g_assert_nonnull(back = fovea_gop_decode(message, &err));
  g_bytes_unref(message);
  assert_same(gop, back);
  g_assert_true(GST_BUFFER_FLAG_IS_SET(fovea_gop_frame(back, 6)->buffer, GST_BUFFER_FLAG_DISCONT));
  fovea_gop_unref(gop);
  fovea_gop_unref(back);
}

/* Cut anywhere it is refused; with any byte changed it is refused or read, and nothing else. */
static void test_bad_bytes(void) {
  FoveaGop *gop = make_gop(0, 3, 20), *back;
  GBytes *message = fovea_gop_encode(gop);
  gsize size;
  const guint8 *bytes = g_bytes_get_data(message, &size);
  for (gsize cut = 0; cut < size; cut++) {
    FvError err = {0};
    GBytes *part = g_bytes_new(bytes, cut);
    g_assert_null(fovea_gop_decode(part, &err));
    g_assert_cmpint(err.code, <, 0);
    g_bytes_unref(part);
  }
  for (gsize at = 0; at < size; at++)
    for (guint bit = 0; bit < 8; bit++) {
      guint8 *copy = g_memdup2(bytes, size);
      copy[at] ^= (guint8)(1u << bit);
      GBytes *changed = g_bytes_new_take(copy, size);
      if ((back = fovea_gop_decode(changed, NULL)))
        fovea_gop_unref(back);
      g_bytes_unref(changed);
    }
  g_bytes_unref(message);
  fovea_gop_unref(gop);
}

/* ---- spool ---- */

typedef struct Fixture {
  gchar *folder;
  FvSpool *spool;
  FoveaGopReader reader;
  gsize record_bytes;
} Fixture;

static void open_spool(Fixture *fixture, gint64 max_bytes, gboolean newest_first) {
  FvError err;
  FvSpoolParams params = {.directory = fixture->folder, .max_bytes = max_bytes, .segment_bytes = fovea_gop_segment_bytes(max_bytes)};
  FvSpoolReaderParams reader = {.name = "test", .newest_first = newest_first};
  g_assert_cmpint(fv_spool_open(&params, &fixture->spool, &err), ==, 0);
  g_assert_cmpint(fv_spool_reader_open(fixture->spool, &reader, &fixture->reader.reader, &err), ==, 0);
  fixture->record_bytes = fovea_gop_record_bytes(params.segment_bytes);
  fixture->reader.out = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static void close_spool(Fixture *fixture) {
  fv_spool_reader_close(&fixture->reader.reader);
  fv_spool_close(&fixture->spool);
  g_clear_pointer(&fixture->reader.out, g_hash_table_unref);
}

static void set_up(Fixture *fixture, gconstpointer data) { fixture->folder = g_dir_make_tmp("fovea-gops-XXXXXX", NULL); }

static void tear_down(Fixture *fixture, gconstpointer data) {
  GDir *directory = g_dir_open(fixture->folder, 0, NULL);
  const gchar *name;
  while ((name = g_dir_read_name(directory))) {
    gchar *path = g_build_filename(fixture->folder, name, NULL);
    g_unlink(path);
    g_free(path);
  }
  g_dir_close(directory);
  g_rmdir(fixture->folder);
  g_free(fixture->folder);
}

static void put(Fixture *fixture, guint first, gsize size, guint8 priority) {
  FvError err;
  FoveaGop *gop = make_gop(first, 10, size);
  g_assert_cmpint(fovea_gop_spool(fixture->spool, gop, priority, fixture->record_bytes, &err), ==, 0);
  fovea_gop_unref(gop);
}

/* The number of the first frame of the next GOP, -1: none. */
static gint get(Fixture *fixture, gsize size, GArray **ret_ids) {
  FvError err;
  FoveaGop *gop = fovea_gop_unspool(&fixture->reader, ret_ids, &err);
  if (!gop)
    return -1;
  gint first = (gint)(gop->start / FRAME_NS);
  FoveaGop *expected = make_gop((guint)first, 10, size);
  assert_same(gop, expected);
  fovea_gop_unref(expected);
  fovea_gop_unref(gop);
  return first;
}

static gint get_for_good(Fixture *fixture, gsize size) {
  GArray *ids = NULL;
  gint first = get(fixture, size, &ids);
  if (ids) {
    fovea_gop_acknowledge(&fixture->reader, ids);
    g_array_unref(ids);
  }
  return first;
}

/* 100 kB frames against records of 32 kB. */
static void test_pieces(Fixture *fixture, gconstpointer data) {
  open_spool(fixture, 8 << 20, FALSE);
  put(fixture, 0, 100000, 2);
  put(fixture, 10, 100000, 2);
  put(fixture, 20, 100000, 5);
  g_assert_cmpint(get_for_good(fixture, 100000), ==, 20);
  g_assert_cmpint(get_for_good(fixture, 100000), ==, 0);
  g_assert_cmpint(get_for_good(fixture, 100000), ==, 10);
  g_assert_cmpint(get_for_good(fixture, 100000), ==, -1);
  g_assert_cmpint(fv_spool_pending(fixture->reader.reader), ==, 0);
  g_assert_cmpuint(fixture->reader.damaged, ==, 0);
  close_spool(fixture);
}

static void test_newest_first(Fixture *fixture, gconstpointer data) {
  open_spool(fixture, 8 << 20, TRUE);
  put(fixture, 0, 70000, 2);
  put(fixture, 10, 70000, 2);
  fv_spool_rewind(fixture->reader.reader);
  g_assert_cmpint(get_for_good(fixture, 70000), ==, 10);
  g_assert_cmpint(get_for_good(fixture, 70000), ==, 0);
  g_assert_cmpint(get_for_good(fixture, 70000), ==, -1);
  g_assert_cmpuint(fixture->reader.damaged, ==, 0);
  close_spool(fixture);
}

/* What is out is not given again by a rewind; what was taken back is. */
static void test_take_back(Fixture *fixture, gconstpointer data) {
  GArray *first = NULL, *second = NULL;
  open_spool(fixture, 8 << 20, FALSE);
  for (guint i = 0; i < 3; i++) put(fixture, i * 10, 50000, 2);
  g_assert_cmpint(get(fixture, 50000, &first), ==, 0);
  fv_spool_rewind(fixture->reader.reader);
  g_assert_cmpint(get(fixture, 50000, &second), ==, 10);
  fovea_gop_acknowledge(&fixture->reader, second);
  fovea_gop_take_back(&fixture->reader, first);
  fv_spool_rewind(fixture->reader.reader);
  g_assert_cmpint(get_for_good(fixture, 50000), ==, 0);
  g_assert_cmpint(get_for_good(fixture, 50000), ==, 20);
  g_assert_cmpint(get_for_good(fixture, 50000), ==, -1);
  g_array_unref(first);
  g_array_unref(second);
  close_spool(fixture);
}

/* A process that was killed amidst a GOP leaves pieces of it; other programs leave other records. Neither is given, nor comes again. */
static void test_incomplete(Fixture *fixture, gconstpointer data) {
  static const guint8 foreign[] = "something else";
  guint8 half[FOVEA_GOP_PIECE_HEAD + 8] = {1, 0, 0, 0, 3};
  const FvSpoolRecord records[] = {{.type = FOVEA_GOP_RECORD, .priority = 2, .data = half, .size = sizeof half}, {.type = 7, .priority = 2, .data = foreign, .size = sizeof foreign},
                                   {.type = FOVEA_GOP_RECORD, .priority = 2, .data = foreign, .size = sizeof foreign}};
  open_spool(fixture, 8 << 20, FALSE);
  put(fixture, 0, 100, 2);
  for (guint i = 0; i < G_N_ELEMENTS(records); i++) g_assert_cmpint(fv_spool_append(fixture->spool, &records[i], NULL, NULL), ==, 0);
  put(fixture, 10, 100, 2);
  g_assert_cmpint(get_for_good(fixture, 100), ==, 0);
  g_assert_cmpint(get_for_good(fixture, 100), ==, 10);
  g_assert_cmpint(get_for_good(fixture, 100), ==, -1);
  g_assert_cmpuint(fixture->reader.damaged, ==, 1);
  g_assert_cmpint(fv_spool_pending(fixture->reader.reader), ==, 0);
  close_spool(fixture);
}

/* The bound holds, and what is left of a GOP whose first pieces had to go is not given. */
static void test_bound(Fixture *fixture, gconstpointer data) {
  gint last = -1, count = 0, first;
  open_spool(fixture, 1 << 20, FALSE);
  for (guint i = 0; i < 60; i++) put(fixture, i * 10, 5000, 2);
  g_assert_cmpint(fv_spool_stats(fixture->spool).bytes, <=, 1 << 20);
  while ((first = get_for_good(fixture, 5000)) >= 0) {
    g_assert_cmpint(first, >, last);
    last = first;
    count++;
  }
  g_assert_cmpint(last, ==, 590);
  g_assert_cmpint(count, >, 10);
  g_assert_cmpint(count, <, 22);
  g_assert_cmpuint(fixture->reader.damaged, <=, 1);
  close_spool(fixture);
}

/* ---- ring ---- */

static void test_ring(void) {
  GstCaps *caps = test_caps();
  FoveaPreroll ring = {.span = 20 * FRAME_NS, .max_bytes = 1 << 20, .newest = FOVEA_NO_TIME};
  const FoveaGop *gop;
  for (guint i = 0; i < 95; i++) {
    FoveaFrame frame = make_frame(i, i % 10 == 0, 100);
    g_assert_true(fovea_preroll_append(&ring, &frame, caps));
  }
  g_assert_cmpint(((FoveaGop *)g_queue_peek_head(&ring.gops))->start, ==, 70 * FRAME_NS);
  g_assert_cmpint(fovea_preroll_seek(&ring, 85 * FRAME_NS)->start, ==, 80 * FRAME_NS);
  g_assert_cmpint(fovea_preroll_seek(&ring, 5 * FRAME_NS)->start, ==, 70 * FRAME_NS);
  for (guint i = 70; i < 95; i++) {
    g_assert_cmpint(fovea_preroll_peek(&ring, &gop)->pts, ==, i * FRAME_NS);
    fovea_preroll_advance(&ring);
  }
  g_assert_null(fovea_preroll_peek(&ring, &gop));
  FoveaFrame frame = make_frame(95, FALSE, 100);
  g_assert_true(fovea_preroll_append(&ring, &frame, caps));
  g_assert_cmpint(fovea_preroll_peek(&ring, &gop)->pts, ==, 95 * FRAME_NS);
  fovea_preroll_seek(&ring, 0);
  ring.max_bytes = 1000; /* what is being read stays all the same */
  frame = make_frame(96, FALSE, 100);
  g_assert_true(fovea_preroll_append(&ring, &frame, caps));
  g_assert_cmpint(fovea_preroll_peek(&ring, &gop)->pts, ==, 70 * FRAME_NS);
  fovea_preroll_release(&ring);
  frame = make_frame(97, FALSE, 100);
  g_assert_true(fovea_preroll_append(&ring, &frame, caps));
  g_assert_cmpuint(ring.bytes, <=, 1000);
  fovea_preroll_clear(&ring);
  gst_caps_unref(caps);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_setenv("GST_REGISTRY_DISABLE", "yes", TRUE); /* no element is needed */
  gst_init(&argc, &argv);
  g_test_add_func("/gop/times", test_times);
  g_test_add_func("/gop/steps", test_steps);
  g_test_add_func("/gop/parameter-sets", test_param_sets);
  g_test_add_func("/gop/round-trip", test_round_trip);
  g_test_add_func("/gop/bad-bytes", test_bad_bytes);
  g_test_add("/gop/spool/pieces", Fixture, NULL, set_up, test_pieces, tear_down);
  g_test_add("/gop/spool/newest-first", Fixture, NULL, set_up, test_newest_first, tear_down);
  g_test_add("/gop/spool/take-back", Fixture, NULL, set_up, test_take_back, tear_down);
  g_test_add("/gop/spool/incomplete", Fixture, NULL, set_up, test_incomplete, tear_down);
  g_test_add("/gop/spool/bound", Fixture, NULL, set_up, test_bound, tear_down);
  g_test_add_func("/gop/ring", test_ring);
  return g_test_run();
}

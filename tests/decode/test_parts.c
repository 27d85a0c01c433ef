/* What is read from packets, and which pictures max-fps keeps, without a decoder. */
#include <gst/gst.h>

#include "decode/packet.h"
#include "decode/thinning.h"

/* --- packets ----------------------------------------------------------------------------------------------- */

static FoveaPacketReader reader_for(const gchar *caps_text) {
  FoveaPacketReader reader = {0};
  g_autoptr(GstCaps) caps = gst_caps_from_string(caps_text);
  g_assert_true(fovea_packet_reader_init(&reader, caps));
  return reader;
}

#define READ(reader, delta, ...) fovea_packet_read(&(reader), (const guint8[]){__VA_ARGS__}, sizeof((const guint8[]){__VA_ARGS__}), delta)

static void reads_h264(void) {
  FoveaPacketReader bytes = reader_for("video/x-h264"), avc = reader_for("video/x-h264,codec_data=(buffer)0142c01effe10000");
  g_assert_cmpuint(avc.nal_length_size, ==, 4);
  FoveaPacketInfo info = READ(bytes, FALSE, 0, 0, 0, 1, 0x65, 0x88, 0x80);
  g_assert_true(info.key && info.reference && info.shown);
  info = READ(bytes, TRUE, 0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x01, 0x9a, 0x80); /* a delimiter, then a B slice */
  g_assert_true(!info.key && !info.reference);
  info = READ(bytes, TRUE, 0, 0, 1, 0x41, 0x9a, 0x80);
  g_assert_true(!info.key && info.reference);
  info = READ(bytes, TRUE, 0, 0, 1, 0x01, 0x9a, 0x80, 0, 0, 1, 0x41, 0x9a); /* two fields, one of them referred to */
  g_assert_true(info.reference);
  info = READ(bytes, TRUE, 0, 0, 1, 0x68, 0xce, 0, 0, 1, 0x01, 0x9a); /* parameters that later pictures need */
  g_assert_true(info.reference);
  info = READ(avc, TRUE, 0, 0, 0, 2, 0x01, 0x9a);
  g_assert_true(!info.key && !info.reference);
  info = READ(avc, TRUE, 0, 0, 0, 2, 0x65, 0x88);
  g_assert_true(info.key);
}

/* A picture of I slices alone is a key picture when its maker says so (recovery points); an I slice beside a P slice is not. */
static void reads_h264_intra(void) {
  FoveaPacketReader bytes = reader_for("video/x-h264");
  g_assert_true(READ(bytes, FALSE, 0, 0, 1, 0x41, 0xb0, 0x80).key);  /* first macroblock 0, type 2 */
  g_assert_true(READ(bytes, FALSE, 0, 0, 1, 0x41, 0x88, 0x80).key);  /* type 7 */
  g_assert_false(READ(bytes, TRUE, 0, 0, 1, 0x41, 0x88, 0x80).key);
  g_assert_false(READ(bytes, FALSE, 0, 0, 1, 0x41, 0x9a, 0x80).key); /* type 5 */
  g_assert_false(READ(bytes, FALSE, 0, 0, 1, 0x41, 0x88, 0x80, 0, 0, 1, 0x41, 0x9a, 0x80).key);
}

static void reads_h265(void) {
  FoveaPacketReader reader = reader_for("video/x-h265");
  FoveaPacketInfo info = READ(reader, TRUE, 0, 0, 1, 0 << 1, 1, 0xd0);
  g_assert_true(info.reference); /* layers not known yet */
  info = READ(reader, FALSE, 0, 0, 1, 33 << 1, 1, 0x01, 0, 0, 1, 19 << 1, 1, 0xaf); /* SPS of one layer, IDR */
  g_assert_true(info.key && info.reference);
  info = READ(reader, TRUE, 0, 0, 1, 0 << 1, 1, 0xd0); /* TRAIL_N */
  g_assert_true(!info.key && !info.reference);
  g_assert_true(READ(reader, TRUE, 0, 0, 1, 1 << 1, 1, 0xd0).reference);
  g_assert_true(READ(reader, FALSE, 0, 0, 1, 21 << 1, 1, 0xd0).key);
  READ(reader, FALSE, 0, 0, 1, 33 << 1, 1, 0x03, 0, 0, 1, 19 << 1, 1, 0xaf); /* two layers */
  g_assert_true(READ(reader, TRUE, 0, 0, 1, 0 << 1, 1, 0xd0).reference);
  g_assert_false(READ(reader, TRUE, 0, 0, 1, 2 << 1, 2, 0xd0).reference); /* TSA_N of the upper one */
}

static void reads_vpx(void) {
  FoveaPacketReader vp8 = reader_for("video/x-vp8"), vp9 = reader_for("video/x-vp9");
  FoveaPacketInfo info = READ(vp8, FALSE, 0x10, 0, 0, 0x9d, 1, 0x2a);
  g_assert_true(info.key && info.reference && info.shown);
  info = READ(vp8, TRUE, 0x01, 0, 0);
  g_assert_true(!info.key && !info.shown);
  info = READ(vp9, FALSE, 0x82, 0x49, 0x83, 0x42, 0);
  g_assert_true(info.key && info.shown && info.reference);
  info = READ(vp9, TRUE, 0x86, 0, 0); /* between, shown */
  g_assert_true(!info.key && info.shown);
  info = READ(vp9, TRUE, 0x84, 0, 0); /* hidden */
  g_assert_true(!info.key && !info.shown);
  info = READ(vp9, TRUE, 0x84, 0, 0xc1); /* several in one */
  g_assert_true(info.shown);
  info = READ(vp9, TRUE, 0x88, 0); /* one that is there already */
  g_assert_true(!info.key && info.shown);
}

/* Whatever the bytes are, nothing outside of them is read (the sanitizers look on), and what cannot be read is kept. */
static void survives_anything(void) {
  static const gchar *caps[] = {"video/x-h264", "video/x-h264,codec_data=(buffer)0142c01effe10000", "video/x-h265", "video/x-vp8", "video/x-vp9",
                                "video/x-h265,codec_data=(buffer)0101600000000000000000000000000000000000000f01a100010004420101ff"};
  g_autoptr(GRand) random = g_rand_new_with_seed(3);
  for (guint i = 0; i < 6000; i++) {
    FoveaPacketReader reader = reader_for(caps[i % G_N_ELEMENTS(caps)]);
    gsize size = (gsize)g_rand_int_range(random, 0, 24);
    guint8 *exact = g_malloc(size);
    for (gsize b = 0; b < size; b++)
      exact[b] = (guint8)(g_rand_boolean(random) ? g_rand_int_range(random, 0, 4) : g_rand_int_range(random, 0, 256));
    FoveaPacketInfo info = fovea_packet_read(&reader, exact, size, TRUE);
    g_assert_true(size > 0 || info.reference);
    g_free(exact);
  }
}

/* --- thinning ---------------------------------------------------------------------------------------------- */

#define FRAME (40 * GST_MSECOND)

typedef struct Fed {
  guint shown, decoded;
} Fed;

/* As the element does it, for streams without reordering. kind says of picture i: 'I', 'P' or 'b'. */
static Fed run(gdouble max_fps, guint count, gchar (*kind)(guint i), GstClockTime (*time)(guint i)) {
  FoveaThinning thinning = {0};
  Fed fed = {0};
  fovea_thinning_reset(&thinning, FRAME);
  fovea_thinning_set_max_fps(&thinning, max_fps);
  for (guint i = 0; i < count; i++) {
    gchar is = kind(i);
    FoveaPacketInfo info = {.key = is == 'I', .reference = is != 'b', .shown = TRUE};
    FoveaSkip level = fovea_thinning_observe(&thinning, &info, time(i));
    if (level == FOVEA_SKIP_NOKEY && (!info.key || !fovea_thinning_feed(&thinning, time(i))))
      continue;
    if (level == FOVEA_SKIP_NONREF && !info.reference)
      continue;
    if (!info.reference && !fovea_thinning_may_show(&thinning, time(i)))
      continue;
    fed.decoded++;
    fed.shown += fovea_thinning_show(&thinning, time(i));
  }
  return fed;
}

static gchar key_each_10(guint i) { return i % 10 == 0 ? 'I' : i % 2 ? 'b' : 'P'; }
static gchar key_each_1000(guint i) { return i % 1000 == 0 ? 'I' : i % 4 ? 'b' : 'P'; }
static GstClockTime steady(guint i) { return i * FRAME; }
static GstClockTime jittery(guint i) { return i * FRAME + (i * 7919 % 9) * GST_MSECOND; }
static GstClockTime restarted(guint i) { return (i < 500 ? i : i - 500) * FRAME; }

/* Slots that key pictures fill: after the first few groups nothing else is decoded, and of those no more than needed. */
static void decodes_keys_alone(void) {
  Fed fed = run(2.5, 1000, key_each_10, steady);
  g_assert_cmpuint(fed.shown, ==, 100);
  g_assert_cmpuint(fed.decoded, <, 100 + 25);
  fed = run(0.5, 1000, key_each_10, steady);
  g_assert_cmpuint(fed.shown, ==, 20);
  g_assert_cmpuint(fed.decoded, <, 20 + 25);
}

static void decodes_references_alone(void) {
  Fed fed = run(6.25, 1000, key_each_1000, steady);
  g_assert_cmpuint(fed.shown, ==, 250);
  g_assert_cmpuint(fed.decoded, <, 250 + 25);
}

/* More are wanted than references give: of the others those that begin a slot. */
static void decodes_what_begins_a_slot(void) {
  Fed fed = run(12.5, 1000, key_each_1000, steady);
  g_assert_cmpuint(fed.shown, ==, 500);
  g_assert_cmpuint(fed.decoded, ==, 500);
}

static void bears_jitter(void) {
  Fed fed = run(5, 1000, key_each_1000, jittery);
  g_assert_cmpuint(fed.shown, >=, 199);
  g_assert_cmpuint(fed.shown, <=, 201);
  fed = run(2.5, 1000, key_each_10, jittery);
  g_assert_cmpuint(fed.shown, >=, 98);
  g_assert_cmpuint(fed.shown, <=, 101);
}

static void bears_times_that_begin_anew(void) {
  Fed fed = run(5, 1000, key_each_1000, restarted);
  g_assert_cmpuint(fed.shown, >=, 199);
  g_assert_cmpuint(fed.shown, <=, 201);
}

static gchar keys_stop(guint i) { return i < 200 ? key_each_10(i) : i % 500 == 0 ? 'I' : 'P'; }

/* Relied on, key pictures stop coming: the rest is decoded again after one slot. */
static void notices_keys_that_stop(void) {
  FoveaThinning thinning = {0};
  fovea_thinning_reset(&thinning, FRAME);
  fovea_thinning_set_max_fps(&thinning, 1);
  guint back = 0;
  for (guint i = 0; i < 400; i++) {
    gchar is = keys_stop(i);
    FoveaPacketInfo info = {.key = is == 'I', .reference = is != 'b', .shown = TRUE};
    FoveaSkip level = fovea_thinning_observe(&thinning, &info, steady(i));
    if (i >= 100 && i < 200)
      g_assert_cmpint(level, ==, FOVEA_SKIP_NOKEY);
    if (i >= 200 && !back && level != FOVEA_SKIP_NOKEY)
      back = i;
  }
  g_assert_cmpuint(back, >=, 190 + 25);
  g_assert_cmpuint(back, <=, 190 + 28);
}

static void keeps_all_when_off(void) {
  Fed fed = run(0, 100, key_each_10, steady);
  g_assert_cmpuint(fed.shown, ==, 100);
  FoveaThinning thinning = {0};
  fovea_thinning_reset(&thinning, 0);
  fovea_thinning_set_max_fps(&thinning, 1);
  for (guint i = 0; i < 10; i++) /* no times, nothing to go by */
    g_assert_true(fovea_thinning_show(&thinning, GST_CLOCK_TIME_NONE));
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/decode/packet/h264", reads_h264);
  g_test_add_func("/decode/packet/h264-intra", reads_h264_intra);
  g_test_add_func("/decode/packet/h265", reads_h265);
  g_test_add_func("/decode/packet/vpx", reads_vpx);
  g_test_add_func("/decode/packet/anything", survives_anything);
  g_test_add_func("/decode/thinning/keys", decodes_keys_alone);
  g_test_add_func("/decode/thinning/references", decodes_references_alone);
  g_test_add_func("/decode/thinning/slots", decodes_what_begins_a_slot);
  g_test_add_func("/decode/thinning/jitter", bears_jitter);
  g_test_add_func("/decode/thinning/anew", bears_times_that_begin_anew);
  g_test_add_func("/decode/thinning/keys-stop", notices_keys_that_stop);
  g_test_add_func("/decode/thinning/off", keeps_all_when_off);
  return g_test_run();
}

/* Every coder over many distributions and over damaged streams. */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "entropy/coder.h"
#include "entropy/coders.h"
#include "entropy/rans.h"
#include "streams.h"

typedef struct Stream {
  const char *what;
  uint8_t *data;
  FvCodeShape shape;
} Stream;

/* An exact copy on the heap, so that a sanitizer sees the last byte. */
static uint8_t *exact(const void *data, size_t size) {
  uint8_t *copy = g_malloc(size ? size : 1);
  if (size) memcpy(copy, data, size);
  return copy;
}

static void check_round_trip(int id, const Stream *s) {
  FvBytes out = {0};
  FvError err = {0};
  fv_bytes_append(&out, "before", 6);
  g_assert_cmpint(fv_coder_encode(id, s->data, s->shape, &out, &err), ==, FV_OK);
  g_assert_cmpmem(out.data, 6, "before", 6);
  uint8_t *coded = exact(out.data + 6, out.size - 6), *back = g_malloc(s->shape.count ? s->shape.count : 1);
  int rc = fv_coder_decode(id, coded, out.size - 6, s->shape, back, &err);
  if (rc < 0) g_error("%s, %s: %s", fv_coder_name(id), s->what, err.message);
  if (s->shape.count && memcmp(back, s->data, s->shape.count)) g_error("%s, %s: not what went in", fv_coder_name(id), s->what);
  g_free(back);
  g_free(coded);
  fv_bytes_finish(&out);
}

static void check_all(const char *what, void *data, size_t count, size_t row) {
  for (int id = 0; id < FV_CODER_COUNT; id++) {
    check_round_trip(id, &(Stream){what, data, {count, row}});
    check_round_trip(id, &(Stream){what, data, {count, 0}});
  }
}

static void test_laplace(void) {
  enum { COUNT = 70001 }; /* two blocks of rans, and a row begun */
  int8_t *levels = g_malloc(COUNT);
  static const double widths[] = {0.05, 0.2, 0.5, 1, 2, 4, 9, 20, 60, 400};
  for (size_t i = 0; i < G_N_ELEMENTS(widths); i++) {
    fill_laplace(levels, COUNT, widths[i], 7 + i);
    g_autofree char *what = g_strdup_printf("laplace %g", widths[i]);
    check_all(what, levels, COUNT, 576);
  }
  g_free(levels);
}

static void test_weights(void) {
  enum { COUNT = 64 * 576 };
  int8_t *levels = g_malloc(COUNT);
  for (int bits = 2; bits <= 8; bits++) {
    fill_weights(levels, COUNT, 576, bits, 3);
    check_all("weights", levels, COUNT, 576);
    for (size_t count = 1; count < 300; count += 7) check_all("few weights", levels, count, 9);
  }
  g_free(levels);
}

static void test_extremes(void) {
  enum { COUNT = 200000 };
  uint8_t *data = g_malloc(COUNT);
  check_all("empty", data, 0, 0);
  for (int symbol = 0; symbol < 256; symbol += 51) {
    memset(data, symbol, COUNT);
    check_all("one symbol", data, COUNT, 100);
    check_all("one element", data, 1, 1);
    data[COUNT - 1] ^= 0x80;
    check_all("one symbol but for the last", data, COUNT, 100);
  }
  for (size_t i = 0; i < COUNT; i++) data[i] = i % 2 ? 0x80 : 0x7f;
  check_all("alternating", data, COUNT, 7);
  for (size_t i = 0; i < COUNT; i++) data[i] = (uint8_t)i;
  check_all("counting", data, COUNT, 256);
  Random random = {5};
  for (size_t i = 0; i < COUNT; i++) data[i] = (uint8_t)random_u32(&random);
  check_all("uniform", data, COUNT, COUNT + 1);
  /* Code lengths beyond 15 bits where nothing limited them: weights as Fibonacci's numbers. */
  size_t at = 0;
  for (size_t symbol = 0, a = 1, b = 1; at + a < COUNT; symbol++) {
    memset(data + at, (int)symbol, a);
    at += a, b += a, a = b - a;
  }
  check_all("fibonacci", data, at, 0);
  for (size_t i = 0; i < COUNT; i++) data[i] = (uint8_t)"scale of layer "[i % 15] ^ (i % 4099 == 0);
  check_all("text", data, COUNT, 0);
  g_free(data);
}

/* What the issue asks of each coder against the order-0 entropy of identically distributed weights. */
static void test_sizes(void) {
  enum { COUNT = 1 << 18 };
  static const struct { FvCoderId id; double excess; } bounds[] = {{FV_CODER_RANS, 0.01}, {FV_CODER_RANGE, 0.01}, {FV_CODER_HUFFMAN, 0.02}};
  int8_t *levels = g_malloc(COUNT);
  for (int bits = 3; bits <= 8; bits++) {
    fill_weights(levels, COUNT, 1152, bits, 11);
    double entropy = order0_entropy(levels, COUNT) * COUNT / 8;
    for (size_t i = 0; i < G_N_ELEMENTS(bounds); i++) {
      FvBytes out = {0};
      if (!fv_coder_name(bounds[i].id) || (bounds[i].id == FV_CODER_HUFFMAN && bits < 5)) continue; /* whole bits are too coarse for few levels */
      g_assert_cmpint(fv_coder_encode(bounds[i].id, levels, (FvCodeShape){COUNT, 1152}, &out, NULL), ==, FV_OK);
      g_test_message("%s, %d bits: %+.3f %%", fv_coder_name(bounds[i].id), bits, 100 * ((double)out.size / entropy - 1));
      g_assert_cmpfloat((double)out.size, <, entropy * (1 + bounds[i].excess));
      fv_bytes_finish(&out);
    }
  }
  g_free(levels);
}

/* Rows whose scales differ much: the order-0 entropy does not see it, neighbours do. */
static void test_context(void) {
  enum { ROW = 256, COUNT = 512 * ROW };
  int8_t *levels = g_malloc(COUNT);
  for (size_t r = 0; r < COUNT / ROW; r++) fill_laplace(levels + r * ROW, ROW, r % 32 < 16 ? 0.3 : 4, r + 1);
  FvBytes out = {0};
  g_assert_cmpint(fv_coder_encode(FV_CODER_RANGE, levels, (FvCodeShape){COUNT, ROW}, &out, NULL), ==, FV_OK);
  double ratio = (double)out.size / (order0_entropy(levels, COUNT) * COUNT / 8);
  g_test_message("%.3f of the order-0 entropy", ratio);
  g_assert_cmpfloat(ratio, <, 0.95);
  fv_bytes_finish(&out);
  g_free(levels);
}

/* Decodes damaged bytes: any result of the right length or an error with a sentence, and nothing outside (which a sanitizer tells). */
static void check_damaged(int id, const uint8_t *bytes, size_t size, FvCodeShape shape) {
  FvError err = {0};
  uint8_t *coded = exact(bytes, size), *back = g_malloc(shape.count);
  if (fv_coder_decode(id, coded, size, shape, back, &err) < 0) {
    g_assert_cmpint(err.code, <, 0);
    g_assert_cmpuint(strlen(err.message), >, 10);
  }
  g_free(back);
  g_free(coded);
}

static void test_damage(void) {
  enum { COUNT = 300 };
  int8_t levels[COUNT];
  for (int kind = 0; kind < 4; kind++) {
    fill_laplace(levels, COUNT, (double[]){0.3, 2, 9, 0.02}[kind], 21);
    for (int id = 0; id < FV_CODER_COUNT; id++) {
      for (int row = 0; row <= 9; row += 9) {
        FvBytes out = {0};
        FvCodeShape shape = {COUNT, (size_t)row};
        g_assert_cmpint(fv_coder_encode(id, levels, shape, &out, NULL), ==, FV_OK);
        for (size_t size = 0; size < out.size; size++) check_damaged(id, out.data, size, shape);
        for (size_t at = 0; at < out.size; at++) {
          for (int bit = 0; bit < 8; bit++) {
            out.data[at] ^= (uint8_t)(1 << bit);
            check_damaged(id, out.data, out.size, shape);
            out.data[at] ^= (uint8_t)(1 << bit);
          }
          uint8_t was = out.data[at];
          out.data[at] = (uint8_t)~was;
          check_damaged(id, out.data, out.size, shape);
          out.data[at] = was;
        }
        fv_bytes_append(&out, "\0\0\0\0", 4);
        check_damaged(id, out.data, out.size, shape);
        check_damaged(id, out.data, out.size - 4, (FvCodeShape){COUNT * 3, 0});
        check_damaged(id, out.data, out.size - 4, (FvCodeShape){COUNT / 3, 0});
        fv_bytes_finish(&out);
      }
    }
  }
}

/* The same for streams long enough for the quick paths: table look-ups, vector steps. */
static void test_damage_of_long(void) {
  enum { COUNT = 4000 };
  int8_t levels[COUNT];
  fill_laplace(levels, COUNT, 1.5, 22);
  for (int id = 0; id < FV_CODER_COUNT; id++) {
    FvBytes out = {0};
    FvCodeShape shape = {COUNT, 9};
    g_assert_cmpint(fv_coder_encode(id, levels, shape, &out, NULL), ==, FV_OK);
    for (size_t at = 0; at < out.size; at++) {
      uint8_t was = out.data[at];
      out.data[at] ^= (uint8_t)(1 + at % 255);
      check_damaged(id, out.data, out.size, shape);
      out.data[at] = was;
      if (at % 8 == 0) check_damaged(id, out.data, at, shape);
    }
    fv_bytes_finish(&out);
  }
}

/* A stream cut anywhere says so, and one with bytes behind it. */
static void test_truncation(void) {
  enum { COUNT = 500 };
  int8_t levels[COUNT];
  uint8_t back[COUNT];
  fill_laplace(levels, COUNT, 3, 4);
  for (int id = 0; id < FV_CODER_COUNT; id++) {
    FvBytes out = {0};
    FvCodeShape shape = {COUNT, 50};
    g_assert_cmpint(fv_coder_encode(id, levels, shape, &out, NULL), ==, FV_OK);
    for (size_t size = 0; size < out.size; size++) g_assert_cmpint(fv_coder_decode(id, out.data, size, shape, back, NULL), ==, FV_ERR_FORMAT);
    fv_bytes_append(&out, "\0\0\0\0", 4);
    g_assert_cmpint(fv_coder_decode(id, out.data, out.size, shape, back, NULL), ==, FV_ERR_FORMAT);
    fv_bytes_finish(&out);
  }
}

static void test_noise(void) {
  Random random = {99};
  uint8_t noise[400];
  for (int round = 0; round < 3000; round++) {
    size_t size = random_u32(&random) % sizeof noise;
    for (size_t i = 0; i < size; i++) noise[i] = (uint8_t)random_u32(&random);
    if (round % 3 && size > 8) memcpy(noise, (uint8_t[8]){12 + round % 4, 0x7e, 0x82, 0, 32, 0, 0, 0}, 8);
    for (int id = 0; id < FV_CODER_COUNT; id++) check_damaged(id, noise, size, (FvCodeShape){1 + random_u32(&random) % 2000, random_u32(&random) % 40});
  }
}

static void test_rans_variants(void) {
  enum { COUNT = 150000 };
  FvRansStepsFn vector = fv_rans_steps_vector();
  if (!vector) return g_test_skip("no vector variant on this processor");
  int8_t *levels = g_malloc(COUNT);
  uint8_t *a = g_malloc(COUNT), *b = g_malloc(COUNT);
  Random random = {3};
  for (int round = 0; round < 12; round++) {
    FvBytes out = {0};
    FvCodeShape shape = {COUNT - (size_t)round * 12345, 0};
    fill_laplace(levels, shape.count, 0.1 * (1 << round), 31 + (uint64_t)round);
    g_assert_cmpint(fv_coder_encode(FV_CODER_RANS, levels, shape, &out, NULL), ==, FV_OK);
    for (int damage = 0; damage < 6; damage++) {
      memset(a, 0, COUNT), memset(b, 0, COUNT);
      int ra = fv_rans_decode_by(fv_rans_steps_scalar, out.data, out.size, shape, a, NULL);
      int rb = fv_rans_decode_by(vector, out.data, out.size, shape, b, NULL);
      g_assert_cmpint(ra, ==, rb);
      g_assert_cmpmem(a, shape.count, b, shape.count);
      if (!damage) g_assert_cmpmem(a, shape.count, levels, shape.count);
      out.data[random_u32(&random) % out.size] ^= (uint8_t)(1 + random_u32(&random) % 255);
    }
    fv_bytes_finish(&out);
  }
  g_free(b);
  g_free(a);
  g_free(levels);
}

static void test_choose(void) {
  enum { COUNT = 40000 };
  int8_t *levels = g_malloc(COUNT);
  FvCodeShape shape = {COUNT, 400};
  FvCoderId id, slow;
  FvBytes out = {0}, each = {0};
  fill_weights(levels, COUNT, 400, 4, 8);
  g_assert_cmpint(fv_coder_choose(&(FvCoderLimits){0}, levels, shape, &out, &slow, NULL), ==, FV_OK);
  for (int other = 0; other < FV_CODER_COUNT; other++) { /* nothing is smaller */
    each.size = 0;
    g_assert_cmpint(fv_coder_encode(other, levels, shape, &each, NULL), ==, FV_OK);
    g_assert_cmpuint(out.size, <=, each.size);
  }
  size_t smallest = out.size;
  out.size = 0;
  double limit = fv_coder_decode_ns(slow, COUNT, smallest) * 0.9; /* just too slow now */
  g_assert_cmpint(fv_coder_choose(&(FvCoderLimits){.max_decode_ns = limit}, levels, shape, &out, &id, NULL), ==, FV_OK);
  g_assert_cmpint(id, !=, slow);
  g_assert_cmpfloat(fv_coder_decode_ns(id, COUNT, out.size), <=, limit);
  out.size = 0;
  g_assert_cmpint(fv_coder_choose(&(FvCoderLimits){.allowed = 1 << FV_CODER_HUFFMAN}, levels, shape, &out, &id, NULL), ==, FV_OK);
  g_assert_cmpint(id, ==, FV_CODER_HUFFMAN);
  out.size = 0;
  g_assert_cmpint(fv_coder_choose(&(FvCoderLimits){.max_decode_ns = 1e-3}, levels, shape, &out, &id, NULL), ==, FV_OK);
  g_assert_cmpint(id, ==, FV_CODER_NONE);
  fv_bytes_finish(&each);
  fv_bytes_finish(&out);
  g_free(levels);
}

static void test_names(void) {
  FvError err;
  FvBytes out = {0};
  static const char *const names[] = {"none", "huffman", "range", "rans", "lz77", "lz78", "zstd"}; /* as on disk */
  for (int id = 0; id < FV_CODER_COUNT; id++) {
    g_assert_cmpstr(fv_coder_name(id), ==, names[id]);
    g_assert_cmpint(fv_coder_find(names[id]), ==, id);
  }
  g_assert_cmpint(fv_coder_find("gzip"), ==, -1);
  g_assert_null(fv_coder_name(-1));
  g_assert_null(fv_coder_name(FV_CODER_COUNT));
  g_assert_cmpint(fv_coder_decode(200, "", 0, (FvCodeShape){1, 0}, &err, &err), ==, FV_ERR_UNSUPPORTED);
  g_assert_cmpint(fv_coder_decode(0, "", 0, (FvCodeShape){FV_CODER_MAX_COUNT + 1, 0}, &err, &err), ==, FV_ERR_LIMIT);
  g_assert_cmpint(fv_coder_decode(0, "x", 1, (FvCodeShape){0, 0}, &err, &err), ==, FV_ERR_FORMAT);
  g_assert_cmpint(fv_coder_encode(FV_CODER_COUNT, "x", (FvCodeShape){1, 0}, &out, &err), ==, FV_ERR_INVALID);
}

/* Streams of any length and some that are damaged, each decoded among others, end as they do alone. */
static void test_several(void) {
  enum { STREAMS = 24 };
  FvDecoding jobs[STREAMS];
  uint8_t *alone[STREAMS];
  Random random = {17};
  for (int i = 0; i < STREAMS; i++) {
    size_t count = i % 6 == 5 ? 1 + (size_t)i : 300 + random_u32(&random) % 5000;
    int id = i % 8 == 7 ? FV_CODER_RANS : FV_CODER_HUFFMAN;
    g_autofree int8_t *levels = g_malloc(count);
    fill_laplace(levels, count, i % 7 == 6 ? 0.01 : 3 + i * 4, 100 + (uint64_t)i);
    FvBytes out = {0};
    g_assert_cmpint(fv_coder_encode((FvCoderId)id, levels, (FvCodeShape){count, 0}, &out, NULL), ==, FV_OK);
    if (i % 5 == 4) out.size -= out.size / 3;
    if (i % 9 == 8) out.data[random_u32(&random) % out.size] ^= (uint8_t)(1 + random_u32(&random) % 255);
    jobs[i] = (FvDecoding){.id = id, .coded = exact(out.data, out.size), .size = out.size, .shape = {count, 0}, .data = g_malloc(count), .result = 1};
    alone[i] = g_malloc(count);
    fv_bytes_finish(&out);
  }
  fv_coder_decode_several(jobs, STREAMS);
  int good = 0;
  for (int i = 0; i < STREAMS; i++) {
    int wanted = fv_coder_decode(jobs[i].id, jobs[i].coded, jobs[i].size, jobs[i].shape, alone[i], NULL);
    g_assert_cmpint(jobs[i].result, ==, wanted);
    if (wanted == FV_OK) g_assert_cmpmem(jobs[i].data, jobs[i].shape.count, alone[i], jobs[i].shape.count);
    good += wanted == FV_OK;
    g_free((void *)(guintptr)jobs[i].coded);
    g_free(jobs[i].data);
    g_free(alone[i]);
  }
  g_assert_cmpint(good, >=, STREAMS / 2);
  g_assert_cmpint(good, <, STREAMS);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/coders/laplace-comes-back", test_laplace);
  g_test_add_func("/coders/weights-come-back", test_weights);
  g_test_add_func("/coders/extremes-come-back", test_extremes);
  g_test_add_func("/coders/sizes-near-entropy", test_sizes);
  g_test_add_func("/coders/range-uses-its-neighbours", test_context);
  g_test_add_func("/coders/damage-does-no-harm", test_damage);
  g_test_add_func("/coders/damage-of-long-streams-does-no-harm", test_damage_of_long);
  g_test_add_func("/coders/a-cut-is-noticed", test_truncation);
  g_test_add_func("/coders/noise-does-no-harm", test_noise);
  g_test_add_func("/coders/rans-variants-agree", test_rans_variants);
  g_test_add_func("/coders/several-end-as-each-alone", test_several);
  g_test_add_func("/coders/choice-keeps-its-limits", test_choose);
  g_test_add_func("/coders/names-are-stable", test_names);
  return g_test_run();
}

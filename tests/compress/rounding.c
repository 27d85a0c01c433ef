/* Rounding against brute force, and what it promises over random layers. */
#include <string.h>

#include "compress/rate.h"
#include "compress/rounding.h"
#include "compress/solve.h"
#include "ir/log_grid.h"
#include "numbers.h"

typedef struct Layer {
  FvRoundingProblem problem;
  float *weights, *moments, *mean, *scales;
  uint8_t *keep;
  int64_t count;
} Layer;

static Layer make_layer(int groups, int64_t rows, int64_t columns, int max_level, uint64_t seed) {
  Layer l = {.count = groups * rows * columns};
  l.weights = random_floats(l.count, 0.3, seed);
  l.moments = g_new(float, groups * columns * columns);
  l.mean = g_new(float, groups * columns);
  l.scales = g_new(float, groups * rows);
  for (int g = 0; g < groups; g++) {
    float *moments = random_moments(columns, 200, l.mean + g * columns, seed + 77 + (uint64_t)g);
    memcpy(l.moments + g * columns * columns, moments, (size_t)(columns * columns) * sizeof *moments);
    g_assert_cmpint(fv_choose_scales(l.weights + g * rows * columns, rows, columns, moments, max_level, l.scales + g * rows, NULL), ==, FV_OK);
    g_free(moments);
  }
  l.problem = (FvRoundingProblem){.groups = groups, .weights = l.weights, .rows = rows, .columns = columns, .moments = l.moments, .scales = l.scales, .max_level = max_level};
  return l;
}

static void free_layer(Layer *l) { g_free(l->weights), g_free(l->moments), g_free(l->mean), g_free(l->scales), g_free(l->keep); }

static void prune_some(Layer *l, uint64_t seed) {
  l->keep = g_new(uint8_t, l->count);
  for (int64_t i = 0; i < l->count; i++)
    if (!(l->keep[i] = random_unit(&seed) < 0.6)) l->weights[i] = 0;
  l->problem.keep = l->keep;
}

static int8_t *rounded(const FvRoundingProblem *p, int (*how)(const FvRoundingProblem *, int8_t *, FvError *)) {
  FvError err = {0};
  int8_t *levels = g_new(int8_t, MAX(p->groups, 1) * p->rows * p->columns);
  if (how(p, levels, &err) < 0) g_error("%s", err.message);
  return levels;
}

static double error_of(const FvRoundingProblem *p, int (*how)(const FvRoundingProblem *, int8_t *, FvError *)) {
  g_autofree int8_t *levels = rounded(p, how);
  return fv_rounding_error(p, levels);
}

static void test_factor(void) {
  for (int64_t n = 1; n < 80; n += 13) {
    g_autofree float *h = random_moments(n, 300, NULL, (uint64_t)n);
    g_autofree double *a = g_new(double, n * n);
    for (int64_t i = 0; i < n * n; i++) a[i] = (double)h[i] + (i % (n + 1) == 0);
    g_assert_true(fv_factor(a, n));
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j <= i; j++) {
        double sum = 0;
        for (int64_t k = i; k < n; k++) sum += a[k * n + i] * a[k * n + j];
        g_assert_cmpfloat_with_epsilon(sum, (double)h[i * n + j] + (i == j), 1e-9);
      }
  }
  double indefinite[] = {1, 0, 2, 3}, broken[] = {NAN};
  g_assert_false(fv_factor(indefinite, 2));
  g_assert_false(fv_factor(broken, 1));
}

static void test_nearest(void) {
  static const float weights[] = {0.24f, -0.26f, 10, -10, 0.75f, -0.75f, 0, 0.3f}, scale[] = {0.5f};
  static const int8_t expected[] = {0, -1, 3, -3, 1, -1, 0, 0}; /* halves go towards 0; the last one is pruned */
  static const uint8_t keep[] = {1, 1, 1, 1, 1, 1, 1, 0};
  FvRoundingProblem p = {.weights = weights, .keep = keep, .rows = 1, .columns = 8, .scales = scale, .max_level = 3};
  g_autofree int8_t *levels = rounded(&p, fv_round_nearest);
  g_assert_cmpmem(levels, 8, expected, 8);
  g_autofree int8_t *without_moments = rounded(&p, fv_round_gptq);
  g_assert_cmpmem(without_moments, 8, expected, 8);
  static const float codebook[] = {-20, -1, 5, 19};
  static const int8_t from_codebook[] = {-1, -1, 19, -20, 5, -1, -1, 0};
  p.codebook = codebook, p.codebook_size = 4, p.max_level = 0;
  static const float others[] = {0.5f, -0.5f, 10, -10, 1.1f, 0.9f, 0, 0.3f};
  p.weights = others;
  g_autofree int8_t *entries = rounded(&p, fv_round_nearest);
  g_assert_cmpmem(entries, 8, from_codebook, 8);
}

/* The least error that any levels reach. */
static double least_error(const FvRoundingProblem *p, int8_t *levels) {
  int base = 2 * p->max_level + 1, combinations = 1;
  double least = INFINITY;
  for (int64_t i = 0; i < p->columns; i++) combinations *= base;
  for (int c = 0; c < combinations; c++) {
    for (int64_t i = 0, rest = c; i < p->columns; i++, rest /= base) levels[i] = (int8_t)(rest % base - p->max_level);
    least = MIN(least, fv_rounding_error(p, levels));
  }
  return least;
}

static void test_brute_force(void) {
  double found = 0, least = 0, nearest = 0;
  for (uint64_t seed = 1; seed <= 60; seed++) {
    Layer l = make_layer(1, 1, 5, 3, seed);
    int8_t levels[5];
    double best = least_error(&l.problem, levels), ours = error_of(&l.problem, fv_round_gptq);
    g_assert_cmpfloat(ours, >=, best * (1 - 1e-9));
    found += ours, least += best, nearest += error_of(&l.problem, fv_round_nearest);
    free_layer(&l);
  }
  g_test_message("mean error: nearest %.5f, gptq %.5f, best there is %.5f", nearest / 60, found / 60, least / 60);
  g_assert_cmpfloat(found, <, 1.15 * least);
  g_assert_cmpfloat(nearest, >, 1.3 * least);
}

static void test_error(void) {
  static const float weights[] = {1, 2}, moments[] = {2, 1, 1, 3}, scale[] = {1}, mean[] = {1, 1};
  static const int8_t levels[] = {0, 1};
  FvRoundingProblem p = {.weights = weights, .rows = 1, .columns = 2, .moments = moments, .scales = scale, .max_level = 1};
  g_assert_cmpfloat_with_epsilon(fv_rounding_error(&p, levels), 7.0 / 18, 1e-12); /* difference (1, 1) */
  p.mean = mean;
  g_assert_cmpfloat_with_epsilon(fv_rounding_error(&p, levels), 3.0 / 9, 1e-12);
  p.moments = NULL, p.mean = NULL;
  g_assert_cmpfloat_with_epsilon(fv_rounding_error(&p, levels), 2.0 / 5, 1e-12);
}

static void test_never_worse(void) {
  static const struct { int groups; int64_t rows, columns; } shapes[] = {{1, 1, 1}, {1, 3, 2}, {1, 8, 48}, {12, 1, 9}, {2, 5, 27}, {1, 2, 130}};
  for (size_t s = 0; s < G_N_ELEMENTS(shapes); s++)
    for (int variant = 0; variant < 16; variant++) {
      Layer l = make_layer(shapes[s].groups, shapes[s].rows, shapes[s].columns, (1 << (2 + variant % 4)) - 1, 100 * s + (uint64_t)variant);
      if (variant & 4) prune_some(&l, (uint64_t)variant);
      if (variant & 8) l.problem.mean = l.mean;
      g_autofree int8_t *levels = rounded(&l.problem, fv_round_gptq), *again = rounded(&l.problem, fv_round_gptq);
      double nearest = error_of(&l.problem, fv_round_nearest), ours = fv_rounding_error(&l.problem, levels);
      g_assert_cmpfloat(ours, <=, nearest * (1 + 1e-6) + 1e-12);
      if (shapes[s].columns == 48 && !(variant & 8)) g_assert_cmpfloat(ours, <, 0.7 * nearest);
      g_assert_cmpmem(levels, l.count, again, l.count);
      for (int64_t i = 0; i < l.count; i++) {
        g_assert_cmpint(ABS(levels[i]), <=, l.problem.max_level);
        if (l.keep && !l.keep[i]) g_assert_cmpint(levels[i], ==, 0);
      }
      free_layer(&l);
    }
}

typedef struct Outcome {
  double bits, error; /* per weight, and relative */
} Outcome;

static Outcome outcome(const Layer *l, const FvRoundingProblem *p) {
  g_autofree int8_t *levels = rounded(p, fv_round_gptq);
  FvRate rate;
  fv_rate_learn(&rate, levels, l->count, p->columns);
  return (Outcome){fv_rate_total(&rate, levels, l->count) / (double)l->count, fv_rounding_error(p, levels)};
}

/* A larger weight for the rate: fewer bits and a larger error. At weight 1 it costs less error than saving those bits by a coarser scale. */
static void test_rate(void) {
  Layer l = make_layer(1, 64, 96, 15, 5);
  static const double rate_weights[] = {0, 0.3, 1, 3};
  Outcome plain = outcome(&l, &l.problem), last = {INFINITY, 0};
  for (size_t i = 0; i < G_N_ELEMENTS(rate_weights); i++) {
    l.problem.rate_weight = rate_weights[i];
    Outcome now = outcome(&l, &l.problem);
    g_test_message("rate weight %g: %.3f bits, error %.6f", rate_weights[i], now.bits, now.error);
    g_assert_cmpfloat(now.bits, <, last.bits);
    if (rate_weights[i] >= 1) g_assert_cmpfloat(now.error, >, last.error);
    if (rate_weights[i] == 1) g_assert_cmpfloat(now.error, <, plain.error * exp2(2 * (plain.bits - now.bits)));
    last = now;
  }
  free_layer(&l);
}

/* The rate's estimate against entropy's definition: 4 levels, equally often, independent. */
static void test_rate_estimate(void) {
  enum { COUNT = 40000 };
  g_autofree int8_t *levels = g_new(int8_t, COUNT);
  uint64_t seed = 3;
  for (int i = 0; i < COUNT; i++) levels[i] = (int8_t)((int)(4 * random_unit(&seed)) - 2); /* -2, -1, 0, 1: 0 is a quarter, signs are uneven */
  FvRate rate;
  fv_rate_learn(&rate, levels, COUNT, 100);
  double bits = fv_rate_total(&rate, levels, COUNT) / COUNT;
  g_assert_cmpfloat(bits, >, 1.95);
  g_assert_cmpfloat(bits, <, 2.4); /* a bit for each sign */
  memset(levels, 0, COUNT);
  fv_rate_learn(&rate, levels, COUNT, 100);
  g_assert_cmpfloat(fv_rate_total(&rate, levels, COUNT) / COUNT, <, 0.01);
}

static void test_scales(void) {
  enum { ROWS = 20, COLUMNS = 30 };
  g_autofree float *weights = random_floats(ROWS * COLUMNS, 0.1, 9), *moments = random_moments(COLUMNS, 100, NULL, 4);
  for (int i = 0; i < COLUMNS; i++) weights[3 * COLUMNS + i] = 0;
  for (int max_level = 3; max_level < 128; max_level = 2 * max_level + 1) {
    float scales[ROWS];
    g_assert_cmpint(fv_choose_scales(weights, ROWS, COLUMNS, moments, max_level, scales, NULL), ==, FV_OK);
    for (int r = 0; r < ROWS; r++) {
      g_assert_true(fv_on_log_grid(scales[r]));
      double least = INFINITY, ours = NAN;
      for (int k = -200; k < 64; k++) {
        double error = 0, scale = fv_log_grid_value(k);
        for (int i = 0; i < COLUMNS; i++) {
          double level = CLAMP(nearbyint(weights[r * COLUMNS + i] / scale), -max_level, max_level), off = weights[r * COLUMNS + i] - scale * level;
          error += moments[i * COLUMNS + i] * off * off;
        }
        least = MIN(least, error);
        if ((float)scale == scales[r]) ours = error;
      }
      g_assert_cmpfloat(ours, <=, least * 1.01 + 1e-12); /* inputs that are next to nothing count a little more than their moments */
    }
  }
}

/* All codebooks of three whole steps against the one chosen. */
static void test_codebook(void) {
  enum { COUNT = 60 };
  for (uint64_t seed = 1; seed < 6; seed++) {
    g_autofree float *weights = random_floats(COUNT, 4, seed);
    float scale = 1, codebook[256], trial[3];
    FvRoundingProblem p = {.weights = weights, .rows = 1, .columns = COUNT, .scales = &scale, .codebook = trial, .codebook_size = 3};
    double least = INFINITY;
    for (int a = -16; a < 15; a++)
      for (int b = a + 1; b < 16; b++)
        for (int c = b + 1; c < 17; c++) {
          trial[0] = (float)a, trial[1] = (float)b, trial[2] = (float)c;
          least = MIN(least, error_of(&p, fv_round_nearest));
        }
    g_assert_cmpint(fv_choose_codebook(&p, 3, codebook, NULL), ==, FV_OK);
    p.codebook = codebook;
    g_assert_cmpfloat(error_of(&p, fv_round_nearest), <=, least * 1.04); /* weights half-way between whole steps go with their bin */
    for (int entries = 2; entries <= 256; entries += entries < 250 ? 31 : 3) {
      g_assert_cmpint(fv_choose_codebook(&p, entries, codebook, NULL), ==, FV_OK);
      for (int i = 1; i < entries; i++) g_assert_true(codebook[i] > codebook[i - 1] || (entries == 256 && i == 255));
    }
  }
}

static void test_codebook_of_pruned(void) {
  Layer l = make_layer(1, 6, 40, 127, 8);
  prune_some(&l, 2);
  for (int64_t i = 0; i < l.count; i++) l.weights[i] = l.keep[i] ? fabsf(l.weights[i]) + 0.2f : 0;
  float codebook[16];
  bool has_zero = false;
  g_assert_cmpint(fv_choose_codebook(&l.problem, 16, codebook, NULL), ==, FV_OK);
  for (int i = 0; i < 16; i++) has_zero |= codebook[i] == 0;
  g_assert_true(has_zero);
  l.problem.codebook = codebook, l.problem.codebook_size = 16;
  g_assert_cmpfloat(error_of(&l.problem, fv_round_gptq), <=, error_of(&l.problem, fv_round_nearest));
  free_layer(&l);
}

static void test_refused(void) {
  float weights[] = {1, NAN}, scales[] = {0.1f};
  int8_t levels[2];
  FvError err;
  FvRoundingProblem p = {.weights = weights, .rows = 1, .columns = 2, .scales = scales, .max_level = 7};
  g_assert_cmpint(fv_round_nearest(&p, levels, &err), ==, FV_ERR_INVALID);
  weights[1] = 1, scales[0] = 0;
  g_assert_cmpint(fv_round_gptq(&p, levels, &err), ==, FV_ERR_INVALID);
  scales[0] = 0.1f, p.max_level = 128;
  g_assert_cmpint(fv_round_gptq(&p, levels, &err), ==, FV_ERR_INVALID);
  p.max_level = 7;
  float broken[] = {1, 0, 0, NAN}, huge[] = {1, 9, 9, 1};
  p.moments = broken;
  g_assert_cmpint(fv_round_gptq(&p, levels, &err), ==, FV_ERR_INVALID);
  p.moments = huge;
  g_assert_cmpint(fv_round_gptq(&p, levels, &err), ==, FV_ERR_INVALID);
  g_assert_nonnull(strstr(err.message, "moments"));
}

/* Columns beyond what second order is for, and inputs that were never active. */
static void test_edges(void) {
  enum { COLUMNS = 2049 };
  g_autofree float *weights = random_floats(COLUMNS, 0.1, 1), *moments = g_new0(float, COLUMNS * COLUMNS);
  for (int i = 0; i < COLUMNS; i++) moments[i * COLUMNS + i] = (float)(i % 7);
  float scale = 0.03f;
  FvRoundingProblem p = {.weights = weights, .rows = 1, .columns = COLUMNS, .moments = moments, .scales = &scale, .max_level = 7, .rate_weight = 1};
  g_autofree int8_t *levels = rounded(&p, fv_round_gptq);
  int64_t zeros = 0;
  for (int i = 0; i < COLUMNS; i++) zeros += levels[i] == 0;
  g_assert_cmpint(zeros, >, COLUMNS / 7);
  Layer l = make_layer(1, 4, 12, 7, 3);
  memset(l.moments, 0, 144 * sizeof *l.moments);
  g_autofree int8_t *silent = rounded(&l.problem, fv_round_gptq), *nearest = rounded(&l.problem, fv_round_nearest);
  g_assert_cmpmem(silent, l.count, nearest, l.count);
  g_assert_cmpfloat(fv_rounding_error(&l.problem, silent), ==, 0);
  free_layer(&l);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/compress/rounding/factor", test_factor);
  g_test_add_func("/compress/rounding/nearest", test_nearest);
  g_test_add_func("/compress/rounding/brute-force", test_brute_force);
  g_test_add_func("/compress/rounding/error", test_error);
  g_test_add_func("/compress/rounding/never-worse", test_never_worse);
  g_test_add_func("/compress/rounding/rate", test_rate);
  g_test_add_func("/compress/rounding/rate-estimate", test_rate_estimate);
  g_test_add_func("/compress/rounding/scales", test_scales);
  g_test_add_func("/compress/rounding/codebook", test_codebook);
  g_test_add_func("/compress/rounding/codebook-of-pruned", test_codebook_of_pruned);
  g_test_add_func("/compress/rounding/refused", test_refused);
  g_test_add_func("/compress/rounding/edges", test_edges);
  return g_test_run();
}

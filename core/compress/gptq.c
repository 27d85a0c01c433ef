/* Second-order rounding. With C the moments of a layer's inputs and e the error of a row's weights, the row's squared output error is e C eT. C = AT A with A lower triangular makes
 * of it sum over k of (A_kk e_k + sum over i < k of A_ki e_i)^2: taking columns in order, each level is chosen nearest to the weight plus what makes up for the errors so far,
 * and those to come can still make up for its own. That is GPTQ (its inverse's Cholesky factor is this A, inverted). Afterwards single levels move as long as that helps.
 *
 * With a rate, (squared error) + (worth of a bit) * bits is what both steps minimise; the costs of levels are learned from the nearest ones, and once more from the first
 * result. Rounding to a scale s leaves D = s^2 / 12 * sum over k of A_kk^2 with R bits, and dD/dR = -2 ln 2 D / K along s: the worth of a bit is that, times rate_weight. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/levels.h"
#include "compress/rate.h"
#include "compress/solve.h"

/* Larger matrices take too long: there inputs count as independent. */
enum { MAX_COLUMNS = 2048, MAX_REFINEMENTS = 12 };
/* Rows with masks of their own need factors of their own, as far as so many multiplications go. */
#define MAX_MASK_WORK 4e9
/* Of the mean of C's diagonal, added to it: calibration saw only so many pictures. Moments are sums in single precision: where the mean's share is nearly all of them, what is left
 * may still not be positive definite, and takes more. */
#define DAMPING 0.01
enum { DAMPING_TRIALS = 3, DAMPING_GROWTH = 10 };

/* A system over some of a group's columns. */
typedef struct System {
  int64_t size;
  int64_t *order;  /* its columns, the most important ones first */
  double *c;       /* size x size in that order, damped */
  double *factor;
  uint8_t *mask;   /* columns it was made for */
  bool ready;
} System;

typedef struct Rounder {
  const FvRoundingProblem *problem;
  int64_t columns;
  FvLevels allowed;
  FvRate rate;
  bool use_rate;
  double *diagonal; /* of C of the present group, not damped */
  double damping;
  bool own_masks;
  System system;
  double worth;     /* of a bit at scale 1 */
  double *weights, *error, *gradient; /* of one row, in the system's order */
  int8_t *nearest;                    /* a row */
} Rounder;

static double moment(const Rounder *r, int64_t group, int64_t i, int64_t j) {
  int64_t n = r->columns;
  double value = r->problem->moments[(group * n + i) * n + j];
  if (r->problem->mean) value -= (double)r->problem->mean[group * n + i] * r->problem->mean[group * n + j];
  return value;
}

static void begin_group(Rounder *r, int64_t group) {
  double sum = 0;
  for (int64_t i = 0; i < r->columns; i++) {
    double value = moment(r, group, i, i);
    sum += r->diagonal[i] = value < 0 ? 0 : value; /* what is no number stays none, for the factor to refuse */
  }
  r->damping = sum > 0 ? DAMPING * sum / (double)r->columns : 1;
  r->system.ready = false;
}

/* Decreasing diagonal, then position: a total order, the same everywhere. */
static void sort_order(const double *diagonal, int64_t *order, int64_t *scratch, int64_t n) {
  if (n < 2) return;
  int64_t half = n / 2, a = 0, b = half, to = 0;
  sort_order(diagonal, order, scratch, half);
  sort_order(diagonal, order + half, scratch, n - half);
  while (a < half || b < n) scratch[to++] = b == n || (a < half && diagonal[order[a]] >= diagonal[order[b]]) ? order[a++] : order[b++];
  memcpy(order, scratch, (size_t)n * sizeof *order);
}

/* sum: of what a column's squared error counts, over n columns. */
static double bit_worth(const Rounder *r, double sum, int64_t n) { return n ? r->problem->rate_weight * 2 * M_LN2 / 12 * sum / (double)n : 0; }

static void choose_columns(Rounder *r, const uint8_t *mask) {
  System *s = &r->system;
  int64_t *scratch = (int64_t *)(void *)s->factor; /* which is not filled yet, and larger */
  s->size = 0;
  for (int64_t i = 0; i < r->columns; i++)
    if (!mask || mask[i]) s->order[s->size++] = i;
  sort_order(r->diagonal, s->order, scratch, s->size);
  if (mask) memcpy(s->mask, mask, (size_t)r->columns);
}

static bool factor_system(Rounder *r) {
  System *s = &r->system;
  for (int64_t i = 0; i < s->size; i++) s->c[i * s->size + i] = r->diagonal[s->order[i]] + r->damping;
  memcpy(s->factor, s->c, (size_t)(s->size * s->size) * sizeof *s->factor);
  return fv_factor(s->factor, s->size);
}

static int make_system(Rounder *r, int64_t group, const uint8_t *mask, FvError *err) {
  System *s = &r->system;
  choose_columns(r, mask);
  int64_t n = s->size;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < i; j++) s->c[i * n + j] = s->c[j * n + i] = moment(r, group, s->order[i], s->order[j]);
  bool done = factor_system(r);
  for (int trial = 1; !done && trial < DAMPING_TRIALS; trial++) {
    r->damping *= DAMPING_GROWTH;
    done = factor_system(r);
  }
  if (!done) return fv_error_set(err, FV_ERR_INVALID, "the moments of its inputs are not those of real numbers");
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += s->factor[k * n + k] * s->factor[k * n + k];
  r->worth = bit_worth(r, sum, n);
  s->ready = true;
  return FV_OK;
}

/* The system for a row, that of the row before where it fits. */
static int find_system(Rounder *r, int64_t group, int64_t row, FvError *err) {
  const uint8_t *mask = r->own_masks ? r->problem->keep + row * r->columns : NULL;
  if (r->system.ready && (!mask || !memcmp(mask, r->system.mask, (size_t)r->columns))) return FV_OK;
  return make_system(r, group, mask, err);
}

static double cost_of(const float *bits, int level) { return bits ? bits[level + 128] : 0; }

/* Level with the least weight * (target - level)^2 + rate * bits. */
static int best_level(const Rounder *r, double target, double weight, double rate, const float *bits) {
  if (!bits) return fv_levels_nearest(&r->allowed, target);
  int low = fv_levels_floor(&r->allowed, target), high = fv_levels_next(&r->allowed, low), best = low;
  int candidates[5] = {low, high, fv_levels_previous(&r->allowed, low), fv_levels_next(&r->allowed, high), r->allowed.zero};
  double least = INFINITY;
  for (int i = 0; i < 5; i++) {
    double off = target - candidates[i], cost = weight * off * off + rate * cost_of(bits, candidates[i]);
    if (cost < least) least = cost, best = candidates[i];
  }
  return best;
}

/* One row as the algorithm sees it. */
typedef struct Row {
  const uint8_t *keep; /* or NULL */
  int8_t *levels;      /* of the whole layer, for the rate's neighbours */
  int64_t start;       /* the row's first */
  double scale, rate;  /* rate: what a bit is worth */
} Row;

static bool is_pruned(const Row *row, int64_t column) { return row->keep && !row->keep[row->start + column]; }
static const float *bits_at(const Rounder *r, const Row *row, int64_t column) { return r->use_rate ? fv_rate_at(&r->rate, row->levels, row->start + column) : NULL; }

static void round_in_order(Rounder *r, const Row *row) {
  const System *s = &r->system;
  for (int64_t k = 0; k < s->size; k++) {
    const double *a = s->factor + k * s->size;
    int64_t column = s->order[k];
    double target = r->weights[k] + fv_factor_dot(a, r->error, k) / a[k];
    int level = is_pruned(row, column) ? 0 : best_level(r, target / row->scale, a[k] * a[k] * row->scale * row->scale, row->rate, bits_at(r, row, column));
    row->levels[row->start + column] = (int8_t)level;
    r->error[k] = r->weights[k] - row->scale * level;
  }
}

/* What is gained by moving entry k to another level; > 0 is better. */
static double gain_of(const Rounder *r, const Row *row, int64_t k, int from, int to, const float *bits) {
  double change = row->scale * (from - to);
  return -change * (2 * r->gradient[k] + change * r->system.c[k * r->system.size + k]) + row->rate * (cost_of(bits, from) - cost_of(bits, to));
}

static bool refine_entry(Rounder *r, const Row *row, int64_t k, double least_gain) {
  const System *s = &r->system;
  int64_t column = s->order[k];
  if (is_pruned(row, column)) return false;
  const float *bits = bits_at(r, row, column);
  int from = row->levels[row->start + column], best = from;
  int candidates[3] = {fv_levels_previous(&r->allowed, from), fv_levels_next(&r->allowed, from), r->allowed.zero};
  for (int i = 0; i < (bits ? 3 : 2); i++) {
    double gain = gain_of(r, row, k, from, candidates[i], bits);
    if (gain > least_gain) least_gain = gain, best = candidates[i];
  }
  if (best == from) return false;
  double change = row->scale * (from - best);
  for (int64_t i = 0; i < s->size; i++) r->gradient[i] += change * s->c[k * s->size + i];
  r->error[k] += change;
  row->levels[row->start + column] = (int8_t)best;
  return true;
}

/* Squared output error of the present row without the damping, and its gradient with it. */
static double measure_error(Rounder *r) {
  double sum = 0;
  for (int64_t i = 0; i < r->system.size; i++) {
    r->gradient[i] = fv_factor_dot(r->system.c + i * r->system.size, r->error, r->system.size);
    sum += r->error[i] * (r->gradient[i] - r->damping * r->error[i]);
  }
  return sum;
}

static void refine(Rounder *r, const Row *row, double least_gain) {
  bool moved = true;
  for (int pass = 0; moved && pass < MAX_REFINEMENTS; pass++) {
    moved = false;
    for (int64_t k = 0; k < r->system.size; k++) moved |= refine_entry(r, row, k, least_gain);
  }
}

static void load_errors(Rounder *r, const Row *row, const int8_t *levels) {
  for (int64_t k = 0; k < r->system.size; k++) {
    int64_t column = r->system.order[k];
    r->error[k] = r->weights[k] - row->scale * (is_pruned(row, column) ? 0 : levels[column]);
  }
}

static double rate_of_row(const Rounder *r, const Row *row) {
  double bits = 0;
  for (int64_t i = 0; r->use_rate && i < r->columns; i++) bits += bits_at(r, row, i)[row->levels[row->start + i] + 128];
  return row->rate * bits;
}

/* Levels hold an earlier solution of the row, which stays when the new one is no better. */
static void round_row(Rounder *r, Row *row, const float *weights) {
  for (int64_t k = 0; k < r->system.size; k++) r->error[k] = r->weights[k] = weights[r->system.order[k]];
  double whole = fmax(measure_error(r), 0);
  row->rate = r->worth * row->scale * row->scale;
  memcpy(r->nearest, row->levels + row->start, (size_t)r->columns);
  load_errors(r, row, r->nearest);
  double before = measure_error(r) + rate_of_row(r, row);
  round_in_order(r, row);
  measure_error(r);
  refine(r, row, 1e-12 * whole);
  if (measure_error(r) + rate_of_row(r, row) > before) memcpy(row->levels + row->start, r->nearest, (size_t)r->columns);
}

/* Where inputs count as independent: only the rate can make another level than the nearest worth while. */
static void round_row_alone(const Rounder *r, const Row *row, const float *weights) {
  double sum = 0, square = row->scale * row->scale;
  for (int64_t i = 0; i < r->columns; i++) sum += r->diagonal[i];
  double rate = square * bit_worth(r, sum, r->columns);
  for (int64_t i = 0; r->use_rate && i < r->columns; i++)
    if (!is_pruned(row, i))
      row->levels[row->start + i] = (int8_t)best_level(r, weights[i] / row->scale, r->diagonal[i] * square, rate, bits_at(r, row, i));
}

static int round_layer(Rounder *r, int8_t *levels, FvError *err) {
  const FvRoundingProblem *p = r->problem;
  int rc = FV_OK;
  for (int64_t group = 0; group < fv_rounding_groups(p) && rc >= 0; group++) {
    begin_group(r, group);
    for (int64_t i = group * p->rows; i < (group + 1) * p->rows && rc >= 0; i++) {
      Row row = {p->keep, levels, i * r->columns, p->scales[i], 0};
      const float *weights = p->weights + i * r->columns;
      if (r->columns > MAX_COLUMNS) {
        round_row_alone(r, &row, weights);
      } else {
        rc = find_system(r, group, i, err);
        if (rc >= 0) round_row(r, &row, weights);
      }
    }
  }
  return rc;
}

static bool rounder_init(Rounder *r, const FvRoundingProblem *problem) {
  int64_t n = problem->columns, rows = problem->rows * fv_rounding_groups(problem), inside = n > MAX_COLUMNS ? 1 : n;
  r->problem = problem, r->columns = n;
  r->own_masks = problem->keep && memchr(problem->keep, 0, (size_t)(rows * n)) && (double)rows * (double)n * (double)n * (double)n / 3 < MAX_MASK_WORK;
  r->diagonal = malloc((size_t)n * sizeof(double));
  r->weights = malloc((size_t)n * sizeof(double));
  r->error = malloc((size_t)n * sizeof(double));
  r->gradient = malloc((size_t)n * sizeof(double));
  r->nearest = malloc((size_t)n);
  r->system.order = malloc((size_t)n * sizeof(int64_t));
  r->system.mask = malloc((size_t)n);
  r->system.c = malloc((size_t)(inside * inside) * sizeof(double));
  r->system.factor = malloc((size_t)(inside * inside) * sizeof(double));
  return r->diagonal && r->weights && r->error && r->gradient && r->nearest && r->system.order && r->system.mask && r->system.c && r->system.factor;
}

static void rounder_finish(Rounder *r) {
  void *parts[] = {r->diagonal, r->weights, r->error, r->gradient, r->nearest, r->system.order, r->system.mask, r->system.c, r->system.factor};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) free(parts[i]);
}

int fv_round_gptq(const FvRoundingProblem *problem, int8_t *levels, FvError *err) {
  Rounder r = {0};
  int64_t count = problem->rows * fv_rounding_groups(problem) * problem->columns;
  int rc = fv_round_nearest(problem, levels, err);
  if (rc < 0 || !problem->moments) return rc;
  rc = fv_levels_init(&r.allowed, problem, err);
  if (rc >= 0 && !rounder_init(&r, problem)) rc = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  r.use_rate = problem->rate_weight > 0;
  for (int round = 0; rc >= 0 && round < (r.use_rate ? 2 : 1); round++) {
    if (r.use_rate) fv_rate_learn(&r.rate, levels, count, problem->columns);
    rc = round_layer(&r, levels, err);
  }
  rounder_finish(&r);
  return rc;
}

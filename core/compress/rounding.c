#include "compress/rounding.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "compress/levels.h"

int fv_levels_init(FvLevels *levels, const FvRoundingProblem *problem, FvError *err) {
  bool allowed[256] = {false};
  int first = 255, last = 0;
  for (int v = -problem->max_level; !problem->codebook && v <= problem->max_level; v++) allowed[v + 128] = true;
  for (int i = 0; problem->codebook && i < problem->codebook_size; i++) {
    float entry = problem->codebook[i];
    if (!(entry >= -128 && entry <= 127)) return fv_error_set(err, FV_ERR_INVALID, "entry %d of the codebook is not within -128 and 127", i);
    allowed[lrintf(entry) + 128] = true;
  }
  for (int v = 0; v < 256; v++)
    if (allowed[v]) first = v < first ? v : first, last = v;
  for (int v = 0, below = first; v < 256; v++) levels->below[v] = (int8_t)((below = allowed[v] ? v : below) - 128);
  for (int v = 255, above = last; v >= 0; v--) {
    levels->above[v] = (int8_t)(above - 128);
    if (allowed[v]) above = v;
  }
  levels->zero = fv_levels_nearest(levels, 0);
  return FV_OK;
}

int fv_levels_floor(const FvLevels *levels, double target) {
  if (!(target >= -128)) target = -128;
  if (target > 127) target = 127;
  return levels->below[(int)floor(target) + 128];
}

int fv_levels_nearest(const FvLevels *levels, double target) {
  int low = fv_levels_floor(levels, target), high = fv_levels_next(levels, low);
  double to_low = fabs(target - low), to_high = fabs(target - high);
  return to_low < to_high || (to_low == to_high && abs(low) < abs(high)) ? low : high;
}

int fv_rounding_check(const FvRoundingProblem *problem, FvError *err) {
  int64_t rows = problem->rows * fv_rounding_groups(problem);
  if (!problem->weights || !problem->scales || problem->rows < 1 || problem->columns < 1) return fv_error_set(err, FV_ERR_INVALID, "a rounding problem needs weights and scales");
  if (problem->codebook ? problem->codebook_size < 1 || problem->codebook_size > 256 : problem->max_level < 1 || problem->max_level > 127)
    return fv_error_set(err, FV_ERR_INVALID, "levels go up to 1 to 127, and a codebook has 1 to 256 entries");
  if (!(problem->rate_weight >= 0)) return fv_error_set(err, FV_ERR_INVALID, "the rate's weight is not a number from 0 up");
  for (int64_t i = 0; i < rows; i++)
    if (!(problem->scales[i] > 0) || !isfinite(problem->scales[i])) return fv_error_set(err, FV_ERR_INVALID, "scale %lld is not a positive number", (long long)i);
  for (int64_t i = 0; i < rows * problem->columns; i++)
    if (!isfinite(problem->weights[i])) return fv_error_set(err, FV_ERR_INVALID, "weight %lld is not finite", (long long)i);
  return FV_OK;
}

int fv_round_nearest(const FvRoundingProblem *problem, int8_t *levels, FvError *err) {
  FvLevels allowed;
  int rc = fv_rounding_check(problem, err);
  if (rc >= 0) rc = fv_levels_init(&allowed, problem, err);
  for (int64_t i = 0; rc >= 0 && i < problem->rows * fv_rounding_groups(problem) * problem->columns; i++)
    levels[i] = problem->keep && !problem->keep[i] ? 0 : (int8_t)fv_levels_nearest(&allowed, (double)problem->weights[i] / problem->scales[i / problem->columns]);
  return rc;
}

/* v C vT, C the moments (less the mean's share) of the row's group. */
static double squared_output(const FvRoundingProblem *problem, int64_t group, const float *v) {
  int64_t n = problem->columns;
  const float *mean = problem->mean ? problem->mean + group * n : NULL;
  double sum = 0, along_mean = 0;
  if (!problem->moments) {
    for (int64_t i = 0; i < n; i++) sum += (double)v[i] * v[i];
    return sum;
  }
  const float *h = problem->moments + group * n * n;
  for (int64_t i = 0; i < n; i++) {
    if (v[i] == 0) continue;
    double row = 0;
    for (int64_t j = 0; j < i; j++) row += (double)h[i * n + j] * v[j];
    sum += v[i] * (2 * row + (double)h[i * n + i] * v[i]);
    if (mean) along_mean += (double)mean[i] * v[i];
  }
  return fmax(sum - along_mean * along_mean, 0);
}

double fv_rounding_error(const FvRoundingProblem *problem, const int8_t *levels) {
  double wrong = 0, whole = 0;
  int64_t n = problem->columns;
  float *difference = malloc((size_t)n * sizeof *difference);
  if (!difference) return NAN;
  for (int64_t row = 0; row < problem->rows * fv_rounding_groups(problem); row++) {
    const float *weights = problem->weights + row * n;
    for (int64_t i = 0; i < n; i++) difference[i] = (float)(weights[i] - (double)problem->scales[row] * levels[row * n + i]);
    wrong += squared_output(problem, row / problem->rows, difference);
    whole += squared_output(problem, row / problem->rows, weights);
  }
  free(difference);
  return whole > 0 ? wrong / whole : 0;
}

#include <math.h>
#include <stdlib.h>

#include "compress/rounding.h"
#include "ir/log_grid.h"

/* How far below the scale that just holds the largest weight the search goes: to 2^(-40/16), 0.18 of it. Further down lie only rows whose largest weights have inputs that
 * are next to nothing. */
enum { STEPS_DOWN = 40 };
/* A coarser scale than that may still happen to fit a short row better. */
enum { STEPS_UP = 16 };

/* Of one row; infinite once it is above limit. */
static double clipped_error(const float *weights, int64_t columns, const float *importance, int max_level, double scale, double limit) {
  double sum = 0;
  for (int64_t i = 0; i < columns && sum < limit; i++) {
    double level = nearbyint(weights[i] / scale);
    level = level > max_level ? max_level : level < -max_level ? -max_level : level;
    double wrong = weights[i] - scale * level;
    sum += (importance ? importance[i] : 1) * wrong * wrong;
  }
  return sum < limit ? sum : INFINITY;
}

static float choose_scale(const float *weights, int64_t columns, const float *importance, int max_level) {
  float largest = 0;
  for (int64_t i = 0; i < columns; i++) largest = fmaxf(largest, fabsf(weights[i]));
  if (!(largest > 0) || !isfinite(largest)) return 1;
  int top = fv_log_grid_index(largest / (float)max_level), best = top;
  double least = INFINITY;
  for (int k = top + STEPS_UP; k >= top - STEPS_DOWN && k >= FV_LOG_GRID_MIN; k--) {
    if (k > FV_LOG_GRID_MAX) continue;
    double error = clipped_error(weights, columns, importance, max_level, fv_log_grid_value(k), least);
    if (error < least) least = error, best = k;
  }
  return fv_log_grid_value(best < FV_LOG_GRID_MIN ? FV_LOG_GRID_MIN : best > FV_LOG_GRID_MAX ? FV_LOG_GRID_MAX : best);
}

int fv_choose_scales(const float *weights, int64_t rows, int64_t columns, const float *moments, int max_level, float *scales, FvError *err) {
  if (rows < 1 || columns < 1 || max_level < 1 || max_level > 127) return fv_error_set(err, FV_ERR_INVALID, "scales are chosen for 1 to 127 levels on each side");
  float *importance = NULL;
  if (moments) {
    importance = malloc((size_t)columns * sizeof *importance);
    if (!importance) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
    double sum = 0;
    for (int64_t i = 0; i < columns; i++) sum += moments[i * columns + i];
    /* Inputs that calibration never saw at work still count a little. */
    for (int64_t i = 0; i < columns; i++) importance[i] = moments[i * columns + i] + (float)(1e-4 * sum / (double)columns);
  }
  for (int64_t row = 0; row < rows; row++) scales[row] = choose_scale(weights + row * columns, columns, importance, max_level);
  free(importance);
  return FV_OK;
}

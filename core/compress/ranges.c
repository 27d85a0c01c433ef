#include "compress/ranges.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "ir/log_grid.h"

enum { LEVELS = 256, SHRINK_STEPS = 32 /* steps of the log grid that a range may shrink by: to a quarter, where a level is two bins */ };
#define PERCENTILE 1e-4 /* of all numbers may lie outside, on both sides together */
#define NO_RANGE 1e-30f

/* --- histograms --- */

void fv_histogram_init(FvHistogram *histogram, float low, float high) {
  memset(histogram, 0, sizeof *histogram);
  histogram->low = low < 0 ? low : 0;
  histogram->high = high > 0 ? high : 0;
  if (histogram->high - histogram->low < NO_RANGE) histogram->high = histogram->low + NO_RANGE;
}

static float bin_width(const FvHistogram *histogram) { return (histogram->high - histogram->low) / FV_HISTOGRAM_BINS; }

static int bin_of(const FvHistogram *histogram, float value) {
  int bin = (int)((value - histogram->low) / bin_width(histogram));
  return bin < 0 ? 0 : bin < FV_HISTOGRAM_BINS ? bin : FV_HISTOGRAM_BINS - 1;
}

/* What stands for the numbers in a bin. Zeros are many, and exact. */
static double middle(double low, double width) { return low <= 0 && low + width > 0 ? 0 : low + width / 2; }

void fv_histogram_add(FvHistogram *histogram, const FvActivationStats *stats) {
  double width = ((double)stats->max - (double)stats->min) / FV_HISTOGRAM_BINS, count = 0, squares = 0;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) {
    double value = middle((double)stats->min + b * width, width), n = (double)stats->histogram[b];
    count += n;
    squares += n * value * value;
  }
  for (int b = 0; b < FV_HISTOGRAM_BINS && count > 0; b++) {
    int to = bin_of(histogram, (float)middle((double)stats->min + b * width, width));
    histogram->bins[to] += (float)((double)stats->histogram[b] / count);
    if (squares > 0) histogram->weights[to] += (float)((double)stats->histogram[b] / squares);
  }
}

static double bin_value(const FvHistogram *histogram, int bin) {
  double width = (double)bin_width(histogram);
  return middle((double)histogram->low + bin * width, width);
}

/* --- grids --- */

static int level_of(FvGrid grid, double value) {
  double level = rint(value / (double)grid.scale) + grid.zero;
  return level < 0 ? 0 : level > LEVELS - 1 ? LEVELS - 1 : (int)level;
}
static double on_grid(FvGrid grid, double value) { return (double)grid.scale * (level_of(grid, value) - grid.zero); }

/* The finest grid that covers low..high. */
static FvGrid covering(float low, float high) {
  int k = fv_log_grid_index((high - low) / (LEVELS - 1));
  while (k < FV_LOG_GRID_MAX && fv_log_grid_value(k) * (LEVELS - 1) < (high - low) * 0.99999f) k++;
  FvGrid grid = {.scale = fv_log_grid_value(k)};
  int zero = (int)lrintf(-low / grid.scale);
  grid.zero = zero < 0 ? 0 : zero > LEVELS - 1 ? LEVELS - 1 : zero;
  return grid;
}

double fv_grid_error(const FvHistogram *histogram, FvGrid grid) {
  double sum = 0;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) {
    if (histogram->weights[b] == 0) continue;
    double value = bin_value(histogram, b), error = on_grid(grid, value) - value;
    sum += (double)histogram->weights[b] * error * error;
  }
  return sum;
}

/* Of all numbers alike. */
static double square_error(const FvHistogram *histogram, FvGrid grid) {
  double sum = 0;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) {
    double value = bin_value(histogram, b), error = on_grid(grid, value) - value;
    sum += (double)histogram->bins[b] * error * error;
  }
  return sum;
}

/* Kullback-Leibler divergence of what the grid makes of the histogram from the histogram (Migacz, "8-bit inference with TensorRT", 2017). What lies outside counts at
 * the ends of the histogram, but the grid has not seen it; each level's numbers are spread evenly over those of its bins that are not empty. */
static double divergence(const FvHistogram *histogram, FvGrid grid) {
  double low = (double)grid.scale * (-grid.zero - 0.5), high = (double)grid.scale * (LEVELS - grid.zero - 0.5);
  double mass[LEVELS] = {0}, outside[2] = {0}, inside = 0, result = 0;
  int filled[LEVELS] = {0}, first = -1, last = -1;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) {
    double value = bin_value(histogram, b), p = (double)histogram->bins[b];
    if (p == 0) continue;
    if (value < low || value > high) {
      outside[value > high] += p;
      continue;
    }
    int level = level_of(grid, value);
    mass[level] += p;
    filled[level]++;
    inside += p;
    first = first < 0 ? b : first;
    last = b;
  }
  double total = inside + outside[0] + outside[1];
  for (int b = first; b <= last && inside > 0; b++) {
    double p = (double)histogram->bins[b];
    if (p == 0) continue;
    int level = level_of(grid, bin_value(histogram, b));
    double q = mass[level] / filled[level] / inside;
    p = (p + (b == first ? outside[0] : 0) + (b == last ? outside[1] : 0)) / total;
    result += p * log(p / q);
  }
  return inside > 0 ? result : DBL_MAX;
}

static FvGrid by_percentile(const FvHistogram *histogram) {
  double total = 0, below = 0, above = 0;
  int first = 0, last = FV_HISTOGRAM_BINS - 1;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) total += (double)histogram->bins[b];
  double outside = total * PERCENTILE / 2;
  while (first < last && (below += (double)histogram->bins[first]) <= outside) first++;
  while (last > first && (above += (double)histogram->bins[last]) <= outside) last--;
  float width = bin_width(histogram), low = histogram->low + (float)first * width, high = histogram->low + (float)(last + 1) * width;
  return covering(low < 0 ? low : 0, high > 0 ? high : 0);
}

/* The best of the grids that are so many steps finer than the one that covers all: each keeps the low end, the high end, or their proportion. */
static FvGrid by_search(const FvHistogram *histogram, double (*loss)(const FvHistogram *, FvGrid)) {
  const FvGrid whole = covering(histogram->low, histogram->high);
  FvGrid best = whole;
  double least = loss(histogram, best);
  int k = fv_log_grid_index(whole.scale);
  for (int step = 1; step <= SHRINK_STEPS && k - step >= FV_LOG_GRID_MIN; step++) {
    float scale = fv_log_grid_value(k - step);
    float zeros[3] = {-histogram->low / scale, LEVELS - 1 - histogram->high / scale, (float)whole.zero};
    for (int i = 0; i < 3; i++) {
      FvGrid grid = {scale, (int)lrintf(fminf(fmaxf(zeros[i], 0), LEVELS - 1))};
      double found = loss(histogram, grid);
      if (found >= least) continue;
      least = found;
      best = grid;
    }
  }
  return best;
}

static FvGrid by_method(const FvHistogram *histogram, FvRangeMethod method) {
  switch (method) {
    case FV_RANGE_MINMAX: return covering(histogram->low, histogram->high);
    case FV_RANGE_PERCENTILE: return by_percentile(histogram);
    case FV_RANGE_KL: return by_search(histogram, divergence);
    case FV_RANGE_MSE: return by_search(histogram, square_error);
    default: return by_search(histogram, fv_grid_error);
  }
}

FvGrid fv_choose_grid(const FvHistogram *histogram, FvRangeMethod method) {
  FvGrid best = by_method(histogram, method);
  for (FvRangeMethod other = FV_RANGE_MINMAX; method == FV_RANGE_AUTO && other <= FV_RANGE_MSE; other++) {
    FvGrid grid = by_method(histogram, other);
    if (fv_grid_error(histogram, grid) < fv_grid_error(histogram, best)) best = grid;
  }
  return best;
}

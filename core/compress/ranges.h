/* From what was seen of an activation to its grid of 256 levels. */
#ifndef FOVEA_COMPRESS_RANGES_H
#define FOVEA_COMPRESS_RANGES_H

#include "compress/calibrate.h"

/* real = scale * (level - zero), level 0 to 255; scale is on the log grid. */
typedef struct FvGrid {
  float scale;
  int zero;
} FvGrid;

/* Activations, evenly from low to high; several values that share a grid are put together. */
typedef struct FvHistogram {
  float low, high;
  float bins[FV_HISTOGRAM_BINS];
} FvHistogram;

/* Makes room for low..high and for 0, which every grid holds exactly. */
void fv_histogram_init(FvHistogram *histogram, float low, float high);
void fv_histogram_add(FvHistogram *histogram, const FvActivationStats *stats);

/* What an error e costs the layers that read the activation: variance * Var(e) + mean * E(e)^2. Of a layer with weights w: the sum of all w^2, and of the squares of
 * its rows' sums. */
typedef struct FvErrorCost {
  double variance, mean;
} FvErrorCost;
double fv_grid_error(const FvHistogram *histogram, FvGrid grid, FvErrorCost cost);

/* AUTO takes the grid of the other methods that costs least. */
FvGrid fv_choose_grid(const FvHistogram *histogram, FvRangeMethod method, FvErrorCost cost);

#endif

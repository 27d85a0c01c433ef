/* From what was seen of an activation to its grid of 256 levels. */
#ifndef FOVEA_COMPRESS_RANGES_H
#define FOVEA_COMPRESS_RANGES_H

#include "compress/calibrate.h"

/* real = scale * (level - zero), level 0 to 255; scale is on the log grid. */
typedef struct FvGrid {
  float scale;
  int zero;
} FvGrid;

/* Activations, evenly from low to high. Values that share a grid are put together, each with a mass of 1, however many numbers it has: a small map with large numbers is
 * worth as much as a large one. */
typedef struct FvHistogram {
  float low, high;
  float bins[FV_HISTOGRAM_BINS];
  float weights[FV_HISTOGRAM_BINS]; /* bins over the mean square of the value that they came from: what a squared error there is worth */
} FvHistogram;

/* Makes room for low..high and for 0, which every grid holds exactly. */
void fv_histogram_init(FvHistogram *histogram, float low, float high);
void fv_histogram_add(FvHistogram *histogram, const FvActivationStats *stats);

/* The squared error of a grid over the mean square, summed over the values in the histogram. A product of independent inputs has the same relative error. */
double fv_grid_error(const FvHistogram *histogram, FvGrid grid);

/* AUTO: the grid that fv_grid_error likes best, among those of the other methods and some more. */
FvGrid fv_choose_grid(const FvHistogram *histogram, FvRangeMethod method);

#endif

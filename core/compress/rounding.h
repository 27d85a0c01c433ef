/* From real weights to levels of a grid: to the nearest, or so that the layer's output changes least (GPTQ, Frantar et al. 2022, after Hassibi & Stork's optimal brain
 * surgeon), with the rate of the entropy coder in the balance. Plain algorithms on plain arrays. */
#ifndef FOVEA_COMPRESS_ROUNDING_H
#define FOVEA_COMPRESS_ROUNDING_H

#include <stdint.h>

#include <fovea/error.h>

/* One group of a layer: rows output channels, columns inputs of each (K). */
typedef struct FvRoundingProblem {
  const float *weights;   /* rows * columns */
  const uint8_t *keep;    /* rows * columns, 0 where a weight was pruned and stays 0; NULL: all stay */
  int64_t rows, columns;
  const float *moments;   /* columns * columns: H; NULL: the nearest level, whatever the method */
  const float *scales;    /* rows; a weight is scale * level */
  int max_level;          /* levels are -max_level..max_level */
  const float *codebook;  /* NULL, or what levels stand for in steps of the scale: entry i of codebook_size, ascending; levels are then these values, rounded to int8 */
  int codebook_size;
  double rate_weight;     /* lambda: squared output error that one bit is worth, relative to the row's mean squared output; 0: rate does not matter */
} FvRoundingProblem;

int fv_round_nearest(const FvRoundingProblem *problem, int8_t *levels, FvError *err);
int fv_round_gptq(const FvRoundingProblem *problem, int8_t *levels, FvError *err);
/* The scale per row, among those of the log grid (ir/log_grid.h), that leaves the least error for max_level, weighted by the moments' diagonal where there is one. */
int fv_choose_scales(const float *weights, int64_t rows, int64_t columns, const float *moments, int max_level, float *scales, FvError *err);
/* k-means codebook of `entries` values for a layer, in steps of its scales, as int8. */
int fv_choose_codebook(const FvRoundingProblem *problem, int entries, float *codebook, FvError *err);
/* Relative squared error of the outputs when weights become scale * level: tr(D H DT) / tr(W H WT); without moments of the weights themselves. */
double fv_rounding_error(const FvRoundingProblem *problem, const int8_t *levels);

#endif

/* From real weights to levels of a grid: to the nearest, or so that the layer's output changes least (GPTQ, Frantar et al. 2022, after Hassibi & Stork's optimal brain
 * surgeon), with the rate of the entropy coder in the balance. Plain algorithms on plain arrays. */
#ifndef FOVEA_COMPRESS_ROUNDING_H
#define FOVEA_COMPRESS_ROUNDING_H

#include <stdint.h>

#include <fovea/error.h>

/* A layer: groups of rows output channels, columns inputs of each (K). Arrays of all groups follow one another, as in the weights of a grouped Conv. Give a layer as
 * one problem, for the rate is that of all its levels together. */
typedef struct FvRoundingProblem {
  int groups;             /* 0 is 1 */
  const float *weights;   /* groups * rows * columns */
  const uint8_t *keep;    /* groups * rows * columns, 0 where a weight was pruned: it is 0 and stays 0; NULL: all stay */
  int64_t rows, columns;
  const float *moments;   /* groups * columns * columns: H; NULL: the nearest level, whatever the method */
  const float *mean;      /* groups * columns: that of the inputs, when what the error adds to an output's mean will be taken out of the bias; H less mean meanT then
                           * counts. NULL: H */
  const float *scales;    /* groups * rows; a weight is scale * level */
  int max_level;          /* levels are -max_level..max_level */
  const float *codebook;  /* NULL, or what levels stand for in steps of the scale: entry i of codebook_size, ascending; levels are then these values, rounded to int8 */
  int codebook_size;
  double rate_weight;     /* 0: rate does not matter. 1: a bit is worth the squared output error that it takes to save a bit by a coarser scale; where the scale is right that
                           * is the best trade. Any number from 0 up */
} FvRoundingProblem;

int fv_round_nearest(const FvRoundingProblem *problem, int8_t *levels, FvError *err);
int fv_round_gptq(const FvRoundingProblem *problem, int8_t *levels, FvError *err);
/* The scale per row, among those of the log grid (ir/log_grid.h), that leaves the least error for max_level, weighted by the moments' diagonal where there is one. */
int fv_choose_scales(const float *weights, int64_t rows, int64_t columns, const float *moments, int max_level, float *scales, FvError *err);
/* k-means codebook of `entries` values for a layer, in steps of its scales, as int8. */
int fv_choose_codebook(const FvRoundingProblem *problem, int entries, float *codebook, FvError *err);
/* Relative squared error of the outputs when weights become scale * level: tr(D H DT) / tr(W H WT); without moments of the weights themselves. 0 when all weights are 0. */
double fv_rounding_error(const FvRoundingProblem *problem, const int8_t *levels);

#endif

/* A layer's weights as rows that a rounding or pruning algorithm works on, and back into the graph. */
#ifndef FOVEA_COMPRESS_PRUNE_LAYER_H
#define FOVEA_COMPRESS_PRUNE_LAYER_H

#include <stdbool.h>

#include "compress/calibrate.h"

/* Conv, Gemm or MatMul with constant weights and moments. */
typedef struct FvPruneLayer {
  FvNode *node;
  const FvMoments *moments;
  int groups;
  int64_t rows, columns, taps; /* of each group; columns = inputs * taps, tap fastest */
  float *original, *weights;   /* groups * rows * columns: as they were, and as they become */
  uint8_t *keep;               /* likewise; 0: pruned */
  bool has_bias;               /* one that takes what pruning changes in an output's mean */
} FvPruneLayer;

/* False when node is not such a layer. Everything is in the graph's arena; *result tells a failure from "not such a layer". */
bool fv_prune_layer_init(FvPruneLayer *layer, FvGraph *graph, FvNode *node, const FvCalibration *calibration, int *result, FvError *err);
static inline int64_t fv_prune_layer_rows(const FvPruneLayer *layer) { return layer->groups * layer->rows; }
static inline int64_t fv_prune_layer_count(const FvPruneLayer *layer) { return layer->groups * layer->rows * layer->columns; }
/* Weights become those that leave the outputs nearest to the original ones, pruned ones being 0: by least squares over the moments. */
int fv_prune_layer_fit(FvPruneLayer *layer, FvError *err);
/* Relative squared error of its outputs. */
double fv_prune_layer_error(const FvPruneLayer *layer);
/* The weights into the graph, and what they change in the outputs' means into the bias. */
int fv_prune_layer_store(FvPruneLayer *layer, FvGraph *graph, FvError *err);

/* Makes a constant input of a node another one; users of the old one keep it. data: row-major, of the graph's arena, f32 or i64. */
int fv_prune_set_constant(FvGraph *graph, FvNode *node, int input, FvDtype dtype, int rank, const int64_t *dims, void *data, FvError *err);

#endif

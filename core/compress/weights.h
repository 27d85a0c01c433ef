/* One layer's weights: as rows, as levels, and back into the graph. */
#ifndef FOVEA_COMPRESS_WEIGHTS_H
#define FOVEA_COMPRESS_WEIGHTS_H

#include "compress/quantise.h"

typedef struct FvLevelsOut {
  int8_t *levels; /* in the order of the node's weights; malloc'ed */
  float *scales;  /* per output channel; malloc'ed */
  int64_t channels;
  int axis;       /* of the weights, along which channels lie */
} FvLevelsOut;

/* Levels for the weights of a Conv, Gemm or MatMul (FV_ROLE_PRODUCT). moments may be NULL. Fills form, bits, kept, entropy_bits and output_error of report. */
int fv_round_layer(const FvNode *node, const FvMoments *moments, const FvLayerForm *form, const FvQuantiseParams *params, FvLevelsOut *out, FvLayerReport *report, FvError *err);
void fv_levels_finish(FvLevelsOut *out);
/* What the rounding takes from the mean of each output channel of node, which has those levels: malloc'ed; NULL when memory is out. moments: of this node. */
float *fv_levels_shift(const FvNode *node, const FvMoments *moments, const FvLevelsOut *out);
/* Do moments belong to weights of this shape? */
bool fv_moments_fit(const FvMoments *moments, const FvNode *node);

/* bits of order-0 entropy per level */
double fv_level_entropy(const int8_t *levels, int64_t count);

#endif

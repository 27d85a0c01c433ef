/* Which values of a graph are carried in 8 bits, and on which grids. */
#ifndef FOVEA_COMPRESS_GRIDS_H
#define FOVEA_COMPRESS_GRIDS_H

#include "compress/quantise.h"
#include "compress/ranges.h"

typedef struct FvValueGrid {
  bool on; /* carried in 8 bits */
  FvGrid grid;
} FvValueGrid;

/* One entry per value of graph->values, malloc'ed. Sets every value's slot to its index. */
int fv_choose_grids(FvGraph *graph, const FvCalibration *calibration, const FvQuantiseParams *params, FvValueGrid **grids, FvError *err);

/* Are a node's products computed in integers? */
static inline bool fv_layer_in_integers(const FvLayerForm *form) {
  return form->activations && (form->weights == FV_WEIGHT_INT || form->weights == FV_WEIGHT_CODEBOOK);
}

#endif

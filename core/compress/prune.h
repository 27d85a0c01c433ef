/* Pruning without training: which weights go, and how those that stay make up for them. */
#ifndef FOVEA_COMPRESS_PRUNE_H
#define FOVEA_COMPRESS_PRUNE_H

#include "compress/calibrate.h"

/* Rewrites the weights (and for CHANNELS the shapes) of a prepared graph in place: pruned weights are exactly 0, the rest is fitted to the layer's fp32 output by least squares over
 * the moments. calibration holds moments of this graph. Shapes are inferred anew where channels went. FV_ERR_INVALID names the parameter. */
int fv_prune(FvGraph *graph, const FvCalibration *calibration, const FvPruneParams *params, FvError *err);

#endif

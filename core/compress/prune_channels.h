/* Removal of whole channels: weights, and everything that carries them, become smaller. */
#ifndef FOVEA_COMPRESS_PRUNE_CHANNELS_H
#define FOVEA_COMPRESS_PRUNE_CHANNELS_H

#include "compress/calibrate.h"

/* CHANNELS and LIST, see prune.h. */
int fv_prune_channels(FvGraph *graph, const FvCalibration *calibration, const FvPruneParams *params, FvError *err);

#endif

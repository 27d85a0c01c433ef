/* Mixed precision: bits per layer so that the file is smallest while the measured loss stays within a budget, or the error least for a given size. */
#ifndef FOVEA_COMPRESS_SEARCH_H
#define FOVEA_COMPRESS_SEARCH_H

#include "compress/quantise.h"

typedef struct FvSearchParams {
  FvModel *model;               /* the caller's: what the loss is measured against */
  FvModel *base;                /* the fp32 model to quantise; forms are by node of its prepared graph */
  const FvCalibration *calibration;
  const FvCompressParams *compress; /* budget and measure, or mean_bits; progress, pictures; layers that its nodes name keep their form */
  const FvQuantiseParams *quantise; /* but layers */
} FvSearchParams;

/* Changes forms of integer layers. FV_ERR_UNSUPPORTED says how large the loss is when 8 bits everywhere are not within the budget. The same input gives the same result. */
int fv_search_bits(const FvSearchParams *params, FvLayerForm *forms, FvError *err);

#endif

#include "push.h"

#define QUANTISE_RANK 5

/* Positions and strides count elements; scale and zero point walk alike. */
FV_PUSH(FvQuantisePush) {
  int count;
  int y_at, x_at, scale_at, zero_at;
  int dims[QUANTISE_RANK];
  int y_strides[QUANTISE_RANK];
  int x_strides[QUANTISE_RANK];
  int scale_strides[QUANTISE_RANK];
} FV_PUSH_NAME;

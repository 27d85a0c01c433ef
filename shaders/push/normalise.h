#include "push.h"
#define NORMALISE_RANK 4
/* Dimensions from the outermost to the innermost in the output's memory. Positions and strides count floats. */
FV_PUSH(FvNormalisePush) {
  int count;
  int y_at, x_at, mean_at, factor_at, scale_at, bias_at;
  int dims[NORMALISE_RANK];
  int y_strides[NORMALISE_RANK];
  int x_strides[NORMALISE_RANK];
  int mean_strides[NORMALISE_RANK];  /* of factor too */
  int scale_strides[NORMALISE_RANK]; /* of bias too */
  float epsilon, alpha, beta;
} FV_PUSH_NAME;

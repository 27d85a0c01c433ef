/* Scales and zero points: checks and loads that the quantised operators share. */
#ifndef FOVEA_OPS_QUANTISED_H
#define FOVEA_OPS_QUANTISED_H

#include <math.h>

#include "ir/op.h"
#include "base/strided.h"

static inline bool fv_dtype_is_8bit(FvDtype t) { return t == FV_DTYPE_I8 || t == FV_DTYPE_U8; }

/* The input at `index` is there and is i8 or u8. */
const FvValue *fv_infer_need_8bit(const FvNode *node, int index, FvInfer *infer);
/* The zero point, when there is one, has type dtype and holds one number or, where length > 0, a vector of `length`. */
int fv_infer_zero_point(const FvNode *node, int index, FvDtype dtype, int64_t length, FvInfer *infer);
/* Data, scale and zero point at three consecutive inputs, per tensor. Returns the data, NULL with the error set. */
const FvValue *fv_infer_need_quantised(const FvNode *node, int data, FvInfer *infer);

/* Entry i of a scale or zero point that may be one number for all; an absent zero point is 0. */
static inline double fv_quant_param(const FvTensor *tensor, int64_t i) {
  if (!tensor) return 0;
  return fv_load_f64(tensor, tensor->rank == 0 || tensor->dims[0] == 1 ? 0 : i * tensor->strides[0]);
}
/* Rounds half to even, adds the zero point, saturates to the tensor's type. value is in output steps. */
static inline void fv_store_quantised(const FvTensor *y, int64_t at, float value, double zero) {
  fv_store_f64(y, at, (double)rintf(value) + zero);
}

#endif

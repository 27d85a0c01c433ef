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

/* The activations that integer operators fuse: those that can be had in steps, where a scale is no more than a factor. */
static inline bool fv_activates_steps(FvActivationType type) {
  return type == FV_ACTIVATION_NONE || type == FV_ACTIVATION_RELU || type == FV_ACTIVATION_CLIP || type == FV_ACTIVATION_LEAKY_RELU;
}
static inline float fv_activate_steps(FvActivation act, float steps, float scale) {
  if (act.type == FV_ACTIVATION_CLIP) act = (FvActivation){act.type, act.alpha / scale, act.beta / scale};
  return fv_activate(act, steps);
}

/* The end of every integer operator: an exact sum becomes steps of the output by one float multiplication, is activated, rounded and saturated. Where
 * scale and zero point are left out the output is f32 and one step is 1. All arithmetic is fp32, in the order written here, never contracted. */
typedef struct FvRequantise {
  FvActivation activation;
  float scale;
  double zero;
  bool is_float;
} FvRequantise;

static inline FvRequantise fv_requantise_of(const FvNode *node, const FvTensor *scale, const FvTensor *zero) {
  return (FvRequantise){node->activation, scale ? (float)fv_quant_param(scale, 0) : 1, fv_quant_param(zero, 0), !scale};
}
static inline void fv_store_requantised(const FvRequantise *to, const FvTensor *y, int64_t at, float steps) {
  steps = fv_activate_steps(to->activation, steps, to->scale);
  if (to->is_float) fv_store_f64(y, at, (double)steps);
  else fv_store_quantised(y, at, steps, to->zero);
}
/* Checks scale and zero point of an output and says its type: f32 when both are left out. */
int fv_infer_requantised(const FvNode *node, int scale, FvDtype *dtype, FvInfer *infer);

/* Interpolation of bytes: weights in 1/2048, so that two axes of two taps give sums below 2^31. Weights of one place add up to 2048. */
enum { FV_RESIZE_WEIGHT_BITS = 11 };
static inline int32_t fv_resize_weight_8bit(const float *weights, int64_t place, int tap) {
  int32_t first = (int32_t)rintf(weights[place * 2] * (float)(1 << FV_RESIZE_WEIGHT_BITS));
  return tap == 0 ? first : (1 << FV_RESIZE_WEIGHT_BITS) - first;
}

#endif

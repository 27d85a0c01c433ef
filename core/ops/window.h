/* Sliding windows: what convolution and pooling have in common. */
#ifndef FOVEA_OPS_WINDOW_H
#define FOVEA_OPS_WINDOW_H

#include "ir/op.h"
#include "ops/params.h"

typedef enum FvAutoPad { FV_AUTO_PAD_NOTSET, FV_AUTO_PAD_VALID, FV_AUTO_PAD_SAME_UPPER, FV_AUTO_PAD_SAME_LOWER } FvAutoPad;

/* Reads kernel_shape, strides, dilations, pads and auto_pad. kernel: what the weights say, or NULL when kernel_shape must be there. The window
 * spans at most FV_MAX_DIM elements per axis afterwards, so that positions inside it cannot overflow. */
int fv_infer_window(const FvNode *node, int spatial_rank, const int64_t *kernel, FvWindow *window, FvAutoPad *auto_pad, FvInfer *infer);
/* Elements from the window's first tap to its last along an axis. */
static inline int64_t fv_window_extent(const FvWindow *window, int axis) {
  return (window->kernel[axis] - 1) * window->dilation[axis] + 1;
}
/* Turns auto_pad into pads and writes the number of window positions along each axis of in (spatial dims). */
int fv_infer_window_output(FvWindow *window, FvAutoPad auto_pad, const int64_t *in, bool ceil_mode, int64_t *out, FvInfer *infer);

/* Element offset, within a plane of x, of what `tap` of the window at output `position` looks at; false in the padding. */
static inline bool fv_window_source(const FvWindow *window, const FvTensor *x, const int64_t *position, const int64_t *tap, int64_t *offset) {
  int64_t at = 0;
  for (int d = 0; d < window->spatial_rank; d++) {
    int64_t i = position[d] * window->stride[d] - window->pad_begin[d] + tap[d] * window->dilation[d];
    if (i < 0 || i >= x->dims[d + 2]) return false;
    at += i * x->strides[d + 2];
  }
  *offset = at;
  return true;
}

/* Convolution of any dtype: checks x [N, C, …] against w [M, C/group, …], fills params, writes the output's dims. */
int fv_infer_conv(const FvNode *node, const FvValue *x, const FvValue *w, FvConvParams *params, int64_t *out, FvInfer *infer);
/* One output element, index [n, m, …], of the convolution of (x - x_zero) with (w - w_zero); padding counts as x_zero. */
double fv_conv_sum(const FvConvParams *params, const FvTensor *x, double x_zero, const FvTensor *w, double w_zero, const int64_t *index);
/* Multiply-accumulates of a convolution with output y and weights w. */
int64_t fv_conv_macs(const FvValue *y, const FvValue *w);

#endif

/* Conv and ConvTranspose. */
#include <string.h>

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "base/strided.h"
#include "ops/window.h"

static int check_ranks(const FvValue *x, const FvValue *w, FvInfer *infer) {
  if (x->rank < 3 || x->rank > 2 + FV_MAX_SPATIAL)
    return fv_infer_unsupported(infer, "input '%s' has %d dimensions; 3 to %d can be convolved", x->name, x->rank, 2 + FV_MAX_SPATIAL);
  if (w->rank != x->rank)
    return fv_infer_error(infer, "weights '%s' have %d dimensions where the input has %d", w->name, w->rank, x->rank);
  return 0;
}

int fv_infer_conv(const FvNode *node, const FvValue *x, const FvValue *w, FvConvParams *params, int64_t *out, FvInfer *infer) {
  int rc = check_ranks(x, w, infer);
  if (rc) return rc;
  params->group = fv_node_int(node, "group", 1);
  int64_t channels = w->dims[1];
  if (params->group < 1 || params->group > FV_MAX_DIM) return fv_infer_error(infer, "group %lld is not positive", (long long)params->group);
  if (channels < 1 || channels * params->group != x->dims[1])
    return fv_infer_error(infer, "the input has %lld channels, but weights and group ask for %lld x %lld", (long long)x->dims[1],
                          (long long)channels, (long long)params->group);
  if (w->dims[0] < 1 || w->dims[0] % params->group)
    return fv_infer_error(infer, "%lld output channels cannot be divided into %lld groups", (long long)w->dims[0], (long long)params->group);
  FvAutoPad auto_pad;
  rc = fv_infer_window(node, x->rank - 2, w->dims + 2, &params->window, &auto_pad, infer);
  if (!rc) rc = fv_infer_window_output(&params->window, auto_pad, x->dims + 2, false, out + 2, infer);
  out[0] = x->dims[0];
  out[1] = w->dims[0];
  return rc;
}

double fv_conv_sum(const FvConvParams *params, const FvTensor *x, double x_zero, const FvTensor *w, double w_zero, const int64_t *index) {
  int64_t channels = w->dims[1], group = index[1] / (w->dims[0] / params->group);
  int64_t x_base = index[0] * x->strides[0] + group * channels * x->strides[1], w_base = index[1] * w->strides[0];
  int64_t tap[FV_MAX_SPATIAL] = {0}, offset;
  double sum = 0;
  do {
    if (!fv_window_source(&params->window, x, index + 2, tap, &offset)) continue;
    int64_t w_at = w_base;
    for (int d = 0; d < params->window.spatial_rank; d++) w_at += tap[d] * w->strides[d + 2];
    sum += fv_dot(x, x_base + offset, x->strides[1], x_zero, w, w_at, w->strides[1], w_zero, channels);
  } while (fv_index_next(tap, params->window.kernel, params->window.spatial_rank));
  return sum;
}

int64_t fv_conv_macs(const FvValue *y, const FvValue *w) {
  int64_t macs = 1;
  for (int d = 0; d < y->rank; d++) macs *= y->dims[d];
  for (int d = 1; d < w->rank; d++) macs *= w->dims[d];
  return macs;
}

static int infer_residual(const FvNode *node, int rank, const int64_t *out, FvInfer *infer) {
  const FvValue *residual = fv_node_input(node, 3);
  if (!residual || (residual->rank == rank && memcmp(residual->dims, out, sizeof *out * (size_t)rank) == 0)) return 0;
  return fv_infer_error(infer, "the residual '%s' has not the output's shape", residual->name);
}

static int infer_conv(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer), *w = x ? fv_infer_need_float(node, 1, infer) : NULL;
  if (!w) return fv_infer_failed(infer);
  FvConvParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t out[FV_MAX_RANK];
  int rc = fv_infer_same_type(node, 1, x->dtype, infer);
  if (!rc) rc = fv_infer_same_type(node, 2, x->dtype, infer);
  if (!rc) rc = fv_infer_conv(node, x, w, params, out, infer);
  if (!rc) rc = fv_infer_vector(node, 2, w->dims[0], infer);
  if (!rc) rc = infer_residual(node, x->rank, out, infer);
  return rc ? rc : fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

static void reference_conv(const FvKernelCall *call) {
  const FvNode *node = call->node;
  const FvTensor *x = call->in[0], *w = call->in[1], *y = call->out[0];
  const FvTensor *b = node->input_count > 2 ? call->in[2] : NULL, *residual = node->input_count > 3 ? call->in[3] : NULL;
  if (fv_tensor_count(y) == 0) return;
  int64_t index[FV_MAX_RANK] = {0};
  do {
    double sum = fv_conv_sum(node->params, x, 0, w, 0, index);
    if (b) sum += fv_load_f64(b, index[1] * b->strides[0]);
    if (residual) sum += fv_load_f64(residual, fv_offset(residual, index));
    fv_store_f64(y, fv_offset(y, index), fv_activated(node, sum));
  } while (fv_index_next(index, y->dims, y->rank));
}

static int64_t macs_conv(const FvNode *node) { return fv_conv_macs(node->outputs[0], node->inputs[1]); }

/* Output dims and pads of ConvTranspose: output_shape or SAME fixes the size and leaves the pads to be found, else the pads
 * fix the size. */
static int infer_transposed_window(const FvNode *node, FvConvParams *params, FvAutoPad auto_pad, const int64_t *in, int64_t *out,
                                   FvInfer *infer) {
  FvWindow *window = &params->window;
  int64_t wanted[FV_MAX_RANK];
  int rank = window->spatial_rank, count = fv_node_ints(node, "output_shape", wanted, FV_MAX_RANK);
  bool same = auto_pad == FV_AUTO_PAD_SAME_UPPER || auto_pad == FV_AUTO_PAD_SAME_LOWER;
  if (count >= 0 && count != rank && count != rank + 2)
    return fv_infer_error(infer, "output_shape has %d numbers where %d are wanted", count, rank);
  for (int d = 0; d < rank; d++) {
    int64_t full = window->stride[d] * (in[d] - 1) + params->output_pad[d] + fv_window_extent(window, d);
    if (count < 0 && !same) {
      out[d] = full - window->pad_begin[d] - window->pad_end[d];
      continue;
    }
    out[d] = count >= 0 ? wanted[count - rank + d] : in[d] * window->stride[d];
    if (out[d] < 0 || out[d] > FV_MAX_DIM)
      return fv_infer_error(infer, "output_shape %lld is outside 0 to %lld", (long long)out[d], (long long)FV_MAX_DIM);
    int64_t total = full > out[d] ? full - out[d] : 0;
    window->pad_begin[d] = auto_pad == FV_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
    window->pad_end[d] = total - window->pad_begin[d];
  }
  return 0;
}

static int infer_output_padding(const FvNode *node, FvConvParams *params, FvInfer *infer) {
  int rank = params->window.spatial_rank, count = fv_node_ints(node, "output_padding", params->output_pad, rank);
  if (count >= 0 && count != rank) return fv_infer_error(infer, "output_padding has %d numbers where %d are wanted", count, rank);
  for (int d = 0; d < rank; d++)
    if (params->output_pad[d] < 0 || params->output_pad[d] > FV_MAX_DIM)
      return fv_infer_error(infer, "output_padding %lld is negative or too large", (long long)params->output_pad[d]);
  return 0;
}

static int infer_conv_transpose(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer), *w = x ? fv_infer_need_float(node, 1, infer) : NULL;
  if (!w) return fv_infer_failed(infer);
  FvConvParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int rc = check_ranks(x, w, infer);
  if (!rc) rc = fv_infer_same_type(node, 1, x->dtype, infer);
  if (!rc) rc = fv_infer_same_type(node, 2, x->dtype, infer);
  if (rc) return rc;
  params->group = fv_node_int(node, "group", 1);
  if (params->group < 1 || params->group > FV_MAX_DIM || x->dims[1] % params->group)
    return fv_infer_error(infer, "%lld input channels cannot be divided into %lld groups", (long long)x->dims[1], (long long)params->group);
  if (w->dims[0] != x->dims[1] || w->dims[0] < 1 || w->dims[1] < 1)
    return fv_infer_error(infer, "the input has %lld channels, but the weights are for %lld", (long long)x->dims[1], (long long)w->dims[0]);
  FvAutoPad auto_pad;
  int64_t out[FV_MAX_RANK] = {x->dims[0], w->dims[1] * params->group};
  rc = fv_infer_window(node, x->rank - 2, w->dims + 2, &params->window, &auto_pad, infer);
  if (!rc) rc = infer_output_padding(node, params, infer);
  if (!rc) rc = infer_transposed_window(node, params, auto_pad, x->dims + 2, out + 2, infer);
  if (!rc) rc = fv_infer_vector(node, 2, out[1], infer);
  return rc ? rc : fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

/* The input element that reaches output `position` through `tap`: position = input * stride - pad + tap * dilation. */
static bool transposed_source(const FvWindow *window, const FvTensor *x, const int64_t *position, const int64_t *tap, int64_t *offset) {
  int64_t at = 0;
  for (int d = 0; d < window->spatial_rank; d++) {
    int64_t i = position[d] + window->pad_begin[d] - tap[d] * window->dilation[d];
    if (i < 0 || i % window->stride[d] || i / window->stride[d] >= x->dims[d + 2]) return false;
    at += i / window->stride[d] * x->strides[d + 2];
  }
  *offset = at;
  return true;
}

static double transposed_sum(const FvConvParams *params, const FvTensor *x, const FvTensor *w, const int64_t *index) {
  int64_t channels = w->dims[0] / params->group, group = index[1] / w->dims[1];
  int64_t x_base = index[0] * x->strides[0] + group * channels * x->strides[1];
  int64_t w_base = group * channels * w->strides[0] + index[1] % w->dims[1] * w->strides[1];
  int64_t tap[FV_MAX_SPATIAL] = {0}, offset;
  double sum = 0;
  do {
    if (!transposed_source(&params->window, x, index + 2, tap, &offset)) continue;
    int64_t w_at = w_base;
    for (int d = 0; d < params->window.spatial_rank; d++) w_at += tap[d] * w->strides[d + 2];
    sum += fv_dot(x, x_base + offset, x->strides[1], 0, w, w_at, w->strides[0], 0, channels);
  } while (fv_index_next(tap, params->window.kernel, params->window.spatial_rank));
  return sum;
}

static void reference_conv_transpose(const FvKernelCall *call) {
  const FvNode *node = call->node;
  const FvTensor *b = node->input_count > 2 ? call->in[2] : NULL, *y = call->out[0];
  if (fv_tensor_count(y) == 0) return;
  int64_t index[FV_MAX_RANK] = {0};
  do {
    double sum = transposed_sum(node->params, call->in[0], call->in[1], index);
    if (b) sum += fv_load_f64(b, index[1] * b->strides[0]);
    fv_store_f64(y, fv_offset(y, index), fv_activated(node, sum));
  } while (fv_index_next(index, y->dims, y->rank));
}

static int64_t macs_conv_transpose(const FvNode *node) { return fv_conv_macs(node->inputs[0], node->inputs[1]); }

const FvOp fv_ops_conv[] = {
  {.name = "Conv", .kind = FV_OP_CONV, .min_inputs = 2, .max_inputs = 4, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_SPATIAL | FV_OP_FUSES_ACTIVATION, .infer = infer_conv, .reference = reference_conv, .macs = macs_conv},
  {.name = "ConvTranspose", .kind = FV_OP_CONV_TRANSPOSE, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_SPATIAL | FV_OP_FUSES_ACTIVATION, .infer = infer_conv_transpose, .reference = reference_conv_transpose,
   .macs = macs_conv_transpose},
  {0},
};

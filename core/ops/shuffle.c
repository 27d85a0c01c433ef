/* Operators of our own, made by passes and plans: ChannelShuffle (from Reshape-Transpose-Reshape), ConcatShuffle (its common case) and Copy (a
 * change of layout). */
#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "ops/views.h"

/* The pass that makes the node may have written params already; else attribute `groups` says. */
static int infer_channel_shuffle(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  FvChannelShuffleParams *params = node->params;
  if (!params) {
    if (!(params = fv_infer_params(node, infer, sizeof *params))) return FV_ERR_NO_MEMORY;
    params->groups = fv_node_int(node, "groups", 1);
  }
  if (in->rank < 2) return fv_infer_error(infer, "the input must be [N, C, …] but has %d dimensions", in->rank);
  if (params->groups < 1 || in->dims[1] % params->groups)
    return fv_infer_error(infer, "%lld channels do not divide into %lld groups", (long long)in->dims[1], (long long)params->groups);
  return fv_infer_output_like(node, 0, in, infer);
}

static void channel_shuffle_reference(const FvKernelCall *call) {
  int64_t groups = ((const FvChannelShuffleParams *)call->node->params)->groups;
  FvTensor from = *call->in[0], to = *call->out[0];
  int64_t each = from.dims[1] / groups, from_stride = from.strides[1], to_stride = to.strides[1];
  from.dims[1] = to.dims[1] = each;
  to.strides[1] *= groups;
  for (int64_t g = 0; g < groups; g++) {
    from.data = fv_element(call->in[0], g * each * from_stride);
    to.data = fv_element(call->out[0], g * to_stride);
    fv_tensor_copy(&to, &from, NULL);
  }
}

/* Concat of two halves along the channels and a shuffle by two: y[:, 2c] = a[:, c], y[:, 2c + 1] = b[:, c]. */
static int infer_concat_shuffle(FvNode *node, FvInfer *infer) {
  const FvValue *a = node->inputs[0], *b = node->inputs[1];
  int64_t dims[FV_MAX_RANK];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  if (a->rank < 2 || a->rank != b->rank || a->dtype != b->dtype) return fv_infer_error(infer, "the inputs must have the same type and shape");
  for (int d = 0; d < a->rank; d++) {
    if (a->dims[d] != b->dims[d]) return fv_infer_error(infer, "the inputs must have the same type and shape");
    dims[d] = d == 1 ? a->dims[d] * 2 : a->dims[d];
  }
  return fv_infer_output(node, 0, a->dtype, a->rank, dims, infer);
}

static void concat_shuffle_reference(const FvKernelCall *call) {
  for (int i = 0; i < 2; i++) {
    FvTensor to = *call->out[0];
    to.data = fv_element(call->out[0], i * to.strides[1]);
    to.dims[1] /= 2;
    to.strides[1] *= 2;
    fv_tensor_copy(&to, call->in[i], NULL);
  }
}

static int infer_copy(FvNode *node, FvInfer *infer) {
  int code = fv_infer_static_inputs(node, infer);
  return code < 0 ? code : fv_infer_output_like(node, 0, node->inputs[0], infer);
}

static void copy_reference(const FvKernelCall *call) { fv_tensor_copy(call->out[0], call->in[0], NULL); }

const FvOp fv_ops_shuffle[] = {
  {.name = "ChannelShuffle", .domain = "fovea", .kind = FV_OP_CHANNEL_SHUFFLE, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_channel_shuffle, .reference = channel_shuffle_reference},
  {.name = "ConcatShuffle", .domain = "fovea", .kind = FV_OP_CONCAT_SHUFFLE, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_concat_shuffle, .reference = concat_shuffle_reference},
  {.name = "Copy", .domain = "fovea", .kind = FV_OP_COPY, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_copy, .reference = copy_reference},
  {0}};

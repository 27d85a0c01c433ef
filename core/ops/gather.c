/* Gather, GatherElements, GatherND: elements picked by indices. */
#include <string.h>

#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "base/strided.h"
#include "ops/views.h"

static int infer_gather(FvNode *node, FvInfer *infer) {
  const FvValue *data = node->inputs[0], *indices = node->inputs[1];
  int axis, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_index_type(node, 1, infer)) < 0 ||
      (code = fv_infer_axis(fv_node_int(node, "axis", 0), data->rank, &axis, infer)) < 0 ||
      (code = fv_infer_index_range(indices, data->dims[axis], infer)) < 0)
    return code;
  FvGatherParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->axis = axis;
  int64_t dims[2 * FV_MAX_RANK];
  int rank = 0;
  for (int d = 0; d < axis; d++) dims[rank++] = data->dims[d];
  for (int d = 0; d < indices->rank; d++) dims[rank++] = indices->dims[d];
  for (int d = axis + 1; d < data->rank; d++) dims[rank++] = data->dims[d];
  return fv_infer_output(node, 0, data->dtype, rank, dims, infer);
}

/* True for constant indices first, first + step, first + 2 step, … */
static bool is_progression(const FvValue *indices, int64_t length, int64_t *first, int64_t *step) {
  if (!indices->constant) return false;
  int64_t count = fv_tensor_count(indices->constant);
  *first = count > 0 ? fv_index_clamp(fv_load_i64(indices->constant, 0), length) : 0;
  *step = count > 1 ? fv_index_clamp(fv_load_i64(indices->constant, 1), length) - *first : 0;
  for (int64_t i = 2; i < count; i++)
    if (fv_index_clamp(fv_load_i64(indices->constant, i), length) != *first + i * *step) return false;
  return true;
}

static bool view_gather(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset) {
  const FvValue *indices = node->inputs[1];
  int axis = ((const FvGatherParams *)node->params)->axis;
  int64_t first, step;
  if (!is_progression(indices, input->dims[axis], &first, &step)) return false;
  fv_view_begin(node, index, input, output);
  int behind = axis + indices->rank;
  for (int d = 0; d < axis; d++) output->strides[d] = input->strides[d];
  int64_t stride = step * input->strides[axis];
  for (int d = behind - 1; d >= axis; d--) {
    output->strides[d] = stride;
    stride *= output->dims[d];
  }
  for (int d = behind; d < output->rank; d++) output->strides[d] = input->strides[d - behind + axis + 1];
  *offset = first * input->strides[axis];
  return true;
}

static void gather_reference(const FvKernelCall *call) {
  const FvTensor *data = call->in[0], *indices = call->in[1], *out = call->out[0];
  if (fv_tensor_count(out) == 0) return;
  int axis = ((const FvGatherParams *)call->node->params)->axis;
  FvTensor from = fv_drop_dims(data, axis, axis + 1), to = fv_drop_dims(out, axis, axis + indices->rank);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t target = 0, pick = fv_index_clamp(fv_load_i64(indices, fv_offset(indices, at)), data->dims[axis]);
    for (int d = 0; d < indices->rank; d++) target += at[d] * out->strides[axis + d];
    from.data = fv_element(data, pick * data->strides[axis]);
    to.data = fv_element(out, target);
    fv_tensor_copy(&to, &from, NULL);
  } while (fv_index_next(at, indices->dims, indices->rank));
}

static int infer_gather_elements(FvNode *node, FvInfer *infer) {
  const FvValue *data = node->inputs[0], *indices = node->inputs[1];
  int axis, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_index_type(node, 1, infer)) < 0 ||
      (code = fv_infer_axis(fv_node_int(node, "axis", 0), data->rank, &axis, infer)) < 0)
    return code;
  if (indices->rank != data->rank) return fv_infer_error(infer, "the data has %d dimensions but the indices have %d", data->rank, indices->rank);
  for (int d = 0; d < data->rank; d++)
    if (d != axis && indices->dims[d] > data->dims[d])
      return fv_infer_error(infer, "dimension %d has %lld indices for %lld elements", d, (long long)indices->dims[d], (long long)data->dims[d]);
  if ((code = fv_infer_index_range(indices, data->dims[axis], infer)) < 0) return code;
  FvGatherParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->axis = axis;
  return fv_infer_output(node, 0, data->dtype, indices->rank, indices->dims, infer);
}

static void gather_elements_reference(const FvKernelCall *call) {
  const FvTensor *data = call->in[0], *indices = call->in[1], *out = call->out[0];
  if (fv_tensor_count(out) == 0) return;
  int axis = ((const FvGatherParams *)call->node->params)->axis;
  size_t size = fv_dtype_size(data->dtype);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t pick = fv_index_clamp(fv_load_i64(indices, fv_offset(indices, at)), data->dims[axis]);
    int64_t source = fv_offset(data, at) + (pick - at[axis]) * data->strides[axis];
    memcpy(fv_element(out, fv_offset(out, at)), fv_element(data, source), size);
  } while (fv_index_next(at, out->dims, out->rank));
}

static int infer_gather_nd(FvNode *node, FvInfer *infer) {
  const FvValue *data = node->inputs[0], *indices = node->inputs[1];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_index_type(node, 1, infer)) < 0) return code;
  int64_t batch = fv_node_int(node, "batch_dims", 0);
  if (batch < 0 || batch >= data->rank || batch >= indices->rank)
    return fv_infer_error(infer, "batch_dims %lld does not suit data of %d and indices of %d dimensions", (long long)batch, data->rank, indices->rank);
  int64_t depth = indices->dims[indices->rank - 1];
  if (depth < 1 || depth > data->rank - batch) return fv_infer_error(infer, "an index of %lld numbers does not suit data of %d dimensions", (long long)depth, data->rank);
  for (int d = 0; d < batch; d++)
    if (data->dims[d] != indices->dims[d]) return fv_infer_error(infer, "batch dimension %d differs between data and indices", d);
  FvGatherNdParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  *params = (FvGatherNdParams){(int)batch, (int)depth};
  if ((code = fv_infer_tuple_range(data, indices, (int)batch, (int)depth, infer)) < 0) return code;
  int64_t dims[2 * FV_MAX_RANK];
  int rank = 0;
  for (int d = 0; d < indices->rank - 1; d++) dims[rank++] = indices->dims[d];
  for (int d = (int)(batch + depth); d < data->rank; d++) dims[rank++] = data->dims[d];
  return fv_infer_output(node, 0, data->dtype, rank, dims, infer);
}

static void gather_nd_reference(const FvKernelCall *call) {
  const FvTensor *data = call->in[0], *indices = call->in[1], *out = call->out[0];
  if (fv_tensor_count(out) == 0) return;
  FvGatherNdParams params = *(const FvGatherNdParams *)call->node->params;
  int outer = indices->rank - 1;
  FvTensor from = fv_drop_dims(data, 0, params.batch + params.depth), to = fv_drop_dims(out, 0, outer);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t source = 0, target = 0, tuple = fv_offset(indices, at);
    for (int d = 0; d < params.batch; d++) source += at[d] * data->strides[d];
    for (int k = 0; k < params.depth; k++) {
      int64_t index = fv_load_i64(indices, tuple + k * indices->strides[outer]);
      source += fv_index_clamp(index, data->dims[params.batch + k]) * data->strides[params.batch + k];
    }
    for (int d = 0; d < outer; d++) target += at[d] * out->strides[d];
    from.data = fv_element(data, source);
    to.data = fv_element(out, target);
    fv_tensor_copy(&to, &from, NULL);
  } while (fv_index_next(at, indices->dims, outer));
}

const FvOp fv_ops_gather[] = {
  {.name = "Gather", .kind = FV_OP_GATHER, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_gather, .view = view_gather, .reference = gather_reference},
  {.name = "GatherElements", .kind = FV_OP_GATHER_ELEMENTS, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_gather_elements, .reference = gather_elements_reference},
  {.name = "GatherND", .kind = FV_OP_GATHER_ND, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_gather_nd, .reference = gather_nd_reference},
  {0}};

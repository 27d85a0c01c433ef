#include <string.h>

#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/params.h"

static int infer_arg(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_NUMBER, infer);
  if (rc < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0) return rc;
  FvArgParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  const FvValue *in = node->inputs[0];
  params->smallest = strcmp(node->op->name, "ArgMin") == 0;
  params->keep_dims = fv_node_int(node, "keepdims", 1) != 0;
  params->last = fv_node_int(node, "select_last_index", 0) != 0;
  if ((rc = fv_infer_axis(fv_node_int(node, "axis", 0), in->rank, &params->axis, infer)) < 0) return rc;
  if (in->dims[params->axis] == 0) return fv_infer_error(infer, "axis %d is empty: there is no index to choose", params->axis);
  int rank = 0;
  int64_t dims[FV_MAX_RANK];
  for (int d = 0; d < in->rank; d++) {
    if (d != params->axis) dims[rank++] = in->dims[d];
    else if (params->keep_dims) dims[rank++] = 1;
  }
  return fv_infer_output(node, 0, FV_DTYPE_I64, rank, dims, infer);
}

static void reference_arg(const FvKernelCall *call) {
  const FvArgParams *params = call->node->params;
  const FvTensor *in = call->in[0], *out = call->out[0];
  int64_t index[FV_MAX_RANK] = {0}, stride = in->strides[params->axis];
  if (fv_tensor_count(out) == 0) return;
  do {
    int64_t base = 0, best = 0;
    for (int d = 0, o = 0; d < in->rank; d++) {
      if (d != params->axis) base += index[o++] * in->strides[d];
      else o += params->keep_dims;
    }
    for (int64_t i = 1; i < in->dims[params->axis]; i++) {
      int order = fv_compare_elements(in, base + i * stride, base + best * stride);
      if (params->smallest) order = -order;
      if (order > 0 || (order == 0 && params->last)) best = i;
    }
    ((int64_t *)out->data)[fv_offset(out, index)] = best;
  } while (fv_index_next(index, out->dims, out->rank));
}

static int infer_top_k(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_NUMBER, infer);
  if (rc < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0) return rc;
  FvTopKParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  const FvValue *in = node->inputs[0];
  int64_t k = fv_node_int(node, "k", -1);
  int count;
  if (node->opset >= 10) {
    if ((rc = fv_infer_const_ints(node, 1, &k, 1, &count, infer)) < 0) return rc;
    if (count != 1) return fv_infer_error(infer, "the number of elements to keep, input 1, is missing");
  }
  if ((rc = fv_infer_axis(fv_node_int(node, "axis", -1), in->rank, &params->axis, infer)) < 0) return rc;
  params->largest = fv_node_int(node, "largest", 1) != 0;
  int64_t dims[FV_MAX_RANK];
  memcpy(dims, in->dims, sizeof dims);
  if (k < 0 || k > dims[params->axis])
    return fv_infer_error(infer, "k is %lld, but axis %d has %lld elements", (long long)k, params->axis, (long long)dims[params->axis]);
  dims[params->axis] = k;
  rc = fv_infer_output(node, 0, in->dtype, in->rank, dims, infer);
  return rc < 0 ? rc : fv_infer_output(node, 1, FV_DTYPE_I64, in->rank, dims, infer);
}

/* The best element along the axis that comes after element `previous` (-1: after none) in the order of the result. Scanning again for each
 * needs no memory beside the outputs. */
static int64_t next_best(const FvTensor *in, int64_t base, const FvTopKParams *params, int64_t previous) {
  int64_t stride = in->strides[params->axis], best = -1;
  for (int64_t i = 0; i < in->dims[params->axis]; i++) {
    int order = previous < 0 ? -1 : fv_compare_elements(in, base + i * stride, base + previous * stride);
    if (!params->largest && previous >= 0) order = -order;
    if (order > 0 || (order == 0 && i <= previous)) continue; /* taken already */
    order = best < 0 ? 1 : fv_compare_elements(in, base + i * stride, base + best * stride);
    if (best < 0 || (params->largest ? order > 0 : order < 0)) best = i;
  }
  return best;
}

static void reference_top_k(const FvKernelCall *call) {
  const FvTopKParams *params = call->node->params;
  const FvTensor *in = call->in[0], *values = call->out[0], *indices = call->node->output_count > 1 ? call->out[1] : NULL;
  const FvTensor *shape = values ? values : indices;
  if (!shape || fv_tensor_count(shape) == 0) return;
  int64_t lines[FV_MAX_RANK], index[FV_MAX_RANK] = {0}, stride = in->strides[params->axis];
  memcpy(lines, shape->dims, sizeof lines);
  lines[params->axis] = 1;
  do {
    int64_t base = fv_offset(in, index), previous = -1;
    for (int64_t i = 0; i < shape->dims[params->axis]; i++) {
      previous = next_best(in, base, params, previous);
      if (indices) ((int64_t *)indices->data)[fv_offset(indices, index) + i * indices->strides[params->axis]] = previous;
      if (!values) continue;
      int64_t to = fv_offset(values, index) + i * values->strides[params->axis], from = base + previous * stride;
      if (fv_dtype_is_float(in->dtype)) fv_store_f64(values, to, fv_load_f64(in, from));
      else fv_store_i64(values, to, fv_load_i64(in, from));
    }
  } while (fv_index_next(index, lines, shape->rank));
}

typedef struct CumSumParams {
  int axis;
  bool exclusive, reverse;
} CumSumParams;

static int infer_cum_sum(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_NUMBER, infer);
  if (rc < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0) return rc;
  CumSumParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t axis;
  int count;
  if ((rc = fv_infer_const_ints(node, 1, &axis, 1, &count, infer)) < 0) return rc;
  if (count != 1) return fv_infer_error(infer, "the axis, input 1, is missing");
  if ((rc = fv_infer_axis(axis, node->inputs[0]->rank, &params->axis, infer)) < 0) return rc;
  params->exclusive = fv_node_int(node, "exclusive", 0) != 0;
  params->reverse = fv_node_int(node, "reverse", 0) != 0;
  return fv_infer_output_like(node, 0, node->inputs[0], infer);
}

static void reference_cum_sum(const FvKernelCall *call) {
  const CumSumParams *params = call->node->params;
  const FvTensor *in = call->in[0], *out = call->out[0];
  int64_t lines[FV_MAX_RANK], index[FV_MAX_RANK] = {0}, length = in->dims[params->axis];
  if (fv_tensor_count(in) == 0) return;
  memcpy(lines, in->dims, sizeof lines);
  lines[params->axis] = 1;
  do {
    double sum = 0;
    uint64_t wrapping = 0;
    for (int64_t n = 0; n < length; n++) {
      int64_t i = params->reverse ? length - 1 - n : n;
      int64_t from = fv_offset(in, index) + i * in->strides[params->axis], to = fv_offset(out, index) + i * out->strides[params->axis];
      bool is_float = fv_dtype_is_float(in->dtype);
      double before = sum;
      uint64_t wrapping_before = wrapping;
      if (is_float) sum += fv_load_f64(in, from);
      else wrapping += (uint64_t)fv_load_i64(in, from);
      if (is_float) fv_store_f64(out, to, params->exclusive ? before : sum);
      else fv_store_i64(out, to, (int64_t)(params->exclusive ? wrapping_before : wrapping));
    }
  } while (fv_index_next(index, lines, in->rank));
}

#define ARG(op) \
  {.name = op, .kind = FV_OP_ARG, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .infer = infer_arg, .reference = reference_arg}

const FvOp fv_ops_sort[] = {
  ARG("ArgMax"),
  ARG("ArgMin"),
  {.name = "TopK", .kind = FV_OP_TOP_K, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 2, .constant_inputs = 1 << 1,
   .infer = infer_top_k, .reference = reference_top_k},
  {.name = "CumSum", .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_cum_sum, .reference = reference_cum_sum},
  {0},
};

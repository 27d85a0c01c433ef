/* ScatterND, ScatterElements (Scatter is its old name): a copy of the data with updates put in at indices. */
#include <string.h>

#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "base/strided.h"
#include "ops/views.h"

static int read_reduction(const FvNode *node, FvScatterReduction *reduction, FvInfer *infer) {
  static const char *const names[] = {"none", "add", "mul", "min", "max"};
  const char *name = fv_node_string(node, "reduction", "none");
  for (int i = 0; i < 5; i++)
    if (strcmp(name, names[i]) == 0) {
      *reduction = (FvScatterReduction)i;
      return 0;
    }
  return fv_infer_error(infer, "reduction '%s' is none of none, add, mul, min, max", name);
}

/* What both operators have in common: types, reduction, the output. */
static int infer_scatter(FvNode *node, FvInfer *infer) {
  const FvValue *data = node->inputs[0], *updates = node->inputs[2];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_index_type(node, 1, infer)) < 0) return code;
  if (updates->dtype != data->dtype)
    return fv_infer_error(infer, "the data is %s but the updates are %s", fv_dtype_name(data->dtype), fv_dtype_name(updates->dtype));
  FvScatterParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  if ((code = read_reduction(node, &params->reduction, infer)) < 0) return code;
  return fv_infer_output_like(node, 0, data, infer);
}

static int infer_scatter_nd(FvNode *node, FvInfer *infer) {
  const FvValue *data = node->inputs[0], *indices = node->inputs[1], *updates = node->inputs[2];
  int code = infer_scatter(node, infer);
  if (code < 0) return code;
  if (indices->rank < 1) return fv_infer_error(infer, "the indices are a single number");
  int outer = indices->rank - 1;
  int64_t depth = indices->dims[outer];
  if (depth < 1 || depth > data->rank) return fv_infer_error(infer, "an index of %lld numbers does not suit data of %d dimensions", (long long)depth, data->rank);
  bool fits = updates->rank == outer + data->rank - (int)depth;
  for (int d = 0; fits && d < updates->rank; d++)
    fits = updates->dims[d] == (d < outer ? indices->dims[d] : data->dims[d - outer + depth]);
  if (!fits) return fv_infer_error(infer, "the shape of the updates does not follow from those of indices and data");
  return fv_infer_tuple_range(data, indices, 0, (int)depth, infer);
}

static int infer_scatter_elements(FvNode *node, FvInfer *infer) {
  const FvValue *data = node->inputs[0], *indices = node->inputs[1], *updates = node->inputs[2];
  int axis, code = infer_scatter(node, infer);
  if (code < 0 || (code = fv_infer_axis(fv_node_int(node, "axis", 0), data->rank, &axis, infer)) < 0) return code;
  ((FvScatterParams *)node->params)->axis = axis;
  if (indices->rank != data->rank || updates->rank != data->rank) return fv_infer_error(infer, "data, indices and updates differ in rank");
  for (int d = 0; d < data->rank; d++)
    if (updates->dims[d] != indices->dims[d] || (d != axis && indices->dims[d] > data->dims[d]))
      return fv_infer_error(infer, "dimension %d of indices (%lld) does not suit updates (%lld) and data (%lld)", d, (long long)indices->dims[d],
                            (long long)updates->dims[d], (long long)data->dims[d]);
  return fv_infer_index_range(indices, data->dims[axis], infer);
}

static double reduce_f64(FvScatterReduction reduction, double a, double b) {
  switch (reduction) {
    case FV_SCATTER_ADD: return a + b;
    case FV_SCATTER_MUL: return a * b;
    case FV_SCATTER_MIN: return b < a || b != b ? b : a;
    case FV_SCATTER_MAX: return b > a || b != b ? b : a;
    default: return b;
  }
}

static int64_t reduce_i64(FvScatterReduction reduction, int64_t a, int64_t b, bool is_unsigned) {
  bool less = is_unsigned ? (uint64_t)b < (uint64_t)a : b < a;
  switch (reduction) {
    case FV_SCATTER_ADD: return (int64_t)((uint64_t)a + (uint64_t)b);
    case FV_SCATTER_MUL: return (int64_t)((uint64_t)a * (uint64_t)b);
    case FV_SCATTER_MIN: return less ? b : a;
    case FV_SCATTER_MAX: return less ? a : b;
    default: return b;
  }
}

static void put_element(FvScatterReduction reduction, const FvTensor *out, int64_t to, const FvTensor *updates, int64_t from) {
  if (reduction == FV_SCATTER_NONE)
    memcpy(fv_element(out, to), fv_element(updates, from), fv_dtype_size(out->dtype));
  else if (fv_dtype_is_float(out->dtype))
    fv_store_f64(out, to, reduce_f64(reduction, fv_load_f64(out, to), fv_load_f64(updates, from)));
  else
    fv_store_i64(out, to, reduce_i64(reduction, fv_load_i64(out, to), fv_load_i64(updates, from), out->dtype == FV_DTYPE_U64));
}

static void put_slice(FvScatterReduction reduction, const FvTensor *to, const FvTensor *from) {
  int64_t at[FV_MAX_RANK] = {0};
  do put_element(reduction, to, fv_offset(to, at), from, fv_offset(from, at));
  while (fv_index_next(at, to->dims, to->rank));
}

static void scatter_nd_reference(const FvKernelCall *call) {
  const FvTensor *indices = call->in[1], *updates = call->in[2], *out = call->out[0];
  fv_copy_in_order(out, call->in[0]);
  if (fv_tensor_count(updates) == 0) return;
  const FvScatterParams *params = call->node->params;
  int outer = indices->rank - 1, depth = (int)indices->dims[outer];
  FvTensor to = fv_drop_dims(out, 0, depth), from = fv_drop_dims(updates, 0, outer);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t source = 0, target = 0, tuple = fv_offset(indices, at);
    for (int k = 0; k < depth; k++)
      target += fv_index_clamp(fv_load_i64(indices, tuple + k * indices->strides[outer]), out->dims[k]) * out->strides[k];
    for (int d = 0; d < outer; d++) source += at[d] * updates->strides[d];
    to.data = fv_element(out, target);
    from.data = fv_element(updates, source);
    put_slice(params->reduction, &to, &from);
  } while (fv_index_next(at, indices->dims, outer));
}

static void scatter_elements_reference(const FvKernelCall *call) {
  const FvTensor *indices = call->in[1], *updates = call->in[2], *out = call->out[0];
  fv_copy_in_order(out, call->in[0]);
  if (fv_tensor_count(updates) == 0) return;
  const FvScatterParams *params = call->node->params;
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t pick = fv_index_clamp(fv_load_i64(indices, fv_offset(indices, at)), out->dims[params->axis]);
    int64_t target = fv_offset(out, at) + (pick - at[params->axis]) * out->strides[params->axis];
    put_element(params->reduction, out, target, updates, fv_offset(updates, at));
  } while (fv_index_next(at, indices->dims, indices->rank));
}

const FvOp fv_ops_scatter[] = {
  {.name = "ScatterND", .kind = FV_OP_SCATTER_ND, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1, .infer = infer_scatter_nd, .reference = scatter_nd_reference},
  {.name = "ScatterElements", .kind = FV_OP_SCATTER_ELEMENTS, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_scatter_elements, .reference = scatter_elements_reference},
  {.name = "Scatter", .kind = FV_OP_SCATTER_ELEMENTS, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_scatter_elements, .reference = scatter_elements_reference},
  {0}};

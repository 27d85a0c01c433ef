#include <string.h>

#include "ir/op.h"
#include "base/strided.h"

void *fv_infer_params(FvNode *node, FvInfer *infer, size_t size) {
  node->params = fv_arena_object(&infer->graph->arena, size);
  if (!node->params) fv_error_set(infer->err, FV_ERR_NO_MEMORY, "out of memory");
  return node->params;
}

int fv_infer_output(FvNode *node, int index, FvDtype dtype, int rank, const int64_t *dims, FvInfer *infer) {
  if (index >= node->output_count || !node->outputs[index]) return 0;
  if (rank < 0 || rank > FV_MAX_RANK) return fv_error_set(infer->err, FV_ERR_LIMIT, "output %d would have %d dimensions; the limit is %d", index, rank, FV_MAX_RANK);
  FvValue *value = node->outputs[index];
  int64_t count = 1;
  for (int d = 0; d < rank; d++) {
    if (dims[d] < 0) return fv_infer_error(infer, "dimension %d of output %d would be negative (%lld)", d, index, (long long)dims[d]);
    if (dims[d] > FV_MAX_DIM || __builtin_mul_overflow(count, dims[d], &count) || count > FV_MAX_ELEMENTS)
      return fv_error_set(infer->err, FV_ERR_LIMIT, "output %d would have more than %lld elements", index, (long long)FV_MAX_ELEMENTS);
  }
  value->dtype = dtype;
  value->rank = rank;
  for (int d = 0; d < rank; d++) value->dims[d] = dims[d];
  return 0;
}

int fv_infer_output_like(FvNode *node, int index, const FvValue *like, FvInfer *infer) {
  return fv_infer_output(node, index, like->dtype, like->rank, like->dims, infer);
}

int fv_infer_broadcast(const FvValue *a, const FvValue *b, int *rank, int64_t *dims, FvInfer *infer) {
  int out_rank = a->rank > b->rank ? a->rank : b->rank;
  int64_t out[FV_MAX_RANK];
  for (int d = 0; d < out_rank; d++) {
    int da = d - (out_rank - a->rank), db = d - (out_rank - b->rank);
    int64_t na = da < 0 ? 1 : a->dims[da], nb = db < 0 ? 1 : b->dims[db];
    if (na != nb && na != 1 && nb != 1)
      return fv_infer_error(infer, "'%s' and '%s' cannot be broadcast: %lld against %lld in dimension %d", a->name, b->name, (long long)na, (long long)nb, d);
    out[d] = na == 1 ? nb : na;
  }
  *rank = out_rank;
  memcpy(dims, out, sizeof out[0] * (size_t)out_rank);
  return 0;
}

int fv_infer_axis(int64_t axis, int rank, int *result, FvInfer *infer) {
  if (axis < -rank || axis >= rank)
    return fv_infer_error(infer, "axis %lld is outside a tensor of %d dimensions", (long long)axis, rank);
  *result = (int)(axis < 0 ? axis + rank : axis);
  return 0;
}

int fv_infer_const_ints(const FvNode *node, int input, int64_t *values, int capacity, int *count, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, input);
  *count = -1;
  if (!value) return 0;
  if (!value->constant)
    return fv_infer_unsupported(infer, "input '%s' must be known at load, but it is computed from the frame", value->name);
  const FvTensor *tensor = value->constant;
  if (tensor->dtype != FV_DTYPE_I64 && tensor->dtype != FV_DTYPE_I32) return fv_infer_bad_type(node, input, infer);
  int64_t n = fv_tensor_count(tensor);
  if (tensor->rank > 1 || n > capacity)
    return fv_infer_error(infer, "input '%s' has %lld numbers where at most %d make sense", value->name, (long long)n, capacity);
  for (int64_t i = 0; i < n; i++) values[i] = fv_load_i64(tensor, i);
  *count = (int)n;
  return 0;
}

int fv_infer_const_scalar(const FvNode *node, int input, double fallback, double *result, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, input);
  *result = fallback;
  if (!value) return 0;
  if (!value->constant)
    return fv_infer_unsupported(infer, "input '%s' must be known at load, but it is computed from the frame", value->name);
  if (fv_tensor_count(value->constant) != 1) return fv_infer_error(infer, "input '%s' must be one number", value->name);
  *result = fv_load_f64(value->constant, 0);
  return 0;
}

int fv_infer_bad_type(const FvNode *node, int input, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, input);
  return fv_infer_unsupported(infer, "input %d ('%s') has type %s, which this operator does not take", input, value ? value->name : "",
                              fv_dtype_name(value ? value->dtype : FV_DTYPE_NONE));
}

#include "ops/elementwise.h"

#include <string.h>

static unsigned type_class(FvDtype dtype) {
  if (fv_dtype_is_float(dtype)) return FV_TYPES_FLOAT;
  if (dtype == FV_DTYPE_BOOL) return FV_TYPES_BOOL;
  return fv_dtype_size(dtype) ? FV_TYPES_INT : 0;
}

int fv_infer_type(const FvNode *node, int input, unsigned types, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, input);
  if (!value) return fv_infer_error(infer, "input %d is missing", input);
  if (value->rank < 0) return fv_infer_error(infer, "the shape of input '%s' is not known", value->name);
  return type_class(value->dtype) & types ? 0 : fv_infer_bad_type(node, input, infer);
}

int fv_infer_not_dynamic(const FvNode *node, FvInfer *infer) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && node->inputs[i]->dynamic)
      return fv_infer_unsupported(infer, "input '%s' has a length that changes from frame to frame, which this operator does not follow",
                                  node->inputs[i]->name);
  return 0;
}

int fv_infer_reference_only(FvNode *node, FvInfer *infer) {
  if (node->op->kind == FV_OP_OTHER) return 0;
  FvOp *op = fv_arena_object(&infer->graph->arena, sizeof *op);
  if (!op) return fv_error_set(infer->err, FV_ERR_NO_MEMORY, "out of memory");
  *op = *node->op;
  op->kind = FV_OP_OTHER;
  op->flags &= ~(unsigned)FV_OP_FUSES_ACTIVATION;
  node->op = op;
  return 0;
}

bool fv_rows_start(FvRows *rows, const FvTensor *const *tensors, int count) {
  const FvTensor *shape = tensors[0];
  if (fv_tensor_count(shape) == 0) return false;
  memset(rows, 0, sizeof *rows);
  rows->rank = shape->rank > 0 ? shape->rank - 1 : 0;
  rows->count = count;
  rows->length = shape->rank > 0 ? shape->dims[shape->rank - 1] : 1;
  memcpy(rows->dims, shape->dims, sizeof rows->dims);
  for (int t = 0; t < count; t++) {
    int shift = shape->rank - tensors[t]->rank;
    for (int d = 0; d < tensors[t]->rank; d++)
      rows->strides[t][d + shift] = tensors[t]->dims[d] == 1 ? 0 : tensors[t]->strides[d];
    rows->step[t] = shape->rank > 0 ? rows->strides[t][shape->rank - 1] : 0;
  }
  return true;
}

bool fv_rows_next(FvRows *rows) {
  if (!fv_index_next(rows->index, rows->dims, rows->rank)) return false;
  for (int t = 0; t < rows->count; t++) {
    rows->offset[t] = 0;
    for (int d = 0; d < rows->rank; d++) rows->offset[t] += rows->index[d] * rows->strides[t][d];
  }
  return true;
}

int fv_compare_elements(const FvTensor *tensor, int64_t a, int64_t b) {
  if (a == b) return 0;
  if (fv_dtype_is_float(tensor->dtype)) {
    double x = fv_load_f64(tensor, a), y = fv_load_f64(tensor, b);
    if (x != x || y != y) return (x != x) - (y != y);
    return (x > y) - (x < y);
  }
  int64_t x = fv_load_i64(tensor, a), y = fv_load_i64(tensor, b);
  if (tensor->dtype == FV_DTYPE_U64) return ((uint64_t)x > (uint64_t)y) - ((uint64_t)x < (uint64_t)y);
  return (x > y) - (x < y);
}

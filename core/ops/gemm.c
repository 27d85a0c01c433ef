/* Gemm and MatMul. */
#include "ops/checks.h"
#include "ops/families.h"
#include "ops/matmul.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "base/strided.h"

static bool is_matrix_type(FvDtype t) {
  return fv_dtype_is_float(t) || t == FV_DTYPE_I32 || t == FV_DTYPE_U32 || t == FV_DTYPE_I64 || t == FV_DTYPE_U64;
}

static int check_types(const FvNode *node, FvInfer *infer) {
  const FvValue *a = fv_infer_need(node, 0, infer), *b = a ? fv_infer_need(node, 1, infer) : NULL;
  if (!b) return fv_infer_failed(infer);
  if (!is_matrix_type(a->dtype)) return fv_infer_bad_type(node, 0, infer);
  int rc = fv_infer_same_type(node, 1, a->dtype, infer);
  return rc ? rc : fv_infer_same_type(node, 2, a->dtype, infer);
}

static int infer_gemm(FvNode *node, FvInfer *infer) {
  int rc = check_types(node, infer);
  FvGemmParams *params = rc ? NULL : fv_infer_params(node, infer, sizeof *params);
  if (!params) return rc ? rc : FV_ERR_NO_MEMORY;
  const FvValue *a = node->inputs[0], *b = node->inputs[1], *c = fv_node_input(node, 2);
  if (a->rank != 2 || b->rank != 2)
    return fv_infer_error(infer, "'%s' and '%s' must be matrices, not of %d and %d dimensions", a->name, b->name, a->rank, b->rank);
  *params = (FvGemmParams){.alpha = fv_node_float(node, "alpha", 1), .beta = fv_node_float(node, "beta", 1),
                           .trans_a = fv_node_int(node, "transA", 0) != 0, .trans_b = fv_node_int(node, "transB", 0) != 0};
  int64_t out[2] = {a->dims[params->trans_a ? 1 : 0], b->dims[params->trans_b ? 0 : 1]};
  int64_t depth = a->dims[params->trans_a ? 0 : 1], depth_b = b->dims[params->trans_b ? 1 : 0];
  if (depth != depth_b)
    return fv_infer_error(infer, "the matrices do not fit: inner dimensions %lld and %lld", (long long)depth, (long long)depth_b);
  if (c && c->rank > 2) return fv_infer_error(infer, "'%s' has %d dimensions; at most 2 can be added", c->name, c->rank);
  for (int d = 0; c && d < c->rank; d++)
    if (c->dims[d] != 1 && c->dims[d] != out[2 - c->rank + d])
      return fv_infer_error(infer, "'%s' cannot be broadcast to the product of %lld x %lld", c->name, (long long)out[0], (long long)out[1]);
  return fv_infer_output(node, 0, a->dtype, 2, out, infer);
}

/* Wrapping, as ONNX integers do. */
static int64_t dot_i64(const FvTensor *a, int64_t a_at, int64_t a_step, const FvTensor *b, int64_t b_at, int64_t b_step, int64_t count) {
  uint64_t sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += (uint64_t)fv_load_i64(a, a_at + i * a_step) * (uint64_t)fv_load_i64(b, b_at + i * b_step);
  return (int64_t)sum;
}

static void reference_gemm(const FvKernelCall *call) {
  const FvNode *node = call->node;
  const FvGemmParams *params = node->params;
  const FvTensor *a = call->in[0], *b = call->in[1], *c = node->input_count > 2 ? call->in[2] : NULL, *y = call->out[0];
  int64_t a_row = a->strides[params->trans_a ? 1 : 0], a_step = a->strides[params->trans_a ? 0 : 1];
  int64_t b_column = b->strides[params->trans_b ? 0 : 1], b_step = b->strides[params->trans_b ? 1 : 0];
  int64_t depth = a->dims[params->trans_a ? 0 : 1], index[2] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    int64_t a_at = index[0] * a_row, b_at = index[1] * b_column, y_at = fv_offset(y, index);
    int64_t c_at = c ? fv_broadcast_offset(c, index, 2) : 0;
    if (!fv_dtype_is_float(y->dtype) && params->alpha == 1 && params->beta == 1) {
      uint64_t sum = (uint64_t)dot_i64(a, a_at, a_step, b, b_at, b_step, depth);
      fv_store_i64(y, y_at, (int64_t)(sum + (c ? (uint64_t)fv_load_i64(c, c_at) : 0)));
      continue;
    }
    double sum = (double)params->alpha * fv_dot(a, a_at, a_step, 0, b, b_at, b_step, 0, depth);
    if (c) sum += (double)params->beta * fv_load_f64(c, c_at);
    fv_store_f64(y, y_at, fv_activated(node, sum));
  } while (fv_index_next(index, y->dims, 2));
}

static int64_t macs_gemm(const FvNode *node) {
  const FvGemmParams *params = node->params;
  const FvValue *y = node->outputs[0];
  return y->dims[0] * y->dims[1] * node->inputs[0]->dims[params->trans_a ? 0 : 1];
}

int fv_infer_matmul(const FvValue *a, const FvValue *b, int *rank, int64_t *out, FvInfer *infer) {
  if (a->rank < 1 || b->rank < 1) return fv_infer_error(infer, "'%s' is a scalar", a->rank < 1 ? a->name : b->name);
  int64_t depth_a = a->dims[a->rank - 1], depth_b = b->dims[b->rank > 1 ? b->rank - 2 : 0];
  if (depth_a != depth_b)
    return fv_infer_error(infer, "the matrices do not fit: inner dimensions %lld and %lld", (long long)depth_a, (long long)depth_b);
  int batch_a = a->rank > 2 ? a->rank - 2 : 0, batch_b = b->rank > 2 ? b->rank - 2 : 0;
  FvValue stack_a = {.name = a->name, .rank = batch_a}, stack_b = {.name = b->name, .rank = batch_b};
  for (int d = 0; d < batch_a; d++) stack_a.dims[d] = a->dims[d];
  for (int d = 0; d < batch_b; d++) stack_b.dims[d] = b->dims[d];
  int rc = fv_infer_broadcast(&stack_a, &stack_b, rank, out, infer);
  if (rc) return rc;
  if (a->rank > 1) out[(*rank)++] = a->dims[a->rank - 2];
  if (b->rank > 1) out[(*rank)++] = b->dims[b->rank - 1];
  return 0;
}

int64_t fv_matmul_macs(const FvNode *node) {
  const FvValue *y = node->outputs[0], *a = node->inputs[0];
  int64_t macs = a->rank ? a->dims[a->rank - 1] : 1;
  for (int d = 0; d < y->rank; d++) macs *= y->dims[d];
  return macs;
}

static void insert_one(FvTensor *tensor, int at) {
  for (int d = tensor->rank; d > at; d--) {
    tensor->dims[d] = tensor->dims[d - 1];
    tensor->strides[d] = tensor->strides[d - 1];
  }
  tensor->dims[at] = 1;
  tensor->strides[at] = 0;
  tensor->rank++;
}

FvMatmulView fv_matmul_view(const FvTensor *a, const FvTensor *b, const FvTensor *y) {
  FvMatmulView view = {.a = *a, .b = *b, .y = *y, .depth = a->dims[a->rank - 1]};
  /* The product of two vectors is a scalar: its matrix has both dimensions put in. */
  if (b->rank == 1) insert_one(&view.y, view.y.rank);
  if (a->rank == 1) insert_one(&view.y, view.y.rank - 1);
  if (b->rank == 1) insert_one(&view.b, 1);
  if (a->rank == 1) insert_one(&view.a, 0);
  return view;
}

void fv_matmul_rows(const FvMatmulView *view, const int64_t *index, int64_t *a_at, int64_t *b_at) {
  const FvTensor *a = &view->a, *b = &view->b;
  int rank = view->y.rank;
  *a_at = index[rank - 2] * a->strides[a->rank - 2];
  *b_at = index[rank - 1] * b->strides[b->rank - 1];
  for (int d = 0; d < a->rank - 2; d++)
    if (a->dims[d] != 1) *a_at += index[rank - a->rank + d] * a->strides[d];
  for (int d = 0; d < b->rank - 2; d++)
    if (b->dims[d] != 1) *b_at += index[rank - b->rank + d] * b->strides[d];
}

static int infer_matmul(FvNode *node, FvInfer *infer) {
  int64_t out[2 * FV_MAX_RANK];
  int rank, rc = check_types(node, infer);
  if (!rc) rc = fv_infer_matmul(node->inputs[0], node->inputs[1], &rank, out, infer);
  return rc ? rc : fv_infer_output(node, 0, node->inputs[0]->dtype, rank, out, infer);
}

static void reference_matmul(const FvKernelCall *call) {
  FvMatmulView view = fv_matmul_view(call->in[0], call->in[1], call->out[0]);
  const FvTensor *a = &view.a, *b = &view.b, *y = &view.y;
  int64_t index[FV_MAX_RANK] = {0}, a_at, b_at;
  int64_t a_step = a->strides[a->rank - 1], b_step = b->strides[b->rank - 2];
  if (fv_tensor_count(y) == 0) return;
  do {
    fv_matmul_rows(&view, index, &a_at, &b_at);
    if (fv_dtype_is_float(y->dtype))
      fv_store_f64(y, fv_offset(y, index), fv_dot(a, a_at, a_step, 0, b, b_at, b_step, 0, view.depth));
    else
      fv_store_i64(y, fv_offset(y, index), dot_i64(a, a_at, a_step, b, b_at, b_step, view.depth));
  } while (fv_index_next(index, y->dims, y->rank));
}

const FvOp fv_ops_gemm[] = {
  {.name = "Gemm", .kind = FV_OP_GEMM, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FUSES_ACTIVATION, .infer = infer_gemm, .reference = reference_gemm, .macs = macs_gemm},
  {.name = "MatMul", .kind = FV_OP_MATMUL, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_matmul, .reference = reference_matmul, .macs = fv_matmul_macs},
  {0},
};

/* Gemm and MatMul of computed matrices and of what ops_gemm.c leaves: shaders/product.comp. */
#include "vulkan/shape.h"

#include <string.h>

#include "ops/matmul.h"
#include "push/product.h"

/* Stacks of matrices: a, b and c as views of y's batches and rows, which are walked together. */
typedef struct Product {
  FvVkWalk walk; /* tensors 0: y, 1: a, 2: b, 3: c */
  int64_t columns, depth, y_column, b_column, c_column, a_depth, b_depth;
  float alpha, beta;
} Product;

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static bool are_f32(const FvKernelQuery *q) {
  for (int i = 0; i < q->node->input_count; i++)
    if (q->in[i] && !fv_vk_is_float(q->in[i])) return false;
  return fv_vk_is_float(q->out[0]);
}

/* The stride with which `t` moves along dimension d of y; 0 where it repeats. */
static int64_t stride_along(const FvTensor *t, const FvTensor *y, int d) {
  int own = d - (y->rank - t->rank);
  return own < 0 || t->dims[own] == 1 ? 0 : t->strides[own];
}

/* y's dimensions without its columns, moving as `t` does; t NULL: not at all. along_rows: its stride from row to row. */
static FvTensor rows_of(const FvTensor *y, const FvTensor *t, int64_t along_rows) {
  FvTensor rows = *y;
  rows.rank--;
  for (int d = 0; d < rows.rank; d++) rows.strides[d] = !t ? 0 : d == rows.rank - 1 ? along_rows : stride_along(t, y, d);
  return rows;
}

static bool fits(const Product *p) {
  const int64_t numbers[] = {p->columns, p->depth, p->y_column, p->b_column, p->c_column, p->a_depth, p->b_depth};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    if (numbers[i] > INT32_MAX || numbers[i] < INT32_MIN) return false;
  for (int t = 0; t < FV_VK_WALK_TENSORS; t++)
    for (int d = 0; d < p->walk.rank; d++)
      if (p->walk.strides[t][d] > INT32_MAX || p->walk.strides[t][d] < INT32_MIN) return false;
  return p->walk.rank <= PRODUCT_RANK;
}

/* Of a and b, the last two dimensions are rows and columns. */
static bool look_stacks(const FvTensor *a, const FvTensor *b, const FvTensor *c, const FvTensor *y, Product *p) {
  int column = y->rank - 1, row = y->rank - 2;
  FvTensor y_rows = rows_of(y, y, y->strides[row]), a_rows = rows_of(y, a, a->strides[a->rank - 2]), b_rows = rows_of(y, b, 0),
           c_rows = rows_of(y, c, c ? stride_along(c, y, row) : 0);
  const FvTensor *tensors[] = {&y_rows, &a_rows, &b_rows, &c_rows};
  fv_vk_walk(tensors, 4, &p->walk);
  p->columns = y->dims[column];
  p->depth = a->dims[a->rank - 1];
  p->y_column = y->strides[column];
  p->b_column = b->strides[b->rank - 1];
  p->c_column = c ? stride_along(c, y, column) : 0;
  p->a_depth = a->strides[a->rank - 1];
  p->b_depth = b->strides[b->rank - 2];
  return fits(p);
}

static FvTensor transposed(const FvTensor *t, bool wanted) {
  FvTensor result = *t;
  if (!wanted) return result;
  result.dims[0] = t->dims[1];
  result.dims[1] = t->dims[0];
  result.strides[0] = t->strides[1];
  result.strides[1] = t->strides[0];
  return result;
}

static bool look(const FvKernelQuery *q, Product *p) {
  *p = (Product){.alpha = 1, .beta = 1};
  if (!are_f32(q)) return false;
  if (q->node->op->kind == FV_OP_MATMUL) {
    FvMatmulView view = fv_matmul_view(q->in[0], q->in[1], q->out[0]);
    return look_stacks(&view.a, &view.b, NULL, &view.y, p);
  }
  const FvGemmParams *params = q->node->params;
  FvTensor a = transposed(q->in[0], params->trans_a), b = transposed(q->in[1], params->trans_b);
  p->alpha = params->alpha;
  p->beta = params->beta;
  return look_stacks(&a, &b, fv_query_input(q, 2), q->out[0], p);
}

static bool suits(const FvKernelQuery *q) {
  Product p = {0};
  return look(q, &p);
}

static bool is_aligned(const Product *p, const FvVkPlace *b) {
  if (p->b_column != 1 || b->at % 4 || p->b_depth % 4) return false;
  for (int d = 0; d < p->walk.rank; d++)
    if (p->walk.strides[2][d] % 4) return false;
  return true;
}

static int emit_product(FvVkEmit *emit) {
  Product p = {0};
  look(&emit->query, &p);
  FvVkPlace a = fv_vk_input(emit, 0), b = fv_vk_input(emit, 1), c = fv_vk_input(emit, 2), y = fv_vk_output(emit, 0);
  struct FvProductPush push = {.y_at = y.at, .a_at = a.at, .b_at = b.at, .c_at = c.at, .dims = {1, 1, 1, 1}, .columns = (int)p.columns, .depth = (int)p.depth,
                               .y_column = (int)p.y_column, .b_column = (int)p.b_column, .c_column = (int)p.c_column, .a_depth = (int)p.a_depth, .b_depth = (int)p.b_depth};
  int64_t rows = 1;
  for (int d = 0; d < p.walk.rank; d++) {
    int to = PRODUCT_RANK - p.walk.rank + d;
    push.dims[to] = (int)p.walk.dims[d];
    push.y_strides[to] = (int)p.walk.strides[0][d];
    push.a_strides[to] = (int)p.walk.strides[1][d];
    push.b_strides[to] = (int)p.walk.strides[2][d];
    push.c_strides[to] = (int)p.walk.strides[3][d];
    rows *= p.walk.dims[d];
  }
  FvActivation act = emit->node->activation;
  FvVkLaunch launch = {
    .shader = FV_SHADER_PRODUCT, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = rows * fv_vk_ceil_div(p.columns, 4), .spec_count = 10,
    .spec = {act.type, bits_of(p.alpha), bits_of(p.beta), bits_of(act.alpha), bits_of(act.beta), c.tensor != NULL, a.in_weights, b.in_weights, c.in_weights,
             is_aligned(&p, &b)},
  };
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_product[] = {
  {.name = "gemm_f32_any_vulkan", .op = FV_OP_GEMM, .forms = FV_VK_TAKES_HALF, .suits = suits, .emit = emit_product},
  {.name = "matmul_f32_any_vulkan", .op = FV_OP_MATMUL, .forms = FV_VK_TAKES_HALF, .suits = suits, .emit = emit_product},
  {0}};

/* Gemm and MatMul with constant weights: 1x1 convolutions whose pixels are the rows. */
#include "vulkan/conv.h"

typedef struct Product {
  FvVkConv conv;
  FvVkWeights weights;
  const FvTensor *added; /* Gemm's c when it is a computed matrix */
} Product;

bool fv_vk_rows_as_pixels(const FvTensor *x, const FvTensor *y, const FvTensor *added, FvVkConv *conv) {
  FvTensor parts[3];
  const FvTensor *all[3] = {y, x, added}, *pointers[3];
  int count = added ? 3 : 2;
  for (int i = 0; i < count; i++) {
    parts[i] = *all[i];
    parts[i].rank--; /* without the columns */
    pointers[i] = &parts[i];
  }
  FvVkWalk walk;
  fv_vk_walk(pointers, count, &walk);
  if (walk.rank > 3) return false;
  FvVkImage *images[3] = {&conv->y, &conv->x, &conv->r};
  for (int i = 0; i < count; i++) {
    int64_t dims[3] = {1, 1, 1}, strides[3] = {0, 0, 0};
    for (int d = 0; d < walk.rank; d++) {
      dims[3 - walk.rank + d] = walk.dims[d];
      strides[3 - walk.rank + d] = walk.strides[i][d];
    }
    int last = all[i]->rank - 1;
    *images[i] = (FvVkImage){dims[0], all[i]->dims[last], dims[1], dims[2], strides[0], all[i]->strides[last], strides[1], strides[2]};
  }
  conv->window = (FvVkWindow){1, 1, 1, 1, 1, 1, 0, 0};
  conv->group = 1;
  conv->channels = conv->x.c;
  conv->outputs = conv->y.c;
  conv->has_residual = added;
  return fv_vk_conv_fits(conv);
}

static bool are_f32(const FvKernelQuery *q) {
  for (int i = 0; i < q->node->input_count; i++)
    if (q->in[i] && !fv_vk_is_float(q->in[i])) return false;
  return fv_vk_is_float(q->out[0]) && !q->in[0]->data && fv_vk_is_constant(q, 1);
}

static bool look_gemm(const FvKernelQuery *q, Product *p) {
  const FvGemmParams *params = q->node->params;
  if (!are_f32(q)) return false;
  FvTensor x = *q->in[0];
  const FvTensor *w = q->in[1], *y = q->out[0], *c = fv_query_input(q, 2);
  if (params->trans_a) {
    x.dims[0] = q->in[0]->dims[1];
    x.dims[1] = q->in[0]->dims[0];
    x.strides[0] = q->in[0]->strides[1];
    x.strides[1] = q->in[0]->strides[0];
  }
  int64_t rows = y->dims[0], columns = y->dims[1], k = x.dims[1];
  p->weights = (FvVkWeights){.data = w->data, .of_output = params->trans_b ? k : 1, .of_channel = params->trans_b ? 1 : columns, .scale = params->alpha, .bias_scale = params->beta};
  if (c && c->data) {
    int64_t count = fv_tensor_count(c);
    bool per_row = c->rank == 2 && c->dims[0] > 1 && rows > 1;
    if (per_row) return false;
    p->weights.bias = c->data;
    p->weights.bias_step = count > 1 ? 1 : 0;
  } else if (c) {
    if (params->beta != 1 || c->rank != 2 || c->dims[0] != rows || c->dims[1] != columns) return false;
    p->added = c;
  }
  return fv_vk_rows_as_pixels(&x, y, p->added, &p->conv);
}

static bool look_matmul(const FvKernelQuery *q, Product *p) {
  if (!are_f32(q) || q->in[0]->rank < 2 || q->in[1]->rank != 2 || q->out[0]->rank != q->in[0]->rank) return false;
  p->weights = (FvVkWeights){.data = q->in[1]->data, .of_output = 1, .of_channel = q->in[1]->dims[1], .scale = 1, .bias_scale = 1};
  return fv_vk_rows_as_pixels(q->in[0], q->out[0], NULL, &p->conv);
}

static bool look(const FvKernelQuery *q, Product *p) { return q->node->op->kind == FV_OP_GEMM ? look_gemm(q, p) : look_matmul(q, p); }

static bool suits(const FvKernelQuery *q) {
  Product p = {0};
  return look(q, &p);
}

static size_t packed_size(const FvKernelQuery *q) {
  Product p = {0};
  look(q, &p);
  return fv_vk_conv_packed_size(&p.conv);
}

static size_t full_size(const FvKernelQuery *q) {
  Product p = {0};
  look(q, &p);
  return fv_vk_conv_full_size(&p.conv);
}

static void pack(const FvKernelQuery *q, void *packed) {
  Product p = {0};
  look(q, &p);
  fv_vk_conv_pack(&p.conv, &p.weights, packed);
}

static bool conv_of(const FvKernelQuery *q, FvVkConv *conv) {
  Product p = {0};
  bool good = look(q, &p);
  *conv = p.conv;
  return good;
}

static int emit_product(FvVkEmit *emit) {
  Product p = {0};
  look(&emit->query, &p);
  return fv_vk_conv_emit(emit, &p.conv, fv_vk_input(emit, 0).at, fv_vk_output(emit, 0).at, p.added ? fv_vk_input(emit, 2).at : 0);
}

const FvVkKernel fv_vk_gemm[] = {
  {.name = "gemm_f32_vulkan", .op = FV_OP_GEMM, .forms = FV_VK_TAKES_HALF | FV_VK_HALVES_WEIGHTS, .suits = suits, .packed_size = packed_size, .full_size = full_size, .pack = pack, .emit = emit_product, .conv = conv_of},
  {.name = "matmul_f32_vulkan", .op = FV_OP_MATMUL, .forms = FV_VK_TAKES_HALF | FV_VK_HALVES_WEIGHTS, .suits = suits, .packed_size = packed_size, .full_size = full_size, .pack = pack, .emit = emit_product, .conv = conv_of},
  {0}};

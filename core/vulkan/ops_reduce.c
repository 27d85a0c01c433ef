/* Softmax, reductions and global pooling: shaders/softmax.comp, shaders/reduce.comp and shaders/reduce_typed.comp. */
#include "vulkan/reduce.h"

#include "push/reduce_types.h"
#include "vulkan/typed.h"

bool fv_vk_nests_split(const FvTensor *x, const FvTensor *y, const bool *reduced, FvVkNests *nests) {
  FvTensor parts[2][2]; /* kept and reduced, of y and x */
  for (int part = 0; part < 2; part++) {
    parts[part][0] = parts[part][1] = (FvTensor){.dtype = FV_DTYPE_F32};
    for (int d = 0; d < x->rank; d++) {
      if (reduced[d] != part) continue;
      int at = parts[part][0].rank++;
      parts[part][1].rank++;
      parts[part][0].dims[at] = parts[part][1].dims[at] = x->dims[d];
      parts[part][0].strides[at] = y->strides[d];
      parts[part][1].strides[at] = x->strides[d];
    }
    const FvTensor *order[] = {&parts[part][0], &parts[part][1]}, *by_x[] = {&parts[part][1], &parts[part][0]};
    fv_vk_walk(part ? by_x : order, 2, part ? &nests->over : &nests->kept);
  }
  return nests->kept.rank <= REDUCE_KEPT && nests->over.rank <= REDUCE_OVER;
}

struct FvReducePush fv_vk_nests_push(const FvVkNests *nests, int32_t x_at, int32_t y_at) {
  struct FvReducePush push = {.x_at = x_at, .y_at = y_at, .kept = {1, 1, 1, 1}, .over = {1, 1, 1}, .factor = 1};
  for (int d = 0; d < nests->kept.rank; d++) {
    int to = REDUCE_KEPT - nests->kept.rank + d;
    push.kept[to] = (int)nests->kept.dims[d];
    push.kept_y[to] = (int)nests->kept.strides[0][d];
    push.kept_x[to] = (int)nests->kept.strides[1][d];
  }
  for (int d = 0; d < nests->over.rank; d++) {
    int to = REDUCE_OVER - nests->over.rank + d;
    push.over[to] = (int)nests->over.dims[d];
    push.over_x[to] = (int)nests->over.strides[0][d];
    push.over_y[to] = (int)nests->over.strides[1][d];
  }
  return push;
}

int64_t fv_vk_nests_count(const FvVkNests *nests) {
  int64_t count = 1;
  for (int d = 0; d < nests->kept.rank; d++) count *= nests->kept.dims[d];
  return count;
}

/* --- softmax --- */

static bool look_softmax(const FvKernelQuery *q, FvVkNests *nests) {
  const FvSoftmaxParams *params = q->node->params;
  const FvTensor *x = q->in[0];
  bool reduced[FV_MAX_RANK];
  if (!fv_vk_is_float(x) || x->data || !fv_vk_is_float(q->out[0])) return false;
  for (int d = 0; d < x->rank; d++) reduced[d] = params->flatten ? d >= params->axis : d == params->axis;
  return fv_vk_nests_split(x, q->out[0], reduced, nests);
}

static bool suits_softmax(const FvKernelQuery *q) {
  FvVkNests nests;
  return look_softmax(q, &nests);
}

static int emit_softmax(FvVkEmit *emit) {
  FvVkNests nests;
  look_softmax(&emit->query, &nests);
  struct FvReducePush push = fv_vk_nests_push(&nests, fv_vk_input(emit, 0).at, fv_vk_output(emit, 0).at);
  FvVkLaunch launch = {.shader = FV_SHADER_SOFTMAX, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = fv_vk_nests_count(&nests), .spec_count = 1,
                       .spec = {((const FvSoftmaxParams *)emit->node->params)->log}};
  return fv_vk_launch(emit, &launch);
}

/* --- reductions --- */

_Static_assert(REDUCE_SUM == (int)FV_REDUCE_SUM && REDUCE_PROD == (int)FV_REDUCE_PROD && REDUCE_SUM_SQUARE == (int)FV_REDUCE_SUM_SQUARE, "shaders number reductions otherwise");

static bool look_reduce(const FvKernelQuery *q, FvVkNests *nests, FvReduceType *type, int64_t *count) {
  const FvTensor *x = q->in[0];
  const FvReduceParams *params = q->node->op->kind == FV_OP_REDUCE ? q->node->params : NULL;
  bool reduced[FV_MAX_RANK], keep = !params || params->keep_dims;
  if (!fv_vk_is_float(x) || x->data || !fv_vk_is_float(q->out[0])) return false;
  *type = params ? params->type : q->node->op->kind == FV_OP_GLOBAL_MAX_POOL ? FV_REDUCE_MAX : FV_REDUCE_MEAN;
  *count = 1;
  FvTensor y = *x;
  for (int d = 0, out = 0; d < x->rank; d++) {
    reduced[d] = params ? params->axes[d] : d >= 2;
    y.strides[d] = reduced[d] ? 0 : q->out[0]->strides[out];
    if (reduced[d]) *count *= x->dims[d];
    out += keep || !reduced[d];
  }
  return fv_vk_nests_split(x, &y, reduced, nests);
}

static bool suits_reduce(const FvKernelQuery *q) {
  FvVkNests nests;
  FvReduceType type = FV_REDUCE_SUM;
  int64_t count = 1;
  return look_reduce(q, &nests, &type, &count);
}

static int emit_reduce(FvVkEmit *emit) {
  FvVkNests nests;
  FvReduceType type = FV_REDUCE_SUM;
  int64_t count = 1;
  look_reduce(&emit->query, &nests, &type, &count);
  struct FvReducePush push = fv_vk_nests_push(&nests, fv_vk_input(emit, 0).at, fv_vk_output(emit, 0).at);
  if (type == FV_REDUCE_MEAN) push.factor = 1.0f / (float)count;
  FvVkLaunch launch = {.shader = FV_SHADER_REDUCE, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = fv_vk_nests_count(&nests), .spec_count = 1,
                       .spec = {type}};
  return fv_vk_launch(emit, &launch);
}

/* --- integers and truth values --- */

static bool is_integer(FvDtype dtype) { return dtype != FV_DTYPE_NONE && !fv_dtype_is_float(dtype); }

static bool look_typed(const FvKernelQuery *q, FvVkNests *nests, FvReduceType *type) {
  const FvReduceParams *params = q->node->params;
  const FvTensor *x = q->in[0];
  if (!x || x->data || !q->out[0] || !is_integer(x->dtype) || fv_tensor_count(x) == 0) return false;
  FvTensor y = *x;
  for (int d = 0, out = 0; d < x->rank; d++) {
    y.strides[d] = params->axes[d] ? 0 : q->out[0]->strides[out];
    out += params->keep_dims || !params->axes[d];
  }
  *type = params->type;
  bool known = params->type == FV_REDUCE_MAX || params->type == FV_REDUCE_MIN || params->type == FV_REDUCE_SUM || params->type == FV_REDUCE_PROD ||
               params->type == FV_REDUCE_L1 || params->type == FV_REDUCE_SUM_SQUARE;
  return known && fv_vk_nests_split(x, &y, params->axes, nests);
}

static bool suits_typed(const FvKernelQuery *q) {
  FvVkNests nests;
  FvReduceType type = FV_REDUCE_SUM;
  return look_typed(q, &nests, &type);
}

static int emit_typed(FvVkEmit *emit) {
  FvVkNests nests;
  FvReduceType type = FV_REDUCE_SUM;
  look_typed(&emit->query, &nests, &type);
  FvVkPlace x = fv_vk_input(emit, 0);
  FvDtype dtype = x.tensor->dtype;
  struct FvReducePush push = fv_vk_nests_push(&nests, x.at, fv_vk_output(emit, 0).at);
  FvVkLaunch launch = {.shader = fv_dtype_size(dtype) == 8 ? FV_SHADER_REDUCE_TYPED_WIDE : FV_SHADER_REDUCE_TYPED, .params = &push, .params_size = sizeof push,
                       .invocations = fv_vk_nests_count(&nests), .spec_count = 3,
                       .spec = {type, dtype, dtype == FV_DTYPE_U32 || dtype == FV_DTYPE_U64 ? CLASS_UNSIGNED : CLASS_SIGNED}};
  return fv_vk_launch(emit, &launch);
}

#define REDUCE(title, kind) {.name = title "_f32_vulkan", .op = kind, .forms = FV_VK_TAKES_HALF, .suits = suits_reduce, .emit = emit_reduce}
const FvVkKernel fv_vk_reduce[] = {
  {.name = "softmax_f32_vulkan", .op = FV_OP_SOFTMAX, .forms = FV_VK_TAKES_HALF, .suits = suits_softmax, .emit = emit_softmax},
  REDUCE("reduce", FV_OP_REDUCE), REDUCE("global_average_pool", FV_OP_GLOBAL_AVERAGE_POOL), REDUCE("global_max_pool", FV_OP_GLOBAL_MAX_POOL),
  {.name = "reduce_typed_vulkan", .op = FV_OP_REDUCE, .suits = suits_typed, .needs_int64 = fv_vk_has_8_bytes, .emit = emit_typed},
  {0}};

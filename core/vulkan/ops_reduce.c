/* Softmax, reductions and global pooling: shaders/softmax.comp and shaders/reduce.comp. */
#include "vulkan/shape.h"

#include <string.h>

#include "push/reduce.h"

enum { REDUCE_SUM, REDUCE_MAX, REDUCE_MIN };

/* The two nests of loops; dims that merge are merged. */
typedef struct Nests {
  FvVkWalk kept, over; /* tensors 0: y, 1: x */
} Nests;

/* y has x's dims, with strides 0 along reduced ones when only one element comes out. */
static bool split(const FvTensor *x, const FvTensor *y, const bool *reduced, Nests *nests) {
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

static struct FvReducePush push_of(const FvVkEmit *emit, const Nests *nests) {
  struct FvReducePush push = {.x_at = fv_vk_input(emit, 0).at, .y_at = fv_vk_output(emit, 0).at, .kept = {1, 1, 1, 1}, .over = {1, 1, 1}, .factor = 1};
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

static int64_t kept_count(const Nests *nests) {
  int64_t count = 1;
  for (int d = 0; d < nests->kept.rank; d++) count *= nests->kept.dims[d];
  return count;
}

/* --- softmax --- */

static bool look_softmax(const FvKernelQuery *q, Nests *nests) {
  const FvSoftmaxParams *params = q->node->params;
  const FvTensor *x = q->in[0];
  bool reduced[FV_MAX_RANK];
  if (!fv_vk_is_f32(x) || x->data || !fv_vk_is_f32(q->out[0])) return false;
  for (int d = 0; d < x->rank; d++) reduced[d] = params->flatten ? d >= params->axis : d == params->axis;
  return split(x, q->out[0], reduced, nests);
}

static bool suits_softmax(const FvKernelQuery *q) {
  Nests nests;
  return look_softmax(q, &nests);
}

static int emit_softmax(FvVkEmit *emit) {
  Nests nests;
  look_softmax(&emit->query, &nests);
  struct FvReducePush push = push_of(emit, &nests);
  FvVkLaunch launch = {.shader = FV_SHADER_SOFTMAX, .params = &push, .params_size = sizeof push, .invocations = kept_count(&nests), .spec_count = 1,
                       .spec = {((const FvSoftmaxParams *)emit->node->params)->log}};
  return fv_vk_launch(emit, &launch);
}

/* --- reductions --- */

static bool look_reduce(const FvKernelQuery *q, Nests *nests, FvReduceType *type, int64_t *count) {
  const FvTensor *x = q->in[0];
  const FvReduceParams *params = q->node->op->kind == FV_OP_REDUCE ? q->node->params : NULL;
  bool reduced[FV_MAX_RANK], keep = !params || params->keep_dims;
  if (!fv_vk_is_f32(x) || x->data || !fv_vk_is_f32(q->out[0]) || fv_tensor_count(x) == 0) return false;
  *type = params ? params->type : q->node->op->kind == FV_OP_GLOBAL_MAX_POOL ? FV_REDUCE_MAX : FV_REDUCE_MEAN;
  *count = 1;
  FvTensor y = *x;
  for (int d = 0, out = 0; d < x->rank; d++) {
    reduced[d] = params ? params->axes[d] : d >= 2;
    y.strides[d] = reduced[d] ? 0 : q->out[0]->strides[out];
    if (reduced[d]) *count *= x->dims[d];
    out += keep || !reduced[d];
  }
  return (*type == FV_REDUCE_SUM || *type == FV_REDUCE_MEAN || *type == FV_REDUCE_MAX || *type == FV_REDUCE_MIN) && split(x, &y, reduced, nests);
}

static bool suits_reduce(const FvKernelQuery *q) {
  Nests nests;
  FvReduceType type = FV_REDUCE_SUM;
  int64_t count = 1;
  return look_reduce(q, &nests, &type, &count);
}

static int emit_reduce(FvVkEmit *emit) {
  Nests nests;
  FvReduceType type = FV_REDUCE_SUM;
  int64_t count = 1;
  look_reduce(&emit->query, &nests, &type, &count);
  struct FvReducePush push = push_of(emit, &nests);
  if (type == FV_REDUCE_MEAN) push.factor = 1.0f / (float)count;
  FvVkLaunch launch = {.shader = FV_SHADER_REDUCE, .params = &push, .params_size = sizeof push, .invocations = kept_count(&nests), .spec_count = 1,
                       .spec = {type == FV_REDUCE_MAX ? REDUCE_MAX : type == FV_REDUCE_MIN ? REDUCE_MIN : REDUCE_SUM}};
  return fv_vk_launch(emit, &launch);
}

#define REDUCE(title, kind) {.name = title "_f32_vulkan", .op = kind, .suits = suits_reduce, .emit = emit_reduce}
const FvVkKernel fv_vk_reduce[] = {
  {.name = "softmax_f32_vulkan", .op = FV_OP_SOFTMAX, .suits = suits_softmax, .emit = emit_softmax},
  REDUCE("reduce", FV_OP_REDUCE), REDUCE("global_average_pool", FV_OP_GLOBAL_AVERAGE_POOL), REDUCE("global_max_pool", FV_OP_GLOBAL_MAX_POOL),
  {0}};

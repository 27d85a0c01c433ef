/* Gather, GatherElements, GatherND: shaders/gather.comp. Gather by constant indices in even steps is a view, and the planner's. */
#include "vulkan/typed.h"

#include <string.h>

#include "push/gather.h"

/* The output's walk: what data and indices advance by along with it, and what the indices add. */
typedef struct Pick {
  FvTensor data, indices; /* of the output's shape */
  int depth;
  int64_t i_step, lengths[GATHER_DEPTH], steps[GATHER_DEPTH];
} Pick;

static void start_pick(const FvKernelQuery *q, Pick *pick) {
  *pick = (Pick){.data = *q->out[0], .indices = *q->out[0], .depth = 1};
  memset(pick->data.strides, 0, sizeof pick->data.strides);
  memset(pick->indices.strides, 0, sizeof pick->indices.strides);
}

static void pick_along(const FvTensor *data, int axis, Pick *pick) {
  pick->lengths[0] = data->dims[axis];
  pick->steps[0] = data->strides[axis];
}

static void look_gather(const FvKernelQuery *q, Pick *pick) {
  const FvTensor *data = q->in[0], *indices = q->in[1];
  int axis = ((const FvGatherParams *)q->node->params)->axis;
  pick_along(data, axis, pick);
  for (int d = 0; d < axis; d++) pick->data.strides[d] = data->strides[d];
  for (int d = 0; d < indices->rank; d++) pick->indices.strides[axis + d] = indices->strides[d];
  for (int d = axis + 1; d < data->rank; d++) pick->data.strides[d - 1 + indices->rank] = data->strides[d];
}

static void look_gather_elements(const FvKernelQuery *q, Pick *pick) {
  int axis = ((const FvGatherParams *)q->node->params)->axis;
  pick_along(q->in[0], axis, pick);
  for (int d = 0; d < q->in[1]->rank; d++) {
    pick->indices.strides[d] = q->in[1]->strides[d];
    pick->data.strides[d] = d == axis ? 0 : q->in[0]->strides[d];
  }
}

static bool look_gather_nd(const FvKernelQuery *q, Pick *pick) {
  const FvTensor *data = q->in[0], *indices = q->in[1];
  FvGatherNdParams params = *(const FvGatherNdParams *)q->node->params;
  int outer = indices->rank - 1;
  if (params.depth > GATHER_DEPTH) return false;
  pick->depth = params.depth;
  pick->i_step = indices->strides[outer];
  for (int d = 0; d < outer; d++) pick->indices.strides[d] = indices->strides[d];
  for (int d = 0; d < params.batch; d++) pick->data.strides[d] = data->strides[d];
  for (int k = 0; k < params.depth; k++) {
    pick->lengths[k] = data->dims[params.batch + k];
    pick->steps[k] = data->strides[params.batch + k];
  }
  for (int d = params.batch + params.depth, to = outer; d < data->rank; d++, to++) pick->data.strides[to] = data->strides[d];
  return true;
}

static bool look(const FvKernelQuery *q, Pick *pick, FvVkWalk *walk) {
  const FvTensor *data = q->in[0], *indices = q->in[1];
  if (!data || !indices || !q->out[0] || data->dtype != q->out[0]->dtype || fv_tensor_count(data) == 0) return false;
  if (indices->dtype != FV_DTYPE_I32 && indices->dtype != FV_DTYPE_I64) return false;
  start_pick(q, pick);
  if (q->node->op->kind == FV_OP_GATHER)
    look_gather(q, pick);
  else if (q->node->op->kind == FV_OP_GATHER_ELEMENTS)
    look_gather_elements(q, pick);
  else if (!look_gather_nd(q, pick))
    return false;
  const FvTensor *tensors[] = {q->out[0], &pick->data, &pick->indices};
  fv_vk_walk(tensors, 3, walk);
  return walk->rank <= GATHER_RANK;
}

static bool suits(const FvKernelQuery *q) {
  Pick pick;
  FvVkWalk walk;
  return look(q, &pick, &walk);
}

static int emit(FvVkEmit *e) {
  Pick pick;
  FvVkWalk walk;
  look(&e->query, &pick, &walk);
  FvVkPlace x = fv_vk_input(e, 0), i = fv_vk_input(e, 1), y = fv_vk_output(e, 0);
  struct FvGatherPush push = {.y_at = y.at, .x_at = x.at, .i_at = i.at, .i_step = (int)pick.i_step};
  for (int d = 0; d < walk.rank; d++) {
    push.dims[d] = (int)walk.dims[d];
    push.y_strides[d] = (int)walk.strides[0][d];
    push.x_strides[d] = (int)walk.strides[1][d];
    push.i_strides[d] = (int)walk.strides[2][d];
  }
  for (int k = 0; k < pick.depth; k++) {
    push.lengths[k] = (int)pick.lengths[k];
    push.steps[k] = (int)pick.steps[k];
  }
  FvVkLaunch launch = {.shader = FV_SHADER_GATHER, .params = &push, .params_size = sizeof push, .invocations = fv_tensor_count(y.tensor), .spec_count = 6,
                       .spec = {y.tensor->dtype, i.tensor->dtype, (uint32_t)walk.rank, (uint32_t)pick.depth, x.in_weights, i.in_weights}};
  return fv_vk_launch(e, &launch);
}

const FvVkKernel fv_vk_gathers[] = {
  {.name = "gather_vulkan", .op = FV_OP_GATHER, .suits = suits, .emit = emit},
  {.name = "gather_elements_vulkan", .op = FV_OP_GATHER_ELEMENTS, .suits = suits, .emit = emit},
  {.name = "gather_nd_vulkan", .op = FV_OP_GATHER_ND, .suits = suits, .emit = emit},
  {0}};

/* ScatterND, ScatterElements: a copy, then shaders/scatter.comp. */
#include "vulkan/typed.h"

#include "push/scatter.h"

_Static_assert(FV_SCATTER_NONE == 0 && FV_SCATTER_ADD == 1 && FV_SCATTER_MUL == 2 && FV_SCATTER_MIN == 3 && FV_SCATTER_MAX == 4, "shaders/scatter.comp numbers reductions otherwise");

/* What runs in parallel, as three tensors of one shape, and the row of updates that runs in order. */
typedef struct Plan {
  FvTensor y, updates, indices;
  int64_t row, u_next, i_next;
  int depth;
  int64_t i_step, lengths[SCATTER_DEPTH], steps[SCATTER_DEPTH];
  FvVkWalk walk;
  int64_t count;
} Plan;

static void add_dim(Plan *plan, int64_t dim, int64_t y_stride, int64_t u_stride, int64_t i_stride) {
  int at = plan->y.rank++;
  plan->updates.rank = plan->indices.rank = plan->y.rank;
  plan->y.dims[at] = plan->updates.dims[at] = plan->indices.dims[at] = dim;
  plan->y.strides[at] = y_stride;
  plan->updates.strides[at] = u_stride;
  plan->indices.strides[at] = i_stride;
}

/* Updates meet only along the axis. */
static bool look_elements(const FvKernelQuery *q, Plan *plan) {
  const FvTensor *indices = q->in[1], *updates = q->in[2], *y = q->out[0];
  int axis = ((const FvScatterParams *)q->node->params)->axis;
  for (int d = 0; d < indices->rank; d++)
    if (d != axis) add_dim(plan, indices->dims[d], y->strides[d], updates->strides[d], indices->strides[d]);
  plan->row = indices->dims[axis];
  plan->u_next = updates->strides[axis];
  plan->i_next = indices->strides[axis];
  plan->depth = 1;
  plan->lengths[0] = y->dims[axis];
  plan->steps[0] = y->strides[axis];
  return true;
}

/* The leading dimensions of a tensor as one; false when that takes more than a stride. */
static bool as_row(const FvTensor *t, int dims, int64_t *count, int64_t *stride) {
  *count = 1;
  *stride = 0;
  for (int d = dims - 1; d >= 0; d--) {
    if (t->dims[d] == 1) continue;
    if (*count == 1) *stride = t->strides[d];
    else if (t->strides[d] != *stride * *count) return false;
    *count *= t->dims[d];
  }
  return true;
}

/* Any two slices may be the same one: only their elements run in parallel. */
static bool look_nd(const FvKernelQuery *q, Plan *plan) {
  const FvTensor *indices = q->in[1], *updates = q->in[2], *y = q->out[0];
  int outer = indices->rank - 1;
  int64_t count;
  plan->depth = (int)indices->dims[outer];
  if (plan->depth > SCATTER_DEPTH || !as_row(indices, outer, &plan->row, &plan->i_next) || !as_row(updates, outer, &count, &plan->u_next)) return false;
  plan->i_step = indices->strides[outer];
  for (int k = 0; k < plan->depth; k++) {
    plan->lengths[k] = y->dims[k];
    plan->steps[k] = y->strides[k];
  }
  for (int d = plan->depth; d < y->rank; d++) add_dim(plan, y->dims[d], y->strides[d], updates->strides[outer + d - plan->depth], 0);
  return true;
}

/* Reductions read what the same invocation wrote: whole words only. */
static bool reduces(const FvKernelQuery *q) {
  FvDtype dtype = q->in[0]->dtype;
  bool words = fv_dtype_size(dtype) >= 4 && dtype != FV_DTYPE_F64;
  return words || ((const FvScatterParams *)q->node->params)->reduction == FV_SCATTER_NONE;
}

static bool look(const FvKernelQuery *q, Plan *plan) {
  *plan = (Plan){0};
  if (!q->in[0] || !q->in[1] || !q->in[2] || !q->out[0] || fv_tensor_count(q->out[0]) == 0 || !fv_vk_move_fits(q->out[0], q->in[0]) || !reduces(q)) return false;
  if ((q->in[1]->dtype != FV_DTYPE_I32 && q->in[1]->dtype != FV_DTYPE_I64) || q->in[2]->dtype != q->in[0]->dtype || q->in[0]->rank == 0) return false;
  if (!(q->node->op->kind == FV_OP_SCATTER_ND ? look_nd(q, plan) : look_elements(q, plan))) return false;
  const FvTensor *tensors[] = {&plan->y, &plan->updates, &plan->indices};
  fv_vk_walk(tensors, 3, &plan->walk);
  plan->count = fv_tensor_count(&plan->y);
  return plan->walk.rank <= SCATTER_RANK;
}

static bool suits(const FvKernelQuery *q) {
  Plan plan;
  return look(q, &plan);
}

static bool needs_int64(const FvKernelQuery *q) {
  return fv_dtype_size(q->in[0]->dtype) == 8 && ((const FvScatterParams *)q->node->params)->reduction != FV_SCATTER_NONE;
}

static uint32_t class_of(FvDtype dtype) {
  if (fv_dtype_is_float(dtype)) return CLASS_FLOAT;
  return dtype == FV_DTYPE_U32 || dtype == FV_DTYPE_U64 ? CLASS_UNSIGNED : CLASS_SIGNED;
}

static int emit(FvVkEmit *e) {
  Plan plan;
  look(&e->query, &plan);
  FvVkPlace data = fv_vk_input(e, 0), i = fv_vk_input(e, 1), u = fv_vk_input(e, 2), y = fv_vk_output(e, 0);
  int result = fv_vk_move(e, y.tensor, y.at, data.tensor, data.at, data.in_weights);
  if (result < 0) return result;
  struct FvScatterPush push = {.y_at = y.at, .u_at = u.at, .i_at = i.at, .updates = (int)plan.row, .u_next = (int)plan.u_next, .i_next = (int)plan.i_next, .i_step = (int)plan.i_step};
  for (int d = 0; d < plan.walk.rank; d++) {
    push.dims[d] = (int)plan.walk.dims[d];
    push.y_strides[d] = (int)plan.walk.strides[0][d];
    push.u_strides[d] = (int)plan.walk.strides[1][d];
    push.i_strides[d] = (int)plan.walk.strides[2][d];
  }
  for (int k = 0; k < plan.depth; k++) {
    push.lengths[k] = (int)plan.lengths[k];
    push.steps[k] = (int)plan.steps[k];
  }
  FvVkLaunch launch = {.shader = needs_int64(&e->query) ? FV_SHADER_SCATTER_WIDE : FV_SHADER_SCATTER, .params = &push, .params_size = sizeof push, .invocations = plan.count,
                       .spec_count = 8,
                       .spec = {y.tensor->dtype, class_of(y.tensor->dtype), i.tensor->dtype, (uint32_t)plan.walk.rank, (uint32_t)plan.depth,
                                ((const FvScatterParams *)e->node->params)->reduction, u.in_weights, i.in_weights}};
  return fv_vk_launch(e, &launch);
}

const FvVkKernel fv_vk_scatters[] = {
  {.name = "scatter_nd_vulkan", .op = FV_OP_SCATTER_ND, .suits = suits, .needs_int64 = needs_int64, .emit = emit},
  {.name = "scatter_elements_vulkan", .op = FV_OP_SCATTER_ELEMENTS, .suits = suits, .needs_int64 = needs_int64, .emit = emit},
  {0}};

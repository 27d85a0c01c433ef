/* ArgMax, ArgMin, TopK: shaders/arg.comp and shaders/topk.comp. */
#include "vulkan/typed.h"

#include "push/lines.h"

/* A tensor without one dimension, for the walk over lines. `present`: the tensor has that dimension itself. */
static FvTensor without(const FvTensor *t, int axis, bool present) {
  FvTensor result = *t;
  if (!present) return result;
  for (int d = axis; d + 1 < t->rank; d++) {
    result.dims[d] = t->dims[d + 1];
    result.strides[d] = t->strides[d + 1];
  }
  result.rank--;
  return result;
}

typedef struct Lines {
  FvVkWalk walk; /* x, values (or indices), indices (or values) */
  int64_t count;
} Lines;

static bool look(const FvKernelQuery *q, int axis, bool keeps_axis, const FvTensor *values, const FvTensor *indices, Lines *lines) {
  const FvTensor *in = q->in[0];
  if (!fv_vk_computes(in) || (!values && !indices) || fv_tensor_count(in) == 0 || in->rank == 0) return false;
  FvTensor x = without(in, axis, true), y = without(values ? values : indices, axis, keeps_axis), i = without(indices ? indices : values, axis, keeps_axis);
  const FvTensor *tensors[] = {&x, &y, &i};
  fv_vk_walk(tensors, 3, &lines->walk);
  lines->count = fv_tensor_count(&x);
  return lines->walk.rank <= LINES_RANK;
}

static bool look_arg(const FvKernelQuery *q, Lines *lines) {
  const FvArgParams *params = q->node->params;
  return look(q, params->axis, params->keep_dims, NULL, q->out[0], lines);
}

static const FvTensor *output(const FvKernelQuery *q, int index) { return index < q->node->output_count ? q->out[index] : NULL; }

static bool look_top_k(const FvKernelQuery *q, Lines *lines) {
  return look(q, ((const FvTopKParams *)q->node->params)->axis, true, output(q, 0), output(q, 1), lines);
}

static struct FvLinesPush push_of(const FvVkEmit *emit, const Lines *lines, int axis) {
  FvVkPlace x = fv_vk_input(emit, 0);
  struct FvLinesPush push = {.x_at = x.at, .elements = (int)x.tensor->dims[axis], .x_step = (int)x.tensor->strides[axis]};
  for (int d = 0; d < lines->walk.rank; d++) {
    push.dims[d] = (int)lines->walk.dims[d];
    push.x_strides[d] = (int)lines->walk.strides[0][d];
    push.y_strides[d] = (int)lines->walk.strides[1][d];
    push.i_strides[d] = (int)lines->walk.strides[2][d];
  }
  return push;
}

static uint32_t class_of(FvDtype dtype) {
  if (fv_dtype_is_float(dtype)) return CLASS_FLOAT;
  return dtype == FV_DTYPE_U32 || dtype == FV_DTYPE_U64 ? CLASS_UNSIGNED : CLASS_SIGNED;
}

/* Indices are 64-bit but not computed with. */
static bool needs_int64(const FvKernelQuery *q) { return fv_dtype_size(q->in[0]->dtype) == 8; }

static bool suits_arg(const FvKernelQuery *q) {
  Lines lines;
  return look_arg(q, &lines);
}

static int emit_arg(FvVkEmit *emit) {
  const FvArgParams *params = emit->node->params;
  Lines lines;
  look_arg(&emit->query, &lines);
  FvVkPlace x = fv_vk_input(emit, 0);
  struct FvLinesPush push = push_of(emit, &lines, params->axis);
  push.i_at = fv_vk_output(emit, 0).at;
  FvVkLaunch launch = {.shader = needs_int64(&emit->query) ? FV_SHADER_ARG_WIDE : FV_SHADER_ARG, .params = &push, .params_size = sizeof push, .invocations = lines.count,
                       .spec_count = 6,
                       .spec = {x.tensor->dtype, class_of(x.tensor->dtype), (uint32_t)lines.walk.rank, x.in_weights, !params->smallest, params->last}};
  return fv_vk_launch(emit, &launch);
}

static bool suits_top_k(const FvKernelQuery *q) {
  Lines lines;
  return look_top_k(q, &lines);
}

static int emit_top_k(FvVkEmit *emit) {
  const FvTopKParams *params = emit->node->params;
  Lines lines;
  look_top_k(&emit->query, &lines);
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0), i = fv_vk_output(emit, 1);
  const FvTensor *shape = y.tensor ? y.tensor : i.tensor;
  struct FvLinesPush push = push_of(emit, &lines, params->axis);
  push.kept = (int)shape->dims[params->axis];
  push.y_at = y.at;
  push.i_at = i.at;
  push.y_step = y.tensor ? (int)y.tensor->strides[params->axis] : 0;
  push.i_step = i.tensor ? (int)i.tensor->strides[params->axis] : 0;
  FvVkLaunch launch = {.shader = needs_int64(&emit->query) ? FV_SHADER_TOPK_WIDE : FV_SHADER_TOPK, .params = &push, .params_size = sizeof push,
                       .invocations = push.kept ? lines.count * push.elements : 0, .spec_count = 7,
                       .spec = {x.tensor->dtype, class_of(x.tensor->dtype), (uint32_t)lines.walk.rank, x.in_weights, params->largest, y.tensor != NULL, i.tensor != NULL}};
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_sorts[] = {
  {.name = "arg_vulkan", .op = FV_OP_ARG, .suits = suits_arg, .needs_int64 = needs_int64, .emit = emit_arg},
  {.name = "top_k_vulkan", .op = FV_OP_TOP_K, .suits = suits_top_k, .needs_int64 = needs_int64, .emit = emit_top_k},
  {0}};

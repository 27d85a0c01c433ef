/* Integer operators where ops_qconv.c and ops_qmap.c want constants: shaders/qproduct.comp, qdirect.comp, quantise_any.comp, qrange.comp. */
#include <string.h>

#include "ops/matmul.h"
#include "vulkan/quantised.h"
#include "vulkan/typed.h"

#include "push/qdirect.h"
#include "push/qproduct.h"
#include "push/qrange.h"
#include "push/quantise.h"

/* --- where an operator has its inputs: -1 where it has none such --- */

typedef struct Inputs {
  int a, b, a_zero, b_zero, a_scale, b_scale, y_scale, y_zero, bias;
} Inputs;

static Inputs inputs_of(FvOpKind kind) {
  if (kind == FV_OP_CONV_INTEGER || kind == FV_OP_MATMUL_INTEGER) return (Inputs){0, 1, 2, 3, -1, -1, -1, -1, -1};
  return (Inputs){.a = 0, .a_scale = 1, .a_zero = 2, .b = 3, .b_scale = 4, .b_zero = 5, .y_scale = 6, .y_zero = 7, .bias = 8};
}

static const FvTensor *input(const FvKernelQuery *q, int index) { return index < 0 ? NULL : fv_query_input(q, index); }

static FvVkPlace place(const FvVkEmit *emit, int index, int bit, uint32_t *present, uint32_t *in_weights) {
  FvVkPlace found = index < 0 ? (FvVkPlace){0} : fv_vk_input(emit, index);
  if (found.tensor) *present |= (uint32_t)bit;
  if (found.in_weights) *in_weights |= (uint32_t)bit;
  return found;
}

static bool one_or_vector(const FvTensor *t, int64_t length) { return !t || fv_vk_is_one(t) || (t->rank == 1 && t->dims[0] == length && t->strides[0] == 1); }
static bool one_number(const FvTensor *t) { return !t || fv_vk_is_one(t); }
static bool float_or_absent(const FvTensor *t) { return !t || fv_vk_is_f32(t); }

/* Scales and zero points of every kind but a's, which only products have more than one of. */
static bool params_suit(const FvKernelQuery *q, const Inputs *in, int64_t outputs) {
  if (q->node->activation.type != FV_ACTIVATION_NONE || !fv_vk_is_8bit(input(q, in->a)) || !fv_vk_is_8bit(input(q, in->b)) || !q->out[0]) return false;
  if (!float_or_absent(input(q, in->a_scale)) || !float_or_absent(input(q, in->b_scale)) || !float_or_absent(input(q, in->y_scale))) return false;
  if (!one_number(input(q, in->y_scale)) || !one_number(input(q, in->y_zero))) return false;
  const FvTensor *bias = input(q, in->bias);
  return one_or_vector(input(q, in->b_scale), outputs) && one_or_vector(input(q, in->b_zero), outputs) && (!bias || bias->rank == 0 || bias->strides[bias->rank - 1] == 1);
}

static int step_of(const FvTensor *t) { return !t || fv_vk_is_one(t) ? 0 : (int)t->strides[0]; }

/* --- products --- */

static bool suits_product(const FvKernelQuery *q) {
  Inputs in = inputs_of(q->node->op->kind);
  if (!input(q, in.a) || !input(q, in.b) || !q->out[0]) return false;
  FvMatmulView view = fv_matmul_view(q->in[in.a], q->in[in.b], q->out[0]);
  if (view.y.rank > QPRODUCT_RANK || view.depth >= INT32_MAX / (255 * 255)) return false;
  int64_t rows = view.y.dims[view.y.rank - 2], columns = view.y.dims[view.y.rank - 1];
  return params_suit(q, &in, columns) && one_or_vector(input(q, in.a_scale), rows) && one_or_vector(input(q, in.a_zero), rows);
}

/* The stride with which `t` moves along dimension d of y, one of the batch's; 0 where it repeats. */
static int batch_stride(const FvTensor *t, const FvTensor *y, int d) {
  int own = d - (y->rank - t->rank);
  return own < 0 || t->dims[own] == 1 ? 0 : (int)t->strides[own];
}

static int emit_product(FvVkEmit *emit) {
  Inputs in = inputs_of(emit->node->op->kind);
  uint32_t present = 0, in_weights = 0;
  FvVkPlace a = place(emit, in.a, Q_A, &present, &in_weights), b = place(emit, in.b, Q_B, &present, &in_weights),
            a_zero = place(emit, in.a_zero, Q_A_ZERO, &present, &in_weights), b_zero = place(emit, in.b_zero, Q_B_ZERO, &present, &in_weights),
            a_scale = place(emit, in.a_scale, Q_A_SCALE, &present, &in_weights), b_scale = place(emit, in.b_scale, Q_B_SCALE, &present, &in_weights),
            y_scale = place(emit, in.y_scale, Q_Y_SCALE, &present, &in_weights), y_zero = place(emit, in.y_zero, Q_Y_ZERO, &present, &in_weights),
            bias = place(emit, in.bias, Q_BIAS, &present, &in_weights), y = fv_vk_output(emit, 0);
  FvMatmulView view = fv_matmul_view(a.tensor, b.tensor, y.tensor);
  const FvTensor *va = &view.a, *vb = &view.b, *vy = &view.y;
  struct FvQproductPush push = {
    .y_at = y.at, .a_at = a.at, .b_at = b.at, .a_zero_at = a_zero.at, .b_zero_at = b_zero.at, .a_scale_at = a_scale.at, .b_scale_at = b_scale.at, .y_scale_at = y_scale.at,
    .y_zero_at = y_zero.at, .bias_at = bias.at, .dims = {1, 1, 1, 1}, .depth = (int)view.depth, .a_depth = (int)va->strides[va->rank - 1], .b_depth = (int)vb->strides[vb->rank - 2],
    .a_zero_row = step_of(a_zero.tensor), .a_scale_row = step_of(a_scale.tensor), .b_zero_column = step_of(b_zero.tensor), .b_scale_column = step_of(b_scale.tensor),
  };
  for (int d = 0; d < vy->rank; d++) {
    int to = QPRODUCT_RANK - vy->rank + d;
    push.dims[to] = (int)vy->dims[d];
    push.y_strides[to] = (int)vy->strides[d];
    if (d < vy->rank - 2) {
      push.a_strides[to] = batch_stride(va, vy, d);
      push.b_strides[to] = batch_stride(vb, vy, d);
    }
  }
  push.a_strides[QPRODUCT_RANK - 2] = (int)va->strides[va->rank - 2];
  push.b_strides[QPRODUCT_RANK - 2] = (int)vb->strides[vb->rank - 1];
  FvVkLaunch launch = {.shader = FV_SHADER_QPRODUCT, .params = &push, .params_size = sizeof push, .invocations = fv_tensor_count(vy), .spec_count = 5,
                       .spec = {a.tensor->dtype == FV_DTYPE_I8, b.tensor->dtype == FV_DTYPE_I8, y.tensor->dtype, present, in_weights}};
  return fv_vk_launch(emit, &launch);
}

/* --- convolutions --- */

static const FvConvParams *conv_params(const FvNode *node) {
  return node->op->kind == FV_OP_CONV_INTEGER ? node->params : &((const FvQLinearConvParams *)node->params)->conv;
}

static bool suits_direct(const FvKernelQuery *q) {
  Inputs in = inputs_of(q->node->op->kind);
  const FvTensor *x = input(q, in.a), *w = input(q, in.b);
  if (!x || !w || !q->out[0] || x->rank < 3 || x->rank > 2 + QDIRECT_SPATIAL || !one_number(input(q, in.a_scale)) || !one_number(input(q, in.a_zero))) return false;
  return params_suit(q, &in, q->out[0]->dims[1]) && fv_tensor_count(w) / w->dims[0] < INT32_MAX / (255 * 255);
}

static void strides_of(const FvTensor *t, int strides[5]) {
  for (int d = 0; d < t->rank; d++) strides[d < 2 ? d : 5 - t->rank + d] = (int)t->strides[d];
}

static int emit_direct(FvVkEmit *emit) {
  Inputs in = inputs_of(emit->node->op->kind);
  const FvConvParams *params = conv_params(emit->node);
  const FvWindow *w = &params->window;
  uint32_t present = 0, in_weights = 0;
  FvVkPlace x = place(emit, in.a, Q_A, &present, &in_weights), weights = place(emit, in.b, Q_B, &present, &in_weights),
            x_zero = place(emit, in.a_zero, Q_A_ZERO, &present, &in_weights), w_zero = place(emit, in.b_zero, Q_B_ZERO, &present, &in_weights),
            x_scale = place(emit, in.a_scale, Q_A_SCALE, &present, &in_weights), w_scale = place(emit, in.b_scale, Q_B_SCALE, &present, &in_weights),
            y_scale = place(emit, in.y_scale, Q_Y_SCALE, &present, &in_weights), y_zero = place(emit, in.y_zero, Q_Y_ZERO, &present, &in_weights),
            bias = place(emit, in.bias, Q_BIAS, &present, &in_weights), y = fv_vk_output(emit, 0);
  struct FvQdirectPush push = {
    .y_at = y.at, .x_at = x.at, .w_at = weights.at, .x_zero_at = x_zero.at, .w_zero_at = w_zero.at, .x_scale_at = x_scale.at, .w_scale_at = w_scale.at,
    .y_scale_at = y_scale.at, .y_zero_at = y_zero.at, .bias_at = bias.at, .out_size = {1, 1, 1}, .groups = (int)params->group,
    .channels = (int)(x.tensor->dims[1] / params->group), .outputs = (int)(y.tensor->dims[1] / params->group),
  };
  strides_of(x.tensor, push.x_strides);
  strides_of(y.tensor, push.y_strides);
  strides_of(weights.tensor, push.w_strides);
  uint32_t per_output = (step_of(w_zero.tensor) ? Q_B_ZERO : 0) | (step_of(w_scale.tensor) ? Q_B_SCALE : 0);
  FvVkLaunch launch = {.shader = FV_SHADER_QDIRECT, .params = &push, .params_size = sizeof push, .invocations = fv_tensor_count(y.tensor), .spec_count = 21,
                       .spec = {x.tensor->dtype == FV_DTYPE_I8, weights.tensor->dtype == FV_DTYPE_I8, y.tensor->dtype, present, in_weights, per_output,
                                1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1}};
  for (int d = 0; d < w->spatial_rank; d++) {
    int to = QDIRECT_SPATIAL - w->spatial_rank + d;
    push.out_size[to] = (int)y.tensor->dims[d + 2];
    launch.spec[6 + to] = (uint32_t)w->kernel[d];
    launch.spec[9 + to] = (uint32_t)w->stride[d];
    launch.spec[12 + to] = (uint32_t)w->dilation[d];
    launch.spec[15 + to] = (uint32_t)w->pad_begin[d];
    launch.spec[18 + to] = (uint32_t)x.tensor->dims[d + 2];
  }
  return fv_vk_launch(emit, &launch);
}

/* --- to and from steps --- */

/* The scale (or zero point) as it repeats over x; false where blocks share one. */
static bool spread(const FvKernelQuery *q, int index, FvTensor *result) {
  const FvQuantizeParams *params = q->node->params;
  const FvTensor *from = q->in[index], *x = q->in[0];
  *result = *x;
  result->dtype = from->dtype;
  memset(result->strides, 0, sizeof result->strides);
  if (params->axis >= 0 && params->block == 0) result->strides[params->axis] = from->strides[0];
  return params->axis < 0 || params->block == 0;
}

static bool look_steps(const FvKernelQuery *q, FvVkWalk *walk) {
  const FvTensor *x = q->in[0], *y = q->out[0], *scale = q->in[1], *zero = fv_query_input(q, 2);
  FvTensor scales, zeros;
  if (!x || !y || !scale || !fv_vk_computes(x) || !fv_vk_computes(scale) || !spread(q, 1, &scales) || (zero && !spread(q, 2, &zeros))) return false;
  if (zero && fv_tensor_count(zero) > 1 && memcmp(scales.strides, zeros.strides, sizeof scales.strides) != 0) return false;
  if (zero && fv_tensor_count(zero) != fv_tensor_count(scale)) return false;
  const FvTensor *tensors[] = {y, x, &scales};
  fv_vk_walk(tensors, 3, walk);
  return walk->rank <= QUANTISE_RANK;
}

static bool suits_steps(const FvKernelQuery *q) {
  FvVkWalk walk;
  return look_steps(q, &walk);
}

/* The scale and the zero point lie in the arena or the weights, whatever the node says. */
static int launch_steps(FvVkEmit *emit, const FvVkWalk *walk, bool back, FvVkPlace scale, FvDtype scale_type, FvVkPlace zero, FvDtype zero_type) {
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  struct FvQuantisePush push = {.y_at = y.at, .x_at = x.at, .scale_at = scale.at, .zero_at = zero.at};
  for (int d = 0; d < walk->rank; d++) {
    push.dims[d] = (int)walk->dims[d];
    push.y_strides[d] = (int)walk->strides[0][d];
    push.x_strides[d] = (int)walk->strides[1][d];
    push.scale_strides[d] = (int)walk->strides[2][d];
  }
  FvVkLaunch launch = {.shader = FV_SHADER_QUANTISE_ANY, .params = &push, .params_size = sizeof push, .invocations = fv_tensor_count(y.tensor), .spec_count = 7,
                       .spec = {back, (uint32_t)walk->rank, x.tensor->dtype, y.tensor->dtype, scale_type, zero_type,
                                (uint32_t)(x.in_weights | scale.in_weights << 1 | zero.in_weights << 2)}};
  return fv_vk_launch(emit, &launch);
}

static int emit_steps(FvVkEmit *emit) {
  FvVkWalk walk;
  look_steps(&emit->query, &walk);
  FvVkPlace scale = fv_vk_input(emit, 1), zero = fv_vk_input(emit, 2);
  return launch_steps(emit, &walk, emit->node->op->kind == FV_OP_DEQUANTIZE, scale, scale.tensor->dtype, zero, zero.tensor ? zero.tensor->dtype : FV_DTYPE_NONE);
}

/* --- DynamicQuantizeLinear --- */

enum { PARTS = 1024 };

static bool look_dynamic(const FvKernelQuery *q, FvVkWalk *walk) {
  const FvTensor *x = q->in[0], *y = q->out[0];
  if (!fv_vk_is_f32(x) || x->data || !y || fv_tensor_count(x) == 0) return false;
  FvTensor nothing = *x; /* scale and zero point, the same everywhere */
  memset(nothing.strides, 0, sizeof nothing.strides);
  const FvTensor *tensors[] = {y, x, &nothing};
  fv_vk_walk(tensors, 3, walk);
  return walk->rank <= QRANGE_RANK;
}

static bool suits_dynamic(const FvKernelQuery *q) {
  FvVkWalk walk;
  return look_dynamic(q, &walk);
}

static size_t scratch_dynamic(const FvKernelQuery *q) {
  (void)q;
  return (2 * PARTS + 2) * sizeof(float);
}

static int emit_dynamic(FvVkEmit *emit) {
  FvVkWalk walk;
  look_dynamic(&emit->query, &walk);
  FvVkPlace x = fv_vk_input(emit, 0), scale = fv_vk_output(emit, 1), zero = fv_vk_output(emit, 2);
  struct FvQrangePush push = {.x_at = x.at, .parts_at = emit->scratch_at, .parts = PARTS, .elements = (int)fv_tensor_count(x.tensor),
                              .scale_at = scale.tensor ? scale.at : -1, .zero_at = zero.tensor ? zero.at : -1};
  for (int d = 0; d < walk.rank; d++) {
    push.dims[d] = (int)walk.dims[d];
    push.x_strides[d] = (int)walk.strides[1][d];
  }
  int result = 0;
  for (int last = 0; last < 2 && result == 0; last++) {
    FvVkLaunch launch = {.shader = FV_SHADER_QRANGE, .params = &push, .params_size = sizeof push, .invocations = last ? 1 : PARTS, .spec_count = 2,
                         .spec = {(uint32_t)last, (uint32_t)walk.rank}};
    result = fv_vk_launch(emit, &launch);
  }
  FvVkPlace kept_scale = {.at = emit->scratch_at + 2 * PARTS}, kept_zero = {.at = kept_scale.at + 1};
  return result < 0 ? result : launch_steps(emit, &walk, false, kept_scale, FV_DTYPE_F32, kept_zero, FV_DTYPE_I32);
}

#define PRODUCT(title, kind) {.name = title "_any_vulkan", .op = kind, .suits = suits_product, .emit = emit_product}
#define DIRECT(title, kind) {.name = title "_any_vulkan", .op = kind, .suits = suits_direct, .emit = emit_direct}
const FvVkKernel fv_vk_qgeneral[] = {
  PRODUCT("qlinear_matmul", FV_OP_QLINEAR_MATMUL), PRODUCT("matmul_integer", FV_OP_MATMUL_INTEGER), DIRECT("qlinear_conv", FV_OP_QLINEAR_CONV),
  DIRECT("conv_integer", FV_OP_CONV_INTEGER), {.name = "quantize_any_vulkan", .op = FV_OP_QUANTIZE, .suits = suits_steps, .emit = emit_steps},
  {.name = "dequantize_any_vulkan", .op = FV_OP_DEQUANTIZE, .suits = suits_steps, .emit = emit_steps},
  {.name = "dynamic_quantize_vulkan", .op = FV_OP_DYNAMIC_QUANTIZE, .suits = suits_dynamic, .scratch_size = scratch_dynamic, .emit = emit_dynamic},
  {0}};

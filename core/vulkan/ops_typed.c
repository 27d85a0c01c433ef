/* Element-wise operators on all types, and those that have no fp32 form of their own: shaders/typed.comp. */
#include "vulkan/typed.h"

#include "vulkan/walk.h"

/* --- one launch --- */

static FvVkTyped operands_of(const FvVkEmit *emit, int inputs, uint32_t operation) {
  FvVkTyped typed = {.inputs = inputs, .operation = operation};
  for (int i = 0; i <= inputs; i++) {
    FvVkPlace place = i ? fv_vk_input(emit, i - 1) : fv_vk_output(emit, 0);
    typed.tensor[i] = *place.tensor;
    typed.at[i] = place.at;
    typed.in_weights[i] = place.in_weights;
  }
  return typed;
}

static bool fits(const FvKernelQuery *q, int inputs) {
  const FvTensor *tensors[4] = {q->out[0]};
  if (q->node->input_count < inputs || q->node->activation.type != FV_ACTIVATION_NONE) return false;
  for (int i = 0; i < inputs; i++) tensors[i + 1] = q->in[i];
  return fv_vk_typed_fits(tensors, inputs);
}

/* --- unary --- */

static int unary_operation(const FvUnaryParams *params) {
  switch (params->type) {
    case FV_UNARY_ACTIVATION: return params->activation.type == FV_ACTIVATION_RELU ? TYPED_RELU : -1;
    case FV_UNARY_ABS: return TYPED_ABS;
    case FV_UNARY_NEG: return TYPED_NEG;
    case FV_UNARY_SIGN: return TYPED_SIGN;
    case FV_UNARY_NOT: return TYPED_NOT;
    case FV_UNARY_BITWISE_NOT: return TYPED_BITWISE_NOT;
    case FV_UNARY_IS_NAN: return TYPED_IS_NAN;
    case FV_UNARY_IS_INF:
      if (params->alpha == 0 && params->beta == 0) return -1;
      return params->alpha == 0 ? TYPED_IS_POSITIVE_INF : params->beta == 0 ? TYPED_IS_NEGATIVE_INF : TYPED_IS_INF;
    default: return -1;
  }
}

static bool suits_unary(const FvKernelQuery *q) { return unary_operation(q->node->params) >= 0 && fits(q, 1); }

static int emit_unary(FvVkEmit *emit) {
  FvVkTyped typed = operands_of(emit, 1, (uint32_t)unary_operation(emit->node->params));
  return fv_vk_typed(emit, &typed);
}

/* --- binary --- */

/* What the shader computes as the reference does. Powers are taken in fp32; 32-bit unsigned ones would need more. */
static bool is_exact(const FvKernelQuery *q, FvBinaryType type) {
  bool floats = fv_dtype_is_float(q->in[0]->dtype) || fv_dtype_is_float(q->in[1]->dtype), has_unsigned = false;
  for (int i = 0; i < 2; i++) has_unsigned |= q->in[i]->dtype == FV_DTYPE_U32 || q->in[i]->dtype == FV_DTYPE_U64;
  if (type == FV_BINARY_POW && (fv_vk_has_f64(q) || (has_unsigned && !fv_dtype_is_float(q->out[0]->dtype)))) return false;
  if (!floats || type == FV_BINARY_POW) return true;
  return type != FV_BINARY_MOD && type != FV_BINARY_FMOD && type < FV_BINARY_AND;
}

static bool suits_binary(const FvKernelQuery *q) {
  const FvBinaryParams *params = q->node->params;
  return q->node->input_count == 2 && !params->mean && fits(q, 2) && is_exact(q, params->type);
}

static int emit_binary(FvVkEmit *emit) {
  FvVkTyped typed = operands_of(emit, 2, TYPED_BINARY + ((const FvBinaryParams *)emit->node->params)->type);
  return fv_vk_typed(emit, &typed);
}

/* --- Sum, Mean, Min, Max of any number: folded into the output --- */

/* The output may lie where input 0 does, so a later input must not be the same value. Narrow floats would be rounded each time. */
static bool suits_variadic(const FvKernelQuery *q) {
  const FvBinaryParams *params = q->node->params;
  FvDtype dtype = q->out[0] ? q->out[0]->dtype : FV_DTYPE_NONE;
  if (q->node->activation.type != FV_ACTIVATION_NONE || params->type > FV_BINARY_MAX || dtype == FV_DTYPE_F16 || dtype == FV_DTYPE_BF16) return false;
  if (params->mean && dtype != FV_DTYPE_F32) return false; /* the factor is fp32 */
  for (int i = 0; i < q->node->input_count; i++) {
    const FvTensor *tensors[] = {q->out[0], q->out[0], q->in[i]};
    if (!q->in[i] || q->in[i]->dtype != dtype || !fv_vk_typed_fits(tensors, 2)) return false;
    if (i > 1 && q->node->inputs[i] == q->node->inputs[0]) return false;
  }
  const FvTensor *first[] = {q->out[0], q->in[0], q->node->input_count > 1 ? q->in[1] : q->in[0]};
  return q->node->input_count > 0 && fv_vk_typed_fits(first, 2);
}

static void set_operand(FvVkTyped *typed, int index, FvVkPlace place) {
  typed->tensor[index] = *place.tensor;
  typed->at[index] = place.at;
  typed->in_weights[index] = place.in_weights;
}

static int emit_variadic(FvVkEmit *emit) {
  const FvBinaryParams *params = emit->node->params;
  int count = emit->node->input_count, result;
  if (count == 1) {
    FvVkTyped move = operands_of(emit, 1, TYPED_MOVE);
    return fv_vk_typed(emit, &move);
  }
  FvVkTyped typed = operands_of(emit, 2, TYPED_BINARY + params->type);
  if ((result = fv_vk_typed(emit, &typed)) < 0) return result;
  set_operand(&typed, 1, fv_vk_output(emit, 0));
  for (int i = 2; i < count; i++) {
    set_operand(&typed, 2, fv_vk_input(emit, i));
    if ((result = fv_vk_typed(emit, &typed)) < 0) return result;
  }
  if (!params->mean) return 0;
  typed.inputs = 1;
  typed.operation = TYPED_SCALE;
  typed.factor = 1.0f / (float)count;
  return fv_vk_typed(emit, &typed);
}

/* --- Where, Cast, Clip --- */

static bool suits_where(const FvKernelQuery *q) { return fits(q, 3); }

static int emit_where(FvVkEmit *emit) {
  FvVkTyped typed = operands_of(emit, 3, TYPED_WHERE);
  return fv_vk_typed(emit, &typed);
}

static bool suits_cast(const FvKernelQuery *q) { return q->in[0] && q->out[0] && fits(q, 1); }

static int emit_cast(FvVkEmit *emit) {
  bool same = emit->query.in[0]->dtype == emit->query.out[0]->dtype;
  FvVkTyped typed = operands_of(emit, 1, same ? TYPED_MOVE : TYPED_CAST);
  return fv_vk_typed(emit, &typed);
}

static bool cast_needs_int64(const FvKernelQuery *q) { return q->in[0]->dtype != q->out[0]->dtype && fv_vk_has_8_bytes(q); }

static bool cast_needs_float64(const FvKernelQuery *q) { return q->in[0]->dtype != q->out[0]->dtype && fv_vk_has_f64(q); }

/* Bounds are single numbers, whatever their rank. */
static FvTensor bound_of(const FvTensor *bound) { return (FvTensor){.dtype = bound->dtype}; }

/* Bounds that are attributes, before opset 11, are left to the CPU: only fp32 had them in practice, and elementwise.comp takes those. */
static bool suits_clip(const FvKernelQuery *q) { return q->node->opset >= 11 && (fv_query_input(q, 1) || fv_query_input(q, 2)) && fits(q, 1); }

static int emit_clip(FvVkEmit *emit) {
  FvVkTyped typed = operands_of(emit, 1, TYPED_CLIP);
  FvVkPlace low = fv_vk_input(emit, 1), high = fv_vk_input(emit, 2);
  if (!low.tensor || !high.tensor) typed.operation = low.tensor ? TYPED_CLIP_LOW : TYPED_CLIP_HIGH;
  typed.inputs = 3;
  set_operand(&typed, 2, low.tensor ? low : high);
  set_operand(&typed, 3, high.tensor ? high : low);
  typed.tensor[2] = bound_of(&typed.tensor[2]);
  typed.tensor[3] = bound_of(&typed.tensor[3]);
  return fv_vk_typed(emit, &typed);
}

const FvVkKernel fv_vk_typed_rows[] = {
  {.name = "unary_typed_vulkan", .op = FV_OP_UNARY, .suits = suits_unary, .needs_int64 = fv_vk_has_8_bytes, .needs_float64 = fv_vk_has_f64, .emit = emit_unary},
  {.name = "binary_typed_vulkan", .op = FV_OP_BINARY, .suits = suits_binary, .needs_int64 = fv_vk_has_8_bytes, .needs_float64 = fv_vk_has_f64, .emit = emit_binary},
  {.name = "variadic_typed_vulkan", .op = FV_OP_BINARY, .suits = suits_variadic, .needs_int64 = fv_vk_has_8_bytes, .needs_float64 = fv_vk_has_f64, .emit = emit_variadic},
  {.name = "where_vulkan", .op = FV_OP_WHERE, .suits = suits_where, .emit = emit_where},
  {.name = "cast_vulkan", .op = FV_OP_CAST, .suits = suits_cast, .needs_int64 = cast_needs_int64, .needs_float64 = cast_needs_float64, .emit = emit_cast},
  {.name = "clip_vulkan", .op = FV_OP_CLIP, .suits = suits_clip, .needs_int64 = fv_vk_has_8_bytes, .needs_float64 = fv_vk_has_f64, .emit = emit_clip},
  {0}};

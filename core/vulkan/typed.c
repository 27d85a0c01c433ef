#include "vulkan/typed.h"

#include <string.h>

#include "push/typed.h"
#include "vulkan/quantised.h"
#include "vulkan/walk.h"

_Static_assert(TYPE_F32 == (int)FV_DTYPE_F32 && TYPE_F16 == (int)FV_DTYPE_F16 && TYPE_F64 == (int)FV_DTYPE_F64 && TYPE_BF16 == (int)FV_DTYPE_BF16 &&
               TYPE_I8 == (int)FV_DTYPE_I8 && TYPE_U8 == (int)FV_DTYPE_U8 && TYPE_I16 == (int)FV_DTYPE_I16 && TYPE_U16 == (int)FV_DTYPE_U16 &&
               TYPE_I32 == (int)FV_DTYPE_I32 && TYPE_U32 == (int)FV_DTYPE_U32 && TYPE_I64 == (int)FV_DTYPE_I64 && TYPE_U64 == (int)FV_DTYPE_U64 &&
               TYPE_BOOL == (int)FV_DTYPE_BOOL, "shaders number types otherwise");
_Static_assert(TYPED_ADD == TYPED_BINARY + (int)FV_BINARY_ADD && TYPED_FMOD == TYPED_BINARY + (int)FV_BINARY_FMOD && TYPED_EQUAL == TYPED_BINARY + (int)FV_BINARY_EQUAL &&
               TYPED_GREATER_EQUAL == TYPED_BINARY + (int)FV_BINARY_GREATER_EQUAL && TYPED_XOR == TYPED_BINARY + (int)FV_BINARY_XOR &&
               TYPED_BITWISE_XOR == TYPED_BINARY + (int)FV_BINARY_BITWISE_XOR, "shaders number binary operations otherwise");

static void walk_of(const FvTensor *const *tensors, int inputs, FvVkWalk *walk) { fv_vk_walk(tensors, inputs + 1, walk); }

bool fv_vk_typed_fits(const FvTensor *const *tensors, int inputs) {
  FvVkWalk walk;
  for (int i = 0; i <= inputs; i++)
    if (!tensors[i]) return false;
  if (inputs == 3 && tensors[2]->dtype != tensors[3]->dtype) return false;
  walk_of(tensors, inputs, &walk);
  if (walk.rank > TYPED_RANK) return false;
  for (int t = 0; t <= inputs; t++)
    for (int d = 0; d < walk.rank; d++)
      if (walk.strides[t][d] > INT32_MAX || walk.strides[t][d] < INT32_MIN) return false;
  return true;
}

static bool is_move(const FvVkTyped *typed) { return typed->operation == TYPED_MOVE || typed->operation == TYPED_WHERE; }

static uint32_t class_of(const FvVkTyped *typed) {
  if (is_move(typed)) return CLASS_BITS;
  FvDtype a = typed->tensor[1].dtype, b = typed->inputs > 1 ? typed->tensor[2].dtype : a;
  if (fv_dtype_is_float(a) || fv_dtype_is_float(b)) return CLASS_FLOAT;
  return a == FV_DTYPE_U64 || a == FV_DTYPE_U32 ? CLASS_UNSIGNED : CLASS_SIGNED;
}

int fv_vk_typed(FvVkEmit *emit, const FvVkTyped *typed) {
  FvVkWalk walk;
  const FvTensor *tensors[4];
  bool wide = false, has_f64 = false;
  for (int i = 0; i < 4; i++) tensors[i] = &typed->tensor[i];
  for (int i = 0; i <= typed->inputs; i++) {
    wide |= fv_dtype_size(tensors[i]->dtype) == 8;
    has_f64 |= tensors[i]->dtype == FV_DTYPE_F64;
  }
  walk_of(tensors, typed->inputs, &walk);
  struct FvTypedPush push = {.y_at = typed->at[0], .a_at = typed->at[1], .b_at = typed->at[2], .c_at = typed->at[3], .factor = typed->factor};
  int *strides[] = {push.y_strides, push.a_strides, push.b_strides, push.c_strides};
  int64_t count = 1;
  for (int d = 0; d < walk.rank; d++) {
    push.dims[d] = (int)walk.dims[d];
    count *= walk.dims[d];
    for (int t = 0; t <= typed->inputs; t++) strides[t][d] = (int)walk.strides[t][d];
  }
  FvVkLaunch launch = {
    .shader = is_move(typed) || !wide ? FV_SHADER_TYPED : has_f64 ? FV_SHADER_TYPED_DOUBLE : FV_SHADER_TYPED_WIDE, .params = &push, .params_size = sizeof push, .invocations = count,
    .independent = typed->independent, .spec_count = 8,
    .spec = {typed->operation, class_of(typed), (uint32_t)walk.rank, tensors[0]->dtype, tensors[1]->dtype, tensors[2]->dtype, (uint32_t)typed->inputs,
             (uint32_t)(typed->in_weights[1] | typed->in_weights[2] << 1 | typed->in_weights[3] << 2)},
  };
  return fv_vk_launch(emit, &launch);
}

bool fv_vk_has_8_bytes(const FvKernelQuery *q) {
  for (int i = 0; i < q->node->input_count; i++)
    if (q->in[i] && fv_dtype_size(q->in[i]->dtype) == 8) return true;
  for (int i = 0; i < q->node->output_count; i++)
    if (q->out[i] && fv_dtype_size(q->out[i]->dtype) == 8) return true;
  return false;
}

bool fv_vk_has_f64(const FvKernelQuery *q) {
  for (int i = 0; i < q->node->input_count; i++)
    if (q->in[i] && q->in[i]->dtype == FV_DTYPE_F64) return true;
  for (int i = 0; i < q->node->output_count; i++)
    if (q->out[i] && q->out[i]->dtype == FV_DTYPE_F64) return true;
  return false;
}

bool fv_vk_computes(const FvTensor *tensor) { return tensor && tensor->dtype != FV_DTYPE_F64; }

bool fv_vk_move_fits(const FvTensor *y, const FvTensor *a) {
  if (!y || !a || y->dtype != a->dtype) return false;
  const FvTensor *tensors[] = {y, a};
  bool plain = fv_vk_map_fits(y, a, NULL) || fv_vk_copy_bytes_fits(y, a), typed = fv_vk_typed_fits(tensors, 1);
  return y->dtype == FV_DTYPE_F16 ? typed : plain || typed; /* f16 constants, and devices without 16-bit storage */
}

int fv_vk_move(FvVkEmit *emit, const FvTensor *y, int64_t y_at, const FvTensor *a, int64_t a_at, bool a_in_weights) {
  bool half = y->dtype == FV_DTYPE_F16, plain = !half || (!a_in_weights && fv_vk_device_takes_half(emit->device));
  if (plain && fv_vk_map_fits(y, a, NULL)) return fv_vk_copy(emit, y, y_at, a, a_at, a_in_weights);
  if (fv_vk_copy_bytes_fits(y, a)) return fv_vk_copy_bytes(emit, y, y_at, a, a_at, a_in_weights);
  return fv_vk_typed(emit, &(FvVkTyped){.tensor = {*y, *a}, .at = {(int32_t)y_at, (int32_t)a_at}, .in_weights = {false, a_in_weights}, .inputs = 1,
                                        .operation = TYPED_MOVE, .independent = true});
}

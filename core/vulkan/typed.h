/* Launches of shaders/typed.comp: y = f(a), f(a, b) or f(a, b, c) for elements of any type, over any strides. */
#ifndef FOVEA_VULKAN_TYPED_H
#define FOVEA_VULKAN_TYPED_H

#include "base/strided.h"
#include "push/types.h"
#include "vulkan/shape.h"

typedef struct FvVkTyped {
  FvTensor tensor[4]; /* y, a, b, c; data unused; inputs broadcast to y */
  int32_t at[4];      /* elements */
  bool in_weights[4];
  int inputs;         /* 1 to 3 */
  uint32_t operation; /* TYPED_… */
  float factor;       /* of TYPED_SCALE */
  bool independent;   /* as in FvVkLaunch */
} FvVkTyped;

/* Can the shader walk them? b and c must have one type. */
bool fv_vk_typed_fits(const FvTensor *const *tensors, int inputs);
int fv_vk_typed(FvVkEmit *emit, const FvVkTyped *typed);

/* Of a row whose elements are computed with, not just moved: its `needs_int64`. */
bool fv_vk_has_8_bytes(const FvKernelQuery *query);
/* Likewise its `needs_float64`. */
bool fv_vk_has_f64(const FvKernelQuery *query);
/* Types whose numbers all shaders know. f64 is computed with by typed.comp alone, and only moved by the others. */
bool fv_vk_computes(const FvTensor *tensor);

/* y = a for equal types, dims equal or broadcast; the faster shader where the type allows it. Copies of one emit don't wait for each other. */
bool fv_vk_move_fits(const FvTensor *y, const FvTensor *a);
int fv_vk_move(FvVkEmit *emit, const FvTensor *y, int64_t y_at, const FvTensor *a, int64_t a_at, bool a_in_weights);

#endif

/* Launches of shaders/elementwise.comp: y = f(a) or f(a, b) over any strides. Copies of every kind are f(a) = a between rearranged views. */
#ifndef FOVEA_VULKAN_WALK_H
#define FOVEA_VULKAN_WALK_H

#include "vulkan/shape.h"

typedef struct FvVkMap {
  /* f32 or f16, all alike, but what lies in the weights is f32; y = a also between the two. data unused; b is looked at only when binary; inputs
   * broadcast to y. */
  FvTensor y, a, b;
  int32_t y_at, a_at, b_at;
  bool a_in_weights, b_in_weights, binary;
  uint32_t operation;      /* OP_… of shaders/push/operations.h */
  FvActivation activation;
  float alpha, beta;       /* of the operation */
  bool independent;        /* as in FvVkLaunch */
} FvVkMap;

/* Can the shader walk these? (All floats, f32 or f16, not too many dimensions that don't merge.) */
bool fv_vk_map_fits(const FvTensor *y, const FvTensor *a, const FvTensor *b);
int fv_vk_map(FvVkEmit *emit, const FvVkMap *map);
/* y = a, between f32 and f16 too, dims equal or broadcast; several copies of one emit don't wait for each other. */
int fv_vk_copy(FvVkEmit *emit, const FvTensor *y, int64_t y_at, const FvTensor *a, int64_t a_at, bool a_in_weights);

#endif

/* Two nests of loops over one tensor: the groups of elements that belong together, and what runs over each group. */
#ifndef FOVEA_VULKAN_REDUCE_H
#define FOVEA_VULKAN_REDUCE_H

#include "vulkan/shape.h"

#include "push/reduce.h"

typedef struct FvVkNests {
  FvVkWalk kept, over; /* tensors 0: y, 1: x; dims that merge are merged */
} FvVkNests;

/* y has x's dims, with strides 0 along reduced ones when only one element comes out. False: too many dimensions that don't merge. */
bool fv_vk_nests_split(const FvTensor *x, const FvTensor *y, const bool *reduced, FvVkNests *nests);
struct FvReducePush fv_vk_nests_push(const FvVkNests *nests, int32_t x_at, int32_t y_at);
/* Groups: one invocation each. */
int64_t fv_vk_nests_count(const FvVkNests *nests);

#endif

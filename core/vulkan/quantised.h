/* What rows of integer operators share: scales and zero points, and how a picture of bytes lies in words. */
#ifndef FOVEA_VULKAN_QUANTISED_H
#define FOVEA_VULKAN_QUANTISED_H

#include "ops/quantised.h"
#include "push/types.h"
#include "vulkan/shape.h"

static inline bool fv_vk_is_8bit(const FvTensor *t) { return t && fv_dtype_is_8bit(t->dtype); }
static inline bool fv_vk_is_one(const FvTensor *t) { return t && fv_tensor_count(t) == 1; }
/* A constant scale of one number, and a zero point of one number or none, at inputs `scale` and `scale` + 1. */
bool fv_vk_per_tensor(const FvKernelQuery *query, int scale);

/* Do pixels of elements of one byte begin at multiples of `bytes`, with channels one after the other? */
bool fv_vk_bytes_aligned(const FvVkImage *image, int32_t at, int bytes);
/* How fours of results lie, of which `count` are written in a row, for shaders/quantise.glsl: apart, in a word each, or all of them whole words. */
uint32_t fv_vk_bytes_lie(bool in_words, int64_t count);

/* y = a for elements of one byte, dims equal or broadcast. Copies of one emit don't wait for each other. */
bool fv_vk_copy_bytes_fits(const FvTensor *y, const FvTensor *a);
int fv_vk_copy_bytes(FvVkEmit *emit, const FvTensor *y, int64_t y_at, const FvTensor *a, int64_t a_at, bool a_in_weights);

/* A fused activation with its bounds in steps of the output's scale. */
FvActivation fv_vk_activation_in_steps(FvActivation activation, float scale);

#endif

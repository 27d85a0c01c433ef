/* Tensors as shaders walk them. */
#ifndef FOVEA_VULKAN_SHAPE_H
#define FOVEA_VULKAN_SHAPE_H

#include "ops/params.h"
#include "vulkan/kernel.h"

/* A picture: four extents and four strides, whatever the tensor's rank. */
typedef struct FvVkImage {
  int64_t n, c, h, w;
  int64_t sn, sc, sh, sw; /* elements */
} FvVkImage;

/* [N, C, L] is a picture of one row. False for other ranks. */
bool fv_vk_image(const FvTensor *tensor, FvVkImage *image);

typedef struct FvVkWindow {
  int32_t kh, kw, sh, sw, dh, dw, top, left;
} FvVkWindow;
bool fv_vk_window(const FvWindow *window, FvVkWindow *result);

/* Of one of the types that rows of floats take: FvVkHalf says which. */
static inline bool fv_vk_is_float(const FvTensor *tensor) { return tensor && (tensor->dtype == FV_DTYPE_F32 || tensor->dtype == FV_DTYPE_F16); }
static inline bool fv_vk_is_f32(const FvTensor *tensor) { return tensor && tensor->dtype == FV_DTYPE_F32; }
static inline bool fv_vk_is_constant(const FvKernelQuery *query, int index) { return fv_query_input(query, index) && query->in[index]->data; }
static inline int64_t fv_vk_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Do pixels begin at multiples of four elements, with channels one after the other? at: the picture's first element. */
bool fv_vk_image_aligned(const FvVkImage *image, int32_t at);
bool fv_vk_aligned_pixels(const FvVkPlace *place); /* false for what is no picture */

/* How results lie, for shaders/common.glsl. */
enum { FV_VK_LIES_FOURS = 1, FV_VK_LIES_WHOLE = 2, FV_VK_LIES_PAIRS = 4 };
/* channels: how many are written by themselves, all or those of a group. */
uint32_t fv_vk_image_lies(const FvVkImage *image, int32_t at, int64_t channels);
uint32_t fv_vk_place_lies(const FvVkPlace *place); /* 0 for what is no picture */

/* One walk over several tensors of (after numpy broadcasting) one shape: dimensions from the outermost in the first tensor's memory to the innermost,
 * those that all tensors pass through in one stride merged, those of length 1 gone. */
enum { FV_VK_WALK_TENSORS = 9 };
typedef struct FvVkWalk {
  int rank; /* at least 1 */
  int64_t dims[FV_MAX_RANK];
  int64_t strides[FV_VK_WALK_TENSORS][FV_MAX_RANK];
} FvVkWalk;
/* The first tensor has the full shape; the others broadcast to it. */
void fv_vk_walk(const FvTensor *const *tensors, int count, FvVkWalk *walk);
/* May tensor number `index` be read or written four elements at a time along the innermost dimension? at: its first element. */
bool fv_vk_walk_aligned(const FvVkWalk *walk, int index, int64_t at);
uint32_t fv_vk_walk_short(const FvVkWalk *walk); /* the length of rows where that is less than four, else 0 */
uint32_t fv_vk_walk_lies(const FvVkWalk *walk, int64_t at); /* the first tensor, from its element `at` on */

#endif

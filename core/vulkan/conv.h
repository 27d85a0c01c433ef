/* Convolutions, and matrix products seen as 1x1 convolutions over rows: what shaders/conv.comp computes. */
#ifndef FOVEA_VULKAN_CONV_H
#define FOVEA_VULKAN_CONV_H

#include "vulkan/shape.h"

struct FvVkConv {
  FvVkImage x, y, r; /* r: the residual */
  FvVkWindow window;
  int64_t group, channels, outputs; /* channels and outputs of one group */
  bool has_residual;
};

/* How shaders are to divide the work: what the cost model chooses and `fovea tune` measures. All ways read the same packed weights; those that
 * compute in fp32 give the same numbers, and so do those that compute in fp16. */
typedef struct FvVkConvWay {
  FvVkShader shader;
  bool arithmetic;        /* in fp16 */
  int32_t pixels, vecs;   /* output pixels and fours of output channels of one invocation */
  int32_t rows, columns;  /* invocations of a work-group along pixels and channels; 0: each invocation by itself */
  int32_t step;           /* channels in shared memory at a time */
  int32_t group_size;     /* of those by themselves; 0: the device's */
} FvVkConvWay;

/* Ways in which a device may compute a convolution, the one that the cost model chooses first; returns how many there are. */
enum { FV_VK_MAX_WAYS = 16 };
int fv_vk_conv_ways(const FvVkDevice *device, bool texel, FvVkForm form, FvVkArithmetic arithmetic, const FvVkConv *conv, FvVkConvWay ways[FV_VK_MAX_WAYS]);
/* The way for a launch: as it was tuned, else the first. */
FvVkConvWay fv_vk_conv_way(const FvVkEmit *emit, const FvVkConv *conv);

/* Weights as they come: element (output, channel of the group, tap) is at data[output * of_output + channel * of_channel + tap]. */
typedef struct FvVkWeights {
  const float *data, *bias; /* bias: one per output, bias_step apart, or NULL */
  int64_t of_output, of_channel, bias_step;
  float scale, bias_scale;
} FvVkWeights;

/* Can the shader address these pictures? (Output channels one after the other, extents within int.) */
bool fv_vk_conv_fits(const FvVkConv *conv);
size_t fv_vk_conv_packed_size(const FvVkConv *conv);
bool fv_vk_conv_keeps_full(const FvVkConv *conv); /* the weights stay f32, and are multiplied so */
size_t fv_vk_conv_full_size(const FvVkConv *conv); /* of its end, the biases at least, that stays f32 */
void fv_vk_conv_pack(const FvVkConv *conv, const FvVkWeights *weights, float *packed);
/* Rows of any number of batch dimensions as pixels of pictures; false when strides do not allow it. added: what is added to y, or NULL. */
bool fv_vk_rows_as_pixels(const FvTensor *x, const FvTensor *y, const FvTensor *added, FvVkConv *conv);
/* Looks at a Conv node: what any of its kernels wants to know. False where none suits. */
bool fv_vk_conv_look(const FvKernelQuery *query, FvVkConv *conv);
/* The parameters, but for places. */
struct FvConvPush;
void fv_vk_conv_push(const FvVkConv *conv, const FvVkEmit *emit, struct FvConvPush *push);
/* Launches it for the input x_at, the output y_at and the residual r_at (floats in the arena), with the node's activation. */
int fv_vk_conv_emit(FvVkEmit *emit, const FvVkConv *conv, int32_t x_at, int32_t y_at, int32_t r_at);

#endif

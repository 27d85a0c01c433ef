/* Buffers, each with memory of its own: weights, the arena of a frame, staging. */
#ifndef FOVEA_VULKAN_MEMORY_H
#define FOVEA_VULKAN_MEMORY_H

#include "vulkan/device.h"

typedef enum FvVkMemory {
  FV_VK_DEVICE,   /* where shaders are fastest; mapped too when the device's memory is unified */
  FV_VK_UPLOAD,   /* the host writes */
  FV_VK_READBACK, /* the host reads; shaders may write there as well as copies */
} FvVkMemory;

typedef enum FvVkViews { FV_VK_NO_VIEWS, FV_VK_FLOAT_VIEWS, FV_VK_HALF_VIEWS /* of floats too */ } FvVkViews;

typedef struct FvVkBuffer {
  VkBuffer handle;
  VkDeviceMemory memory;
  VkDeviceSize size;
  char *map;                    /* NULL when the host cannot reach it */
  VkBufferView texel4, texel1, half4, half1; /* RGBA32F, R32F, RGBA16F and R16F over the whole, where asked for */
  VkBufferView words1, words2, words4;       /* likewise R32UI, RG32UI and RGBA32UI */
} FvVkBuffer;

/* Host-visible memory is always coherent: nothing needs flushing. */
int fv_vk_buffer_create(FvVkDevice *device, int64_t bytes, FvVkMemory kind, FvVkViews views, const char *what, FvVkBuffer *buffer, FvError *err);
/* texel1 of a buffer without views becomes one of 32-bit words. */
int fv_vk_buffer_view_words(FvVkDevice *device, FvVkBuffer *buffer, FvError *err);
void fv_vk_buffer_destroy(FvVkDevice *device, FvVkBuffer *buffer);
/* Copies the first bytes of a buffer into another, and waits. */
int fv_vk_copy_now(FvVkDevice *device, const FvVkBuffer *from, const FvVkBuffer *to, VkDeviceSize bytes, FvError *err);
/* Can a buffer of so many bytes be read through these texel buffer views in one piece, and written as one storage buffer? */
bool fv_vk_fits_texel(const FvVkDevice *device, FvVkViews views, int64_t bytes);
bool fv_vk_fits_storage(const FvVkDevice *device, int64_t bytes);

#endif

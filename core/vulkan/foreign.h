/* Memory that somebody else owns, as a buffer to copy from, for the length of a frame. */
#ifndef FOVEA_VULKAN_FOREIGN_H
#define FOVEA_VULKAN_FOREIGN_H

#include "vulkan/device.h"

typedef struct FvVkForeign {
  VkBuffer handle;
  VkDeviceMemory memory;
  int64_t size;
} FvVkForeign;

/* The pages that hold [begin, begin + bytes); *offset is where begin lies in the buffer. False when the device cannot: nothing is lost then. */
bool fv_vk_foreign_host(FvVkDevice *device, const void *begin, int64_t bytes, FvVkForeign *foreign, int64_t *offset);
/* A DMA buffer, whole and linear. The descriptor stays the caller's. Waits for those who still write it. */
bool fv_vk_foreign_dma(FvVkDevice *device, int fd, FvVkForeign *foreign);
void fv_vk_foreign_finish(FvVkDevice *device, FvVkForeign *foreign);

#endif

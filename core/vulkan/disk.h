/* What is kept on disk for a device and its driver. The pipeline cache's file (base/cache.h): vulkan-UUID.cache, one per driver and device. Drivers trust what they are given more than they should, so it
 * carries a checksum; a file that is damaged, or of another driver, counts as absent. */
#ifndef FOVEA_VULKAN_DISK_H
#define FOVEA_VULKAN_DISK_H

#include "vulkan/functions.h"

/* malloc'ed, or NULL. */
void *fv_vk_disk_read(const VkPhysicalDeviceProperties *device, size_t *size);
void fv_vk_disk_write(const VkPhysicalDeviceProperties *device, const void *data, size_t size);

/* Likewise tune-UUID.cache: what was measured. */
void *fv_vk_disk_read_tuning(const VkPhysicalDeviceProperties *device, size_t max_bytes, size_t *size);
void fv_vk_disk_write_tuning(const VkPhysicalDeviceProperties *device, const void *data, size_t size);

#endif

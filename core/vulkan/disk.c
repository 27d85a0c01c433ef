#include "vulkan/disk.h"

#include <stdio.h>

#include "base/cache.h"
#include "vulkan/instance.h"

static const char pipelines[FV_CACHE_KIND_BYTES] = {'f', 'v', 'v', 'k', 'p', 'c', '0', '1'}, tunings[FV_CACHE_KIND_BYTES] = {'f', 'v', 'v', 'k', 't', 'u', '0', '1'};

typedef struct Name {
  char text[sizeof "vulkan-.cache" + 2 * VK_UUID_SIZE];
} Name;

static Name name_of(const char *what, const VkPhysicalDeviceProperties *device) {
  Name name;
  int used = snprintf(name.text, sizeof name.text, "%s-", what);
  for (size_t i = 0; i < VK_UUID_SIZE; i++) used += snprintf(name.text + used, sizeof name.text - (size_t)used, "%02x", device->pipelineCacheUUID[i]);
  snprintf(name.text + used, sizeof name.text - (size_t)used, ".cache");
  return name;
}

void *fv_vk_disk_read(const VkPhysicalDeviceProperties *device, size_t *size) {
  *size = 0;
  return fv_vk_wish("nocache") ? NULL : fv_cache_read(name_of("vulkan", device).text, pipelines, FV_CACHE_MAX_BYTES, size);
}

void fv_vk_disk_write(const VkPhysicalDeviceProperties *device, const void *data, size_t size) {
  if (!fv_vk_wish("nocache")) fv_cache_write(name_of("vulkan", device).text, pipelines, data, size);
}

void *fv_vk_disk_read_tuning(const VkPhysicalDeviceProperties *device, size_t max_bytes, size_t *size) {
  *size = 0;
  return fv_vk_wish("nocache") ? NULL : fv_cache_read(name_of("tune", device).text, tunings, max_bytes, size);
}

void fv_vk_disk_write_tuning(const VkPhysicalDeviceProperties *device, const void *data, size_t size) {
  if (!fv_vk_wish("nocache")) fv_cache_write(name_of("tune", device).text, tunings, data, size);
}

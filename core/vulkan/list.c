/* The devices that Vulkan shows, described for users. */
#include <stdio.h>
#include <string.h>

#include "vulkan/device.h"

typedef struct Word {
  bool present;
  const char *text;
} Word;

static void join(const Word *words, size_t count, char *text, size_t size) {
  size_t used = strlen(text);
  for (size_t i = 0; i < count && used + 1 < size; i++)
    if (words[i].present) used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", words[i].text);
}

static void describe_features(const FvVkTraits *t, char *text, size_t size) {
  const Word words[] = {
    {t->float16, "fp16"}, {t->int8, "int8"}, {t->storage8, "storage8"}, {t->storage16, "storage16"}, {t->dot_product, "dot4"},
    {t->dot_product_accelerated, "dot4-fast"}, {t->cooperative_matrix, "matrix"}, {t->subgroup_arithmetic, "subgroup-arithmetic"},
    {t->subgroup_shuffle, "subgroup-shuffle"}, {t->timeline, "timeline"}, {t->host_import, "host-import"}, {t->dma_buf, "dmabuf"}, {t->unified, "unified"},
  };
  uint32_t api = t->properties.apiVersion;
  snprintf(text, size, "vulkan%u.%u subgroup%u", VK_API_VERSION_MAJOR(api), VK_API_VERSION_MINOR(api), t->subgroup_size);
  join(words, sizeof words / sizeof words[0], text, size);
}

static void describe_subgroups(VkSubgroupFeatureFlags operations, char *text, size_t size) {
  const Word words[] = {
    {operations & VK_SUBGROUP_FEATURE_BASIC_BIT, "basic"}, {operations & VK_SUBGROUP_FEATURE_VOTE_BIT, "vote"},
    {operations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT, "arithmetic"}, {operations & VK_SUBGROUP_FEATURE_BALLOT_BIT, "ballot"},
    {operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT, "shuffle"}, {operations & VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT, "shuffle-relative"},
    {operations & VK_SUBGROUP_FEATURE_CLUSTERED_BIT, "clustered"}, {operations & VK_SUBGROUP_FEATURE_QUAD_BIT, "quad"},
  };
  *text = '\0';
  join(words, sizeof words / sizeof words[0], text, size);
}

static void describe_memory(const VkPhysicalDeviceMemoryProperties *memory, FvVulkanTraits *traits) {
  bool counted[VK_MAX_MEMORY_HEAPS] = {false};
  for (uint32_t i = 0; i < memory->memoryHeapCount; i++)
    if (memory->memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) traits->memory_bytes += (int64_t)memory->memoryHeaps[i].size;
  const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
  for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
    const VkMemoryType *type = &memory->memoryTypes[i];
    if ((type->propertyFlags & wanted) != wanted || counted[type->heapIndex]) continue;
    counted[type->heapIndex] = true;
    traits->visible_bytes += (int64_t)memory->memoryHeaps[type->heapIndex].size;
  }
}

static FvDeviceKind kind_of(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return FV_DEVICE_DISCRETE_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return FV_DEVICE_INTEGRATED_GPU;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return FV_DEVICE_SOFTWARE;
    default: return FV_DEVICE_VIRTUAL_GPU;
  }
}

static void describe_traits(const FvVkTraits *t, FvVulkanTraits *to) {
  const VkPhysicalDeviceProperties *p = &t->properties;
  *to = (FvVulkanTraits){
    .api_major = (int)VK_API_VERSION_MAJOR(p->apiVersion), .api_minor = (int)VK_API_VERSION_MINOR(p->apiVersion), .driver_version = p->driverVersion,
    .vendor_id = p->vendorID, .device_id = p->deviceID, .storage8 = t->storage8, .storage16 = t->storage16, .float16 = t->float16, .float64 = t->float64,
    .int8 = t->int8, .int16 = t->int16, .int64 = t->int64, .dot_product = t->dot_product, .dot_product_accelerated = t->dot_product_accelerated,
    .subgroup_size = (int)t->subgroup_size, .cooperative_matrix = t->cooperative_matrix, .timeline = t->timeline, .host_import = t->host_import,
    .host_import_alignment = (int64_t)t->host_import_alignment, .dma_buf = t->dma_buf, .unified = t->unified, .async_compute = t->async_compute,
    .queue_family = t->queue_family == UINT32_MAX ? -1 : (int)t->queue_family, .timestamp_bits = (int)t->timestamp_bits,
    .largest_buffer = p->limits.maxStorageBufferRange, .largest_texel_buffer = p->limits.maxTexelBufferElements,
  };
  snprintf(to->driver, sizeof to->driver, "%s", t->driver);
  for (size_t i = 0; i < VK_UUID_SIZE; i++) snprintf(to->cache_id + 2 * i, 3, "%02x", p->pipelineCacheUUID[i]);
  describe_subgroups(t->subgroup_operations, to->subgroup_operations, sizeof to->subgroup_operations);
  describe_memory(&t->memory, to);
}

static void describe(FvVkInstance *instance, VkPhysicalDevice physical, int index, FvDeviceInfo *info) {
  FvVkTraits traits;
  fv_vk_traits_read(instance, physical, &traits);
  *info = (FvDeviceInfo){.kind = kind_of(traits.properties.deviceType)};
  snprintf(info->id, sizeof info->id, "vulkan:%d", index);
  snprintf(info->name, sizeof info->name, "%.*s", (int)sizeof info->name - 1, traits.properties.deviceName);
  describe_traits(&traits, &info->vulkan);
  const char *problem = fv_vk_traits_problem(&traits);
  info->usable = !problem;
  if (problem)
    snprintf(info->reason, sizeof info->reason, "%s", problem);
  else
    describe_features(&traits, info->features, sizeof info->features);
}

static int describe_absence(FvDeviceInfo *devices, int capacity, const FvError *why) {
  if (capacity < 1) return 1;
  devices[0] = (FvDeviceInfo){.id = "vulkan", .name = "Vulkan", .kind = FV_DEVICE_VIRTUAL_GPU};
  snprintf(devices[0].reason, sizeof devices[0].reason, "%.*s", (int)sizeof devices[0].reason - 1, why->message);
  return 1;
}

int fv_vk_devices_list(FvDeviceInfo *devices, int capacity) {
  FvError err;
  VkPhysicalDevice found[FV_VK_MAX_DEVICES];
  FvVkInstance *instance = fv_vk_instance_take(&err);
  if (!instance) return describe_absence(devices, capacity, &err);
  int count = fv_vk_instance_devices(instance, found, &err);
  if (count == 0) fv_error_set(&err, FV_ERR_DEVICE, "no Vulkan driver found a device");
  for (int i = 0; i < count && i < capacity; i++) describe(instance, found[i], i, &devices[i]);
  fv_vk_instance_give(instance);
  return count > 0 ? count : describe_absence(devices, capacity, &err);
}

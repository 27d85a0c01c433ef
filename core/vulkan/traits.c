/* What a physical device can do. Nothing is asked by the device's name. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "vulkan/device.h"

enum { MAX_EXTENSIONS = 512 };

typedef struct Extensions {
  VkExtensionProperties list[MAX_EXTENSIONS];
  uint32_t count;
} Extensions;

static bool has(const Extensions *extensions, const char *name) {
  for (uint32_t i = 0; i < extensions->count; i++)
    if (strcmp(extensions->list[i].extensionName, name) == 0) return true;
  return false;
}

/* Puts a struct into the chain that GetPhysicalDevice…2 fills. */
static void chain(void *root, void *next) {
  ((VkBaseOutStructure *)next)->pNext = ((VkBaseOutStructure *)root)->pNext;
  ((VkBaseOutStructure *)root)->pNext = next;
}

static void read_features(FvVkInstance *instance, VkPhysicalDevice physical, const Extensions *extensions, FvVkTraits *traits) {
  uint32_t api = traits->properties.apiVersion;
  VkPhysicalDeviceFeatures2 root = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
  VkPhysicalDevice16BitStorageFeatures storage16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
  VkPhysicalDevice8BitStorageFeatures storage8 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES};
  VkPhysicalDeviceShaderFloat16Int8Features small = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
  VkPhysicalDeviceTimelineSemaphoreFeatures timeline = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES};
  chain(&root, &storage16);
  if (api >= VK_API_VERSION_1_2 || has(extensions, VK_KHR_8BIT_STORAGE_EXTENSION_NAME)) chain(&root, &storage8);
  if (api >= VK_API_VERSION_1_2 || has(extensions, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME)) chain(&root, &small);
  if (api >= VK_API_VERSION_1_3 || has(extensions, VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME)) chain(&root, &dot);
  if (api >= VK_API_VERSION_1_2 || has(extensions, VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME)) chain(&root, &timeline);
  instance->vk.GetPhysicalDeviceFeatures2(physical, &root);
  traits->storage16 = storage16.storageBuffer16BitAccess;
  traits->storage8 = storage8.storageBuffer8BitAccess;
  traits->float16 = small.shaderFloat16;
  traits->int8 = small.shaderInt8;
  traits->dot_product = dot.shaderIntegerDotProduct;
  traits->timeline = timeline.timelineSemaphore;
  traits->storage_formats = root.features.shaderStorageImageExtendedFormats;
  traits->int16 = root.features.shaderInt16;
  traits->int64 = root.features.shaderInt64;
  traits->float64 = root.features.shaderFloat64;
}

static void read_properties(FvVkInstance *instance, VkPhysicalDevice physical, const Extensions *extensions, FvVkTraits *traits) {
  VkPhysicalDeviceProperties2 root = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
  VkPhysicalDeviceShaderIntegerDotProductProperties dot = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
  VkPhysicalDeviceExternalMemoryHostPropertiesEXT host = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
  VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
  traits->host_import = has(extensions, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
  chain(&root, &subgroup);
  if (traits->properties.apiVersion >= VK_API_VERSION_1_2 || has(extensions, VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME)) chain(&root, &driver);
  if (traits->dot_product) chain(&root, &dot);
  if (traits->host_import) chain(&root, &host);
  instance->vk.GetPhysicalDeviceProperties2(physical, &root);
  snprintf(traits->driver, sizeof traits->driver, "%.70s%s%.70s", driver.driverName, *driver.driverInfo ? ", " : "", driver.driverInfo);
  fv_text_clean(traits->driver);
  traits->subgroup_size = subgroup.subgroupSize;
  if (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) traits->subgroup_operations = subgroup.supportedOperations;
  traits->subgroup_arithmetic = traits->subgroup_operations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
  traits->subgroup_shuffle = traits->subgroup_operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
  traits->dot_product_accelerated = dot.integerDotProduct4x8BitPackedSignedAccelerated && dot.integerDotProduct4x8BitPackedMixedSignednessAccelerated;
  traits->host_import_alignment = host.minImportedHostPointerAlignment;
  traits->cooperative_matrix = has(extensions, "VK_KHR_cooperative_matrix") || has(extensions, "VK_NV_cooperative_matrix");
  traits->dma_buf = has(extensions, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME) && has(extensions, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME);
}

static bool has_texel_format(FvVkInstance *instance, VkPhysicalDevice physical, VkFormat format) {
  const VkFormatFeatureFlags wanted = VK_FORMAT_FEATURE_STORAGE_TEXEL_BUFFER_BIT;
  VkFormatProperties properties;
  instance->vk.GetPhysicalDeviceFormatProperties(physical, format, &properties);
  return (properties.bufferFeatures & wanted) == wanted;
}

static void choose_queue(FvVkInstance *instance, VkPhysicalDevice physical, FvVkTraits *traits) {
  VkQueueFamilyProperties families[32];
  uint32_t count = 32;
  instance->vk.GetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
  traits->queue_family = UINT32_MAX;
  for (uint32_t i = 0; i < count; i++) {
    if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
    bool alone = !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT);
    if (traits->queue_family != UINT32_MAX && !alone) continue;
    traits->queue_family = i;
    traits->async_compute = alone;
    traits->timestamp_bits = families[i].timestampValidBits;
    if (alone) return;
  }
}

/* The host reads results: its view of device memory must be cached. Cards with their own memory never count, whatever part of it they show. */
static bool is_unified(const FvVkTraits *traits) {
  VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  if (traits->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU || fv_vk_wish("staging")) return false;
  for (uint32_t i = 0; i < traits->memory.memoryTypeCount; i++)
    if ((traits->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return true;
  return false;
}

void fv_vk_traits_read(FvVkInstance *instance, VkPhysicalDevice physical, FvVkTraits *traits) {
  Extensions extensions;
  VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  *traits = (FvVkTraits){0};
  instance->vk.GetPhysicalDeviceProperties2(physical, &properties);
  traits->properties = properties.properties;
  extensions.count = MAX_EXTENSIONS;
  VkResult result = instance->vk.EnumerateDeviceExtensionProperties(physical, NULL, &extensions.count, extensions.list);
  if (result != VK_SUCCESS && result != VK_INCOMPLETE) extensions.count = 0;
  choose_queue(instance, physical, traits);
  if (traits->properties.apiVersion < VK_API_VERSION_1_1) return;
  if (traits->properties.apiVersion > instance->api) traits->properties.apiVersion = instance->api;
  instance->vk.GetPhysicalDeviceMemoryProperties(physical, &traits->memory);
  read_features(instance, physical, &extensions, traits);
  read_properties(instance, physical, &extensions, traits);
  traits->half_texel = traits->storage_formats && has_texel_format(instance, physical, VK_FORMAT_R16_SFLOAT) && has_texel_format(instance, physical, VK_FORMAT_R16G16B16A16_SFLOAT);
  traits->unified = is_unified(traits);
}

const char *fv_vk_traits_problem(const FvVkTraits *traits) {
  if (traits->properties.apiVersion < VK_API_VERSION_1_1) return "its driver is older than Vulkan 1.1";
  if (traits->queue_family == UINT32_MAX) return "it has no queue for compute";
  return NULL;
}

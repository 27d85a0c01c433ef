#include "vulkan/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan/pipeline.h"
#include "vulkan/probe.h"
#include "vulkan/tuned.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FvVkDevice *opened[FV_VK_MAX_DEVICES]; /* by index; plans on one device share it */

/* GPUs before software, cards before what shares the host's memory. */
static int rank_of(const FvVkTraits *traits) {
  switch (traits->properties.deviceType) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 4;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 3;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    default: return 1;
  }
}

static bool name_contains(const char *name, const char *part) {
  size_t length = strlen(part);
  for (; *name; name++)
    if (strncasecmp(name, part, length) == 0) return true;
  return false;
}

static bool matches(const FvVkTraits *traits, int index, const char *which) {
  if (!which || !*which) return true;
  char *end;
  long number = strtol(which, &end, 10);
  return *end == 0 && isdigit((unsigned char)*which) ? number == index : name_contains(traits->properties.deviceName, which);
}

/* The index of the device meant, its traits filled, or a negative code. */
static int choose(FvVkInstance *instance, const VkPhysicalDevice *found, int count, const char *which, FvVkTraits *traits, FvError *err) {
  int best = -1, best_rank = 0;
  const char *problem = NULL;
  for (int i = 0; i < count; i++) {
    FvVkTraits seen;
    fv_vk_traits_read(instance, found[i], &seen);
    if (!matches(&seen, i, which)) continue;
    const char *why = fv_vk_traits_problem(&seen);
    if (why) problem = why;
    if (why || rank_of(&seen) <= best_rank) continue;
    best = i;
    best_rank = rank_of(&seen);
    *traits = seen;
  }
  if (best >= 0) return best;
  if (problem) return fv_error_set(err, FV_ERR_DEVICE, "device 'vulkan%s%s' cannot be used: %s", which ? ":" : "", which ? which : "", problem);
  if (which) return fv_error_set(err, FV_ERR_DEVICE, "there is no device 'vulkan:%s'; 'fovea devices' lists them", which);
  return fv_error_set(err, FV_ERR_DEVICE, "no Vulkan driver found a device");
}

static VkResult create_logical(FvVkDevice *device) {
  const FvVkTraits *t = &device->traits;
  static const float priority = 1;
  const char *extensions[8];
  uint32_t count = 0, api = t->properties.apiVersion;
  VkPhysicalDevice16BitStorageFeatures storage16 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, .storageBuffer16BitAccess = t->storage16};
  VkPhysicalDevice8BitStorageFeatures storage8 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, .pNext = &storage16, .storageBuffer8BitAccess = true};
  VkPhysicalDeviceShaderFloat16Int8Features small = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, .shaderFloat16 = t->float16, .shaderInt8 = t->int8};
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, .shaderIntegerDotProduct = true};
  void *next = &storage16;
  if (t->storage8) {
    next = &storage8;
    if (api < VK_API_VERSION_1_2) extensions[count++] = VK_KHR_8BIT_STORAGE_EXTENSION_NAME;
  }
  if (t->float16 || t->int8) {
    small.pNext = next;
    next = &small;
    if (api < VK_API_VERSION_1_2) extensions[count++] = VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME;
  }
  if (t->dot_product) {
    dot.pNext = next;
    next = &dot;
    if (api < VK_API_VERSION_1_3) extensions[count++] = VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
  }
  if (t->host_import) extensions[count++] = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
  if (t->dma_buf) {
    extensions[count++] = VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME;
    extensions[count++] = VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME;
  }
  VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = next,
                                        .features = {.shaderStorageImageExtendedFormats = t->storage_formats, .shaderInt16 = t->int16, .shaderInt64 = t->int64, .shaderFloat64 = t->float64}};
  VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueFamilyIndex = t->queue_family, .queueCount = 1, .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features, .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue,
                             .enabledExtensionCount = count, .ppEnabledExtensionNames = extensions};
  return device->instance->vk.CreateDevice(device->physical, &info, NULL, &device->handle);
}

static int load_functions(FvVkDevice *device, FvError *err) {
  bool missing = false;
#define LOAD(name) missing |= !(device->vk.name = (PFN_vk##name)device->instance->vk.GetDeviceProcAddr(device->handle, "vk" #name));
  FV_VK_DEVICE_FUNCTIONS(LOAD)
#undef LOAD
  PFN_vkGetDeviceProcAddr find = device->instance->vk.GetDeviceProcAddr;
  if (device->traits.host_import) device->host_properties = (PFN_vkGetMemoryHostPointerPropertiesEXT)find(device->handle, "vkGetMemoryHostPointerPropertiesEXT");
  if (device->traits.dma_buf) device->fd_properties = (PFN_vkGetMemoryFdPropertiesKHR)find(device->handle, "vkGetMemoryFdPropertiesKHR");
  return missing ? fv_error_set(err, FV_ERR_DEVICE, "device '%s': its driver lacks functions of Vulkan 1.1", device->id) : 0;
}

static int set_up(FvVkDevice *device, FvError *err) {
  VkResult made = create_logical(device);
  if (made != VK_SUCCESS) return fv_vk_failure(device, made, "opening the device", err);
  int result = load_functions(device, err);
  if (result < 0) return result;
  device->vk.GetDeviceQueue(device->handle, device->traits.queue_family, 0, &device->queue);
  device->group_size = device->traits.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU ? 32 : 64;
  device->tunings = fv_vk_tunings_create(device);
  result = fv_vk_pipelines_create(device, err);
  if (result == 0) result = fv_vk_probe_load_path(device, err);
  fv_vk_faults_read(&device->faults);
  return result;
}

static void destroy(FvVkDevice *device) {
  if (atomic_load(&device->stuck)) return;
  if (device->handle && device->vk.DestroyDevice) {
    fv_vk_pipelines_destroy(device);
    device->vk.DestroyDevice(device->handle, NULL);
  }
  fv_vk_tunings_destroy(device->tunings);
  fv_vk_instance_give(device->instance);
  pthread_mutex_destroy(&device->queue_lock);
  free(device);
}

static FvVkDevice *create(FvVkInstance *instance, VkPhysicalDevice physical, int index, const FvVkTraits *traits, FvError *err) {
  FvVkDevice *device = calloc(1, sizeof *device);
  if (!device) {
    fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
    return NULL;
  }
  pthread_mutex_init(&device->queue_lock, NULL);
  device->instance = fv_vk_instance_take(NULL); /* cannot fail: the caller holds one */
  device->physical = physical;
  device->index = index;
  device->traits = *traits;
  snprintf(device->id, sizeof device->id, "vulkan:%d", index);
  if (set_up(device, err) == 0) return device;
  destroy(device);
  return NULL;
}

static int open_locked(FvVkInstance *instance, const char *which, FvVkDevice **device, FvError *err) {
  VkPhysicalDevice found[FV_VK_MAX_DEVICES];
  FvVkTraits traits;
  int count = fv_vk_instance_devices(instance, found, err);
  int index = count < 0 ? count : choose(instance, found, count, which, &traits, err);
  if (index < 0) return index;
  FvVkDevice *shared = opened[index];
  if (!shared || atomic_load(&shared->lost)) shared = create(instance, found[index], index, &traits, err); /* a lost one goes when its users do */
  if (!shared) return FV_ERR_DEVICE;
  opened[index] = shared;
  shared->references++;
  *device = shared;
  return 0;
}

int fv_vk_device_open(const char *which, FvVkDevice **device, FvError *err) {
  *device = NULL;
  FvVkInstance *instance = fv_vk_instance_take(err);
  if (!instance) return FV_ERR_DEVICE;
  pthread_mutex_lock(&lock);
  int result = open_locked(instance, which, device, err);
  pthread_mutex_unlock(&lock);
  fv_vk_instance_give(instance);
  return result;
}

void fv_vk_device_close(FvVkDevice **device) {
  if (!device || !*device) return;
  FvVkDevice *old = *device;
  *device = NULL;
  pthread_mutex_lock(&lock);
  if (--old->references == 0) {
    if (opened[old->index] == old) opened[old->index] = NULL;
    destroy(old);
  }
  pthread_mutex_unlock(&lock);
}

const char *fv_vk_device_id(const FvVkDevice *device) { return device->id; }
bool fv_vk_device_takes_half(const FvVkDevice *device) { return device->traits.storage16; }
bool fv_vk_device_computes_half(const FvVkDevice *device) { return device->traits.storage16 && device->traits.float16; }
bool fv_vk_device_is_software(const FvVkDevice *device) { return device->traits.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU; }
bool fv_vk_device_imports_dma(const FvVkDevice *device) { return device->fd_properties != NULL; }
const char *fv_vk_device_load_path(const FvVkDevice *device) { return device->texel ? "texel" : "storage"; }

int fv_vk_failure(FvVkDevice *device, VkResult result, const char *what, FvError *err) {
  const char *why = "the driver reported an error";
  switch (result) {
    case VK_ERROR_OUT_OF_HOST_MEMORY: why = "out of host memory"; break;
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: why = "out of device memory"; break;
    case VK_ERROR_DEVICE_LOST: why = "the device was lost"; break;
    case VK_TIMEOUT: why = "no answer in time"; break;
    case VK_ERROR_INITIALIZATION_FAILED: why = "the driver could not initialise it"; break;
    case VK_ERROR_TOO_MANY_OBJECTS: why = "too many objects"; break;
    default: break;
  }
  if (result == VK_ERROR_DEVICE_LOST || result == VK_TIMEOUT) atomic_store(&device->lost, true);
  return fv_error_set(err, FV_ERR_DEVICE, "device '%s' (%s): %s: %s (%d)", device->id, device->traits.properties.deviceName, what, why, result);
}

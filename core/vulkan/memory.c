#include "vulkan/memory.h"

#include <string.h>

enum { ELEMENT = 16 };

bool fv_vk_fits_texel(const FvVkDevice *device, FvVkViews views, int64_t bytes) {
  return bytes / (views == FV_VK_HALF_VIEWS ? 2 : 4) <= (int64_t)device->traits.properties.limits.maxTexelBufferElements;
}

bool fv_vk_fits_storage(const FvVkDevice *device, int64_t bytes) {
  return bytes <= (int64_t)device->traits.properties.limits.maxStorageBufferRange && bytes / 2 <= INT32_MAX; /* shaders count elements by int, fp16 ones too */
}

/* The first type that has all wanted flags, preferring those that have the liked ones too; drivers list the best first. */
static uint32_t find_type(const FvVkTraits *traits, uint32_t allowed, VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags liked) {
  for (int pass = 0; pass < 2; pass++)
    for (uint32_t i = 0; i < traits->memory.memoryTypeCount; i++) {
      VkMemoryPropertyFlags flags = traits->memory.memoryTypes[i].propertyFlags;
      VkMemoryPropertyFlags need = pass ? wanted : wanted | liked;
      if (allowed & 1u << i && (flags & need) == need) return i;
    }
  return UINT32_MAX;
}

static uint32_t type_for(const FvVkTraits *traits, uint32_t allowed, FvVkMemory kind) {
  const VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  if (kind == FV_VK_UPLOAD) return find_type(traits, allowed, host, 0);
  if (kind == FV_VK_READBACK) return find_type(traits, allowed, host, VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
  uint32_t type = find_type(traits, allowed, traits->unified ? local | host : local, VK_MEMORY_PROPERTY_HOST_CACHED_BIT * traits->unified);
  return type == UINT32_MAX ? find_type(traits, allowed, 0, local) : type;
}

static VkResult create_view(FvVkDevice *device, const FvVkBuffer *buffer, VkFormat format, VkBufferView *view) {
  VkBufferViewCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO, .buffer = buffer->handle, .format = format, .range = VK_WHOLE_SIZE};
  return device->vk.CreateBufferView(device->handle, &info, NULL, view);
}

static VkResult allocate(FvVkDevice *device, FvVkMemory kind, FvVkBuffer *buffer) {
  VkMemoryRequirements needs;
  device->vk.GetBufferMemoryRequirements(device->handle, buffer->handle, &needs);
  VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size,
                               .memoryTypeIndex = type_for(&device->traits, needs.memoryTypeBits, kind)};
  if (info.memoryTypeIndex == UINT32_MAX) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  VkResult result = fv_vk_fault_check(&device->faults, FV_VK_FAULT_OOM);
  if (result == VK_SUCCESS) result = device->vk.AllocateMemory(device->handle, &info, NULL, &buffer->memory);
  if (result == VK_SUCCESS) result = device->vk.BindBufferMemory(device->handle, buffer->handle, buffer->memory, 0);
  bool mapped = kind != FV_VK_DEVICE || device->traits.unified;
  if (result == VK_SUCCESS && mapped) result = device->vk.MapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, (void **)&buffer->map);
  return result;
}

int fv_vk_buffer_create(FvVkDevice *device, int64_t bytes, FvVkMemory kind, FvVkViews views, const char *what, FvVkBuffer *buffer, FvError *err) {
  *buffer = (FvVkBuffer){.size = (VkDeviceSize)(bytes + ELEMENT - 1) / ELEMENT * ELEMENT + ELEMENT};
  VkBufferUsageFlags usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  if (kind == FV_VK_READBACK) usage |= VK_BUFFER_USAGE_STORAGE_BUFFER_BIT;
  if (kind == FV_VK_DEVICE) usage |= VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT;
  VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = buffer->size, .usage = usage};
  VkResult result = device->vk.CreateBuffer(device->handle, &info, NULL, &buffer->handle);
  if (result == VK_SUCCESS) atomic_fetch_add(&device->buffer_count, 1);
  if (result == VK_SUCCESS) result = allocate(device, kind, buffer);
  if (result == VK_SUCCESS && views != FV_VK_NO_VIEWS) result = create_view(device, buffer, VK_FORMAT_R32G32B32A32_SFLOAT, &buffer->texel4);
  if (result == VK_SUCCESS && views != FV_VK_NO_VIEWS) result = create_view(device, buffer, VK_FORMAT_R32_SFLOAT, &buffer->texel1);
  if (result == VK_SUCCESS && views != FV_VK_NO_VIEWS) result = create_view(device, buffer, VK_FORMAT_R32_UINT, &buffer->words1);
  if (result == VK_SUCCESS && views != FV_VK_NO_VIEWS) result = create_view(device, buffer, VK_FORMAT_R32G32_UINT, &buffer->words2);
  if (result == VK_SUCCESS && views != FV_VK_NO_VIEWS) result = create_view(device, buffer, VK_FORMAT_R32G32B32A32_UINT, &buffer->words4);
  if (result == VK_SUCCESS && views == FV_VK_HALF_VIEWS) result = create_view(device, buffer, VK_FORMAT_R16G16B16A16_SFLOAT, &buffer->half4);
  if (result == VK_SUCCESS && views == FV_VK_HALF_VIEWS) result = create_view(device, buffer, VK_FORMAT_R16_SFLOAT, &buffer->half1);
  if (result == VK_SUCCESS) return 0;
  fv_vk_buffer_destroy(device, buffer);
  return fv_vk_failure(device, result, what, err);
}

int fv_vk_buffer_view_words(FvVkDevice *device, FvVkBuffer *buffer, FvError *err) {
  VkResult result = create_view(device, buffer, VK_FORMAT_R32_UINT, &buffer->texel1);
  return result == VK_SUCCESS ? 0 : fv_vk_failure(device, result, "a view of memory", err);
}

void fv_vk_buffer_destroy(FvVkDevice *device, FvVkBuffer *buffer) {
  if (atomic_load(&device->stuck)) return;
  const VkBufferView views[] = {buffer->texel4, buffer->texel1, buffer->half4, buffer->half1, buffer->words1, buffer->words2, buffer->words4};
  for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
    if (views[i]) device->vk.DestroyBufferView(device->handle, views[i], NULL);
  if (buffer->handle) {
    device->vk.DestroyBuffer(device->handle, buffer->handle, NULL);
    atomic_fetch_sub(&device->buffer_count, 1);
  }
  if (buffer->memory) device->vk.FreeMemory(device->handle, buffer->memory, NULL); /* unmaps */
  *buffer = (FvVkBuffer){0};
}

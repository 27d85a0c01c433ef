#include "vulkan/foreign.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

enum { WRITERS_MS = 1000 };

static uint32_t lowest_type(uint32_t types) {
  for (uint32_t i = 0; i < VK_MAX_MEMORY_TYPES; i++)
    if (types & 1u << i) return i;
  return UINT32_MAX;
}

/* import: what the allocation's chain says of the memory; types: those that it can be imported as. */
static bool import(FvVkDevice *device, VkExternalMemoryHandleTypeFlagBits kind, const void *chain, uint32_t types, int64_t bytes, FvVkForeign *foreign) {
  VkExternalMemoryBufferCreateInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, .handleTypes = kind};
  VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .pNext = &external, .size = (VkDeviceSize)bytes, .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT};
  VkMemoryRequirements needs;
  *foreign = (FvVkForeign){.size = bytes};
  if (device->vk.CreateBuffer(device->handle, &info, NULL, &foreign->handle) != VK_SUCCESS) return false;
  device->vk.GetBufferMemoryRequirements(device->handle, foreign->handle, &needs);
  VkMemoryAllocateInfo allocation = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = chain, .allocationSize = (VkDeviceSize)bytes,
                                     .memoryTypeIndex = lowest_type(needs.memoryTypeBits & types)};
  bool fits = needs.size <= (VkDeviceSize)bytes && allocation.memoryTypeIndex != UINT32_MAX;
  return fits && device->vk.AllocateMemory(device->handle, &allocation, NULL, &foreign->memory) == VK_SUCCESS &&
         device->vk.BindBufferMemory(device->handle, foreign->handle, foreign->memory, 0) == VK_SUCCESS;
}

bool fv_vk_foreign_host(FvVkDevice *device, const void *begin, int64_t bytes, FvVkForeign *foreign, int64_t *offset) {
  /* Rounded to pages, which are mapped whole; a device that wants more than a page would reach what may not be there. */
  int64_t page = sysconf(_SC_PAGESIZE), alignment = (int64_t)device->traits.host_import_alignment;
  *foreign = (FvVkForeign){0};
  if (!device->host_properties || alignment < 1 || alignment > page) return false;
  *offset = (int64_t)((uintptr_t)begin % (uintptr_t)page);
  bytes = (*offset + bytes + page - 1) / page * page;
  VkExternalMemoryHandleTypeFlagBits kind = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  VkImportMemoryHostPointerInfoEXT chain = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT, .handleType = kind,
                                            .pHostPointer = (void *)((uintptr_t)begin - (uintptr_t)*offset)};
  VkMemoryHostPointerPropertiesEXT properties = {.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
  if (device->host_properties(device->handle, kind, chain.pHostPointer, &properties) == VK_SUCCESS && import(device, kind, &chain, properties.memoryTypeBits, bytes, foreign))
    return true;
  fv_vk_foreign_finish(device, foreign);
  return false;
}

bool fv_vk_foreign_dma(FvVkDevice *device, int fd, FvVkForeign *foreign) {
  struct pollfd writers = {.fd = fd, .events = POLLIN};
  int64_t bytes = lseek(fd, 0, SEEK_END);
  *foreign = (FvVkForeign){0};
  if (!device->fd_properties || bytes < 1 || poll(&writers, 1, WRITERS_MS) != 1) return false;
  VkExternalMemoryHandleTypeFlagBits kind = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
  VkMemoryFdPropertiesKHR properties = {.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR};
  VkImportMemoryFdInfoKHR chain = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR, .handleType = kind, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
  if (chain.fd >= 0 && device->fd_properties(device->handle, kind, chain.fd, &properties) == VK_SUCCESS &&
      import(device, kind, &chain, properties.memoryTypeBits, bytes, foreign))
    return true;
  if (chain.fd >= 0 && !foreign->memory) close(chain.fd); /* else it went to the driver */
  fv_vk_foreign_finish(device, foreign);
  return false;
}

void fv_vk_foreign_finish(FvVkDevice *device, FvVkForeign *foreign) {
  if (foreign->handle) device->vk.DestroyBuffer(device->handle, foreign->handle, NULL);
  if (foreign->memory) device->vk.FreeMemory(device->handle, foreign->memory, NULL);
  *foreign = (FvVkForeign){0};
}

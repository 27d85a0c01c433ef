#include "vulkan/kernel.h"

#include "vulkan/device.h"
#include "vulkan/families.h"

#define DECLARE_FAMILY(name) extern const FvVkKernel name[];
FV_VK_FAMILIES(DECLARE_FAMILY)
#define LIST_FAMILY(name) name,
static const FvVkKernel *const families[] = {FV_VK_FAMILIES(LIST_FAMILY) NULL};

const FvVkKernel *fv_vk_kernel_at(int index) {
  for (const FvVkKernel *const *family = families; *family; family++)
    for (const FvVkKernel *row = *family; row->name; row++)
      if (index-- == 0) return row;
  return NULL;
}

const FvVkKernel *fv_vk_select(const FvVkDevice *device, const FvKernelQuery *query) {
  const FvVkKernel *row;
  for (int i = 0; (row = fv_vk_kernel_at(i)); i++)
    if (row->op == query->node->op->kind && row->suits(query) && (device->traits.int64 || !row->needs_int64 || !row->needs_int64(query))) return row;
  return NULL;
}

const char *fv_vk_kernel_name(const FvVkKernel *kernel) { return kernel->name; }

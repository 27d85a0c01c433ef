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

/* What a row that suits asks of the device in vain; NULL: nothing. */
static const char *missing_feature(const FvVkTraits *traits, const FvVkKernel *row, const FvKernelQuery *query) {
  if (!traits->int64 && row->needs_int64 && row->needs_int64(query)) return "64-bit integers (shaderInt64)";
  if (!traits->float64 && row->needs_float64 && row->needs_float64(query)) return "64-bit floats (shaderFloat64)";
  return NULL;
}

static const FvVkKernel *select_row(const FvVkDevice *device, const FvKernelQuery *query, const char **missing) {
  const FvVkKernel *row;
  *missing = NULL;
  for (int i = 0; (row = fv_vk_kernel_at(i)); i++) {
    if (row->op != query->node->op->kind || !row->suits(query)) continue;
    const char *lacks = missing_feature(&device->traits, row, query);
    if (!lacks) return row;
    *missing = lacks;
  }
  return NULL;
}

const FvVkKernel *fv_vk_select(const FvVkDevice *device, const FvKernelQuery *query) {
  const char *missing;
  return select_row(device, query, &missing);
}

const char *fv_vk_select_missing(const FvVkDevice *device, const FvKernelQuery *query) {
  const char *missing;
  return select_row(device, query, &missing) ? NULL : missing;
}

const char *fv_vk_kernel_name(const FvVkKernel *kernel) { return kernel->name; }

#include "vulkan/kernel.h"

#include "vulkan/device.h"
#include "vulkan/families.h"
#include "vulkan/shape.h"

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

/* Notes the type of a computed float tensor; false when another was noted before. */
static bool note_float(const FvTensor *tensor, FvDtype *type) {
  if (!fv_vk_is_float(tensor)) return true;
  bool agrees = *type == FV_DTYPE_NONE || *type == tensor->dtype;
  *type = tensor->dtype;
  return agrees;
}

int fv_vk_form_of(const FvKernelQuery *q) {
  FvDtype in = FV_DTYPE_NONE, out = FV_DTYPE_NONE;
  for (int i = 0; i < q->node->input_count; i++) {
    bool is_constant = q->in[i] && q->in[i]->data;
    if (is_constant ? q->in[i]->dtype == FV_DTYPE_F16 : !note_float(q->in[i], &in)) return -1;
  }
  for (int i = 0; i < q->node->output_count; i++)
    if (!note_float(q->out[i], &out)) return -1;
  if (in == FV_DTYPE_NONE) in = out;
  if (out == FV_DTYPE_NONE) out = in;
  if (in == FV_DTYPE_F16) return out == FV_DTYPE_F16 ? FV_VK_HALF : FV_VK_WIDEN;
  return out == FV_DTYPE_F16 ? FV_VK_NARROW : FV_VK_FULL;
}

static bool takes_form(const FvVkDevice *device, const FvVkKernel *row, const FvKernelQuery *query) {
  if (row->forms == FV_VK_NO_FORMS) return true;
  int form = fv_vk_form_of(query);
  return form == FV_VK_FULL || (form > 0 && row->forms & 1 << form && device->traits.storage16);
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
    if (row->op != query->node->op->kind || !takes_form(device, row, query) || !row->suits(query)) continue;
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

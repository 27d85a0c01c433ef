#include "cpu/kernel.h"

#include "cpu/families.h"

#define LIST_FAMILY(name, isa) name##_##isa,

/* Best instruction set first; within one, the more special family first. */
static const FvKernel *const families[] = {
#ifdef FV_HAVE_AVX512_VNNI
  FV_KERNEL_BYTE_FAMILIES(LIST_FAMILY, avx512_vnni)
#endif
#ifdef FV_HAVE_AVX512
  FV_KERNEL_FAMILIES(LIST_FAMILY, avx512)
#endif
#ifdef FV_HAVE_AVX2
  FV_KERNEL_FAMILIES(LIST_FAMILY, avx2)
#endif
#ifdef FV_HAVE_NEON_DOT
  FV_KERNEL_BYTE_FAMILIES(LIST_FAMILY, neon_dot)
#endif
#ifdef FV_HAVE_NEON
  FV_KERNEL_FAMILIES(LIST_FAMILY, neon)
#endif
  NULL,
};

const FvKernel *fv_cpu_kernel_at(int index) {
  for (const FvKernel *const *family = families; *family; family++)
    for (const FvKernel *row = *family; row->name; row++)
      if (index-- == 0) return row;
  return NULL;
}

const FvKernel *fv_cpu_select(const FvKernelQuery *query, unsigned cpu) {
  for (const FvKernel *const *family = families; *family; family++)
    for (const FvKernel *row = *family; row->name; row++)
      if (row->op == query->node->op->kind && (row->cpu & cpu) == row->cpu && row->suits(query)) return row;
  return NULL;
}

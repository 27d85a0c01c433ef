#include "cpu/kernel.h"

const FvKernel *fv_cpu_kernel_at(int index) { return NULL; }

const FvKernel *fv_cpu_select(const FvKernelQuery *query, unsigned cpu) { return NULL; }

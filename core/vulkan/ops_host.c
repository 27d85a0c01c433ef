/* Steps that the host takes between two command buffers, by the operator's reference: what has a length that depends on the data. */
#include "vulkan/kernel.h"

static bool suits(const FvKernelQuery *q) {
  (void)q;
  return true;
}

const FvVkKernel fv_vk_host_steps[] = {{.name = "non_max_suppression_host", .op = FV_OP_NMS, .suits = suits, .on_host = true}, {0}};

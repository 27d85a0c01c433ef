/* Failures on demand, so that tests see what becomes of real ones. FOVEA_VULKAN's words "lose:N", "oom:N" and "hang:N" are read when a device is opened: its N-th
 * submission after that finds it lost, its N-th allocation finds no memory, its N-th wait ends as if the time were over. */
#ifndef FOVEA_VULKAN_FAULT_H
#define FOVEA_VULKAN_FAULT_H

#include <stdatomic.h>

#include "vulkan/functions.h"

typedef enum FvVkFault { FV_VK_FAULT_LOSE, FV_VK_FAULT_OOM, FV_VK_FAULT_HANG, FV_VK_FAULTS } FvVkFault;

typedef struct FvVkFaults {
  atomic_int left[FV_VK_FAULTS]; /* until the failure; 0: none is wanted, or it was */
} FvVkFaults;

void fv_vk_faults_read(FvVkFaults *faults);
/* Counts one event: VK_SUCCESS, or the failure when its turn has come. */
VkResult fv_vk_fault_check(FvVkFaults *faults, FvVkFault fault);

#endif

#include "vulkan/fault.h"

#include "vulkan/instance.h"

void fv_vk_faults_read(FvVkFaults *faults) {
  static const char *const words[FV_VK_FAULTS] = {"lose", "oom", "hang"};
  for (int i = 0; i < FV_VK_FAULTS; i++) atomic_store(&faults->left[i], fv_vk_wish_number(words[i]));
}

VkResult fv_vk_fault_check(FvVkFaults *faults, FvVkFault fault) {
  static const VkResult results[FV_VK_FAULTS] = {VK_ERROR_DEVICE_LOST, VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_TIMEOUT};
  if (atomic_load_explicit(&faults->left[fault], memory_order_relaxed) <= 0) return VK_SUCCESS;
  return atomic_fetch_sub(&faults->left[fault], 1) == 1 ? results[fault] : VK_SUCCESS;
}

/* Sending work and waiting for it. */
#ifndef FOVEA_VULKAN_RUNNER_H
#define FOVEA_VULKAN_RUNNER_H

#include "vulkan/program.h"

/* Submits one command buffer; the queue is shared by the device's users. */
int fv_vk_queue_submit(FvVkDevice *device, VkCommandBuffer commands, VkFence fence, FvError *err);

#endif

/* Sending work and waiting for it. */
#ifndef FOVEA_VULKAN_RUNNER_H
#define FOVEA_VULKAN_RUNNER_H

#include "vulkan/program.h"

/* Submits command buffers, in order; the queue is shared by the device's users. */
int fv_vk_queue_submit(FvVkDevice *device, const VkCommandBuffer *commands, int count, VkFence fence, FvError *err);

VkResult fv_vk_commands_create(FvVkDevice *device, VkCommandPool pool, VkCommandBuffer *commands);
VkResult fv_vk_commands_begin(FvVkDevice *device, VkCommandBuffer commands);
/* What `to` does sees what `from` wrote, and does not overwrite what it still reads. */
typedef enum FvVkUser { FV_VK_COPY, FV_VK_SHADER, FV_VK_HOST } FvVkUser;
void fv_vk_barrier(FvVkDevice *device, VkCommandBuffer commands, FvVkUser from, FvVkUser to);
void fv_vk_record_set(FvVkDevice *device, VkCommandBuffer commands, VkDescriptorSet set);
void fv_vk_record_dispatch(FvVkDevice *device, VkCommandBuffer commands, const FvVkDispatch *dispatch);

/* Runs one dispatch, and waits. */
int fv_vk_run_now(FvVkDevice *device, VkDescriptorSet set, const FvVkDispatch *dispatch, FvError *err);

#endif

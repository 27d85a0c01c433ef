/* The Vulkan functions that are used, by where they are looked up. One list feeds the structs and the loading. */
#ifndef FOVEA_VULKAN_FUNCTIONS_H
#define FOVEA_VULKAN_FUNCTIONS_H

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#define FV_VK_INSTANCE_FUNCTIONS(F) \
  F(DestroyInstance) F(EnumeratePhysicalDevices) F(EnumerateDeviceExtensionProperties) F(GetPhysicalDeviceProperties2) F(GetPhysicalDeviceFeatures2) \
  F(GetPhysicalDeviceMemoryProperties) F(GetPhysicalDeviceFormatProperties) F(GetPhysicalDeviceQueueFamilyProperties) F(CreateDevice) F(GetDeviceProcAddr)

#define FV_VK_DEVICE_FUNCTIONS(F) \
  F(DestroyDevice) F(GetDeviceQueue) F(DeviceWaitIdle) F(QueueSubmit) \
  F(AllocateMemory) F(FreeMemory) F(MapMemory) F(CreateBuffer) F(DestroyBuffer) F(GetBufferMemoryRequirements) F(BindBufferMemory) \
  F(CreateBufferView) F(DestroyBufferView) \
  F(CreateShaderModule) F(DestroyShaderModule) F(CreatePipelineCache) F(DestroyPipelineCache) F(GetPipelineCacheData) \
  F(CreateComputePipelines) F(DestroyPipeline) F(CreatePipelineLayout) F(DestroyPipelineLayout) \
  F(CreateDescriptorSetLayout) F(DestroyDescriptorSetLayout) F(CreateDescriptorPool) F(DestroyDescriptorPool) F(AllocateDescriptorSets) \
  F(UpdateDescriptorSets) \
  F(CreateCommandPool) F(DestroyCommandPool) F(AllocateCommandBuffers) F(BeginCommandBuffer) F(EndCommandBuffer) \
  F(CmdBindPipeline) F(CmdBindDescriptorSets) F(CmdPushConstants) F(CmdDispatch) F(CmdPipelineBarrier) F(CmdCopyBuffer) F(CmdFillBuffer) \
  F(CmdResetQueryPool) F(CmdWriteTimestamp) F(CreateQueryPool) F(DestroyQueryPool) F(GetQueryPoolResults) \
  F(CreateFence) F(DestroyFence) F(ResetFences) F(WaitForFences)

#define FV_VK_DECLARE(name) PFN_vk##name name;
typedef struct FvVkInstanceFunctions {
  FV_VK_INSTANCE_FUNCTIONS(FV_VK_DECLARE)
} FvVkInstanceFunctions;
typedef struct FvVkDeviceFunctions {
  FV_VK_DEVICE_FUNCTIONS(FV_VK_DECLARE)
} FvVkDeviceFunctions;
#undef FV_VK_DECLARE

#endif

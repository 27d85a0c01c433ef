/* Compute pipelines: made once per device for a shader, a load path, an element type and its specialization constants, shared by all plans, and kept on disk in
 * $XDG_CACHE_HOME/fovea as the driver's own cache. All have one layout: see shaders/common.glsl. */
#ifndef FOVEA_VULKAN_PIPELINE_H
#define FOVEA_VULKAN_PIPELINE_H

#include "vulkan/memory.h"
#include "vulkan/spirv.h"

/* Which floats lie in memory as fp16; shaders/common.glsl has the other side. */
typedef enum FvVkForm {
  FV_VK_FULL,   /* none */
  FV_VK_HALF,   /* what is computed, and weights that kernels packed */
  FV_VK_NARROW, /* results */
  FV_VK_WIDEN,  /* what is read, and packed weights */
  FV_VK_ARITHMETIC, /* as HALF, and shaders compute in fp16: a form of launches, never of tensors */
  FV_VK_FORMS
} FvVkForm;

enum { FV_VK_MAX_SPEC = 24, FV_VK_PARAM_BYTES = 128 };

typedef struct FvVkPipelineKey {
  FvVkShader shader;
  bool texel;
  FvVkForm form;
  int spec_count;
  uint32_t spec[FV_VK_MAX_SPEC]; /* constant_id 0 (the work-group's size), 1, 2, … */
} FvVkPipelineKey;

int fv_vk_pipelines_create(FvVkDevice *device, FvError *err);
void fv_vk_pipelines_destroy(FvVkDevice *device);
/* Thread-safe; the pipeline lives as long as the device. */
int fv_vk_pipeline_get(FvVkDevice *device, const FvVkPipelineKey *key, VkPipeline *pipeline, FvError *err);
int fv_vk_pipeline_count(FvVkDevice *device);
/* Writes what is new to disk. Failing to is nobody's trouble. */
void fv_vk_pipelines_save(FvVkDevice *device);

/* Has the device room for all texel buffers in one layout? The specification promises fewer. */
bool fv_vk_has_texel_bindings(const FvVkDevice *device);
VkPipelineLayout fv_vk_pipeline_layout(const FvVkDevice *device);
VkDescriptorSetLayout fv_vk_set_layout(const FvVkDevice *device);

/* A pool with one set that shows shaders these two buffers. Without views only storage shaders may run on it. */
int fv_vk_set_create(FvVkDevice *device, const FvVkBuffer *arena, const FvVkBuffer *weights, VkDescriptorPool *pool, VkDescriptorSet *set, FvError *err);

#endif

#include "vulkan/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan/disk.h"

typedef struct Entry {
  FvVkPipelineKey key;
  VkPipeline pipeline;
} Entry;

struct FvVkPipelines {
  pthread_mutex_t lock;
  VkDescriptorSetLayout set_layout;
  VkPipelineLayout layout;
  VkPipelineCache cache;
  Entry *entries;
  int count, capacity;
  bool is_new; /* something was compiled since the last save */
};

enum { BINDING_ARENA, BINDING_WEIGHTS, BINDING_ARENA4, BINDING_ARENA1, BINDING_WEIGHTS4, BINDING_WEIGHTS1,
       BINDING_ARENA_HALF4, BINDING_ARENA_HALF1, BINDING_WEIGHTS_HALF4, BINDING_WEIGHTS_HALF1,
       BINDING_ARENA_WORDS1, BINDING_ARENA_WORDS2, BINDING_WEIGHTS_WORDS1, BINDING_WEIGHTS_WORDS4, BINDINGS,
       STORAGE_BINDINGS = BINDING_ARENA4, TEXEL_BINDINGS = BINDINGS - STORAGE_BINDINGS };

/* 64-bit integers: stores go in such. */
bool fv_vk_has_texel_bindings(const FvVkDevice *device) {
  const FvVkTraits *traits = &device->traits;
  return traits->properties.limits.maxPerStageDescriptorStorageImages >= TEXEL_BINDINGS && traits->storage_formats && traits->int64;
}

static bool is_texel(int binding) { return binding >= BINDING_ARENA4; }
static VkDescriptorType type_of(int binding) { return is_texel(binding) ? VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER; }

static VkResult create_layouts(FvVkDevice *device, FvVkPipelines *pipelines) {
  VkDescriptorSetLayoutBinding bindings[BINDINGS];
  for (int i = 0; i < BINDINGS; i++)
    bindings[i] = (VkDescriptorSetLayoutBinding){
      .binding = (uint32_t)i, .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
      .descriptorType = type_of(i),
    };
  VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = fv_vk_has_texel_bindings(device) ? BINDINGS : STORAGE_BINDINGS, .pBindings = bindings};
  VkResult result = device->vk.CreateDescriptorSetLayout(device->handle, &set, NULL, &pipelines->set_layout);
  if (result != VK_SUCCESS) return result;
  VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, FV_VK_PARAM_BYTES};
  VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, .setLayoutCount = 1, .pSetLayouts = &pipelines->set_layout,
                                       .pushConstantRangeCount = 1, .pPushConstantRanges = &range};
  return device->vk.CreatePipelineLayout(device->handle, &layout, NULL, &pipelines->layout);
}

/* The driver checks its own header; what it refuses is as good as nothing. */
static VkResult create_cache(FvVkDevice *device, FvVkPipelines *pipelines) {
  size_t size = 0;
  void *data = fv_vk_disk_read(&device->traits.properties, &size);
  VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = size, .pInitialData = data};
  VkResult result = device->vk.CreatePipelineCache(device->handle, &info, NULL, &pipelines->cache);
  free(data);
  if (result == VK_SUCCESS || size == 0) return result;
  info.initialDataSize = 0;
  return device->vk.CreatePipelineCache(device->handle, &info, NULL, &pipelines->cache);
}

int fv_vk_pipelines_create(FvVkDevice *device, FvError *err) {
  FvVkPipelines *pipelines = device->pipelines = calloc(1, sizeof *pipelines);
  if (!pipelines) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  pthread_mutex_init(&pipelines->lock, NULL);
  VkResult result = create_layouts(device, pipelines);
  if (result == VK_SUCCESS) result = create_cache(device, pipelines);
  return result == VK_SUCCESS ? 0 : fv_vk_failure(device, result, "preparing for pipelines", err);
}

void fv_vk_pipelines_save(FvVkDevice *device) {
  FvVkPipelines *pipelines = device->pipelines;
  pthread_mutex_lock(&pipelines->lock);
  size_t size = 0;
  if (pipelines->is_new && device->vk.GetPipelineCacheData(device->handle, pipelines->cache, &size, NULL) == VK_SUCCESS && size > 0) {
    void *data = malloc(size);
    if (data && device->vk.GetPipelineCacheData(device->handle, pipelines->cache, &size, data) == VK_SUCCESS)
      fv_vk_disk_write(&device->traits.properties, data, size);
    free(data);
  }
  pipelines->is_new = false;
  pthread_mutex_unlock(&pipelines->lock);
}

void fv_vk_pipelines_destroy(FvVkDevice *device) {
  FvVkPipelines *pipelines = device->pipelines;
  if (!pipelines) return;
  for (int i = 0; i < pipelines->count; i++) device->vk.DestroyPipeline(device->handle, pipelines->entries[i].pipeline, NULL);
  if (pipelines->cache) device->vk.DestroyPipelineCache(device->handle, pipelines->cache, NULL);
  if (pipelines->layout) device->vk.DestroyPipelineLayout(device->handle, pipelines->layout, NULL);
  if (pipelines->set_layout) device->vk.DestroyDescriptorSetLayout(device->handle, pipelines->set_layout, NULL);
  pthread_mutex_destroy(&pipelines->lock);
  free(pipelines->entries);
  free(pipelines);
  device->pipelines = NULL;
}

static bool is_same(const FvVkPipelineKey *a, const FvVkPipelineKey *b) {
  return a->shader == b->shader && a->texel == b->texel && a->form == b->form && a->spec_count == b->spec_count &&
         memcmp(a->spec, b->spec, (size_t)a->spec_count * sizeof a->spec[0]) == 0;
}

static const FvSpirv *code_of(const FvVkPipelineKey *key) { return &fv_spirv[key->shader][key->form * 2 + key->texel]; }

static VkResult compile(FvVkDevice *device, const FvVkPipelineKey *key, VkPipeline *pipeline) {
  const FvSpirv *code = code_of(key);
  VkShaderModuleCreateInfo module_info = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = code->bytes, .pCode = code->words};
  VkShaderModule module;
  VkResult result = device->vk.CreateShaderModule(device->handle, &module_info, NULL, &module);
  if (result != VK_SUCCESS) return result;
  VkSpecializationMapEntry entries[FV_VK_MAX_SPEC];
  for (int i = 0; i < key->spec_count; i++) entries[i] = (VkSpecializationMapEntry){(uint32_t)i, (uint32_t)i * 4, 4};
  VkSpecializationInfo spec = {(uint32_t)key->spec_count, entries, (size_t)key->spec_count * 4, key->spec};
  VkComputePipelineCreateInfo info = {
    .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = device->pipelines->layout,
    .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main", .pSpecializationInfo = &spec},
  };
  result = device->vk.CreateComputePipelines(device->handle, device->pipelines->cache, 1, &info, NULL, pipeline);
  device->vk.DestroyShaderModule(device->handle, module, NULL);
  return result;
}

static Entry *add_entry(FvVkPipelines *pipelines) {
  if (pipelines->count == pipelines->capacity) {
    int grown = pipelines->capacity ? pipelines->capacity * 2 : 64;
    Entry *entries = realloc(pipelines->entries, (size_t)grown * sizeof *entries);
    if (!entries) return NULL;
    pipelines->entries = entries;
    pipelines->capacity = grown;
  }
  return &pipelines->entries[pipelines->count];
}

static VkResult get_locked(FvVkDevice *device, const FvVkPipelineKey *key, VkPipeline *pipeline) {
  FvVkPipelines *pipelines = device->pipelines;
  for (int i = 0; i < pipelines->count; i++)
    if (is_same(&pipelines->entries[i].key, key)) {
      *pipeline = pipelines->entries[i].pipeline;
      return VK_SUCCESS;
    }
  Entry *entry = add_entry(pipelines);
  if (!entry) return VK_ERROR_OUT_OF_HOST_MEMORY;
  VkResult result = compile(device, key, pipeline);
  if (result != VK_SUCCESS) return result;
  *entry = (Entry){*key, *pipeline};
  pipelines->count++;
  pipelines->is_new = true;
  return VK_SUCCESS;
}

int fv_vk_pipeline_get(FvVkDevice *device, const FvVkPipelineKey *key, VkPipeline *pipeline, FvError *err) {
  pthread_mutex_lock(&device->pipelines->lock);
  VkResult result = get_locked(device, key, pipeline);
  pthread_mutex_unlock(&device->pipelines->lock);
  if (result == VK_SUCCESS) return 0;
  char what[96];
  snprintf(what, sizeof what, "making the pipeline of shader '%s'", code_of(key)->name);
  return fv_vk_failure(device, result, what, err);
}

int fv_vk_pipeline_count(FvVkDevice *device) {
  pthread_mutex_lock(&device->pipelines->lock);
  int count = device->pipelines->count;
  pthread_mutex_unlock(&device->pipelines->lock);
  return count;
}

VkPipelineLayout fv_vk_pipeline_layout(const FvVkDevice *device) { return device->pipelines->layout; }
VkDescriptorSetLayout fv_vk_set_layout(const FvVkDevice *device) { return device->pipelines->set_layout; }

static void write_set(FvVkDevice *device, const FvVkBuffer *arena, const FvVkBuffer *weights, VkDescriptorSet set) {
  const FvVkBuffer *const buffers[2] = {arena, weights};
  const VkBufferView views[BINDINGS] = {
    [BINDING_ARENA4] = arena->texel4, [BINDING_ARENA1] = arena->texel1, [BINDING_WEIGHTS4] = weights->texel4, [BINDING_WEIGHTS1] = weights->texel1,
    [BINDING_ARENA_HALF4] = arena->half4, [BINDING_ARENA_HALF1] = arena->half1, [BINDING_WEIGHTS_HALF4] = weights->half4, [BINDING_WEIGHTS_HALF1] = weights->half1,
    [BINDING_ARENA_WORDS1] = arena->words1, [BINDING_ARENA_WORDS2] = arena->words2, [BINDING_WEIGHTS_WORDS1] = weights->words1, [BINDING_WEIGHTS_WORDS4] = weights->words4,
  };
  VkDescriptorBufferInfo infos[2];
  VkWriteDescriptorSet writes[BINDINGS];
  uint32_t count = 0;
  for (int i = 0; i < BINDINGS; i++) {
    if (is_texel(i) && !views[i]) continue;
    VkWriteDescriptorSet *write = &writes[count++];
    *write = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = set, .dstBinding = (uint32_t)i, .descriptorCount = 1};
    write->descriptorType = type_of(i);
    if (is_texel(i)) {
      write->pTexelBufferView = &views[i];
    } else {
      infos[i] = (VkDescriptorBufferInfo){buffers[i]->handle, 0, VK_WHOLE_SIZE};
      write->pBufferInfo = &infos[i];
    }
  }
  device->vk.UpdateDescriptorSets(device->handle, count, writes, 0, NULL);
}

int fv_vk_set_create(FvVkDevice *device, const FvVkBuffer *arena, const FvVkBuffer *weights, VkDescriptorPool *pool, VkDescriptorSet *set, FvError *err) {
  VkDescriptorPoolSize sizes[] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, STORAGE_BINDINGS}, {VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, TEXEL_BINDINGS}};
  VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = fv_vk_has_texel_bindings(device) ? 2 : 1, .pPoolSizes = sizes};
  VkResult result = device->vk.CreateDescriptorPool(device->handle, &info, NULL, pool);
  if (result == VK_SUCCESS) {
    VkDescriptorSetAllocateInfo wanted = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, .descriptorPool = *pool, .descriptorSetCount = 1,
                                          .pSetLayouts = &device->pipelines->set_layout};
    result = device->vk.AllocateDescriptorSets(device->handle, &wanted, set);
  }
  if (result != VK_SUCCESS) return fv_vk_failure(device, result, "making descriptors", err);
  write_set(device, arena, weights, *set);
  return 0;
}

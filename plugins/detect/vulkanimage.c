/* GStreamer's images live on a VkDevice of GStreamer's, and are not made to be shared with another. So they are copied on that device, by its queue, to host
 * memory. Nothing is linked: whoever hands us such an image has loaded libgstvulkan and libvulkan already. */
#include "vulkanimage.h"

#include <dlfcn.h>

#define GST_USE_UNSTABLE_API
#include <gst/vulkan/vulkan.h>

#define FUNCTIONS(F)                                                                                                               \
  F(CreateCommandPool) F(DestroyCommandPool) F(AllocateCommandBuffers) F(BeginCommandBuffer) F(EndCommandBuffer) F(CreateFence)    \
  F(DestroyFence) F(ResetFences) F(WaitForFences) F(CreateBuffer) F(DestroyBuffer) F(GetBufferMemoryRequirements) F(AllocateMemory) \
  F(FreeMemory) F(BindBufferMemory) F(MapMemory) F(CmdPipelineBarrier) F(CmdCopyImageToBuffer) F(QueueSubmit)

enum { PATIENCE_S = 10, PLANE_ALIGNMENT = 64 };

struct FoveaVulkanReader {
  GstVulkanDevice *device;
  GstVulkanQueue *queue;
  void (*lock)(GstVulkanQueue *queue), (*unlock)(GstVulkanQueue *queue);
#define DECLARE(name) PFN_vk##name name;
  FUNCTIONS(DECLARE)
#undef DECLARE
  VkCommandPool pool;
  VkCommandBuffer commands;
  VkFence fence;
  VkBuffer buffer;
  VkDeviceMemory memory;
  guint8 *map;
  gsize size;
  gboolean stuck; /* work on it never ended: what it uses is left to it */
};

gboolean fovea_vulkan_image_is(GstBuffer *buffer) {
  return gst_buffer_n_memory(buffer) > 0 && gst_memory_is_type(gst_buffer_peek_memory(buffer, 0), GST_VULKAN_IMAGE_MEMORY_ALLOCATOR_NAME);
}

/* The structures of an unstable library are those of the version that we were compiled for. */
static gboolean is_known_version(void) {
  guint major, minor, micro, nano;
  gst_version(&major, &minor, &micro, &nano);
  return major == GST_VERSION_MAJOR && minor == GST_VERSION_MINOR;
}

static gboolean load_functions(FoveaVulkanReader *reader, GstVulkanQueue *(**get_queue)(GstVulkanDevice *, guint32, guint32)) {
  void *vulkan = dlopen("libvulkan.so.1", RTLD_LAZY | RTLD_NOLOAD), *gst = dlopen("libgstvulkan-1.0.so.0", RTLD_LAZY | RTLD_NOLOAD);
  gboolean complete = FALSE;
  if (vulkan && gst) {
    PFN_vkGetDeviceProcAddr find = (PFN_vkGetDeviceProcAddr)dlsym(vulkan, "vkGetDeviceProcAddr");
    reader->lock = (void (*)(GstVulkanQueue *))dlsym(gst, "gst_vulkan_queue_submit_lock");
    reader->unlock = (void (*)(GstVulkanQueue *))dlsym(gst, "gst_vulkan_queue_submit_unlock");
    *get_queue = (GstVulkanQueue * (*)(GstVulkanDevice *, guint32, guint32)) dlsym(gst, "gst_vulkan_device_get_queue");
    complete = find && reader->lock && reader->unlock && *get_queue;
#define LOAD(name) complete = complete && (reader->name = (PFN_vk##name)find(reader->device->device, "vk" #name));
    FUNCTIONS(LOAD)
#undef LOAD
  }
  if (gst)
    dlclose(gst);
  if (vulkan)
    dlclose(vulkan);
  return complete;
}

/* Where the image's last work went, so that ours comes after it; else the first that can copy. */
static GstVulkanQueue *find_queue(const FoveaVulkanReader *reader, const GstVulkanImageMemory *image,
                                  GstVulkanQueue *(*get_queue)(GstVulkanDevice *, guint32, guint32)) {
  const GstVulkanPhysicalDevice *physical = reader->device->physical_device;
  if (image->barrier.parent.queue)
    return gst_object_ref(image->barrier.parent.queue);
  for (guint32 family = 0; family < physical->n_queue_families; family++) {
    gboolean copies = (physical->queue_family_props[family].queueFlags & (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT)) != 0;
    GstVulkanQueue *queue = copies ? get_queue(reader->device, family, 0) : NULL;
    if (queue)
      return queue;
  }
  return NULL;
}

static gboolean set_up(FoveaVulkanReader *reader, const GstVulkanImageMemory *image) {
  GstVulkanQueue *(*get_queue)(GstVulkanDevice *, guint32, guint32) = NULL;
  reader->device = gst_object_ref(image->device);
  if (!is_known_version() || !load_functions(reader, &get_queue) || !(reader->queue = find_queue(reader, image, get_queue)))
    return FALSE;
  VkDevice device = reader->device->device;
  VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                  .queueFamilyIndex = reader->queue->family};
  VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  if (reader->CreateCommandPool(device, &pool, NULL, &reader->pool) != VK_SUCCESS || reader->CreateFence(device, &fence, NULL, &reader->fence) != VK_SUCCESS)
    return FALSE;
  VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = reader->pool,
                                          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1};
  return reader->AllocateCommandBuffers(device, &commands, &reader->commands) == VK_SUCCESS;
}

/* Memory that the host reads, cached where there is such. */
static guint32 memory_type(const FoveaVulkanReader *reader, guint32 allowed) {
  const VkPhysicalDeviceMemoryProperties *memory = &reader->device->physical_device->memory_properties;
  VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  for (guint pass = 0; pass < 2; pass++)
    for (guint32 i = 0; i < memory->memoryTypeCount; i++) {
      VkMemoryPropertyFlags need = host | (pass ? 0 : VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
      if ((allowed & 1u << i) && (memory->memoryTypes[i].propertyFlags & need) == need)
        return i;
    }
  return G_MAXUINT32;
}

static void free_memory(FoveaVulkanReader *reader) {
  VkDevice device = reader->device->device;
  if (reader->buffer)
    reader->DestroyBuffer(device, reader->buffer, NULL);
  if (reader->memory)
    reader->FreeMemory(device, reader->memory, NULL);
  reader->buffer = VK_NULL_HANDLE;
  reader->memory = VK_NULL_HANDLE;
  reader->size = 0;
}

static gboolean make_room(FoveaVulkanReader *reader, gsize size) {
  VkDevice device = reader->device->device;
  VkBufferCreateInfo buffer = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
  VkMemoryRequirements needs;
  if (size <= reader->size)
    return TRUE;
  free_memory(reader);
  if (reader->CreateBuffer(device, &buffer, NULL, &reader->buffer) != VK_SUCCESS)
    return FALSE;
  reader->GetBufferMemoryRequirements(device, reader->buffer, &needs);
  VkMemoryAllocateInfo memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size,
                                 .memoryTypeIndex = memory_type(reader, needs.memoryTypeBits)};
  if (memory.memoryTypeIndex == G_MAXUINT32 || reader->AllocateMemory(device, &memory, NULL, &reader->memory) != VK_SUCCESS ||
      reader->BindBufferMemory(device, reader->buffer, reader->memory, 0) != VK_SUCCESS ||
      reader->MapMemory(device, reader->memory, 0, VK_WHOLE_SIZE, 0, (void **)&reader->map) != VK_SUCCESS)
    return FALSE;
  reader->size = size;
  return TRUE;
}

/* An image per plane, of the plane's size. Fills offsets and strides of tightly packed planes; 0 when the images are of another kind. */
static gsize lay_out(GstBuffer *buffer, const GstVideoInfo *info, gsize offsets[GST_VIDEO_MAX_PLANES], gint strides[GST_VIDEO_MAX_PLANES]) {
  gsize size = 0;
  guint planes = GST_VIDEO_INFO_N_PLANES(info);
  if (gst_buffer_n_memory(buffer) != planes)
    return 0;
  for (guint plane = 0; plane < planes; plane++) {
    GstMemory *memory = gst_buffer_peek_memory(buffer, plane);
    guint component = 0;
    if (!gst_memory_is_type(memory, GST_VULKAN_IMAGE_MEMORY_ALLOCATOR_NAME))
      return 0;
    while (GST_VIDEO_INFO_COMP_PLANE(info, component) != plane)
      component++;
    const VkExtent3D *extent = &((const GstVulkanImageMemory *)memory)->create_info.extent;
    if ((gint)extent->width != GST_VIDEO_INFO_COMP_WIDTH(info, component) || (gint)extent->height != GST_VIDEO_INFO_COMP_HEIGHT(info, component) ||
        !(((const GstVulkanImageMemory *)memory)->create_info.usage & VK_IMAGE_USAGE_TRANSFER_SRC_BIT))
      return 0;
    offsets[plane] = size;
    strides[plane] = (gint)extent->width * GST_VIDEO_INFO_COMP_PSTRIDE(info, component);
    size += GST_ROUND_UP_N((gsize)strides[plane] * extent->height, PLANE_ALIGNMENT);
  }
  return size;
}

static void record_copy(FoveaVulkanReader *reader, GstVulkanImageMemory *image, gsize offset) {
  GstVulkanBarrierImageInfo *last = &image->barrier;
  VkImageSubresourceRange range = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};
  VkImageMemoryBarrier barrier = {
    .sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER, .srcAccessMask = last->parent.access_flags, .dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT,
    .oldLayout = last->image_layout, .newLayout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, .srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED,
    .dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED, .image = image->image, .subresourceRange = range,
  };
  VkPipelineStageFlags before = last->parent.pipeline_stages ? last->parent.pipeline_stages : VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  VkBufferImageCopy region = {.bufferOffset = offset, .imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1}, .imageExtent = image->create_info.extent};
  reader->CmdPipelineBarrier(reader->commands, before, VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 0, NULL, 0, NULL, 1, &barrier);
  reader->CmdCopyImageToBuffer(reader->commands, image->image, VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL, reader->buffer, 1, &region);
  /* What comes after us begins from here, as GStreamer's elements note it for each other. */
  last->image_layout = VK_IMAGE_LAYOUT_TRANSFER_SRC_OPTIMAL;
  last->parent.pipeline_stages = VK_PIPELINE_STAGE_TRANSFER_BIT;
  last->parent.access_flags = VK_ACCESS_TRANSFER_READ_BIT;
}

static gboolean copy(FoveaVulkanReader *reader, GstBuffer *buffer, const gsize offsets[GST_VIDEO_MAX_PLANES]) {
  VkDevice device = reader->device->device;
  VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
  VkMemoryBarrier to_host = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT, .dstAccessMask = VK_ACCESS_HOST_READ_BIT};
  VkSubmitInfo submit = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &reader->commands};
  if (reader->BeginCommandBuffer(reader->commands, &begin) != VK_SUCCESS)
    return FALSE;
  for (guint plane = 0; plane < gst_buffer_n_memory(buffer); plane++)
    record_copy(reader, (GstVulkanImageMemory *)gst_buffer_peek_memory(buffer, plane), offsets[plane]);
  reader->CmdPipelineBarrier(reader->commands, VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &to_host, 0, NULL, 0, NULL);
  if (reader->EndCommandBuffer(reader->commands) != VK_SUCCESS)
    return FALSE;
  reader->lock(reader->queue);
  VkResult result = reader->QueueSubmit(reader->queue->queue, 1, &submit, reader->fence);
  reader->unlock(reader->queue);
  if (result == VK_SUCCESS)
    result = reader->WaitForFences(device, 1, &reader->fence, VK_TRUE, PATIENCE_S * G_GUINT64_CONSTANT(1000000000));
  reader->stuck = result == VK_TIMEOUT;
  return result == VK_SUCCESS && reader->ResetFences(device, 1, &reader->fence) == VK_SUCCESS;
}

gboolean fovea_vulkan_image_read(FoveaVulkanReader **reader, GstBuffer *buffer, const GstVideoInfo *info, FvFrame *frame, FvError *err) {
  GstVulkanImageMemory *image = (GstVulkanImageMemory *)gst_buffer_peek_memory(buffer, 0);
  gsize offsets[GST_VIDEO_MAX_PLANES] = {0}, size = is_known_version() ? lay_out(buffer, info, offsets, frame->stride) : 0;
  if (size == 0) {
    fv_error_set(err, FV_ERR_UNSUPPORTED, "these Vulkan images cannot be read: put vulkandownload before the element");
    return FALSE;
  }
  if (*reader && (*reader)->device != image->device)
    g_clear_pointer(reader, fovea_vulkan_reader_free);
  if (!*reader) {
    *reader = g_new0(FoveaVulkanReader, 1);
    if (!set_up(*reader, image))
      g_clear_pointer(reader, fovea_vulkan_reader_free);
  }
  if (!*reader || !make_room(*reader, size) || !copy(*reader, buffer, offsets)) {
    g_clear_pointer(reader, fovea_vulkan_reader_free);
    fv_error_set(err, FV_ERR_DEVICE, "GStreamer's Vulkan device does not give its images back: put vulkandownload before the element");
    return FALSE;
  }
  for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(info); plane++)
    frame->plane[plane] = (*reader)->map + offsets[plane];
  return TRUE;
}

void fovea_vulkan_reader_free(FoveaVulkanReader *reader) {
  if (!reader || reader->stuck)
    return;
  VkDevice device = reader->device->device;
  if (reader->fence)
    reader->DestroyFence(device, reader->fence, NULL);
  if (reader->pool)
    reader->DestroyCommandPool(device, reader->pool, NULL);
  free_memory(reader);
  gst_clear_object(&reader->queue);
  gst_object_unref(reader->device);
  g_free(reader);
}

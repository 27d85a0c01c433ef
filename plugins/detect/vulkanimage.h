/* Frames in Vulkan images that belong to GStreamer's own device, copied into the host's memory. */
#ifndef FOVEA_PLUGINS_VULKANIMAGE_H
#define FOVEA_PLUGINS_VULKANIMAGE_H

#include <fovea/fovea.h>
#include <gst/video/video.h>

G_BEGIN_DECLS

#define FOVEA_CAPS_FEATURE_VULKAN_IMAGE "memory:VulkanImage"

typedef struct FoveaVulkanReader FoveaVulkanReader; /* what one reader of frames keeps from frame to frame */

gboolean fovea_vulkan_image_is(GstBuffer *buffer);
/* Sets planes and strides of frame, valid until the next call. *reader is made when NULL, and anew for another device. FALSE with an error when the images
 * cannot be read. */
gboolean fovea_vulkan_image_read(FoveaVulkanReader **reader, GstBuffer *buffer, const GstVideoInfo *info, FvFrame *frame, FvError *err);
void fovea_vulkan_reader_free(FoveaVulkanReader *reader);

G_END_DECLS
#endif

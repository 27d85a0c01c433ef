/* A buffer as the core takes it: mapped, copied out of Vulkan images, or as DMA buffers that a device imports. */
#ifndef FOVEA_PLUGINS_VIEW_H
#define FOVEA_PLUGINS_VIEW_H

#include <fovea/fovea.h>
#include <gst/video/video.h>

#include "vulkanimage.h"

G_BEGIN_DECLS

typedef struct FoveaView { /* zeroed at first */
  FvFrame frame;
  FvDmaPlanes dma; /* what frame.dma points at */
  GstBuffer *buffer;
  const GstVideoInfo *info;
  GstVideoFrame video; /* when mapped */
  gboolean mapped;
  FoveaVulkanReader *reader; /* kept from frame to frame */
} FoveaView;

/* Borrows buffer and info until it is closed. With dma, a buffer whose planes all lie in DMA buffers is not mapped. FALSE with an error when it cannot be
 * read; nothing is to be closed then. */
gboolean fovea_view_open(FoveaView *view, GstBuffer *buffer, const GstVideoInfo *info, gboolean dma, FvError *err);
/* Maps a view that is DMA buffers. */
gboolean fovea_view_map(FoveaView *view);
void fovea_view_close(FoveaView *view);
void fovea_view_finish(FoveaView *view); /* what is kept */

G_END_DECLS
#endif

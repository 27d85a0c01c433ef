#include "view.h"

#include <gst/allocators/gstdmabuf.h>

static FvColorMatrix color_matrix(GstVideoColorMatrix matrix) {
  switch (matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT601:
    case GST_VIDEO_COLOR_MATRIX_FCC: return FV_MATRIX_BT601;
    case GST_VIDEO_COLOR_MATRIX_BT709:
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M: return FV_MATRIX_BT709;
    case GST_VIDEO_COLOR_MATRIX_BT2020: return FV_MATRIX_BT2020;
    default: return FV_MATRIX_DEFAULT;
  }
}

static FvColorRange color_range(GstVideoColorRange range) {
  switch (range) {
    case GST_VIDEO_COLOR_RANGE_0_255: return FV_RANGE_FULL;
    case GST_VIDEO_COLOR_RANGE_16_235: return FV_RANGE_LIMITED;
    default: return FV_RANGE_DEFAULT;
  }
}

static FvFrame describe(const GstVideoInfo *info) {
  return (FvFrame){
    .format = fv_format_from_name(gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info))),
    .width = GST_VIDEO_INFO_WIDTH(info),
    .height = GST_VIDEO_INFO_HEIGHT(info),
    .matrix = color_matrix(info->colorimetry.matrix),
    .range = color_range(info->colorimetry.range),
  };
}

static gboolean map(FoveaView *view) {
  view->mapped = gst_video_frame_map(&view->video, view->info, view->buffer, GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF);
  if (!view->mapped)
    return FALSE;
  view->frame = describe(&view->video.info);
  for (guint plane = 0; plane < GST_VIDEO_FRAME_N_PLANES(&view->video); plane++) {
    view->frame.plane[plane] = GST_VIDEO_FRAME_PLANE_DATA(&view->video, plane);
    view->frame.stride[plane] = GST_VIDEO_FRAME_PLANE_STRIDE(&view->video, plane);
  }
  return TRUE;
}

/* Where a byte of the buffer lies; FALSE when that is not in a DMA buffer. */
static gboolean find_dma(GstBuffer *buffer, gsize offset, int *fd, int64_t *at) {
  guint index, length;
  gsize skip;
  if (!gst_buffer_find_memory(buffer, offset, 1, &index, &length, &skip))
    return FALSE;
  GstMemory *memory = gst_buffer_peek_memory(buffer, index);
  if (!gst_is_dmabuf_memory(memory))
    return FALSE;
  *fd = gst_dmabuf_memory_get_fd(memory);
  *at = (int64_t)(memory->offset + skip);
  return TRUE;
}

static gboolean look_at_dma(FoveaView *view) {
  const GstVideoMeta *meta = gst_buffer_get_video_meta(view->buffer);
  view->frame = describe(view->info);
  for (guint plane = 0; plane < GST_VIDEO_INFO_N_PLANES(view->info); plane++) {
    gsize offset = meta ? meta->offset[plane] : GST_VIDEO_INFO_PLANE_OFFSET(view->info, plane);
    view->frame.stride[plane] = meta ? meta->stride[plane] : GST_VIDEO_INFO_PLANE_STRIDE(view->info, plane);
    if (!find_dma(view->buffer, offset, &view->dma.fd[plane], &view->dma.offset[plane]))
      return FALSE;
  }
  view->frame.dma = &view->dma;
  return TRUE;
}

gboolean fovea_view_open(FoveaView *view, GstBuffer *buffer, const GstVideoInfo *info, gboolean dma, FvError *err) {
  view->buffer = buffer;
  view->info = info;
  view->mapped = FALSE;
#ifdef HAVE_GST_VULKAN
  if (fovea_vulkan_image_is(buffer)) {
    view->frame = describe(info);
    return fovea_vulkan_image_read(&view->reader, buffer, info, &view->frame, err);
  }
#endif
  if ((dma && look_at_dma(view)) || map(view))
    return TRUE;
  fv_error_set(err, FV_ERR_INVALID, "A frame is smaller than its caps say.");
  return FALSE;
}

gboolean fovea_view_map(FoveaView *view) {
  return view->mapped || map(view);
}

void fovea_view_close(FoveaView *view) {
  if (view->mapped)
    gst_video_frame_unmap(&view->video);
  view->mapped = FALSE;
}

void fovea_view_finish(FoveaView *view) {
#ifdef HAVE_GST_VULKAN
  g_clear_pointer(&view->reader, fovea_vulkan_reader_free);
#else
  (void)view;
#endif
}

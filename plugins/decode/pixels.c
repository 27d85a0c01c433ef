#include "pixels.h"

#include <string.h>

#include "common/motionmeta.h"

static const struct {
  enum AVPixelFormat libav;
  GstVideoFormat gst;
} formats[] = {
  {AV_PIX_FMT_YUV420P, GST_VIDEO_FORMAT_I420},          {AV_PIX_FMT_YUVJ420P, GST_VIDEO_FORMAT_I420},
  {AV_PIX_FMT_GRAY8, GST_VIDEO_FORMAT_GRAY8},           {AV_PIX_FMT_YUV422P, GST_VIDEO_FORMAT_Y42B},
  {AV_PIX_FMT_YUVJ422P, GST_VIDEO_FORMAT_Y42B},         {AV_PIX_FMT_YUV444P, GST_VIDEO_FORMAT_Y444},
  {AV_PIX_FMT_YUVJ444P, GST_VIDEO_FORMAT_Y444},         {AV_PIX_FMT_YUV411P, GST_VIDEO_FORMAT_Y41B},
  {AV_PIX_FMT_YUVJ411P, GST_VIDEO_FORMAT_Y41B},         {AV_PIX_FMT_GBRP, GST_VIDEO_FORMAT_GBR},
  {AV_PIX_FMT_YUVA420P, GST_VIDEO_FORMAT_A420},         {AV_PIX_FMT_YUV420P10LE, GST_VIDEO_FORMAT_I420_10LE},
  {AV_PIX_FMT_YUV422P10LE, GST_VIDEO_FORMAT_I422_10LE}, {AV_PIX_FMT_YUV444P10LE, GST_VIDEO_FORMAT_Y444_10LE},
  {AV_PIX_FMT_GBRP10LE, GST_VIDEO_FORMAT_GBR_10LE},     {AV_PIX_FMT_YUV420P12LE, GST_VIDEO_FORMAT_I420_12LE},
  {AV_PIX_FMT_YUV422P12LE, GST_VIDEO_FORMAT_I422_12LE}, {AV_PIX_FMT_YUV444P12LE, GST_VIDEO_FORMAT_Y444_12LE},
  {AV_PIX_FMT_GBRP12LE, GST_VIDEO_FORMAT_GBR_12LE},
};

static GstVideoFormat format_of(gint libav) {
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++)
    if ((gint)formats[i].libav == libav)
      return formats[i].gst;
  return GST_VIDEO_FORMAT_UNKNOWN;
}

static gboolean is_full_range(const AVFrame *picture) {
  switch (picture->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ411P: return TRUE;
    default: return picture->color_range == AVCOL_RANGE_JPEG;
  }
}

/* Both sides count as ISO/IEC 23091-2 does. */
static GstVideoColorimetry colorimetry_of(const AVFrame *picture) {
  GstVideoColorimetry color = {0};
  color.matrix = gst_video_color_matrix_from_iso((guint)picture->colorspace);
  color.transfer = gst_video_transfer_function_from_iso((guint)picture->color_trc);
  color.primaries = gst_video_color_primaries_from_iso((guint)picture->color_primaries);
  if (is_full_range(picture))
    color.range = GST_VIDEO_COLOR_RANGE_0_255;
  else if (picture->color_range == AVCOL_RANGE_MPEG)
    color.range = GST_VIDEO_COLOR_RANGE_16_235;
  return color;
}

static GstVideoChromaSite chroma_site_of(const AVFrame *picture) {
  switch (picture->chroma_location) {
    case AVCHROMA_LOC_LEFT: return GST_VIDEO_CHROMA_SITE_MPEG2;
    case AVCHROMA_LOC_CENTER: return GST_VIDEO_CHROMA_SITE_JPEG;
    case AVCHROMA_LOC_TOPLEFT: return GST_VIDEO_CHROMA_SITE_COSITED;
    case AVCHROMA_LOC_TOP: return GST_VIDEO_CHROMA_SITE_V_COSITED;
    default: return GST_VIDEO_CHROMA_SITE_UNKNOWN;
  }
}

gboolean fovea_picture_is_interlaced(const AVFrame *picture) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (picture->flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return picture->interlaced_frame != 0;
#endif
}

gboolean fovea_picture_is_top_first(const AVFrame *picture) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(58, 7, 100)
  return (picture->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST) != 0;
#else
  return picture->top_field_first != 0;
#endif
}

void fovea_picture_form(const AVFrame *picture, FoveaPictureForm *form) {
  memset(form, 0, sizeof(*form)); /* padding, too */
  form->format = format_of(picture->format);
  form->width = picture->width;
  form->height = picture->height;
  if (picture->sample_aspect_ratio.num > 0 && picture->sample_aspect_ratio.den > 0) {
    form->par_n = picture->sample_aspect_ratio.num;
    form->par_d = picture->sample_aspect_ratio.den;
  }
  GstVideoColorimetry color = colorimetry_of(picture);
  form->colorimetry.range = color.range;
  form->colorimetry.matrix = color.matrix;
  form->colorimetry.transfer = color.transfer;
  form->colorimetry.primaries = color.primaries;
  form->chroma_site = chroma_site_of(picture);
  form->interlaced = fovea_picture_is_interlaced(picture);
}

/* --- memory ------------------------------------------------------------------------------------------------ */

static void release_memory(gpointer data) {
  const gchar *problem;
  AVBufferRef *reference = data;
  fovea_lavc_get(&problem)->av_buffer_unref(&reference);
}

/* Where a plane begins in the buffer that the picture's memories make in a row. */
static gboolean find_plane(const AVFrame *picture, guint plane, gsize *ret_offset) {
  gsize before = 0;
  for (guint i = 0; i < AV_NUM_DATA_POINTERS && picture->buf[i]; i++) {
    const AVBufferRef *memory = picture->buf[i];
    if (picture->data[plane] >= memory->data && picture->data[plane] < memory->data + memory->size) {
      *ret_offset = before + (gsize)(picture->data[plane] - memory->data);
      return picture->linesize[plane] > 0;
    }
    before += memory->size;
  }
  return FALSE;
}

static gboolean append_memories(const FoveaLavc *lavc, const AVFrame *picture, GstBuffer *buffer) {
  for (guint i = 0; i < AV_NUM_DATA_POINTERS && picture->buf[i]; i++) {
    GstMemoryFlags flags = lavc->av_buffer_is_writable(picture->buf[i]) ? 0 : GST_MEMORY_FLAG_READONLY;
    AVBufferRef *memory = lavc->av_buffer_ref(picture->buf[i]);
    if (!memory)
      return FALSE;
    gst_buffer_append_memory(buffer, gst_memory_new_wrapped(flags, memory->data, memory->size, 0, memory->size, memory, release_memory));
  }
  return TRUE;
}

GstBuffer *fovea_picture_wrap(const FoveaLavc *lavc, const AVFrame *picture, GstVideoFormat format) {
  guint planes = GST_VIDEO_FORMAT_INFO_N_PLANES(gst_video_format_get_info(format));
  gsize offset[GST_VIDEO_MAX_PLANES] = {0};
  gint stride[GST_VIDEO_MAX_PLANES] = {0};
  for (guint i = 0; i < planes; i++) {
    if (!find_plane(picture, i, &offset[i]))
      return NULL;
    stride[i] = picture->linesize[i];
  }
  GstBuffer *buffer = gst_buffer_new();
  if (!append_memories(lavc, picture, buffer)) {
    gst_buffer_unref(buffer);
    return NULL;
  }
  gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, (guint)picture->width, (guint)picture->height, planes, offset, stride);
  return buffer;
}

/* All formats are planar, with as many planes as components, in the same order on both sides. */
void fovea_picture_copy(const AVFrame *picture, GstVideoFrame *frame) {
  const GstVideoFormatInfo *format = frame->info.finfo;
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame); i++) {
    gsize bytes = (gsize)GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, i, picture->width) * (gsize)GST_VIDEO_FORMAT_INFO_PSTRIDE(format, i);
    gint rows = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, i, picture->height);
    guint8 *to = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
    for (gint y = 0; y < rows; y++)
      memcpy(to + (gssize)y * GST_VIDEO_FRAME_PLANE_STRIDE(frame, i), picture->data[i] + (gssize)y * picture->linesize[i], bytes);
  }
}

/* --- motion ------------------------------------------------------------------------------------------------ */

static gint16 limited(gint64 value) { return (gint16)CLAMP(value, G_MININT16, G_MAXINT16); }

/* libavcodec's motion points from the block to where it came from. */
static FoveaMotionVector vector_of(const AVMotionVector *from) {
  gint64 scale = MAX(from->motion_scale, 1);
  return (FoveaMotionVector){
    .x = from->dst_x,
    .y = from->dst_y,
    .dx = limited(-(gint64)from->motion_x * 4 / scale),
    .dy = limited(-(gint64)from->motion_y * 4 / scale),
    .width = from->w,
    .height = from->h,
    .reference = from->source < 0 ? -1 : 1,
  };
}

GBytes *fovea_picture_motion(const FoveaLavc *lavc, const AVFrame *picture) {
  const AVFrameSideData *side = lavc->av_frame_get_side_data(picture, AV_FRAME_DATA_MOTION_VECTORS);
  gsize count = side ? side->size / sizeof(AVMotionVector) : 0;
  if (count == 0)
    return NULL;
  const AVMotionVector *from = (const AVMotionVector *)side->data;
  FoveaMotionVector *vectors = g_new(FoveaMotionVector, count);
  for (gsize i = 0; i < count; i++)
    vectors[i] = vector_of(&from[i]);
  return g_bytes_new_take(vectors, count * sizeof(FoveaMotionVector));
}

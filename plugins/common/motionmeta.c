#include "motionmeta.h"

#include <gst/video/video.h>

#define META_NAME "FoveaMotionMeta"

GType fovea_motion_meta_api_get_type(void) {
  static gsize type = 0;
  static const gchar *tags[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_SIZE_STR, GST_META_TAG_VIDEO_ORIENTATION_STR, NULL};
  if (g_once_init_enter(&type)) {
    /* Programs that read the meta carry this file too, and may live in one process with the plugin. */
    GType known = g_type_from_name(META_NAME "API");
    g_once_init_leave(&type, known ? known : gst_meta_api_type_register(META_NAME "API", tags));
  }
  return type;
}

static gboolean motion_meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer) {
  FoveaMotionMeta *motion = (FoveaMotionMeta *)meta;
  motion->width = motion->height = 0;
  motion->vectors = NULL;
  return TRUE;
}

static void motion_meta_free(GstMeta *meta, GstBuffer *buffer) { g_clear_pointer(&((FoveaMotionMeta *)meta)->vectors, g_bytes_unref); }

/* Copies and scaled frames keep it, as it says what size it is for. Other changes (crops, rotations) are not described well enough to follow. */
static gboolean motion_meta_transform(GstBuffer *dest, GstMeta *meta, GstBuffer *buffer, GQuark type, gpointer data) {
  const FoveaMotionMeta *from = (const FoveaMotionMeta *)meta;
  if (!GST_META_TRANSFORM_IS_COPY(type) && !GST_VIDEO_META_TRANSFORM_IS_SCALE(type))
    return FALSE;
  fovea_motion_meta_add(dest, from->width, from->height, from->vectors);
  return TRUE;
}

static const GstMetaInfo *motion_meta_info(void) {
  static gsize info = 0;
  if (g_once_init_enter(&info)) {
    const GstMetaInfo *known = gst_meta_get_info(META_NAME);
    if (!known)
      known = gst_meta_register(fovea_motion_meta_api_get_type(), META_NAME, sizeof(FoveaMotionMeta), motion_meta_init, motion_meta_free,
                                motion_meta_transform);
    g_once_init_leave(&info, (gsize)known);
  }
  return (const GstMetaInfo *)info;
}

FoveaMotionMeta *fovea_motion_meta_add(GstBuffer *buffer, guint width, guint height, GBytes *vectors) {
  FoveaMotionMeta *motion = (FoveaMotionMeta *)gst_buffer_add_meta(buffer, motion_meta_info(), NULL);
  motion->width = width;
  motion->height = height;
  motion->vectors = g_bytes_ref(vectors);
  return motion;
}

FoveaMotionMeta *fovea_motion_meta_get(GstBuffer *buffer) { return (FoveaMotionMeta *)gst_buffer_get_meta(buffer, fovea_motion_meta_api_get_type()); }

const FoveaMotionVector *fovea_motion_meta_vectors(const FoveaMotionMeta *motion, gsize *ret_count) {
  gsize size;
  const FoveaMotionVector *vectors = g_bytes_get_data(motion->vectors, &size);
  *ret_count = size / sizeof(FoveaMotionVector);
  return vectors;
}

#include "placeholder.h"

#include <string.h>

#define GREY 128
#define FIRST_RATE 25 /* frames/s, until the source tells */

static GstBuffer *mark(GstBuffer *buffer) {
  GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP | GST_BUFFER_FLAG_DROPPABLE);
  GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_RESYNC);
  return buffer;
}

static gboolean is_no_reference_time(GstBuffer *buffer, GstMeta **meta, gpointer user) {
  if ((*meta)->info->api == GST_REFERENCE_TIMESTAMP_META_API_TYPE)
    *meta = NULL; /* removes it */
  return TRUE;
}

GstBuffer *fovea_placeholder_repeat(GstBuffer *last) {
  GstBuffer *again = gst_buffer_copy(last);
  gst_buffer_foreach_meta(again, is_no_reference_time, NULL);
  return mark(again);
}

/* Any format there is, by way of one line of grey pixels that is scaled up. */
GstBuffer *fovea_placeholder_grey(const GstVideoInfo *info) {
  GstVideoInfo from, to = *info;
  GstVideoFrame in, out;
  gst_video_info_set_format(&from, GST_VIDEO_FORMAT_GRAY8, 16, 16);
  from.fps_n = to.fps_n; /* a converter insists */
  from.fps_d = to.fps_d;
  from.interlace_mode = to.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
  GstVideoConverter *converter = gst_video_converter_new(&from, &to, gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                                                         GST_TYPE_VIDEO_RESAMPLER_METHOD, GST_VIDEO_RESAMPLER_METHOD_NEAREST, NULL));
  if (!converter)
    return NULL;
  GstBuffer *grey = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&from), NULL), *buffer = gst_buffer_new_allocate(NULL, GST_VIDEO_INFO_SIZE(&to), NULL);
  gboolean done = FALSE;
  if (grey && buffer && gst_video_frame_map(&in, &from, grey, GST_MAP_READWRITE)) {
    memset(GST_VIDEO_FRAME_PLANE_DATA(&in, 0), GREY, GST_VIDEO_INFO_SIZE(&from));
    if (gst_video_frame_map(&out, &to, buffer, GST_MAP_WRITE)) {
      gst_video_converter_frame(converter, &in, &out);
      gst_video_frame_unmap(&out);
      done = TRUE;
    }
    gst_video_frame_unmap(&in);
  }
  gst_clear_buffer(&grey);
  if (!done)
    gst_clear_buffer(&buffer);
  gst_video_converter_free(converter);
  return buffer ? mark(buffer) : NULL;
}

GstCaps *fovea_placeholder_caps(GstCaps *accepted, gint width, gint height) {
  static GstStaticCaps raw = GST_STATIC_CAPS(GST_VIDEO_CAPS_MAKE("{ I420, NV12 }") ";" GST_VIDEO_CAPS_MAKE(GST_VIDEO_FORMATS_ALL));
  GstCaps *mine = gst_static_caps_get(&raw), *both = gst_caps_intersect_full(mine, accepted, GST_CAPS_INTERSECT_FIRST);
  gst_caps_unref(mine);
  if (gst_caps_is_empty(both)) {
    gst_caps_unref(both);
    return NULL;
  }
  both = gst_caps_truncate(both);
  GstStructure *structure = gst_caps_get_structure(both, 0);
  gst_structure_fixate_field_nearest_int(structure, "width", width);
  gst_structure_fixate_field_nearest_int(structure, "height", height);
  gst_structure_fixate_field_nearest_fraction(structure, "framerate", FIRST_RATE, 1);
  if (gst_structure_has_field(structure, "pixel-aspect-ratio"))
    gst_structure_fixate_field_nearest_fraction(structure, "pixel-aspect-ratio", 1, 1);
  return gst_caps_fixate(both);
}

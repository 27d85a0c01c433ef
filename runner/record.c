#include "record.h"

#include <gst/video/video.h>

#include "common/framerecord.h"

static gboolean video_size(GstPad *pad, gint *width, gint *height) {
  GstCaps *caps = gst_pad_get_current_caps(pad);
  GstVideoInfo info;
  gboolean ok = caps != NULL && gst_video_info_from_caps(&info, caps);
  if (ok) {
    *width = GST_VIDEO_INFO_WIDTH(&info);
    *height = GST_VIDEO_INFO_HEIGHT(&info);
  }
  gst_clear_caps(&caps);
  return ok;
}

char *fv_record_from_buffer(GstPad *pad, GstBuffer *buffer, const char *source, gboolean live, GstClockTime *ret_timestamp) {
  FoveaFrameContext context = {.source = source, .live = live};
  if (!video_size(pad, &context.width, &context.height)) return NULL;
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  if (event != NULL) gst_event_parse_segment(event, &context.segment);
  context.element = gst_pad_get_parent_element(pad);
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  FoveaRecord record;
  fovea_frame_record(buffer, &context, objects, &record);
  *ret_timestamp = record.timestamp;
  GString *line = g_string_new(NULL);
  fovea_json_append_record(line, &record);
  g_array_unref(objects);
  gst_clear_object(&context.element);
  gst_clear_event(&event);
  return g_strchomp(g_string_free(line, FALSE));
}

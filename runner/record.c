#include "record.h"

#include <gst/video/video.h>

#include "framemeta.h"
#include "json.h"
#include "meta.h"

static GstClockTime stream_time(GstPad *pad, GstBuffer *buffer) {
  GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment = NULL;
  GstClockTime time = GST_BUFFER_PTS(buffer);
  if (event == NULL) return time;
  gst_event_parse_segment(event, &segment);
  if (segment->format == GST_FORMAT_TIME) time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, time);
  gst_event_unref(event);
  return time;
}

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

char *fv_record_from_buffer(GstPad *pad, GstBuffer *buffer, const char *source, GstClockTime *ret_timestamp) {
  gint width, height;
  if (!video_size(pad, &width, &height)) return NULL;
  const FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  fovea_meta_read(buffer, width, height, frame != NULL ? frame->label_quarks : NULL, objects);
  *ret_timestamp = stream_time(pad, buffer);
  FoveaRecord record = {
    .source = source, .seq = frame != NULL ? frame->seq : 0, .timestamp = *ret_timestamp, .utc = -1, .width = width, .height = height,
    .model = frame != NULL ? frame->model : NULL, .latency_ms = frame != NULL ? (gdouble)frame->latency / GST_MSECOND : -1.0,
    .gap = frame != NULL && frame->seq > 0 && GST_BUFFER_IS_DISCONT(buffer), .analysed = frame == NULL || frame->analysed,
    .objects = (const FoveaObject *)(gconstpointer)objects->data, .object_count = objects->len,
  };
  GString *line = g_string_new(NULL);
  fovea_json_append_record(line, &record);
  g_array_unref(objects);
  return g_strchomp(g_string_free(line, FALSE));
}

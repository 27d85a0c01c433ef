#include "record.h"

#include <gst/video/video.h>

#include "framemeta.h"
#include "json.h"
#include "meta.h"

char *fv_record_from_buffer(GstBuffer *buffer, GstCaps *caps, const char *source) {
  GstVideoInfo info;
  if (!gst_video_info_from_caps(&info, caps)) return NULL;
  const FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
  GArray *objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  gint width = GST_VIDEO_INFO_WIDTH(&info), height = GST_VIDEO_INFO_HEIGHT(&info);
  fovea_meta_read(buffer, width, height, frame != NULL ? frame->label_quarks : NULL, objects);
  FoveaRecord record = {
    .source = source, .seq = frame != NULL ? frame->seq : 0, .timestamp = GST_BUFFER_PTS(buffer), .utc = -1,
    .width = width, .height = height, .model = frame != NULL ? frame->model : NULL,
    .latency_ms = frame != NULL ? (gdouble)frame->latency / GST_MSECOND : -1.0, .gap = GST_BUFFER_IS_DISCONT(buffer),
    .analysed = frame != NULL && frame->analysed, .objects = (const FoveaObject *)objects->data, .object_count = objects->len,
  };
  GString *line = g_string_new(NULL);
  fovea_json_append_record(line, &record);
  g_array_unref(objects);
  char *text = g_string_free(line, FALSE);
  return g_strchomp(text);
}

#include "framerecord.h"

#include "framemeta.h"

static gboolean has_time(const FoveaFrameContext *context, GstBuffer *buffer) {
  return context->segment && context->segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer);
}

static GstClockTime stream_time(const FoveaFrameContext *context, GstBuffer *buffer) {
  GstClockTime pts = GST_BUFFER_PTS(buffer);
  GstClockTime time = has_time(context, buffer) ? gst_segment_to_stream_time(context->segment, GST_FORMAT_TIME, pts) : pts;
  return GST_CLOCK_TIME_IS_VALID(time) ? time : pts;
}

static const GstReferenceTimestampMeta *reference_timestamp(GstBuffer *buffer, GstStaticCaps *kind) {
  GstCaps *caps = gst_static_caps_get(kind);
  const GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, caps);
  gst_caps_unref(caps);
  return meta;
}

/* A source's own wall-clock stamp is the best there is: RTSP cameras give one by NTP. */
static gboolean reference_utc(GstBuffer *buffer, FoveaRecord *record) {
  static GstStaticCaps unix_caps = GST_STATIC_CAPS("timestamp/x-unix"), ntp_caps = GST_STATIC_CAPS("timestamp/x-ntp");
  const guint64 seconds_1900_to_1970 = G_GUINT64_CONSTANT(2208988800);
  guint64 epoch = 0;
  const GstReferenceTimestampMeta *meta = reference_timestamp(buffer, &unix_caps);
  if (!meta) {
    meta = reference_timestamp(buffer, &ntp_caps);
    epoch = seconds_1900_to_1970 * GST_SECOND;
  }
  if (!meta || !GST_CLOCK_TIME_IS_VALID(meta->timestamp) || meta->timestamp < epoch)
    return FALSE;
  record->utc = (gint64)((meta->timestamp - epoch) / 1000);
  record->clock = "ntp";
  return TRUE;
}

/* A live frame was taken when the pipeline's clock showed base time + running time; how long ago that was, the same clock tells. */
static void clock_utc(const FoveaFrameContext *context, GstBuffer *buffer, FoveaRecord *record) {
  if (!context->live || !context->element || !has_time(context, buffer))
    return;
  GstClockTime running = gst_segment_to_running_time(context->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
  GstClock *clock = gst_element_get_clock(context->element);
  if (clock && GST_CLOCK_TIME_IS_VALID(running)) {
    GstClockTime taken = gst_element_get_base_time(context->element) + running;
    record->utc = g_get_real_time() - GST_CLOCK_DIFF(taken, gst_clock_get_time(clock)) / 1000;
    record->clock = "system";
  }
  gst_clear_object(&clock);
}

void fovea_frame_record(GstBuffer *buffer, const FoveaFrameContext *context, GArray *objects, FoveaRecord *record) {
  const FoveaFrameMeta *frame = fovea_frame_meta_get(buffer);
  g_array_set_size(objects, 0);
  fovea_meta_read(buffer, context->width, context->height, frame ? frame->label_quarks : NULL, objects);
  *record = (FoveaRecord){
    .source = context->source, .seq = frame ? frame->seq : context->seq, .timestamp = stream_time(context, buffer), .utc = -1,
    .width = context->width, .height = context->height, .model = frame ? frame->model : NULL,
    .model_sha256 = frame ? frame->model_sha256 : NULL,
    .latency_ms = frame ? (gdouble)frame->latency / GST_MSECOND : -1.0, .analysed = !frame || frame->analysed,
    .objects = (const FoveaObject *)(gconstpointer)objects->data, .object_count = objects->len};
  record->gap = record->seq > 0 && GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT); /* the first frame of all is one, too */
  if (!reference_utc(buffer, record))
    clock_utc(context, buffer, record);
}

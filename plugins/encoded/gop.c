#include "gop.h"

#include "bytes.h"
#include "capsform.h"

#define HEAD_BYTES 48
#define FRAME_BYTES 32
#define FLAG_CUT 1u

static const struct { GstBufferFlags buffer; guint32 stored; } flag_map[] = {
  {GST_BUFFER_FLAG_DELTA_UNIT, 1}, {GST_BUFFER_FLAG_DISCONT, 2}, {GST_BUFFER_FLAG_CORRUPTED, 4}, {GST_BUFFER_FLAG_DROPPABLE, 8},
  {GST_BUFFER_FLAG_MARKER, 16}, {GST_BUFFER_FLAG_HEADER, 32},
};

/* ---- frames ---- */

gboolean fovea_frame_init(FoveaFrame *frame, GstBuffer *buffer, const GstSegment *segment) {
  *frame = (FoveaFrame){.pts = FOVEA_NO_TIME, .dts = FOVEA_NO_TIME};
  frame->pts = fovea_running_time(segment, GST_BUFFER_PTS(buffer));
  frame->dts = fovea_running_time(segment, GST_BUFFER_DTS(buffer));
  if (fovea_frame_time(frame) == FOVEA_NO_TIME)
    return FALSE;
  frame->buffer = gst_buffer_ref(buffer);
  frame->arrived = g_get_monotonic_time();
  return TRUE;
}

void fovea_frame_clear(FoveaFrame *frame) { gst_clear_buffer(&frame->buffer); }

static gint64 frame_end(const FoveaFrame *frame) {
  GstClockTime duration = GST_BUFFER_DURATION(frame->buffer);
  return fovea_frame_time(frame) + (GST_CLOCK_TIME_IS_VALID(duration) && duration < FOVEA_LATEST_TIME ? (gint64)duration : 0);
}

/* ---- GOPs ---- */

FoveaGop *fovea_gop_new(GstCaps *caps, gint64 epoch, guint part) {
  FoveaGop *gop = g_new0(FoveaGop, 1);
  g_atomic_ref_count_init(&gop->references);
  gop->caps = gst_caps_ref(caps);
  gop->frames = g_array_new(FALSE, FALSE, sizeof(FoveaFrame));
  g_array_set_clear_func(gop->frames, (GDestroyNotify)fovea_frame_clear);
  gop->epoch = epoch;
  gop->part = part;
  return gop;
}

FoveaGop *fovea_gop_ref(FoveaGop *gop) {
  g_atomic_ref_count_inc(&gop->references);
  return gop;
}

void fovea_gop_unref(FoveaGop *gop) {
  if (!gop || !g_atomic_ref_count_dec(&gop->references))
    return;
  gst_caps_unref(gop->caps);
  g_array_unref(gop->frames);
  g_free(gop);
}

FoveaGopStep fovea_gop_step(const FoveaGop *open, const FoveaFrame *frame, GstCaps *caps, const FoveaGopBounds *bounds) {
  gboolean key = fovea_frame_is_key(frame), whole = open && open->frames->len > 0;
  gboolean follows = whole && gst_caps_is_equal(caps, open->caps) && fovea_frame_order(frame) >= fovea_frame_order(fovea_gop_frame(open, open->frames->len - 1));
  if (!follows)
    return key ? FOVEA_GOP_BEGIN : FOVEA_GOP_REFUSE;
  gint64 length = frame_end(frame) - open->start;
  if (key && fovea_frame_time(frame) - open->start >= bounds->shortest)
    return FOVEA_GOP_BEGIN;
  if (open->frames->len >= FOVEA_GOP_MAX_FRAMES || open->bytes + gst_buffer_get_size(frame->buffer) > FOVEA_GOP_MAX_BYTES ||
      (bounds->longest > 0 && length > bounds->longest))
    return key ? FOVEA_GOP_BEGIN : FOVEA_GOP_CUT;
  return FOVEA_GOP_GROW;
}

void fovea_gop_append(FoveaGop *gop, const FoveaFrame *frame) {
  gint64 time = fovea_frame_time(frame);
  gboolean first = gop->frames->len == 0;
  gop->start = first ? time : MIN(gop->start, time);
  gop->end = first ? frame_end(frame) : MAX(gop->end, frame_end(frame));
  gop->bytes += gst_buffer_get_size(frame->buffer);
  g_array_append_val(gop->frames, *frame);
}

static gboolean reference_time(GstBuffer *buffer, GstStaticCaps *kind, gint64 *utc) {
  GstCaps *caps = gst_static_caps_get(kind);
  const GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, caps);
  gst_caps_unref(caps);
  if (!meta || meta->timestamp > FOVEA_LATEST_TIME)
    return FALSE;
  *utc = (gint64)meta->timestamp;
  return TRUE;
}

gint64 fovea_gop_epoch(const FoveaFrame *frame) {
  static GstStaticCaps unix_caps = GST_STATIC_CAPS("timestamp/x-unix"), ntp_caps = GST_STATIC_CAPS("timestamp/x-ntp");
  const gint64 seconds_1900_to_1970 = G_GINT64_CONSTANT(2208988800);
  gint64 utc;
  if (reference_time(frame->buffer, &ntp_caps, &utc))
    utc -= seconds_1900_to_1970 * GST_SECOND;
  else if (!reference_time(frame->buffer, &unix_caps, &utc))
    utc = g_get_real_time() * 1000;
  return utc - fovea_frame_time(frame);
}

/* ---- the form on disk ---- */

static void put_i64(guint8 *at, gint64 value) { fovea_put_u64(at, (guint64)value); }
static gint64 get_i64(const guint8 *at) { return (gint64)fovea_get_u64(at); }

static guint32 stored_flags(GstBuffer *buffer) {
  guint32 flags = 0;
  for (guint i = 0; i < G_N_ELEMENTS(flag_map); i++)
    if (GST_BUFFER_FLAG_IS_SET(buffer, flag_map[i].buffer))
      flags |= flag_map[i].stored;
  return flags;
}

static void encode_frame(const FoveaFrame *frame, guint8 *at, guint8 *data, gsize size) {
  GstClockTime duration = GST_BUFFER_DURATION(frame->buffer);
  put_i64(at, frame->pts);
  put_i64(at + 8, frame->dts);
  put_i64(at + 16, GST_CLOCK_TIME_IS_VALID(duration) && duration < FOVEA_LATEST_TIME ? (gint64)duration : FOVEA_NO_TIME);
  fovea_put_u32(at + 24, stored_flags(frame->buffer));
  fovea_put_u32(at + 28, (guint32)size);
  gst_buffer_extract(frame->buffer, 0, data, size);
}

GBytes *fovea_gop_encode(const FoveaGop *gop) {
  GByteArray *caps = g_byte_array_new();
  fovea_caps_encode(gop->caps, caps);
  gsize caps_size = caps->len, table = HEAD_BYTES + caps_size, data = table + (gsize)FRAME_BYTES * gop->frames->len, total = data + gop->bytes;
  guint8 *message = g_malloc(total);
  memcpy(message, "FVGP", 4);
  fovea_put_u16(message + 4, 1);
  fovea_put_u16(message + 6, gop->cut ? FLAG_CUT : 0);
  fovea_put_u32(message + 8, gop->part);
  fovea_put_u32(message + 12, gop->frames->len);
  fovea_put_u32(message + 16, (guint32)caps_size);
  fovea_put_u32(message + 20, 0);
  put_i64(message + 24, gop->start);
  put_i64(message + 32, gop->end);
  put_i64(message + 40, gop->epoch);
  memcpy(message + HEAD_BYTES, caps->data, caps_size);
  for (guint i = 0; i < gop->frames->len; i++) {
    gsize size = gst_buffer_get_size(fovea_gop_frame(gop, i)->buffer);
    encode_frame(fovea_gop_frame(gop, i), message + table + (gsize)FRAME_BYTES * i, message + data, size);
    data += size;
  }
  g_byte_array_unref(caps);
  return g_bytes_new_take(message, total);
}

static gboolean time_ok(gint64 time) { return time == FOVEA_NO_TIME || (time > -FOVEA_LATEST_TIME && time < FOVEA_LATEST_TIME); }

static gboolean decode_frame(GBytes *message, const guint8 *at, gsize offset, FoveaFrame *frame) {
  gint64 pts = get_i64(at), dts = get_i64(at + 8), duration = get_i64(at + 16);
  guint32 flags = fovea_get_u32(at + 24), size = fovea_get_u32(at + 28);
  gsize total;
  guint8 *data = (guint8 *)(guintptr)g_bytes_get_data(message, &total); /* wrapped as read-only memory */
  if (!time_ok(pts) || !time_ok(dts) || !time_ok(duration) || (pts == FOVEA_NO_TIME && dts == FOVEA_NO_TIME) || size > total - offset)
    return FALSE;
  *frame = (FoveaFrame){.pts = pts, .dts = dts};
  frame->buffer = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, data, total, offset, size, g_bytes_ref(message), (GDestroyNotify)g_bytes_unref);
  GST_BUFFER_DURATION(frame->buffer) = duration < 0 ? GST_CLOCK_TIME_NONE : (GstClockTime)duration;
  for (guint i = 0; i < G_N_ELEMENTS(flag_map); i++)
    if (flags & flag_map[i].stored)
      GST_BUFFER_FLAG_SET(frame->buffer, flag_map[i].buffer);
  return TRUE;
}

static FoveaGop *decode_frames(GBytes *message, FoveaGop *gop, guint count, gsize table, FvError *err) {
  gsize total, offset = table + (gsize)FRAME_BYTES * count;
  const guint8 *bytes = g_bytes_get_data(message, &total);
  for (guint i = 0; i < count; i++) {
    FoveaFrame frame;
    if (!decode_frame(message, bytes + table + (gsize)FRAME_BYTES * i, offset, &frame)) {
      fv_error_set(err, FV_ERR_FORMAT, "frame %u of a stored GOP has impossible times or bytes", i);
      fovea_gop_unref(gop);
      return NULL;
    }
    offset += gst_buffer_get_size(frame.buffer);
    fovea_gop_append(gop, &frame);
  }
  if (offset == total)
    return gop;
  fv_error_set(err, FV_ERR_FORMAT, "a stored GOP has %zu bytes behind its last frame", total - offset);
  fovea_gop_unref(gop);
  return NULL;
}

FoveaGop *fovea_gop_decode(GBytes *message, FvError *err) {
  gsize size;
  const guint8 *head = g_bytes_get_data(message, &size);
  if (size < HEAD_BYTES || memcmp(head, "FVGP", 4) != 0 || fovea_get_u16(head + 4) != 1) {
    fv_error_set(err, FV_ERR_FORMAT, "not a stored GOP of version 1");
    return NULL;
  }
  guint32 count = fovea_get_u32(head + 12), caps_size = fovea_get_u32(head + 16);
  gint64 epoch = get_i64(head + 40);
  if (count == 0 || count > FOVEA_GOP_MAX_FRAMES || caps_size > FOVEA_GOP_MAX_CAPS || HEAD_BYTES + (gsize)caps_size + (gsize)FRAME_BYTES * count > size) {
    fv_error_set(err, FV_ERR_LIMIT, "a stored GOP says it has %u frames and %u bytes of caps in %zu bytes", count, caps_size, size);
    return NULL;
  }
  GstCaps *caps = time_ok(epoch) && epoch != FOVEA_NO_TIME ? fovea_caps_decode(head + HEAD_BYTES, caps_size) : NULL;
  if (!caps) {
    fv_error_set(err, FV_ERR_FORMAT, "a stored GOP has caps that are no encoded video's, or no time");
    return NULL;
  }
  FoveaGop *gop = fovea_gop_new(caps, epoch, fovea_get_u32(head + 8));
  gop->cut = (fovea_get_u16(head + 6) & FLAG_CUT) != 0;
  gst_caps_unref(caps);
  return decode_frames(message, gop, count, HEAD_BYTES + (gsize)caps_size, err);
}

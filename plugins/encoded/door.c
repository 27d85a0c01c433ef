#include "door.h"

static void frame_free(gpointer frame) {
  fovea_frame_clear(frame);
  g_free(frame);
}

void fovea_door_set_caps(FoveaDoor *door, GstCaps *caps) {
  gst_caps_replace(&door->caps, caps);
  door->times.negative = TRUE;
  fovea_decode_times_begin(&door->times, caps);
}

void fovea_door_put(FoveaDoor *door, GstBuffer *buffer, const GstSegment *segment) {
  FoveaFrame frame;
  if (fovea_frame_init(&frame, buffer, segment))
    fovea_decode_times_put(&door->times, g_memdup2(&frame, sizeof frame), frame.pts, frame.dts);
}

gboolean fovea_door_take(FoveaDoor *door, FoveaFrame *ret_frame) {
  gint64 dts;
  FoveaFrame *frame = fovea_decode_times_take(&door->times, &dts);
  if (!frame)
    return FALSE;
  *ret_frame = *frame;
  g_free(frame);
  ret_frame->dts = dts;
  ret_frame->arrived = g_get_monotonic_time(); /* what it waited for here is not the link's */
  fovea_param_sets_complete(&door->sets, ret_frame, door->caps);
  return TRUE;
}

void fovea_door_settle(FoveaDoor *door) { fovea_decode_times_settle(&door->times); }

void fovea_door_flush(FoveaDoor *door) { fovea_decode_times_clear(&door->times, frame_free); }

void fovea_door_clear(FoveaDoor *door) {
  fovea_door_flush(door);
  gst_clear_caps(&door->caps);
  fovea_param_sets_clear(&door->sets);
}

/* Running times as signed numbers: those of decoding may come before the segment's start. */
#ifndef FOVEA_PLUGINS_RUNNINGTIME_H
#define FOVEA_PLUGINS_RUNNINGTIME_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define FOVEA_NO_TIME G_MININT64
#define FOVEA_LATEST_TIME (G_GINT64_CONSTANT(1) << 61) /* ns; beyond, a time is no time, and sums cannot overflow */

/* FOVEA_NO_TIME for a time that is none, or of a segment that does not count time. */
static inline gint64 fovea_running_time(const GstSegment *segment, GstClockTime time) {
  guint64 running;
  if (!GST_CLOCK_TIME_IS_VALID(time) || segment->format != GST_FORMAT_TIME)
    return FOVEA_NO_TIME;
  gint sign = gst_segment_to_running_time_full(segment, GST_FORMAT_TIME, time, &running);
  return sign == 0 || running > FOVEA_LATEST_TIME ? FOVEA_NO_TIME : sign * (gint64)running;
}

G_END_DECLS
#endif

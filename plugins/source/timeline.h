/* When frames of many attempts happen on one time axis, the running time of the outer pipeline.
 *
 * An attempt's frames come with running times of its own. Live ones stamped by our clock (RTSP, V4L2) keep them; live ones with times of their sender's choosing
 * (HLS, RTMP, SRT) are shifted so that the first one happens now, and again when they have fallen behind; those of files follow on what came
 * before. In every case time does not go back: raw frames' presentation times rise strictly, of encoded ones the decoding times do; where
 * those are not told (RTP), presentation times step back within an attempt as B-frames have it.
 *
 * Plain arithmetic; ns, FOVEA_NO_TIME where there is none. Not thread-safe. */
#ifndef FOVEA_SOURCE_TIMELINE_H
#define FOVEA_SOURCE_TIMELINE_H

#include "common/runningtime.h"

G_BEGIN_DECLS

typedef struct FoveaTimeline {
  /* set by the owner before use */
  gboolean live, encoded;
  gboolean stamped; /* live frames are stamped by our clock, as long as their times are near it */
  gint64 latency; /* that live frames may be behind the clock */

  /* its own; all zero at the start, see fovea_timeline_reset() */
  gboolean fresh;    /* the next frame is an attempt's first */
  gboolean clocked;  /* this attempt's frames are stamped by our clock */
  gint64 offset;     /* from the attempt's running time to ours */
  gint64 last, end;  /* of what was put out, substitutes included: time that must rise, end of the latest frame */
  gint64 real_end;   /* end of the latest real frame */
  gint64 interval;   /* between real frames, smoothed; 0: not known */
} FoveaTimeline;

typedef enum FoveaTimelineVerdict {
  FOVEA_TIMELINE_PASS,
  FOVEA_TIMELINE_DROP, /* older than what was put out already */
} FoveaTimelineVerdict;

typedef struct FoveaFrameTime {
  gint64 pts, dts, duration; /* running times of the attempt in, of the pipeline out */
  gboolean discont;          /* out: something may be missing before this frame */
  gint64 gap_start, gap;     /* out: what is missing; gap 0: nothing */
  gboolean resumed;          /* out: the gap is one within an attempt: the sender paused */
} FoveaFrameTime;

void fovea_timeline_reset(FoveaTimeline *timeline);
/* The next frame belongs to a new attempt. */
void fovea_timeline_begin(FoveaTimeline *timeline);
/* now: our running time when the frame arrived. */
FoveaTimelineVerdict fovea_timeline_place(FoveaTimeline *timeline, FoveaFrameTime *frame, gint64 now);
/* A substitute is put out at pts. */
void fovea_timeline_substitute(FoveaTimeline *timeline, gint64 pts, gint64 duration);

G_END_DECLS
#endif

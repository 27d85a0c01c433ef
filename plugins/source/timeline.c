#include "timeline.h"

#define MS (1000 * G_GINT64_CONSTANT(1000))
#define SECOND (1000 * MS)
#define STAMP_TOLERANCE (2 * SECOND)  /* beyond the latency; frames of our clock's are nearer to it than that */
#define SMALL_STEP_BACK SECOND        /* more than this is another time axis, not lateness */
#define LONGEST_REORDERING (2 * SECOND) /* by which a frame that is sent after those that it helps to predict may be shown before them */
#define PAUSE_MIN SECOND              /* shorter ones are jitter */
#define PAUSE_INTERVALS 4
#define DEFAULT_DURATION (40 * MS)
#define LONGEST_STEP (3600 * SECOND)          /* a frame further ahead is on another time axis */
#define LAST_TIME (G_GINT64_CONSTANT(1) << 62) /* no sum overflows before it */

void fovea_timeline_reset(FoveaTimeline *self) {
  self->fresh = TRUE;
  self->clocked = FALSE;
  self->offset = self->interval = 0;
  self->last = self->end = self->real_end = FOVEA_NO_TIME;
}

void fovea_timeline_begin(FoveaTimeline *self) { self->fresh = TRUE; }

/* The time by which frames are ordered. */
static gint64 order(const FoveaTimeline *self, const FoveaFrameTime *frame) {
  return self->encoded && frame->dts != FOVEA_NO_TIME ? frame->dts : frame->pts != FOVEA_NO_TIME ? frame->pts : frame->dts;
}

static gint64 duration_of(const FoveaTimeline *self, const FoveaFrameTime *frame) {
  return frame->duration > 0 ? frame->duration : self->interval > 0 ? self->interval : DEFAULT_DURATION;
}

/* A frame without a time happens when it comes, or after the one before it. */
static void give_time(const FoveaTimeline *self, FoveaFrameTime *frame, gint64 now) {
  gint64 wanted = self->live ? now : self->end == FOVEA_NO_TIME ? 0 : self->end;
  if (order(self, frame) == FOVEA_NO_TIME)
    frame->pts = (self->end == FOVEA_NO_TIME ? wanted : MAX(wanted, self->end)) - (self->fresh ? 0 : self->offset);
}

static gint64 first_offset(FoveaTimeline *self, gint64 time, gint64 now) {
  self->clocked = self->live && self->stamped && time <= now + STAMP_TOLERANCE && time >= now - self->latency - STAMP_TOLERANCE;
  if (self->live)
    return self->clocked ? 0 : now - time;
  return time > LONGEST_STEP || time < -LONGEST_STEP ? -time : 0;
}

/* Encoded frames that tell only when they are shown come in another order than that. */
static gboolean may_be_reordered(const FoveaTimeline *self, const FoveaFrameTime *frame) {
  return self->encoded && !self->fresh && frame->dts == FOVEA_NO_TIME;
}

/* FALSE: the frame is to be dropped. Otherwise the offset is such that it does not go back. */
static gboolean keep_rising(FoveaTimeline *self, const FoveaFrameTime *frame, gint64 time) {
  gint64 out = time + self->offset;
  if (may_be_reordered(self, frame) && self->last - out < LONGEST_REORDERING)
    return TRUE;
  if (self->last == FOVEA_NO_TIME || (self->fresh ? out >= self->end : self->encoded ? out >= self->last : out > self->last))
    return TRUE;
  if (self->clocked && !self->encoded && self->end - out < SMALL_STEP_BACK)
    return out > self->last; /* a substitute, or the attempt before, has been there; the next ones will be on time */
  self->offset += self->end - out;
  return TRUE;
}

static void catch_up(FoveaTimeline *self, gint64 time, gint64 now) {
  if (time + self->offset - self->end > LONGEST_STEP)
    self->offset = self->end - time;
  if (self->live && !self->clocked && time + self->offset < now - self->latency - SECOND)
    self->offset = now - time;
}

static void find_gap(const FoveaTimeline *self, FoveaFrameTime *frame, gint64 out) {
  gint64 missing = self->real_end == FOVEA_NO_TIME ? 0 : out - self->real_end;
  gboolean paused = self->live && !self->fresh && missing > MAX(PAUSE_MIN, PAUSE_INTERVALS * self->interval);
  frame->discont = self->fresh || paused;
  frame->resumed = paused;
  frame->gap_start = self->real_end;
  frame->gap = frame->discont && self->live ? MAX(missing, 0) : 0;
}

static void remember(FoveaTimeline *self, const FoveaFrameTime *frame, gint64 out) {
  gint64 step = self->fresh || self->last == FOVEA_NO_TIME ? 0 : out - self->last;
  if (step > 0 && !frame->resumed)
    self->interval = self->interval > 0 ? (self->interval * 7 + step) / 8 : step;
  self->last = MAX(self->last, out);
  self->end = MAX(self->end, MAX(out, frame->pts) + duration_of(self, frame));
  self->real_end = self->end;
  self->fresh = FALSE;
}

FoveaTimelineVerdict fovea_timeline_place(FoveaTimeline *self, FoveaFrameTime *frame, gint64 now) {
  give_time(self, frame, now);
  gint64 time = order(self, frame);
  if (self->fresh)
    self->offset = first_offset(self, time, now);
  else
    catch_up(self, time, now);
  if (!keep_rising(self, frame, time) || time + self->offset > LAST_TIME)
    return FOVEA_TIMELINE_DROP;
  gint64 out = time + self->offset;
  find_gap(self, frame, out);
  frame->pts = frame->pts == FOVEA_NO_TIME ? FOVEA_NO_TIME : frame->pts + self->offset;
  frame->dts = frame->dts == FOVEA_NO_TIME ? FOVEA_NO_TIME : frame->dts + self->offset;
  remember(self, frame, out);
  return FOVEA_TIMELINE_PASS;
}

void fovea_timeline_substitute(FoveaTimeline *self, gint64 pts, gint64 duration) {
  self->last = pts;
  self->end = MAX(self->end, pts + duration);
}

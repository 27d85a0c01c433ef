#include "decodetimes.h"

#define NONE_AFTER 5 /* frames without a step back: there are no B-frames */
#define PYRAMID 2    /* B-frames that predict others need as many; an encoder that has not done so yet may */
#define LONGEST_REORDERING (2 * (gint64)GST_SECOND) /* more is another time axis */
#define STEP ((gint64)GST_MSECOND) /* muxers round, and take equal times for a frame of unknown length */
#define DEFAULT_INTERVAL (40 * (gint64)GST_MSECOND)
#define NEWEST FOVEA_REORDER_MAX /* index into shown */

typedef struct Held {
  gpointer frame;
  gint64 pts, dts;
} Held;

/* ---- what the first frames show ---- */

static gboolean is_told(const GQueue *held) {
  for (const GList *at = held->head; at; at = at->next)
    if (((const Held *)at->data)->dts != FOVEA_NO_TIME)
      return TRUE;
  return FALSE;
}

/* A group of B-frames is over with a frame that is shown after all before it. */
static gboolean has_seen_enough(const GQueue *held) {
  gint64 newest = FOVEA_NO_TIME;
  gboolean back = FALSE, over = FALSE;
  for (const GList *at = held->head; at; at = at->next) {
    gint64 pts = ((const Held *)at->data)->pts;
    over = back && pts > newest;
    back |= pts < newest;
    newest = MAX(newest, pts);
  }
  return over || held->length > FOVEA_REORDER_MAX || (!back && held->length >= NONE_AFTER);
}

/* The pictures before the first one, as if there were any. */
static void begin_at(FoveaDecodeTimes *times, gint64 pts) {
  for (guint i = 0; i <= NEWEST; i++) times->shown[i] = pts - (gint64)(NEWEST + 1 - i) * times->interval;
}

/* How many of those decoded before it are shown after a picture; more than FOVEA_REORDER_MAX: it is on another time axis. */
static guint shown_after(const FoveaDecodeTimes *times, gint64 pts) {
  guint count = 0;
  while (count <= NEWEST && times->shown[NEWEST - count] > pts) count++;
  return count;
}

static void insert(FoveaDecodeTimes *times, gint64 pts) {
  guint at = 0; /* the earliest leaves */
  for (; at < NEWEST && times->shown[at + 1] <= pts; at++) times->shown[at] = times->shown[at + 1];
  times->shown[at] = pts;
}

static void note(FoveaDecodeTimes *times, gint64 pts) {
  guint after = shown_after(times, pts);
  if (after > FOVEA_REORDER_MAX || times->shown[NEWEST] - pts > LONGEST_REORDERING) {
    begin_at(times, pts);
    times->last = FOVEA_NO_TIME;
    after = 0;
  }
  if (after > times->depth)
    times->depth = MAX(after, PYRAMID);
  insert(times, pts);
}

/* Between pictures. The last may be of a group of which others are missing: it counts only if it is not the newest. */
static gint64 interval_of(const GQueue *held, gint64 first) {
  gint64 newest = first;
  guint count = 0;
  for (const GList *at = held->head; at; at = at->next) {
    gint64 pts = ((const Held *)at->data)->pts;
    if (!at->next && pts > newest)
      break;
    newest = MAX(newest, pts);
    count++;
  }
  return count > 1 ? CLAMP((newest - first) / (count - 1), STEP, (gint64)GST_SECOND) : DEFAULT_INTERVAL;
}

/* Begins with what has waited: all of it is looked at before the first of it goes. */
static void learn(FoveaDecodeTimes *times) {
  gint64 first = G_MAXINT64;
  times->learning = FALSE;
  for (const GList *at = times->held.head; at; at = at->next) first = MIN(first, ((const Held *)at->data)->pts);
  times->interval = interval_of(&times->held, first);
  begin_at(times, first);
  for (const GList *at = times->held.head; at; at = at->next) note(times, ((const Held *)at->data)->pts);
  begin_at(times, first);
}

/* ---- frames ---- */

static gint64 decoding_time(FoveaDecodeTimes *times, const Held *held) {
  if (!times->wanted)
    return held->dts;
  note(times, held->pts);
  gboolean told = held->dts != FOVEA_NO_TIME, known = told || times->depth > 0;
  gint64 dts = told ? held->dts : known ? times->shown[NEWEST - times->depth] : held->pts;
  if (!times->negative)
    dts = MAX(dts, 0);
  if (known && times->last != FOVEA_NO_TIME && !(told && times->negative))
    dts = MAX(dts, times->last + STEP);
  times->last = dts;
  return known ? dts : FOVEA_NO_TIME;
}

void fovea_decode_times_begin(FoveaDecodeTimes *times, const GstCaps *caps) {
  const GstStructure *structure = gst_caps_get_structure(caps, 0);
  gboolean before = times->wanted;
  times->wanted = gst_structure_has_name(structure, "video/x-h264") || gst_structure_has_name(structure, "video/x-h265");
  times->learning = times->wanted;
  times->depth = 0;
  if (!before)
    times->last = FOVEA_NO_TIME;
}

void fovea_decode_times_put(FoveaDecodeTimes *times, gpointer frame, gint64 pts, gint64 dts) {
  Held held = {frame, pts != FOVEA_NO_TIME ? pts : dts, dts};
  g_queue_push_tail(&times->held, g_memdup2(&held, sizeof held));
  if (times->learning && (is_told(&times->held) || has_seen_enough(&times->held)))
    learn(times);
}

gpointer fovea_decode_times_take(FoveaDecodeTimes *times, gint64 *ret_dts) {
  Held *held = times->learning ? NULL : g_queue_pop_head(&times->held);
  if (!held)
    return NULL;
  gpointer frame = held->frame;
  *ret_dts = decoding_time(times, held);
  g_free(held);
  return frame;
}

void fovea_decode_times_settle(FoveaDecodeTimes *times) {
  if (times->learning && times->held.length > 0)
    learn(times);
}

void fovea_decode_times_clear(FoveaDecodeTimes *times, GDestroyNotify free_frame) {
  Held *held;
  while ((held = g_queue_pop_head(&times->held))) {
    free_frame(held->frame);
    g_free(held);
  }
  times->learning = times->wanted;
  times->depth = 0;
  times->last = FOVEA_NO_TIME;
}

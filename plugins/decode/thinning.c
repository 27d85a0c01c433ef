#include "thinning.h"

#define KEYS_TO_TRUST 3       /* regular gaps before the rest is left out: what comes wrong after that costs a whole group of pictures */
#define REFERENCES_TO_TRUST 8 /* likewise; costs one gap */

static void cadence_reset(FoveaCadence *cadence) { *cadence = (FoveaCadence){.last = GST_CLOCK_TIME_NONE}; }

void fovea_thinning_reset(FoveaThinning *thinning, GstClockTime frame_duration) {
  thinning->frame_duration = frame_duration;
  thinning->origin = thinning->first = thinning->newest = GST_CLOCK_TIME_NONE;
  thinning->last_fed = thinning->last_shown = G_MININT64;
  thinning->count = 0;
  cadence_reset(&thinning->keys);
  cadence_reset(&thinning->references);
}

void fovea_thinning_set_max_fps(FoveaThinning *thinning, gdouble max_fps) {
  if (thinning->max_fps == max_fps)
    return;
  thinning->max_fps = max_fps;
  thinning->interval = max_fps > 0 ? (GstClockTime)(GST_SECOND / max_fps) : 0;
  fovea_thinning_reset(thinning, thinning->frame_duration);
}

/* The longer of what the caps say and what was seen: a picture more is better than one missed. */
static GstClockTime frame_duration(const FoveaThinning *thinning) {
  GstClockTime seen = thinning->count > 1 ? (thinning->newest - thinning->first) / (thinning->count - 1) : 0;
  return MAX(seen, thinning->frame_duration);
}

/* Slots begin half a picture early, so that times that were rounded, or jitter a little, stay on their side. */
static gint64 slot_of(const FoveaThinning *thinning, GstClockTime pts) {
  gint64 from_origin = GST_CLOCK_DIFF(thinning->origin, pts) + (gint64)(MIN(frame_duration(thinning), thinning->interval) / 2);
  gint64 interval = (gint64)thinning->interval;
  return from_origin >= 0 ? from_origin / interval : -((-from_origin + interval - 1) / interval);
}

static gboolean too_long(const FoveaThinning *thinning, GstClockTime gap) { return gap > thinning->interval + thinning->interval / 20; }

/* One picture of the kind has come. Those that go back in time, as reference pictures may, fill a gap that was already counted as longer. */
static void cadence_step(const FoveaThinning *thinning, FoveaCadence *cadence, GstClockTime pts) {
  if (GST_CLOCK_TIME_IS_VALID(cadence->last) && pts <= cadence->last)
    return;
  if (GST_CLOCK_TIME_IS_VALID(cadence->last))
    cadence->regular = too_long(thinning, pts - cadence->last) ? 0 : cadence->regular + 1;
  cadence->last = pts;
}

/* Called for every packet: a kind that stays away is noticed by the others. */
static gboolean cadence_holds(const FoveaThinning *thinning, FoveaCadence *cadence, guint needed, GstClockTime pts) {
  if (cadence->broken || cadence->regular < needed)
    return FALSE;
  cadence->broken = pts > cadence->last && too_long(thinning, pts - cadence->last);
  return !cadence->broken;
}

static void note_time(FoveaThinning *thinning, GstClockTime pts) {
  if (!GST_CLOCK_TIME_IS_VALID(thinning->first))
    thinning->first = thinning->newest = pts;
  thinning->first = MIN(thinning->first, pts);
  thinning->newest = MAX(thinning->newest, pts);
  thinning->count++;
  if (!GST_CLOCK_TIME_IS_VALID(thinning->origin))
    thinning->origin = pts;
}

FoveaSkip fovea_thinning_observe(FoveaThinning *thinning, const FoveaPacketInfo *info, GstClockTime pts) {
  if (thinning->interval == 0 || !GST_CLOCK_TIME_IS_VALID(pts))
    return FOVEA_SKIP_NONE;
  note_time(thinning, pts);
  if (info->key)
    cadence_step(thinning, &thinning->keys, pts);
  if (info->reference || info->key)
    cadence_step(thinning, &thinning->references, pts);
  if (cadence_holds(thinning, &thinning->keys, KEYS_TO_TRUST, pts))
    return FOVEA_SKIP_NOKEY;
  if (cadence_holds(thinning, &thinning->references, REFERENCES_TO_TRUST, pts))
    return FOVEA_SKIP_NONREF;
  thinning->references.broken = FALSE; /* going back costs nothing, so they are trusted again */
  return FOVEA_SKIP_NONE;
}

static gboolean take(FoveaThinning *thinning, gint64 *last, GstClockTime pts) {
  if (thinning->interval == 0 || !GST_CLOCK_TIME_IS_VALID(pts))
    return TRUE;
  if (!GST_CLOCK_TIME_IS_VALID(thinning->origin))
    thinning->origin = pts;
  gint64 slot = slot_of(thinning, pts), second = (gint64)(GST_SECOND / thinning->interval) + 1;
  gboolean back = *last != G_MININT64 && slot < *last - second; /* times began anew */
  if (slot <= *last && !back)
    return FALSE;
  *last = slot;
  return TRUE;
}

gboolean fovea_thinning_feed(FoveaThinning *thinning, GstClockTime pts) { return take(thinning, &thinning->last_fed, pts); }
gboolean fovea_thinning_show(FoveaThinning *thinning, GstClockTime pts) { return take(thinning, &thinning->last_shown, pts); }

gboolean fovea_thinning_may_show(const FoveaThinning *thinning, GstClockTime pts) {
  GstClockTime before = frame_duration(thinning);
  if (thinning->interval == 0 || !GST_CLOCK_TIME_IS_VALID(pts) || thinning->count < 2 || before == 0 || before >= thinning->interval)
    return TRUE;
  return slot_of(thinning, pts) != slot_of(thinning, pts - MIN(before, pts));
}

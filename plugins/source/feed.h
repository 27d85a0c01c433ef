/* The part of a source that stays: a push source that gives downstream the frames of one attempt after the other as one stream, and substitutes while there are none.
 *
 * An attempt hands in from its own threads, under its number; once fovea_feed_end_attempt() has returned, what it hands in is refused. */
#ifndef FOVEA_SOURCE_FEED_H
#define FOVEA_SOURCE_FEED_H

#include <gst/base/gstpushsrc.h>

G_BEGIN_DECLS

#define FOVEA_TYPE_FEED (fovea_feed_get_type())
G_DECLARE_FINAL_TYPE(FoveaFeed, fovea_feed, FOVEA, FEED, GstPushSrc)

typedef enum FoveaPlaceholder { FOVEA_PLACEHOLDER_NONE, FOVEA_PLACEHOLDER_LAST, FOVEA_PLACEHOLDER_GREY } FoveaPlaceholder;

typedef struct FoveaFeedOptions {
  gboolean live, encoded;
  gboolean stamped;             /* frames come with times of the pipeline's clock */
  FoveaPlaceholder placeholder; /* raw video of a live source only */
  guint latency_ms;
  gint width, height;           /* of substitutes before the source has told its own */
} FoveaFeedOptions;

typedef struct FoveaFeedStats {
  guint64 frames, late, gaps, placeholders;
  GstClockTime gap;      /* in all */
  GstClockTime interval; /* between frames, smoothed; 0: not known */
  gint64 waiting_since; /* monotonic us; 0: nobody waits for a frame, as downstream is busy or not playing */
} FoveaFeedStats;

/* Before it starts. Clears the counters. */
void fovea_feed_set_up(FoveaFeed *feed, const FoveaFeedOptions *options);
void fovea_feed_get_stats(FoveaFeed *feed, FoveaFeedStats *ret_stats);

/* From now on attempt (not 0) may hand in. reason: why the one before ended, for the record of what is missing. */
void fovea_feed_begin_attempt(FoveaFeed *feed, guint attempt, const gchar *reason);
/* No caller is inside any more, nor will be, when this returns. What was handed in before is still given out. */
void fovea_feed_end_attempt(FoveaFeed *feed);
/* Wait while the feed is full, or until it has done what was asked. */
GstFlowReturn fovea_feed_push(FoveaFeed *feed, guint attempt, GstBuffer *buffer, const GstSegment *segment); /* takes the buffer */
gboolean fovea_feed_push_caps(FoveaFeed *feed, guint attempt, GstCaps *caps);
gboolean fovea_feed_ask(FoveaFeed *feed, guint attempt, GstQuery *query); /* what is downstream; a serialized query between the buffers where it belongs */
/* The attempt's frames need that long; also tells the pipeline when it is news. */
void fovea_feed_set_latency(FoveaFeed *feed, guint attempt, GstClockTime latency);

/* The last word, after what was handed in: the end of the stream, or silence after an error that was posted. */
void fovea_feed_finish(FoveaFeed *feed);
void fovea_feed_fall_silent(FoveaFeed *feed);

G_END_DECLS
#endif

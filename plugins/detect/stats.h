/* Counters and per-stage times over the most recent frames. Every function may be called from any thread. */
#ifndef FOVEA_PLUGINS_STATS_H
#define FOVEA_PLUGINS_STATS_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum FoveaStage {
  FOVEA_STAGE_PREPROCESS,
  FOVEA_STAGE_INFER,
  FOVEA_STAGE_POSTPROCESS,
  FOVEA_STAGE_TOTAL,
  FOVEA_STAGE_COUNT
} FoveaStage;

#define FOVEA_STATS_WINDOW 256 /* frames that quantiles and the frame rate look back on */

typedef struct FoveaStats {
  GMutex lock;
  guint64 frames, analysed, skipped, dropped;
  guint64 times[FOVEA_STAGE_COUNT][FOVEA_STATS_WINDOW]; /* ns, a ring by analysed */
  guint64 uploaded[FOVEA_STATS_WINDOW], read[FOVEA_STATS_WINDOW]; /* bytes to the device and back, the same ring */
  gint64 passed_at[FOVEA_STATS_WINDOW];                 /* monotonic us, a ring by frames */
} FoveaStats;

void fovea_stats_init(FoveaStats *stats);
void fovea_stats_finish(FoveaStats *stats);
void fovea_stats_reset(FoveaStats *stats);

void fovea_stats_count_frame(FoveaStats *stats);   /* left the element */
void fovea_stats_count_skipped(FoveaStats *stats); /* left it without having been analysed */
void fovea_stats_count_dropped(FoveaStats *stats); /* did not leave it */
/* One analysed frame: nanoseconds by stage, bytes to the device and back. */
void fovea_stats_add_analysis(FoveaStats *stats, const guint64 times[FOVEA_STAGE_COUNT], guint64 uploaded, guint64 read);

/* Nanoseconds that a share (0..1) of the recent analysed frames did not exceed; 0 before the first. */
guint64 fovea_stats_quantile(FoveaStats *stats, FoveaStage stage, gdouble share);
/* Adds frames, analysed, skipped, dropped, uploaded-bytes, read-bytes (uint64, the mean of recent analysed frames), fps (double) and <stage>-p50-ms,
 * -p95-ms, -p99-ms (double). */
void fovea_stats_fill(FoveaStats *stats, GstStructure *structure);

G_END_DECLS
#endif

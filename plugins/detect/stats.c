#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void fovea_stats_init(FoveaStats *stats) {
  memset(stats, 0, sizeof(*stats));
  g_mutex_init(&stats->lock);
}

void fovea_stats_finish(FoveaStats *stats) {
  g_mutex_clear(&stats->lock);
}

void fovea_stats_reset(FoveaStats *stats) {
  g_mutex_lock(&stats->lock);
  stats->frames = stats->analysed = stats->skipped = stats->dropped = 0;
  g_mutex_unlock(&stats->lock);
}

void fovea_stats_count_frame(FoveaStats *stats) {
  gint64 now = g_get_monotonic_time();
  g_mutex_lock(&stats->lock);
  stats->passed_at[stats->frames++ % FOVEA_STATS_WINDOW] = now;
  g_mutex_unlock(&stats->lock);
}

void fovea_stats_count_skipped(FoveaStats *stats) {
  g_mutex_lock(&stats->lock);
  stats->skipped++;
  g_mutex_unlock(&stats->lock);
}

void fovea_stats_count_dropped(FoveaStats *stats) {
  g_mutex_lock(&stats->lock);
  stats->dropped++;
  g_mutex_unlock(&stats->lock);
}

void fovea_stats_add_analysis(FoveaStats *stats, const guint64 times[FOVEA_STAGE_COUNT], guint64 uploaded, guint64 read) {
  g_mutex_lock(&stats->lock);
  guint slot = (guint)(stats->analysed++ % FOVEA_STATS_WINDOW);
  for (guint stage = 0; stage < FOVEA_STAGE_COUNT; stage++)
    stats->times[stage][slot] = times[stage];
  stats->uploaded[slot] = uploaded;
  stats->read[slot] = read;
  g_mutex_unlock(&stats->lock);
}

static int compare_times(const void *a, const void *b) {
  guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
  return (x > y) - (x < y);
}

static guint sorted_times(FoveaStats *stats, FoveaStage stage, guint64 sorted[FOVEA_STATS_WINDOW]) {
  g_mutex_lock(&stats->lock);
  guint count = (guint)MIN(stats->analysed, FOVEA_STATS_WINDOW);
  memcpy(sorted, stats->times[stage], count * sizeof(guint64));
  g_mutex_unlock(&stats->lock);
  qsort(sorted, count, sizeof(guint64), compare_times);
  return count;
}

/* Nearest rank. */
static guint64 quantile(const guint64 *sorted, guint count, gdouble share) {
  if (count == 0)
    return 0;
  guint rank = (guint)ceil(share * count);
  return sorted[CLAMP(rank, 1, count) - 1];
}

guint64 fovea_stats_quantile(FoveaStats *stats, FoveaStage stage, gdouble share) {
  guint64 sorted[FOVEA_STATS_WINDOW];
  guint count = sorted_times(stats, stage, sorted);
  return quantile(sorted, count, share);
}

/* Called with the lock held. */
static gdouble frame_rate(const FoveaStats *stats) {
  guint count = (guint)MIN(stats->frames, FOVEA_STATS_WINDOW);
  if (count < 2)
    return 0.0;
  gint64 last = stats->passed_at[(stats->frames - 1) % FOVEA_STATS_WINDOW],
         first = stats->passed_at[(stats->frames - count) % FOVEA_STATS_WINDOW];
  return last > first ? (count - 1) * (gdouble)G_USEC_PER_SEC / (gdouble)(last - first) : 0.0;
}

/* Called with the lock held. */
static guint64 mean_bytes(const FoveaStats *stats, const guint64 bytes[FOVEA_STATS_WINDOW]) {
  guint count = (guint)MIN(stats->analysed, FOVEA_STATS_WINDOW);
  guint64 sum = 0;
  for (guint i = 0; i < count; i++)
    sum += bytes[i];
  return count ? sum / count : 0;
}

void fovea_stats_fill(FoveaStats *stats, GstStructure *structure) {
  static const gchar *stages[FOVEA_STAGE_COUNT] = {"preprocess", "infer", "postprocess", "total"};
  static const guint percents[] = {50, 95, 99};
  g_mutex_lock(&stats->lock);
  gst_structure_set(structure, "frames", G_TYPE_UINT64, stats->frames, "analysed", G_TYPE_UINT64, stats->analysed, "skipped",
                    G_TYPE_UINT64, stats->skipped, "dropped", G_TYPE_UINT64, stats->dropped, "fps", G_TYPE_DOUBLE,
                    frame_rate(stats), "uploaded-bytes", G_TYPE_UINT64, mean_bytes(stats, stats->uploaded), "read-bytes",
                    G_TYPE_UINT64, mean_bytes(stats, stats->read), NULL);
  g_mutex_unlock(&stats->lock);
  for (guint stage = 0; stage < FOVEA_STAGE_COUNT; stage++) {
    guint64 sorted[FOVEA_STATS_WINDOW];
    guint count = sorted_times(stats, (FoveaStage)stage, sorted);
    for (guint i = 0; i < G_N_ELEMENTS(percents); i++) {
      gchar name[32];
      g_snprintf(name, sizeof(name), "%s-p%u-ms", stages[stage], percents[i]);
      gst_structure_set(structure, name, G_TYPE_DOUBLE, (gdouble)quantile(sorted, count, percents[i] / 100.0) / 1e6, NULL);
    }
  }
}

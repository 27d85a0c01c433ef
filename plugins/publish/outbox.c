#include "outbox.h"

#include <string.h>
#include <sys/statvfs.h>

#include "memoryqueue.h"

#define IN_MEMORY (G_GUINT64_CONSTANT(1) << 63) /* marks ids; the spool's have 0 there */
#define LAZY_SYNC_MS 30000 /* of a spool that syncs whole segments: age and progress need a look now and then */
#define ONE_PRIORITY (FV_SPOOL_PRIORITIES / 2)

struct FoveaOutbox {
  FvSpool *spool; /* NULL: none, or it could not be opened */
  FvSpoolReader *reader;
  FoveaMemoryQueue *memory;
  gboolean wanted_spool, by_priority, limited;
  /* courier's thread */
  guint unkept;
  gint64 sync_interval, synced_at; /* us, monotonic */

  GMutex lock;
  gchar *problem;
  guint64 refused;
};

static void note_problem(FoveaOutbox *outbox, const gchar *problem) {
  g_mutex_lock(&outbox->lock);
  if (g_strcmp0(outbox->problem, problem) != 0) {
    g_free(outbox->problem);
    outbox->problem = g_strdup(problem);
  }
  g_mutex_unlock(&outbox->lock);
}

/* Whether what ails the directory is its disk, which a pipeline should survive, and not a setting. */
static gboolean disk_is_full_or_read_only(const gchar *directory) {
  struct statvfs disk;
  gchar *parent = g_path_get_dirname(directory);
  gboolean known = statvfs(directory, &disk) == 0 || statvfs(parent, &disk) == 0;
  g_free(parent);
  return known && ((disk.f_flag & ST_RDONLY) || (disk.f_blocks > 0 && disk.f_bavail == 0) || (disk.f_files > 0 && disk.f_favail == 0));
}

/* The courier's ticks write through, so that a slow disk keeps no frame waiting; appends do it only where it is wanted more often than the ticks come, or they stay away. */
static guint sync_interval_of_appends(const FoveaOutboxSettings *settings) {
  return settings->sync_interval_ms < FOVEA_OUTBOX_TICK_MS ? settings->sync_interval_ms : settings->sync_interval_ms + 2 * FOVEA_OUTBOX_TICK_MS;
}

static gboolean open_spool(FoveaOutbox *outbox, const FoveaOutboxSettings *settings, gchar **ret_problem, GError **error) {
  gboolean in_order = !settings->newest_first && settings->backlog_bytes_per_s == 0;
  FvError err;
  int result = fv_spool_open(&fv_spool_params(.directory = settings->spool, .max_age_s = (int64_t)settings->age_s, .policy = settings->policy, .sync = settings->sync,
                                              .max_bytes = (int64_t)(settings->bytes ? settings->bytes : FOVEA_OUTBOX_DISK_BYTES),
                                              .sync_interval_ms = (int)sync_interval_of_appends(settings)),
                             &outbox->spool, &err);
  if (result == 0)
    result = fv_spool_reader_open(outbox->spool,
                                  &(FvSpoolReaderParams){.name = FOVEA_OUTBOX_READER, .newest_first = settings->newest_first, .in_order = in_order,
                                                         .backlog_bytes_per_s = (int64_t)settings->backlog_bytes_per_s},
                                  &outbox->reader, &err);
  if (result == 0)
    return TRUE;
  fv_spool_close(&outbox->spool);
  if (result == FV_ERR_IO && disk_is_full_or_read_only(settings->spool)) {
    *ret_problem = g_strdup(err.message);
    note_problem(outbox, err.message);
    return TRUE;
  }
  g_set_error(error, G_IO_ERROR, result == FV_ERR_INVALID ? G_IO_ERROR_INVALID_ARGUMENT : G_IO_ERROR_FAILED, "%s", err.message);
  return FALSE;
}

FoveaOutbox *fovea_outbox_new(const FoveaOutboxSettings *settings, gchar **ret_problem, GError **error) {
  FoveaOutbox *outbox = g_new0(FoveaOutbox, 1);
  guint64 memory = settings->spool || !settings->bytes ? FOVEA_OUTBOX_MEMORY_BYTES : settings->bytes;
  *ret_problem = NULL;
  g_mutex_init(&outbox->lock);
  outbox->by_priority = settings->policy == FV_SPOOL_DROP_LOWEST_PRIORITY;
  outbox->wanted_spool = settings->spool != NULL;
  outbox->limited = settings->backlog_bytes_per_s > 0;
  outbox->sync_interval = 1000 * (gint64)(settings->sync == FV_SPOOL_SYNC_SEGMENT ? LAZY_SYNC_MS : MAX(settings->sync_interval_ms, 1));
  outbox->memory = fovea_memory_queue_new(&(FoveaMemoryQueueParams){
    .max_bytes = (gsize)MIN(memory, G_MAXSIZE / 2), .max_age_s = settings->age_s, .policy = settings->policy, .newest_first = settings->newest_first,
    .in_order = !settings->newest_first && settings->backlog_bytes_per_s == 0, .backlog_bytes_per_s = settings->backlog_bytes_per_s});
  if (!settings->spool || open_spool(outbox, settings, ret_problem, error))
    return outbox;
  fovea_outbox_free(outbox);
  return NULL;
}

void fovea_outbox_free(FoveaOutbox *outbox) {
  if (!outbox)
    return;
  fv_spool_reader_close(&outbox->reader);
  fv_spool_close(&outbox->spool);
  fovea_memory_queue_free(outbox->memory);
  g_free(outbox->problem);
  g_mutex_clear(&outbox->lock);
  g_free(outbox);
}

static gboolean refuse(FoveaOutbox *outbox, const gchar *reason, GError **error) {
  g_mutex_lock(&outbox->lock);
  outbox->refused++;
  g_mutex_unlock(&outbox->lock);
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, reason);
  return FALSE;
}

gboolean fovea_outbox_append(FoveaOutbox *outbox, guint8 priority, const gchar *line, gsize size, GError **error) {
  const FvSpoolRecord record = {.priority = outbox->by_priority ? priority : ONE_PRIORITY, .data = line, .size = size};
  FvError err;
  if (outbox->spool) {
    int result = fv_spool_append(outbox->spool, &record, NULL, &err);
    if (result != 0)
      note_problem(outbox, err.message);
    else
      note_problem(outbox, NULL);
    if (result == 0)
      return TRUE;
    if (result != FV_ERR_IO)
      return refuse(outbox, err.message, error);
  }
  return fovea_memory_queue_append(outbox->memory, &record) || refuse(outbox, "the messages that wait in memory fill its bound", error);
}

gboolean fovea_outbox_holds_back(FoveaOutbox *outbox, guint open) {
  FoveaOutboxStats stats;
  if (!outbox->limited)
    return FALSE;
  fovea_outbox_stats(outbox, &stats);
  return stats.pending > open;
}

gboolean fovea_outbox_next(FoveaOutbox *outbox, FvSpoolRecord *ret_message) {
  FvError err;
  int result = outbox->reader ? fv_spool_next(outbox->reader, ret_message, &err) : 0;
  if (result < 0)
    note_problem(outbox, err.message);
  if (result > 0)
    return TRUE;
  if (!fovea_memory_queue_next(outbox->memory, ret_message))
    return FALSE;
  ret_message->id |= IN_MEMORY;
  return TRUE;
}

void fovea_outbox_acknowledge(FoveaOutbox *outbox, guint64 id) {
  if (id & IN_MEMORY) {
    fovea_memory_queue_acknowledge(outbox->memory, id & ~IN_MEMORY);
  } else if (outbox->reader && fv_spool_acknowledge(outbox->reader, id, NULL) == 0) {
    outbox->unkept++;
  }
}

void fovea_outbox_rewind(FoveaOutbox *outbox) {
  if (outbox->reader)
    fv_spool_rewind(outbox->reader);
  fovea_memory_queue_rewind(outbox->memory);
}

guint fovea_outbox_unkept(const FoveaOutbox *outbox) { return outbox->unkept; }

/* Where that fails it is tried again with the next ones; meanwhile messages go on, and more of them may come twice. */
void fovea_outbox_keep(FoveaOutbox *outbox) {
  FvError err;
  if (outbox->unkept && fv_spool_keep(outbox->spool, &err) < 0)
    note_problem(outbox, err.message);
  outbox->unkept = 0;
}

void fovea_outbox_tick(FoveaOutbox *outbox) {
  gint64 now = g_get_monotonic_time();
  FvError err;
  if (!outbox->spool || now - outbox->synced_at < outbox->sync_interval)
    return;
  outbox->synced_at = now;
  if (fv_spool_sync(outbox->spool, &err) < 0)
    note_problem(outbox, err.message);
  outbox->unkept = 0;
}

void fovea_outbox_stats(FoveaOutbox *outbox, FoveaOutboxStats *ret_stats) {
  FoveaMemoryQueueStats memory;
  fovea_memory_queue_stats(outbox->memory, &memory);
  *ret_stats = (FoveaOutboxStats){.pending = memory.records, .in_memory = memory.records, .bytes = memory.bytes, .dropped = memory.dropped, .on_disk = outbox->spool != NULL};
  if (outbox->spool) {
    FvSpoolStats disk = fv_spool_stats(outbox->spool);
    ret_stats->pending += (guint64)fv_spool_pending(outbox->reader);
    ret_stats->bytes += (guint64)disk.bytes;
    ret_stats->dropped += disk.dropped;
  }
  g_mutex_lock(&outbox->lock);
  ret_stats->refused = outbox->refused;
  ret_stats->degraded = outbox->wanted_spool && (!outbox->spool || outbox->problem);
  g_mutex_unlock(&outbox->lock);
}

gchar *fovea_outbox_problem(FoveaOutbox *outbox) {
  g_mutex_lock(&outbox->lock);
  gchar *problem = g_strdup(outbox->problem);
  g_mutex_unlock(&outbox->lock);
  return problem;
}

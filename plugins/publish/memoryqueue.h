/* Messages that wait in memory, for as long as the process lives: the spool's manners (fovea/spool.h) without a disk. Appended to by one thread, read by
 * another; every function locks. */
#ifndef FOVEA_PLUGINS_MEMORYQUEUE_H
#define FOVEA_PLUGINS_MEMORYQUEUE_H

#include <glib.h>

#include <fovea/spool.h>

G_BEGIN_DECLS

typedef struct FoveaMemoryQueue FoveaMemoryQueue;

typedef struct FoveaMemoryQueueParams {
  gsize max_bytes; /* payload and FOVEA_MEMORY_RECORD_BYTES for each message */
  guint64 max_age_s; /* 0: no bound */
  FvSpoolPolicy policy;
  gboolean newest_first, in_order; /* as FvSpoolReaderParams has them */
  guint64 backlog_bytes_per_s;
} FoveaMemoryQueueParams;

#define FOVEA_MEMORY_RECORD_BYTES 128 /* what a message costs besides its text */

typedef struct FoveaMemoryQueueStats {
  guint64 bytes, records; /* now */
  guint64 dropped, refused;
} FoveaMemoryQueueStats;

FoveaMemoryQueue *fovea_memory_queue_new(const FoveaMemoryQueueParams *params);
void fovea_memory_queue_free(FoveaMemoryQueue *queue); /* accepts NULL */

/* FALSE: full, and the policy refuses. */
gboolean fovea_memory_queue_append(FoveaMemoryQueue *queue, const FvSpoolRecord *record);
/* The next one in turn; its data is valid until the next call. FALSE: none now. */
gboolean fovea_memory_queue_next(FoveaMemoryQueue *queue, FvSpoolRecord *ret_record);
void fovea_memory_queue_acknowledge(FoveaMemoryQueue *queue, guint64 id); /* unknown ones are ignored */
void fovea_memory_queue_rewind(FoveaMemoryQueue *queue);
void fovea_memory_queue_stats(FoveaMemoryQueue *queue, FoveaMemoryQueueStats *ret_stats);

G_END_DECLS
#endif

/* A log on disk for what must not be lost while the network is away: records in segments, each with its checksums, until they are acknowledged.
 *
 * A directory holds one spool; core/spool/format.h defines its files. It survives SIGKILL and power cuts (what was synced stays, a torn tail is cut), keeps under
 * a bound of bytes and of age, and never blocks on a reader. One process writes; any number of readers in that process, each with a name under which its
 * progress is kept, see every record at least once.
 *
 * Thread-safety: append, sync and stats from any thread; a reader belongs to one thread at a time. */
#ifndef FOVEA_SPOOL_H
#define FOVEA_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fovea/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FV_SPOOL_PRIORITIES 8                     /* 0, the lowest, to 7 */
#define FV_SPOOL_MAX_RECORD_BYTES (16 << 20)
#define FV_SPOOL_MAX_READERS 16
#define FV_SPOOL_MAX_NAME 63                      /* of a reader: letters, digits, '-', '_' and '.' */
#define FV_SPOOL_MIN_BYTES (256 << 10)            /* smallest max_bytes */

typedef struct FvSpool FvSpool;
typedef struct FvSpoolReader FvSpoolReader;

typedef enum FvSpoolPolicy {
  FV_SPOOL_DROP_OLDEST = 0,     /* the oldest segment goes, whatever its priority */
  FV_SPOOL_DROP_LOWEST_PRIORITY, /* the oldest segment of the lowest priority that is not above the new record's; none: the new record is refused */
  FV_SPOOL_REFUSE_NEW,
} FvSpoolPolicy;
typedef enum FvSpoolSync {
  FV_SPOOL_SYNC_INTERVAL = 0, /* at most sync_interval_ms of records are lost in a power cut */
  FV_SPOOL_SYNC_RECORD,       /* append returns when the record is on the disk */
  FV_SPOOL_SYNC_SEGMENT,      /* when a segment is full */
} FvSpoolSync;

typedef struct FvSpoolParams {
  const char *directory;   /* made, with mode 0700, when it is not there; its parent must exist */
  int64_t max_bytes;       /* of all segments together, kept while writing; 0: 512 MiB */
  int64_t max_age_s;       /* whole segments older than this go; 0: no bound */
  int64_t segment_bytes;   /* 0: a sixteenth of max_bytes, 64 KiB to 8 MiB */
  FvSpoolPolicy policy;
  FvSpoolSync sync;
  int sync_interval_ms;    /* 0: 1000 */
  bool read_only;          /* look only: takes no lock, changes nothing, readers' progress is not kept */
} FvSpoolParams;
#define fv_spool_params(...) ((FvSpoolParams){__VA_ARGS__})

typedef struct FvSpoolRecord {
  uint64_t id;             /* given by append: unique in this spool for ever; priority in the top byte, below it a number that counts up from 1 */
  uint16_t type;           /* the caller's */
  uint8_t priority;        /* below FV_SPOOL_PRIORITIES */
  int64_t wall_ns;         /* since 1970, UTC; 0 in append: now */
  int64_t monotonic_ns;    /* CLOCK_MONOTONIC of the machine that wrote it; 0 in append: now */
  const void *data;
  size_t size;             /* at most FV_SPOOL_MAX_RECORD_BYTES, and at most half of a segment */
} FvSpoolRecord;

/* Errors: FV_ERR_IO (names the file; also another process that writes here, by its number), FV_ERR_INVALID. */
FV_API int fv_spool_open(const FvSpoolParams *params, FvSpool **spool, FvError *err);
/* Syncs, keeps all readers' progress and closes. Readers must be closed already. Accepts NULL and a pointer to NULL. */
FV_API void fv_spool_close(FvSpool **spool);

/* FV_ERR_LIMIT: full, and the policy refuses; FV_ERR_IO: the disk is full or gone. In both cases nothing was written, the spool stays usable, and stats count it. id may be NULL. */
FV_API int fv_spool_append(FvSpool *spool, const FvSpoolRecord *record, uint64_t *id, FvError *err);
/* Writes through to the disk, keeps readers' progress, removes what is too old. Call it now and then where appends pause. */
FV_API int fv_spool_sync(FvSpool *spool, FvError *err);
/* Keeps readers' progress alone: what was acknowledged before is not given again by the next process, however this one ends. */
FV_API int fv_spool_keep(FvSpool *spool, FvError *err);

typedef struct FvSpoolStats {
  int64_t bytes, max_bytes;          /* on disk now */
  int64_t segments;
  int64_t records;                   /* on disk now, acknowledged or not */
  int64_t oldest_wall_ns;            /* of the oldest segment's first record; 0: none */
  uint64_t appended, appended_bytes; /* since open */
  uint64_t dropped, dropped_bytes;   /* records that made room or grew too old before every reader had acknowledged them */
  uint64_t refused;                  /* appends that failed, by policy or disk */
  uint64_t damaged;                  /* how often a reader passed over bytes that are no record, or not what was written */
  uint64_t torn_bytes;               /* cut at open */
  int last_errno;                    /* of the last append that the disk refused; 0 after one that succeeded */
} FvSpoolStats;
FV_API FvSpoolStats fv_spool_stats(FvSpool *spool);

typedef struct FvSpoolReaderParams {
  const char *name;          /* its progress is kept as NAME.cursor; a segment goes when all names that were ever used have acknowledged it */
  bool newest_first;         /* order of the backlog: what was written before this reader was opened, or before fv_spool_rewind */
  int64_t backlog_bytes_per_s; /* 0: no limit. New records never wait for the backlog, but for in_order */
  bool in_order;             /* all of the backlog comes before what is new, so that a priority's records come as they were written; not with newest_first */
} FvSpoolReaderParams;

FV_API int fv_spool_reader_open(FvSpool *spool, const FvSpoolReaderParams *params, FvSpoolReader **reader, FvError *err);
FV_API void fv_spool_reader_close(FvSpoolReader **reader);
/* Forgets a name and its progress, so that it holds no segments any more. No reader of that name may be open. */
FV_API int fv_spool_reader_forget(FvSpool *spool, const char *name, FvError *err);

/* The next record that this reader has neither acknowledged nor been given since it was opened or rewound: new ones first, higher priorities first, within a priority in
 * the order written; then the backlog in the order asked for (in_order: the backlog first). 1: a record, its data valid until the next call; 0: none now. */
FV_API int fv_spool_next(FvSpoolReader *reader, FvSpoolRecord *record, FvError *err);
/* Waits until next may have something, at most timeout_ms. False on time-out. */
FV_API bool fv_spool_wait(FvSpoolReader *reader, int timeout_ms);
/* Not to be given again, in any order. Unknown ids are ignored. */
FV_API int fv_spool_acknowledge(FvSpoolReader *reader, uint64_t id, FvError *err);
/* After a connection was lost: everything not acknowledged will be given again, as backlog. */
FV_API void fv_spool_rewind(FvSpoolReader *reader);
/* Records not acknowledged by this reader, those that were given included. */
FV_API int64_t fv_spool_pending(FvSpoolReader *reader);

#ifdef __cplusplus
}
#endif
#endif

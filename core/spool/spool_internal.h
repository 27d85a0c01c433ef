/* A spool's inside: for every priority a chain of segments, oldest first, the last one appended to. */
#ifndef FOVEA_SPOOL_SPOOL_INTERNAL_H
#define FOVEA_SPOOL_SPOOL_INTERNAL_H

#include <pthread.h>

#include "spool/cursor.h"
#include "spool/segment.h"

typedef struct FvChain {
  FvSegment *oldest, *newest;
  uint64_t next; /* sequence of the record to come */
} FvChain;

struct FvSpool {
  pthread_mutex_t lock;
  pthread_cond_t grown; /* a record was appended */
  pthread_cond_t settled; /* syncing has ended */
  bool syncing;         /* a thread writes through, without the lock */
  char *path;
  int directory, lock_file; /* -1: read only */
  FvSpoolParams params;     /* with defaults filled in; directory is NULL */
  FvChain chains[FV_SPOOL_PRIORITIES];
  FvCursor *cursors;
  int64_t bytes, segments;
  int64_t synced_at;        /* monotonic ns */
  uint64_t appended, appended_bytes, dropped, dropped_bytes, refused, damaged, torn_bytes;
  int last_errno;
};

int64_t fv_spool_clock(bool wall); /* ns: since 1970, or CLOCK_MONOTONIC */

/* The rest: with the lock held. */
/* The segment that holds a sequence or, where that is gone, the next younger one; NULL: none. */
const FvSegment *fv_chain_find(const FvChain *chain, uint64_t sequence);
/* The youngest segment that begins at or before a sequence; NULL: none. */
const FvSegment *fv_chain_find_before(const FvChain *chain, uint64_t sequence);
static inline uint64_t fv_chain_oldest(const FvChain *chain) { return chain->oldest ? chain->oldest->first : chain->next; }
/* Removes sealed segments that every cursor has acknowledged, oldest first. */
void fv_spool_reclaim(FvSpool *spool);
FvCursor *fv_spool_find_cursor(FvSpool *spool, const char *name);
/* Until no thread writes through. */
void fv_spool_settle(FvSpool *spool);

#endif

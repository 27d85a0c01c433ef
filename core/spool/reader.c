#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/spool_internal.h"

/* Within a priority: [.., mark) is the backlog, [mark, ..) is new. */
typedef struct Lane {
  uint64_t mark;
  uint64_t fresh;   /* the next new sequence to give */
  uint64_t backlog; /* the next old one: counts up to mark, or down to the oldest (0: done) */
} Lane;

struct FvSpoolReader {
  FvSpool *spool;
  FvCursor *cursor; /* NULL in a spool that is only looked at */
  FvSpoolReaderParams params;
  Lane lanes[FV_SPOOL_PRIORITIES];
  double tokens;    /* bytes of backlog that may be given now */
  int64_t filled_at;
  /* the segment at hand */
  int fd, priority;
  uint64_t first;
  FvSegmentIndex index;
  uint8_t *buffer;
  size_t capacity;
};

static void begin_lanes(FvSpoolReader *reader) {
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    uint64_t next = reader->spool->chains[p].next;
    reader->lanes[p] = (Lane){.mark = next, .fresh = next, .backlog = reader->params.newest_first ? next - 1 : 1};
  }
}

static FvCursor *claim(FvSpool *spool, const char *name, FvError *err) {
  FvCursor *cursor = fv_spool_find_cursor(spool, name);
  int count = 0;
  for (const FvCursor *c = spool->cursors; c; c = c->next) count++;
  if (!cursor && count < FV_SPOOL_MAX_READERS && (cursor = fv_cursor_create(name))) {
    cursor->dirty = true; /* from now on it holds segments, after a restart too */
    cursor->next = spool->cursors;
    spool->cursors = cursor;
  }
  if (!cursor)
    fv_error_set(err, FV_ERR_LIMIT, "%s: no room for reader '%s'; at most %d names", spool->path, name, FV_SPOOL_MAX_READERS);
  else if (cursor->in_use) {
    fv_error_set(err, FV_ERR_INVALID, "%s: reader '%s' is open already", spool->path, name);
    return NULL;
  }
  if (cursor) cursor->in_use = true;
  return cursor;
}

int fv_spool_reader_open(FvSpool *spool, const FvSpoolReaderParams *params, FvSpoolReader **place, FvError *err) {
  *place = NULL;
  if (!params->name || !fv_cursor_name_ok(params->name))
    return fv_error_set(err, FV_ERR_INVALID, "a reader's name is 1 to %d letters, digits, '-', '_' and '.', not '%.80s'", FV_SPOOL_MAX_NAME, params->name ? params->name : "");
  if (params->in_order && params->newest_first) return fv_error_set(err, FV_ERR_INVALID, "in_order and newest_first exclude each other");
  if (params->backlog_bytes_per_s < 0) return fv_error_set(err, FV_ERR_INVALID, "backlog_bytes_per_s must not be negative");
  FvSpoolReader *reader = calloc(1, sizeof *reader);
  if (!reader) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  *reader = (FvSpoolReader){.spool = spool, .params = *params, .fd = -1, .filled_at = fv_spool_clock(false)};
  reader->params.name = NULL;
  pthread_mutex_lock(&spool->lock);
  bool looks_only = spool->lock_file < 0;
  reader->cursor = looks_only ? fv_spool_find_cursor(spool, params->name) : claim(spool, params->name, err);
  if (reader->cursor || looks_only) begin_lanes(reader);
  pthread_mutex_unlock(&spool->lock);
  if (!reader->cursor && !looks_only) {
    free(reader);
    return FV_ERR_LIMIT;
  }
  *place = reader;
  return 0;
}

static void release_segment(FvSpoolReader *reader) {
  if (reader->fd >= 0) close(reader->fd);
  reader->fd = -1;
  fv_segment_index_finish(&reader->index);
}

void fv_spool_reader_close(FvSpoolReader **place) {
  if (!place || !*place) return;
  FvSpoolReader *reader = *place;
  *place = NULL;
  pthread_mutex_lock(&reader->spool->lock);
  if (reader->cursor) reader->cursor->in_use = false;
  pthread_mutex_unlock(&reader->spool->lock);
  release_segment(reader);
  free(reader->buffer);
  free(reader);
}

int fv_spool_reader_forget(FvSpool *spool, const char *name, FvError *err) {
  int result = 0;
  pthread_mutex_lock(&spool->lock);
  fv_spool_settle(spool); /* else its file may be written anew after it went */
  FvCursor **place = &spool->cursors;
  while (*place && strcmp((*place)->name, name) != 0) place = &(*place)->next;
  FvCursor *cursor = *place;
  if (!cursor || spool->lock_file < 0)
    result = fv_error_set(err, FV_ERR_INVALID, "%s has no reader '%s' to forget", spool->path, name);
  else if (cursor->in_use)
    result = fv_error_set(err, FV_ERR_INVALID, "%s: reader '%s' is open", spool->path, name);
  if (result == 0) {
    char file[FV_SPOOL_MAX_NAME + 8];
    snprintf(file, sizeof file, "%s.cursor", name);
    unlinkat(spool->directory, file, 0);
    *place = cursor->next;
    fv_cursor_destroy(cursor);
    fv_spool_reclaim(spool);
  }
  pthread_mutex_unlock(&spool->lock);
  return result;
}

/* ---- which record comes next; with the lock held ---- */

/* The first sequence from `at` on, below `end`, that is neither acknowledged nor gone; end: none. */
static uint64_t skip_forward(const FvSpoolReader *reader, int priority, uint64_t at, uint64_t end) {
  const FvChain *chain = &reader->spool->chains[priority];
  const FvRange *range;
  if (at < fv_chain_oldest(chain)) at = fv_chain_oldest(chain);
  while (at < end && reader->cursor && (range = fv_cursor_find(reader->cursor, priority, at))) at = range->last + 1;
  return at < end ? at : end;
}

/* The same downwards; 0: none. */
static uint64_t skip_backward(const FvSpoolReader *reader, int priority, uint64_t at) {
  const FvRange *range;
  while (at && reader->cursor && (range = fv_cursor_find(reader->cursor, priority, at))) at = range->first - 1;
  return at < fv_chain_oldest(&reader->spool->chains[priority]) ? 0 : at;
}

/* Moves every lane past what need not be given; the priority of the next new (old) record, or -1. */
static int find_lane(FvSpoolReader *reader, bool fresh) {
  for (int p = FV_SPOOL_PRIORITIES - 1; p >= 0; p--) {
    Lane *lane = &reader->lanes[p];
    uint64_t next = reader->spool->chains[p].next;
    if (fresh && (lane->fresh = skip_forward(reader, p, lane->fresh, next)) < next) return p;
    if (!fresh && reader->params.newest_first && (lane->backlog = skip_backward(reader, p, lane->backlog))) return p;
    if (!fresh && !reader->params.newest_first && (lane->backlog = skip_forward(reader, p, lane->backlog, lane->mark)) < lane->mark) return p;
  }
  return -1;
}

static void refill(FvSpoolReader *reader) {
  int64_t now = fv_spool_clock(false), rate = reader->params.backlog_bytes_per_s;
  reader->tokens += (double)rate * (double)(now - reader->filled_at) * 1e-9;
  if (reader->tokens > (double)rate) reader->tokens = (double)rate; /* a second's worth at most */
  reader->filled_at = now;
}

static bool backlog_may(const FvSpoolReader *reader) { return reader->params.backlog_bytes_per_s == 0 || reader->tokens > 0; }

/* Makes the segment that holds (or follows, or when going down precedes) a sequence the one at hand. False with errno set; ENOENT when it has just gone. */
static bool open_segment(FvSpoolReader *reader, int priority, const FvSegment *segment) {
  char name[FV_SEGMENT_NAME_BYTES];
  if (reader->fd < 0 || reader->priority != priority || reader->first != segment->first) {
    release_segment(reader);
    fv_segment_name(segment, name);
    reader->fd = openat(reader->spool->directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (reader->fd < 0) return false;
    reader->priority = priority, reader->first = segment->first;
  }
  return reader->index.scanned >= segment->bytes || fv_segment_index_extend(&reader->index, reader->fd, segment->bytes, &reader->spool->damaged);
}

/* The entry at or behind sequence (down: at or before); NULL: none in this segment. */
static const FvSegmentEntry *find_entry(const FvSegmentIndex *index, uint64_t sequence, bool down) {
  size_t low = 0, high = index->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (index->entries[middle].sequence < sequence)
      low = middle + 1;
    else
      high = middle;
  }
  if (!down) return low < index->count ? &index->entries[low] : NULL;
  if (low < index->count && index->entries[low].sequence == sequence) return &index->entries[low];
  return low ? &index->entries[low - 1] : NULL;
}

/* What cannot be read is as good as acknowledged: it must not hold its segment, nor count as waiting, for ever. */
static void give_up(FvSpoolReader *reader, int priority, uint64_t first, uint64_t last) {
  if (reader->cursor && reader->spool->lock_file >= 0 && first <= last) fv_cursor_add(reader->cursor, priority, first, last);
}

/* One step along a lane: 1 a record, 0 nothing there but the lane has moved on, negative an error. */
static int step(FvSpoolReader *reader, int priority, bool fresh, FvSpoolRecord *record, FvError *err) {
  Lane *lane = &reader->lanes[priority];
  bool down = !fresh && reader->params.newest_first;
  uint64_t *at = fresh ? &lane->fresh : &lane->backlog;
  const FvChain *chain = &reader->spool->chains[priority];
  const FvSegment *segment = down ? fv_chain_find_before(chain, *at) : fv_chain_find(chain, *at);
  if (!segment || (!down && segment->first > *at)) { /* a hole between segments */
    *at = down ? 0 : segment ? segment->first : chain->next;
    return 0;
  }
  uint64_t beyond = down ? segment->first - 1 : segment->last + 1;
  if (!open_segment(reader, priority, segment)) {
    int cause = errno;
    *at = beyond;
    return fv_error_set(err, FV_ERR_IO, "%s: a segment of priority %d cannot be read: %s", reader->spool->path, priority, strerror(cause));
  }
  const FvSegmentEntry *entry = find_entry(&reader->index, *at, down);
  if (!entry || (down ? entry->sequence < segment->first : entry->sequence > segment->last)) {
    give_up(reader, priority, down ? segment->first : *at, down ? *at : segment->last);
    *at = beyond;
    return 0;
  }
  if (entry->sequence != *at) { /* what lay here cannot be read */
    give_up(reader, priority, down ? entry->sequence + 1 : *at, down ? *at : entry->sequence - 1);
    *at = entry->sequence;
    return 0;
  }
  *at = down ? entry->sequence - 1 : entry->sequence + 1;
  int state = fv_segment_read(reader->fd, priority, entry, &reader->buffer, &reader->capacity, record);
  if (state < 0) return fv_error_set(err, FV_ERR_IO, "%s: %s", reader->spool->path, strerror(errno));
  if (state == 0) {
    reader->spool->damaged++;
    give_up(reader, priority, entry->sequence, entry->sequence);
  }
  if (state > 0 && !fresh) reader->tokens -= (double)record->size;
  return state;
}

/* The priority that the next record comes from, or -1. */
static int choose_lane(FvSpoolReader *reader, bool *ret_fresh) {
  int priority = reader->params.in_order ? find_lane(reader, false) : -1;
  *ret_fresh = false;
  if (priority >= 0) return backlog_may(reader) ? priority : -1;
  *ret_fresh = true;
  if ((priority = find_lane(reader, true)) >= 0 || reader->params.in_order || !backlog_may(reader)) return priority;
  *ret_fresh = false;
  return find_lane(reader, false);
}

int fv_spool_next(FvSpoolReader *reader, FvSpoolRecord *record, FvError *err) {
  int result = 0, priority;
  pthread_mutex_lock(&reader->spool->lock);
  refill(reader);
  bool fresh;
  while (result == 0 && (priority = choose_lane(reader, &fresh)) >= 0) result = step(reader, priority, fresh, record, err);
  pthread_mutex_unlock(&reader->spool->lock);
  return result;
}

bool fv_spool_wait(FvSpoolReader *reader, int timeout_ms) {
  FvSpool *spool = reader->spool;
  int64_t until = fv_spool_clock(false) + timeout_ms * INT64_C(1000000);
  bool ready;
  pthread_mutex_lock(&spool->lock);
  for (;;) {
    refill(reader);
    bool fresh, old = find_lane(reader, false) >= 0;
    ready = choose_lane(reader, &fresh) >= 0;
    int64_t now = fv_spool_clock(false), wake = until;
    if (ready || now >= until) break;
    if (old) { /* when the bucket has something again */
      int64_t soon = now + 1000000 + (int64_t)(-reader->tokens * 1e9 / (double)reader->params.backlog_bytes_per_s);
      if (soon < wake) wake = soon;
    }
    struct timespec when = {wake / 1000000000, wake % 1000000000};
    pthread_cond_timedwait(&spool->grown, &spool->lock, &when);
  }
  pthread_mutex_unlock(&spool->lock);
  return ready;
}

int fv_spool_acknowledge(FvSpoolReader *reader, uint64_t id, FvError *err) {
  FvSpool *spool = reader->spool;
  int priority = (int)(id >> 56);
  uint64_t sequence = id & FV_SEQUENCE_MASK;
  if (!reader->cursor || spool->lock_file < 0) return fv_error_set(err, FV_ERR_INVALID, "%s was opened to be looked at only", spool->path);
  if (priority >= FV_SPOOL_PRIORITIES) return 0;
  pthread_mutex_lock(&spool->lock);
  if (sequence > 0 && sequence < spool->chains[priority].next && !fv_cursor_find(reader->cursor, priority, sequence)) {
    fv_cursor_add(reader->cursor, priority, sequence, sequence);
    const FvSegment *oldest = spool->chains[priority].oldest;
    if (oldest && sequence >= oldest->first && sequence <= oldest->last) fv_spool_reclaim(spool);
  }
  pthread_mutex_unlock(&spool->lock);
  return 0;
}

void fv_spool_rewind(FvSpoolReader *reader) {
  pthread_mutex_lock(&reader->spool->lock);
  begin_lanes(reader);
  pthread_mutex_unlock(&reader->spool->lock);
}

int64_t fv_spool_pending(FvSpoolReader *reader) {
  int64_t sum = 0;
  pthread_mutex_lock(&reader->spool->lock);
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++)
    for (const FvSegment *s = reader->spool->chains[p].oldest; s; s = s->next)
      if (s->last >= s->first)
        sum += (int64_t)(s->last - s->first + 1 - (reader->cursor ? fv_cursor_count(reader->cursor, p, s->first, s->last) : 0));
  pthread_mutex_unlock(&reader->spool->lock);
  return sum;
}

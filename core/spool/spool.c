#include "spool/spool_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int64_t fv_spool_clock(bool wall) {
  struct timespec now;
  clock_gettime(wall ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

const FvSegment *fv_chain_find(const FvChain *chain, uint64_t sequence) {
  const FvSegment *segment = chain->oldest;
  while (segment && segment->last < sequence) segment = segment->next;
  return segment;
}

const FvSegment *fv_chain_find_before(const FvChain *chain, uint64_t sequence) {
  const FvSegment *found = NULL;
  for (const FvSegment *segment = chain->oldest; segment && segment->first <= sequence; segment = segment->next) found = segment;
  return found;
}

FvCursor *fv_spool_find_cursor(FvSpool *spool, const char *name) {
  FvCursor *cursor = spool->cursors;
  while (cursor && strcmp(cursor->name, name) != 0) cursor = cursor->next;
  return cursor;
}

/* ---- segments that go ---- */

static uint64_t not_acknowledged(const FvSpool *spool, const FvSegment *segment) {
  uint64_t all = segment->last - segment->first + 1, most = spool->cursors ? 0 : all;
  for (const FvCursor *cursor = spool->cursors; cursor; cursor = cursor->next) {
    uint64_t open = all - fv_cursor_count(cursor, segment->priority, segment->first, segment->last);
    if (open > most) most = open;
  }
  return most;
}

static void remove_oldest(FvSpool *spool, int priority) {
  FvChain *chain = &spool->chains[priority];
  FvSegment *segment = chain->oldest;
  char name[FV_SEGMENT_NAME_BYTES];
  uint64_t lost = segment->last >= segment->first ? not_acknowledged(spool, segment) : 0;
  if (lost) spool->dropped += lost, spool->dropped_bytes += (uint64_t)segment->bytes;
  fv_segment_name(segment, name);
  unlinkat(spool->directory, name, 0);
  chain->oldest = segment->next;
  if (!chain->oldest) chain->newest = NULL;
  spool->bytes -= segment->bytes, spool->segments--;
  fv_segment_close(segment);
  for (FvCursor *cursor = spool->cursors; cursor; cursor = cursor->next) fv_cursor_trim(cursor, priority, fv_chain_oldest(chain));
}

void fv_spool_reclaim(FvSpool *spool) {
  for (int p = 0; p < FV_SPOOL_PRIORITIES && spool->cursors && spool->lock_file >= 0; p++) {
    FvChain *chain = &spool->chains[p];
    while (chain->oldest && chain->oldest != chain->newest && not_acknowledged(spool, chain->oldest) == 0) remove_oldest(spool, p);
  }
}

static void remove_aged(FvSpool *spool) {
  int64_t limit = spool->params.max_age_s > 0 ? fv_spool_clock(true) - spool->params.max_age_s * INT64_C(1000000000) : INT64_MIN;
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    FvSegment *segment;
    while ((segment = spool->chains[p].oldest) && segment->last >= segment->first && (segment->next ? segment->next->first_wall : segment->last_wall) < limit)
      remove_oldest(spool, p);
  }
}

/* The priority whose oldest segment may go for a record of `priority`, or -1. */
static int choose_victim(const FvSpool *spool, int priority) {
  int victim = -1;
  if (spool->params.policy == FV_SPOOL_REFUSE_NEW) return -1;
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    const FvSegment *oldest = spool->chains[p].oldest;
    if (!oldest) continue;
    if (spool->params.policy == FV_SPOOL_DROP_LOWEST_PRIORITY) return p <= priority ? p : -1;
    if (victim < 0 || oldest->first_wall < spool->chains[victim].oldest->first_wall) victim = p;
  }
  return victim;
}

/* ---- opening ---- */

static int take_lock(FvSpool *spool, FvError *err) {
  char text[32] = "";
  spool->lock_file = openat(spool->directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (spool->lock_file < 0) return fv_error_set(err, FV_ERR_IO, "%s/lock: %s", spool->path, strerror(errno));
  if (flock(spool->lock_file, LOCK_EX | LOCK_NB) < 0) {
    ssize_t got = errno == EWOULDBLOCK ? pread(spool->lock_file, text, sizeof text - 1, 0) : 0;
    if (got > 0) text[strspn(text, "0123456789")] = '\0';
    return fv_error_set(err, FV_ERR_IO, "%s: another process writes to this spool%s%s; give each its own directory", spool->path, text[0] ? ", number " : "", text);
  }
  int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
  if (ftruncate(spool->lock_file, 0) == 0 && pwrite(spool->lock_file, text, (size_t)length, 0) == length) return 0;
  return fv_error_set(err, FV_ERR_IO, "%s/lock: %s", spool->path, strerror(errno));
}

/* Into its chain, by sequence. */
static void insert(FvSpool *spool, FvSegment *segment) {
  FvChain *chain = &spool->chains[segment->priority];
  FvSegment **place = &chain->oldest;
  while (*place && (*place)->first < segment->first) place = &(*place)->next;
  segment->next = *place;
  *place = segment;
  if (!segment->next) chain->newest = segment;
  spool->bytes += segment->bytes, spool->segments++;
}

static int add_file(FvSpool *spool, const char *name, FvError *err) {
  int priority;
  uint64_t first;
  size_t length = strlen(name);
  if (fv_segment_parse_name(name, &priority, &first)) {
    FvSegment *segment = fv_segment_open(spool->directory, priority, first);
    if (segment) {
      insert(spool, segment);
      return 0;
    }
    if (errno != EBADMSG) return fv_error_set(err, FV_ERR_IO, "%s/%s: %s", spool->path, name, strerror(errno));
    spool->damaged++;
    if (spool->lock_file >= 0) unlinkat(spool->directory, name, 0); /* a header that was torn at birth, or no header at all: nothing can be read from it */
    return 0;
  }
  if (length <= 7 || length > FV_SPOOL_MAX_NAME + 7 || strcmp(name + length - 7, ".cursor") != 0) return 0;
  char reader[FV_SPOOL_MAX_NAME + 1];
  snprintf(reader, sizeof reader, "%.*s", (int)(length - 7), name);
  FvCursor *cursor = fv_cursor_name_ok(reader) ? fv_cursor_create(reader) : NULL;
  if (!cursor) return 0;
  fv_cursor_load(cursor, spool->path);
  cursor->next = spool->cursors;
  spool->cursors = cursor;
  return 0;
}

static int list(FvSpool *spool, FvError *err) {
  DIR *dir = opendir(spool->path);
  if (!dir) return fv_error_set(err, FV_ERR_IO, "%s: %s", spool->path, strerror(errno));
  int result = 0;
  for (struct dirent *entry; result == 0 && (entry = readdir(dir));) result = add_file(spool, entry->d_name, err);
  closedir(dir);
  return result;
}

/* The last segment of a chain is the one that a crash may have torn. */
static int recover(FvSpool *spool, FvSegment *segment, FvError *err) {
  char name[FV_SEGMENT_NAME_BYTES];
  FvSegmentIndex index = {0};
  uint64_t holes = 0; /* readers come past them again, and count them then */
  fv_segment_name(segment, name);
  int fd = openat(spool->directory, name, (spool->lock_file >= 0 ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
  bool read = fd >= 0 && fv_segment_index_extend(&index, fd, segment->bytes, &holes);
  /* a payload may be torn although its header is whole */
  uint8_t *buffer = NULL;
  size_t capacity = 0;
  FvSpoolRecord record = {0};
  while (read && index.count) {
    int state = fv_segment_read(fd, segment->priority, &index.entries[index.count - 1], &buffer, &capacity, &record);
    if (state < 0) read = false;
    if (state != 0) break;
    index.good_end = index.entries[--index.count].at;
  }
  if (read && index.count) segment->last = index.entries[index.count - 1].sequence, segment->last_wall = record.wall_ns;
  if (read && index.good_end < segment->bytes && spool->lock_file >= 0) {
    spool->torn_bytes += (uint64_t)(segment->bytes - index.good_end);
    read = ftruncate(fd, index.good_end) == 0;
    spool->bytes -= segment->bytes - index.good_end;
    segment->bytes = index.good_end;
  }
  int result = read ? 0 : fv_error_set(err, FV_ERR_IO, "%s/%s: %s", spool->path, name, strerror(errno));
  if (result == 0 && spool->lock_file >= 0)
    segment->fd = fd;
  else if (fd >= 0)
    close(fd);
  free(buffer);
  fv_segment_index_finish(&index);
  return result;
}

static int settle(FvSpool *spool, FvError *err) {
  int result = 0;
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    FvChain *chain = &spool->chains[p];
    for (FvSegment *s = chain->oldest; s && s->next; s = s->next) s->last = s->next->first - 1;
    if (chain->newest && (result = recover(spool, chain->newest, err)) < 0) return result;
    chain->next = chain->newest ? chain->newest->last + 1 : 1;
    for (const FvCursor *cursor = spool->cursors; cursor; cursor = cursor->next) {
      int count = cursor->counts[p];
      if (count && cursor->ranges[p][count - 1].last >= chain->next) chain->next = cursor->ranges[p][count - 1].last + 1;
    }
  }
  return 0;
}

static int check_params(const FvSpoolParams *params, FvError *err) {
  if (!params->directory || !*params->directory) return fv_error_set(err, FV_ERR_INVALID, "a spool needs a directory");
  if (params->max_bytes && params->max_bytes < FV_SPOOL_MIN_BYTES)
    return fv_error_set(err, FV_ERR_INVALID, "a spool's max_bytes must be at least %d, not %lld", FV_SPOOL_MIN_BYTES, (long long)params->max_bytes);
  if (params->max_age_s < 0 || params->sync_interval_ms < 0) return fv_error_set(err, FV_ERR_INVALID, "a spool's max_age_s and sync_interval_ms must not be negative");
  if (params->segment_bytes && (params->segment_bytes < 4096 || params->segment_bytes > INT64_C(1) << 30))
    return fv_error_set(err, FV_ERR_INVALID, "a spool's segment_bytes must be 4096 to 1 GiB, not %lld", (long long)params->segment_bytes);
  return 0;
}

static void set_defaults(FvSpoolParams *params) {
  params->directory = NULL;
  if (!params->max_bytes) params->max_bytes = INT64_C(512) << 20;
  if (!params->sync_interval_ms) params->sync_interval_ms = 1000;
  int64_t segment = params->max_bytes / 16;
  if (segment > 8 << 20) segment = 8 << 20;
  if (segment < 64 << 10) segment = 64 << 10;
  if (!params->segment_bytes) params->segment_bytes = segment;
}

static void destroy(FvSpool *spool) {
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++)
    for (FvSegment *segment = spool->chains[p].oldest, *next; segment; segment = next) {
      next = segment->next;
      fv_segment_close(segment);
    }
  for (FvCursor *cursor = spool->cursors, *next; cursor; cursor = next) {
    next = cursor->next;
    fv_cursor_destroy(cursor);
  }
  if (spool->lock_file >= 0) close(spool->lock_file);
  if (spool->directory >= 0) close(spool->directory);
  pthread_cond_destroy(&spool->settled);
  pthread_cond_destroy(&spool->grown);
  pthread_mutex_destroy(&spool->lock);
  free(spool->path);
  free(spool);
}

static int open_directory(FvSpool *spool, const FvSpoolParams *params, FvError *err) {
  if (!(spool->path = strdup(params->directory))) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (!params->read_only && mkdir(spool->path, 0700) < 0 && errno != EEXIST) return fv_error_set(err, FV_ERR_IO, "%s: %s", spool->path, strerror(errno));
  spool->directory = open(spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (spool->directory < 0) return fv_error_set(err, FV_ERR_IO, "%s: %s", spool->path, strerror(errno));
  return params->read_only ? 0 : take_lock(spool, err);
}

int fv_spool_open(const FvSpoolParams *params, FvSpool **place, FvError *err) {
  *place = NULL;
  int result = check_params(params, err);
  if (result < 0) return result;
  FvSpool *spool = calloc(1, sizeof *spool);
  if (!spool) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&spool->lock, NULL);
  pthread_cond_init(&spool->grown, &monotonic);
  pthread_cond_init(&spool->settled, NULL);
  pthread_condattr_destroy(&monotonic);
  spool->directory = spool->lock_file = -1;
  spool->params = *params;
  set_defaults(&spool->params);
  result = open_directory(spool, params, err);
  if (result == 0) result = list(spool, err);
  if (result == 0) result = settle(spool, err);
  if (result < 0) {
    destroy(spool);
    return result;
  }
  spool->synced_at = fv_spool_clock(false);
  if (!params->read_only) remove_aged(spool);
  fv_spool_reclaim(spool);
  *place = spool;
  return 0;
}

/* ---- writing ---- */

void fv_spool_settle(FvSpool *spool) {
  while (spool->syncing) pthread_cond_wait(&spool->settled, &spool->lock);
}

/* What one round of writing through is about: copies, as the lock is open meanwhile. */
typedef struct Round {
  int files[FV_SPOOL_PRIORITIES]; /* -1: nothing to do */
  FvCursorImage images[FV_SPOOL_MAX_READERS];
  int image_count;
  bool file_failed[FV_SPOOL_PRIORITIES], image_failed[FV_SPOOL_MAX_READERS];
} Round;

static Round begin_round(FvSpool *spool, bool records) {
  Round round = {.image_count = 0};
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    FvSegment *segment = spool->chains[p].newest;
    round.files[p] = records && segment && segment->dirty ? fcntl(segment->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (round.files[p] >= 0) segment->dirty = false;
  }
  for (FvCursor *cursor = spool->cursors; cursor && round.image_count < FV_SPOOL_MAX_READERS; cursor = cursor->next)
    if (cursor->dirty) {
      round.images[round.image_count++] = fv_cursor_encode(cursor);
      cursor->dirty = false;
    }
  return round;
}

static int write_round(Round *round, const char *directory, FvError *err) {
  int cause = 0, result = 0;
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    if (round->files[p] < 0) continue;
    round->file_failed[p] = fdatasync(round->files[p]) < 0;
    if (round->file_failed[p]) cause = errno;
    close(round->files[p]);
  }
  for (int i = 0; i < round->image_count; i++) {
    round->image_failed[i] = fv_cursor_write(&round->images[i], directory, err) < 0;
    if (round->image_failed[i]) result = FV_ERR_IO;
  }
  return cause ? fv_error_set(err, FV_ERR_IO, "%s: %s", directory, strerror(cause)) : result;
}

/* What could not be written is to be written again. */
static void end_round(FvSpool *spool, Round *round) {
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++)
    if (round->file_failed[p] && spool->chains[p].newest) spool->chains[p].newest->dirty = true;
  for (int i = 0; i < round->image_count; i++) {
    FvCursor *cursor = round->image_failed[i] ? fv_spool_find_cursor(spool, round->images[i].name) : NULL;
    if (cursor) cursor->dirty = true;
    free(round->images[i].bytes);
  }
}

/* Writes records, or readers' progress alone, through to the disk. The lock is open while the disk works, so that appends go on. */
static int write_through(FvSpool *spool, bool records, FvError *err) {
  fv_spool_settle(spool);
  Round round = begin_round(spool, records);
  spool->syncing = true;
  if (records) spool->synced_at = fv_spool_clock(false); /* when it began: later records are not in it */
  pthread_mutex_unlock(&spool->lock);
  int result = write_round(&round, spool->path, err);
  pthread_mutex_lock(&spool->lock);
  end_round(spool, &round);
  spool->syncing = false;
  pthread_cond_broadcast(&spool->settled);
  return result;
}

static FvSegment *begin_segment(FvSpool *spool, int priority) {
  FvChain *chain = &spool->chains[priority];
  FvSegment *full = chain->newest;
  if (full) {
    if (full->dirty) fdatasync(full->fd);
    close(full->fd);
    full->fd = -1, full->dirty = false;
  }
  FvSegment *segment = fv_segment_create(spool->directory, priority, chain->next);
  if (segment)
    insert(spool, segment);
  else if (full) {
    char name[FV_SEGMENT_NAME_BYTES];
    int cause = errno;
    fv_segment_name(full, name);
    full->fd = openat(spool->directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW); /* stays the one that is written to */
    errno = cause;
  }
  return segment;
}

/* The segment that takes `need` more bytes, within the bound; NULL: errno, or 0 when the policy refuses. */
static FvSegment *find_room(FvSpool *spool, int priority, int64_t need) {
  FvChain *chain = &spool->chains[priority];
  for (;;) {
    FvSegment *newest = chain->newest;
    bool fits = newest && newest->fd >= 0 && newest->bytes + need <= spool->params.segment_bytes;
    if (spool->bytes + need + (fits ? 0 : FV_SEGMENT_HEADER_BYTES) <= spool->params.max_bytes) return fits ? newest : begin_segment(spool, priority);
    int victim = choose_victim(spool, priority);
    errno = 0;
    if (victim < 0) return NULL;
    remove_oldest(spool, victim);
  }
}

static int refuse(FvSpool *spool, int cause, FvError *err) {
  spool->refused++;
  spool->last_errno = cause;
  if (cause) return fv_error_set(err, FV_ERR_IO, "%s: %s", spool->path, strerror(cause));
  return fv_error_set(err, FV_ERR_LIMIT, "%s: full, %lld of %lld bytes; the record was refused", spool->path, (long long)spool->bytes, (long long)spool->params.max_bytes);
}

static int append(FvSpool *spool, FvSpoolRecord *record, FvError *err) {
  FvChain *chain = &spool->chains[record->priority];
  int64_t need = fv_record_bytes((int64_t)record->size);
  for (;;) {
    FvSegment *segment = find_room(spool, record->priority, need);
    int cause = segment ? 0 : errno;
    if (segment && fv_segment_append(segment, record, chain->next)) break;
    if (segment) cause = errno;
    int victim = cause == ENOSPC || cause == EDQUOT ? choose_victim(spool, record->priority) : -1;
    if (victim < 0) return refuse(spool, cause, err);
    remove_oldest(spool, victim); /* the disk is smaller than the bound */
  }
  spool->bytes += need;
  spool->last_errno = 0;
  spool->appended++, spool->appended_bytes += record->size;
  record->id = fv_record_id(record->priority, chain->next++);
  return 0;
}

int fv_spool_append(FvSpool *spool, const FvSpoolRecord *given, uint64_t *id, FvError *err) {
  FvSpoolRecord record = *given;
  if (spool->lock_file < 0) return fv_error_set(err, FV_ERR_INVALID, "%s was opened to be looked at only", spool->path);
  if (record.priority >= FV_SPOOL_PRIORITIES) return fv_error_set(err, FV_ERR_INVALID, "a record's priority must be 0 to %d, not %d", FV_SPOOL_PRIORITIES - 1, record.priority);
  if (record.size > FV_SPOOL_MAX_RECORD_BYTES || fv_record_bytes((int64_t)record.size) > spool->params.segment_bytes / 2)
    return fv_error_set(err, FV_ERR_INVALID, "%s: a record of %zu bytes is more than half of a segment of %lld", spool->path, record.size, (long long)spool->params.segment_bytes);
  if (!record.wall_ns) record.wall_ns = fv_spool_clock(true);
  if (!record.monotonic_ns) record.monotonic_ns = fv_spool_clock(false);
  pthread_mutex_lock(&spool->lock);
  remove_aged(spool);
  int result = append(spool, &record, err);
  bool due = spool->params.sync == FV_SPOOL_SYNC_RECORD ||
             (spool->params.sync == FV_SPOOL_SYNC_INTERVAL && !spool->syncing && fv_spool_clock(false) - spool->synced_at >= spool->params.sync_interval_ms * INT64_C(1000000));
  int synced = result == 0 && due ? write_through(spool, true, err) : 0;
  if (synced < 0 && spool->params.sync == FV_SPOOL_SYNC_RECORD) result = synced; /* else the record is there, and the next sync tells */
  if (result == 0) pthread_cond_broadcast(&spool->grown);
  pthread_mutex_unlock(&spool->lock);
  if (result == 0 && id) *id = record.id;
  return result;
}

int fv_spool_sync(FvSpool *spool, FvError *err) {
  if (spool->lock_file < 0) return 0;
  pthread_mutex_lock(&spool->lock);
  remove_aged(spool);
  fv_spool_reclaim(spool);
  int result = write_through(spool, true, err);
  pthread_mutex_unlock(&spool->lock);
  return result;
}

int fv_spool_keep(FvSpool *spool, FvError *err) {
  if (spool->lock_file < 0) return 0;
  pthread_mutex_lock(&spool->lock);
  int result = write_through(spool, false, err);
  pthread_mutex_unlock(&spool->lock);
  return result;
}

void fv_spool_close(FvSpool **place) {
  if (!place || !*place) return;
  FvSpool *spool = *place;
  *place = NULL;
  if (spool->lock_file >= 0) {
    pthread_mutex_lock(&spool->lock);
    fv_spool_reclaim(spool);
    write_through(spool, true, NULL);
    pthread_mutex_unlock(&spool->lock);
  }
  destroy(spool);
}

FvSpoolStats fv_spool_stats(FvSpool *spool) {
  pthread_mutex_lock(&spool->lock);
  FvSpoolStats stats = {
    .bytes = spool->bytes, .max_bytes = spool->params.max_bytes, .segments = spool->segments, .appended = spool->appended, .appended_bytes = spool->appended_bytes,
    .dropped = spool->dropped, .dropped_bytes = spool->dropped_bytes, .refused = spool->refused, .damaged = spool->damaged, .torn_bytes = spool->torn_bytes,
    .last_errno = spool->last_errno,
  };
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++)
    for (const FvSegment *s = spool->chains[p].oldest; s; s = s->next) {
      stats.records += (int64_t)(s->last - s->first + 1);
      if (s->first_wall && (!stats.oldest_wall_ns || s->first_wall < stats.oldest_wall_ns)) stats.oldest_wall_ns = s->first_wall;
    }
  pthread_mutex_unlock(&spool->lock);
  return stats;
}

#include "spool/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "spool/format.h"

enum { RECORD_CHECKED = 44 /* bytes of a record's header that its CRC covers */, WINDOW_BYTES = 64 << 10 };

void fv_segment_name(const FvSegment *segment, char name[FV_SEGMENT_NAME_BYTES]) {
  snprintf(name, FV_SEGMENT_NAME_BYTES, "p%d-%016" PRIx64 ".seg", segment->priority & 7, segment->first);
}

bool fv_segment_parse_name(const char *name, int *priority, uint64_t *first) {
  char again[FV_SEGMENT_NAME_BYTES];
  FvSegment segment;
  if (sscanf(name, "p%1d-%16" SCNx64 ".seg", &segment.priority, &segment.first) != 2) return false;
  if (segment.priority < 0 || segment.priority >= FV_SPOOL_PRIORITIES || segment.first == 0 || segment.first > FV_SEQUENCE_MASK) return false;
  fv_segment_name(&segment, again);
  *priority = segment.priority, *first = segment.first;
  return strcmp(name, again) == 0;
}

static FvSegment *allocate(int priority, uint64_t first) {
  FvSegment *segment = calloc(1, sizeof *segment);
  if (segment) *segment = (FvSegment){.priority = priority, .first = first, .last = first - 1, .fd = -1};
  return segment;
}

void fv_segment_close(FvSegment *segment) {
  if (!segment) return;
  if (segment->fd >= 0) close(segment->fd);
  free(segment);
}

static void fill_header(const FvSegment *segment, uint8_t header[FV_SEGMENT_HEADER_BYTES]) {
  memset(header, 0, FV_SEGMENT_HEADER_BYTES);
  memcpy(header, FV_SEGMENT_MAGIC, 8);
  header[8] = (uint8_t)segment->priority;
  fv_put_le(header + 16, segment->first, 8);
  fv_put_le(header + 28, fv_crc32c(0, header, 28), 4);
}

FvSegment *fv_segment_create(int directory, int priority, uint64_t first) {
  char name[FV_SEGMENT_NAME_BYTES];
  uint8_t header[FV_SEGMENT_HEADER_BYTES];
  FvSegment *segment = allocate(priority, first);
  if (!segment) return NULL;
  fv_segment_name(segment, name);
  fill_header(segment, header);
  segment->fd = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ssize_t written = segment->fd >= 0 ? pwrite(segment->fd, header, sizeof header, 0) : -1;
  if (written == sizeof header) {
    segment->bytes = sizeof header;
    return segment;
  }
  int cause = written < 0 ? errno : ENOSPC;
  if (segment->fd >= 0) unlinkat(directory, name, 0);
  fv_segment_close(segment);
  errno = cause;
  return NULL;
}

/* A record's header, checked. */
static bool parse_record(const uint8_t *header, int64_t room, FvSegmentEntry *entry, FvSpoolRecord *record) {
  if (memcmp(header, FV_RECORD_MAGIC, 4) != 0 || fv_get_le(header + 44, 4) != fv_crc32c(0, header, RECORD_CHECKED)) return false;
  entry->size = (uint32_t)fv_get_le(header + 4, 4);
  entry->sequence = fv_get_le(header + 8, 8);
  *record = (FvSpoolRecord){
    .type = (uint16_t)fv_get_le(header + 32, 2), .priority = header[34], .wall_ns = (int64_t)fv_get_le(header + 16, 8), .monotonic_ns = (int64_t)fv_get_le(header + 24, 8),
    .size = entry->size,
  };
  return entry->size <= FV_SPOOL_MAX_RECORD_BYTES && entry->sequence > 0 && entry->sequence <= FV_SEQUENCE_MASK && fv_record_bytes(entry->size) <= room;
}

FvSegment *fv_segment_open(int directory, int priority, uint64_t first) {
  char name[FV_SEGMENT_NAME_BYTES];
  uint8_t bytes[FV_SEGMENT_HEADER_BYTES + FV_RECORD_HEADER_BYTES], wanted[FV_SEGMENT_HEADER_BYTES];
  FvSegment *segment = allocate(priority, first);
  if (!segment) return NULL;
  fv_segment_name(segment, name);
  fill_header(segment, wanted);
  struct stat status;
  FvSegmentEntry entry;
  FvSpoolRecord record;
  int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), cause = 0;
  ssize_t got = fd >= 0 && fstat(fd, &status) == 0 ? pread(fd, bytes, sizeof bytes, 0) : -1;
  if (got < 0)
    cause = errno;
  else if (!S_ISREG(status.st_mode) || status.st_size > UINT32_MAX || got < (ssize_t)sizeof wanted || memcmp(bytes, wanted, sizeof wanted) != 0)
    cause = EBADMSG;
  else
    segment->bytes = status.st_size;
  if (got == sizeof bytes && parse_record(bytes + FV_SEGMENT_HEADER_BYTES, INT64_MAX, &entry, &record)) segment->first_wall = segment->last_wall = record.wall_ns;
  if (fd >= 0) close(fd);
  if (!cause) return segment;
  fv_segment_close(segment);
  errno = cause;
  return NULL;
}

bool fv_segment_append(FvSegment *segment, const FvSpoolRecord *record, uint64_t sequence) {
  static const uint8_t zeros[8];
  uint8_t header[FV_RECORD_HEADER_BYTES] = {0};
  memcpy(header, FV_RECORD_MAGIC, 4);
  fv_put_le(header + 4, record->size, 4);
  fv_put_le(header + 8, sequence, 8);
  fv_put_le(header + 16, (uint64_t)record->wall_ns, 8);
  fv_put_le(header + 24, (uint64_t)record->monotonic_ns, 8);
  fv_put_le(header + 32, record->type, 2);
  header[34] = record->priority;
  fv_put_le(header + 40, fv_crc32c(0, record->data, record->size), 4);
  fv_put_le(header + 44, fv_crc32c(0, header, RECORD_CHECKED), 4);
  int64_t total = fv_record_bytes((int64_t)record->size);
  struct iovec parts[] = {{header, sizeof header}, {(void *)(uintptr_t)record->data, record->size}, {(void *)(uintptr_t)zeros, (size_t)(total - FV_RECORD_HEADER_BYTES) - record->size}};
  ssize_t written = pwritev(segment->fd, parts, 3, segment->bytes);
  if (written != total) {
    int cause = written < 0 ? errno : ENOSPC;
    if (written > 0 && ftruncate(segment->fd, segment->bytes) < 0) cause = errno; /* the next record then overwrites what is there */
    errno = cause;
    return false;
  }
  if (segment->last < segment->first) segment->first_wall = record->wall_ns;
  segment->bytes += total;
  segment->last = sequence;
  segment->last_wall = record->wall_ns;
  segment->dirty = true;
  return true;
}

/* A file seen through a buffer. */
typedef struct Window {
  int fd;
  int64_t start, size, end;
  bool failed;
  uint8_t bytes[WINDOW_BYTES];
} Window;

/* RECORD_HEADER bytes at an offset, or NULL where the file ends before or cannot be read. */
static const uint8_t *look(Window *w, int64_t at) {
  if (at + FV_RECORD_HEADER_BYTES > w->end) return NULL;
  if (at < w->start || at + FV_RECORD_HEADER_BYTES > w->start + w->size) {
    ssize_t got = pread(w->fd, w->bytes, sizeof w->bytes, at);
    w->failed = w->failed || got < 0;
    w->start = at, w->size = got < 0 ? 0 : got;
    if (w->size < FV_RECORD_HEADER_BYTES) return NULL;
  }
  return w->bytes + (at - w->start);
}

static bool add_entry(FvSegmentIndex *index, const FvSegmentEntry *entry) {
  if (index->count == index->capacity) {
    size_t capacity = index->capacity ? 2 * index->capacity : 256;
    FvSegmentEntry *grown = realloc(index->entries, capacity * sizeof *grown);
    if (!grown) return false;
    index->entries = grown, index->capacity = capacity;
  }
  index->entries[index->count++] = *entry;
  return true;
}

void fv_segment_index_finish(FvSegmentIndex *index) {
  free(index->entries);
  *index = (FvSegmentIndex){0};
}

bool fv_segment_index_extend(FvSegmentIndex *index, int fd, int64_t end, uint64_t *damaged) {
  Window *w = malloc(sizeof *w);
  if (!w) return false;
  w->fd = fd, w->start = 0, w->size = 0, w->end = end, w->failed = false;
  int64_t at = index->scanned ? index->scanned : FV_SEGMENT_HEADER_BYTES;
  if (!index->scanned) index->good_end = at;
  bool lost = false, memory = true;
  for (const uint8_t *header; memory && (header = look(w, at));) {
    FvSegmentEntry entry;
    FvSpoolRecord record;
    bool good = parse_record(header, end - at, &entry, &record) && (index->count == 0 || entry.sequence > index->entries[index->count - 1].sequence);
    if (!good) {
      lost = true;
      at += 8;
      continue;
    }
    *damaged += lost;
    lost = false;
    entry.at = (uint32_t)at;
    memory = add_entry(index, &entry);
    at += fv_record_bytes(entry.size);
    index->good_end = at;
  }
  index->scanned = lost ? index->good_end : at;
  bool ok = memory && !w->failed;
  free(w);
  return ok;
}

int fv_segment_read(int fd, int priority, const FvSegmentEntry *entry, uint8_t **buffer, size_t *capacity, FvSpoolRecord *record) {
  size_t wanted = FV_RECORD_HEADER_BYTES + (size_t)entry->size;
  if (*capacity < wanted) {
    uint8_t *grown = realloc(*buffer, wanted);
    if (!grown) return -1;
    *buffer = grown, *capacity = wanted;
  }
  FvSegmentEntry again;
  ssize_t got = pread(fd, *buffer, wanted, entry->at);
  if (got < 0) return -1;
  bool whole = (size_t)got == wanted && parse_record(*buffer, INT64_MAX, &again, record) && again.sequence == entry->sequence && again.size == entry->size;
  if (!whole || fv_get_le(*buffer + 40, 4) != fv_crc32c(0, *buffer + FV_RECORD_HEADER_BYTES, entry->size)) return 0;
  record->id = fv_record_id(priority, entry->sequence);
  record->priority = (uint8_t)priority;
  record->data = *buffer + FV_RECORD_HEADER_BYTES;
  return 1;
}

#include "spool/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

bool fv_cursor_name_ok(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
  return length > 0 && length <= FV_SPOOL_MAX_NAME && name[length] == '\0' && name[0] != '.';
}

FvCursor *fv_cursor_create(const char *name) {
  FvCursor *cursor = calloc(1, sizeof *cursor);
  if (!cursor) return NULL;
  snprintf(cursor->name, sizeof cursor->name, "%s", name);
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++)
    if (!(cursor->ranges[p] = malloc((FV_CURSOR_MAX_RANGES + 1) * sizeof(FvRange)))) {
      fv_cursor_destroy(cursor);
      return NULL;
    }
  return cursor;
}

void fv_cursor_destroy(FvCursor *cursor) {
  for (int p = 0; cursor && p < FV_SPOOL_PRIORITIES; p++) free(cursor->ranges[p]);
  free(cursor);
}

static char *path_of(const FvCursor *cursor, const char *directory) {
  char *path;
  return asprintf(&path, "%s/%s.cursor", directory, cursor->name) < 0 ? NULL : path;
}

static void parse(FvCursor *cursor, const uint8_t *bytes, size_t size) {
  if (size < FV_CURSOR_HEADER_BYTES || memcmp(bytes, FV_CURSOR_MAGIC, 8) != 0) return;
  uint64_t count = fv_get_le(bytes + 8, 4);
  if (size != FV_CURSOR_HEADER_BYTES + count * FV_CURSOR_RANGE_BYTES) return;
  if (fv_get_le(bytes + 12, 4) != fv_crc32c(0, bytes + 16, size - 16)) return;
  for (uint64_t i = 0; i < count; i++) {
    const uint8_t *at = bytes + FV_CURSOR_HEADER_BYTES + i * FV_CURSOR_RANGE_BYTES;
    uint64_t first = fv_get_le(at, 8), last = fv_get_le(at + 8, 8);
    int priority = (int)(first >> 56);
    first &= FV_SEQUENCE_MASK;
    if (priority < FV_SPOOL_PRIORITIES && first <= last && last <= FV_SEQUENCE_MASK) fv_cursor_add(cursor, priority, first, last);
  }
}

void fv_cursor_load(FvCursor *cursor, const char *directory) {
  char *path = path_of(cursor, directory);
  void *bytes;
  size_t size;
  if (path && fv_file_read(path, FV_CURSOR_HEADER_BYTES + FV_CURSOR_RANGE_BYTES * FV_CURSOR_MAX_RANGES * FV_SPOOL_PRIORITIES, &bytes, &size, NULL) == 0) {
    parse(cursor, bytes, size);
    free(bytes);
  }
  cursor->dirty = false;
  free(path);
}

FvCursorImage fv_cursor_encode(const FvCursor *cursor) {
  FvCursorImage image = {0};
  size_t count = 0;
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++) count += (size_t)cursor->counts[p];
  memcpy(image.name, cursor->name, sizeof image.name);
  image.size = FV_CURSOR_HEADER_BYTES + count * FV_CURSOR_RANGE_BYTES;
  image.bytes = malloc(image.size);
  if (!image.bytes) return image;
  uint8_t *at = image.bytes + FV_CURSOR_HEADER_BYTES;
  for (int p = 0; p < FV_SPOOL_PRIORITIES; p++)
    for (int i = 0; i < cursor->counts[p]; i++, at += FV_CURSOR_RANGE_BYTES) {
      fv_put_le(at, fv_record_id(p, cursor->ranges[p][i].first), 8);
      fv_put_le(at + 8, cursor->ranges[p][i].last, 8);
    }
  memcpy(image.bytes, FV_CURSOR_MAGIC, 8);
  fv_put_le(image.bytes + 8, count, 4);
  fv_put_le(image.bytes + 12, fv_crc32c(0, image.bytes + 16, image.size - 16), 4);
  return image;
}

int fv_cursor_write(const FvCursorImage *image, const char *directory, FvError *err) {
  char *path;
  if (!image->bytes || asprintf(&path, "%s/%s.cursor", directory, image->name) < 0) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  FvFilePart part = {image->bytes, image->size};
  int result = fv_file_write(path, FV_FILE_REPLACE, &part, 1, err);
  free(path);
  return result;
}

/* The first range whose end is not below sequence. */
static int lower(const FvCursor *cursor, int priority, uint64_t sequence) {
  int low = 0, high = cursor->counts[priority];
  while (low < high) {
    int middle = (low + high) / 2;
    if (cursor->ranges[priority][middle].last < sequence)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const FvRange *fv_cursor_find(const FvCursor *cursor, int priority, uint64_t sequence) {
  int i = lower(cursor, priority, sequence);
  const FvRange *range = &cursor->ranges[priority][i];
  return i < cursor->counts[priority] && range->first <= sequence ? range : NULL;
}

static void forget_shortest(FvCursor *cursor, int priority) {
  FvRange *ranges = cursor->ranges[priority];
  int shortest = cursor->counts[priority] - 1;
  for (int i = shortest; i > 0; i--) /* never the first: it is what lets segments go */
    if (ranges[i].last - ranges[i].first < ranges[shortest].last - ranges[shortest].first) shortest = i;
  cursor->counts[priority]--;
  memmove(&ranges[shortest], &ranges[shortest + 1], (size_t)(cursor->counts[priority] - shortest) * sizeof *ranges);
}

void fv_cursor_add(FvCursor *cursor, int priority, uint64_t first, uint64_t last) {
  FvRange *ranges = cursor->ranges[priority];
  int *count = &cursor->counts[priority];
  int from = lower(cursor, priority, first ? first - 1 : 0), to = from; /* ranges from..to-1 touch the new one */
  while (to < *count && ranges[to].first <= last + 1) {
    first = ranges[to].first < first ? ranges[to].first : first;
    last = ranges[to].last > last ? ranges[to].last : last;
    to++;
  }
  memmove(&ranges[from + 1], &ranges[to], (size_t)(*count - to) * sizeof *ranges);
  ranges[from] = (FvRange){first, last};
  *count += 1 - (to - from);
  if (*count > FV_CURSOR_MAX_RANGES) forget_shortest(cursor, priority);
  cursor->dirty = true;
}

uint64_t fv_cursor_count(const FvCursor *cursor, int priority, uint64_t first, uint64_t last) {
  uint64_t sum = 0;
  for (int i = lower(cursor, priority, first); i < cursor->counts[priority]; i++) {
    FvRange range = cursor->ranges[priority][i];
    if (range.first > last) break;
    sum += (range.last < last ? range.last : last) - (range.first > first ? range.first : first) + 1;
  }
  return sum;
}

void fv_cursor_trim(FvCursor *cursor, int priority, uint64_t sequence) {
  if (sequence > 1 && fv_cursor_count(cursor, priority, 1, sequence - 1) < sequence - 1) fv_cursor_add(cursor, priority, 1, sequence - 1);
}

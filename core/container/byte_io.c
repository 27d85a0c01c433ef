#include "container/byte_io.h"

#include <stdlib.h>
#include <string.h>

void fv_byte_writer_finish(FvByteWriter *bytes) {
  free(bytes->data);
  *bytes = (FvByteWriter){0};
}

static bool reserve(FvByteWriter *bytes, size_t size) {
  if (bytes->failed || size > SIZE_MAX / 2 - bytes->size) return !(bytes->failed = true);
  if (bytes->size + size <= bytes->capacity) return true;
  size_t capacity = bytes->capacity ? bytes->capacity : 4096;
  while (capacity < bytes->size + size) capacity *= 2;
  uint8_t *grown = realloc(bytes->data, capacity);
  if (!grown) return !(bytes->failed = true);
  bytes->data = grown;
  bytes->capacity = capacity;
  return true;
}

void fv_put_bytes(FvByteWriter *bytes, const void *data, size_t size) {
  if (!size || !reserve(bytes, size)) return;
  memcpy(bytes->data + bytes->size, data, size);
  bytes->size += size;
}

void fv_put_zeros(FvByteWriter *bytes, size_t count) {
  if (!count || !reserve(bytes, count)) return;
  memset(bytes->data + bytes->size, 0, count);
  bytes->size += count;
}

void fv_put_byte(FvByteWriter *bytes, unsigned value) {
  uint8_t byte = (uint8_t)value;
  fv_put_bytes(bytes, &byte, 1);
}

void fv_put_number(FvByteWriter *bytes, uint64_t value) {
  for (; value > 127; value >>= 7) fv_put_byte(bytes, (unsigned)(value & 127) | 128);
  fv_put_byte(bytes, (unsigned)value);
}

void fv_put_signed(FvByteWriter *bytes, int64_t value) {
  fv_put_number(bytes, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void fail(FvByteReader *reader) {
  reader->failed = true;
  reader->at = reader->end;
}

const uint8_t *fv_read_bytes(FvByteReader *reader, uint64_t size) {
  if (reader->failed || size > (uint64_t)(reader->end - reader->at)) {
    fail(reader);
    return NULL;
  }
  const uint8_t *at = reader->at;
  reader->at += size;
  return at;
}

uint8_t fv_read_byte(FvByteReader *reader) {
  const uint8_t *at = fv_read_bytes(reader, 1);
  return at ? *at : 0;
}

uint64_t fv_read_number(FvByteReader *reader) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte = fv_read_byte(reader);
    if (shift == 63 && byte > 1) break;
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  fail(reader);
  return 0;
}

int64_t fv_read_signed(FvByteReader *reader) {
  uint64_t value = fv_read_number(reader);
  return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0));
}

uint32_t fv_read_count(FvByteReader *reader, uint32_t limit) {
  uint64_t count = fv_read_number(reader);
  if (count <= limit && count <= (uint64_t)(reader->end - reader->at)) return (uint32_t)count;
  fail(reader);
  return 0;
}

uint32_t fv_read_index(FvByteReader *reader, uint32_t limit) {
  uint64_t index = fv_read_number(reader);
  if (index < limit) return (uint32_t)index;
  fail(reader);
  return 0;
}

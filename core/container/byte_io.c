#include "container/byte_io.h"

#include <string.h>

void fv_put_zeros(FvBytes *bytes, size_t count) {
  uint8_t *zeros = fv_bytes_grow(bytes, count);
  if (zeros) memset(zeros, 0, count);
}

void fv_put_byte(FvBytes *bytes, unsigned value) {
  uint8_t byte = (uint8_t)value;
  fv_bytes_append(bytes, &byte, 1);
}

void fv_put_number(FvBytes *bytes, uint64_t value) {
  for (; value > 127; value >>= 7) fv_put_byte(bytes, (unsigned)(value & 127) | 128);
  fv_put_byte(bytes, (unsigned)value);
}

void fv_put_signed(FvBytes *bytes, int64_t value) {
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

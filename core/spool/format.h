/* The spool's files. Numbers are little-endian; CRC is CRC-32C (Castagnoli, reflected, initial value and final xor 0xffffffff).
 *
 * DIRECTORY/lock                      held by the writing process (flock); its text is the process number
 * DIRECTORY/pP-SSSSSSSSSSSSSSSS.seg   a segment: records of priority P (one digit), the first of them has the sequence S (16 hexadecimal digits)
 * DIRECTORY/NAME.cursor               what the reader NAME has acknowledged
 *
 * Segment: 32 bytes of header, then records, nothing behind the last one.
 *    0  8  "FVSPOOL1"
 *    8  1  priority, 9 7 bytes zero
 *   16  8  sequence of the first record
 *   24  4  zero
 *   28  4  CRC of bytes 0..27
 *
 * Record, beginning at a multiple of 8:
 *    0  4  "FVR1"
 *    4  4  payload bytes, at most 16 MiB
 *    8  8  sequence: within a priority each is larger than the one before; 1 is the first ever
 *   16  8  wall clock, nanoseconds since 1970 UTC
 *   24  8  monotonic clock of the writing machine, nanoseconds
 *   32  2  type, 34 1 priority, 35 5 bytes zero
 *   40  4  CRC of the payload
 *   44  4  CRC of bytes 0..43
 *   48     payload, then zeros up to a multiple of 8
 * A reader that finds no record where one should begin searches on for the next multiple of 8 where bytes 0..43 fit their CRC. A record whose payload does not fit its CRC is passed
 * over. What lies behind the last whole record of a priority's last segment is a torn write, and is cut.
 *
 * Cursor: a header, then `count` ranges of acknowledged sequences, ascending within a priority, priorities ascending.
 *    0  8  "FVCURSR1"
 *    8  4  count, at most FV_CURSOR_MAX_RANGES per priority
 *   12  4  CRC of everything behind byte 16
 *   16     per range: 8 bytes first sequence with the priority in the top byte, 8 bytes last sequence (inclusive, no priority)
 * An unreadable cursor counts as an empty one: records are then given again. */
#ifndef FOVEA_SPOOL_FORMAT_H
#define FOVEA_SPOOL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FV_SEGMENT_MAGIC "FVSPOOL1"
#define FV_CURSOR_MAGIC "FVCURSR1"
#define FV_RECORD_MAGIC "FVR1"

enum { FV_SEGMENT_HEADER_BYTES = 32, FV_RECORD_HEADER_BYTES = 48, FV_CURSOR_HEADER_BYTES = 16, FV_CURSOR_RANGE_BYTES = 16, FV_CURSOR_MAX_RANGES = 1024 };

#define FV_SEQUENCE_MASK ((UINT64_C(1) << 56) - 1)

static inline int64_t fv_record_bytes(int64_t payload) { return FV_RECORD_HEADER_BYTES + (payload + 7) / 8 * 8; }
static inline uint64_t fv_record_id(int priority, uint64_t sequence) { return (uint64_t)priority << 56 | sequence; }

static inline void fv_put_le(uint8_t *at, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> 8 * i);
}
static inline uint64_t fv_get_le(const uint8_t *at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes; i-- > 0;) value = value << 8 | at[i];
  return value;
}

/* crc: of what comes before, 0 at the beginning. */
uint32_t fv_crc32c(uint32_t crc, const void *data, size_t size);

#endif

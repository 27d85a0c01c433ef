/* Bytes written one after another, and read back within their bounds. */
#ifndef FOVEA_CONTAINER_BYTE_IO_H
#define FOVEA_CONTAINER_BYTE_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entropy/coder.h"

/* Writing, behind fv_bytes_append. */
void fv_put_zeros(FvBytes *bytes, size_t count);
void fv_put_byte(FvBytes *bytes, unsigned value);
void fv_put_number(FvBytes *bytes, uint64_t value); /* LEB128 */
void fv_put_signed(FvBytes *bytes, int64_t value);  /* zigzag */

/* After a failure (the end is passed, or a number is malformed) every read gives 0: check `failed` where it matters, at the latest at the end. */
typedef struct FvByteReader {
  const uint8_t *at, *end;
  bool failed;
} FvByteReader;

uint8_t fv_read_byte(FvByteReader *reader);
uint64_t fv_read_number(FvByteReader *reader);
int64_t fv_read_signed(FvByteReader *reader);
/* size bytes in place, or NULL. */
const uint8_t *fv_read_bytes(FvByteReader *reader, uint64_t size);
/* A number of things to come that take at least one byte each: 0, and failed, when there cannot be so many or they are more than limit. */
uint32_t fv_read_count(FvByteReader *reader, uint32_t limit);
/* A number below limit, else 0 and failed. */
uint32_t fv_read_index(FvByteReader *reader, uint32_t limit);

#endif

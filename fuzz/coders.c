/* Streams of the entropy coders. The input is u8 what, u8 row, u16 count, and bytes. what below 128 names a coder (modulo their number), which
 * decodes the bytes as a stream of count elements; otherwise every coder takes the bytes as data and must give them back. */
#include <stdlib.h>
#include <string.h>

#include "entropy/coder.h"

#include "fuzz.h"

enum { HEADER_BYTES = 4, ENCODE = 128, MAX_DATA = 1 << 16 };

static void decode(int id, const uint8_t *coded, size_t size, FvCodeShape shape) {
  FvError err = {0};
  uint8_t *data = malloc(shape.count ? shape.count : 1);
  if (data && fv_coder_decode(id, coded, size, shape, data, &err) < 0 && !err.message[0]) abort();
  free(data);
}

static void round_trip(int id, const uint8_t *data, FvCodeShape shape) {
  FvBytes coded = {0};
  uint8_t *back = malloc(shape.count ? shape.count : 1);
  if (back && fv_coder_encode(id, data, shape, &coded, NULL) == FV_OK &&
      (fv_coder_decode(id, coded.data, coded.size, shape, back, NULL) < 0 || (shape.count && memcmp(back, data, shape.count))))
    abort();
  fv_bytes_finish(&coded);
  free(back);
}

static void choose(const uint8_t *data, FvCodeShape shape) {
  const FvCoderLimits limits = {.max_decode_ns = 1e4};
  FvBytes coded = {0};
  FvCoderId id;
  uint8_t *back = malloc(shape.count ? shape.count : 1);
  if (back && fv_coder_choose(&limits, data, shape, &coded, &id, NULL) == FV_OK &&
      (coded.size > shape.count || fv_coder_decode(id, coded.data, coded.size, shape, back, NULL) < 0 || (shape.count && memcmp(back, data, shape.count))))
    abort();
  fv_bytes_finish(&coded);
  free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < HEADER_BYTES || size > MAX_DATA) return 0;
  FvCodeShape shape = {(size_t)(data[2] | data[3] << 8), data[1]};
  if (data[0] < ENCODE) {
    decode(data[0] % FV_CODER_COUNT, data + HEADER_BYTES, size - HEADER_BYTES, shape);
    return 0;
  }
  shape.count = size - HEADER_BYTES;
  for (int id = 0; id < FV_CODER_COUNT; id++) round_trip(id, data + HEADER_BYTES, shape);
  choose(data + HEADER_BYTES, shape);
  return 0;
}

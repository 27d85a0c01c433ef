/* Zstandard frames (RFC 8878) through libzstd: one frame per stream, its content size written. */
#include <stdlib.h>
#include <zstd.h>

#include "coders.h"

enum { LEVEL = 19 }; /* the last one that needs no window beyond its content */

int fv_zstd_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  size_t start = out->size, bound = ZSTD_compressBound(shape.count);
  uint8_t *to = fv_bytes_grow(out, bound);
  if (!to) return FV_OK;
  size_t size = ZSTD_compress(to, bound, data, shape.count, LEVEL);
  if (ZSTD_isError(size)) return fv_error_set(err, FV_ERR_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(size));
  out->size = start + size;
  return FV_OK;
}

int fv_zstd_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  size_t frame = ZSTD_findFrameCompressedSize(coded, size);
  if (ZSTD_isError(frame) || frame != size || ZSTD_getFrameContentSize(coded, size) != shape.count)
    return fv_error_set(err, FV_ERR_FORMAT, "it is not one frame of that many bytes; the data is damaged");
  size_t got = ZSTD_decompress(data, shape.count, coded, size);
  if (ZSTD_isError(got)) return fv_error_set(err, FV_ERR_FORMAT, "%s; the data is damaged", ZSTD_getErrorName(got));
  return got == shape.count ? FV_OK : fv_error_set(err, FV_ERR_FORMAT, "%zu bytes came out; the data is damaged", got);
}

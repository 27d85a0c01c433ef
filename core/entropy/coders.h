/* The coders themselves, called through coder.c only: count is 1 or more and within its limit, out and data are there. Encoders append and leave
 * failures of memory in out->failed. */
#ifndef FOVEA_ENTROPY_CODERS_H
#define FOVEA_ENTROPY_CODERS_H

#include "coder.h"

int fv_huffman_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
int fv_huffman_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);
/* Codes are so long that streams are best decoded side by side. */
bool fv_huffman_is_long(size_t size, size_t count);
/* Sets result in each. */
void fv_huffman_decode_several(FvDecoding *jobs, size_t count);
int fv_range_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
int fv_range_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);
int fv_rans_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
int fv_rans_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);
int fv_lz77_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
int fv_lz77_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);
int fv_lz78_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
int fv_lz78_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);
int fv_zstd_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
int fv_zstd_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);

#endif

#include "coder.h"

#include <stdlib.h>
#include <string.h>

#include "coders.h"

typedef int (*EncodeFn)(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err);
typedef int (*DecodeFn)(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);

static int none_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  fv_bytes_append(out, data, shape.count);
  return FV_OK;
}

static int none_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  if (size != shape.count) return fv_error_set(err, FV_ERR_FORMAT, "%zu bytes stored where %zu belong", size, shape.count);
  memcpy(data, coded, size);
  return FV_OK;
}

static const struct {
  const char *name;
  EncodeFn encode;
  DecodeFn decode;
  double fixed_ns, element_ns, coded_byte_ns; /* fitted to bench/coders.c on the machine of docs/compression.md */
} coders[FV_CODER_COUNT] = {
  [FV_CODER_NONE] = {"none", none_encode, none_decode, 0, 0.05, 0},
  [FV_CODER_HUFFMAN] = {"huffman", fv_huffman_encode, fv_huffman_decode, 1000, 1, 0.3},
  [FV_CODER_RANGE] = {"range", fv_range_encode, fv_range_decode, 1500, 11, 32},
  [FV_CODER_RANS] = {"rans", fv_rans_encode, fv_rans_decode, 600, 2.4, 0},
  [FV_CODER_LZ77] = {"lz77", fv_lz77_encode, fv_lz77_decode, 4000, 3, 0},
  [FV_CODER_LZ78] = {"lz78", fv_lz78_encode, fv_lz78_decode, 500, 2, 2.3},
  [FV_CODER_ZSTD] = {"zstd", fv_zstd_encode, fv_zstd_decode, 9000, 0.3, 0.6},
};

void fv_bytes_finish(FvBytes *bytes) {
  free(bytes->data);
  *bytes = (FvBytes){0};
}

uint8_t *fv_bytes_grow(FvBytes *bytes, size_t size) {
  if (bytes->failed) return NULL;
  if (size > bytes->capacity - bytes->size || !bytes->data) { /* nothing, too, has a place */
    size_t capacity = bytes->capacity + bytes->capacity / 2 + 256;
    if (capacity < bytes->size + size) capacity = bytes->size + size;
    uint8_t *data = size < SIZE_MAX / 4 && capacity < SIZE_MAX / 2 ? realloc(bytes->data, capacity) : NULL;
    if (!data) return bytes->failed = true, NULL;
    bytes->data = data, bytes->capacity = capacity;
  }
  bytes->size += size;
  return bytes->data + bytes->size - size;
}

bool fv_bytes_append(FvBytes *bytes, const void *data, size_t size) {
  uint8_t *to = fv_bytes_grow(bytes, size);
  if (to && size) memcpy(to, data, size);
  return to != NULL;
}

const char *fv_coder_name(int id) { return id >= 0 && id < FV_CODER_COUNT ? coders[id].name : NULL; }

int fv_coder_find(const char *name) {
  for (int id = 0; id < FV_CODER_COUNT; id++)
    if (strcmp(coders[id].name, name) == 0) return id;
  return -1;
}

static int check_shape(FvCodeShape shape, FvError *err) {
  if (shape.count > FV_CODER_MAX_COUNT)
    return fv_error_set(err, FV_ERR_LIMIT, "%zu elements in one stream; at most %zu are allowed", shape.count, FV_CODER_MAX_COUNT);
  return FV_OK;
}

int fv_coder_encode(FvCoderId id, const void *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  size_t before = out->size;
  if (!fv_coder_name(id)) return fv_error_set(err, FV_ERR_INVALID, "there is no coder %d", id);
  if (check_shape(shape, err) < 0) return FV_ERR_LIMIT;
  if (!shape.count) return FV_OK;
  int rc = coders[id].encode(data, shape, out, err);
  if (rc == FV_OK && out->failed) rc = fv_error_set(err, FV_ERR_NO_MEMORY, "no memory to encode %zu elements by %s", shape.count, coders[id].name);
  if (rc < 0) out->size = before;
  return rc;
}

int fv_coder_decode(int id, const void *coded, size_t size, FvCodeShape shape, void *data, FvError *err) {
  if (!fv_coder_name(id)) return fv_error_set(err, FV_ERR_UNSUPPORTED, "coder %d is unknown to this version", id);
  if (check_shape(shape, err) < 0) return FV_ERR_LIMIT;
  if (!shape.count) return size ? fv_error_set(err, FV_ERR_FORMAT, "%s: %zu bytes for no element", coders[id].name, size) : FV_OK;
  int rc = coders[id].decode(coded, size, shape, data, err);
  if (rc < 0) fv_error_prefix(err, "%s stream of %zu bytes for %zu elements", coders[id].name, size, shape.count);
  return rc;
}

bool fv_coder_is_several(int id, size_t count, size_t size) { return id == FV_CODER_HUFFMAN && count <= FV_CODER_MAX_COUNT && fv_huffman_is_long(size, count); }

void fv_coder_decode_several(FvDecoding *jobs, size_t count) {
  size_t first = 0;
  while (first < count) {
    size_t end = first;
    while (end < count && fv_coder_is_several(jobs[end].id, jobs[end].shape.count, jobs[end].size)) end++;
    if (end > first) fv_huffman_decode_several(jobs + first, end - first);
    if (end < count) {
      FvDecoding *job = &jobs[end++];
      job->result = fv_coder_decode(job->id, job->coded, job->size, job->shape, job->data, NULL);
    }
    first = end;
  }
}

double fv_coder_decode_ns(FvCoderId id, size_t count, size_t coded_size) {
  return coders[id].fixed_ns + coders[id].element_ns * (double)count + coders[id].coded_byte_ns * (double)coded_size;
}

/* Entropy coders for quantised weights and side tables, behind one interface. docs/compression.md describes the bitstreams and has the
 * measured figures.
 *
 * A stream holds `count` bytes: int8 levels in two's complement (row > 0), or the bytes of any table (row = 0). The stream repeats
 * neither count nor row nor the coder; whoever stores it keeps those three beside it. No elements, no stream: zero bytes.
 * Everything is little-endian and independent of machine, thread count and instruction set. Thread-safe: no state. */
#ifndef FOVEA_ENTROPY_CODER_H
#define FOVEA_ENTROPY_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fovea/error.h>

/* On disk: numbers are never used again for something else. */
typedef enum FvCoderId {
  FV_CODER_NONE = 0,    /* the bytes as they are */
  FV_CODER_HUFFMAN = 1, /* canonical Huffman */
  FV_CODER_RANGE = 2,   /* adaptive binary range coder with contexts: the smallest, and the slowest to decode */
  FV_CODER_RANS = 3,    /* static rANS, 32 lanes: the fastest of those close to the entropy; made for GPUs too */
  FV_CODER_LZ77 = 4,
  FV_CODER_LZ78 = 5,
  FV_CODER_ZSTD = 6,
  FV_CODER_COUNT = 7,
} FvCoderId;

/* More than any tensor; keeps every product below in 64 bits and every position in 32. */
#define FV_CODER_MAX_COUNT ((size_t)1 << 30)

typedef struct FvCodeShape {
  size_t count; /* elements, one byte each, at most FV_CODER_MAX_COUNT */
  size_t row;   /* levels in a row: element i has its neighbour above at i - row. 0: bytes without such structure */
} FvCodeShape;

/* Output that grows. All zero is empty. After memory ran out `failed` stays set and nothing more is appended. */
typedef struct FvBytes {
  uint8_t *data;
  size_t size, capacity;
  bool failed;
} FvBytes;
void fv_bytes_finish(FvBytes *bytes);
/* size more bytes at the end, not initialised, or NULL. Valid until the next call. */
uint8_t *fv_bytes_grow(FvBytes *bytes, size_t size);
bool fv_bytes_append(FvBytes *bytes, const void *data, size_t size);

/* "rans"; static storage, NULL for an unknown id. */
const char *fv_coder_name(int id);
/* The id of a name, or -1. */
int fv_coder_find(const char *name);

/* Appends the stream of data[0..shape.count) to out. On failure out is as long as before. */
int fv_coder_encode(FvCoderId id, const void *data, FvCodeShape shape, FvBytes *out, FvError *err);

/* Decodes exactly shape.count bytes into data from exactly size coded bytes; everything in them is taken for hostile. Time is bounded by
 * count + size, extra memory by twice count. FV_ERR_FORMAT for a stream that does not hold together, FV_ERR_UNSUPPORTED for an unknown
 * id; data's contents are then undefined. A stream that decodes is not thereby the right one: that is what the container's hash tree is for. */
int fv_coder_decode(int id, const void *coded, size_t size, FvCodeShape shape, void *data, FvError *err);

/* A stream to decode among others. */
typedef struct FvDecoding {
  int id;
  const void *coded;
  size_t size;
  FvCodeShape shape;
  void *data;
  int result; /* out: of fv_coder_decode */
} FvDecoding;
/* Is this stream decoded faster side by side with others? */
bool fv_coder_is_several(int id, size_t count, size_t size);
/* fv_coder_decode of each, in any order and without words about what fails. Neighbours of which that holds are decoded side by side. */
void fv_coder_decode_several(FvDecoding *jobs, size_t count);

/* Expected nanoseconds on one thread of the machine that docs/compression.md names, without SIMD: a fixed model, so that the same input
 * gives the same file everywhere. */
double fv_coder_decode_ns(FvCoderId id, size_t count, size_t coded_size);

typedef struct FvCoderLimits {
  unsigned allowed;     /* bits 1 << FvCoderId; 0: all. "None" is always a candidate */
  double max_decode_ns; /* for all streams of one call together, by fv_coder_decode_ns; 0: no limit */
} FvCoderLimits;

/* A stream coded in the ways that are worth it: each slower to decode and smaller than the one before, the first is the quickest. */
typedef struct FvCoderWay {
  FvCoderId id;
  double ns;
  FvBytes coded;
} FvCoderWay;
typedef struct FvCoderTrial {
  int count, chosen;
  FvCoderWay ways[FV_CODER_COUNT];
} FvCoderTrial;
/* Ways that an estimate says cannot win are left out, unless they are the only ones allowed. On failure the trial is empty. */
int fv_coder_try(const FvCoderLimits *limits, const void *data, FvCodeShape shape, FvCoderTrial *trial, FvError *err);
/* Sets `chosen` in each: the smallest whole within the limit, by taking first what saves most bytes a nanosecond. */
void fv_coder_pick(const FvCoderLimits *limits, FvCoderTrial *trials, size_t count);
void fv_coder_trial_finish(FvCoderTrial *trial);

/* The two for one stream: appends the smallest within the limit and says which it was. */
int fv_coder_choose(const FvCoderLimits *limits, const void *data, FvCodeShape shape, FvBytes *out, FvCoderId *ret_id, FvError *err);

#endif

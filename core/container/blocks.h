/* The weights section: blocks of elements, each coded on its own. docs/format.md defines it.
 *
 * A block is an array of elements of 1, 2, 4 or 8 bytes, coded as one stream, or as one stream for each byte of an element. A tensor takes its elements from one
 * block; large tensors have one to themselves, small ones of a kind share one, so that stream headers do not outweigh them. */
#ifndef FOVEA_CONTAINER_BLOCKS_H
#define FOVEA_CONTAINER_BLOCKS_H

#include "container/byte_io.h"

enum { FV_BLOCK_MAX_WIDTH = 8, FV_BLOCK_PLANES = 16 /* flag beside the width on disk */ };

/* What the elements of a block are. */
typedef struct FvBlockKind {
  unsigned width; /* bytes of an element: 1, 2, 4 or 8 */
  bool planes;    /* a stream for each byte of an element, the lowest first; else one stream of all bytes */
  uint64_t row;   /* elements in a row, of width 1 only; 0: none */
} FvBlockKind;

typedef struct FvStream {
  uint32_t coder;
  uint64_t offset, size; /* in the section */
} FvStream;

typedef struct FvBlock {
  FvBlockKind kind;
  uint64_t count; /* elements */
  int stream_count;
  FvStream streams[FV_BLOCK_MAX_WIDTH];
} FvBlock;

static inline int fv_block_streams(FvBlockKind kind) { return kind.planes ? (int)kind.width : 1; }
static inline FvCodeShape fv_block_shape(const FvBlock *block) {
  return (FvCodeShape){.count = (size_t)(block->kind.planes ? block->count : block->count * block->kind.width), .row = (size_t)block->kind.row};
}
/* Where a stream may begin: bytes as they are lie so that they can be used in place, and rANS reads words. */
static inline uint64_t fv_stream_place(uint64_t offset, uint32_t coder, uint64_t size) {
  uint64_t step = coder == FV_CODER_NONE && size >= 64 ? 64 : coder == FV_CODER_RANS ? 4 : 1;
  return (offset + step - 1) / step * step;
}

/* --- writing --- */

typedef struct FvBlockDraft FvBlockDraft;
typedef struct FvBlockWriter {
  FvBlockDraft *drafts;
  int count, capacity;
  bool failed; /* memory ran out */
} FvBlockWriter;
void fv_block_writer_finish(FvBlockWriter *writer);

/* Where elements came to lie. */
typedef struct FvBlockPlace {
  int block;
  uint64_t first;
} FvBlockPlace;
/* Puts elements behind those of the same kind and family, or into a block of their own when they are many. family keeps apart what has nothing in common. */
FvBlockPlace fv_blocks_add(FvBlockWriter *writer, FvBlockKind kind, int family, const void *elements, uint64_t count);
/* Codes all of them: appends the list of blocks to directory and the streams to section. The smallest section whose expected decode time keeps limits->max_decode_ns. */
int fv_blocks_code(FvBlockWriter *writer, const FvCoderLimits *limits, FvBytes *directory, FvBytes *section, FvError *err);

/* --- reading --- */

enum { FV_MAX_BLOCKS = 1 << 20 };

/* Reads the list of blocks: count is checked before (fv_read_count), blocks has room for it. Checks that the streams fill a section of so many bytes exactly, and bounds
 * what they decode to. */
int fv_blocks_read(FvByteReader *reader, FvBlock *blocks, uint32_t count, uint64_t section_bytes, FvError *err);
/* All elements of a block, width x count bytes, into elements. */
int fv_block_decode(const FvBlock *block, const uint8_t *section, uint8_t *elements, FvError *err);
/* The elements in place, when they are stored as they are; else NULL. */
const uint8_t *fv_block_in_place(const FvBlock *block, const uint8_t *section);

#endif

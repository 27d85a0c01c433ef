/* Interleaved rANS (Duda 2013; Giesen 2014), 32 lanes, static frequencies. This comment is the format; a decoder for a GPU can be written
 * from it alone.
 *
 *   0  u8  scale: frequencies add up to M = 1 << scale; 12, 13 or 14
 *   1  u8  rank of the first symbol, 2 u8 rank of the last (rank = byte ^ 0x80); 3 u8 zero
 *   4  u32 block: elements in every block but the last; a multiple of 32, at least 32
 *   8  frequencies of first..last as bits, most significant first: 4 bits n, 0 for absent; else n - 1 more bits, the frequency's below
 *      its leading one (n = 15 is M = 16384 alone). Zeros up to a multiple of 4 bytes
 *      u32 words of block 0, 1, … (there are ceil(elements / block))
 *      per block: 32 x u32 state of lane 0..31, then its words, u16 each, one word of zero more where their number is odd
 * Everything begins at a multiple of 4 from the start of the stream.
 *
 * Blocks stand alone. Element i of a block belongs to lane i % 32. A step takes one element from every lane (from the first so many lanes at
 * the end of the last block):
 *   slot = x & (M - 1)
 *   s = the symbol with start[s] <= slot < start[s] + freq[s]          start: sum of the frequencies of lower ranks
 *   x = freq[s] * (x >> scale) + slot - start[s]
 *   if x < 65536: x = x << 16 | the next word of the block             one word is always enough
 * Within a step words go to the lanes that need one in the order of their numbers: a lane's word is at the block's position plus the number
 * of needing lanes before it (ballot, exclusive bit count); the position then moves by the number of needing lanes.
 * States begin at 65536 or more; after the last element each is 65536 exactly and no word is left. */
#ifndef FOVEA_ENTROPY_RANS_H
#define FOVEA_ENTROPY_RANS_H

#include "coder.h"

enum { FV_RANS_LANES = 32, FV_RANS_MIN_SCALE = 12, FV_RANS_MAX_SCALE = 14, FV_RANS_LOW = 1 << 16 };

typedef struct FvRansTable {
  unsigned scale;
  uint8_t symbols[(1 << FV_RANS_MAX_SCALE) + 4]; /* by slot; vector loads read 3 bytes on */
  uint32_t ranges[256];                          /* by symbol: freq << 16 | start */
} FvRansTable;

typedef struct FvRansBlock {
  uint32_t states[FV_RANS_LANES];
  const uint8_t *words; /* the next one */
  size_t words_left;
} FvRansBlock;

/* A stream whose header, frequencies and block index hold together; it points into what was given. */
typedef struct FvRansStream {
  FvRansTable table;
  const uint8_t *coded;
  size_t size;
  size_t count, block_elements, blocks; /* elements of the stream, of a block but the last; blocks */
  size_t index_at, first_at;            /* bytes: the block index, the first block */
} FvRansStream;

/* Checks what can be checked without decoding; count: the elements that are wanted. */
int fv_rans_open(const uint8_t *coded, size_t size, size_t count, FvRansStream *stream, FvError *err);
/* Block b, which begins at byte *at, lies within the stream: says its words and moves *at to the next. The last must end where the stream does. */
int fv_rans_next_block(const FvRansStream *stream, size_t b, size_t *at, size_t *words, FvError *err);

/* Decodes whole steps while at least 32 words and 32 elements are left, and returns the elements done. All variants give the same. */
typedef size_t (*FvRansStepsFn)(const FvRansTable *table, FvRansBlock *block, uint8_t *data, size_t count);
size_t fv_rans_steps_scalar(const FvRansTable *table, FvRansBlock *block, uint8_t *data, size_t count);
size_t fv_rans_steps_avx2(const FvRansTable *table, FvRansBlock *block, uint8_t *data, size_t count);

/* The decoder with a variant named; fv_rans_decode takes the best one this processor has. */
int fv_rans_decode_by(FvRansStepsFn steps, const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err);
/* NULL where it is not built or the processor lacks it. */
FvRansStepsFn fv_rans_steps_vector(void);

#endif

#include "rans.h"

#include <math.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "bits.h"
#include "coders.h"

/* Lane states and index take 132 bytes a block; with so many coded bytes in it that is 0.4 %, and a model still has blocks enough to keep
 * a GPU busy. */
enum { BLOCK_BYTES = 1 << 15, MIN_BLOCK = 1 << 15, MAX_BLOCK = 1 << 20, HEADER_BYTES = 8, BLOCK_STATES_BYTES = FV_RANS_LANES * 4 };

/* Frequencies with sum 1 << scale, none of a present symbol 0. Rounded down first; what is left goes, one by one, where it saves most bits,
 * or is taken where it costs least. Returns the bits of the whole stream's symbols. */
static double scale_counts(const FvAlphabet *a, size_t count, unsigned scale, uint32_t *freqs) {
  int64_t left = 1 << scale;
  for (int r = 0; r < 256; r++) {
    freqs[r] = (uint32_t)(((uint64_t)a->counts[r] << scale) / count);
    if (!freqs[r] && a->counts[r]) freqs[r] = 1;
    left -= freqs[r];
  }
  for (int step = left > 0 ? 1 : -1; left; left -= step) {
    int best = -1;
    double best_gain = -INFINITY;
    for (int r = (int)a->first; r <= (int)a->last; r++) {
      if (!a->counts[r] || (step < 0 && freqs[r] < 2)) continue;
      double gain = a->counts[r] * log2((double)(freqs[r] + (uint32_t)step) / freqs[r]);
      if (gain > best_gain) best_gain = gain, best = r;
    }
    freqs[best] += (uint32_t)step;
  }
  double bits = 0;
  for (int r = 0; r < 256; r++)
    if (a->counts[r]) bits -= a->counts[r] * (log2(freqs[r]) - scale);
  return bits;
}

static void write_frequencies(const FvAlphabet *a, const uint32_t *freqs, FvBytes *out) {
  FvBitWriter w = {.out = out};
  for (unsigned r = a->first; r <= a->last; r++) {
    int n = freqs[r] ? 32 - __builtin_clz(freqs[r]) : 0;
    fv_bits_put(&w, (uint32_t)n, 4);
    if (n > 1) fv_bits_put(&w, freqs[r] & ((1u << (n - 1)) - 1), n - 1);
  }
  fv_bits_flush(&w);
}

static void pad(FvBytes *out, size_t start) {
  while ((out->size - start) % 4 && fv_bytes_append(out, "", 1)) {}
}

/* Encodes backwards, since the decoder takes last in first out. words has room for count; returns how many there are, at its end. */
static size_t encode_block(const uint8_t *data, size_t count, unsigned scale, const uint32_t *ranges, uint32_t *states, uint16_t *words) {
  uint16_t *next = words + count;
  for (int lane = 0; lane < FV_RANS_LANES; lane++) states[lane] = FV_RANS_LOW;
  for (size_t i = count; i-- > 0;) {
    uint32_t freq = ranges[data[i]] >> 16, start = ranges[data[i]] & 0xffff, x = states[i % FV_RANS_LANES];
    if (x >= (uint64_t)freq << (32 - scale)) {
      *--next = (uint16_t)x;
      x >>= 16;
    }
    states[i % FV_RANS_LANES] = (x / freq << scale) + x % freq + start;
  }
  return (size_t)(words + count - next);
}

static void set_ranges(const uint32_t *freqs, uint32_t *ranges) {
  for (uint32_t r = 0, start = 0; r < 256; start += freqs[r++]) ranges[r ^ 0x80] = freqs[r] << 16 | start;
}

/* Blocks of even length, so that no short one is left at the end. */
static size_t block_elements(size_t count, double bits) {
  double wanted = fmin(fmax((double)count * BLOCK_BYTES * 8 / bits, MIN_BLOCK), MAX_BLOCK);
  size_t blocks = (size_t)((double)count / wanted + 0.5);
  blocks = blocks ? blocks : 1;
  return ((count + blocks - 1) / blocks + FV_RANS_LANES - 1) / FV_RANS_LANES * FV_RANS_LANES;
}

int fv_rans_encode(const uint8_t *data, FvCodeShape shape, FvBytes *out, FvError *err) {
  FvAlphabet alphabet;
  uint32_t freqs[256], ranges[256];
  unsigned scale = FV_RANS_MIN_SCALE;
  size_t start = out->size;
  fv_alphabet_count(&alphabet, data, shape.count);
  double least = INFINITY;
  for (unsigned s = FV_RANS_MIN_SCALE; s <= FV_RANS_MAX_SCALE; s++) {
    double bits = scale_counts(&alphabet, shape.count, s, freqs) + s * 32.0; /* the frequencies' own bits grow too, by about one each */
    if (bits < least) least = bits, scale = s;
  }
  scale_counts(&alphabet, shape.count, scale, freqs);
  set_ranges(freqs, ranges);

  size_t block = block_elements(shape.count, least), blocks = (shape.count + block - 1) / block;
  uint16_t *words = malloc(block * sizeof *words);
  uint8_t *header = fv_bytes_grow(out, HEADER_BYTES);
  if (!words || !header) return free(words), fv_error_set(err, FV_ERR_NO_MEMORY, "no memory to encode %zu elements by rans", shape.count);
  header[0] = (uint8_t)scale, header[1] = (uint8_t)alphabet.first, header[2] = (uint8_t)alphabet.last, header[3] = 0;
  fv_write_u32(header + 4, (uint32_t)block);
  write_frequencies(&alphabet, freqs, out);
  pad(out, start);
  size_t index = out->size;
  fv_bytes_grow(out, blocks * 4);
  for (size_t b = 0; b < blocks && !out->failed; b++) {
    uint32_t states[FV_RANS_LANES];
    size_t at = b * block, elements = shape.count - at < block ? shape.count - at : block;
    size_t count = encode_block(data + at, elements, scale, ranges, states, words);
    uint8_t *to = fv_bytes_grow(out, BLOCK_STATES_BYTES + 2 * count);
    if (!to) break;
    for (int lane = 0; lane < FV_RANS_LANES; lane++) fv_write_u32(to + 4 * lane, states[lane]);
    for (size_t i = 0; i < count; i++) fv_write_u16(to + BLOCK_STATES_BYTES + 2 * i, words[elements - count + i]);
    fv_write_u32(out->data + index + 4 * b, (uint32_t)count);
    pad(out, start);
  }
  free(words);
  return FV_OK;
}

static inline uint32_t step(const FvRansTable *table, unsigned scale, uint32_t x, uint8_t *symbol) {
  uint32_t slot = x & ((1u << scale) - 1), range = table->ranges[*symbol = table->symbols[slot]];
  return (range >> 16) * (x >> scale) + slot - (range & 0xffff);
}

size_t fv_rans_steps_scalar(const FvRansTable *table, FvRansBlock *block, uint8_t *data, size_t count) {
  const uint8_t *words = block->words, *end = words + 2 * block->words_left;
  unsigned scale = table->scale;
  size_t done = 0;
  for (; count - done >= FV_RANS_LANES && end - words >= 2 * FV_RANS_LANES; done += FV_RANS_LANES) {
    for (int lane = 0; lane < FV_RANS_LANES; lane++) {
      uint32_t x = step(table, scale, block->states[lane], data + done + lane), low = x < FV_RANS_LOW;
      __asm__("" : "+r"(low)); /* no branch: whether a lane needs a word is hard to predict */
      block->states[lane] = x << (16 * low) | (fv_read_u16(words) & (0 - low));
      words += 2 * low;
    }
  }
  block->words_left -= (size_t)(words - block->words) / 2;
  block->words = words;
  return done;
}

static int decode_block(FvRansStepsFn steps, const FvRansTable *table, FvRansBlock *block, uint8_t *data, size_t count, FvError *err) {
  for (int lane = 0; lane < FV_RANS_LANES; lane++)
    if (block->states[lane] < FV_RANS_LOW) return fv_error_set(err, FV_ERR_FORMAT, "a lane begins below its range; the data is damaged");
  for (size_t done = steps(table, block, data, count); done < count; done++) {
    uint32_t x = step(table, table->scale, block->states[done % FV_RANS_LANES], data + done);
    if (x < FV_RANS_LOW) {
      if (!block->words_left) return fv_error_set(err, FV_ERR_FORMAT, "a block ends early; the data is damaged");
      x = x << 16 | fv_read_u16(block->words);
      block->words += 2, block->words_left--;
    }
    block->states[done % FV_RANS_LANES] = x;
  }
  for (int lane = 0; lane < FV_RANS_LANES; lane++)
    if (block->states[lane] != FV_RANS_LOW) return fv_error_set(err, FV_ERR_FORMAT, "a lane does not end where it began; the data is damaged");
  if (block->words_left) return fv_error_set(err, FV_ERR_FORMAT, "words follow a block's last element; the data is damaged");
  return FV_OK;
}

/* Reads the frequencies into table; *used becomes the bytes up to the block index. */
static int read_table(const uint8_t *coded, size_t size, FvRansTable *table, size_t *used, FvError *err) {
  if (size < HEADER_BYTES || coded[0] < FV_RANS_MIN_SCALE || coded[0] > FV_RANS_MAX_SCALE || coded[1] > coded[2] || coded[3])
    return fv_error_set(err, FV_ERR_FORMAT, "its header is damaged");
  FvBitReader r = {.next = coded + HEADER_BYTES, .end = coded + size};
  uint32_t freqs[256] = {0}, total = 0, bits_used = 0;
  table->scale = coded[0];
  for (unsigned rank = coded[1]; rank <= coded[2]; rank++) {
    uint32_t n, rest = 0;
    if (!fv_bits_get(&r, 4, &n) || (n > 1 && !fv_bits_get(&r, (int)n - 1, &rest)))
      return fv_error_set(err, FV_ERR_FORMAT, "it ends within its frequencies; the data is damaged");
    bits_used += 4 + (n ? n - 1 : 0);
    freqs[rank] = n ? 1u << (n - 1) | rest : 0;
    if (freqs[rank] > (1u << table->scale) - total) return fv_error_set(err, FV_ERR_FORMAT, "its frequencies are too large; the data is damaged");
    memset(table->symbols + total, (int)(rank ^ 0x80), freqs[rank]);
    total += freqs[rank];
  }
  if (total != 1u << table->scale)
    return fv_error_set(err, FV_ERR_FORMAT, "its frequencies add up to %u instead of %u; the data is damaged", total, 1u << table->scale);
  set_ranges(freqs, table->ranges);
  *used = HEADER_BYTES + (bits_used + 31) / 32 * 4;
  return FV_OK;
}

int fv_rans_open(const uint8_t *coded, size_t size, size_t count, FvRansStream *stream, FvError *err) {
  size_t at = 0;
  int rc = read_table(coded, size, &stream->table, &at, err);
  if (rc < 0) return rc;
  size_t elements = fv_read_u32(coded + 4);
  if (!elements || elements % FV_RANS_LANES) return fv_error_set(err, FV_ERR_FORMAT, "blocks of %zu elements; the data is damaged", elements);
  size_t blocks = (count + elements - 1) / elements;
  if (at > size || blocks > (size - at) / 4) return fv_error_set(err, FV_ERR_FORMAT, "it ends within its block index; the data is damaged");
  stream->coded = coded, stream->size = size;
  stream->count = count, stream->block_elements = elements, stream->blocks = blocks;
  stream->index_at = at, stream->first_at = at + 4 * blocks;
  return FV_OK;
}

int fv_rans_next_block(const FvRansStream *stream, size_t b, size_t *at, size_t *words, FvError *err) {
  *words = fv_read_u32(stream->coded + stream->index_at + 4 * b);
  if (stream->size - *at < BLOCK_STATES_BYTES || *words > (stream->size - *at - BLOCK_STATES_BYTES) / 2)
    return fv_error_set(err, FV_ERR_FORMAT, "it ends within block %zu of %zu; the data is damaged", b + 1, stream->blocks);
  *at += BLOCK_STATES_BYTES + (*words + 1) / 2 * 4;
  if (*at > stream->size) return fv_error_set(err, FV_ERR_FORMAT, "the padding of block %zu is missing; the data is damaged", b + 1);
  if (b + 1 == stream->blocks && *at < stream->size)
    return fv_error_set(err, FV_ERR_FORMAT, "%zu bytes follow its last block; the data is damaged", stream->size - *at);
  return FV_OK;
}

int fv_rans_decode_by(FvRansStepsFn steps, const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  FvRansStream stream;
  FvRansBlock block;
  int rc = fv_rans_open(coded, size, shape.count, &stream, err);
  size_t at = rc < 0 ? 0 : stream.first_at;
  for (size_t b = 0; rc >= 0 && b < stream.blocks; b++) {
    size_t begin = at, first = b * stream.block_elements, left = shape.count - first;
    rc = fv_rans_next_block(&stream, b, &at, &block.words_left, err);
    if (rc < 0) break;
    for (int lane = 0; lane < FV_RANS_LANES; lane++) block.states[lane] = fv_read_u32(coded + begin + 4 * (size_t)lane);
    block.words = coded + begin + BLOCK_STATES_BYTES;
    rc = decode_block(steps, &stream.table, &block, data + first, left < stream.block_elements ? left : stream.block_elements, err);
  }
  if (rc >= 0 && !stream.blocks && stream.first_at < size)
    return fv_error_set(err, FV_ERR_FORMAT, "%zu bytes follow its last block; the data is damaged", size - stream.first_at);
  return rc;
}

FvRansStepsFn fv_rans_steps_vector(void) {
#ifdef __x86_64__
  if (fv_cpu_flags() & FV_CPU_AVX2) return fv_rans_steps_avx2;
#endif
  return NULL;
}

int fv_rans_decode(const uint8_t *coded, size_t size, FvCodeShape shape, uint8_t *data, FvError *err) {
  FvRansStepsFn vector = fv_rans_steps_vector();
  return fv_rans_decode_by(vector ? vector : fv_rans_steps_scalar, coded, size, shape, data, err);
}

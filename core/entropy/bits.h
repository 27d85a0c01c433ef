/* Bits, most significant first, and little-endian words, as the streams hold them. */
#ifndef FOVEA_ENTROPY_BITS_H
#define FOVEA_ENTROPY_BITS_H

#include <string.h>

#include "coder.h"

static inline uint16_t fv_read_u16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t fv_read_u32(const uint8_t *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static inline void fv_write_u16(uint8_t *p, uint32_t v) { p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8); }
static inline void fv_write_u32(uint8_t *p, uint32_t v) { fv_write_u16(p, v), fv_write_u16(p + 2, v >> 16); }
static inline uint64_t fv_read_be64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  v = __builtin_bswap64(v);
#endif
  return v;
}

typedef struct FvBitWriter {
  FvBytes *out;
  uint64_t held; /* left-aligned */
  int count;     /* bits in held, below 32 between calls */
} FvBitWriter;

static inline void fv_bits_put(FvBitWriter *w, uint32_t value, int bits) { /* bits <= 32, value below 2^bits */
  if (!bits) return;
  w->held |= (uint64_t)value << (64 - w->count - bits);
  w->count += bits;
  if (w->count < 32) return;
  uint8_t *p = fv_bytes_grow(w->out, 4);
  if (p) fv_write_u32(p, __builtin_bswap32((uint32_t)(w->held >> 32)));
  w->held <<= 32;
  w->count -= 32;
}
/* Zero bits up to a whole byte, and everything out. */
static inline void fv_bits_flush(FvBitWriter *w) {
  for (; w->count > 0; w->count -= 8, w->held <<= 8) fv_bytes_append(w->out, &(uint8_t){(uint8_t)(w->held >> 56)}, 1);
  w->count = 0;
}

typedef struct FvBitReader {
  const uint8_t *next, *end;
  uint64_t held; /* left-aligned; bits beyond count are either right or zero */
  int count;
} FvBitReader;

/* At least 56 bits, or all that are left. */
static inline void fv_bits_refill(FvBitReader *r) {
  for (; r->count <= 56 && r->next < r->end; r->count += 8) r->held |= (uint64_t)*r->next++ << (56 - r->count);
}
/* The same where 8 bytes may be read at next. */
static inline void fv_bits_refill_fast(FvBitReader *r) {
  r->held |= fv_read_be64(r->next) >> r->count;
  r->next += (63 - r->count) >> 3;
  r->count |= 56;
}
static inline void fv_bits_drop(FvBitReader *r, int bits) { r->held <<= bits, r->count -= bits; }
/* false when fewer than bits (1..32) are left. */
static inline bool fv_bits_get(FvBitReader *r, int bits, uint32_t *value) {
  if (r->count < bits) fv_bits_refill(r);
  if (r->count < bits) return false;
  *value = (uint32_t)(r->held >> (64 - bits));
  fv_bits_drop(r, bits);
  return true;
}
/* Nothing but the zero bits of a last, begun byte is left. */
static inline bool fv_bits_ended(FvBitReader *r) { return r->next == r->end && r->count < 8 && (r->count == 0 || r->held >> (64 - r->count) == 0); }

/* Symbols stand in the order of their signed values (-128 first), so that the few levels of a narrow grid are neighbours. */
static inline unsigned fv_symbol_rank(uint8_t byte) { return byte ^ 0x80u; }
typedef struct FvAlphabet {
  uint32_t counts[256]; /* by rank */
  unsigned first, last; /* ranks of the outermost symbols present */
} FvAlphabet;
static inline void fv_alphabet_count(FvAlphabet *a, const uint8_t *data, size_t count) {
  memset(a, 0, sizeof *a);
  for (size_t i = 0; i < count; i++) a->counts[fv_symbol_rank(data[i])]++;
  for (a->first = 0; a->first < 255 && !a->counts[a->first];) a->first++;
  for (a->last = 255; a->last > a->first && !a->counts[a->last];) a->last--;
}

#endif

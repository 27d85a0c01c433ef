/* The steps of rans.h with eight lanes a register. */
#include <immintrin.h>

#include "rans.h"

/* For each mask of needing lanes, which of eight words goes to which lane: one byte per lane, as many words before it as needing lanes. */
#define BEFORE(mask, lane) ((uint64_t)__builtin_popcount((mask) & ((1 << (lane)) - 1)) << (8 * (lane)))
#define SPREAD(m) (BEFORE(m, 0) | BEFORE(m, 1) | BEFORE(m, 2) | BEFORE(m, 3) | BEFORE(m, 4) | BEFORE(m, 5) | BEFORE(m, 6) | BEFORE(m, 7))
#define SPREAD4(m) SPREAD(m), SPREAD((m) + 1), SPREAD((m) + 2), SPREAD((m) + 3)
#define SPREAD16(m) SPREAD4(m), SPREAD4((m) + 4), SPREAD4((m) + 8), SPREAD4((m) + 12)
#define SPREAD64(m) SPREAD16(m), SPREAD16((m) + 16), SPREAD16((m) + 32), SPREAD16((m) + 48)
static const uint64_t spread[256] = {SPREAD64(0), SPREAD64(64), SPREAD64(128), SPREAD64(192)};

typedef struct Step {
  __m256i states, symbols;
} Step;

static inline __attribute__((always_inline)) Step decode(const FvRansTable *table, __m256i x, __m256i slot_mask, __m128i scale) {
  __m256i slot = _mm256_and_si256(x, slot_mask);
  __m256i symbol = _mm256_and_si256(_mm256_i32gather_epi32((const int *)table->symbols, slot, 1), _mm256_set1_epi32(255));
  __m256i range = _mm256_i32gather_epi32((const int *)table->ranges, symbol, 4);
  __m256i scaled = _mm256_mullo_epi32(_mm256_srli_epi32(range, 16), _mm256_srl_epi32(x, scale));
  __m256i start = _mm256_and_si256(range, _mm256_set1_epi32(0xffff));
  return (Step){_mm256_add_epi32(scaled, _mm256_sub_epi32(slot, start)), symbol};
}

static inline __attribute__((always_inline)) __m256i refill(__m256i x, const uint8_t **words) {
  __m256i low = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, 16), _mm256_setzero_si256());
  unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(low));
  __m256i next = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)*words));
  __m256i lanes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)&spread[mask]));
  __m256i more = _mm256_or_si256(_mm256_slli_epi32(x, 16), _mm256_permutevar8x32_epi32(next, lanes));
  *words += 2 * __builtin_popcount(mask);
  return _mm256_blendv_epi8(x, more, low);
}

size_t fv_rans_steps_avx2(const FvRansTable *table, FvRansBlock *block, uint8_t *data, size_t count) {
  const uint8_t *words = block->words, *end = words + 2 * block->words_left;
  __m256i slot_mask = _mm256_set1_epi32((1 << table->scale) - 1), *states = (__m256i *)block->states;
  __m256i x0 = _mm256_loadu_si256(states), x1 = _mm256_loadu_si256(states + 1), x2 = _mm256_loadu_si256(states + 2),
          x3 = _mm256_loadu_si256(states + 3);
  __m128i scale = _mm_cvtsi32_si128((int)table->scale);
  size_t done = 0;
  for (; count - done >= FV_RANS_LANES && end - words >= 2 * FV_RANS_LANES; done += FV_RANS_LANES) {
    Step a = decode(table, x0, slot_mask, scale), b = decode(table, x1, slot_mask, scale), c = decode(table, x2, slot_mask, scale),
         d = decode(table, x3, slot_mask, scale);
    x0 = refill(a.states, &words);
    x1 = refill(b.states, &words);
    x2 = refill(c.states, &words);
    x3 = refill(d.states, &words);
    /* Packing works in halves of 16 bytes: dwords come out as a0 b0 c0 d0 a1 b1 c1 d1 and are put in order again. */
    __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(a.symbols, b.symbols), _mm256_packus_epi32(c.symbols, d.symbols));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(data + done), bytes);
  }
  _mm256_storeu_si256(states, x0);
  _mm256_storeu_si256(states + 1, x1);
  _mm256_storeu_si256(states + 2, x2);
  _mm256_storeu_si256(states + 3, x3);
  block->words_left -= (size_t)(words - block->words) / 2;
  block->words = words;
  return done;
}

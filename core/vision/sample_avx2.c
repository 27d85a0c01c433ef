/* Sampling with 32-bit gathers: eight columns at a time. */
#include <immintrin.h>

#include "base/cpu.h"
#include "vision/sample_mix.h"

/* Component k of the gathered words, as floats. */
static inline __m256 component(__m256i words, int byte) {
  __m128i shift = _mm_cvtsi32_si128(8 * byte);
  return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srl_epi32(words, shift), _mm256_set1_epi32(255)));
}

static inline __m256 lerp(__m256 a, __m256 b, __m256 weight) { return _mm256_add_ps(a, _mm256_mul_ps(_mm256_sub_ps(b, a), weight)); }

/* Both taps of every component lie in one word: planar rows, interleaved chroma, luma of YUY2. */
static int sample_one_word(const FvRowSampler *s, const uint8_t *row, float *const out[3]) {
  int x = 0;
  for (; x + 8 <= s->safe; x += 8) {
    __m256i at = _mm256_loadu_si256((const __m256i *)(s->offset + x));
    __m256i words = _mm256_i32gather_epi32((const int *)(const void *)row, at, 1);
    __m256 weight = _mm256_loadu_ps(s->weight + x);
    for (int k = 0; k < s->components; k++)
      _mm256_storeu_ps(out[k] + x, lerp(component(words, s->byte[k]), component(words, s->byte[k] + s->step), weight));
  }
  return x;
}

static int sample_two_words(const FvRowSampler *s, const uint8_t *row, float *const out[3]) {
  int x = 0;
  for (; x + 8 <= s->safe; x += 8) {
    __m256i at = _mm256_loadu_si256((const __m256i *)(s->offset + x));
    __m256i left = _mm256_i32gather_epi32((const int *)(const void *)row, at, 1);
    __m256i right = _mm256_i32gather_epi32((const int *)(const void *)(row + s->step), at, 1);
    __m256 weight = _mm256_loadu_ps(s->weight + x);
    for (int k = 0; k < s->components; k++)
      _mm256_storeu_ps(out[k] + x, lerp(component(left, s->byte[k]), component(right, s->byte[k]), weight));
  }
  return x;
}

static void sample_avx2(const FvRowSampler *s, const uint8_t *row, float *const out[3]) {
  int last = s->byte[s->components - 1] + s->step;
  for (int k = 0; k < s->components; k++)
    if (s->byte[k] + s->step > last) last = s->byte[k] + s->step;
  int done = last < 4 ? sample_one_word(s, row, out) : sample_two_words(s, row, out);
  fv_sample_columns(s, row, out, done);
}

static void mix_avx2(const FvRowMix *mix) { fv_mix_rows(mix); }

const FvSampleKernels fv_sample_kernels_avx2 = {"avx2", FV_CPU_AVX2, sample_avx2, mix_avx2};

/* Integer vectors beside the float ones of simd.h: FV_LANES numbers of 32 bits, made from bytes and pairs of 16 bits. */
#ifndef FOVEA_CPU_SIMD_INT_H
#define FOVEA_CPU_SIMD_INT_H

#include "cpu/simd.h"

/* What there is for products of four bytes a lane: nothing; an instruction that adds two of them in 16 bits first, for small weights; an exact one. */
#define FV_DOT_NONE 0
#define FV_DOT_SATURATING 1
#define FV_DOT_EXACT 2

#if FV_LANES == 16
typedef __m512i FvInt;
FV_INLINE FvInt fv_int_load(const void *p) { return _mm512_loadu_si512(p); }
FV_INLINE FvInt fv_int_dup(int32_t x) { return _mm512_set1_epi32(x); }
FV_INLINE FvInt fv_int_add(FvInt a, FvInt b) { return _mm512_add_epi32(a, b); }
FV_INLINE FvInt fv_int_sub(FvInt a, FvInt b) { return _mm512_sub_epi32(a, b); }
FV_INLINE FvInt fv_int_mul(FvInt a, FvInt b) { return _mm512_mullo_epi32(a, b); }
#define fv_int_shift_right(a, bits) _mm512_srai_epi32(a, bits)
/* acc + a.low * b.low + a.high * b.high per lane, both made of two signed halves. */
FV_INLINE FvInt fv_int_dot(FvInt acc, FvInt a, FvInt b) {
#if defined(FV_ISA_AVX512_VNNI)
  return _mm512_dpwssd_epi32(acc, a, b);
#else
  return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
#endif
}
FV_INLINE FvInt fv_int_from_i8(const int8_t *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
FV_INLINE FvInt fv_int_from_u8(const uint8_t *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
/* The low halves of a and b as one pair of 16 bits per lane. */
FV_INLINE FvInt fv_int_pair(FvInt a, FvInt b) { return _mm512_mask_blend_epi16(0xaaaaaaaa, a, _mm512_slli_epi32(b, 16)); }
FV_INLINE FvVec fv_int_to_float(FvInt a) { return _mm512_cvtepi32_ps(a); }
FV_INLINE FvInt fv_int_round(FvVec a) { return _mm512_cvtps_epi32(a); }
/* The low bytes of the first n lanes. */
FV_INLINE void fv_int_store_bytes(void *p, FvInt a, long n) {
  if (n >= 16)
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a));
  else
    _mm512_mask_cvtepi32_storeu_epi8(p, (__mmask16)((1u << n) - 1), a);
}

#define FV_DOT_OFFSET 0
FV_INLINE FvInt fv_int_dup_quad(int32_t quad) { return _mm512_set1_epi32(quad); }
/* Bytes 0 and 2, and 1 and 3, of every lane as pairs of 16 bits. */
FV_INLINE FvInt fv_int_even(FvInt quads) { return _mm512_and_si512(quads, _mm512_set1_epi16(0xff)); }
FV_INLINE FvInt fv_int_odd(FvInt quads) { return _mm512_srli_epi16(quads, 8); }
#if defined(FV_ISA_AVX512_VNNI)
#define FV_DOT FV_DOT_EXACT
/* acc + the four products of unsigned bytes of a with signed bytes of b, per lane. */
FV_INLINE FvInt fv_int_dot4(FvInt acc, FvInt a, FvInt b) { return _mm512_dpbusd_epi32(acc, a, b); }
#else
#define FV_DOT FV_DOT_SATURATING
FV_INLINE FvInt fv_int_dot4(FvInt acc, FvInt a, FvInt b) {
  return _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)));
}
#endif

#elif FV_LANES == 8
typedef __m256i FvInt;
FV_INLINE FvInt fv_int_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
FV_INLINE FvInt fv_int_dup(int32_t x) { return _mm256_set1_epi32(x); }
FV_INLINE FvInt fv_int_add(FvInt a, FvInt b) { return _mm256_add_epi32(a, b); }
FV_INLINE FvInt fv_int_sub(FvInt a, FvInt b) { return _mm256_sub_epi32(a, b); }
FV_INLINE FvInt fv_int_mul(FvInt a, FvInt b) { return _mm256_mullo_epi32(a, b); }
#define fv_int_shift_right(a, bits) _mm256_srai_epi32(a, bits)
FV_INLINE FvInt fv_int_dot(FvInt acc, FvInt a, FvInt b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); }
#define FV_DOT_OFFSET 0
#define FV_DOT FV_DOT_SATURATING
FV_INLINE FvInt fv_int_dup_quad(int32_t quad) { return _mm256_set1_epi32(quad); }
FV_INLINE FvInt fv_int_even(FvInt quads) { return _mm256_and_si256(quads, _mm256_set1_epi16(0xff)); }
FV_INLINE FvInt fv_int_odd(FvInt quads) { return _mm256_srli_epi16(quads, 8); }
FV_INLINE FvInt fv_int_dot4(FvInt acc, FvInt a, FvInt b) {
  return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}
FV_INLINE FvInt fv_int_from_i8(const int8_t *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
FV_INLINE FvInt fv_int_from_u8(const uint8_t *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
FV_INLINE FvInt fv_int_pair(FvInt a, FvInt b) { return _mm256_blend_epi16(a, _mm256_slli_epi32(b, 16), 0xaa); }
FV_INLINE FvVec fv_int_to_float(FvInt a) { return _mm256_cvtepi32_ps(a); }
FV_INLINE FvInt fv_int_round(FvVec a) { return _mm256_cvtps_epi32(a); }
FV_INLINE void fv_int_store_bytes(void *p, FvInt a, long n) {
  const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  __m256i bytes = _mm256_shuffle_epi8(a, low);
  __m128i packed = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  if (n >= 8) {
    _mm_storel_epi64((__m128i *)p, packed);
  } else {
    uint64_t word = (uint64_t)_mm_cvtsi128_si64(packed);
    memcpy(p, &word, (size_t)n);
  }
}

#else
typedef int32x4_t FvInt;
FV_INLINE FvInt fv_int_load(const void *p) { return vreinterpretq_s32_u8(vld1q_u8(p)); }
FV_INLINE FvInt fv_int_dup(int32_t x) { return vdupq_n_s32(x); }
FV_INLINE FvInt fv_int_add(FvInt a, FvInt b) { return vaddq_s32(a, b); }
FV_INLINE FvInt fv_int_sub(FvInt a, FvInt b) { return vsubq_s32(a, b); }
FV_INLINE FvInt fv_int_mul(FvInt a, FvInt b) { return vmulq_s32(a, b); }
#define fv_int_shift_right(a, bits) vshrq_n_s32(a, bits)
FV_INLINE FvInt fv_int_dot(FvInt acc, FvInt a, FvInt b) {
  int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
  return vaddq_s32(acc, vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
}
FV_INLINE FvInt fv_int_even(FvInt quads) { return vandq_s32(quads, vdupq_n_s32(0xff00ff)); }
FV_INLINE FvInt fv_int_odd(FvInt quads) { return vreinterpretq_s32_u16(vshrq_n_u16(vreinterpretq_u16_s32(quads), 8)); }
#if defined(FV_ISA_NEON_DOT)
#define FV_DOT_OFFSET 128
#define FV_DOT FV_DOT_EXACT
FV_INLINE FvInt fv_int_dup_quad(int32_t quad) { return vdupq_n_s32(quad ^ (int32_t)0x80808080u); }
FV_INLINE FvInt fv_int_dot4(FvInt acc, FvInt a, FvInt b) { return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)); }
#else
#define FV_DOT_OFFSET 0
#define FV_DOT FV_DOT_NONE
FV_INLINE FvInt fv_int_dup_quad(int32_t quad) { return vdupq_n_s32(quad); }
#endif
FV_INLINE FvInt fv_int_from_i8(const int8_t *p) { return vmovl_s16(vget_low_s16(vmovl_s8(vld1_s8(p)))); }
FV_INLINE FvInt fv_int_from_u8(const uint8_t *p) { return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(p))))); }
FV_INLINE FvInt fv_int_pair(FvInt a, FvInt b) { return vsliq_n_s32(a, b, 16); }
FV_INLINE FvVec fv_int_to_float(FvInt a) { return vcvtq_f32_s32(a); }
FV_INLINE FvInt fv_int_round(FvVec a) { return vcvtnq_s32_f32(a); }
FV_INLINE void fv_int_store_bytes(void *p, FvInt a, long n) {
  int8x8_t bytes = vmovn_s16(vcombine_s16(vmovn_s32(a), vdup_n_s16(0)));
  uint64_t word = vget_lane_u64(vreinterpret_u64_s8(bytes), 0);
  memcpy(p, &word, (size_t)(n < 4 ? n : 4));
}
#endif

FV_INLINE FvInt fv_int_from_bytes(const uint8_t *p, const bool is_signed) {
  return is_signed ? fv_int_from_i8((const int8_t *)p) : fv_int_from_u8(p);
}

/* Vectors of bytes. */
enum { FV_BYTES = 4 * FV_LANES };
#if FV_LANES == 16
typedef __m512i FvBytes;
FV_INLINE FvBytes fv_bytes_load(const void *p) { return _mm512_loadu_si512(p); }
FV_INLINE FvBytes fv_bytes_dup(uint8_t x) { return _mm512_set1_epi8((char)x); }
FV_INLINE FvBytes fv_bytes_max(FvBytes a, FvBytes b) { return _mm512_max_epu8(a, b); }
FV_INLINE FvBytes fv_bytes_xor(FvBytes a, FvBytes b) { return _mm512_xor_si512(a, b); }
FV_INLINE void fv_bytes_store(void *p, FvBytes a, long n) {
  if (n >= FV_BYTES)
    _mm512_storeu_si512(p, a);
  else
    _mm512_mask_storeu_epi8(p, ((__mmask64)1 << n) - 1, a);
}
#elif FV_LANES == 8
typedef __m256i FvBytes;
FV_INLINE FvBytes fv_bytes_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
FV_INLINE FvBytes fv_bytes_dup(uint8_t x) { return _mm256_set1_epi8((char)x); }
FV_INLINE FvBytes fv_bytes_max(FvBytes a, FvBytes b) { return _mm256_max_epu8(a, b); }
FV_INLINE FvBytes fv_bytes_xor(FvBytes a, FvBytes b) { return _mm256_xor_si256(a, b); }
#else
typedef uint8x16_t FvBytes;
FV_INLINE FvBytes fv_bytes_load(const void *p) { return vld1q_u8(p); }
FV_INLINE FvBytes fv_bytes_dup(uint8_t x) { return vdupq_n_u8(x); }
FV_INLINE FvBytes fv_bytes_max(FvBytes a, FvBytes b) { return vmaxq_u8(a, b); }
FV_INLINE FvBytes fv_bytes_xor(FvBytes a, FvBytes b) { return veorq_u8(a, b); }
#endif
#if FV_LANES != 16
FV_INLINE void fv_bytes_store(void *p, FvBytes a, long n) {
  if (n >= FV_BYTES) {
    memcpy(p, &a, FV_BYTES);
    return;
  }
  uint8_t lanes[FV_BYTES], *to = p;
  memcpy(lanes, &a, FV_BYTES);
  long done = 0;
  for (long step = FV_BYTES / 2; step; step /= 2)
    if (n & step) {
      memcpy(to + done, lanes + done, (size_t)step);
      done += step;
    }
}
#endif

/* 16 bytes, less their zero point, as 16-bit numbers. */
FV_INLINE void fv_widen_16(int16_t *to, const uint8_t *from, int16_t zero, bool is_signed) {
#if defined(FV_ISA_NEON)
  int16x8_t z = vdupq_n_s16(zero);
  for (int half = 0; half < 2; half++) {
    uint8x8_t bytes = vld1_u8(from + 8 * half);
    int16x8_t wide = is_signed ? vmovl_s8(vreinterpret_s8_u8(bytes)) : vreinterpretq_s16_u16(vmovl_u8(bytes));
    vst1q_s16(to + 8 * half, vsubq_s16(wide, z));
  }
#else
  __m128i bytes = _mm_loadu_si128((const __m128i *)from);
  __m256i wide = is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
  _mm256_storeu_si256((__m256i *)to, _mm256_sub_epi16(wide, _mm256_set1_epi16(zero)));
#endif
}

FV_INLINE int32_t fv_int_sum_bytes(const uint8_t *p, int64_t n) {
  int32_t sum = 0;
  for (int64_t i = 0; i < n; i++) sum += p[i];
  return sum;
}

/* 16 bytes, and every other one of 32, with bits turned. */
FV_INLINE void fv_copy_16(uint8_t *to, const uint8_t *from, uint8_t flip) {
#if defined(FV_ISA_NEON)
  vst1q_u8(to, veorq_u8(vld1q_u8(from), vdupq_n_u8(flip)));
#else
  _mm_storeu_si128((__m128i *)to, _mm_xor_si128(_mm_loadu_si128((const __m128i *)from), _mm_set1_epi8((char)flip)));
#endif
}
FV_INLINE void fv_copy_16_even(uint8_t *to, const uint8_t *from, uint8_t flip) {
#if defined(FV_ISA_NEON)
  vst1q_u8(to, veorq_u8(vld2q_u8(from).val[0], vdupq_n_u8(flip)));
#else
  const __m128i low = _mm_set1_epi16(0xff);
  __m128i a = _mm_and_si128(_mm_loadu_si128((const __m128i *)from), low), b = _mm_and_si128(_mm_loadu_si128((const __m128i *)(from + 16)), low);
  _mm_storeu_si128((__m128i *)to, _mm_xor_si128(_mm_packus_epi16(a, b), _mm_set1_epi8((char)flip)));
#endif
}

/* How sums become numbers of the output. In steps: activated, bounded while they are floats, rounded half to even, moved by the zero point. */
typedef struct FvQuantised {
  float low, high; /* the type's bounds less the zero point, narrowed by Relu and Clip */
  float slope;     /* of LeakyRelu, at most 1; 1: none */
  int32_t zero;
  bool is_float;   /* the output is f32: neither rounded nor moved */
} FvQuantised;

FV_INLINE FvQuantised fv_quantised(bool is_signed, int32_t zero) {
  return (FvQuantised){(float)((is_signed ? -128 : 0) - zero), (float)((is_signed ? 127 : 255) - zero), 1, zero, false};
}
FV_INLINE FvVec fv_q_activate(FvVec steps, const FvQuantised *q) {
  if (q->slope != 1) steps = fv_max(steps, fv_mul(steps, fv_dup(q->slope)));
  return fv_min(fv_max(steps, fv_dup(q->low)), fv_dup(q->high));
}
FV_INLINE FvInt fv_quantise(FvVec steps, const FvQuantised *q) { return fv_int_add(fv_int_round(fv_q_activate(steps, q)), fv_int_dup(q->zero)); }
/* Up to a vector of outputs of any type. */
FV_INLINE void fv_q_store(void *y, FvVec steps, const FvQuantised *q, long left) {
  if (!q->is_float) fv_int_store_bytes(y, fv_quantise(steps, q), left);
  else if (left >= FV_LANES) fv_store(y, fv_q_activate(steps, q));
  else fv_store_n(y, fv_q_activate(steps, q), left);
}

#endif

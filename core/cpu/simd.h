/* One vector type per instruction set, so that every kernel is written once and compiled for each: 8 floats with AVX2, 16 with AVX-512,
 * 4 with NEON. Names that must differ between the copies go through FV_ISA(). */
#ifndef FOVEA_CPU_SIMD_H
#define FOVEA_CPU_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cpu.h"
#include "ir/activation.h"

#define FV_INLINE static inline __attribute__((always_inline, unused))

#if defined(FV_ISA_NEON_DOT)
#define FV_ISA_NEON
#endif

#if defined(FV_ISA_AVX512) || defined(FV_ISA_AVX512_VNNI)
#include <immintrin.h>
#if defined(FV_ISA_AVX512_VNNI)
#define FV_ISA(name) name##_avx512_vnni
#define FV_ISA_TEXT "avx512_vnni"
#define FV_ISA_FLAGS (FV_CPU_AVX512 | FV_CPU_AVX512_VNNI)
#else
#define FV_ISA(name) name##_avx512
#define FV_ISA_TEXT "avx512"
#define FV_ISA_FLAGS FV_CPU_AVX512
#endif
#define FV_LANES 16
typedef __m512 FvVec;
typedef __mmask16 FvMask;
FV_INLINE FvVec fv_zero(void) { return _mm512_setzero_ps(); }
FV_INLINE FvVec fv_dup(float x) { return _mm512_set1_ps(x); }
FV_INLINE FvVec fv_load(const float *p) { return _mm512_loadu_ps(p); }
FV_INLINE void fv_store(float *p, FvVec v) { _mm512_storeu_ps(p, v); }
FV_INLINE FvVec fv_load_n(const float *p, long n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
FV_INLINE void fv_store_n(float *p, FvVec v, long n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }
FV_INLINE FvVec fv_fma(FvVec a, FvVec b, FvVec c) { return _mm512_fmadd_ps(a, b, c); }
FV_INLINE FvVec fv_add(FvVec a, FvVec b) { return _mm512_add_ps(a, b); }
FV_INLINE FvVec fv_sub(FvVec a, FvVec b) { return _mm512_sub_ps(a, b); }
FV_INLINE FvVec fv_mul(FvVec a, FvVec b) { return _mm512_mul_ps(a, b); }
FV_INLINE FvVec fv_div(FvVec a, FvVec b) { return _mm512_div_ps(a, b); }
/* Of a NaN and a number both return b, so that the bound goes second. */
FV_INLINE FvVec fv_min(FvVec a, FvVec b) { return _mm512_min_ps(a, b); }
FV_INLINE FvVec fv_max(FvVec a, FvVec b) { return _mm512_max_ps(a, b); }
FV_INLINE FvVec fv_sqrt(FvVec a) { return _mm512_sqrt_ps(a); }
FV_INLINE FvVec fv_floor(FvVec a) { return _mm512_roundscale_ps(a, 1 | 8); }
FV_INLINE FvVec fv_ceil(FvVec a) { return _mm512_roundscale_ps(a, 2 | 8); }
FV_INLINE FvVec fv_rint(FvVec a) { return _mm512_roundscale_ps(a, 0 | 8); }
FV_INLINE FvMask fv_less(FvVec a, FvVec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
FV_INLINE FvMask fv_unordered(FvVec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
FV_INLINE FvVec fv_select(FvMask m, FvVec yes, FvVec no) { return _mm512_mask_blend_ps(m, no, yes); }
FV_INLINE FvVec fv_abs(FvVec a) { return _mm512_abs_ps(a); }
FV_INLINE FvVec fv_copysign(FvVec a, FvVec sign) {
  __m512i m = _mm512_set1_epi32((int)0x80000000u);
  return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(m, _mm512_castps_si512(sign), _mm512_castps_si512(a), 0xca));
}
/* 2^n for integral n in [-126, 127]. */
FV_INLINE FvVec fv_exp2i(FvVec n) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
}
FV_INLINE float fv_sum(FvVec a) { return _mm512_reduce_add_ps(a); }
FV_INLINE float fv_top(FvVec a) { return _mm512_reduce_max_ps(a); }

#elif defined(FV_ISA_AVX2)
#include <immintrin.h>
#define FV_ISA(name) name##_avx2
#define FV_ISA_TEXT "avx2"
#define FV_ISA_FLAGS FV_CPU_AVX2
#define FV_LANES 8
typedef __m256 FvVec;
typedef __m256 FvMask;
FV_INLINE __m256i fv_first_lanes(long n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
FV_INLINE FvVec fv_zero(void) { return _mm256_setzero_ps(); }
FV_INLINE FvVec fv_dup(float x) { return _mm256_set1_ps(x); }
FV_INLINE FvVec fv_load(const float *p) { return _mm256_loadu_ps(p); }
FV_INLINE void fv_store(float *p, FvVec v) { _mm256_storeu_ps(p, v); }
FV_INLINE FvVec fv_load_n(const float *p, long n) { return _mm256_maskload_ps(p, fv_first_lanes(n)); }
FV_INLINE void fv_store_n(float *p, FvVec v, long n) { _mm256_maskstore_ps(p, fv_first_lanes(n), v); }
FV_INLINE FvVec fv_fma(FvVec a, FvVec b, FvVec c) { return _mm256_fmadd_ps(a, b, c); }
FV_INLINE FvVec fv_add(FvVec a, FvVec b) { return _mm256_add_ps(a, b); }
FV_INLINE FvVec fv_sub(FvVec a, FvVec b) { return _mm256_sub_ps(a, b); }
FV_INLINE FvVec fv_mul(FvVec a, FvVec b) { return _mm256_mul_ps(a, b); }
FV_INLINE FvVec fv_div(FvVec a, FvVec b) { return _mm256_div_ps(a, b); }
FV_INLINE FvVec fv_min(FvVec a, FvVec b) { return _mm256_min_ps(a, b); }
FV_INLINE FvVec fv_max(FvVec a, FvVec b) { return _mm256_max_ps(a, b); }
FV_INLINE FvVec fv_sqrt(FvVec a) { return _mm256_sqrt_ps(a); }
FV_INLINE FvVec fv_floor(FvVec a) { return _mm256_round_ps(a, 1 | 8); }
FV_INLINE FvVec fv_ceil(FvVec a) { return _mm256_round_ps(a, 2 | 8); }
FV_INLINE FvVec fv_rint(FvVec a) { return _mm256_round_ps(a, 0 | 8); }
FV_INLINE FvMask fv_less(FvVec a, FvVec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
FV_INLINE FvMask fv_unordered(FvVec a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
FV_INLINE FvVec fv_select(FvMask m, FvVec yes, FvVec no) { return _mm256_blendv_ps(no, yes, m); }
FV_INLINE FvVec fv_abs(FvVec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
FV_INLINE FvVec fv_copysign(FvVec a, FvVec sign) {
  __m256 m = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_andnot_ps(m, a), _mm256_and_ps(m, sign));
}
FV_INLINE FvVec fv_exp2i(FvVec n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
FV_INLINE float fv_sum(FvVec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
FV_INLINE float fv_top(FvVec a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

#elif defined(FV_ISA_NEON)
#include <arm_neon.h>
#if defined(FV_ISA_NEON_DOT)
#define FV_ISA(name) name##_neon_dot
#define FV_ISA_TEXT "neon_dot"
#define FV_ISA_FLAGS (FV_CPU_NEON | FV_CPU_DOTPROD)
#else
#define FV_ISA(name) name##_neon
#define FV_ISA_TEXT "neon"
#define FV_ISA_FLAGS FV_CPU_NEON
#endif
#define FV_LANES 4
typedef float32x4_t FvVec;
typedef uint32x4_t FvMask;
FV_INLINE FvVec fv_zero(void) { return vdupq_n_f32(0); }
FV_INLINE FvVec fv_dup(float x) { return vdupq_n_f32(x); }
FV_INLINE FvVec fv_load(const float *p) { return vld1q_f32(p); }
FV_INLINE void fv_store(float *p, FvVec v) { vst1q_f32(p, v); }
FV_INLINE FvVec fv_load_n(const float *p, long n) {
  float t[4] = {0};
  memcpy(t, p, (size_t)n * sizeof *p);
  return vld1q_f32(t);
}
FV_INLINE void fv_store_n(float *p, FvVec v, long n) {
  float t[4];
  vst1q_f32(t, v);
  memcpy(p, t, (size_t)n * sizeof *p);
}
FV_INLINE FvVec fv_fma(FvVec a, FvVec b, FvVec c) { return vfmaq_f32(c, a, b); }
FV_INLINE FvVec fv_add(FvVec a, FvVec b) { return vaddq_f32(a, b); }
FV_INLINE FvVec fv_sub(FvVec a, FvVec b) { return vsubq_f32(a, b); }
FV_INLINE FvVec fv_mul(FvVec a, FvVec b) { return vmulq_f32(a, b); }
FV_INLINE FvVec fv_div(FvVec a, FvVec b) { return vdivq_f32(a, b); }
FV_INLINE FvVec fv_min(FvVec a, FvVec b) { return vminnmq_f32(a, b); }
FV_INLINE FvVec fv_max(FvVec a, FvVec b) { return vmaxnmq_f32(a, b); }
FV_INLINE FvVec fv_sqrt(FvVec a) { return vsqrtq_f32(a); }
FV_INLINE FvVec fv_floor(FvVec a) { return vrndmq_f32(a); }
FV_INLINE FvVec fv_ceil(FvVec a) { return vrndpq_f32(a); }
FV_INLINE FvVec fv_rint(FvVec a) { return vrndnq_f32(a); }
FV_INLINE FvMask fv_less(FvVec a, FvVec b) { return vcltq_f32(a, b); }
FV_INLINE FvMask fv_unordered(FvVec a) { return vmvnq_u32(vceqq_f32(a, a)); }
FV_INLINE FvVec fv_select(FvMask m, FvVec yes, FvVec no) { return vbslq_f32(m, yes, no); }
FV_INLINE FvVec fv_abs(FvVec a) { return vabsq_f32(a); }
FV_INLINE FvVec fv_copysign(FvVec a, FvVec sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, a); }
FV_INLINE FvVec fv_exp2i(FvVec n) {
  return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
}
FV_INLINE float fv_sum(FvVec a) { return vaddvq_f32(a); }
FV_INLINE float fv_top(FvVec a) { return vmaxvq_f32(a); }
#else
#error "compile kernels with FV_ISA_AVX2, FV_ISA_AVX512, FV_ISA_AVX512_VNNI, FV_ISA_NEON or FV_ISA_NEON_DOT"
#endif

#define FV_KERNEL_NAME(stem) stem "_" FV_ISA_TEXT

/* e^x, within 2 units in the last place over the whole range; 0 and inf beyond it, NaN stays NaN.
 * x = n ln2 + r, |r| <= ln2/2, ln2 in two parts (Cody and Waite); e^r by its Taylor series to r^7, whose remainder is below 2^-26. The
 * power is applied in two halves, since 2^n alone leaves the normal range where the result still is inside. */
FV_INLINE FvVec fv_exp(FvVec x) {
  FvVec clamped = fv_max(fv_min(x, fv_dup(89.0f)), fv_dup(-104.0f));
  FvVec n = fv_rint(fv_mul(clamped, fv_dup(1.44269504f)));
  FvVec r = fv_fma(n, fv_dup(-0.693359375f), clamped);
  r = fv_fma(n, fv_dup(2.12194440e-4f), r);
  FvVec p = fv_dup(1.0f / 5040);
  p = fv_fma(p, r, fv_dup(1.0f / 720));
  p = fv_fma(p, r, fv_dup(1.0f / 120));
  p = fv_fma(p, r, fv_dup(1.0f / 24));
  p = fv_fma(p, r, fv_dup(1.0f / 6));
  p = fv_fma(p, r, fv_dup(0.5f));
  p = fv_fma(p, r, fv_dup(1.0f));
  p = fv_fma(p, r, fv_dup(1.0f));
  FvVec half = fv_floor(fv_mul(n, fv_dup(0.5f)));
  p = fv_mul(fv_mul(p, fv_exp2i(half)), fv_exp2i(fv_sub(n, half)));
  return fv_select(fv_unordered(x), x, p);
}

FV_INLINE FvVec fv_sigmoid(FvVec x) { return fv_div(fv_dup(1), fv_add(fv_dup(1), fv_exp(fv_sub(fv_zero(), x)))); }

/* Near 0 by the odd Taylor series, where 1 - 2 / (e^2x + 1) would cancel. */
FV_INLINE FvVec fv_tanh(FvVec x) {
  FvVec a = fv_abs(x), q = fv_mul(x, x);
  FvVec big = fv_sub(fv_dup(1), fv_div(fv_dup(2), fv_add(fv_exp(fv_add(a, a)), fv_dup(1))));
  FvVec p = fv_dup(62.0f / 2835);
  p = fv_fma(p, q, fv_dup(-17.0f / 315));
  p = fv_fma(p, q, fv_dup(2.0f / 15));
  p = fv_fma(p, q, fv_dup(-1.0f / 3));
  FvVec small = fv_fma(fv_mul(p, q), x, x);
  return fv_select(fv_less(a, fv_dup(0.25f)), small, fv_copysign(big, x));
}

FV_INLINE FvVec fv_vec_activate(FvActivation act, FvVec x) {
  switch (act.type) {
    case FV_ACTIVATION_RELU: return fv_max(x, fv_zero());
    case FV_ACTIVATION_CLIP: return fv_min(fv_max(x, fv_dup(act.alpha)), fv_dup(act.beta));
    case FV_ACTIVATION_LEAKY_RELU: return fv_select(fv_less(x, fv_zero()), fv_mul(x, fv_dup(act.alpha)), x);
    case FV_ACTIVATION_SIGMOID: return fv_sigmoid(x);
    case FV_ACTIVATION_SILU: return fv_mul(x, fv_sigmoid(x));
    case FV_ACTIVATION_TANH: return fv_tanh(x);
    case FV_ACTIVATION_HARD_SIGMOID: return fv_min(fv_max(fv_fma(x, fv_dup(act.alpha), fv_dup(act.beta)), fv_zero()), fv_dup(1));
    case FV_ACTIVATION_HARD_SWISH:
      return fv_mul(x, fv_min(fv_max(fv_fma(x, fv_dup(1.0f / 6), fv_dup(0.5f)), fv_zero()), fv_dup(1)));
    default: return x;
  }
}

/* An activation as kernels apply it: the cheap ones are two bounds that cost nothing beside the store, so only the others branch. */
typedef struct FvEpilogue {
  float low, high;
  bool curved; /* needs fv_vec_activate */
  FvActivation activation;
} FvEpilogue;

FV_INLINE FvEpilogue fv_epilogue(FvActivation act) {
  FvEpilogue e = {-INFINITY, INFINITY, false, act};
  switch (act.type) {
    case FV_ACTIVATION_NONE: break;
    case FV_ACTIVATION_RELU: e.low = 0; break;
    case FV_ACTIVATION_CLIP: e.low = act.alpha; e.high = act.beta; break;
    default: e.curved = true;
  }
  return e;
}

FV_INLINE FvVec fv_epilogue_apply(const FvEpilogue *e, FvVec x) {
  if (e->curved) return fv_vec_activate(e->activation, x);
  if (e->activation.type == FV_ACTIVATION_NONE) return x;
  return fv_min(fv_max(x, fv_dup(e->low)), fv_dup(e->high));
}

#endif

/* binary16 and bfloat16 in software: exact, round to nearest even. */
#ifndef FOVEA_BASE_HALF_H
#define FOVEA_BASE_HALF_H

#include <stdint.h>
#include <string.h>

static inline float fv_f32_from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
static inline uint32_t fv_f32_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
static inline float fv_bf16_to_f32(uint16_t half) { return fv_f32_from_bits((uint32_t)half << 16); }
static inline uint16_t fv_f32_to_bf16(float value) {
  uint32_t bits = fv_f32_to_bits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40); /* NaN stays NaN */
  return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}
float fv_f16_to_f32(uint16_t half);
/* The same without branches, for loops over many. */
static inline float fv_f16_to_f32_wide(uint16_t half) {
  const uint32_t least = UINT32_C(113) << 23; /* 2^-14 */
  uint32_t bits = (uint32_t)(half & 0x7fff) << 13, exponent = bits & UINT32_C(0x0f800000);
  uint32_t normal = bits + (UINT32_C(112) << 23), special = normal + (UINT32_C(112) << 23);
  uint32_t subnormal = fv_f32_to_bits(fv_f32_from_bits(bits + least) - fv_f32_from_bits(least));
  uint32_t value = exponent == UINT32_C(0x0f800000) ? special : exponent ? normal : subnormal;
  return fv_f32_from_bits(value | (uint32_t)(half & 0x8000) << 16);
}
uint16_t fv_f32_to_f16(float value);
/* Directly from binary64, without rounding twice. */
uint16_t fv_f64_to_f16(double value);

#endif

#include "base/half.h"

#include <math.h>

float fv_f16_to_f32(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
  if (exponent == 31) return fv_f32_from_bits(sign | 0x7f800000u | mantissa << 13);
  if (exponent) return fv_f32_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
  float value = (float)mantissa * 0x1p-24f;
  return sign ? -value : value;
}

uint16_t fv_f32_to_f16(float value) { return fv_f64_to_f16(value); }

uint16_t fv_f64_to_f16(double value) {
  uint16_t sign = signbit(value) ? 0x8000 : 0;
  double magnitude = fabs(value);
  if (isnan(value)) return sign | 0x7e00;
  if (magnitude >= 65520.0) return sign | 0x7c00;
  if (magnitude < 0x1p-14) return (uint16_t)(sign | (uint16_t)nearbyint(magnitude * 0x1p24)); /* subnormal; 1024 carries into the exponent */
  int exponent;
  double fraction = frexp(magnitude, &exponent); /* 0.5 <= fraction < 1 */
  unsigned mantissa = (unsigned)nearbyint(fraction * 2048.0); /* 1024..2048; 2048 carries */
  return (uint16_t)(sign | (((unsigned)(exponent + 14) << 10) + (mantissa - 1024)));
}

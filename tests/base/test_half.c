/* binary16 and bfloat16 against their definitions, all 65536 of each. */
#include <glib.h>
#include <math.h>

#include "base/half.h"

static double f16_by_definition(uint16_t half) {
  double sign = half & 0x8000 ? -1 : 1, mantissa = half & 0x3ff;
  int exponent = half >> 10 & 31;
  if (exponent == 31) return mantissa != 0 ? NAN : sign * INFINITY;
  return exponent ? sign * ldexp(1 + mantissa / 1024, exponent - 15) : sign * ldexp(mantissa / 1024, -14);
}

static void test_f16_values(void) {
  for (int bits = 0; bits < 65536; bits++) {
    double expected = f16_by_definition((uint16_t)bits);
    float value = fv_f16_to_f32((uint16_t)bits);
    if (isnan(expected)) {
      g_assert_true(isnan(value));
      g_assert_true(isnan(fv_f16_to_f32(fv_f32_to_f16(value))));
      continue;
    }
    g_assert_true(value == expected && !signbit(value) == !signbit(expected));
    g_assert_cmpint(fv_f32_to_f16(value), ==, bits);
    g_assert_cmpint(fv_f64_to_f16(expected), ==, bits);
  }
}

/* Between neighbours: below the middle goes down, above goes up, the middle goes to the even one. */
static void test_f16_wide(void) {
  for (unsigned bits = 0; bits < 65536; bits++)
    g_assert_cmphex(fv_f32_to_bits(fv_f16_to_f32_wide((uint16_t)bits)), ==, fv_f32_to_bits(fv_f16_to_f32((uint16_t)bits)));
}

static void test_f16_rounding(void) {
  for (int bits = 0; bits < 0x7bff; bits++) {
    double low = f16_by_definition((uint16_t)bits), high = f16_by_definition((uint16_t)(bits + 1)), middle = (low + high) / 2;
    g_assert_cmpint(fv_f64_to_f16(nextafter(middle, 0)), ==, bits);
    g_assert_cmpint(fv_f64_to_f16(middle), ==, bits + (bits & 1));
    g_assert_cmpint(fv_f64_to_f16(nextafter(middle, INFINITY)), ==, bits + 1);
    g_assert_cmpint(fv_f64_to_f16(-middle), ==, 0x8000 | (bits + (bits & 1)));
  }
  g_assert_cmpint(fv_f32_to_f16(65519.0f), ==, 0x7bff);
  g_assert_cmpint(fv_f32_to_f16(65520.0f), ==, 0x7c00);
  g_assert_cmpint(fv_f32_to_f16(-1e30f), ==, 0xfc00);
  g_assert_cmpint(fv_f32_to_f16(0x1p-26f), ==, 0);
}

static void test_bf16(void) {
  for (uint32_t bits = 0; bits < 65536; bits++) {
    float value = fv_bf16_to_f32((uint16_t)bits), high = fv_f32_from_bits((bits + 1) << 16);
    if (isnan(value)) {
      g_assert_true(isnan(fv_bf16_to_f32(fv_f32_to_bf16(value))));
      continue;
    }
    g_assert_cmpint(fv_f32_to_bf16(value), ==, bits);
    if (isnan(high) || isinf(value)) continue;
    g_assert_cmpint(fv_f32_to_bf16(fv_f32_from_bits(bits << 16 | 0x7fff)), ==, bits);
    g_assert_cmpint(fv_f32_to_bf16(fv_f32_from_bits(bits << 16 | 0x8000)), ==, bits + (bits & 1));
    g_assert_cmpint(fv_f32_to_bf16(fv_f32_from_bits(bits << 16 | 0x8001)), ==, bits + 1);
  }
  g_assert_true(isnan(fv_bf16_to_f32(fv_f32_to_bf16(fv_f32_from_bits(0x7f800001))))); /* its upper half alone would be infinity */
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/half/all-binary16-values", test_f16_values);
  g_test_add_func("/half/binary16-without-branches-is-the-same", test_f16_wide);
  g_test_add_func("/half/binary16-rounds-to-even", test_f16_rounding);
  g_test_add_func("/half/all-bfloat16-values", test_bf16);
  return g_test_run();
}

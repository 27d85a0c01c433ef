#include "streams.h"

#include <math.h>

uint32_t random_u32(Random *random) { /* xorshift64* (Vigna 2016) */
  random->state ^= random->state >> 12;
  random->state ^= random->state << 25;
  random->state ^= random->state >> 27;
  return (uint32_t)(random->state * 0x2545f4914f6cdd1dull >> 32);
}

double random_laplace(Random *random, double width) {
  double size = -log((random_u32(random) + 0.5) / 4294967296.0) * width;
  return random_u32(random) & 1 ? size : -size;
}

static int8_t saturate(double x) { return (int8_t)lrint(fmin(fmax(x, -128), 127)); }

void fill_weights(int8_t *levels, size_t count, size_t row, int bits, uint64_t seed) {
  for (size_t at = 0; at < count; at += row) {
    size_t n = count - at < row ? count - at : row;
    double largest = 0;
    for (int pass = 0; pass < 2; pass++) { /* the same numbers twice: to find the scale, to use it */
      Random random = {seed + at + 1};
      for (size_t i = 0; i < n; i++) {
        double weight = random_laplace(&random, 1);
        if (pass == 0)
          largest = fmax(largest, fabs(weight));
        else
          levels[at + i] = saturate(weight / largest * ((1 << (bits - 1)) - 1));
      }
    }
  }
}

void fill_laplace(int8_t *levels, size_t count, double width, uint64_t seed) {
  Random random = {seed};
  for (size_t i = 0; i < count; i++) levels[i] = saturate(random_laplace(&random, width));
}

double order0_entropy(const void *data, size_t count) {
  size_t counts[256] = {0};
  double bits = 0;
  for (size_t i = 0; i < count; i++) counts[((const uint8_t *)data)[i]]++;
  for (int s = 0; s < 256; s++)
    if (counts[s]) bits -= (double)counts[s] * log2((double)counts[s] / (double)count);
  return count ? bits / (double)count : 0;
}

/* Made-up data for tests and benches of the coders: the same on every run. */
#ifndef FOVEA_TESTS_ENTROPY_STREAMS_H
#define FOVEA_TESTS_ENTROPY_STREAMS_H

#include <stddef.h>
#include <stdint.h>

typedef struct Random {
  uint64_t state; /* not zero */
} Random;
uint32_t random_u32(Random *random);
double random_laplace(Random *random, double width); /* density exp(-|x| / width) / (2 width) */

/* Weights of a layer: rows of Laplace numbers, each row scaled so that its largest becomes the last level of the grid (2^(bits - 1) - 1) and
 * rounded. */
void fill_weights(int8_t *levels, size_t count, size_t row, int bits, uint64_t seed);
/* Rounded Laplace numbers, saturated to int8. */
void fill_laplace(int8_t *levels, size_t count, double width, uint64_t seed);
/* Bits per byte. */
double order0_entropy(const void *data, size_t count);

#endif

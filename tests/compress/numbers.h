/* Made-up weights and inputs: the same on every run. */
#ifndef FOVEA_TESTS_COMPRESS_NUMBERS_H
#define FOVEA_TESTS_COMPRESS_NUMBERS_H

#include <glib.h>
#include <math.h>
#include <stdint.h>

static inline double random_unit(uint64_t *state) { /* 0 to 1 */
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (double)(*state >> 11) * 0x1p-53;
}
static inline double random_normal(uint64_t *state) {
  double u = random_unit(state), v = random_unit(state);
  return sqrt(-2 * log(u + 1e-300)) * cos(6.283185307179586 * v);
}
static inline float *random_floats(int64_t count, double width, uint64_t seed) {
  float *values = g_new(float, count);
  for (int64_t i = 0; i < count; i++) values[i] = (float)(width * random_normal(&seed));
  return values;
}
/* Moments of inputs that depend on one another and are not centred, as behind a ReLU; mean may be NULL. */
static inline float *random_moments(int64_t size, int patches, float *mean, uint64_t seed) {
  double *sum = g_new0(double, size * size), *first = g_new0(double, size), *x = g_new(double, size);
  for (int p = 0; p < patches; p++) {
    double common = random_normal(&seed);
    for (int64_t i = 0; i < size; i++) x[i] = fmax(0, (0.2 + (double)(i % 5)) * (random_normal(&seed) + common));
    for (int64_t i = 0; i < size; i++)
      for (int64_t j = 0; j < size; j++) sum[i * size + j] += x[i] * x[j] / patches;
    for (int64_t i = 0; i < size; i++) first[i] += x[i] / patches;
  }
  float *matrix = g_new(float, size * size);
  for (int64_t i = 0; i < size * size; i++) matrix[i] = (float)sum[i];
  for (int64_t i = 0; mean && i < size; i++) mean[i] = (float)first[i];
  g_free(sum), g_free(first), g_free(x);
  return matrix;
}

#endif

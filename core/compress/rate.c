#include "compress/rate.h"

#include <math.h>
#include <stdlib.h>

enum { EXPONENTS = 9, MAX_ACTIVITY = 5 * 128, CLASSES = FV_RATE_CLASSES };

static int exponent_of(int level) { return level ? 32 - __builtin_clz((unsigned)abs(level)) : 0; }

static int activity(const int8_t *levels, int64_t i, int64_t columns) {
  return 2 * (i >= 1 ? abs(levels[i - 1]) : 0) + (i >= 2 ? abs(levels[i - 2]) : 0) + 2 * (i >= columns ? abs(levels[i - columns]) : 0);
}

static int class_of(const FvRate *rate, int sum) { return (sum >= rate->limits[0]) + (sum >= rate->limits[1]) + (sum >= rate->limits[2]); }

/* Classes of about the same size. */
static void find_limits(FvRate *rate, const int8_t *levels, int64_t count) {
  int64_t counts[MAX_ACTIVITY + 1] = {0}, sum = 0;
  for (int64_t i = 0; i < count; i++) counts[activity(levels, i, rate->columns)]++;
  for (int a = 0, limit = 0; a <= MAX_ACTIVITY && limit < CLASSES - 1; a++) {
    sum += counts[a];
    while (limit < CLASSES - 1 && sum * CLASSES >= count * (limit + 1)) rate->limits[limit++] = a + 1;
  }
}

void fv_rate_learn(FvRate *rate, const int8_t *levels, int64_t count, int64_t columns) {
  /* Half a count for what was not met. Magnitudes within an exponent are next to equally likely, so they begin with more. */
  double exponents[CLASSES][EXPONENTS], met[CLASSES] = {0}, sizes[129], size_met[EXPONENTS] = {0};
  rate->columns = columns;
  find_limits(rate, levels, count);
  for (int c = 0; c < CLASSES; c++)
    for (int e = 0; e < EXPONENTS; e++) met[c] += exponents[c][e] = 0.5;
  for (int size = 0; size <= 128; size++) size_met[exponent_of(size)] += sizes[size] = 1;
  for (int64_t i = 0; i < count; i++) {
    int c = class_of(rate, activity(levels, i, columns)), e = exponent_of(levels[i]);
    exponents[c][e]++, met[c]++, sizes[abs(levels[i])]++, size_met[e]++;
  }
  for (int c = 0; c < CLASSES; c++)
    for (int v = -128; v < 128; v++) {
      int e = exponent_of(v);
      rate->bits[c][v + 128] = (float)(-log2(exponents[c][e] / met[c]) + (v ? 1 - log2(sizes[abs(v)] / size_met[e]) : 0));
    }
}

const float *fv_rate_at(const FvRate *rate, const int8_t *levels, int64_t i) { return rate->bits[class_of(rate, activity(levels, i, rate->columns))]; }

double fv_rate_total(const FvRate *rate, const int8_t *levels, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++) sum += fv_rate_at(rate, levels, i)[levels[i] + 128];
  return sum;
}

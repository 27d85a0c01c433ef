#include "compress/solve.h"

#include <math.h>

enum { BLOCK = 32 };

/* Four sums, added at the end: the order is fixed, so that results are the same everywhere. */
double fv_factor_dot(const double *a, const double *b, int64_t n) {
  double sums[4] = {0};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; k++) sums[k] += a[i + k] * b[i + k];
  for (; i < n; i++) sums[0] += a[i] * b[i];
  return sums[0] + sums[1] + (sums[2] + sums[3]);
}

static bool factor_rows(double *a, int64_t n, int64_t from, int64_t to) {
  for (int64_t k = to - 1; k >= from; k--) {
    double *row = a + k * n;
    if (!(row[k] > 0) || !isfinite(row[k])) return false;
    double pivot = sqrt(row[k]);
    row[k] = pivot;
    for (int64_t j = 0; j < k; j++) row[j] /= pivot;
    for (int64_t i = from; i < k; i++)
      for (int64_t j = 0; j <= i; j++) a[i * n + j] -= row[i] * row[j];
  }
  return true;
}

/* Takes rows from..to out of row i above them; four at a time, for each pass over the row costs as much as the arithmetic. */
static void eliminate(double *a, int64_t n, int64_t i, int64_t from, int64_t to) {
  double *target = a + i * n;
  int64_t k = from;
  for (; k + 4 <= to; k += 4) {
    const double *r0 = a + k * n, *r1 = r0 + n, *r2 = r1 + n, *r3 = r2 + n;
    double f0 = r0[i], f1 = r1[i], f2 = r2[i], f3 = r3[i];
    for (int64_t j = 0; j <= i; j++) target[j] -= (f0 * r0[j] + f1 * r1[j]) + (f2 * r2[j] + f3 * r3[j]);
  }
  for (; k < to; k++)
    for (int64_t j = 0; j <= i; j++) target[j] -= a[k * n + i] * a[k * n + j];
}

bool fv_factor(double *matrix, int64_t n) {
  for (int64_t to = n; to > 0; to = to > BLOCK ? to - BLOCK : 0) {
    int64_t from = to > BLOCK ? to - BLOCK : 0;
    if (!factor_rows(matrix, n, from, to)) return false;
    for (int64_t i = 0; i < from; i++) eliminate(matrix, n, i, from, to);
  }
  return true;
}

/* Symmetric positive definite matrices in double precision. */
#ifndef FOVEA_COMPRESS_SOLVE_H
#define FOVEA_COMPRESS_SOLVE_H

#include <stdbool.h>
#include <stdint.h>

/* H = AT A with A lower triangular: from the last row upwards, so that row k of A says how entry k answers for the error of entries before it once those behind it
 * are free. H: the lower triangle of matrix, n x n, row-major; A takes its place, the rest is not touched. False when H is not positive definite. */
bool fv_factor(double *matrix, int64_t n);
double fv_factor_dot(const double *a, const double *b, int64_t n);

#endif

/* What a level costs in the file: the adaptive range coder (entropy/range.c) once it has learned the layer. */
#ifndef FOVEA_COMPRESS_RATE_H
#define FOVEA_COMPRESS_RATE_H

#include <stdint.h>

enum { FV_RATE_CLASSES = 4 };

typedef struct FvRate {
  int64_t columns;
  int limits[FV_RATE_CLASSES - 1]; /* of the neighbours' size, as in the coder */
  float bits[FV_RATE_CLASSES][256]; /* by class and level + 128 */
} FvRate;

/* Learns from a layer's levels: rows of `columns`. */
void fv_rate_learn(FvRate *rate, const int8_t *levels, int64_t count, int64_t columns);
/* The costs at position i, by level + 128, as its neighbours are now. */
const float *fv_rate_at(const FvRate *rate, const int8_t *levels, int64_t i);
/* Of all levels, in bits. */
double fv_rate_total(const FvRate *rate, const int8_t *levels, int64_t count);

#endif

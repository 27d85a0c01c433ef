/* The end of a tile of 8-bit products: exact sums become outputs. */
#ifndef FOVEA_CPU_QTILE_H
#define FOVEA_CPU_QTILE_H

#include "cpu/qlinear.h"
#include "cpu/simd_int.h"

/* Where a product goes. */
typedef struct FvQOutput {
  const float *multipliers; /* of the columns */
  uint8_t *y;
  long y_stride;            /* bytes */
  long columns;
  FvQuantised to;
} FvQOutput;

static inline float fv_q_clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/* What the operator's scale, zero point and activation come to. Both NULL: the output is f32. */
static inline FvQuantised fv_quantised_of(const FvNode *node, const FvTensor *y, const FvTensor *scale, const FvTensor *zero) {
  FvActivation act = node->activation;
  FvQuantised to = fv_quantised(y->dtype == FV_DTYPE_I8, fv_q_zero(zero, 0));
  float step = scale ? fv_q_scale(scale, 0) : 1;
  to.is_float = y->dtype == FV_DTYPE_F32;
  if (to.is_float) to.low = -INFINITY, to.high = INFINITY;
  if (act.type == FV_ACTIVATION_RELU) to.low = fv_q_clamp(0, to.low, to.high);
  if (act.type == FV_ACTIVATION_LEAKY_RELU) to.slope = act.alpha;
  if (act.type != FV_ACTIVATION_CLIP) return to;
  FvQuantised type = to;
  to.low = fv_q_clamp(act.alpha / step, type.low, type.high);
  to.high = fv_q_clamp(act.beta / step, type.low, type.high);
  return to;
}

/* Whole tiles of bytes without a slope: nothing is asked within them. */
FV_INLINE void fv_q_store_whole(const int height, const int width, FvInt acc[8][3], const FvQOutput *out, uint8_t *y, long column) {
  const FvVec low = fv_dup(out->to.low), high = fv_dup(out->to.high);
  const FvInt zero = fv_int_dup(out->to.zero);
  FvVec multipliers[3];
#pragma GCC unroll 3
  for (int v = 0; v < width; v++) multipliers[v] = fv_load(out->multipliers + column + v * FV_LANES);
#pragma GCC unroll 8
  for (int r = 0; r < height; r++, y += out->y_stride)
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) {
      FvVec steps = fv_min(fv_max(fv_mul(fv_int_to_float(acc[r][v]), multipliers[v]), low), high);
      fv_int_store_bytes(y + v * FV_LANES, fv_int_add(fv_int_round(steps), zero), FV_LANES);
    }
}

/* Rows from `row` on, vectors of columns from `vector` on; row_end bounds the rows, job->columns the columns. */
FV_INLINE void fv_q_store_tile(const int height, const int width, FvInt acc[8][3], const FvQOutput *out, long row, long row_end, long vector) {
  long column = vector * FV_LANES, left = out->columns - column;
  const long size = out->to.is_float ? 4 : 1;
  uint8_t *y = out->y + row * out->y_stride + column * size;
  if (size == 1 && out->to.slope == 1 && left >= width * FV_LANES && row + height <= row_end) {
    fv_q_store_whole(height, width, acc, out, y, column);
    return;
  }
#pragma GCC unroll 8
  for (int r = 0; r < height; r++, y += out->y_stride) {
    if (row + r >= row_end) break;
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) {
      if (left <= v * FV_LANES) break;
      FvVec steps = fv_mul(fv_int_to_float(acc[r][v]), fv_load(out->multipliers + column + v * FV_LANES));
      fv_q_store(y + v * FV_LANES * size, steps, &out->to, left - v * FV_LANES);
    }
  }
}

#endif

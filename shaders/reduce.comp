#version 450
#extension GL_GOOGLE_include_directive : require
/* Sums, means, extremes, products and norms over any dimensions, global pooling among them: an invocation makes one element of the output.
 * Dispatch: the kept dimensions. */
#include "common.glsl"
#include "reduce.glsl"
#include "push/reduce_types.h"

layout(constant_id = 1) const int TYPE = 0;

#define INFINITE uintBitsToFloat(0x7f800000u)

float begin(int type) { return type == REDUCE_MAX ? -INFINITE : type == REDUCE_MIN ? INFINITE : type == REDUCE_PROD ? 1 : 0; }

float take(int type, float so_far, float v, float peak) {
  switch (type) {
    case REDUCE_MAX: return isnan(v) || v > so_far ? v : so_far;
    case REDUCE_MIN: return isnan(v) || v < so_far ? v : so_far;
    case REDUCE_PROD: return so_far * v;
    case REDUCE_L1: return so_far + abs(v);
    case REDUCE_L2: case REDUCE_SUM_SQUARE: return fma(v, v, so_far);
    case REDUCE_LOG_SUM_EXP: return so_far + exp(v - peak);
    default: return so_far + v;
  }
}

float reduce(int type, int x, float peak) {
  float result = begin(type);
  for (int i = 0; i < push.over[0]; i++) {
    for (int j = 0; j < push.over[1]; j++) {
      int from = x + i * push.over_x[0] + j * push.over_x[1];
      for (int k = 0; k < push.over[2]; k++, from += push.over_x[2]) result = take(type, result, load(from), peak);
    }
  }
  return result;
}

void main() {
  int id = invocation(), x, y;
  if (id >= push.count) return;
  group_start(id, x, y);
  if (TYPE == REDUCE_LOG_SUM_EXP && push.over[0] * push.over[1] * push.over[2] > 0) {
    float peak = reduce(REDUCE_MAX, x, 0); /* differences to the largest cannot overflow */
    store(y, isnan(peak) || isinf(peak) ? peak : log(reduce(TYPE, x, peak)) + peak);
    return;
  }
  float result = reduce(TYPE, x, 0);
  if (TYPE == REDUCE_MEAN) result *= push.factor;
  if (TYPE == REDUCE_L2) result = sqrt(result);
  if (TYPE == REDUCE_LOG_SUM || TYPE == REDUCE_LOG_SUM_EXP) result = log(result);
  store(y, result);
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* Sums, means and extremes over any dimensions, global pooling among them: an invocation makes one element of the output.
 * Dispatch: the kept dimensions. */
#include "common.glsl"
#include "reduce.glsl"

#define REDUCE_SUM 0 /* and means, by push.factor */
#define REDUCE_MAX 1
#define REDUCE_MIN 2
layout(constant_id = 1) const int TYPE = 0;

void main() {
  int id = invocation(), x, y;
  if (id >= push.count) return;
  group_start(id, x, y);
  float result = TYPE == REDUCE_SUM ? 0 : load(x);
  for (int i = 0; i < push.over[0]; i++) {
    for (int j = 0; j < push.over[1]; j++) {
      int from = x + i * push.over_x[0] + j * push.over_x[1];
      for (int k = 0; k < push.over[2]; k++, from += push.over_x[2]) {
        float v = load(from);
        if (TYPE == REDUCE_SUM)
          result += v;
        else if (isnan(v) || (TYPE == REDUCE_MAX ? v > result : v < result))
          result = v;
      }
    }
  }
  store(y, TYPE == REDUCE_SUM ? result * push.factor : result);
}

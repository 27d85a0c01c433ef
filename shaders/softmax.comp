#version 450
#extension GL_GOOGLE_include_directive : require
/* Softmax and its logarithm: an invocation normalises one group of elements, in three passes. Dispatch: the kept dimensions. */
#include "common.glsl"
#include "reduce.glsl"

layout(constant_id = 1) const bool LOGARITHM = false;

#define EACH(X, Y) \
  for (int i = 0; i < push.over[0]; i++) \
    for (int j = 0; j < push.over[1]; j++) \
      for (int k = 0, X = x + i * push.over_x[0] + j * push.over_x[1], Y = y + i * push.over_y[0] + j * push.over_y[1]; k < push.over[2]; \
           k++, X += push.over_x[2], Y += push.over_y[2])

void main() {
  int id = invocation(), x, y;
  if (id >= push.count) return;
  group_start(id, x, y);
  float peak = uintBitsToFloat(0xff800000u), sum = 0;
  EACH(from, to) peak = max(peak, load(from));
  EACH(from, to) sum += exp(load(from) - peak);
  float scale = LOGARITHM ? log(sum) : 1 / sum;
  EACH(from, to) store(to, LOGARITHM ? load(from) - peak - scale : exp(load(from) - peak) * scale);
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* The mean of each group of elements at y, and 1 / sqrt(variance + push.factor) at push.factor_at, laid out alike. Two passes: the variance of large
 * values does not cancel. Each line is added by itself first, which keeps long sums exact. Dispatch: the kept dimensions. */
#include "common.glsl"
#include "reduce.glsl"

float sum(int x, float mean, bool squares) {
  float total = 0;
  for (int i = 0; i < push.over[0]; i++) {
    float plane = 0;
    for (int j = 0; j < push.over[1]; j++) {
      int from = x + i * push.over_x[0] + j * push.over_x[1];
      float line = 0;
      for (int k = 0; k < push.over[2]; k++, from += push.over_x[2]) {
        float off = load(from) - mean;
        line += squares ? off * off : off;
      }
      plane += line;
    }
    total += plane;
  }
  return total;
}

void main() {
  int id = invocation(), x, y;
  if (id >= push.count) return;
  group_start(id, x, y);
  float elements = float(push.over[0]) * float(push.over[1]) * float(push.over[2]);
  float mean = sum(x, 0, false) / elements;
  mean += sum(x, mean, false) / elements; /* what rounding lost the first time */
  store(y, mean);
  store(push.factor_at + y - push.y_at, inversesqrt(sum(x, mean, true) / elements + push.factor));
}

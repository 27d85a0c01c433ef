#version 450
#extension GL_GOOGLE_include_directive : require
/* y = ALPHA * a * b + BETA * c for matrices of any strides, batches of them included: an invocation computes four neighbours in a row of y.
 * Dispatch: batches x rows x fours of columns, columns fastest. */
#include "common.glsl"
#include "push/product.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const float ALPHA = 1;
layout(constant_id = 3) const float BETA = 1;
layout(constant_id = 4) const float ACTIVATION_ALPHA = 0;
layout(constant_id = 5) const float ACTIVATION_BETA = 0;
layout(constant_id = 6) const bool HAS_C = false;
layout(constant_id = 7) const bool A_IN_WEIGHTS = false;
layout(constant_id = 8) const bool B_IN_WEIGHTS = false;
layout(constant_id = 9) const bool C_IN_WEIGHTS = false;
layout(constant_id = 10) const bool B_ALIGNED = false; /* fours of columns begin at multiples of four and follow each other */

float load_from(int at, bool in_weights) { return in_weights ? load_constant(at) : load(at); }

/* steps: from the first column to the others; columns behind the last repeat it */
vec4 load_row(int at, ivec4 steps) {
  if (B_ALIGNED) return B_IN_WEIGHTS ? load_constant4(at) : load4(at);
  return vec4(load_from(at, B_IN_WEIGHTS), load_from(at + steps.y, B_IN_WEIGHTS), load_from(at + steps.z, B_IN_WEIGHTS), load_from(at + steps.w, B_IN_WEIGHTS));
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.columns + 3) >> 2, rest = id / fours, column = (id - rest * fours) * 4;
  int y = push.y_at + column * push.y_column, a = push.a_at, b = push.b_at + column * push.b_column, c = push.c_at + column * push.c_column;
  [[unroll]] for (int d = PRODUCT_RANK - 1; d >= 0; d--) {
    int outer = rest / push.dims[d], at = rest - outer * push.dims[d];
    y += at * push.y_strides[d];
    a += at * push.a_strides[d];
    b += at * push.b_strides[d];
    c += at * push.c_strides[d];
    rest = outer;
  }
  int left = min(push.columns - column, 4);
  ivec4 steps = min(ivec4(0, 1, 2, 3), ivec4(left - 1)) * push.b_column;
  vec4 sum = vec4(0);
  for (int k = 0; k < push.depth; k++, a += push.a_depth, b += push.b_depth) sum = fma(vec4(load_from(a, A_IN_WEIGHTS)), load_row(b, steps), sum);
  sum *= ALPHA;
  [[unroll]] for (int i = 0; i < 4; i++) {
    if (i >= left) return;
    float value = sum[i];
    if (HAS_C) value += BETA * load_from(c + i * push.c_column, C_IN_WEIGHTS);
    store(y + i * push.y_column, activate(ACTIVATION, vec4(value), ACTIVATION_ALPHA, ACTIVATION_BETA).x);
  }
}

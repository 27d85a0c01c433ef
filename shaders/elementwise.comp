#version 450
#extension GL_GOOGLE_include_directive : require
/* y = f(a) or f(a, b) element by element, any strides: an invocation computes four neighbours along the innermost dimension of y.
 * Dispatch: all dimensions but the innermost x fours of it, innermost fastest. */
#include "common.glsl"
#include "elementwise.glsl"
#include "push/walk.h"

layout(constant_id = 1) const int OPERATION = 0; /* OP_…: elementwise.glsl */
layout(constant_id = 2) const int ACTIVATION = 0;
layout(constant_id = 3) const int RANK = 1;
layout(constant_id = 4) const int Y_LIES = 0;
layout(constant_id = 5) const bool A_ALIGNED = false;
layout(constant_id = 6) const bool B_ALIGNED = false;
layout(constant_id = 7) const bool A_IN_WEIGHTS = false;
layout(constant_id = 8) const bool B_IN_WEIGHTS = false;
layout(constant_id = 9) const bool BINARY = false;
layout(constant_id = 10) const int SHORT = 0; /* the length of rows where it is less than four: no branch asks for it then */

float load_from(int at, bool in_weights) { return in_weights ? load_constant(at) : load(at); }

vec4 load_four(int at, int stride, int count, bool aligned, bool in_weights) {
  if (aligned) return in_weights ? load_constant4(at) : load4(at); /* past the end lies slack */
  float first = load_from(at, in_weights);
  if (stride == 0) return vec4(first);
  return vec4(first, count > 1 ? load_from(at + stride, in_weights) : 0, count > 2 ? load_from(at + 2 * stride, in_weights) : 0,
              count > 3 ? load_from(at + 3 * stride, in_weights) : 0);
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int inner = push.dims[RANK - 1], fours = (inner + 3) >> 2;
  int rest = divide(id, fours), i = (id - rest * fours) * 4;
  int y = push.y_at + i * push.y_strides[RANK - 1], a = push.a_at + i * push.a_strides[RANK - 1], b = push.b_at + i * push.b_strides[RANK - 1];
  [[unroll]] for (int d = RANK - 2; d >= 0; d--) {
    int outer = d == 0 ? 0 : divide(rest, push.dims[d]), at = rest - outer * push.dims[d];
    y += at * push.y_strides[d];
    a += at * push.a_strides[d];
    b += at * push.b_strides[d];
    rest = outer;
  }
  int count = SHORT > 0 ? SHORT : min(inner - i, 4);
  vec4 value = load_four(a, push.a_strides[RANK - 1], count, A_ALIGNED, A_IN_WEIGHTS);
  if (BINARY)
    value = binary(OPERATION, value, load_four(b, push.b_strides[RANK - 1], count, B_ALIGNED, B_IN_WEIGHTS));
  else
    value = unary(OPERATION, value, push.alpha, push.beta);
  value = activate(ACTIVATION, value, push.alpha, push.beta);
  int step = push.y_strides[RANK - 1];
  store_row(Y_LIES, y, value, count, step);
}

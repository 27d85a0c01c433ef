#version 450
#extension GL_GOOGLE_include_directive : require
/* QuantizeLinear and DequantizeLinear of any type, by scales and zero points that may be computed and may differ along an axis: an invocation makes one
 * element. Dispatch: all elements, innermost fastest. */
#include "common.glsl"
#include "typed.glsl"
#include "divide.glsl"
#include "push/quantise.h"

layout(constant_id = 1) const bool BACK = false; /* from steps to numbers */
layout(constant_id = 2) const int RANK = 1;
layout(constant_id = 3) const int X_TYPE = 1;
layout(constant_id = 4) const int Y_TYPE = 1;
layout(constant_id = 5) const int SCALE_TYPE = 1;
layout(constant_id = 6) const int ZERO_TYPE = 0; /* 0: there is none */
layout(constant_id = 7) const int IN_WEIGHTS = 0; /* 1: x, 2: scale, 4: zero point */

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int y = push.y_at, x = push.x_at, scale_at = 0;
  [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
    int outer = d == 0 ? 0 : divide(id, push.dims[d]), i = id - outer * push.dims[d];
    y += i * push.y_strides[d];
    x += i * push.x_strides[d];
    scale_at += i * push.scale_strides[d];
    id = outer;
  }
  uvec2 bits = load_bits(X_TYPE, x, (IN_WEIGHTS & 1) != 0);
  float scale = float_of(SCALE_TYPE, load_bits(SCALE_TYPE, push.scale_at + scale_at, (IN_WEIGHTS & 2) != 0));
  int zero = ZERO_TYPE == 0 ? 0 : int_of(ZERO_TYPE, load_bits(ZERO_TYPE, push.zero_at + scale_at, (IN_WEIGHTS & 4) != 0));
  if (BACK) {
    precise float value = float(int_of(X_TYPE, bits) - zero) * scale;
    store_bits(Y_TYPE, y, bits_of_float(Y_TYPE, value));
  } else {
    float steps = divide_exactly(float_of(X_TYPE, bits), scale);
    store_bits(Y_TYPE, y, is_nan(steps) ? uvec2(0) : bits_of_float(Y_TYPE, clamp(roundEven(steps), -1e6, 1e6) + float(zero)));
  }
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* Matrix products of bytes where anything may be computed, zero points and scales too: an invocation makes one element. Dispatch: elements of y. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qproduct.h"

layout(constant_id = 1) const bool A_SIGNED = false;
layout(constant_id = 2) const bool B_SIGNED = false;
layout(constant_id = 3) const int Y_TYPE = TYPE_U8; /* or I8; or I32: sums; or F32: steps */
layout(constant_id = 4) const int PRESENT = 0;
layout(constant_id = 5) const int IN_WEIGHTS = 0;
#include "qgeneral.glsl"

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int index[QPRODUCT_RANK], y = push.y_at, a = push.a_at, b = push.b_at;
  [[unroll]] for (int d = QPRODUCT_RANK - 1; d >= 0; d--) {
    int outer = divide(id, push.dims[d]);
    index[d] = id - outer * push.dims[d];
    y += index[d] * push.y_strides[d];
    if (d < QPRODUCT_RANK - 1) a += index[d] * push.a_strides[d];
    if (d != QPRODUCT_RANK - 2) b += index[d] * push.b_strides[min(d, QPRODUCT_RANK - 2)];
    id = outer;
  }
  int row = index[QPRODUCT_RANK - 2], column = index[QPRODUCT_RANK - 1];
  int a_zero = load_zero(push.a_zero_at + row * push.a_zero_row, Q_A_ZERO, A_SIGNED);
  int b_zero = load_zero(push.b_zero_at + column * push.b_zero_column, Q_B_ZERO, B_SIGNED);
  int sum = (PRESENT & Q_BIAS) != 0 ? int(load_word_of(push.bias_at + column, Q_BIAS)) : 0;
  for (int k = 0; k < push.depth; k++)
    sum += (load_byte(a + k * push.a_depth, Q_A, A_SIGNED) - a_zero) * (load_byte(b + k * push.b_depth, Q_B, B_SIGNED) - b_zero);
  store_sum(y, sum, load_scale(push.a_scale_at + row * push.a_scale_row, Q_A_SCALE), load_scale(push.b_scale_at + column * push.b_scale_column, Q_B_SCALE),
            load_scale(push.y_scale_at, Q_Y_SCALE), load_zero(push.y_zero_at, Q_Y_ZERO, Y_TYPE == TYPE_I8));
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* ScatterND, ScatterElements: updates that may meet in one element of y belong to one invocation, which takes them in order, so that the last wins and sums
 * come out the same each time. Dispatch: see push/scatter.h. */
#include "common.glsl"
#define WORDS_STORAGE /* sums and extremes read back what was written */
#include "typed.glsl"
#include "push/scatter.h"

#define SCATTER_NONE 0
#define SCATTER_ADD 1
#define SCATTER_MUL 2
#define SCATTER_MIN 3
#define SCATTER_MAX 4
layout(constant_id = 1) const int TYPE = 1;
layout(constant_id = 2) const int CLASS = 0;
layout(constant_id = 3) const int INDEX_TYPE = TYPE_I64;
layout(constant_id = 4) const int RANK = 1;
layout(constant_id = 5) const int DEPTH = 1;
layout(constant_id = 6) const int REDUCTION = 0;
layout(constant_id = 7) const bool U_IN_WEIGHTS = false;
layout(constant_id = 8) const bool I_IN_WEIGHTS = false;

float reduce(float a, float b) {
  switch (REDUCTION) {
    case SCATTER_ADD: return a + b;
    case SCATTER_MUL: return a * b;
    case SCATTER_MIN: return b < a || is_nan(b) ? b : a;
    default: return b > a || is_nan(b) ? b : a;
  }
}

INT reduce(INT a, INT b) {
  bool less = CLASS == CLASS_UNSIGNED ? UINT(b) < UINT(a) : b < a;
  switch (REDUCTION) {
    case SCATTER_ADD: return a + b;
    case SCATTER_MUL: return a * b;
    case SCATTER_MIN: return less ? b : a;
    default: return less ? a : b;
  }
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int y = push.y_at, u = push.u_at, i = push.i_at;
  [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
    int outer = d == 0 ? 0 : id / push.dims[d], at = id - outer * push.dims[d];
    y += at * push.y_strides[d];
    u += at * push.u_strides[d];
    i += at * push.i_strides[d];
    id = outer;
  }
  for (int n = 0; n < push.updates; n++, u += push.u_next, i += push.i_next) {
    int to = y;
    [[unroll]] for (int k = 0; k < DEPTH; k++)
      to += clamp_index(load_index(INDEX_TYPE, i + k * push.i_step, I_IN_WEIGHTS), push.lengths[k]) * push.steps[k];
    uvec2 bits = load_bits(TYPE, u, U_IN_WEIGHTS);
    if (REDUCTION != SCATTER_NONE) {
      uvec2 old = load_bits(TYPE, to, false);
      bits = CLASS == CLASS_FLOAT ? bits_of_float(TYPE, reduce(float_of(TYPE, old), float_of(TYPE, bits))) : bits_of_int(TYPE, reduce(int_of(TYPE, old), int_of(TYPE, bits)));
    }
    store_bits(TYPE, to, bits);
  }
}

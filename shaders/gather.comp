#version 450
#extension GL_GOOGLE_include_directive : require
/* Gather, GatherElements, GatherND: an invocation fetches one element by an index, or a tuple of them. Dispatch: the elements of y. */
#include "common.glsl"
#include "typed.glsl"
#include "push/gather.h"

layout(constant_id = 1) const int TYPE = 1;
layout(constant_id = 2) const int INDEX_TYPE = TYPE_I64;
layout(constant_id = 3) const int RANK = 1;
layout(constant_id = 4) const int DEPTH = 1;
layout(constant_id = 5) const bool X_IN_WEIGHTS = false;
layout(constant_id = 6) const bool I_IN_WEIGHTS = false;

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int y = push.y_at, x = push.x_at, i = push.i_at;
  [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
    int outer = d == 0 ? 0 : id / push.dims[d], at = id - outer * push.dims[d];
    y += at * push.y_strides[d];
    x += at * push.x_strides[d];
    i += at * push.i_strides[d];
    id = outer;
  }
  [[unroll]] for (int k = 0; k < DEPTH; k++)
    x += clamp_index(load_index(INDEX_TYPE, i + k * push.i_step, I_IN_WEIGHTS), push.lengths[k]) * push.steps[k];
  store_bits(TYPE, y, load_bits(TYPE, x, X_IN_WEIGHTS));
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* Pad in all modes. An invocation makes one element of y. Dispatch: the elements of y. */
#include "common.glsl"
#include "typed.glsl"
#include "push/pad.h"

#define PAD_CONSTANT 0
#define PAD_REFLECT 1
#define PAD_EDGE 2
#define PAD_WRAP 3
layout(constant_id = 1) const int TYPE = 1;
layout(constant_id = 2) const int RANK = 1;
layout(constant_id = 3) const int MODE = 0;
layout(constant_id = 4) const bool X_IN_WEIGHTS = false;
layout(constant_id = 5) const bool HAS_VALUE = false; /* a tensor of one element */
layout(constant_id = 6) const bool VALUE_IN_WEIGHTS = false;

int floor_mod(int value, int n) {
  int rest = abs(value) % n; /* GLSL leaves the remainder of negative numbers open */
  return value < 0 && rest > 0 ? n - rest : rest;
}

/* Where a position outside the kept part comes from; reflection has a period that counts neither end twice. */
int outside(int x, int kept) {
  if (MODE == PAD_EDGE) return x < 0 ? 0 : kept - 1;
  if (MODE == PAD_WRAP) return floor_mod(x, kept);
  if (kept == 1) return 0;
  x = floor_mod(x, 2 * (kept - 1));
  return x < kept ? x : 2 * (kept - 1) - x;
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int y = push.y_at, from = push.x_at;
  bool inside = true;
  [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
    int outer = d == 0 ? 0 : id / push.dims[d], at = id - outer * push.dims[d], x = at - push.begins[d];
    y += at * push.y_strides[d];
    if (x < 0 || x >= push.kept[d]) {
      if (MODE == PAD_CONSTANT) inside = false;
      else x = outside(x, push.kept[d]);
    }
    from += x * push.x_strides[d];
    id = outer;
  }
  uvec2 bits = uvec2(push.low, push.high);
  if (inside) bits = load_bits(TYPE, from, X_IN_WEIGHTS);
  else if (HAS_VALUE) bits = load_bits(TYPE, push.value_at, VALUE_IN_WEIGHTS);
  store_bits(TYPE, y, bits);
}

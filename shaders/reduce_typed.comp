#version 450
#extension GL_GOOGLE_include_directive : require
/* Extremes, sums and products of integers and truth values over any dimensions; sums wrap. An invocation makes one element of the output.
 * Dispatch: the kept dimensions. */
#include "common.glsl"
#include "typed.glsl"
#include "reduce.glsl"
#include "push/reduce_types.h"

layout(constant_id = 1) const int REDUCTION = 0; /* REDUCE_… */
layout(constant_id = 2) const int TYPE = 1;
layout(constant_id = 3) const int CLASS = 0;

bool less(INT a, INT b) { return CLASS == CLASS_UNSIGNED ? UINT(a) < UINT(b) : a < b; }

INT take(INT so_far, INT v) {
  switch (REDUCTION) {
    case REDUCE_MAX: return less(so_far, v) ? v : so_far;
    case REDUCE_MIN: return less(v, so_far) ? v : so_far;
    case REDUCE_PROD: return so_far * v;
    case REDUCE_L1: return so_far + (CLASS == CLASS_SIGNED && v < INT(0) ? -v : v);
    case REDUCE_SUM_SQUARE: return so_far + v * v;
    default: return so_far + v;
  }
}

void main() {
  int id = invocation(), x, y;
  if (id >= push.count) return;
  group_start(id, x, y);
  bool extreme = REDUCTION == REDUCE_MAX || REDUCTION == REDUCE_MIN;
  INT result = extreme ? int_of(TYPE, load_bits(TYPE, x, false)) : INT(REDUCTION == REDUCE_PROD ? 1 : 0);
  for (int i = 0; i < push.over[0]; i++) {
    for (int j = 0; j < push.over[1]; j++) {
      int from = x + i * push.over_x[0] + j * push.over_x[1];
      for (int k = 0; k < push.over[2]; k++, from += push.over_x[2]) result = take(result, int_of(TYPE, load_bits(TYPE, from, false)));
    }
  }
  store_bits(TYPE, y, bits_of_int(TYPE, result));
}

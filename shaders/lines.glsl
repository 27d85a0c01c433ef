/* What ArgMax, ArgMin and TopK share: the order of elements, NaN above everything, and where a line begins. */
#include "push/lines.h"

layout(constant_id = 1) const int TYPE = 1;
layout(constant_id = 2) const int CLASS = 0;
layout(constant_id = 3) const int RANK = 1;
layout(constant_id = 4) const bool X_IN_WEIGHTS = false;
layout(constant_id = 5) const bool LARGEST = true;

/* Positive when a comes before b in the wanted order, 0 when they are equal. */
int compare(uvec2 a, uvec2 b) {
  int order;
  if (CLASS == CLASS_FLOAT) {
    float x = float_of(TYPE, a), y = float_of(TYPE, b);
    bool x_nan = is_nan(x), y_nan = is_nan(y);
    order = x_nan || y_nan ? int(x_nan) - int(y_nan) : int(x > y) - int(x < y);
  } else {
    INT x = int_of(TYPE, a), y = int_of(TYPE, b);
    order = CLASS == CLASS_UNSIGNED ? int(UINT(x) > UINT(y)) - int(UINT(x) < UINT(y)) : int(x > y) - int(x < y);
  }
  return LARGEST ? order : -order;
}

void line_start(int id, out int x, out int y, out int i) {
  x = push.x_at;
  y = push.y_at;
  i = push.i_at;
  [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
    int outer = d == 0 ? 0 : id / push.dims[d], at = id - outer * push.dims[d];
    x += at * push.x_strides[d];
    y += at * push.y_strides[d];
    i += at * push.i_strides[d];
    id = outer;
  }
}

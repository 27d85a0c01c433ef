#version 450
#extension GL_GOOGLE_include_directive : require
/* MaxPool of any type over any strides, with the indices of what was found; fp32 alone has pool.comp and bytes have qpool.comp. The first of
 * equals is taken, NaN never is. Dispatch: output elements, the last dimension fastest. */
#include "common.glsl"
#include "typed.glsl"
#include "push/max_pool.h"

layout(constant_id = 1) const int TYPE = 1;
layout(constant_id = 2) const int CLASS = 0;
layout(constant_id = 3) const bool HAS_Y = true;
layout(constant_id = 4) const bool HAS_INDICES = false;
layout(constant_id = 5) const bool COLUMNS_FIRST = false; /* indices count down columns */
layout(constant_id = 6) const int KD = 1;
layout(constant_id = 7) const int KH = 1;
layout(constant_id = 8) const int KW = 1;
layout(constant_id = 9) const int SD = 1;
layout(constant_id = 10) const int SH = 1;
layout(constant_id = 11) const int SW = 1;
layout(constant_id = 12) const int DD = 1;
layout(constant_id = 13) const int DH = 1;
layout(constant_id = 14) const int DW = 1;
layout(constant_id = 15) const int FRONT = 0;
layout(constant_id = 16) const int TOP = 0;
layout(constant_id = 17) const int LEFT = 0;
layout(constant_id = 18) const int LOWEST = 0; /* the bits that -infinity becomes */

bool above(uvec2 a, uvec2 b, bool first) {
  if (CLASS == CLASS_FLOAT) {
    REAL v = float_of(TYPE, a);
    return first ? !is_nan(v) && !(is_inf(v) && v < 0) : v > float_of(TYPE, b);
  }
  return first || int_of(TYPE, a) > int_of(TYPE, b);
}

int flat_index(int z, int y, int x) {
  return COLUMNS_FIRST ? (x * push.size[1] + y) * push.size[0] + z : (z * push.size[1] + y) * push.size[2] + x;
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int row = divide(id, push.out_size[2]), x = id - row * push.out_size[2];
  int plane = divide(row, push.out_size[1]), y = row - plane * push.out_size[1];
  int line = divide(plane, push.out_size[0]), z = plane - line * push.out_size[0];
  int image = divide(line, push.channels), c = line - image * push.channels;
  int base = push.x_at + image * push.x_strides[0] + c * push.x_strides[1], where = 0;
  uvec2 best = uvec2(LOWEST, 0);
  bool none = true;
  for (int kz = 0; kz < KD; kz++) {
    int iz = z * SD - FRONT + kz * DD;
    for (int ky = 0; ky < KH; ky++) {
      int iy = y * SH - TOP + ky * DH;
      for (int kx = 0; kx < KW; kx++) {
        int ix = x * SW - LEFT + kx * DW;
        if (uint(iz) >= uint(push.size[0]) || uint(iy) >= uint(push.size[1]) || uint(ix) >= uint(push.size[2])) continue;
        uvec2 v = load_bits(TYPE, base + iz * push.x_strides[2] + iy * push.x_strides[3] + ix * push.x_strides[4], false);
        if (!above(v, best, none)) continue;
        none = false;
        best = v;
        where = flat_index(iz, iy, ix);
      }
    }
  }
  if (HAS_Y) store_bits(TYPE, push.y_at + image * push.y_strides[0] + c * push.y_strides[1] + z * push.y_strides[2] + y * push.y_strides[3] + x * push.y_strides[4], best);
  if (HAS_INDICES)
    store_index(push.i_at + image * push.i_strides[0] + c * push.i_strides[1] + z * push.i_strides[2] + y * push.i_strides[3] + x * push.i_strides[4],
                line * push.size[0] * push.size[1] * push.size[2] + where);
}

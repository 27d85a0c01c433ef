#version 450
#extension GL_GOOGLE_include_directive : require
/* TopK, sorted: an invocation counts the elements of its line that come before its own, which is the place in the result. Of equals the first comes first.
 * Dispatch: the lines x their elements, elements fastest. */
#include "common.glsl"
#include "typed.glsl"
#include "lines.glsl"

layout(constant_id = 6) const bool HAS_VALUES = true;
layout(constant_id = 7) const bool HAS_INDICES = true;

void main() {
  int id = invocation(), x, y, i;
  if (id >= push.count) return;
  int line = id / push.elements, own = id - line * push.elements, place = 0;
  line_start(line, x, y, i);
  uvec2 bits = load_bits(TYPE, x + own * push.x_step, X_IN_WEIGHTS);
  for (int n = 0; n < push.elements && place < push.kept; n++) {
    int order = compare(load_bits(TYPE, x + n * push.x_step, X_IN_WEIGHTS), bits);
    if (order > 0 || (order == 0 && n < own)) place++;
  }
  if (place >= push.kept) return;
  if (HAS_VALUES) store_bits(TYPE, y + place * push.y_step, bits);
  if (HAS_INDICES) store_index(i + place * push.i_step, own);
}

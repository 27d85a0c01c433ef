#version 450
#extension GL_GOOGLE_include_directive : require
/* ArgMax, ArgMin: an invocation looks through one line. Dispatch: the lines. */
#include "common.glsl"
#include "typed.glsl"
#include "lines.glsl"

layout(constant_id = 6) const bool LAST = false; /* of equals */

void main() {
  int id = invocation(), x, y, i;
  if (id >= push.count) return;
  line_start(id, x, y, i);
  int best = 0;
  uvec2 best_bits = load_bits(TYPE, x, X_IN_WEIGHTS);
  for (int n = 1; n < push.elements; n++) {
    uvec2 bits = load_bits(TYPE, x + n * push.x_step, X_IN_WEIGHTS);
    int order = compare(bits, best_bits);
    if (order > 0 || (LAST && order == 0)) {
      best = n;
      best_bits = bits;
    }
  }
  store_index(i, best);
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* How fast are loads and stores of four floats? Every invocation adds up fours, from places that no compiler foresees, and stores some sums. */
#include "common.glsl"
#include "push/probe.h"

void main() {
  int id = invocation();
  if (id >= push.count) return;
  for (int s = 0; s < PROBE_STORES; s++) {
    vec4 sum = vec4(0);
    for (int i = 0; i < push.loads; i++) sum += load4((id * 68 + (s * push.loads + i) * 4) & push.mask & ~3);
    store4(push.mask + 1 + (id * PROBE_STORES + s) * 4, sum);
  }
}

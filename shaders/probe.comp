#version 450
#extension GL_GOOGLE_include_directive : require
/* How fast are loads of four floats? Every invocation adds up `rounds` of them, from places that no compiler foresees. Writes one float each. */
#include "common.glsl"
#include "push/probe.h"

void main() {
  int id = invocation();
  if (id >= push.count) return;
  vec4 sum = vec4(0);
  for (int i = 0; i < push.rounds; i++) sum += load4((id * 68 + i * 4) & push.mask & ~3);
  store(push.mask + 1 + id, sum.x + sum.y + sum.z + sum.w);
}

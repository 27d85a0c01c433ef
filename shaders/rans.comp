#version 450
#extension GL_GOOGLE_include_directive : require
/* Decodes interleaved rANS (core/entropy/rans.h says how it works): 32 neighbouring invocations of a work-group take a block, one lane each. What the
 * lanes of a step need to know of each other goes through shared memory, so that subgroups may have any size: three sets in turns, one barrier a step.
 * The first word of the coded buffer is set where a block is not what an encoder makes; nothing is read outside a block all the same.
 * Dispatch: blocks x 32. */
#include "common.glsl"
#include "push/rans.h"

layout(set = 0, binding = 0) writeonly buffer Decoded { uint decoded[]; };
layout(set = 0, binding = 1) buffer Coded { uint coded[]; };

const int MAX_BLOCKS = 8; /* of a work-group */
shared uint needing[3][MAX_BLOCKS];    /* a bit for each lane that takes a word */
shared uint gathered[3][MAX_BLOCKS][8]; /* the step's 32 elements */

void main() {
  int local = int(gl_LocalInvocationIndex), lane = local & 31, mine = local >> 5;
  int block = int(gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x) * (int(gl_WorkGroupSize.x) >> 5) + mine;
  bool exists = block < push.count >> 5;
  int first = exists ? block * push.block : 0, elements = exists ? min(push.block, push.elements - first) : 0;
  int states = exists ? int(coded[push.blocks_at + block * 2]) : 0, words = exists ? int(coded[push.blocks_at + block * 2 + 1]) : 0, next = 0;
  uint x = exists ? coded[states + lane] : 65536u;
  bool bad = x < 65536u;

  if (lane < 8) {
    [[unroll]] for (int set = 0; set < 3; set++) gathered[set][mine][lane] = 0u;
    if (lane < 3) needing[lane][mine] = 0u;
  }
  barrier();
  for (int i = 0, set = 0; i < push.block; i += 32, set = set == 2 ? 0 : set + 1) { /* all work-groups take as many steps: barriers are for all */
    bool active_lane = i + lane < elements, needs = false;
    if (active_lane) {
      uint slot = x & ((1u << push.scale) - 1u), symbol = coded[push.symbols_at + int(slot >> 2)] >> ((slot & 3u) * 8u) & 255u, range = coded[push.ranges_at + int(symbol)];
      x = (range >> 16) * (x >> push.scale) + slot - (range & 0xffffu);
      needs = x < 65536u;
      if (needs) atomicOr(needing[set][mine], 1u << lane);
      atomicOr(gathered[set][mine][lane >> 2], symbol << (lane & 3) * 8);
    }
    barrier();
    uint mask = needing[set][mine];
    if (needs) {
      int at = next + bitCount(mask & ((1u << lane) - 1u));
      bad = bad || at >= words;
      uint word = at < words ? coded[states + 32 + (at >> 1)] >> ((at & 1) * 16) & 0xffffu : 0u;
      x = x << 16 | word;
    }
    next += bitCount(mask);
    int after = set == 0 ? 2 : set - 1;
    if (lane < 8) {
      if (i + lane * 4 < elements) decoded[push.to_at + ((first + i) >> 2) + lane] = gathered[set][mine][lane];
      gathered[after][mine][lane] = 0u;
    }
    if (lane == 0) needing[after][mine] = 0u;
  }
  if (exists && (bad || x != 65536u || next != words)) coded[0] = 1u;
}

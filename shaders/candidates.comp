#version 450
#extension GL_GOOGLE_include_directive : require
/* Locations of a detector's outputs whose score may reach the threshold, listed in the order they come, and what boxes are made from where the host cannot
 * read it itself. core/ir/locations.h says what a score is made of. Dispatch: the locations of a group. */
#include "common.glsl"
#include "typed.glsl"
#include "push/candidates.h"

layout(constant_id = 1) const int FACTORS = 1;
layout(constant_id = 2) const int ACTIVATION_0 = 0;
layout(constant_id = 3) const int ACTIVATION_1 = 0;
layout(constant_id = 4) const int PARTS = 0; /* to gather */
#define PLAIN 0
#define SIGMOID 1
#define SOFTMAX 2

layout(set = 0, binding = 1) buffer List { uint list[]; };

float factor(int f, int activation, int anchor, int y, int x) {
  int at = push.at[f] + anchor * push.anchor_step[f] + y * push.row_step[f] + x * push.column_step[f], step = push.channel_step[f];
  float best = -3.4e38;
  for (int c = push.skip[f]; c < push.channels[f]; c++) {
    float value = load(at + c * step);
    best = value > best ? value : best;
  }
  if (activation == SIGMOID) best = 1 / (1 + exp(-best));
  if (activation == SOFTMAX) {
    float peak = best, sum = 0;
    for (int c = 0; c < push.skip[f]; c++) peak = max(peak, load(at + c * step));
    for (int c = 0; c < push.channels[f]; c++) sum += exp(load(at + c * step) - peak);
    best = exp(best - peak) / sum;
  }
  return push.power[f] == 1 ? best : pow(max(best, 0), push.power[f]);
}

void gather(int entry, int anchor, int y, int x) {
  for (int p = 0; p < PARTS; p++) {
    int part = push.table_at + p * CANDIDATES_PART_WORDS;
    int at = int(list[part]) + anchor * int(list[part + 1]) + y * int(list[part + 2]) + x * int(list[part + 3]);
    int step = int(list[part + 4]), channels = int(list[part + 5]);
    for (int c = 0; c < channels; c++) list[entry++] = arena_words[at + c * step];
  }
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int anchor = divide(id, push.plane), rest = id - anchor * push.plane, y = divide(rest, push.width), x = rest - y * push.width;
  float score = factor(0, ACTIVATION_0, anchor, y, x);
  if (FACTORS == 2) score *= factor(1, ACTIVATION_1, anchor, y, x);
  if (score < push.limit) return; /* what is no number goes to the host */
  int slot = int(atomicAdd(list[0], 1u));
  if (slot >= push.capacity) return;
  int entry = push.entries_at + slot * push.entry_words;
  list[entry] = uint(push.first + id);
  gather(entry + 1, anchor, y, x);
}

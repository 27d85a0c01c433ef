#version 450
#extension GL_GOOGLE_include_directive : require
/* The range of a tensor as DynamicQuantizeLinear wants it, in two dispatches: every invocation finds the extremes of a part, then one of them all, and
 * what scale and zero point follow. The range is widened to hold 0. */
#include "common.glsl"
#include "words.glsl"
#include "divide.glsl"
#include "push/qrange.h"

layout(constant_id = 1) const bool LAST = false;
layout(constant_id = 2) const int RANK = 1;

void take(float v, inout float low, inout float high) {
  if (v < low) low = v; /* what is no number counts for nothing */
  if (v > high) high = v;
}

void find_part(int part) {
  float low = 0, high = 0;
  for (int i = part; i < push.elements; i += push.parts) {
    int at = push.x_at, rest = i;
    [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
      int outer = d == 0 ? 0 : divide(rest, push.dims[d]);
      at += (rest - outer * push.dims[d]) * push.x_strides[d];
      rest = outer;
    }
    take(load(at), low, high);
  }
  store(push.parts_at + part, low);
  store(push.parts_at + push.parts + part, high);
}

void conclude() {
  float low = 0, high = 0;
  for (int i = 0; i < push.parts; i++) {
    take(load(push.parts_at + i), low, high);
    take(load(push.parts_at + push.parts + i), low, high);
  }
  float scale = high > low ? divide_exactly(high - low, 255) : 1, zero = roundEven(clamp(divide_exactly(-low, scale), 0.0, 255.0));
  int behind = push.parts_at + 2 * push.parts;
  store(behind, scale);
  store_word(behind + 1, uint(zero));
  if (push.scale_at >= 0) store(push.scale_at, scale);
  if (push.zero_at >= 0) store_byte(push.zero_at, uint(zero));
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  if (LAST)
    conclude();
  else
    find_part(id);
}

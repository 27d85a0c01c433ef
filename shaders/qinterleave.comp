#version 450
#extension GL_GOOGLE_include_directive : require
/* Channels of two channels-last pictures of bytes in turns: an invocation takes four of each. Dispatch: images x pixels x fours of channels, channels fastest. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qinterleave.h"

layout(constant_id = 1) const bool A_ALIGNED = false; /* fours of channels lie in one word */
layout(constant_id = 2) const bool B_ALIGNED = false;
layout(constant_id = 3) const int Y_LIES = 0; /* BYTES_… */

/* Two bytes of each: a0 b0 a1 b1. */
uint in_turns(uint a, uint b) { return (a & 0xffu) | (b & 0xffu) << 8 | (a & 0xff00u) << 8 | (b & 0xff00u) << 16; }

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.channels + 3) >> 2;
  int pixel = divide(id, fours), c = (id - pixel * fours) * 4, left = push.channels - c;
  int row = divide(pixel, push.width), x = pixel - row * push.width;
  int image = divide(row, push.height), y = row - image * push.height;
  uint a = load_bytes(push.a_at + image * push.a_image + y * push.a_row + x * push.a_pixel + c, left, A_ALIGNED, 1);
  uint b = load_bytes(push.b_at + image * push.b_image + y * push.b_row + x * push.b_pixel + c, left, B_ALIGNED, 1);
  int to = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + 2 * c;
  store_bytes(to, in_turns(a, b), 2 * left, Y_LIES, 1);
  if (left > 2) store_bytes(to + 4, in_turns(a >> 16, b >> 16), 2 * left - 4, Y_LIES, 1);
}

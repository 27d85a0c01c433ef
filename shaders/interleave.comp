#version 450
#extension GL_GOOGLE_include_directive : require
/* y[2c] = a[c], y[2c + 1] = b[c] for the channels of channels-last pictures: an invocation takes four channels of one pixel of each.
 * Dispatch: images x pixels x fours of channels, channels fastest. */
#include "common.glsl"
#include "push/interleave.h"

layout(constant_id = 1) const bool A_ALIGNED = false;
layout(constant_id = 2) const bool B_ALIGNED = false;
layout(constant_id = 3) const int Y_LIES = 0;

vec4 load_pixel(int at, bool aligned) { return aligned ? load4(at) : vec4(load(at), load(at + 1), load(at + 2), load(at + 3)); }

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int quads = (push.channels + 3) >> 2;
  int pixel = divide(id, quads), c = (id - pixel * quads) * 4;
  int row = divide(pixel, push.width), x = pixel - row * push.width;
  int image = divide(row, push.height), y = row - image * push.height;
  vec4 a = load_pixel(push.a_at + image * push.a_image + y * push.a_row + x * push.a_pixel + c, A_ALIGNED);
  vec4 b = load_pixel(push.b_at + image * push.b_image + y * push.b_row + x * push.b_pixel + c, B_ALIGNED);
  int to = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + 2 * c, left = 2 * (push.channels - c);
  vec4 low = vec4(a.x, b.x, a.y, b.y), high = vec4(a.z, b.z, a.w, b.w);
  store_lying(Y_LIES, to, low, left);
  if (left <= 4) return;
  store_lying(Y_LIES, to + 4, high, left - 4);
}

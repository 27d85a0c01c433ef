#version 450
#extension GL_GOOGLE_include_directive : require
/* y = x / (bias + factor * sum of squares over neighbouring channels) ^ exponent: an invocation computes one element.
 * Dispatch: images x pixels x channels, channels fastest. */
#include "common.glsl"
#include "push/lrn.h"

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int pixel = id / push.channels, c = id - pixel * push.channels;
  int row = pixel / push.width, x = pixel - row * push.width;
  int image = row / push.height, y = row - image * push.height;
  int base = push.x_at + image * push.x_image + y * push.x_row + x * push.x_pixel;
  float squares = 0;
  for (int i = max(c - push.before, 0), last = min(c + push.behind, push.channels - 1); i <= last; i++) {
    float v = load(base + i * push.x_channel);
    squares = fma(v, v, squares);
  }
  float norm = pow(push.bias + push.factor * squares, push.exponent);
  store(push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + c * push.y_channel, load(base + c * push.x_channel) / norm);
}

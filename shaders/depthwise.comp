#version 450
#extension GL_GOOGLE_include_directive : require
/* Depthwise convolution with one output channel per input channel: an invocation computes PIXELS neighbours of a row times four channels. With
 * dilation 1 each input pixel of a row is loaded once. Dispatch: images x rows x tiles of a row x fours of channels, channels fastest.
 * Weights: [tap][channel rounded up to 4]; bias the same length. Outside the picture the zeros at zeros_at are read. */
#include "common.glsl"
#include "push/depthwise.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const bool RESIDUAL = false;
layout(constant_id = 3) const bool X_ALIGNED = false; /* pixels begin at multiples of four floats */
layout(constant_id = 4) const int Y_LIES = 0;
layout(constant_id = 5) const int KH = 3;
layout(constant_id = 6) const int KW = 3;
layout(constant_id = 7) const int SY = 1;
layout(constant_id = 8) const int SX = 1;
layout(constant_id = 9) const int DY = 1;
layout(constant_id = 10) const int DX = 1;
layout(constant_id = 11) const int TOP = 1;
layout(constant_id = 12) const int LEFT = 1;

const int SPAN = (PIXELS - 1) * SX + (KW - 1) * DX + 1; /* input pixels under one row of the window */

vec4 load_pixel(int at) {
  return X_ALIGNED ? load4(at) : vec4(load(at), load(at + 1), load(at + 2), load(at + 3));
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int quads = (push.channels + 3) >> 2, tiles = (push.out_width + PIXELS - 1) / PIXELS;
  int tile_row = divide(id, quads), c = (id - tile_row * quads) * 4;
  int image_row = divide(tile_row, tiles), x = (tile_row - image_row * tiles) * PIXELS;
  int image = divide(image_row, push.out_height), y = image_row - image * push.out_height;

  vec4 acc[PIXELS];
  vec4 bias = load_constant4(push.b_at + c);
  [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p] = bias;
  int left = x * SX - LEFT, base = push.x_at + image * push.x_image + c, zeros = push.zeros_at + c;
  [[unroll]] for (int ky = 0; ky < KH; ky++) {
    int iy = y * SY - TOP + ky * DY;
    bool row_inside = uint(iy) < uint(push.height);
    vec4 row[SPAN];
    [[unroll]] for (int i = 0; i < SPAN; i++) {
      bool inside = row_inside && uint(left + i) < uint(push.width);
      row[i] = load_pixel(inside ? base + iy * push.x_row + (left + i) * push.x_pixel : zeros);
    }
    vec4 weight[KW];
    [[unroll]] for (int kx = 0; kx < KW; kx++) weight[kx] = load_constant4(push.w_at + (ky * KW + kx) * quads * 4 + c);
    [[unroll]] for (int p = 0; p < PIXELS; p++)
      [[unroll]] for (int kx = 0; kx < KW; kx++) acc[p] = fma(row[p * SX + kx * DX], weight[kx], acc[p]);
  }

  int channels_left = push.channels - c;
  int to = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + c;
  int residual = push.r_at + image * push.r_image + y * push.r_row + x * push.r_pixel + c;
  [[unroll]] for (int p = 0; p < PIXELS; p++) {
    if (x + p >= push.out_width) return;
    vec4 v = acc[p];
    if (RESIDUAL) {
      int from = residual + p * push.r_pixel;
      v += vec4(load(from), channels_left > 1 ? load(from + 1) : 0, channels_left > 2 ? load(from + 2) : 0, channels_left > 3 ? load(from + 3) : 0);
    }
    v = activate(ACTIVATION, v, push.alpha, push.beta);
    store_lying(Y_LIES, to + p * push.y_pixel, v, channels_left);
  }
}

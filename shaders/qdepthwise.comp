#version 450
#extension GL_GOOGLE_include_directive : require
/* Depthwise convolution of bytes with one output channel per input channel: an invocation computes PIXELS neighbours of a row times four channels, in
 * 32-bit integers. Outside the picture stands x's zero point. Dispatch: images x rows x tiles of a row x fours of channels, channels fastest.
 * Weights: [fours of channels][tap][4] words, the weights' zero points taken off; table: [fours of channels]{4 biases, 4 sums of weights, 4 multipliers, 4 zeros}. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qconv.h"

#define IN_PUSH 0
#define IN_ARENA 1
layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const int X_ALIGNED = 0;      /* pixels begin at multiples of so many words, channels follow each other; 0: anything */
layout(constant_id = 3) const bool X_SIGNED = false;
layout(constant_id = 4) const int Y_TYPE = TYPE_U8;   /* or I8; or I32: sums; or F32: steps */
layout(constant_id = 5) const int Y_LIES = 0; /* BYTES_… */
layout(constant_id = 6) const int KH = 3;
layout(constant_id = 7) const int KW = 3;
layout(constant_id = 8) const int SY = 1;
layout(constant_id = 9) const int SX = 1;
layout(constant_id = 10) const int DY = 1;
layout(constant_id = 11) const int DX = 1;
layout(constant_id = 12) const int TOP = 1;
layout(constant_id = 13) const int LEFT = 1;
layout(constant_id = 15) const int ZERO = IN_PUSH;    /* where x's zero point is */

const int SPAN = (PIXELS - 1) * SX + (KW - 1) * DX + 1; /* input pixels under one row of the window */

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.channels + 3) >> 2, tiles = (push.out_width + PIXELS - 1) / PIXELS;
  int tile_row = divide(id, fours), four = id - tile_row * fours;
  int image_row = divide(tile_row, tiles), x = (tile_row - image_row * tiles) * PIXELS;
  int image = divide(image_row, push.out_height), y = image_row - image * push.out_height;
  int left_channels = push.channels - four * 4;

  int zero = push.x_zero;
  if (ZERO != IN_PUSH) zero = byte_of(ZERO == IN_ARENA ? arena_byte(push.zero_at) : weight_byte(push.zero_at), 0, X_SIGNED);
  int table = push.table_at + four * 16, w = push.w_at + four * KH * KW * 4;
  ivec4 acc[PIXELS];
  ivec4 bias = ivec4(weight_four(table)) - zero * ivec4(weight_four(table + 4));
  [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p] = bias;

  int left = x * SX - LEFT, base = push.x_at + image * push.x_image + four * 4 * push.x_channel;
  [[unroll]] for (int ky = 0; ky < KH; ky++) {
    int iy = y * SY - TOP + ky * DY;
    bool row_inside = uint(iy) < uint(push.height);
    ivec4 row[SPAN];
    [[unroll]] for (int i = 0; i < SPAN; i++) {
      bool inside = row_inside && uint(left + i) < uint(push.width);
      uint word = load_bytes(inside ? base + iy * push.x_row + (left + i) * push.x_pixel : base, left_channels, X_ALIGNED > 0, push.x_channel);
      row[i] = inside ? bytes_of(word, X_SIGNED) : ivec4(zero);
    }
    [[unroll]] for (int kx = 0; kx < KW; kx++) {
      ivec4 weight = ivec4(weight_four(w + (ky * KW + kx) * 4));
      [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p] += row[p * SX + kx * DX] * weight;
    }
  }

  vec4 multipliers = uintBitsToFloat(weight_four(table + 8));
  int to = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + four * 4 * push.y_channel;
  [[unroll]] for (int p = 0; p < PIXELS; p++, to += push.y_pixel) {
    if (x + p >= push.out_width) return;
    precise vec4 steps = vec4(acc[p]) * multipliers;
    steps = activate_steps(ACTIVATION, steps, push.alpha, push.beta);
    if (Y_TYPE == TYPE_U8 || Y_TYPE == TYPE_I8) {
      store_bytes(to, quantised_word(Y_TYPE, steps, push.y_zero), left_channels, Y_LIES, push.y_channel);
    } else {
      uvec4 words = Y_TYPE == TYPE_I32 ? uvec4(acc[p]) : floatBitsToUint(steps);
      [[unroll]] for (int i = 0; i < 4; i++)
        if (i < left_channels) store_word(to + i * push.y_channel, words[i]);
    }
  }
}

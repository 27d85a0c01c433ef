#version 450
#extension GL_GOOGLE_include_directive : require
/* The first layer: few input channels, densely packed. An invocation computes PIXELS neighbours of a row times CHANNELS output channels. The input under
 * one row of the window is one run of floats, loaded in fours from PHASE floats before it on. Rows outside the picture are zeros, columns are masked.
 * Dispatch: images x rows x tiles of a row x channel tiles, channel tiles fastest. Weights: [channel tile][tap][input channel][CHANNELS], bias as in conv. */
#include "common.glsl"
#include "push/conv.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const int Y_LIES = 0;
layout(constant_id = 3) const int INPUTS = 3; /* channels */
layout(constant_id = 4) const int PHASE = 0;
layout(constant_id = 5) const int KH = 3;
layout(constant_id = 6) const int KW = 3;
layout(constant_id = 7) const int SY = 2;
layout(constant_id = 8) const int SX = 2;
layout(constant_id = 9) const int TOP = 1;
layout(constant_id = 10) const int LEFT = 1;
layout(constant_id = 11) const int MASK_FROM = 0; /* from this pixel of a run on, some may lie right of the picture */

const int VECS = CHANNELS / 4;
const int SPAN = (PIXELS - 1) * SX + KW;               /* pixels under one row of the window */
const int FOURS = (SPAN * INPUTS + PHASE + 3) / 4;

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int row_tiles = (push.out_width + PIXELS - 1) / PIXELS;
  int tile_row = divide(id, push.tiles), tile = id - tile_row * push.tiles;
  int image_row = divide(tile_row, row_tiles), x = (tile_row - image_row * row_tiles) * PIXELS;
  int image = divide(image_row, push.out_height), y = image_row - image * push.out_height;

  vec4 acc[PIXELS * VECS];
  [[unroll]] for (int v = 0; v < VECS; v++) {
    vec4 bias = load_constant4(push.b_at + tile * CHANNELS + v * 4);
    [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p * VECS + v] = bias;
  }
  int left = x * SX - LEFT, w = push.w_at + tile * KH * KW * INPUTS * CHANNELS;
  for (int ky = 0; ky < KH; ky++) {
    int iy = y * SY - TOP + ky;
    bool row_inside = uint(iy) < uint(push.height);
    int from = row_inside ? push.x_at + image * push.x_image + iy * push.x_row + left * INPUTS - PHASE : push.zeros_at;
    vec4 run[FOURS];
    [[unroll]] for (int i = 0; i < FOURS; i++) {
      run[i] = load4(max(from + i * 4, 0));
      [[unroll]] for (int j = 0; j < 4; j++) {
        int pixel = (i * 4 + j - PHASE) / INPUTS;
        if ((pixel < LEFT || pixel >= MASK_FROM) && uint(left + pixel) >= uint(push.width)) run[i][j] = 0;
      }
    }
    /* As in conv.comp: each sum is taken up once for all inputs of a pixel. */
    [[unroll]] for (int kx = 0; kx < KW; kx++) {
      [[unroll]] for (int v = 0; v < VECS; v++) {
        vec4 weight[INPUTS];
        [[unroll]] for (int i = 0; i < INPUTS; i++) weight[i] = load_constant4(w + i * CHANNELS + v * 4);
        [[unroll]] for (int p = 0; p < PIXELS; p++) {
          [[unroll]] for (int i = 0; i < INPUTS; i++) {
            int at = (p * SX + kx) * INPUTS + i + PHASE;
            acc[p * VECS + v] = fma(vec4(run[at / 4][at % 4]), weight[i], acc[p * VECS + v]);
          }
        }
      }
      w += INPUTS * CHANNELS;
    }
  }

  int outputs_left = push.outputs - tile * CHANNELS;
  int to = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + tile * CHANNELS;
  [[unroll]] for (int p = 0; p < PIXELS; p++) {
    if (x + p >= push.out_width) return;
    [[unroll]] for (int v = 0; v < VECS; v++) {
      int left_over = outputs_left - v * 4;
      if (left_over <= 0) break;
      vec4 value = activate(ACTIVATION, acc[p * VECS + v], push.alpha, push.beta);
      store_lying(Y_LIES, to + p * push.y_pixel + v * 4, value, left_over);
    }
  }
}

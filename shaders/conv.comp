#version 450
#extension GL_GOOGLE_include_directive : require
/* Convolution as an implicit GEMM: an invocation computes PIXELS output pixels (in reading order over the batch) times CHANNELS output channels of
 * one group. Outside the picture the zeros at zeros_at are read. Dispatch: pixel tiles x groups x channel tiles, channel tiles fastest.
 * Weights: [group][channel tile][tap][input channel rounded up to 4][CHANNELS], so that they are read in order; bias: [group][channel tile][CHANNELS]. */
#include "common.glsl"
#include "push/conv.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const bool RESIDUAL = false;
layout(constant_id = 3) const int X_CHANNELS = 0; /* how they lie, and pixels at multiples of four apart */
#define ANYHOW 0
#define ALIGNED 1 /* one after the other from a multiple of four on */
#define EVEN 2    /* every other one, from a multiple of four on */
#define ODD 3     /* the others */
layout(constant_id = 4) const int Y_LIES = 0;
layout(constant_id = 5) const bool TAIL = false;      /* channels is no multiple of four */
layout(constant_id = 6) const int KH = 1;
layout(constant_id = 7) const int KW = 1;
layout(constant_id = 8) const int SY = 1;
layout(constant_id = 9) const int SX = 1;
layout(constant_id = 10) const int DY = 1;
layout(constant_id = 11) const int DX = 1;
layout(constant_id = 12) const int TOP = 0;
layout(constant_id = 13) const int LEFT = 0;
layout(constant_id = 14) const bool FULL_WEIGHTS = false; /* they stay fp32 whatever the activations are */

const int VECS = CHANNELS / 4;
FLOAT4 acc[PIXELS * VECS];
#ifdef FV_ARITHMETIC
/* Sums in fp16 end after BLOCK input channels of a tap, as conv_shared.comp's do, and are added up in fp32. */
#define BLOCK 16
vec4 total[PIXELS * VECS];
void start(int i, vec4 bias) {
  total[i] = bias;
  acc[i] = FLOAT4(0);
}
void promote() {
  [[unroll]] for (int i = 0; i < PIXELS * VECS; i++) start(i, total[i] + vec4(acc[i]));
}
#else
#define total acc
void start(int i, vec4 bias) { acc[i] = bias; }
void promote() {}
#endif

void multiply(int at[PIXELS], int w, int c, bvec4 used) {
  FLOAT4 x[PIXELS];
  [[unroll]] for (int p = 0; p < PIXELS; p++) {
    if (X_CHANNELS == ALIGNED) {
      x[p] = load_float4(at[p] + c);
    } else if (X_CHANNELS == EVEN || X_CHANNELS == ODD) {
      int from = at[p] + c * 2 - (X_CHANNELS == ODD ? 1 : 0);
      FLOAT4 low = load_float4(from), high = load_float4(from + 4);
      x[p] = X_CHANNELS == EVEN ? FLOAT4(low.xz, high.xz) : FLOAT4(low.yw, high.yw);
    } else {
      int step = push.x_channel, from = at[p] + c * step;
      const FLOAT zero = FLOAT(0);
      x[p] = FLOAT4(load_float(from), used.y ? load_float(from + step) : zero, used.z ? load_float(from + 2 * step) : zero, used.w ? load_float(from + 3 * step) : zero);
    }
    if (TAIL) x[p] = mix(FLOAT4(0), x[p], used);
  }
  /* In this order a software device, whose registers do not hold all sums, loads and stores each sum once for four products. */
  [[unroll]] for (int v = 0; v < VECS; v++) {
    FLOAT4 weight[4];
    [[unroll]] for (int i = 0; i < 4; i++) {
      int at_weight = w + i * CHANNELS + v * 4;
      weight[i] = FULL_WEIGHTS ? FLOAT4(load_constant4(at_weight)) : load_float_weight4(at_weight);
    }
    [[unroll]] for (int p = 0; p < PIXELS; p++)
      [[unroll]] for (int i = 0; i < 4; i++) acc[p * VECS + v] = fma(FLOAT4(x[p][i]), weight[i], acc[p * VECS + v]);
  }
}

void finish(int at, int residual_at, int p, int outputs_left) {
  [[unroll]] for (int v = 0; v < VECS; v++) {
    int left = outputs_left - v * 4;
    if (left <= 0) return;
    vec4 y = total[p * VECS + v];
    if (RESIDUAL) {
      int from = residual_at + v * 4;
      y += vec4(load(from), left > 1 ? load(from + 1) : 0, left > 2 ? load(from + 2) : 0, left > 3 ? load(from + 3) : 0);
    }
    y = activate(ACTIVATION, y, push.alpha, push.beta);
    store_lying(Y_LIES, at + v * 4, y, left);
  }
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int group_tiles = push.groups * push.tiles;
  int pixel_tile = divide(id, group_tiles), group_tile = id - pixel_tile * group_tiles;
  int group = divide(group_tile, push.tiles), tile = group_tile - group * push.tiles;

  int first = pixel_tile * PIXELS;
  int row = divide(first, push.out_width), x = first - row * push.out_width;
  int image = divide(row, push.out_height), y = row - image * push.out_height;
  int in_y[PIXELS], in_x[PIXELS], in_at[PIXELS], out_at[PIXELS], res_at[PIXELS];
  [[unroll]] for (int p = 0; p < PIXELS; p++) {
    in_y[p] = y * SY - TOP;
    in_x[p] = x * SX - LEFT;
    in_at[p] = push.x_at + image * push.x_image + group * push.channels * push.x_channel;
    out_at[p] = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel;
    if (RESIDUAL) res_at[p] = push.r_at + image * push.r_image + y * push.r_row + x * push.r_pixel;
    if (first + p + 1 < push.pixels) { /* past the last pixel, the last is computed again and not stored */
      x++;
      if (x == push.out_width) {
        x = 0;
        y++;
      }
      if (y == push.out_height) {
        y = 0;
        image++;
      }
    }
  }

  int bias = push.b_at + group_tile * CHANNELS;
  [[unroll]] for (int v = 0; v < VECS; v++) {
    vec4 b = load_constant4(bias + v * 4);
    [[unroll]] for (int p = 0; p < PIXELS; p++) start(p * VECS + v, b);
  }

  int whole = TAIL ? push.channels & ~3 : push.channels;
  bvec4 used = greaterThan(ivec4(push.channels - whole), ivec4(0, 1, 2, 3));
  int w = push.w_at + group_tile * KH * KW * ((push.channels + 3) & ~3) * CHANNELS;
  for (int ky = 0; ky < KH; ky++) {
    for (int kx = 0; kx < KW; kx++) {
      int at[PIXELS];
      [[unroll]] for (int p = 0; p < PIXELS; p++) {
        int iy = in_y[p] + ky * DY, ix = in_x[p] + kx * DX;
        bool inside = KH * KW == 1 && TOP == 0 && LEFT == 0 || uint(iy) < uint(push.height) && uint(ix) < uint(push.width);
        at[p] = inside ? in_at[p] + iy * push.x_row + ix * push.x_pixel : push.zeros_at + (X_CHANNELS == ODD ? 1 : 0);
      }
      for (int c = 0; c < whole; c += 4) {
        multiply(at, w, c, bvec4(true));
        w += 4 * CHANNELS;
#ifdef FV_ARITHMETIC
        if ((c + 4) % BLOCK == 0) promote();
#endif
      }
      if (TAIL) {
        multiply(at, w, whole, used);
        w += 4 * CHANNELS;
      }
      promote();
    }
  }

  int outputs_left = push.outputs - tile * CHANNELS, y_channel = group * push.outputs + tile * CHANNELS;
  [[unroll]] for (int p = 0; p < PIXELS; p++)
    if (first + p < push.pixels) finish(out_at[p] + y_channel, RESIDUAL ? res_at[p] + y_channel : 0, p, outputs_left);
}

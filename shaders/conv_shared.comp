#version 450
#extension GL_GOOGLE_include_directive : require
/* Convolution as an implicit GEMM for devices whose invocations share fast memory: a work-group computes a tile of ROWS * PIXELS output pixels times
 * COLUMNS * 4 * VECS output channels of one group; each of its ROWS * COLUMNS invocations PIXELS times 4 * VECS of them. STEP input channels of one tap
 * at a time lie in shared memory. Weights and bias as in conv.comp, in tiles of 8 channels. Dispatch: pixel tiles x groups x channel tiles, channel tiles
 * fastest; the work-group has ROWS * COLUMNS invocations. */
#include "common.glsl"
#include "push/conv.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const bool RESIDUAL = false;
layout(constant_id = 3) const int X_CHANNELS = 0;     /* 1: they follow each other, from multiples of four on; else anyhow, see conv.comp */
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
layout(constant_id = 15) const int ROWS = 8;
layout(constant_id = 16) const int COLUMNS = 8;
layout(constant_id = 17) const int PIXELS = 4;
layout(constant_id = 18) const int VECS = 1;
layout(constant_id = 19) const int STEP = 16; /* a multiple of four */

#define PACKED 8 /* channels of a tile of packed weights */
const int THREADS = ROWS * COLUMNS;
const int TILE_PIXELS = ROWS * PIXELS;
const int TILE_VECS = COLUMNS * VECS;
const int TILE_STRIDE = TILE_PIXELS + 1; /* rows of one channel begin in different banks */

shared int pixel_at[TILE_PIXELS]; /* of tap 0, 0, as if all were inside; and where in the picture that is */
shared int pixel_y[TILE_PIXELS];
shared int pixel_x[TILE_PIXELS];
shared FLOAT inputs[STEP * TILE_STRIDE];       /* [channel][pixel] */
shared FLOAT4 parameters[STEP * TILE_VECS];    /* [channel][four output channels] */

struct Pixel {
  int image, y, x;
};

Pixel locate(int index) {
  int row = divide(index, push.out_width), image = divide(row, push.out_height);
  return Pixel(image, row - image * push.out_height, index - row * push.out_width);
}

void locate_inputs(int first, int group) {
  for (int i = int(gl_LocalInvocationIndex); i < TILE_PIXELS; i += THREADS) {
    Pixel p = locate(min(first + i, push.pixels - 1));
    pixel_y[i] = p.y * SY - TOP;
    pixel_x[i] = p.x * SX - LEFT;
    pixel_at[i] = push.x_at + p.image * push.x_image + group * push.channels * push.x_channel + pixel_y[i] * push.x_row + pixel_x[i] * push.x_pixel;
  }
}

/* Fours of channels, those past the last and all outside the picture 0. */
void stage_inputs(int ky, int kx, int c) {
  const int fours = STEP / 4;
  int behind = ky * DY * push.x_row + kx * DX * push.x_pixel;
  for (int i = int(gl_LocalInvocationIndex); i < TILE_PIXELS * fours; i += THREADS) {
    int p = i / fours, k = (i - p * fours) * 4, left = push.channels - c - k;
    FLOAT4 x = FLOAT4(0);
    if (uint(pixel_y[p] + ky * DY) < uint(push.height) && uint(pixel_x[p] + kx * DX) < uint(push.width) && left > 0) {
      int step = push.x_channel, from = pixel_at[p] + behind + (c + k) * step;
      if (X_CHANNELS == 1)
        x = load_float4(from);
      else
        x = FLOAT4(load_float(from), left > 1 ? load_float(from + step) : FLOAT(0), left > 2 ? load_float(from + 2 * step) : FLOAT(0),
                  left > 3 ? load_float(from + 3 * step) : FLOAT(0));
      if (TAIL) x = mix(FLOAT4(0), x, greaterThan(ivec4(left), ivec4(0, 1, 2, 3)));
    }
    [[unroll]] for (int j = 0; j < 4; j++) inputs[(k + j) * TILE_STRIDE + p] = x[j];
  }
}

void stage_weights(int tile, int group, int tap, int c, int depth) {
  for (int i = int(gl_LocalInvocationIndex); i < STEP * TILE_VECS; i += THREADS) {
    int k = i / TILE_VECS, v = i - k * TILE_VECS, four = tile * TILE_VECS + v, packed = four * 4 / PACKED;
    FLOAT4 w = FLOAT4(0);
    if (packed < push.tiles && c + k < depth) {
      int at = push.w_at + (((group * push.tiles + packed) * KH * KW + tap) * depth + c + k) * PACKED + (four * 4 - packed * PACKED);
      w = FULL_WEIGHTS ? FLOAT4(load_constant4(at)) : load_float_weight4(at);
    }
    parameters[i] = w;
  }
}

vec4 acc[PIXELS * VECS];

/* In fp16, the sums of a step are added up in fp32. */
#ifdef FV_ARITHMETIC
FLOAT4 part[PIXELS * VECS];
void begin() {
  [[unroll]] for (int i = 0; i < PIXELS * VECS; i++) part[i] = FLOAT4(0);
}
void promote() {
  [[unroll]] for (int i = 0; i < PIXELS * VECS; i++) acc[i] += vec4(part[i]);
}
#else
#define part acc
void begin() {}
void promote() {}
#endif

void multiply(int row, int column) {
  begin();
  for (int k = 0; k < STEP; k++) {
    FLOAT4 w[VECS];
    [[unroll]] for (int v = 0; v < VECS; v++) w[v] = parameters[k * TILE_VECS + column + v * COLUMNS];
    [[unroll]] for (int p = 0; p < PIXELS; p++) {
      FLOAT4 x = FLOAT4(inputs[k * TILE_STRIDE + row + p * ROWS]);
      [[unroll]] for (int v = 0; v < VECS; v++) part[p * VECS + v] = fma(x, w[v], part[p * VECS + v]);
    }
  }
  promote();
}

void finish(int p, int v, Pixel pixel, int channel, int output_at) {
  int left = push.outputs - channel;
  if (left <= 0) return;
  vec4 y = acc[p * VECS + v];
  if (RESIDUAL) {
    int from = push.r_at + pixel.image * push.r_image + pixel.y * push.r_row + pixel.x * push.r_pixel + output_at;
    y += vec4(load(from), left > 1 ? load(from + 1) : 0, left > 2 ? load(from + 2) : 0, left > 3 ? load(from + 3) : 0);
  }
  y = activate(ACTIVATION, y, push.alpha, push.beta);
  int at = push.y_at + pixel.image * push.y_image + pixel.y * push.y_row + pixel.x * push.y_pixel + output_at;
  store_lying(Y_LIES, at, y, left);
}

void main() {
  int id = int(gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x);
  if (id * THREADS >= push.count) return; /* the whole work-group does */
  int tiles = (push.tiles * PACKED / 4 + TILE_VECS - 1) / TILE_VECS, group_tiles = push.groups * tiles;
  int pixel_tile = divide(id, group_tiles), group_tile = id - pixel_tile * group_tiles;
  int group = divide(group_tile, tiles), tile = group_tile - group * tiles;
  int first = pixel_tile * TILE_PIXELS, row = int(gl_LocalInvocationIndex) / COLUMNS, column = int(gl_LocalInvocationIndex) - row * COLUMNS;

  [[unroll]] for (int v = 0; v < VECS; v++) {
    int four = tile * TILE_VECS + column + v * COLUMNS;
    vec4 bias = four * 4 < push.tiles * PACKED ? load_constant4(push.b_at + group * push.tiles * PACKED + four * 4) : vec4(0);
    [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p * VECS + v] = bias;
  }
  locate_inputs(first, group);
  int depth = (push.channels + 3) & ~3;
  for (int tap = 0; tap < KH * KW; tap++) {
    int ky = tap / KW, kx = tap - ky * KW;
    for (int c = 0; c < depth; c += STEP) {
      barrier(); /* the last step was read, and at first pixels are located */
      stage_inputs(ky, kx, c);
      stage_weights(tile, group, tap, c, depth);
      barrier();
      multiply(row, column);
    }
  }

  [[unroll]] for (int p = 0; p < PIXELS; p++) {
    int index = first + row + p * ROWS;
    if (index >= push.pixels) return;
    Pixel pixel = locate(index);
    [[unroll]] for (int v = 0; v < VECS; v++) {
      int channel = (tile * TILE_VECS + column + v * COLUMNS) * 4;
      finish(p, v, pixel, channel, group * push.outputs + channel);
    }
  }
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* Convolution of bytes as an implicit GEMM: an invocation computes PIXELS output pixels (in reading order over the batch) times 8 output channels of one
 * group, in 32-bit integers. Outside the picture stands x's zero point. Dispatch: pixel tiles x groups x channel tiles, channel tiles fastest.
 * Weights: [group][channel tile][tap][fours of input channels][8] words of four signed bytes. Table: [group][channel tile]{8 biases, 8 sums of weights,
 * 8 multipliers, 8 zero points of weights, where those are not taken off}.
 * What lies behind an input pixel's channels is multiplied by zero. FIRST: at most four input channels, few taps, all unrolled. */
#ifdef DOT
#include "dot.glsl"
#endif
#ifdef FIRST
#define TAPS [[unroll]]
#else
#define TAPS
#endif
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
layout(constant_id = 6) const int KH = 1;
layout(constant_id = 7) const int KW = 1;
layout(constant_id = 8) const int SY = 1;
layout(constant_id = 9) const int SX = 1;
layout(constant_id = 10) const int DY = 1;
layout(constant_id = 11) const int DX = 1;
layout(constant_id = 12) const int TOP = 0;
layout(constant_id = 13) const int LEFT = 0;
layout(constant_id = 14) const bool WEIGHT_ZEROS = false;
layout(constant_id = 15) const int ZERO = IN_PUSH;    /* where x's zero point is */

const bool PADDED = KH * KW > 1 || TOP != 0 || LEFT != 0;
ivec4 acc[PIXELS * 2];
int taken[PIXELS]; /* sums of inputs, for WEIGHT_ZEROS */

/* used: a bit for each of those bytes of x that are channels */
void multiply(uint x[PIXELS], int w, uint used) {
  if (WEIGHT_ZEROS)
    [[unroll]] for (int p = 0; p < PIXELS; p++) taken[p] += sum_of_bytes(x[p] & used, X_SIGNED);
  [[unroll]] for (int v = 0; v < 2; v++) {
    uvec4 weights = weight_four(w + v * 4);
#ifdef DOT
    [[unroll]] for (int p = 0; p < PIXELS; p++)
      [[unroll]] for (int o = 0; o < 4; o++) acc[p * 2 + v][o] += X_SIGNED ? dot_signed(x[p], weights[o]) : dot_mixed(weights[o], x[p]);
#else
    [[unroll]] for (int i = 0; i < 4; i++) {
      ivec4 weight = ivec4(weights << (24 - 8 * i)) >> 24;
      [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p * 2 + v] += byte_of(x[p], i, X_SIGNED) * weight;
    }
#endif
  }
}

/* inputs: how many the sums are of */
void finish(int at, int p, int table, int outputs_left, int zero, int inputs) {
  [[unroll]] for (int v = 0; v < 2; v++) {
    int left = outputs_left - v * 4, to = at + v * 4 * push.y_channel;
    if (left <= 0) return;
    ivec4 sum = acc[p * 2 + v] - zero * ivec4(weight_four(table + 8 + v * 4));
    if (WEIGHT_ZEROS) sum -= (taken[p] - inputs * zero) * ivec4(weight_four(table + 24 + v * 4));
    precise vec4 steps = vec4(sum) * uintBitsToFloat(weight_four(table + 16 + v * 4));
    steps = activate_steps(ACTIVATION, steps, push.alpha, push.beta);
    if (Y_TYPE == TYPE_U8 || Y_TYPE == TYPE_I8) {
      store_bytes(to, quantised_word(Y_TYPE, steps, push.y_zero), left, Y_LIES, push.y_channel);
    } else {
      uvec4 words = Y_TYPE == TYPE_I32 ? uvec4(sum) : floatBitsToUint(steps);
      [[unroll]] for (int i = 0; i < 4; i++)
        if (i < left) store_word(to + i * push.y_channel, words[i]);
    }
  }
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int group_tiles = push.groups * push.tiles;
  int pixel_tile = divide(id, group_tiles), group_tile = id - pixel_tile * group_tiles;
  int group = divide(group_tile, push.tiles), tile = group_tile - group * push.tiles;

  int zero = push.x_zero;
  if (ZERO != IN_PUSH) zero = byte_of(ZERO == IN_ARENA ? arena_byte(push.zero_at) : weight_byte(push.zero_at), 0, X_SIGNED);
  uint outside = uint(zero & 255) * 0x01010101u;

  int first = pixel_tile * PIXELS;
  int row = divide(first, push.out_width), x = first - row * push.out_width;
  int image = divide(row, push.out_height), y = row - image * push.out_height;
  int in_y[PIXELS], in_x[PIXELS], in_at[PIXELS], out_at[PIXELS];
  [[unroll]] for (int p = 0; p < PIXELS; p++) {
    in_y[p] = y * SY - TOP;
    in_x[p] = x * SX - LEFT;
    in_at[p] = push.x_at + image * push.x_image + group * push.channels * push.x_channel;
    out_at[p] = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel;
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

  int table = push.table_at + group_tile * 32;
  [[unroll]] for (int v = 0; v < 2; v++) {
    ivec4 bias = ivec4(weight_four(table + v * 4));
    [[unroll]] for (int p = 0; p < PIXELS; p++) acc[p * 2 + v] = bias;
  }
  [[unroll]] for (int p = 0; p < PIXELS; p++) taken[p] = 0;

#ifdef FIRST
  const int fours = 1, pairs = 0;
#else
  int fours = (push.channels + 3) >> 2, pairs = X_ALIGNED > 1 ? fours & ~1 : 0;
#endif
  int w = push.w_at + group_tile * KH * KW * fours * 8;
  uint tail = (1u << (push.channels & 3) * 8) - 1u; /* of the last four channels, where they are fewer */
  TAPS for (int ky = 0; ky < KH; ky++) {
    TAPS for (int kx = 0; kx < KW; kx++) {
      int at[PIXELS];
      bool inside[PIXELS];
      [[unroll]] for (int p = 0; p < PIXELS; p++) {
        int iy = in_y[p] + ky * DY, ix = in_x[p] + kx * DX;
        inside[p] = !PADDED || uint(iy) < uint(push.height) && uint(ix) < uint(push.width);
        at[p] = inside[p] ? in_at[p] + iy * push.x_row + ix * push.x_pixel : in_at[p];
      }
      if (X_ALIGNED > 1) {
        for (int c = 0; c < pairs; c += 2, w += 16) {
          uint low[PIXELS], high[PIXELS];
          [[unroll]] for (int p = 0; p < PIXELS; p++) {
            uvec2 pair = arena_pair((at[p] >> 2) + c);
            low[p] = inside[p] ? pair.x : outside;
            high[p] = inside[p] ? pair.y : outside;
          }
          multiply(low, w, c * 4 + 4 <= push.channels ? ~0u : tail);
          multiply(high, w + 8, c * 4 + 8 <= push.channels ? ~0u : tail);
        }
      }
      for (int c = pairs; c < fours; c++, w += 8) {
        uint words[PIXELS];
        [[unroll]] for (int p = 0; p < PIXELS; p++) words[p] = inside[p] ? load_bytes(at[p] + c * 4 * push.x_channel, push.channels - c * 4, X_ALIGNED > 0, push.x_channel) : outside;
        multiply(words, w, c * 4 + 4 <= push.channels ? ~0u : tail);
      }
    }
  }

  int outputs_left = push.outputs - tile * 8, y_channel = (group * push.outputs + tile * 8) * push.y_channel;
  [[unroll]] for (int p = 0; p < PIXELS; p++)
    if (first + p < push.pixels) finish(out_at[p] + y_channel, p, table, outputs_left, zero, KH * KW * push.channels);
}

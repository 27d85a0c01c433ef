#version 450
#extension GL_GOOGLE_include_directive : require
/* Convolutions of bytes over up to three spatial dimensions where anything may be computed, zero points and scales too: an invocation makes one element.
 * Dispatch: elements of y, the last dimension fastest. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qdirect.h"

layout(constant_id = 1) const bool X_SIGNED = false;
layout(constant_id = 2) const bool W_SIGNED = false;
layout(constant_id = 3) const int Y_TYPE = TYPE_U8; /* or I8; or I32: sums; or F32: steps */
layout(constant_id = 4) const int PRESENT = 0;
layout(constant_id = 5) const int IN_WEIGHTS = 0;
layout(constant_id = 6) const int PER_OUTPUT = 0;   /* Q_B_ZERO, Q_B_SCALE: those that have one number per output channel */
layout(constant_id = 7) const int KD = 1;
layout(constant_id = 8) const int KH = 1;
layout(constant_id = 9) const int KW = 1;
layout(constant_id = 10) const int SD = 1;
layout(constant_id = 11) const int SH = 1;
layout(constant_id = 12) const int SW = 1;
layout(constant_id = 13) const int DD = 1;
layout(constant_id = 14) const int DH = 1;
layout(constant_id = 15) const int DW = 1;
layout(constant_id = 16) const int FRONT = 0;
layout(constant_id = 17) const int TOP = 0;
layout(constant_id = 18) const int LEFT = 0;
layout(constant_id = 19) const int DEPTH = 1;
layout(constant_id = 20) const int HEIGHT = 1;
layout(constant_id = 21) const int WIDTH = 1;
#include "qgeneral.glsl"

int taps(int x_base, int w_base, int z, int y, int x, int x_zero, int w_zero) {
  int sum = 0;
  for (int kz = 0; kz < KD; kz++) {
    int iz = z * SD - FRONT + kz * DD;
    for (int ky = 0; ky < KH; ky++) {
      int iy = y * SH - TOP + ky * DH;
      for (int kx = 0; kx < KW; kx++) {
        int ix = x * SW - LEFT + kx * DW;
        if (uint(iz) >= uint(DEPTH) || uint(iy) >= uint(HEIGHT) || uint(ix) >= uint(WIDTH)) continue;
        int x_at = x_base + iz * push.x_strides[2] + iy * push.x_strides[3] + ix * push.x_strides[4];
        int w_at = w_base + kz * push.w_strides[2] + ky * push.w_strides[3] + kx * push.w_strides[4];
        sum += (load_byte(x_at, Q_A, X_SIGNED) - x_zero) * (load_byte(w_at, Q_B, W_SIGNED) - w_zero);
      }
    }
  }
  return sum;
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int row = divide(id, push.out_size[2]), x = id - row * push.out_size[2];
  int plane = divide(row, push.out_size[1]), y = row - plane * push.out_size[1];
  int line = divide(plane, push.out_size[0]), z = plane - line * push.out_size[0];
  int all = push.outputs * push.groups, image = divide(line, all), output_channel = line - image * all, group = divide(output_channel, push.outputs);
  int x_zero = load_zero(push.x_zero_at, Q_A_ZERO, X_SIGNED);
  int w_zero = load_zero(push.w_zero_at + ((PER_OUTPUT & Q_B_ZERO) != 0 ? output_channel : 0), Q_B_ZERO, W_SIGNED);
  int sum = (PRESENT & Q_BIAS) != 0 ? int(load_word_of(push.bias_at + output_channel, Q_BIAS)) : 0;
  for (int c = 0; c < push.channels; c++)
    sum += taps(push.x_at + image * push.x_strides[0] + (group * push.channels + c) * push.x_strides[1], push.w_at + output_channel * push.w_strides[0] + c * push.w_strides[1], z, y, x,
                x_zero, w_zero);
  int to = push.y_at + image * push.y_strides[0] + output_channel * push.y_strides[1] + z * push.y_strides[2] + y * push.y_strides[3] + x * push.y_strides[4];
  store_sum(to, sum, load_scale(push.x_scale_at, Q_A_SCALE), load_scale(push.w_scale_at + ((PER_OUTPUT & Q_B_SCALE) != 0 ? output_channel : 0), Q_B_SCALE),
            load_scale(push.y_scale_at, Q_Y_SCALE), load_zero(push.y_zero_at, Q_Y_ZERO, Y_TYPE == TYPE_I8));
}

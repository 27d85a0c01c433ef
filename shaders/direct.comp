#version 450
#extension GL_GOOGLE_include_directive : require
/* Convolution and transposed convolution over one to three spatial dimensions, any strides, weights computed or constant: an invocation computes four
 * output channels of one pixel. Packed weights: [group][tap][input channel][outputs rounded up to 4]. Dispatch: images x output pixels x groups x fours
 * of output channels, channels fastest. */
#include "common.glsl"
#include "push/direct.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const float ALPHA = 0;
layout(constant_id = 3) const float BETA = 0;
layout(constant_id = 4) const bool TRANSPOSED = false;
layout(constant_id = 5) const bool RESIDUAL = false;
layout(constant_id = 6) const int WEIGHTS = 0; /* where they are */
layout(constant_id = 7) const int BIAS = 0;
#define NOWHERE 0
#define IN_ARENA 1
#define IN_WEIGHTS 2
#define PACKED 3
layout(constant_id = 8) const int KD = 1;
layout(constant_id = 9) const int KH = 1;
layout(constant_id = 10) const int KW = 1;
layout(constant_id = 11) const int SD = 1;
layout(constant_id = 12) const int SY = 1;
layout(constant_id = 13) const int SX = 1;
layout(constant_id = 14) const int DD = 1;
layout(constant_id = 15) const int DY = 1;
layout(constant_id = 16) const int DX = 1;
layout(constant_id = 17) const int FRONT = 0;
layout(constant_id = 18) const int TOP = 0;
layout(constant_id = 19) const int LEFT = 0;
layout(constant_id = 20) const int DEPTH = 1; /* of the input */
layout(constant_id = 21) const int HEIGHT = 1;
layout(constant_id = 22) const int WIDTH = 1;

float load_parameter(int at, int where) { return where == IN_ARENA ? load(at) : load_constant(at); }

/* steps: from the first output to the others; outputs behind the last repeat it */
vec4 load_four(int at, ivec4 steps) {
  if (WEIGHTS == PACKED) return load_weight4(at);
  return vec4(load_parameter(at, WEIGHTS), load_parameter(at + steps.y, WEIGHTS), load_parameter(at + steps.z, WEIGHTS), load_parameter(at + steps.w, WEIGHTS));
}

/* Which input position a tap looks at; -1: none. */
int source(int at, int tap, int stride, int dilation, int pad, int size) {
  int i = TRANSPOSED ? at + pad - tap * dilation : at * stride - pad + tap * dilation;
  if (i < 0) return -1;
  if (TRANSPOSED) {
    if (i % stride != 0) return -1;
    i /= stride;
  }
  return i < size ? i : -1;
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.outputs + 3) >> 2;
  int rest = id / fours, first = (id - rest * fours) * 4;
  int group = rest % push.groups;
  rest /= push.groups;
  int x = rest % push.out_size[2];
  rest /= push.out_size[2];
  int y = rest % push.out_size[1];
  rest /= push.out_size[1];
  int z = rest % push.out_size[0], image = rest / push.out_size[0];

  int left = min(push.outputs - first, 4), output_at = group * push.outputs + first;
  ivec4 steps = min(ivec4(0, 1, 2, 3), ivec4(left - 1));
  vec4 sum = vec4(0);
  if (BIAS == PACKED) sum = load_constant4(push.b_at + group * fours * 4 + first);
  if (BIAS == IN_ARENA || BIAS == IN_WEIGHTS) [[unroll]] for (int i = 0; i < 4; i++) sum[i] = load_parameter(push.b_at + output_at + steps[i], BIAS);

  int w_base = push.w_at, x_base = push.x_at + image * push.x_strides[0] + group * push.channels * push.x_strides[1];
  if (WEIGHTS == PACKED)
    w_base += group * KD * KH * KW * push.channels * fours * 4 + first;
  else /* a transposed convolution's groups divide its input channels, any other's its outputs */
    w_base += (TRANSPOSED ? group * push.channels * push.w_strides[1] : group * push.outputs * push.w_strides[0]) + first * push.w_strides[0];
  steps *= push.w_strides[0];
  for (int kz = 0; kz < KD; kz++) {
    int iz = source(z, kz, SD, DD, FRONT, DEPTH);
    if (iz < 0) continue;
    for (int ky = 0; ky < KH; ky++) {
      int iy = source(y, ky, SY, DY, TOP, HEIGHT);
      if (iy < 0) continue;
      for (int kx = 0; kx < KW; kx++) {
        int ix = source(x, kx, SX, DX, LEFT, WIDTH);
        if (ix < 0) continue;
        int from = x_base + iz * push.x_strides[2] + iy * push.x_strides[3] + ix * push.x_strides[4];
        int w = w_base + kz * push.w_strides[2] + ky * push.w_strides[3] + kx * push.w_strides[4];
        for (int c = 0; c < push.channels; c++, from += push.x_strides[1], w += push.w_strides[1]) sum = fma(vec4(load(from)), load_four(w, steps), sum);
      }
    }
  }

  int to = push.y_at + image * push.y_strides[0] + output_at * push.y_strides[1] + z * push.y_strides[2] + y * push.y_strides[3] + x * push.y_strides[4];
  int added = push.r_at + image * push.r_strides[0] + output_at * push.r_strides[1] + z * push.r_strides[2] + y * push.r_strides[3] + x * push.r_strides[4];
  [[unroll]] for (int i = 0; i < 4; i++) {
    if (i >= left) return;
    float value = sum[i];
    if (RESIDUAL) value += load(added + i * push.r_strides[1]);
    store(to + i * push.y_strides[1], activate(ACTIVATION, vec4(value), ALPHA, BETA).x);
  }
}

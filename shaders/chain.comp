#version 450
#extension GL_GOOGLE_include_directive : require
/* Up to eight element-wise operations on up to eight tensors at once: an invocation computes four neighbours of y, and all that lies between stays in registers.
 * Values 0 to 7 are the inputs, 8 to 15 what the operations give. Dispatch: rows of y x fours of a row, fours fastest. */
#include "common.glsl"
#include "elementwise.glsl"
#include "push/chain.h"

layout(constant_id = 1) const int ALIGNED = 0; /* bit 0: the first input, …: fours begin at multiples of four */
layout(constant_id = 2) const int IN_WEIGHTS = 0; /* bit 0: the first input, … */
layout(constant_id = 3) const int INPUTS = 1;
layout(constant_id = 4) const int COUNT = 1;
/* OP_… | first value << 8 | second value << 12 | binary << 16 | numbers << 17 | activation << 20 */
layout(constant_id = 5) const int OPERATION_0 = 0;
layout(constant_id = 6) const int OPERATION_1 = 0;
layout(constant_id = 7) const int OPERATION_2 = 0;
layout(constant_id = 8) const int OPERATION_3 = 0;
layout(constant_id = 9) const int OPERATION_4 = 0;
layout(constant_id = 10) const int OPERATION_5 = 0;
layout(constant_id = 11) const int OPERATION_6 = 0;
layout(constant_id = 12) const int OPERATION_7 = 0;
/* alpha and beta of those that have them */
layout(constant_id = 13) const float NUMBER_0 = 0;
layout(constant_id = 14) const float NUMBER_1 = 0;
layout(constant_id = 15) const float NUMBER_2 = 0;
layout(constant_id = 16) const float NUMBER_3 = 0;
layout(constant_id = 17) const float NUMBER_4 = 0;
layout(constant_id = 18) const float NUMBER_5 = 0;
layout(constant_id = 19) const float NUMBER_6 = 0;
layout(constant_id = 20) const float NUMBER_7 = 0;
layout(constant_id = 21) const int Y_LIES = 0;
layout(constant_id = 22) const int SHORT = 0; /* the length of rows where it is less than four: no branch asks for it then */

FLOAT4 values[CHAIN_INPUTS + CHAIN_OPERATIONS];

float load_one(int at, bool in_weights) { return in_weights ? load_constant(at) : load(at); }

vec4 load_input(int k, int row, int column, int count) {
  bool in_weights = (IN_WEIGHTS >> k & 1) != 0;
  int step = push.strides[k * CHAIN_RANK + 1], at = push.at[k] + row * push.strides[k * CHAIN_RANK] + column * step;
  if ((ALIGNED >> k & 1) != 0) return in_weights ? load_constant4(at) : load4(at); /* past the end lies slack */
  float first = load_one(at, in_weights);
  if (step == 0) return vec4(first);
  return vec4(first, count > 1 ? load_one(at + step, in_weights) : 0, count > 2 ? load_one(at + 2 * step, in_weights) : 0,
              count > 3 ? load_one(at + 3 * step, in_weights) : 0);
}

/* What fp16 units do as exactly as fp32 ones would, rounded; functions are computed in fp32. */
FLOAT4 apply(int type, FLOAT4 a, FLOAT4 b) {
#ifdef FV_ARITHMETIC
  switch (type) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_PRELU: return mix(a, a * b, lessThan(a, FLOAT4(0)));
  }
#endif
  return FLOAT4(binary(type, vec4(a), vec4(b)));
}

FLOAT4 finish(int type, FLOAT4 x, float alpha, float beta) {
#ifdef FV_ARITHMETIC
  switch (type) {
    case ACTIVATION_NONE: return x;
    case ACTIVATION_RELU: return max(x, FLOAT4(0));
    case ACTIVATION_LEAKY_RELU: return mix(x, FLOAT(alpha) * x, lessThan(x, FLOAT4(0)));
  }
#endif
  return FLOAT4(activate(type, vec4(x), alpha, beta));
}

FLOAT4 compute(int code) {
  const float numbers[2 * CHAIN_NUMBERS] = float[](NUMBER_0, NUMBER_1, NUMBER_2, NUMBER_3, NUMBER_4, NUMBER_5, NUMBER_6, NUMBER_7);
  float alpha = numbers[2 * (code >> 17 & 3)], beta = numbers[2 * (code >> 17 & 3) + 1];
  FLOAT4 a = values[code >> 8 & 15];
  FLOAT4 value = (code >> 16 & 1) != 0 ? apply(code & 255, a, values[code >> 12 & 15]) : FLOAT4(unary(code & 255, vec4(a), alpha, beta));
  return finish(code >> 20 & 15, value, alpha, beta);
}

#define COMPUTE(k, code) if (COUNT > k) values[CHAIN_INPUTS + k] = compute(code)

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.dims[1] + 3) >> 2, row = divide(id, fours), column = (id - row * fours) * 4, count = SHORT > 0 ? SHORT : min(push.dims[1] - column, 4);
  [[unroll]] for (int k = 0; k < CHAIN_INPUTS; k++)
    if (k < INPUTS) values[k] = FLOAT4(load_input(k, row, column, count));
  COMPUTE(0, OPERATION_0);
  COMPUTE(1, OPERATION_1);
  COMPUTE(2, OPERATION_2);
  COMPUTE(3, OPERATION_3);
  COMPUTE(4, OPERATION_4);
  COMPUTE(5, OPERATION_5);
  COMPUTE(6, OPERATION_6);
  COMPUTE(7, OPERATION_7);
  vec4 value = vec4(values[CHAIN_INPUTS + COUNT - 1]);
  int step = push.y_strides[1], y = push.y_at + row * push.y_strides[0] + column * step;
  store_row(Y_LIES, y, value, count, step);
}

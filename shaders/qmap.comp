#version 450
#extension GL_GOOGLE_include_directive : require
/* Functions and copies of bytes, element by element over any strides: an invocation computes four neighbours along the innermost dimension of y. Functions of one
 * byte are tables, and the way from fp32 is the table of where the result changes: so nothing depends on how a device divides.
 * Dispatch: all dimensions but the innermost x fours of it, innermost fastest. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qmap.h"

layout(constant_id = 1) const int OPERATION = 0; /* QMAP_… */
layout(constant_id = 2) const int ACTIVATION = 0;
layout(constant_id = 3) const int RANK = 1;
layout(constant_id = 4) const int TYPE = TYPE_U8; /* of bytes, all the same */
layout(constant_id = 5) const int Y_LIES = 0; /* BYTES_… */
layout(constant_id = 6) const bool A_ALIGNED = false;
layout(constant_id = 7) const bool B_ALIGNED = false;
layout(constant_id = 8) const bool A_IN_WEIGHTS = false;
layout(constant_id = 9) const bool B_IN_WEIGHTS = false;

const bool SIGNED = TYPE == TYPE_I8;

uint byte_at(int at, bool in_weights) { return in_weights ? weight_byte(at) : arena_byte(at); }

uint load_operand(int at, int stride, int count, bool aligned, bool in_weights) {
  if (aligned) return in_weights ? weight_word(at >> 2) : arena_word(at >> 2);
  uint word = byte_at(at, in_weights);
  if (stride == 0) return word * 0x01010101u;
  for (int i = 1; i < count; i++) word |= byte_at(at + i * stride, in_weights) << i * 8;
  return word;
}

vec4 load_floats(int at, int stride, int count) {
  if (A_ALIGNED) return load4(at);
  return vec4(load(at), count > 1 ? load(at + stride) : 0, count > 2 ? load(at + 2 * stride) : 0, count > 3 ? load(at + 3 * stride) : 0);
}

float parameter(int index) { return uintBitsToFloat(weight_word(push.table_at + index)); }
int zero_point(int index) { return int(weight_word(push.table_at + index)); }

uint look_up(uint word) {
  uint result = 0;
  [[unroll]] for (int i = 0; i < 4; i++) result |= weight_byte(push.table_at * 4 + int(word >> i * 8 & 255u)) << i * 8;
  return result;
}

/* A guess, put right by the two numbers beside it. What is no number counts as 0. */
uint quantise(float x) {
  if (isnan(x)) return 0u;
  int q = int(clamp(roundEven(x * parameter(0)) + parameter(1), 0.0, 255.0));
  while (q < 255 && x >= parameter(4 + q)) q++;
  while (q > 0 && x < parameter(3 + q)) q--;
  return uint(SIGNED ? q - 128 : q) & 255u;
}

vec4 steps_of(uint a, uint b) {
  ivec4 x = bytes_of(a, SIGNED) - zero_point(0), z = bytes_of(b, SIGNED) - zero_point(1);
  precise vec4 steps;
  if (OPERATION == QMAP_ADD)
    steps = vec4(x) * parameter(3) + vec4(z) * parameter(4);
  else
    steps = vec4(x * z) * parameter(3);
  return activate_steps(ACTIVATION, steps, parameter(5), parameter(6));
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int inner = push.dims[RANK - 1], fours = (inner + 3) >> 2;
  int rest = divide(id, fours), i = (id - rest * fours) * 4;
  int y = push.y_at + i * push.y_strides[RANK - 1], a = push.a_at + i * push.a_strides[RANK - 1], b = push.b_at + i * push.b_strides[RANK - 1];
  [[unroll]] for (int d = RANK - 2; d >= 0; d--) {
    int outer = d == 0 ? 0 : divide(rest, push.dims[d]), at = rest - outer * push.dims[d];
    y += at * push.y_strides[d];
    a += at * push.a_strides[d];
    b += at * push.b_strides[d];
    rest = outer;
  }
  int count = min(inner - i, 4), a_step = push.a_strides[RANK - 1], y_step = push.y_strides[RANK - 1];
  uint word = 0;
  if (OPERATION == QMAP_THRESHOLDS) {
    vec4 x = load_floats(a, a_step, count);
    for (int k = 0; k < count; k++) word |= quantise(x[k]) << k * 8;
  } else {
    word = load_operand(a, a_step, count, A_ALIGNED, A_IN_WEIGHTS);
  }
  if (OPERATION == QMAP_FLOATS) {
    for (int k = 0; k < count; k++) store(y + k * y_step, parameter(int(word >> k * 8 & 255u)));
    return;
  }
  if (OPERATION == QMAP_TABLE) word = look_up(word);
  if (OPERATION == QMAP_ADD || OPERATION == QMAP_MUL) {
    uint other = load_operand(b, push.b_strides[RANK - 1], count, B_ALIGNED, B_IN_WEIGHTS);
    word = quantised_word(TYPE, steps_of(word, other), zero_point(2));
  }
  store_bytes(y, word, count, Y_LIES, y_step);
}

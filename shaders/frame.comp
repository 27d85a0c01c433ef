#version 450
#extension GL_GOOGLE_include_directive : require
/* A frame, as cameras and decoders deliver it, into the input: bilinear taps, colour matrix, normalisation, and padding around. An invocation makes all
 * channels of four neighbours in a line, with the float operations of core/vision/preprocess.c in their order. Dispatch: the input's lines x fours.
 *
 * In place of the weights lie tables and the rows that are needed, as words (core/vulkan/picture.c). */
#include "common.glsl"
#include "typed.glsl"
#include "push/frame.h"

layout(constant_id = 1) const int TYPE = 1;        /* of the input */
layout(constant_id = 2) const int COMPONENTS = 3;  /* of the frame that are wanted: luma, or Y, U, V, or R, G, B */
layout(constant_id = 3) const int CHANNELS = 3;    /* of the input */
layout(constant_id = 4) const bool YUV = false;
layout(constant_id = 5) const bool BGR = false;    /* the input's order */
/* By component: its sampler, its byte in a sample, and bytes to the right neighbour. */
layout(constant_id = 6) const int SAMPLER_1 = 0;
layout(constant_id = 7) const int SAMPLER_2 = 0;
layout(constant_id = 8) const int BYTE_0 = 0;
layout(constant_id = 9) const int BYTE_1 = 0;
layout(constant_id = 10) const int BYTE_2 = 0;
layout(constant_id = 11) const int STEP_0 = 1;
layout(constant_id = 12) const int STEP_1 = 1;
layout(constant_id = 13) const int STEP_2 = 1;
layout(constant_id = 14) const bool ALIGNED = false; /* fours of a channel may be written at once */

#ifdef FV_TEXEL
layout(set = 0, binding = 5, r32ui) uniform readonly uimageBuffer sample_texels;
uint word(int at) { return imageLoad(sample_texels, at).x; }
#else
uint word(int at) { return weight_words[at]; }
#endif
float lerp(float a, float b, float weight) {
  precise float mixed = a + (b - a) * weight;
  return mixed;
}
vec3 lerp(vec3 a, vec3 b, float weight) { return vec3(lerp(a.x, b.x, weight), lerp(a.y, b.y, weight), lerp(a.z, b.z, weight)); }

float byte_at(int at) { return float(bitfieldExtract(word(at >> 2), (at & 3) * 8, 8)); }

/* Some bytes of the sample at a position. Rows begin at words: only samples of three bytes lie across two. */
vec3 sample_at(int at, int size, ivec3 bytes) {
  if (size == 3) return vec3(byte_at(at + bytes.x), byte_at(at + bytes.y), byte_at(at + bytes.z));
  uint all = word(at >> 2);
  ivec3 shift = (ivec3(at & 3) + bytes) * 8;
  return vec3(bitfieldExtract(all, shift.x, 8), bitfieldExtract(all, shift.y, 8), bitfieldExtract(all, shift.z, 8));
}

/* Where a line's taps lie. */
struct Line {
  int table, upper, lower;
  float down;
};
Line line_of(int table, int y) {
  int at = table + 2 * push.columns + y;
  return Line(table, int(word(at)), int(word(at + push.lines)), uintBitsToFloat(word(at + 2 * push.lines)));
}

/* Up to three components of one sampler; those that are not wanted repeat another. */
vec3 taps(Line line, int step, ivec3 bytes, int x) {
  int left = int(word(line.table + x)), upper = line.upper + left, lower = line.lower + left;
  float across = uintBitsToFloat(word(line.table + push.columns + x));
  vec3 top = lerp(sample_at(upper, step, bytes), sample_at(upper + step, step, bytes), across);
  return lerp(top, lerp(sample_at(lower, step, bytes), sample_at(lower + step, step, bytes), across), line.down);
}

float clamp_byte(float v) { return min(max(v, 0), 255); }

vec3 colour(vec3 v) {
  precise float y = (v.x - push.offset) * push.gain, u = v.y - 128, w = v.z - 128;
  precise float red = y + w * push.red_v, green = y + u * push.green_u + w * push.green_v, blue = y + u * push.blue_u;
  return vec3(clamp_byte(red), clamp_byte(green), clamp_byte(blue));
}

float plain(float v) {
  precise float scaled = (v - push.offset) * push.gain;
  return clamp_byte(scaled);
}

float luma(vec3 v) {
  precise float gray = v.x * 0.299 + v.y * 0.587 + v.z * 0.114;
  return plain(gray);
}

float normalised(int channel, float pixel) {
  precise float value = (pixel - push.mean[channel]) * push.scale[channel];
  return value;
}

vec3 pixel(Line lines[3], int x) {
  vec3 v = taps(lines[0], STEP_0, SAMPLER_2 == 0 ? ivec3(BYTE_0, BYTE_1, BYTE_2) : ivec3(BYTE_0), x);
  if (SAMPLER_1 != 0) v.yz = taps(lines[1], STEP_1, ivec3(BYTE_1, BYTE_2, BYTE_2), x).xy;
  if (SAMPLER_2 > SAMPLER_1) v.z = taps(lines[2], STEP_2, ivec3(BYTE_2), x).x;
  if (CHANNELS == 1) return vec3(normalised(0, COMPONENTS == 3 ? luma(v) : plain(v.x)));
  v = YUV ? colour(v) : vec3(plain(v.x), plain(v.y), plain(v.z));
  return vec3(normalised(0, BGR ? v.z : v.x), normalised(1, v.y), normalised(2, BGR ? v.x : v.z));
}

void put(int at, float value) {
  if (TYPE == TYPE_F32) store(at, value);
  else store_bits(TYPE, at, uvec2(int(value + 0.5) - (TYPE == TYPE_I8 ? 128 : 0), 0));
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.width + 3) >> 2, y = divide(id, fours), first = (id - y * fours) * 4;
  vec4 made[3] = vec4[3](vec4(push.pad[0]), vec4(push.pad[1]), vec4(push.pad[2]));
  if (y >= push.top && y < push.top + push.lines) {
    Line lines[3];
    lines[0] = line_of(push.table[0], y - push.top);
    if (SAMPLER_1 != 0) lines[1] = line_of(push.table[SAMPLER_1], y - push.top);
    if (SAMPLER_2 > SAMPLER_1) lines[2] = line_of(push.table[SAMPLER_2], y - push.top);
    [[unroll]] for (int i = 0; i < 4; i++) {
      int x = first + i - push.left;
      vec3 value = pixel(lines, clamp(x, 0, push.columns - 1));
      [[unroll]] for (int c = 0; c < CHANNELS; c++)
        if (x >= 0 && x < push.columns) made[c][i] = value[c];
    }
  }
  int at = push.y_at + y * push.row_step + first * push.column_step, count = min(push.width - first, 4);
  [[unroll]] for (int c = 0; c < CHANNELS; c++, at += push.channel_step) {
    if (ALIGNED && count == 4) store4(at, made[c]);
    else [[unroll]] for (int i = 0; i < 4; i++) if (i < count) put(at + i * push.column_step, made[c][i]);
  }
}

#version 450
#extension GL_GOOGLE_include_directive : require
/* A frame, as cameras and decoders deliver it, into the input: bilinear taps, colour matrix, normalisation, and padding around. An invocation makes all
 * channels of one pixel, with the float operations of core/vision/preprocess.c in their order. Dispatch: the input's pixels.
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

#ifdef FV_TEXEL
layout(set = 0, binding = 5) uniform usamplerBuffer sample_texels;
uint word(int at) { return texelFetch(sample_texels, at).x; }
#else
uint word(int at) { return weight_words[at]; }
#endif
float byte_at(int at) { return float(bitfieldExtract(word(at >> 2), (at & 3) * 8, 8)); }

float lerp(float a, float b, float weight) {
  precise float mixed = a + (b - a) * weight;
  return mixed;
}

float taps(int table, int byte, int step, int x, int y) {
  int left = int(word(table + x)), lines = table + 2 * push.columns + y;
  float across = uintBitsToFloat(word(table + push.columns + x)), down = uintBitsToFloat(word(lines + 2 * push.lines));
  int upper = int(word(lines)) + left + byte, lower = int(word(lines + push.lines)) + left + byte;
  return lerp(lerp(byte_at(upper), byte_at(upper + step), across), lerp(byte_at(lower), byte_at(lower + step), across), down);
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

void put(int at, int channel, float value) {
  at += channel * push.channel_step;
  if (TYPE == TYPE_F32) store(at, value);
  else store_bits(TYPE, at, uvec2(int(value + 0.5) - (TYPE == TYPE_I8 ? 128 : 0), 0));
}

void put_pixel(int at, int channel, float pixel) {
  precise float value = (pixel - push.mean[channel]) * push.scale[channel];
  put(at, channel, value);
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int y = divide(id, push.width), x = id - y * push.width;
  int at = push.y_at + y * push.row_step + x * push.column_step;
  x -= push.left;
  y -= push.top;
  if (x < 0 || y < 0 || x >= push.columns || y >= push.lines) {
    for (int c = 0; c < CHANNELS; c++) put(at, c, push.pad[c]);
    return;
  }
  const int first = push.table[0], second = push.table[SAMPLER_1], third = push.table[SAMPLER_2];
  vec3 v = vec3(taps(first, BYTE_0, STEP_0, x, y));
  if (COMPONENTS == 3) v.yz = vec2(taps(second, BYTE_1, STEP_1, x, y), taps(third, BYTE_2, STEP_2, x, y));
  if (CHANNELS == 1) {
    put_pixel(at, 0, COMPONENTS == 3 ? luma(v) : plain(v.x));
    return;
  }
  v = YUV ? colour(v) : vec3(plain(v.x), plain(v.y), plain(v.z));
  put_pixel(at, 0, BGR ? v.z : v.x);
  put_pixel(at, 1, v.y);
  put_pixel(at, 2, BGR ? v.x : v.z);
}

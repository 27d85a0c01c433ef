/* The second half of a row, written once: each instruction set compiles it with its own flags, and the compiler vectorises the plain loops. */
#ifndef FOVEA_VISION_SAMPLE_MIX_H
#define FOVEA_VISION_SAMPLE_MIX_H

#include "vision/sample.h"

static inline float fv_clamp_byte(float v) {
  v = v > 0.0f ? v : 0.0f;
  return v < 255.0f ? v : 255.0f;
}

static inline float fv_lerp(float a, float b, float weight) { return a + (b - a) * weight; }

static inline void fv_sample_columns(const FvRowSampler *sampler, const uint8_t *row, float *const out[3], int begin) {
  for (int k = 0; k < sampler->components; k++) {
    const uint8_t *left = row + sampler->byte[k], *right = left + sampler->step;
    float *to = out[k];
    for (int x = begin; x < sampler->count; x++) {
      int32_t at = sampler->offset[x];
      to[x] = fv_lerp(left[at], right[at], sampler->weight[x]);
    }
  }
}

/* One colour of R, G, B from Y, U and V rows, normalised. */
static inline void fv_mix_yuv_channel(const FvRowMix *m, float u_gain, float v_gain, float mean, float scale, float *restrict out) {
  const float *restrict y0 = m->top[0], *restrict y1 = m->bottom[0], *restrict u0 = m->top[1], *restrict u1 = m->bottom[1];
  const float *restrict v0 = m->top[2], *restrict v1 = m->bottom[2];
  float wy = m->weight[0], wu = m->weight[1], wv = m->weight[2], gain = m->gain, offset = m->offset;
  for (int x = 0; x < m->count; x++) {
    float y = (fv_lerp(y0[x], y1[x], wy) - offset) * gain;
    float u = fv_lerp(u0[x], u1[x], wu) - 128.0f, v = fv_lerp(v0[x], v1[x], wv) - 128.0f;
    out[x] = (fv_clamp_byte(y + u * u_gain + v * v_gain) - mean) * scale;
  }
}

static inline void fv_mix_plain_channel(const FvRowMix *m, int component, float mean, float scale, float *restrict out) {
  const float *restrict top = m->top[component], *restrict bottom = m->bottom[component];
  float weight = m->weight[component], gain = m->gain, offset = m->offset;
  for (int x = 0; x < m->count; x++)
    out[x] = (fv_clamp_byte((fv_lerp(top[x], bottom[x], weight) - offset) * gain) - mean) * scale;
}

/* Luma of R, G, B: BT.601's weights, as image libraries make gray. */
static inline void fv_mix_rgb_gray(const FvRowMix *m, float *restrict out) {
  const float *restrict r0 = m->top[0], *restrict r1 = m->bottom[0], *restrict g0 = m->top[1], *restrict g1 = m->bottom[1];
  const float *restrict b0 = m->top[2], *restrict b1 = m->bottom[2];
  float weight = m->weight[0], gain = m->gain, offset = m->offset, mean = m->mean[0], scale = m->scale[0];
  for (int x = 0; x < m->count; x++) {
    float r = fv_lerp(r0[x], r1[x], weight), g = fv_lerp(g0[x], g1[x], weight), b = fv_lerp(b0[x], b1[x], weight);
    float gray = r * 0.299f + g * 0.587f + b * 0.114f;
    out[x] = (fv_clamp_byte((gray - offset) * gain) - mean) * scale;
  }
}

static inline void fv_mix_rows(const FvRowMix *m) {
  const float u_gain[3] = {0, m->green_u, m->blue_u}, v_gain[3] = {m->red_v, m->green_v, 0};
  for (int c = 0; c < m->channels; c++) {
    int colour = m->order[c];
    if (m->channels == 1 && !m->yuv && m->top[1])
      fv_mix_rgb_gray(m, m->out[c]);
    else if (m->yuv && m->channels == 3)
      fv_mix_yuv_channel(m, u_gain[colour], v_gain[colour], m->mean[c], m->scale[c], m->out[c]);
    else
      fv_mix_plain_channel(m, m->top[1] && !m->yuv ? colour : 0, m->mean[c], m->scale[c], m->out[c]);
  }
}

#endif

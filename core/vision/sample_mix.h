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

/* R, G and B from Y, U and V rows, normalised. Every pointer is a restrict parameter, else compilers see too many possible overlaps to vectorise;
 * norm holds mean and scale of R, G, B. */
static inline void fv_mix_yuv_rows(const FvRowMix *m, const float norm[6], const float *restrict y0, const float *restrict y1, const float *restrict u0,
                                   const float *restrict u1, const float *restrict v0, const float *restrict v1, float *restrict red,
                                   float *restrict green, float *restrict blue) {
  float wy = m->weight[0], wu = m->weight[1], wv = m->weight[2], gain = m->gain, offset = m->offset;
  float red_v = m->red_v, green_u = m->green_u, green_v = m->green_v, blue_u = m->blue_u;
  float mean_r = norm[0], scale_r = norm[1], mean_g = norm[2], scale_g = norm[3], mean_b = norm[4], scale_b = norm[5];
  int count = m->count;
  for (int x = 0; x < count; x++) {
    float y = (fv_lerp(y0[x], y1[x], wy) - offset) * gain;
    float u = fv_lerp(u0[x], u1[x], wu) - 128.0f, v = fv_lerp(v0[x], v1[x], wv) - 128.0f;
    red[x] = (fv_clamp_byte(y + v * red_v) - mean_r) * scale_r;
    green[x] = (fv_clamp_byte(y + u * green_u + v * green_v) - mean_g) * scale_g;
    blue[x] = (fv_clamp_byte(y + u * blue_u) - mean_b) * scale_b;
  }
}

static inline void fv_mix_yuv(const FvRowMix *m) {
  float norm[6], *out[3];
  for (int c = 0; c < 3; c++) {
    int colour = m->order[c];
    out[colour] = m->out[c];
    norm[2 * colour] = m->mean[c];
    norm[2 * colour + 1] = m->scale[c];
  }
  fv_mix_yuv_rows(m, norm, m->top[0], m->bottom[0], m->top[1], m->bottom[1], m->top[2], m->bottom[2], out[0], out[1], out[2]);
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
  int components = m->yuv || !m->top[1] ? 1 : 3; /* that make a plain channel */
  if (m->yuv && m->channels == 3) {
    fv_mix_yuv(m);
  } else if (m->channels == 1 && components == 3) {
    fv_mix_rgb_gray(m, m->out[0]);
  } else {
    for (int c = 0; c < m->channels; c++) fv_mix_plain_channel(m, components == 3 ? m->order[c] : 0, m->mean[c], m->scale[c], m->out[c]);
  }
}

#endif

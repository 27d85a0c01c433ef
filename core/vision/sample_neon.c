/* NEON has no gather: taps are loaded one by one, four columns are mixed together. */
#include <arm_neon.h>

#include "base/cpu.h"
#include "vision/sample_mix.h"

static void sample_neon(const FvRowSampler *s, const uint8_t *row, float *const out[3]) {
  int vectors = s->count & ~3;
  for (int k = 0; k < s->components; k++) {
    const uint8_t *left = row + s->byte[k], *right = left + s->step;
    for (int x = 0; x < vectors; x += 4) {
      const int32_t *at = s->offset + x;
      uint16x4_t a = {left[at[0]], left[at[1]], left[at[2]], left[at[3]]};
      uint16x4_t b = {right[at[0]], right[at[1]], right[at[2]], right[at[3]]};
      float32x4_t from = vcvtq_f32_u32(vmovl_u16(a)), to = vcvtq_f32_u32(vmovl_u16(b));
      float32x4_t part = vmulq_f32(vsubq_f32(to, from), vld1q_f32(s->weight + x));
      vst1q_f32(out[k] + x, vaddq_f32(from, part));
    }
  }
  fv_sample_columns(s, row, out, vectors);
}

static void mix_neon(const FvRowMix *mix) { fv_mix_rows(mix); }

const FvSampleKernels fv_sample_kernels_neon = {"neon", FV_CPU_NEON, sample_neon, mix_neon};

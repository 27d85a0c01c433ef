#include "vision/sample.h"

#include <stddef.h>

#include "vision/sample_mix.h"

static void sample_reference(const FvRowSampler *sampler, const uint8_t *row, float *const out[3]) { fv_sample_columns(sampler, row, out, 0); }
static void mix_reference(const FvRowMix *mix) { fv_mix_rows(mix); }

const FvSampleKernels fv_sample_kernels_reference = {"reference", 0, sample_reference, mix_reference};

static const FvSampleKernels *const kernels[] = {
#if defined(__x86_64__)
  &fv_sample_kernels_avx2,
#endif
#if defined(__aarch64__)
  &fv_sample_kernels_neon,
#endif
  &fv_sample_kernels_reference,
};

const FvSampleKernels *fv_sample_kernels_at(int index) {
  return index >= 0 && index < (int)(sizeof kernels / sizeof kernels[0]) ? kernels[index] : NULL;
}

const FvSampleKernels *fv_sample_kernels_select(unsigned flags) {
  int i = 0;
  while ((kernels[i]->cpu & flags) != kernels[i]->cpu) i++;
  return kernels[i];
}

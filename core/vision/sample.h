/* The inner loops of preprocessing, one set per instruction set.
 *
 * All sets give the same bits: the same float operations in the same order, no fused multiply-add. A frame is read plane by plane; in a plane,
 * output column x mixes two neighbouring source samples. */
#ifndef FOVEA_VISION_SAMPLE_H
#define FOVEA_VISION_SAMPLE_H

#include <stdint.h>

enum { FV_SAMPLE_MAX_COMPONENTS = 3 };

/* How one plane's rows are sampled along x. */
typedef struct FvRowSampler {
  int count;        /* output columns */
  int safe;         /* the first columns whose taps may be read as two 32-bit words at offset and offset + step, without leaving the row */
  int step;         /* bytes to the right neighbour, 0 in a plane one sample wide */
  int components;   /* 1 to 3 */
  int byte[FV_SAMPLE_MAX_COMPONENTS]; /* of each component in its sample group, 0 to 3 */
  int32_t *offset;  /* bytes from the row's first byte to the left sample */
  float *weight;    /* of the right neighbour, 0..1 */
} FvRowSampler;

/* A group of components that are sampled together. */
enum { FV_MAX_SAMPLERS = 3 };
typedef struct FvPlaneSampler {
  FvRowSampler across;
  int plane;           /* of the frame */
  int first;           /* component number of across.byte[0] */
  int rows, row_step;  /* row_step: 1, or 0 in a plane of one row */
  int32_t *row;        /* upper source row of each output row */
  float *row_weight;   /* of the row below it */
} FvPlaneSampler;

/* Two sampled rows per component and what is made of them. Luma, or red, is component 0. */
typedef struct FvRowMix {
  const float *top[3], *bottom[3];
  float weight[3]; /* of bottom */
  int count;
  int yuv;         /* components are Y, U, V, else R, G, B */
  float gain, offset;                    /* of Y (and of R, G, B): (v - offset) * gain */
  float red_v, green_u, green_v, blue_u; /* of U - 128 and V - 128 */
  int channels;    /* 3, or 1 for gray */
  int order[3];    /* output channel c takes colour order[c] of R, G, B */
  float mean[3], scale[3]; /* output = (colour - mean) * scale, of output channel c */
  float *out[3];   /* count values each */
} FvRowMix;

typedef struct FvSampleKernels {
  const char *name;
  unsigned cpu; /* FvCpuFlags that must all be there */
  /* out[k][x] = a + (b - a) * weight[x] */
  void (*sample)(const FvRowSampler *sampler, const uint8_t *row, float *const out[3]);
  /* top + (bottom - top) * weight, to clamped RGB, to normalised output channels */
  void (*mix)(const FvRowMix *mix);
} FvSampleKernels;

/* Best first, the reference last; those that were not compiled in are absent. */
const FvSampleKernels *fv_sample_kernels_at(int index);
/* The best among those that flags (FvCpuFlags) allow. */
const FvSampleKernels *fv_sample_kernels_select(unsigned flags);

extern const FvSampleKernels fv_sample_kernels_reference;
#if defined(__x86_64__)
extern const FvSampleKernels fv_sample_kernels_avx2;
#endif
#if defined(__aarch64__)
extern const FvSampleKernels fv_sample_kernels_neon;
#endif

#endif

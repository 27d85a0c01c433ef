/* Frame to input tensor in one pass: colour conversion, letterbox or stretch, bilinear sampling, normalisation.
 *
 * Sampling is bilinear with half-pixel centres and no antialiasing: source = (x + 0.5) * (source size / target size) - 0.5, clamped. */
#ifndef FOVEA_VISION_PREPROCESS_H
#define FOVEA_VISION_PREPROCESS_H

#include <fovea/description.h>
#include <fovea/frame.h>
#include <fovea/tensor.h>

#include "vision/sample.h"

/* Where a point of the input lies in the frame: frame = (input - offset) / scale, per axis; pixels, edges at 0 and width. */
typedef struct FvFrameMap {
  float scale_x, scale_y, offset_x, offset_y;
} FvFrameMap;

typedef struct FvPreprocessor FvPreprocessor;

int fv_preprocessor_create(const FvPreprocess *preprocess, FvPreprocessor **preprocessor, FvError *err);
void fv_preprocessor_destroy(FvPreprocessor **preprocessor);
/* Fills input ([1, C, H, W] or, when channels_last, [1, H, W, C]; f32, u8 or i8 (pixel - 128); any strides) from frame. Tables for the geometry are kept: it allocates
 * only when the frame's format or size differs from the last call's. threads: parts for the shared pool. */
int fv_preprocessor_run(FvPreprocessor *preprocessor, const FvFrame *frame, const FvTensor *input, int threads, FvFrameMap *map, FvError *err);

typedef struct FvRect {
  int x, y, width, height;
} FvRect;

/* The same work for a device that does it itself: which samples become which pixel, and what is made of them. */
typedef struct FvSampling {
  unsigned generation;             /* another number: tables and rectangle differ from before */
  const FvPlaneSampler *samplers;  /* the preprocessor's own, until its next geometry */
  int sampler_count;
  FvRect target;                   /* of the input; the rest is padding */
  FvRowMix mix;                    /* without rows */
  float pad[3];                    /* of output channel c, normalised */
  int64_t channel_stride, row_stride, column_stride; /* of the input, elements */
} FvSampling;
/* Fills sampling from the frame's geometry and colour; touches neither the frame's pixels nor the input's data. */
int fv_preprocessor_sampling(FvPreprocessor *preprocessor, const FvFrame *frame, const FvTensor *input, FvSampling *sampling, FvFrameMap *map, FvError *err);

#endif

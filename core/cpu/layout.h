/* Pictures as the kernels see them: four extents and four strides, whatever the tensor's rank. */
#ifndef FOVEA_CPU_LAYOUT_H
#define FOVEA_CPU_LAYOUT_H

#include <stdlib.h>

#include "cpu/kernel.h"
#include "ops/params.h"

typedef struct FvImage {
  int64_t n, c, h, w;
  int64_t sn, sc, sh, sw; /* elements */
} FvImage;

/* [N, C, L] is a picture of one row. */
static inline bool fv_image_of(const FvTensor *t, FvImage *image) {
  *image = (FvImage){0};
  if (t->rank != 3 && t->rank != 4) return false;
  int w = t->rank - 1;
  *image = (FvImage){t->dims[0], t->dims[1], 1, t->dims[w], t->strides[0], t->strides[1], 0, t->strides[w]};
  if (t->rank == 4) {
    image->h = t->dims[2];
    image->sh = t->strides[2];
  }
  return true;
}

static inline bool fv_image_channels_last(const FvImage *i) { return i->sc == 1 || i->c <= 1; }

/* The one distance between neighbouring pixels in reading order over the whole batch, or 0 when there is none. Extents of 1 have no say. */
static inline int64_t fv_image_pixel_stride(const FvImage *i) {
  int64_t p = i->w > 1 ? i->sw : i->h > 1 ? i->sh : i->n > 1 ? i->sn : i->c;
  if (i->h > 1 && i->sh != i->w * p) return 0;
  if (i->n > 1 && i->sn != i->h * i->w * p) return 0;
  return p;
}

/* A dense channels-last picture: rows of pixels one stride apart, each with its channels together. */
static inline bool fv_image_rows(const FvTensor *t, FvImage *image, int64_t *pixel_stride) {
  if (!fv_image_of(t, image) || !fv_image_channels_last(image)) return false;
  *pixel_stride = fv_image_pixel_stride(image);
  return *pixel_stride >= image->c;
}

typedef struct FvWindow2 {
  int64_t kh, kw, sh, sw, dh, dw, top, left;
} FvWindow2;

static inline bool fv_window2(const FvWindow *w, FvWindow2 *out) {
  if (w->spatial_rank == 1) {
    *out = (FvWindow2){1, w->kernel[0], 1, w->stride[0], 1, w->dilation[0], 0, w->pad_begin[0]};
    return true;
  }
  if (w->spatial_rank != 2) return false;
  *out = (FvWindow2){w->kernel[0], w->kernel[1], w->stride[0], w->stride[1], w->dilation[0], w->dilation[1], w->pad_begin[0], w->pad_begin[1]};
  return true;
}

static inline const FvTensor *fv_call_input(const FvKernelCall *c, int index) { return index < c->node->input_count ? c->in[index] : NULL; }
static inline FvKernelQuery fv_call_query(const FvKernelCall *c) {
  return (FvKernelQuery){c->node, c->in, (const FvTensor *const *)c->out};
}
static inline bool fv_is_f32(const FvTensor *t) { return t && t->dtype == FV_DTYPE_F32; }
static inline int64_t fv_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t fv_max_i64(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t fv_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif

/* f32 depthwise convolution (one filter per channel), channels-last, any kernel, stride, dilation and padding.
 *
 * A vector of channels walks along an output line, four pixels at a time, so that a weight is loaded once for four products. Lines above
 * and below the picture are read from one pixel of zeros with a step of 0; only columns whose window hangs over the left or right edge take
 * the slow path. packed: zero pixel [C padded] | bias [C padded] | weights [taps][C padded]. */
#include "cpu/families.h"
#include "cpu/layout.h"
#include "cpu/simd.h"

#include "base/threads.h"

enum { MAX_LINES = 16, BLOCK = 4 };

typedef struct Depthwise {
  FvImage in, out;
  int64_t out_pixel, residual_pixel;
  FvWindow2 window;
  int64_t padded; /* channels, up to a multiple of 16 with 16 to spare: whole vectors can be read from any channel */
} Depthwise;

static bool describe(const FvKernelQuery *q, Depthwise *d) {
  const FvTensor *x = q->in[0], *w = q->in[1], *residual = fv_query_input(q, 3);
  const FvConvParams *params = q->node->params;
  if (!fv_is_f32(x) || !fv_is_f32(w) || !fv_is_f32(q->out[0]) || !fv_window2(&params->window, &d->window)) return false;
  if (!fv_image_of(x, &d->in) || !fv_image_rows(q->out[0], &d->out, &d->out_pixel)) return false;
  FvImage r;
  d->residual_pixel = 0;
  if (residual && (!fv_is_f32(residual) || !fv_image_rows(residual, &r, &d->residual_pixel))) return false;
  d->padded = (d->in.c + 31) / 16 * 16;
  return params->group == d->in.c && d->in.c == d->out.c && fv_image_channels_last(&d->in) && d->window.kh <= MAX_LINES;
}

static bool suits(const FvKernelQuery *q) {
  Depthwise d;
  const FvTensor *bias = fv_query_input(q, 2);
  if (!q->in[1] || !q->in[1]->data || (bias && (!bias->data || !fv_is_f32(bias))) || !describe(q, &d)) return false;
  return FV_LANES <= 8 || fv_ceil_div(d.in.c, FV_LANES) * FV_LANES * 3 <= fv_ceil_div(d.in.c, 8) * 8 * 4;
}

static size_t packed_size(const FvKernelQuery *q) {
  Depthwise d;
  describe(q, &d);
  return (size_t)(d.padded * (2 + d.window.kh * d.window.kw)) * sizeof(float);
}

static void pack(const FvKernelQuery *q, void *packed) {
  Depthwise d;
  describe(q, &d);
  const FvTensor *w = q->in[1], *b = fv_query_input(q, 2);
  float *bias = (float *)packed + d.padded, *weights = bias + d.padded;
  int64_t sh = w->rank == 4 ? w->strides[2] : 0, sw = w->strides[w->rank - 1];
  for (int64_t c = 0; c < d.in.c; c++) {
    const float *from = (const float *)w->data + c * w->strides[0];
    if (b) bias[c] = ((const float *)b->data)[c * b->strides[0]];
    for (int64_t ky = 0; ky < d.window.kh; ky++)
      for (int64_t kx = 0; kx < d.window.kw; kx++) weights[(ky * d.window.kw + kx) * d.padded + c] = from[ky * sh + kx * sw];
  }
}

/* What one vector of channels needs along one output line. */
typedef struct Line {
  const float *in[MAX_LINES]; /* at input column 0 */
  int64_t step[MAX_LINES];    /* floats per input column; 0 for a line of zeros */
  const float *weights, *bias;
  float *out;
  const float *residual; /* or NULL */
  long lanes;            /* valid channels */
} Line;

FV_INLINE void put(const Depthwise *d, const Line *line, const FvEpilogue *e, int64_t ox, FvVec acc) {
  if (line->residual) acc = fv_add(acc, fv_load(line->residual + ox * d->residual_pixel));
  acc = fv_epilogue_apply(e, acc);
  if (line->lanes >= FV_LANES)
    fv_store(line->out + ox * d->out_pixel, acc);
  else
    fv_store_n(line->out + ox * d->out_pixel, acc, line->lanes);
}

static void edge(const Depthwise *d, const Line *line, const FvEpilogue *e, int64_t ox) {
  const FvWindow2 *w = &d->window;
  FvVec acc = fv_load(line->bias);
  for (int64_t kx = 0; kx < w->kw; kx++) {
    int64_t ix = ox * w->sw - w->left + kx * w->dw;
    if (ix < 0 || ix >= d->in.w) continue;
    for (int64_t ky = 0; ky < w->kh; ky++)
      acc = fv_fma(fv_load(line->in[ky] + ix * line->step[ky]), fv_load(line->weights + (ky * w->kw + kx) * d->padded), acc);
  }
  put(d, line, e, ox, acc);
}

/* kh and kw are constants where the caller has a common size: the loops unroll and the weights stay in registers. */
FV_INLINE void inside(const Depthwise *d, const Line *line, const FvEpilogue *e, int64_t begin, int64_t end, const int64_t kh, const int64_t kw) {
  const FvWindow2 *w = &d->window;
  int64_t ox = begin;
  for (; ox + BLOCK <= end; ox += BLOCK) {
    FvVec bias = fv_load(line->bias), a0 = bias, a1 = bias, a2 = bias, a3 = bias;
    int64_t ix = ox * w->sw - w->left;
    for (int64_t ky = 0; ky < kh; ky++) {
      int64_t step = line->step[ky], next = step * w->sw;
      const float *p = line->in[ky] + ix * step, *weights = line->weights + ky * kw * d->padded;
      for (int64_t kx = 0; kx < kw; kx++, p += step * w->dw, weights += d->padded) {
        FvVec v = fv_load(weights);
        a0 = fv_fma(fv_load(p), v, a0);
        a1 = fv_fma(fv_load(p + next), v, a1);
        a2 = fv_fma(fv_load(p + 2 * next), v, a2);
        a3 = fv_fma(fv_load(p + 3 * next), v, a3);
      }
    }
    put(d, line, e, ox, a0);
    put(d, line, e, ox + 1, a1);
    put(d, line, e, ox + 2, a2);
    put(d, line, e, ox + 3, a3);
  }
  for (; ox < end; ox++) edge(d, line, e, ox);
}

static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Depthwise d;
  describe(&q, &d);
  const FvWindow2 *w = &d.window;
  const FvTensor *residual = fv_call_input(call, 3);
  const float *zero = call->packed, *bias = zero + d.padded, *weights = bias + d.padded;
  FvEpilogue e = fv_epilogue(call->node->activation);
  /* Columns whose window lies inside: ox * sw - left >= 0 and ox * sw - left + (kw - 1) * dw < in.w. */
  int64_t begin = fv_min_i64(fv_max_i64(fv_ceil_div(w->left, w->sw), 0), d.out.w);
  int64_t room = d.in.w - 1 - (w->kw - 1) * w->dw + w->left, end = room < 0 ? 0 : room / w->sw + 1;
  end = fv_max_i64(fv_min_i64(end, d.out.w), begin);
  FvRange range = fv_split(d.out.n * d.out.h, 1, call->part, call->parts);
  for (int64_t i = range.begin; i < range.end; i++) {
    int64_t n = i / d.out.h, y0 = i % d.out.h * w->sh - w->top;
    const float *image = (const float *)call->in[0]->data + n * d.in.sn;
    for (int64_t c = 0; c < d.in.c; c += FV_LANES) {
      Line line = {.weights = weights + c, .bias = bias + c, .lanes = d.in.c - c,
                   .out = (float *)call->out[0]->data + i * d.out.w * d.out_pixel + c,
                   .residual = residual ? (const float *)residual->data + i * d.out.w * d.residual_pixel + c : NULL};
      for (int64_t ky = 0; ky < w->kh; ky++) {
        int64_t iy = y0 + ky * w->dh;
        bool there = iy >= 0 && iy < d.in.h;
        line.in[ky] = there ? image + iy * d.in.sh + c : zero + c;
        line.step[ky] = there ? d.in.sw : 0;
      }
      for (int64_t ox = 0; ox < begin; ox++) edge(&d, &line, &e, ox);
      if (w->kh == 3 && w->kw == 3)
        inside(&d, &line, &e, begin, end, 3, 3);
      else if (w->kh == 5 && w->kw == 5)
        inside(&d, &line, &e, begin, end, 5, 5);
      else
        inside(&d, &line, &e, begin, end, w->kh, w->kw);
      for (int64_t ox = end; ox < d.out.w; ox++) edge(&d, &line, &e, ox);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_depthwise)[] = {
  {FV_KERNEL_NAME("conv_f32_depthwise"), FV_OP_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, NULL, run},
  {0},
};

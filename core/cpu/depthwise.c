/* f32 depthwise convolution (one filter per channel), channels-last, any kernel, stride, dilation and padding.
 *
 * Four neighbouring output pixels at a time, all their channels one vector after the other: memory is read in order, and a weight is loaded
 * once for four products. Lines above and below the picture are read from one pixel of zeros with a step of 0; only columns whose window
 * hangs over the left or right edge take the slow path. packed: zero pixel [C padded] | bias [C padded] | weights [C / LANES][taps][LANES]. */
#include "cpu/families.h"
#include "cpu/layout.h"
#include "cpu/simd.h"

#include "base/threads.h"

enum { MAX_LINES = 16, MAX_TAPS = 128, BLOCK = 4 };

typedef struct Depthwise {
  FvImage in, out;
  int64_t out_pixel, residual_pixel;
  FvWindow2 window;
  int64_t taps;
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
  d->taps = d->window.kh * d->window.kw;
  d->padded = (d->in.c + 31) / 16 * 16;
  return params->group == d->in.c && d->in.c == d->out.c && fv_image_channels_last(&d->in) && d->window.kh <= MAX_LINES && d->taps <= MAX_TAPS;
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
  return (size_t)(d.padded * (2 + d.taps)) * sizeof(float);
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
      for (int64_t kx = 0; kx < d.window.kw; kx++) weights[(c / FV_LANES * d.taps + ky * d.window.kw + kx) * FV_LANES + c % FV_LANES] = from[ky * sh + kx * sw];
  }
}

typedef struct Line {
  const float *in[MAX_LINES]; /* of each kernel line, at input column 0 */
  int64_t step[MAX_LINES];    /* floats per input column; 0 for a line of zeros */
  const float *weights, *bias;
  float *out;
  const float *residual; /* or NULL */
  FvEpilogue epilogue;
} Line;

FV_INLINE void put(const Depthwise *d, const Line *line, int64_t ox, int64_t c, FvVec acc) {
  if (line->residual) acc = fv_add(acc, fv_load(line->residual + ox * d->residual_pixel + c));
  acc = fv_min(fv_max(acc, fv_dup(line->epilogue.low)), fv_dup(line->epilogue.high));
  if (c + FV_LANES <= d->in.c)
    fv_store(line->out + ox * d->out_pixel + c, acc);
  else
    fv_store_n(line->out + ox * d->out_pixel + c, acc, d->in.c - c);
}

static void edge(const Depthwise *d, const Line *line, int64_t ox) {
  const FvWindow2 *w = &d->window;
  const float *at[MAX_TAPS];
  int64_t weight[MAX_TAPS], x0 = ox * w->sw - w->left;
  int valid = 0;
  for (int64_t ky = 0; ky < w->kh; ky++)
    for (int64_t kx = 0; kx < w->kw; kx++) {
      int64_t ix = x0 + kx * w->dw;
      if (ix < 0 || ix >= d->in.w || !line->step[ky]) continue;
      at[valid] = line->in[ky] + ix * line->step[ky];
      weight[valid++] = (ky * w->kw + kx) * FV_LANES;
    }
  for (int64_t c = 0; c < d->in.c; c += FV_LANES) {
    FvVec acc = fv_load(line->bias + c);
    const float *weights = line->weights + c * d->taps;
    for (int i = 0; i < valid; i++) acc = fv_fma(fv_load(at[i] + c), fv_load(weights + weight[i]), acc);
    put(d, line, ox, c, acc);
  }
}

/* One kernel line for four pixels: every input pixel is loaded once and goes into each output whose window holds it. kw and sw are
 * constants. The empty asm keeps the compiler from computing (and spilling) all addresses ahead of the loop over channels. */
FV_INLINE void add_line(FvVec acc[BLOCK], const float *p, int64_t step, const float *weights, const int64_t kw, const int64_t sw) {
  FvVec w[5];
#pragma GCC unroll 5
  for (int64_t kx = 0; kx < kw; kx++) w[kx] = fv_load(weights + kx * FV_LANES);
#pragma GCC unroll 16
  for (int64_t j = 0; j < (BLOCK - 1) * sw + kw; j++, p += step) {
    __asm__("" : "+r"(p));
    FvVec x = fv_load(p);
#pragma GCC unroll 4
    for (int64_t o = 0; o < BLOCK; o++)
      if (j - o * sw >= 0 && j - o * sw < kw) acc[o] = fv_fma(x, w[j - o * sw], acc[o]);
  }
}

/* The same for any kernel width, stride and dilation. */
FV_INLINE void add_any_line(FvVec acc[BLOCK], const float *p, int64_t step, const float *weights, const FvWindow2 *w) {
  int64_t next = step * w->sw;
  for (int64_t kx = 0; kx < w->kw; kx++, p += step * w->dw, weights += FV_LANES) {
    FvVec v = fv_load(weights);
#pragma GCC unroll 4
    for (int64_t o = 0; o < BLOCK; o++) acc[o] = fv_fma(fv_load(p + o * next), v, acc[o]);
  }
}

/* kw 0: whatever the window says. */
FV_INLINE void inside(const Depthwise *d, const Line *line, int64_t begin, int64_t end, const int64_t kw, const int64_t sw) {
  const FvWindow2 *w = &d->window;
  /* The last block reaches back over pixels that are done rather than leave some over; a residual may share the output's memory, so not then. */
  bool overlap = !line->residual && end - begin >= BLOCK;
  int64_t ox = begin;
  for (; ox < end; ox += BLOCK) {
    if (ox + BLOCK > end) {
      if (!overlap) break;
      ox = end - BLOCK;
    }
    const float *weights = line->weights, *at[MAX_LINES];
    for (int64_t ky = 0; ky < w->kh; ky++) at[ky] = line->in[ky] + (ox * w->sw - w->left) * line->step[ky];
    for (int64_t c = 0; c < d->in.c; c += FV_LANES) {
      FvVec acc[BLOCK];
#pragma GCC unroll 4
      for (int64_t o = 0; o < BLOCK; o++) acc[o] = fv_load(line->bias + c);
#pragma GCC unroll 1
      for (int64_t ky = 0; ky < w->kh; ky++, weights += w->kw * FV_LANES) {
        if (kw)
          add_line(acc, at[ky] + c, line->step[ky], weights, kw, sw);
        else
          add_any_line(acc, at[ky] + c, line->step[ky], weights, w);
      }
#pragma GCC unroll 4
      for (int64_t o = 0; o < BLOCK; o++) put(d, line, ox + o, c, acc[o]);
    }
  }
  for (; ox < end; ox++) edge(d, line, ox);
}

static void inside_any(const Depthwise *d, const Line *line, int64_t begin, int64_t end) {
  const FvWindow2 *w = &d->window;
  if (w->kw == 3 && w->sw == 1 && w->dw == 1)
    inside(d, line, begin, end, 3, 1);
  else if (w->kw == 3 && w->sw == 2 && w->dw == 1)
    inside(d, line, begin, end, 3, 2);
  else if (w->kw == 5 && w->sw == 1 && w->dw == 1)
    inside(d, line, begin, end, 5, 1);
  else if (w->kw == 5 && w->sw == 2 && w->dw == 1)
    inside(d, line, begin, end, 5, 2);
  else
    inside(d, line, begin, end, 0, 0);
}

/* The activations that are more than two bounds go over the finished line while it is in the cache. */
static void activate_line(const Depthwise *d, const Line *line) {
  float *out = line->out;
  for (int64_t ox = 0; ox < d->out.w; ox++, out += d->out_pixel) {
    int64_t c = 0;
    for (; c + FV_LANES <= d->in.c; c += FV_LANES) fv_store(out + c, fv_vec_activate(line->epilogue.activation, fv_load(out + c)));
    if (c < d->in.c) fv_store_n(out + c, fv_vec_activate(line->epilogue.activation, fv_load_n(out + c, d->in.c - c)), d->in.c - c);
  }
}

static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Depthwise d;
  describe(&q, &d);
  const FvWindow2 *w = &d.window;
  const FvTensor *residual = fv_call_input(call, 3);
  const float *zero = call->packed, *bias = zero + d.padded, *weights = bias + d.padded;
  Line line = {.weights = weights, .bias = bias, .epilogue = fv_epilogue(call->node->activation)};
  /* Columns whose window lies inside: 0 <= ox * sw - left and ox * sw - left + (kw - 1) * dw < in.w. */
  int64_t begin = fv_min_i64(fv_max_i64(fv_ceil_div(w->left, w->sw), 0), d.out.w);
  int64_t room = d.in.w - 1 - (w->kw - 1) * w->dw + w->left;
  int64_t end = fv_max_i64(fv_min_i64(room < 0 ? 0 : room / w->sw + 1, d.out.w), begin);
  FvRange range = fv_split(d.out.n * d.out.h, 1, call->part, call->parts);
  for (int64_t i = range.begin; i < range.end; i++) {
    int64_t n = i / d.out.h, y0 = i % d.out.h * w->sh - w->top;
    const float *image = (const float *)call->in[0]->data + n * d.in.sn;
    line.out = (float *)call->out[0]->data + i * d.out.w * d.out_pixel;
    line.residual = residual ? (const float *)residual->data + i * d.out.w * d.residual_pixel : NULL;
    for (int64_t ky = 0; ky < w->kh; ky++) {
      int64_t iy = y0 + ky * w->dh;
      bool there = iy >= 0 && iy < d.in.h;
      line.in[ky] = there ? image + iy * d.in.sh : zero;
      line.step[ky] = there ? d.in.sw : 0;
    }
    for (int64_t ox = 0; ox < begin; ox++) edge(&d, &line, ox);
    inside_any(&d, &line, begin, end);
    for (int64_t ox = end; ox < d.out.w; ox++) edge(&d, &line, ox);
    if (line.epilogue.curved) activate_line(&d, &line);
  }
}

const FvKernel FV_ISA(fv_kernels_depthwise)[] = {
  {FV_KERNEL_NAME("conv_f32_depthwise"), FV_OP_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, NULL, run},
  {0},
};

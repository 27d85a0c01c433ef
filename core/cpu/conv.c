/* f32 convolution as a matrix product over row pointers ("implicit GEMM"): a row of A is an output pixel, made of one pointer per kernel
 * position into the input, or to a row of zeros where the window hangs over the edge. A 1x1 convolution is the case of one position.
 *
 * packed: zero row [round_up(C, 16) + 16] | bias [group][vectors * LANES] | B panels [group], see tile.h. */
#include "cpu/families.h"
#include "cpu/layout.h"
#include "cpu/tile.h"

#include "base/threads.h"

typedef struct Conv {
  FvImage in, out;
  int64_t out_pixel, residual_pixel;
  FvWindow2 window;
  int64_t group, kc, columns; /* per group: input channels, output channels */
  int64_t taps, vectors;
  int64_t zero_size, bias_size, panel_size; /* floats; bias and panels per group */
} Conv;

static bool describe(const FvKernelQuery *q, Conv *c) {
  const FvTensor *x = q->in[0], *w = q->in[1], *residual = fv_query_input(q, 3);
  const FvConvParams *params = q->node->params;
  if (!fv_is_f32(x) || !fv_is_f32(w) || !fv_is_f32(q->out[0]) || !fv_window2(&params->window, &c->window)) return false;
  if (!fv_image_of(x, &c->in) || !fv_image_rows(q->out[0], &c->out, &c->out_pixel)) return false;
  FvImage r;
  c->residual_pixel = 0;
  if (residual && (!fv_is_f32(residual) || !fv_image_rows(residual, &r, &c->residual_pixel))) return false;
  c->group = params->group;
  c->kc = c->in.c / c->group;
  c->columns = c->out.c / c->group;
  c->taps = c->window.kh * c->window.kw;
  c->vectors = fv_ceil_div(c->columns, FV_LANES);
  c->zero_size = (c->in.c + 31) / 16 * 16;
  c->bias_size = fv_ceil_div(c->vectors * FV_LANES, 16) * 16;
  c->panel_size = fv_ceil_div(c->vectors * FV_LANES * c->taps * c->kc, 16) * 16;
  return true;
}

static bool constant_weights(const FvKernelQuery *q) {
  const FvTensor *bias = fv_query_input(q, 2);
  return q->in[1] && q->in[1]->data && (!bias || (bias->data && fv_is_f32(bias)));
}

/* Vectors of 16 columns leave up to 15 unused; the narrower instruction set is faster where a quarter and more would be wasted. */
static bool lanes_fit(const Conv *c) {
  if (FV_LANES <= 8) return true;
  return c->vectors * FV_LANES * 4 <= fv_ceil_div(c->columns, 8) * 8 * 5;
}

static bool suits(const FvKernelQuery *q) {
  Conv c;
  return constant_weights(q) && describe(q, &c) && fv_image_channels_last(&c.in) && c.kc >= 1 && lanes_fit(&c);
}

static size_t packed_size(const FvKernelQuery *q) {
  Conv c;
  describe(q, &c);
  return (size_t)(c.zero_size + c.group * (c.bias_size + c.panel_size)) * sizeof(float);
}

static void pack_group(const FvKernelQuery *q, const Conv *c, int64_t g, float *bias, float *panels) {
  const FvTensor *w = q->in[1], *b = fv_query_input(q, 2);
  int64_t sh = w->rank == 4 ? w->strides[2] : 0, sw = w->strides[w->rank - 1], depth = c->taps * c->kc;
  for (int64_t m = 0; m < c->columns; m++) {
    const float *from = (const float *)w->data + (g * c->columns + m) * w->strides[0];
    long base = fv_panel_index(c->vectors, depth, 0, m), step = fv_panel_index(c->vectors, depth, 1, m) - base;
    if (b) bias[m] = ((const float *)b->data)[(g * c->columns + m) * b->strides[0]];
    for (int64_t tap = 0; tap < c->taps; tap++)
      for (int64_t k = 0; k < c->kc; k++)
        panels[base + (tap * c->kc + k) * step] = from[k * w->strides[1] + tap / c->window.kw * sh + tap % c->window.kw * sw];
  }
}

static void pack(const FvKernelQuery *q, void *packed) {
  Conv c;
  describe(q, &c);
  float *bias = (float *)packed + c.zero_size, *panels = bias + c.group * c.bias_size;
  for (int64_t g = 0; g < c.group; g++) pack_group(q, &c, g, bias + g * c.bias_size, panels + g * c.panel_size);
}

static size_t scratch_size(const FvKernelQuery *q) {
  Conv c;
  describe(q, &c);
  return (size_t)(c.taps * FV_CHUNK) * sizeof(float *);
}

/* Pointers for output pixels [first, first + count), count <= FV_CHUNK, the last repeated so that whole tiles can be read. */
static void point_rows(const Conv *c, const float *x, const float *zero, int64_t first, int64_t count, const float **rows) {
  const FvWindow2 *w = &c->window;
  int64_t ox = first % c->out.w, oy = first / c->out.w % c->out.h, n = first / c->out.w / c->out.h;
  for (int64_t i = 0; i < count; i++) {
    int64_t y0 = oy * w->sh - w->top, x0 = ox * w->sw - w->left;
    const float *image = x + n * c->in.sn;
    const float **at = rows + i;
    for (int64_t ky = 0; ky < w->kh; ky++) {
      int64_t iy = y0 + ky * w->dh;
      bool inside = iy >= 0 && iy < c->in.h;
      const float *line = image + iy * c->in.sh;
      for (int64_t kx = 0; kx < w->kw; kx++, at += FV_CHUNK) {
        int64_t ix = x0 + kx * w->dw;
        *at = inside && ix >= 0 && ix < c->in.w ? line + ix * c->in.sw : zero;
      }
    }
    if (++ox == c->out.w) {
      ox = 0;
      if (++oy == c->out.h) oy = 0, n++;
    }
  }
  for (int64_t tap = 0; tap < c->taps; tap++)
    for (int64_t i = count; i < FV_CHUNK && i < count + 8; i++) rows[tap * FV_CHUNK + i] = rows[tap * FV_CHUNK + count - 1];
}

/* Parts share the pixels when there are enough of them, else the panels of output channels. */
static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Conv c;
  describe(&q, &c);
  const FvTensor *residual = fv_call_input(call, 3);
  const float *zero = call->packed, *bias = zero + c.zero_size, *panels = bias + c.group * c.bias_size;
  const float **rows = call->scratch;
  int64_t pixels = c.out.n * c.out.h * c.out.w;
  bool by_pixels = pixels >= 24 * call->parts;
  FvRange p = by_pixels ? fv_split(pixels, 24, call->part, call->parts) : (FvRange){0, pixels};
  long panel_count = fv_panel_count(c.vectors);
  FvRange v = by_pixels ? (FvRange){0, panel_count} : fv_split(panel_count, 1, call->part, call->parts);
  long vector_begin = fv_panel_begin(c.vectors, v.begin), vector_end = fv_panel_begin(c.vectors, v.end);
  FvTileJob job = {.taps = c.taps, .kc = c.kc, .rows = rows, .c_stride = c.out_pixel, .columns = c.columns,
                   .residual_stride = c.residual_pixel, .epilogue = fv_epilogue(call->node->activation)};
  for (int64_t i = p.begin; i < p.end; i += FV_CHUNK) {
    int64_t count = fv_min_i64(FV_CHUNK, p.end - i);
    point_rows(&c, call->in[0]->data, zero, i, count, rows);
    for (int64_t g = 0; g < c.group; g++) {
      job.a_offset = g * c.kc;
      job.b = panels + g * c.panel_size;
      job.bias = bias + g * c.bias_size;
      job.c = (float *)call->out[0]->data + i * c.out_pixel + g * c.columns;
      job.residual = residual ? (const float *)residual->data + i * c.residual_pixel + g * c.columns : NULL;
      fv_tile_panels(&job, count, vector_begin, vector_end);
    }
  }
}

/* ---- Few input channels (the first layer) -------------------------------------------------------------------------------------------
 * Rows of the window lie together when the input is copied, padded and channels-last, so a kernel of kh x kw over C channels becomes kh
 * positions of kw * C floats. The copy is a ring of input lines, each made once per part; it also takes planar input as it comes. */

typedef struct First {
  Conv conv;
  int64_t line;  /* floats of one padded line */
  int64_t lines; /* in the ring */
} First;

static void describe_first(const FvKernelQuery *q, First *f) {
  describe(q, &f->conv);
  Conv *c = &f->conv;
  const FvWindow2 *w = &c->window;
  f->line = ((c->out.w - 1) * w->sw + w->kw) * c->in.c;
  f->line = (f->line + 31) / 16 * 16;
  f->lines = w->kh;
}

static bool suits_first(const FvKernelQuery *q) {
  Conv c;
  return constant_weights(q) && describe(q, &c) && c.group == 1 && c.in.c <= 4 && c.window.dw == 1 && c.window.dh == 1 && c.window.kw > 1 &&
         c.window.kh <= 16 && c.out.w >= 1 && lanes_fit(&c);
}

static size_t packed_size_first(const FvKernelQuery *q) {
  First f;
  describe_first(q, &f);
  return (size_t)(f.conv.bias_size + f.conv.panel_size) * sizeof(float);
}

static void pack_first(const FvKernelQuery *q, void *packed) {
  First f;
  describe_first(q, &f);
  pack_group(q, &f.conv, 0, packed, (float *)packed + f.conv.bias_size);
}

static size_t scratch_size_first(const FvKernelQuery *q) {
  First f;
  describe_first(q, &f);
  return (size_t)(f.lines * f.line) * sizeof(float) + (size_t)(f.conv.window.kh * FV_CHUNK) * sizeof(float *);
}

/* One input line with its padding, channels together. */
static void fill_line(const First *f, const float *image, int64_t iy, float *line) {
  const Conv *c = &f->conv;
  const FvImage *in = &c->in;
  int64_t left = c->window.left, channels = in->c, width = f->line / channels;
  if (iy < 0 || iy >= in->h) {
    memset(line, 0, (size_t)f->line * sizeof *line);
    return;
  }
  const float *from = image + iy * in->sh;
  int64_t end = fv_min_i64(left + in->w, width), begin = fv_min_i64(left, end), skip = 0;
  if (begin < 0) skip = -begin, begin = 0;
  if (end < begin) end = begin;
  memset(line, 0, (size_t)(begin * channels) * sizeof *line);
  memset(line + end * channels, 0, (size_t)(f->line - end * channels) * sizeof *line);
  float *to = line + begin * channels;
  int64_t n = end - begin;
  from += skip * in->sw;
  if (in->sc == 1 && in->sw == channels) {
    memcpy(to, from, (size_t)(n * channels) * sizeof *to);
  } else if (channels == 3 && in->sw == 1) {
    for (int64_t i = 0; i < n; i++) {
      to[3 * i] = from[i];
      to[3 * i + 1] = from[i + in->sc];
      to[3 * i + 2] = from[i + 2 * in->sc];
    }
  } else {
    for (int64_t i = 0; i < n; i++)
      for (int64_t k = 0; k < channels; k++) to[i * channels + k] = from[i * in->sw + k * in->sc];
  }
}

static void run_first(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  First f;
  describe_first(&q, &f);
  const Conv *c = &f.conv;
  const FvWindow2 *w = &c->window;
  const FvTensor *residual = fv_call_input(call, 3);
  const float *bias = call->packed;
  float *ring = call->scratch;
  const float **rows = (const float **)(ring + f.lines * f.line);
  FvRange p = fv_split(c->out.n * c->out.h, 1, call->part, call->parts);
  FvTileJob job = {.taps = w->kh, .kc = w->kw * c->in.c, .rows = rows, .b = bias + c->bias_size, .bias = bias, .c_stride = c->out_pixel,
                   .columns = c->columns, .residual_stride = c->residual_pixel, .epilogue = fv_epilogue(call->node->activation)};
  int64_t held[16], held_image = -1; /* the input line in each place of the ring */
  for (int64_t i = p.begin; i < p.end; i++) {
    int64_t n = i / c->out.h, oy = i % c->out.h, y0 = oy * w->sh - w->top;
    const float *image = (const float *)call->in[0]->data + n * c->in.sn, *lines[16];
    for (int64_t ky = 0; ky < w->kh; ky++) {
      int64_t iy = y0 + ky, place = ((iy % w->kh) + w->kh) % w->kh;
      lines[ky] = ring + place * f.line;
      if (held_image == n && held[place] == iy) continue;
      fill_line(&f, image, iy, ring + place * f.line);
      held[place] = iy;
    }
    held_image = n;
    for (int64_t ox = 0; ox < c->out.w; ox += FV_CHUNK) {
      int64_t count = fv_min_i64(FV_CHUNK, c->out.w - ox);
      for (int64_t ky = 0; ky < w->kh; ky++)
        for (int64_t k = 0; k < FV_CHUNK && k < count + 8; k++)
          rows[ky * FV_CHUNK + k] = lines[ky] + (ox + fv_min_i64(k, count - 1)) * w->sw * c->in.c;
      int64_t pixel = i * c->out.w + ox;
      job.c = (float *)call->out[0]->data + pixel * c->out_pixel;
      job.residual = residual ? (const float *)residual->data + pixel * c->residual_pixel : NULL;
      fv_tile_panels(&job, count, 0, c->vectors);
    }
  }
}

/* held_image == n is false for every line of the first pass over an image, so stale entries of `held` are never believed. */

const FvKernel FV_ISA(fv_kernels_conv)[] = {
  {FV_KERNEL_NAME("conv_f32_first"), FV_OP_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_first, packed_size_first, pack_first, scratch_size_first,
   run_first},
  {FV_KERNEL_NAME("conv_f32_igemm"), FV_OP_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {0},
};

/* QLinearConv and QLinearMatMul: 8-bit numbers, exact 32-bit sums, one float multiplier per output channel.
 *
 * Rows of A are made 16-bit and free of their zero point while they are gathered (padding is then 0, and no correction terms are needed); B is
 * packed in pairs, so that one instruction multiplies two neighbours along the depth and adds them up.
 * packed: bias [group][vectors * LANES] i32 | multipliers, alike, f32 | B panels [group][pairs][lanes][2] i16, panels as in tile.h. */
#include "cpu/families.h"
#include "cpu/qlinear.h"
#include "cpu/simd_int.h"
#include "cpu/tile.h"

#include "base/threads.h"

#include "cpu/qconv.h"

static bool suits(const FvKernelQuery *q) {
  FvQConv c;
  return fv_qconv_params_suit(q) && fv_qconv_describe(q, &c, FV_LANES);
}

static size_t packed_size(const FvKernelQuery *q) {
  FvQConv c;
  fv_qconv_describe(q, &c, FV_LANES);
  return (size_t)c.group * ((size_t)c.bias_size * 8 + (size_t)c.panel_size * 2);
}

static void pack(const FvKernelQuery *q, void *packed) {
  FvQConv c;
  fv_qconv_describe(q, &c, FV_LANES);
  int32_t *bias = packed;
  float *multipliers = (float *)(bias + c.group * c.bias_size);
  int16_t *panels = (int16_t *)(multipliers + c.group * c.bias_size);
  for (int64_t g = 0; g < c.group; g++, bias += c.bias_size, multipliers += c.bias_size, panels += c.panel_size)
    for (int64_t m = 0; m < c.columns; m++) {
      bias[m] = fv_qconv_bias(q, g * c.columns + m);
      multipliers[m] = fv_qconv_multiplier(q, g * c.columns + m);
      long base = fv_panel_index(c.vectors, c.pairs, 0, m) * 2, step = fv_panel_index(c.vectors, c.pairs, 1, m) * 2 - base;
      for (int64_t k = 0; k < c.depth; k++) panels[base + k / 2 * step + k % 2] = (int16_t)fv_qconv_weight(q, &c, g * c.columns + m, k);
    }
}

static size_t scratch_size(const FvKernelQuery *q) {
  FvQConv c;
  fv_qconv_describe(q, &c, FV_LANES);
  return (size_t)(FV_CHUNK * c.row_size + 16) * sizeof(int16_t);
}

/* ---- Gathering ---- */

/* The step as a constant where channels lie together, so that whole vectors are widened; up to 15 numbers more than n are written. */
FV_INLINE void widen_run(int16_t *to, const uint8_t *from, int64_t step, int64_t n, int16_t zero, const bool is_signed) {
  if (step == 1)
    for (int64_t i = 0; i < n; i += 16) fv_widen_16(to + i, from + i, zero, is_signed);
  else
    for (int64_t i = 0; i < n; i++) to[i] = (int16_t)((is_signed ? ((const int8_t *)from)[i * step] : from[i * step]) - zero);
}

typedef struct Source {
  const FvTensor *x;
  int64_t first_channel;
  int16_t zero;
} Source;

static void widen(int16_t *to, const FvQConv *c, const Source *s, int64_t offset, int64_t count) {
  offset += s->first_channel * c->in.sc;
  if (s->x->dtype == FV_DTYPE_U8)
    widen_run(to, (const uint8_t *)s->x->data + offset, c->in.sc, count, s->zero, false);
  else
    widen_run(to, (const uint8_t *)s->x->data + offset, c->in.sc, count, s->zero, true);
}

static void gather_rows(const FvQConv *c, const Source *s, int64_t first, int64_t count, int16_t *rows) {
  const FvWindow2 *w = &c->window;
  int64_t ox = first % c->out.w, oy = first / c->out.w % c->out.h, n = first / c->out.w / c->out.h;
  bool lines_dense = c->in.sc == 1 && c->in.sw == c->kc && w->dw == 1; /* a line of the window is one run */
  for (int64_t i = 0; i < count; i++, rows += c->row_size) {
    int16_t *to = rows;
    for (int64_t ky = 0; ky < w->kh; ky++) {
      int64_t iy = oy * w->sh - w->top + ky * w->dh, x0 = ox * w->sw - w->left;
      if (lines_dense && iy >= 0 && iy < c->in.h && x0 >= 0 && x0 + w->kw <= c->in.w) {
        widen(to, c, s, n * c->in.sn + iy * c->in.sh + x0 * c->in.sw, w->kw * c->kc);
        to += w->kw * c->kc;
        continue;
      }
      for (int64_t kx = 0; kx < w->kw; kx++, to += c->kc) {
        int64_t ix = x0 + kx * w->dw;
        if (iy < 0 || iy >= c->in.h || ix < 0 || ix >= c->in.w)
          memset(to, 0, (size_t)c->kc * sizeof *to);
        else
          widen(to, c, s, n * c->in.sn + iy * c->in.sh + ix * c->in.sw, c->kc);
      }
    }
    if (c->depth % 2) *to = 0;
    if (++ox == c->out.w) {
      ox = 0;
      if (++oy == c->out.h) oy = 0, n++;
    }
  }
}

/* ---- The product ---- */

typedef struct QJob {
  const int16_t *rows;
  long row_size, pairs;
  const int16_t *b;
  const int32_t *bias;
  FvQOutput out;
} QJob;

FV_INLINE void q_tile(const int height, const int width, const QJob *job, long row, long row_end, long vector) {
  FvInt acc[8][3];
  const int16_t *b = job->b + vector * FV_LANES * job->pairs * 2, *a[8];
#pragma GCC unroll 8
  for (int r = 0; r < height; r++) {
    a[r] = job->rows + (row + r < row_end ? row + r : row_end - 1) * job->row_size;
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) acc[r][v] = fv_int_load(job->bias + (vector + v) * FV_LANES);
  }
  for (long k = 0; k < job->pairs; k++, b += width * FV_LANES * 2) {
    FvInt bv[3];
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) bv[v] = fv_int_load(b + v * FV_LANES * 2);
#pragma GCC unroll 8
    for (int r = 0; r < height; r++) {
      int32_t pair;
      memcpy(&pair, a[r] + 2 * k, sizeof pair);
      FvInt x = fv_int_dup(pair);
#pragma GCC unroll 3
      for (int v = 0; v < width; v++) acc[r][v] = fv_int_dot(acc[r][v], x, bv[v]);
    }
  }
  fv_q_store_tile(height, width, acc, &job->out, row, row_end, vector);
}

static void q_panels(const QJob *job, long rows, long begin, long end) {
  long vectors = (job->out.columns + FV_LANES - 1) / FV_LANES;
  for (long v = begin, width; v < end; v += width) {
    width = fv_panel_width(vectors - v);
#if defined(FV_ISA_AVX2)
    if (width == 3)
      for (long r = 0; r < rows; r += 4) q_tile(4, 3, job, r, rows, v);
    else if (width == 2)
      for (long r = 0; r < rows; r += 6) q_tile(6, 2, job, r, rows, v);
#else
    if (width == 3)
      for (long r = 0; r < rows; r += 8) q_tile(8, 3, job, r, rows, v);
    else if (width == 2)
      for (long r = 0; r < rows; r += 8) q_tile(8, 2, job, r, rows, v);
#endif
    else
      for (long r = 0; r < rows; r += 8) q_tile(8, 1, job, r, rows, v);
  }
}

static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  FvQConv c;
  fv_qconv_describe(&q, &c, FV_LANES);
  const int32_t *bias = call->packed;
  const float *multipliers = (const float *)(bias + c.group * c.bias_size);
  const int16_t *panels = (const int16_t *)(multipliers + c.group * c.bias_size);
  FvQConvShare share = fv_qconv_share(&c, call);
  QJob job = {.rows = call->scratch, .row_size = c.row_size, .pairs = c.pairs, .out = fv_qconv_output(call, &c)};
  int64_t size = (int64_t)fv_dtype_size(call->out[0]->dtype);
  Source source = {call->in[0], 0, (int16_t)fv_q_zero(call->in[2], 0)};
  for (int64_t i = share.pixels.begin; i < share.pixels.end; i += FV_CHUNK) {
    int64_t count = fv_min_i64(FV_CHUNK, share.pixels.end - i);
    for (int64_t g = 0; g < c.group; g++) {
      source.first_channel = g * c.kc;
      gather_rows(&c, &source, i, count, call->scratch);
      job.b = panels + g * c.panel_size;
      job.bias = bias + g * c.bias_size;
      job.out.multipliers = multipliers + g * c.bias_size;
      job.out.y = (uint8_t *)call->out[0]->data + (i * c.out_pixel + g * c.columns) * size;
      q_panels(&job, count, share.begin, share.end);
    }
  }
}

/* ---- Depthwise ----
 * packed: a pixel of zero points [C padded] bytes | bias | multipliers | weights [C / LANES][taps][LANES] as 32-bit lanes whose upper half is 0, so
 * that the pair product is a plain one. The input keeps its zero point; the bias takes it back. */

enum { MAX_TAPS = 128, BLOCK = 4 };

static int64_t padded(const FvQConv *c) { return fv_ceil_div(c->in.c, 16) * 16 + 64; }

static bool suits_depthwise(const FvKernelQuery *q) {
  FvQConv c;
  return q->node->op->kind == FV_OP_QLINEAR_CONV && fv_qconv_params_suit(q) && fv_qconv_describe(q, &c, FV_LANES) && c.kc == 1 && c.columns == 1 && c.taps <= MAX_TAPS &&
         fv_image_channels_last(&c.in);
}

static size_t packed_size_depthwise(const FvKernelQuery *q) {
  FvQConv c;
  fv_qconv_describe(q, &c, FV_LANES);
  return (size_t)padded(&c) * (1 + 4 + 4 + 4 * (size_t)c.taps);
}

static void pack_depthwise(const FvKernelQuery *q, void *packed) {
  FvQConv c;
  fv_qconv_describe(q, &c, FV_LANES);
  int64_t size = padded(&c);
  int32_t zero = fv_q_zero(q->in[2], 0), *bias = (int32_t *)((uint8_t *)packed + size);
  float *multipliers = (float *)(bias + size);
  int32_t *weights = (int32_t *)(multipliers + size);
  memset(packed, zero, (size_t)size);
  for (int64_t m = 0; m < c.in.c; m++) {
    bias[m] = fv_qconv_bias(q, m);
    multipliers[m] = fv_qconv_multiplier(q, m);
    for (int64_t tap = 0; tap < c.taps; tap++) {
      int32_t w = fv_qconv_weight(q, &c, m, tap);
      weights[(m / FV_LANES * c.taps + tap) * FV_LANES + m % FV_LANES] = w & 0xffff;
      bias[m] -= zero * w;
    }
  }
}

/* BLOCK neighbouring output pixels; at holds their input pixels, [tap][BLOCK]. */
FV_INLINE void depthwise_block(const FvQConv *c, const FvKernelCall *call, const uint8_t *const *at, int64_t pixel, int64_t count, const FvQOutput *out,
                               const bool is_signed) {
  int64_t channels = padded(c), size = out->to.is_float ? 4 : 1;
  const int32_t *bias = (const int32_t *)((const uint8_t *)call->packed + channels);
  const float *multipliers = (const float *)(bias + channels);
  const int32_t *weights = (const int32_t *)(multipliers + channels);
  for (int64_t channel = 0; channel < c->in.c; channel += FV_LANES) {
    FvInt start = fv_int_load(bias + channel), acc[BLOCK] = {start, start, start, start};
    const uint8_t *const *p = at;
    for (int64_t tap = 0; tap < c->taps; tap++, p += BLOCK, weights += FV_LANES) {
      FvInt w = fv_int_load(weights);
#pragma GCC unroll 4
      for (int o = 0; o < BLOCK; o++) acc[o] = fv_int_dot(acc[o], fv_int_from_bytes(p[o] + channel, is_signed), w);
    }
    FvVec multiplier = fv_load(multipliers + channel);
#pragma GCC unroll 4
    for (int o = 0; o < BLOCK; o++)
      if (o < count) fv_q_store(out->y + (pixel + o) * out->y_stride + channel * size, fv_mul(fv_int_to_float(acc[o]), multiplier), &out->to, c->in.c - channel);
  }
}

static void run_depthwise(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  FvQConv c;
  fv_qconv_describe(&q, &c, FV_LANES);
  const FvWindow2 *w = &c.window;
  const uint8_t *at[MAX_TAPS * BLOCK], *x = call->in[0]->data;
  bool is_signed = call->in[0]->dtype == FV_DTYPE_I8;
  FvQOutput out = fv_qconv_output(call, &c);
  out.y = call->out[0]->data;
  FvRange range = fv_split(c.out.n * c.out.h, 1, call->part, call->parts);
  for (int64_t i = range.begin; i < range.end; i++) {
    int64_t n = i / c.out.h, y0 = i % c.out.h * w->sh - w->top;
    for (int64_t ox = 0; ox < c.out.w; ox += BLOCK) {
      const uint8_t **p = at;
      int64_t count = fv_min_i64(BLOCK, c.out.w - ox);
      for (int64_t ky = 0; ky < w->kh; ky++) {
        int64_t iy = y0 + ky * w->dh;
        const uint8_t *line = x + n * c.in.sn + iy * c.in.sh;
        for (int64_t kx = 0; kx < w->kw; kx++)
          for (int64_t o = 0; o < BLOCK; o++) {
            int64_t ix = (ox + fv_min_i64(o, count - 1)) * w->sw - w->left + kx * w->dw;
            *p++ = iy >= 0 && iy < c.in.h && ix >= 0 && ix < c.in.w ? line + ix * c.in.sw : call->packed;
          }
      }
      if (is_signed)
        depthwise_block(&c, call, at, i * c.out.w + ox, count, &out, true);
      else
        depthwise_block(&c, call, at, i * c.out.w + ox, count, &out, false);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_qconv)[] = {
  {FV_KERNEL_NAME("qlinear_conv_8bit_depthwise"), FV_OP_QLINEAR_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_depthwise, packed_size_depthwise,
   pack_depthwise, NULL, run_depthwise},
  {FV_KERNEL_NAME("qlinear_conv_8bit"), FV_OP_QLINEAR_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {FV_KERNEL_NAME("qlinear_matmul_8bit"), FV_OP_QLINEAR_MATMUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {0},
};

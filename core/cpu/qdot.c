/* QLinearConv and QLinearMatMul of u8 with weights that fit 8 bits, on instructions that multiply and add four bytes per lane.
 *
 * As in conv.c, rows of A are pointers into the input as it is. The input keeps its zero point: the bias takes zero * sum(weights) back, and the padding is a
 * row of zero points. Every kernel position is padded to a multiple of 4 channels with weights of 0, so that what is read behind a pixel counts for nothing.
 * packed: row of zero points [C padded] | bias [group][vectors * LANES] i32 | multipliers, alike | B panels [group][taps * quads][lanes][4] i8. */
#include "cpu/families.h"
#include "cpu/qlinear.h"
#include "cpu/simd_int.h"
#include "cpu/tile.h"

#include "base/threads.h"

#include "cpu/qconv.h"

typedef struct QDot {
  FvQConv c;
  int64_t quads; /* of four channels, per kernel position */
  int64_t zero_size, panel_size; /* bytes */
} QDot;

static bool describe(const FvKernelQuery *q, QDot *d) {
  *d = (QDot){.quads = 0};
  if (!fv_qconv_describe(q, &d->c, FV_LANES)) return false;
  d->quads = fv_ceil_div(d->c.kc, 4);
  d->zero_size = fv_ceil_div(d->c.in.c, 64) * 64 + 64;
  d->panel_size = fv_ceil_div(d->c.vectors * FV_LANES * d->c.taps * d->quads * 4, 64) * 64;
  return true;
}

static bool weights_fit(const FvKernelQuery *q, const FvQConv *c) {
  for (int64_t m = 0; m < c->out.c; m++)
    for (int64_t k = 0; k < c->depth; k++) {
      int32_t w = fv_qconv_weight(q, c, m, k);
      if (w < -128 || w > 127) return false;
    }
  return true;
}

/* The gathering variant is the better one for the few channels of a first layer, where a quarter of every quad would be idle. */
static bool suits(const FvKernelQuery *q) {
  QDot d;
  return fv_qconv_params_suit(q) && q->in[0]->dtype == FV_DTYPE_U8 && describe(q, &d) && d.c.kc >= 4 && d.c.in.sc == 1 && weights_fit(q, &d.c);
}

static size_t packed_size(const FvKernelQuery *q) {
  QDot d;
  describe(q, &d);
  return (size_t)d.zero_size + (size_t)d.c.group * ((size_t)d.c.bias_size * 8 + (size_t)d.panel_size);
}

static void pack_channel(const FvKernelQuery *q, const QDot *d, int64_t m, int64_t column, int8_t *panels, int32_t *bias) {
  const FvQConv *c = &d->c;
  int64_t depth = c->taps * d->quads;
  long base = fv_panel_index(c->vectors, depth, 0, column) * 4, step = fv_panel_index(c->vectors, depth, 1, column) * 4 - base;
  int32_t sum = 0;
  for (int64_t k = 0; k < c->depth; k++) {
    int64_t tap = k / c->kc, channel = k % c->kc;
    int32_t w = fv_qconv_weight(q, c, m, k);
    panels[base + (tap * d->quads + channel / 4) * step + channel % 4] = (int8_t)w;
    sum += w;
  }
  *bias = fv_qconv_bias(q, m) - fv_q_zero(q->in[2], 0) * sum;
}

static void pack(const FvKernelQuery *q, void *packed) {
  QDot d;
  describe(q, &d);
  int32_t *bias = (int32_t *)((char *)packed + d.zero_size);
  float *multipliers = (float *)(bias + d.c.group * d.c.bias_size);
  int8_t *panels = (int8_t *)(multipliers + d.c.group * d.c.bias_size);
  memset(packed, fv_q_zero(q->in[2], 0), (size_t)d.zero_size);
  for (int64_t g = 0; g < d.c.group; g++, bias += d.c.bias_size, multipliers += d.c.bias_size, panels += d.panel_size)
    for (int64_t column = 0; column < d.c.columns; column++) {
      int64_t m = g * d.c.columns + column;
      multipliers[column] = fv_qconv_multiplier(q, m);
      pack_channel(q, &d, m, column, panels, &bias[column]);
    }
}

static size_t scratch_size(const FvKernelQuery *q) {
  QDot d;
  describe(q, &d);
  return (size_t)(d.c.taps * FV_CHUNK) * sizeof(uint8_t *);
}

static void point_rows(const FvQConv *c, const uint8_t *x, const uint8_t *zero, int64_t first, int64_t count, const uint8_t **rows) {
  const FvWindow2 *w = &c->window;
  int64_t ox = first % c->out.w, oy = first / c->out.w % c->out.h, n = first / c->out.w / c->out.h;
  for (int64_t i = 0; i < count; i++) {
    const uint8_t **at = rows + i;
    for (int64_t ky = 0; ky < w->kh; ky++) {
      int64_t iy = oy * w->sh - w->top + ky * w->dh;
      for (int64_t kx = 0; kx < w->kw; kx++, at += FV_CHUNK) {
        int64_t ix = ox * w->sw - w->left + kx * w->dw;
        bool inside = iy >= 0 && iy < c->in.h && ix >= 0 && ix < c->in.w;
        *at = inside ? x + n * c->in.sn + iy * c->in.sh + ix * c->in.sw : zero;
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

typedef struct QDotJob {
  const uint8_t *const *rows; /* [taps][FV_CHUNK] */
  long a_offset, taps, quads;
  const int8_t *b;
  const int32_t *bias;
  const float *multipliers;
  uint8_t *y;
  long y_stride, columns;
  FvQuantised out;
} QDotJob;

FV_INLINE void dot_tile(const int height, const int width, const QDotJob *job, long row, long row_end, long vector) {
  FvInt acc[8][3];
  const int8_t *b = job->b + vector * FV_LANES * job->taps * job->quads * 4;
#pragma GCC unroll 8
  for (int r = 0; r < height; r++)
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) acc[r][v] = fv_int_load(job->bias + (vector + v) * FV_LANES);
  const uint8_t *const *rows = job->rows + row;
  for (long tap = 0; tap < job->taps; tap++, rows += FV_CHUNK) {
    const uint8_t *a[8];
#pragma GCC unroll 8
    for (int r = 0; r < height; r++) a[r] = rows[r] + job->a_offset;
    for (long k = 0; k < job->quads; k++, b += width * FV_LANES * 4) {
      FvInt bv[3];
#pragma GCC unroll 3
      for (int v = 0; v < width; v++) bv[v] = fv_int_load(b + v * FV_LANES * 4);
#pragma GCC unroll 8
      for (int r = 0; r < height; r++) {
        int32_t quad;
        memcpy(&quad, a[r] + 4 * k, sizeof quad);
        FvInt x = fv_int_dup(quad);
#pragma GCC unroll 3
        for (int v = 0; v < width; v++) acc[r][v] = fv_int_dot4(acc[r][v], x, bv[v]);
      }
    }
  }
  long column = vector * FV_LANES, left = job->columns - column;
  uint8_t *y = job->y + row * job->y_stride + column;
#pragma GCC unroll 8
  for (int r = 0; r < height; r++, y += job->y_stride) {
    if (row + r >= row_end) break;
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) {
      if (left <= v * FV_LANES) break;
      FvVec steps = fv_mul(fv_int_to_float(acc[r][v]), fv_load(job->multipliers + column + v * FV_LANES));
      fv_int_store_bytes(y + v * FV_LANES, fv_quantise(steps, &job->out), left - v * FV_LANES);
    }
  }
}

static void dot_panels(const QDotJob *job, long rows, long begin, long end) {
  long vectors = (job->columns + FV_LANES - 1) / FV_LANES;
  for (long v = begin, width; v < end; v += width) {
    width = fv_panel_width(vectors - v);
    if (width == 3)
      for (long r = 0; r < rows; r += 8) dot_tile(8, 3, job, r, rows, v);
    else if (width == 2)
      for (long r = 0; r < rows; r += 8) dot_tile(8, 2, job, r, rows, v);
    else
      for (long r = 0; r < rows; r += 8) dot_tile(8, 1, job, r, rows, v);
  }
}

static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  QDot d;
  describe(&q, &d);
  const FvQConv *c = &d.c;
  const uint8_t *zero = call->packed;
  const int32_t *bias = (const int32_t *)(zero + d.zero_size);
  const float *multipliers = (const float *)(bias + c->group * c->bias_size);
  const int8_t *panels = (const int8_t *)(multipliers + c->group * c->bias_size);
  FvQConvShare share = fv_qconv_share(c, call);
  QDotJob job = {.rows = call->scratch, .taps = c->taps, .quads = d.quads, .y_stride = c->out_pixel, .columns = c->columns,
                 .out = fv_quantised(call->out[0]->dtype == FV_DTYPE_I8, fv_q_zero(call->in[7], 0))};
  for (int64_t i = share.pixels.begin; i < share.pixels.end; i += FV_CHUNK) {
    int64_t count = fv_min_i64(FV_CHUNK, share.pixels.end - i);
    point_rows(c, call->in[0]->data, zero, i, count, call->scratch);
    for (int64_t g = 0; g < c->group; g++) {
      job.a_offset = g * c->kc;
      job.b = panels + g * d.panel_size;
      job.bias = bias + g * c->bias_size;
      job.multipliers = multipliers + g * c->bias_size;
      job.y = (uint8_t *)call->out[0]->data + i * c->out_pixel + g * c->columns;
      dot_panels(&job, count, share.begin, share.end);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_qdot)[] = {
  {FV_KERNEL_NAME("qlinear_conv_8bit_dot"), FV_OP_QLINEAR_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {FV_KERNEL_NAME("qlinear_matmul_8bit_dot"), FV_OP_QLINEAR_MATMUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {0},
};

/* QLinearConv and QLinearMatMul of u8 on instructions that multiply four unsigned by four signed bytes per lane and add them up.
 *
 * As in conv.c, rows of A are pointers into the input as it is. The input keeps its zero point: the bias takes zero * sum(weights) back, and the padding is a
 * row of zero points. Every kernel position is padded to a multiple of 4 channels with weights of 0, so that what is read behind a pixel counts for nothing.
 * Unsigned weights lose 128 and their zero points with them; a zero point that is left is taken back through the sum of the row.
 * packed: row of zero points [C padded] | bias [group][vectors * LANES] i32 | weights' zero points, alike | multipliers, alike, f32 | B panels [group][taps * quads][lanes][4] i8. */
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

/* The gathering variant is the better one for the few channels of a first layer, where a quarter of every quad would be idle. */
static bool suits(const FvKernelQuery *q) {
  QDot d;
  return fv_qconv_params_suit(q) && q->in[0]->dtype == FV_DTYPE_U8 && describe(q, &d) && d.c.kc >= 4 && d.c.in.sc == 1;
}

static size_t packed_size(const FvKernelQuery *q) {
  QDot d;
  describe(q, &d);
  return (size_t)d.zero_size + (size_t)d.c.group * ((size_t)d.c.bias_size * 12 + (size_t)d.panel_size);
}

/* Where things lie in the packed memory. */
typedef struct Parts {
  uint8_t *zero;
  int32_t *bias, *w_zeros;
  float *multipliers;
  int8_t *panels;
} Parts;

static Parts parts_of(const QDot *d, const void *packed, int64_t g) {
  Parts p = {.zero = (uint8_t *)packed};
  int64_t all = d->c.group * d->c.bias_size;
  p.bias = (int32_t *)(p.zero + d->zero_size);
  p.w_zeros = p.bias + all;
  p.multipliers = (float *)(p.w_zeros + all);
  p.panels = (int8_t *)(p.multipliers + all) + g * d->panel_size;
  p.bias += g * d->c.bias_size;
  p.w_zeros += g * d->c.bias_size;
  p.multipliers += g * d->c.bias_size;
  return p;
}

/* sum (x - xz)(w - wz) = sum x w - xz sum w + depth xz wz - wz sum x; the last term is the row's. */
static void pack_channel(const FvKernelQuery *q, const QDot *d, int64_t m, int64_t column, const Parts *p) {
  const FvQConv *c = &d->c;
  int64_t depth = c->taps * d->quads;
  long base = fv_panel_index(c->vectors, depth, 0, column) * 4, step = fv_panel_index(c->vectors, depth, 1, column) * 4 - base;
  int32_t sum = 0, x_zero = fv_q_zero(q->in[2], 0), w_zero = fv_q_zero(q->in[5], m) - (q->in[3]->dtype == FV_DTYPE_U8 ? 128 : 0);
  for (int64_t k = 0; k < c->depth; k++) {
    int64_t tap = k / c->kc, channel = k % c->kc;
    int32_t w = fv_qconv_weight(q, c, m, k) + w_zero;
    p->panels[base + (tap * d->quads + channel / 4) * step + channel % 4] = (int8_t)w;
    sum += w;
  }
  p->multipliers[column] = fv_qconv_multiplier(q, m);
  p->w_zeros[column] = w_zero;
  p->bias[column] = (int32_t)((int64_t)fv_qconv_bias(q, m) - (int64_t)x_zero * sum + c->depth * x_zero * w_zero);
}

static void pack(const FvKernelQuery *q, void *packed) {
  QDot d;
  describe(q, &d);
  memset(packed, fv_q_zero(q->in[2], 0), (size_t)d.zero_size);
  for (int64_t g = 0; g < d.c.group; g++) {
    Parts p = parts_of(&d, packed, g);
    for (int64_t column = 0; column < d.c.columns; column++) pack_channel(q, &d, g * d.c.columns + column, column, &p);
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
  const int32_t *bias, *w_zeros;
  const int32_t *sums; /* of the rows; NULL when all weights' zero points are 0 */
  FvQOutput out;
} QDotJob;

FV_INLINE void dot_tile(const int height, const int width, const QDotJob *job, long row, long row_end, long vector) {
  FvInt acc[8][3];
  const int8_t *b = job->b + vector * FV_LANES * job->taps * job->quads * 4;
#pragma GCC unroll 8
  for (int r = 0; r < height; r++)
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) acc[r][v] = fv_int_load(job->bias + (vector + v) * FV_LANES);
  if (job->sums)
#pragma GCC unroll 8
    for (int r = 0; r < height; r++)
#pragma GCC unroll 3
      for (int v = 0; v < width; v++)
        acc[r][v] = fv_int_sub(acc[r][v], fv_int_mul(fv_int_dup(job->sums[row + r]), fv_int_load(job->w_zeros + (vector + v) * FV_LANES)));
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
  fv_q_store_tile(height, width, acc, &job->out, row, row_end, vector);
}

static void dot_panels(const QDotJob *job, long rows, long begin, long end) {
  long vectors = (job->out.columns + FV_LANES - 1) / FV_LANES;
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

/* Sums of the rows' bytes; rows up to a multiple of the tile height are there to be read. */
static void sum_rows(const FvQConv *c, const QDotJob *job, int64_t count, int32_t *sums) {
  for (int64_t r = 0; r < FV_CHUNK && r < count + 8; r++) {
    sums[r] = 0;
    for (int64_t tap = 0; tap < c->taps; tap++) sums[r] += fv_int_sum_bytes(job->rows[tap * FV_CHUNK + r] + job->a_offset, c->kc);
  }
}

static bool any_zero_point(const QDot *d, const void *packed) {
  const int32_t *zeros = parts_of(d, packed, 0).w_zeros;
  for (int64_t i = 0; i < d->c.group * d->c.bias_size; i++)
    if (zeros[i]) return true;
  return false;
}

static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  QDot d;
  describe(&q, &d);
  const FvQConv *c = &d.c;
  FvQConvShare share = fv_qconv_share(c, call);
  int32_t sums[FV_CHUNK];
  bool summed = any_zero_point(&d, call->packed);
  QDotJob job = {.rows = call->scratch, .taps = c->taps, .quads = d.quads, .out = fv_qconv_output(call, c)};
  int64_t size = (int64_t)fv_dtype_size(call->out[0]->dtype);
  for (int64_t i = share.pixels.begin; i < share.pixels.end; i += FV_CHUNK) {
    int64_t count = fv_min_i64(FV_CHUNK, share.pixels.end - i);
    point_rows(c, call->in[0]->data, call->packed, i, count, call->scratch);
    for (int64_t g = 0; g < c->group; g++) {
      Parts p = parts_of(&d, call->packed, g);
      job.a_offset = g * c->kc;
      job.b = p.panels;
      job.bias = p.bias;
      job.w_zeros = p.w_zeros;
      job.out.multipliers = p.multipliers;
      if (summed) sum_rows(c, &job, count, sums);
      job.sums = summed ? sums : NULL;
      job.out.y = (uint8_t *)call->out[0]->data + (i * c->out_pixel + g * c->columns) * size;
      dot_panels(&job, count, share.begin, share.end);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_qdot)[] = {
  {FV_KERNEL_NAME("qlinear_conv_8bit_dot"), FV_OP_QLINEAR_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {FV_KERNEL_NAME("qlinear_matmul_8bit_dot"), FV_OP_QLINEAR_MATMUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},
  {0},
};

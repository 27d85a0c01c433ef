/* QLinearConv and QLinearMatMul: four unsigned bytes by four signed ones per lane, added up by one instruction or, where that could overflow or does not
 * exist, as two pairs of 16 bits.
 *
 * As in conv.c, rows of A are pointers into the input as it is. The input keeps its zero point: the bias takes zero * sum(weights) back, and the padding is a
 * row of zero points. Every kernel position is padded to a multiple of 4 channels with weights of 0, so that what is read behind a pixel counts for nothing.
 * Where the bytes of a pixel do not lie together, are signed, or are too few, rows are gathered first: the whole window, padded once. Signed bytes are
 * made unsigned by 128, which their zero point takes back.
 * Unsigned weights lose 128 and their zero points with them; a zero point that is left is taken back through the sum of the row.
 * packed: row of zero points [C padded] | bias [group][vectors * LANES] i32 | weights' zero points, alike | multipliers, alike, f32 | B panels [group][taps * quads][lanes][4] i8;
 * for pairs [taps * quads][even, odd][lanes][2] i16. */
#include "cpu/families.h"
#include "cpu/qlinear.h"
#include "cpu/simd_int.h"
#include "cpu/tile.h"

#include "base/threads.h"

#include "cpu/qconv.h"

typedef struct QDot {
  FvQConv c;
  bool pairs;                    /* weights are 16 bits wide */
  bool gathered;                 /* rows are copied: one tap of the whole depth */
  int64_t taps, quads;           /* quads of four bytes per tap */
  int64_t zero_size, panel_size; /* bytes */
  int64_t row_size;              /* bytes of a gathered row */
} QDot;

static bool describe(const FvKernelQuery *q, bool pairs, QDot *d) {
  *d = (QDot){.pairs = pairs};
  if (!fv_qconv_describe(q, &d->c, FV_LANES)) return false;
  const FvQConv *c = &d->c;
  bool together = c->in.sc == 1 && (c->kc >= 16 || c->kc % 4 == 0 || c->taps == 1);
  d->gathered = !together || q->in[0]->dtype != FV_DTYPE_U8;
  d->taps = d->gathered ? 1 : c->taps;
  d->quads = fv_ceil_div(d->gathered ? c->depth : c->kc, 4);
  d->row_size = fv_ceil_div(c->depth, 16) * 16 + 16;
  d->zero_size = fv_ceil_div(c->in.c, 64) * 64 + 64;
  d->panel_size = fv_ceil_div(c->vectors * FV_LANES * d->taps * d->quads * (pairs ? 8 : 4), 64) * 64;
  return true;
}

/* What a weight's zero point is once unsigned weights have lost 128. */
static int32_t weight_zero(const FvKernelQuery *q, int64_t m) { return fv_q_zero(q->in[5], m) - (q->in[3]->dtype == FV_DTYPE_U8 ? 128 : 0); }

#if FV_DOT == FV_DOT_SATURATING
/* Pairs of products, neighbours as they are packed, are added in 16 bits first: 255 times the weights of one sign must fit. */
static bool channel_fits(const FvKernelQuery *q, const QDot *d, int64_t m) {
  const FvQConv *c = &d->c;
  int32_t zero = weight_zero(q, m), above = 0, below = 0;
  int64_t at = 0; /* in the packed row, whose taps begin with a quad of their own unless it is gathered */
  for (int64_t tap = 0; tap < c->taps; tap++) {
    FvQTap filter = fv_qconv_tap(q, c, m, tap);
    if (!d->gathered) at = 0;
    for (int64_t channel = 0; channel < c->kc; channel++, at++) {
      int32_t w = fv_qtap_weight(&filter, channel) + zero;
      if (at % 2 == 0) above = below = 0;
      above += w > 0 ? w : 0;
      below += w < 0 ? w : 0;
      if (above > 128 || below < -128) return false;
    }
  }
  return true;
}

static bool weights_fit(const FvKernelQuery *q, const QDot *d) {
  for (int64_t m = 0; m < d->c.out.c; m++)
    if (!channel_fits(q, d, m)) return false;
  return true;
}
#elif FV_DOT == FV_DOT_EXACT
static bool weights_fit(const FvKernelQuery *q, const QDot *d) { return true; }
#endif

static bool suits_pairs(const FvKernelQuery *q) {
  QDot d;
  return fv_qconv_params_suit(q) && describe(q, true, &d) && !(d.c.group > 1 && d.c.kc == 1 && d.c.columns == 1);
}

static size_t packed_size(const FvKernelQuery *q, bool pairs) {
  QDot d;
  describe(q, pairs, &d);
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

/* The zero point of the bytes as they are multiplied. */
static int32_t input_zero(const FvKernelQuery *q) { return fv_q_zero(q->in[2], 0) + (q->in[0]->dtype == FV_DTYPE_I8 ? 128 : 0); }

/* Weights that are packed as they lie, four at a time; how many of them. Adds them to *sum. */
static int64_t pack_quads(int8_t *to, long step, bool pairs, const uint8_t *from, int64_t count, int32_t *sum) {
  int64_t whole = count / 4 * 4;
  int32_t added = 0;
  for (int64_t i = 0; i < whole && !pairs; i += 4, to += step) memcpy(to, from + i, 4);
  for (int64_t i = 0; i < whole && pairs; i += 4, to += 2 * step) {
    int16_t even[2] = {(int8_t)from[i], (int8_t)from[i + 2]}, odd[2] = {(int8_t)from[i + 1], (int8_t)from[i + 3]};
    memcpy(to, even, sizeof even);
    memcpy(to + step, odd, sizeof odd);
  }
  for (int64_t i = 0; i < whole; i++) added += (int8_t)from[i];
  *sum += added;
  return whole;
}

/* sum (x - xz)(w - wz) = sum x w - xz sum w + depth xz wz - wz sum x; the last term is the row's. Instructions for signed bytes see x - FV_DOT_OFFSET. */
static void pack_channel(const FvKernelQuery *q, const QDot *d, int64_t m, int64_t column, const Parts *p) {
  const FvQConv *c = &d->c;
  int64_t depth = d->taps * d->quads * (d->pairs ? 2 : 1);
  long base = fv_panel_index(c->vectors, depth, 0, column) * 4, step = fv_panel_index(c->vectors, depth, 1, column) * 4 - base;
  int32_t sum = 0, x_zero = input_zero(q), w_zero = weight_zero(q, m);
  for (int64_t tap = 0; tap * c->kc < c->depth; tap++) {
    FvQTap filter = fv_qconv_tap(q, c, m, tap);
    uint64_t first = d->gathered ? 0 : (uint64_t)(tap * d->quads), begin = d->gathered ? (uint64_t)(tap * c->kc) : 0;
    int64_t quad_step = d->pairs ? 2 * step : step, channel = 0;
    if (w_zero == 0 && filter.zero == 0 && filter.is_signed && filter.step == 1 && begin % 4 == 0)
      channel = pack_quads(p->panels + base + (int64_t)(first + begin / 4) * quad_step, step, d->pairs, filter.bytes, c->kc, &sum);
    for (; channel < c->kc; channel++) {
      uint64_t at = begin + (uint64_t)channel, quad = first + at / 4;
      int32_t w = fv_qtap_weight(&filter, channel) + w_zero;
      if (d->pairs)
        ((int16_t *)(p->panels + base + (int64_t)(quad * 2 + at % 2) * step))[at % 4 / 2] = (int16_t)w;
      else
        p->panels[base + (int64_t)quad * step + (int64_t)(at % 4)] = (int8_t)w;
      sum += w;
    }
  }
  p->multipliers[column] = fv_qconv_multiplier(q, m);
  p->w_zeros[column] = w_zero;
  p->bias[column] = (int32_t)((int64_t)fv_qconv_bias(q, m) + (int64_t)(FV_DOT_OFFSET - x_zero) * sum + c->depth * x_zero * w_zero);
}

static void pack(const FvKernelQuery *q, bool pairs, void *packed) {
  QDot d;
  describe(q, pairs, &d);
  memset(packed, input_zero(q), (size_t)d.zero_size);
  for (int64_t g = 0; g < d.c.group; g++) {
    Parts p = parts_of(&d, packed, g);
    for (int64_t column = 0; column < d.c.columns; column++) pack_channel(q, &d, g * d.c.columns + column, column, &p);
  }
}

static size_t scratch_size(const FvKernelQuery *q) {
  QDot d;
  describe(q, false, &d);
  return (size_t)(d.taps * FV_CHUNK) * sizeof(uint8_t *) + (d.gathered ? (size_t)(FV_CHUNK * d.row_size) + 64 : 0);
}

/* ---- Rows ---- */

static void repeat_last(const uint8_t **rows, int64_t count) {
  for (int64_t i = count; i < FV_CHUNK && i < count + 8; i++) rows[i] = rows[count - 1];
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
  for (int64_t tap = 0; tap < c->taps; tap++) repeat_last(rows + tap * FV_CHUNK, count);
}

/* n bytes `step` apart, all turned by flip; up to 15 more are written. */
static void gather_run(uint8_t *to, const uint8_t *from, int64_t step, int64_t n, uint8_t flip) {
  if (step == 1) {
    for (int64_t i = 0; i < n; i += 16) fv_copy_16(to + i, from + i, flip);
  } else if (step == 2) {
    for (int64_t i = 0; i < n; i += 16) fv_copy_16_even(to + i, from + 2 * i, flip);
  } else {
    for (int64_t i = 0; i < n; i++) to[i] = from[i * step] ^ flip;
  }
}

typedef struct Source {
  const uint8_t *x; /* of the group's first channel */
  uint8_t zero, flip;
} Source;

static void gather_row(const FvQConv *c, const Source *s, int64_t n, int64_t oy, int64_t ox, uint8_t *to) {
  const FvWindow2 *w = &c->window;
  bool lines_dense = c->in.sc == 1 && c->in.sw == c->kc && w->dw == 1; /* a line of the window is one run */
  int64_t x0 = ox * w->sw - w->left;
  for (int64_t ky = 0; ky < w->kh; ky++) {
    int64_t iy = oy * w->sh - w->top + ky * w->dh;
    const uint8_t *line = s->x + n * c->in.sn + iy * c->in.sh;
    if (lines_dense && iy >= 0 && iy < c->in.h && x0 >= 0 && x0 + w->kw <= c->in.w) {
      gather_run(to, line + x0 * c->in.sw, 1, w->kw * c->kc, s->flip);
      to += w->kw * c->kc;
      continue;
    }
    for (int64_t kx = 0; kx < w->kw; kx++, to += c->kc) {
      int64_t ix = x0 + kx * w->dw;
      if (iy < 0 || iy >= c->in.h || ix < 0 || ix >= c->in.w)
        memset(to, s->zero, (size_t)c->kc);
      else
        gather_run(to, line + ix * c->in.sw, c->in.sc, c->kc, s->flip);
    }
  }
}

/* Windows inside the picture whose lines are runs of at most 16 bytes, as a first layer's are. count pixels of one line from (oy, ox) on. */
static void gather_short_lines(const QDot *d, const Source *s, int64_t n, int64_t oy, int64_t ox, int64_t count, uint8_t *to) {
  const FvWindow2 *w = &d->c.window;
  const FvImage *in = &d->c.in;
  const int64_t run = w->kw * d->c.kc;
  const uint8_t *from = s->x + n * in->sn + (oy * w->sh - w->top) * in->sh + (ox * w->sw - w->left) * in->sw;
  for (int64_t i = 0; i < count; i++, from += w->sw * in->sw, to += d->row_size)
    for (int64_t ky = 0; ky < w->kh; ky++) fv_copy_16(to + ky * run, from + ky * w->dh * in->sh, s->flip);
}

/* How many pixels from (oy, ox) on, up to count, gather_short_lines takes. */
static int64_t short_lines(const FvQConv *c, int64_t oy, int64_t ox, int64_t count) {
  const FvWindow2 *w = &c->window;
  if (c->in.sc != 1 || c->in.sw != c->kc || w->dw != 1 || w->kw * c->kc > 16) return 0;
  int64_t top = oy * w->sh - w->top, left = ox * w->sw - w->left;
  if (top < 0 || top + (w->kh - 1) * w->dh >= c->in.h || left < 0) return 0;
  int64_t room = (c->in.w - w->kw - left) / w->sw + 1;
  return left + w->kw > c->in.w ? 0 : fv_min_i64(fv_min_i64(count, c->out.w - ox), room);
}

/* scratch: the pointers, then the rows that they point to. */
static void gather_rows(const QDot *d, const Source *s, int64_t first, int64_t count, const uint8_t **rows) {
  const FvQConv *c = &d->c;
  uint8_t *memory = (uint8_t *)(rows + FV_CHUNK);
  for (int64_t i = 0; i < count; i++) rows[i] = memory + i * d->row_size;
  int64_t ox = first % c->out.w, oy = first / c->out.w % c->out.h, n = first / c->out.w / c->out.h;
  for (int64_t i = 0; i < count;) {
    int64_t together = short_lines(c, oy, ox, count - i);
    if (together > 0)
      gather_short_lines(d, s, n, oy, ox, together, memory + i * d->row_size);
    else
      gather_row(c, s, n, oy, ox, memory + i * d->row_size);
    i += together > 0 ? together : 1;
    ox += together > 0 ? together : 1;
    if (ox == c->out.w) {
      ox = 0;
      if (++oy == c->out.h) oy = 0, n++;
    }
  }
  repeat_last(rows, count);
}

/* ---- The product ---- */

typedef struct QDotJob {
  const uint8_t *const *rows; /* [taps][FV_CHUNK] */
  long a_offset, taps, quads;
  const int8_t *b;
  const int32_t *bias, *w_zeros;
  const int32_t *sums; /* of the rows; NULL when all weights' zero points are 0 */
  FvQOutput out;
} QDotJob;

/* One quad of `height` rows by `width` vectors of columns. */
FV_INLINE void dot_step(const bool pairs, const int height, const int width, const uint8_t *const *a, long k, const int8_t *b, FvInt acc[8][3]) {
  FvInt bv[2][3];
#pragma GCC unroll 3
  for (int v = 0; v < width; v++) {
    bv[0][v] = fv_int_load(b + v * FV_LANES * 4);
    if (pairs) bv[1][v] = fv_int_load(b + (width + v) * FV_LANES * 4);
  }
#pragma GCC unroll 8
  for (int r = 0; r < height; r++) {
    int32_t quad;
    memcpy(&quad, a[r] + 4 * k, sizeof quad);
    FvInt x = fv_int_dup_quad(quad);
#pragma GCC unroll 3
    for (int v = 0; v < width; v++) {
#if FV_DOT != FV_DOT_NONE
      if (!pairs) acc[r][v] = fv_int_dot4(acc[r][v], x, bv[0][v]);
#endif
      if (pairs) acc[r][v] = fv_int_dot(fv_int_dot(acc[r][v], fv_int_even(x), bv[0][v]), fv_int_odd(x), bv[1][v]);
    }
  }
}

FV_INLINE void dot_tile(const bool pairs, const int height, const int width, const QDotJob *job, long row, long row_end, long vector) {
  FvInt acc[8][3];
  const long step = width * FV_LANES * (pairs ? 8 : 4);
  const int8_t *b = job->b + vector * FV_LANES * job->taps * job->quads * (pairs ? 8 : 4);
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
    for (long k = 0; k < job->quads; k++, b += step) dot_step(pairs, height, width, a, k, b, acc);
  }
  fv_q_store_tile(height, width, acc, &job->out, row, row_end, vector);
}

FV_INLINE void dot_panels(const bool pairs, const QDotJob *job, long rows, long begin, long end) {
  long vectors = (job->out.columns + FV_LANES - 1) / FV_LANES;
  for (long v = begin, width; v < end; v += width) {
    width = fv_panel_width(vectors - v);
#if defined(FV_ISA_AVX2)
    if (width == 3)
      for (long r = 0; r < rows; r += 3) dot_tile(pairs, 3, 3, job, r, rows, v);
    else if (width == 2)
      for (long r = 0; r < rows; r += 4) dot_tile(pairs, 4, 2, job, r, rows, v);
#else
    if (width == 3)
      for (long r = 0; r < rows; r += 8) dot_tile(pairs, 8, 3, job, r, rows, v);
    else if (width == 2)
      for (long r = 0; r < rows; r += 8) dot_tile(pairs, 8, 2, job, r, rows, v);
#endif
    else
      for (long r = 0; r < rows; r += 8) dot_tile(pairs, 8, 1, job, r, rows, v);
  }
}

/* Sums of the rows' bytes; rows up to a multiple of the tile height are there to be read. */
static void sum_rows(const QDot *d, const QDotJob *job, int64_t count, int32_t *sums) {
  int64_t length = d->gathered ? d->c.depth : d->c.kc;
  for (int64_t r = 0; r < FV_CHUNK && r < count + 8; r++) {
    sums[r] = 0;
    for (int64_t tap = 0; tap < d->taps; tap++) sums[r] += fv_int_sum_bytes(job->rows[tap * FV_CHUNK + r] + job->a_offset, length);
  }
}

static bool any_zero_point(const QDot *d, const void *packed) {
  const int32_t *zeros = parts_of(d, packed, 0).w_zeros;
  for (int64_t i = 0; i < d->c.group * d->c.bias_size; i++)
    if (zeros[i]) return true;
  return false;
}

FV_INLINE void run(const FvKernelCall *call, const bool pairs) {
  FvKernelQuery q = fv_call_query(call);
  QDot d;
  describe(&q, pairs, &d);
  const FvQConv *c = &d.c;
  FvQConvShare share = fv_qconv_share(c, call);
  int32_t sums[FV_CHUNK];
  bool summed = any_zero_point(&d, call->packed);
  QDotJob job = {.rows = call->scratch, .taps = d.taps, .quads = d.quads, .out = fv_qconv_output(call, c)};
  int64_t size = (int64_t)fv_dtype_size(call->out[0]->dtype);
  const uint8_t *x = call->in[0]->data;
  Source source = {.zero = (uint8_t)input_zero(&q), .flip = call->in[0]->dtype == FV_DTYPE_I8 ? 0x80 : 0};
  for (int64_t i = share.pixels.begin; i < share.pixels.end; i += FV_CHUNK) {
    int64_t count = fv_min_i64(FV_CHUNK, share.pixels.end - i);
    if (!d.gathered) point_rows(c, x, call->packed, i, count, call->scratch);
    for (int64_t g = 0; g < c->group; g++) {
      Parts p = parts_of(&d, call->packed, g);
      source.x = x + g * c->kc * c->in.sc;
      if (d.gathered) gather_rows(&d, &source, i, count, call->scratch);
      job.a_offset = d.gathered ? 0 : g * c->kc;
      job.b = p.panels;
      job.bias = p.bias;
      job.w_zeros = p.w_zeros;
      job.out.multipliers = p.multipliers;
      if (summed) sum_rows(&d, &job, count, sums);
      job.sums = summed ? sums : NULL;
      job.out.y = (uint8_t *)call->out[0]->data + (i * c->out_pixel + g * c->columns) * size;
      dot_panels(pairs, &job, count, share.begin, share.end);
    }
  }
}

#define ROWS(form, suits, packed_size, pack, run)                                                                                            \
  {FV_KERNEL_NAME("qlinear_conv_8bit_" form), FV_OP_QLINEAR_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run}, \
  {FV_KERNEL_NAME("qlinear_matmul_8bit_" form), FV_OP_QLINEAR_MATMUL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, scratch_size, run},

#if FV_DOT != FV_DOT_NONE
static bool suits_dot(const FvKernelQuery *q) {
  QDot d;
  return suits_pairs(q) && describe(q, false, &d) && weights_fit(q, &d);
}
static size_t packed_size_dot(const FvKernelQuery *q) { return packed_size(q, false); }
static void pack_dot(const FvKernelQuery *q, void *packed) { pack(q, false, packed); }
static void run_dot(const FvKernelCall *call) { run(call, false); }
#endif

#if FV_DOT != FV_DOT_EXACT
static size_t packed_size_pairs(const FvKernelQuery *q) { return packed_size(q, true); }
static void pack_pairs(const FvKernelQuery *q, void *packed) { pack(q, true, packed); }
static void run_pairs(const FvKernelCall *call) { run(call, true); }
#endif

const FvKernel FV_ISA(fv_kernels_qdot)[] = {
#if FV_DOT != FV_DOT_NONE
  ROWS("dot", suits_dot, packed_size_dot, pack_dot, run_dot)
#endif
#if FV_DOT != FV_DOT_EXACT
  ROWS("pairs", suits_pairs, packed_size_pairs, pack_pairs, run_pairs)
#endif
  {0},
};

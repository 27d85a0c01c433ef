/* What the 8-bit convolutions have in common: shapes, and weights as they come. A matrix product is a 1x1 convolution. */
#ifndef FOVEA_CPU_QCONV_H
#define FOVEA_CPU_QCONV_H

#include "cpu/qtile.h"
#include "cpu/tile.h"

#include "base/threads.h"

enum { FV_QCONV_MAX_DEPTH = 30000 }; /* times 255 * 255 stays below 2^31 */

typedef struct FvQConv {
  FvImage in, out;
  int64_t out_pixel;
  FvWindow2 window;
  int64_t group, kc, columns, taps, vectors;
  int64_t depth;
  int64_t bias_size; /* elements; per group */
} FvQConv;

/* The rows of a matrix, or of a stack of them that lies like one. */
static inline bool fv_qconv_matrix(const FvTensor *t, FvImage *image, int64_t *row_stride) {
  int last = t->rank - 1;
  int64_t rows = 1, stride = 0;
  if (last < 1) return false;
  for (int d = last - 1; d >= 0; d--) {
    if (t->dims[d] == 1) continue;
    if (rows == 1) stride = t->strides[d];
    if (t->strides[d] != stride * rows) return false;
    rows *= t->dims[d];
  }
  if (rows == 1) stride = t->dims[last];
  *image = (FvImage){1, t->dims[last], 1, rows, 0, t->strides[last], 0, stride};
  *row_stride = stride;
  return image->sc == 1 || image->c == 1;
}

static inline bool fv_qconv_images(const FvKernelQuery *q, FvQConv *c) {
  int64_t row;
  if (q->node->op->kind == FV_OP_QLINEAR_MATMUL) {
    c->window = (FvWindow2){1, 1, 1, 1, 1, 1, 0, 0};
    c->group = 1;
    return q->in[3]->rank == 2 && fv_qconv_matrix(q->in[0], &c->in, &row) && fv_qconv_matrix(q->out[0], &c->out, &c->out_pixel);
  }
  const FvConvParams *params = &((const FvQLinearConvParams *)q->node->params)->conv;
  c->group = params->group;
  return fv_window2(&params->window, &c->window) && fv_image_of(q->in[0], &c->in) && fv_image_rows(q->out[0], &c->out, &c->out_pixel);
}

static inline bool fv_qconv_describe(const FvKernelQuery *q, FvQConv *c, int64_t lanes) {
  *c = (FvQConv){.group = 0};
  if (!fv_is_8bit(q->in[0]) || !fv_is_8bit(q->in[3]) || !fv_q_output_suits(q) || !fv_qconv_images(q, c)) return false;
  c->kc = c->in.c / c->group;
  c->columns = c->out.c / c->group;
  c->taps = c->window.kh * c->window.kw;
  c->vectors = fv_ceil_div(c->columns, lanes);
  c->depth = c->taps * c->kc;
  c->bias_size = fv_ceil_div(c->vectors * lanes, 16) * 16;
  return c->depth >= 1 && c->depth <= FV_QCONV_MAX_DEPTH;
}

static inline bool fv_qconv_params_suit(const FvKernelQuery *q) {
  const FvTensor *bias = fv_query_input(q, 8), *w_zero = q->in[5];
  for (int i = 1; i < 8; i++)
    if (q->in[i] && !q->in[i]->data) return false;
  if (!q->in[3] || (bias && (!bias->data || bias->dtype != FV_DTYPE_I32))) return false;
  bool vectors = fv_is_f32(q->in[4]) && q->in[4]->rank <= 1 && (!w_zero || (fv_is_8bit(w_zero) && w_zero->rank <= 1));
  bool output = q->in[6] ? fv_q_per_tensor(q->in[6], q->in[7]) : !q->in[7];
  return vectors && output && fv_q_per_tensor(q->in[1], q->in[2]);
}

/* The filter of output channel m at one tap, for loops over channels: entry [k] of the filter is at k % kc of tap k / kc, and dividing takes longer than packing. */
typedef struct FvQTap {
  const uint8_t *bytes;
  int64_t step; /* to the next channel */
  bool is_signed;
  int32_t zero;
} FvQTap;
static inline FvQTap fv_qconv_tap(const FvKernelQuery *q, const FvQConv *c, int64_t m, int64_t tap) {
  const FvTensor *w = q->in[3];
  bool matmul = q->node->op->kind == FV_OP_QLINEAR_MATMUL;
  int64_t row = w->rank == 4 ? tap / c->window.kw * w->strides[2] : 0;
  int64_t at = matmul ? m * w->strides[1] : m * w->strides[0] + row + tap % c->window.kw * w->strides[w->rank - 1];
  return (FvQTap){(const uint8_t *)w->data + at, matmul ? w->strides[0] : w->strides[1], w->dtype == FV_DTYPE_I8, fv_q_zero(q->in[5], m)};
}
/* Less its zero point. */
static inline int32_t fv_qtap_weight(const FvQTap *tap, int64_t channel) {
  uint8_t byte = tap->bytes[channel * tap->step];
  return (tap->is_signed ? (int8_t)byte : byte) - tap->zero;
}

/* Entry [k] of the filter of output channel m, less its zero point; k counts taps, then channels. */
static inline int32_t fv_qconv_weight(const FvKernelQuery *q, const FvQConv *c, int64_t m, int64_t k) {
  FvQTap tap = fv_qconv_tap(q, c, m, k / c->kc);
  return fv_qtap_weight(&tap, k % c->kc);
}

static inline float fv_qconv_multiplier(const FvKernelQuery *q, int64_t m) {
  return fv_q_scale(q->in[1], 0) * fv_q_scale(q->in[4], m) / (q->in[6] ? fv_q_scale(q->in[6], 0) : 1);
}
static inline int32_t fv_qconv_bias(const FvKernelQuery *q, int64_t m) {
  const FvTensor *bias = fv_query_input(q, 8);
  return bias ? ((const int32_t *)bias->data)[m * bias->strides[0]] : 0;
}
/* The output of one call; y and multipliers are the caller's to move. */
static inline FvQOutput fv_qconv_output(const FvKernelCall *call, const FvQConv *c) {
  const FvTensor *y = call->out[0];
  return (FvQOutput){.y_stride = c->out_pixel * (long)fv_dtype_size(y->dtype), .columns = c->columns, .to = fv_quantised_of(call->node, y, call->in[6], call->in[7])};
}

/* What one part computes: a range of pixels when there are enough of them, else a range of panels, from vector to vector. */
typedef struct FvQConvShare {
  FvRange pixels;
  long begin, end;
} FvQConvShare;

static inline FvQConvShare fv_qconv_share(const FvQConv *c, const FvKernelCall *call) {
  int64_t pixels = c->out.n * c->out.h * c->out.w;
  long panels = fv_panel_count(c->vectors);
  if (pixels >= 24 * call->parts) return (FvQConvShare){fv_split(pixels, 24, call->part, call->parts), 0, c->vectors};
  FvRange v = fv_split(panels, 1, call->part, call->parts);
  return (FvQConvShare){{0, pixels}, fv_panel_begin(c->vectors, v.begin), fv_panel_begin(c->vectors, v.end)};
}

#endif

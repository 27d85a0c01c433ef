/* Max and average pooling of channels-last pictures, f32 and 8 bits. */
#include "cpu/families.h"
#include "cpu/qtile.h"

#include "base/threads.h"

enum { MAX_TAPS = 256 };

typedef struct Pool {
  FvImage in, out;
  FvWindow2 window;
} Pool;

static bool describe(const FvKernelQuery *q, Pool *p) {
  const FvPoolParams *params = q->node->params;
  if (!fv_window2(&params->window, &p->window) || !fv_image_of(q->in[0], &p->in) || !fv_image_of(q->out[0], &p->out)) return false;
  return fv_image_channels_last(&p->in) && fv_image_channels_last(&p->out) && p->window.kh * p->window.kw <= MAX_TAPS;
}

static bool suits(const FvKernelQuery *q) {
  Pool p;
  return q->out[0] && (q->node->output_count < 2 || !q->out[1]) && describe(q, &p);
}

static bool suits_f32(const FvKernelQuery *q) { return fv_is_f32(q->in[0]) && suits(q); }
static bool suits_8bit(const FvKernelQuery *q) {
  return (q->in[0]->dtype == FV_DTYPE_I8 || q->in[0]->dtype == FV_DTYPE_U8) && suits(q);
}

/* Offsets of the window's pixels that lie inside the picture, from the picture's first element. */
static int window_at(const Pool *p, int64_t oy, int64_t ox, int64_t *at) {
  const FvWindow2 *w = &p->window;
  int count = 0;
  for (int64_t ky = 0; ky < w->kh; ky++) {
    int64_t iy = oy * w->sh - w->top + ky * w->dh;
    if (iy < 0 || iy >= p->in.h) continue;
    for (int64_t kx = 0; kx < w->kw; kx++) {
      int64_t ix = ox * w->sw - w->left + kx * w->dw;
      if (ix >= 0 && ix < p->in.w) at[count++] = iy * p->in.sh + ix * p->in.sw;
    }
  }
  return count;
}

/* Along a line, windows that lie inside it are the same but for where they are: [*first, *last) of them, with `at` holding the offsets of the one at 0. */
static int window_inside(const Pool *p, int64_t oy, int64_t *first, int64_t *last, int64_t *at) {
  const FvWindow2 *w = &p->window;
  int64_t room = p->in.w - 1 - (w->kw - 1) * w->dw + w->left;
  *first = fv_ceil_div(w->left, w->sw);
  *last = room < 0 ? 0 : fv_min_i64(room / w->sw + 1, p->out.w);
  if (*last <= *first) return 0;
  int count = window_at(p, oy, *first, at);
  for (int t = 0; t < count; t++) at[t] -= *first * w->sw * p->in.sw;
  return count;
}

/* What count_include_pad divides by: positions inside the picture and its padding. */
static int64_t padded_count(const FvPoolParams *params, const FvTensor *x, int64_t oy, int64_t ox) {
  const FvWindow *w = &params->window;
  int64_t taps = 1, at[2] = {w->spatial_rank == 1 ? ox : oy, ox};
  for (int d = 0; d < w->spatial_rank; d++) {
    int64_t room = x->dims[d + 2] + w->pad_begin[d] + w->pad_end[d] - at[d] * w->stride[d];
    taps *= fv_min_i64(fv_ceil_div(room, w->dilation[d]), w->kernel[d]);
  }
  return taps;
}

FV_INLINE FvVec max_of(const float *image, const int64_t *at, int count, int64_t c) {
  FvVec best = fv_dup(-INFINITY);
  for (int t = 0; t < count; t++) best = fv_max(best, fv_load(image + at[t] + c));
  return best;
}

FV_INLINE FvVec mean_of(const float *image, const int64_t *at, int count, int64_t c, FvVec factor) {
  FvVec sum = fv_zero();
  for (int t = 0; t < count; t++) sum = fv_add(sum, fv_load(image + at[t] + c));
  return fv_mul(sum, factor);
}

FV_INLINE void run_f32(const FvKernelCall *call, const bool average) {
  FvKernelQuery q = fv_call_query(call);
  const FvPoolParams *params = call->node->params;
  Pool p;
  describe(&q, &p);
  int64_t at[MAX_TAPS];
  FvRange r = fv_split(p.out.n * p.out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / p.out.h, y = i % p.out.h;
    const float *image = (const float *)call->in[0]->data + n * p.in.sn;
    float *to = (float *)call->out[0]->data + n * p.out.sn + y * p.out.sh;
    for (int64_t x = 0; x < p.out.w; x++, to += p.out.sw) {
      int count = window_at(&p, y, x, at);
      int64_t divisor = params->count_include_pad ? padded_count(params, call->in[0], y, x) : count;
      FvVec factor = fv_dup(divisor > 0 ? 1.0f / (float)divisor : 0);
      for (int64_t c = 0; c < p.in.c; c += FV_LANES) {
        FvVec v = average ? mean_of(image, at, count, c, factor) : max_of(image, at, count, c);
        if (c + FV_LANES <= p.in.c)
          fv_store(to + c, v);
        else
          fv_store_n(to + c, v, p.in.c - c);
      }
    }
  }
}

static void run_max(const FvKernelCall *call) { run_f32(call, false); }
static void run_average(const FvKernelCall *call) { run_f32(call, true); }

/* Signed bytes are compared as unsigned ones with the top bit turned. */
FV_INLINE void max_bytes(uint8_t *to, const uint8_t *image, const int64_t *at, int count, int64_t channels, const uint8_t flip) {
  FvBytes turn = fv_bytes_dup(flip);
  for (int64_t c = 0; c < channels; c += FV_BYTES) {
    FvBytes best = fv_bytes_dup(0);
    for (int t = 0; t < count; t++) best = fv_bytes_max(best, fv_bytes_xor(fv_bytes_load(image + at[t] + c), turn));
    fv_bytes_store(to + c, fv_bytes_xor(best, turn), channels - c);
  }
}

static void run_max_8bit(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Pool p;
  describe(&q, &p);
  int64_t at[MAX_TAPS], inside[MAX_TAPS], first, last, step = p.window.sw * p.in.sw;
  FvRange r = fv_split(p.out.n * p.out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / p.out.h, y = i % p.out.h;
    const uint8_t *image = (const uint8_t *)call->in[0]->data + n * p.in.sn;
    uint8_t *to = (uint8_t *)call->out[0]->data + n * p.out.sn + y * p.out.sh;
    int inside_count = window_inside(&p, y, &first, &last, inside);
    for (int64_t x = 0; x < p.out.w; x++, to += p.out.sw) {
      bool same = x >= first && x < last;
      int count = same ? inside_count : window_at(&p, y, x, at);
      const int64_t *taps = same ? inside : at;
      if (call->in[0]->dtype == FV_DTYPE_U8)
        max_bytes(to, same ? image + x * step : image, taps, count, p.in.c, 0);
      else
        max_bytes(to, same ? image + x * step : image, taps, count, p.in.c, 0x80);
    }
  }
}

/* ---- QLinearAveragePool ---- */

static bool suits_qlinear(const FvKernelQuery *q) {
  Pool p;
  return fv_is_8bit(q->in[0]) && fv_is_8bit(q->out[0]) && describe(q, &p) && fv_q_output_suits(q) && fv_q_per_tensor(q->in[1], q->in[2]) &&
         fv_q_per_tensor(q->in[3], fv_query_input(q, 4));
}

FV_INLINE void average_bytes(uint8_t *to, const uint8_t *image, const int64_t *at, int count, int64_t channels, int32_t zero, float multiplier,
                             const FvQuantised *out, const bool is_signed) {
  for (int64_t c = 0; c < channels; c += FV_LANES) {
    FvInt sum = fv_int_dup(-count * zero);
    for (int t = 0; t < count; t++) sum = fv_int_add(sum, fv_int_from_bytes(image + at[t] + c, is_signed));
    fv_q_store(to + c, fv_mul(fv_int_to_float(sum), fv_dup(multiplier)), out, channels - c);
  }
}

static void run_qlinear_average(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  const FvPoolParams *params = call->node->params;
  Pool p;
  describe(&q, &p);
  int64_t at[MAX_TAPS];
  FvQuantised out = fv_quantised_of(call->node, call->out[0], call->in[3], fv_call_input(call, 4));
  float x_scale = fv_q_scale(call->in[1], 0), y_scale = fv_q_scale(call->in[3], 0);
  int32_t zero = fv_q_zero(call->in[2], 0);
  FvRange r = fv_split(p.out.n * p.out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / p.out.h, y = i % p.out.h;
    const uint8_t *image = (const uint8_t *)call->in[0]->data + n * p.in.sn;
    uint8_t *to = (uint8_t *)call->out[0]->data + n * p.out.sn + y * p.out.sh;
    for (int64_t x = 0; x < p.out.w; x++, to += p.out.sw) {
      int count = window_at(&p, y, x, at);
      int64_t divisor = params->count_include_pad ? padded_count(params, call->in[0], y, x) : count;
      float multiplier = divisor > 0 ? x_scale / (y_scale * (float)divisor) : 0;
      if (call->in[0]->dtype == FV_DTYPE_U8)
        average_bytes(to, image, at, count, p.in.c, zero, multiplier, &out, false);
      else
        average_bytes(to, image, at, count, p.in.c, zero, multiplier, &out, true);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_pool)[] = {
  {FV_KERNEL_NAME("max_pool_f32"), FV_OP_MAX_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_f32, NULL, NULL, NULL, run_max},
  {FV_KERNEL_NAME("max_pool_8bit"), FV_OP_MAX_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_8bit, NULL, NULL, NULL, run_max_8bit},
  {FV_KERNEL_NAME("average_pool_f32"), FV_OP_AVERAGE_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_f32, NULL, NULL, NULL, run_average},
  {FV_KERNEL_NAME("qlinear_average_pool_8bit"), FV_OP_QLINEAR_AVERAGE_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_qlinear, NULL, NULL, NULL,
   run_qlinear_average},
  {0},
};

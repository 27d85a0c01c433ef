/* Max and average pooling of channels-last pictures: f32, and i8/u8 for the maximum. */
#include "cpu/families.h"
#include "cpu/layout.h"
#include "cpu/simd.h"

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

/* Plain loops over the channels, which the compiler turns into byte maxima. */
#define MAX_BYTES(type, lowest)                                                   \
  {                                                                               \
    const type *image = (const type *)call->in[0]->data + n * p.in.sn;            \
    type *to = (type *)call->out[0]->data + n * p.out.sn + y * p.out.sh;          \
    for (int64_t x = 0; x < p.out.w; x++, to += p.out.sw) {                       \
      int count = window_at(&p, y, x, at);                                        \
      for (int64_t c = 0; c < p.in.c; c++) to[c] = count ? image[at[0] + c] : lowest; \
      for (int t = 1; t < count; t++) {                                           \
        const type *from = image + at[t];                                         \
        for (int64_t c = 0; c < p.in.c; c++) to[c] = to[c] > from[c] ? to[c] : from[c]; \
      }                                                                           \
    }                                                                             \
  }

static void run_max_8bit(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Pool p;
  describe(&q, &p);
  int64_t at[MAX_TAPS];
  FvRange r = fv_split(p.out.n * p.out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / p.out.h, y = i % p.out.h;
    if (call->in[0]->dtype == FV_DTYPE_U8) MAX_BYTES(uint8_t, 0)
    else MAX_BYTES(int8_t, INT8_MIN)
  }
}

const FvKernel FV_ISA(fv_kernels_pool)[] = {
  {FV_KERNEL_NAME("max_pool_f32"), FV_OP_MAX_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_f32, NULL, NULL, NULL, run_max},
  {FV_KERNEL_NAME("max_pool_8bit"), FV_OP_MAX_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_8bit, NULL, NULL, NULL, run_max_8bit},
  {FV_KERNEL_NAME("average_pool_f32"), FV_OP_AVERAGE_POOL, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_f32, NULL, NULL, NULL, run_average},
  {0},
};

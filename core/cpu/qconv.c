/* Depthwise QLinearConv of any window and type: what qdepthwise.c does not take.
 * packed: a pixel of zero points [C padded] bytes | bias | multipliers | weights [C / LANES][taps][LANES] as 32-bit lanes whose upper half is 0, so
 * that the pair product is a plain one. The input keeps its zero point; the bias takes it back. */
#include "cpu/families.h"
#include "cpu/qconv.h"

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
  {0},
};

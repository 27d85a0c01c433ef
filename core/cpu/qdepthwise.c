/* Depthwise QLinearConv of u8 with windows of 3 x 3 and 5 x 5, strides 1 and 2.
 *
 * The bytes that one channel has in up to four lines of a column are brought together by interleaving whole vectors of channels, so that one instruction
 * multiplies and adds them; a column is interleaved once for all the outputs whose windows hold it. Interleaving and the packing of results permute
 * channels in opposite ways; biases, factors and weights are laid out in the order in between: lane t of register r of a block holds channel
 * (t / 4) * 16 + r * 4 + t % 4.
 * packed: a pixel of zero points | per block of channels: bias [4][lanes] i32, factors alike f32, weights [quads][kw][4][lanes] of four taps. */
#include "cpu/families.h"
#include "cpu/qconv.h"

/* Weights are bytes for instructions on four of them; else taps 0 and 2, then 1 and 3, as pairs of 16 bits, exact whatever they are. */
enum { DW_WEIGHT_BYTES = FV_DOT == FV_DOT_EXACT ? 4 : 8 };

typedef struct DwOut {
  float slope;
  int16_t zero;
  uint8_t low, high;
} DwOut;

#if defined(FV_ISA_NEON)
enum { DW_BYTES = 16 };
typedef uint8x16_t DwBytes;
typedef int32x4_t DwInt;
#if defined(FV_ISA_NEON_DOT)
FV_INLINE DwBytes dw_load(const uint8_t *p) { return veorq_u8(vld1q_u8(p), vdupq_n_u8(FV_DOT_OFFSET)); }
#else
FV_INLINE DwBytes dw_load(const uint8_t *p) { return vld1q_u8(p); }
#endif
FV_INLINE DwBytes dw_zero(void) { return vdupq_n_u8(0); }
FV_INLINE DwInt dw_load_int(const int32_t *p) { return vld1q_s32(p); }
FV_INLINE void dw_interleave(DwInt out[2], DwBytes a, DwBytes b, DwBytes c, DwBytes d, const int half) {
  uint16x8_t ab = vreinterpretq_u16_u8(half ? vzip2q_u8(a, b) : vzip1q_u8(a, b)), cd = vreinterpretq_u16_u8(half ? vzip2q_u8(c, d) : vzip1q_u8(c, d));
  out[0] = vreinterpretq_s32_u16(vzip1q_u16(ab, cd));
  out[1] = vreinterpretq_s32_u16(vzip2q_u16(ab, cd));
}
#if defined(FV_ISA_NEON_DOT)
FV_INLINE DwInt dw_dot(DwInt acc, DwInt x, const uint8_t *w) { return fv_int_dot4(acc, x, vreinterpretq_s32_u8(vld1q_u8(w))); }
#else
FV_INLINE DwInt dw_dot(DwInt acc, DwInt x, const uint8_t *w) {
  return fv_int_dot(fv_int_dot(acc, fv_int_even(x), fv_int_load(w)), fv_int_odd(x), fv_int_load(w + 16));
}
#endif
FV_INLINE int32x4_t dw_steps(DwInt sum, const float *factors, float slope) {
  float32x4_t steps = vmulq_f32(vcvtq_f32_s32(sum), vld1q_f32(factors));
  if (slope != 1) steps = vmaxq_f32(steps, vmulq_f32(steps, vdupq_n_f32(slope)));
  return vcvtnq_s32_f32(steps);
}
typedef int16x8_t DwHalf;
FV_INLINE DwHalf dw_halve(DwInt a, DwInt b, const float *factors, const DwOut *out) {
  return vqaddq_s16(vcombine_s16(vqmovn_s32(dw_steps(a, factors, out->slope)), vqmovn_s32(dw_steps(b, factors + 4, out->slope))), vdupq_n_s16(out->zero));
}
FV_INLINE DwBytes dw_join(DwHalf low, DwHalf high, const DwOut *out) {
  uint8x16_t bytes = vcombine_u8(vqmovun_s16(low), vqmovun_s16(high));
  return vminq_u8(vmaxq_u8(bytes, vdupq_n_u8(out->low)), vdupq_n_u8(out->high));
}
FV_INLINE void dw_store(uint8_t *p, uint8x16_t bytes, long n) { fv_bytes_store(p, bytes, n); }

#else
/* 256 bits everywhere: blocks of 32 channels fit the widths that depthwise layers have. */
enum { DW_BYTES = 32 };
typedef __m256i DwBytes;
typedef __m256i DwInt;
FV_INLINE DwBytes dw_load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
FV_INLINE DwBytes dw_zero(void) { return _mm256_setzero_si256(); }
FV_INLINE DwInt dw_load_int(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
FV_INLINE void dw_interleave(DwInt out[2], DwBytes a, DwBytes b, DwBytes c, DwBytes d, const int half) {
  __m256i ab = half ? _mm256_unpackhi_epi8(a, b) : _mm256_unpacklo_epi8(a, b), cd = half ? _mm256_unpackhi_epi8(c, d) : _mm256_unpacklo_epi8(c, d);
  out[0] = _mm256_unpacklo_epi16(ab, cd);
  out[1] = _mm256_unpackhi_epi16(ab, cd);
}
#if defined(FV_ISA_AVX512_VNNI)
FV_INLINE DwInt dw_dot(DwInt acc, DwInt x, const uint8_t *w) { return _mm256_dpbusd_epi32(acc, x, _mm256_loadu_si256((const __m256i *)w)); }
#else
FV_INLINE DwInt dw_dot(DwInt acc, DwInt x, const uint8_t *w) {
  __m256i even = _mm256_and_si256(x, _mm256_set1_epi16(0xff)), odd = _mm256_srli_epi16(x, 8);
  acc = _mm256_add_epi32(acc, _mm256_madd_epi16(even, _mm256_loadu_si256((const __m256i *)w)));
  return _mm256_add_epi32(acc, _mm256_madd_epi16(odd, _mm256_loadu_si256((const __m256i *)(w + 32))));
}
#endif
FV_INLINE __m256i dw_steps(DwInt sum, const float *factors, float slope) {
  __m256 steps = _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_loadu_ps(factors));
  if (slope != 1) steps = _mm256_max_ps(steps, _mm256_mul_ps(steps, _mm256_set1_ps(slope)));
  return _mm256_cvtps_epi32(steps);
}
typedef __m256i DwHalf;
FV_INLINE DwHalf dw_halve(DwInt a, DwInt b, const float *factors, const DwOut *out) {
  return _mm256_adds_epi16(_mm256_packs_epi32(dw_steps(a, factors, out->slope), dw_steps(b, factors + 8, out->slope)), _mm256_set1_epi16(out->zero));
}
FV_INLINE DwBytes dw_join(DwHalf low, DwHalf high, const DwOut *out) {
  return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(low, high), _mm256_set1_epi8((char)out->low)), _mm256_set1_epi8((char)out->high));
}
FV_INLINE void dw_store(uint8_t *p, __m256i bytes, long n) {
  if (n >= 32) {
    _mm256_storeu_si256((__m256i *)p, bytes);
    return;
  }
#if FV_LANES == 16
  _mm256_mask_storeu_epi8(p, (__mmask32)((1u << n) - 1), bytes);
#else
  fv_bytes_store(p, bytes, n);
#endif
}
#endif

enum { LANES = DW_BYTES / 4, BLOCK = 4, MAX_SIDE = 5, MAX_COLUMNS = (BLOCK - 1) * 2 + MAX_SIDE };

typedef struct Depthwise {
  FvQConv c;
  int64_t blocks, quads, zero_size, block_size;
} Depthwise;

static bool describe(const FvKernelQuery *q, Depthwise *d) {
  if (!fv_qconv_describe(q, &d->c, FV_LANES)) return false;
  d->blocks = fv_ceil_div(d->c.in.c, DW_BYTES);
  d->quads = fv_ceil_div(d->c.window.kh, 4);
  d->zero_size = (d->blocks + 2) * DW_BYTES;
  d->block_size = DW_BYTES * (8 + d->quads * d->c.window.kw * DW_WEIGHT_BYTES);
  return true;
}

/* The channel that a lane of a register stands for, within its block. */
static int64_t channel_of(int reg, int lane) { return lane / 4 * 16 + reg * 4 + lane % 4; }

/* Of signed weights without a zero point; the window has two dimensions. */
static int32_t weight_at(const FvTensor *w, int64_t m, int64_t ky, int64_t kx) { return ((const int8_t *)w->data)[m * w->strides[0] + ky * w->strides[2] + kx * w->strides[3]]; }

/* Sums times factors stay below 2^31, so that rounding cannot overflow and saturation can be left to the packing of results. */
static bool steps_fit(const FvKernelQuery *q, const FvQConv *c) {
  for (int64_t m = 0; m < c->in.c; m++) {
    int64_t weights = 0;
    for (int64_t ky = 0; ky < c->window.kh; ky++)
      for (int64_t kx = 0; kx < c->window.kw; kx++) weights += abs(weight_at(q->in[3], m, ky, kx));
    double reach = fabs((double)fv_qconv_bias(q, m)) + 255.0 * (double)weights;
    if (!(reach * fabs((double)fv_qconv_multiplier(q, m)) < 2e9)) return false;
  }
  return true;
}

static bool suits(const FvKernelQuery *q) {
  Depthwise d;
  if (q->node->op->kind != FV_OP_QLINEAR_CONV || !fv_qconv_params_suit(q) || !describe(q, &d)) return false;
  const FvWindow2 *w = &d.c.window;
  bool window = w->kh == w->kw && (w->kh == 3 || w->kh == 5) && w->sh >= 1 && w->sw <= 2 && w->dh == 1 && w->dw == 1;
  bool bytes = q->in[0]->dtype == FV_DTYPE_U8 && q->out[0]->dtype == FV_DTYPE_U8 && q->in[3]->dtype == FV_DTYPE_I8 && (!q->in[5] || fv_q_zero(q->in[5], 0) == 0);
  for (int64_t m = 0; bytes && q->in[5] && m < d.c.in.c; m++) bytes = fv_q_zero(q->in[5], m) == 0;
  return bytes && window && q->in[3]->rank == 4 && d.c.kc == 1 && d.c.columns == 1 && fv_image_channels_last(&d.c.in) && steps_fit(q, &d.c);
}

static size_t packed_size(const FvKernelQuery *q) {
  Depthwise d;
  describe(q, &d);
  return (size_t)(d.zero_size + d.blocks * d.block_size);
}

static void put_weight(uint8_t *weights, int lane, int row, int32_t value) {
  if (DW_WEIGHT_BYTES == 4)
    weights[lane * 4 + row] = (uint8_t)value;
  else
    ((int16_t *)(weights + row % 2 * DW_BYTES))[lane * 2 + row / 2] = (int16_t)value;
}

static void pack(const FvKernelQuery *q, void *packed) {
  Depthwise d;
  describe(q, &d);
  const FvWindow2 *w = &d.c.window;
  int32_t zero = fv_q_zero(q->in[2], 0);
  memset(packed, zero, (size_t)d.zero_size);
  for (int64_t block = 0; block < d.blocks; block++) {
    uint8_t *at = (uint8_t *)packed + d.zero_size + block * d.block_size, *weights = at + DW_BYTES * 8;
    int32_t *bias = (int32_t *)at;
    float *factors = (float *)(at + DW_BYTES * 4);
    for (int reg = 0; reg < 4; reg++)
      for (int lane = 0; lane < LANES; lane++) {
        int64_t m = block * DW_BYTES + channel_of(reg, lane), sum = 0;
        if (m >= d.c.in.c) continue;
        for (int64_t ky = 0; ky < w->kh; ky++)
          for (int64_t kx = 0; kx < w->kw; kx++) {
            int32_t value = weight_at(q->in[3], m, ky, kx);
            put_weight(weights + ((ky / 4 * w->kw + kx) * 4 + reg) * LANES * DW_WEIGHT_BYTES, lane, (int)(ky % 4), value);
            sum += value;
          }
        bias[reg * LANES + lane] = (int32_t)(fv_qconv_bias(q, m) + (FV_DOT_OFFSET - zero) * sum);
        factors[reg * LANES + lane] = fv_qconv_multiplier(q, m);
      }
  }
}

typedef const uint8_t *Column[MAX_SIDE];

/* BLOCK neighbouring outputs of half a block of channels: two registers, so that all sums stay in some. side, step: of the window. */
FV_INLINE void depthwise_half(const int side, const int step, const int half, const Column *columns, const uint8_t *packed, int64_t channel, const DwOut *out,
                              DwHalf result[BLOCK]) {
  const uint8_t *weights = packed + DW_BYTES * 8;
  const float *factors = (const float *)(packed + DW_BYTES * 4) + half * 2 * LANES;
  DwInt acc[BLOCK][2];
#pragma GCC unroll 2
  for (int r = 0; r < 2; r++) {
    DwInt bias = dw_load_int((const int32_t *)packed + (half * 2 + r) * LANES);
#pragma GCC unroll 4
    for (int o = 0; o < BLOCK; o++) acc[o][r] = bias;
  }
#pragma GCC unroll 2
  for (int quad = 0; quad * 4 < side; quad++)
#pragma GCC unroll 11
    for (int j = 0; j < (BLOCK - 1) * step + side; j++) {
      const uint8_t *const *p = columns[j] + quad * 4;
      const int left = side - quad * 4;
      DwInt x[2];
      dw_interleave(x, dw_load(p[0] + channel), left > 1 ? dw_load(p[left > 1] + channel) : dw_zero(), left > 2 ? dw_load(p[left > 2 ? 2 : 0] + channel) : dw_zero(),
                    left > 3 ? dw_load(p[left > 3 ? 3 : 0] + channel) : dw_zero(), half);
#pragma GCC unroll 4
      for (int o = 0; o < BLOCK; o++) {
        const int kx = j - o * step;
        if (kx < 0 || kx >= side) continue;
#pragma GCC unroll 2
        for (int r = 0; r < 2; r++) acc[o][r] = dw_dot(acc[o][r], x[r], weights + ((quad * side + kx) * 4 + half * 2 + r) * LANES * DW_WEIGHT_BYTES);
      }
    }
#pragma GCC unroll 4
  for (int o = 0; o < BLOCK; o++) result[o] = dw_halve(acc[o][0], acc[o][1], factors, out);
}

FV_INLINE void depthwise_row(const int side, const int step, const Depthwise *d, const FvKernelCall *call, const DwOut *out, int64_t row) {
  const FvQConv *c = &d->c;
  const FvWindow2 *w = &c->window;
  const uint8_t *zero = call->packed, *blocks = zero + d->zero_size, *lines[MAX_SIDE];
  int64_t n = row / c->out.h, y0 = row % c->out.h * w->sh - w->top;
  for (int ky = 0; ky < side; ky++)
    lines[ky] = y0 + ky >= 0 && y0 + ky < c->in.h ? (const uint8_t *)call->in[0]->data + n * c->in.sn + (y0 + ky) * c->in.sh : NULL;
  for (int64_t ox = 0; ox < c->out.w; ox += BLOCK) {
    Column columns[MAX_COLUMNS];
    int64_t x0 = ox * step - w->left, count = fv_min_i64(BLOCK, c->out.w - ox);
    for (int j = 0; j < (BLOCK - 1) * step + side; j++) {
      bool inside = x0 + j >= 0 && x0 + j < c->in.w;
      for (int ky = 0; ky < side; ky++) columns[j][ky] = inside && lines[ky] ? lines[ky] + (x0 + j) * c->in.sw : zero;
    }
    uint8_t *y = (uint8_t *)call->out[0]->data + (row * c->out.w + ox) * c->out_pixel, unwanted[DW_BYTES];
    for (int64_t block = 0; block < d->blocks; block++) {
      const uint8_t *packed = blocks + block * d->block_size;
      int64_t channel = block * DW_BYTES;
      DwHalf low[BLOCK], high[BLOCK];
      depthwise_half(side, step, 0, columns, packed, channel, out, low);
      depthwise_half(side, step, 1, columns, packed, channel, out, high);
      /* Outputs beyond the line are stored all the same: under a condition the compiler would move their sums there, and run out of registers. */
#pragma GCC unroll 4
      for (int o = 0; o < BLOCK; o++) dw_store(o < count ? y + o * c->out_pixel + channel : unwanted, dw_join(low[o], high[o], out), c->in.c - channel);
    }
  }
}

/* Bounds of the activation as bytes: rounding is monotonic, so bounding may come last. */
static DwOut output_of(const FvKernelCall *call) {
  FvQuantised to = fv_quantised_of(call->node, call->out[0], call->in[6], call->in[7]);
  return (DwOut){to.slope, (int16_t)to.zero, (uint8_t)((int32_t)rintf(to.low) + to.zero), (uint8_t)((int32_t)rintf(to.high) + to.zero)};
}

static void run(const FvKernelCall *call) {
  FvKernelQuery q = fv_call_query(call);
  Depthwise d;
  describe(&q, &d);
  DwOut out = output_of(call);
  bool large = d.c.window.kh == 5, wide = d.c.window.sw == 2;
  FvRange range = fv_split(d.c.out.n * d.c.out.h, 1, call->part, call->parts);
  for (int64_t row = range.begin; row < range.end; row++) {
    if (large && wide)
      depthwise_row(5, 2, &d, call, &out, row);
    else if (large)
      depthwise_row(5, 1, &d, call, &out, row);
    else if (wide)
      depthwise_row(3, 2, &d, call, &out, row);
    else
      depthwise_row(3, 1, &d, call, &out, row);
  }
}

const FvKernel FV_ISA(fv_kernels_qdepthwise)[] = {
  {FV_KERNEL_NAME("qlinear_conv_8bit_depthwise_side"), FV_OP_QLINEAR_CONV, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits, packed_size, pack, NULL, run},
  {0},
};

/* Resize of channels-last pictures along height and width by the tables that the shape rule made: nearest for elements of 1 and 4 bytes,
 * weighted (linear, cubic) for f32, linear for 8 bits. */
#include "cpu/families.h"
#include "cpu/qtile.h"
#include "ops/quantised.h"

#include "base/threads.h"

static bool suits(const FvKernelQuery *q) {
  const FvResizeParams *p = q->node->params;
  FvImage in, out;
  if (p->crop || !fv_image_of(q->in[0], &in) || !fv_image_of(q->out[0], &out) || !fv_image_channels_last(&in) || !fv_image_channels_last(&out)) return false;
  return !p->axis[0].taps && !p->axis[1].taps;
}

static bool suits_nearest(const FvKernelQuery *q) {
  const FvResizeParams *p = q->node->params;
  size_t size = fv_dtype_size(q->in[0]->dtype);
  return p->mode == FV_RESIZE_NEAREST && (size == 1 || size == 4) && suits(q);
}

static bool suits_weighted(const FvKernelQuery *q) {
  const FvResizeParams *p = q->node->params;
  return p->mode != FV_RESIZE_NEAREST && fv_is_f32(q->in[0]) && suits(q);
}

/* [N, C, L] has no height to resize. */
static void axes_of(const FvKernelCall *call, FvResizeAxis *y, FvResizeAxis *x) {
  const FvResizeParams *p = call->node->params;
  int rank = call->in[0]->rank;
  *y = rank == 4 ? p->axis[2] : (FvResizeAxis){0};
  *x = p->axis[rank - 1];
}

static int64_t nearest(const FvResizeAxis *axis, int64_t i) { return axis->taps ? axis->index[i] : i; }

static void copy_pixel(char *to, const char *from, int64_t bytes) {
  int64_t i = 0;
  for (; i + 16 <= bytes; i += 16) memcpy(to + i, from + i, 16);
  for (; i < bytes; i++) to[i] = from[i];
}

static void run_nearest(const FvKernelCall *call) {
  FvImage in, out;
  FvResizeAxis ay, ax;
  axes_of(call, &ay, &ax);
  fv_image_of(call->in[0], &in);
  fv_image_of(call->out[0], &out);
  int64_t size = (int64_t)fv_dtype_size(call->in[0]->dtype);
  FvRange r = fv_split(out.n * out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / out.h, y = i % out.h;
    const char *from = (const char *)call->in[0]->data + (n * in.sn + nearest(&ay, y) * in.sh) * size;
    char *to = (char *)call->out[0]->data + (n * out.sn + y * out.sh) * size;
    for (int64_t x = 0; x < out.w; x++) copy_pixel(to + x * out.sw * size, from + nearest(&ax, x) * in.sw * size, in.c * size);
  }
}

/* taps of one output line or column: where they read, in elements, and their weights. An axis that is not resized has one of weight 1. */
typedef struct Taps {
  int count;
  const int32_t *index;
  const float *weight;
} Taps;

static const float one = 1;

static Taps taps_at(const FvResizeAxis *axis, int64_t i, int32_t *own) {
  if (axis->taps) return (Taps){axis->taps, axis->index + i * axis->taps, axis->weight + i * axis->taps};
  *own = (int32_t)i;
  return (Taps){1, own, &one};
}

FV_INLINE FvVec weigh_2x2(const float *const from[4], const FvVec weight[4], int64_t c) {
  FvVec sum = fv_mul(fv_load(from[0] + c), weight[0]);
  for (int t = 1; t < 4; t++) sum = fv_fma(fv_load(from[t] + c), weight[t], sum);
  return sum;
}

static void pixel_2x2(float *out, const float *line0, const float *line1, int64_t step, int64_t channels, const Taps *ty, const Taps *tx) {
  const float *const from[4] = {line0 + tx->index[0] * step, line0 + tx->index[1] * step, line1 + tx->index[0] * step, line1 + tx->index[1] * step};
  FvVec weight[4];
  for (int t = 0; t < 4; t++) weight[t] = fv_dup(ty->weight[t / 2] * tx->weight[t % 2]);
  int64_t c = 0;
  for (; c + FV_LANES <= channels; c += FV_LANES) fv_store(out + c, weigh_2x2(from, weight, c));
  if (c < channels) fv_store_n(out + c, weigh_2x2(from, weight, c), channels - c);
}

static void pixel_any(float *out, const float *plane, const FvImage *in, const Taps *ty, const Taps *tx) {
  for (int64_t c = 0; c < in->c; c += FV_LANES) {
    FvVec sum = fv_zero();
    for (int y = 0; y < ty->count; y++)
      for (int x = 0; x < tx->count; x++)
        sum = fv_fma(fv_load(plane + ty->index[y] * in->sh + tx->index[x] * in->sw + c), fv_dup(ty->weight[y] * tx->weight[x]), sum);
    if (c + FV_LANES <= in->c)
      fv_store(out + c, sum);
    else
      fv_store_n(out + c, sum, in->c - c);
  }
}

static void run_weighted(const FvKernelCall *call) {
  FvImage in, out;
  FvResizeAxis ay, ax;
  axes_of(call, &ay, &ax);
  fv_image_of(call->in[0], &in);
  fv_image_of(call->out[0], &out);
  FvRange r = fv_split(out.n * out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / out.h, y = i % out.h;
    int32_t own_y, own_x;
    Taps ty = taps_at(&ay, y, &own_y);
    const float *plane = (const float *)call->in[0]->data + n * in.sn;
    float *to = (float *)call->out[0]->data + n * out.sn + y * out.sh;
    for (int64_t x = 0; x < out.w; x++, to += out.sw) {
      Taps tx = taps_at(&ax, x, &own_x);
      if (ty.count == 2 && tx.count == 2)
        pixel_2x2(to, plane + ty.index[0] * in.sh, plane + ty.index[1] * in.sh, in.sw, in.c, &ty, &tx);
      else
        pixel_any(to, plane, &in, &ty, &tx);
    }
  }
}

/* ---- Bytes between bytes: whole numbers, as the reference has it ---- */

static bool suits_bytes(const FvKernelQuery *q) {
  const FvResizeParams *p = q->node->params;
  int rank = q->in[0]->rank;
  return p->mode == FV_RESIZE_LINEAR && fv_is_8bit(q->in[0]) && suits(q) && rank == 4 && p->axis[2].taps == 2 && p->axis[3].taps == 2;
}

/* Columns first: 19 bits; then lines: 30 bits. */
FV_INLINE void pixel_bytes(uint8_t *to, const uint8_t *const from[4], const int32_t weight[4], int64_t channels, const bool is_signed) {
  const FvInt columns = fv_int_dup((weight[2] & 0xffff) | (int32_t)((uint32_t)weight[3] << 16)), line0 = fv_int_dup(weight[0]), line1 = fv_int_dup(weight[1]);
  const FvInt half = fv_int_dup(1 << (2 * FV_RESIZE_WEIGHT_BITS - 1));
  for (int64_t c = 0; c < channels; c += FV_LANES) {
    FvInt above = fv_int_dot(fv_int_dup(0), fv_int_pair(fv_int_from_bytes(from[0] + c, is_signed), fv_int_from_bytes(from[1] + c, is_signed)), columns);
    FvInt below = fv_int_dot(fv_int_dup(0), fv_int_pair(fv_int_from_bytes(from[2] + c, is_signed), fv_int_from_bytes(from[3] + c, is_signed)), columns);
    FvInt sum = fv_int_add(half, fv_int_add(fv_int_mul(above, line0), fv_int_mul(below, line1)));
    fv_int_store_bytes(to + c, fv_int_shift_right(sum, 2 * FV_RESIZE_WEIGHT_BITS), channels - c);
  }
}

static void run_bytes(const FvKernelCall *call) {
  FvImage in, out;
  FvResizeAxis ay, ax;
  axes_of(call, &ay, &ax);
  fv_image_of(call->in[0], &in);
  fv_image_of(call->out[0], &out);
  FvRange r = fv_split(out.n * out.h, 1, call->part, call->parts);
  for (int64_t i = r.begin; i < r.end; i++) {
    int64_t n = i / out.h, y = i % out.h;
    const uint8_t *plane = (const uint8_t *)call->in[0]->data + n * in.sn;
    uint8_t *to = (uint8_t *)call->out[0]->data + n * out.sn + y * out.sh;
    int32_t weight[4] = {fv_resize_weight_8bit(ay.weight, y, 0), fv_resize_weight_8bit(ay.weight, y, 1)};
    for (int64_t x = 0; x < out.w; x++, to += out.sw) {
      const uint8_t *from[4];
      for (int t = 0; t < 4; t++) from[t] = plane + ay.index[y * 2 + t / 2] * in.sh + ax.index[x * 2 + t % 2] * in.sw;
      weight[2] = fv_resize_weight_8bit(ax.weight, x, 0);
      weight[3] = fv_resize_weight_8bit(ax.weight, x, 1);
      if (call->in[0]->dtype == FV_DTYPE_U8)
        pixel_bytes(to, from, weight, in.c, false);
      else
        pixel_bytes(to, from, weight, in.c, true);
    }
  }
}

const FvKernel FV_ISA(fv_kernels_resize)[] = {
  {FV_KERNEL_NAME("resize_nearest"), FV_OP_RESIZE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_nearest, NULL, NULL, NULL, run_nearest},
  {FV_KERNEL_NAME("resize_f32_weighted"), FV_OP_RESIZE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_weighted, NULL, NULL, NULL, run_weighted},
  {FV_KERNEL_NAME("resize_8bit_linear"), FV_OP_RESIZE, FV_ISA_FLAGS, FV_KERNEL_PARALLEL, suits_bytes, NULL, NULL, NULL, run_bytes},
  {0},
};

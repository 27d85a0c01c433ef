/* Depthwise convolutions, and batch normalisations that no pass could fold as 1x1 ones: shaders/depthwise.comp. */
#include <math.h>
#include <string.h>

#include "vulkan/shape.h"

#include "push/depthwise.h"

enum { MAX_SPAN = 24, MAX_KERNEL = 11 /* a row of input pixels is kept in registers */ };

typedef struct Depthwise {
  FvVkImage x, y, r;
  FvVkWindow window;
  bool has_residual;
} Depthwise;

static bool look(const FvKernelQuery *q, Depthwise *d) {
  const FvConvParams *params = q->node->params;
  const FvTensor *x = q->in[0], *bias = fv_query_input(q, 2), *residual = fv_query_input(q, 3), *y = q->out[0];
  if (!fv_vk_is_float(x) || !fv_vk_is_float(y) || !fv_vk_is_float(q->in[1]) || !fv_vk_is_constant(q, 1) || (bias && !fv_vk_is_constant(q, 2))) return false;
  if (x->data || (residual && residual->data) || !fv_vk_window(&params->window, &d->window)) return false;
  if (!fv_vk_image(x, &d->x) || !fv_vk_image(y, &d->y) || (residual && !fv_vk_image(residual, &d->r))) return false;
  d->has_residual = residual;
  return true;
}

static int span(const FvVkWindow *w, int pixels) { return (pixels - 1) * w->sw + (w->kw - 1) * w->dw + 1; }

static bool suits(const FvKernelQuery *q) {
  Depthwise d = {0};
  if (!look(q, &d) || ((const FvConvParams *)q->node->params)->group != d.x.c || d.y.c != d.x.c) return false;
  if (d.x.c < 4 || d.x.sc != 1 || d.y.sc != 1 || (d.has_residual && d.r.sc != 1)) return false;
  return span(&d.window, 4) <= MAX_SPAN && d.window.kh <= MAX_KERNEL && d.x.n * d.x.sn < INT32_MAX;
}

static int64_t padded(int64_t channels) { return (channels + 3) / 4 * 4; }

static size_t packed_size(const FvKernelQuery *q) {
  Depthwise d = {0};
  look(q, &d);
  return (size_t)((d.window.kh * d.window.kw + 1) * padded(d.x.c)) * sizeof(float);
}

static void pack(const FvKernelQuery *q, void *packed) {
  Depthwise d = {0};
  look(q, &d);
  const FvTensor *bias = fv_query_input(q, 2);
  const float *from = q->in[1]->data;
  float *to = packed;
  int64_t taps = d.window.kh * d.window.kw, quads = padded(d.x.c);
  for (int64_t c = 0; c < d.x.c; c++)
    for (int64_t tap = 0; tap < taps; tap++) to[tap * quads + c] = from[c * taps + tap];
  if (bias) memcpy(to + taps * quads, bias->data, (size_t)d.x.c * sizeof(float));
}

static int launch(FvVkEmit *emit, const Depthwise *depthwise) {
  Depthwise d = *depthwise;
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  FvActivation act = emit->node->activation;
  FvVkWindow w = d.window;
  bool wide = emit->texel && span(&w, 8) <= MAX_SPAN && d.y.w > 4;
  fv_vk_need_zeros(emit, padded(d.x.c));
  struct FvDepthwisePush push = {
    .x_at = x.at, .y_at = y.at, .r_at = d.has_residual ? fv_vk_input(emit, 3).at : 0, .w_at = emit->packed_at, .b_at = emit->packed_at + (int)(w.kh * w.kw * padded(d.x.c)), .zeros_at = emit->zeros_at,
    .x_row = (int)d.x.sh, .x_pixel = (int)d.x.sw, .x_image = (int)d.x.sn, .y_row = (int)d.y.sh, .y_pixel = (int)d.y.sw, .y_image = (int)d.y.sn,
    .r_row = (int)d.r.sh, .r_pixel = (int)d.r.sw, .r_image = (int)d.r.sn, .height = (int)d.x.h, .width = (int)d.x.w,
    .out_height = (int)d.y.h, .out_width = (int)d.y.w, .channels = (int)d.x.c, .alpha = act.alpha, .beta = act.beta,
  };
  FvVkLaunch job = {
    .shader = wide ? FV_SHADER_DEPTHWISE_8 : FV_SHADER_DEPTHWISE_4, .form = emit->form, .params = &push, .params_size = sizeof push,
    .invocations = d.y.n * d.y.h * fv_vk_ceil_div(d.y.w, wide ? 8 : 4) * (padded(d.x.c) / 4), .spec_count = 12,
    .spec = {act.type, d.has_residual, fv_vk_image_aligned(&d.x, x.at), fv_vk_image_lies(&d.y, y.at, d.y.c),
             (uint32_t)w.kh, (uint32_t)w.kw, (uint32_t)w.sh, (uint32_t)w.sw, (uint32_t)w.dh, (uint32_t)w.dw, (uint32_t)w.top, (uint32_t)w.left},
  };
  return fv_vk_launch(emit, &job);
}

static int emit_depthwise(FvVkEmit *emit) {
  Depthwise d = {0};
  look(&emit->query, &d);
  return launch(emit, &d);
}

/* --- batch normalisation: y = x * scale + shift --- */

static bool look_norm(const FvKernelQuery *q, Depthwise *d) {
  const FvTensor *tensors[] = {q->in[0], q->out[0]};
  FvVkImage *images[] = {&d->x, &d->y};
  if ((q->node->output_count > 1 && q->out[1]) || q->in[0]->data) return false;
  for (int i = 1; i < 5; i++)
    if (!fv_vk_is_float(fv_query_input(q, i)) || !fv_vk_is_constant(q, i)) return false;
  for (int i = 0; i < 2; i++) {
    const FvTensor *t = tensors[i];
    if (!fv_vk_is_float(t)) return false;
    if (t->rank == 2)
      *images[i] = (FvVkImage){t->dims[0], t->dims[1], 1, 1, t->strides[0], t->strides[1], 0, 0};
    else if (!fv_vk_image(t, images[i]))
      return false;
    if (images[i]->sc != 1 && images[i]->c > 1) return false;
  }
  d->window = (FvVkWindow){1, 1, 1, 1, 1, 1, 0, 0};
  return d->x.n * d->x.sn < INT32_MAX;
}

static bool suits_norm(const FvKernelQuery *q) {
  Depthwise d = {0};
  return look_norm(q, &d);
}

static size_t packed_size_norm(const FvKernelQuery *q) { return (size_t)(2 * padded(q->in[0]->dims[1])) * sizeof(float); }

static void pack_norm(const FvKernelQuery *q, void *packed) {
  const float *gamma = q->in[1]->data, *beta = q->in[2]->data, *mean = q->in[3]->data, *variance = q->in[4]->data;
  int64_t channels = q->in[0]->dims[1];
  float *scale = packed, *shift = scale + padded(channels);
  for (int64_t c = 0; c < channels; c++) {
    double factor = gamma[c] / sqrt((double)variance[c] + ((const FvNormParams *)q->node->params)->epsilon);
    scale[c] = (float)factor;
    shift[c] = (float)(beta[c] - mean[c] * factor);
  }
}

static int emit_norm(FvVkEmit *emit) {
  Depthwise d = {0};
  look_norm(&emit->query, &d);
  return launch(emit, &d);
}

const FvVkKernel fv_vk_depthwise[] = {
  {.name = "conv_f32_depthwise_vulkan", .op = FV_OP_CONV, .forms = FV_VK_TAKES_HALF | FV_VK_TAKES_NARROW, .suits = suits, .packed_size = packed_size, .pack = pack, .emit = emit_depthwise},
  {.name = "batch_norm_f32_vulkan", .op = FV_OP_BATCH_NORM, .forms = FV_VK_TAKES_HALF, .suits = suits_norm, .packed_size = packed_size_norm, .pack = pack_norm, .emit = emit_norm},
  {0}};

/* Convolutions: shaders/conv.comp, an implicit GEMM over channels-last pictures. */
#include "vulkan/conv.h"

#include "push/conv.h"

/* --- what matrix products use too --- */

bool fv_vk_conv_fits(const FvVkConv *c) {
  const FvVkImage *images[] = {&c->x, &c->y, &c->r};
  for (int i = 0; i < 3; i++)
    if (images[i]->n * images[i]->h * images[i]->w > INT32_MAX || images[i]->sn > INT32_MAX || images[i]->sh > INT32_MAX) return false;
  return (c->y.sc == 1 || c->y.c <= 1) && (!c->has_residual || c->r.sc == 1 || c->r.c <= 1);
}

enum { MOST_FULL = 16384 /* floats */ };

/* Wide tiles reuse what they load more often. */
static int64_t tile_channels(const FvVkConv *conv) { return conv->outputs <= 4 ? 4 : 8; }
static int64_t tile_count(const FvVkConv *conv) { return fv_vk_ceil_div(conv->outputs, tile_channels(conv)); }
static int64_t padded(int64_t channels) { return (channels + 3) / 4 * 4; }
static int64_t tile_floats(const FvVkConv *c) { return c->window.kh * c->window.kw * padded(c->channels) * tile_channels(c); }
static int64_t weight_floats(const FvVkConv *c) { return c->group * tile_count(c) * tile_floats(c); }

/* Few weights stay f32: they save no memory worth speaking of, and what fp16 costs in accuracy it costs mostly in the first, small layers. */
bool fv_vk_conv_keeps_full(const FvVkConv *c) { return weight_floats(c) <= MOST_FULL; }

size_t fv_vk_conv_full_size(const FvVkConv *c) {
  int64_t bias = c->group * tile_count(c) * tile_channels(c);
  return (size_t)(bias + (fv_vk_conv_keeps_full(c) ? weight_floats(c) : 0)) * sizeof(float);
}

size_t fv_vk_conv_packed_size(const FvVkConv *c) {
  return (size_t)(weight_floats(c) + c->group * tile_count(c) * tile_channels(c)) * sizeof(float);
}

static void pack_tile(const FvVkConv *c, const FvVkWeights *w, int64_t first, int64_t count, float *to) {
  int64_t taps = c->window.kh * c->window.kw, tile = tile_channels(c);
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t i = 0; i < c->channels; i++)
      for (int64_t o = 0; o < count; o++)
        to[(tap * padded(c->channels) + i) * tile + o] = w->scale * w->data[(first + o) * w->of_output + i * w->of_channel + tap];
}

void fv_vk_conv_pack(const FvVkConv *c, const FvVkWeights *w, float *packed) {
  int64_t tile = tile_channels(c), tiles = tile_count(c);
  float *bias = packed + weight_floats(c);
  for (int64_t i = 0; i < c->group * tiles; i++, packed += tile_floats(c), bias += tile) {
    int64_t first = i / tiles * c->outputs + i % tiles * tile, left = c->outputs - i % tiles * tile, count = left < tile ? left : tile;
    pack_tile(c, w, first, count, packed);
    for (int64_t o = 0; o < count && w->bias; o++) bias[o] = w->bias_scale * w->bias[(first + o) * w->bias_step];
  }
}

void fv_vk_conv_push(const FvVkConv *c, const FvVkEmit *emit, struct FvConvPush *push) {
  FvActivation act = emit->node->activation;
  *push = (struct FvConvPush){
    .w_at = fv_vk_conv_keeps_full(c) ? emit->full_at : emit->packed_at, .b_at = emit->full_at + (fv_vk_conv_keeps_full(c) ? (int)weight_floats(c) : 0), .zeros_at = emit->zeros_at,
    .x_row = (int)c->x.sh, .x_pixel = (int)c->x.sw, .x_image = (int)c->x.sn, .y_row = (int)c->y.sh, .y_pixel = (int)c->y.sw, .y_image = (int)c->y.sn,
    .r_row = (int)c->r.sh, .r_pixel = (int)c->r.sw, .r_image = (int)c->r.sn,
    .height = (int)c->x.h, .width = (int)c->x.w, .out_height = (int)c->y.h, .out_width = (int)c->y.w, .pixels = (int)(c->y.n * c->y.h * c->y.w),
    .channels = (int)c->channels, .outputs = (int)c->outputs, .tiles = (int)tile_count(c), .groups = (int)c->group,
    .x_channel = c->x.c > 1 ? (int)c->x.sc : 1, .alpha = act.alpha, .beta = act.beta,
  };
}

static int64_t invocations_of(const FvVkConv *c, const FvVkConvWay *way) {
  int64_t pixels = c->y.n * c->y.h * c->y.w;
  if (!way->rows) return fv_vk_ceil_div(pixels, way->pixels) * c->group * tile_count(c);
  int64_t channel_tiles = fv_vk_ceil_div(tile_count(c) * tile_channels(c), way->columns * way->vecs * 4);
  return fv_vk_ceil_div(pixels, way->rows * way->pixels) * c->group * channel_tiles * way->rows * way->columns;
}

/* As conv.comp numbers it. Splits of a shuffle leave every other channel. */
static uint32_t channels_lie(const FvVkConv *c, int32_t x_at) {
  FvVkImage every = c->x, pairs = c->x;
  bool whole = c->group == 1 || c->channels % 4 == 0; /* groups begin at multiples of four */
  if (whole && fv_vk_image_aligned(&every, x_at)) return 1;
  pairs.sc = 1;
  int32_t phase = ((x_at % 4) + 4) % 4;
  return c->group == 1 && c->x.sc == 2 && phase < 2 && fv_vk_image_aligned(&pairs, x_at - phase) ? 2 + (uint32_t)phase : 0;
}

int fv_vk_conv_emit(FvVkEmit *emit, const FvVkConv *c, int32_t x_at, int32_t y_at, int32_t r_at) {
  struct FvConvPush push;
  fv_vk_conv_push(c, emit, &push);
  FvVkWindow w = c->window;
  int64_t reach = padded(c->channels) * (push.x_channel > 0 ? push.x_channel : 1) + 4;
  FvVkConvWay way = fv_vk_conv_way(emit, c);
  push.x_at = x_at;
  push.y_at = y_at;
  push.r_at = r_at;
  if (w.kh * w.kw > 1 || w.top || w.left) fv_vk_need_zeros(emit, reach);
  FvVkLaunch launch = {
    .shader = way.shader, .form = way.arithmetic ? FV_VK_ARITHMETIC : emit->form, .params = &push, .params_size = sizeof push, .invocations = invocations_of(c, &way),
    .group_size = (uint32_t)(way.rows ? way.rows * way.columns : way.group_size), .spec_count = way.rows ? 19 : 14,
    .spec = {emit->node->activation.type, c->has_residual, channels_lie(c, x_at), fv_vk_image_lies(&c->y, y_at, c->outputs),
             c->channels % 4 != 0, (uint32_t)w.kh, (uint32_t)w.kw, (uint32_t)w.sh, (uint32_t)w.sw, (uint32_t)w.dh, (uint32_t)w.dw, (uint32_t)w.top, (uint32_t)w.left,
             fv_vk_conv_keeps_full(c), (uint32_t)way.rows, (uint32_t)way.columns, (uint32_t)way.pixels, (uint32_t)way.vecs, (uint32_t)way.step},
  };
  return fv_vk_launch(emit, &launch);
}

/* --- the operator --- */

bool fv_vk_conv_look(const FvKernelQuery *q, FvVkConv *c) {
  const FvConvParams *params = q->node->params;
  const FvTensor *x = q->in[0], *bias = fv_query_input(q, 2), *residual = fv_query_input(q, 3), *y = q->out[0];
  if (!fv_vk_is_float(x) || !fv_vk_is_float(y) || !fv_vk_is_float(q->in[1]) || !fv_vk_is_constant(q, 1) || (bias && !fv_vk_is_constant(q, 2))) return false;
  if (x->data || (residual && residual->data) || !fv_vk_window(&params->window, &c->window)) return false;
  if (!fv_vk_image(x, &c->x) || !fv_vk_image(y, &c->y) || (residual && !fv_vk_image(residual, &c->r))) return false;
  c->has_residual = residual;
  c->group = params->group;
  c->channels = c->x.c / params->group;
  c->outputs = c->y.c / params->group;
  return fv_vk_conv_fits(c);
}

/* Inputs whose channels do not follow each other are read float by float: worth it when few output channels read them, and every other one by fours. */
static bool suits(const FvKernelQuery *q) {
  FvVkConv c = {0};
  return fv_vk_conv_look(q, &c) && (c.x.sc == 1 || c.x.c < 8 || c.outputs <= 16 || (c.x.sc == 2 && c.group == 1));
}

static size_t packed_size(const FvKernelQuery *q) {
  FvVkConv c = {0};
  fv_vk_conv_look(q, &c);
  return fv_vk_conv_packed_size(&c);
}

static size_t full_size(const FvKernelQuery *q) {
  FvVkConv c = {0};
  fv_vk_conv_look(q, &c);
  return fv_vk_conv_full_size(&c);
}

static void pack(const FvKernelQuery *q, void *packed) {
  FvVkConv c = {0};
  fv_vk_conv_look(q, &c);
  const FvTensor *bias = fv_query_input(q, 2);
  int64_t taps = c.window.kh * c.window.kw;
  FvVkWeights weights = {.data = q->in[1]->data, .bias = bias ? bias->data : NULL, .of_output = c.channels * taps, .of_channel = taps, .bias_step = 1, .scale = 1, .bias_scale = 1};
  fv_vk_conv_pack(&c, &weights, packed);
}

static int emit_conv(FvVkEmit *emit) {
  FvVkConv c = {0};
  fv_vk_conv_look(&emit->query, &c);
  return fv_vk_conv_emit(emit, &c, fv_vk_input(emit, 0).at, fv_vk_output(emit, 0).at, fv_vk_input(emit, 3).at);
}

const FvVkKernel fv_vk_conv[] = {
  {.name = "conv_f32_igemm_vulkan", .op = FV_OP_CONV, .forms = FV_VK_TAKES_HALF | FV_VK_TAKES_NARROW | FV_VK_HALVES_WEIGHTS, .suits = suits, .packed_size = packed_size, .full_size = full_size, .pack = pack, .emit = emit_conv, .conv = fv_vk_conv_look},
  {0}};

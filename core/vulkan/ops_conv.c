/* Convolutions: shaders/conv.comp, an implicit GEMM over channels-last pictures. */
#include "vulkan/shape.h"

#include <string.h>

#include "push/conv.h"

typedef struct Conv {
  FvVkImage x, y, r;
  FvVkWindow window;
  int64_t group, channels, outputs; /* of one group */
  bool has_residual;
} Conv;

static bool fits_int(const FvVkImage *i) { return i->n * i->h * i->w < INT32_MAX && i->sn < INT32_MAX && i->sh < INT32_MAX; }

static bool look(const FvKernelQuery *q, Conv *conv) {
  const FvConvParams *params = q->node->params;
  const FvTensor *x = q->in[0], *bias = fv_query_input(q, 2), *residual = fv_query_input(q, 3), *y = q->out[0];
  if (!fv_vk_is_f32(x) || !fv_vk_is_f32(y) || !fv_vk_is_f32(q->in[1]) || !fv_vk_is_constant(q, 1) || (bias && !fv_vk_is_constant(q, 2))) return false;
  if (x->data || (residual && residual->data) || !fv_vk_window(&params->window, &conv->window)) return false;
  if (!fv_vk_image(x, &conv->x) || !fv_vk_image(y, &conv->y) || (residual && !fv_vk_image(residual, &conv->r))) return false;
  conv->has_residual = residual;
  conv->group = params->group;
  conv->channels = conv->x.c / params->group;
  conv->outputs = conv->y.c / params->group;
  if ((conv->y.sc != 1 && conv->y.c > 1) || (residual && conv->r.sc != 1 && conv->r.c > 1)) return false;
  return fits_int(&conv->x) && fits_int(&conv->y);
}

/* Inputs that lie otherwise are read float by float: worth it when few output channels read them. */
static bool suits(const FvKernelQuery *q) {
  Conv conv = {0};
  return look(q, &conv) && (conv.x.sc == 1 || conv.x.c < 8 || conv.outputs <= 16);
}

/* Wide tiles reuse what they load more often; narrow ones make more of them. */
static int64_t tile_channels(const Conv *conv) { return conv->outputs <= 4 ? 4 : 8; }

static int64_t padded(int64_t channels) { return (channels + 3) / 4 * 4; }

static size_t weight_floats(const Conv *c) {
  int64_t tile = tile_channels(c);
  return (size_t)(c->group * fv_vk_ceil_div(c->outputs, tile) * c->window.kh * c->window.kw * padded(c->channels) * tile);
}

static size_t packed_size(const FvKernelQuery *q) {
  Conv c = {0};
  look(q, &c);
  int64_t tile = tile_channels(&c);
  return (weight_floats(&c) + (size_t)(c.group * fv_vk_ceil_div(c.outputs, tile) * tile)) * sizeof(float);
}

static void pack_tile(const Conv *c, const FvTensor *w, int64_t first, int64_t count, int64_t tile, float *to) {
  const float *from = w->data;
  int64_t taps = c->window.kh * c->window.kw;
  for (int64_t tap = 0; tap < taps; tap++)
    for (int64_t i = 0; i < c->channels; i++)
      for (int64_t o = 0; o < count; o++) to[(tap * padded(c->channels) + i) * tile + o] = from[((first + o) * c->channels + i) * taps + tap];
}

static void pack(const FvKernelQuery *q, void *packed) {
  Conv c = {0};
  look(q, &c);
  const FvTensor *bias = fv_query_input(q, 2);
  int64_t tile = tile_channels(&c), tiles = fv_vk_ceil_div(c.outputs, tile), size = c.window.kh * c.window.kw * padded(c.channels) * tile;
  float *to = packed, *bias_to = to + weight_floats(&c);
  for (int64_t g = 0; g < c.group; g++)
    for (int64_t t = 0; t < tiles; t++, to += size, bias_to += tile) {
      int64_t first = g * c.outputs + t * tile, count = c.outputs - t * tile < tile ? c.outputs - t * tile : tile;
      pack_tile(&c, q->in[1], first, count, tile, to);
      if (bias) memcpy(bias_to, (const float *)bias->data + first, (size_t)count * sizeof(float));
    }
}

static struct FvConvPush push_of(const Conv *c, const FvVkEmit *emit) {
  FvActivation act = emit->node->activation;
  int64_t tile = tile_channels(c);
  return (struct FvConvPush){
    .x_at = fv_vk_input(emit, 0).at, .y_at = fv_vk_output(emit, 0).at, .r_at = fv_vk_input(emit, 3).at, .w_at = emit->packed_at,
    .b_at = emit->packed_at + (int)weight_floats(c), .zeros_at = emit->zeros_at,
    .x_row = (int)c->x.sh, .x_pixel = (int)c->x.sw, .x_image = (int)c->x.sn, .y_row = (int)c->y.sh, .y_pixel = (int)c->y.sw, .y_image = (int)c->y.sn,
    .r_row = (int)c->r.sh, .r_pixel = (int)c->r.sw, .r_image = (int)c->r.sn,
    .height = (int)c->x.h, .width = (int)c->x.w, .out_height = (int)c->y.h, .out_width = (int)c->y.w, .pixels = (int)(c->y.n * c->y.h * c->y.w),
    .channels = (int)c->channels, .outputs = (int)c->outputs, .tiles = (int)fv_vk_ceil_div(c->outputs, tile), .groups = (int)c->group,
    .x_channel = c->x.c > 1 ? (int)c->x.sc : 1, .alpha = act.alpha, .beta = act.beta,
  };
}

static int emit_conv(FvVkEmit *emit) {
  Conv c = {0};
  look(&emit->query, &c);
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  struct FvConvPush push = push_of(&c, emit);
  int64_t pixels = 8, tile = tile_channels(&c);
  FvVkShader shader = tile == 4 ? FV_SHADER_CONV_4X4 : FV_SHADER_CONV_8X8;
  if (tile == 4) pixels = 4;
  if (tile == 8 && !emit->texel) {
    shader = FV_SHADER_CONV_4X8; /* real GPUs run out of registers, and of tiles */
    pixels = 4;
  }
  fv_vk_need_zeros(emit, padded(c.channels) * (push.x_channel > 0 ? push.x_channel : 1));
  FvVkWindow w = c.window;
  FvVkLaunch launch = {
    .shader = shader, .params = &push, .params_size = sizeof push, .invocations = fv_vk_ceil_div(push.pixels, pixels) * push.groups * push.tiles,
    .spec_count = 13,
    .spec = {emit->node->activation.type, c.has_residual, fv_vk_aligned_pixels(&x) && (c.group == 1 || c.channels % 4 == 0),
             fv_vk_aligned_pixels(&y) && (c.group == 1 || c.outputs % 4 == 0), c.channels % 4 != 0,
             (uint32_t)w.kh, (uint32_t)w.kw, (uint32_t)w.sh, (uint32_t)w.sw, (uint32_t)w.dh, (uint32_t)w.dw, (uint32_t)w.top, (uint32_t)w.left},
  };
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_conv[] = {
  {.name = "conv_f32_igemm_vulkan", .op = FV_OP_CONV, .suits = suits, .packed_size = packed_size, .pack = pack, .emit = emit_conv},
  {0}};

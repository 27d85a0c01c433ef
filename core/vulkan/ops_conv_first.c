/* The first layer, whose few input channels lie densely: shaders/conv_first.comp. */
#include <string.h>

#include "vulkan/conv.h"

#include "push/conv.h"

enum { TILE = 8 /* output channels */, WIDEST = 16, WIDE = 8, NARROW = 4 /* pixels */, MAX_SPAN = 64, MAX_WIDEST_SPAN = 112 /* floats of a row, which are kept in registers */ };

static int64_t span(const FvVkConv *c, int64_t pixels) { return ((pixels - 1) * c->window.sw + c->window.kw) * c->channels; }

static bool suits(const FvKernelQuery *q) {
  FvVkConv c = {0};
  if (!fv_vk_conv_look(q, &c) || c.group != 1 || c.channels > 4 || c.has_residual || c.window.dh != 1 || c.window.dw != 1) return false;
  bool dense = (c.x.sc == 1 || c.x.c == 1) && c.x.sw == c.x.c && c.x.sh % 4 == 0 && (c.x.n == 1 || c.x.sn % 4 == 0);
  return dense && span(&c, WIDE) <= MAX_SPAN && c.outputs >= TILE;
}

static size_t weight_floats(const FvVkConv *c) {
  return (size_t)(fv_vk_ceil_div(c->outputs, TILE) * c->window.kh * c->window.kw * c->channels * TILE);
}

static size_t packed_size(const FvKernelQuery *q) {
  FvVkConv c = {0};
  fv_vk_conv_look(q, &c);
  return (weight_floats(&c) + (size_t)(fv_vk_ceil_div(c.outputs, TILE) * TILE)) * sizeof(float);
}

static void pack(const FvKernelQuery *q, void *packed) {
  FvVkConv c = {0};
  fv_vk_conv_look(q, &c);
  const FvTensor *bias = fv_query_input(q, 2);
  const float *from = q->in[1]->data;
  float *to = packed;
  int64_t taps = c.window.kh * c.window.kw;
  for (int64_t o = 0; o < c.outputs; o++)
    for (int64_t i = 0; i < c.channels; i++)
      for (int64_t tap = 0; tap < taps; tap++)
        to[((o / TILE * taps + tap) * c.channels + i) * TILE + o % TILE] = from[(o * c.channels + i) * taps + tap];
  if (bias) memcpy(to + weight_floats(&c), bias->data, (size_t)c.outputs * sizeof(float));
}

/* How many pixels an invocation takes: loads are dear where memory is reached through texel buffers. */
static int tile_pixels(const FvVkConv *c, bool texel) {
  if (!texel) return NARROW;
  return span(c, WIDEST) <= MAX_WIDEST_SPAN && c->y.w > WIDE ? WIDEST : WIDE;
}

/* The first pixel of a run of which some, in the last tile of a row, may lie right of the picture. */
static int mask_from(const FvVkConv *c, int pixels) {
  if (c->y.w % pixels) return 0; /* any */
  int64_t first = (c->y.w - pixels) * c->window.sw - c->window.left;
  return c->x.w > first ? (int)(c->x.w - first) : 0;
}

static int emit_first(FvVkEmit *emit) {
  FvVkConv c = {0};
  fv_vk_conv_look(&emit->query, &c);
  FvVkWindow w = c.window;
  struct FvConvPush push;
  fv_vk_conv_push(&c, emit, &push);
  push.x_at = fv_vk_input(emit, 0).at;
  push.y_at = fv_vk_output(emit, 0).at;
  push.w_at = emit->packed_at;
  push.b_at = emit->packed_at + (int)weight_floats(&c);
  push.tiles = (int)fv_vk_ceil_div(c.outputs, TILE);
  /* Tiles begin a multiple of four floats apart, rows too: so all runs have one phase. */
  int pixels = tile_pixels(&c, emit->texel), phase = (((push.x_at - w.left * push.channels) % 4) + 4) % 4;
  fv_vk_need_zeros(emit, span(&c, pixels) + 8); /* which lie behind all tensors: runs may end there, too */
  FvVkLaunch launch = {
    .shader = pixels == WIDEST ? FV_SHADER_CONV_FIRST_16X8 : pixels == WIDE ? FV_SHADER_CONV_FIRST_8X8 : FV_SHADER_CONV_FIRST_4X8, .form = emit->form, .params = &push, .params_size = sizeof push,
    .invocations = c.y.n * c.y.h * fv_vk_ceil_div(c.y.w, pixels) * push.tiles, .spec_count = 11,
    .spec = {emit->node->activation.type, fv_vk_image_lies(&c.y, push.y_at, c.outputs), (uint32_t)c.channels, (uint32_t)phase,
             (uint32_t)w.kh, (uint32_t)w.kw, (uint32_t)w.sh, (uint32_t)w.sw, (uint32_t)w.top, (uint32_t)w.left, (uint32_t)mask_from(&c, pixels)},
  };
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_conv_first[] = {
  {.name = "conv_f32_first_vulkan", .op = FV_OP_CONV, .forms = FV_VK_TAKES_HALF | FV_VK_TAKES_NARROW, .suits = suits, .packed_size = packed_size, .pack = pack, .emit = emit_first},
  {0}};

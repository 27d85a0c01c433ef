/* QLinearConv, ConvInteger, and matrix products of bytes with constant weights: shaders/qconv.comp and shaders/qdepthwise.comp. */
#include <string.h>

#include "vulkan/conv.h"
#include "vulkan/program.h"
#include "vulkan/quantised.h"

#include "push/qconv.h"

enum { TILE = 8 /* output channels */, IN_PUSH = 0, IN_ARENA = 1, IN_WEIGHTS = 2 };
enum { MAX_UNROLLED = 12 /* taps */ };
enum { MAX_SPAN = 24, MAX_KERNEL = 11 /* depthwise: a row of input pixels is kept in registers */ };

typedef struct Qconv {
  FvVkConv conv;
  const FvTensor *x, *w, *x_scale, *w_scale, *y_scale, *w_zero, *y_zero, *bias; /* scales NULL: none, 1 */
  int x_zero;             /* the input that it is */
  int64_t of_output, of_channel; /* strides of w, whose taps follow each other */
} Qconv;

/* --- what the operator says --- */

static void take_inputs(const FvKernelQuery *q, Qconv *c) {
  bool integer = q->node->op->kind == FV_OP_CONV_INTEGER || q->node->op->kind == FV_OP_MATMUL_INTEGER;
  c->x = q->in[0];
  c->w = q->in[integer ? 1 : 3];
  c->x_zero = 2;
  c->w_zero = fv_query_input(q, integer ? 3 : 5);
  if (integer) return;
  c->x_scale = q->in[1];
  c->w_scale = q->in[4];
  c->y_scale = q->in[6];
  c->y_zero = q->in[7];
  c->bias = fv_query_input(q, 8);
}

static bool constant_or_absent(const FvTensor *t) { return !t || (t->data && fv_tensor_is_contiguous(t)); }
static bool one_or_vector(const FvTensor *t, int64_t length) { return !t || fv_vk_is_one(t) || (t->rank == 1 && t->dims[0] == length); }

static bool params_suit(const FvKernelQuery *q, const Qconv *c, int64_t outputs) {
  const FvTensor *constants[] = {c->w, c->w_zero, c->x_scale, c->w_scale, c->y_scale, c->y_zero, c->bias}, *x_zero = fv_query_input(q, c->x_zero);
  for (int i = 0; i < 7; i++)
    if (!constant_or_absent(constants[i])) return false;
  if (!c->w || !fv_vk_is_8bit(c->x) || c->x->data || (x_zero && !fv_vk_is_one(x_zero))) return false;
  if (c->x_scale && (!fv_vk_is_f32(c->x_scale) || !fv_vk_is_f32(c->w_scale) || !fv_vk_is_one(c->x_scale))) return false;
  if (c->y_scale && (!fv_vk_is_f32(c->y_scale) || !fv_vk_is_one(c->y_scale))) return false;
  if (q->out[0]->dtype == FV_DTYPE_F16) return false;
  return one_or_vector(c->w_scale, outputs) && one_or_vector(c->w_zero, outputs) && fv_activates_steps(q->node->activation.type);
}

static bool look_conv(const FvKernelQuery *q, Qconv *c) {
  const FvConvParams *params = q->node->op->kind == FV_OP_CONV_INTEGER ? q->node->params : &((const FvQLinearConvParams *)q->node->params)->conv;
  take_inputs(q, c);
  FvVkConv *v = &c->conv;
  if (!q->out[0] || !fv_vk_window(&params->window, &v->window) || !fv_vk_image(c->x, &v->x) || !fv_vk_image(q->out[0], &v->y)) return false;
  v->group = params->group;
  v->channels = v->x.c / params->group;
  v->outputs = v->y.c / params->group;
  c->of_channel = v->window.kh * v->window.kw;
  c->of_output = v->channels * c->of_channel;
  return params_suit(q, c, v->y.c);
}

static bool look_product(const FvKernelQuery *q, Qconv *c) {
  take_inputs(q, c);
  if (!c->x || !c->w || c->x->rank < 2 || c->w->rank != 2 || !q->out[0] || q->out[0]->rank != c->x->rank) return false;
  if (!fv_vk_rows_as_pixels(c->x, q->out[0], NULL, &c->conv)) return false;
  c->of_channel = c->w->dims[1];
  c->of_output = 1;
  return params_suit(q, c, c->conv.outputs);
}

/* Sums stay within 32 bits, positions within int. */
static bool in_range(const Qconv *c) {
  const FvVkImage *images[] = {&c->conv.x, &c->conv.y};
  for (int i = 0; i < 2; i++)
    if (images[i]->n * images[i]->h * images[i]->w > INT32_MAX || images[i]->sn > INT32_MAX || images[i]->sh > INT32_MAX || images[i]->sc > INT32_MAX) return false;
  return c->conv.channels * c->conv.window.kh * c->conv.window.kw < INT32_MAX / (255 * 255);
}

static bool look(const FvKernelQuery *q, Qconv *c) {
  *c = (Qconv){0};
  bool product = q->node->op->kind == FV_OP_MATMUL_INTEGER || q->node->op->kind == FV_OP_QLINEAR_MATMUL;
  return (product ? look_product(q, c) : look_conv(q, c)) && in_range(c);
}

static bool suits(const FvKernelQuery *q) {
  Qconv c;
  return look(q, &c);
}

/* --- packing --- */

static int32_t weight_at(const Qconv *c, int64_t output, int64_t channel, int64_t tap) {
  int64_t at = output * c->of_output + channel * c->of_channel + tap;
  int32_t w = c->w->dtype == FV_DTYPE_I8 ? ((const int8_t *)c->w->data)[at] : ((const uint8_t *)c->w->data)[at];
  return w - (int32_t)fv_quant_param(c->w_zero, output);
}

static int64_t taps(const Qconv *c) { return (int64_t)c->conv.window.kh * c->conv.window.kw; }
static int64_t fours(int64_t channels) { return (channels + 3) / 4; }
static int64_t tile_count(const Qconv *c) { return fv_vk_ceil_div(c->conv.outputs, TILE); }

/* Does some weight without its zero point take more than a signed byte? Then zero points stay on. */
static bool keeps_zeros(const Qconv *c) {
  for (int64_t o = 0; o < c->conv.group * c->conv.outputs; o++)
    for (int64_t i = 0; i < c->conv.channels; i++)
      for (int64_t tap = 0; tap < taps(c); tap++) {
        int32_t w = weight_at(c, o, i, tap);
        if (w < -128 || w > 127) return true;
      }
  return false;
}

/* The zero point of signed bytes that stand for the weights as they are. */
static int32_t zero_of_bytes(const Qconv *c, int64_t output) {
  return (int32_t)fv_quant_param(c->w_zero, output) - (c->w->dtype == FV_DTYPE_U8 ? 128 : 0);
}

static int64_t tile_words(const Qconv *c) { return taps(c) * fours(c->conv.channels) * TILE; }
static int64_t weight_words(const Qconv *c) { return c->conv.group * tile_count(c) * tile_words(c); }

static size_t packed_size(const FvKernelQuery *q) {
  Qconv c;
  look(q, &c);
  return (size_t)(weight_words(&c) + c.conv.group * tile_count(&c) * TILE * 4) * sizeof(int32_t);
}

/* {biases, sums of weights, multipliers, zero points} of `count` outputs, each list `tile` long. */
static void pack_table(const Qconv *c, bool zeros, int64_t first, int64_t count, int64_t tile, int32_t *to) {
  for (int64_t o = 0; o < count; o++) {
    int32_t sum = 0, zero = zeros ? zero_of_bytes(c, first + o) : 0;
    for (int64_t i = 0; i < c->conv.channels; i++)
      for (int64_t tap = 0; tap < taps(c); tap++) sum += weight_at(c, first + o, i, tap) + zero;
    to[o] = c->bias ? ((const int32_t *)c->bias->data)[first + o] : 0;
    to[tile + o] = sum;
    float multiplier = !c->x_scale ? 1 : (float)fv_quant_param(c->x_scale, 0) * (float)fv_quant_param(c->w_scale, first + o) / (c->y_scale ? (float)fv_quant_param(c->y_scale, 0) : 1);
    memcpy(&to[2 * tile + o], &multiplier, sizeof multiplier);
    to[3 * tile + o] = zero;
  }
}

static void pack_tile(const Qconv *c, bool zeros, int64_t first, int64_t count, int8_t *to) {
  for (int64_t tap = 0; tap < taps(c); tap++)
    for (int64_t four = 0; four < fours(c->conv.channels); four++, to += 4 * TILE)
      for (int64_t o = 0; o < count; o++)
        for (int64_t i = four * 4; i < four * 4 + 4 && i < c->conv.channels; i++)
          to[o * 4 + i % 4] = (int8_t)(weight_at(c, first + o, i, tap) + (zeros ? zero_of_bytes(c, first + o) : 0));
}

static void pack(const FvKernelQuery *q, void *packed) {
  Qconv c;
  look(q, &c);
  bool zeros = keeps_zeros(&c);
  int64_t tiles = tile_count(&c);
  int32_t *weights = packed, *table = weights + weight_words(&c);
  for (int64_t i = 0; i < c.conv.group * tiles; i++, weights += tile_words(&c), table += 4 * TILE) {
    int64_t first = i / tiles * c.conv.outputs + i % tiles * TILE, left = c.conv.outputs - i % tiles * TILE, count = left < TILE ? left : TILE;
    pack_tile(&c, zeros, first, count, (int8_t *)weights);
    pack_table(&c, zeros, first, count, TILE, table);
  }
}

/* --- launching --- */

static struct FvQconvPush push_of(const FvVkEmit *emit, const Qconv *c, int64_t table_at) {
  const FvVkImage *x = &c->conv.x, *y = &c->conv.y;
  FvActivation act = fv_vk_activation_in_steps(emit->node->activation, c->y_scale ? (float)fv_quant_param(c->y_scale, 0) : 1);
  FvVkPlace zero = fv_vk_input(emit, c->x_zero);
  bool known = !zero.tensor || zero.in_weights;
  return (struct FvQconvPush){
    .x_at = fv_vk_input(emit, 0).at, .y_at = fv_vk_output(emit, 0).at, .w_at = emit->packed_at, .table_at = emit->packed_at + (int)table_at, .zero_at = zero.at,
    .x_row = (int)x->sh, .x_pixel = (int)x->sw, .x_image = (int)x->sn, .x_channel = x->c > 1 ? (int)x->sc : 1,
    .y_row = (int)y->sh, .y_pixel = (int)y->sw, .y_image = (int)y->sn, .y_channel = y->c > 1 ? (int)y->sc : 1,
    .height = (int)x->h, .width = (int)x->w, .out_height = (int)y->h, .out_width = (int)y->w, .pixels = (int)(y->n * y->h * y->w),
    .channels = (int)c->conv.channels, .outputs = (int)c->conv.outputs, .tiles = (int)tile_count(c), .groups = (int)c->conv.group,
    .x_zero = known ? (int)fv_quant_param(zero.tensor, 0) : 0, .y_zero = (int)fv_quant_param(c->y_zero, 0), .alpha = act.alpha, .beta = act.beta,
  };
}

static void fill_spec(const FvVkEmit *emit, const Qconv *c, const struct FvQconvPush *push, bool zeros, FvVkLaunch *launch) {
  const FvVkWindow *w = &c->conv.window;
  FvDtype dtype = emit->query.out[0]->dtype;
  FvVkPlace zero = fv_vk_input(emit, c->x_zero);
  bool whole = c->conv.group == 1 || c->conv.channels % 4 == 0, y_whole = c->conv.group == 1 || c->conv.outputs % 4 == 0;
  int aligned = !whole ? 0 : fv_vk_bytes_aligned(&c->conv.x, push->x_at, 8) && c->conv.channels % 8 == 0 ? 2 : fv_vk_bytes_aligned(&c->conv.x, push->x_at, 4) ? 1 : 0;
  if (aligned == 1 && c->conv.group == 1 && fv_vk_bytes_aligned(&c->conv.x, push->x_at, 8)) aligned = 2;
  const uint32_t spec[] = {emit->node->activation.type, (uint32_t)aligned, c->x->dtype == FV_DTYPE_I8, dtype, fv_vk_bytes_lie(y_whole && fv_vk_bytes_aligned(&c->conv.y, push->y_at, 4), c->conv.outputs),
                           (uint32_t)w->kh, (uint32_t)w->kw, (uint32_t)w->sh, (uint32_t)w->sw, (uint32_t)w->dh, (uint32_t)w->dw, (uint32_t)w->top, (uint32_t)w->left,
                           zeros, !zero.tensor || zero.in_weights ? IN_PUSH : IN_ARENA};
  memcpy(launch->spec, spec, sizeof spec);
  launch->spec_count = sizeof spec / sizeof spec[0];
}

static int emit_conv(FvVkEmit *emit) {
  Qconv c;
  look(&emit->query, &c);
  struct FvQconvPush push = push_of(emit, &c, weight_words(&c));
  bool wide = emit->texel; /* real GPUs run out of registers, and of tiles */
  const FvVkTraits *traits = &emit->program->device->traits;
  bool dot = traits->dot_product_accelerated || (traits->dot_product && fv_vk_wish("dot"));
  bool first = !dot && c.conv.channels <= 4 && taps(&c) <= MAX_UNROLLED;
  FvVkShader shader = first ? (wide ? FV_SHADER_QCONV_FIRST_8 : FV_SHADER_QCONV_FIRST_4) : dot ? (wide ? FV_SHADER_QCONV_DOT_8 : FV_SHADER_QCONV_DOT_4) : wide ? FV_SHADER_QCONV_8 : FV_SHADER_QCONV_4;
  FvVkLaunch launch = {.shader = shader, .params = &push, .params_size = sizeof push,
                       .invocations = fv_vk_ceil_div(push.pixels, wide ? 8 : 4) * push.groups * push.tiles};
  fill_spec(emit, &c, &push, keeps_zeros(&c), &launch);
  return fv_vk_launch(emit, &launch);
}

/* --- depthwise --- */

static int span(const FvVkWindow *w, int pixels) { return (pixels - 1) * w->sw + (w->kw - 1) * w->dw + 1; }

static bool suits_depthwise(const FvKernelQuery *q) {
  Qconv c;
  return look(q, &c) && c.conv.group == c.conv.x.c && c.conv.y.c == c.conv.x.c && c.conv.x.c > 1 && span(&c.conv.window, 4) <= MAX_SPAN && c.conv.window.kh <= MAX_KERNEL;
}

static int64_t depthwise_words(const Qconv *c) { return fours(c->conv.x.c) * 4 * taps(c); }

static size_t packed_size_depthwise(const FvKernelQuery *q) {
  Qconv c;
  look(q, &c);
  return (size_t)(depthwise_words(&c) + fours(c.conv.x.c) * 16) * sizeof(int32_t);
}

static void pack_depthwise(const FvKernelQuery *q, void *packed) {
  Qconv c;
  look(q, &c);
  int32_t *weights = packed, *table = weights + depthwise_words(&c);
  for (int64_t o = 0; o < c.conv.x.c; o++) {
    for (int64_t tap = 0; tap < taps(&c); tap++) weights[(o / 4 * taps(&c) + tap) * 4 + o % 4] = weight_at(&c, o, 0, tap);
    if (o % 4 == 0) pack_table(&c, false, o, c.conv.x.c - o < 4 ? c.conv.x.c - o : 4, 4, table + o / 4 * 16);
  }
}

static int emit_depthwise(FvVkEmit *emit) {
  Qconv c;
  look(&emit->query, &c);
  struct FvQconvPush push = push_of(emit, &c, depthwise_words(&c));
  bool wide = emit->texel && span(&c.conv.window, 8) <= MAX_SPAN && c.conv.y.w > 4;
  push.channels = push.outputs = (int)c.conv.x.c;
  c.conv.group = 1;
  c.conv.channels = c.conv.outputs = c.conv.x.c;
  FvVkLaunch launch = {.shader = wide ? FV_SHADER_QDEPTHWISE_8 : FV_SHADER_QDEPTHWISE_4, .params = &push, .params_size = sizeof push,
                       .invocations = c.conv.y.n * c.conv.y.h * fv_vk_ceil_div(c.conv.y.w, wide ? 8 : 4) * fours(c.conv.x.c)};
  fill_spec(emit, &c, &push, false, &launch);
  return fv_vk_launch(emit, &launch);
}

#define DEPTHWISE(title, kind) {.name = title "_depthwise_vulkan", .op = kind, .suits = suits_depthwise, .packed_size = packed_size_depthwise, .pack = pack_depthwise, .emit = emit_depthwise}
#define GENERAL(title, kind) {.name = title "_vulkan", .op = kind, .suits = suits, .packed_size = packed_size, .pack = pack, .emit = emit_conv}
const FvVkKernel fv_vk_qconv[] = {
  DEPTHWISE("qlinear_conv", FV_OP_QLINEAR_CONV), DEPTHWISE("conv_integer", FV_OP_CONV_INTEGER), GENERAL("qlinear_conv_igemm", FV_OP_QLINEAR_CONV),
  GENERAL("conv_integer_igemm", FV_OP_CONV_INTEGER), GENERAL("qlinear_matmul_igemm", FV_OP_QLINEAR_MATMUL), GENERAL("matmul_integer_igemm", FV_OP_MATMUL_INTEGER),
  {0}};

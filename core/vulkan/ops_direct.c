/* ConvTranspose, and Conv where shaders/conv.comp does not do: three spatial dimensions, planar outputs, computed weights. shaders/direct.comp. */
#include "vulkan/shape.h"

#include <string.h>

#include "push/direct.h"

enum { NOWHERE, IN_ARENA, IN_WEIGHTS, PACKED }; /* as in the shader */
enum { SPATIAL = FV_MAX_SPATIAL };

/* Spatial dimensions fill up from the last; those in front have length 1. */
typedef struct Direct {
  const FvConvParams *params;
  int64_t size[SPATIAL], out_size[SPATIAL], kernel[SPATIAL];
  int64_t channels, outputs; /* of one group */
  bool transposed;
} Direct;

static bool look(const FvKernelQuery *q, Direct *direct) {
  const FvTensor *x = q->in[0], *w = q->in[1], *bias = fv_query_input(q, 2), *residual = fv_query_input(q, 3), *y = q->out[0];
  if (!fv_vk_is_float(x) || !fv_vk_is_float(w) || !fv_vk_is_float(y) || (bias && !fv_vk_is_float(bias)) || (residual && !fv_vk_is_float(residual))) return false;
  if (x->data || (residual && residual->data) || (bias && !fv_tensor_is_contiguous(bias)) || x->rank > 2 + SPATIAL) return false;
  *direct = (Direct){.params = q->node->params, .size = {1, 1, 1}, .out_size = {1, 1, 1}, .kernel = {1, 1, 1}, .transposed = q->node->op->kind == FV_OP_CONV_TRANSPOSE};
  for (int d = 2; d < x->rank; d++) {
    int to = SPATIAL - x->rank + d;
    direct->size[to] = x->dims[d];
    direct->out_size[to] = y->dims[d];
    direct->kernel[to] = w->dims[d];
  }
  direct->channels = x->dims[1] / direct->params->group;
  direct->outputs = y->dims[1] / direct->params->group;
  return true;
}

static bool suits_computed(const FvKernelQuery *q) {
  Direct direct = {0};
  return look(q, &direct);
}

static bool suits_constant(const FvKernelQuery *q) {
  Direct direct = {0};
  return look(q, &direct) && fv_vk_is_constant(q, 1) && (!fv_query_input(q, 2) || fv_vk_is_constant(q, 2));
}

/* --- packed: [group][tap][input channel][outputs rounded up to 4], then the bias [group][outputs rounded up to 4] --- */

static int64_t taps_of(const Direct *d) { return d->kernel[0] * d->kernel[1] * d->kernel[2]; }
static int64_t padded(const Direct *d) { return (d->outputs + 3) / 4 * 4; }
static int64_t weight_floats(const Direct *d) { return d->params->group * taps_of(d) * d->channels * padded(d); }

static size_t packed_size(const FvKernelQuery *q) {
  Direct direct = {0};
  look(q, &direct);
  return (size_t)(weight_floats(&direct) + direct.params->group * padded(&direct)) * sizeof(float);
}

static size_t full_size(const FvKernelQuery *q) {
  Direct direct = {0};
  look(q, &direct);
  return (size_t)(direct.params->group * padded(&direct)) * sizeof(float);
}

static void pack(const FvKernelQuery *q, void *packed) {
  Direct d = {0};
  look(q, &d);
  const float *w = q->in[1]->data, *b = fv_query_input(q, 2) ? q->in[2]->data : NULL;
  int64_t taps = taps_of(&d), of_output = d.transposed ? taps : d.channels * taps, of_channel = d.transposed ? d.outputs * taps : taps;
  float *to = packed, *bias = to + weight_floats(&d);
  for (int64_t g = 0; g < d.params->group; g++, bias += padded(&d)) {
    const float *from = w + g * d.outputs * d.channels * taps;
    for (int64_t tap = 0; tap < taps; tap++)
      for (int64_t c = 0; c < d.channels; c++, to += padded(&d))
        for (int64_t o = 0; o < d.outputs; o++) to[o] = from[o * of_output + c * of_channel + tap];
    if (b) memcpy(bias, b + g * d.outputs, (size_t)d.outputs * sizeof *b);
  }
}

/* --- launching --- */

/* Strides by image, channel (or output and input channel) and the three spatial dimensions. */
static void strides_of(const FvTensor *t, int strides[5]) {
  strides[0] = (int)t->strides[0];
  strides[1] = (int)t->strides[1];
  for (int d = 2; d < t->rank; d++) strides[5 - t->rank + d] = (int)t->strides[d];
}

static void packed_strides(const Direct *d, int strides[5]) {
  int64_t tap = d->channels * padded(d);
  strides[0] = 1;
  strides[1] = (int)padded(d);
  strides[2] = (int)(d->kernel[1] * d->kernel[2] * tap);
  strides[3] = (int)(d->kernel[2] * tap);
  strides[4] = (int)tap;
}

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static void fill_spec(const Direct *d, uint32_t *spec) {
  const FvWindow *w = &d->params->window;
  for (int i = 0; i < SPATIAL; i++) {
    int from = i - (SPATIAL - w->spatial_rank);
    spec[7 + i] = (uint32_t)d->kernel[i];
    spec[10 + i] = from < 0 ? 1 : (uint32_t)w->stride[from];
    spec[13 + i] = from < 0 ? 1 : (uint32_t)w->dilation[from];
    spec[16 + i] = from < 0 ? 0 : (uint32_t)w->pad_begin[from];
    spec[19 + i] = (uint32_t)d->size[i];
  }
}

static int launch_direct(FvVkEmit *emit, bool packed) {
  Direct d = {0};
  look(&emit->query, &d);
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0), w = fv_vk_input(emit, 1), b = fv_vk_input(emit, 2), r = fv_vk_input(emit, 3);
  struct FvDirectPush push = {
    .x_at = x.at, .y_at = y.at, .w_at = packed ? emit->packed_at : w.at, .b_at = packed ? emit->full_at : b.at, .r_at = r.at,
    .out_size = {(int)d.out_size[0], (int)d.out_size[1], (int)d.out_size[2]}, .channels = (int)d.channels, .outputs = (int)d.outputs, .groups = (int)d.params->group,
  };
  strides_of(x.tensor, push.x_strides);
  strides_of(y.tensor, push.y_strides);
  if (r.tensor) strides_of(r.tensor, push.r_strides);
  if (packed) {
    packed_strides(&d, push.w_strides);
  } else {
    strides_of(w.tensor, push.w_strides);
    if (d.transposed) { /* its weights have input channels first */
      push.w_strides[0] = (int)w.tensor->strides[1];
      push.w_strides[1] = (int)w.tensor->strides[0];
    }
  }
  FvActivation act = emit->node->activation;
  FvVkLaunch launch = {
    .shader = FV_SHADER_DIRECT, .form = emit->form, .params = &push, .params_size = sizeof push, .spec_count = 22,
    .invocations = x.tensor->dims[0] * d.out_size[0] * d.out_size[1] * d.out_size[2] * d.params->group * fv_vk_ceil_div(d.outputs, 4),
    .spec = {act.type, bits_of(act.alpha), bits_of(act.beta), d.transposed, r.tensor != NULL, packed ? PACKED : w.in_weights ? IN_WEIGHTS : IN_ARENA,
             packed ? PACKED : !b.tensor ? NOWHERE : b.in_weights ? IN_WEIGHTS : IN_ARENA},
  };
  fill_spec(&d, launch.spec);
  return fv_vk_launch(emit, &launch);
}

static int emit_packed(FvVkEmit *emit) { return launch_direct(emit, true); }
static int emit_computed(FvVkEmit *emit) { return launch_direct(emit, false); }

#define CONSTANT(title, kind) {.name = title, .op = kind, .forms = FV_VK_TAKES_HALF | FV_VK_TAKES_NARROW | FV_VK_HALVES_WEIGHTS, .suits = suits_constant, .packed_size = packed_size, .full_size = full_size, .pack = pack, .emit = emit_packed}
#define COMPUTED(title, kind) {.name = title, .op = kind, .forms = FV_VK_TAKES_HALF | FV_VK_TAKES_NARROW, .suits = suits_computed, .emit = emit_computed}
const FvVkKernel fv_vk_direct[] = {
  CONSTANT("conv_f32_direct_vulkan", FV_OP_CONV), CONSTANT("conv_transpose_f32_vulkan", FV_OP_CONV_TRANSPOSE),
  COMPUTED("conv_f32_computed_vulkan", FV_OP_CONV), COMPUTED("conv_transpose_f32_computed_vulkan", FV_OP_CONV_TRANSPOSE),
  {0}};

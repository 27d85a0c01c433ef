/* Normalisation: shaders/normalise.comp, behind shaders/moments.comp where the statistics are the input's own, and shaders/lrn.comp. */
#include "vulkan/reduce.h"

#include <string.h>

#include "push/lrn.h"
#include "push/normalise.h"

/* What shaders/normalise.comp walks, and where it finds what it needs. */
typedef struct Normal {
  FvVkWalk walk; /* tensors 0: y, 1: x, 2: mean and factor, 3: scale and bias */
  FvVkPlace y, x, mean, factor, scale, bias;
  bool variance, in_scratch;
} Normal;

static bool walk_fits(const FvVkWalk *walk) {
  if (walk->rank > NORMALISE_RANK) return false;
  for (int t = 0; t < FV_VK_WALK_TENSORS; t++)
    for (int d = 0; d < walk->rank; d++)
      if (walk->strides[t][d] > INT32_MAX || walk->strides[t][d] < INT32_MIN) return false;
  return true;
}

static bool are_f32(const FvKernelQuery *q) {
  for (int i = 0; i < q->node->input_count; i++)
    if (q->in[i] && !fv_vk_is_float(q->in[i])) return false;
  return q->in[0] && !q->in[0]->data && fv_vk_is_float(q->out[0]);
}

static bool all_contiguous(const FvKernelQuery *q, int first) {
  for (int i = first; i < q->node->input_count; i++)
    if (q->in[i] && !fv_tensor_is_contiguous(q->in[i])) return false;
  return true;
}

/* A tensor of the full shape that moves along one dimension only, or along none (-1). */
static FvTensor along(const FvTensor *full, int dim) {
  FvTensor t = *full;
  memset(t.strides, 0, sizeof t.strides);
  if (dim >= 0) t.strides[dim] = 1;
  return t;
}

static int launch_normal(FvVkEmit *emit, const Normal *n) {
  const FvNormParams *params = emit->node->params;
  FvActivation act = emit->node->activation;
  struct FvNormalisePush push = {.y_at = n->y.at, .x_at = n->x.at, .mean_at = n->mean.at, .factor_at = n->factor.at, .scale_at = n->scale.at, .bias_at = n->bias.at,
                                 .dims = {1, 1, 1, 1}, .epsilon = params->epsilon, .alpha = act.alpha, .beta = act.beta};
  const FvVkWalk *walk = &n->walk;
  int64_t rows = 1;
  for (int d = 0; d < walk->rank; d++) {
    int to = NORMALISE_RANK - walk->rank + d;
    push.dims[to] = (int)walk->dims[d];
    push.y_strides[to] = (int)walk->strides[0][d];
    push.x_strides[to] = (int)walk->strides[1][d];
    push.mean_strides[to] = (int)walk->strides[2][d];
    push.scale_strides[to] = (int)walk->strides[3][d];
    if (d < walk->rank - 1) rows *= walk->dims[d];
  }
  FvVkLaunch launch = {
    .shader = FV_SHADER_NORMALISE, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = rows * fv_vk_ceil_div(walk->dims[walk->rank - 1], 4), .spec_count = 8,
    .spec = {act.type, n->variance, n->bias.tensor != NULL, n->mean.in_weights, n->factor.in_weights, n->scale.in_weights, n->bias.in_weights, n->in_scratch},
  };
  return fv_vk_launch(emit, &launch);
}

/* --- with stored statistics --- */

static bool look_batch(const FvKernelQuery *q, Normal *n) {
  if (!are_f32(q) || !all_contiguous(q, 1)) return false;
  FvTensor vector = along(q->out[0], q->out[0]->rank > 1 ? 1 : -1);
  const FvTensor *tensors[] = {q->out[0], q->in[0], &vector, &vector};
  fv_vk_walk(tensors, 4, &n->walk);
  return walk_fits(&n->walk);
}

static bool suits_batch(const FvKernelQuery *q) {
  Normal n = {0};
  return look_batch(q, &n);
}

static int emit_batch(FvVkEmit *emit) {
  Normal n = {.y = fv_vk_output(emit, 0), .x = fv_vk_input(emit, 0), .scale = fv_vk_input(emit, 1), .bias = fv_vk_input(emit, 2), .mean = fv_vk_input(emit, 3),
              .factor = fv_vk_input(emit, 4), .variance = true};
  look_batch(&emit->query, &n);
  return launch_normal(emit, &n);
}

/* --- with the input's own: moments first --- */

typedef struct Own {
  Normal normal;
  FvVkNests nests;
  FvTensor mean; /* dims of x, moving with the groups alone, in order without gaps */
  int64_t groups;
} Own;

/* statistics: which dimensions of x one mean runs over. */
static bool look_own(const FvTensor *x, const FvTensor *y, const FvTensor *scale, const bool *statistics, Own *own) {
  own->mean = along(x, -1);
  own->groups = 1;
  for (int d = x->rank - 1; d >= 0; d--) {
    if (statistics[d]) continue;
    own->mean.strides[d] = own->groups;
    own->groups *= x->dims[d];
  }
  if (own->groups > INT32_MAX / 4) return false;
  const FvTensor *tensors[] = {y, x, &own->mean, scale};
  fv_vk_walk(tensors, 4, &own->normal.walk);
  return walk_fits(&own->normal.walk) && fv_vk_nests_split(x, &own->mean, statistics, &own->nests);
}

/* [N, C, ...] as [N, groups, C / groups, ...] */
static FvTensor divide_channels(const FvTensor *t, int64_t groups) {
  FvTensor divided = *t;
  divided.rank++;
  for (int d = t->rank; d > 2; d--) {
    divided.dims[d] = t->dims[d - 1];
    divided.strides[d] = t->strides[d - 1];
  }
  divided.dims[1] = groups;
  divided.dims[2] = t->dims[1] / groups;
  divided.strides[1] = t->strides[1] * divided.dims[2];
  divided.strides[2] = t->strides[1];
  return divided;
}

static bool look_group(const FvKernelQuery *q, Own *own) {
  const FvNormParams *params = q->node->params;
  if (!are_f32(q) || !all_contiguous(q, 1) || q->in[0]->rank >= FV_MAX_RANK) return false;
  FvTensor x = divide_channels(q->in[0], params->groups), y = divide_channels(q->out[0], params->groups), scale = along(&x, 2);
  bool per_channel = q->in[1]->dims[0] == q->in[0]->dims[1], statistics[FV_MAX_RANK];
  scale.strides[1] = per_channel ? x.dims[2] : 1;
  scale.strides[2] = per_channel;
  for (int d = 0; d < x.rank; d++) statistics[d] = d >= 2;
  return look_own(&x, &y, &scale, statistics, own);
}

static bool are_alike(const FvTensor *a, const FvTensor *b) {
  return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank) == 0;
}

static bool look_layer(const FvKernelQuery *q, Own *own) {
  const FvNormParams *params = q->node->params;
  const FvTensor *bias = fv_query_input(q, 2);
  bool statistics[FV_MAX_RANK];
  if (!are_f32(q) || !all_contiguous(q, 1) || (bias && !are_alike(bias, q->in[1]))) return false;
  for (int i = 1; i < q->node->output_count; i++)
    if (q->out[i] && (!fv_vk_is_float(q->out[i]) || !fv_tensor_is_contiguous(q->out[i]))) return false;
  for (int d = 0; d < q->in[0]->rank; d++) statistics[d] = d >= params->axis;
  return look_own(q->in[0], q->out[0], q->in[1], statistics, own);
}

static bool look_statistics(const FvKernelQuery *q, Own *own) {
  return q->node->op->kind == FV_OP_LAYER_NORM ? look_layer(q, own) : look_group(q, own);
}

static bool suits_own(const FvKernelQuery *q) {
  Own own = {0};
  return look_statistics(q, &own);
}

static size_t scratch_size(const FvKernelQuery *q) {
  Own own = {0};
  look_statistics(q, &own);
  return (size_t)own.groups * 2 * sizeof(float);
}

static int emit_own(FvVkEmit *emit) {
  const FvNormParams *params = emit->node->params;
  Own own = {.normal = {.y = fv_vk_output(emit, 0), .x = fv_vk_input(emit, 0), .scale = fv_vk_input(emit, 1), .bias = fv_vk_input(emit, 2),
                        .mean = fv_vk_output(emit, 1), .factor = fv_vk_output(emit, 2)}};
  look_statistics(&emit->query, &own);
  Normal *n = &own.normal;
  n->in_scratch = !n->mean.tensor && !n->factor.tensor; /* fp32 then: what is left of a large mean would be its rounding */
  int32_t scratch_at = n->in_scratch ? emit->scratch_full_at : emit->scratch_at;
  if (!n->mean.tensor) n->mean.at = scratch_at;
  if (!n->factor.tensor) n->factor.at = scratch_at + (int32_t)own.groups;
  struct FvReducePush push = fv_vk_nests_push(&own.nests, n->x.at, n->mean.at);
  push.factor = params->epsilon;
  push.factor_at = n->factor.at;
  FvVkLaunch moments = {.shader = FV_SHADER_MOMENTS, .form = n->in_scratch && emit->form == FV_VK_HALF ? FV_VK_WIDEN : emit->form, .params = &push, .params_size = sizeof push, .invocations = fv_vk_nests_count(&own.nests)};
  int result = fv_vk_launch(emit, &moments);
  return result < 0 ? result : launch_normal(emit, n);
}

/* --- across channels --- */

static bool look_lrn(const FvKernelQuery *q, FvVkImage *x, FvVkImage *y) { return are_f32(q) && fv_vk_image(q->in[0], x) && fv_vk_image(q->out[0], y); }

static bool suits_lrn(const FvKernelQuery *q) {
  FvVkImage x, y;
  return look_lrn(q, &x, &y);
}

static int emit_lrn(FvVkEmit *emit) {
  FvVkImage x = {0}, y = {0};
  look_lrn(&emit->query, &x, &y);
  const FvLrnParams *params = emit->node->params;
  struct FvLrnPush push = {
    .x_at = fv_vk_input(emit, 0).at, .y_at = fv_vk_output(emit, 0).at, .x_row = (int)x.sh, .x_pixel = (int)x.sw, .x_image = (int)x.sn, .x_channel = (int)x.sc,
    .y_row = (int)y.sh, .y_pixel = (int)y.sw, .y_image = (int)y.sn, .y_channel = (int)y.sc, .height = (int)x.h, .width = (int)x.w, .channels = (int)x.c,
    .before = (int)((params->size - 1) / 2), .behind = (int)(params->size / 2), .factor = (float)(params->alpha / (double)params->size), .exponent = (float)params->beta,
    .bias = (float)params->bias,
  };
  FvVkLaunch launch = {.shader = FV_SHADER_LRN, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = x.n * x.c * x.h * x.w};
  return fv_vk_launch(emit, &launch);
}

#define OWN(title, kind) {.name = title "_norm_f32_vulkan", .op = kind, .forms = FV_VK_TAKES_HALF, .suits = suits_own, .scratch_size = scratch_size, .emit = emit_own}
const FvVkKernel fv_vk_norm[] = {
  {.name = "batch_norm_f32_any_vulkan", .op = FV_OP_BATCH_NORM, .forms = FV_VK_TAKES_HALF, .suits = suits_batch, .emit = emit_batch},
  OWN("instance", FV_OP_INSTANCE_NORM), OWN("group", FV_OP_GROUP_NORM), OWN("layer", FV_OP_LAYER_NORM),
  {.name = "lrn_f32_vulkan", .op = FV_OP_LRN, .forms = FV_VK_TAKES_HALF, .suits = suits_lrn, .emit = emit_lrn},
  {0}};

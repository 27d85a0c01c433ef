/* Element-wise operators: shaders/elementwise.comp. */
#include "vulkan/walk.h"

#include <string.h>

#include "push/operations.h"
#include "push/walk.h"

_Static_assert(OP_IDENTITY == (int)FV_UNARY_ACTIVATION && OP_ELU == (int)FV_UNARY_ELU && OP_ERF == (int)FV_UNARY_ERF && OP_EXP == (int)FV_UNARY_EXP &&
               OP_RECIPROCAL == (int)FV_UNARY_RECIPROCAL && OP_ATANH == (int)FV_UNARY_ATANH, "shaders number unary operations otherwise");
_Static_assert(OP_ADD == (int)FV_BINARY_ADD && OP_POW == (int)FV_BINARY_POW && OP_FMOD == (int)FV_BINARY_FMOD, "shaders number binary operations otherwise");

static void walk_of(const FvTensor *y, const FvTensor *a, const FvTensor *b, FvVkWalk *walk) {
  const FvTensor *tensors[] = {y, a, b};
  fv_vk_walk(tensors, b ? 3 : 2, walk);
}

static bool strides_fit(const FvVkWalk *walk, int count) {
  for (int t = 0; t < count; t++)
    for (int d = 0; d < walk->rank; d++)
      if (walk->strides[t][d] > INT32_MAX || walk->strides[t][d] < INT32_MIN) return false;
  return true;
}

bool fv_vk_map_fits(const FvTensor *y, const FvTensor *a, const FvTensor *b) {
  FvVkWalk walk;
  if (!fv_vk_is_float(y) || !fv_vk_is_float(a) || (b && !fv_vk_is_float(b))) return false;
  walk_of(y, a, b, &walk);
  return walk.rank <= WALK_RANK && strides_fit(&walk, b ? 3 : 2);
}

int fv_vk_map(FvVkEmit *emit, const FvVkMap *map) {
  FvVkWalk walk;
  walk_of(&map->y, &map->a, map->binary ? &map->b : NULL, &walk);
  struct FvWalkPush push = {.y_at = map->y_at, .a_at = map->a_at, .b_at = map->b_at};
  bool activates = map->activation.type != FV_ACTIVATION_NONE; /* operations with numbers of their own have none fused behind them */
  push.alpha = activates ? map->activation.alpha : map->alpha;
  push.beta = activates ? map->activation.beta : map->beta;
  int64_t rows = 1, inner = walk.dims[walk.rank - 1];
  for (int d = 0; d < walk.rank; d++) {
    push.dims[d] = (int)walk.dims[d];
    push.y_strides[d] = (int)walk.strides[0][d];
    push.a_strides[d] = (int)walk.strides[1][d];
    push.b_strides[d] = (int)walk.strides[2][d];
    if (d < walk.rank - 1) rows *= walk.dims[d];
  }
  bool from_half = map->a.dtype == FV_DTYPE_F16, to_half = map->y.dtype == FV_DTYPE_F16;
  if (map->a_in_weights) from_half = to_half;
  FvVkLaunch launch = {
    .shader = FV_SHADER_ELEMENTWISE, .form = from_half ? (to_half ? FV_VK_HALF : FV_VK_WIDEN) : to_half ? FV_VK_NARROW : FV_VK_FULL, .params = &push, .params_size = sizeof push,
    .invocations = rows * fv_vk_ceil_div(inner, 4), .independent = map->independent, .spec_count = 10,
    .spec = {map->operation, map->activation.type, (uint32_t)walk.rank, fv_vk_walk_lies(&walk, map->y_at), fv_vk_walk_aligned(&walk, 1, map->a_at),
             map->binary && fv_vk_walk_aligned(&walk, 2, map->b_at), map->a_in_weights, map->b_in_weights, map->binary, fv_vk_walk_short(&walk)},
  };
  return fv_vk_launch(emit, &launch);
}

int fv_vk_copy(FvVkEmit *emit, const FvTensor *y, int64_t y_at, const FvTensor *a, int64_t a_at, bool a_in_weights) {
  return fv_vk_map(emit, &(FvVkMap){.y = *y, .a = *a, .y_at = (int32_t)y_at, .a_at = (int32_t)a_at, .a_in_weights = a_in_weights, .operation = OP_IDENTITY, .independent = true});
}

/* --- unary --- */

static bool suits_unary(const FvKernelQuery *q) {
  const FvUnaryParams *params = q->node->params;
  if (params->type > FV_UNARY_ATANH || !fv_vk_map_fits(q->out[0], q->in[0], NULL)) return false;
  return q->node->activation.type == FV_ACTIVATION_NONE; /* the shader has room for one */
}

static int emit_unary(FvVkEmit *emit) {
  const FvUnaryParams *params = emit->node->params;
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  FvVkMap map = {.y = *y.tensor, .a = *x.tensor, .y_at = y.at, .a_at = x.at, .a_in_weights = x.in_weights, .operation = params->type,
                 .activation = params->type == FV_UNARY_ACTIVATION ? params->activation : (FvActivation){0}, .alpha = params->alpha, .beta = params->beta};
  return fv_vk_map(emit, &map);
}

/* --- between f32 and f16 --- */

static bool suits_cast(const FvKernelQuery *q) {
  return fv_vk_is_float(q->in[0]) && fv_vk_is_float(q->out[0]) && !q->in[0]->data && q->in[0]->dtype != q->out[0]->dtype && fv_vk_map_fits(q->out[0], q->in[0], NULL);
}

static int emit_cast(FvVkEmit *emit) {
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  return fv_vk_copy(emit, y.tensor, y.at, x.tensor, x.at, false);
}

/* --- binary --- */

static bool suits_pair(const FvKernelQuery *q) {
  return q->node->input_count == 2 && q->in[0] && q->in[1] && fv_vk_map_fits(q->out[0], q->in[0], q->in[1]);
}

static bool suits_binary(const FvKernelQuery *q) {
  const FvBinaryParams *params = q->node->params;
  return params->type <= FV_BINARY_FMOD && !params->mean && suits_pair(q);
}

static int emit_pair(FvVkEmit *emit, uint32_t operation) {
  FvVkPlace a = fv_vk_input(emit, 0), b = fv_vk_input(emit, 1), y = fv_vk_output(emit, 0);
  FvVkMap map = {.y = *y.tensor, .a = *a.tensor, .b = *b.tensor, .y_at = y.at, .a_at = a.at, .b_at = b.at, .a_in_weights = a.in_weights, .b_in_weights = b.in_weights,
                 .binary = true, .operation = operation, .activation = emit->node->activation};
  return fv_vk_map(emit, &map);
}

static int emit_binary(FvVkEmit *emit) { return emit_pair(emit, ((const FvBinaryParams *)emit->node->params)->type); }
static int emit_prelu(FvVkEmit *emit) { return emit_pair(emit, OP_PRELU); }

/* --- PRelu before opset 7: a vector of slopes goes along the channels --- */

static FvTensor along_channels(const FvTensor *slope, const FvTensor *x) {
  FvTensor result = *slope;
  result.rank = x->rank - 1;
  for (int d = 1; d < result.rank; d++) {
    result.dims[d] = 1;
    result.strides[d] = 0;
  }
  return result;
}

static bool suits_old_prelu(const FvKernelQuery *q) {
  if (strcmp(q->node->op->name, "PRelu") != 0 || q->node->input_count != 2 || !q->in[0] || !q->in[1]) return false;
  if (q->node->opset >= 7 || q->in[1]->rank != 1 || q->in[0]->rank < 3 || q->in[1]->dims[0] != q->in[0]->dims[1]) return false;
  FvTensor slope = along_channels(q->in[1], q->in[0]);
  return fv_vk_map_fits(q->out[0], q->in[0], &slope);
}

static int emit_old_prelu(FvVkEmit *emit) {
  FvVkPlace a = fv_vk_input(emit, 0), b = fv_vk_input(emit, 1), y = fv_vk_output(emit, 0);
  FvVkMap map = {.y = *y.tensor, .a = *a.tensor, .b = along_channels(b.tensor, a.tensor), .y_at = y.at, .a_at = a.at, .b_at = b.at, .a_in_weights = a.in_weights,
                 .b_in_weights = b.in_weights, .binary = true, .operation = OP_PRELU, .activation = emit->node->activation};
  return fv_vk_map(emit, &map);
}

/* --- Clip with computed bounds: the larger of x and one, then the smaller of that and the other --- */

static bool suits_clip(const FvKernelQuery *q) {
  const FvTensor *x = q->in[0], *low = fv_query_input(q, 1), *high = fv_query_input(q, 2);
  if (!fv_vk_is_float(x) || x->data || (low && !fv_vk_is_float(low)) || (high && !fv_vk_is_float(high)) || !fv_vk_is_float(q->out[0])) return false;
  FvTensor between = *q->out[0], number = {.dtype = FV_DTYPE_F32};
  fv_tensor_set_contiguous(&between);
  return fv_vk_map_fits(&between, x, &number) && fv_vk_map_fits(q->out[0], x, &number) && fv_vk_map_fits(q->out[0], &between, &number);
}

static size_t clip_scratch_size(const FvKernelQuery *q) { return (size_t)fv_tensor_count(q->out[0]) * sizeof(float); }

static int emit_clip(FvVkEmit *emit) {
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0), bounds[] = {fv_vk_input(emit, 1), fv_vk_input(emit, 2)};
  FvVkMap map = {.y = *y.tensor, .a = *x.tensor, .y_at = y.at, .a_at = x.at, .b = {.dtype = FV_DTYPE_F32}, .binary = true};
  if (!bounds[0].tensor && !bounds[1].tensor) return fv_vk_copy(emit, y.tensor, y.at, x.tensor, x.at, x.in_weights);
  for (int i = 0; i < 2; i++) {
    if (!bounds[i].tensor) continue;
    FvVkMap step = map;
    bool last = i == 1 || !bounds[1].tensor;
    step.operation = i ? OP_MIN : OP_MAX;
    step.b_at = bounds[i].at;
    step.b_in_weights = bounds[i].in_weights;
    if (last) step.activation = emit->node->activation;
    if (!last) {
      fv_tensor_set_contiguous(&step.y);
      step.y_at = emit->scratch_at;
    }
    int result = fv_vk_map(emit, &step);
    if (result < 0) return result;
    map.a = step.y;
    map.a_at = step.y_at;
  }
  return 0;
}

/* --- ConstantOfShape: its one number, broadcast --- */

static const FvTensor *fill_value(const FvNode *node) {
  const FvAttr *attr = fv_node_attr(node, "value");
  return attr && attr->kind == FV_ATTR_TENSOR ? attr->tensor : NULL;
}

static bool suits_fill(const FvKernelQuery *q) {
  if (strcmp(q->node->op->name, "ConstantOfShape") != 0 || !fv_vk_is_float(q->out[0])) return false;
  FvTensor number = {.dtype = FV_DTYPE_F32};
  return (!fv_node_attr(q->node, "value") || fv_vk_is_f32(fill_value(q->node))) && fv_vk_map_fits(q->out[0], &number, NULL);
}

static size_t fill_packed_size(const FvKernelQuery *q) {
  (void)q;
  return sizeof(float);
}

static void pack_fill(const FvKernelQuery *q, void *packed) {
  const FvTensor *value = fill_value(q->node);
  if (value) memcpy(packed, value->data, sizeof(float)); /* zero otherwise */
}

static int emit_fill(FvVkEmit *emit) {
  FvVkPlace y = fv_vk_output(emit, 0);
  return fv_vk_copy(emit, y.tensor, y.at, &(FvTensor){.dtype = FV_DTYPE_F32}, emit->packed_at, true);
}

const FvVkKernel fv_vk_elementwise[] = {
  {.name = "unary_f32_vulkan", .op = FV_OP_UNARY, .forms = FV_VK_TAKES_HALF, .suits = suits_unary, .emit = emit_unary},
  {.name = "cast_half_vulkan", .op = FV_OP_CAST, .forms = FV_VK_TAKES_NARROW | FV_VK_TAKES_WIDEN, .suits = suits_cast, .emit = emit_cast},
  {.name = "binary_f32_vulkan", .op = FV_OP_BINARY, .forms = FV_VK_TAKES_HALF, .suits = suits_binary, .emit = emit_binary},
  {.name = "prelu_f32_vulkan", .op = FV_OP_PRELU, .forms = FV_VK_TAKES_HALF, .suits = suits_pair, .emit = emit_prelu},
  {.name = "prelu_f32_channels_vulkan", .op = FV_OP_OTHER, .forms = FV_VK_TAKES_HALF, .suits = suits_old_prelu, .emit = emit_old_prelu},
  {.name = "clip_f32_computed_vulkan", .op = FV_OP_CLIP, .forms = FV_VK_TAKES_HALF, .suits = suits_clip, .scratch_size = clip_scratch_size, .emit = emit_clip},
  {.name = "fill_f32_vulkan", .op = FV_OP_OTHER, .forms = FV_VK_TAKES_HALF, .suits = suits_fill, .packed_size = fill_packed_size, .pack = pack_fill, .emit = emit_fill},
  {0}};

#include "compress/channel_map.h"

#include <string.h>

#include "graph/passes/passes.h"

/* Merging axes makes long maps; beyond this a channel is simply not followed. */
enum { MAX_LENGTH = 1 << 20 };

int fv_channel_root(const FvChannels *c, int channel) {
  while (c->parent[channel] != channel) channel = c->parent[channel] = c->parent[c->parent[channel]];
  return channel;
}

int64_t fv_channels_left(const FvChannels *c, const FvChannelMap *map, int64_t until) {
  int64_t left = 0;
  for (int64_t i = 0; i < until; i++) left += !fv_channel_goes(c, map, i);
  return left;
}

bool fv_is_depthwise(const FvNode *node) {
  const FvValue *in = fv_node_input(node, 0);
  int64_t group = node->op->kind == FV_OP_CONV ? ((const FvConvParams *)node->params)->group : 0;
  return group > 1 && in->dims[1] == group && node->outputs[0]->dims[1] == group;
}

static void tie(FvChannels *c, int a, int b) {
  a = fv_channel_root(c, a), b = fv_channel_root(c, b);
  if (a == b) return;
  if (b < a) {
    int swap = a;
    a = b, b = swap;
  }
  c->parent[b] = a;
  if (!c->fixed_by[a]) c->fixed_by[a] = c->fixed_by[b];
}

static void fix(FvChannels *c, const FvChannelMap *map, const FvNode *by) {
  for (int64_t i = 0; map->axis >= 0 && i < map->length; i++) {
    int root = fv_channel_root(c, map->channel[i]);
    if (!c->fixed_by[root]) c->fixed_by[root] = by;
  }
}

static void fix_inputs(FvChannels *c, const FvNode *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) fix(c, fv_channel_map(c, node->inputs[i]), node);
}

/* A map to fill. False: memory is out, or it would be too long; axis is then -1. */
static bool begin_map(FvChannels *c, FvChannelMap *map, int axis, int64_t length) {
  *map = (FvChannelMap){.axis = -1};
  if (length < 1 || length > MAX_LENGTH) return false;
  map->channel = fv_arena_array(&c->graph->arena, (size_t)length, sizeof *map->channel);
  if (!map->channel) return false;
  map->axis = axis, map->length = length;
  return true;
}

static int fresh(FvChannels *c, const FvNode *fixed_by) {
  c->parent[c->count] = c->count;
  c->fixed_by[c->count] = fixed_by;
  return c->count++;
}

/* The same channels along another axis. */
static void pass_on(FvChannels *c, const FvChannelMap *from, FvValue *to, int axis) {
  FvChannelMap *map = fv_channel_map(c, to);
  *map = *from;
  map->axis = from->axis < 0 ? -1 : axis;
}

/* --- operators; each returns false when it cannot follow --- */

static bool follow_conv(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  FvChannelMap *out = fv_channel_map(c, node->outputs[0]);
  int64_t count;
  if (!fv_pass_constant_f32(node->inputs[1], &count) || (fv_node_input(node, 2) && !fv_pass_constant_f32(node->inputs[2], &count)) || node->input_count > 3) return false;
  if (in->axis >= 0 && in->axis != 1) return false;
  if (fv_is_depthwise(node)) {
    pass_on(c, in, node->outputs[0], 1);
    return true;
  }
  if (((const FvConvParams *)node->params)->group != 1) return false;
  if (!begin_map(c, out, 1, node->outputs[0]->dims[1])) return false;
  for (int64_t i = 0; i < out->length; i++) out->channel[i] = fresh(c, NULL);
  return true;
}

/* Takes channels, makes none: outputs of a matrix product are what is asked for in the end. */
static bool follow_product(FvChannels *c, const FvNode *node) {
  const FvValue *x = node->inputs[0];
  int64_t count;
  bool plain = node->op->kind != FV_OP_GEMM || !((const FvGemmParams *)node->params)->trans_a;
  return plain && fv_channel_map(c, x)->axis == x->rank - 1 && fv_pass_constant_f32(node->inputs[1], &count) && node->inputs[1]->rank == 2;
}

static bool follow_elementwise(FvChannels *c, const FvNode *node) {
  const FvValue *out = node->outputs[0];
  const FvChannelMap *first = NULL;
  int axis = -1;
  for (int i = 0; i < node->input_count; i++) {
    const FvChannelMap *map = fv_channel_map(c, node->inputs[i]);
    if (map->axis < 0) continue;
    int at = map->axis + out->rank - node->inputs[i]->rank;
    if ((first && at != axis) || map->length != out->dims[at]) return false;
    if (!first) first = map, axis = at;
  }
  if (!first) return true;
  for (int i = 0; i < node->input_count; i++) { /* the others must repeat one number along the axis, or be a constant that can be cut */
    const FvValue *value = node->inputs[i];
    int at = axis - (out->rank - value->rank);
    bool repeats = at < 0 || value->dims[at] == 1;
    int64_t count;
    if (fv_channel_map(c, value)->axis < 0 && !repeats && !fv_pass_constant_f32(value, &count)) return false;
  }
  for (int i = 0; i < node->input_count; i++) {
    const FvChannelMap *map = fv_channel_map(c, node->inputs[i]);
    for (int64_t k = 0; map->axis >= 0 && k < map->length; k++) tie(c, first->channel[k], map->channel[k]);
  }
  pass_on(c, first, node->outputs[0], axis);
  return true;
}

static bool follow_unary(FvChannels *c, const FvNode *node) {
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i] && (!node->inputs[i]->constant || node->inputs[i]->rank > 1 || (node->inputs[i]->rank == 1 && node->inputs[i]->dims[0] != 1))) return false;
  pass_on(c, fv_channel_map(c, node->inputs[0]), node->outputs[0], fv_channel_map(c, node->inputs[0])->axis);
  return true;
}

static bool follow_pool(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  if (in->axis > 1 || (node->output_count > 1 && node->outputs[1])) return false; /* indices count channels too */
  pass_on(c, in, node->outputs[0], 1);
  return true;
}

/* Pads and resizes along other axes only. */
static bool follow_spatial(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  const FvValue *sizes = node->op->kind == FV_OP_RESIZE ? fv_node_input(node, 3) : NULL;
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i] && !node->inputs[i]->constant) return false;
  if (in->axis >= 0 && node->outputs[0]->dims[in->axis] != in->length) return false;
  if (sizes && (sizes->dtype != FV_DTYPE_I64 || sizes->dims[0] != node->outputs[0]->rank)) return false;
  if (node->op->kind == FV_OP_PAD && in->axis >= 0 && ((const FvPadParams *)node->params)->begin[in->axis] != 0) return false;
  pass_on(c, in, node->outputs[0], in->axis);
  return true;
}

/* Along the channels: one behind the other. What is not followed counts as channels that stay. */
static bool join_channels(FvChannels *c, const FvNode *node, int axis) {
  FvChannelMap *out = fv_channel_map(c, node->outputs[0]);
  int64_t at = 0;
  if (!begin_map(c, out, axis, node->outputs[0]->dims[axis])) return false;
  for (int i = 0; i < node->input_count; i++) {
    FvChannelMap *map = fv_channel_map(c, node->inputs[i]);
    bool followed = map->axis == axis;
    if (!followed) fix(c, map, node);
    for (int64_t k = 0; k < node->inputs[i]->dims[axis]; k++) out->channel[at++] = followed ? map->channel[k] : fresh(c, node);
  }
  return true;
}

static bool follow_concat(FvChannels *c, const FvNode *node) {
  int axis = ((const FvConcatParams *)node->params)->axis;
  const FvChannelMap *first = fv_channel_map(c, node->inputs[0]);
  for (int i = 0; i < node->input_count; i++)
    if (fv_channel_map(c, node->inputs[i])->axis == axis) return join_channels(c, node, axis);
  for (int i = 1; i < node->input_count; i++) {
    const FvChannelMap *map = fv_channel_map(c, node->inputs[i]);
    if (map->axis != first->axis || map->length != first->length) return false;
  }
  for (int i = 1; i < node->input_count; i++)
    for (int64_t k = 0; first->axis >= 0 && k < first->length; k++) tie(c, first->channel[k], fv_channel_map(c, node->inputs[i])->channel[k]);
  pass_on(c, first, node->outputs[0], first->axis);
  return true;
}

static bool follow_split(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  if (in->axis == ((const FvSplitParams *)node->params)->axis) return false;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) pass_on(c, in, node->outputs[i], in->axis);
  return true;
}

static bool follow_slice(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  const FvSliceParams *params = node->params;
  FvValue *to = node->outputs[0];
  if (in->axis < 0) return true;
  if (to->dims[in->axis] == in->length && params->step[in->axis] == 1) {
    pass_on(c, in, to, in->axis);
    return true;
  }
  for (int i = 1; i <= 3; i++) { /* starts, ends, axes: to be rewritten */
    const FvValue *value = fv_node_input(node, i);
    if (!value || !value->constant || value->dtype != FV_DTYPE_I64) return false;
  }
  FvChannelMap *out = fv_channel_map(c, to);
  if (params->step[in->axis] != 1 || !begin_map(c, out, in->axis, to->dims[in->axis])) return false;
  for (int64_t k = 0; k < out->length; k++) out->channel[k] = in->channel[params->start[in->axis] + k];
  return true;
}

static bool follow_transpose(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  for (int d = 0; d < node->outputs[0]->rank; d++)
    if (((const FvTransposeParams *)node->params)->perm[d] == in->axis) pass_on(c, in, node->outputs[0], d);
  return true;
}

static bool follow_gather(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  int axis = ((const FvGatherParams *)node->params)->axis;
  if (!node->inputs[1]->constant || in->axis == axis) return false;
  pass_on(c, in, node->outputs[0], in->axis < axis ? in->axis : in->axis - 1 + node->inputs[1]->rank);
  return true;
}

/* Elements in row-major order around an axis: before it, along it, behind it. */
typedef struct Extent {
  int64_t before, length, behind;
} Extent;

static Extent extent_of(const FvValue *value, int axis) {
  Extent e = {1, value->dims[axis], 1};
  for (int d = 0; d < axis; d++) e.before *= value->dims[d];
  for (int d = axis + 1; d < value->rank; d++) e.behind *= value->dims[d];
  return e;
}

/* The axis is wider afterwards: it took others in, and repeats its channels. */
static bool widens(Extent in, Extent out) {
  return in.before % out.before == 0 && in.behind % out.behind == 0 && out.length == in.before / out.before * in.length * (in.behind / out.behind);
}

static bool follow_reshape(FvChannels *c, const FvNode *node) {
  const FvChannelMap *in = fv_channel_map(c, node->inputs[0]);
  FvValue *to = node->outputs[0];
  if (in->axis < 0) return true;
  if (node->input_count > 1 && (!node->inputs[1] || !node->inputs[1]->constant || node->inputs[1]->dtype != FV_DTYPE_I64)) return false;
  Extent from = extent_of(node->inputs[0], in->axis), best = {0};
  int axis = -1;
  for (int d = 0; d < to->rank; d++) { /* of an axis split in two, the longer part carries the channels */
    Extent now = extent_of(to, d);
    if (now.before < 1 || now.behind < 1 || now.length < 1 || now.length <= best.length) continue;
    if (widens(from, now) || widens(now, from)) best = now, axis = d;
  }
  FvChannelMap *out = fv_channel_map(c, to);
  if (axis < 0 || !begin_map(c, out, axis, best.length)) return false;
  if (widens(from, best)) {
    for (int64_t k = 0; k < best.length; k++) out->channel[k] = in->channel[k / (from.behind / best.behind) % in->length];
    return true;
  }
  int64_t outer = best.before / from.before, inner = best.behind / from.behind;
  for (int64_t k = 0; k < best.length; k++) {
    out->channel[k] = in->channel[k * inner];
    for (int64_t u = 0; u < outer; u++)
      for (int64_t v = 0; v < inner; v++) tie(c, out->channel[k], in->channel[(u * best.length + k) * inner + v]);
  }
  return true;
}

static bool follow_node(FvChannels *c, const FvNode *node) {
  switch (node->op->kind) {
    case FV_OP_CONV: return follow_conv(c, node);
    case FV_OP_GEMM:
    case FV_OP_MATMUL: return follow_product(c, node);
    case FV_OP_BINARY:
    case FV_OP_PRELU: return follow_elementwise(c, node);
    case FV_OP_UNARY:
    case FV_OP_CLIP:
    case FV_OP_IDENTITY: return follow_unary(c, node);
    case FV_OP_MAX_POOL:
    case FV_OP_AVERAGE_POOL:
    case FV_OP_GLOBAL_AVERAGE_POOL:
    case FV_OP_GLOBAL_MAX_POOL: return follow_pool(c, node);
    case FV_OP_RESIZE:
    case FV_OP_PAD: return follow_spatial(c, node);
    case FV_OP_CONCAT: return follow_concat(c, node);
    case FV_OP_SPLIT: return follow_split(c, node);
    case FV_OP_SLICE: return follow_slice(c, node);
    case FV_OP_RESHAPE: return follow_reshape(c, node);
    case FV_OP_TRANSPOSE: return follow_transpose(c, node);
    case FV_OP_GATHER: return follow_gather(c, node);
    default: return false;
  }
}

/* Channels that come into being: of convolutions, and what joining takes for fixed. */
static int64_t count_channels(const FvGraph *graph) {
  int64_t count = 0;
  for (int n = 0; n < graph->node_count; n++) {
    const FvNode *node = graph->nodes[n];
    if (node->op->kind == FV_OP_CONV) count += node->outputs[0]->dims[1];
    if (node->op->kind == FV_OP_CONCAT) count += node->outputs[0]->dims[((const FvConcatParams *)node->params)->axis];
  }
  return count;
}

static bool is_known(const FvNode *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->dynamic) return false;
  return node->activation.type == FV_ACTIVATION_NONE || node->op->kind == FV_OP_CONV;
}

int fv_channels_follow(FvChannels *c, FvGraph *graph, FvError *err) {
  static const FvNode graph_end = {.name = "an output of the model"};
  *c = (FvChannels){.graph = graph};
  int64_t count = count_channels(graph);
  if (count > INT32_MAX / 2) return fv_error_set(err, FV_ERR_LIMIT, "the model has more channels than can be followed");
  c->capacity = (int)count;
  c->maps = fv_arena_array(&graph->arena, (size_t)graph->value_count, sizeof *c->maps);
  c->parent = fv_arena_array(&graph->arena, (size_t)count + 1, sizeof *c->parent);
  c->fixed_by = fv_arena_array(&graph->arena, (size_t)count + 1, sizeof *c->fixed_by);
  c->gone = fv_arena_array(&graph->arena, (size_t)count + 1, sizeof *c->gone);
  if (!c->maps || !c->parent || !c->fixed_by || !c->gone) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = i, c->maps[i].axis = -1;
  for (int n = 0; n < graph->node_count; n++) {
    const FvNode *node = graph->nodes[n];
    if (is_known(node) && follow_node(c, node)) continue;
    fix_inputs(c, node);
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) fv_channel_map(c, node->outputs[i])->axis = -1;
  }
  for (int i = 0; i < graph->output_count; i++) fix(c, fv_channel_map(c, graph->outputs[i]), &graph_end);
  return FV_OK;
}

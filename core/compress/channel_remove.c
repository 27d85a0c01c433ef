/* Cuts what is gone out of a graph: rows and columns of weights, constants per channel, and the attributes that count channels. */
#include <string.h>

#include "compress/channel_map.h"
#include "compress/prune_layer.h"
#include "graph/passes/passes.h"

typedef struct Cutter {
  const FvChannels *channels;
  FvGraph *graph;
  FvError *err;
} Cutter;

static const FvChannelMap *map_of(const Cutter *cut, const FvValue *value) { return fv_channel_map(cut->channels, value); }
static int64_t left_of(const Cutter *cut, const FvChannelMap *map) { return fv_channels_left(cut->channels, map, map->length); }
static bool shrinks(const Cutter *cut, const FvChannelMap *map) { return map->axis >= 0 && left_of(cut, map) < map->length; }

/* Cuts a constant f32 input along an axis that carries the map. */
static int cut_constant(Cutter *cut, FvNode *node, int input, int axis, const FvChannelMap *map) {
  const FvValue *old = fv_node_input(node, input);
  if (!old || !shrinks(cut, map)) return FV_OK;
  int64_t dims[FV_MAX_RANK], before = 1, behind = 1, count = 1;
  memcpy(dims, old->dims, sizeof dims);
  dims[axis] = left_of(cut, map);
  for (int d = 0; d < old->rank; d++) {
    count *= dims[d];
    if (d < axis) before *= dims[d];
    if (d > axis) behind *= dims[d];
  }
  float *data = fv_arena_array(&cut->graph->arena, (size_t)count, sizeof *data), *to = data;
  if (!data) return fv_error_set(cut->err, FV_ERR_NO_MEMORY, "out of memory");
  const float *from = old->constant->data;
  for (int64_t i = 0; i < before; i++)
    for (int64_t k = 0; k < map->length; k++, from += behind) {
      if (fv_channel_goes(cut->channels, map, k)) continue;
      memcpy(to, from, (size_t)behind * sizeof *to);
      to += behind;
    }
  return fv_prune_set_constant(cut->graph, node, input, FV_DTYPE_F32, old->rank, dims, data, cut->err);
}

static int set_group(Cutter *cut, FvNode *node, int64_t group) {
  FvAttr *attrs = fv_arena_array(&cut->graph->arena, (size_t)node->attr_count + 1, sizeof *attrs);
  int count = 0;
  if (!attrs) return fv_error_set(cut->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < node->attr_count; i++)
    if (strcmp(node->attrs[i].name, "group") != 0) attrs[count++] = node->attrs[i];
  attrs[count++] = (FvAttr){.name = "group", .kind = FV_ATTR_INT, .i = group};
  node->attrs = attrs, node->attr_count = count;
  return FV_OK;
}

static int cut_conv(Cutter *cut, FvNode *node) {
  const FvChannelMap *in = map_of(cut, node->inputs[0]), *out = map_of(cut, node->outputs[0]);
  bool depthwise = fv_is_depthwise(node);
  int rc = cut_constant(cut, node, 1, 0, out);
  if (rc >= 0) rc = cut_constant(cut, node, 2, 0, out);
  if (rc >= 0 && !depthwise) rc = cut_constant(cut, node, 1, 1, in);
  return rc >= 0 && depthwise && shrinks(cut, out) ? set_group(cut, node, left_of(cut, out)) : rc;
}

static int cut_product(Cutter *cut, FvNode *node) {
  bool transposed = node->op->kind == FV_OP_GEMM && ((const FvGemmParams *)node->params)->trans_b;
  return cut_constant(cut, node, 1, transposed ? 1 : 0, map_of(cut, node->inputs[0]));
}

static int cut_elementwise(Cutter *cut, FvNode *node) {
  const FvChannelMap *out = map_of(cut, node->outputs[0]);
  int rc = FV_OK;
  for (int i = 0; i < node->input_count && rc >= 0 && out->axis >= 0; i++) {
    const FvValue *value = node->inputs[i];
    int axis = out->axis - (node->outputs[0]->rank - value->rank);
    if (value->constant && axis >= 0 && value->dims[axis] == out->length) rc = cut_constant(cut, node, i, axis, out);
  }
  return rc;
}

/* Makes an i64 constant input another list of as many numbers, of which `at` becomes `number`. */
static int set_number(Cutter *cut, FvNode *node, int input, int64_t at, int64_t number) {
  const FvValue *old = node->inputs[input];
  int64_t count = fv_tensor_count(old->constant), *data = fv_arena_array(&cut->graph->arena, (size_t)count, sizeof *data);
  if (!data) return fv_error_set(cut->err, FV_ERR_NO_MEMORY, "out of memory");
  memcpy(data, old->constant->data, (size_t)count * sizeof *data);
  data[at] = number;
  return fv_prune_set_constant(cut->graph, node, input, FV_DTYPE_I64, old->rank, old->dims, data, cut->err);
}

static int cut_slice(Cutter *cut, FvNode *node) {
  const FvChannelMap *in = map_of(cut, node->inputs[0]), *out = map_of(cut, node->outputs[0]);
  if (!shrinks(cut, in) || out->length == in->length) return FV_OK;
  const int64_t *axes = node->inputs[3]->constant->data;
  int64_t first = ((const FvSliceParams *)node->params)->start[in->axis], start = fv_channels_left(cut->channels, in, first);
  int rc = FV_OK;
  for (int64_t i = 0; i < fv_tensor_count(node->inputs[3]->constant) && rc >= 0; i++) {
    if ((axes[i] < 0 ? axes[i] + node->inputs[0]->rank : axes[i]) != in->axis) continue;
    rc = set_number(cut, node, 1, i, start);
    if (rc >= 0) rc = set_number(cut, node, 2, i, start + left_of(cut, out));
  }
  return rc;
}

/* A Reshape names all of its result's dimensions; Flatten and its like find them. */
static int cut_reshape(Cutter *cut, FvNode *node) {
  const FvChannelMap *out = map_of(cut, node->outputs[0]);
  if (!shrinks(cut, out) || strcmp(node->op->name, "Reshape") != 0) return FV_OK;
  const FvValue *to = node->outputs[0];
  int64_t *dims = fv_arena_array(&cut->graph->arena, (size_t)to->rank, sizeof *dims), rank = to->rank;
  if (!dims) return fv_error_set(cut->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int d = 0; d < to->rank; d++) dims[d] = d == out->axis ? left_of(cut, out) : to->dims[d];
  return fv_prune_set_constant(cut->graph, node, 1, FV_DTYPE_I64, 1, &rank, dims, cut->err);
}

static int cut_resize(Cutter *cut, FvNode *node) {
  const FvChannelMap *out = map_of(cut, node->outputs[0]);
  return shrinks(cut, out) && fv_node_input(node, 3) ? set_number(cut, node, 3, out->axis, left_of(cut, out)) : FV_OK;
}

static int cut_node(Cutter *cut, FvNode *node) {
  switch (node->op->kind) {
    case FV_OP_CONV: return cut_conv(cut, node);
    case FV_OP_GEMM:
    case FV_OP_MATMUL: return cut_product(cut, node);
    case FV_OP_BINARY:
    case FV_OP_PRELU: return cut_elementwise(cut, node);
    case FV_OP_SLICE: return cut_slice(cut, node);
    case FV_OP_RESHAPE: return cut_reshape(cut, node);
    case FV_OP_RESIZE: return cut_resize(cut, node);
    default: return FV_OK;
  }
}

int fv_channels_remove(const FvChannels *channels, FvError *err) {
  Cutter cut = {channels, channels->graph, err};
  int rc = FV_OK;
  for (int n = 0; n < cut.graph->node_count && rc >= 0; n++) rc = cut_node(&cut, cut.graph->nodes[n]);
  return rc >= 0 ? fv_graph_prepare(cut.graph, err) : rc;
}

#include <stdlib.h>
#include <string.h>

#include "model/model_internal.h"
#include "ir/op.h"

static FvValue *find_input(const FvGraph *graph, const char *name) {
  if (!name) return graph->input_count ? graph->inputs[0] : NULL;
  for (int i = 0; i < graph->input_count; i++)
    if (strcmp(graph->inputs[i]->name, name) == 0) return graph->inputs[i];
  return NULL;
}

static int apply_shape(const FvGraph *graph, const FvInputShape *shape, FvError *err) {
  FvValue *value = find_input(graph, shape->name);
  if (!value)
    return fv_error_set(err, FV_ERR_INVALID, "there is no input '%.128s'; the first is '%.128s'", shape->name ? shape->name : "",
                        graph->input_count ? graph->inputs[0]->name : "");
  if (shape->rank < 0 || shape->rank > FV_MAX_RANK)
    return fv_error_set(err, FV_ERR_INVALID, "input '%s': %d dimensions given; the limit is %d", value->name, shape->rank, FV_MAX_RANK);
  if (value->rank >= 0 && value->rank != shape->rank)
    return fv_error_set(err, FV_ERR_INVALID, "input '%s' has %d dimensions, but %d were given", value->name, value->rank, shape->rank);
  for (int d = 0; d < shape->rank; d++) {
    if (shape->dims[d] < 0 || shape->dims[d] > FV_MAX_DIM)
      return fv_error_set(err, FV_ERR_INVALID, "input '%s': dimension %d cannot be %lld", value->name, d, (long long)shape->dims[d]);
    if (shape->dims[d] > 0 || value->rank < 0) value->dims[d] = shape->dims[d];
  }
  value->rank = shape->rank;
  return 0;
}

/* The picture: the first floating-point or byte input of four dimensions. */
static FvValue *picture_input(const FvGraph *graph) {
  for (int i = 0; i < graph->input_count; i++) {
    FvValue *value = graph->inputs[i];
    if (value->rank == 4 && (value->dtype == FV_DTYPE_F32 || value->dtype == FV_DTYPE_F16 || value->dtype == FV_DTYPE_U8)) return value;
  }
  return NULL;
}

bool fv_model_has_open_size(const FvModel *model) {
  const FvValue *picture = picture_input(model->file.graph);
  for (int d = 1; picture && d < picture->rank; d++)
    if (picture->dims[d] < 0) return true;
  return false;
}

int fv_model_set_shapes(FvModel *model, const FvModelParams *params, const FvPreprocess *size, FvError *err) {
  FvGraph *graph = model->file.graph;
  for (int i = 0; params && i < params->input_shape_count; i++) {
    int result = apply_shape(graph, &params->input_shapes[i], err);
    if (result < 0) return result;
  }
  FvValue *picture = picture_input(graph);
  if (!picture) return 0;
  int height = size->channels_last ? 1 : 2;
  if (picture->dims[height] < 0 && size->height > 0) picture->dims[height] = size->height;
  if (picture->dims[height + 1] < 0 && size->width > 0) picture->dims[height + 1] = size->width;
  return 0;
}

/* Marks what a node needs to know at load: all its inputs when some output is needed, those that its operator says otherwise. */
static void mark_inputs(const FvNode *node) {
  bool needed = false;
  for (int i = 0; i < node->output_count; i++) needed |= node->outputs[i] && node->outputs[i]->slot;
  if (node->op->flags & FV_OP_SHAPE_ONLY) needed = false;
  for (int i = 0; i < node->input_count; i++) {
    bool constant = i < 32 && node->op->constant_inputs >> i & 1;
    if (node->inputs[i] && (needed || constant)) node->inputs[i]->slot = 1;
  }
}

int fv_model_find_shape_inputs(FvModel *model, bool *any, FvError *err) {
  FvGraph *graph = model->file.graph;
  *any = false;
  model->shape_inputs = calloc((size_t)graph->input_count + 1, sizeof *model->shape_inputs);
  if (!model->shape_inputs) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = 0;
  for (int n = graph->node_count - 1; n >= 0; n--) mark_inputs(graph->nodes[n]);
  for (int i = 0; i < graph->input_count; i++) *any |= model->shape_inputs[i] = graph->inputs[i]->slot != 0;
  return 0;
}

#include "compress/prune_layer.h"

#include <string.h>

#include "compress/moments.h"
#include "graph/passes/passes.h"
#include "ops/params.h"

/* Are rows of the weights contiguous in the file, as [M, K]? Else they are [K, M]. */
static bool is_by_row(const FvNode *node) {
  return node->op->kind == FV_OP_CONV || (node->op->kind == FV_OP_GEMM && ((const FvGemmParams *)node->params)->trans_b);
}

static bool takes_bias(const FvNode *node, int64_t rows) {
  int64_t count;
  const FvGemmParams *gemm = node->op->kind == FV_OP_GEMM ? node->params : NULL;
  if (node->op->kind != FV_OP_CONV && !(gemm && gemm->alpha == 1 && gemm->beta == 1)) return false;
  return fv_pass_constant_f32(fv_node_input(node, 2), &count) && count == rows;
}

/* to[i, j] = from[j, i] of a rows x columns result. */
static void transpose(float *to, const float *from, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) to[i * columns + j] = from[j * rows + i];
}

bool fv_prune_layer_init(FvPruneLayer *layer, FvGraph *graph, FvNode *node, const FvCalibration *calibration, int *result, FvError *err) {
  FvMoments shape;
  *result = FV_OK;
  if (!fv_moments_of_node(node, &shape)) return false;
  const FvMoments *moments = fv_calibration_moments(calibration, node->outputs[0]->name);
  const FvTensor *w = node->inputs[1]->constant;
  if (!moments || moments->size != shape.size || moments->groups != shape.groups) return false;
  int64_t count = fv_tensor_count(w), rows = count / shape.size;
  *layer = (FvPruneLayer){.node = node, .moments = moments, .groups = shape.groups, .rows = rows / shape.groups, .columns = shape.size, .taps = 1, .has_bias = takes_bias(node, rows)};
  for (int d = 2; node->op->kind == FV_OP_CONV && d < w->rank; d++) layer->taps *= w->dims[d];
  layer->original = fv_arena_array(&graph->arena, (size_t)count, sizeof(float));
  layer->weights = fv_arena_array(&graph->arena, (size_t)count, sizeof(float));
  layer->keep = fv_arena_alloc(&graph->arena, (size_t)count);
  if (!layer->original || !layer->weights || !layer->keep) {
    *result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
    return false;
  }
  if (is_by_row(node)) memcpy(layer->original, w->data, (size_t)count * sizeof(float));
  else transpose(layer->original, w->data, rows, layer->columns);
  memcpy(layer->weights, layer->original, (size_t)count * sizeof(float));
  memset(layer->keep, 1, (size_t)count);
  return true;
}

int fv_prune_set_constant(FvGraph *graph, FvNode *node, int input, FvDtype dtype, int rank, const int64_t *dims, void *data, FvError *err) {
  FvTensor tensor = {.dtype = dtype, .rank = rank, .data = data};
  memcpy(tensor.dims, dims, (size_t)rank * sizeof *dims);
  fv_tensor_set_contiguous(&tensor);
  const char *name = fv_arena_printf(&graph->arena, "%s/pruned%d", node->inputs[input]->name, graph->value_count);
  FvValue *value = name ? fv_graph_add_constant(graph, name, &tensor, false) : NULL;
  if (!value) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  node->inputs[input]->use_count--;
  node->inputs[input] = value;
  value->use_count = 1;
  return FV_OK;
}

static int store_bias(FvPruneLayer *layer, FvGraph *graph, FvError *err) {
  const FvValue *old = layer->node->inputs[2];
  int64_t rows = fv_prune_layer_rows(layer), columns = layer->columns;
  float *bias = fv_arena_array(&graph->arena, (size_t)rows, sizeof *bias);
  if (!bias) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int64_t row = 0; row < rows; row++) {
    const float *mean = layer->moments->mean + row / layer->rows * columns;
    double shift = 0;
    for (int64_t k = 0; k < columns; k++) shift += mean[k] * ((double)layer->original[row * columns + k] - layer->weights[row * columns + k]);
    bias[row] = (float)(((const float *)old->constant->data)[row] + shift);
  }
  return fv_prune_set_constant(graph, layer->node, 2, FV_DTYPE_F32, old->rank, old->dims, bias, err);
}

int fv_prune_layer_store(FvPruneLayer *layer, FvGraph *graph, FvError *err) {
  const FvValue *old = layer->node->inputs[1];
  float *data = layer->weights;
  if (!memchr(layer->keep, 0, (size_t)fv_prune_layer_count(layer))) return FV_OK;
  if (!is_by_row(layer->node)) {
    data = fv_arena_array(&graph->arena, (size_t)fv_prune_layer_count(layer), sizeof *data);
    if (!data) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
    transpose(data, layer->weights, layer->columns, fv_prune_layer_rows(layer));
  }
  int rc = fv_prune_set_constant(graph, layer->node, 1, FV_DTYPE_F32, old->rank, old->dims, data, err);
  return rc >= 0 && layer->has_bias ? store_bias(layer, graph, err) : rc;
}

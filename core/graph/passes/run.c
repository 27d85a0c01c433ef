#include <string.h>

#include "graph/passes/passes.h"

void *fv_pass_own_params(FvGraph *graph, FvNode *node, size_t size) {
  void *copy = fv_arena_object(&graph->arena, size);
  if (copy) node->params = memcpy(copy, node->params, size);
  return copy;
}

static bool names(const FvNode *node, const FvValue *value) {
  for (int i = 0; !node->dead && i < node->input_count; i++)
    if (node->inputs[i] == value) return true;
  return false;
}

FvNode *fv_pass_single_user(const FvGraph *graph, const FvValue *value) {
  if (!value || value->use_count != 1 || value->is_output) return NULL;
  if (value->user && names(value->user, value)) return value->user;
  for (int i = 0; i < graph->node_count; i++)
    if (names(graph->nodes[i], value)) return graph->nodes[i];
  return NULL;
}

void fv_pass_note_fusion(FvGraph *graph, FvNode *node, const char *what) {
  const char *before = node->fused_name ? node->fused_name : node->op->name;
  const char *after = fv_arena_printf(&graph->arena, "%s+%s", before, what);
  if (after) node->fused_name = after;
}

static bool is_needed(const FvNode *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && (node->outputs[i]->use_count > 0 || node->outputs[i]->is_output)) return true;
  return false;
}

/* One backward walk is enough: nodes are in topological order, and a removed node releases its inputs before their producers are reached. */
void fv_pass_sweep(FvGraph *graph) {
  fv_graph_count_uses(graph);
  for (int i = graph->node_count - 1; i >= 0; i--) {
    FvNode *node = graph->nodes[i];
    if (!node->dead && is_needed(node)) continue;
    for (int j = 0; !node->dead && j < node->input_count; j++)
      if (node->inputs[j]) node->inputs[j]->use_count--;
    node->dead = true;
  }
  int kept = 0;
  for (int i = 0; i < graph->node_count; i++)
    if (!graph->nodes[i]->dead) graph->nodes[kept++] = graph->nodes[i];
  graph->node_count = kept;
}

const float *fv_pass_constant_f32(const FvValue *value, int64_t *count) {
  if (!value || !value->constant || value->constant->dtype != FV_DTYPE_F32) return NULL;
  *count = fv_tensor_count(value->constant);
  return value->constant->data;
}

int fv_passes_run(FvGraph *graph, bool fuse, FvError *err) {
  static int (*const always[])(FvGraph *) = {fv_pass_remove_noops};
  static int (*const fusing[])(FvGraph *) = {
    fv_pass_fold_pad, fv_pass_fold_scale, fv_pass_fuse_gates, fv_pass_fuse_activation, fv_pass_fuse_residual, fv_pass_fuse_shuffle,
  };
  fv_pass_sweep(graph);
  for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
    int changed = always[i](graph);
    if (changed < 0) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while simplifying the graph");
    if (changed) fv_pass_sweep(graph);
  }
  int result = fuse ? fv_pass_integers(graph, err) : 0;
  if (result >= 0) result = fv_graph_fold_constants(graph, err); /* weights that no integer operator takes, too */
  if (result < 0) return result;
  fv_pass_sweep(graph);
  for (size_t i = 0; fuse && i < sizeof fusing / sizeof fusing[0]; i++) {
    int changed = fusing[i](graph);
    if (changed < 0) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while fusing operators");
    if (changed) fv_pass_sweep(graph);
  }
  fv_graph_compact(graph);
  return 0;
}

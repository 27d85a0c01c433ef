#include "graph/passes/passes.h"

/* True for a constant zero Pad of spatial dimensions only, none of them cropping. */
static bool is_spatial_zero_pad(const FvNode *node) {
  if (!node || node->op->kind != FV_OP_PAD) return false;
  const FvPadParams *pad = node->params;
  const FvValue *fill = fv_node_input(node, 2);
  if (pad->mode != FV_PAD_CONSTANT || pad->value != 0 || (fill && !fill->constant) || node->outputs[0]->rank < 3) return false;
  for (int d = 0; d < node->outputs[0]->rank; d++)
    if (pad->begin[d] < 0 || pad->end[d] < 0 || (d < 2 && (pad->begin[d] || pad->end[d]))) return false;
  return true;
}

static bool has_padding(const FvWindow *window) {
  for (int d = 0; d < window->spatial_rank; d++)
    if (window->pad_begin[d] || window->pad_end[d]) return true;
  return false;
}

static void widen(FvWindow *window, const FvPadParams *pad) {
  for (int d = 0; d < window->spatial_rank; d++) {
    window->pad_begin[d] += pad->begin[d + 2];
    window->pad_end[d] += pad->end[d + 2];
  }
}

/* A zero that AveragePool counts: only when its own padding is none, or counted as well. ceil_mode drops windows by the padded size. */
static bool pool_can_take(const FvNode *node) {
  const FvPoolParams *params = node->params;
  return node->op->kind == FV_OP_AVERAGE_POOL && !params->ceil_mode && (params->count_include_pad || !has_padding(&params->window));
}

int fv_pass_fold_pad(FvGraph *graph) {
  int changed = 0;
  for (int i = 0; i < graph->node_count; i++) {
    FvNode *node = graph->nodes[i];
    FvNode *pad = node->input_count && node->inputs[0] ? node->inputs[0]->producer : NULL;
    if (node->dead || !is_spatial_zero_pad(pad)) continue;
    if (node->op->kind == FV_OP_CONV) {
      FvConvParams *params = fv_pass_own_params(graph, node, sizeof *params);
      if (!params) return FV_ERR_NO_MEMORY;
      widen(&params->window, pad->params);
    } else if (pool_can_take(node)) {
      FvPoolParams *params = fv_pass_own_params(graph, node, sizeof *params);
      if (!params) return FV_ERR_NO_MEMORY;
      widen(&params->window, pad->params);
      params->count_include_pad = true;
    } else {
      continue;
    }
    node->inputs[0] = pad->inputs[0];
    changed++;
  }
  return changed;
}

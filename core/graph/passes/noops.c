#include <string.h>

#include "graph/passes/passes.h"

static bool same_shape(const FvValue *a, const FvValue *b) {
  return a->dtype == b->dtype && a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank) == 0;
}

static bool is_identity_permutation(const FvNode *node) {
  const FvTransposeParams *params = node->params;
  for (int d = 0; d < node->inputs[0]->rank; d++)
    if (params->perm[d] != d) return false;
  return true;
}

static bool is_whole_slice(const FvNode *node) {
  const FvSliceParams *params = node->params;
  for (int d = 0; d < node->inputs[0]->rank; d++)
    if (params->step[d] != 1) return false;
  return true;
}

static bool is_noop(const FvNode *node) {
  const FvValue *in = fv_node_input(node, 0), *out = node->outputs[0];
  if (!in || !out || !same_shape(in, out) || in->dynamic) return false;
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i] && (node->outputs[i]->use_count || node->outputs[i]->is_output)) return false;
  switch (node->op->kind) {
    case FV_OP_IDENTITY: case FV_OP_CAST: case FV_OP_RESHAPE: case FV_OP_EXPAND: case FV_OP_PAD: return true;
    case FV_OP_TRANSPOSE: return is_identity_permutation(node);
    case FV_OP_SLICE: return is_whole_slice(node);
    case FV_OP_CONCAT: return node->input_count == 1;
    default: return false;
  }
}

int fv_pass_remove_noops(FvGraph *graph) {
  int changed = 0;
  for (int i = 0; i < graph->node_count; i++) {
    FvNode *node = graph->nodes[i];
    if (!is_noop(node)) continue;
    /* An output that is also an input or a constant keeps its node: the graph's outputs are told apart by value. */
    if (node->outputs[0]->is_output && (!node->inputs[0]->producer || node->inputs[0]->is_output)) continue;
    fv_graph_replace_uses(graph, node->outputs[0], node->inputs[0]);
    node->dead = true;
    changed++;
  }
  return changed;
}

/* ShuffleNet's channel shuffle, as exporters write it: Reshape [N, g, C/g, H, W], Transpose (0, 2, 1, 3, 4), Reshape [N, C, H, W]. */
#include "graph/passes/passes.h"

static bool is_shuffle(const FvNode *last, const FvNode **first, int64_t *groups) {
  const FvNode *transpose = last->inputs[0]->producer;
  if (last->op->kind != FV_OP_RESHAPE || !transpose || transpose->op->kind != FV_OP_TRANSPOSE) return false;
  const FvNode *split = transpose->inputs[0]->producer;
  if (!split || split->op->kind != FV_OP_RESHAPE) return false;
  const FvValue *in = split->inputs[0], *middle = split->outputs[0], *out = last->outputs[0];
  const int *perm = ((const FvTransposeParams *)transpose->params)->perm;
  if (in->rank != 4 || out->rank != 4 || middle->rank != 5) return false;
  for (int d = 0; d < 4; d++)
    if (in->dims[d] != out->dims[d]) return false;
  if (perm[0] != 0 || perm[1] != 2 || perm[2] != 1 || perm[3] != 3 || perm[4] != 4) return false;
  if (middle->dims[0] != in->dims[0] || middle->dims[1] * middle->dims[2] != in->dims[1] || middle->dims[3] != in->dims[2]) return false;
  *first = split;
  *groups = middle->dims[1];
  return true;
}

/* Concat of two halves in front of a shuffle by two: the shuffle can read the halves where they are. */
static bool is_concat_of_halves(const FvNode *concat) {
  if (!concat || concat->op->kind != FV_OP_CONCAT || concat->input_count != 2 || ((const FvConcatParams *)concat->params)->axis != 1) return false;
  return concat->inputs[0]->dims[1] == concat->inputs[1]->dims[1] && !concat->inputs[0]->constant && !concat->inputs[1]->constant;
}

int fv_pass_fuse_shuffle(FvGraph *graph) {
  const FvOp *shuffle = fv_op_find("fovea", "ChannelShuffle"), *interleave = fv_op_find("fovea", "ConcatShuffle");
  int changed = 0;
  for (int i = 0; i < graph->node_count && shuffle; i++) {
    FvNode *last = graph->nodes[i];
    const FvNode *first;
    int64_t groups;
    if (last->dead || last->input_count < 1 || !last->inputs[0] || !is_shuffle(last, &first, &groups)) continue;
    FvValue *x = first->inputs[0];
    FvChannelShuffleParams *params = fv_arena_object(&graph->arena, sizeof *params);
    FvValue **inputs = fv_arena_array(&graph->arena, 2, sizeof *inputs);
    if (!params || !inputs) return FV_ERR_NO_MEMORY;
    params->groups = groups;
    last->op = shuffle;
    last->params = params;
    last->fused_name = NULL;
    last->inputs = inputs;
    last->inputs[0] = x;
    last->input_count = 1;
    if (interleave && groups == 2 && x->use_count == 1 && !x->is_output && is_concat_of_halves(x->producer)) {
      last->op = interleave;
      inputs[0] = x->producer->inputs[0];
      inputs[1] = x->producer->inputs[1];
      last->input_count = 2;
    }
    changed++;
  }
  return changed;
}

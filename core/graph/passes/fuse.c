/* What an operator can do while its result is still in registers: add a residual, apply an activation. */
#include <string.h>

#include "graph/passes/passes.h"

static const char *activation_name(FvActivationType type) {
  static const char *const names[FV_ACTIVATION_COUNT] = {"", "Relu", "Clip", "LeakyRelu", "Sigmoid", "Silu", "Tanh", "HardSigmoid", "HardSwish"};
  return names[type];
}

int fv_pass_fuse_activation(FvGraph *graph) {
  int changed = 0;
  for (int i = 0; i < graph->node_count; i++) {
    FvNode *node = graph->nodes[i];
    if (node->dead || !(node->op->flags & FV_OP_FUSES_ACTIVATION) || node->activation.type != FV_ACTIVATION_NONE) continue;
    if (!node->outputs[0] || node->outputs[0]->dtype != FV_DTYPE_F32) continue;
    FvNode *user = fv_pass_single_user(graph, node->outputs[0]);
    if (!user || user->op->kind != FV_OP_UNARY || ((const FvUnaryParams *)user->params)->type != FV_UNARY_ACTIVATION) continue;
    node->activation = ((const FvUnaryParams *)user->params)->activation;
    node->outputs[0] = user->outputs[0];
    node->outputs[0]->producer = node;
    user->dead = true;
    fv_pass_note_fusion(graph, node, activation_name(node->activation.type));
    changed++;
  }
  return changed;
}

static bool can_take_residual(const FvNode *conv, const FvValue *residual) {
  const FvValue *out = conv->outputs[0];
  return conv->op->kind == FV_OP_CONV && conv->activation.type == FV_ACTIVATION_NONE && conv->input_count <= 3 && out->dtype == FV_DTYPE_F32 &&
         !residual->constant && residual != out && residual->rank == out->rank && !residual->dynamic &&
         memcmp(residual->dims, out->dims, sizeof out->dims[0] * (size_t)out->rank) == 0;
}

static int take_residual(FvGraph *graph, FvNode *conv, FvValue *residual) {
  FvValue **inputs = fv_arena_array(&graph->arena, 5, sizeof *inputs);
  if (!inputs) return -1;
  memcpy(inputs, conv->inputs, sizeof *inputs * (size_t)conv->input_count);
  inputs[3] = residual;
  conv->inputs = inputs;
  conv->input_count = 4;
  return 0;
}

/* The convolution moves to the addition's place in the order, where the residual is sure to be there. */
int fv_pass_fuse_residual(FvGraph *graph) {
  int changed = 0;
  for (int i = 0; i < graph->node_count; i++) {
    FvNode *add = graph->nodes[i];
    if (add->dead || add->op->kind != FV_OP_BINARY || add->input_count != 2) continue;
    const FvBinaryParams *params = add->params;
    if (params->type != FV_BINARY_ADD || params->mean) continue;
    for (int side = 1; side >= 0; side--) {
      FvNode *conv = add->inputs[side]->producer;
      FvValue *residual = add->inputs[1 - side];
      if (!conv || conv->dead || fv_pass_single_user(graph, conv->outputs[0]) != add || !can_take_residual(conv, residual)) continue;
      if (take_residual(graph, conv, residual) < 0) return FV_ERR_NO_MEMORY;
      conv->outputs[0] = add->outputs[0];
      conv->outputs[0]->producer = conv;
      add->dead = true;
      fv_pass_note_fusion(graph, conv, "Add");
      conv->activation = add->activation; /* the addition may have taken one already */
      if (conv->activation.type != FV_ACTIVATION_NONE) fv_pass_note_fusion(graph, conv, activation_name(conv->activation.type));
      int from = 0;
      while (graph->nodes[from] != conv) from++;
      memmove(graph->nodes + from, graph->nodes + from + 1, sizeof *graph->nodes * (size_t)(i - from));
      graph->nodes[i] = conv; /* add stays behind, dead, one place before */
      changed++;
      break;
    }
  }
  return changed;
}

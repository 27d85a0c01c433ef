/* Activations that exporters spell out: SiLU, and HardSwish in two spellings. */
#include "graph/passes/passes.h"

static const FvUnaryParams *unary(const FvNode *node, FvActivationType type) {
  if (!node || node->op->kind != FV_OP_UNARY) return NULL;
  const FvUnaryParams *params = node->params;
  return params->type == FV_UNARY_ACTIVATION && params->activation.type == type ? params : NULL;
}

static bool is_binary(const FvNode *node, FvBinaryType type) {
  return node && node->op->kind == FV_OP_BINARY && node->input_count == 2 && ((const FvBinaryParams *)node->params)->type == type &&
         !((const FvBinaryParams *)node->params)->mean && node->activation.type == FV_ACTIVATION_NONE;
}

static bool near_to(float a, double b) { return a > b - 1e-5 && a < b + 1e-5; }

/* The non-constant input of a binary node whose other input is the single number `value`. */
static FvValue *other_than_number(const FvNode *node, double value) {
  for (int i = 0; i < 2; i++) {
    int64_t count;
    const float *number = fv_pass_constant_f32(node->inputs[i], &count);
    if (number && count == 1 && near_to(*number, value)) return node->inputs[1 - i];
  }
  return NULL;
}

/* Replaces mul by one unary node on x. */
static int replace(FvGraph *graph, FvNode *mul, FvValue *x, FvActivation activation) {
  const FvOp *op = fv_op_find(NULL, "Relu");
  FvUnaryParams *params = fv_arena_object(&graph->arena, sizeof *params);
  if (!op || !params) return -1;
  *params = (FvUnaryParams){.type = FV_UNARY_ACTIVATION, .activation = activation};
  mul->op = op;
  mul->fused_name = activation.type == FV_ACTIVATION_SILU ? "Silu" : "HardSwish";
  mul->params = params;
  mul->inputs[0] = x;
  mul->input_count = 1;
  return 1;
}

/* gate * x with gate made from x. */
static int fuse_product(FvGraph *graph, FvNode *mul) {
  for (int i = 0; i < 2; i++) {
    FvValue *x = mul->inputs[1 - i];
    const FvNode *gate = mul->inputs[i]->producer;
    if (!gate || gate->inputs[0] != x) continue;
    if (unary(gate, FV_ACTIVATION_SIGMOID)) return replace(graph, mul, x, (FvActivation){.type = FV_ACTIVATION_SILU});
    const FvUnaryParams *hard = unary(gate, FV_ACTIVATION_HARD_SIGMOID);
    if (hard && near_to(hard->activation.alpha, 1.0 / 6) && near_to(hard->activation.beta, 0.5))
      return replace(graph, mul, x, (FvActivation){.type = FV_ACTIVATION_HARD_SWISH});
  }
  return 0;
}

/* clip(x + 3, 0, 6): x, or NULL. */
static FvValue *relu6_of_plus_3(const FvValue *value) {
  const FvUnaryParams *clip = unary(value->producer, FV_ACTIVATION_CLIP);
  if (!clip || clip->activation.alpha != 0 || clip->activation.beta != 6) return NULL;
  const FvNode *add = value->producer->inputs[0]->producer;
  return is_binary(add, FV_BINARY_ADD) ? other_than_number(add, 3) : NULL;
}

/* x * clip(x + 3, 0, 6) / 6, in either association: node is the last operator of it. */
static int fuse_hard_swish(FvGraph *graph, FvNode *node) {
  FvValue *product = is_binary(node, FV_BINARY_DIV) && other_than_number(node, 6) == node->inputs[0] ? node->inputs[0]
                     : is_binary(node, FV_BINARY_MUL)                                                ? other_than_number(node, 1.0 / 6)
                                                                                                     : NULL;
  if (product && is_binary(product->producer, FV_BINARY_MUL)) {
    const FvNode *mul = product->producer;
    for (int i = 0; i < 2; i++)
      if (relu6_of_plus_3(mul->inputs[i]) == mul->inputs[1 - i])
        return replace(graph, node, mul->inputs[1 - i], (FvActivation){.type = FV_ACTIVATION_HARD_SWISH});
  }
  if (!is_binary(node, FV_BINARY_MUL)) return 0;
  for (int i = 0; i < 2; i++) {
    const FvNode *div = node->inputs[i]->producer;
    if (!is_binary(div, FV_BINARY_DIV) || other_than_number(div, 6) != div->inputs[0]) continue;
    if (relu6_of_plus_3(div->inputs[0]) == node->inputs[1 - i])
      return replace(graph, node, node->inputs[1 - i], (FvActivation){.type = FV_ACTIVATION_HARD_SWISH});
  }
  return 0;
}

int fv_pass_fuse_gates(FvGraph *graph) {
  int changed = 0;
  for (int i = 0; i < graph->node_count; i++) {
    FvNode *node = graph->nodes[i];
    if (node->dead || node->op->kind != FV_OP_BINARY || node->input_count != 2 || node->outputs[0]->dtype != FV_DTYPE_F32) continue;
    int done = is_binary(node, FV_BINARY_MUL) ? fuse_product(graph, node) : 0;
    if (done == 0) done = fuse_hard_swish(graph, node);
    if (done < 0) return FV_ERR_NO_MEMORY;
    changed += done;
  }
  return changed;
}

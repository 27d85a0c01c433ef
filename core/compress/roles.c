#include "compress/roles.h"

#include "ops/params.h"

static bool is_computed(const FvValue *value) { return value && !value->constant && value->dtype == FV_DTYPE_F32 && !value->dynamic; }
static bool is_weight(const FvValue *value) { return value && value->constant && value->dtype == FV_DTYPE_F32; }

static bool all_computed(const FvNode *node) {
  for (int i = 0; i < node->input_count; i++)
    if (!is_computed(node->inputs[i])) return false;
  return true;
}

/* Products of which integer kernels know the order of weights. */
static bool is_product(const FvNode *node) {
  if (!is_computed(fv_node_input(node, 0)) || !is_weight(fv_node_input(node, 1))) return false;
  switch (node->op->kind) {
    case FV_OP_CONV: return true;
    case FV_OP_GEMM: return !((const FvGemmParams *)node->params)->trans_a;
    case FV_OP_MATMUL: return node->inputs[1]->rank == 2 && node->inputs[0]->rank >= 2;
    default: return false;
  }
}

static FvRole role_of_binary(const FvNode *node) {
  const FvBinaryParams *params = node->params;
  bool mixes = (params->type == FV_BINARY_ADD || params->type == FV_BINARY_MUL) && !params->mean && node->input_count == 2 && all_computed(node);
  return mixes ? FV_ROLE_MIX : FV_ROLE_FLOAT;
}

static FvRole role_of_move(const FvNode *node) {
  if (!is_computed(fv_node_input(node, 0))) return FV_ROLE_FLOAT;
  for (int i = 1; i < node->input_count; i++)
    if (node->inputs[i] && !node->inputs[i]->constant) return FV_ROLE_FLOAT;
  return FV_ROLE_MOVE;
}

FvRole fv_role_of(const FvNode *node) {
  if (!node->outputs[0] || node->outputs[0]->dtype != FV_DTYPE_F32) return FV_ROLE_FLOAT;
  switch (node->op->kind) {
    case FV_OP_CONV: case FV_OP_GEMM: case FV_OP_MATMUL: return is_product(node) ? FV_ROLE_PRODUCT : FV_ROLE_FLOAT;
    case FV_OP_BINARY: return role_of_binary(node);
    case FV_OP_UNARY: return ((const FvUnaryParams *)node->params)->type == FV_UNARY_ACTIVATION && all_computed(node) ? FV_ROLE_ACTIVATION : FV_ROLE_FLOAT;
    case FV_OP_AVERAGE_POOL: case FV_OP_GLOBAL_AVERAGE_POOL: return all_computed(node) ? FV_ROLE_MIX : FV_ROLE_FLOAT;
    case FV_OP_CONCAT: return all_computed(node) ? FV_ROLE_JOIN : FV_ROLE_FLOAT;
    case FV_OP_RESIZE: return ((const FvResizeParams *)node->params)->mode == FV_RESIZE_CUBIC ? FV_ROLE_FLOAT : role_of_move(node);
    case FV_OP_MAX_POOL: return node->output_count == 1 || !node->outputs[1] ? role_of_move(node) : FV_ROLE_FLOAT;
    case FV_OP_GLOBAL_MAX_POOL: case FV_OP_SPLIT: case FV_OP_SLICE: case FV_OP_RESHAPE: case FV_OP_TRANSPOSE: case FV_OP_IDENTITY:
    case FV_OP_DEPTH_TO_SPACE: case FV_OP_SPACE_TO_DEPTH: case FV_OP_CHANNEL_SHUFFLE: return role_of_move(node);
    case FV_OP_GATHER: return node->inputs[1]->constant ? role_of_move(node) : FV_ROLE_FLOAT;
    default: return FV_ROLE_FLOAT;
  }
}

FvActivation fv_role_activation(const FvNode *node) { return ((const FvUnaryParams *)node->params)->activation; }

bool fv_role_is_fused(FvActivationType type) {
  return type == FV_ACTIVATION_RELU || type == FV_ACTIVATION_CLIP || type == FV_ACTIVATION_LEAKY_RELU;
}

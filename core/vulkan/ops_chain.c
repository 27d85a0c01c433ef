/* Chains of element-wise operators: shaders/chain.comp. */
#include "vulkan/chain.h"

#include <string.h>

#include "push/chain.h"
#include "push/operations.h"
#include "vulkan/shape.h"

_Static_assert(CHAIN_INPUTS == (int)FV_VK_CHAIN_INPUTS && CHAIN_OPERATIONS == (int)FV_VK_CHAIN_OPERATIONS, "the shader has as many registers as chains");
_Static_assert(FV_VK_WALK_TENSORS >= FV_VK_CHAIN_INPUTS + 1, "one walk goes over all of a chain's tensors");
_Static_assert((int)FV_ACTIVATION_COUNT <= 16, "an activation's number has four bits");

const FvOp fv_vk_chain_op = {.name = "Chain", .domain = "fovea", .kind = FV_OP_OTHER};

static bool has_numbers(const FvVkChainOperation *operation) { return operation->alpha != 0 || operation->beta != 0; }

bool fv_vk_chain_takes(const FvVkKernel *kernel, const FvNode *node, FvVkChainOperation *operation) {
  *operation = (FvVkChainOperation){0};
  if (strcmp(kernel->name, "binary_f32_vulkan") == 0) {
    operation->binary = true;
    operation->operation = ((const FvBinaryParams *)node->params)->type;
    operation->activation = node->activation;
  } else if (strcmp(kernel->name, "unary_f32_vulkan") == 0) {
    const FvUnaryParams *params = node->params;
    operation->operation = params->type;
    if (params->type == FV_UNARY_ACTIVATION) operation->activation = params->activation;
    operation->alpha = params->alpha;
    operation->beta = params->beta;
  } else {
    return false;
  }
  if (operation->activation.type != FV_ACTIVATION_NONE) {
    operation->alpha = operation->activation.alpha;
    operation->beta = operation->activation.beta;
  }
  return true;
}

static bool walk_of(const FvTensor *y, const FvTensor *const *inputs, int count, FvVkWalk *walk) {
  const FvTensor *tensors[FV_VK_WALK_TENSORS] = {y};
  if (!fv_vk_is_float(y)) return false;
  for (int i = 0; i < count; i++) {
    tensors[1 + i] = inputs[i];
    if (inputs[i]->dtype != (inputs[i]->data ? FV_DTYPE_F32 : y->dtype)) return false;
  }
  fv_vk_walk(tensors, 1 + count, walk);
  for (int t = 0; t <= count; t++)
    for (int d = 0; d < walk->rank; d++)
      if (walk->strides[t][d] > INT32_MAX || walk->strides[t][d] < INT32_MIN) return false;
  return walk->rank <= CHAIN_RANK;
}

static int emit_chain(FvVkEmit *emit) {
  const FvVkChain *chain = emit->node->params;
  const FvTensor *inputs[FV_VK_CHAIN_INPUTS];
  FvVkPlace y = fv_vk_output(emit, 0), in[FV_VK_CHAIN_INPUTS];
  int count = emit->node->input_count, numbers = 0;
  for (int i = 0; i < count; i++) {
    in[i] = fv_vk_input(emit, i);
    inputs[i] = in[i].tensor;
  }
  FvVkWalk walk;
  if (!walk_of(y.tensor, inputs, count, &walk)) return fv_error_set(emit->err, FV_ERR_UNSUPPORTED, "a chain of too many dimensions"); /* cannot be: looked at before */
  int skip = CHAIN_RANK - walk.rank; /* one row */
  struct FvChainPush push = {.y_at = y.at, .dims = {1, 1}};
  FvVkLaunch launch = {.shader = FV_SHADER_CHAIN, .form = emit->form == FV_VK_HALF && emit->arithmetic == FV_VK_IN_HALF ? FV_VK_ARITHMETIC : emit->form, .params = &push, .params_size = sizeof push, .spec_count = 22};
  launch.spec[20] = fv_vk_walk_lies(&walk, y.at);
  launch.spec[21] = fv_vk_walk_short(&walk);
  for (int d = 0; d < walk.rank; d++) {
    push.dims[skip + d] = (int)walk.dims[d];
    push.y_strides[skip + d] = (int)walk.strides[0][d];
  }
  for (int i = 0; i < count; i++) {
    push.at[i] = in[i].at;
    for (int d = 0; d < walk.rank; d++) push.strides[i * CHAIN_RANK + skip + d] = (int)walk.strides[1 + i][d];
    launch.spec[0] |= (uint32_t)fv_vk_walk_aligned(&walk, 1 + i, in[i].at) << i;
    launch.spec[1] |= (uint32_t)in[i].in_weights << i;
  }
  launch.spec[2] = (uint32_t)count;
  launch.spec[3] = (uint32_t)chain->count;
  for (int k = 0; k < chain->count; k++) {
    const FvVkChainOperation *op = &chain->operations[k];
    uint32_t pair = 0;
    if (has_numbers(op)) {
      pair = (uint32_t)numbers++;
      memcpy(&launch.spec[12 + 2 * pair], &op->alpha, sizeof op->alpha);
      memcpy(&launch.spec[13 + 2 * pair], &op->beta, sizeof op->beta);
    }
    launch.spec[4 + k] = op->operation | (uint32_t)op->a << 8 | (uint32_t)op->b << 12 | (uint32_t)op->binary << 16 | pair << 17 | (uint32_t)op->activation.type << 20;
  }
  launch.invocations = push.dims[0] * fv_vk_ceil_div(push.dims[1], 4);
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel *fv_vk_chain_kernel(const FvVkChain *chain, const FvTensor *y, const FvTensor *const *inputs, int count) {
  static const FvVkKernel kernel = {.name = "chain_f32_vulkan", .op = FV_OP_OTHER, .forms = FV_VK_TAKES_HALF, .emit = emit_chain};
  FvVkWalk walk;
  int numbers = 0;
  for (int k = 0; k < chain->count; k++) numbers += has_numbers(&chain->operations[k]);
  return numbers <= CHAIN_NUMBERS && count <= FV_VK_CHAIN_INPUTS && walk_of(y, inputs, count, &walk) ? &kernel : NULL;
}

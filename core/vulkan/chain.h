/* Element-wise steps that follow one another, as one dispatch. Sessions find them (session/combine_vulkan.c); shaders/chain.comp runs them. */
#ifndef FOVEA_VULKAN_CHAIN_H
#define FOVEA_VULKAN_CHAIN_H

#include "vulkan/vk.h"

enum { FV_VK_CHAIN_INPUTS = 8, FV_VK_CHAIN_OPERATIONS = 8 };

typedef struct FvVkChainOperation {
  bool binary;
  uint32_t operation;         /* OP_… of shaders/push/operations.h */
  int a, b;                   /* below FV_VK_CHAIN_INPUTS: an input; else what operation number a - FV_VK_CHAIN_INPUTS gave */
  FvActivation activation;
  float alpha, beta;          /* of operation or activation: only one of them has any */
} FvVkChainOperation;

/* The params of a node of fv_vk_chain_op. The last operation gives the output. */
typedef struct FvVkChain {
  int count;
  FvVkChainOperation operations[FV_VK_CHAIN_OPERATIONS];
} FvVkChain;

extern const FvOp fv_vk_chain_op;

/* True when a step with this kernel can be one of a chain; fills all but a and b. */
bool fv_vk_chain_takes(const FvVkKernel *kernel, const FvNode *node, FvVkChainOperation *operation);
/* The kernel, or NULL when the shader cannot run it: too many dimensions that don't merge, or too many operations with numbers. */
const FvVkKernel *fv_vk_chain_kernel(const FvVkChain *chain, const FvTensor *y, const FvTensor *const *inputs, int count);

#endif

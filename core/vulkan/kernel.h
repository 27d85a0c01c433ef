/* Vulkan kernels: rows of a table, first match wins; what no row takes is an error, never a wrong answer.
 *
 * A row says what it computes and when; `suits` sees the node and its tensors as planned (dims and strides; data only of constants). `emit` puts one
 * or more launches of shaders into the program. Preconditions shared by all rows:
 *  - tensors may have any strides unless suits checks; activations are usually channels-last, strides {H*W*P, 1, W*P, P} with pixel stride
 *    P >= C; nothing may be written between C and P, and what lies there must not be used (it may be NaN): mask, don't multiply by zero;
 *  - reading up to 64 bytes behind a tensor's last element is allowed; so is reading `zeros`;
 *  - shaders address float elements, counted from the start of the arena or of the weights; both begin 16-byte aligned;
 *  - node->activation and a fused residual must be honoured by rows of operators that have them. */
#ifndef FOVEA_VULKAN_KERNEL_H
#define FOVEA_VULKAN_KERNEL_H

#include "vulkan/pipeline.h"

typedef struct FvVkEmit FvVkEmit;
typedef struct FvVkConv FvVkConv; /* conv.h */

/* Forms besides FV_VK_FULL that a row of float operators takes; its shaders are built in them. Computed inputs are then all f32 or all f16, outputs too,
 * and float constants f32: such rows need not ask for more than fv_vk_is_float. */
typedef enum FvVkForms {
  FV_VK_NO_FORMS = 0,                    /* f32 only, or the row asks for types itself */
  FV_VK_TAKES_HALF = 1 << FV_VK_HALF,
  FV_VK_TAKES_NARROW = 1 << FV_VK_NARROW,
  FV_VK_TAKES_WIDEN = 1 << FV_VK_WIDEN,
  FV_VK_HALVES_WEIGHTS = 1 << FV_VK_FORMS, /* where f16 is read, what pack wrote (floats, nothing else) becomes f16 too, but for its last full_size bytes */
} FvVkForms;

struct FvVkKernel {
  const char *name; /* <op>_<dtype>[_<class>]_vulkan */
  FvOpKind op;
  FvVkForms forms;
  bool (*suits)(const FvKernelQuery *query);
  bool (*needs_int64)(const FvKernelQuery *query);   /* the row is for devices with shaderInt64 only; NULL: never */
  bool (*needs_float64)(const FvKernelQuery *query); /* likewise with shaderFloat64 */
  /* Constants in the shader's own layout. NULL: constant inputs are uploaded as they lie, and emit finds them by fv_vk_input. */
  size_t (*packed_size)(const FvKernelQuery *query);
  void (*pack)(const FvKernelQuery *query, void *packed); /* packed is zeroed */
  size_t (*full_size)(const FvKernelQuery *query);        /* bytes at the end that stay f32: biases are few, and their errors add up. NULL: none */
  size_t (*scratch_size)(const FvKernelQuery *query);     /* bytes between this row's launches; NULL: none */
  int (*emit)(FvVkEmit *emit);
  bool (*conv)(const FvKernelQuery *query, FvVkConv *conv); /* what emit hands to fv_vk_conv_emit, whose ways can be tuned; NULL: nothing */
  bool on_host; /* no shader: the operator's reference runs between two command buffers; for what depends on data, such as lengths. No emit. */
};

/* A tensor as a shader addresses it. */
typedef struct FvVkPlace {
  const FvTensor *tensor; /* NULL: left out */
  int32_t at;             /* element with all indices 0, in elements of the tensor's type */
  bool in_weights;        /* else in the arena */
} FvVkPlace;

struct FvVkEmit {
  const FvNode *node;
  FvKernelQuery query;
  const FvVkOperand *in, *out;
  FvVkForm form;       /* of the node's tensors: one of those that the row takes */
  int32_t packed_at;   /* elements as packed, f32 or f16 */
  int32_t full_at;     /* floats: the last full_size bytes of what was packed */
  int32_t scratch_at;  /* elements of results, f32 or f16, in the arena */
  int32_t scratch_full_at; /* the same place in floats */
  int32_t zeros_at;    /* elements of what is read, in the arena: as many zeros as were asked for by fv_vk_need_zeros */
  bool texel;          /* the load path: true where registers are cheaper than loads */
  const FvVkDevice *device;
  FvVkArithmetic arithmetic; /* of the plan; means nothing where form is not FV_VK_HALF */
  int way;             /* of convolutions, from 1 on; 0: the best that is known */
  FvVkProgram *program;
  FvError *err;
};

FvVkPlace fv_vk_input(const FvVkEmit *emit, int index);
FvVkPlace fv_vk_output(const FvVkEmit *emit, int index);
void fv_vk_need_zeros(FvVkEmit *emit, int64_t floats);

/* One launch: `invocations` threads, each finding its number with invocation() of common.glsl. The first of the parameters is that number and is
 * filled here. Later launches of one emit wait for earlier ones. */
typedef struct FvVkLaunch {
  FvVkShader shader;
  FvVkForm form;
  int spec_count;
  uint32_t spec[FV_VK_MAX_SPEC - 1]; /* constant_id 1, 2, …; 0 is the work-group's size */
  const void *params;                /* the push constants */
  size_t params_size;
  int64_t invocations;
  uint32_t group_size;               /* of a work-group; 0: the device's usual */
  bool independent;                  /* of earlier launches of the same emit: no waiting for them */
} FvVkLaunch;
int fv_vk_launch(FvVkEmit *emit, const FvVkLaunch *launch);

/* The FvVkForm of a node's float tensors; -1: they don't agree. */
int fv_vk_form_of(const FvKernelQuery *query);

/* Rows of a family end with one without a name. families.h lists the families. */
const FvVkKernel *fv_vk_kernel_at(int index); /* NULL at the end; for tests */

#endif

/* The kernel families of one instruction set: each file exports one array, ended by a row without a name. */
#ifndef FOVEA_CPU_FAMILIES_H
#define FOVEA_CPU_FAMILIES_H

#include "cpu/kernel.h"

/* Products of bytes: once more where there are instructions for four of them. */
#define FV_KERNEL_BYTE_FAMILIES(X, isa) \
  X(fv_kernels_qdepthwise, isa)         \
  X(fv_kernels_qdot, isa)

#define FV_KERNEL_FAMILIES(X, isa) \
  X(fv_kernels_depthwise, isa)     \
  X(fv_kernels_conv, isa)          \
  X(fv_kernels_elementwise, isa)   \
  X(fv_kernels_copy, isa)          \
  X(fv_kernels_pool, isa)          \
  X(fv_kernels_reduce, isa)        \
  X(fv_kernels_resize, isa)        \
  X(fv_kernels_gemm, isa)          \
  FV_KERNEL_BYTE_FAMILIES(X, isa)  \
  X(fv_kernels_qconv, isa)         \
  X(fv_kernels_quantise, isa)

#define FV_DECLARE_FAMILY(name, isa) extern const FvKernel name##_##isa[];
FV_KERNEL_BYTE_FAMILIES(FV_DECLARE_FAMILY, avx512_vnni)
FV_KERNEL_BYTE_FAMILIES(FV_DECLARE_FAMILY, neon_dot)
FV_KERNEL_FAMILIES(FV_DECLARE_FAMILY, avx512)
FV_KERNEL_FAMILIES(FV_DECLARE_FAMILY, avx2)
FV_KERNEL_FAMILIES(FV_DECLARE_FAMILY, neon)

#endif

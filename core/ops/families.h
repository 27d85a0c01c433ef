/* The operator families: each file exports one array, ended by a row without a name. */
#ifndef FOVEA_OPS_FAMILIES_H
#define FOVEA_OPS_FAMILIES_H

#include "ir/op.h"

extern const FvOp fv_ops_conv[];
extern const FvOp fv_ops_pool[];
extern const FvOp fv_ops_norm[];
extern const FvOp fv_ops_gemm[];
extern const FvOp fv_ops_quantised[];
extern const FvOp fv_ops_microsoft[];
extern const FvOp fv_ops_resize[];
extern const FvOp fv_ops_unary[];
extern const FvOp fv_ops_binary[];
extern const FvOp fv_ops_logic[];
extern const FvOp fv_ops_reduce[];
extern const FvOp fv_ops_softmax[];
extern const FvOp fv_ops_sort[];
extern const FvOp fv_ops_nms[];
extern const FvOp fv_ops_reshape[];
extern const FvOp fv_ops_transpose[];
extern const FvOp fv_ops_concat[];
extern const FvOp fv_ops_slice[];
extern const FvOp fv_ops_gather[];
extern const FvOp fv_ops_scatter[];
extern const FvOp fv_ops_pad[];
extern const FvOp fv_ops_generate[];
extern const FvOp fv_ops_depth_space[];
extern const FvOp fv_ops_shuffle[];
extern const FvOp fv_ops_cast[];

#endif

/* Products of stacks of matrices, as numpy multiplies them: shared by MatMul and its quantised relatives. */
#ifndef FOVEA_OPS_MATMUL_H
#define FOVEA_OPS_MATMUL_H

#include "ir/op.h"

/* Output rank and dims of a x b. */
int fv_infer_matmul(const FvValue *a, const FvValue *b, int *rank, int64_t *out, FvInfer *infer);
/* Multiply-accumulates of a node whose output 0 is a product over the last dimension of input 0. */
int64_t fv_matmul_macs(const FvNode *node);

/* The three tensors seen as stacks of matrices of one rank: vectors became matrices, missing leading dimensions became 1. */
typedef struct FvMatmulView {
  FvTensor a, b, y;
  int64_t depth; /* K */
} FvMatmulView;
FvMatmulView fv_matmul_view(const FvTensor *a, const FvTensor *b, const FvTensor *y);
/* Offsets of the row of a and the column of b whose product is y[index]; index has y.rank entries. */
void fv_matmul_rows(const FvMatmulView *view, const int64_t *index, int64_t *a_at, int64_t *b_at);

#endif

/* Operators of two tensors with numpy broadcasting: one rule and one reference for arithmetic (binary.c), comparison and logic (logic.c). */
#ifndef FOVEA_OPS_ARITH_H
#define FOVEA_OPS_ARITH_H

#include "ops/elementwise.h"
#include "ops/params.h"

/* Shape rule for an operator `type` whose inputs are of `types`, all the same but for Pow's exponent. */
int fv_infer_binary(FvNode *node, FvBinaryType type, bool mean, unsigned types, FvInfer *infer);
void fv_reference_binary(const FvKernelCall *call);

#endif

/* What many shape rules ask of their inputs. Every function sets the error when the answer is no. */
#ifndef FOVEA_OPS_CHECKS_H
#define FOVEA_OPS_CHECKS_H

#include "ir/op.h"

/* The code of the error that was just set. */
static inline int fv_infer_failed(const FvInfer *infer) { return infer->err ? infer->err->code : FV_ERR_FORMAT; }
/* The input at `index`, or NULL when it was left out. */
const FvValue *fv_infer_need(const FvNode *node, int index, FvInfer *infer);
/* The same, and it is floating point (f32, f16, bf16, f64). */
const FvValue *fv_infer_need_float(const FvNode *node, int index, FvInfer *infer);
/* The input, when there is one, has the given type. */
int fv_infer_same_type(const FvNode *node, int index, FvDtype dtype, FvInfer *infer);
/* The input, when there is one, is a vector of `length` elements. */
int fv_infer_vector(const FvNode *node, int index, int64_t length, FvInfer *infer);
/* The input is floating point and holds one number, or, where length > 0, a vector of `length`. */
int fv_infer_scale(const FvNode *node, int index, int64_t length, FvInfer *infer);

#endif

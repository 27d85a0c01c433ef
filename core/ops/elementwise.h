/* What operators on corresponding elements share: type checks, broadcast walking, and the exits for rare forms. */
#ifndef FOVEA_OPS_ELEMENTWISE_H
#define FOVEA_OPS_ELEMENTWISE_H

#include "ir/op.h"
#include "base/strided.h"

enum { FV_TYPES_FLOAT = 1, FV_TYPES_INT = 2, FV_TYPES_BOOL = 4, FV_TYPES_NUMBER = FV_TYPES_FLOAT | FV_TYPES_INT, FV_TYPES_ANY = 7 };

/* Input must be there and have one of the types in the mask. */
int fv_infer_type(const FvNode *node, int input, unsigned types, FvInfer *infer);
/* For operators whose kernels cannot follow an input that shrinks at run time. */
int fv_infer_not_dynamic(const FvNode *node, FvInfer *infer);
/* Gives the node a copy of its operator of kind FV_OP_OTHER: the reference alone will run it, no kernel, shader or pass takes it for
 * the common form. */
int fv_infer_reference_only(FvNode *node, FvInfer *infer);

#define FV_ROWS_TENSORS 4
/* Up to four tensors walked together over the first one's shape, one innermost row at a time; the others broadcast to it. */
typedef struct FvRows {
  int rank;
  int64_t dims[FV_MAX_RANK], index[FV_MAX_RANK];
  int count;
  int64_t strides[FV_ROWS_TENSORS][FV_MAX_RANK];
  int64_t offset[FV_ROWS_TENSORS]; /* of the row's first element */
  int64_t step[FV_ROWS_TENSORS];   /* from one element of the row to the next */
  int64_t length;                  /* of a row */
} FvRows;

/* False when there is nothing to walk. Usage: for (bool more = fv_rows_start(…); more; more = fv_rows_next(&rows)) */
bool fv_rows_start(FvRows *rows, const FvTensor *const *tensors, int count);
bool fv_rows_next(FvRows *rows);

/* Orders two elements of one tensor: negative, 0, positive. NaN is above everything and equal to itself. */
int fv_compare_elements(const FvTensor *tensor, int64_t a, int64_t b);

#endif

/* What the data-movement families share: views, ordered copies, and small pieces of shape rules. */
#ifndef FOVEA_OPS_VIEWS_H
#define FOVEA_OPS_VIEWS_H

#include "ir/op.h"

/* out holds the wanted rank and dims (as many elements as in): writes the strides with which in's own memory reads as that shape in
 * row-major logical order. False, with out untouched, when only a copy can do it. */
bool fv_view_reshape(const FvTensor *in, FvTensor *out);
/* Copies element by element in row-major logical order between shapes with equally many elements. Same type; nothing happens
 * when both are the same memory (the plan made out a view). */
void fv_copy_in_order(const FvTensor *out, const FvTensor *in);
/* Puts output's shape as inferred into view, with in's type. */
void fv_view_begin(const FvNode *node, int index, const FvTensor *in, FvTensor *view);

/* The sub-tensor at index 0 of the dims [first, last), without them. */
FvTensor fv_drop_dims(const FvTensor *tensor, int first, int last);

static inline void *fv_element(const FvTensor *tensor, int64_t offset) {
  return (char *)tensor->data + offset * (int64_t)fv_dtype_size(tensor->dtype);
}
/* An index from the data: negative counts from the end; one outside is moved to the nearest element, so that nothing outside is ever touched. */
static inline int64_t fv_index_clamp(int64_t index, int64_t dim) {
  if (index < 0) index += dim;
  return index < 0 ? 0 : index >= dim ? dim - 1 : index;
}

/* Refuses inputs whose length is known only after running. */
int fv_infer_static_inputs(const FvNode *node, FvInfer *infer);
/* Integers that older opsets give as an attribute and newer ones as a constant input; *count = -1 when neither is there. */
int fv_infer_ints(const FvNode *node, int input, const char *attr, int64_t *values, int capacity, int *count, FvInfer *infer);
/* Constant indices into a dimension: an error when one is outside [-dim, dim). Indices that are computed pass. */
int fv_infer_index_range(const FvValue *indices, int64_t dim, FvInfer *infer);
/* The same for tuples of `depth` numbers, the indices' last dimension, that name dims batch … of data. */
int fv_infer_tuple_range(const FvValue *data, const FvValue *indices, int batch, int depth, FvInfer *infer);
/* I32 or I64, which is what indices may be. */
int fv_infer_index_type(const FvNode *node, int input, FvInfer *infer);

#endif

/* Walking strided tensors, for the reference kernels. */
#ifndef FOVEA_BASE_STRIDED_H
#define FOVEA_BASE_STRIDED_H

#include "fovea/tensor.h"

/* Odometer over dims[0..rank): start with all zero, false when it wraps. Row-major order. */
static inline bool fv_index_next(int64_t *index, const int64_t *dims, int rank) {
  for (int d = rank - 1; d >= 0; d--) {
    if (++index[d] < dims[d]) return true;
    index[d] = 0;
  }
  return false;
}

/* Element offset of an index, numpy-broadcast: index has index_rank entries, aligned at the right; size-1 dims repeat. */
int64_t fv_broadcast_offset(const FvTensor *tensor, const int64_t *index, int index_rank);
/* Element offset of a full index. */
static inline int64_t fv_offset(const FvTensor *tensor, const int64_t *index) {
  int64_t offset = 0;
  for (int d = 0; d < tensor->rank; d++) offset += index[d] * tensor->strides[d];
  return offset;
}

/* One element as double or int64 (integers only), whatever its type; stores saturate integers and round halves to even for f16/bf16. */
double fv_load_f64(const FvTensor *tensor, int64_t offset);
int64_t fv_load_i64(const FvTensor *tensor, int64_t offset);
void fv_store_f64(const FvTensor *tensor, int64_t offset, double value);
void fv_store_i64(const FvTensor *tensor, int64_t offset, int64_t value); /* wraps, like ONNX integer arithmetic */

static inline bool fv_dtype_is_float(FvDtype t) { return t == FV_DTYPE_F32 || t == FV_DTYPE_F16 || t == FV_DTYPE_F64 || t == FV_DTYPE_BF16; }

#endif

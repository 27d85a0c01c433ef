#include <fovea/tensor.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strided.h"

static const struct {
  const char *name;
  size_t size;
} dtypes[FV_DTYPE_COUNT] = {
  [FV_DTYPE_NONE] = {"none", 0}, [FV_DTYPE_F32] = {"f32", 4}, [FV_DTYPE_F16] = {"f16", 2}, [FV_DTYPE_F64] = {"f64", 8},
  [FV_DTYPE_BF16] = {"bf16", 2}, [FV_DTYPE_I8] = {"i8", 1}, [FV_DTYPE_U8] = {"u8", 1}, [FV_DTYPE_I16] = {"i16", 2},
  [FV_DTYPE_U16] = {"u16", 2}, [FV_DTYPE_I32] = {"i32", 4}, [FV_DTYPE_U32] = {"u32", 4}, [FV_DTYPE_I64] = {"i64", 8},
  [FV_DTYPE_U64] = {"u64", 8}, [FV_DTYPE_BOOL] = {"bool", 1},
};

size_t fv_dtype_size(FvDtype dtype) { return (unsigned)dtype < FV_DTYPE_COUNT ? dtypes[dtype].size : 0; }
const char *fv_dtype_name(FvDtype dtype) { return (unsigned)dtype < FV_DTYPE_COUNT ? dtypes[dtype].name : "none"; }

int64_t fv_tensor_count(const FvTensor *tensor) {
  int64_t count = 1;
  for (int d = 0; d < tensor->rank; d++) count *= tensor->dims[d];
  return count;
}

void fv_tensor_set_contiguous(FvTensor *tensor) {
  int64_t stride = 1;
  for (int d = tensor->rank - 1; d >= 0; d--) {
    tensor->strides[d] = stride;
    stride *= tensor->dims[d];
  }
}

bool fv_tensor_is_contiguous(const FvTensor *tensor) {
  int64_t stride = 1;
  for (int d = tensor->rank - 1; d >= 0; d--) {
    if (tensor->dims[d] != 1 && tensor->strides[d] != stride) return false;
    stride *= tensor->dims[d];
  }
  return true;
}

static void copy_run(const FvTensor *dst, int64_t to, const FvTensor *src, int64_t from, int64_t n, int64_t to_step, int64_t from_step) {
  size_t size = fv_dtype_size(dst->dtype);
  if (dst->dtype == src->dtype && to_step == 1 && from_step == 1) {
    memcpy((char *)dst->data + to * (int64_t)size, (const char *)src->data + from * (int64_t)size, (size_t)n * size);
  } else if (dst->dtype == src->dtype) {
    for (int64_t i = 0; i < n; i++)
      memcpy((char *)dst->data + (to + i * to_step) * (int64_t)size, (const char *)src->data + (from + i * from_step) * (int64_t)size, size);
  } else if (fv_dtype_is_float(src->dtype)) {
    for (int64_t i = 0; i < n; i++) fv_store_f64(dst, to + i * to_step, fv_load_f64(src, from + i * from_step));
  } else if (fv_dtype_is_float(dst->dtype)) {
    for (int64_t i = 0; i < n; i++) fv_store_f64(dst, to + i * to_step, fv_load_f64(src, from + i * from_step));
  } else {
    for (int64_t i = 0; i < n; i++) fv_store_i64(dst, to + i * to_step, fv_load_i64(src, from + i * from_step));
  }
}

int fv_tensor_copy(const FvTensor *dst, const FvTensor *src, FvError *err) {
  bool same = dst->rank == src->rank && memcmp(dst->dims, src->dims, sizeof dst->dims[0] * (size_t)dst->rank) == 0;
  if (!same || !fv_dtype_size(dst->dtype) || !fv_dtype_size(src->dtype)) {
    char to[128], from[128];
    return fv_error_set(err, FV_ERR_INVALID, "cannot copy a tensor %s into %s", fv_tensor_describe(src, from, sizeof from),
                        fv_tensor_describe(dst, to, sizeof to));
  }
  if (fv_tensor_count(dst) == 0) return 0;
  int outer = dst->rank > 0 ? dst->rank - 1 : 0;
  int64_t index[FV_MAX_RANK] = {0};
  int64_t n = dst->rank ? dst->dims[outer] : 1, to_step = dst->rank ? dst->strides[outer] : 1, from_step = dst->rank ? src->strides[outer] : 1;
  do copy_run(dst, fv_offset(dst, index), src, fv_offset(src, index), n, to_step, from_step);
  while (fv_index_next(index, dst->dims, outer));
  return 0;
}

char *fv_tensor_describe(const FvTensor *tensor, char *text, size_t size) {
  int used = snprintf(text, size, "%s[", fv_dtype_name(tensor->dtype));
  for (int d = 0; d < tensor->rank && (size_t)used < size; d++)
    used += snprintf(text + used, size - (size_t)used, d ? ",%lld" : "%lld", (long long)tensor->dims[d]);
  if ((size_t)used < size) snprintf(text + used, size - (size_t)used, "]");
  return text;
}

void fv_tensor_release(FvTensor *tensor) {
  free(tensor->data);
  *tensor = (FvTensor){0};
}

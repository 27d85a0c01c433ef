/* Tensors: a typed, strided view of memory that somebody else owns.
 *
 * dims are in ONNX's logical order ([N, C, H, W] for pictures); strides are in elements, one per dimension, and are what
 * makes a layout: channels-last activations have strides {H*W*P, 1, W*P, P}, P being the pixel stride (>= C). A stride may
 * be 0 (an expanded dimension) or negative (a reversed slice). data points at the element with all indices 0. */
#ifndef FOVEA_TENSOR_H
#define FOVEA_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <fovea/error.h>
#include <fovea/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum FvDtype {
  FV_DTYPE_NONE = 0,
  FV_DTYPE_F32,
  FV_DTYPE_F16, /* IEEE binary16 bits in uint16_t */
  FV_DTYPE_F64,
  FV_DTYPE_BF16, /* upper half of binary32 in uint16_t */
  FV_DTYPE_I8,
  FV_DTYPE_U8,
  FV_DTYPE_I16,
  FV_DTYPE_U16,
  FV_DTYPE_I32,
  FV_DTYPE_U32,
  FV_DTYPE_I64,
  FV_DTYPE_U64,
  FV_DTYPE_BOOL, /* one byte, 0 or 1 */
  FV_DTYPE_COUNT
} FvDtype;

typedef struct FvTensor {
  FvDtype dtype;
  int rank; /* 0 (a scalar) to FV_MAX_RANK */
  int64_t dims[FV_MAX_RANK];
  int64_t strides[FV_MAX_RANK]; /* elements */
  void *data;
} FvTensor;

/* Bytes of one element; 0 for FV_DTYPE_NONE. */
FV_API size_t fv_dtype_size(FvDtype dtype);
/* "f32", "i8", …; static storage. */
FV_API const char *fv_dtype_name(FvDtype dtype);

/* Product of dims; 1 for a scalar, 0 when a dimension is 0. */
FV_API int64_t fv_tensor_count(const FvTensor *tensor);
/* Writes row-major strides for tensor->dims. */
FV_API void fv_tensor_set_contiguous(FvTensor *tensor);
/* True when the elements lie in row-major order without gaps. */
FV_API bool fv_tensor_is_contiguous(const FvTensor *tensor);
/* Copies src into dst element by element, whatever their strides, converting the type if they differ (floating point to
 * integer truncates toward zero and saturates). The shapes must be equal: else FV_ERR_INVALID. The memory must not overlap. */
FV_API int fv_tensor_copy(const FvTensor *dst, const FvTensor *src, FvError *err);
/* Writes "f32[1,3,320,320]" into text (at most size bytes with the NUL) and returns text. */
FV_API char *fv_tensor_describe(const FvTensor *tensor, char *text, size_t size);

/* NumPy .npy files, versions 1 to 3, little-endian, C order; Fortran order is read too. Read allocates
 * tensor->data with malloc: release it with fv_tensor_release(). Write accepts any strides. */
FV_API int fv_npy_read(const char *path, FvTensor *tensor, FvError *err);
FV_API int fv_npy_write(const char *path, const FvTensor *tensor, FvError *err);
/* Frees data that the library allocated for a tensor and zeroes the struct. Accepts a zeroed struct. */
FV_API void fv_tensor_release(FvTensor *tensor);

#ifdef __cplusplus
}
#endif
#endif

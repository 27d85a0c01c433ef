#include "base/strided.h"

#include <math.h>

#include "base/half.h"

int64_t fv_broadcast_offset(const FvTensor *tensor, const int64_t *index, int index_rank) {
  int64_t offset = 0;
  for (int d = 0; d < tensor->rank; d++)
    if (tensor->dims[d] != 1) offset += index[index_rank - tensor->rank + d] * tensor->strides[d];
  return offset;
}

#define AT(type) ((type *)tensor->data)[offset]

double fv_load_f64(const FvTensor *tensor, int64_t offset) {
  switch (tensor->dtype) {
    case FV_DTYPE_F32: return AT(const float);
    case FV_DTYPE_F16: return fv_f16_to_f32(AT(const uint16_t));
    case FV_DTYPE_F64: return AT(const double);
    case FV_DTYPE_BF16: return fv_bf16_to_f32(AT(const uint16_t));
    case FV_DTYPE_U64: return (double)AT(const uint64_t);
    default: return (double)fv_load_i64(tensor, offset);
  }
}

static int64_t saturate_i64(double value) {
  if (!(value == value)) return 0;
  if (value >= 9223372036854775808.0) return INT64_MAX;
  return value <= -9223372036854775808.0 ? INT64_MIN : (int64_t)value;
}

int64_t fv_load_i64(const FvTensor *tensor, int64_t offset) {
  switch (tensor->dtype) {
    case FV_DTYPE_I8: return AT(const int8_t);
    case FV_DTYPE_U8: return AT(const uint8_t);
    case FV_DTYPE_BOOL: return AT(const uint8_t) != 0;
    case FV_DTYPE_I16: return AT(const int16_t);
    case FV_DTYPE_U16: return AT(const uint16_t);
    case FV_DTYPE_I32: return AT(const int32_t);
    case FV_DTYPE_U32: return AT(const uint32_t);
    case FV_DTYPE_I64: return AT(const int64_t);
    case FV_DTYPE_U64: return (int64_t)AT(const uint64_t);
    default: return saturate_i64(fv_load_f64(tensor, offset));
  }
}

static int64_t clamp_to(double value, double low, double high) {
  if (!(value == value)) return 0;
  return saturate_i64(value < low ? low : value > high ? high : value);
}

void fv_store_f64(const FvTensor *tensor, int64_t offset, double value) {
  switch (tensor->dtype) {
    case FV_DTYPE_F32: AT(float) = (float)value; break;
    case FV_DTYPE_F16: AT(uint16_t) = fv_f64_to_f16(value); break;
    case FV_DTYPE_F64: AT(double) = value; break;
    case FV_DTYPE_BF16: AT(uint16_t) = fv_f32_to_bf16((float)value); break;
    case FV_DTYPE_I8: AT(int8_t) = (int8_t)clamp_to(value, INT8_MIN, INT8_MAX); break;
    case FV_DTYPE_U8: AT(uint8_t) = (uint8_t)clamp_to(value, 0, UINT8_MAX); break;
    case FV_DTYPE_I16: AT(int16_t) = (int16_t)clamp_to(value, INT16_MIN, INT16_MAX); break;
    case FV_DTYPE_U16: AT(uint16_t) = (uint16_t)clamp_to(value, 0, UINT16_MAX); break;
    case FV_DTYPE_I32: AT(int32_t) = (int32_t)clamp_to(value, INT32_MIN, INT32_MAX); break;
    case FV_DTYPE_U32: AT(uint32_t) = (uint32_t)clamp_to(value, 0, UINT32_MAX); break;
    case FV_DTYPE_I64: AT(int64_t) = saturate_i64(value); break;
    case FV_DTYPE_U64: AT(uint64_t) = value >= 18446744073709551616.0 ? UINT64_MAX : value > 0 ? (uint64_t)value : 0; break;
    case FV_DTYPE_BOOL: AT(uint8_t) = value != 0; break;
    default: break;
  }
}

void fv_store_i64(const FvTensor *tensor, int64_t offset, int64_t value) {
  switch (tensor->dtype) {
    case FV_DTYPE_I8: case FV_DTYPE_U8: AT(uint8_t) = (uint8_t)value; break;
    case FV_DTYPE_I16: case FV_DTYPE_U16: AT(uint16_t) = (uint16_t)value; break;
    case FV_DTYPE_I32: case FV_DTYPE_U32: AT(uint32_t) = (uint32_t)value; break;
    case FV_DTYPE_I64: case FV_DTYPE_U64: AT(uint64_t) = (uint64_t)value; break;
    case FV_DTYPE_BOOL: AT(uint8_t) = value != 0; break;
    default: fv_store_f64(tensor, offset, (double)value); break;
  }
}

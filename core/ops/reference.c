#include "ops/reference.h"

#include "base/strided.h"

#define DOT(a_dtype, a_type, b_dtype, b_type)                                                              \
  if (a->dtype == a_dtype && b->dtype == b_dtype) {                                                        \
    const a_type *pa = (const a_type *)a->data + a_at;                                                     \
    const b_type *pb = (const b_type *)b->data + b_at;                                                     \
    for (int64_t i = 0; i < count; i++)                                                                    \
      sum += ((double)pa[i * a_step] - a_zero) * ((double)pb[i * b_step] - b_zero);                        \
    return sum;                                                                                            \
  }

double fv_dot(const FvTensor *a, int64_t a_at, int64_t a_step, double a_zero, const FvTensor *b, int64_t b_at, int64_t b_step,
              double b_zero, int64_t count) {
  double sum = 0;
  DOT(FV_DTYPE_F32, float, FV_DTYPE_F32, float)
  DOT(FV_DTYPE_U8, uint8_t, FV_DTYPE_I8, int8_t)
  DOT(FV_DTYPE_U8, uint8_t, FV_DTYPE_U8, uint8_t)
  DOT(FV_DTYPE_I8, int8_t, FV_DTYPE_I8, int8_t)
  for (int64_t i = 0; i < count; i++)
    sum += (fv_load_f64(a, a_at + i * a_step) - a_zero) * (fv_load_f64(b, b_at + i * b_step) - b_zero);
  return sum;
}

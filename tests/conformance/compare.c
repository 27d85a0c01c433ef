#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"
#include "base/strided.h"

static bool floats_agree(double found, double expected, Tolerance tolerance) {
  if (isnan(expected)) return isnan(found);
  if (isinf(expected)) return found == expected;
  return fabs(found - expected) <= tolerance.absolute + tolerance.relative * fabs(expected);
}

static bool elements_agree(const FvTensor *found, int64_t at, const FvTensor *expected, int64_t offset, Tolerance tolerance) {
  if (fv_dtype_is_float(expected->dtype)) return floats_agree(fv_load_f64(found, at), fv_load_f64(expected, offset), tolerance);
  int64_t a = fv_load_i64(found, at), b = fv_load_i64(expected, offset);
  bool byte = expected->dtype == FV_DTYPE_I8 || expected->dtype == FV_DTYPE_U8;
  return byte ? llabs(a - b) <= tolerance.steps : a == b;
}

static void describe_difference(const FvTensor *found, int64_t at, const FvTensor *expected, int64_t offset, const int64_t *index, char *reason, size_t size) {
  int used = snprintf(reason, size, "element [");
  for (int d = 0; d < expected->rank; d++) used += snprintf(reason + used, size - (size_t)used, d ? ",%lld" : "%lld", (long long)index[d]);
  if (fv_dtype_is_float(expected->dtype))
    snprintf(reason + used, size - (size_t)used, "] is %.8g instead of %.8g", fv_load_f64(found, at), fv_load_f64(expected, offset));
  else
    snprintf(reason + used, size - (size_t)used, "] is %lld instead of %lld", (long long)fv_load_i64(found, at), (long long)fv_load_i64(expected, offset));
}

bool tensors_agree(const FvTensor *found, const FvTensor *expected, Tolerance tolerance, char *reason, size_t size) {
  char a[128], b[128];
  bool same = found->dtype == expected->dtype && found->rank == expected->rank &&
              memcmp(found->dims, expected->dims, sizeof found->dims[0] * (size_t)found->rank) == 0;
  if (!same) {
    snprintf(reason, size, "is %s instead of %s", fv_tensor_describe(found, a, sizeof a), fv_tensor_describe(expected, b, sizeof b));
    return false;
  }
  if (fv_tensor_count(expected) == 0) return true;
  int64_t index[FV_MAX_RANK] = {0};
  do {
    int64_t at = fv_offset(found, index), offset = fv_offset(expected, index);
    if (elements_agree(found, at, expected, offset, tolerance)) continue;
    describe_difference(found, at, expected, offset, index, reason, size);
    return false;
  } while (fv_index_next(index, expected->dims, expected->rank));
  return true;
}

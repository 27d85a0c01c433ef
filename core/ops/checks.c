#include "ops/checks.h"

#include "base/strided.h"

const FvValue *fv_infer_need(const FvNode *node, int index, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, index);
  if (!value) fv_infer_error(infer, "input %d is missing", index);
  return value;
}

const FvValue *fv_infer_need_float(const FvNode *node, int index, FvInfer *infer) {
  const FvValue *value = fv_infer_need(node, index, infer);
  if (!value || fv_dtype_is_float(value->dtype)) return value;
  fv_infer_bad_type(node, index, infer);
  return NULL;
}

int fv_infer_same_type(const FvNode *node, int index, FvDtype dtype, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, index);
  if (!value || value->dtype == dtype) return 0;
  return fv_infer_error(infer, "input %d ('%s') has type %s where %s is wanted", index, value->name, fv_dtype_name(value->dtype),
                        fv_dtype_name(dtype));
}

int fv_infer_vector(const FvNode *node, int index, int64_t length, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, index);
  if (!value || (value->rank == 1 && value->dims[0] == length)) return 0;
  return fv_infer_error(infer, "input %d ('%s') must be a vector of %lld elements", index, value->name, (long long)length);
}

int fv_infer_scale(const FvNode *node, int index, int64_t length, FvInfer *infer) {
  const FvValue *value = fv_infer_need_float(node, index, infer);
  if (!value) return fv_infer_failed(infer);
  if (value->rank == 0 || (value->rank == 1 && (value->dims[0] == 1 || (length > 0 && value->dims[0] == length)))) return 0;
  if (length > 0)
    return fv_infer_error(infer, "scale '%s' must be one number or a vector of %lld", value->name, (long long)length);
  return fv_infer_error(infer, "scale '%s' must be one number", value->name);
}

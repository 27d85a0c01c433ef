#include <string.h>

#include "ops/families.h"

static const FvOp *const families[] = {
  fv_ops_conv,
  fv_ops_pool,
  fv_ops_norm,
  fv_ops_gemm,
  fv_ops_quantised,
  fv_ops_microsoft,
  fv_ops_resize,
  fv_ops_unary,
  fv_ops_binary,
  fv_ops_logic,
  fv_ops_reduce,
  fv_ops_softmax,
  fv_ops_sort,
  fv_ops_nms,
  fv_ops_reshape,
  fv_ops_transpose,
  fv_ops_concat,
  fv_ops_slice,
  fv_ops_gather,
  fv_ops_scatter,
  fv_ops_pad,
  fv_ops_generate,
  fv_ops_depth_space,
  fv_ops_shuffle,
  fv_ops_cast,
};

const FvOp *fv_op_at(int index) {
  for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
    for (const FvOp *op = families[f]; op->name; op++)
      if (index-- == 0) return op;
  return NULL;
}

static bool is_default_domain(const char *domain) { return !domain || !*domain || strcmp(domain, "ai.onnx") == 0; }

static bool in_domain(const FvOp *op, const char *domain) {
  return is_default_domain(domain) ? !op->domain : op->domain && strcmp(op->domain, domain) == 0;
}

const FvOp *fv_op_find(const char *domain, const char *name) {
  for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
    for (const FvOp *op = families[f]; op->name; op++)
      if (*op->name == *name && strcmp(op->name, name) == 0 && in_domain(op, domain)) return op;
  return NULL;
}

#include <math.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/params.h"

static int infer_softmax(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_FLOAT, infer);
  if (rc < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0) return rc;
  FvSoftmaxParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  const FvValue *in = node->inputs[0];
  int64_t axis = fv_node_int(node, "axis", node->opset < 13 ? 1 : -1);
  params->flatten = node->opset < 13;
  params->log = strcmp(node->op->name, "LogSoftmax") == 0;
  if (params->flatten && axis == in->rank) params->axis = in->rank; /* all before the axis: each element by itself */
  else if (in->rank == 0 && (axis == 0 || axis == -1)) params->axis = 0;
  else if ((rc = fv_infer_axis(axis, in->rank, &params->axis, infer)) < 0) return rc;
  if (params->axis == in->rank && (rc = fv_infer_reference_only(node, infer)) < 0) return rc; /* kernels may rely on the axis being one */
  return fv_infer_output_like(node, 0, in, infer);
}

/* The elements that are normalised together, and the rest. */
typedef struct Groups {
  int64_t outer[FV_MAX_RANK], inner[FV_MAX_RANK];
} Groups;

static Groups split_dims(const FvTensor *in, const FvSoftmaxParams *params) {
  Groups groups;
  for (int d = 0; d < in->rank; d++) {
    bool together = params->flatten ? d >= params->axis : d == params->axis;
    groups.outer[d] = together ? 1 : in->dims[d];
    groups.inner[d] = together ? in->dims[d] : 1;
  }
  return groups;
}

static void softmax_group(const FvTensor *in, int64_t from, const FvTensor *out, int64_t to, const int64_t *dims, bool log_of_it) {
  int64_t index[FV_MAX_RANK] = {0};
  double peak = -INFINITY, sum = 0;
  do {
    double x = fv_load_f64(in, from + fv_offset(in, index));
    if (x > peak || x != x) peak = x;
  } while (fv_index_next(index, dims, in->rank));
  do sum += exp(fv_load_f64(in, from + fv_offset(in, index)) - peak);
  while (fv_index_next(index, dims, in->rank));
  do {
    double x = fv_load_f64(in, from + fv_offset(in, index)) - peak;
    fv_store_f64(out, to + fv_offset(out, index), log_of_it ? x - log(sum) : exp(x) / sum);
  } while (fv_index_next(index, dims, in->rank));
}

static void reference_softmax(const FvKernelCall *call) {
  const FvSoftmaxParams *params = call->node->params;
  const FvTensor *in = call->in[0], *out = call->out[0];
  Groups groups = split_dims(in, params);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(in) == 0) return;
  do softmax_group(in, fv_offset(in, index), out, fv_offset(out, index), groups.inner, params->log);
  while (fv_index_next(index, groups.outer, in->rank));
}

/* 1 at the first largest, 0 elsewhere. */
static void reference_hardmax(const FvKernelCall *call) {
  const FvTensor *in = call->in[0], *out = call->out[0];
  Groups groups = split_dims(in, call->node->params);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(in) == 0) return;
  do {
    int64_t inner[FV_MAX_RANK] = {0}, from = fv_offset(in, index), to = fv_offset(out, index), best = from, best_to = to;
    do {
      if (fv_compare_elements(in, from + fv_offset(in, inner), best) <= 0) continue;
      best = from + fv_offset(in, inner);
      best_to = to + fv_offset(out, inner);
    } while (fv_index_next(inner, groups.inner, in->rank));
    do fv_store_f64(out, to + fv_offset(out, inner), 0);
    while (fv_index_next(inner, groups.inner, in->rank));
    fv_store_f64(out, best_to, 1);
  } while (fv_index_next(index, groups.outer, in->rank));
}

#define SOFTMAX(op, op_kind, compute, extra) \
  {.name = op, .kind = op_kind, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, \
   .flags = FV_OP_FOLLOWS_LAYOUT | extra, .infer = infer_softmax, .reference = compute}

const FvOp fv_ops_softmax[] = {
  SOFTMAX("Softmax", FV_OP_SOFTMAX, reference_softmax, FV_OP_IN_PLACE),
  SOFTMAX("LogSoftmax", FV_OP_SOFTMAX, reference_softmax, FV_OP_IN_PLACE),
  SOFTMAX("Hardmax", FV_OP_OTHER, reference_hardmax, 0),
  {0},
};

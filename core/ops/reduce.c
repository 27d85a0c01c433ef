#include <math.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/params.h"

static const struct {
  const char *name;
  FvReduceType type;
} rules[] = {
  {"ReduceSum", FV_REDUCE_SUM}, {"ReduceMean", FV_REDUCE_MEAN}, {"ReduceMax", FV_REDUCE_MAX}, {"ReduceMin", FV_REDUCE_MIN},
  {"ReduceProd", FV_REDUCE_PROD}, {"ReduceL1", FV_REDUCE_L1}, {"ReduceL2", FV_REDUCE_L2}, {"ReduceLogSum", FV_REDUCE_LOG_SUM},
  {"ReduceLogSumExp", FV_REDUCE_LOG_SUM_EXP}, {"ReduceSumSquare", FV_REDUCE_SUM_SQUARE},
};

/* The axes come as an input (ReduceSum from opset 13, the others from 18) or as an attribute; none means all, or, on request, nothing. */
static int read_axes(const FvNode *node, int rank, bool *axes, FvInfer *infer) {
  int64_t list[FV_MAX_RANK];
  int count = -1;
  int rc = fv_infer_const_ints(node, 1, list, FV_MAX_RANK, &count, infer);
  if (rc < 0) return rc;
  if (count < 0) count = fv_node_ints(node, "axes", list, FV_MAX_RANK);
  if (count > FV_MAX_RANK) return fv_infer_error(infer, "%d axes are more than a tensor can have", count);
  if (count <= 0) {
    bool all = !fv_node_int(node, "noop_with_empty_axes", 0);
    for (int d = 0; d < rank; d++) axes[d] = all;
    return 0;
  }
  for (int i = 0; i < count; i++) {
    int axis;
    if ((rc = fv_infer_axis(list[i], rank, &axis, infer)) < 0) return rc;
    if (axes[axis]) return fv_infer_error(infer, "axis %d is given twice", axis);
    axes[axis] = true;
  }
  return 0;
}

static int infer_reduce(FvNode *node, FvInfer *infer) {
  size_t rule = 0;
  while (strcmp(rules[rule].name, node->op->name) != 0) rule++;
  bool extremum = rules[rule].type == FV_REDUCE_MAX || rules[rule].type == FV_REDUCE_MIN;
  int rc = fv_infer_type(node, 0, extremum ? FV_TYPES_ANY : FV_TYPES_NUMBER, infer);
  if (rc < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0) return rc;
  FvReduceParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  const FvValue *in = node->inputs[0];
  params->type = rules[rule].type;
  params->keep_dims = fv_node_int(node, "keepdims", 1) != 0;
  if ((rc = read_axes(node, in->rank, params->axes, infer)) < 0) return rc;
  int rank = 0;
  int64_t dims[FV_MAX_RANK];
  for (int d = 0; d < in->rank; d++) {
    if (!params->axes[d]) dims[rank++] = in->dims[d];
    else if (params->keep_dims) dims[rank++] = 1;
  }
  return fv_infer_output(node, 0, in->dtype, rank, dims, infer);
}

/* The dimensions that a reduction runs over; the others are 1. */
static void inner_dims(const FvTensor *in, const bool *axes, int64_t *dims) {
  for (int d = 0; d < in->rank; d++) dims[d] = axes[d] ? in->dims[d] : 1;
}

static double finish_f64(FvReduceType type, double sum, double peak, int64_t count) {
  switch (type) {
    case FV_REDUCE_MEAN: return sum / (double)count;
    case FV_REDUCE_L2: return sqrt(sum);
    case FV_REDUCE_LOG_SUM: return log(sum);
    case FV_REDUCE_LOG_SUM_EXP: return log(sum) + peak;
    default: return sum;
  }
}

static double step_f64(FvReduceType type, double sum, double x, double peak) {
  switch (type) {
    case FV_REDUCE_MAX: return x > sum || x != x ? x : sum; /* NaN wins and, as no comparison with it holds, stays */
    case FV_REDUCE_MIN: return x < sum || x != x ? x : sum;
    case FV_REDUCE_PROD: return sum * x;
    case FV_REDUCE_L1: return sum + fabs(x);
    case FV_REDUCE_L2: case FV_REDUCE_SUM_SQUARE: return sum + x * x;
    case FV_REDUCE_LOG_SUM_EXP: return sum + exp(x - peak);
    default: return sum + x;
  }
}

static double start_f64(FvReduceType type) {
  return type == FV_REDUCE_PROD ? 1 : type == FV_REDUCE_MAX ? -INFINITY : type == FV_REDUCE_MIN ? INFINITY : 0;
}

static double reduce_f64(FvReduceType type, const FvTensor *in, int64_t base, const int64_t *dims, int64_t count) {
  int64_t index[FV_MAX_RANK] = {0};
  double sum = start_f64(type), peak = 0;
  if (count == 0) return finish_f64(type, sum, 0, 0);
  if (type == FV_REDUCE_LOG_SUM_EXP) { /* exp of differences to the largest cannot overflow */
    peak = reduce_f64(FV_REDUCE_MAX, in, base, dims, count);
    if (!isfinite(peak)) return peak;
  }
  do sum = step_f64(type, sum, fv_load_f64(in, base + fv_offset(in, index)), peak);
  while (fv_index_next(index, dims, in->rank));
  return finish_f64(type, sum, peak, count);
}

/* What Max or Min of nothing is: the smallest or largest number of the type. */
static int64_t extremum_of_nothing(FvDtype dtype, bool largest) {
  int bits = (int)fv_dtype_size(dtype) * 8;
  switch (dtype) {
    case FV_DTYPE_BOOL: return largest;
    case FV_DTYPE_U8: case FV_DTYPE_U16: case FV_DTYPE_U32: case FV_DTYPE_U64: return largest ? (int64_t)(UINT64_MAX >> (64 - bits)) : 0;
    default: return largest ? INT64_MAX >> (64 - bits) : INT64_MIN >> (64 - bits);
  }
}

/* Sums wrap, as integer arithmetic in ONNX does. */
static int64_t reduce_i64(FvReduceType type, const FvTensor *in, int64_t base, const int64_t *dims, int64_t count) {
  int64_t index[FV_MAX_RANK] = {0};
  bool extremum = type == FV_REDUCE_MAX || type == FV_REDUCE_MIN, is_unsigned = in->dtype == FV_DTYPE_U64;
  uint64_t sum = extremum ? (uint64_t)extremum_of_nothing(in->dtype, type == FV_REDUCE_MIN) : type == FV_REDUCE_PROD;
  if (count == 0) return (int64_t)sum;
  do {
    int64_t x = fv_load_i64(in, base + fv_offset(in, index));
    bool below = is_unsigned ? (uint64_t)x < sum : x < (int64_t)sum;
    switch (type) {
      case FV_REDUCE_MAX: if (!below) sum = (uint64_t)x; break;
      case FV_REDUCE_MIN: if (below) sum = (uint64_t)x; break;
      case FV_REDUCE_PROD: sum *= (uint64_t)x; break;
      case FV_REDUCE_L1: sum += !is_unsigned && x < 0 ? 0 - (uint64_t)x : (uint64_t)x; break;
      case FV_REDUCE_SUM_SQUARE: sum += (uint64_t)x * (uint64_t)x; break;
      default: sum += (uint64_t)x; break;
    }
  } while (fv_index_next(index, dims, in->rank));
  if (type != FV_REDUCE_MEAN) return (int64_t)sum;
  return is_unsigned ? (int64_t)(sum / (uint64_t)count) : (int64_t)sum / count;
}

static void reference_reduce(const FvKernelCall *call) {
  const FvReduceParams *params = call->node->params;
  const FvTensor *in = call->in[0], *out = call->out[0];
  int64_t inner[FV_MAX_RANK], index[FV_MAX_RANK] = {0}, count = 1;
  inner_dims(in, params->axes, inner);
  for (int d = 0; d < in->rank; d++) count *= inner[d];
  bool through_f64 = fv_dtype_is_float(in->dtype) || params->type == FV_REDUCE_L2 || params->type == FV_REDUCE_LOG_SUM ||
                     params->type == FV_REDUCE_LOG_SUM_EXP;
  if (fv_tensor_count(out) == 0) return;
  do {
    int64_t base = 0;
    for (int d = 0, o = 0; d < in->rank; d++) {
      if (!params->axes[d]) base += index[o++] * in->strides[d];
      else o += params->keep_dims;
    }
    if (through_f64) fv_store_f64(out, fv_offset(out, index), reduce_f64(params->type, in, base, inner, count));
    else fv_store_i64(out, fv_offset(out, index), reduce_i64(params->type, in, base, inner, count));
  } while (fv_index_next(index, out->dims, out->rank));
}

#define REDUCE(op) \
  {.name = op, .kind = FV_OP_REDUCE, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1, \
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_reduce, .reference = reference_reduce}

const FvOp fv_ops_reduce[] = {
  REDUCE("ReduceSum"), REDUCE("ReduceMean"), REDUCE("ReduceMax"), REDUCE("ReduceMin"), REDUCE("ReduceProd"), REDUCE("ReduceL1"), REDUCE("ReduceL2"),
  REDUCE("ReduceLogSum"), REDUCE("ReduceLogSumExp"), REDUCE("ReduceSumSquare"), {0},
};

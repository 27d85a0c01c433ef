/* The quantised operators that ONNX Runtime's quantiser adds in the domain com.microsoft. */
#include <math.h>

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/quantised.h"

/* A scale and zero point, per tensor, of the output: its type is that of the zero point, or the input's. */
static int infer_target(const FvNode *node, int scale, const FvValue *x, FvInfer *infer) {
  int rc = fv_infer_scale(node, scale, 0, infer);
  return rc ? rc : fv_infer_zero_point(node, scale + 1, x->dtype, 0, infer);
}

static double real_value(const FvTensor *x, int64_t at, const FvTensor *scale, const FvTensor *zero) {
  return (fv_load_f64(x, at) - fv_quant_param(zero, 0)) * fv_quant_param(scale, 0);
}

/* inputs: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero */
static int infer_binary(FvNode *node, FvInfer *infer) {
  const FvValue *a = fv_infer_need_quantised(node, 0, infer), *b = a ? fv_infer_need_quantised(node, 3, infer) : NULL;
  if (!b) return fv_infer_failed(infer);
  int64_t out[FV_MAX_RANK];
  int rank, rc = fv_infer_same_type(node, 3, a->dtype, infer);
  if (!rc) rc = infer_target(node, 6, a, infer);
  if (!rc) rc = fv_infer_broadcast(a, b, &rank, out, infer);
  return rc ? rc : fv_infer_output(node, 0, a->dtype, rank, out, infer);
}

/* The factor of one term is rounded to fp32 before anything is multiplied by it, as the kernels have it. */
static void reference_add(const FvKernelCall *call) {
  const FvTensor *const *in = call->in, *y = call->out[0];
  FvRequantise to = fv_requantise_of(call->node, in[6], call->node->input_count > 7 ? in[7] : NULL);
  float a_factor = (float)fv_quant_param(in[1], 0) / to.scale, b_factor = (float)fv_quant_param(in[4], 0) / to.scale;
  double a_zero = fv_quant_param(in[2], 0), b_zero = fv_quant_param(in[5], 0);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    float a = (float)(fv_load_f64(in[0], fv_broadcast_offset(in[0], index, y->rank)) - a_zero);
    float b = (float)(fv_load_f64(in[3], fv_broadcast_offset(in[3], index, y->rank)) - b_zero);
    fv_store_requantised(&to, y, fv_offset(y, index), a * a_factor + b * b_factor);
  } while (fv_index_next(index, y->dims, y->rank));
}

static void reference_mul(const FvKernelCall *call) {
  const FvTensor *const *in = call->in, *y = call->out[0];
  FvRequantise to = fv_requantise_of(call->node, in[6], call->node->input_count > 7 ? in[7] : NULL);
  float multiplier = (float)fv_quant_param(in[1], 0) * (float)fv_quant_param(in[4], 0) / to.scale;
  double a_zero = fv_quant_param(in[2], 0), b_zero = fv_quant_param(in[5], 0);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    double a = fv_load_f64(in[0], fv_broadcast_offset(in[0], index, y->rank)) - a_zero;
    double b = fv_load_f64(in[3], fv_broadcast_offset(in[3], index, y->rank)) - b_zero;
    fv_store_requantised(&to, y, fv_offset(y, index), (float)(a * b) * multiplier);
  } while (fv_index_next(index, y->dims, y->rank));
}

/* inputs: x, x_scale, x_zero, y_scale, y_zero */
static int infer_unary(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_quantised(node, 0, infer);
  float *alpha = x ? fv_infer_params(node, infer, sizeof *alpha) : NULL;
  if (!alpha) return fv_infer_failed(infer);
  *alpha = fv_node_float(node, "alpha", 0.01f);
  int rc = infer_target(node, 3, x, infer);
  return rc ? rc : fv_infer_output_like(node, 0, x, infer);
}

static void run_unary(const FvKernelCall *call, FvActivation function) {
  const FvTensor *const *in = call->in, *y = call->out[0], *y_zero = call->node->input_count > 4 ? in[4] : NULL;
  float y_scale = (float)fv_quant_param(in[3], 0);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    float value = fv_activate(function, (float)real_value(in[0], fv_offset(in[0], index), in[1], in[2]));
    fv_store_quantised(y, fv_offset(y, index), value / y_scale, fv_quant_param(y_zero, 0));
  } while (fv_index_next(index, y->dims, y->rank));
}

static void reference_leaky_relu(const FvKernelCall *call) {
  run_unary(call, (FvActivation){FV_ACTIVATION_LEAKY_RELU, *(const float *)call->node->params, 0});
}
static void reference_sigmoid(const FvKernelCall *call) { run_unary(call, (FvActivation){FV_ACTIVATION_SIGMOID, 0, 0}); }

typedef struct PlaneParams {
  int first, last; /* the dimensions averaged over: first to last - 1 */
} PlaneParams;

static int infer_global_average(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_quantised(node, 0, infer);
  PlaneParams *params = x ? fv_infer_params(node, infer, sizeof *params) : NULL;
  if (!params) return fv_infer_failed(infer);
  if (x->rank < 3) return fv_infer_error(infer, "input '%s' has %d dimensions; at least 3 are wanted", x->name, x->rank);
  bool channels_last = fv_node_int(node, "channels_last", 0) != 0;
  *params = (PlaneParams){channels_last ? 1 : 2, channels_last ? x->rank - 1 : x->rank};
  int64_t out[FV_MAX_RANK];
  for (int d = 0; d < x->rank; d++) {
    bool averaged = d >= params->first && d < params->last;
    if (averaged && x->dims[d] == 0) return fv_infer_error(infer, "input '%s' has empty planes", x->name);
    out[d] = averaged ? 1 : x->dims[d];
  }
  int rc = infer_target(node, 3, x, infer);
  return rc ? rc : fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

static void reference_global_average(const FvKernelCall *call) {
  const PlaneParams *params = call->node->params;
  const FvTensor *const *in = call->in, *x = in[0], *y = call->out[0], *y_zero = call->node->input_count > 4 ? in[4] : NULL;
  int planar = params->last - params->first;
  int64_t index[FV_MAX_RANK] = {0}, count = 1;
  if (fv_tensor_count(y) == 0) return;
  for (int d = params->first; d < params->last; d++) count *= x->dims[d];
  float multiplier = (float)fv_quant_param(in[1], 0) / ((float)fv_quant_param(in[3], 0) * (float)count);
  do {
    int64_t sum = 0, at = fv_offset(y, index);
    /* The odometer of the plane ends where it began, at zeros. */
    do sum += fv_load_i64(x, fv_offset(x, index));
    while (fv_index_next(index + params->first, x->dims + params->first, planar));
    double steps = (double)sum - (double)count * fv_quant_param(in[2], 0);
    fv_store_quantised(y, at, (float)steps * multiplier, fv_quant_param(y_zero, 0));
  } while (fv_index_next(index, y->dims, y->rank));
}

/* inputs: y_scale, y_zero, then data, scale, zero of each part */
static int infer_concat(FvNode *node, FvInfer *infer) {
  const FvValue *first = fv_infer_need_quantised(node, 2, infer);
  FvConcatParams *params = first ? fv_infer_params(node, infer, sizeof *params) : NULL;
  if (!params) return fv_infer_failed(infer);
  if ((node->input_count - 2) % 3) return fv_infer_error(infer, "%d inputs are not parts of three", node->input_count - 2);
  int rc = fv_infer_axis(fv_node_int(node, "axis", 1), first->rank, &params->axis, infer);
  if (!rc) rc = infer_target(node, 0, first, infer);
  if (rc) return rc;
  int64_t out[FV_MAX_RANK];
  for (int d = 0; d < first->rank; d++) out[d] = first->dims[d];
  for (int i = 5; i < node->input_count; i += 3) {
    const FvValue *part = fv_infer_need_quantised(node, i, infer);
    if (!part) return fv_infer_failed(infer);
    bool fits = part->rank == first->rank && part->dtype == first->dtype;
    for (int d = 0; fits && d < first->rank; d++) fits = d == params->axis || part->dims[d] == first->dims[d];
    if (!fits) return fv_infer_error(infer, "'%s' and '%s' cannot be joined along axis %d", first->name, part->name, params->axis);
    out[params->axis] += part->dims[params->axis];
  }
  return fv_infer_output(node, 0, first->dtype, first->rank, out, infer);
}

static void reference_concat(const FvKernelCall *call) {
  const FvConcatParams *params = call->node->params;
  const FvTensor *const *in = call->in, *y = call->out[0];
  float y_scale = (float)fv_quant_param(in[0], 0);
  int64_t offset = 0;
  for (int i = 2; i < call->node->input_count; i += 3) {
    int64_t index[FV_MAX_RANK] = {0};
    if (fv_tensor_count(in[i]) == 0) continue;
    do {
      float value = (float)real_value(in[i], fv_offset(in[i], index), in[i + 1], in[i + 2]);
      fv_store_quantised(y, fv_offset(y, index) + offset * y->strides[params->axis], value / y_scale, fv_quant_param(in[1], 0));
    } while (fv_index_next(index, in[i]->dims, in[i]->rank));
    offset += in[i]->dims[params->axis];
  }
}

#define MICROSOFT "com.microsoft"
const FvOp fv_ops_microsoft[] = {
  {.name = "QLinearAdd", .domain = MICROSOFT, .kind = FV_OP_QLINEAR_ADD, .min_inputs = 7, .max_inputs = 8, .min_outputs = 1,
   .max_outputs = 1, .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_binary, .reference = reference_add},
  {.name = "QLinearMul", .domain = MICROSOFT, .kind = FV_OP_QLINEAR_MUL, .min_inputs = 7, .max_inputs = 8, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_binary, .reference = reference_mul},
  {.name = "QLinearLeakyRelu", .domain = MICROSOFT, .kind = FV_OP_QLINEAR_UNARY, .min_inputs = 4, .max_inputs = 5, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_unary, .reference = reference_leaky_relu},
  {.name = "QLinearSigmoid", .domain = MICROSOFT, .kind = FV_OP_QLINEAR_UNARY, .min_inputs = 4, .max_inputs = 5, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_unary, .reference = reference_sigmoid},
  {.name = "QLinearGlobalAveragePool", .domain = MICROSOFT, .kind = FV_OP_QLINEAR_GLOBAL_AVERAGE_POOL, .min_inputs = 5,
   .max_inputs = 5, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL, .infer = infer_global_average,
   .reference = reference_global_average},
  {.name = "QLinearConcat", .domain = MICROSOFT, .kind = FV_OP_QLINEAR_CONCAT, .min_inputs = 5, .max_inputs = -1, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_concat, .reference = reference_concat},
  {0},
};

/* ONNX's quantised operators: to and from integers, and products of integers. real = (q - zero) * scale. */
#include "ops/quantised.h"

#include <math.h>

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/matmul.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "ops/window.h"

const FvValue *fv_infer_need_8bit(const FvNode *node, int index, FvInfer *infer) {
  const FvValue *value = fv_infer_need(node, index, infer);
  if (!value || fv_dtype_is_8bit(value->dtype)) return value;
  fv_infer_bad_type(node, index, infer);
  return NULL;
}

int fv_infer_zero_point(const FvNode *node, int index, FvDtype dtype, int64_t length, FvInfer *infer) {
  const FvValue *zero = fv_node_input(node, index);
  if (!zero) return 0;
  int rc = fv_infer_same_type(node, index, dtype, infer);
  if (rc || zero->rank == 0 || (zero->rank == 1 && (zero->dims[0] == 1 || (length > 0 && zero->dims[0] == length)))) return rc;
  if (length > 0)
    return fv_infer_error(infer, "zero point '%s' must be one number or a vector of %lld", zero->name, (long long)length);
  return fv_infer_error(infer, "zero point '%s' must be one number", zero->name);
}

const FvValue *fv_infer_need_quantised(const FvNode *node, int data, FvInfer *infer) {
  const FvValue *value = fv_infer_need_8bit(node, data, infer);
  if (!value || fv_infer_scale(node, data + 1, 0, infer) || fv_infer_zero_point(node, data + 2, value->dtype, 0, infer)) return NULL;
  return value;
}

int fv_infer_requantised(const FvNode *node, int scale, FvDtype *dtype, FvInfer *infer) {
  *dtype = FV_DTYPE_F32;
  if (!fv_node_input(node, scale) && !fv_node_input(node, scale + 1)) return 0;
  const FvValue *zero = fv_infer_need_8bit(node, scale + 1, infer);
  if (!zero) return fv_infer_failed(infer);
  *dtype = zero->dtype;
  int rc = fv_infer_scale(node, scale, 0, infer);
  return rc ? rc : fv_infer_zero_point(node, scale + 1, zero->dtype, 0, infer);
}

/* Where the scale (input 1) and the zero point (input 2) vary over x; fills params. */
static int infer_granularity(FvNode *node, const FvValue *x, FvQuantizeParams *params, FvInfer *infer) {
  const FvValue *scale = fv_infer_need_float(node, 1, infer), *zero = fv_node_input(node, 2);
  if (!scale) return fv_infer_failed(infer);
  *params = (FvQuantizeParams){.axis = -1};
  bool same = !zero || zero->rank == scale->rank;
  for (int d = 0; same && zero && d < scale->rank; d++) same = zero->dims[d] == scale->dims[d];
  bool single = scale->rank == 0 || (scale->rank == 1 && scale->dims[0] == 1);
  if (single) return fv_infer_zero_point(node, 2, zero ? zero->dtype : FV_DTYPE_NONE, 0, infer);
  if (!same) return fv_infer_error(infer, "scale '%s' and zero point '%s' differ in shape", scale->name, zero->name);
  int rc = fv_infer_axis(fv_node_int(node, "axis", 1), x->rank, &params->axis, infer);
  if (rc) return rc;
  params->block = fv_node_int(node, "block_size", 0);
  if (params->block == 0)
    return scale->rank == 1 ? fv_infer_vector(node, 1, x->dims[params->axis], infer)
                            : fv_infer_error(infer, "scale '%s' has %d dimensions, but block_size is not given", scale->name, scale->rank);
  if (params->block < 0 || params->block > FV_MAX_DIM)
    return fv_infer_error(infer, "block_size %lld is negative or too large", (long long)params->block);
  bool fits = scale->rank == x->rank;
  for (int d = 0; fits && d < x->rank; d++)
    fits = scale->dims[d] == (d == params->axis ? (x->dims[d] + params->block - 1) / params->block : x->dims[d]);
  return fits ? 0 : fv_infer_error(infer, "scale '%s' does not have one entry per block of %lld", scale->name, (long long)params->block);
}

static double granular_param(const FvQuantizeParams *params, const FvTensor *tensor, const int64_t *index) {
  if (!tensor) return 0;
  if (params->axis < 0) return fv_load_f64(tensor, 0);
  if (!params->block) return fv_load_f64(tensor, index[params->axis] * tensor->strides[0]);
  int64_t at = 0;
  for (int d = 0; d < tensor->rank; d++) at += (d == params->axis ? index[d] / params->block : index[d]) * tensor->strides[d];
  return fv_load_f64(tensor, at);
}

static bool is_quantised_type(FvDtype t) { return fv_dtype_is_8bit(t) || t == FV_DTYPE_I16 || t == FV_DTYPE_U16; }

/* TensorProto's numbers of the integer types; NONE for all others. */
static FvDtype dtype_of_onnx(int64_t number) {
  static const FvDtype types[] = {[2] = FV_DTYPE_U8, [3] = FV_DTYPE_I8, [4] = FV_DTYPE_U16, [5] = FV_DTYPE_I16};
  return number >= 0 && number < 6 ? types[number] : FV_DTYPE_NONE;
}

static int infer_quantize(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need(node, 0, infer), *zero = fv_node_input(node, 2);
  if (!x) return FV_ERR_FORMAT;
  if (!fv_dtype_is_float(x->dtype) && x->dtype != FV_DTYPE_I32) return fv_infer_bad_type(node, 0, infer);
  FvQuantizeParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t wanted = fv_node_int(node, "output_dtype", 0);
  FvDtype dtype = wanted ? dtype_of_onnx(wanted) : zero ? zero->dtype : FV_DTYPE_U8;
  if (wanted && !dtype) return fv_infer_unsupported(infer, "output_dtype %lld is not an integer type of 8 or 16 bits", (long long)wanted);
  if (!is_quantised_type(dtype)) return fv_infer_bad_type(node, 2, infer);
  int rc = fv_infer_same_type(node, 2, dtype, infer);
  if (!rc) rc = infer_granularity(node, x, params, infer);
  return rc ? rc : fv_infer_output(node, 0, dtype, x->rank, x->dims, infer);
}

static void reference_quantize(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *scale = call->in[1], *zero = call->node->input_count > 2 ? call->in[2] : NULL, *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    float value = (float)fv_load_f64(x, fv_offset(x, index)) / (float)granular_param(call->node->params, scale, index);
    fv_store_quantised(y, fv_offset(y, index), value, granular_param(call->node->params, zero, index));
  } while (fv_index_next(index, y->dims, y->rank));
}

static int infer_dequantize(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need(node, 0, infer);
  if (!x) return FV_ERR_FORMAT;
  if (!is_quantised_type(x->dtype) && x->dtype != FV_DTYPE_I32) return fv_infer_bad_type(node, 0, infer);
  FvQuantizeParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int rc = infer_granularity(node, x, params, infer);
  if (!rc) rc = fv_infer_same_type(node, 2, x->dtype, infer);
  return rc ? rc : fv_infer_output(node, 0, node->inputs[1]->dtype, x->rank, x->dims, infer);
}

static void reference_dequantize(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *scale = call->in[1], *zero = call->node->input_count > 2 ? call->in[2] : NULL, *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    double steps = fv_load_f64(x, fv_offset(x, index)) - granular_param(call->node->params, zero, index);
    fv_store_f64(y, fv_offset(y, index), steps * granular_param(call->node->params, scale, index));
  } while (fv_index_next(index, y->dims, y->rank));
}

static int infer_dynamic_quantize(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need(node, 0, infer);
  if (!x) return FV_ERR_FORMAT;
  if (x->dtype != FV_DTYPE_F32) return fv_infer_bad_type(node, 0, infer);
  int rc = fv_infer_output(node, 0, FV_DTYPE_U8, x->rank, x->dims, infer);
  if (!rc) rc = fv_infer_output(node, 1, FV_DTYPE_F32, 0, NULL, infer);
  return rc ? rc : fv_infer_output(node, 2, FV_DTYPE_U8, 0, NULL, infer);
}

/* The range is widened to hold 0, so that zero is exact. */
static void reference_dynamic_quantize(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *y = call->out[0];
  const FvTensor *scale_out = call->node->output_count > 1 ? call->out[1] : NULL, *zero_out = call->node->output_count > 2 ? call->out[2] : NULL;
  int64_t index[FV_MAX_RANK] = {0};
  bool empty = fv_tensor_count(x) == 0;
  float low = 0, high = 0;
  if (!empty) do {
      float value = (float)fv_load_f64(x, fv_offset(x, index));
      low = fminf(low, value);
      high = fmaxf(high, value);
    } while (fv_index_next(index, x->dims, x->rank));
  float scale = high > low ? (high - low) / 255 : 1;
  float zero = rintf(fminf(fmaxf(-low / scale, 0), 255));
  if (scale_out) fv_store_f64(scale_out, 0, (double)scale);
  if (zero_out) fv_store_f64(zero_out, 0, (double)zero);
  if (!y || empty) return;
  do fv_store_quantised(y, fv_offset(y, index), (float)fv_load_f64(x, fv_offset(x, index)) / scale, (double)zero);
  while (fv_index_next(index, x->dims, x->rank));
}

static int infer_qlinear_conv(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_quantised(node, 0, infer), *w = x ? fv_infer_need_8bit(node, 3, infer) : NULL;
  if (!w) return fv_infer_failed(infer);
  FvQLinearConvParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t out[FV_MAX_RANK];
  FvDtype dtype;
  int rc = fv_infer_conv(node, x, w, &params->conv, out, infer);
  if (!rc) rc = fv_infer_scale(node, 4, w->dims[0], infer);
  if (!rc) rc = fv_infer_zero_point(node, 5, w->dtype, w->dims[0], infer);
  if (!rc) rc = fv_infer_requantised(node, 6, &dtype, infer);
  if (!rc) rc = fv_infer_same_type(node, 8, FV_DTYPE_I32, infer);
  if (!rc) rc = fv_infer_vector(node, 8, w->dims[0], infer);
  return rc ? rc : fv_infer_output(node, 0, dtype, x->rank, out, infer);
}

/* One float multiplier per output channel, as ONNX Runtime has it: results agree to the last step. */
static void reference_qlinear_conv(const FvKernelCall *call) {
  const FvQLinearConvParams *params = call->node->params;
  const FvTensor *const *in = call->in, *bias = call->node->input_count > 8 ? in[8] : NULL, *y = call->out[0];
  double x_zero = fv_quant_param(in[2], 0);
  float x_scale = (float)fv_quant_param(in[1], 0);
  FvRequantise to = fv_requantise_of(call->node, in[6], in[7]);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    double sum = fv_conv_sum(&params->conv, in[0], x_zero, in[3], fv_quant_param(in[5], index[1]), index);
    if (bias) sum += fv_load_f64(bias, index[1] * bias->strides[0]);
    float multiplier = x_scale * (float)fv_quant_param(in[4], index[1]) / to.scale;
    fv_store_requantised(&to, y, fv_offset(y, index), (float)sum * multiplier);
  } while (fv_index_next(index, y->dims, y->rank));
}

static int64_t macs_qlinear_conv(const FvNode *node) { return fv_conv_macs(node->outputs[0], node->inputs[3]); }

static int infer_conv_integer(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_8bit(node, 0, infer), *w = x ? fv_infer_need_8bit(node, 1, infer) : NULL;
  if (!w) return fv_infer_failed(infer);
  FvConvParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t out[FV_MAX_RANK];
  int rc = fv_infer_conv(node, x, w, params, out, infer);
  if (!rc) rc = fv_infer_zero_point(node, 2, x->dtype, 0, infer);
  if (!rc) rc = fv_infer_zero_point(node, 3, w->dtype, w->dims[0], infer);
  return rc ? rc : fv_infer_output(node, 0, FV_DTYPE_I32, x->rank, out, infer);
}

static void reference_conv_integer(const FvKernelCall *call) {
  const FvNode *node = call->node;
  const FvTensor *w_zero = node->input_count > 3 ? call->in[3] : NULL, *y = call->out[0];
  double x_zero = fv_quant_param(node->input_count > 2 ? call->in[2] : NULL, 0);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    double sum = fv_conv_sum(node->params, call->in[0], x_zero, call->in[1], fv_quant_param(w_zero, index[1]), index);
    fv_store_i64(y, fv_offset(y, index), (int64_t)sum);
  } while (fv_index_next(index, y->dims, y->rank));
}

static int64_t macs_conv_integer(const FvNode *node) { return fv_conv_macs(node->outputs[0], node->inputs[1]); }

/* A scale or zero point of a matrix: one number; a vector, one per row of a or column of b; or the matrix's rank with 1 in
 * the dimension that is summed over. */
static int check_matrix_param(const FvNode *node, int index, const FvValue *matrix, bool is_a, FvInfer *infer) {
  const FvValue *param = fv_node_input(node, index);
  if (!param || param->rank == 0 || (param->rank == 1 && param->dims[0] == 1)) return 0;
  int rank = matrix->rank, kept = is_a ? rank - 2 : rank - 1, summed = is_a ? rank - 1 : rank - 2;
  bool fits = rank >= 2;
  if (fits && param->rank == 1) fits = param->dims[0] == matrix->dims[kept];
  else if (fits) {
    fits = param->rank == rank && param->dims[summed] == 1;
    for (int d = 0; fits && d < rank; d++) fits = d == summed || param->dims[d] == 1 || param->dims[d] == matrix->dims[d];
  }
  return fits ? 0 : fv_infer_error(infer, "'%s' must be one number, or one per %s of '%s'", param->name, is_a ? "row" : "column", matrix->name);
}

static double matrix_param(const FvTensor *param, const FvMatmulView *view, const int64_t *index, bool is_a) {
  int rank = view->y.rank;
  if (!param) return 0;
  if (param->rank == 1) return fv_quant_param(param, index[is_a ? rank - 2 : rank - 1]);
  return fv_load_f64(param, fv_broadcast_offset(param, index, rank));
}

static int infer_matmul_integer(FvNode *node, FvInfer *infer) {
  const FvValue *a = fv_infer_need_8bit(node, 0, infer), *b = a ? fv_infer_need_8bit(node, 1, infer) : NULL;
  if (!b) return fv_infer_failed(infer);
  int64_t out[2 * FV_MAX_RANK];
  int rank, rc = fv_infer_matmul(a, b, &rank, out, infer);
  if (!rc) rc = fv_infer_same_type(node, 2, a->dtype, infer);
  if (!rc) rc = check_matrix_param(node, 2, a, true, infer);
  if (!rc) rc = fv_infer_same_type(node, 3, b->dtype, infer);
  if (!rc) rc = check_matrix_param(node, 3, b, false, infer);
  return rc ? rc : fv_infer_output(node, 0, FV_DTYPE_I32, rank, out, infer);
}

static double matmul_sum(const FvMatmulView *view, const FvTensor *a_zero, const FvTensor *b_zero, const int64_t *index) {
  const FvTensor *a = &view->a, *b = &view->b;
  int64_t a_at, b_at;
  fv_matmul_rows(view, index, &a_at, &b_at);
  return fv_dot(a, a_at, a->strides[a->rank - 1], matrix_param(a_zero, view, index, true), b, b_at, b->strides[b->rank - 2],
                matrix_param(b_zero, view, index, false), view->depth);
}

static void reference_matmul_integer(const FvKernelCall *call) {
  const FvTensor *a_zero = call->node->input_count > 2 ? call->in[2] : NULL, *b_zero = call->node->input_count > 3 ? call->in[3] : NULL;
  FvMatmulView view = fv_matmul_view(call->in[0], call->in[1], call->out[0]);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(&view.y) == 0) return;
  do fv_store_i64(&view.y, fv_offset(&view.y, index), (int64_t)matmul_sum(&view, a_zero, b_zero, index));
  while (fv_index_next(index, view.y.dims, view.y.rank));
}

static int infer_qlinear_matmul(FvNode *node, FvInfer *infer) {
  const FvValue *a = fv_infer_need_8bit(node, 0, infer), *b = a ? fv_infer_need_8bit(node, 3, infer) : NULL;
  if (!b || !fv_infer_need_float(node, 1, infer) || !fv_infer_need_float(node, 4, infer)) return fv_infer_failed(infer);
  int64_t out[2 * FV_MAX_RANK];
  FvDtype dtype;
  int rank, rc = fv_infer_matmul(a, b, &rank, out, infer);
  if (!rc) rc = fv_infer_same_type(node, 2, a->dtype, infer);
  if (!rc) rc = fv_infer_same_type(node, 5, b->dtype, infer);
  for (int i = 1; i < 3 && !rc; i++) rc = check_matrix_param(node, i, a, true, infer);
  for (int i = 4; i < 6 && !rc; i++) rc = check_matrix_param(node, i, b, false, infer);
  if (!rc) rc = fv_infer_requantised(node, 6, &dtype, infer);
  if (!rc) rc = fv_infer_same_type(node, 8, FV_DTYPE_I32, infer);
  if (!rc) rc = fv_infer_vector(node, 8, b->dims[b->rank - 1], infer);
  return rc ? rc : fv_infer_output(node, 0, dtype, rank, out, infer);
}

static void reference_qlinear_matmul(const FvKernelCall *call) {
  const FvTensor *const *in = call->in;
  FvMatmulView view = fv_matmul_view(in[0], in[3], call->out[0]);
  const FvTensor *bias = call->node->input_count > 8 ? in[8] : NULL;
  FvRequantise to = fv_requantise_of(call->node, in[6], in[7]);
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(&view.y) == 0) return;
  do {
    float multiplier = (float)matrix_param(in[1], &view, index, true) * (float)matrix_param(in[4], &view, index, false) / to.scale;
    double sum = matmul_sum(&view, in[2], in[5], index);
    if (bias) sum += fv_load_f64(bias, index[view.y.rank - 1] * bias->strides[0]);
    fv_store_requantised(&to, &view.y, fv_offset(&view.y, index), (float)sum * multiplier);
  } while (fv_index_next(index, view.y.dims, view.y.rank));
}

/* y = table[x], the bits of x taken as 0 to 255. */
static int infer_table(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_8bit(node, 0, infer), *table = x ? fv_infer_need_8bit(node, 1, infer) : NULL;
  if (!table) return fv_infer_failed(infer);
  int rc = fv_infer_vector(node, 1, 256, infer);
  return rc ? rc : fv_infer_output(node, 0, table->dtype, x->rank, x->dims, infer);
}

static void reference_table(const FvKernelCall *call) {
  const FvTensor *x = call->in[0], *table = call->in[1], *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do ((uint8_t *)y->data)[fv_offset(y, index)] = ((const uint8_t *)table->data)[((const uint8_t *)x->data)[fv_offset(x, index)] * table->strides[0]];
  while (fv_index_next(index, y->dims, y->rank));
}

const FvOp fv_ops_quantised[] = {
  {.name = "QuantizeLinear", .kind = FV_OP_QUANTIZE, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_quantize, .reference = reference_quantize},
  {.name = "DequantizeLinear", .kind = FV_OP_DEQUANTIZE, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_dequantize, .reference = reference_dequantize},
  {.name = "DynamicQuantizeLinear", .kind = FV_OP_DYNAMIC_QUANTIZE, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 3,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_dynamic_quantize, .reference = reference_dynamic_quantize},
  {.name = "QLinearConv", .kind = FV_OP_QLINEAR_CONV, .min_inputs = 8, .max_inputs = 9, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_SPATIAL, .infer = infer_qlinear_conv, .reference = reference_qlinear_conv, .macs = macs_qlinear_conv},
  {.name = "ConvInteger", .kind = FV_OP_CONV_INTEGER, .min_inputs = 2, .max_inputs = 4, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL,
   .infer = infer_conv_integer, .reference = reference_conv_integer, .macs = macs_conv_integer},
  {.name = "MatMulInteger", .kind = FV_OP_MATMUL_INTEGER, .min_inputs = 2, .max_inputs = 4, .min_outputs = 1, .max_outputs = 1, .infer = infer_matmul_integer,
   .reference = reference_matmul_integer, .macs = fv_matmul_macs},
  {.name = "QLinearMatMul", .kind = FV_OP_QLINEAR_MATMUL, .min_inputs = 8, .max_inputs = 9, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_qlinear_matmul, .reference = reference_qlinear_matmul, .macs = fv_matmul_macs},
  {.name = "QLinearTable", .domain = "fovea", .kind = FV_OP_QLINEAR_TABLE, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_table, .reference = reference_table},
  {0},
};

/* Tensors made from little or nothing: Constant, ConstantOfShape, Range, Shape, Size, EyeLike, OneHot, Tile, Trilu. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "ops/families.h"
#include "ir/op.h"
#include "base/strided.h"
#include "ops/views.h"

/* Constant's value and ConstantOfShape's element, as a tensor. */
typedef struct TensorParams {
  FvTensor value;
} TensorParams;

/* The attribute as a tensor: scalars and lists in memory that the attribute owns. */
static int tensor_of_attr(const FvAttr *attr, FvTensor *value, FvInfer *infer) {
  *value = (FvTensor){.rank = 1, .dims = {attr->count}, .strides = {1}};
  switch (attr->kind) {
    case FV_ATTR_TENSOR: *value = *attr->tensor; return 0;
    case FV_ATTR_INTS: value->dtype = FV_DTYPE_I64; value->data = (void *)attr->ints; return 0;
    case FV_ATTR_FLOATS: value->dtype = FV_DTYPE_F32; value->data = (void *)attr->floats; return 0;
    case FV_ATTR_INT: *value = (FvTensor){.dtype = FV_DTYPE_I64, .data = (void *)&attr->i}; return 0;
    case FV_ATTR_FLOAT: *value = (FvTensor){.dtype = FV_DTYPE_F32, .data = (void *)&attr->f}; return 0;
    default: return fv_infer_unsupported(infer, "attribute '%s' holds text", attr->name);
  }
}

static int infer_constant(FvNode *node, FvInfer *infer) {
  static const char *const names[] = {"value", "value_int", "value_ints", "value_float", "value_floats", "value_string", "value_strings"};
  const FvAttr *attr = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !attr; i++) attr = fv_node_attr(node, names[i]);
  if (!attr && fv_node_attr(node, "sparse_value")) return fv_infer_unsupported(infer, "a sparse value");
  if (!attr) return fv_infer_error(infer, "no value is given");
  TensorParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int code = tensor_of_attr(attr, &params->value, infer);
  return code < 0 ? code : fv_infer_output(node, 0, params->value.dtype, params->value.rank, params->value.dims, infer);
}

static void constant_reference(const FvKernelCall *call) {
  fv_tensor_copy(call->out[0], &((const TensorParams *)call->node->params)->value, NULL);
}

static int infer_constant_of_shape(FvNode *node, FvInfer *infer) {
  static const float zero = 0;
  int64_t dims[FV_MAX_RANK];
  int rank, code = fv_infer_const_ints(node, 0, dims, FV_MAX_RANK, &rank, infer);
  if (code < 0) return code;
  TensorParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->value = (FvTensor){.dtype = FV_DTYPE_F32, .data = (void *)&zero};
  const FvAttr *attr = fv_node_attr(node, "value");
  if (attr && (code = tensor_of_attr(attr, &params->value, infer)) < 0) return code;
  if (fv_tensor_count(&params->value) != 1) return fv_infer_error(infer, "attribute 'value' must be one number");
  return fv_infer_output(node, 0, params->value.dtype, rank, dims, infer);
}

static void constant_of_shape_reference(const FvKernelCall *call) {
  const FvTensor *out = call->out[0];
  FvTensor fill = *out;
  memset(fill.strides, 0, sizeof fill.strides);
  fill.data = ((const TensorParams *)call->node->params)->value.data;
  fv_tensor_copy(out, &fill, NULL);
}

/* How many numbers lie in [start, limit), or (limit, start] when delta is negative. */
static int range_count(const FvTensor *start, const FvTensor *limit, const FvTensor *delta, int64_t *count, FvInfer *infer) {
  if (fv_dtype_is_float(start->dtype)) {
    double steps = ceil((fv_load_f64(limit, 0) - fv_load_f64(start, 0)) / fv_load_f64(delta, 0));
    if (!(steps <= (double)FV_MAX_ELEMENTS)) return fv_infer_error(infer, "start, limit and delta make too many numbers, or none that can be counted");
    *count = steps > 0 ? (int64_t)steps : 0;
    return 0;
  }
  int64_t step = fv_load_i64(delta, 0), span;
  if (step == 0) return fv_infer_error(infer, "delta is 0");
  if (__builtin_sub_overflow(fv_load_i64(limit, 0), fv_load_i64(start, 0), &span)) return fv_infer_error(infer, "start and limit are too far apart");
  bool some = step > 0 ? span > 0 : span < 0;
  *count = some ? (span + (step > 0 ? -1 : 1)) / step + 1 : 0;
  return 0;
}

static int infer_range(FvNode *node, FvInfer *infer) {
  FvDtype dtype = node->inputs[0]->dtype;
  if (dtype == FV_DTYPE_BOOL) return fv_infer_bad_type(node, 0, infer);
  for (int i = 0; i < 3; i++) {
    double number;
    int code = fv_infer_const_scalar(node, i, 0, &number, infer);
    if (code < 0) return code;
    if (node->inputs[i]->dtype != dtype) return fv_infer_error(infer, "start, limit and delta differ in type");
  }
  int64_t count;
  int code = range_count(node->inputs[0]->constant, node->inputs[1]->constant, node->inputs[2]->constant, &count, infer);
  return code < 0 ? code : fv_infer_output(node, 0, dtype, 1, &count, infer);
}

static void range_reference(const FvKernelCall *call) {
  const FvTensor *start = call->in[0], *delta = call->in[2], *out = call->out[0];
  bool is_float = fv_dtype_is_float(out->dtype);
  for (int64_t i = 0; i < out->dims[0]; i++) {
    if (is_float)
      fv_store_f64(out, i * out->strides[0], fv_load_f64(start, 0) + (double)i * fv_load_f64(delta, 0));
    else
      fv_store_i64(out, i * out->strides[0], (int64_t)((uint64_t)fv_load_i64(start, 0) + (uint64_t)i * (uint64_t)fv_load_i64(delta, 0)));
  }
}

static int64_t clamp_bound(int64_t bound, int rank) {
  if (bound < 0) bound = bound < -rank ? 0 : bound + rank;
  return bound > rank ? rank : bound;
}

typedef struct ShapeParams {
  int first;
} ShapeParams;

static int infer_shape(FvNode *node, FvInfer *infer) {
  int rank = node->inputs[0]->rank, code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  ShapeParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t first = clamp_bound(fv_node_int(node, "start", 0), rank), last = clamp_bound(fv_node_int(node, "end", rank), rank);
  int64_t count = last > first ? last - first : 0;
  params->first = (int)first;
  return fv_infer_output(node, 0, FV_DTYPE_I64, 1, &count, infer);
}

static void shape_reference(const FvKernelCall *call) {
  const FvTensor *out = call->out[0];
  int first = ((const ShapeParams *)call->node->params)->first;
  for (int64_t i = 0; i < out->dims[0]; i++) fv_store_i64(out, i * out->strides[0], call->in[0]->dims[first + i]);
}

static int infer_size(FvNode *node, FvInfer *infer) {
  int code = fv_infer_static_inputs(node, infer);
  return code < 0 ? code : fv_infer_output(node, 0, FV_DTYPE_I64, 0, NULL, infer);
}

static void size_reference(const FvKernelCall *call) { fv_store_i64(call->out[0], 0, fv_tensor_count(call->in[0])); }

typedef struct DiagonalParams {
  int64_t k;  /* diagonal: column - row */
  bool upper; /* Trilu: what is kept */
} DiagonalParams;

/* ONNX's numbers for types, as attributes hold them. */
static FvDtype dtype_of_code(int64_t code) {
  static const FvDtype dtypes[] = {[1] = FV_DTYPE_F32, [2] = FV_DTYPE_U8, [3] = FV_DTYPE_I8, [4] = FV_DTYPE_U16, [5] = FV_DTYPE_I16,
    [6] = FV_DTYPE_I32, [7] = FV_DTYPE_I64, [9] = FV_DTYPE_BOOL, [10] = FV_DTYPE_F16, [11] = FV_DTYPE_F64, [12] = FV_DTYPE_U32,
    [13] = FV_DTYPE_U64, [16] = FV_DTYPE_BF16};
  return code >= 0 && code < (int64_t)(sizeof dtypes / sizeof dtypes[0]) ? dtypes[code] : FV_DTYPE_NONE;
}

static int infer_eye_like(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  if (in->rank != 2) return fv_infer_error(infer, "the input must have 2 dimensions, not %d", in->rank);
  FvDtype dtype = fv_node_attr(node, "dtype") ? dtype_of_code(fv_node_int(node, "dtype", 0)) : in->dtype;
  if (dtype == FV_DTYPE_NONE) return fv_infer_unsupported(infer, "dtype %lld", (long long)fv_node_int(node, "dtype", 0));
  DiagonalParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->k = fv_node_int(node, "k", 0);
  return fv_infer_output(node, 0, dtype, 2, in->dims, infer);
}

static void eye_like_reference(const FvKernelCall *call) {
  const FvTensor *out = call->out[0];
  int64_t k = ((const DiagonalParams *)call->node->params)->k;
  for (int64_t row = 0; row < out->dims[0]; row++)
    for (int64_t column = 0; column < out->dims[1]; column++)
      fv_store_i64(out, row * out->strides[0] + column * out->strides[1], column - row == k);
}

static int infer_trilu(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  double k;
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_const_scalar(node, 1, 0, &k, infer)) < 0) return code;
  if (in->rank < 2) return fv_infer_error(infer, "the input must have at least 2 dimensions, not %d", in->rank);
  DiagonalParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->k = k > FV_MAX_DIM ? FV_MAX_DIM : k < -FV_MAX_DIM ? -FV_MAX_DIM : (int64_t)k;
  params->upper = fv_node_int(node, "upper", 1) != 0;
  return fv_infer_output_like(node, 0, in, infer);
}

static void trilu_reference(const FvKernelCall *call) {
  const FvTensor *in = call->in[0], *out = call->out[0];
  const DiagonalParams *params = call->node->params;
  if (fv_tensor_count(out) == 0) return;
  size_t size = fv_dtype_size(out->dtype);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t diagonal = at[out->rank - 1] - at[out->rank - 2];
    bool keep = params->upper ? diagonal >= params->k : diagonal <= params->k;
    void *to = fv_element(out, fv_offset(out, at));
    if (keep)
      memcpy(to, fv_element(in, fv_offset(in, at)), size);
    else
      memset(to, 0, size);
  } while (fv_index_next(at, out->dims, out->rank));
}

typedef struct OneHotParams {
  int axis;
  int64_t depth;
} OneHotParams;

static int infer_one_hot(FvNode *node, FvInfer *infer) {
  const FvValue *indices = node->inputs[0], *values = node->inputs[2];
  double depth;
  int axis, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_const_scalar(node, 1, 0, &depth, infer)) < 0 ||
      (code = fv_infer_axis(fv_node_int(node, "axis", -1), indices->rank + 1, &axis, infer)) < 0)
    return code;
  if (!(depth >= 1 && depth <= (double)FV_MAX_DIM)) return fv_infer_error(infer, "depth must be at least 1, not %g", depth);
  if (values->rank != 1 || values->dims[0] != 2) return fv_infer_error(infer, "'%s' must hold two numbers, for off and on", values->name);
  OneHotParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  *params = (OneHotParams){axis, (int64_t)depth};
  int64_t dims[FV_MAX_RANK + 1];
  for (int d = 0; d < indices->rank + 1; d++) dims[d] = d < axis ? indices->dims[d] : d == axis ? params->depth : indices->dims[d - 1];
  return fv_infer_output(node, 0, values->dtype, indices->rank + 1, dims, infer);
}

static void one_hot_reference(const FvKernelCall *call) {
  const FvTensor *indices = call->in[0], *values = call->in[2], *out = call->out[0];
  const OneHotParams *params = call->node->params;
  if (fv_tensor_count(out) == 0) return;
  size_t size = fv_dtype_size(out->dtype);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t source = 0;
    for (int d = 0; d < indices->rank; d++) source += at[d < params->axis ? d : d + 1] * indices->strides[d];
    int64_t hot = fv_load_i64(indices, source); /* one outside [-depth, depth) lights nothing */
    bool on = at[params->axis] == (hot < 0 ? hot + params->depth : hot);
    memcpy(fv_element(out, fv_offset(out, at)), fv_element(values, on ? values->strides[0] : 0), size);
  } while (fv_index_next(at, out->dims, out->rank));
}

static int infer_tile(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int64_t repeats[FV_MAX_RANK], dims[FV_MAX_RANK];
  int count, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_const_ints(node, 1, repeats, FV_MAX_RANK, &count, infer)) < 0) return code;
  if (count != in->rank) return fv_infer_error(infer, "%d repeats are given for %d dimensions", count, in->rank);
  for (int d = 0; d < in->rank; d++)
    if (repeats[d] < 0 || !fv_mul_ok(in->dims[d], repeats[d], &dims[d])) return fv_infer_error(infer, "dimension %d cannot be repeated %lld times", d, (long long)repeats[d]);
  return fv_infer_output(node, 0, in->dtype, in->rank, dims, infer);
}

/* One copy of the whole input for each tile. */
static void tile_reference(const FvKernelCall *call) {
  const FvTensor *in = call->in[0], *out = call->out[0];
  if (fv_tensor_count(out) == 0) return;
  int64_t tiles[FV_MAX_RANK], at[FV_MAX_RANK] = {0};
  for (int d = 0; d < in->rank; d++) tiles[d] = out->dims[d] / in->dims[d];
  FvTensor to = *out;
  memcpy(to.dims, in->dims, sizeof to.dims);
  do {
    int64_t target = 0;
    for (int d = 0; d < in->rank; d++) target += at[d] * in->dims[d] * out->strides[d];
    to.data = fv_element(out, target);
    fv_tensor_copy(&to, in, NULL);
  } while (fv_index_next(at, tiles, in->rank));
}

const FvOp fv_ops_generate[] = {
  {.name = "Constant", .min_outputs = 1, .max_outputs = 1, .infer = infer_constant, .reference = constant_reference},
  {.name = "ConstantOfShape", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 0,
   .infer = infer_constant_of_shape, .reference = constant_of_shape_reference},
  {.name = "Range", .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 7, .infer = infer_range, .reference = range_reference},
  {.name = "Shape", .kind = FV_OP_SHAPE, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SHAPE_ONLY,
   .infer = infer_shape, .reference = shape_reference},
  {.name = "Size", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SHAPE_ONLY,
   .infer = infer_size, .reference = size_reference},
  {.name = "EyeLike", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SHAPE_ONLY,
   .infer = infer_eye_like, .reference = eye_like_reference},
  {.name = "Trilu", .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_trilu, .reference = trilu_reference},
  {.name = "OneHot", .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_one_hot, .reference = one_hot_reference},
  {.name = "Tile", .kind = FV_OP_TILE, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_tile, .reference = tile_reference},
  {0}};

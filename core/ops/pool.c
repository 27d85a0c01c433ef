/* Pooling over windows and over whole planes. */
#include <math.h>

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/quantised.h"
#include "ops/window.h"

typedef struct LpPoolParams {
  FvPoolParams pool;
  double p;
} LpPoolParams;

static int infer_windows(FvNode *node, const FvValue *x, FvPoolParams *params, int64_t *out, FvInfer *infer) {
  if (x->rank < 3 || x->rank > 2 + FV_MAX_SPATIAL)
    return fv_infer_unsupported(infer, "input '%s' has %d dimensions; 3 to %d can be pooled", x->name, x->rank, 2 + FV_MAX_SPATIAL);
  FvAutoPad auto_pad;
  params->ceil_mode = fv_node_int(node, "ceil_mode", 0) != 0;
  params->count_include_pad = fv_node_int(node, "count_include_pad", 0) != 0;
  int rc = fv_infer_window(node, x->rank - 2, NULL, &params->window, &auto_pad, infer);
  if (!rc) rc = fv_infer_window_output(&params->window, auto_pad, x->dims + 2, params->ceil_mode, out + 2, infer);
  out[0] = x->dims[0];
  out[1] = x->dims[1];
  return rc;
}

static int infer_max_pool(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need(node, 0, infer);
  if (!x) return FV_ERR_FORMAT;
  if (!fv_dtype_is_float(x->dtype) && x->dtype != FV_DTYPE_I8 && x->dtype != FV_DTYPE_U8) return fv_infer_bad_type(node, 0, infer);
  FvPoolParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t out[FV_MAX_RANK], order = fv_node_int(node, "storage_order", 0);
  if (order != 0 && order != 1) return fv_infer_error(infer, "storage_order %lld is neither 0 nor 1", (long long)order);
  params->storage_order = (int)order;
  int rc = infer_windows(node, x, params, out, infer);
  if (!rc) rc = fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
  return rc ? rc : fv_infer_output(node, 1, FV_DTYPE_I64, x->rank, out, infer);
}

static int infer_average_pool(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  FvPoolParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t out[FV_MAX_RANK];
  int rc = infer_windows(node, x, params, out, infer);
  return rc ? rc : fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

/* p is an integer, a float in the first version. */
static int read_p(const FvNode *node, double *p, FvInfer *infer) {
  const FvAttr *attr = fv_node_attr(node, "p");
  *p = !attr ? 2 : attr->kind == FV_ATTR_FLOAT ? (double)attr->f : (double)fv_node_int(node, "p", 2);
  return *p >= 1 && *p <= 1e6 ? 0 : fv_infer_error(infer, "p %g is outside 1 to 1000000", *p);
}

static int infer_lp_pool(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  LpPoolParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t out[FV_MAX_RANK];
  int rc = read_p(node, &params->p, infer);
  if (!rc) rc = infer_windows(node, x, &params->pool, out, infer);
  return rc ? rc : fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

/* Where `tap` of the window at `position` lies in the input as Indices counts: row-major or column-major within the plane. */
static int64_t plane_index(const FvPoolParams *params, const FvTensor *x, const int64_t *position, const int64_t *tap) {
  const FvWindow *w = &params->window;
  int64_t flat = 0;
  for (int k = 0; k < w->spatial_rank; k++) {
    int d = params->storage_order ? w->spatial_rank - 1 - k : k;
    flat = flat * x->dims[d + 2] + position[d] * w->stride[d] - w->pad_begin[d] + tap[d] * w->dilation[d];
  }
  return flat;
}

/* The largest element under one window, and its plane index; -infinity (the lowest of the type once stored) and 0 for a
 * window that sees only padding. */
static double window_max(const FvPoolParams *params, const FvTensor *x, const int64_t *index, int64_t *where) {
  int64_t base = index[0] * x->strides[0] + index[1] * x->strides[1], tap[FV_MAX_SPATIAL] = {0}, offset;
  double best = -INFINITY;
  *where = 0;
  do {
    if (!fv_window_source(&params->window, x, index + 2, tap, &offset)) continue;
    double value = fv_load_f64(x, base + offset);
    if (!(value > best)) continue;
    best = value;
    *where = plane_index(params, x, index + 2, tap);
  } while (fv_index_next(tap, params->window.kernel, params->window.spatial_rank));
  return best;
}

static void reference_max_pool(const FvKernelCall *call) {
  const FvPoolParams *params = call->node->params;
  const FvTensor *x = call->in[0], *y = call->out[0], *indices = call->node->output_count > 1 ? call->out[1] : NULL;
  const FvTensor *shape = y ? y : indices;
  if (!shape || fv_tensor_count(shape) == 0) return;
  int64_t index[FV_MAX_RANK] = {0}, where, plane = 1;
  for (int d = 2; d < x->rank; d++) plane *= x->dims[d];
  do {
    double best = window_max(params, x, index, &where);
    if (y) fv_store_f64(y, fv_offset(y, index), best);
    if (indices) fv_store_i64(indices, fv_offset(indices, index), (index[0] * x->dims[1] + index[1]) * plane + where);
  } while (fv_index_next(index, shape->dims, shape->rank));
}

/* Taps that lie inside input plus padding: what count_include_pad divides by. A window that ceil_mode hung over the end counts less. */
static int64_t padded_taps(const FvWindow *w, const FvTensor *x, const int64_t *position) {
  int64_t taps = 1;
  for (int d = 0; d < w->spatial_rank; d++) {
    int64_t room = x->dims[d + 2] + w->pad_begin[d] + w->pad_end[d] - position[d] * w->stride[d];
    int64_t fit = (room + w->dilation[d] - 1) / w->dilation[d];
    taps *= fit < w->kernel[d] ? fit : w->kernel[d];
  }
  return taps;
}

/* The sum of x - zero under one window, and what an average divides it by. */
static double window_sum(const FvPoolParams *params, const FvTensor *x, double zero, const int64_t *index, int64_t *count) {
  int64_t base = index[0] * x->strides[0] + index[1] * x->strides[1], tap[FV_MAX_SPATIAL] = {0}, offset;
  double sum = 0;
  *count = 0;
  do {
    if (!fv_window_source(&params->window, x, index + 2, tap, &offset)) continue;
    sum += fv_load_f64(x, base + offset) - zero;
    ++*count;
  } while (fv_index_next(tap, params->window.kernel, params->window.spatial_rank));
  if (params->count_include_pad) *count = padded_taps(&params->window, x, index + 2);
  return sum;
}

static double window_average(const FvPoolParams *params, const FvTensor *x, const int64_t *index) {
  int64_t count;
  double sum = window_sum(params, x, 0, index, &count);
  return count ? sum / (double)count : 0;
}

/* inputs: x, x_scale, x_zero, y_scale, y_zero, as in ONNX Runtime's domain */
static int infer_qlinear_average_pool(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_quantised(node, 0, infer);
  FvPoolParams *params = x ? fv_infer_params(node, infer, sizeof *params) : NULL;
  if (!params) return fv_infer_failed(infer);
  if (fv_node_int(node, "channels_last", 0)) return fv_infer_unsupported(infer, "channels_last is not supported");
  int64_t out[FV_MAX_RANK];
  int rc = infer_windows(node, x, params, out, infer);
  if (!rc) rc = fv_infer_scale(node, 3, 0, infer);
  if (!rc) rc = fv_infer_zero_point(node, 4, x->dtype, 0, infer);
  return rc ? rc : fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

static void reference_qlinear_average_pool(const FvKernelCall *call) {
  const FvTensor *const *in = call->in, *y = call->out[0];
  FvRequantise to = fv_requantise_of(call->node, in[3], call->node->input_count > 4 ? in[4] : NULL);
  float x_scale = (float)fv_quant_param(in[1], 0);
  int64_t index[FV_MAX_RANK] = {0}, count;
  if (fv_tensor_count(y) == 0) return;
  do {
    double sum = window_sum(call->node->params, in[0], fv_quant_param(in[2], 0), index, &count);
    fv_store_requantised(&to, y, fv_offset(y, index), count ? (float)sum * (x_scale / (to.scale * (float)count)) : 0);
  } while (fv_index_next(index, y->dims, y->rank));
}

static void reference_average_pool(const FvKernelCall *call) {
  const FvTensor *y = call->out[0];
  if (fv_tensor_count(y) == 0) return;
  int64_t index[FV_MAX_RANK] = {0};
  do fv_store_f64(y, fv_offset(y, index), window_average(call->node->params, call->in[0], index));
  while (fv_index_next(index, y->dims, y->rank));
}

static double window_norm(const LpPoolParams *params, const FvTensor *x, const int64_t *index) {
  const FvWindow *window = &params->pool.window;
  int64_t base = index[0] * x->strides[0] + index[1] * x->strides[1], tap[FV_MAX_SPATIAL] = {0}, offset;
  double sum = 0;
  do
    if (fv_window_source(window, x, index + 2, tap, &offset)) sum += pow(fabs(fv_load_f64(x, base + offset)), params->p);
  while (fv_index_next(tap, window->kernel, window->spatial_rank));
  return pow(sum, 1 / params->p);
}

static void reference_lp_pool(const FvKernelCall *call) {
  const FvTensor *y = call->out[0];
  if (fv_tensor_count(y) == 0) return;
  int64_t index[FV_MAX_RANK] = {0};
  do fv_store_f64(y, fv_offset(y, index), window_norm(call->node->params, call->in[0], index));
  while (fv_index_next(index, y->dims, y->rank));
}

static int infer_global(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  if (x->rank < 2) return fv_infer_error(infer, "input '%s' has %d dimensions; at least 2 are wanted", x->name, x->rank);
  int64_t out[FV_MAX_RANK] = {x->dims[0], x->dims[1]};
  for (int d = 2; d < x->rank; d++) {
    if (x->dims[d] == 0) return fv_infer_error(infer, "input '%s' has empty planes", x->name);
    out[d] = 1;
  }
  return fv_infer_output(node, 0, x->dtype, x->rank, out, infer);
}

static int infer_global_lp(FvNode *node, FvInfer *infer) {
  double *p = fv_infer_params(node, infer, sizeof *p);
  if (!p) return FV_ERR_NO_MEMORY;
  int rc = read_p(node, p, infer);
  return rc ? rc : infer_global(node, infer);
}

/* How a plane is reduced: acc = fold(acc, x, p) over all its elements, then end(acc, count, p). */
typedef struct Fold {
  double start;
  double (*fold)(double acc, double x, double p);
  double (*end)(double acc, int64_t count, double p);
} Fold;

static double fold_sum(double acc, double x, double p) { return acc + x; }
static double fold_max(double acc, double x, double p) { return x > acc ? x : acc; }
static double fold_power(double acc, double x, double p) { return acc + pow(fabs(x), p); }
static double end_mean(double acc, int64_t count, double p) { return acc / (double)count; }
static double end_same(double acc, int64_t count, double p) { return acc; }
static double end_root(double acc, int64_t count, double p) { return pow(acc, 1 / p); }

static void fold_planes(const FvKernelCall *call, Fold how, double p) {
  const FvTensor *x = call->in[0], *y = call->out[0];
  int planar = x->rank - 2;
  int64_t plane[2] = {0}, count = 1;
  if (fv_tensor_count(y) == 0) return;
  for (int d = 0; d < planar; d++) count *= x->dims[d + 2];
  do {
    int64_t index[FV_MAX_RANK] = {plane[0], plane[1]};
    double acc = how.start;
    do acc = how.fold(acc, fv_load_f64(x, fv_offset(x, index)), p);
    while (fv_index_next(index + 2, x->dims + 2, planar));
    fv_store_f64(y, plane[0] * y->strides[0] + plane[1] * y->strides[1], how.end(acc, count, p));
  } while (fv_index_next(plane, y->dims, 2));
}

static void reference_global_average(const FvKernelCall *call) { fold_planes(call, (Fold){0, fold_sum, end_mean}, 0); }
static void reference_global_max(const FvKernelCall *call) { fold_planes(call, (Fold){-INFINITY, fold_max, end_same}, 0); }
static void reference_global_lp(const FvKernelCall *call) {
  fold_planes(call, (Fold){0, fold_power, end_root}, *(const double *)call->node->params);
}

const FvOp fv_ops_pool[] = {
  {.name = "MaxPool", .kind = FV_OP_MAX_POOL, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 2,
   .flags = FV_OP_SPATIAL, .infer = infer_max_pool, .reference = reference_max_pool},
  {.name = "AveragePool", .kind = FV_OP_AVERAGE_POOL, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_SPATIAL, .infer = infer_average_pool, .reference = reference_average_pool},
  {.name = "QLinearAveragePool", .domain = "com.microsoft", .kind = FV_OP_QLINEAR_AVERAGE_POOL, .min_inputs = 5, .max_inputs = 5, .min_outputs = 1,
   .max_outputs = 1, .flags = FV_OP_SPATIAL, .infer = infer_qlinear_average_pool, .reference = reference_qlinear_average_pool},
  {.name = "LpPool", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL,
   .infer = infer_lp_pool, .reference = reference_lp_pool},
  {.name = "GlobalAveragePool", .kind = FV_OP_GLOBAL_AVERAGE_POOL, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1,
   .max_outputs = 1, .flags = FV_OP_SPATIAL, .infer = infer_global, .reference = reference_global_average},
  {.name = "GlobalMaxPool", .kind = FV_OP_GLOBAL_MAX_POOL, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_SPATIAL, .infer = infer_global, .reference = reference_global_max},
  {.name = "GlobalLpPool", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL,
   .infer = infer_global_lp, .reference = reference_global_lp},
  {0},
};

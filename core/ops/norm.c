/* Normalisation: with stored statistics (batch), with the input's own (instance, group, layer, mean-variance, Lp), and across channels (LRN). */
#include <math.h>

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/reference.h"
#include "base/strided.h"

static int read_epsilon(const FvNode *node, FvNormParams *params, FvInfer *infer) {
  params->epsilon = fv_node_float(node, "epsilon", 1e-5f);
  return params->epsilon >= 0 ? 0 : fv_infer_error(infer, "epsilon %g is negative", (double)params->epsilon);
}

static int check_batch_mode(const FvNode *node, FvInfer *infer) {
  if (node->opset >= 14 && fv_node_int(node, "training_mode", 0))
    return fv_infer_unsupported(infer, "training_mode is for training; export the model for inference");
  if (node->opset < 9 && !fv_node_int(node, "spatial", 1))
    return fv_infer_unsupported(infer, "spatial=0 (statistics per pixel) is not supported");
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i] && (node->outputs[i]->use_count > 0 || node->outputs[i]->is_output))
      return fv_infer_unsupported(infer, "output %d ('%s') exists in training only; export the model for inference", i,
                                  node->outputs[i]->name);
  return 0;
}

static int infer_batch_norm(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  FvNormParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int rc = check_batch_mode(node, infer);
  if (!rc) rc = read_epsilon(node, params, infer);
  if (rc) return rc;
  int64_t channels = x->rank > 1 ? x->dims[1] : 1; /* a vector has one channel */
  if (x->rank < 1) return fv_infer_error(infer, "input '%s' is a scalar", x->name);
  for (int i = 1; i < 5 && !rc; i++) {
    if (!fv_infer_need_float(node, i, infer)) return fv_infer_failed(infer);
    rc = fv_infer_vector(node, i, channels, infer);
    if (!rc && i < node->output_count) rc = fv_infer_output_like(node, i, node->inputs[i], infer);
  }
  return rc ? rc : fv_infer_output_like(node, 0, x, infer);
}

static void reference_batch_norm(const FvKernelCall *call) {
  const FvNode *node = call->node;
  const FvNormParams *params = node->params;
  const FvTensor *x = call->in[0], *scale = call->in[1], *bias = call->in[2], *mean = call->in[3], *var = call->in[4], *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    int64_t c = x->rank > 1 ? index[1] : 0;
    double norm = (fv_load_f64(x, fv_offset(x, index)) - fv_load_f64(mean, c * mean->strides[0])) /
                  sqrt(fv_load_f64(var, c * var->strides[0]) + (double)params->epsilon);
    double value = norm * fv_load_f64(scale, c * scale->strides[0]) + fv_load_f64(bias, c * bias->strides[0]);
    fv_store_f64(y, fv_offset(y, index), fv_activated(node, value));
  } while (fv_index_next(index, y->dims, y->rank));
}

/* Part of a tensor: count[d] elements from start[d] on, in every dimension. */
typedef struct Box {
  int64_t start[FV_MAX_RANK], count[FV_MAX_RANK];
} Box;
typedef struct Moments {
  double mean, variance;
} Moments;

static int64_t box_offset(const FvTensor *x, const Box *box, const int64_t *index) {
  int64_t offset = 0;
  for (int d = 0; d < x->rank; d++) offset += (box->start[d] + index[d]) * x->strides[d];
  return offset;
}

/* Two passes: the variance of large values does not cancel. */
static Moments box_moments(const FvTensor *x, const Box *box) {
  int64_t index[FV_MAX_RANK] = {0}, count = 1;
  double sum = 0, squares = 0;
  for (int d = 0; d < x->rank; d++) count *= box->count[d];
  do sum += fv_load_f64(x, box_offset(x, box, index));
  while (fv_index_next(index, box->count, x->rank));
  double mean = sum / (double)count;
  do {
    double off = fv_load_f64(x, box_offset(x, box, index)) - mean;
    squares += off * off;
  } while (fv_index_next(index, box->count, x->rank));
  return (Moments){mean, squares / (double)count};
}

static int infer_instance_norm(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x || !fv_infer_need_float(node, 1, infer) || !fv_infer_need_float(node, 2, infer)) return fv_infer_failed(infer);
  FvNormParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  if (x->rank < 3) return fv_infer_error(infer, "input '%s' has %d dimensions; at least 3 are wanted", x->name, x->rank);
  int rc = read_epsilon(node, params, infer);
  params->axis = 2;
  params->groups = x->dims[1];
  if (!rc) rc = fv_infer_vector(node, 1, x->dims[1], infer);
  if (!rc) rc = fv_infer_vector(node, 2, x->dims[1], infer);
  return rc ? rc : fv_infer_output_like(node, 0, x, infer);
}

static int infer_group_norm(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x || !fv_infer_need_float(node, 1, infer) || !fv_infer_need_float(node, 2, infer)) return fv_infer_failed(infer);
  FvNormParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  if (x->rank < 3) return fv_infer_error(infer, "input '%s' has %d dimensions; at least 3 are wanted", x->name, x->rank);
  params->axis = 2;
  params->groups = fv_node_int(node, "num_groups", 0);
  if (params->groups < 1 || x->dims[1] % params->groups)
    return fv_infer_error(infer, "%lld channels cannot be divided into num_groups %lld", (long long)x->dims[1], (long long)params->groups);
  int64_t length = node->opset >= 21 ? x->dims[1] : params->groups; /* scale and bias went from groups to channels */
  int rc = read_epsilon(node, params, infer);
  if (!rc) rc = fv_infer_vector(node, 1, length, infer);
  if (!rc) rc = fv_infer_vector(node, 2, length, infer);
  return rc ? rc : fv_infer_output_like(node, 0, x, infer);
}

/* InstanceNormalization is GroupNormalization with a group per channel. scale and bias have an entry per group or per channel. */
static void normalise_group(const FvKernelCall *call, int64_t n, int64_t group) {
  const FvNormParams *params = call->node->params;
  const FvTensor *x = call->in[0], *scale = call->in[1], *bias = call->in[2], *y = call->out[0];
  int64_t channels = x->dims[1] / params->groups, index[FV_MAX_RANK] = {0};
  Box box = {.start = {n, group * channels}, .count = {1, channels}};
  for (int d = 2; d < x->rank; d++) box.count[d] = x->dims[d];
  Moments m = box_moments(x, &box);
  double factor = 1 / sqrt(m.variance + (double)params->epsilon);
  do {
    int64_t c = scale->dims[0] == x->dims[1] ? group * channels + index[1] : group;
    double norm = (fv_load_f64(x, box_offset(x, &box, index)) - m.mean) * factor;
    fv_store_f64(y, box_offset(y, &box, index), norm * fv_load_f64(scale, c * scale->strides[0]) + fv_load_f64(bias, c * bias->strides[0]));
  } while (fv_index_next(index, box.count, x->rank));
}

static void reference_group_norm(const FvKernelCall *call) {
  const FvNormParams *params = call->node->params;
  const FvTensor *x = call->in[0];
  if (fv_tensor_count(x) == 0) return;
  for (int64_t n = 0; n < x->dims[0]; n++)
    for (int64_t group = 0; group < params->groups; group++) normalise_group(call, n, group);
}

/* scale or bias of LayerNormalization: broadcast, one way, to the input. */
static int check_broadcasts_to(const FvValue *value, const FvValue *x, FvInfer *infer) {
  bool fits = value->rank <= x->rank;
  for (int d = 0; fits && d < value->rank; d++)
    fits = value->dims[d] == 1 || value->dims[d] == x->dims[x->rank - value->rank + d];
  return fits ? 0 : fv_infer_error(infer, "'%s' cannot be broadcast to '%s'", value->name, x->name);
}

static int infer_layer_norm(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer), *scale = x ? fv_infer_need_float(node, 1, infer) : NULL;
  const FvValue *bias = fv_node_input(node, 2);
  if (!scale || (bias && !fv_infer_need_float(node, 2, infer))) return fv_infer_failed(infer);
  FvNormParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int rc = read_epsilon(node, params, infer);
  if (!rc) rc = fv_infer_axis(fv_node_int(node, "axis", -1), x->rank, &params->axis, infer);
  if (!rc) rc = check_broadcasts_to(scale, x, infer);
  if (!rc && bias) rc = check_broadcasts_to(bias, x, infer);
  if (rc) return rc;
  int64_t reduced[FV_MAX_RANK];
  for (int d = 0; d < x->rank; d++) reduced[d] = d < params->axis ? x->dims[d] : 1;
  rc = fv_infer_output(node, 1, FV_DTYPE_F32, x->rank, reduced, infer);
  if (!rc) rc = fv_infer_output(node, 2, FV_DTYPE_F32, x->rank, reduced, infer);
  return rc ? rc : fv_infer_output_like(node, 0, x, infer);
}

static void normalise_layer(const FvKernelCall *call, const Box *box, Moments m, double factor) {
  const FvTensor *x = call->in[0], *scale = call->in[1], *bias = call->node->input_count > 2 ? call->in[2] : NULL, *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0}, at[FV_MAX_RANK];
  do {
    for (int d = 0; d < x->rank; d++) at[d] = box->start[d] + index[d];
    double value = (fv_load_f64(x, fv_offset(x, at)) - m.mean) * factor * fv_load_f64(scale, fv_broadcast_offset(scale, at, x->rank));
    if (bias) value += fv_load_f64(bias, fv_broadcast_offset(bias, at, x->rank));
    fv_store_f64(y, fv_offset(y, at), value);
  } while (fv_index_next(index, box->count, x->rank));
}

static void reference_layer_norm(const FvKernelCall *call) {
  const FvNormParams *params = call->node->params;
  const FvTensor *x = call->in[0];
  FvTensor *mean = call->node->output_count > 1 ? call->out[1] : NULL, *deviation = call->node->output_count > 2 ? call->out[2] : NULL;
  Box box = {{0}, {0}};
  if (fv_tensor_count(x) == 0) return;
  for (int d = 0; d < x->rank; d++) box.count[d] = d < params->axis ? 1 : x->dims[d];
  do {
    Moments m = box_moments(x, &box);
    double factor = 1 / sqrt(m.variance + (double)params->epsilon);
    if (call->out[0]) normalise_layer(call, &box, m, factor);
    if (mean) fv_store_f64(mean, fv_offset(mean, box.start), m.mean);
    if (deviation) fv_store_f64(deviation, fv_offset(deviation, box.start), factor);
  } while (fv_index_next(box.start, x->dims, params->axis));
}

static int infer_lrn(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  FvLrnParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  *params = (FvLrnParams){fv_node_int(node, "size", 0), (double)fv_node_float(node, "alpha", 1e-4f), (double)fv_node_float(node, "beta", 0.75f),
                        (double)fv_node_float(node, "bias", 1)};
  if (params->size < 1 || params->size > FV_MAX_DIM) return fv_infer_error(infer, "size %lld is not positive", (long long)params->size);
  if (x->rank < 2) return fv_infer_error(infer, "input '%s' has no channels", x->name);
  return fv_infer_output_like(node, 0, x, infer);
}

/* y = x / (bias + alpha / size * sum of squares over `size` neighbouring channels) ^ beta. */
static void reference_lrn(const FvKernelCall *call) {
  const FvLrnParams *params = call->node->params;
  const FvTensor *x = call->in[0], *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  do {
    int64_t at = fv_offset(x, index), channel = at - index[1] * x->strides[1];
    int64_t first = index[1] - (params->size - 1) / 2, last = index[1] + params->size / 2;
    double squares = 0;
    for (int64_t c = first < 0 ? 0 : first; c <= last && c < x->dims[1]; c++) {
      double value = fv_load_f64(x, channel + c * x->strides[1]);
      squares += value * value;
    }
    double norm = pow(params->bias + params->alpha / (double)params->size * squares, params->beta);
    fv_store_f64(y, fv_offset(y, index), fv_load_f64(x, at) / norm);
  } while (fv_index_next(index, y->dims, y->rank));
}

typedef struct LpNormParams {
  int axis, p;
} LpNormParams;

static int infer_lp_norm(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  LpNormParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t p = fv_node_int(node, "p", 2);
  if (p != 1 && p != 2) return fv_infer_error(infer, "p %lld is neither 1 nor 2", (long long)p);
  params->p = (int)p;
  int rc = fv_infer_axis(fv_node_int(node, "axis", -1), x->rank, &params->axis, infer);
  return rc ? rc : fv_infer_output_like(node, 0, x, infer);
}

/* A vector of zeros stays one. */
static void reference_lp_norm(const FvKernelCall *call) {
  const LpNormParams *params = call->node->params;
  const FvTensor *x = call->in[0], *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0}, lines[FV_MAX_RANK], length = x->dims[params->axis];
  int64_t x_step = x->strides[params->axis], y_step = y->strides[params->axis];
  if (fv_tensor_count(y) == 0) return;
  for (int d = 0; d < x->rank; d++) lines[d] = d == params->axis ? 1 : x->dims[d];
  do {
    int64_t from = fv_offset(x, index), to = fv_offset(y, index);
    double norm = 0;
    for (int64_t i = 0; i < length; i++) {
      double value = fabs(fv_load_f64(x, from + i * x_step));
      norm += params->p == 1 ? value : value * value;
    }
    if (params->p == 2) norm = sqrt(norm);
    for (int64_t i = 0; i < length; i++)
      fv_store_f64(y, to + i * y_step, norm > 0 ? fv_load_f64(x, from + i * x_step) / norm : 0);
  } while (fv_index_next(index, lines, x->rank));
}

typedef struct MeanVarianceParams {
  bool axes[FV_MAX_RANK]; /* true: statistics run over it */
} MeanVarianceParams;

static int infer_mean_variance(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need_float(node, 0, infer);
  if (!x) return fv_infer_failed(infer);
  MeanVarianceParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  int64_t axes[FV_MAX_RANK] = {0, 2, 3};
  int found = fv_node_ints(node, "axes", axes, FV_MAX_RANK), axis;
  if (found > FV_MAX_RANK) return fv_infer_error(infer, "axes has %d numbers", found);
  for (int i = 0; i < (found < 0 ? 3 : found); i++) {
    int rc = fv_infer_axis(axes[i], x->rank, &axis, infer);
    if (rc) return rc;
    params->axes[axis] = true;
  }
  return fv_infer_output_like(node, 0, x, infer);
}

static void reference_mean_variance(const FvKernelCall *call) {
  const MeanVarianceParams *params = call->node->params;
  const FvTensor *x = call->in[0], *y = call->out[0];
  int64_t groups[FV_MAX_RANK];
  Box box = {{0}, {0}};
  if (fv_tensor_count(x) == 0) return;
  for (int d = 0; d < x->rank; d++) {
    box.count[d] = params->axes[d] ? x->dims[d] : 1;
    groups[d] = params->axes[d] ? 1 : x->dims[d];
  }
  do {
    Moments m = box_moments(x, &box);
    int64_t index[FV_MAX_RANK] = {0};
    do fv_store_f64(y, box_offset(y, &box, index), (fv_load_f64(x, box_offset(x, &box, index)) - m.mean) / (sqrt(m.variance) + 1e-9));
    while (fv_index_next(index, box.count, x->rank));
  } while (fv_index_next(box.start, groups, x->rank));
}

const FvOp fv_ops_norm[] = {
  {.name = "BatchNormalization", .kind = FV_OP_BATCH_NORM, .min_inputs = 5, .max_inputs = 5, .min_outputs = 1, .max_outputs = 5,
   .flags = FV_OP_SPATIAL | FV_OP_FUSES_ACTIVATION, .infer = infer_batch_norm, .reference = reference_batch_norm},
  {.name = "InstanceNormalization", .kind = FV_OP_INSTANCE_NORM, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1,
   .max_outputs = 1, .flags = FV_OP_SPATIAL, .infer = infer_instance_norm, .reference = reference_group_norm},
  {.name = "GroupNormalization", .kind = FV_OP_GROUP_NORM, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL,
   .infer = infer_group_norm, .reference = reference_group_norm},
  {.name = "LayerNormalization", .kind = FV_OP_LAYER_NORM, .min_inputs = 2, .max_inputs = 3, .min_outputs = 1, .max_outputs = 3,
   .infer = infer_layer_norm, .reference = reference_layer_norm},
  {.name = "LRN", .kind = FV_OP_LRN, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_SPATIAL, .infer = infer_lrn,
   .reference = reference_lrn},
  {.name = "LpNormalization", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, .infer = infer_lp_norm,
   .reference = reference_lp_norm},
  {.name = "MeanVarianceNormalization", .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_mean_variance, .reference = reference_mean_variance},
  {0},
};

/* Convolutions and matrix products of bytes with bytes: exact sums in 32 bits, one float factor per output channel behind them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/passes/integers.h"
#include "ops/quantised.h"

enum { MAX_DEPTH = 16000, MAX_BIAS = 1 << 30 }; /* MAX_DEPTH products of bytes and a bias add up to less than 2^31 */

/* What follows a product up to where its numbers are bytes again. */
typedef struct Tail {
  FvActivation activation;
  FvSteps to;        /* x NULL: no QuantizeLinear follows, the output is f32 */
  FvValue *output;
  FvNode *absorbed[4];
  int count;
} Tail;

/* The activation that alone uses value, of those that integer operators fuse. */
static FvNode *activation_user(const FvIntegers *in, const FvValue *value, FvActivation *activation) {
  FvNode *user = fv_pass_single_user(in->graph, value);
  if (!user || user->op->kind != FV_OP_UNARY) return NULL;
  const FvUnaryParams *params = user->params;
  if (params->type != FV_UNARY_ACTIVATION || !fv_activates_steps(params->activation.type)) return NULL;
  *activation = params->activation;
  return user;
}

static void absorb(Tail *tail, FvNode *node) {
  tail->absorbed[tail->count++] = node;
  tail->output = node->outputs[0];
}

/* Bytes that only an activation sees, which makes bytes again: those in between, of a coarser step, are left out. */
static void follow_bytes(const FvIntegers *in, Tail *tail) {
  FvNode *dequantise = fv_pass_single_user(in->graph, tail->output);
  FvSteps between, to;
  FvActivation activation;
  if (tail->activation.type != FV_ACTIVATION_NONE || !dequantise || !fv_steps_of(dequantise->outputs[0], true, &between)) return;
  FvNode *user = activation_user(in, dequantise->outputs[0], &activation);
  FvNode *quantise = user ? fv_steps_user(in, user->outputs[0], &to) : NULL;
  if (!quantise) return;
  absorb(tail, dequantise);
  absorb(tail, user);
  absorb(tail, quantise);
  tail->activation = activation;
  tail->to = to;
}

static Tail follow(const FvIntegers *in, FvNode *node) {
  Tail tail = {.output = node->outputs[0]};
  FvNode *user = activation_user(in, tail.output, &tail.activation);
  if (user) absorb(&tail, user);
  FvSteps to;
  FvNode *quantise = fv_steps_user(in, tail.output, &to);
  if (quantise) {
    tail.to = to;
    absorb(&tail, quantise);
    if (tail.count < 2) follow_bytes(in, &tail);
  }
  return tail;
}

static const char *activation_name(FvActivationType type) {
  return type == FV_ACTIVATION_RELU ? "Relu" : type == FV_ACTIVATION_CLIP ? "Clip" : "LeakyRelu";
}

static void finish(FvIntegers *in, FvNode *node, const Tail *tail) {
  node->activation = tail->activation;
  node->fused_name = NULL;
  if (tail->activation.type != FV_ACTIVATION_NONE) fv_pass_note_fusion(in->graph, node, activation_name(tail->activation.type));
  for (int i = 0; i < tail->count; i++) fv_integers_kill(tail->absorbed[i]);
}

/* A bias: none, f32, or integers with their own scale. real receives it, one per channel; false when it is none of these. */
static bool read_bias(const FvValue *bias, int64_t channels, double *real) {
  const FvValue *steps = bias;
  const FvTensor *scale = NULL, *zero = NULL;
  if (bias->producer && bias->producer->op->kind == FV_OP_DEQUANTIZE) {
    const FvNode *node = bias->producer;
    const FvQuantizeParams *params = node->params;
    if (params->block || !node->inputs[1]->constant || (fv_node_input(node, 2) && !node->inputs[2]->constant)) return false;
    steps = node->inputs[0];
    scale = node->inputs[1]->constant;
    zero = fv_node_input(node, 2) ? node->inputs[2]->constant : NULL;
  }
  if (!steps->constant || fv_tensor_count(steps->constant) != channels || steps->dims[steps->rank ? steps->rank - 1 : 0] != channels) return false;
  for (int64_t i = 0; i < channels; i++) {
    real[i] = fv_load_f64(steps->constant, i) - fv_quant_param(zero, i);
    if (scale) real[i] *= fv_quant_param(scale, i);
  }
  return true;
}

/* The bias in steps of x_scale * w_scale. NULL with *fits false: it is of a kind that stays float. */
static FvValue *bias_in_steps(FvIntegers *in, const FvValue *bias, int64_t channels, float x_scale, const FvTensor *w_scale, bool *fits) {
  double *real = calloc((size_t)channels + 1, sizeof *real);
  int32_t *steps = calloc((size_t)channels + 1, sizeof *steps);
  FvValue *value = NULL;
  *fits = real && steps && read_bias(bias, channels, real);
  for (int64_t i = 0; *fits && i < channels; i++) {
    double exact = rint(real[i] / (double)(x_scale * (float)fv_quant_param(w_scale, i)));
    steps[i] = exact >= MAX_BIAS ? MAX_BIAS : exact <= -MAX_BIAS ? -MAX_BIAS : exact == exact ? (int32_t)exact : 0;
  }
  if (*fits) value = fv_integers_constant(in, FV_DTYPE_I32, 1, &channels, steps);
  free(real);
  free(steps);
  return value;
}

typedef struct Operands {
  FvSteps x, w;
  FvValue *bias; /* in the file's form */
  int64_t channels;
} Operands;

static int become_product(FvIntegers *in, FvNode *node, const char *op, const Operands *from) {
  FvValue *bias = NULL;
  bool fits = true;
  if (from->bias) bias = bias_in_steps(in, from->bias, from->channels, fv_steps_scale(&from->x), from->w.scale->constant, &fits);
  if (!fits) return 0;
  Tail tail = follow(in, node);
  FvValue *x_zero = fv_steps_zero_value(in, &from->x), *w_zero = from->w.zero, *y_scale = NULL, *y_zero = NULL;
  if (tail.to.x) {
    y_scale = tail.to.scale;
    y_zero = fv_steps_zero_value(in, &tail.to);
    if (!y_zero) return fv_integers_no_memory(in);
  }
  if (!x_zero || (from->bias && !bias)) return fv_integers_no_memory(in);
  int result = fv_integers_become(in, node, NULL, op, bias ? 9 : 8,
                                  (FvValue *[]){from->x.x, from->x.scale, x_zero, from->w.x, from->w.scale, w_zero, y_scale, y_zero, bias}, tail.output);
  if (result > 0) finish(in, node, &tail);
  return result;
}

int fv_integers_conv(FvIntegers *in, FvNode *node) {
  Operands o = {.bias = fv_node_input(node, 2)};
  if (node->input_count > 3 || node->activation.type != FV_ACTIVATION_NONE) return 0;
  if (!fv_computed_steps(node->inputs[0], &o.x) || !fv_steps_of(node->inputs[1], false, &o.w) || !o.w.x->constant || o.w.axis > 0) return 0;
  const FvValue *w = o.w.x;
  int64_t depth = 1;
  for (int d = 1; d < w->rank; d++) depth *= w->dims[d];
  if (w->rank > 4 || depth > MAX_DEPTH || depth < 1) return 0;
  o.channels = w->dims[0];
  return become_product(in, node, "QLinearConv", &o);
}

/* Weights [N, K] of a Gemm as [K, N]. */
static FvValue *transposed(FvIntegers *in, const FvValue *w) {
  int64_t rows = w->dims[0], columns = w->dims[1], dims[2] = {columns, rows};
  uint8_t *bytes = malloc((size_t)(rows * columns) + 1);
  const uint8_t *from = w->constant->data;
  for (int64_t r = 0; bytes && r < rows; r++)
    for (int64_t c = 0; c < columns; c++) bytes[c * rows + r] = from[r * columns + c];
  FvValue *value = bytes ? fv_integers_constant(in, w->dtype, 2, dims, bytes) : NULL;
  free(bytes);
  return value;
}

int fv_integers_matmul(FvIntegers *in, FvNode *node) {
  Operands o = {.bias = NULL};
  const FvGemmParams *gemm = node->op->kind == FV_OP_GEMM ? node->params : NULL;
  if (node->activation.type != FV_ACTIVATION_NONE || (gemm && (gemm->alpha != 1 || gemm->beta != 1 || gemm->trans_a))) return 0;
  if (!fv_computed_steps(node->inputs[0], &o.x) || !fv_steps_of(node->inputs[1], false, &o.w) || !o.w.x->constant) return 0;
  bool turned = gemm && gemm->trans_b;
  const FvValue *w = o.w.x;
  if (w->rank != 2 || o.x.x->rank < 2 || (o.w.axis >= 0 && o.w.axis != (turned ? 0 : 1))) return 0;
  o.channels = w->dims[turned ? 0 : 1];
  int64_t depth = w->dims[turned ? 1 : 0];
  if (depth < 1 || depth > MAX_DEPTH || o.channels < 1) return 0;
  o.bias = gemm ? fv_node_input(node, 2) : NULL;
  if (turned && !(o.w.x = transposed(in, w))) return fv_integers_no_memory(in);
  return become_product(in, node, "QLinearMatMul", &o);
}

/* A product that came as an integer operator, or whose QuantizeLinear stands in front of the activation. */
int fv_integers_absorb(FvIntegers *in, FvNode *node) {
  FvSteps to = {.x = node->outputs[0], .axis = -1};
  Tail tail = {.output = node->outputs[0], .activation = node->activation, .to = to};
  if (!fv_node_input(node, 6)) return 0;
  follow_bytes(in, &tail);
  if (!tail.count) return 0;
  FvValue *inputs[9] = {0};
  for (int i = 0; i < node->input_count && i < 9; i++) inputs[i] = node->inputs[i];
  inputs[6] = tail.to.scale;
  if (!(inputs[7] = fv_steps_zero_value(in, &tail.to))) return fv_integers_no_memory(in);
  int result = fv_integers_become(in, node, NULL, node->op->name, node->input_count, inputs, tail.output);
  if (result > 0) finish(in, node, &tail);
  return result;
}

/* ---- Sums and products of two computed tensors, averages ---- */

/* The function of bytes that both sides may be wins: no second tensor is read then. */
int fv_integers_binary(FvIntegers *in, FvNode *node) {
  const FvBinaryParams *params = node->params;
  bool multiply = params->type == FV_BINARY_MUL;
  if ((!multiply && params->type != FV_BINARY_ADD) || params->mean || node->input_count != 2) return 0;
  if (node->activation.type != FV_ACTIVATION_NONE) return 0;
  FvSteps a, b;
  if (!fv_steps_of(node->inputs[0], true, &a) || !fv_steps_of(node->inputs[1], true, &b) || (a.x->constant && b.x->constant)) return 0;
  Tail tail = follow(in, node);
  if (!tail.to.x || a.x->dtype != b.x->dtype || a.x->dtype != tail.to.x->dtype) return 0;
  int table = fv_integers_table(in, tail.absorbed[tail.count - 1]);
  if (table) return table;
  FvValue *a_zero = fv_steps_zero_value(in, &a), *b_zero = fv_steps_zero_value(in, &b), *y_zero = fv_steps_zero_value(in, &tail.to);
  if (!a_zero || !b_zero || !y_zero) return fv_integers_no_memory(in);
  int result = fv_integers_become(in, node, "com.microsoft", multiply ? "QLinearMul" : "QLinearAdd", 8,
                                  (FvValue *[]){a.x, a.scale, a_zero, b.x, b.scale, b_zero, tail.to.scale, y_zero}, tail.output);
  if (result > 0) finish(in, node, &tail);
  return result;
}

/* A mean over all spatial dimensions that keeps them. */
static bool is_global_mean(const FvNode *node) {
  const FvReduceParams *params = node->params;
  int rank = node->inputs[0]->rank;
  if (params->type != FV_REDUCE_MEAN || !params->keep_dims || rank < 3) return false;
  for (int d = 0; d < rank; d++)
    if (params->axes[d] != (d >= 2)) return false;
  return true;
}

int fv_integers_average(FvIntegers *in, FvNode *node) {
  FvSteps x, y;
  if (node->op->kind == FV_OP_REDUCE && !is_global_mean(node)) return 0;
  FvNode *quantise = fv_computed_steps(node->inputs[0], &x) && x.x->rank <= 4 ? fv_steps_user(in, node->outputs[0], &y) : NULL;
  if (!quantise || x.x->dtype != y.x->dtype) return 0;
  FvValue *x_zero = fv_steps_zero_value(in, &x), *y_zero = fv_steps_zero_value(in, &y);
  if (!x_zero || !y_zero) return fv_integers_no_memory(in);
  int result = fv_integers_become(in, node, "com.microsoft", node->op->kind == FV_OP_AVERAGE_POOL ? "QLinearAveragePool" : "QLinearGlobalAveragePool", 5,
                                  (FvValue *[]){x.x, x.scale, x_zero, y.scale, y_zero}, y.x);
  if (result > 0) fv_integers_kill(quantise);
  return result;
}

/* Functions of one byte: whatever element-wise arithmetic lies between bytes and bytes is worked out for all 256 of them by the reference kernels. */
#include <string.h>

#include "graph/passes/integers.h"
#include "ops/quantised.h"

enum { BYTES = 256, MAX_DEPTH = 8 /* operators in a row; x * clip(x + 3, 0, 6) / 6 has four */ };

/* The bytes that a region starts from. Leaves that are tables of other bytes count as those. */
typedef struct Region {
  FvValue *root;
  const FvValue *shape; /* what all values in between look like */
} Region;

static const FvNode *table_behind(const FvValue *x) {
  const FvNode *node = x->producer;
  return node && node->op->kind == FV_OP_QLINEAR_TABLE && node->inputs[1]->constant ? node : NULL;
}

static bool same_dims(const FvValue *a, const FvValue *b) { return a->rank == b->rank && memcmp(a->dims, b->dims, sizeof a->dims[0] * (size_t)a->rank) == 0; }

static bool is_one_number(const FvValue *value) {
  return value->constant && value->dtype == FV_DTYPE_F32 && fv_tensor_count(value->constant) == 1;
}

static bool is_pointwise(const FvNode *node) {
  return node && (node->op->kind == FV_OP_UNARY || node->op->kind == FV_OP_BINARY || node->op->kind == FV_OP_PRELU) && node->output_count == 1 &&
         node->input_count <= 3;
}

static bool take_leaf(Region *region, const FvSteps *steps) {
  const FvNode *table = table_behind(steps->x);
  FvValue *root = table ? table->inputs[0] : steps->x;
  if (region->root && region->root != root) return false;
  region->root = root;
  return same_dims(steps->x, region->shape);
}

/* Walks up from value to bytes and numbers. */
static bool explore(Region *region, const FvValue *value, int depth) {
  FvSteps steps;
  if (is_one_number(value)) return true;
  if (fv_computed_steps(value, &steps)) return take_leaf(region, &steps);
  const FvNode *node = value->producer;
  if (depth == 0 || value->dtype != FV_DTYPE_F32 || !is_pointwise(node) || !same_dims(value, region->shape)) return false;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && !explore(region, node->inputs[i], depth - 1)) return false;
  return true;
}

static void dequantise_all(const FvSteps *steps, float *out) {
  const FvNode *table = table_behind(steps->x);
  const uint8_t *entries = table ? table->inputs[1]->constant->data : NULL;
  double scale = (double)fv_steps_scale(steps);
  int32_t zero = fv_steps_zero(steps);
  for (int i = 0; i < BYTES; i++) {
    uint8_t bits = entries ? entries[i] : (uint8_t)i;
    int32_t byte = steps->x->dtype == FV_DTYPE_I8 ? (int8_t)bits : bits;
    out[i] = (float)((double)(byte - zero) * scale);
  }
}

/* What value is for each of the root's bytes. */
static void evaluate(const FvValue *value, float *out) {
  FvSteps steps;
  if (is_one_number(value)) {
    for (int i = 0; i < BYTES; i++) out[i] = *(const float *)value->constant->data;
    return;
  }
  if (fv_computed_steps(value, &steps)) {
    dequantise_all(&steps, out);
    return;
  }
  const FvNode *node = value->producer;
  float buffers[3][BYTES];
  FvTensor tensors[3], result = {.dtype = FV_DTYPE_F32, .rank = 1, .dims = {BYTES}, .strides = {1}, .data = out};
  const FvTensor *inputs[3] = {0};
  for (int i = 0; i < node->input_count && i < 3; i++) {
    if (!node->inputs[i]) continue;
    evaluate(node->inputs[i], buffers[i]);
    tensors[i] = (FvTensor){.dtype = FV_DTYPE_F32, .rank = 1, .dims = {BYTES}, .strides = {1}, .data = buffers[i]};
    inputs[i] = &tensors[i];
  }
  node->op->reference(&(FvKernelCall){.node = node, .in = inputs, .out = (FvTensor *const[]){&result}, .parts = 1});
}

/* fv_store_quantised of all of them. */
static void quantise_all(const float *real, const FvSteps *to, uint8_t *table) {
  double low = to->x->dtype == FV_DTYPE_I8 ? INT8_MIN : 0, high = to->x->dtype == FV_DTYPE_I8 ? INT8_MAX : UINT8_MAX, zero = fv_steps_zero(to);
  float scale = fv_steps_scale(to);
  for (int i = 0; i < BYTES; i++) {
    double steps = (double)rintf(real[i] / scale) + zero;
    steps = steps < low ? low : steps > high ? high : steps == steps ? steps : 0;
    table[i] = (uint8_t)(int)steps;
  }
}

static FvValue *table_value(FvIntegers *in, const float *real, const FvSteps *to) {
  static const int64_t dims[1] = {BYTES};
  uint8_t table[BYTES];
  quantise_all(real, to, table);
  return fv_integers_constant(in, to->x->dtype, 1, dims, table);
}

static bool is_identity(const FvValue *table) {
  for (int i = 0; i < BYTES; i++)
    if (((const uint8_t *)table->constant->data)[i] != i) return false;
  return true;
}

/* An output cannot become a value that callers know by another name. */
static bool can_stand_for(const FvValue *x, const FvValue *y) {
  return x->dtype == y->dtype && !(y->is_output && (!x->producer || x->is_output));
}

static int stand_for(FvIntegers *in, FvValue *x, FvNode *quantise) {
  fv_graph_replace_uses(in->graph, quantise->outputs[0], x);
  fv_integers_kill(quantise);
  return 1;
}

int fv_integers_table(FvIntegers *in, FvNode *quantise) {
  FvSteps to = {.scale = fv_node_input(quantise, 1), .zero = fv_node_input(quantise, 2), .x = quantise->outputs[0]};
  const FvQuantizeParams *params = quantise->params;
  Region region = {.shape = to.x};
  if (!fv_dtype_is_8bit(to.x->dtype) || params->axis >= 0 || !to.scale->constant || to.scale->dtype != FV_DTYPE_F32 || (to.zero && !to.zero->constant)) return 0;
  FvSteps from;
  if (fv_computed_steps(quantise->inputs[0], &from) && same_dims(from.x, to.x) && fv_steps_equal(&from, &to) && can_stand_for(from.x, to.x))
    return stand_for(in, from.x, quantise);
  if (!explore(&region, quantise->inputs[0], MAX_DEPTH) || !region.root) return 0;
  float real[BYTES];
  evaluate(quantise->inputs[0], real);
  FvValue *table = table_value(in, real, &to);
  if (!table) return fv_integers_no_memory(in);
  if (is_identity(table) && can_stand_for(region.root, to.x)) return stand_for(in, region.root, quantise);
  return fv_integers_become(in, quantise, "fovea", "QLinearTable", 2, (FvValue *[]){region.root, table}, to.x);
}

/* Where the operators keep the scale of their output; -1: not with these parameters. */
static int output_scale_index(const FvNode *node) {
  switch (node->op->kind) {
    case FV_OP_QLINEAR_CONV: case FV_OP_QLINEAR_MATMUL: return node->inputs[6] ? 6 : -1;
    case FV_OP_QLINEAR_ADD: case FV_OP_QLINEAR_MUL: return node->input_count > 7 ? 6 : -1;
    case FV_OP_QLINEAR_AVERAGE_POOL: case FV_OP_QLINEAR_GLOBAL_AVERAGE_POOL: return 3;
    default: return -1;
  }
}

/* Its maker writes other steps straight away, when nobody else sees the bytes. */
static int retarget(FvIntegers *in, const FvValue *dequantised, const FvSteps *from, const FvSteps *to) {
  FvNode *maker = from->x->producer;
  int at = maker && !maker->dead && from->x->use_count == 1 && !from->x->is_output && dequantised->use_count == 1 && !dequantised->is_output ? output_scale_index(maker) : -1;
  if (at < 0 || from->x->dtype != to->x->dtype) return 0;
  FvValue *zero = fv_steps_zero_value(in, to);
  if (!zero) return fv_integers_no_memory(in);
  FvValue *const now[2] = {to->scale, zero};
  for (int i = 0; i < 2; i++) {
    if (maker->inputs[at + i]) maker->inputs[at + i]->use_count--;
    maker->inputs[at + i] = now[i];
    fv_integers_uses(maker, now[i]);
  }
  return 1;
}

FvValue *fv_integers_in_steps(FvIntegers *in, const FvValue *dequantised, const FvSteps *from, const FvSteps *to) {
  if (fv_steps_equal(from, to)) return from->x;
  int done = retarget(in, dequantised, from, to);
  if (done) return done > 0 ? from->x : NULL;
  float real[BYTES];
  dequantise_all(from, real);
  const FvNode *behind = table_behind(from->x);
  FvValue *root = behind ? behind->inputs[0] : from->x;
  FvValue *table = table_value(in, real, to), *y = table ? fv_integers_value(in, from->x, to->x->dtype) : NULL;
  return y && fv_integers_node(in, "fovea", "QLinearTable", "", 2, (FvValue *[]){root, table}, y) ? y : NULL;
}

/* ---- ONNX Runtime's operators on bytes that have a float form ---- */

static FvValue *spell_dequantise(FvIntegers *in, const FvNode *node, int at) {
  FvValue *x = node->inputs[at], *value = fv_integers_value(in, x, FV_DTYPE_F32), *zero = node->inputs[at + 2];
  return value && fv_integers_node(in, NULL, "DequantizeLinear", node->name, zero ? 3 : 2, (FvValue *[]){x, node->inputs[at + 1], zero}, value) ? value : NULL;
}

/* The float operator goes between, with the node's attributes; the node itself becomes the QuantizeLinear. */
static int spell_middle(FvIntegers *in, FvNode *node, const char *op, int count, FvValue *const *inputs, int scale) {
  const FvOp *found = fv_op_find(NULL, op);
  FvValue *real = fv_integers_value(in, node->outputs[0], FV_DTYPE_F32), *zero = fv_node_input(node, scale + 1);
  FvNode *middle = found && real ? fv_graph_add_node(in->graph, found, node->name, (int)fv_node_int(node, "opset", 13), count, 1) : NULL;
  if (!middle) return fv_integers_no_memory(in);
  for (int i = 0; i < count; i++) {
    middle->inputs[i] = inputs[i];
    fv_integers_uses(middle, inputs[i]);
  }
  middle->attrs = node->attrs;
  middle->attr_count = node->attr_count;
  middle->outputs[0] = real;
  real->producer = middle;
  FvInfer infer = {in->graph, in->err};
  int result = found->infer(middle, &infer);
  if (result < 0) return result;
  return fv_integers_become(in, node, NULL, "QuantizeLinear", zero ? 3 : 2, (FvValue *[]){real, node->inputs[scale], zero}, node->outputs[0]);
}

static int spell_concat(FvIntegers *in, FvNode *node) {
  int parts = (node->input_count - 2) / 3;
  FvValue **inputs = fv_arena_array(&in->graph->arena, (size_t)parts + 1, sizeof *inputs);
  if (!inputs) return fv_integers_no_memory(in);
  for (int i = 0; i < parts; i++)
    if (!(inputs[i] = spell_dequantise(in, node, 2 + 3 * i))) return fv_integers_no_memory(in);
  return spell_middle(in, node, "Concat", parts, inputs, 0);
}

int fv_integers_spell(FvIntegers *in, FvNode *node) {
  static const struct {
    const char *quantised, *op;
  } unary[] = {{"QLinearLeakyRelu", "LeakyRelu"}, {"QLinearSigmoid", "Sigmoid"}, {"QLinearSoftmax", "Softmax"}};
  if (!node->op->domain || strcmp(node->op->domain, "com.microsoft") != 0) return 0;
  if (strcmp(node->op->name, "QLinearConcat") == 0) return spell_concat(in, node);
  for (size_t i = 0; i < sizeof unary / sizeof unary[0]; i++) {
    if (strcmp(node->op->name, unary[i].quantised) != 0 || node->input_count < 5) continue;
    FvValue *x = spell_dequantise(in, node, 0);
    return x ? spell_middle(in, node, unary[i].op, 1, &x, 3) : fv_integers_no_memory(in);
  }
  return 0;
}

/* QDQ graphs into integer operators. What has no integer form stays float, between the DequantizeLinear and QuantizeLinear that the file put there.
 *
 * One walk in topological order: when a node is looked at, everything in front of it is in its final form, so its inputs show what they are by their
 * producers. Nodes made on the way go to the end of the list and are put in order afterwards. */
#include "graph/passes/integers.h"

#include <string.h>

#include "ops/quantised.h"

/* ---- Steps ---- */

static bool constant_parameters(const FvNode *node, FvSteps *steps) {
  const FvQuantizeParams *params = node->params;
  FvValue *scale = fv_node_input(node, 1), *zero = fv_node_input(node, 2);
  if (!params || params->block != 0 || !scale || !scale->constant || scale->dtype != FV_DTYPE_F32 || (zero && !zero->constant)) return false;
  steps->scale = scale;
  steps->zero = zero;
  steps->axis = params->axis;
  return true;
}

bool fv_steps_of(const FvValue *value, bool per_tensor, FvSteps *steps) {
  const FvNode *node = value ? value->producer : NULL;
  if (!node || node->dead || node->op->kind != FV_OP_DEQUANTIZE || !constant_parameters(node, steps)) return false;
  steps->x = node->inputs[0];
  return fv_dtype_is_8bit(steps->x->dtype) && !steps->x->dynamic && (steps->axis < 0 || !per_tensor);
}

bool fv_computed_steps(const FvValue *value, FvSteps *steps) { return fv_steps_of(value, true, steps) && !steps->x->constant; }

FvNode *fv_steps_user(const FvIntegers *in, const FvValue *value, FvSteps *steps) {
  FvNode *user = fv_pass_single_user(in->graph, value);
  if (!user || user->op->kind != FV_OP_QUANTIZE || user->inputs[0] != value || !constant_parameters(user, steps) || steps->axis >= 0) return NULL;
  steps->x = user->outputs[0];
  return fv_dtype_is_8bit(steps->x->dtype) ? user : NULL;
}

float fv_steps_scale(const FvSteps *steps) { return (float)fv_quant_param(steps->scale->constant, 0); }
int32_t fv_steps_zero(const FvSteps *steps) { return steps->zero ? (int32_t)fv_load_i64(steps->zero->constant, 0) : 0; }

bool fv_steps_equal(const FvSteps *a, const FvSteps *b) {
  return a->x->dtype == b->x->dtype && fv_steps_scale(a) == fv_steps_scale(b) && fv_steps_zero(a) == fv_steps_zero(b);
}

FvValue *fv_steps_zero_value(FvIntegers *in, const FvSteps *steps) {
  static const int8_t nought = 0;
  return steps->zero ? steps->zero : fv_integers_constant(in, steps->x->dtype, 0, NULL, &nought);
}

/* ---- Building ---- */

int fv_integers_no_memory(FvIntegers *in) { return fv_error_set(in->err, FV_ERR_NO_MEMORY, "out of memory while turning the graph into integers"); }

FvValue *fv_integers_value(FvIntegers *in, const FvValue *like, FvDtype dtype) {
  const char *name = fv_arena_printf(&in->graph->arena, "%s:steps%d", like->name, in->names++);
  FvValue *value = name ? fv_graph_add_value(in->graph, name) : NULL;
  if (!value) return NULL;
  value->dtype = dtype;
  value->rank = like->rank;
  memcpy(value->dims, like->dims, sizeof value->dims);
  return value;
}

FvValue *fv_integers_constant(FvIntegers *in, FvDtype dtype, int rank, const int64_t *dims, const void *data) {
  FvTensor tensor = {.dtype = dtype, .rank = rank, .data = (void *)data};
  if (rank) memcpy(tensor.dims, dims, sizeof *dims * (size_t)rank);
  const char *name = fv_arena_printf(&in->graph->arena, "integers:%d", in->names++);
  return name ? fv_graph_add_constant(in->graph, name, &tensor, true) : NULL;
}

FvNode *fv_integers_node(FvIntegers *in, const char *domain, const char *op, const char *name, int count, FvValue *const *inputs, FvValue *output) {
  const FvOp *found = fv_op_find(domain, op);
  for (int i = 0; i < count; i++)
    if (!inputs[i]) return NULL;
  FvNode *node = found ? fv_graph_add_node(in->graph, found, name, 13, count, 1) : NULL;
  if (!node) return NULL;
  for (int i = 0; i < count; i++) {
    node->inputs[i] = inputs[i];
    fv_integers_uses(node, inputs[i]);
  }
  node->outputs[0] = output;
  output->producer = node;
  FvInfer infer = {in->graph, in->err};
  return found->infer(node, &infer) < 0 ? NULL : node;
}

void fv_integers_kill(FvNode *node) {
  if (node->dead) return;
  node->dead = true;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) node->inputs[i]->use_count--;
}

int fv_integers_become(FvIntegers *in, FvNode *node, const char *domain, const char *op, int count, FvValue *const *inputs, FvValue *output) {
  const FvOp *found = fv_op_find(domain, op);
  FvValue **own = fv_arena_array(&in->graph->arena, (size_t)count + 1, sizeof *own);
  if (!found || !own) return fv_integers_no_memory(in);
  for (int i = 0; i < count; i++)
    if ((own[i] = inputs[i])) fv_integers_uses(node, own[i]);
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i]) node->inputs[i]->use_count--;
  node->op = found;
  node->inputs = own;
  node->input_count = count;
  node->params = NULL;
  node->outputs[0] = output;
  output->producer = node;
  FvInfer infer = {in->graph, in->err};
  int result = found->infer(node, &infer);
  if (result < 0) fv_error_prefix(in->err, "node '%.128s' as %s", fv_node_label(node), op);
  return result < 0 ? result : 1;
}

/* ---- The walk ---- */

static int look_at(FvIntegers *in, FvNode *node) {
  switch (node->op->kind) {
    case FV_OP_CONV: return fv_integers_conv(in, node);
    case FV_OP_GEMM: case FV_OP_MATMUL: return fv_integers_matmul(in, node);
    case FV_OP_BINARY: return fv_integers_binary(in, node);
    case FV_OP_AVERAGE_POOL: case FV_OP_GLOBAL_AVERAGE_POOL: case FV_OP_REDUCE: return fv_integers_average(in, node);
    case FV_OP_QLINEAR_CONV: case FV_OP_QLINEAR_MATMUL: return fv_integers_absorb(in, node);
    case FV_OP_QUANTIZE: return fv_integers_table(in, node);
    case FV_OP_CONCAT: return fv_integers_concat(in, node);
    default: return fv_integers_movement(in, node);
  }
}

/* Nodes that the step itself adds are done already. */
static int each_node(FvIntegers *in, int (*step)(FvIntegers *, FvNode *)) {
  int count = in->graph->node_count;
  for (int i = 0; i < count; i++) {
    FvNode *node = in->graph->nodes[i];
    int done = node->dead || !node->outputs[0] || node->outputs[0]->dynamic ? 0 : step(in, node);
    if (done < 0) return done;
    in->changed += done;
  }
  return 0;
}

static int put_in_order(FvIntegers *in) {
  fv_pass_sweep(in->graph);
  return fv_graph_sort(in->graph, in->err);
}

int fv_pass_integers(FvGraph *graph, FvError *err) {
  FvIntegers in = {.graph = graph, .err = err};
  int result = each_node(&in, fv_integers_spell);
  if (result == 0 && in.changed) result = put_in_order(&in);
  if (result == 0) result = each_node(&in, look_at);
  if (result == 0 && in.changed) result = put_in_order(&in);
  return result < 0 ? result : in.changed;
}

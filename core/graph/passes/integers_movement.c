/* What only moves numbers, or picks some of them, moves bytes: DequantizeLinear goes from its input to its outputs, until it meets the QuantizeLinear
 * that cancels it. */
#include <math.h>

#include "graph/passes/integers.h"
#include "ops/quantised.h"

/* Weights of two taps per axis, on two axes at most: what the reference interpolates in whole numbers. */
static bool resizes_bytes(const FvNode *node) {
  const FvResizeParams *params = node->params;
  int axes = 0;
  if (params->crop || params->mode == FV_RESIZE_CUBIC) return false;
  if (params->mode == FV_RESIZE_NEAREST) return true;
  for (int d = 0; d < node->inputs[0]->rank; d++) {
    if (params->axis[d].taps != 0 && params->axis[d].taps != 2) return false;
    axes += params->axis[d].taps == 2;
  }
  return axes <= 2;
}

/* The border in steps; false where no byte says exactly that. */
static bool pad_byte(const FvNode *node, const FvSteps *steps, int64_t *byte) {
  const FvPadParams *params = node->params;
  const FvValue *fill = fv_node_input(node, 2);
  if (params->mode != FV_PAD_CONSTANT) return true;
  double steps_away = params->value / (double)fv_steps_scale(steps);
  bool is_signed = steps->x->dtype == FV_DTYPE_I8;
  if ((fill && !fill->constant) || fabs(steps_away) > 255 || steps_away != rint(steps_away)) return false;
  *byte = (int64_t)steps_away + fv_steps_zero(steps);
  return *byte >= (is_signed ? -128 : 0) && *byte <= (is_signed ? 127 : 255);
}

static bool only_first_output(const FvNode *node) {
  for (int i = 1; i < node->output_count; i++)
    if (node->outputs[i] && (node->outputs[i]->use_count || node->outputs[i]->is_output)) return false;
  return true;
}

static bool moves_bytes(const FvNode *node) {
  switch (node->op->kind) {
    case FV_OP_RESHAPE: case FV_OP_TRANSPOSE: case FV_OP_SLICE: case FV_OP_IDENTITY: case FV_OP_GATHER: case FV_OP_PAD: case FV_OP_CHANNEL_SHUFFLE:
    case FV_OP_DEPTH_TO_SPACE: case FV_OP_SPACE_TO_DEPTH: return only_first_output(node);
    case FV_OP_SPLIT: return true;
    case FV_OP_MAX_POOL: return only_first_output(node);
    case FV_OP_RESIZE: return resizes_bytes(node);
    default: return false;
  }
}

/* Output `index` becomes bytes, and what used it reads them through a DequantizeLinear. */
static int dequantise_behind(FvIntegers *in, FvNode *node, int index, const FvSteps *steps) {
  FvValue *real = node->outputs[index];
  if (!real) return 0;
  FvValue *bytes = fv_integers_value(in, real, steps->x->dtype);
  if (!bytes) return fv_integers_no_memory(in);
  node->outputs[index] = bytes;
  bytes->producer = node;
  bool ok = fv_integers_node(in, NULL, "DequantizeLinear", node->name, steps->zero ? 3 : 2, (FvValue *[]){bytes, steps->scale, steps->zero}, real);
  return ok ? 0 : fv_integers_no_memory(in);
}

static int become_bytes(FvIntegers *in, FvNode *node, const FvSteps *steps) {
  FvInfer infer = {in->graph, in->err};
  int result = 0, outputs = node->op->kind == FV_OP_SPLIT ? node->output_count : 1; /* others are not numbers of the input: indices, masks */
  for (int i = 0; i < outputs && result == 0; i++) result = dequantise_behind(in, node, i, steps);
  if (result == 0) result = node->op->infer(node, &infer);
  return result < 0 ? result : 1;
}

static void set_input(FvNode *node, int index, FvValue *value) {
  if (node->inputs[index]) node->inputs[index]->use_count--;
  node->inputs[index] = value;
  fv_integers_uses(node, value);
}

static int fill_with(FvIntegers *in, FvNode *node, const FvSteps *steps, int64_t byte) {
  if (!fv_node_input(node, 2)) {
    FvValue **inputs = fv_arena_array(&in->graph->arena, 4, sizeof *inputs);
    if (!inputs) return fv_integers_no_memory(in);
    for (int i = 0; i < node->input_count; i++) inputs[i] = node->inputs[i];
    node->inputs = inputs;
    if (node->input_count < 3) node->input_count = 3;
  }
  uint8_t bits = (uint8_t)byte;
  FvValue *fill = fv_integers_constant(in, steps->x->dtype, 0, NULL, &bits);
  if (!fill) return fv_integers_no_memory(in);
  set_input(node, 2, fill);
  return 0;
}

int fv_integers_movement(FvIntegers *in, FvNode *node) {
  FvSteps steps;
  int64_t byte = 0;
  if (!moves_bytes(node) || node->input_count < 1 || !fv_computed_steps(node->inputs[0], &steps)) return 0;
  if (node->op->kind == FV_OP_PAD) {
    if (!pad_byte(node, &steps, &byte)) return 0;
    if (((const FvPadParams *)node->params)->mode == FV_PAD_CONSTANT && fill_with(in, node, &steps, byte) < 0) return FV_ERR_NO_MEMORY;
  }
  set_input(node, 0, steps.x);
  return become_bytes(in, node, &steps);
}

/* Inputs of equal steps are joined as they are. Others are brought to the steps that the result is quantised to. */
int fv_integers_concat(FvIntegers *in, FvNode *node) {
  FvSteps first, each, to;
  bool equal = true;
  for (int i = 0; i < node->input_count; i++) {
    if (!fv_steps_of(node->inputs[i], true, &each)) return 0;
    if (i == 0) first = each;
    equal = equal && fv_steps_equal(&first, &each);
  }
  FvNode *quantise = fv_steps_user(in, node->outputs[0], &to);
  if (quantise && equal && fv_steps_equal(&first, &to)) quantise = NULL;
  if (!quantise && !equal) return 0;
  for (int i = 0; i < node->input_count; i++) {
    fv_steps_of(node->inputs[i], true, &each);
    FvValue *bytes = quantise ? fv_integers_in_steps(in, node->inputs[i], &each, &to) : each.x;
    if (!bytes) return fv_integers_no_memory(in);
    set_input(node, i, bytes);
  }
  if (!quantise) return become_bytes(in, node, &first);
  node->outputs[0] = to.x;
  to.x->producer = node;
  fv_integers_kill(quantise);
  return 1;
}

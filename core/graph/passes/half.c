/* fp16 in memory: what is computed as f32 becomes f16 wherever devices have kernels for it, with casts where it meets what stays f32: the graph's
 * inputs and outputs, and operators of indices, counts and conditions. Weights stay f32 here; kernels pack them. */
#include <stdlib.h>
#include <string.h>

#include "graph/passes/passes.h"

/* The two forms of a value; NULL until somebody needs it. */
typedef struct Forms {
  FvValue *full, *half;
} Forms;

typedef struct Halver {
  FvGraph *graph;
  Forms *forms; /* by slot, for the values there were before */
  int count;    /* of values turned */
} Halver;

static bool is_dynamic(const FvNode *node) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && node->inputs[i]->dynamic) return true;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->dynamic) return true;
  return false;
}

/* By the slot, because values are turned on the way. */
static bool was_f32(const FvValue *value) { return value && value->slot >= 0; }

/* Sums of many inputs would be rounded after each; comparisons and conversions are few, and numbers in them may be large. */
static bool is_plain_binary(const FvNode *node) {
  const FvBinaryParams *params = node->params;
  return node->input_count == 2 && params->type <= FV_BINARY_FMOD && !params->mean && was_f32(node->inputs[0]) && was_f32(node->inputs[1]);
}

static bool computes_with_f32(const FvNode *node) {
  for (int i = 0; i < node->input_count; i++)
    if (was_f32(node->inputs[i]) && !node->inputs[i]->constant) return true;
  return false;
}

static bool takes_half(const FvNode *node) {
  if (node->output_count < 1 || is_dynamic(node) || !computes_with_f32(node)) return false;
  switch (node->op->kind) {
    case FV_OP_BINARY: return is_plain_binary(node);
    case FV_OP_UNARY: return ((const FvUnaryParams *)node->params)->type <= FV_UNARY_ATANH && was_f32(node->inputs[0]);
    case FV_OP_CONV: case FV_OP_CONV_TRANSPOSE: case FV_OP_GEMM: case FV_OP_MATMUL: case FV_OP_BATCH_NORM: case FV_OP_INSTANCE_NORM: case FV_OP_LAYER_NORM:
    case FV_OP_GROUP_NORM: case FV_OP_LRN: case FV_OP_MAX_POOL: case FV_OP_AVERAGE_POOL: case FV_OP_GLOBAL_AVERAGE_POOL: case FV_OP_GLOBAL_MAX_POOL:
    case FV_OP_CLIP: case FV_OP_PRELU: case FV_OP_SOFTMAX: case FV_OP_REDUCE: case FV_OP_RESIZE: case FV_OP_CONCAT: case FV_OP_SPLIT: case FV_OP_SLICE:
    case FV_OP_RESHAPE: case FV_OP_TRANSPOSE: case FV_OP_EXPAND: case FV_OP_IDENTITY: case FV_OP_DEPTH_TO_SPACE: case FV_OP_SPACE_TO_DEPTH:
    case FV_OP_CHANNEL_SHUFFLE: case FV_OP_CONCAT_SHUFFLE: case FV_OP_TILE:
      return was_f32(node->inputs[0]) && was_f32(node->outputs[0]);
    case FV_OP_GATHER: return was_f32(node->inputs[0]) && node->inputs[1]->constant; /* mostly a view */
    default: return false;
  }
}

static FvValue *add_like(Halver *h, const FvValue *like, FvDtype dtype) {
  const char *name = fv_arena_printf(&h->graph->arena, "%s as %s", like->name, fv_dtype_name(dtype));
  FvValue *value = name ? fv_graph_add_value(h->graph, name) : NULL;
  if (!value) return NULL;
  value->dtype = dtype;
  value->rank = like->rank;
  memcpy(value->dims, like->dims, sizeof value->dims);
  value->slot = like->slot;
  return value;
}

static bool add_cast(Halver *h, FvValue *from, FvValue *to) {
  const FvOp *op = fv_op_find(NULL, "Cast");
  FvNode *node = op ? fv_graph_add_node(h->graph, op, to->name, 13, 1, 1) : NULL;
  if (!node) return false;
  node->inputs[0] = from;
  node->outputs[0] = to;
  return true;
}

/* One of the two forms, by a cast when only the other is there. */
static FvValue *form_of(Halver *h, FvValue *value, bool half) {
  Forms *forms = &h->forms[value->slot];
  FvValue **wanted = half ? &forms->half : &forms->full, *other = half ? forms->full : forms->half;
  if (*wanted) return *wanted;
  FvValue *made = add_like(h, other, half ? FV_DTYPE_F16 : FV_DTYPE_F32);
  if (!made || !add_cast(h, other, made)) return NULL;
  return *wanted = made;
}

static FvValue *half_constant(Halver *h, const FvValue *value) {
  FvTensor half = *value->constant;
  half.dtype = FV_DTYPE_F16;
  half.data = fv_arena_alloc(&h->graph->arena, (size_t)fv_tensor_count(&half) * fv_dtype_size(half.dtype));
  if (!half.data || fv_tensor_copy(&half, value->constant, NULL) < 0) return NULL;
  const char *name = fv_arena_printf(&h->graph->arena, "%s as f16", value->name);
  return name ? fv_graph_add_constant(h->graph, name, &half, false) : NULL;
}

/* Operators that move elements take constants as they take values; all others have kernels that read them as f32. */
static bool moves_constants(const FvNode *node) { return node->op->kind == FV_OP_CONCAT || node->op->kind == FV_OP_CONCAT_SHUFFLE; }

/* Convolutions read the graph's input as it is: their kernels take f32 and make f16. */
static bool reads_input(const FvNode *node) {
  return node->op->kind == FV_OP_CONV && node->input_count <= 3 && node->inputs[0]->is_input && (!fv_node_input(node, 1) || node->inputs[1]->constant) &&
         (!fv_node_input(node, 2) || node->inputs[2]->constant);
}

static bool turn_inputs(Halver *h, FvNode *node, bool half) {
  for (int i = 0; i < node->input_count; i++) {
    FvValue *value = node->inputs[i];
    if (!was_f32(value)) continue;
    if (value->constant && !(half && moves_constants(node))) continue;
    node->inputs[i] = value->constant ? half_constant(h, value) : form_of(h, value, half && !reads_input(node));
    if (!node->inputs[i]) return false;
  }
  return true;
}

/* The graph's outputs keep their type: what makes them makes another value, and a cast makes them. */
static bool turn_outputs(Halver *h, FvNode *node) {
  for (int i = 0; i < node->output_count; i++) {
    FvValue *value = node->outputs[i];
    if (!was_f32(value)) continue;
    Forms *forms = &h->forms[value->slot];
    h->count++;
    if (!value->is_output) {
      value->dtype = FV_DTYPE_F16;
      *forms = (Forms){.half = value};
      continue;
    }
    FvValue *half = add_like(h, value, FV_DTYPE_F16);
    if (!half || !add_cast(h, half, value)) return false;
    node->outputs[i] = half;
    *forms = (Forms){.full = value, .half = half};
  }
  return true;
}

/* Of a Shape only the dimensions are read. */
static bool reads_data(const FvNode *node) { return !(node->op->flags & FV_OP_SHAPE_ONLY); }

static bool turn_nodes(Halver *h) {
  int count = h->graph->node_count; /* casts are added behind */
  for (int n = 0; n < count; n++) {
    FvNode *node = h->graph->nodes[n];
    bool half = takes_half(node);
    if (node->dead || !reads_data(node)) continue;
    if (!turn_inputs(h, node, half) || (half && !turn_outputs(h, node))) return false;
  }
  return true;
}

int fv_pass_halve(FvGraph *graph) {
  Halver h = {.graph = graph, .forms = calloc((size_t)graph->value_count + 1, sizeof *h.forms)};
  int count = graph->value_count;
  if (!h.forms) return FV_ERR_NO_MEMORY;
  for (int i = 0; i < count; i++) {
    FvValue *value = graph->values[i];
    value->slot = value->dtype == FV_DTYPE_F32 ? i : -1;
    h.forms[i].full = value;
  }
  bool good = turn_nodes(&h) && fv_graph_sort(graph, NULL) == 0;
  free(h.forms);
  if (!good) return FV_ERR_NO_MEMORY;
  fv_pass_sweep(graph);
  return h.count;
}

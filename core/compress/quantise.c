#include "compress/quantise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "compress/grids.h"
#include "compress/roles.h"
#include "compress/weights.h"
#include "graph/passes/passes.h"
#include "ir/names.h"

enum {
  OPSET = 13,          /* of QuantizeLinear and DequantizeLinear: the first with an axis */
  FV_MAX_SHARERS = 64, /* of the same weights; more of them get levels of their own */
};

typedef struct Rewrite {
  FvGraph *graph;
  const FvCalibration *calibration;
  const FvQuantiseParams *params;
  FvValueGrid *grids;      /* by index of a value that was there before */
  bool *shared;            /* by node index: has levels already */
  FvNames names;
  int next_name;
  FvError *err;
} Rewrite;

static int out_of_memory(const Rewrite *it) { return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory while quantising"); }

/* --- building --- */

/* Short, for the file keeps them. */
static const char *fresh_name(Rewrite *it, char *text, size_t size) {
  do snprintf(text, size, "q%d", it->next_name++);
  while (fv_names_find(&it->names, text));
  return text;
}

static FvValue *add_value(Rewrite *it, FvDtype dtype, const FvValue *like) {
  char name[32];
  FvValue *value = fv_graph_add_value(it->graph, fresh_name(it, name, sizeof name));
  if (!value) return NULL;
  value->dtype = dtype;
  value->rank = like->rank;
  memcpy(value->dims, like->dims, sizeof value->dims);
  return value;
}

static FvValue *add_constant(Rewrite *it, const FvTensor *tensor) {
  char name[32];
  return fv_graph_add_constant(it->graph, fresh_name(it, name, sizeof name), tensor, true);
}

static FvNode *add_node(Rewrite *it, const char *type, FvValue *data, FvValue *scale, FvValue *zero, FvValue *out) {
  const FvOp *op = fv_op_find(NULL, type);
  FvNode *node = op && data && scale && out ? fv_graph_add_node(it->graph, op, "", OPSET, zero ? 3 : 2, 1) : NULL;
  if (!node) return NULL;
  node->inputs[0] = data;
  node->inputs[1] = scale;
  if (zero) node->inputs[2] = zero;
  node->outputs[0] = out;
  out->producer = node;
  return node;
}

static int set_axis(Rewrite *it, FvNode *node, int axis) {
  FvAttr *attr = fv_arena_object(&it->graph->arena, sizeof *attr);
  if (!attr) return FV_ERR_NO_MEMORY;
  *attr = (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = axis};
  node->attrs = attr;
  node->attr_count = 1;
  return 0;
}

/* --- activations --- */

/* value, through 8 bits; NULL when memory is out. */
static FvValue *wrap_value(Rewrite *it, FvValue *value, FvGrid grid) {
  uint8_t level = (uint8_t)grid.zero;
  FvTensor scale_tensor = {.dtype = FV_DTYPE_F32, .data = &grid.scale}, zero_tensor = {.dtype = FV_DTYPE_U8, .data = &level};
  FvValue *scale = add_constant(it, &scale_tensor), *zero = add_constant(it, &zero_tensor);
  FvValue *narrow = add_value(it, FV_DTYPE_U8, value), *wide = add_value(it, FV_DTYPE_F32, value);
  bool made = zero && add_node(it, "QuantizeLinear", value, scale, zero, narrow) && add_node(it, "DequantizeLinear", narrow, scale, zero, wide);
  return made ? wide : NULL;
}

/* Every use of such a value but that as an output of the graph reads it through 8 bits. */
static int wrap_values(Rewrite *it, int value_count, int node_count) {
  FvValue **wide = calloc((size_t)value_count + 1, sizeof *wide);
  int result = wide ? 0 : out_of_memory(it);
  for (int i = 0; i < value_count && result == 0; i++)
    if (it->grids[i].on && !(wide[i] = wrap_value(it, it->graph->values[i], it->grids[i].grid))) result = out_of_memory(it);
  for (int n = 0; n < node_count && result == 0; n++) {
    FvNode *node = it->graph->nodes[n];
    for (int i = 0; i < node->input_count; i++) {
      const FvValue *value = node->inputs[i]; /* values that are new have no place of their own */
      if (value && value->slot < value_count && it->graph->values[value->slot] == value && wide[value->slot]) node->inputs[i] = wide[value->slot];
    }
  }
  free(wide);
  return result;
}

/* --- weights --- */

/* A constant of the same shape, for this node alone. */
static FvTensor *own_constant(Rewrite *it, FvNode *node, int input) {
  FvValue *made = add_constant(it, node->inputs[input]->constant);
  if (!made) return NULL;
  node->inputs[input] = made;
  return (FvTensor *)made->constant; /* it is ours */
}

static void round_to_half(const FvTensor *tensor) {
  float *data = tensor->data;
  int64_t count = fv_tensor_count(tensor);
  for (int64_t i = 0; i < count; i++)
    if (fabsf(data[i]) <= 65504.0f) data[i] = fv_f16_to_f32(fv_f32_to_f16(data[i]));
}

static bool is_constant_f32(const FvValue *value) { return value && value->constant && value->constant->dtype == FV_DTYPE_F32; }

static int add_bias(Rewrite *it, FvNode *node, int64_t channels) {
  float *zeros = calloc((size_t)channels, sizeof *zeros);
  FvTensor tensor = {.dtype = FV_DTYPE_F32, .rank = 1, .dims = {channels}, .data = zeros};
  FvValue *bias = zeros ? add_constant(it, &tensor) : NULL;
  FvValue **inputs = fv_arena_array(&it->graph->arena, 4, sizeof *inputs);
  free(zeros);
  if (!bias || !inputs) return FV_ERR_NO_MEMORY;
  memcpy(inputs, node->inputs, 2 * sizeof *inputs);
  inputs[2] = bias;
  node->inputs = inputs;
  node->input_count = 3;
  return 0;
}

/* Adds shift (NULL: nothing) to the bias, and rounds it to binary16. Gemm's C may be of any shape that broadcasts; only one number per column can take a shift. */
static int set_bias(Rewrite *it, FvNode *node, const float *shift, int64_t channels) {
  bool has_place = node->op->kind != FV_OP_MATMUL;
  const FvValue *bias = fv_node_input(node, 2);
  if (!has_place || (!bias && !shift)) return 0;
  if (bias && !is_constant_f32(bias)) return 0;
  if (!bias && add_bias(it, node, channels) < 0) return out_of_memory(it);
  FvTensor *tensor = own_constant(it, node, 2);
  if (!tensor) return out_of_memory(it);
  float beta = node->op->kind == FV_OP_GEMM ? ((const FvGemmParams *)node->params)->beta : 1;
  float alpha = node->op->kind == FV_OP_GEMM ? ((const FvGemmParams *)node->params)->alpha : 1;
  bool fits = fv_tensor_count(tensor) == channels && tensor->rank >= 1 && tensor->dims[tensor->rank - 1] == channels && beta != 0;
  for (int64_t c = 0; shift && fits && c < channels; c++) ((float *)tensor->data)[c] += shift[c] * alpha / beta;
  round_to_half(tensor);
  return 0;
}

/* The levels as weights that a product can read. */
static FvValue *add_levels(Rewrite *it, const FvValue *weights, const FvLevelsOut *out) {
  FvTensor levels = {.dtype = FV_DTYPE_I8, .rank = weights->rank, .data = out->levels};
  memcpy(levels.dims, weights->dims, sizeof levels.dims);
  FvTensor scales = {.dtype = FV_DTYPE_F32, .rank = 1, .dims = {out->channels}, .data = out->scales};
  FvNode *wide = add_node(it, "DequantizeLinear", add_constant(it, &levels), add_constant(it, &scales), NULL, add_value(it, FV_DTYPE_F32, weights));
  return wide && set_axis(it, wide, out->axis) == 0 ? wide->outputs[0] : NULL;
}

static int64_t kept_weights(const FvTensor *tensor) {
  int64_t kept = 0;
  for (int64_t i = 0, n = fv_tensor_count(tensor); i < n; i++) kept += ((const float *)tensor->data)[i] != 0;
  return kept;
}

static const FvMoments *moments_of(const Rewrite *it, const FvNode *node) {
  const FvMoments *moments = it->calibration ? fv_calibration_moments(it->calibration, node->outputs[0]->name) : NULL;
  return moments && moments->patches > 0 && fv_moments_fit(moments, node) ? moments : NULL;
}

/* Heads are often one layer for several scales: nodes whose weights are the same numbers, and which are to have the same form, share their levels. */
typedef struct Sharers {
  FvNode *nodes[FV_MAX_SHARERS];
  int index[FV_MAX_SHARERS];
  int count;
} Sharers;

static bool same_weights(const FvNode *a, const FvNode *b) {
  const FvTensor *x = a->inputs[1]->constant, *y = b->inputs[1]->constant;
  if (a->op != b->op || !y || x->dtype != y->dtype || x->rank != y->rank || memcmp(x->dims, y->dims, sizeof x->dims[0] * (size_t)x->rank) != 0) return false;
  if (a->op->kind == FV_OP_CONV && ((const FvConvParams *)a->params)->group != ((const FvConvParams *)b->params)->group) return false;
  if (a->op->kind == FV_OP_GEMM && ((const FvGemmParams *)a->params)->trans_b != ((const FvGemmParams *)b->params)->trans_b) return false;
  return x->data == y->data || memcmp(x->data, y->data, (size_t)fv_tensor_count(x) * sizeof(float)) == 0;
}

static bool same_form(const FvLayerForm *a, const FvLayerForm *b) { return a->weights == b->weights && a->bits == b->bits; }

static void find_sharers(const Rewrite *it, int first, int node_count, Sharers *sharers) {
  const FvLayerForm *layers = it->params->layers;
  FvNode *const *nodes = it->graph->nodes;
  *sharers = (Sharers){.nodes = {nodes[first]}, .index = {first}, .count = 1};
  for (int n = first + 1; n < node_count && sharers->count < FV_MAX_SHARERS; n++) {
    if (fv_role_of(nodes[n]) != FV_ROLE_PRODUCT || !same_form(&layers[n], &layers[first]) || !same_weights(nodes[first], nodes[n])) continue;
    sharers->nodes[sharers->count] = nodes[n];
    sharers->index[sharers->count++] = n;
  }
}

/* Means over all that the sharers see; owned through *memory. */
static int join_moments(const Rewrite *it, const Sharers *sharers, FvMoments *joint, float **memory) {
  const FvMoments *first = moments_of(it, sharers->nodes[0]);
  *joint = first ? *first : (FvMoments){0};
  *memory = NULL;
  if (!first || sharers->count == 1) return 0;
  size_t square = (size_t)first->groups * (size_t)first->size * (size_t)first->size, line = (size_t)first->groups * (size_t)first->size;
  float *matrix = *memory = calloc(square + line, sizeof *matrix), *mean = matrix + square;
  double patches = 0;
  if (!matrix) return out_of_memory(it);
  for (int i = 0; i < sharers->count; i++) patches += moments_of(it, sharers->nodes[i]) ? (double)moments_of(it, sharers->nodes[i])->patches : 0;
  for (int i = 0; i < sharers->count; i++) {
    const FvMoments *part = moments_of(it, sharers->nodes[i]);
    float share = part ? (float)((double)part->patches / patches) : 0;
    for (size_t k = 0; part && k < square; k++) matrix[k] += share * part->matrix[k];
    for (size_t k = 0; part && k < line; k++) mean[k] += share * part->mean[k];
  }
  joint->matrix = matrix;
  joint->mean = mean;
  joint->patches = (int64_t)patches;
  return 0;
}

static int correct_bias(Rewrite *it, FvNode *node, const FvLevelsOut *out) {
  const FvMoments *moments = it->params->bias_correction ? moments_of(it, node) : NULL;
  float *shift = moments ? fv_levels_shift(node, moments, out) : NULL;
  int result = moments && !shift ? out_of_memory(it) : set_bias(it, node, shift, out->channels);
  free(shift);
  return result;
}

static int quantise_integers(Rewrite *it, int first, int node_count, FvLayerReport *report) {
  Sharers sharers;
  FvLevelsOut out = {0};
  FvMoments joint;
  float *memory;
  find_sharers(it, first, node_count, &sharers);
  int result = join_moments(it, &sharers, &joint, &memory);
  FvNode *node = sharers.nodes[0];
  if (result == 0 && (result = fv_round_layer(node, joint.matrix ? &joint : NULL, &it->params->layers[first], it->params, &out, report, it->err)) < 0)
    fv_error_prefix(it->err, "node '%.128s' (%s)", fv_node_label(node), node->op->name);
  for (int i = 0; i < sharers.count && result == 0; i++) result = correct_bias(it, sharers.nodes[i], &out);
  FvValue *wide = result == 0 ? add_levels(it, node->inputs[1], &out) : NULL;
  if (result == 0 && !wide) result = out_of_memory(it);
  for (int i = 0; i < sharers.count && result == 0; i++) {
    sharers.nodes[i]->inputs[1] = wide;
    it->shared[sharers.index[i]] = true;
  }
  free(memory);
  fv_levels_finish(&out);
  return result;
}

/* Weights that are no product of ours (ConvTranspose) can be half as wide. */
static bool has_weights(const FvNode *node) {
  return fv_role_of(node) == FV_ROLE_PRODUCT || (node->op->kind == FV_OP_CONV_TRANSPOSE && is_constant_f32(fv_node_input(node, 1)));
}

static int quantise_layer(Rewrite *it, int index, int node_count, FvLayerReport *report) {
  FvNode *node = it->graph->nodes[index];
  FvLayerForm form = it->params->layers[index];
  if (fv_role_of(node) != FV_ROLE_PRODUCT && form.weights != FV_WEIGHT_F32) form.weights = FV_WEIGHT_F16;
  const FvTensor *weights = node->inputs[1]->constant;
  *report = (FvLayerReport){.node = fv_node_label(node), .operation = node->op->name, .weights = fv_tensor_count(weights), .form = form.weights, .bits = form.bits};
  if (form.weights == FV_WEIGHT_INT || form.weights == FV_WEIGHT_CODEBOOK) return quantise_integers(it, index, node_count, report);
  report->kept = kept_weights(weights);
  report->bits = form.weights == FV_WEIGHT_F16 ? 16 : 32;
  report->entropy_bits = report->bits;
  if (form.weights != FV_WEIGHT_F16) return 0;
  FvTensor *mine = own_constant(it, node, 1);
  if (!mine) return out_of_memory(it);
  round_to_half(mine);
  return set_bias(it, node, NULL, 0);
}

static int quantise_layers(Rewrite *it, int node_count, FvLayerReport *reports) {
  FvLayerReport unwanted;
  int result = 0;
  for (int n = 0; n < node_count && result == 0; n++)
    if (!it->shared[n] && has_weights(it->graph->nodes[n])) result = quantise_layer(it, n, node_count, reports ? &reports[n] : &unwanted);
  return result;
}

/* --- all of it --- */

static int check(const FvGraph *graph, const FvCalibration *calibration, const FvQuantiseParams *params, FvError *err) {
  for (int n = 0; n < graph->node_count; n++) {
    const FvLayerForm *form = &params->layers[n];
    bool is_int = form->weights == FV_WEIGHT_INT, is_book = form->weights == FV_WEIGHT_CODEBOOK;
    if (!has_weights(graph->nodes[n])) continue;
    if ((is_int && (form->bits < 2 || form->bits > 8)) || (is_book && (form->bits < 2 || form->bits > 256)))
      return fv_error_set(err, FV_ERR_INVALID, "node '%.128s': %d is no number of %s", fv_node_label(graph->nodes[n]), form->bits, is_int ? "bits (2 to 8)" : "entries (2 to 256)");
    if (form->activations && !calibration) return fv_error_set(err, FV_ERR_INVALID, "8-bit activations need calibration");
  }
  return 0;
}

static int rewrite(Rewrite *it, FvLayerReport *reports) {
  FvGraph *graph = it->graph;
  int value_count = graph->value_count, node_count = graph->node_count, result = 0;
  if (!(it->shared = calloc((size_t)node_count + 1, sizeof *it->shared))) return out_of_memory(it);
  for (int i = 0; i < value_count; i++)
    if (!fv_names_find(&it->names, graph->values[i]->name) && !fv_names_add(&it->names, graph->values[i])) return out_of_memory(it);
  if (it->calibration) result = fv_choose_grids(graph, it->calibration, it->params, &it->grids, it->err);
  if (result == 0) result = quantise_layers(it, node_count, reports);
  if (result == 0 && it->grids) result = wrap_values(it, value_count, node_count);
  if (result == 0) result = fv_graph_sort(graph, it->err);
  return result == 0 ? fv_graph_prepare(graph, it->err) : result;
}

int fv_quantise(FvGraph *graph, const FvCalibration *calibration, const FvQuantiseParams *params, FvLayerReport *reports, FvError *err) {
  Rewrite it = {.graph = graph, .calibration = calibration, .params = params, .err = err};
  int result = check(graph, calibration, params, err);
  if (result < 0) return result;
  fv_names_init(&it.names);
  result = rewrite(&it, reports);
  fv_names_finish(&it.names);
  free(it.grids);
  free(it.shared);
  return result;
}

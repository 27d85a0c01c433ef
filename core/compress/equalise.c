/* conv2(f(conv1(x))) stays what it is when channel i of conv1 is divided by s_i and conv2 reads it times s_i, as long as f(s x) = s f(x) for s > 0 (Nagel et al., "Data-free
 * quantization through weight equalization and bias correction", 2019). There both sides are weights; here weights have a scale per output channel, and it is the activation in
 * between that gains, with one scale for all its channels. So s_i follows r_i, the largest number seen in the channel: as r_i^0.3, for the columns of conv2 share scales, too, and
 * pay for what the activation gains (the exponent balances the two for 8-bit activations and weights of 5 to 8 bits; compare "SmoothQuant", Xiao et al. 2022). A depthwise conv2
 * has a scale for each channel and pays nothing: s_i follows r_i itself. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/quantise.h"
#include "compress/roles.h"
#include "graph/passes/passes.h"
#include "ops/params.h"

#define EXPONENT 0.3f
#define MAX_FACTOR 64.0f

typedef struct Pair {
  FvNode *first, *second;
  const float *range; /* by channel: of what second reads */
} Pair;

static bool can_scale(const FvNode *node) {
  return node && node->op->kind == FV_OP_CONV && fv_role_of(node) == FV_ROLE_PRODUCT && node->input_count <= 3 && node->inputs[1]->use_count == 1 &&
         (!fv_node_input(node, 2) || (node->inputs[2]->constant && node->inputs[2]->constant->dtype == FV_DTYPE_F32));
}

static bool is_homogeneous(const FvNode *node) {
  switch (node->op->kind) {
    case FV_OP_MAX_POOL: case FV_OP_AVERAGE_POOL: case FV_OP_GLOBAL_AVERAGE_POOL: case FV_OP_GLOBAL_MAX_POOL: return node->output_count == 1;
    case FV_OP_UNARY: {
      FvActivationType type = fv_role_of(node) == FV_ROLE_ACTIVATION ? fv_role_activation(node).type : FV_ACTIVATION_NONE;
      return type == FV_ACTIVATION_RELU || type == FV_ACTIVATION_LEAKY_RELU;
    }
    default: return false;
  }
}

/* The convolution that alone reads what first makes. */
static FvNode *second_of(const FvGraph *graph, const FvNode *first) {
  FvNode *user = fv_pass_single_user(graph, first->outputs[0]);
  while (user && is_homogeneous(user)) user = fv_pass_single_user(graph, user->outputs[0]);
  return can_scale(user) && user->inputs[0]->producer != NULL ? user : NULL;
}

/* A constant of its own for an input, so that other graphs keep theirs. */
static int own(FvGraph *graph, FvNode *node, int input) {
  const FvTensor *old = node->inputs[input]->constant;
  FvTensor *tensor = fv_arena_alloc(&graph->arena, sizeof *tensor);
  size_t bytes = (size_t)fv_tensor_count(old) * sizeof(float);
  if (!tensor) return FV_ERR_NO_MEMORY;
  *tensor = *old;
  tensor->data = fv_arena_alloc(&graph->arena, bytes + 64);
  if (!tensor->data) return FV_ERR_NO_MEMORY;
  memcpy(tensor->data, old->data, bytes);
  char *name = fv_arena_printf(&graph->arena, "%.900s/own%d", node->inputs[input]->name, graph->value_count);
  FvValue *made = name ? fv_graph_add_constant(graph, name, tensor, false) : NULL;
  if (!made) return FV_ERR_NO_MEMORY;
  made->use_count = 1;
  node->inputs[input] = made;
  return 0;
}

static float *weights_of(const FvNode *node) { return node->inputs[1]->constant->data; }

/* Weights that read channel i are: rows of its group, from `first` on, `count` of them, `step` apart, `taps` neighbours each. */
typedef struct Readers {
  int64_t first, count, step, taps;
} Readers;

static Readers readers_of(const FvNode *conv, int64_t channel) {
  const FvTensor *w = conv->inputs[1]->constant;
  int64_t group = ((const FvConvParams *)conv->params)->group, rows = w->dims[0] / group, per_group = w->dims[1], taps = 1;
  for (int d = 2; d < w->rank; d++) taps *= w->dims[d];
  return (Readers){(channel / per_group * rows * per_group + channel % per_group) * taps, rows, per_group * taps, taps};
}

static float largest(const float *weights, Readers at) {
  float most = 0;
  for (int64_t r = 0; r < at.count; r++)
    for (int64_t t = 0; t < at.taps; t++) most = fmaxf(most, fabsf(weights[at.first + r * at.step + t]));
  return most;
}

static void scale(float *weights, Readers at, float factor) {
  for (int64_t r = 0; r < at.count; r++)
    for (int64_t t = 0; t < at.taps; t++) weights[at.first + r * at.step + t] *= factor;
}

/* The factor for a channel, before it is bounded; 0: leave it alone. */
static float factor_of(const Pair *pair, int64_t channel, float middle) {
  Readers read = readers_of(pair->second, channel);
  float r1 = pair->range[channel], r2 = largest(weights_of(pair->second), read);
  if (!(r1 > FLT_MIN) || !(r2 > FLT_MIN) || !isfinite(r1) || !isfinite(r2)) return 0;
  return read.count == 1 && read.step == read.taps ? r1 / middle : powf(r1 / middle, EXPONENT);
}

/* The geometric mean of the channels' ranges. */
static float middle_range(const Pair *pair, int64_t channels) {
  double sum = 0, count = 0;
  for (int64_t c = 0; c < channels; c++)
    if (pair->range[c] > FLT_MIN) sum += log((double)pair->range[c]), count++;
  return count > 0 ? (float)exp(sum / count) : 1;
}

static void equalise_pair(const Pair *pair) {
  const FvTensor *w = pair->first->inputs[1]->constant;
  int64_t channels = w->dims[0], size = channels ? fv_tensor_count(w) / channels : 0;
  float *bias = fv_node_input(pair->first, 2) ? pair->first->inputs[2]->constant->data : NULL, middle = middle_range(pair, channels);
  for (int64_t c = 0; c < channels; c++) {
    float s = factor_of(pair, c, middle);
    if (s == 0) continue;
    s = fminf(fmaxf(s, 1 / MAX_FACTOR), MAX_FACTOR);
    scale(weights_of(pair->first), (Readers){c * size, 1, size, size}, 1 / s);
    scale(weights_of(pair->second), readers_of(pair->second, c), s);
    if (bias) bias[c] /= s;
  }
}

/* Largest numbers by channel; NULL when they are not known. */
static const float *ranges_of(FvGraph *graph, const FvCalibration *calibration, const FvValue *value, int64_t channels) {
  const FvActivationStats *stats = fv_calibration_stats(calibration, value->name);
  float *range = stats && stats->channels == channels ? fv_arena_array(&graph->arena, (size_t)channels, sizeof *range) : NULL;
  for (int64_t c = 0; range && c < channels; c++) range[c] = fmaxf(fabsf(stats->channel_min[c]), fabsf(stats->channel_max[c]));
  return range;
}

static int find_pairs(FvGraph *graph, const FvCalibration *calibration, Pair *pairs, int *ret_count) {
  int count = 0;
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *first = graph->nodes[n], *second = can_scale(first) ? second_of(graph, first) : NULL;
    const float *range = second ? ranges_of(graph, calibration, second->inputs[0], first->inputs[1]->constant->dims[0]) : NULL;
    if (range) pairs[count++] = (Pair){first, second, range};
  }
  for (int i = 0; i < count; i++) { /* own() may be called twice for a node in the middle of a chain: no harm */
    int result = own(graph, pairs[i].first, 1);
    if (result == 0 && fv_node_input(pairs[i].first, 2)) result = own(graph, pairs[i].first, 2);
    if (result == 0) result = own(graph, pairs[i].second, 1);
    if (result < 0) return result;
  }
  *ret_count = count;
  return 0;
}

int fv_equalise(FvGraph *graph, const FvCalibration *calibration, FvError *err) {
  int count = 0;
  Pair *pairs = calloc((size_t)graph->node_count + 1, sizeof *pairs);
  fv_graph_count_uses(graph);
  int result = pairs ? find_pairs(graph, calibration, pairs, &count) : FV_ERR_NO_MEMORY;
  for (int i = 0; i < count; i++) equalise_pair(&pairs[i]);
  free(pairs);
  return result == 0 ? 0 : fv_error_set(err, result, "out of memory while equalising");
}

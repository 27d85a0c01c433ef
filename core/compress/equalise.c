/* conv2(f(conv1(x))) stays what it is when channel i of conv1 is divided by s_i and conv2 reads it times s_i, as long as f(s x) = s f(x) for s > 0 (Nagel et al., "Data-free
 * quantization through weight equalization and bias correction", 2019). There both sides are weights; here weights have a scale per output channel, and it is the activation in
 * between that gains, with one scale for all its channels. So s_i follows r_i, the largest number seen in the channel: as r_i^0.3, for the columns of conv2 share scales, too, and
 * pay for what the activation gains (the exponent balances the two for 8-bit activations and weights of 5 to 8 bits; compare "SmoothQuant", Xiao et al. 2022). A depthwise conv2
 * has a scale for each channel and pays nothing: where no other kind reads, s_i follows r_i itself. */
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

enum { MAX_READERS = 8 };

/* A convolution, and all that read what it makes. */
typedef struct Pair {
  FvNode *first, *readers[MAX_READERS];
  int reader_count;
  float *range; /* by channel: of what they read, the largest */
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

/* Adds the convolutions that read value, through homogeneous operators; false when anything else does. */
static bool add_readers(const FvGraph *graph, const FvValue *value, Pair *pair) {
  if (value->is_output) return false;
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    for (int i = 0; i < node->input_count; i++) {
      if (node->inputs[i] != value) continue;
      if (i > 0) return false;
      if (is_homogeneous(node)) {
        if (!add_readers(graph, node->outputs[0], pair)) return false;
      } else if (can_scale(node) && pair->reader_count < MAX_READERS) {
        pair->readers[pair->reader_count++] = node;
      } else {
        return false;
      }
    }
  }
  return pair->reader_count > 0;
}

/* A constant of its own for an input, so that other graphs keep theirs. */
static int own(FvGraph *graph, FvNode *node, int input) {
  const FvTensor *old = node->inputs[input]->constant;
  FvTensor *tensor = fv_arena_object(&graph->arena, sizeof *tensor);
  size_t bytes = (size_t)fv_tensor_count(old) * sizeof(float);
  if (!tensor) return FV_ERR_NO_MEMORY;
  *tensor = *old;
  tensor->data = fv_arena_alloc(&graph->arena, bytes);
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

static bool is_depthwise(const FvNode *conv) { return conv->inputs[1]->constant->dims[1] == 1 && conv->inputs[1]->constant->dims[0] == ((const FvConvParams *)conv->params)->group; }

/* The geometric mean of the channels' ranges. */
static float middle_range(const Pair *pair, int64_t channels) {
  double sum = 0, count = 0;
  for (int64_t c = 0; c < channels; c++)
    if (pair->range[c] > FLT_MIN) sum += log((double)pair->range[c]), count++;
  return count > 0 ? (float)exp(sum / count) : 1;
}

/* A channel that is always 0, or that nobody listens to, is left alone. */
static bool is_alive(const Pair *pair, int64_t channel) {
  if (!(pair->range[channel] > FLT_MIN) || !isfinite(pair->range[channel])) return false;
  for (int i = 0; i < pair->reader_count; i++) {
    float weight = largest(weights_of(pair->readers[i]), readers_of(pair->readers[i], channel));
    if (!(weight > FLT_MIN) || !isfinite(weight)) return false;
  }
  return true;
}

static void equalise_pair(const Pair *pair) {
  const FvTensor *w = pair->first->inputs[1]->constant;
  int64_t channels = w->dims[0], size = channels ? fv_tensor_count(w) / channels : 0;
  float *bias = fv_node_input(pair->first, 2) ? pair->first->inputs[2]->constant->data : NULL, middle = middle_range(pair, channels), exponent = 1;
  for (int i = 0; i < pair->reader_count; i++)
    if (!is_depthwise(pair->readers[i])) exponent = EXPONENT;
  for (int64_t c = 0; c < channels; c++) {
    if (!is_alive(pair, c)) continue;
    float s = fminf(fmaxf(powf(pair->range[c] / middle, exponent), 1 / MAX_FACTOR), MAX_FACTOR);
    scale(weights_of(pair->first), (Readers){c * size, 1, size, size}, 1 / s);
    for (int i = 0; i < pair->reader_count; i++) scale(weights_of(pair->readers[i]), readers_of(pair->readers[i], c), s);
    if (bias) bias[c] /= s;
  }
}

/* Largest numbers by channel, of all that the readers read; false when they are not known. */
static bool find_ranges(FvGraph *graph, const FvCalibration *calibration, Pair *pair) {
  int64_t channels = pair->first->inputs[1]->constant->dims[0];
  pair->range = fv_arena_array(&graph->arena, (size_t)channels, sizeof *pair->range);
  for (int i = 0; i < pair->reader_count; i++) {
    const FvActivationStats *stats = fv_calibration_stats(calibration, pair->readers[i]->inputs[0]->name);
    if (!pair->range || !stats || stats->channels != channels) return false;
    for (int64_t c = 0; c < channels; c++) pair->range[c] = fmaxf(pair->range[c], fmaxf(fabsf(stats->channel_min[c]), fabsf(stats->channel_max[c])));
  }
  return true;
}

static int own_weights(FvGraph *graph, const Pair *pair) {
  int result = own(graph, pair->first, 1);
  if (result == 0 && fv_node_input(pair->first, 2)) result = own(graph, pair->first, 2);
  for (int i = 0; i < pair->reader_count && result == 0; i++) result = own(graph, pair->readers[i], 1);
  return result;
}

static int find_pairs(FvGraph *graph, const FvCalibration *calibration, Pair *pairs, int *ret_count) {
  int count = 0, result = 0;
  for (int n = 0; n < graph->node_count; n++) {
    Pair *pair = &pairs[count];
    *pair = (Pair){.first = graph->nodes[n]};
    if (can_scale(pair->first) && add_readers(graph, pair->first->outputs[0], pair) && find_ranges(graph, calibration, pair)) count++;
  }
  for (int i = 0; i < count && result == 0; i++) result = own_weights(graph, &pairs[i]); /* twice for a node in the middle of a chain: no harm */
  *ret_count = count;
  return result;
}

int fv_equalise(FvGraph *graph, const FvCalibration *calibration, FvError *err) {
  int count = 0;
  Pair *pairs = calloc((size_t)graph->node_count + 1, sizeof *pairs);
  fv_graph_count_uses(graph);
  int result = pairs ? find_pairs(graph, calibration, pairs, &count) : FV_ERR_NO_MEMORY;
  for (int i = 0; i < count && result == 0; i++) equalise_pair(&pairs[i]);
  free(pairs);
  return result == 0 ? 0 : fv_error_set(err, result, "out of memory while equalising");
}

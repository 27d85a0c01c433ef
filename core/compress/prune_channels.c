#include "compress/prune_channels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "compress/channel_map.h"
#include "compress/prune_layer.h"
#include "ir/op.h"

enum { MAX_LIST_BYTES = 1 << 20 };

typedef struct Candidate {
  int channel, family; /* roots; a family is what one layer, or layers tied to it, make */
  double score;
} Candidate;

typedef struct Choice {
  FvChannels channels;
  FvPruneLayer *layers; /* those that take channels in */
  int layer_count;
  int *family;          /* parent, by channel root */
  double *score;        /* by channel root: the share of the consumers' squared outputs that comes from it */
  int64_t *left;        /* by value: indices that stay */
  Candidate *candidates;
  int candidate_count;
  FvError *err;
} Choice;

static int family_of(const Choice *it, int channel) {
  channel = fv_channel_root(&it->channels, channel);
  while (it->family[channel] != channel) channel = it->family[channel] = it->family[it->family[channel]];
  return channel;
}

static bool consumes(const Choice *it, const FvNode *node) {
  FvOpKind kind = node->op->kind;
  if (kind != FV_OP_CONV && kind != FV_OP_GEMM && kind != FV_OP_MATMUL) return false;
  return fv_channel_map(&it->channels, node->inputs[0])->axis >= 0 && !(kind == FV_OP_CONV && fv_is_depthwise(node));
}

static int find_layers(Choice *it, FvGraph *graph, const FvCalibration *calibration) {
  it->layers = fv_arena_array(&graph->arena, (size_t)graph->node_count, sizeof *it->layers);
  if (!it->layers) return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int n = 0; n < graph->node_count; n++) {
    int rc = FV_OK;
    if (consumes(it, graph->nodes[n]) && fv_prune_layer_init(&it->layers[it->layer_count], graph, graph->nodes[n], calibration, &rc, it->err)) it->layer_count++;
    if (rc < 0) return rc;
  }
  return FV_OK;
}

/* Squared output that input `input` of a layer makes by itself, less its mean where a bias can stand in for that. */
static double output_of(const FvPruneLayer *layer, int64_t input) {
  int64_t n = layer->columns, from = input * layer->taps;
  const float *h = layer->moments->matrix, *mean = layer->moments->mean;
  double sum = 0;
  for (int64_t row = 0; row < layer->rows; row++) {
    const float *w = layer->weights + row * n;
    for (int64_t i = from; i < from + layer->taps; i++)
      for (int64_t j = from; j < from + layer->taps; j++)
        sum += (double)w[i] * w[j] * (h[i * n + j] - (layer->has_bias ? (double)mean[i] * mean[j] : 0));
  }
  return fmax(sum, 0);
}

static int add_scores(Choice *it, const FvPruneLayer *layer) {
  const FvChannelMap *in = fv_channel_map(&it->channels, layer->node->inputs[0]);
  double *share = malloc((size_t)in->length * sizeof *share), whole = 0;
  if (!share) return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int64_t i = 0; i < in->length; i++) whole += share[i] = output_of(layer, i);
  for (int64_t i = 0; i < in->length && whole > 0; i++) it->score[fv_channel_root(&it->channels, in->channel[i])] += share[i] / whole;
  free(share);
  return FV_OK;
}

/* Layers whose outputs are tied lose channels together, so they are one family. */
static void find_families(Choice *it) {
  const FvGraph *graph = it->channels.graph;
  for (int i = 0; i < it->channels.count; i++) it->family[i] = i;
  for (int n = 0; n < graph->node_count; n++) {
    const FvNode *node = graph->nodes[n];
    if (node->op->kind != FV_OP_CONV) continue;
    const FvChannelMap *out = fv_channel_map(&it->channels, node->outputs[0]);
    for (int64_t i = 1; out->axis >= 0 && i < out->length; i++) {
      int a = family_of(it, out->channel[0]), b = family_of(it, out->channel[i]);
      it->family[a > b ? a : b] = a > b ? b : a;
    }
  }
}

static int by_score(const void *a, const void *b) {
  const Candidate *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? -1 : 1;
  return (x->channel > y->channel) - (x->channel < y->channel);
}

static int begin(Choice *it, FvGraph *graph, const FvCalibration *calibration) {
  int rc = fv_channels_follow(&it->channels, graph, it->err);
  if (rc < 0) return rc;
  size_t count = (size_t)it->channels.count + 1;
  it->family = fv_arena_array(&graph->arena, count, sizeof *it->family);
  it->score = fv_arena_array(&graph->arena, count, sizeof *it->score);
  it->candidates = fv_arena_array(&graph->arena, count, sizeof *it->candidates);
  it->left = fv_arena_array(&graph->arena, (size_t)graph->value_count + 1, sizeof *it->left);
  if (!it->family || !it->score || !it->candidates || !it->left) return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  rc = find_layers(it, graph, calibration);
  for (int i = 0; i < it->layer_count && rc >= 0; i++) rc = add_scores(it, &it->layers[i]);
  if (rc < 0) return rc;
  find_families(it);
  for (int i = 0; i < graph->value_count; i++) it->left[i] = it->channels.maps[i].axis < 0 ? 0 : it->channels.maps[i].length;
  for (int i = 0; i < it->channels.count; i++)
    if (fv_channel_root(&it->channels, i) == i) it->candidates[it->candidate_count++] = (Candidate){i, family_of(it, i), it->score[i]};
  qsort(it->candidates, (size_t)it->candidate_count, sizeof *it->candidates, by_score);
  return FV_OK;
}

static int64_t uses_of(const Choice *it, int value, int root) {
  const FvChannelMap *map = &it->channels.maps[value];
  int64_t uses = 0;
  for (int64_t i = 0; map->axis >= 0 && i < map->length; i++) uses += fv_channel_root(&it->channels, map->channel[i]) == root;
  return uses;
}

/* Marks a channel as gone unless it is needed, or the last one somewhere. */
static bool drop(Choice *it, int root) {
  if (it->channels.gone[root] || it->channels.fixed_by[root]) return false;
  for (int v = 0; v < it->channels.graph->value_count; v++)
    if (it->left[v] > 0 && it->left[v] == uses_of(it, v, root)) return false;
  for (int v = 0; v < it->channels.graph->value_count; v++) it->left[v] -= uses_of(it, v, root);
  it->channels.gone[root] = true;
  return true;
}

/* The least of each family, or of all, until the amount is reached; channels that must stay count towards what it is a share of. */
static int drop_share(Choice *it, const FvPruneParams *params) {
  int *members = calloc((size_t)it->channels.count + 1, sizeof *members), *gone = calloc((size_t)it->channels.count + 1, sizeof *gone);
  for (int i = 0; members && gone && i < it->candidate_count; i++) members[params->global ? 0 : it->candidates[i].family]++;
  for (int i = 0; members && gone && i < it->candidate_count; i++) {
    int family = params->global ? 0 : it->candidates[i].family;
    if (gone[family] + 1 <= params->amount * members[family] + 1e-9 && drop(it, it->candidates[i].channel)) gone[family]++;
  }
  bool ready = members && gone;
  free(members);
  free(gone);
  return ready ? FV_OK : fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
}

/* --- the list: "NODE CHANNEL…" a line, # begins a comment --- */

static const FvNode *find_node(const FvGraph *graph, const char *name) {
  for (int n = 0; n < graph->node_count; n++)
    if (strcmp(graph->nodes[n]->name, name) == 0 || strcmp(graph->nodes[n]->outputs[0]->name, name) == 0) return graph->nodes[n];
  return NULL;
}

static int drop_listed(Choice *it, const FvNode *node, const char *word) {
  char *end;
  long channel = strtol(word, &end, 10);
  const FvChannelMap *out = fv_channel_map(&it->channels, node->outputs[0]);
  if (*end || channel < 0 || channel >= node->outputs[0]->dims[1]) return fv_error_set(it->err, FV_ERR_INVALID, "'%.64s' is no channel of '%.128s', which has %lld", word, node->name, (long long)node->outputs[0]->dims[1]);
  if (out->axis < 0) return fv_error_set(it->err, FV_ERR_UNSUPPORTED, "channels of '%.128s' cannot be removed: they are computed in groups", fv_node_label(node));
  int root = fv_channel_root(&it->channels, out->channel[channel]);
  const FvNode *by = it->channels.fixed_by[root];
  if (by) return fv_error_set(it->err, FV_ERR_UNSUPPORTED, "channel %ld of '%.128s' cannot be removed: it is needed by %.128s", channel, fv_node_label(node), by->op ? fv_node_label(by) : by->name);
  if (!it->channels.gone[root] && !drop(it, root)) return fv_error_set(it->err, FV_ERR_INVALID, "channel %ld of '%.128s' is the last one there", channel, fv_node_label(node));
  return FV_OK;
}

static int read_line(Choice *it, char *line) {
  char *rest, *word = strtok_r(line, " \t\r", &rest);
  if (!word || word[0] == '#') return FV_OK;
  const FvNode *node = find_node(it->channels.graph, word);
  if (!node || node->op->kind != FV_OP_CONV) return fv_error_set(it->err, FV_ERR_INVALID, "there is no convolution '%.128s' in the model", word);
  int rc = FV_OK;
  while (rc >= 0 && (word = strtok_r(NULL, " \t\r", &rest)) && word[0] != '#') rc = drop_listed(it, node, word);
  return rc;
}

static int drop_list(Choice *it, const char *path) {
  void *text;
  size_t size;
  int rc = fv_file_read(path, MAX_LIST_BYTES, &text, &size, it->err), number = 0;
  if (rc < 0) return rc;
  char *rest, *line = text; /* zeros follow the text */
  while (rc >= 0 && line) {
    rest = strchr(line, '\n');
    if (rest) *rest++ = 0;
    number++;
    rc = read_line(it, line);
    line = rest;
  }
  if (rc < 0) fv_error_prefix(it->err, "%.256s, line %d", path, number);
  free(text);
  return rc;
}

/* What still comes in makes up for what does not, before that is cut. */
static int compensate(Choice *it, FvPruneLayer *layer) {
  const FvChannelMap *in = fv_channel_map(&it->channels, layer->node->inputs[0]);
  for (int64_t i = 0; i < fv_prune_layer_count(layer); i++)
    if (fv_channel_goes(&it->channels, in, i % layer->columns / layer->taps)) layer->keep[i] = 0, layer->weights[i] = 0;
  int rc = fv_prune_layer_fit(layer, it->err);
  return rc >= 0 ? fv_prune_layer_store(layer, it->channels.graph, it->err) : rc;
}

int fv_prune_channels(FvGraph *graph, const FvCalibration *calibration, const FvPruneParams *params, FvError *err) {
  Choice it = {.err = err};
  int rc = begin(&it, graph, calibration);
  if (rc >= 0) rc = params->kind == FV_PRUNE_LIST ? drop_list(&it, params->list) : drop_share(&it, params);
  for (int i = 0; i < it.layer_count && rc >= 0; i++) rc = compensate(&it, &it.layers[i]);
  return rc >= 0 ? fv_channels_remove(&it.channels, err) : rc;
}

#include "compress/prune.h"

#include <stdlib.h>

#include "compress/prune_channels.h"
#include "compress/prune_mask.h"

enum { DEFAULT_BLOCK = 4, MAX_BLOCK = 64, MAX_M = 64, MAX_STEPS = 64, AUTO_TRIALS = 5 };

typedef struct Layers {
  FvPruneLayer *items;
  int count;
} Layers;

static int check(const FvPruneParams *p, FvError *err) {
  bool by_amount = p->kind == FV_PRUNE_MAGNITUDE || p->kind == FV_PRUNE_BLOCKS || p->kind == FV_PRUNE_CHANNELS || p->kind == FV_PRUNE_AUTO;
  if (by_amount && !(p->amount >= 0 && p->amount < 1)) return fv_error_set(err, FV_ERR_INVALID, "the amount to prune must be at least 0 and less than 1, not %g", p->amount);
  if (p->kind == FV_PRUNE_N_M && (p->n < 1 || p->m < 2 || p->n >= p->m || p->m > MAX_M))
    return fv_error_set(err, FV_ERR_INVALID, "pruning N:M needs 1 <= N < M <= %d, not %d:%d", MAX_M, p->n, p->m);
  if (p->kind == FV_PRUNE_BLOCKS && (p->block < 0 || p->block > MAX_BLOCK)) return fv_error_set(err, FV_ERR_INVALID, "blocks to prune have 1 to %d weights, not %d", MAX_BLOCK, p->block);
  if (p->steps < 0 || p->steps > MAX_STEPS) return fv_error_set(err, FV_ERR_INVALID, "pruning takes 1 to %d steps, not %d", MAX_STEPS, p->steps);
  if (p->kind == FV_PRUNE_LIST && !p->list) return fv_error_set(err, FV_ERR_INVALID, "pruning by a list needs its file");
  return FV_OK;
}

/* A depthwise convolution has few weights and every one of them counts: leaving them out costs nothing. */
static bool is_depthwise(const FvPruneLayer *layer) { return layer->groups > 1 && layer->columns == layer->taps; }

static int find_layers(Layers *layers, FvGraph *graph, const FvCalibration *calibration, FvError *err) {
  layers->items = fv_arena_array(&graph->arena, (size_t)graph->node_count, sizeof *layers->items);
  if (!layers->items) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < graph->node_count; i++) {
    int rc;
    FvPruneLayer *next = &layers->items[layers->count];
    if (fv_prune_layer_init(next, graph, graph->nodes[i], calibration, &rc, err) && !is_depthwise(next)) layers->count++;
    if (rc < 0) return rc;
  }
  return FV_OK;
}

/* From layer `from` on, `count` of them share one threshold. */
static int prune_together(Layers *layers, int from, int count, int block, double fraction, FvError *err) {
  int64_t total = 0, made = 0;
  for (int i = from; i < from + count; i++) total += fv_prune_layer_count(&layers->items[i]);
  FvPruneUnit *units = malloc((size_t)(total ? total : 1) * sizeof *units);
  if (!units) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = from; i < from + count; i++) made += fv_prune_units(&layers->items[i], i, block, units + made);
  fv_prune_least(layers->items, units, made, fraction);
  free(units);
  return FV_OK;
}

static int prune_fraction(Layers *layers, const FvPruneParams *p, int block, double fraction, FvError *err) {
  int rc = FV_OK;
  if (p->global) return prune_together(layers, 0, layers->count, block, fraction, err);
  for (int i = 0; i < layers->count && rc >= 0; i++) rc = prune_together(layers, i, 1, block, fraction, err);
  return rc;
}

static int fit_all(Layers *layers, FvError *err) {
  int rc = FV_OK;
  for (int i = 0; i < layers->count && rc >= 0; i++) rc = fv_prune_layer_fit(&layers->items[i], err);
  return rc;
}

/* In steps that grow smaller, as in gradual pruning (Zhu & Gupta 2017): the last weights to go are chosen with most care. */
static int prune_weights(Layers *layers, const FvPruneParams *p, FvError *err) {
  int steps = p->steps ? p->steps : 1, block = p->kind != FV_PRUNE_BLOCKS ? 1 : p->block ? p->block : DEFAULT_BLOCK, rc = FV_OK;
  for (int step = 1; step <= steps && rc >= 0; step++) {
    double left = 1 - (double)step / steps;
    rc = prune_fraction(layers, p, block, p->amount * (1 - left * left * left), err);
    if (rc >= 0) rc = fit_all(layers, err);
  }
  return rc;
}

static void restore(FvPruneLayer *layer) {
  for (int64_t i = 0; i < fv_prune_layer_count(layer); i++) layer->keep[i] = 1, layer->weights[i] = layer->original[i];
}

/* The largest fraction, in 32nds, that leaves a layer's error within the amount. */
static int prune_within(Layers *layers, int index, double amount, FvError *err) {
  FvPruneLayer *layer = &layers->items[index];
  double good = 0, bad = 1;
  int rc = FV_OK;
  for (int trial = 0; trial < AUTO_TRIALS && rc >= 0; trial++) {
    double middle = (good + bad) / 2;
    restore(layer);
    rc = prune_together(layers, index, 1, 1, middle, err);
    if (rc >= 0) rc = fv_prune_layer_fit(layer, err);
    if (rc >= 0 && fv_prune_layer_error(layer) <= amount) good = middle;
    else bad = middle;
  }
  restore(layer);
  if (rc >= 0) rc = prune_together(layers, index, 1, 1, good, err);
  return rc >= 0 ? fv_prune_layer_fit(layer, err) : rc;
}

static int prune_layers(FvGraph *graph, const FvCalibration *calibration, const FvPruneParams *p, FvError *err) {
  Layers layers = {0};
  int rc = find_layers(&layers, graph, calibration, err);
  if (rc >= 0 && (p->kind == FV_PRUNE_MAGNITUDE || p->kind == FV_PRUNE_BLOCKS)) rc = prune_weights(&layers, p, err);
  for (int i = 0; i < layers.count && rc >= 0; i++) {
    FvPruneLayer *layer = &layers.items[i];
    if (p->kind == FV_PRUNE_AUTO) rc = prune_within(&layers, i, p->amount, err);
    if (p->kind == FV_PRUNE_N_M && layer->columns / layer->taps >= p->m) {
      fv_prune_n_of_m(layer, p->n, p->m);
      rc = fv_prune_layer_fit(layer, err);
    }
  }
  for (int i = 0; i < layers.count && rc >= 0; i++) rc = fv_prune_layer_store(&layers.items[i], graph, err);
  return rc;
}

int fv_prune(FvGraph *graph, const FvCalibration *calibration, const FvPruneParams *params, FvError *err) {
  int rc = check(params, err);
  if (rc < 0 || params->kind == FV_PRUNE_NONE) return rc;
  bool channels = params->kind == FV_PRUNE_CHANNELS || params->kind == FV_PRUNE_LIST;
  return channels ? fv_prune_channels(graph, calibration, params, err) : prune_layers(graph, calibration, params, err);
}

#include "compress/prune_mask.h"

#include <math.h>
#include <stdlib.h>

/* Of weights[i], whole: the layer's mean squared output. */
static double score(const FvPruneLayer *layer, int64_t i, double whole) {
  int64_t n = layer->columns, column = i % n, group = i / n / layer->rows;
  double weight = layer->keep[i] ? layer->weights[i] : 0, mean = layer->has_bias ? layer->moments->mean[group * n + column] : 0;
  double power = layer->moments->matrix[(group * n + column) * n + column] - mean * mean;
  return weight * weight * fmax(power, 0) / whole;
}

/* Inputs taken as independent of one another: good enough to compare layers. */
static double squared_output(const FvPruneLayer *layer) {
  double sum = 0;
  for (int64_t i = 0; i < fv_prune_layer_count(layer); i++) sum += score(layer, i, 1);
  return sum > 0 ? sum : 1;
}

int64_t fv_prune_units(const FvPruneLayer *layer, int index, int block, FvPruneUnit *units) {
  int64_t n = layer->columns, made = 0;
  double whole = squared_output(layer);
  for (int64_t group = 0; group < layer->groups; group++)
    for (int64_t row = 0; row < layer->rows; row += block)
      for (int64_t column = 0; column < n; column++) {
        FvPruneUnit unit = {0, index, (group * layer->rows + row) * n + column, n, (int)(layer->rows - row < block ? layer->rows - row : block)};
        for (int k = 0; k < unit.count; k++) unit.score += score(layer, unit.first + k * n, whole);
        unit.score /= unit.count;
        if (units) units[made] = unit;
        made++;
      }
  return made;
}

static int by_score(const void *a, const void *b) {
  const FvPruneUnit *x = a, *y = b;
  if (x->score != y->score) return x->score < y->score ? -1 : 1;
  if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
  return (x->first > y->first) - (x->first < y->first);
}

void fv_prune_least(FvPruneLayer *layers, FvPruneUnit *units, int64_t count, double fraction) {
  int64_t weights = 0, gone = 0;
  qsort(units, (size_t)count, sizeof *units, by_score);
  for (int64_t i = 0; i < count; i++) weights += units[i].count;
  for (int64_t i = 0; i < count && (double)(gone + units[i].count) <= fraction * (double)weights + 1e-9; i++) {
    FvPruneLayer *layer = &layers[units[i].layer];
    for (int k = 0; k < units[i].count; k++) layer->keep[units[i].first + k * units[i].stride] = 0, layer->weights[units[i].first + k * units[i].stride] = 0;
    gone += units[i].count;
  }
}

static void keep_best(FvPruneLayer *layer, int64_t first, int64_t count, int n, double whole) {
  for (int64_t kept = count; kept > n; kept--) {
    int64_t least = -1;
    for (int64_t k = 0; k < count; k++) {
      int64_t i = first + k * layer->taps;
      if (layer->keep[i] && (least < 0 || score(layer, i, whole) < score(layer, least, whole))) least = i;
    }
    if (least < 0) return;
    layer->keep[least] = 0, layer->weights[least] = 0;
  }
}

void fv_prune_n_of_m(FvPruneLayer *layer, int n, int m) {
  int64_t inputs = layer->columns / layer->taps;
  double whole = squared_output(layer);
  for (int64_t row = 0; row < fv_prune_layer_rows(layer); row++)
    for (int64_t input = 0; input < inputs; input += m)
      for (int64_t tap = 0; tap < layer->taps; tap++) {
        int64_t count = inputs - input < m ? inputs - input : m;
        keep_best(layer, row * layer->columns + input * layer->taps + tap, count, (int)((count * n + m - 1) / m), whole);
      }
}

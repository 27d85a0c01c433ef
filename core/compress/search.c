/* Every unit has a lower hull over its numbers of bits: error against bytes. All hulls' edges in order of error per byte saved make one path from 8 bits everywhere to as narrow as
 * goes; a point of it is the best choice for its size as far as the outputs' errors tell. How far down the path the budget reaches, the caller's measure tells: by bisection,
 * since each answer takes seconds. */
#include "compress/search.h"

#include <math.h>
#include <stdlib.h>

#include "compress/prepare.h"
#include "compress/search_activations.h"
#include "compress/search_layers.h"

/* 8-bit activations may spend so much of the budget; what they do beyond that is cheaper to avoid in a few layers. */
#define ACTIVATION_SHARE 0.5
/* Tries beyond what bisection found: a measure on few pictures is noisy, so that an unlucky answer early on may have ended it too soon. */
enum { MORE_TRIALS = 4, MAX_TRIALS = 64 };
/* Losses up to so many budgets tell how the loss grows; beyond, it no longer grows in proportion. */
#define NEAR_BUDGETS 4

typedef struct Edge {
  double slope; /* error per byte saved */
  double error, bytes; /* more than before, and saved */
  int unit, bits; /* to so many */
} Edge;

/* What was measured at a position of the path. */
typedef struct Trial {
  int position;
  double loss;
} Trial;

typedef struct Search {
  const FvSearchParams *params;
  FvSearchUnits units;
  Edge *path;
  int length;
  double *effect; /* by position: of all units together, as measured alone */
  Trial trials[MAX_TRIALS];
  int trial_count;
  FvLayerForm *forms;
  double before; /* score of the model itself */
  int done, expected; /* measurements */
  FvError *err;
} Search;

/* The next point of the hull after `bits`, or 0. */
static int next_on_hull(const FvSearchUnit *unit, int bits, double *ret_slope) {
  int best = 0;
  for (int b = bits - 1; b >= FV_LEAST_BITS; b--) {
    double saved = unit->bytes[bits] - unit->bytes[b], slope = (unit->error[b] - unit->error[bits]) / saved;
    if (saved > 0 && (!best || slope < *ret_slope)) best = b, *ret_slope = slope;
  }
  return best;
}

static int by_slope(const void *a, const void *b) {
  const Edge *x = a, *y = b;
  if (x->slope != y->slope) return x->slope < y->slope ? -1 : 1;
  if (x->unit != y->unit) return x->unit < y->unit ? -1 : 1;
  return y->bits - x->bits; /* of one unit the wider comes first */
}

static int make_path(Search *it) {
  it->path = calloc((size_t)it->units.count * FV_MOST_BITS + 1, sizeof *it->path);
  it->effect = calloc((size_t)it->units.count * FV_MOST_BITS + 2, sizeof *it->effect);
  if (!it->path || !it->effect) return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int u = 0; u < it->units.count; u++) {
    double slope = 0, steepest = -INFINITY;
    const FvSearchUnit *unit = &it->units.items[u];
    for (int bits = FV_MOST_BITS, to; (to = next_on_hull(unit, bits, &slope)) > 0; bits = to) {
      steepest = fmax(steepest, slope); /* a hull's slopes rise but for rounding */
      it->path[it->length++] = (Edge){steepest, unit->error[to] - unit->error[bits], unit->bytes[bits] - unit->bytes[to], u, to};
    }
  }
  qsort(it->path, (size_t)it->length, sizeof *it->path, by_slope);
  for (int i = 0; i < it->length; i++) it->effect[i + 1] = it->effect[i] + fmax(it->path[i].error, 0);
  return FV_OK;
}

static void set_forms(Search *it, int position) {
  const FvGraph *graph = it->params->base->prepared;
  for (int n = 0; n < graph->node_count; n++) {
    if (it->units.unit_of[n] < 0) continue;
    it->forms[n].bits = FV_MOST_BITS;
    for (int i = 0; i < position; i++)
      if (it->path[i].unit == it->units.unit_of[n]) it->forms[n].bits = it->path[i].bits;
  }
}

static int tell_progress(Search *it) {
  const FvCompressParams *p = it->params->compress;
  int total = it->done < it->expected ? it->expected : it->done + 1;
  return p->progress && p->progress(p->progress_data, "searching", it->done, total) ? fv_error_set(it->err, FV_ERR_CANCELLED, "cancelled while searching") : FV_OK;
}

/* Loss of the model that forms make. */
static int measure(Search *it, double *loss) {
  const FvCompressParams *compress = it->params->compress;
  FvQuantiseParams how = *it->params->quantise;
  FvGraph *graph = fv_graph_clone(it->params->base->prepared);
  FvModel *model = NULL;
  double score = 0;
  int rc = graph ? tell_progress(it) : fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  how.layers = it->forms;
  if (rc >= 0) rc = fv_quantise(graph, it->params->calibration, &how, NULL, it->err);
  if (rc >= 0) {
    rc = fv_model_with_graph(it->params->base, graph, &model, it->err);
    graph = NULL;
  }
  if (rc >= 0) rc = compress->measure(compress->measure_data, model, &score, it->err);
  *loss = isfinite(score) ? it->before - score : INFINITY;
  it->done++;
  fv_model_destroy(&model);
  fv_graph_destroy(&graph);
  return rc;
}

static int try_position(Search *it, int position, int *good, double *loss) {
  set_forms(it, position);
  int rc = measure(it, loss);
  if (it->trial_count < MAX_TRIALS) it->trials[it->trial_count++] = (Trial){position, *loss};
  if (rc >= 0 && *loss <= it->params->compress->budget && position > *good) *good = position;
  return rc;
}

static bool has_narrow_activations(const Search *it) {
  for (int n = 0; n < it->params->base->prepared->node_count; n++)
    if (it->forms[n].activations) return true;
  return false;
}

/* Puts the layers where 8 bits hurt most into f32, 1, 2, 4 … of them, until the rest is within its share of the budget. */
static int widen_activations(Search *it) {
  double limit = ACTIVATION_SHARE * it->params->compress->budget, loss;
  set_forms(it, 0);
  int rc = measure(it, &loss), widened = 0;
  if (rc < 0 || loss <= limit || !has_narrow_activations(it)) return rc;
  int *nodes = calloc((size_t)it->params->base->prepared->node_count + 1, sizeof *nodes);
  int count = nodes ? fv_search_activations(it->params, it->forms, nodes, it->err) : fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  rc = count < 0 ? count : FV_OK;
  while (rc >= 0 && loss > limit && widened < count) {
    for (int until = widened ? 2 * widened : 1; widened < until && widened < count; widened++) it->forms[nodes[widened]].activations = false;
    rc = measure(it, &loss);
  }
  free(nodes);
  return rc;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_value);
  return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* The line loss = a + b * effect through what was measured near the budget: medians over all pairs (Theil 1950, Sen 1968), which a few bad answers do not move. False when there
 * is none that rises. */
static bool fit_line(const Search *it, double *a, double *b) {
  double values[MAX_TRIALS * (MAX_TRIALS - 1) / 2];
  const Trial *near[MAX_TRIALS];
  int count = 0, pairs = 0;
  for (int i = 0; i < it->trial_count; i++)
    if (it->trials[i].loss <= NEAR_BUDGETS * it->params->compress->budget) near[count++] = &it->trials[i];
  for (int i = 0; i < count; i++)
    for (int k = 0; k < i; k++) {
      double run = it->effect[near[i]->position] - it->effect[near[k]->position];
      if (run != 0) values[pairs++] = (near[i]->loss - near[k]->loss) / run;
    }
  if (count < 3 || pairs == 0) return false;
  *b = median(values, pairs);
  for (int i = 0; i < count; i++) values[i] = near[i]->loss - *b * it->effect[near[i]->position];
  *a = median(values, count);
  return *b > 0;
}

static bool is_tried(const Search *it, int position) {
  for (int i = 0; i < it->trial_count; i++)
    if (it->trials[i].position == position) return true;
  return false;
}

/* Where the line meets the budget, or just before when that was measured already. */
static int try_further(Search *it, int *good) {
  double a, b, loss;
  int rc = FV_OK;
  for (int i = 0; i < MORE_TRIALS && rc >= 0; i++) {
    int reach = *good;
    if (!fit_line(it, &a, &b)) return rc;
    while (reach < it->length && a + b * it->effect[reach + 1] <= it->params->compress->budget) reach++;
    while (reach > *good && is_tried(it, reach)) reach--;
    if (reach <= *good) return rc;
    rc = try_position(it, reach, good, &loss);
  }
  return rc;
}

static int walk(Search *it) {
  int good = -1, bad = it->length + 1, rc = FV_OK;
  double loss = 0;
  while (rc >= 0 && bad - good > 1 && bad > 0) {
    int middle = good + (bad - good) / 2;
    rc = try_position(it, middle, &good, &loss);
    if (good != middle) bad = middle;
  }
  if (rc >= 0 && good < 0)
    return fv_error_set(it->err, FV_ERR_UNSUPPORTED, "with 8 bits for all weights the loss is %.3g, which is more than the budget of %.3g; keep layers or activations wider", loss, it->params->compress->budget);
  if (rc >= 0) rc = try_further(it, &good);
  set_forms(it, good);
  return rc;
}

/* As far down the path as it takes for the size asked for; nothing needs to be measured. */
static int reach_size(Search *it) {
  const FvGraph *graph = it->params->base->prepared;
  double bits = 0, weights = 0;
  int position = 0;
  for (int u = 0; u < it->units.count; u++) {
    bits += 8 * it->units.items[u].bytes[FV_MOST_BITS];
    weights += (double)fv_tensor_count(graph->nodes[it->units.items[u].first]->inputs[1]->constant);
  }
  while (position < it->length && bits > it->params->compress->mean_bits * weights) bits -= 8 * it->path[position++].bytes;
  set_forms(it, position);
  if (bits <= it->params->compress->mean_bits * weights) return FV_OK;
  return fv_error_set(it->err, FV_ERR_UNSUPPORTED, "weights of %d bits take %.2f bits each in the file, which is more than the %.2f asked for", FV_LEAST_BITS, bits / weights, it->params->compress->mean_bits);
}

static int spend_budget(Search *it) {
  const FvCompressParams *compress = it->params->compress;
  for (int n = it->length; n > 0; n /= 2) it->expected++;
  it->expected += MORE_TRIALS;
  int rc = compress->measure(compress->measure_data, it->params->model, &it->before, it->err);
  if (rc >= 0) rc = widen_activations(it);
  return rc >= 0 ? walk(it) : rc;
}

int fv_search_bits(const FvSearchParams *params, FvLayerForm *forms, FvError *err) {
  Search it = {.params = params, .forms = forms, .err = err};
  int rc = fv_search_units_create(params, forms, &it.units, err);
  if (rc < 0) return rc;
  rc = make_path(&it);
  if (rc >= 0) rc = params->compress->mean_bits > 0 ? reach_size(&it) : spend_budget(&it);
  free(it.path);
  free(it.effect);
  fv_search_units_finish(&it.units);
  return rc;
}

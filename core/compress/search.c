/* Every unit has a lower hull over its numbers of bits: error against bytes. All hulls' edges in order of error per byte saved make one path from 8 bits everywhere to as narrow as
 * goes; a point of it is the best choice for its size as far as the outputs' errors tell. How far down the path the budget reaches, the caller's measure tells: by bisection,
 * since each answer takes seconds. */
#include "compress/search.h"

#include <math.h>
#include <stdlib.h>

#include "compress/prepare.h"
#include "compress/search_layers.h"

/* Tries beyond what bisection found: the measure is not quite monotonous. */
enum { MORE_TRIALS = 2 };

typedef struct Edge {
  double slope; /* error per byte saved */
  int unit, bits; /* to so many */
} Edge;

typedef struct Search {
  const FvSearchParams *params;
  FvSearchUnits units;
  Edge *path;
  int length;
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
  if (!it->path) return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int u = 0; u < it->units.count; u++) {
    double slope = 0, steepest = -INFINITY;
    for (int bits = FV_MOST_BITS; (bits = next_on_hull(&it->units.items[u], bits, &slope)) > 0;) {
      steepest = fmax(steepest, slope); /* a hull's slopes rise but for rounding */
      it->path[it->length++] = (Edge){steepest, u, bits};
    }
  }
  qsort(it->path, (size_t)it->length, sizeof *it->path, by_slope);
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
  if (rc >= 0 && *loss <= it->params->compress->budget && position > *good) *good = position;
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
  for (int i = 0, from = good; i < MORE_TRIALS && rc >= 0; i++) {
    int ahead = from + (i + 1) * it->length / 40 + 1;
    if (ahead <= it->length) rc = try_position(it, ahead, &good, &loss);
  }
  set_forms(it, good);
  return rc;
}

int fv_search_bits(const FvSearchParams *params, FvLayerForm *forms, FvError *err) {
  const FvCompressParams *compress = params->compress;
  Search it = {.params = params, .forms = forms, .err = err};
  int rc = fv_search_units_create(params, forms, &it.units, err);
  if (rc < 0) return rc;
  rc = make_path(&it);
  for (int n = it.length; n > 0; n /= 2) it.expected++;
  it.expected += MORE_TRIALS;
  if (rc >= 0) rc = compress->measure(compress->measure_data, params->model, &it.before, err);
  if (rc >= 0) rc = walk(&it);
  free(it.path);
  fv_search_units_finish(&it.units);
  return rc;
}

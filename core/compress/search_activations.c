#include "compress/search_activations.h"

#include <stdlib.h>

#include "compress/output_probe.h"
#include "compress/prepare.h"
#include "compress/roles.h"

enum { PROBE_PICTURES = 6 };
/* Of the error of all 8-bit activations together. */
#define LEAST_SHARE 0.05

typedef struct Layer {
  int node;
  double error; /* of the outputs with this one in f32 */
} Layer;

typedef struct Trial {
  const FvSearchParams *params;
  FvOutputProbe *probe;
  FvLayerForm *forms;
  FvError *err;
} Trial;

static int measure(const Trial *it, double *error) {
  FvQuantiseParams how = *it->params->quantise;
  FvGraph *graph = fv_graph_clone(it->params->base->prepared);
  FvModel *model = NULL;
  how.layers = it->forms;
  int rc = graph ? fv_quantise(graph, it->params->calibration, &how, NULL, it->err) : fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  if (rc < 0) fv_graph_destroy(&graph);
  else rc = fv_model_with_graph(it->params->base, graph, &model, it->err);
  if (rc >= 0) rc = fv_output_probe_error(it->probe, model, error, it->err);
  fv_model_destroy(&model);
  return rc;
}

static int by_error(const void *a, const void *b) {
  const Layer *x = a, *y = b;
  if (x->error != y->error) return x->error < y->error ? -1 : 1;
  return x->node - y->node;
}

static int tell_progress(const Trial *it, int done, int total) {
  const FvCompressParams *p = it->params->compress;
  return p->progress && p->progress(p->progress_data, "measuring activations", done, total) ? fv_error_set(it->err, FV_ERR_CANCELLED, "cancelled while measuring activations") : FV_OK;
}

/* Layers in f32 one after another; errors to layers. Returns their number. */
static int measure_layers(const Trial *it, const FvLayerForm *forms, Layer *layers) {
  const FvGraph *graph = it->params->base->prepared;
  int count = 0, rc = FV_OK;
  for (int n = 0; n < graph->node_count && rc >= 0; n++) {
    if (fv_role_of(graph->nodes[n]) != FV_ROLE_PRODUCT || !forms[n].activations) continue;
    rc = tell_progress(it, n, graph->node_count);
    it->forms[n].activations = false;
    layers[count].node = n;
    if (rc >= 0) rc = measure(it, &layers[count++].error);
    it->forms[n].activations = true;
  }
  return rc < 0 ? rc : count;
}

static int find_worst(const Trial *it, const FvLayerForm *forms, Layer *layers, int *nodes) {
  const FvGraph *graph = it->params->base->prepared;
  double narrow, wide;
  int found = 0, rc = measure(it, &narrow);
  for (int n = 0; n < graph->node_count; n++) it->forms[n].activations = false;
  if (rc >= 0) rc = measure(it, &wide);
  for (int n = 0; n < graph->node_count; n++) it->forms[n].activations = forms[n].activations;
  int count = rc < 0 ? rc : measure_layers(it, forms, layers);
  if (count < 0) return count;
  qsort(layers, (size_t)count, sizeof *layers, by_error);
  for (int i = 0; i < count; i++)
    if (narrow - layers[i].error > LEAST_SHARE * (narrow - wide)) nodes[found++] = layers[i].node;
  return found;
}

int fv_search_activations(const FvSearchParams *params, const FvLayerForm *forms, int *nodes, FvError *err) {
  const FvCompressParams *compress = params->compress;
  int count = params->base->prepared->node_count;
  Trial it = {.params = params, .forms = calloc((size_t)count + 1, sizeof *it.forms), .err = err};
  Layer *layers = calloc((size_t)count + 1, sizeof *layers);
  int rc = it.forms && layers ? FV_OK : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int n = 0; rc >= 0 && n < count; n++) {
    it.forms[n] = forms[n];
    if (forms[n].weights == FV_WEIGHT_INT) it.forms[n].bits = 8;
  }
  if (rc >= 0) rc = fv_output_probe_create(params->base, &compress->calibration, PROBE_PICTURES, compress->threads, &it.probe, err);
  if (rc >= 0) rc = find_worst(&it, forms, layers, nodes);
  fv_output_probe_destroy(&it.probe);
  free(it.forms);
  free(layers);
  return rc;
}

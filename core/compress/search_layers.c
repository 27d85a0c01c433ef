#include "compress/search_layers.h"

#include <stdlib.h>
#include <string.h>

#include "compress/forms.h"
#include "compress/output_probe.h"
#include "compress/prepare.h"
#include "compress/roles.h"
#include "compress/weights.h"
#include "entropy/coder.h"

/* Bits at which a unit's effect on the outputs is measured, wide enough for the rest to be in proportion to the error of its own output; and pictures for that. */
enum { PROBE_BITS = 4, PROBE_PICTURES = 12 };

typedef struct Measuring {
  const FvSearchParams *params;
  FvGraph *graph;      /* of base */
  FvSearchUnits *units;
  FvOutputProbe *probe;
  FvError *err;
} Measuring;

static bool same_weights(const FvNode *a, const FvNode *b) {
  const FvTensor *x = a->inputs[1]->constant, *y = b->inputs[1]->constant;
  if (x == y) return true;
  return x->dtype == y->dtype && x->rank == y->rank && memcmp(x->dims, y->dims, (size_t)x->rank * sizeof *x->dims) == 0 &&
         memcmp(x->data, y->data, (size_t)fv_tensor_count(x) * fv_dtype_size(x->dtype)) == 0;
}

static bool is_open(const Measuring *it, const FvLayerForm *forms, int n) {
  const FvNode *node = it->graph->nodes[n];
  return fv_role_of(node) == FV_ROLE_PRODUCT && forms[n].weights == FV_WEIGHT_INT && !fv_form_is_asked(node, it->params->compress);
}

static int find_units(Measuring *it, const FvLayerForm *forms) {
  FvSearchUnits *units = it->units;
  int count = it->graph->node_count;
  units->items = calloc((size_t)count + 1, sizeof *units->items);
  units->unit_of = malloc(((size_t)count + 1) * sizeof *units->unit_of);
  if (!units->items || !units->unit_of) return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int n = 0; n < count; n++) {
    units->unit_of[n] = -1;
    if (!is_open(it, forms, n)) continue;
    for (int u = 0; u < units->count && units->unit_of[n] < 0; u++)
      if (same_weights(it->graph->nodes[units->items[u].first], it->graph->nodes[n])) units->unit_of[n] = u;
    if (units->unit_of[n] >= 0) continue;
    units->unit_of[n] = units->count;
    units->items[units->count++].first = n;
  }
  return FV_OK;
}

static int round_unit(Measuring *it, FvSearchUnit *unit, int bits) {
  const FvNode *node = it->graph->nodes[unit->first];
  const FvMoments *moments = fv_calibration_moments(it->params->calibration, node->outputs[0]->name);
  FvLayerForm form = {.weights = FV_WEIGHT_INT, .bits = bits};
  FvLayerReport report;
  FvLevelsOut out;
  FvBytes coded = {0};
  if (moments && !fv_moments_fit(moments, node)) moments = NULL;
  int rc = fv_round_layer(node, moments, &form, it->params->quantise, &out, &report, it->err);
  if (rc < 0) return rc;
  size_t count = (size_t)fv_tensor_count(node->inputs[1]->constant), row = count / (size_t)node->inputs[1]->constant->dims[0];
  rc = fv_coder_encode(FV_CODER_RANGE, out.levels, (FvCodeShape){count, row}, &coded, it->err);
  unit->bytes[bits] = (double)coded.size;
  unit->error[bits] = report.output_error;
  fv_bytes_finish(&coded);
  fv_levels_finish(&out);
  return rc;
}

/* The error of the model's outputs with nothing but unit u narrow. */
static int probe_unit(Measuring *it, int u, double *error) {
  FvGraph *graph = fv_graph_clone(it->graph);
  FvLayerForm *forms = calloc((size_t)it->graph->node_count + 1, sizeof *forms);
  FvModel *model = NULL;
  int rc = graph && forms ? FV_OK : fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory");
  for (int n = 0; rc >= 0 && n < it->graph->node_count; n++)
    if (it->units->unit_of[n] == u) forms[n] = (FvLayerForm){.weights = FV_WEIGHT_INT, .bits = PROBE_BITS};
  FvQuantiseParams how = *it->params->quantise;
  how.layers = forms;
  if (rc >= 0) rc = fv_quantise(graph, it->params->calibration, &how, NULL, it->err);
  if (rc >= 0) {
    rc = fv_model_with_graph(it->params->base, graph, &model, it->err);
    graph = NULL;
  }
  if (rc >= 0) rc = fv_output_probe_error(it->probe, model, error, it->err);
  fv_model_destroy(&model);
  fv_graph_destroy(&graph);
  free(forms);
  return rc;
}

/* A layer's own error says how its effect changes with the bits; the probe, what that effect is. */
static int measure_unit(Measuring *it, int u) {
  FvSearchUnit *unit = &it->units->items[u];
  double effect = 0;
  int rc = FV_OK;
  for (int bits = FV_LEAST_BITS; bits <= FV_MOST_BITS && rc >= 0; bits++) rc = round_unit(it, unit, bits);
  if (rc >= 0) rc = probe_unit(it, u, &effect);
  double own = unit->error[PROBE_BITS];
  for (int bits = FV_LEAST_BITS; bits <= FV_MOST_BITS; bits++) unit->error[bits] = own > 0 ? effect * unit->error[bits] / own : 0;
  return rc;
}

int fv_search_units_create(const FvSearchParams *params, const FvLayerForm *forms, FvSearchUnits *units, FvError *err) {
  const FvCompressParams *compress = params->compress;
  *units = (FvSearchUnits){0};
  Measuring it = {.params = params, .graph = params->base->prepared, .units = units, .err = err};
  int rc = find_units(&it, forms);
  if (rc >= 0) rc = fv_output_probe_create(params->base, &compress->calibration, PROBE_PICTURES, compress->threads, &it.probe, err);
  for (int u = 0; u < units->count && rc >= 0; u++) {
    if (compress->progress && compress->progress(compress->progress_data, "measuring layers", u, units->count)) rc = fv_error_set(err, FV_ERR_CANCELLED, "cancelled while measuring layers");
    if (rc >= 0) rc = measure_unit(&it, u);
  }
  fv_output_probe_destroy(&it.probe);
  if (rc < 0) fv_search_units_finish(units);
  return rc;
}

void fv_search_units_finish(FvSearchUnits *units) {
  free(units->items);
  free(units->unit_of);
  *units = (FvSearchUnits){0};
}

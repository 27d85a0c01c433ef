/* The order of the work: simplify, equalise, look at pictures, prune, quantise, tell. */
#include <fovea/compress.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/forms.h"
#include "compress/prepare.h"
#include "compress/prune.h"
#include "compress/roles.h"
#include "compress/search.h"

typedef struct Compression {
  FvModel *model;         /* the caller's */
  const FvCompressParams *params;
  FvModel *base;          /* simplified, equalised, pruned: fp32 still */
  FvCalibration *calibration;
  FvLayerForm *forms;     /* by node of base's prepared graph */
  FvModel *made;
  FvLayerReport *layers;  /* by node */
  FvCompressReport *report;
  FvError *err;
} Compression;

static int out_of_memory(const Compression *it) { return fv_error_set(it->err, FV_ERR_NO_MEMORY, "out of memory while compressing"); }

/* --- what is asked for --- */

static bool is_float(FvWeightForm form) { return form == FV_WEIGHT_F32 || form == FV_WEIGHT_F16; }

static bool needs_pictures(const FvCompressParams *params) {
  bool needs = params->activations != FV_ACTIVATIONS_F32 || params->prune.kind != FV_PRUNE_NONE || !is_float(params->weights);
  for (int i = 0; i < params->node_count; i++) needs = needs || !is_float(params->nodes[i].weights);
  return needs;
}

static int check_form(FvWeightForm form, int bits, const char *whose, FvError *err) {
  if ((unsigned)form > FV_WEIGHT_CODEBOOK) return fv_error_set(err, FV_ERR_INVALID, "%.200s: there is no such form of weights", whose);
  if (form == FV_WEIGHT_INT && (bits < 3 || bits > 8)) return fv_error_set(err, FV_ERR_INVALID, "%.200s: weights have 3 to 8 bits, not %d", whose, bits);
  if (form == FV_WEIGHT_CODEBOOK && (bits < 2 || bits > 256)) return fv_error_set(err, FV_ERR_INVALID, "%.200s: a codebook has 2 to 256 entries, not %d", whose, bits);
  return 0;
}

static int check(const FvCompressParams *params, FvError *err) {
  int result = check_form(params->weights, params->bits, "all layers", err);
  for (int i = 0; i < params->node_count && result == 0; i++) result = check_form(params->nodes[i].weights, params->nodes[i].bits, params->nodes[i].node, err);
  if (result < 0) return result;
  if (params->threads < 0 || params->threads > FV_MAX_THREADS)
    return fv_error_set(err, FV_ERR_INVALID, "threads must be 0 (one per core) to %d, not %d", FV_MAX_THREADS, params->threads);
  if (!(params->rate_weight >= 0 && params->rate_weight <= 1e6)) return fv_error_set(err, FV_ERR_INVALID, "the weight of the rate is 0 or more, not %g", params->rate_weight);
  if (!(params->budget >= 0)) return fv_error_set(err, FV_ERR_INVALID, "the budget is 0 or more, not %g", params->budget);
  if (!(params->mean_bits >= 0)) return fv_error_set(err, FV_ERR_INVALID, "the mean bits of weights are 0 or more, not %g", params->mean_bits);
  if (params->mean_bits > 0 && params->budget > 0) return fv_error_set(err, FV_ERR_INVALID, "bits per layer are chosen for a budget or for a size, not for both");
  if (params->mean_bits > 0 && params->weights != FV_WEIGHT_INT) return fv_error_set(err, FV_ERR_INVALID, "a size is reached by the bits of integer weights, and there are none");
  if (params->budget > 0 && !params->measure) return fv_error_set(err, FV_ERR_INVALID, "a budget needs a measure");
  if (params->budget > 0 && params->weights != FV_WEIGHT_INT) return fv_error_set(err, FV_ERR_INVALID, "a budget is spent on the bits of integer weights, and there are none");
  if (needs_pictures(params) && !params->calibration.read) return fv_error_set(err, FV_ERR_INVALID, "there are no pictures to calibrate with");
  return 0;
}

/* --- steps --- */

/* Makes base anew of a graph (taken over). */
static int set_base(Compression *it, FvGraph *graph) {
  FvModel *made = NULL;
  int result = fv_model_with_graph(it->base ? it->base : it->model, graph, &made, it->err);
  if (result < 0) return result;
  fv_model_destroy(&it->base);
  it->base = made;
  return 0;
}

static bool has_products(const FvGraph *graph) {
  for (int n = 0; n < graph->node_count; n++)
    if (fv_role_of(graph->nodes[n]) == FV_ROLE_PRODUCT || graph->nodes[n]->op->kind == FV_OP_CONV_TRANSPOSE) return true;
  return false;
}

static int simplify(Compression *it) {
  FvGraph *graph = fv_compress_graph(it->model, it->err);
  if (!graph) return it->err->code;
  if (has_products(graph)) return set_base(it, graph);
  fv_graph_destroy(&graph);
  return fv_error_set(it->err, FV_ERR_UNSUPPORTED, "%.256s has no fp32 weights of convolutions or matrix products: there is nothing to make smaller", fv_model_info(it->model).path);
}

static int calibrate(Compression *it, bool ranges_only) {
  const FvCompressParams *params = it->params;
  FvCalibrationParams how = {.pictures = params->calibration, .moments = !ranges_only, .ranges_only = ranges_only, .threads = params->threads, .progress = params->progress,
                             .progress_data = params->progress_data};
  fv_calibration_destroy(&it->calibration);
  return fv_calibration_create(it->base, it->base->prepared, &how, &it->calibration, it->err);
}

static int equalise(Compression *it) {
  int result = calibrate(it, true);
  FvGraph *graph = result == 0 ? fv_graph_clone(it->base->prepared) : NULL;
  if (result < 0 || !graph) return result < 0 ? result : out_of_memory(it);
  result = fv_equalise(graph, it->calibration, it->err);
  if (result == 0) return set_base(it, graph);
  fv_graph_destroy(&graph);
  return result;
}

/* What flows behind a pruned layer is not what flowed before. */
static int prune(Compression *it) {
  FvGraph *graph = fv_graph_clone(it->base->prepared);
  if (!graph) return out_of_memory(it);
  int result = fv_prune(graph, it->calibration, &it->params->prune, it->err);
  if (result < 0) fv_graph_destroy(&graph);
  if (result == 0) result = set_base(it, graph);
  return result == 0 ? calibrate(it, false) : result;
}

static FvQuantiseParams quantise_params(const Compression *it) {
  const FvCompressParams *params = it->params;
  return (FvQuantiseParams){.layers = it->forms, .ranges = params->ranges, .rounding = params->rounding, .rate_weight = params->rate_weight,
                          .bias_correction = !params->no_bias_correction};
}

static int search(Compression *it) {
  FvQuantiseParams how = quantise_params(it);
  FvSearchParams params = {it->model, it->base, it->calibration, it->params, &how};
  return fv_search_bits(&params, it->forms, it->err);
}

static int quantise(Compression *it) {
  FvQuantiseParams how = quantise_params(it);
  FvGraph *graph = fv_graph_clone(it->base->prepared);
  if (!graph) return out_of_memory(it);
  int result = fv_quantise(graph, it->calibration, &how, it->layers, it->err);
  if (result == 0) return fv_model_with_graph(it->base, graph, &it->made, it->err);
  fv_graph_destroy(&graph);
  return result;
}

static int prepare_layers(Compression *it) {
  FvGraph *graph = it->base->prepared;
  it->layers = calloc((size_t)graph->node_count + 1, sizeof *it->layers);
  return it->layers ? fv_choose_forms(graph, it->params, &it->forms, it->err) : out_of_memory(it);
}

/* --- telling --- */

static int add_layers(Compression *it) {
  FvCompressReport *report = it->report;
  int count = it->base->prepared->node_count;
  report->layers = calloc((size_t)count + 1, sizeof *report->layers);
  if (!report->layers) return out_of_memory(it);
  for (int n = 0; n < count; n++) {
    if (!it->layers[n].node) continue;
    FvLayerReport *layer = &report->layers[report->layer_count++];
    *layer = it->layers[n];
    layer->node = strdup(fv_node_label(it->base->prepared->nodes[n]));
    if (!layer->node) return out_of_memory(it);
  }
  return 0;
}

static int tell(Compression *it) {
  it->report = calloc(1, sizeof *it->report);
  if (!it->report) return out_of_memory(it);
  it->report->score_before = it->report->score_after = NAN;
  it->report->pictures = it->calibration ? it->params->calibration.count : 0;
  int result = add_layers(it);
  const FvCompressParams *params = it->params;
  if (result == 0 && params->measure) result = params->measure(params->measure_data, it->model, &it->report->score_before, it->err);
  if (result == 0 && params->measure) result = params->measure(params->measure_data, it->made, &it->report->score_after, it->err);
  return result;
}

void fv_compress_report_destroy(FvCompressReport **place) {
  if (!place || !*place) return;
  for (int i = 0; i < (*place)->layer_count; i++) free((char *)(*place)->layers[i].node); /* ours: see add_layers */
  free((*place)->layers);
  free(*place);
  *place = NULL;
}

static int run(Compression *it) {
  bool pictures = needs_pictures(it->params);
  int result = simplify(it);
  if (result == 0 && pictures && !it->params->no_equalisation) result = equalise(it);
  if (result == 0 && pictures) result = calibrate(it, false);
  if (result == 0 && it->params->prune.kind != FV_PRUNE_NONE) result = prune(it);
  if (result == 0) result = prepare_layers(it);
  if (result == 0 && (it->params->budget > 0 || it->params->mean_bits > 0)) result = search(it);
  if (result == 0) result = quantise(it);
  return result == 0 ? tell(it) : result;
}

int fv_compress(FvModel *model, const FvCompressParams *params, FvModel **compressed, FvCompressReport **report, FvError *err) {
  FvError local;
  if (!err) err = &local;
  if (!model || !params || !compressed) return fv_error_set(err, FV_ERR_INVALID, "a model, parameters and a place for the result are needed");
  Compression it = {.model = model, .params = params, .err = err};
  int result = check(params, err);
  if (result == 0) result = run(&it);
  if (result == 0) {
    *compressed = fv_model_ref(it.made);
    if (report) {
      *report = it.report;
      it.report = NULL;
    }
  }
  fv_compress_report_destroy(&it.report);
  fv_model_destroy(&it.made);
  fv_model_destroy(&it.base);
  fv_calibration_destroy(&it.calibration);
  free(it.forms);
  free(it.layers);
  return result;
}

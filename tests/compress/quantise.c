/* Models made here become QDQ models: what the graph then says, and what it computes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "compress/forms.h"
#include "compress/prepare.h"
#include "compress/ranges.h"
#include "ir/log_grid.h"
#include "support.h"

enum { SIDE = 8, CHANNELS = 6, PICTURES = 4 };

static void add_pads(Build *build, Onnx__NodeProto *node) {
  Onnx__AttributeProto *attribute = build_attribute(build, node, "pads", ATTR_INTS);
  attribute->ints = build_alloc(build, 4 * sizeof *attribute->ints);
  attribute->n_ints = 4;
  for (int i = 0; i < 4; i++) attribute->ints[i] = 1;
}

/* x -> first 3x3 -> Relu a -> depthwise 3x3 b -> point 1x1 p -> middle 1x1 -> SiLU, spelled out, d -> Concat(a, d) -> last 1x1 y; twin reads a with the weights of middle, z. */
static FvModel *make_model(Build *build) {
  build_init(build, 13);
  build_input(build, "x", FLOAT, 4, DIMS(1, 3, SIDE, SIDE));
  float *first = support_noise(build, 1, CHANNELS * 27);
  for (int i = 0; i < CHANNELS * 27; i++) first[i] *= 0.01f * (float)(1 << (i / 27)) / 4; /* channels of very different size */
  support_weights(build, "w1", first, 4, DIMS(CHANNELS, 3, 3, 3));
  support_weights(build, "b1", support_noise(build, 2, CHANNELS), 1, DIMS(CHANNELS));
  support_weights(build, "w2", support_noise(build, 3, CHANNELS * 9), 4, DIMS(CHANNELS, 1, 3, 3));
  support_weights(build, "w3", support_noise(build, 4, CHANNELS * CHANNELS), 4, DIMS(CHANNELS, CHANNELS, 1, 1));
  support_weights(build, "w4", support_noise(build, 5, 2 * 2 * CHANNELS), 4, DIMS(2, 2 * CHANNELS, 1, 1));
  add_pads(build, build_node(build, "Conv", "first", "x,w1,b1", "a0"));
  build_node(build, "Relu", "", "a0", "a");
  support_weights(build, "w5", support_noise(build, 6, CHANNELS * CHANNELS), 4, DIMS(CHANNELS, CHANNELS, 1, 1));
  Onnx__NodeProto *depthwise = build_node(build, "Conv", "depthwise", "a,w2", "b");
  build_int(build, depthwise, "group", CHANNELS);
  add_pads(build, depthwise);
  build_node(build, "Conv", "point", "b,w5", "p");
  build_node(build, "Conv", "middle", "p,w3", "c");
  build_node(build, "Sigmoid", "", "c", "s");
  build_node(build, "Mul", "", "c,s", "d");
  build_int(build, build_node(build, "Concat", "join", "a,d", "e"), "axis", 1);
  build_node(build, "Conv", "last", "e,w4", "y");
  build_node(build, "Conv", "twin", "a,w3", "z");
  build_output(build, "y");
  build_output(build, "z");
  return support_open(build);
}

typedef struct Fixture {
  Build build;
  FvModel *model, *base;
  Pictures pictures;
  FvCalibration *calibration;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  FvError err;
  (void)data;
  f->model = make_model(&f->build);
  FvGraph *graph = fv_compress_graph(f->model, &err);
  if (!graph || fv_model_with_graph(f->model, graph, &f->base, &err) < 0) g_error("%s", err.message);
  pictures_init(&f->pictures, PICTURES, SIDE, SIDE);
  FvCalibrationParams params = {.pictures = f->pictures.source, .moments = true, .threads = 1};
  if (fv_calibration_create(f->base, f->base->prepared, &params, &f->calibration, &err) < 0) g_error("%s", err.message);
}

static void tear_down(Fixture *f, gconstpointer data) {
  (void)data;
  fv_calibration_destroy(&f->calibration);
  pictures_finish(&f->pictures);
  fv_model_destroy(&f->base);
  fv_model_destroy(&f->model);
  build_free(&f->build);
}

static FvGraph *quantise(const Fixture *f, int bits, bool activations, const FvQuantiseParams *more, FvLayerReport *reports) {
  FvError err;
  FvGraph *graph = fv_graph_clone(f->base->prepared);
  FvQuantiseParams params = *more;
  FvLayerForm *forms = g_new(FvLayerForm, graph->node_count);
  for (int i = 0; i < graph->node_count; i++) forms[i] = (FvLayerForm){FV_WEIGHT_INT, bits, activations};
  params.layers = forms;
  if (fv_quantise(graph, f->calibration, &params, reports, &err) < 0) g_error("%s", err.message);
  g_free(forms);
  return graph;
}

static FvNode *named(const FvGraph *graph, const char *name) {
  for (int i = 0; i < graph->node_count; i++)
    if (strcmp(graph->nodes[i]->name, name) == 0) return graph->nodes[i];
  g_error("no node %s", name);
}

static int count_kind(const FvGraph *graph, FvOpKind kind) {
  int count = 0;
  for (int i = 0; i < graph->node_count; i++) count += graph->nodes[i]->op->kind == kind;
  return count;
}

static float scale_of(const FvNode *dequantise) { return *(float *)dequantise->inputs[1]->constant->data; }

static void test_graph(Fixture *f, gconstpointer data) {
  (void)data;
  FvGraph *graph = quantise(f, 8, true, &(FvQuantiseParams){0}, NULL);
  g_assert_cmpint(count_kind(graph, FV_OP_QUANTIZE), ==, 7); /* x, a, b, p, c, d, e: not a0 (the activation is fused), s (part of SiLU), y and z (outputs) */
  g_assert_cmpint(count_kind(graph, FV_OP_DEQUANTIZE), ==, 7 + 5); /* and five different weights */
  const FvNode *join = named(graph, "join");
  g_assert_cmpint(join->inputs[0]->producer->op->kind, ==, FV_OP_DEQUANTIZE);
  g_assert_cmpfloat(scale_of(join->inputs[0]->producer), ==, scale_of(join->inputs[1]->producer));
  g_assert_cmpfloat(scale_of(join->inputs[0]->producer), ==, scale_of(named(graph, "last")->inputs[0]->producer));
  g_assert_true(fv_on_log_grid(scale_of(join->inputs[0]->producer)));
  const uint8_t *zero = join->inputs[0]->producer->inputs[2]->constant->data;
  g_assert_cmpint(*zero, >, 0); /* SiLU goes below 0 */
  g_assert_true(named(graph, "middle")->inputs[1] == named(graph, "twin")->inputs[1]); /* same weights, kept once */
  for (int i = 0; i < graph->output_count; i++) g_assert_cmpint(graph->outputs[i]->dtype, ==, FV_DTYPE_F32);
  fv_graph_destroy(&graph);
}

static void test_weights(Fixture *f, gconstpointer data) {
  FvLayerReport reports[32] = {0};
  const int bits = 5;
  (void)data;
  FvGraph *graph = quantise(f, bits, true, &(FvQuantiseParams){.rounding = FV_ROUNDING_NEAREST, .bias_correction = true}, reports);
  const FvNode *conv = named(graph, "first"), *wide = conv->inputs[1]->producer;
  const FvTensor *levels = wide->inputs[0]->constant, *scales = wide->inputs[1]->constant, *bias = conv->inputs[2]->constant;
  const float *before = named(f->base->prepared, "first")->inputs[1]->constant->data;
  g_assert_cmpint(levels->dtype, ==, FV_DTYPE_I8);
  g_assert_cmpint(fv_node_int(wide, "axis", 9), ==, 0);
  for (int i = 0; i < CHANNELS * 27; i++) {
    int level = ((int8_t *)levels->data)[i];
    float scale = ((float *)scales->data)[i / 27];
    g_assert_cmpint(ABS(level), <=, 15);
    g_assert_true(fv_on_log_grid(scale));
    if (ABS(level) < 15) g_assert_cmpfloat(fabsf(before[i] - scale * (float)level), <=, scale * 0.5001f);
  }
  for (int c = 0; c < CHANNELS; c++) { /* binary16: 11 bits of mantissa */
    int exponent;
    float mantissa = frexpf(((float *)bias->data)[c], &exponent) * 2048;
    g_assert_cmpfloat(mantissa, ==, rintf(mantissa));
  }
  g_assert_cmpstr(reports[0].node, ==, "first");
  g_assert_cmpint(reports[0].weights, ==, CHANNELS * 27);
  g_assert_cmpint(reports[0].bits, ==, bits);
  g_assert_cmpfloat(reports[0].entropy_bits, >, 1);
  g_assert_cmpfloat(reports[0].entropy_bits, <=, bits);
  g_assert_cmpfloat(reports[0].output_error, >, 0);
  g_assert_cmpfloat(reports[0].output_error, <, 0.02);
  fv_graph_destroy(&graph);
}

/* Statistics of what the quantised graph computes over the same pictures. */
static FvCalibration *look_at(const Fixture *f, FvGraph *graph, FvModel **made) {
  FvCalibration *calibration = NULL;
  FvError err;
  FvCalibrationParams params = {.pictures = f->pictures.source, .ranges_only = true, .threads = 1};
  if (fv_model_with_graph(f->base, graph, made, &err) < 0 || fv_calibration_create(*made, (*made)->prepared, &params, &calibration, &err) < 0) g_error("%s", err.message);
  return calibration;
}

static double mean_error(const Fixture *f, const FvCalibration *calibration, const char *value) {
  const FvActivationStats *was = fv_calibration_stats(f->calibration, value), *is = fv_calibration_stats(calibration, value);
  double sum = 0;
  for (int c = 0; c < was->channels; c++) sum += fabs((double)was->channel_mean[c] - (double)is->channel_mean[c]) / (double)(was->max - was->min);
  return sum / was->channels;
}

/* All positions of these small pictures were patches, so that the first layer's means must come out right, to the binary16 of its bias. */
static void test_bias_correction(Fixture *f, gconstpointer data) {
  double errors[2];
  (void)data;
  for (int corrected = 0; corrected < 2; corrected++) {
    FvModel *made = NULL;
    FvGraph *graph = quantise(f, 3, false, &(FvQuantiseParams){.rounding = FV_ROUNDING_NEAREST, .bias_correction = corrected}, NULL);
    FvCalibration *calibration = look_at(f, graph, &made);
    errors[corrected] = mean_error(f, calibration, "a0");
    fv_calibration_destroy(&calibration);
    fv_model_destroy(&made);
  }
  g_assert_cmpfloat(errors[0], >, 2e-3);
  g_assert_cmpfloat(errors[1], <, 2e-4);
}

/* --- equalisation --- */

static float spread(const FvCalibration *calibration, const char *value) {
  const FvActivationStats *stats = fv_calibration_stats(calibration, value);
  float least = INFINITY, most = 0;
  for (int c = 0; c < stats->channels; c++) {
    float range = fmaxf(fabsf(stats->channel_min[c]), fabsf(stats->channel_max[c]));
    least = fminf(least, range);
    most = fmaxf(most, range);
  }
  return most / least;
}

static void test_equalisation(Fixture *f, gconstpointer data) {
  FvError err;
  FvModel *made = NULL;
  (void)data;
  FvGraph *graph = fv_graph_clone(f->base->prepared);
  g_assert_cmpint(fv_equalise(graph, f->calibration, &err), ==, 0);
  FvCalibration *calibration = look_at(f, graph, &made);
  g_assert_cmpfloat(spread(f->calibration, "b"), >, 4);
  g_assert_cmpfloat(spread(calibration, "b"), <, spread(f->calibration, "b") * 0.9f); /* b: only point reads it, with weights of its own */
  g_assert_cmpfloat_with_epsilon(spread(calibration, "a"), spread(f->calibration, "a"), 1e-3f); /* a: three read it */
  static const char *const values[] = {"a", "c", "d", "y", "z"};
  for (size_t i = 0; i < G_N_ELEMENTS(values); i++) g_assert_cmpfloat(mean_error(f, calibration, values[i]), <, 1e-5);
  fv_calibration_destroy(&calibration);
  fv_model_destroy(&made);
}

/* --- ranges --- */

static FvActivationStats make_stats(float *bins, float low, float high) {
  FvActivationStats stats = {.min = low, .max = high, .histogram = bins};
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) stats.count += (int64_t)bins[b];
  return stats;
}

static double error_by_hand(const FvActivationStats *stats, FvGrid grid) {
  double width = ((double)stats->max - (double)stats->min) / FV_HISTOGRAM_BINS, wrong = 0, all = 0;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) {
    double x = (double)stats->min + (b + 0.5) * width;
    if ((double)stats->min + b * width <= 0 && (double)stats->min + (b + 1) * width > 0) x = 0;
    double level = rint(x / (double)grid.scale) + grid.zero;
    level = level < 0 ? 0 : level > 255 ? 255 : level;
    double back = (level - grid.zero) * (double)grid.scale;
    wrong += (double)stats->histogram[b] * (back - x) * (back - x);
    all += (double)stats->histogram[b] * x * x;
  }
  return wrong / all;
}

static void test_ranges(void) {
  float bins[FV_HISTOGRAM_BINS];
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) bins[b] = (float)floor(1e6 * exp(-0.02 * b)); /* long-tailed */
  bins[FV_HISTOGRAM_BINS - 1] = 1;
  FvActivationStats stats = make_stats(bins, -1, 9);
  FvHistogram histogram;
  fv_histogram_init(&histogram, stats.min, stats.max);
  fv_histogram_add(&histogram, &stats);
  FvGrid whole = fv_choose_grid(&histogram, FV_RANGE_MINMAX), best = fv_choose_grid(&histogram, FV_RANGE_AUTO);
  g_assert_cmpfloat(-(float)whole.zero * whole.scale, <=, -1 + whole.scale / 2);
  g_assert_cmpfloat((float)(255 - whole.zero) * whole.scale, >=, 9 - whole.scale / 2);
  g_assert_cmpfloat(whole.scale, <=, 10 / 255.0f * 1.045f);
  static const FvRangeMethod methods[] = {FV_RANGE_AUTO, FV_RANGE_MINMAX, FV_RANGE_PERCENTILE, FV_RANGE_KL, FV_RANGE_MSE};
  for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
    FvGrid grid = fv_choose_grid(&histogram, methods[i]);
    g_assert_true(fv_on_log_grid(grid.scale));
    g_assert_cmpint(grid.zero, >=, 0);
    g_assert_cmpint(grid.zero, <=, 255);
    g_assert_cmpfloat(fabs(fv_grid_error(&histogram, grid) - error_by_hand(&stats, grid)), <=, 0.02 * error_by_hand(&stats, grid));
    g_assert_cmpfloat(fv_grid_error(&histogram, best), <=, fv_grid_error(&histogram, grid));
  }
  g_assert_cmpfloat(best.scale, <, whole.scale);
  fv_histogram_init(&histogram, 3, 3); /* nothing but one number: 0 must fit all the same */
  g_assert_cmpint(fv_choose_grid(&histogram, FV_RANGE_AUTO).zero, ==, 0);
  fv_histogram_init(&histogram, 0, 0);
  g_assert_true(fv_on_log_grid(fv_choose_grid(&histogram, FV_RANGE_MINMAX).scale));
}

/* A large map of small numbers does not decide for a small map of large ones. */
static void test_values_count_alike(void) {
  float bins[FV_HISTOGRAM_BINS];
  FvHistogram histogram;
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) bins[b] = 1e6f;
  FvActivationStats large = make_stats(bins, 0, 1);
  float few[FV_HISTOGRAM_BINS];
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) few[b] = 1;
  FvActivationStats small = make_stats(few, 0, 10);
  fv_histogram_init(&histogram, 0, 10);
  fv_histogram_add(&histogram, &large);
  fv_histogram_add(&histogram, &small);
  FvGrid grid = fv_choose_grid(&histogram, FV_RANGE_AUTO);
  g_assert_cmpfloat((float)(255 - grid.zero) * grid.scale, >, 9.0f);
}

/* --- forms and the whole --- */

static void test_forms(Fixture *f, gconstpointer data) {
  FvError err;
  FvLayerForm *forms = NULL;
  (void)data;
  const FvNodeForm kept[] = {{"mid*", FV_WEIGHT_F32, 0}, {"point", FV_WEIGHT_INT, 6, true}};
  FvCompressParams params = {.weights = FV_WEIGHT_INT, .bits = 4, .activations = FV_ACTIVATIONS_INT8, .nodes = kept, .node_count = 2};
  FvGraph *graph = f->base->prepared;
  if (fv_choose_forms(graph, &params, &forms, &err) < 0) g_error("%s", err.message);
  for (int i = 0; i < graph->node_count; i++) {
    const char *name = graph->nodes[i]->name;
    if (strcmp(name, "first") == 0 || strcmp(name, "last") == 0 || strcmp(name, "twin") == 0) g_assert_cmpint(forms[i].bits, ==, 8); /* an end */
    if (strcmp(name, "depthwise") == 0) g_assert_cmpint(forms[i].bits, ==, 4);
    if (strcmp(name, "point") == 0) g_assert_true(forms[i].bits == 6 && !forms[i].activations);
    if (strcmp(name, "middle") == 0) g_assert_cmpint(forms[i].weights, ==, FV_WEIGHT_F32);
  }
  free(forms);
  const FvNodeForm strange[] = {{"nowhere", FV_WEIGHT_F32, 0}};
  params.nodes = strange;
  params.node_count = 1;
  g_assert_cmpint(fv_choose_forms(graph, &params, &forms, &err), ==, FV_ERR_INVALID);
  g_assert_nonnull(strstr(err.message, "nowhere"));
}

static int score_by_count(void *data, FvModel *model, double *score, FvError *err) {
  (void)data;
  (void)err;
  *score = fv_model_info(model).node_count;
  return 0;
}

static void test_compress(Fixture *f, gconstpointer data) {
  FvError err;
  char *bytes[2];
  gsize sizes[2];
  (void)data;
  for (int i = 0; i < 2; i++) { /* the same input gives the same file, whatever the threads */
    FvModel *made = NULL;
    FvCompressReport *report = NULL;
    FvCompressParams params = {.weights = FV_WEIGHT_INT, .bits = 6, .activations = FV_ACTIVATIONS_INT8, .calibration = f->pictures.source, .threads = 1 + i, .measure = score_by_count};
    if (fv_compress(f->model, &params, &made, &report, &err) < 0) g_error("%s", err.message);
    g_assert_cmpint(report->layer_count, ==, 6); /* twin is an end, and wider than middle */
    g_assert_cmpint(report->pictures, ==, PICTURES);
    g_assert_true(isfinite(report->score_before) && isfinite(report->score_after));
    g_autofree char *path = g_strdup_printf("%s/fovea-compress-%d-%d.fovea", g_get_tmp_dir(), (int)getpid(), i);
    if (fv_container_write(made, path, NULL, &err) < 0) g_error("%s", err.message);
    g_assert_true(g_file_get_contents(path, &bytes[i], &sizes[i], NULL));
    g_remove(path);
    fv_compress_report_destroy(&report);
    fv_model_destroy(&made);
  }
  g_assert_cmpmem(bytes[0], sizes[0], bytes[1], sizes[1]);
  g_free(bytes[0]);
  g_free(bytes[1]);
}

static void test_refusals(Fixture *f, gconstpointer data) {
  FvError err;
  FvModel *made = NULL;
  (void)data;
  const FvCompressParams wrong[] = {
    {.weights = FV_WEIGHT_INT, .bits = 8},
    {.weights = FV_WEIGHT_INT, .bits = 2, .calibration = f->pictures.source},
    {.weights = FV_WEIGHT_CODEBOOK, .bits = 1, .calibration = f->pictures.source},
    {.weights = FV_WEIGHT_INT, .bits = 8, .calibration = f->pictures.source, .threads = -1},
    {.weights = FV_WEIGHT_INT, .bits = 8, .calibration = f->pictures.source, .budget = 1},
    {.weights = FV_WEIGHT_INT, .bits = 8, .calibration = f->pictures.source, .rate_weight = NAN},
    {.weights = (FvWeightForm)77},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) g_assert_cmpint(fv_compress(f->model, &wrong[i], &made, NULL, &err), ==, FV_ERR_INVALID);
  g_assert_null(made);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(path, function) g_test_add("/compress/quantise/" path, Fixture, NULL, set_up, function, tear_down)
  ADD("what-has-8-bits", test_graph);
  ADD("weights-are-levels", test_weights);
  ADD("means-are-kept", test_bias_correction);
  ADD("equalisation-changes-nothing-but-ranges", test_equalisation);
  ADD("ends-are-wide-and-patterns-win", test_forms);
  ADD("the-same-input-gives-the-same-file", test_compress);
  ADD("refusals", test_refusals);
  g_test_add_func("/compress/ranges/methods", test_ranges);
  g_test_add_func("/compress/ranges/values-count-alike", test_values_count_alike);
  return g_test_run();
}

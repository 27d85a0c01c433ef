/* Statistics of activations against sums written out here. */
#include <math.h>
#include <string.h>

#include "compress/calibrate.h"
#include "compress/prepare.h"
#include "support.h"

enum { SIDE = 8, CHANNELS = 4, PICTURES = 3 };

/* x [1,3,8,8] -> Pad 1 -> Conv 3x3 -> BatchNormalization -> Relu -> depthwise Conv 3x3, pads 1 -> y */
static FvModel *make_model(Build *build) {
  static const float ones[CHANNELS] = {1, 2, 0.5f, 1}, shifts[CHANNELS] = {0, 10, -20, 5};
  build_init(build, 13);
  build_input(build, "x", FLOAT, 4, DIMS(1, 3, SIDE, SIDE));
  support_weights(build, "w", support_noise(build, 1, CHANNELS * 27), 4, DIMS(CHANNELS, 3, 3, 3));
  support_weights(build, "d", support_noise(build, 2, CHANNELS * 9), 4, DIMS(CHANNELS, 1, 3, 3));
  support_weights(build, "one", ones, 1, DIMS(CHANNELS));
  support_weights(build, "shift", shifts, 1, DIMS(CHANNELS));
  int64_t *pads = build_alloc(build, 8 * sizeof *pads);
  memcpy(pads, DIMS(0, 0, 1, 1, 0, 0, 1, 1), 8 * sizeof *pads);
  build_raw(build, build_tensor(build, "pads", INT64, 1, DIMS(8)), pads, 8 * sizeof *pads);
  build_node(build, "Pad", "pad", "x,pads", "padded");
  build_node(build, "Conv", "first", "padded,w", "a");
  build_node(build, "BatchNormalization", "norm", "a,one,shift,shift,one", "b");
  build_node(build, "Relu", "relu", "b", "c");
  Onnx__NodeProto *depthwise = build_node(build, "Conv", "depthwise", "c,d", "y");
  build_int(build, depthwise, "group", CHANNELS);
  Onnx__AttributeProto *attribute = build_attribute(build, depthwise, "pads", ATTR_INTS);
  attribute->ints = build_alloc(build, 4 * sizeof *attribute->ints);
  attribute->n_ints = 4;
  for (int i = 0; i < 4; i++) attribute->ints[i] = 1;
  build_output(build, "y");
  return support_open(build);
}

typedef struct Fixture {
  Build build;
  FvModel *model;
  FvGraph *graph;
  Pictures pictures;
  FvCalibration *calibration;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  FvError err;
  (void)data;
  f->model = make_model(&f->build);
  f->graph = fv_compress_graph(f->model, &err);
  g_assert_nonnull(f->graph);
  pictures_init(&f->pictures, PICTURES, SIDE, SIDE);
  FvCalibrationParams params = {.pictures = f->pictures.source, .moments = true, .threads = 2};
  if (fv_calibration_create(f->model, f->graph, &params, &f->calibration, &err) < 0) g_error("%s", err.message);
}

static void tear_down(Fixture *f, gconstpointer data) {
  (void)data;
  fv_calibration_destroy(&f->calibration);
  pictures_finish(&f->pictures);
  fv_graph_destroy(&f->graph);
  fv_model_destroy(&f->model);
  build_free(&f->build);
}

static void test_folded(Fixture *f, gconstpointer data) {
  (void)data;
  g_assert_cmpint(f->graph->node_count, ==, 3); /* pad and batch norm are in the convolution */
  g_assert_cmpstr(f->graph->nodes[0]->op->name, ==, "Conv");
  int64_t pads[4];
  g_assert_cmpint(fv_node_ints(f->graph->nodes[0], "pads", pads, 4), ==, 4);
  for (int i = 0; i < 4; i++) g_assert_cmpint(pads[i], ==, 1);
}

static void run(FvModel *model, float *out) {
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  FvError err;
  if (fv_plan_create(model, &fv_plan_params(.threads = 1, .flags = FV_PLAN_REFERENCE), &plan, &err) < 0 || fv_session_create(plan, &session, &err) < 0)
    g_error("%s", err.message);
  float *in = g_new(float, 3 * SIDE * SIDE);
  for (int c = 0; c < 3; c++)
    for (int i = 0; i < SIDE * SIDE; i++) in[c * SIDE * SIDE + i] = (float)pictures_pixel(0, i % SIDE, i / SIDE, c, SIDE);
  FvTensor from = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, 3, SIDE, SIDE}, .data = in};
  fv_tensor_set_contiguous(&from);
  FvTensor to = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, CHANNELS, SIDE, SIDE}, .data = out};
  fv_tensor_set_contiguous(&to);
  g_assert_cmpint(fv_tensor_copy(fv_session_input(session, 0), &from, NULL), ==, 0);
  g_assert_cmpint(fv_session_run(session, &err), ==, 0);
  g_assert_cmpint(fv_tensor_copy(&to, fv_session_output(session, 0), NULL), ==, 0);
  g_free(in);
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
}

/* The simplified graph as a model of its own computes what the model did, also when that one is let go. */
static void test_model_with_graph(Fixture *f, gconstpointer data) {
  float before[CHANNELS * SIDE * SIDE], after[CHANNELS * SIDE * SIDE];
  FvModel *made = NULL;
  FvError err;
  (void)data;
  run(f->model, before);
  if (fv_model_with_graph(f->model, fv_graph_clone(f->graph), &made, &err) < 0) g_error("%s", err.message);
  g_assert_cmpstr(fv_model_info(made).path, ==, fv_model_info(f->model).path);
  g_assert_cmpint(fv_model_description(made)->preprocess.width, ==, SIDE);
  run(made, after);
  for (int i = 0; i < CHANNELS * SIDE * SIDE; i++) g_assert_cmpfloat(fabsf(before[i] - after[i]), <=, 1e-3f);
  fv_model_destroy(&made);
}

static void test_input_stats(Fixture *f, gconstpointer data) {
  (void)data;
  const FvActivationStats *stats = fv_calibration_stats(f->calibration, "x");
  g_assert_nonnull(stats);
  g_assert_cmpint(stats->count, ==, PICTURES * 3 * SIDE * SIDE);
  g_assert_cmpint(stats->channels, ==, 3);
  double low = 255, high = 0, counted = 0;
  for (int c = 0; c < 3; c++) {
    double channel_low = 255, channel_high = 0, sum = 0;
    for (int p = 0; p < PICTURES; p++)
      for (int i = 0; i < SIDE * SIDE; i++) {
        int v = pictures_pixel(p, i % SIDE, i / SIDE, c, SIDE);
        channel_low = MIN(channel_low, v);
        channel_high = MAX(channel_high, v);
        sum += v;
      }
    g_assert_cmpfloat(stats->channel_min[c], ==, channel_low);
    g_assert_cmpfloat(stats->channel_max[c], ==, channel_high);
    g_assert_cmpfloat(fabs(stats->channel_mean[c] - sum / (PICTURES * SIDE * SIDE)), <, 1e-3);
    low = MIN(low, channel_low);
    high = MAX(high, channel_high);
  }
  g_assert_cmpfloat(stats->min, ==, low);
  g_assert_cmpfloat(stats->max, ==, high);
  for (int b = 0; b < FV_HISTOGRAM_BINS; b++) counted += stats->histogram[b];
  g_assert_cmpfloat(counted, ==, stats->count);
  g_assert_cmpfloat(stats->histogram[0], >=, 1);
  g_assert_cmpfloat(stats->histogram[FV_HISTOGRAM_BINS - 1], >=, 1);
}

/* Entry k of the patch at (x, y): channel, row, column, as ONNX orders weights; zero outside. */
static double patch_entry(int picture, int x, int y, int k) {
  int c = k / 9, u = x + k % 3 - 1, v = y + k / 3 % 3 - 1;
  return u < 0 || v < 0 || u >= SIDE || v >= SIDE ? 0 : pictures_pixel(picture, u, v, c, SIDE);
}

static void test_moments(Fixture *f, gconstpointer data) {
  (void)data;
  const FvMoments *moments = fv_calibration_moments(f->calibration, "b"); /* the folded batch norm's value */
  g_assert_nonnull(moments);
  g_assert_cmpint(moments->groups, ==, 1);
  g_assert_cmpint(moments->size, ==, 27);
  g_assert_cmpint(moments->patches, ==, PICTURES * SIDE * SIDE); /* few enough to take all */
  for (int i = 0; i < 27; i++) {
    double mean = 0;
    for (int j = 0; j < 27; j++) {
      double sum = 0;
      mean = 0;
      for (int p = 0; p < PICTURES; p++)
        for (int at = 0; at < SIDE * SIDE; at++) {
          sum += patch_entry(p, at % SIDE, at / SIDE, i) * patch_entry(p, at % SIDE, at / SIDE, j);
          mean += patch_entry(p, at % SIDE, at / SIDE, i);
        }
      sum /= PICTURES * SIDE * SIDE;
      g_assert_cmpfloat(fabs(moments->matrix[i * 27 + j] - sum), <=, 1e-4 * sum);
    }
    g_assert_cmpfloat(fabs(moments->mean[i] - mean / (PICTURES * SIDE * SIDE)), <=, 1e-2);
  }
}

static void test_grouped_moments(Fixture *f, gconstpointer data) {
  (void)data;
  const FvMoments *moments = fv_calibration_moments(f->calibration, "y");
  const FvActivationStats *stats = fv_calibration_stats(f->calibration, "c");
  g_assert_nonnull(moments);
  g_assert_cmpint(moments->groups, ==, CHANNELS);
  g_assert_cmpint(moments->size, ==, 9);
  for (int g = 0; g < CHANNELS; g++) /* the middle tap sees every pixel once */
    g_assert_cmpfloat(fabs(moments->mean[g * 9 + 4] - stats->channel_mean[g]), <=, 1e-4 * fabs(stats->channel_mean[g]) + 1e-6);
  g_assert_null(fv_calibration_moments(f->calibration, "c"));
  g_assert_null(fv_calibration_stats(f->calibration, "nothing"));
}

static int cancel(void *data, const char *what, int done, int total) {
  (void)data;
  (void)what;
  g_assert_cmpint(total, ==, 2 * PICTURES);
  return done == 1;
}

static void test_ends_early(Fixture *f, gconstpointer data) {
  FvCalibration *calibration = NULL;
  FvError err;
  (void)data;
  FvCalibrationParams params = {.pictures = f->pictures.source, .threads = 1, .progress = cancel};
  g_assert_cmpint(fv_calibration_create(f->model, f->graph, &params, &calibration, &err), ==, FV_ERR_CANCELLED);
  params.pictures.count = 0;
  g_assert_cmpint(fv_calibration_create(f->model, f->graph, &params, &calibration, &err), ==, FV_ERR_INVALID);
  g_assert_null(calibration);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(path, function) g_test_add("/compress/calibrate/" path, Fixture, NULL, set_up, function, tear_down)
  ADD("pads-and-batch-norms-are-folded", test_folded);
  ADD("a-model-of-the-graph-computes-the-same", test_model_with_graph);
  ADD("ranges-and-histogram-of-the-input", test_input_stats);
  ADD("second-moments", test_moments);
  ADD("second-moments-by-group", test_grouped_moments);
  ADD("cancelled-or-without-pictures", test_ends_early);
  return g_test_run();
}

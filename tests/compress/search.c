/* Bits per layer within a budget, on a small network with a measure of our own. */
#include <math.h>
#include <string.h>

#include "support.h"

enum { SIDE = 8, PICTURES = 4, WIDE = 12, OUTPUTS = 6 };

typedef struct Fixture {
  Build build;
  FvModel *model;
  Pictures pictures;
  float expected[OUTPUTS * SIDE * SIDE];
  int measured, limit; /* progress ends the work after so many calls; 0: never */
  int unlucky;         /* the measurement with this number, from 1, is far too bad */
} Fixture;

static void add_conv(Build *build, const char *name, int64_t out, int64_t in, const char *from, const char *to) {
  g_autofree char *w = g_strconcat(name, "_w", NULL), *inputs = g_strconcat(from, ",", w, NULL);
  support_weights(build, w, support_noise(build, g_str_hash(name), (gsize)(out * in)), 4, DIMS(out, in, 1, 1));
  build_node(build, "Conv", name, inputs, to);
}

/* Outputs of a model on one picture. */
static void run(FvModel *model, float *out) {
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  FvError err;
  if (fv_plan_create(model, &fv_plan_params(.device = "cpu", .threads = 1), &plan, &err) < 0 || fv_session_create(plan, &session, &err) < 0) g_error("%s", err.message);
  float in[3 * SIDE * SIDE];
  for (int i = 0; i < 3 * SIDE * SIDE; i++) in[i] = (float)pictures_pixel(PICTURES, i % SIDE, i / SIDE % SIDE, i / (SIDE * SIDE), SIDE);
  FvTensor from = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, 3, SIDE, SIDE}, .data = in}, to = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, OUTPUTS, SIDE, SIDE}, .data = out};
  fv_tensor_set_contiguous(&from);
  fv_tensor_set_contiguous(&to);
  g_assert_cmpint(fv_tensor_copy(fv_session_input(session, 0), &from, NULL), ==, 0);
  g_assert_cmpint(fv_session_run(session, &err), ==, 0);
  g_assert_cmpint(fv_tensor_copy(&to, fv_session_output(session, 0), NULL), ==, 0);
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
}

/* 100 less the relative squared error in percent. */
static int measure(void *data, FvModel *model, double *score, FvError *err) {
  Fixture *f = data;
  float out[OUTPUTS * SIDE * SIDE];
  double wrong = 0, whole = 0;
  (void)err;
  run(model, out);
  for (int i = 0; i < OUTPUTS * SIDE * SIDE; i++) wrong += pow((double)out[i] - f->expected[i], 2), whole += (double)f->expected[i] * f->expected[i];
  *score = 100 - 100 * wrong / whole;
  if (++f->measured == f->unlucky) *score -= 0.5;
  return 0;
}

static int progress(void *data, const char *what, int done, int total) {
  Fixture *f = data;
  g_assert_nonnull(what);
  g_assert_cmpint(done, >=, 0);
  g_assert_cmpint(done, <=, total);
  return f->limit && f->measured >= f->limit;
}

static void set_up(Fixture *f, gconstpointer data) {
  (void)data;
  build_init(&f->build, 13);
  build_input(&f->build, "x", FLOAT, 4, DIMS(1, 3, SIDE, SIDE));
  add_conv(&f->build, "first", WIDE, 3, "x", "a");
  build_node(&f->build, "Relu", "r1", "a", "b");
  add_conv(&f->build, "second", 2 * WIDE, WIDE, "b", "c");
  build_node(&f->build, "Relu", "r2", "c", "d");
  add_conv(&f->build, "third", WIDE, 2 * WIDE, "d", "e");
  build_node(&f->build, "Relu", "r3", "e", "f");
  add_conv(&f->build, "last", OUTPUTS, WIDE, "f", "y");
  build_output(&f->build, "y");
  f->model = support_open(&f->build);
  pictures_init(&f->pictures, PICTURES, SIDE, SIDE);
  run(f->model, f->expected);
}

static void tear_down(Fixture *f, gconstpointer data) {
  (void)data;
  pictures_finish(&f->pictures);
  fv_model_destroy(&f->model);
  build_free(&f->build);
}

static FvCompressParams params_of(Fixture *f, double budget) {
  return fv_compress_params(.weights = FV_WEIGHT_INT, .bits = 8, .calibration = f->pictures.source, .threads = 1, .budget = budget, .measure = measure, .measure_data = f,
                            .progress = progress, .progress_data = f);
}

/* Bits of all weights together; bits by layer go to `bits` in the order of the network. */
static double compress(const FvCompressParams *params, FvModel *model, int bits[4], double *loss) {
  FvModel *made = NULL;
  FvCompressReport *report = NULL;
  FvError err;
  double sum = 0;
  if (fv_compress(model, params, &made, &report, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(report->layer_count, ==, 4);
  for (int i = 0; i < 4; i++) {
    bits[i] = report->layers[i].bits;
    sum += (double)report->layers[i].weights * bits[i];
    g_assert_cmpint(bits[i], >=, 3);
    g_assert_cmpint(bits[i], <=, 8);
  }
  *loss = report->score_before - report->score_after;
  fv_compress_report_destroy(&report);
  fv_model_destroy(&made);
  return sum;
}

/* More budget, fewer bits; what comes out is within it, and the same each time. */
static void test_budget(Fixture *f, gconstpointer data) {
  static const double budgets[] = {0.01, 0.1, 1, 50};
  double last = INFINITY, loss;
  (void)data;
  for (size_t i = 0; i < G_N_ELEMENTS(budgets); i++) {
    FvCompressParams params = params_of(f, budgets[i]);
    int bits[4], again[4];
    double sum = compress(&params, f->model, bits, &loss);
    g_test_message("budget %g: loss %.4f, bits %d %d %d %d", budgets[i], loss, bits[0], bits[1], bits[2], bits[3]);
    g_assert_cmpfloat(loss, <=, budgets[i]);
    g_assert_cmpfloat(sum, <=, last);
    last = sum;
    if (i != 1) continue;
    compress(&params, f->model, again, &loss);
    g_assert_cmpmem(bits, sizeof bits, again, sizeof again);
  }
  g_assert_cmpfloat(last, <, 4 * (WIDE * 3 + 4 * WIDE * WIDE + OUTPUTS * WIDE));
}

/* One answer that is too bad half-way does not end the search there. */
static void test_noise(Fixture *f, gconstpointer data) {
  FvCompressParams params = params_of(f, 0.2);
  int bits[4];
  double loss, lucky = compress(&params, f->model, bits, &loss);
  (void)data;
  f->measured = 0, f->unlucky = 6; /* after the model itself, 8 bits everywhere, and two steps */
  double unlucky = compress(&params, f->model, bits, &loss);
  g_test_message("%.0f bits, and %.0f after a bad answer", lucky, unlucky);
  g_assert_cmpfloat(loss, <=, 0.2);
  g_assert_cmpfloat(unlucky, <=, 1.1 * lucky);
}

/* Layers that the caller speaks of keep what he says. */
static void test_asked(Fixture *f, gconstpointer data) {
  static const FvNodeForm asked[] = {{.node = "th*", .weights = FV_WEIGHT_INT, .bits = 7}, {.node = "first", .weights = FV_WEIGHT_F16}};
  FvCompressParams params = params_of(f, 50);
  FvModel *made = NULL;
  FvCompressReport *report = NULL;
  FvError err;
  (void)data;
  params.nodes = asked, params.node_count = 2;
  if (fv_compress(f->model, &params, &made, &report, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(report->layers[0].form, ==, FV_WEIGHT_F16);
  g_assert_cmpint(report->layers[1].bits, <, 7);
  g_assert_cmpint(report->layers[2].bits, ==, 7);
  fv_compress_report_destroy(&report);
  fv_model_destroy(&made);
}

/* A size instead of a budget: it is kept, and nothing is measured on the way. */
static void test_size(Fixture *f, gconstpointer data) {
  static const double sizes[] = {7.5, 6, 5};
  double last = INFINITY, loss;
  (void)data;
  for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
    FvCompressParams params = params_of(f, 0);
    int bits[4];
    params.mean_bits = sizes[i], f->measured = 0;
    double sum = compress(&params, f->model, bits, &loss);
    g_test_message("%g bits in the file: %d %d %d %d, loss %.4f", sizes[i], bits[0], bits[1], bits[2], bits[3], loss);
    g_assert_cmpfloat(sum, <, last);
    g_assert_cmpint(f->measured, ==, 2); /* for the report */
    last = sum;
  }
  FvCompressParams params = params_of(f, 0);
  FvModel *made = NULL;
  FvError err;
  params.mean_bits = 1;
  g_assert_cmpint(fv_compress(f->model, &params, &made, NULL, &err), ==, FV_ERR_UNSUPPORTED);
  g_assert_nonnull(strstr(err.message, "weights of 3 bits take"));
  params.budget = 1;
  g_assert_cmpint(fv_compress(f->model, &params, &made, NULL, &err), ==, FV_ERR_INVALID);
}

/* What 8-bit activations cost comes out of the same budget: where it is too much for that, some layers compute in f32. */
static void test_activations(Fixture *f, gconstpointer data) {
  static const double budgets[] = {0.002, 0.05, 1};
  int integers[3] = {0};
  (void)data;
  for (int i = 0; i < 3; i++) {
    FvCompressParams params = params_of(f, budgets[i]);
    FvModel *made = NULL;
    FvCompressReport *report = NULL;
    FvOperatorCount operators[32];
    FvError err;
    params.activations = FV_ACTIVATIONS_INT8;
    if (fv_compress(f->model, &params, &made, &report, &err) < 0) {
      g_assert_cmpstr(strstr(err.message, "with 8 bits for all weights"), !=, NULL);
      continue;
    }
    g_assert_cmpfloat(report->score_before - report->score_after, <=, budgets[i]);
    for (int k = 0, n = fv_model_operators(made, operators, 32); k < n; k++)
      if (strcmp(operators[k].name, "QuantizeLinear") == 0) integers[i] = operators[k].count;
    g_test_message("budget %g: loss %.4f, %d values in 8 bits", budgets[i], report->score_before - report->score_after, integers[i]);
    fv_compress_report_destroy(&report);
    fv_model_destroy(&made);
  }
  g_assert_cmpint(integers[2], >, integers[1]);
  g_assert_cmpint(integers[1], >=, integers[0]);
}

static void test_out_of_reach(Fixture *f, gconstpointer data) {
  FvCompressParams params = params_of(f, 1e-9);
  FvModel *made = NULL;
  FvError err;
  (void)data;
  g_assert_cmpint(fv_compress(f->model, &params, &made, NULL, &err), ==, FV_ERR_UNSUPPORTED);
  g_assert_nonnull(strstr(err.message, "with 8 bits for all weights the loss is"));
  g_assert_null(made);
}

static void test_cancelled(Fixture *f, gconstpointer data) {
  FvCompressParams params = params_of(f, 1);
  FvModel *made = NULL;
  FvError err;
  (void)data;
  f->limit = 3;
  g_assert_cmpint(fv_compress(f->model, &params, &made, NULL, &err), ==, FV_ERR_CANCELLED);
  g_assert_cmpint(f->measured, ==, 3);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/compress/search/budget", Fixture, NULL, set_up, test_budget, tear_down);
  g_test_add("/compress/search/noise", Fixture, NULL, set_up, test_noise, tear_down);
  g_test_add("/compress/search/asked", Fixture, NULL, set_up, test_asked, tear_down);
  g_test_add("/compress/search/activations", Fixture, NULL, set_up, test_activations, tear_down);
  g_test_add("/compress/search/size", Fixture, NULL, set_up, test_size, tear_down);
  g_test_add("/compress/search/out-of-reach", Fixture, NULL, set_up, test_out_of_reach, tear_down);
  g_test_add("/compress/search/cancelled", Fixture, NULL, set_up, test_cancelled, tear_down);
  return g_test_run();
}

/* Pruning of weights and channels: what goes, what stays the same, what is refused. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "compress/prepare.h"
#include "compress/prune.h"
#include "compress/prune_layer.h"
#include "numbers.h"
#include "support.h"

enum { SIDE = 8, PICTURES = 4, WIDE = 8 };

typedef struct Fixture {
  Build build;
  FvModel *model;
  FvGraph *graph;
  Pictures pictures;
  FvCalibration *calibration;
} Fixture;

/* Weights [out, in, kernel, kernel] of which the output channels in `silent` (bits) are 0, and a bias with the same zeros. */
static void add_weights(Build *build, const char *name, int64_t out, int64_t in, int64_t kernel, unsigned silent) {
  float *w = support_noise(build, g_str_hash(name), (gsize)(out * in * kernel * kernel)), *b = support_noise(build, g_str_hash(name) + 1, (gsize)out);
  g_autofree char *bias = g_strconcat(name, "_b", NULL);
  for (int64_t o = 0; o < out; o++)
    if (silent >> o & 1) {
      b[o] = 0;
      memset(w + o * in * kernel * kernel, 0, (size_t)(in * kernel * kernel) * sizeof *w);
    }
  support_weights(build, name, w, 4, DIMS(out, in, kernel, kernel));
  support_weights(build, bias, b, 1, DIMS(out));
}

static void add_ints(Build *build, const char *name, int64_t count, const int64_t *values) {
  int64_t *copy = build_alloc(build, (size_t)count * sizeof *copy);
  memcpy(copy, values, (size_t)count * sizeof *copy);
  build_raw(build, build_tensor(build, name, INT64, 1, DIMS(count)), copy, (size_t)count * sizeof *copy);
}

/* x -> first -> Relu -> depthwise -> + relu, times a number per channel -> last -> y */
static void make_residual(Build *build, unsigned silent) {
  add_weights(build, "w1", WIDE, 3, 1, silent);
  add_weights(build, "w2", WIDE, 1, 1, silent);
  add_weights(build, "w3", 4, WIDE, 3, 0);
  support_weights(build, "factor", support_noise(build, 9, WIDE), 4, DIMS(1, WIDE, 1, 1));
  build_node(build, "Conv", "first", "x,w1,w1_b", "a");
  build_node(build, "Relu", "relu", "a", "b");
  build_int(build, build_node(build, "Conv", "depthwise", "b,w2,w2_b", "c"), "group", WIDE);
  build_node(build, "Add", "add", "b,c", "d");
  build_node(build, "PRelu", "times", "d,factor", "e");
  build_node(build, "Conv", "last", "e,w3,w3_b", "y");
}

/* A unit of ShuffleNet: first -> Reshape, Transpose, Reshape -> upper half by Slice -> conv -> joined with the lower half -> last -> y. Silent channels come in the pairs that the
 * shuffle ties. */
static void make_shuffle(Build *build, unsigned silent) {
  add_weights(build, "w1", WIDE, 3, 1, silent);
  add_weights(build, "w2", 6, 4, 1, 0x21);
  add_weights(build, "w3", 4, 10, 1, 0);
  add_ints(build, "five", 5, DIMS(1, 2, WIDE / 2, SIDE, SIDE));
  add_ints(build, "four", 4, DIMS(1, WIDE, SIDE, SIDE));
  add_ints(build, "zero", 1, DIMS(0)), add_ints(build, "half", 1, DIMS(WIDE / 2)), add_ints(build, "all", 1, DIMS(100)), add_ints(build, "axis", 1, DIMS(1));
  build_node(build, "Conv", "first", "x,w1,w1_b", "a");
  build_node(build, "Reshape", "apart", "a,five", "a5");
  Onnx__AttributeProto *perm = build_attribute(build, build_node(build, "Transpose", "swap", "a5", "a5t"), "perm", ATTR_INTS);
  perm->ints = build_alloc(build, 5 * sizeof *perm->ints), perm->n_ints = 5;
  memcpy(perm->ints, DIMS(0, 2, 1, 3, 4), 5 * sizeof *perm->ints);
  build_node(build, "Reshape", "together", "a5t,four", "s");
  build_node(build, "Slice", "lower", "s,zero,half,axis", "low");
  build_node(build, "Slice", "upper", "s,half,all,axis", "high");
  build_node(build, "Conv", "middle", "high,w2,w2_b", "m");
  build_int(build, build_node(build, "Concat", "join", "low,m", "j"), "axis", 1);
  build_node(build, "Conv", "last", "j,w3,w3_b", "y");
}

/* Even and odd channels as FastestDet takes them apart: Reshape [C/2, 2, HW], Transpose, Reshape [2, 1, C/2, H, W], Gather. */
static void make_even_odd(Build *build, unsigned silent) {
  add_weights(build, "w1", WIDE, 3, 1, silent);
  add_weights(build, "w3", 4, 4, 1, 0);
  add_ints(build, "pairs", 3, DIMS(WIDE / 2, 2, SIDE * SIDE));
  add_ints(build, "five", 5, DIMS(2, -1, WIDE / 2, SIDE, SIDE));
  add_ints(build, "flat", 2, DIMS(1, -1));
  int64_t *index = build_alloc(build, 2 * sizeof *index);
  index[1] = 1;
  build_raw(build, build_tensor(build, "i0", INT64, 0, DIMS(0)), index, sizeof *index);
  build_raw(build, build_tensor(build, "i1", INT64, 0, DIMS(0)), index + 1, sizeof *index);
  build_node(build, "Conv", "first", "x,w1,w1_b", "a");
  build_node(build, "Reshape", "apart", "a,pairs", "a3");
  Onnx__AttributeProto *perm = build_attribute(build, build_node(build, "Transpose", "swap", "a3", "a3t"), "perm", ATTR_INTS);
  perm->ints = build_alloc(build, 3 * sizeof *perm->ints), perm->n_ints = 3;
  memcpy(perm->ints, DIMS(1, 0, 2), 3 * sizeof *perm->ints);
  build_node(build, "Reshape", "halves", "a3t,five", "a5");
  build_node(build, "Gather", "even", "a5,i0", "e");
  build_node(build, "Gather", "odd", "a5,i1", "o");
  build_node(build, "Conv", "last", "e,w3,w3_b", "l");
  build_node(build, "Conv", "other", "o,w3,w3_b", "k");
  build_node(build, "Add", "add", "l,k", "z");
  build_node(build, "Reshape", "end", "z,flat", "y");
}

/* Straight to the output. */
static void make_plain(Build *build, unsigned silent) {
  add_weights(build, "w1", WIDE, 3, 3, silent);
  add_weights(build, "w2", WIDE, WIDE, 3, 0);
  build_node(build, "Conv", "first", "x,w1,w1_b", "a");
  build_node(build, "Relu", "relu", "a", "b");
  build_node(build, "Conv", "last", "b,w2,w2_b", "y");
}

static void begin(Fixture *f, void (*make)(Build *, unsigned), unsigned silent) {
  FvError err;
  build_init(&f->build, 13);
  build_input(&f->build, "x", FLOAT, 4, DIMS(1, 3, SIDE, SIDE));
  make(&f->build, silent);
  build_output(&f->build, "y");
  f->model = support_open(&f->build);
  f->graph = fv_compress_graph(f->model, &err);
  g_assert_nonnull(f->graph);
  pictures_init(&f->pictures, PICTURES, SIDE, SIDE);
  FvCalibrationParams params = {.pictures = f->pictures.source, .moments = true, .threads = 1};
  if (fv_calibration_create(f->model, f->graph, &params, &f->calibration, &err) < 0) g_error("%s", err.message);
}

static void end(Fixture *f) {
  fv_calibration_destroy(&f->calibration);
  pictures_finish(&f->pictures);
  fv_graph_destroy(&f->graph);
  fv_model_destroy(&f->model);
  build_free(&f->build);
}

/* Outputs; the graph stays the caller's. */
static float *outputs_of(const Fixture *f, const FvGraph *graph, int64_t *count) {
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  FvSession *session = NULL;
  FvError err;
  if (fv_model_with_graph(f->model, fv_graph_clone(graph), &model, &err) < 0 || fv_plan_create(model, &fv_plan_params(.threads = 1, .flags = FV_PLAN_REFERENCE), &plan, &err) < 0 ||
      fv_session_create(plan, &session, &err) < 0)
    g_error("%s", err.message);
  float in[3 * SIDE * SIDE]; /* a picture that calibration has not seen */
  for (int i = 0; i < 3 * SIDE * SIDE; i++) in[i] = (float)pictures_pixel(PICTURES, i % SIDE, i / SIDE % SIDE, i / (SIDE * SIDE), SIDE);
  FvTensor from = {.dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, 3, SIDE, SIDE}, .data = in};
  fv_tensor_set_contiguous(&from);
  g_assert_cmpint(fv_tensor_copy(fv_session_input(session, 0), &from, NULL), ==, 0);
  g_assert_cmpint(fv_session_run(session, &err), ==, 0);
  FvTensor to = *fv_session_output(session, 0);
  const FvTensor *out = fv_session_output(session, 0);
  *count = fv_tensor_count(out);
  to.data = g_new(float, *count);
  fv_tensor_set_contiguous(&to);
  g_assert_cmpint(fv_tensor_copy(&to, out, NULL), ==, 0);
  fv_session_destroy(&session);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
  return to.data;
}

static void prune(Fixture *f, FvPruneParams params) {
  FvError err;
  if (fv_prune(f->graph, f->calibration, &params, &err) < 0) g_error("%s", err.message);
}

static const FvNode *node_named(const FvGraph *graph, const char *name) {
  for (int n = 0; n < graph->node_count; n++)
    if (strcmp(graph->nodes[n]->name, name) == 0) return graph->nodes[n];
  g_error("no node %s", name);
}

static int64_t zeros_of(const FvNode *node) {
  const FvTensor *w = node->inputs[1]->constant;
  int64_t zeros = 0;
  for (int64_t i = 0; i < fv_tensor_count(w); i++) zeros += ((const float *)w->data)[i] == 0;
  return zeros;
}

/* Silent channels go, and the outputs do not notice. */
typedef struct ChannelCase {
  void (*make)(Build *, unsigned);
  unsigned silent;
  double amount;
  const char *node; /* whose output */
  int64_t before, after; /* has so many channels */
} ChannelCase;

static void test_silent_channels(gconstpointer data) {
  const ChannelCase *c = data;
  Fixture f = {0};
  begin(&f, c->make, c->silent);
  int64_t count, after_count;
  g_autofree float *before = outputs_of(&f, f.graph, &count);
  g_assert_cmpint(node_named(f.graph, c->node)->outputs[0]->dims[1], ==, c->before);
  prune(&f, (FvPruneParams){.kind = FV_PRUNE_CHANNELS, .amount = c->amount});
  g_assert_cmpint(node_named(f.graph, c->node)->outputs[0]->dims[1], ==, c->after);
  g_assert_cmpint(node_named(f.graph, c->node)->inputs[1]->dims[0], ==, c->after);
  g_autofree float *after = outputs_of(&f, f.graph, &after_count);
  g_assert_cmpint(after_count, ==, count);
  for (int64_t i = 0; i < count; i++) g_assert_cmpfloat_with_epsilon(after[i], before[i], 1e-3 * (1 + fabsf(before[i])));
  end(&f);
}

/* Channels that do count or weights that do count: what stays makes up for them. */
static void test_compensated(void) {
  double errors[2] = {0};
  for (int with = 0; with < 2; with++) {
    Fixture f = {0};
    begin(&f, make_plain, 0);
    int64_t count;
    g_autofree float *before = outputs_of(&f, f.graph, &count);
    if (with) {
      prune(&f, (FvPruneParams){.kind = FV_PRUNE_CHANNELS, .amount = 0.25});
      g_assert_cmpint(node_named(f.graph, "first")->outputs[0]->dims[1], ==, 6);
      g_assert_cmpint(node_named(f.graph, "last")->outputs[0]->dims[1], ==, WIDE); /* an output of the model */
    } else {
      prune(&f, (FvPruneParams){.kind = FV_PRUNE_MAGNITUDE, .amount = 0.25});
      for (int n = 0; n < f.graph->node_count; n++)
        if (f.graph->nodes[n]->input_count > 1) g_assert_cmpint(zeros_of(f.graph->nodes[n]), ==, (int64_t)(0.25 * (double)fv_tensor_count(f.graph->nodes[n]->inputs[1]->constant)));
    }
    g_autofree float *after = outputs_of(&f, f.graph, &count);
    double whole = 0;
    for (int64_t i = 0; i < count; i++) errors[with] += pow(after[i] - before[i], 2), whole += before[i] * before[i];
    errors[with] /= whole;
    end(&f);
  }
  g_test_message("relative squared error: a quarter of the weights %.4f, of the channels %.4f", errors[0], errors[1]);
  g_assert_cmpfloat(errors[0], <, 0.05);
  g_assert_cmpfloat(errors[1], <, 0.05);
}

static FvPruneLayer layer_of(Fixture *f, const char *name) {
  FvPruneLayer layer;
  FvError err;
  int rc;
  g_assert_true(fv_prune_layer_init(&layer, f->graph, (FvNode *)(void *)node_named(f->graph, name), f->calibration, &rc, &err));
  return layer;
}

/* The fit is where no weight that stays can improve: the gradient, less what the damping adds, is 0. */
static void test_fit(void) {
  Fixture f = {0};
  begin(&f, make_plain, 0);
  FvPruneLayer layer = layer_of(&f, "last");
  uint64_t seed = 4;
  int64_t n = layer.columns;
  for (int64_t i = 0; i < fv_prune_layer_count(&layer); i++)
    if (random_unit(&seed) < 0.5) layer.keep[i] = 0, layer.weights[i] = 0;
  double before = fv_prune_layer_error(&layer), damping = 0;
  g_assert_cmpint(fv_prune_layer_fit(&layer, NULL), ==, FV_OK);
  g_test_message("error of half the weights: %.4f, fitted %.4f", before, fv_prune_layer_error(&layer));
  g_assert_cmpfloat(fv_prune_layer_error(&layer), <, 0.7 * before);
  const float *h = layer.moments->matrix, *mean = layer.moments->mean;
  for (int64_t i = 0; i < n; i++) damping += 0.01 * (h[i * n + i] - (double)mean[i] * mean[i]) / (double)n;
  for (int64_t row = 0; row < layer.rows; row++)
    for (int64_t i = 0; i < n; i++) {
      double gradient = 0, size = 0;
      if (!layer.keep[row * n + i]) {
        g_assert_cmpfloat(layer.weights[row * n + i], ==, 0);
        continue;
      }
      for (int64_t j = 0; j < n; j++) {
        double c = h[i * n + j] - (double)mean[i] * mean[j] + (i == j) * damping, off = (double)layer.weights[row * n + j] - layer.original[row * n + j];
        gradient += c * off, size += fabs(c * off);
      }
      g_assert_cmpfloat(fabs(gradient), <=, 1e-3 * size);
    }
  end(&f);
}

static void test_n_of_m(void) {
  Fixture f = {0};
  begin(&f, make_plain, 0);
  prune(&f, (FvPruneParams){.kind = FV_PRUNE_N_M, .n = 2, .m = 4});
  const float *w = node_named(f.graph, "last")->inputs[1]->constant->data;
  for (int64_t row = 0; row < WIDE; row++)
    for (int64_t quad = 0; quad < WIDE / 4; quad++)
      for (int64_t tap = 0; tap < 9; tap++) {
        int kept = 0;
        for (int64_t k = 0; k < 4; k++) kept += w[(row * WIDE + quad * 4 + k) * 9 + tap] != 0;
        g_assert_cmpint(kept, ==, 2);
      }
  g_assert_cmpint(zeros_of(node_named(f.graph, "first")), ==, 0); /* three inputs are less than four */
  end(&f);
}

static void test_blocks(void) {
  Fixture f = {0};
  begin(&f, make_plain, 0);
  prune(&f, (FvPruneParams){.kind = FV_PRUNE_BLOCKS, .amount = 0.5, .block = 4, .steps = 3});
  const float *w = node_named(f.graph, "last")->inputs[1]->constant->data;
  int64_t gone = 0, n = WIDE * 9;
  for (int64_t row = 0; row < WIDE; row += 4)
    for (int64_t i = 0; i < n; i++) {
      int zeros = 0;
      for (int64_t k = 0; k < 4; k++) zeros += w[(row + k) * n + i] == 0;
      g_assert_true(zeros == 0 || zeros == 4);
      gone += zeros;
    }
  g_assert_cmpint(gone, ==, WIDE * n / 2);
  end(&f);
}

/* One threshold for all: layers give differently, together as much as asked for. */
static void test_global(void) {
  Fixture f = {0};
  begin(&f, make_plain, 0x3);
  prune(&f, (FvPruneParams){.kind = FV_PRUNE_MAGNITUDE, .amount = 0.5, .global = true});
  int64_t first = zeros_of(node_named(f.graph, "first")), last = zeros_of(node_named(f.graph, "last"));
  g_assert_cmpint(first + last, ==, (WIDE * 27 + WIDE * WIDE * 9) / 2);
  g_assert_cmpint(first, !=, WIDE * 27 / 2);
  end(&f);
}

static void test_auto(void) {
  int64_t pruned[2];
  for (int i = 0; i < 2; i++) {
    Fixture f = {0};
    begin(&f, make_plain, 0);
    FvPruneLayer before = layer_of(&f, "last");
    double amount = i ? 0.05 : 0.005;
    prune(&f, (FvPruneParams){.kind = FV_PRUNE_AUTO, .amount = amount});
    pruned[i] = zeros_of(node_named(f.graph, "last"));
    memcpy(before.weights, node_named(f.graph, "last")->inputs[1]->constant->data, (size_t)fv_prune_layer_count(&before) * sizeof(float));
    g_assert_cmpfloat(fv_prune_layer_error(&before), <=, amount);
    end(&f);
  }
  g_assert_cmpint(pruned[0], >, 0);
  g_assert_cmpint(pruned[1], >, pruned[0]);
}

static int prune_by_list(Fixture *f, const char *text, FvError *err) {
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "fovea-prune-XXXXXX", NULL);
  int fd = g_mkstemp(path);
  g_assert_cmpint(fd, >=, 0);
  g_close(fd, NULL);
  g_assert_true(g_file_set_contents(path, text, -1, NULL));
  int rc = fv_prune(f->graph, f->calibration, &(FvPruneParams){.kind = FV_PRUNE_LIST, .list = path}, err);
  g_unlink(path);
  return rc;
}

static void test_list(void) {
  static const struct { const char *text, *words; int code; } cases[] = {
    {"# nothing\n\nfirst 1 3 # two\r\nfirst 3\n", NULL, FV_OK},
    {"first 1 8\n", "line 1: '8' is no channel", FV_ERR_INVALID},
    {"\nfirst x\n", "line 2: 'x' is no channel", FV_ERR_INVALID},
    {"relu 1\n", "no convolution 'relu'", FV_ERR_INVALID},
    {"last 0\n", "needed by an output of the model", FV_ERR_UNSUPPORTED},
    {"first 0 1 2 3 4 5 6 7", "channel 7 of 'first' is the last one", FV_ERR_INVALID},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    Fixture f = {0};
    FvError err = {0};
    begin(&f, make_plain, 0);
    int rc = prune_by_list(&f, cases[i].text, &err);
    g_assert_cmpint(rc, ==, cases[i].code);
    if (rc < 0) g_assert_nonnull(strstr(err.message, cases[i].words));
    else g_assert_cmpint(node_named(f.graph, "first")->outputs[0]->dims[1], ==, 6);
    end(&f);
  }
}

static void test_refused(void) {
  static const FvPruneParams wrong[] = {
    {.kind = FV_PRUNE_MAGNITUDE, .amount = 1}, {.kind = FV_PRUNE_CHANNELS, .amount = -0.1}, {.kind = FV_PRUNE_BLOCKS, .amount = NAN}, {.kind = FV_PRUNE_BLOCKS, .block = 65},
    {.kind = FV_PRUNE_N_M, .n = 4, .m = 4}, {.kind = FV_PRUNE_N_M, .n = 0, .m = 4}, {.kind = FV_PRUNE_MAGNITUDE, .steps = -1}, {.kind = FV_PRUNE_LIST}};
  Fixture f = {0};
  begin(&f, make_plain, 0);
  for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
    FvError err;
    g_assert_cmpint(fv_prune(f.graph, f.calibration, &wrong[i], &err), ==, FV_ERR_INVALID);
  }
  end(&f);
}

int main(int argc, char **argv) {
  static const ChannelCase residual = {make_residual, 0x0a, 0.25, "first", WIDE, 6}, depthwise = {make_residual, 0x0a, 0.25, "depthwise", WIDE, 6},
                           shuffle = {make_shuffle, 0x44, 0.25, "first", WIDE, 6}, middle = {make_shuffle, 0x44, 0.34, "middle", 6, 4},
                           even_odd = {make_even_odd, 0x0c, 0.25, "first", WIDE, 6};
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/compress/prune/channels/residual", &residual, test_silent_channels);
  g_test_add_data_func("/compress/prune/channels/depthwise", &depthwise, test_silent_channels);
  g_test_add_data_func("/compress/prune/channels/shuffle", &shuffle, test_silent_channels);
  g_test_add_data_func("/compress/prune/channels/joined", &middle, test_silent_channels);
  g_test_add_data_func("/compress/prune/channels/even-odd", &even_odd, test_silent_channels);
  g_test_add_func("/compress/prune/compensated", test_compensated);
  g_test_add_func("/compress/prune/fit", test_fit);
  g_test_add_func("/compress/prune/n-of-m", test_n_of_m);
  g_test_add_func("/compress/prune/blocks", test_blocks);
  g_test_add_func("/compress/prune/global", test_global);
  g_test_add_func("/compress/prune/auto", test_auto);
  g_test_add_func("/compress/prune/list", test_list);
  g_test_add_func("/compress/prune/refused", test_refused);
  return g_test_run();
}

/* Graphs written with QuantizeLinear and DequantizeLinear: which integer operators they become, and that these compute the same to a step of the output. */
#include "graph_builder.h"
#include "ops/quantised.h"

static FvValue *typed(Builder *b, FvDtype dtype, int rank, const int64_t *dims, const void *data) {
  FvTensor tensor = {.dtype = dtype, .rank = rank, .data = (void *)data};
  if (rank) memcpy(tensor.dims, dims, sizeof *dims * (size_t)rank);
  g_autofree char *name = g_strdup_printf("t%d", b->names++);
  return fv_graph_add_constant(b->graph, name, &tensor, true);
}

static FvValue *zero_point(Builder *b, FvDtype dtype, int value) {
  uint8_t bits = (uint8_t)value;
  return typed(b, dtype, 0, NULL, &bits);
}

static FvValue *quantise(Builder *b, FvValue *x, float scale, int zero) { return OUT(b, "QuantizeLinear", x, number(b, scale), zero_point(b, FV_DTYPE_U8, zero)); }
static FvValue *dequantise(Builder *b, FvValue *x, float scale, int zero) { return OUT(b, "DequantizeLinear", x, number(b, scale), zero_point(b, FV_DTYPE_U8, zero)); }
/* Through bytes and back. */
static FvValue *qdq(Builder *b, FvValue *x, float scale, int zero) { return dequantise(b, quantise(b, x, scale, zero), scale, zero); }

static FvValue *weights(Builder *b, int rank, const int64_t *dims, int64_t channels, int64_t axis) {
  int64_t count = 1;
  for (int d = 0; d < rank; d++) count *= dims[d];
  g_autofree int8_t *bytes = g_new(int8_t, count);
  g_autofree float *scales = g_new(float, channels);
  g_autofree int8_t *zeros = g_new0(int8_t, channels);
  for (int64_t i = 0; i < count; i++) bytes[i] = (int8_t)(next_random(b) * 127);
  for (int64_t i = 0; i < channels; i++) scales[i] = 0.004f + 0.002f * fabsf(next_random(b));
  FvNode *made = NODE(b, "DequantizeLinear", typed(b, FV_DTYPE_I8, rank, dims, bytes), typed(b, FV_DTYPE_F32, 1, &channels, scales), typed(b, FV_DTYPE_I8, 1, &channels, zeros));
  set_attr(b, made, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = axis});
  return made->outputs[0];
}

static FvValue *qconv(Builder *b, FvValue *x, int64_t in, int64_t out) {
  static const int64_t pads[] = {1, 1, 1, 1};
  FvNode *made = NODE(b, "Conv", x, weights(b, 4, (int64_t[]){out, in, 3, 3}, out, 0), constant(b, 1, &out, false));
  set_attr(b, made, (FvAttr){.name = "pads", .kind = FV_ATTR_INTS, .count = 4, .ints = pads});
  return made->outputs[0];
}

/* Made input of the graph, in steps of 1/16 as evaluate() fills it. */
static FvValue *bytes_in(Builder *b, int64_t c, int64_t h, int64_t w) { return qdq(b, input(b, c, h, w), 1.0f / 32, 100); }

static char *spell(const FvGraph *graph) {
  GString *text = g_string_new(NULL);
  for (int i = 0; i < graph->node_count; i++) {
    const FvNode *at = graph->nodes[i];
    g_string_append_printf(text, "%s%s", i ? " " : "", at->fused_name ? at->fused_name : at->op->name);
  }
  return g_string_free(text, FALSE);
}

/* The graph becomes these operators in this order, and its output stays within `tolerance`; NULL operators: just that. */
static void check(Builder *b, FvValue *out, const char *operators, float tolerance) {
  FvError err = {0};
  fv_graph_add_output(b->graph, out);
  if (fv_graph_sort(b->graph, &err) < 0 || fv_graph_prepare(b->graph, &err) < 0) g_error("%s", err.message);
  int64_t before_count, after_count;
  g_autofree float *before = evaluate(b->graph, &before_count);
  g_assert_cmpint(fv_passes_run(b->graph, true, &err), ==, 0);
  g_autofree char *spelt = spell(b->graph);
  if (operators) g_assert_cmpstr(spelt, ==, operators);
  g_autofree float *after = evaluate(b->graph, &after_count);
  g_assert_cmpint(before_count, ==, after_count);
  for (int64_t i = 0; i < before_count; i++) g_assert_cmpfloat_with_epsilon(before[i], after[i], tolerance);
  fv_graph_destroy(&b->graph);
}

static void test_conv(void) {
  Builder b = start();
  FvValue *y = qdq(&b, OUT(&b, "Relu", qconv(&b, bytes_in(&b, 3, 7, 5), 3, 4)), 0.03f, 0);
  check(&b, y, "QuantizeLinear QLinearConv+Relu DequantizeLinear", 0.0301f);
}

static void test_conv_activations(void) {
  static const char *const names[] = {"LeakyRelu", "Clip"};
  for (int i = 0; i < 2; i++) {
    Builder b = start();
    FvValue *x = qconv(&b, bytes_in(&b, 3, 7, 5), 3, 4);
    x = i ? OUT(&b, "Clip", x, number(&b, 0), number(&b, 1.5f)) : OUT(&b, "LeakyRelu", x);
    g_autofree char *shown = g_strdup_printf("QuantizeLinear QLinearConv+%s DequantizeLinear", names[i]);
    check(&b, qdq(&b, x, 0.03f, 100), shown, 0.0301f);
  }
}

static void test_bytes_in_front_of_the_activation(void) { /* ONNX Runtime's quantiser puts them there; they cost a rounding and a tensor */
  Builder b = start();
  FvValue *x = qdq(&b, qconv(&b, bytes_in(&b, 3, 7, 5), 3, 4), 0.05f, 128);
  check(&b, qdq(&b, OUT(&b, "LeakyRelu", x), 0.04f, 50), "QuantizeLinear QLinearConv+LeakyRelu DequantizeLinear", 0.0801f);
}

static void test_curved_activation_is_a_table(void) {
  Builder b = start();
  FvValue *x = qdq(&b, qconv(&b, bytes_in(&b, 3, 7, 5), 3, 4), 0.05f, 128);
  x = qdq(&b, OUT(&b, "Mul", x, OUT(&b, "Sigmoid", x)), 0.04f, 50);
  check(&b, x, "QuantizeLinear QLinearConv QLinearTable DequantizeLinear", 0.0401f);
}

static void test_gate_through_bytes_is_a_table(void) { /* x -> sigmoid -> bytes, times x */
  Builder b = start();
  FvValue *x = qdq(&b, qconv(&b, bytes_in(&b, 3, 7, 5), 3, 4), 0.05f, 128), *gate = qdq(&b, OUT(&b, "Sigmoid", x), 1.0f / 255, 0);
  check(&b, qdq(&b, OUT(&b, "Mul", x, gate), 0.04f, 50), "QuantizeLinear QLinearConv QLinearTable DequantizeLinear", 0.0401f);
}

static void test_conv_without_bytes_behind(void) {
  Builder b = start();
  FvValue *y = OUT(&b, "Sigmoid", qconv(&b, bytes_in(&b, 3, 7, 5), 3, 4));
  check(&b, y, "QuantizeLinear QLinearConv Sigmoid", 2e-3f);
}

static void test_conv_of_floats_stays(void) { /* weights only: they are folded, the arithmetic stays float */
  Builder b = start();
  check(&b, qconv(&b, input(&b, 3, 7, 5), 3, 4), "Conv", 1e-4f);
}

static void test_weights_fold_as_the_reference_says(void) { /* per channel along any axis, with zero points, and per tensor */
  static const int64_t dims[] = {4, 3, 2, 5};
  for (int axis = -1; axis < 4; axis++) {
    Builder b = start();
    FvError err = {0};
    int8_t bytes[120], zeros[5];
    float scales[5];
    int64_t count = axis < 0 ? 1 : dims[axis];
    for (int i = 0; i < 120; i++) bytes[i] = (int8_t)(next_random(&b) * 128);
    for (int i = 0; i < 5; i++) scales[i] = 0.01f + 0.3f * fabsf(next_random(&b)), zeros[i] = (int8_t)(next_random(&b) * 128);
    FvNode *made = NODE(&b, "DequantizeLinear", typed(&b, FV_DTYPE_I8, 4, dims, bytes), typed(&b, FV_DTYPE_F32, axis >= 0, &count, scales), typed(&b, FV_DTYPE_I8, axis >= 0, &count, zeros));
    if (axis >= 0) set_attr(&b, made, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = axis});
    fv_graph_add_output(b.graph, made->outputs[0]);
    if (fv_graph_sort(b.graph, &err) < 0 || fv_graph_prepare(b.graph, &err) < 0) g_error("%s", err.message);
    g_assert_cmpint(b.graph->node_count, ==, 1);
    int64_t real_count;
    g_autofree float *real = evaluate(b.graph, &real_count);
    g_assert_cmpint(fv_graph_fold_constants(b.graph, &err), ==, 0);
    g_assert_nonnull(b.graph->outputs[0]->constant);
    g_assert_cmpmem(b.graph->outputs[0]->constant->data, (size_t)real_count * sizeof *real, real, (size_t)real_count * sizeof *real);
    fv_graph_destroy(&b.graph);
  }
}

static void test_bias_of_integers(void) {
  Builder b = start();
  int64_t out = 4;
  const int32_t steps[4] = {100, -200, 3, 0};
  const float scales[4] = {0.001f, 0.002f, 0.5f, 1};
  FvNode *bias = NODE(&b, "DequantizeLinear", typed(&b, FV_DTYPE_I32, 1, &out, steps), typed(&b, FV_DTYPE_F32, 1, &out, scales));
  set_attr(&b, bias, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = 0});
  FvNode *conv = NODE(&b, "Conv", bytes_in(&b, 3, 7, 5), weights(&b, 4, (int64_t[]){out, 3, 1, 1}, out, 0), bias->outputs[0]);
  check(&b, qdq(&b, conv->outputs[0], 0.03f, 100), "QuantizeLinear QLinearConv DequantizeLinear", 0.0301f);
}

static void test_gemm(void) {
  for (int64_t turned = 0; turned < 2; turned++) {
    Builder b = start();
    FvValue *x = OUT(&b, "Flatten", bytes_in(&b, 3, 2, 2));
    int64_t k = 12, n = 5;
    FvNode *gemm = NODE(&b, "Gemm", x, weights(&b, 2, turned ? (int64_t[]){n, k} : (int64_t[]){k, n}, n, turned ? 0 : 1), constant(&b, 1, &n, false));
    set_attr(&b, gemm, (FvAttr){.name = "transB", .kind = FV_ATTR_INT, .i = turned});
    check(&b, qdq(&b, OUT(&b, "Relu", gemm->outputs[0]), 0.03f, 0), "QuantizeLinear Flatten QLinearMatMul+Relu DequantizeLinear", 0.0301f);
  }
}

static void test_add(void) {
  Builder b = start();
  FvValue *x = bytes_in(&b, 4, 7, 5), *y = qdq(&b, OUT(&b, "Abs", input(&b, 4, 7, 5)), 0.02f, 3);
  check(&b, qdq(&b, OUT(&b, "Relu", OUT(&b, "Add", x, y)), 0.05f, 0), "QuantizeLinear Abs QuantizeLinear QLinearAdd+Relu DequantizeLinear", 0.0501f);
}

static void test_mul(void) {
  Builder b = start();
  FvValue *x = bytes_in(&b, 4, 7, 5), *y = qdq(&b, OUT(&b, "Abs", input(&b, 4, 7, 5)), 0.02f, 3);
  check(&b, qdq(&b, OUT(&b, "Mul", x, y), 0.05f, 128), "QuantizeLinear Abs QuantizeLinear QLinearMul DequantizeLinear", 0.0501f);
}

static void test_add_of_a_float_stays(void) {
  Builder b = start();
  FvValue *x = bytes_in(&b, 4, 7, 5), *y = OUT(&b, "Abs", input(&b, 4, 7, 5));
  check(&b, qdq(&b, OUT(&b, "Add", x, y), 0.05f, 128), "QuantizeLinear DequantizeLinear Abs Add QuantizeLinear DequantizeLinear", 1e-6f);
}

static FvValue *joined(Builder *b, FvValue *x, FvValue *y) {
  FvNode *concat = NODE(b, "Concat", x, y);
  set_attr(b, concat, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = 1});
  return concat->outputs[0];
}

static void test_concat_of_equal_steps(void) {
  Builder b = start();
  FvValue *x = bytes_in(&b, 4, 7, 5), *y = qdq(&b, OUT(&b, "Abs", input(&b, 4, 7, 5)), 1.0f / 32, 100);
  check(&b, qdq(&b, joined(&b, x, y), 1.0f / 32, 100), "QuantizeLinear Abs QuantizeLinear Concat DequantizeLinear", 1e-6f);
}

static void test_concat_of_other_steps(void) { /* one input through a table, one by the operator that makes it */
  Builder b = start();
  FvValue *x = bytes_in(&b, 4, 7, 5), *y = qdq(&b, qconv(&b, x, 4, 4), 0.06f, 128);
  check(&b, qdq(&b, joined(&b, x, y), 0.07f, 120), "QuantizeLinear QLinearConv QLinearTable Concat DequantizeLinear", 0.0701f + 0.03f);
}

static void test_movement(void) { /* no QuantizeLinear in between: bytes move all the same */
  static const int64_t perm[] = {0, 2, 3, 1};
  Builder b = start();
  FvNode *transpose = NODE(&b, "Transpose", bytes_in(&b, 4, 6, 5));
  set_attr(&b, transpose, (FvAttr){.name = "perm", .kind = FV_ATTR_INTS, .count = 4, .ints = perm});
  FvValue *x = OUT(&b, "Reshape", transpose->outputs[0], ints(&b, 3, (int64_t[]){1, 15, 8}));
  check(&b, qdq(&b, x, 1.0f / 32, 100), "QuantizeLinear Transpose Reshape DequantizeLinear", 1e-6f);
}

static void test_movement_to_other_steps(void) {
  Builder b = start();
  FvValue *x = OUT(&b, "Reshape", bytes_in(&b, 4, 6, 5), ints(&b, 3, (int64_t[]){1, 15, 8}));
  check(&b, qdq(&b, x, 1.0f / 25, 90), "QuantizeLinear Reshape QLinearTable DequantizeLinear", 1e-6f);
}

static void test_shuffle_between_bytes(void) {
  static const int64_t perm[] = {0, 2, 1, 3, 4};
  Builder b = start();
  FvValue *x = qdq(&b, OUT(&b, "Reshape", bytes_in(&b, 6, 3, 5), ints(&b, 5, (int64_t[]){1, 2, 3, 3, 5})), 1.0f / 32, 100);
  FvNode *transpose = NODE(&b, "Transpose", x);
  set_attr(&b, transpose, (FvAttr){.name = "perm", .kind = FV_ATTR_INTS, .count = 5, .ints = perm});
  x = qdq(&b, transpose->outputs[0], 1.0f / 32, 100);
  check(&b, qdq(&b, OUT(&b, "Reshape", x, ints(&b, 4, (int64_t[]){1, 6, 3, 5})), 1.0f / 32, 100), "QuantizeLinear ChannelShuffle DequantizeLinear", 1e-6f);
}

static void test_pools(void) {
  static const int64_t kernel[] = {3, 3}, pads[] = {1, 1, 1, 1};
  static const char *const ops[] = {"MaxPool", "AveragePool"}, *const shown[] = {"QuantizeLinear MaxPool DequantizeLinear", "QuantizeLinear QLinearAveragePool DequantizeLinear"};
  for (int i = 0; i < 2; i++) {
    Builder b = start();
    FvNode *pool = NODE(&b, ops[i], bytes_in(&b, 4, 7, 5));
    set_attr(&b, pool, (FvAttr){.name = "kernel_shape", .kind = FV_ATTR_INTS, .count = 2, .ints = kernel});
    set_attr(&b, pool, (FvAttr){.name = "pads", .kind = FV_ATTR_INTS, .count = 4, .ints = pads});
    check(&b, qdq(&b, pool->outputs[0], 1.0f / 32, 100), shown[i], 1.0f / 32 + 1e-4f);
  }
  Builder b = start(); /* indices that nobody asked for */
  FvNode *pool = fv_graph_add_node(b.graph, fv_op_find(NULL, "MaxPool"), "", 13, 1, 2);
  pool->inputs[0] = bytes_in(&b, 4, 7, 5);
  pool->outputs[0] = fresh(&b);
  pool->outputs[1] = fresh(&b);
  set_attr(&b, pool, (FvAttr){.name = "kernel_shape", .kind = FV_ATTR_INTS, .count = 2, .ints = kernel});
  check(&b, qdq(&b, pool->outputs[0], 1.0f / 32, 100), shown[0], 1e-6f);
  b = start();
  check(&b, qdq(&b, OUT(&b, "GlobalAveragePool", bytes_in(&b, 4, 7, 5)), 0.02f, 128), "QuantizeLinear QLinearGlobalAveragePool DequantizeLinear", 0.0201f);
}

static void test_split(void) {
  Builder b = start();
  FvNode *split = fv_graph_add_node(b.graph, fv_op_find(NULL, "Split"), "", 11, 1, 2);
  split->inputs[0] = bytes_in(&b, 4, 7, 5);
  split->outputs[0] = fresh(&b);
  split->outputs[1] = fresh(&b);
  set_attr(&b, split, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = 1});
  FvValue *y = joined(&b, qdq(&b, split->outputs[1], 1.0f / 32, 100), qdq(&b, split->outputs[0], 1.0f / 32, 100));
  check(&b, qdq(&b, y, 1.0f / 32, 100), "QuantizeLinear Split Concat DequantizeLinear", 1e-6f);
}

static void test_resize(void) {
  for (int i = 0; i < 2; i++) {
    Builder b = start();
    FvNode *resize = NODE(&b, "Resize", bytes_in(&b, 4, 7, 5), number(&b, 0), typed(&b, FV_DTYPE_F32, 1, &(int64_t){4}, (const float[]){1, 1, 2, 2}));
    resize->inputs[1] = NULL;
    set_attr(&b, resize, (FvAttr){.name = "mode", .kind = FV_ATTR_STRING, .s = i ? "linear" : "nearest"});
    check(&b, qdq(&b, resize->outputs[0], 1.0f / 32, 100), "QuantizeLinear Resize DequantizeLinear", 1.0f / 32 + 1e-4f);
  }
}

static void test_pad(void) {
  static const int64_t pads[] = {0, 0, 1, 0, 0, 0, 2, 3};
  Builder b = start();
  FvValue *x = OUT(&b, "Pad", bytes_in(&b, 4, 7, 5), ints(&b, 8, pads), number(&b, 0.5f));
  check(&b, qdq(&b, x, 1.0f / 32, 100), "QuantizeLinear Pad DequantizeLinear", 1e-6f);
  b = start();
  x = OUT(&b, "Pad", bytes_in(&b, 4, 7, 5), ints(&b, 8, pads), number(&b, 0.51f)); /* no byte says that */
  check(&b, qdq(&b, x, 1.0f / 32, 100), "QuantizeLinear DequantizeLinear Pad QuantizeLinear DequantizeLinear", 1e-6f);
}

static void test_operators_of_onnx_runtime(void) {
  Builder b = start();
  FvValue *x = quantise(&b, input(&b, 4, 7, 5), 1.0f / 32, 100);
  FvNode *leaky = fv_graph_add_node(b.graph, fv_op_find("com.microsoft", "QLinearLeakyRelu"), "", 1, 5, 1);
  FvValue *const inputs[] = {x, number(&b, 1.0f / 32), zero_point(&b, FV_DTYPE_U8, 100), number(&b, 0.02f), zero_point(&b, FV_DTYPE_U8, 10)};
  memcpy(leaky->inputs, inputs, sizeof inputs);
  leaky->outputs[0] = fresh(&b);
  set_attr(&b, leaky, (FvAttr){.name = "alpha", .kind = FV_ATTR_FLOAT, .f = 0.25f});
  check(&b, dequantise(&b, leaky->outputs[0], 0.02f, 10), "QuantizeLinear QLinearTable DequantizeLinear", 1e-6f);
}

static void test_output_that_is_bytes(void) { /* a graph output cannot become another value's name */
  Builder b = start();
  FvError err = {0};
  FvValue *x = quantise(&b, input(&b, 4, 7, 5), 1.0f / 32, 100), *same = quantise(&b, dequantise(&b, x, 1.0f / 32, 100), 1.0f / 32, 100);
  fv_graph_add_output(b.graph, x);
  fv_graph_add_output(b.graph, same);
  g_autofree char *first = g_strdup(x->name), *second = g_strdup(same->name);
  if (fv_graph_sort(b.graph, &err) < 0 || fv_graph_prepare(b.graph, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(fv_passes_run(b.graph, true, &err), ==, 0);
  g_assert_cmpstr(b.graph->outputs[0]->name, ==, first);
  g_assert_cmpstr(b.graph->outputs[1]->name, ==, second);
  g_assert_cmpint(b.graph->outputs[1]->dtype, ==, FV_DTYPE_U8);
  fv_graph_destroy(&b.graph);
}

static void test_senseless_scales(void) { /* whatever a file says, the pass ends; results are the reference's business */
  static const float scales[] = {0, -1, INFINITY, NAN, 1e-40f, 3e38f};
  for (size_t i = 0; i < G_N_ELEMENTS(scales); i++) {
    Builder b = start();
    FvError err = {0};
    FvValue *x = qdq(&b, input(&b, 3, 7, 5), scales[i], 100);
    x = qdq(&b, OUT(&b, "LeakyRelu", qconv(&b, x, 3, 4)), scales[i], 3);
    fv_graph_add_output(b.graph, joined(&b, x, qdq(&b, OUT(&b, "Exp", x), 0.1f, 0)));
    if (fv_graph_sort(b.graph, &err) < 0 || fv_graph_prepare(b.graph, &err) < 0) g_error("%s", err.message);
    g_assert_cmpint(fv_passes_run(b.graph, true, &err), ==, 0);
    fv_graph_destroy(&b.graph);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/integers/conv", test_conv);
  g_test_add_func("/integers/conv-activations", test_conv_activations);
  g_test_add_func("/integers/bytes-in-front-of-the-activation", test_bytes_in_front_of_the_activation);
  g_test_add_func("/integers/curved-activation", test_curved_activation_is_a_table);
  g_test_add_func("/integers/gate-through-bytes", test_gate_through_bytes_is_a_table);
  g_test_add_func("/integers/conv-to-floats", test_conv_without_bytes_behind);
  g_test_add_func("/integers/conv-of-floats-stays", test_conv_of_floats_stays);
  g_test_add_func("/integers/weights-fold-as-the-reference-says", test_weights_fold_as_the_reference_says);
  g_test_add_func("/integers/bias-of-integers", test_bias_of_integers);
  g_test_add_func("/integers/gemm", test_gemm);
  g_test_add_func("/integers/add", test_add);
  g_test_add_func("/integers/mul", test_mul);
  g_test_add_func("/integers/add-of-a-float-stays", test_add_of_a_float_stays);
  g_test_add_func("/integers/concat-of-equal-steps", test_concat_of_equal_steps);
  g_test_add_func("/integers/concat-of-other-steps", test_concat_of_other_steps);
  g_test_add_func("/integers/movement", test_movement);
  g_test_add_func("/integers/movement-to-other-steps", test_movement_to_other_steps);
  g_test_add_func("/integers/shuffle", test_shuffle_between_bytes);
  g_test_add_func("/integers/pools", test_pools);
  g_test_add_func("/integers/split", test_split);
  g_test_add_func("/integers/resize", test_resize);
  g_test_add_func("/integers/pad", test_pad);
  g_test_add_func("/integers/operators-of-onnx-runtime", test_operators_of_onnx_runtime);
  g_test_add_func("/integers/outputs-keep-their-names", test_output_that_is_bytes);
  g_test_add_func("/integers/senseless-scales", test_senseless_scales);
  return g_test_run();
}

/* Every rewrite keeps the graph's meaning: small graphs are evaluated by the reference kernels before and after. */
#include "graph/layout.h"
#include "graph_builder.h"

static void check(Builder *b, FvValue *out, int nodes_after, const char *shown) {
  FvError err = {0};
  fv_graph_add_output(b->graph, out);
  if (fv_graph_sort(b->graph, &err) < 0 || fv_graph_prepare(b->graph, &err) < 0) g_error("%s", err.message);
  int64_t before_count, after_count;
  g_autofree float *before = evaluate(b->graph, &before_count);
  g_assert_cmpint(fv_passes_run(b->graph, true, &err), ==, 0);
  g_autofree float *after = evaluate(b->graph, &after_count);
  g_assert_cmpint(before_count, ==, after_count);
  for (int64_t i = 0; i < before_count; i++) g_assert_cmpfloat_with_epsilon(before[i], after[i], 1e-4f + 1e-4f * fabsf(before[i]));
  g_assert_cmpint(b->graph->node_count, ==, nodes_after);
  const FvNode *last = b->graph->nodes[b->graph->node_count - 1];
  g_assert_cmpstr(last->fused_name ? last->fused_name : last->op->name, ==, shown);
  fv_graph_destroy(&b->graph);
}

static void test_batch_norm(void) {
  Builder b = start();
  int64_t c = 6;
  FvValue *x = conv3(&b, input(&b, 3, 7, 5), 3, c, false);
  x = OUT(&b, "BatchNormalization", x, constant(&b, 1, &c, false), constant(&b, 1, &c, false), constant(&b, 1, &c, false), constant(&b, 1, &c, true));
  check(&b, OUT(&b, "Relu", x), 1, "Conv+BatchNormalization+Relu");
}

static void test_batch_norm_behind_gemm(void) {
  for (int64_t transposed = 0; transposed < 2; transposed++) {
    Builder b = start();
    int64_t k = 3 * 2 * 2, n = 5;
    FvValue *x = OUT(&b, "Flatten", input(&b, 3, 2, 2));
    FvValue *w = constant(&b, 2, transposed ? (int64_t[]){n, k} : (int64_t[]){k, n}, false);
    FvNode *gemm = NODE(&b, "Gemm", x, w, constant(&b, 1, &n, false));
    set_attr(&b, gemm, (FvAttr){.name = "transB", .kind = FV_ATTR_INT, .i = transposed});
    set_attr(&b, gemm, (FvAttr){.name = "alpha", .kind = FV_ATTR_FLOAT, .f = 0.5f});
    x = OUT(&b, "BatchNormalization", gemm->outputs[0], constant(&b, 1, &n, false), constant(&b, 1, &n, false), constant(&b, 1, &n, false), constant(&b, 1, &n, true));
    check(&b, OUT(&b, "Relu", x), 2, "Gemm+BatchNormalization+Relu");
  }
}

static void test_factor_of_gemm_bias_stays(void) { /* beta would scale the folded shift */
  Builder b = start();
  int64_t n = 5;
  FvNode *gemm = NODE(&b, "Gemm", OUT(&b, "Flatten", input(&b, 3, 2, 2)), constant(&b, 2, (int64_t[]){12, n}, false), constant(&b, 1, &n, false));
  set_attr(&b, gemm, (FvAttr){.name = "beta", .kind = FV_ATTR_FLOAT, .f = 0.5f});
  check(&b, OUT(&b, "Mul", gemm->outputs[0], constant(&b, 1, &n, false)), 3, "Mul");
}

static void test_scale_and_shift(void) {
  Builder b = start();
  FvValue *x = conv3(&b, input(&b, 3, 7, 5), 3, 4, true);
  x = OUT(&b, "Mul", constant(&b, 4, (int64_t[]){1, 4, 1, 1}, false), x);
  x = OUT(&b, "Sub", x, constant(&b, 3, (int64_t[]){4, 1, 1}, false));
  check(&b, OUT(&b, "Div", x, number(&b, 3)), 1, "Conv+Mul+Sub+Div");
}

static void test_constant_minus_conv_stays(void) {
  Builder b = start();
  FvValue *x = conv3(&b, input(&b, 3, 7, 5), 3, 4, true);
  check(&b, OUT(&b, "Sub", number(&b, 1), x), 2, "Sub");
}

static void test_broadcast_along_width_stays(void) {
  Builder b = start();
  FvValue *x = conv3(&b, input(&b, 3, 4, 4), 3, 4, true);
  check(&b, OUT(&b, "Mul", x, constant(&b, 1, (int64_t[]){4}, false)), 2, "Mul");
}

static void test_silu(void) {
  Builder b = start();
  FvValue *x = conv3(&b, input(&b, 3, 7, 5), 3, 4, true);
  check(&b, OUT(&b, "Mul", x, OUT(&b, "Sigmoid", x)), 1, "Conv+Silu");
}

static void test_hard_swish_in_pieces(void) {
  for (int spelling = 0; spelling < 3; spelling++) {
    Builder b = start();
    FvValue *x = conv3(&b, input(&b, 3, 7, 5), 3, 4, true);
    FvValue *gate = OUT(&b, "Clip", OUT(&b, "Add", x, number(&b, 3)), number(&b, 0), number(&b, 6));
    FvValue *y = spelling == 0   ? OUT(&b, "Div", OUT(&b, "Mul", x, gate), number(&b, 6))
                 : spelling == 1 ? OUT(&b, "Mul", x, OUT(&b, "Div", gate, number(&b, 6)))
                                 : OUT(&b, "Mul", OUT(&b, "Mul", gate, x), number(&b, 1.0f / 6));
    check(&b, y, 1, "Conv+HardSwish");
  }
}

static void test_residual(void) {
  Builder b = start();
  FvValue *x = input(&b, 4, 7, 5), *first = OUT(&b, "Relu", conv3(&b, x, 4, 4, true));
  FvValue *second = conv3(&b, first, 4, 4, true);
  check(&b, OUT(&b, "Relu", OUT(&b, "Add", second, first)), 2, "Conv+Add+Relu");
}

static void test_residual_made_later(void) { /* the other branch comes after the convolution in the file */
  Builder b = start();
  FvValue *x = input(&b, 4, 7, 5), *left = conv3(&b, x, 4, 4, true), *right = OUT(&b, "Sigmoid", OUT(&b, "Neg", x));
  check(&b, OUT(&b, "Add", left, right), 3, "Conv+Add");
}

static void test_activation_before_add_stays(void) {
  Builder b = start();
  FvValue *x = input(&b, 4, 7, 5), *y = OUT(&b, "Relu", conv3(&b, x, 4, 4, true));
  check(&b, OUT(&b, "Add", y, x), 2, "Add");
}

static void test_pad(void) {
  static const int64_t pads[] = {0, 0, 1, 0, 0, 0, 2, 3};
  Builder b = start();
  FvValue *padded = OUT(&b, "Pad", input(&b, 4, 7, 5), ints(&b, 8, pads));
  check(&b, conv3(&b, padded, 4, 3, true), 1, "Conv");
  b = start();
  static const int64_t kernel[] = {3, 3};
  padded = OUT(&b, "Pad", input(&b, 4, 7, 5), ints(&b, 8, pads));
  FvNode *pool = NODE(&b, "AveragePool", padded);
  set_attr(&b, pool, (FvAttr){.name = "kernel_shape", .kind = FV_ATTR_INTS, .count = 2, .ints = kernel});
  check(&b, pool->outputs[0], 1, "AveragePool");
}

static FvValue *shuffle(Builder *b, FvValue *x, int64_t groups, int64_t channels, int64_t h, int64_t w) {
  static const int64_t perm[] = {0, 2, 1, 3, 4};
  FvNode *transpose = NODE(b, "Transpose", OUT(b, "Reshape", x, ints(b, 5, (int64_t[]){1, groups, channels / groups, h, w})));
  set_attr(b, transpose, (FvAttr){.name = "perm", .kind = FV_ATTR_INTS, .count = 5, .ints = perm});
  return OUT(b, "Reshape", transpose->outputs[0], ints(b, 4, (int64_t[]){1, channels, h, w}));
}

static void test_shuffle(void) {
  Builder b = start();
  check(&b, shuffle(&b, input(&b, 12, 3, 5), 3, 12, 3, 5), 1, "ChannelShuffle");
  b = start();
  FvNode *concat = NODE(&b, "Concat", input(&b, 6, 3, 5), input(&b, 6, 3, 5));
  set_attr(&b, concat, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = 1});
  check(&b, shuffle(&b, concat->outputs[0], 2, 12, 3, 5), 1, "ConcatShuffle");
}

static void test_memory_never_overlaps(void) {
  FvBuffer buffers[200];
  uint32_t random = 3;
  for (int round = 0; round < 20; round++) {
    int64_t sum = 0;
    for (int i = 0; i < 200; i++) {
      random = random * 1664525u + 1013904223u;
      int first = random >> 8 & 127;
      buffers[i] = (FvBuffer){.bytes = random >> 16, .first = first, .last = first + (int)(random >> 4 & 15)};
      sum += buffers[i].bytes;
    }
    int64_t total = fv_memory_plan(buffers, 200, NULL);
    g_assert_cmpint(total, <, sum); /* something was shared */
    for (int i = 0; i < 200; i++) {
      g_assert_cmpint(buffers[i].offset % 64, ==, 0);
      g_assert_cmpint(buffers[i].offset + buffers[i].bytes, <=, total);
      for (int j = 0; j < i; j++) {
        bool in_time = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
        bool in_space = buffers[i].offset < buffers[j].offset + buffers[j].bytes && buffers[j].offset < buffers[i].offset + buffers[i].bytes;
        g_assert_false(in_time && in_space);
      }
    }
  }
}

static int count_casts(const FvGraph *graph, FvDtype to) {
  int count = 0;
  for (int i = 0; i < graph->node_count; i++) count += graph->nodes[i]->op->kind == FV_OP_CAST && graph->nodes[i]->outputs[0]->dtype == to;
  return count;
}

static const FvNode *find_node(const FvGraph *graph, FvOpKind kind) {
  for (int i = 0; i < graph->node_count; i++)
    if (graph->nodes[i]->op->kind == kind) return graph->nodes[i];
  g_error("there is no such node");
}

/* What is computed is f16, the ends are f32, and casts are only where the two meet: in front of ArgMax once, at one of the two outputs, nowhere else. */
static void test_halves(void) {
  FvError err = {0};
  Builder b = start();
  FvValue *x = input(&b, 3, 7, 5), *first = conv3(&b, x, 3, 4, true), *second = conv3(&b, first, 4, 4, true);
  FvNode *join = NODE(&b, "Concat", second, constant(&b, 4, (int64_t[]){1, 2, 7, 5}, false));
  set_attr(&b, join, (FvAttr){.name = "axis", .kind = FV_ATTR_INT, .i = 1});
  FvValue *out = OUT(&b, "Add", join->outputs[0], number(&b, 1e-7f)), *best = OUT(&b, "ArgMax", second);
  fv_graph_add_output(b.graph, out);
  fv_graph_add_output(b.graph, best);
  if (fv_graph_sort(b.graph, &err) < 0 || fv_graph_prepare(b.graph, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(fv_pass_halve(b.graph), ==, 4);
  g_assert_cmpint(b.graph->inputs[0]->dtype, ==, FV_DTYPE_F32);
  g_assert_cmpint(b.graph->outputs[0]->dtype, ==, FV_DTYPE_F32);
  g_assert_cmpint(b.graph->outputs[1]->dtype, ==, FV_DTYPE_I64);
  g_assert_true(b.graph->outputs[0] == out);
  g_assert_cmpint(count_casts(b.graph, FV_DTYPE_F32), ==, 2);
  g_assert_cmpint(count_casts(b.graph, FV_DTYPE_F16), ==, 0); /* the first convolution reads the input as it is */
  const FvNode *concat = find_node(b.graph, FV_OP_CONCAT), *conv = find_node(b.graph, FV_OP_CONV), *add = find_node(b.graph, FV_OP_BINARY);
  g_assert_true(conv->inputs[0] == b.graph->inputs[0]);
  g_assert_cmpint(conv->inputs[1]->dtype, ==, FV_DTYPE_F32); /* kernels pack it */
  g_assert_cmpint(conv->outputs[0]->dtype, ==, FV_DTYPE_F16);
  g_assert_cmpint(concat->inputs[1]->dtype, ==, FV_DTYPE_F16); /* only moved, so of the type it is moved among */
  g_assert_cmpint(add->inputs[1]->dtype, ==, FV_DTYPE_F32);    /* 1e-7 would be 1.2e-7 */
  g_assert_cmpint(find_node(b.graph, FV_OP_ARG)->inputs[0]->dtype, ==, FV_DTYPE_F32);
  fv_graph_destroy(&b.graph);
}

/* What is left of a graph after the passes moves elsewhere, and computes the same. */
static void test_tighten(void) {
  Builder b = start();
  FvError err = {0};
  FvValue *x = OUT(&b, "Relu", conv3(&b, input(&b, 3, 7, 5), 3, 4, true));
  fv_graph_add_output(b.graph, OUT(&b, "Add", conv3(&b, x, 4, 4, true), x));
  if (fv_graph_sort(b.graph, &err) < 0 || fv_graph_prepare(b.graph, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(fv_passes_run(b.graph, true, &err), ==, 0);
  int64_t before_count, after_count;
  g_autofree float *before = evaluate(b.graph, &before_count);
  int nodes = b.graph->node_count;
  g_assert_true(fv_graph_tighten(b.graph));
  g_assert_cmpint(b.graph->node_count, ==, nodes);
  for (int i = 0; i < b.graph->value_count; i++) g_assert_cmpint(b.graph->values[i]->index, ==, i);
  for (int n = 0; n < nodes; n++) {
    const FvNode *node = b.graph->nodes[n];
    g_assert_true(node->outputs[0]->producer == node);
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i]) g_assert_true(b.graph->values[node->inputs[i]->index] == node->inputs[i]);
  }
  g_autofree float *after = evaluate(b.graph, &after_count);
  g_assert_cmpmem(after, (size_t)after_count * sizeof *after, before, (size_t)before_count * sizeof *before);
  fv_graph_destroy(&b.graph);
}

/* Equal numbers become one value, those of another type, shape or content stay, and so do outputs. */
static void test_share(void) {
  Builder b = start();
  float three = 3;
  FvValue *x = input(&b, 3, 7, 5);
  FvNode *first = NODE(&b, "Mul", x, number(&b, 3)), *second = NODE(&b, "Mul", first->outputs[0], number(&b, 3));
  FvValue *vector = fv_graph_add_constant(b.graph, "v", &(FvTensor){.dtype = FV_DTYPE_F32, .rank = 1, .dims = {1}, .data = &three}, true);
  FvNode *third = NODE(&b, "Mul", second->outputs[0], number(&b, 4)), *fourth = NODE(&b, "Mul", third->outputs[0], vector);
  FvNode *fifth = NODE(&b, "Mul", fourth->outputs[0], number(&b, 3));
  fv_graph_add_output(b.graph, fifth->outputs[0]);
  fv_graph_add_output(b.graph, fifth->inputs[1]);
  g_assert_true(fv_graph_share_constants(b.graph, 64));
  g_assert_true(first->inputs[1] == second->inputs[1]);
  g_assert_true(third->inputs[1] != first->inputs[1] && fourth->inputs[1] != first->inputs[1] && fifth->inputs[1] != first->inputs[1]);
  int before = b.graph->value_count;
  fv_graph_compact(b.graph);
  g_assert_cmpint(b.graph->value_count, ==, before - 1);
  fv_graph_destroy(&b.graph);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/passes/batch-norm-into-conv", test_batch_norm);
  g_test_add_func("/passes/batch-norm-into-gemm", test_batch_norm_behind_gemm);
  g_test_add_func("/passes/factor-of-gemm-bias-stays", test_factor_of_gemm_bias_stays);
  g_test_add_func("/passes/scale-and-shift-into-conv", test_scale_and_shift);
  g_test_add_func("/passes/constant-minus-conv-stays", test_constant_minus_conv_stays);
  g_test_add_func("/passes/broadcast-along-width-stays", test_broadcast_along_width_stays);
  g_test_add_func("/passes/silu", test_silu);
  g_test_add_func("/passes/hard-swish-in-pieces", test_hard_swish_in_pieces);
  g_test_add_func("/passes/residual", test_residual);
  g_test_add_func("/passes/residual-made-later", test_residual_made_later);
  g_test_add_func("/passes/activation-before-add-stays", test_activation_before_add_stays);
  g_test_add_func("/passes/pad", test_pad);
  g_test_add_func("/passes/shuffle", test_shuffle);
  g_test_add_func("/passes/halves", test_halves);
  g_test_add_func("/graph/tightened-computes-the-same", test_tighten);
  g_test_add_func("/graph/equal-constants-are-shared", test_share);
  g_test_add_func("/memory/never-overlaps", test_memory_never_overlaps);
  return g_test_run();
}

/* Sorting, cloning, folding and rewriting graphs. */
#include "build_model.h"

#include <string.h>

#include "ir/graph.h"
#include "import/onnx.h"
#include "ir/op.h"

static FvGraph *read_graph(Build *build) {
  FvModelFile model = {0};
  FvError err = {0};
  GBytes *bytes = build_pack(build);
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (fv_onnx_read(data, size, NULL, &model, &err) < 0) g_error("%s", err.message);
  g_bytes_unref(bytes);
  build_free(build);
  return model.graph;
}

static void prepare(FvGraph *graph) {
  FvError err = {0};
  if (fv_graph_prepare(graph, &err) < 0) g_error("%s", err.message);
}

/* Flattening as PyTorch exports it: Shape, Gather, Concat and Reshape fold to one Reshape. */
static void test_shape_arithmetic(void) {
  static const int64_t zero = 0, minus_one = -1;
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 4, DIMS(-1, 3, 2, 2));
  build_raw(&build, build_tensor(&build, "zero", INT64, 1, DIMS(1)), &zero, 8);
  build_raw(&build, build_tensor(&build, "rest", INT64, 1, DIMS(1)), &minus_one, 8);
  build_node(&build, "Relu", "relu", "x", "r");
  build_node(&build, "Shape", "shape", "r", "s");
  build_node(&build, "Gather", "gather", "s,zero", "n");
  build_int(&build, build_node(&build, "Concat", "concat", "n,rest", "t"), "axis", 0);
  build_node(&build, "Reshape", "reshape", "r,t", "y");
  build_output(&build, "y");
  FvGraph *graph = read_graph(&build);
  prepare(graph);
  g_assert_cmpint(graph->node_count, ==, 2);
  g_assert_cmpstr(graph->nodes[0]->name, ==, "relu");
  g_assert_cmpstr(graph->nodes[1]->name, ==, "reshape");
  g_assert_cmpint(graph->outputs[0]->rank, ==, 2);
  g_assert_cmpint(graph->outputs[0]->dims[1], ==, 12);
  fv_graph_destroy(&graph);
}

static void test_constant_folding(void) {
  static const float values[4] = {-1, 2, -3, 4};
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 1, DIMS(4));
  build_raw(&build, build_tensor(&build, "k", FLOAT, 1, DIMS(4)), values, sizeof values);
  build_node(&build, "Abs", "abs", "k", "a");
  build_node(&build, "Neg", "unused", "a", "nobody");
  build_node(&build, "Add", "add", "x,a", "y");
  build_node(&build, "Exp", "dangling", "x", "e");
  build_output(&build, "y");
  build_output(&build, "a");
  FvGraph *graph = read_graph(&build);
  prepare(graph);
  g_assert_cmpint(graph->node_count, ==, 1);
  g_assert_nonnull(graph->outputs[1]->constant);
  g_assert_cmpfloat(((float *)graph->outputs[1]->constant->data)[2], ==, 3);
  g_assert_cmpint(graph->outputs[1]->use_count, ==, 2);
  fv_graph_destroy(&graph);
}

/* Folding stops at a bound: a few bytes of file must not become gigabytes. */
static void test_folding_is_bounded(void) {
  static const int64_t huge[2] = {1 << 15, 1 << 15};
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 2, DIMS(1, 1));
  build_raw(&build, build_tensor(&build, "s", INT64, 1, DIMS(2)), huge, sizeof huge);
  build_node(&build, "ConstantOfShape", "fill", "s", "f");
  build_node(&build, "Add", "add", "x,f", "y");
  build_output(&build, "y");
  FvGraph *graph = read_graph(&build);
  prepare(graph);
  g_assert_cmpint(graph->node_count, ==, 2);
  g_assert_cmpuint(graph->arena.used_bytes, <, 1 << 20);
  fv_graph_destroy(&graph);
}

static void test_clone(void) {
  Build build;
  build_small(&build);
  FvGraph *graph = read_graph(&build), *clone = fv_graph_clone(graph);
  g_assert_nonnull(clone);
  g_assert_cmpint(clone->value_count, ==, graph->value_count);
  for (int n = 0; n < clone->node_count; n++) {
    g_assert_true(clone->nodes[n] != graph->nodes[n]);
    g_assert_cmpstr(clone->nodes[n]->name, ==, graph->nodes[n]->name);
    g_assert_true(clone->nodes[n]->outputs[0]->producer == clone->nodes[n]);
  }
  g_assert_true(clone->nodes[0]->inputs[1] != graph->nodes[0]->inputs[1]);
  g_assert_true(clone->nodes[0]->inputs[1]->constant == graph->nodes[0]->inputs[1]->constant);
  prepare(clone);
  g_assert_cmpint(clone->outputs[0]->rank, ==, 4);
  g_assert_cmpint(graph->outputs[0]->rank, ==, -1); /* the source is as it was */
  g_assert_null(graph->nodes[0]->params);
  fv_graph_destroy(&clone);
  fv_graph_destroy(&graph);
}

static void test_replace_uses(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 1, DIMS(4));
  build_node(&build, "Relu", "relu", "x", "a");
  build_node(&build, "Identity", "same", "a", "y");
  build_node(&build, "Exp", "exp", "y", "z");
  build_output(&build, "y");
  build_output(&build, "z");
  FvGraph *graph = read_graph(&build);
  prepare(graph);
  FvValue *a = graph->nodes[0]->outputs[0], *y = graph->nodes[1]->outputs[0];
  fv_graph_replace_uses(graph, y, a);
  g_assert_true(graph->outputs[0] == a);
  g_assert_cmpstr(a->name, ==, "y");
  g_assert_true(a->is_output && !y->is_output);
  g_assert_cmpint(y->use_count, ==, 0);
  g_assert_cmpint(a->use_count, ==, 3);
  /* An input cannot become an output under another name. */
  fv_graph_replace_uses(graph, a, graph->inputs[0]);
  g_assert_true(graph->outputs[0] == a);
  g_assert_cmpstr(graph->inputs[0]->name, ==, "x");
  g_assert_cmpint(a->use_count, ==, 1);
  fv_graph_destroy(&graph);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/graph/shape-arithmetic-folds", test_shape_arithmetic);
  g_test_add_func("/graph/constants-fold", test_constant_folding);
  g_test_add_func("/graph/folding-is-bounded", test_folding_is_bounded);
  g_test_add_func("/graph/clone-leaves-the-source-alone", test_clone);
  g_test_add_func("/graph/uses-can-be-replaced", test_replace_uses);
  return g_test_run();
}

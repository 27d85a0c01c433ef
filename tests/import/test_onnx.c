/* What the importer reads: tensors in every encoding, attributes, names, order. */
#include "build_model.h"

#include "import/onnx.h"
#include "ir/graph.h"
#include "ir/op.h"

static FvModelFile read_model(Build *build) {
  FvModelFile model = {0};
  FvError err = {0};
  GBytes *bytes = build_pack(build);
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (fv_onnx_read(data, size, NULL, &model, &err) < 0) g_error("%s", err.message);
  g_bytes_unref(bytes); /* nothing may point into it any more */
  return model;
}

static const FvValue *find(const FvGraph *graph, const char *name) {
  for (int i = 0; i < graph->value_count; i++)
    if (g_str_equal(graph->values[i]->name, name)) return graph->values[i];
  return NULL;
}

static void test_small(void) {
  Build build;
  build_small(&build);
  FvModelFile model = read_model(&build);
  const FvGraph *graph = model.graph;
  g_assert_cmpint(model.opset, ==, 13);
  g_assert_cmpint(model.node_count, ==, 2);
  g_assert_cmpint(model.parameters, ==, 8);
  g_assert_cmpstr(model.producer, ==, "test");
  g_assert_cmpint(graph->input_count, ==, 1);
  g_assert_cmpint(graph->output_count, ==, 1);
  g_assert_cmpstr(graph->nodes[0]->op->name, ==, "Conv");
  g_assert_true(graph->nodes[1]->inputs[0] == graph->nodes[0]->outputs[0]);
  g_assert_true(graph->outputs[0]->producer == graph->nodes[1]);
  const FvTensor *weights = find(graph, "w")->constant;
  g_assert_nonnull(weights);
  g_assert_cmpint(weights->dims[0], ==, 2);
  g_assert_cmpint(weights->strides[0], ==, 3);
  g_assert_cmpfloat(((float *)weights->data)[5], ==, -3);
  fv_graph_destroy(&model.graph);
  build_free(&build);
}

/* A consumer before its producer, and values that take an omitted optional input. */
static void test_order(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 1, DIMS(4));
  build_node(&build, "Neg", "c", "v", "y");
  build_node(&build, "Abs", "a", "x", "u");
  build_node(&build, "Exp", "b", "u", "v");
  build_output(&build, "y");
  FvModelFile model = read_model(&build);
  g_assert_cmpstr(model.graph->nodes[0]->name, ==, "a");
  g_assert_cmpstr(model.graph->nodes[1]->name, ==, "b");
  g_assert_cmpstr(model.graph->nodes[2]->name, ==, "c");
  fv_graph_destroy(&model.graph);
  build_free(&build);
}

static void test_listed_initialiser(void) {
  Build build;
  build_small(&build);
  build_input(&build, "w", FLOAT, 4, DIMS(2, 3, 1, 1)); /* as IR versions before 4 do */
  FvModelFile model = read_model(&build);
  g_assert_cmpint(model.graph->input_count, ==, 1);
  g_assert_nonnull(find(model.graph, "w")->constant);
  fv_graph_destroy(&model.graph);
  build_free(&build);
}

/* Reads initialiser "t" back from a file that holds only it and an unrelated node. */
static double read_element(Build *build, FvDtype dtype, int64_t index) {
  build_input(build, "x", FLOAT, 1, DIMS(4));
  build_node(build, "Relu", "r", "x", "y");
  build_output(build, "y");
  FvModelFile model = read_model(build);
  const FvTensor *tensor = find(model.graph, "t")->constant;
  FvTensor one = {.dtype = tensor->dtype}, out = {.dtype = FV_DTYPE_F64};
  double value = 0;
  g_assert_cmpint(tensor->dtype, ==, dtype);
  one.data = (char *)tensor->data + (size_t)index * fv_dtype_size(dtype);
  out.data = &value;
  g_assert_cmpint(fv_tensor_copy(&out, &one, NULL), ==, 0);
  fv_graph_destroy(&model.graph);
  build_free(build);
  return value;
}

static void test_typed_fields(void) {
  Build build;
  float floats[] = {1, 2, 3};
  double doubles[] = {1, 2.5};
  int64_t longs[] = {-5000000000};
  uint64_t unsigneds[] = {7, 4000000000u};
  struct {
    int type;
    FvDtype dtype;
    int32_t bits;
    double value;
  } small[] = {
    {UINT8, FV_DTYPE_U8, 255, 255}, {INT8, FV_DTYPE_I8, -128, -128}, {INT32, FV_DTYPE_I32, -70000, -70000}, {BOOL, FV_DTYPE_BOOL, 1, 1},
    {FLOAT16, FV_DTYPE_F16, 0x3c00, 1}, {BFLOAT16, FV_DTYPE_BF16, 0xc000, -2}, {4, FV_DTYPE_U16, 65535, 65535}, {5, FV_DTYPE_I16, -3, -3},
  };
  build_init(&build, 13);
  Onnx__TensorProto *tensor = build_tensor(&build, "t", FLOAT, 1, DIMS(3));
  tensor->n_float_data = 3;
  tensor->float_data = floats;
  g_assert_cmpfloat(read_element(&build, FV_DTYPE_F32, 2), ==, 3);
  build_init(&build, 13);
  tensor = build_tensor(&build, "t", DOUBLE, 1, DIMS(2));
  tensor->n_double_data = 2;
  tensor->double_data = doubles;
  g_assert_cmpfloat(read_element(&build, FV_DTYPE_F64, 1), ==, 2.5);
  build_init(&build, 13);
  tensor = build_tensor(&build, "t", INT64, 0, NULL);
  tensor->n_int64_data = 1;
  tensor->int64_data = longs;
  g_assert_cmpfloat(read_element(&build, FV_DTYPE_I64, 0), ==, -5e9);
  for (int i = 0; i < 2; i++) {
    build_init(&build, 13);
    tensor = build_tensor(&build, "t", i ? UINT64 : UINT32, 2, DIMS(1, 2));
    tensor->n_uint64_data = 2;
    tensor->uint64_data = unsigneds;
    g_assert_cmpfloat(read_element(&build, i ? FV_DTYPE_U64 : FV_DTYPE_U32, 1), ==, 4e9);
  }
  for (size_t i = 0; i < G_N_ELEMENTS(small); i++) {
    build_init(&build, 13);
    tensor = build_tensor(&build, "t", small[i].type, 1, DIMS(1));
    tensor->n_int32_data = 1;
    tensor->int32_data = &small[i].bits;
    g_assert_cmpfloat(read_element(&build, small[i].dtype, 0), ==, small[i].value);
  }
}

static void test_raw(void) {
  Build build;
  float large[300];
  for (int i = 0; i < 300; i++) large[i] = (float)i;
  build_init(&build, 13);
  build_raw(&build, build_tensor(&build, "t", FLOAT, 2, DIMS(100, 3)), large, sizeof large);
  g_assert_cmpfloat(read_element(&build, FV_DTYPE_F32, 299), ==, 299);
  build_init(&build, 13);
  build_raw(&build, build_tensor(&build, "t", BOOL, 1, DIMS(2)), "\0\x07", 2);
  g_assert_cmpfloat(read_element(&build, FV_DTYPE_BOOL, 1), ==, 1);
}

static void test_attributes(void) {
  Build build;
  int64_t pads[] = {1, 2, 3, 4};
  build_small(&build);
  Onnx__NodeProto *node = build.graph.node[0];
  Onnx__AttributeProto *ints = build_attribute(&build, node, "pads", ATTR_INTS), *text = build_attribute(&build, node, "auto_pad", 0);
  ints->n_ints = 4;
  ints->ints = pads;
  text->has_type = 0; /* as the first exporters wrote */
  text->has_s = 1;
  text->s = (ProtobufCBinaryData){6, (uint8_t *)"NOTSET"};
  build_int(&build, node, "group", 1);
  FvModelFile model = read_model(&build);
  int64_t values[4];
  node = NULL;
  g_assert_cmpint(fv_node_ints(model.graph->nodes[0], "pads", values, 4), ==, 4);
  g_assert_cmpint(values[3], ==, 4);
  g_assert_cmpstr(fv_node_string(model.graph->nodes[0], "auto_pad", ""), ==, "NOTSET");
  g_assert_cmpint(fv_node_int(model.graph->nodes[0], "group", 0), ==, 1);
  fv_graph_destroy(&model.graph);
  build_free(&build);
}

static void test_opset(void) {
  Build build;
  build_small(&build);
  build.model.opset_import[0]->version = 22;
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "opset 22", "21 or lower");
  build.model.opset_import[0]->version = 0;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "impossible version 0");
  build.model.opset_import[0]->version = 21;
  GBytes *bytes = build_pack(&build);
  g_assert_cmpint(open_bytes(bytes, NULL), ==, 0);
  g_bytes_unref(bytes);
  build_free(&build);
}

static void test_unknown_operator(void) {
  Build build;
  build_small(&build);
  build.graph.node[1]->op_type = build_string(&build, "Frobnicate");
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "memory.onnx", "node 'second'", "operator Frobnicate (domain ai.onnx, opset 13) is not supported");
  build.graph.node[1]->domain = build_string(&build, "com.example");
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "operator Frobnicate (domain com.example, opset 1)");
  build_free(&build);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/onnx/reads-a-small-model", test_small);
  g_test_add_func("/onnx/sorts-nodes", test_order);
  g_test_add_func("/onnx/listed-initialisers-are-constants", test_listed_initialiser);
  g_test_add_func("/onnx/reads-typed-data", test_typed_fields);
  g_test_add_func("/onnx/reads-raw-data", test_raw);
  g_test_add_func("/onnx/reads-attributes", test_attributes);
  g_test_add_func("/onnx/opset-is-bounded", test_opset);
  g_test_add_func("/onnx/unknown-operator-is-named", test_unknown_operator);
  return g_test_run();
}

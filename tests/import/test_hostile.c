/* Damaged and malicious files end in an error that names the place, never in a crash. */
#include "build_model.h"

#include <string.h>

static void test_truncated(void) {
  Build build;
  build_small(&build);
  GBytes *bytes = build_pack(&build);
  size_t size = g_bytes_get_size(bytes);
  for (size_t length = 0; length < size; length++) {
    /* A copy of just that length, so that a sanitizer sees reads behind its end. */
    GBytes *part = g_bytes_new(g_bytes_get_data(bytes, NULL), length);
    open_bytes(part, NULL); /* cut between two fields, a file may still be a whole, smaller one */
    g_bytes_unref(part);
  }
  GBytes *half = g_bytes_new_from_bytes(bytes, 0, size / 2);
  g_assert_cmpint(open_bytes(half, NULL), <, 0);
  g_bytes_unref(half);
  g_bytes_unref(bytes);
  build_free(&build);
}

static void test_flipped(void) {
  Build build;
  build_small(&build);
  GBytes *bytes = build_pack(&build);
  size_t size = g_bytes_get_size(bytes);
  for (size_t i = 0; i < size; i++) {
    static const uint8_t flips[] = {0x01, 0x08, 0x80, 0xff};
    for (size_t f = 0; f < sizeof flips; f++) {
      uint8_t *copy = g_memdup2(g_bytes_get_data(bytes, NULL), size);
      copy[i] ^= flips[f];
      GBytes *damaged = g_bytes_new_take(copy, size);
      open_bytes(damaged, NULL);
      g_bytes_unref(damaged);
    }
  }
  g_bytes_unref(bytes);
  build_free(&build);
}

static void test_not_a_model(void) {
  FvError err;
  GBytes *text = g_bytes_new_static("version: 1\nmodels: {}\n", 22), *empty = g_bytes_new_static("", 0);
  g_assert_cmpint(open_bytes(text, &err), ==, FV_ERR_FORMAT);
  g_assert_cmpint(open_bytes(empty, &err), ==, FV_ERR_FORMAT);
  g_assert_nonnull(strstr(err.message, "ONNX"));
  g_bytes_unref(text);
  g_bytes_unref(empty);
}

/* Length-delimited fields inside each other, far deeper than any stack: attribute sub-graphs that hold nodes that hold sub-graphs. */
static void test_deep_nesting(void) {
  GByteArray *inner = g_byte_array_new();
  for (int level = 0; level < 20000; level++) {
    static const uint8_t tags[] = {0x3a, 0x0a, 0x2a, 0x32}; /* graph = 7, node = 1, attribute = 5, g = 6 */
    uint8_t head[12];
    size_t length = inner->len, used = 0;
    head[used++] = level == 19999 ? 0x3a : tags[3 - level % 4];
    for (; length >= 128; length >>= 7) head[used++] = (uint8_t)(length | 128);
    head[used++] = (uint8_t)length;
    g_byte_array_prepend(inner, head, (guint)used);
  }
  GBytes *bytes = g_byte_array_free_to_bytes(inner);
  g_assert_cmpint(open_bytes(bytes, NULL), <, 0);
  g_bytes_unref(bytes);
}

static void test_subgraph(void) {
  Build build;
  build_small(&build);
  Onnx__AttributeProto *attribute = build_attribute(&build, build.graph.node[1], "body", ATTR_GRAPH);
  attribute->has_g = 1;
  attribute->g = (ProtobufCBinaryData){2, (uint8_t *)"\x12\x00"};
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "node 'second' (Relu)", "sub-graph");
  build_free(&build);
}

static void test_cycle(void) {
  Build build;
  build_small(&build);
  build.graph.node[0]->input[0] = build_string(&build, "y");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "cycle", "node '");
  build_free(&build);
  build_small(&build);
  build.graph.node[1]->input[0] = build_string(&build, "y");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "cycle", "node 'second' (Relu)");
  build_free(&build);
}

/* As deep as a graph can be: sorting must not recurse. */
static void test_long_chain(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 1, DIMS(4));
  Onnx__NodeProto **nodes = build_alloc(&build, sizeof *nodes * 60000);
  for (int i = 0; i < 60000; i++) {
    char in[16], out[16];
    g_snprintf(in, sizeof in, i ? "v%d" : "x", i);
    g_snprintf(out, sizeof out, "v%d", i + 1);
    build.graph.n_node = 0;
    nodes[59999 - i] = build_node(&build, "Relu", "", in, out); /* last first */
  }
  build.graph.node = nodes;
  build.graph.n_node = 60000;
  build_output(&build, "v60000");
  GBytes *bytes = build_pack(&build);
  FvError err = {0};
  g_assert_cmpint(open_bytes(bytes, &err), ==, 0);
  g_bytes_unref(bytes);
  build_free(&build);
}

static void test_counts(void) {
  Build build;
  build_small(&build);
  Onnx__NodeProto **nodes = build_alloc(&build, sizeof *nodes * (FV_MAX_NODES + 1));
  for (int i = 0; i <= FV_MAX_NODES; i++) nodes[i] = build.graph.node[1];
  build.graph.node = nodes;
  build.graph.n_node = FV_MAX_NODES + 1;
  EXPECT_ERROR(&build, FV_ERR_LIMIT, "65537 operators", "65536");
  build_free(&build);
}

static void test_dims(void) {
  static const struct {
    int rank;
    int64_t dims[9];
    int code;
    const char *word;
  } cases[] = {
    {2, {INT64_C(1) << 40, 1}, FV_ERR_LIMIT, "elements"},
    {4, {65536, 65536, 65536, 65536}, FV_ERR_LIMIT, "elements"},
    {3, {INT64_MAX, INT64_MAX, 2}, FV_ERR_LIMIT, "elements"},
    {2, {-2, 3}, FV_ERR_FORMAT, "negative dimension -2"},
    {9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, FV_ERR_LIMIT, "9 dimensions"},
    {2, {1 << 15, 1 << 15}, FV_ERR_FORMAT, "holds 24 bytes"},
    {2, {0, 3}, FV_ERR_FORMAT, "holds 24 bytes"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    Build build;
    build_small(&build);
    build.graph.initializer[0]->n_dims = (size_t)cases[i].rank;
    build.graph.initializer[0]->dims = (int64_t *)cases[i].dims;
    EXPECT_ERROR(&build, cases[i].code, "initialiser 'w'", cases[i].word);
    build_free(&build);
  }
}

static void test_input_dims(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 3, DIMS(1 << 20, 1 << 20, 1 << 20));
  build_node(&build, "Relu", "r", "x", "y");
  build_output(&build, "y");
  EXPECT_ERROR(&build, FV_ERR_LIMIT, "input 'x'", "elements");
  build_free(&build);
}

static void test_data_length(void) {
  Build build;
  build_small(&build);
  build.graph.initializer[1]->raw_data.len = 7;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "initialiser 'b'", "f32[2] (8 bytes)", "7 bytes");
  build.graph.initializer[1]->has_raw_data = 0;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "initialiser 'b'", "0 elements");
  int32_t large = 300;
  Onnx__TensorProto *tensor = build_tensor(&build, "t", UINT8, 1, DIMS(1));
  build.graph.initializer[1]->has_raw_data = 1;
  build.graph.initializer[1]->raw_data.len = 8;
  tensor->n_int32_data = 1;
  tensor->int32_data = &large;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "initialiser 't'", "300", "u8");
  build_free(&build);
}

static void test_missing(void) {
  Build build;
  build_small(&build);
  build.graph.n_initializer = 1;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "node 'first' (Conv)", "input 'b'");
  build.graph.n_initializer = 2;
  build.graph.output[0]->name = build_string(&build, "nowhere");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "graph output 'nowhere'");
  build.graph.n_output = 0;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "no outputs");
  build.graph.n_node = 0;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "no operators");
  build.model.graph = NULL;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "no graph");
  build_free(&build);
}

static void test_duplicates(void) {
  Build build;
  build_small(&build);
  build.graph.node[1]->output[0] = build_string(&build, "c");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "node 'second' (Relu): output 'c' is defined twice");
  build.graph.node[1]->output[0] = build_string(&build, "x");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "'x' is defined twice");
  build.graph.node[1]->output[0] = build_string(&build, "y");
  build.graph.initializer[1]->name = build_string(&build, "w");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "'w' is defined twice");
  build.graph.initializer[1]->name = build_string(&build, "b");
  build_output(&build, "y");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "graph output 'y' is listed twice");
  build.graph.n_output = 1;
  build_int(&build, build.graph.node[0], "group", 1);
  build_int(&build, build.graph.node[0], "group", 1);
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "node 'first' (Conv)", "'group' is given twice");
  build_free(&build);
}

static void test_types(void) {
  Build build;
  build_small(&build);
  build.graph.initializer[0]->data_type = STRING;
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "initialiser 'w'", "string");
  build.graph.initializer[0]->data_type = 1000;
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "initialiser 'w'", "unknown");
  build.graph.initializer[0]->data_type = FLOAT;
  build.graph.input[0]->type->tensor_type->elem_type = STRING;
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "input 'x'", "string");
  build.graph.input[0]->type->tensor_type = NULL; /* a sequence, say */
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "input 'x' is not a tensor");
  build_free(&build);
}

/* An operator's own checks come with node and operator in front. */
static void test_operator_checks(void) {
  Build build;
  build_small(&build);
  build.graph.initializer[0]->dims = (int64_t[]){3, 2, 1, 1};
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "memory.onnx", "node 'first' (Conv)");
  build_free(&build);
  build_small(&build);
  build.graph.node[1]->n_input = 0;
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "node 'second' (Relu)", "0 inputs");
  build.graph.node[1]->n_input = 1;
  build.graph.node[0]->input[0] = build_string(&build, "");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "node 'first' (Conv)", "input 0 is missing");
  build_free(&build);
}

static void test_names(void) {
  Build build;
  char *longest = g_strnfill(FV_MAX_NAME + 1, 'n');
  build_small(&build);
  build.graph.node[0]->name = longest;
  EXPECT_ERROR(&build, FV_ERR_LIMIT, "longer than 1023 bytes");
  build.graph.node[0]->name = build_string(&build, "bell\a\x1b[2J");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "control characters", "bell??[2J");
  build.graph.node[0]->name = build_string(&build, "caf\xe9");
  EXPECT_ERROR(&build, FV_ERR_FORMAT, "not UTF-8", "'caf?'");
  build.graph.node[0]->name = build_string(&build, "first");
  build.graph.node[0]->op_type = build_string(&build, "Co\x1bnv");
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "operator Co?nv");
  g_free(longest);
  build_free(&build);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/hostile/truncated-anywhere", test_truncated);
  g_test_add_func("/hostile/flipped-bytes", test_flipped);
  g_test_add_func("/hostile/not-a-model", test_not_a_model);
  g_test_add_func("/hostile/deep-nesting", test_deep_nesting);
  g_test_add_func("/hostile/sub-graphs-are-refused", test_subgraph);
  g_test_add_func("/hostile/cycles-are-named", test_cycle);
  g_test_add_func("/hostile/a-long-chain-is-fine", test_long_chain);
  g_test_add_func("/hostile/too-many-operators", test_counts);
  g_test_add_func("/hostile/impossible-dimensions", test_dims);
  g_test_add_func("/hostile/impossible-input", test_input_dims);
  g_test_add_func("/hostile/data-of-another-length", test_data_length);
  g_test_add_func("/hostile/missing-parts", test_missing);
  g_test_add_func("/hostile/duplicate-names", test_duplicates);
  g_test_add_func("/hostile/wrong-types", test_types);
  g_test_add_func("/hostile/operators-check-their-inputs", test_operator_checks);
  g_test_add_func("/hostile/names-are-clean", test_names);
  return g_test_run();
}

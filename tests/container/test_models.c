/* Models through a .fovea file: the same outputs, the same description. */
#include <stdlib.h>
#include <string.h>

#include "build_model.h"
#include "container/graph_code.h"
#include "import/onnx.h"
#include "support.h"
#include "vision/describe.h"

static FvModel *reopen(const FvModel *model, FvWeightKind weights) {
  g_autofree char *path = support_path("again.fovea");
  FvModel *again = NULL;
  FvError err;
  if (fv_container_write(model, path, &(FvContainerParams){.weights = weights, .entropy = weights == FV_WEIGHTS_F16 ? "rans" : "none"}, &err) < 0 ||
      fv_model_open(path, &fv_model_params(.signature = FV_SIGNATURE_OFF), &again, &err) < 0)
    g_error("%s", err.message);
  g_assert_cmpstr(fv_model_info(again).format, ==, "fovea");
  return again;
}

static void compare_descriptions(const FvDescription *a, const FvDescription *b) {
  FvHead heads[2] = {a->head, b->head};
  g_assert_cmpint(a->family, ==, b->family);
  if (a->family == FV_FAMILY_NONE) return;
  g_assert_cmpstr(a->name, ==, b->name);
  g_assert_cmpmem(&a->preprocess, sizeof a->preprocess, &b->preprocess, sizeof b->preprocess);
  g_assert_cmpint(a->head.output_count, ==, b->head.output_count);
  for (int i = 0; i < a->head.output_count; i++) g_assert_cmpstr(a->head.outputs[i], ==, b->head.outputs[i]);
  for (int i = 0; i < 2; i++) memset(heads[i].outputs, 0, sizeof heads[i].outputs);
  g_assert_cmpmem(&heads[0], sizeof heads[0], &heads[1], sizeof heads[1]);
  g_assert_cmpint(a->class_count, ==, b->class_count);
  g_assert_true(!a->labels == !b->labels);
  for (int i = 0; a->labels && i < a->class_count; i++) g_assert_cmpstr(a->labels[i], ==, b->labels[i]);
  g_assert_cmpfloat(a->threshold, ==, b->threshold);
  g_assert_cmpfloat(a->iou_threshold, ==, b->iou_threshold);
}

static void compare_values(const FvModel *a, const FvModel *b) {
  g_assert_cmpint(fv_model_input_count(a), ==, fv_model_input_count(b));
  for (int i = 0; i < fv_model_input_count(a); i++) {
    FvValueInfo x = fv_model_input(a, i), y = fv_model_input(b, i);
    g_assert_cmpstr(x.name, ==, y.name);
    g_assert_cmpint(x.dtype, ==, y.dtype);
    g_assert_cmpint(x.rank, ==, y.rank);
    if (x.rank > 0) g_assert_cmpmem(x.dims, sizeof *x.dims * (size_t)x.rank, y.dims, sizeof *y.dims * (size_t)y.rank);
  }
}

static void round_trip(FvModel *model, FvWeightKind weights, double allowed) {
  FvModel *again = reopen(model, weights);
  compare_values(model, again);
  compare_descriptions(fv_model_description(model), fv_model_description(again));
  double worst = support_difference(model, again);
  g_test_message("%s: difference %g, allowed %g", fv_model_info(model).path, worst, allowed);
  g_assert_cmpfloat(worst, <=, allowed);
  fv_model_destroy(&again);
}

static void test_shared(const void *name) {
  g_autofree char *path = g_build_filename(g_getenv("FOVEA_SHARED_DIR") ? g_getenv("FOVEA_SHARED_DIR") : "", "models", "onnx", name, NULL);
  FvModel *model = NULL;
  FvError err;
  if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
    g_test_skip("the shared models are not there");
    return;
  }
  if (fv_model_open(path, NULL, &model, &err) < 0) g_error("%s", err.message);
  round_trip(model, FV_WEIGHTS_F32, 0);
  round_trip(model, FV_WEIGHTS_F16, 1e-2);
  fv_model_destroy(&model);
}

static void test_small(void) {
  FvModel *model = support_small_model();
  round_trip(model, FV_WEIGHTS_F32, 0);
  round_trip(model, FV_WEIGHTS_F16, 1e-2);
  fv_model_destroy(&model);
}

static FvModel *open_build(Build *build) {
  FvModel *model = NULL;
  FvError err;
  GBytes *bytes = build_pack(build);
  if (fv_model_open_memory(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "built.onnx", NULL, &model, &err) < 0) g_error("%s", err.message);
  g_bytes_unref(bytes);
  build_free(build);
  return model;
}

/* Attributes of several kinds, an input left out, an open dimension, integer constants and two outputs. */
static void test_attributes(void) {
  static const float scales[] = {1, 1, 2, 2};
  static const int64_t order[] = {0, 2, 3, 1};
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 4, DIMS(-1, 3, 4, 4));
  Onnx__TensorProto *tensor = build_tensor(&build, "k", FLOAT, 1, DIMS(4));
  build_raw(&build, tensor, scales, sizeof scales);
  Onnx__NodeProto *node = build_node(&build, "Resize", "resize", "x,,k", "r");
  Onnx__AttributeProto *attribute = build_attribute(&build, node, "mode", ATTR_STRING);
  attribute->has_s = 1;
  attribute->s = (ProtobufCBinaryData){6, (uint8_t *)build_string(&build, "linear")};
  node = build_node(&build, "LeakyRelu", "", "r", "l");
  attribute = build_attribute(&build, node, "alpha", ATTR_FLOAT);
  attribute->has_f = 1;
  attribute->f = 0.3f;
  node = build_node(&build, "Transpose", "turn", "l", "y");
  attribute = build_attribute(&build, node, "perm", ATTR_INTS);
  attribute->ints = build_alloc(&build, sizeof order);
  memcpy(attribute->ints, order, sizeof order);
  attribute->n_ints = 4;
  build_output(&build, "y");
  build_output(&build, "r");
  FvModel *model = open_build(&build);
  round_trip(model, FV_WEIGHTS_F32, 0);
  fv_model_destroy(&model);
}

/* Where an input decides shapes, the graph is kept as it was, open dimensions and all. */
static void test_shape_input(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 2, DIMS(2, 3));
  build_input(&build, "shape", INT64, 1, DIMS(2));
  build_node(&build, "Reshape", "r", "x,shape", "y");
  build_output(&build, "y");
  FvModel *model = open_build(&build), *again = reopen(model, FV_WEIGHTS_F32);
  compare_values(model, again);
  g_assert_true(fv_model_input_is_shape(again, 1));
  fv_model_destroy(&again);
  fv_model_destroy(&model);
}

/* Values beyond binary16 stay as they are. */
static void test_large_weights(void) {
  static const float weights[] = {1e6f, -2e6f, 3e6f, 1, 2, 3};
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 4, DIMS(1, 3, 4, 4));
  build_raw(&build, build_tensor(&build, "w", FLOAT, 4, DIMS(2, 3, 1, 1)), weights, sizeof weights);
  build_node(&build, "Conv", "c", "x,w", "y");
  build_output(&build, "y");
  FvModel *model = open_build(&build);
  round_trip(model, FV_WEIGHTS_F16, 0);
  fv_model_destroy(&model);
}

/* Descriptions that no shared model has. */
static void test_description(void) {
  static const char yaml[] =
    "name: \"a \\\"name\\\" \\\\ with: marks\"\nfamily: yolo-anchor\nclasses: 3\nlabels: [\"yes\", \"# two\", \"dr\\u00fcben\\tx\"]\nthreshold: 0.1\niou-threshold: 0.7\n"
    "preprocess: {width: 320, height: 192, resize: letterbox-top-left, pad: 114, channels: bgr, mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395], layout: nhwc}\n"
    "head: {strides: [8, 16], anchors: [[1.5, 2, 3, 4], [5, 6.125]], variance: [0.1, 0.3], bins: 8, score-activation: sigmoid, objectness-activation: sigmoid, "
    "boxes: raw, background: true, outputs: [\"a:0\", \"- b\"]}\n";
  FvDescription a = {0}, b = {0};
  FvError err;
  char *text;
  size_t size;
  g_assert_cmpint(fv_description_read_yaml(&a, yaml, strlen(yaml), "test", &err), ==, 0);
  g_assert_cmpint(fv_description_write(&a, &text, &size, &err), ==, 0);
  g_assert_cmpint(fv_description_read_embedded(&b, text, size, "again", &err), ==, 0);
  compare_descriptions(&a, &b);
  free(text);
  fv_description_finish(&a);
  fv_description_finish(&b);
}

static void decode(const guint8 *graph, size_t graph_size, const guint8 *weights, size_t weight_size) {
  FvModelFile file = {0};
  FvError err = {0};
  if (fv_graph_decode(graph, graph_size, (FvWeightBytes){weights, weight_size, false}, &file, NULL, &err) < 0) {
    g_assert_cmpstr(err.message, !=, "");
    return;
  }
  fv_graph_prepare(file.graph, &err); /* may refuse, must not fall */
  fv_graph_destroy(&file.graph);
}

/* Every form of storage and every coder: the same outputs. */
static void test_levels(void) {
  FvModel *model = support_levels_model();
  g_autofree char *path = support_path("levels.fovea");
  for (int i = -1; i < 0 || fv_entropy_coder(i); i++) {
    FvModel *again = NULL;
    FvError err;
    if (fv_container_write(model, path, &(FvContainerParams){.entropy = i < 0 ? "auto" : fv_entropy_coder(i)}, &err) < 0 ||
        fv_model_open(path, &fv_model_params(.signature = FV_SIGNATURE_OFF), &again, &err) < 0)
      g_error("%s", err.message);
    g_assert_cmpfloat(support_difference(model, again), ==, 0);
    fv_model_destroy(&again);
  }
  fv_model_destroy(&model);
}

/* What inspect shows: every operator with constants, its bytes adding up to the section's, those that are only dequantised with the operator that uses them. */
static void test_layers(void) {
  FvModel *model = support_levels_model(), *again = NULL;
  g_autofree char *path = support_path("layers.fovea");
  FvLayerBytes layers[8];
  FvError err;
  g_assert_cmpint(fv_container_layers(model, layers, 8), ==, 0);
  if (fv_container_write(model, path, &(FvContainerParams){.decode_ms = -1}, &err) < 0 || fv_model_open(path, &fv_model_params(.signature = FV_SIGNATURE_OFF), &again, &err) < 0)
    g_error("%s", err.message);
  int count = fv_container_layers(again, layers, 8), convolutions = 0;
  g_assert_cmpint(count, <=, 8);
  for (int i = 0; i < count; i++) {
    if (strcmp(layers[i].operation, "Conv") != 0) continue;
    bool first = convolutions++ == 0;
    g_assert_cmpstr(layers[i].node, ==, first ? "first" : "second");
    g_assert_cmpint(layers[i].weights, ==, first ? 648 : 96);
    g_assert_cmpstr(layers[i].form, ==, first ? "plain" : "codebook");
    g_assert_cmpfloat(layers[i].weight_bits, <, 4);
    g_assert_cmpfloat(layers[i].bytes, >, layers[i].weight_bits * (double)layers[i].weights / 8);
  }
  g_assert_cmpint(convolutions, ==, 2);
  fv_model_destroy(&again);
  fv_model_destroy(&model);
}

/* The decoder does not lean on the hashes: any byte of the graph changed, any end. */
static void test_hostile_graph(void) {
  FvModelFile file;
  FvBytes graph = {0}, weights = {0};
  FvError err;
  Build build;
  build_small(&build);
  GBytes *bytes = build_pack(&build);
  g_assert_cmpint(fv_onnx_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, &file, &err), ==, 0);
  g_assert_cmpint(fv_graph_encode(file.graph, &(FvGraphHead){"test", 13}, FV_WEIGHTS_F32, &(FvCoderLimits){0}, &graph, &weights, &err), ==, 0);
  fv_graph_destroy(&file.graph);
  for (size_t at = 0; at < graph.size; at++) {
    guint8 *exact = g_memdup2(graph.data, at), kept = graph.data[at];
    g_assert_cmpint(fv_graph_decode(exact, at, (FvWeightBytes){weights.data, weights.size, false}, &file, NULL, &err), <, 0);
    g_free(exact);
    for (int bit = 0; bit < 8; bit++) {
      graph.data[at] = kept ^ (guint8)(1u << bit);
      decode(graph.data, graph.size, weights.data, weights.size);
    }
    graph.data[at] = kept;
  }
  for (size_t size = 0; size < weights.size; size++) g_assert_cmpint(fv_graph_decode(graph.data, graph.size, (FvWeightBytes){weights.data, size, false}, &file, NULL, &err), <, 0);
  fv_bytes_finish(&graph);
  fv_bytes_finish(&weights);
  g_bytes_unref(bytes);
  build_free(&build);
}

int main(int argc, char **argv) {
  static const char *const shared[] = {"FastestDet.onnx", "face_detection_yunet_120x160.onnx", "mobilenet_v2_quant.onnx", "nanodet_m_320.onnx",
                                       "osnet_x0_25_msmt17.onnx", "version-RFB-320.onnx", "version-RFB-320_simplified.onnx", "yolo-fastestv2.onnx"};
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/container/models/small", test_small);
  g_test_add_func("/container/models/attributes", test_attributes);
  g_test_add_func("/container/models/an-input-that-decides-shapes", test_shape_input);
  g_test_add_func("/container/models/weights-beyond-binary16", test_large_weights);
  g_test_add_func("/container/models/descriptions", test_description);
  g_test_add_func("/container/models/all-forms-by-all-coders", test_levels);
  g_test_add_func("/container/models/layers", test_layers);
  g_test_add_func("/container/models/a-hostile-graph", test_hostile_graph);
  for (size_t i = 0; i < G_N_ELEMENTS(shared); i++) {
    g_autofree char *path = g_strdup_printf("/container/models/shared/%s", shared[i]);
    g_test_add_data_func(path, shared[i], test_shared);
  }
  int result = g_test_run();
  support_finish();
  return result;
}

/* The model object: shapes that are given, inputs that decide shapes, references. */
#include "build_model.h"

#include <string.h>

#include "model/model_internal.h"

static FvModel *open_built(Build *build, const FvModelParams *params, int code, const char *word) {
  FvError err = {0};
  FvModel *model = NULL;
  GBytes *bytes = build_pack(build);
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  int result = fv_model_open_memory(data, size, "dir/small.v2.onnx", params, &model, &err);
  if (result != code) g_error("code %d: %s", result, err.message);
  if (word && !strstr(err.message, word)) g_error("'%s' is not in: %s", word, err.message);
  g_bytes_unref(bytes);
  return model;
}

static void test_info(void) {
  Build build;
  build_small(&build);
  FvModel *model = open_built(&build, NULL, 0, NULL), *other = fv_model_ref(model);
  FvModelInfo info = fv_model_info(model);
  g_assert_cmpstr(info.path, ==, "dir/small.v2.onnx");
  g_assert_cmpstr(info.format, ==, "onnx");
  g_assert_cmpint(info.opset, ==, 13);
  g_assert_cmpint(info.parameters, ==, 8);
  g_assert_cmpint(info.node_count, ==, 2);
  g_assert_cmpstr(fv_model_description(model)->name, ==, "small.v2");
  g_assert_cmpint(fv_model_input_count(model), ==, 1);
  FvValueInfo output = fv_model_output(model, 0);
  g_assert_cmpstr(output.name, ==, "y");
  g_assert_cmpint(output.rank, ==, 4);
  g_assert_cmpint(output.dims[1], ==, 2);
  g_assert_cmpint(fv_model_output(model, 1).rank, ==, -1);
  fv_model_destroy(&model);
  g_assert_null(model);
  g_assert_cmpint(fv_model_input(other, 0).dims[3], ==, 4); /* the other reference keeps it */
  fv_model_destroy(&other);
  fv_model_destroy(&other);
  fv_model_destroy(NULL);
  build_free(&build);
}

static void test_input_shapes(void) {
  Build build;
  FvInputShape shape = {.name = "x", .rank = 4, .dims = {0, 0, 8, 6}};
  FvModelParams params = {.input_shapes = &shape, .input_shape_count = 1};
  build_small(&build);
  FvModel *model = open_built(&build, &params, 0, NULL);
  g_assert_cmpint(fv_model_output(model, 0).dims[2], ==, 8);
  g_assert_cmpint(fv_model_output(model, 0).dims[3], ==, 6);
  fv_model_destroy(&model);
  shape.name = NULL;
  model = open_built(&build, &params, 0, NULL);
  g_assert_cmpint(fv_model_input(model, 0).dims[0], ==, 1);
  fv_model_destroy(&model);
  shape.dims[1] = 5;
  open_built(&build, &params, FV_ERR_FORMAT, "with the input shape given");
  shape.rank = 3;
  open_built(&build, &params, FV_ERR_INVALID, "has 4 dimensions, but 3");
  shape = (FvInputShape){.name = "z", .rank = 4};
  open_built(&build, &params, FV_ERR_INVALID, "no input 'z'");
  shape = (FvInputShape){.name = "x", .rank = 4, .dims = {1, 3, INT64_MAX, 1}};
  open_built(&build, &params, FV_ERR_INVALID, "cannot be");
  build_free(&build);
}

static void test_open_dims(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 3, DIMS(-1, 3, -1));
  build_node(&build, "Relu", "r", "x", "y");
  build_output(&build, "y");
  FvModel *model = open_built(&build, NULL, 0, NULL);
  FvValueInfo info = fv_model_output(model, 0);
  g_assert_cmpint(info.dims[0], ==, 1);
  g_assert_cmpint(info.dims[1], ==, 3);
  g_assert_cmpint(info.dims[2], ==, 1);
  fv_model_destroy(&model);
  build.graph.input[0]->type->tensor_type->shape = NULL;
  open_built(&build, NULL, FV_ERR_UNSUPPORTED, "input 'x' has no shape");
  FvInputShape shape = {.name = "x", .rank = 2, .dims = {2, 5}};
  model = open_built(&build, &fv_model_params(.input_shapes = &shape, .input_shape_count = 1), 0, NULL);
  g_assert_cmpint(fv_model_output(model, 0).rank, ==, 2);
  fv_model_destroy(&model);
  build_free(&build);
}

static void test_shape_inputs(void) {
  Build build;
  build_init(&build, 13);
  build_input(&build, "x", FLOAT, 2, DIMS(2, 6));
  build_input(&build, "s", INT64, 1, DIMS(3));
  build_node(&build, "Identity", "i", "s", "t");
  build_node(&build, "Shape", "shape", "x", "u"); /* reads dims only: x decides nothing */
  build_node(&build, "Reshape", "r", "x,t", "y");
  build_node(&build, "Reshape", "q", "y,u", "z");
  build_output(&build, "z");
  FvModel *model = open_built(&build, NULL, 0, NULL);
  g_assert_false(fv_model_input_is_shape(model, 0));
  g_assert_true(fv_model_input_is_shape(model, 1));
  g_assert_false(fv_model_input_is_shape(model, 2));
  g_assert_null(fv_model_prepared_graph(model));
  g_assert_cmpint(fv_model_output(model, 0).rank, ==, -1);
  g_assert_cmpint(fv_model_description(model)->family, ==, FV_FAMILY_NONE);
  g_assert_cmpstr(fv_model_describe_error(model), !=, "");
  fv_model_destroy(&model);
  build_free(&build);
}

static void test_arguments(void) {
  FvError err = {0};
  FvModel *model = NULL;
  g_assert_cmpint(fv_model_open("/nonexistent/model.onnx", NULL, &model, &err), ==, FV_ERR_IO);
  g_assert_nonnull(strstr(err.message, "/nonexistent/model.onnx"));
  g_assert_cmpint(fv_model_open("/", NULL, &model, NULL), ==, FV_ERR_IO);
  g_assert_cmpint(fv_model_open("model.onnx", NULL, NULL, &err), ==, FV_ERR_INVALID);
  g_assert_null(model);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/model/tells-what-it-is", test_info);
  g_test_add_func("/model/input-shapes-replace-the-files", test_input_shapes);
  g_test_add_func("/model/open-dimensions-become-one", test_open_dims);
  g_test_add_func("/model/inputs-that-decide-shapes", test_shape_inputs);
  g_test_add_func("/model/bad-arguments", test_arguments);
  return g_test_run();
}

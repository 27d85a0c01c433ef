#include "build_model.h"

#include <string.h>

void *build_alloc(Build *build, size_t size) {
  void *memory = g_malloc0(size ? size : 1);
  g_ptr_array_add(build->memory, memory);
  return memory;
}

char *build_string(Build *build, const char *text) {
  char *copy = build_alloc(build, strlen(text) + 1);
  return strcpy(copy, text);
}

/* Appends to a repeated field: the old array stays in memory until the builder goes. */
static void append(Build *build, void *field, size_t *count, const void *item) {
  void **old = *(void ***)field, **grown = build_alloc(build, (*count + 1) * sizeof *grown);
  if (*count) memcpy(grown, old, *count * sizeof *grown);
  grown[(*count)++] = (void *)item;
  *(void ***)field = grown;
}

void build_init(Build *build, int opset) {
  build->memory = g_ptr_array_new_with_free_func(g_free);
  onnx__model_proto__init(&build->model);
  onnx__graph_proto__init(&build->graph);
  build->model.graph = &build->graph;
  build->model.has_ir_version = 1;
  build->model.ir_version = 8;
  build->model.producer_name = build_string(build, "test");
  Onnx__OperatorSetIdProto *entry = build_alloc(build, sizeof *entry);
  onnx__operator_set_id_proto__init(entry);
  entry->domain = build_string(build, "");
  entry->has_version = 1;
  entry->version = opset;
  append(build, &build->model.opset_import, &build->model.n_opset_import, entry);
}

void build_free(Build *build) { g_ptr_array_unref(build->memory); }

static Onnx__TensorShapeProto *make_shape(Build *build, int rank, const int64_t *dims) {
  Onnx__TensorShapeProto *shape = build_alloc(build, sizeof *shape);
  onnx__tensor_shape_proto__init(shape);
  for (int d = 0; d < rank; d++) {
    Onnx__DimensionProto *dim = build_alloc(build, sizeof *dim);
    onnx__dimension_proto__init(dim);
    if (dims[d] == -1) {
      dim->dim_param = build_string(build, "N");
    } else {
      dim->has_dim_value = 1;
      dim->dim_value = dims[d];
    }
    append(build, &shape->dim, &shape->n_dim, dim);
  }
  return shape;
}

void build_input(Build *build, const char *name, int type, int rank, const int64_t *dims) {
  Onnx__ValueInfoProto *value = build_alloc(build, sizeof *value);
  Onnx__TypeProto *outer = build_alloc(build, sizeof *outer);
  Onnx__TensorTypeProto *inner = build_alloc(build, sizeof *inner);
  onnx__value_info_proto__init(value);
  onnx__type_proto__init(outer);
  onnx__tensor_type_proto__init(inner);
  value->name = build_string(build, name);
  value->type = outer;
  outer->tensor_type = inner;
  inner->has_elem_type = 1;
  inner->elem_type = type;
  if (rank >= 0) inner->shape = make_shape(build, rank, dims);
  append(build, &build->graph.input, &build->graph.n_input, value);
}

void build_output(Build *build, const char *name) {
  Onnx__ValueInfoProto *value = build_alloc(build, sizeof *value);
  onnx__value_info_proto__init(value);
  value->name = build_string(build, name);
  append(build, &build->graph.output, &build->graph.n_output, value);
}

static void add_names(Build *build, char ***field, size_t *count, const char *list) {
  char **names = g_strsplit(list, ",", -1);
  for (int i = 0; names[i]; i++) append(build, field, count, build_string(build, names[i]));
  g_strfreev(names);
}

Onnx__NodeProto *build_node(Build *build, const char *type, const char *name, const char *inputs, const char *outputs) {
  Onnx__NodeProto *node = build_alloc(build, sizeof *node);
  onnx__node_proto__init(node);
  node->op_type = build_string(build, type);
  node->name = build_string(build, name);
  add_names(build, &node->input, &node->n_input, inputs);
  add_names(build, &node->output, &node->n_output, outputs);
  append(build, &build->graph.node, &build->graph.n_node, node);
  return node;
}

Onnx__AttributeProto *build_attribute(Build *build, Onnx__NodeProto *node, const char *name, int type) {
  Onnx__AttributeProto *attribute = build_alloc(build, sizeof *attribute);
  onnx__attribute_proto__init(attribute);
  attribute->name = build_string(build, name);
  attribute->has_type = 1;
  attribute->type = type;
  append(build, &node->attribute, &node->n_attribute, attribute);
  return attribute;
}

void build_int(Build *build, Onnx__NodeProto *node, const char *name, int64_t value) {
  Onnx__AttributeProto *attribute = build_attribute(build, node, name, ATTR_INT);
  attribute->has_i = 1;
  attribute->i = value;
}

Onnx__TensorProto *build_tensor(Build *build, const char *name, int type, int rank, const int64_t *dims) {
  Onnx__TensorProto *tensor = build_alloc(build, sizeof *tensor);
  onnx__tensor_proto__init(tensor);
  tensor->name = build_string(build, name);
  tensor->has_data_type = 1;
  tensor->data_type = type;
  tensor->dims = build_alloc(build, sizeof *dims * (size_t)rank);
  tensor->n_dims = (size_t)rank;
  if (rank) memcpy(tensor->dims, dims, sizeof *dims * (size_t)rank);
  append(build, &build->graph.initializer, &build->graph.n_initializer, tensor);
  return tensor;
}

void build_raw(Build *build, Onnx__TensorProto *tensor, const void *data, size_t size) {
  tensor->has_raw_data = 1;
  tensor->raw_data.len = size;
  tensor->raw_data.data = build_alloc(build, size);
  if (size) memcpy(tensor->raw_data.data, data, size);
}

void build_external(Build *build, Onnx__TensorProto *tensor, const char *key, const char *value) {
  Onnx__StringStringEntryProto *entry = build_alloc(build, sizeof *entry);
  onnx__string_string_entry_proto__init(entry);
  entry->key = build_string(build, key);
  entry->value = build_string(build, value);
  tensor->has_data_location = 1;
  tensor->data_location = 1;
  append(build, &tensor->external_data, &tensor->n_external_data, entry);
}

GBytes *build_pack(Build *build) {
  size_t size = onnx__model_proto__get_packed_size(&build->model);
  uint8_t *data = g_malloc(size + 1);
  onnx__model_proto__pack(&build->model, data);
  return g_bytes_new_take(data, size);
}

void build_small(Build *build) {
  static const float weights[6] = {1, 2, 3, -1, -2, -3}, bias[2] = {0.5f, -0.5f};
  build_init(build, 13);
  build_input(build, "x", FLOAT, 4, DIMS(1, 3, 4, 4));
  build_raw(build, build_tensor(build, "w", FLOAT, 4, DIMS(2, 3, 1, 1)), weights, sizeof weights);
  build_raw(build, build_tensor(build, "b", FLOAT, 1, DIMS(2)), bias, sizeof bias);
  build_node(build, "Conv", "first", "x,w,b", "c");
  build_node(build, "Relu", "second", "c", "y");
  build_output(build, "y");
}

FvModel *build_small_model(const char *name) {
  Build build;
  FvModel *model = NULL;
  FvError err;
  build_small(&build);
  GBytes *bytes = build_pack(&build);
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);
  if (fv_model_open_memory(data, size, name, NULL, &model, &err) < 0) g_error("%s", err.message);
  g_bytes_unref(bytes);
  build_free(&build);
  return model;
}

int open_bytes(GBytes *bytes, FvError *err) {
  FvModel *model = NULL;
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  int result = fv_model_open_memory(data, size, "memory.onnx", NULL, &model, err);
  g_assert_true((result == 0) == (model != NULL));
  fv_model_destroy(&model);
  return result;
}

void expect_error(Build *build, int code, ...) {
  FvError err = {0};
  va_list words;
  GBytes *bytes = build_pack(build);
  int result = open_bytes(bytes, &err);
  if (result != code) g_test_message("code %d, sentence: %s", result, err.message);
  g_assert_cmpint(result, ==, code);
  g_assert_cmpint(err.code, ==, code);
  va_start(words, code);
  for (const char *word; (word = va_arg(words, const char *));) {
    if (!strstr(err.message, word)) g_test_message("'%s' is not in: %s", word, err.message);
    g_assert_nonnull(strstr(err.message, word));
  }
  va_end(words);
  g_bytes_unref(bytes);
}

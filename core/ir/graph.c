#include "ir/graph.h"

#include <stdlib.h>
#include <string.h>

#include "ir/op.h"

FvGraph *fv_graph_create(void) {
  FvGraph *graph = calloc(1, sizeof *graph);
  if (!graph) return NULL;
  fv_arena_init(&graph->arena);
  fv_arena_init(&graph->structure);
  return graph;
}

void fv_graph_destroy(FvGraph **graph) {
  if (!graph || !*graph) return;
  fv_arena_finish(&(*graph)->arena);
  fv_arena_finish(&(*graph)->structure);
  free((*graph)->nodes);
  free((*graph)->values);
  free((*graph)->inputs);
  free((*graph)->outputs);
  free(*graph);
  *graph = NULL;
}

/* Makes room for one more pointer in a malloc'ed array that doubles. */
static bool reserve(void *array, int count, int *capacity, int limit) {
  void **items = *(void ***)array;
  if (count >= limit) return false;
  if (count < *capacity) return true;
  int grown = *capacity ? *capacity * 2 : 64;
  items = realloc(items, (size_t)grown * sizeof *items);
  if (!items) return false;
  *(void ***)array = items;
  *capacity = grown;
  return true;
}

FvValue *fv_graph_add_value(FvGraph *graph, const char *name) {
  if (!reserve(&graph->values, graph->value_count, &graph->value_capacity, FV_MAX_VALUES)) return NULL;
  FvValue *value = fv_arena_object(&graph->structure, sizeof *value);
  if (!value) return NULL;
  value->name = fv_arena_strndup(&graph->arena, name, strlen(name));
  value->rank = -1;
  if (!value->name) return NULL;
  value->index = graph->value_count;
  graph->values[graph->value_count++] = value;
  return value;
}

FvValue *fv_graph_add_constant(FvGraph *graph, const char *name, const FvTensor *tensor, bool copy) {
  FvValue *value = fv_graph_add_value(graph, name);
  FvTensor *constant = value ? fv_arena_object(&graph->arena, sizeof *constant) : NULL;
  if (!constant) return NULL;
  *constant = *tensor;
  fv_tensor_set_contiguous(constant);
  if (copy) {
    size_t bytes = (size_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype);
    constant->data = fv_arena_alloc(&graph->arena, bytes);
    if (!constant->data) return NULL;
    memcpy(constant->data, tensor->data, bytes);
  }
  value->constant = constant;
  value->dtype = tensor->dtype;
  value->rank = tensor->rank;
  memcpy(value->dims, tensor->dims, sizeof value->dims);
  return value;
}

FvNode *fv_graph_add_node(FvGraph *graph, const FvOp *op, const char *name, int opset, int input_count, int output_count) {
  if (input_count < 0 || output_count < 0 || input_count > FV_MAX_NODE_IO || output_count > FV_MAX_NODE_IO) return NULL;
  if (!reserve(&graph->nodes, graph->node_count, &graph->node_capacity, FV_MAX_NODES)) return NULL;
  FvNode *node = fv_arena_object(&graph->structure, sizeof *node);
  if (!node) return NULL;
  node->op = op;
  node->name = name && *name ? fv_arena_strndup(&graph->arena, name, strlen(name)) : "";
  node->opset = opset;
  node->input_count = input_count;
  node->output_count = output_count;
  node->inputs = fv_arena_array(&graph->structure, (size_t)input_count + (size_t)output_count + 2, sizeof *node->inputs); /* one spare for a fused residual */
  if (!node->name || !node->inputs) return NULL;
  node->outputs = node->inputs + input_count + 1;
  graph->nodes[graph->node_count++] = node;
  return node;
}

static bool append(FvValue ***list, int *count, FvValue *value) {
  FvValue **grown = realloc(*list, (size_t)(*count + 1) * sizeof *grown);
  if (!grown) return false;
  grown[(*count)++] = value;
  *list = grown;
  return true;
}

bool fv_graph_add_input(FvGraph *graph, FvValue *value) {
  value->is_input = true;
  return append(&graph->inputs, &graph->input_count, value);
}

bool fv_graph_add_output(FvGraph *graph, FvValue *value) {
  value->is_output = true;
  return append(&graph->outputs, &graph->output_count, value);
}

const char *fv_node_label(const FvNode *node) {
  if (node->name[0]) return node->name;
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i]) return node->outputs[i]->name;
  return node->op->name;
}

const FvAttr *fv_node_attr(const FvNode *node, const char *name) {
  for (int i = 0; i < node->attr_count; i++)
    if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
  return NULL;
}

int64_t fv_node_int(const FvNode *node, const char *name, int64_t fallback) {
  const FvAttr *attr = fv_node_attr(node, name);
  return attr && attr->kind == FV_ATTR_INT ? attr->i : fallback;
}

float fv_node_float(const FvNode *node, const char *name, float fallback) {
  const FvAttr *attr = fv_node_attr(node, name);
  return attr && attr->kind == FV_ATTR_FLOAT ? attr->f : fallback;
}

const char *fv_node_string(const FvNode *node, const char *name, const char *fallback) {
  const FvAttr *attr = fv_node_attr(node, name);
  return attr && attr->kind == FV_ATTR_STRING ? attr->s : fallback;
}

int fv_node_ints(const FvNode *node, const char *name, int64_t *values, int capacity) {
  const FvAttr *attr = fv_node_attr(node, name);
  if (!attr || attr->kind != FV_ATTR_INTS) return -1;
  for (int i = 0; i < attr->count && i < capacity; i++) values[i] = attr->ints[i];
  return attr->count;
}

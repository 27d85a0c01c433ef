/* Small graphs for tests of passes, and their evaluation by the reference kernels. */
#ifndef FOVEA_TESTS_GRAPH_BUILDER_H
#define FOVEA_TESTS_GRAPH_BUILDER_H

#include <glib.h>
#include <math.h>
#include <string.h>

#include "graph/passes/passes.h"

typedef struct Builder {
  FvGraph *graph;
  int names;
  uint32_t random;
} Builder;

G_GNUC_UNUSED static float next_random(Builder *b) {
  b->random = b->random * 1664525u + 1013904223u;
  return (float)(b->random >> 8) / (float)(1 << 24) * 2 - 1;
}

G_GNUC_UNUSED static FvValue *fresh(Builder *b) {
  g_autofree char *name = g_strdup_printf("v%d", b->names++);
  return fv_graph_add_value(b->graph, name);
}

G_GNUC_UNUSED static FvValue *input(Builder *b, int64_t c, int64_t h, int64_t w) {
  FvValue *value = fresh(b);
  value->dtype = FV_DTYPE_F32;
  value->rank = 4;
  memcpy(value->dims, (int64_t[]){1, c, h, w}, sizeof(int64_t) * 4);
  fv_graph_add_input(b->graph, value);
  return value;
}

G_GNUC_UNUSED static FvValue *constant(Builder *b, int rank, const int64_t *dims, bool positive) {
  FvTensor tensor = {.dtype = FV_DTYPE_F32, .rank = rank};
  memcpy(tensor.dims, dims, sizeof(int64_t) * (size_t)rank);
  int64_t count = fv_tensor_count(&tensor);
  g_autofree float *data = g_new(float, count);
  for (int64_t i = 0; i < count; i++) data[i] = positive ? fabsf(next_random(b)) + 0.1f : next_random(b);
  tensor.data = data;
  g_autofree char *name = g_strdup_printf("c%d", b->names++);
  return fv_graph_add_constant(b->graph, name, &tensor, true);
}

G_GNUC_UNUSED static FvValue *number(Builder *b, float value) {
  FvTensor tensor = {.dtype = FV_DTYPE_F32, .data = &value};
  g_autofree char *name = g_strdup_printf("c%d", b->names++);
  return fv_graph_add_constant(b->graph, name, &tensor, true);
}

G_GNUC_UNUSED static FvValue *ints(Builder *b, int count, const int64_t *values) {
  FvTensor tensor = {.dtype = FV_DTYPE_I64, .rank = 1, .dims = {count}, .data = (void *)values};
  g_autofree char *name = g_strdup_printf("c%d", b->names++);
  return fv_graph_add_constant(b->graph, name, &tensor, true);
}

G_GNUC_UNUSED static FvNode *node(Builder *b, const char *op, int count, FvValue **inputs) {
  const FvOp *found = fv_op_find(NULL, op);
  g_assert_nonnull(found);
  FvNode *made = fv_graph_add_node(b->graph, found, "", 13, count, 1);
  memcpy(made->inputs, inputs, sizeof *inputs * (size_t)count);
  made->outputs[0] = fresh(b);
  return made;
}

#define NODE(b, op, ...) node(b, op, (int)(sizeof((FvValue *[]){__VA_ARGS__}) / sizeof(FvValue *)), (FvValue *[]){__VA_ARGS__})
#define OUT(b, op, ...) (NODE(b, op, __VA_ARGS__)->outputs[0])

G_GNUC_UNUSED static void set_attr(Builder *b, FvNode *to, FvAttr attr) {
  FvAttr *attrs = fv_arena_array(&b->graph->arena, (size_t)to->attr_count + 1, sizeof *attrs);
  if (to->attr_count) memcpy(attrs, to->attrs, sizeof *attrs * (size_t)to->attr_count);
  attrs[to->attr_count++] = attr;
  to->attrs = attrs;
}

G_GNUC_UNUSED static FvValue *conv3(Builder *b, FvValue *x, int64_t in, int64_t out, bool bias) {
  static const int64_t pads[] = {1, 1, 1, 1};
  FvValue *w = constant(b, 4, (int64_t[]){out, in, 3, 3}, false);
  FvNode *made = bias ? NODE(b, "Conv", x, w, constant(b, 1, &out, false)) : NODE(b, "Conv", x, w);
  set_attr(b, made, (FvAttr){.name = "pads", .kind = FV_ATTR_INTS, .count = 4, .ints = pads});
  return made->outputs[0];
}

/* Row-major evaluation of the first output with inputs that depend on their name alone. */
G_GNUC_UNUSED static float *evaluate(const FvGraph *graph, int64_t *count) {
  FvTensor *tensors = g_new0(FvTensor, graph->value_count);
  for (int i = 0; i < graph->value_count; i++) {
    FvValue *value = graph->values[i];
    value->slot = i;
    tensors[i] = (FvTensor){.dtype = value->dtype, .rank = value->rank < 0 ? 0 : value->rank};
    if (value->constant) {
      tensors[i] = *value->constant;
      continue;
    }
    memcpy(tensors[i].dims, value->dims, sizeof value->dims);
    fv_tensor_set_contiguous(&tensors[i]);
    int64_t n = fv_tensor_count(&tensors[i]), name = value->is_input ? g_ascii_strtoll(value->name + 1, NULL, 10) : 0;
    tensors[i].data = g_malloc0((size_t)n * 8 + 64);
    for (int64_t j = 0; value->is_input && j < n; j++) ((float *)tensors[i].data)[j] = (float)((j * 37 + name * 11) % 61) / 16.0f - 1.9f;
  }
  for (int i = 0; i < graph->node_count; i++) {
    const FvNode *at = graph->nodes[i];
    const FvTensor *in[16] = {0};
    FvTensor *out[16] = {0};
    for (int j = 0; j < at->input_count; j++) in[j] = at->inputs[j] ? &tensors[at->inputs[j]->slot] : NULL;
    for (int j = 0; j < at->output_count; j++) out[j] = at->outputs[j] ? &tensors[at->outputs[j]->slot] : NULL;
    at->op->reference(&(FvKernelCall){.node = at, .in = in, .out = out, .parts = 1});
  }
  FvTensor *result = &tensors[graph->outputs[0]->slot];
  *count = fv_tensor_count(result);
  float *copy = g_memdup2(result->data, (gsize)*count * sizeof(float));
  for (int i = 0; i < graph->value_count; i++)
    if (!graph->values[i]->constant) g_free(tensors[i].data);
  g_free(tensors);
  return copy;
}

G_GNUC_UNUSED static Builder start(void) { return (Builder){.graph = fv_graph_create(), .random = 7}; }

#endif

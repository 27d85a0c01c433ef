#include <stdlib.h>
#include <string.h>

#include "ir/graph.h"

/* The source may be in use by other threads, so the way from its values to the copies is kept beside it. */
typedef struct Pair {
  const FvValue *from;
  FvValue *to;
} Pair;

typedef struct Copy {
  FvGraph *graph;
  Pair *pairs; /* sorted by from */
  size_t count;
} Copy;

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t)((const Pair *)a)->from, y = (uintptr_t)((const Pair *)b)->from;
  return (x > y) - (x < y);
}

static FvValue *find(const Copy *copy, const FvValue *value) {
  if (!value) return NULL;
  const Pair key = {.from = value};
  const Pair *pair = bsearch(&key, copy->pairs, copy->count, sizeof key, by_address);
  return pair ? pair->to : NULL;
}

static bool copy_values(Copy *copy, const FvGraph *source) {
  for (int i = 0; i < source->value_count; i++) {
    FvValue *value = fv_graph_add_value(copy->graph, source->values[i]->name);
    if (!value) return false;
    const char *name = value->name;
    *value = *source->values[i];
    value->name = name;
    value->producer = NULL;
    copy->pairs[copy->count++] = (Pair){source->values[i], value};
  }
  qsort(copy->pairs, copy->count, sizeof *copy->pairs, by_address);
  return true;
}

static bool copy_node(Copy *copy, const FvNode *source) {
  FvNode *node = fv_graph_add_node(copy->graph, source->op, source->name, source->opset, source->input_count, source->output_count);
  if (!node) return false;
  node->attrs = source->attrs;
  node->attr_count = source->attr_count;
  node->params = source->params;
  node->activation = source->activation;
  node->fused_name = source->fused_name;
  for (int i = 0; i < source->input_count; i++) node->inputs[i] = find(copy, source->inputs[i]);
  for (int i = 0; i < source->output_count; i++) {
    node->outputs[i] = find(copy, source->outputs[i]);
    if (node->outputs[i]) node->outputs[i]->producer = node;
  }
  return true;
}

static bool copy_all(Copy *copy, const FvGraph *source) {
  if (!copy_values(copy, source)) return false;
  for (int n = 0; n < source->node_count; n++)
    if (!source->nodes[n]->dead && !copy_node(copy, source->nodes[n])) return false;
  for (int i = 0; i < source->input_count; i++)
    if (!fv_graph_add_input(copy->graph, find(copy, source->inputs[i]))) return false;
  for (int i = 0; i < source->output_count; i++)
    if (!fv_graph_add_output(copy->graph, find(copy, source->outputs[i]))) return false;
  return true;
}

FvGraph *fv_graph_clone(const FvGraph *graph) {
  Copy copy = {.graph = fv_graph_create(), .pairs = calloc((size_t)graph->value_count + 1, sizeof *copy.pairs)};
  if (!copy.graph || !copy.pairs || !copy_all(&copy, graph)) fv_graph_destroy(&copy.graph);
  free(copy.pairs);
  return copy.graph;
}

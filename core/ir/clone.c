#include <stdlib.h>
#include <string.h>

#include "ir/graph.h"

/* The source may be in use by other threads: nothing is written there. Copies have the numbers of what they are copies of. */
static FvValue *find(const FvGraph *copy, const FvValue *value) { return value ? copy->values[value->index] : NULL; }

static bool copy_values(FvGraph *copy, const FvGraph *source) {
  size_t count = (size_t)source->value_count;
  FvValue *values = fv_arena_array(&copy->arena, count, sizeof *values);
  copy->values = malloc((count + 1) * sizeof *copy->values);
  if (!values || !copy->values) return false;
  copy->value_capacity = (int)count + 1;
  copy->value_count = (int)count;
  for (size_t i = 0; i < count; i++) {
    values[i] = *source->values[i];
    values[i].producer = values[i].user = NULL;
    copy->values[i] = &values[i];
  }
  return true;
}

static bool copy_node(FvGraph *copy, const FvNode *source) {
  FvNode *node = fv_graph_add_node(copy, source->op, NULL, source->opset, source->input_count, source->output_count);
  if (!node) return false;
  node->name = source->name;
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

static bool copy_all(FvGraph *copy, const FvGraph *source) {
  if (!copy_values(copy, source)) return false;
  for (int n = 0; n < source->node_count; n++)
    if (!source->nodes[n]->dead && !copy_node(copy, source->nodes[n])) return false;
  for (int i = 0; i < source->input_count; i++)
    if (!fv_graph_add_input(copy, find(copy, source->inputs[i]))) return false;
  for (int i = 0; i < source->output_count; i++)
    if (!fv_graph_add_output(copy, find(copy, source->outputs[i]))) return false;
  return true;
}

FvGraph *fv_graph_clone(const FvGraph *graph) {
  FvGraph *copy = fv_graph_create();
  if (copy && !copy_all(copy, graph)) fv_graph_destroy(&copy);
  return copy;
}

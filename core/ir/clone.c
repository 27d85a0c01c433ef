#include <stdlib.h>
#include <string.h>

#include "ir/graph.h"

/* The source may be in use by other threads: nothing is written there. Copies have the numbers of what they are copies of. */
static FvValue *find(const FvGraph *copy, const FvValue *value) { return value ? copy->values[value->index] : NULL; }

static bool copy_values(FvGraph *copy, const FvGraph *source) {
  size_t count = (size_t)source->value_count;
  FvValue *values = fv_arena_array(&copy->structure, count, sizeof *values);
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

/* A node's own copy in another arena, of copied values. */
static FvNode *move_node(const FvNode *from, FvValue *values, FvArena *arena) {
  FvNode *node = fv_arena_object(arena, sizeof *node);
  size_t inputs = (size_t)from->input_count + 1;
  FvValue **list = fv_arena_array(arena, inputs + (size_t)from->output_count + 1, sizeof *list);
  if (!node || !list) return NULL;
  *node = *from;
  node->inputs = list;
  node->outputs = list + inputs;
  for (int i = 0; i < from->input_count; i++) node->inputs[i] = from->inputs[i] ? &values[from->inputs[i]->index] : NULL;
  for (int i = 0; i < from->output_count; i++) {
    node->outputs[i] = from->outputs[i] ? &values[from->outputs[i]->index] : NULL;
    if (node->outputs[i]) node->outputs[i]->producer = node;
  }
  return node;
}

static bool move_all(const FvGraph *graph, FvArena *arena, FvValue *values, FvNode **nodes) {
  for (int i = 0; i < graph->value_count; i++) {
    values[i] = *graph->values[i];
    values[i].producer = values[i].user = NULL;
  }
  for (int n = 0; n < graph->node_count; n++)
    if (!(nodes[n] = move_node(graph->nodes[n], values, arena))) return false;
  return true;
}

bool fv_graph_tighten(FvGraph *graph) {
  FvArena arena;
  fv_arena_init(&arena);
  fv_graph_compact(graph);
  FvValue *values = fv_arena_array(&arena, (size_t)graph->value_count, sizeof *values);
  FvNode **nodes = malloc(((size_t)graph->node_count + 1) * sizeof *nodes);
  bool moved = values && nodes && move_all(graph, &arena, values, nodes);
  if (moved) {
    for (int i = 0; i < graph->input_count; i++) graph->inputs[i] = &values[graph->inputs[i]->index];
    for (int i = 0; i < graph->output_count; i++) graph->outputs[i] = &values[graph->outputs[i]->index];
    for (int i = 0; i < graph->value_count; i++) graph->values[i] = &values[i];
    for (int n = 0; n < graph->node_count; n++) graph->nodes[n] = nodes[n];
    fv_arena_finish(&graph->structure);
    graph->structure = arena;
    fv_graph_count_uses(graph);
  } else {
    fv_arena_finish(&arena);
  }
  free(nodes);
  return moved;
}

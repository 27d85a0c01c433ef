#include "ir/graph.h"

void fv_graph_count_uses(FvGraph *graph) {
  for (int i = 0; i < graph->value_count; i++) {
    graph->values[i]->use_count = 0;
    graph->values[i]->user = NULL;
  }
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    for (int i = 0; i < node->input_count && !node->dead; i++)
      if (node->inputs[i]) {
        node->inputs[i]->use_count++;
        node->inputs[i]->user = node;
      }
  }
  for (int i = 0; i < graph->output_count; i++) graph->outputs[i]->use_count++;
}

static void mark(FvValue *const *values, int count) {
  for (int i = 0; i < count; i++)
    if (values[i]) values[i]->slot = 1;
}

void fv_graph_compact(FvGraph *graph) {
  int nodes = 0, values = 0;
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = 0;
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    if (node->dead) continue;
    graph->nodes[nodes++] = node;
    mark(node->inputs, node->input_count);
    mark(node->outputs, node->output_count);
  }
  graph->node_count = nodes;
  mark(graph->inputs, graph->input_count);
  mark(graph->outputs, graph->output_count);
  for (int i = 0; i < graph->value_count; i++) {
    FvValue *value = graph->values[i];
    if (!value->slot) continue;
    value->index = values;
    graph->values[values++] = value;
  }
  graph->value_count = values;
  fv_graph_count_uses(graph);
}

static void move_use(FvValue **place, FvValue *from, FvValue *to) {
  if (*place != from) return;
  *place = to;
  from->use_count--;
  to->use_count++;
}

static void move_uses(FvNode *node, FvValue *from, FvValue *to) {
  for (int i = 0; i < node->input_count && !node->dead; i++) {
    if (node->inputs[i] != from) continue;
    move_use(&node->inputs[i], from, to);
    to->user = node;
  }
}

/* Callers know inputs and outputs by name: two of them cannot become one value. */
static void replace_output(FvGraph *graph, FvValue *from, FvValue *to) {
  if (!from->is_output || to->is_output || to->is_input) return;
  for (int i = 0; i < graph->output_count; i++) move_use(&graph->outputs[i], from, to);
  const char *name = to->name;
  to->name = from->name;
  from->name = name;
  to->is_output = true;
  from->is_output = false;
}

void fv_graph_replace_uses(FvGraph *graph, FvValue *from, FvValue *to) {
  if (from->user) move_uses(from->user, from, to); /* most values have one */
  for (int n = 0; n < graph->node_count && from->use_count > from->is_output; n++) move_uses(graph->nodes[n], from, to);
  replace_output(graph, from, to);
}

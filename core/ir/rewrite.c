#include "ir/graph.h"

void fv_graph_count_uses(FvGraph *graph) {
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->use_count = 0;
  for (int n = 0; n < graph->node_count; n++) {
    const FvNode *node = graph->nodes[n];
    for (int i = 0; i < node->input_count && !node->dead; i++)
      if (node->inputs[i]) node->inputs[i]->use_count++;
  }
  for (int i = 0; i < graph->output_count; i++) graph->outputs[i]->use_count++;
}

static void move_use(FvValue **place, FvValue *from, FvValue *to) {
  if (*place != from) return;
  *place = to;
  from->use_count--;
  to->use_count++;
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
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    for (int i = 0; i < node->input_count && !node->dead; i++) move_use(&node->inputs[i], from, to);
  }
  replace_output(graph, from, to);
}

#include <stdlib.h>

#include "ir/graph.h"
#include "ir/op.h"

typedef enum Mark { NEW, OPEN, DONE } Mark;

/* Depth-first with its own stack: graphs are as deep as they are long. */
typedef struct Walk {
  FvGraph *graph;
  FvNode **order;
  int ordered;
  unsigned char *marks; /* Mark, by position in the file */
  int *stack, *next;    /* nodes on the way down, and the input each of them looks at next */
  int depth;
} Walk;

/* Remembers at every value who makes it: producer, and its position in slot. */
static int set_producers(FvGraph *graph, FvError *err) {
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->producer = NULL;
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    for (int i = 0; i < node->output_count; i++) {
      FvValue *value = node->outputs[i];
      if (!value) continue;
      if (value->producer || value->is_input || value->constant)
        return fv_error_set(err, FV_ERR_FORMAT, "node '%s' (%s): output '%s' is already defined", fv_node_label(node), node->op->name, value->name);
      value->producer = node;
      value->slot = n;
    }
  }
  return 0;
}

static void push(Walk *walk, int node) {
  walk->marks[node] = OPEN;
  walk->stack[walk->depth] = node;
  walk->next[walk->depth++] = 0;
}

/* Takes one step from the top of the stack. */
static int step(Walk *walk, FvError *err) {
  int top = walk->stack[walk->depth - 1], i = walk->next[walk->depth - 1]++;
  FvNode *node = walk->graph->nodes[top];
  if (i >= node->input_count) {
    walk->marks[top] = DONE;
    walk->order[walk->ordered++] = node;
    walk->depth--;
    return 0;
  }
  const FvValue *value = node->inputs[i];
  if (!value || value->constant || (value->is_input && !value->producer)) return 0;
  if (!value->producer)
    return fv_error_set(err, FV_ERR_FORMAT, "node '%s' (%s): input '%s' is produced by no operator", fv_node_label(node), node->op->name, value->name);
  if (walk->marks[value->slot] == OPEN)
    return fv_error_set(err, FV_ERR_FORMAT, "node '%s' (%s): input '%s' depends on the node itself: the graph has a cycle", fv_node_label(node),
                        node->op->name, value->name);
  if (walk->marks[value->slot] == NEW) push(walk, value->slot);
  return 0;
}

int fv_graph_sort(FvGraph *graph, FvError *err) {
  size_t count = (size_t)graph->node_count;
  int result = set_producers(graph, err);
  if (result < 0) return result;
  Walk walk = {.graph = graph, .order = calloc(count + 1, sizeof *walk.order), .marks = calloc(count + 1, 1),
               .stack = calloc(count + 1, sizeof *walk.stack), .next = calloc(count + 1, sizeof *walk.next)};
  if (!walk.order || !walk.marks || !walk.stack || !walk.next) result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int n = 0; result == 0 && n < graph->node_count; n++) {
    if (walk.marks[n] == NEW) push(&walk, n);
    while (result == 0 && walk.depth > 0) result = step(&walk, err);
  }
  for (int n = 0; result == 0 && n < graph->node_count; n++) graph->nodes[n] = walk.order[n];
  free(walk.order);
  free(walk.marks);
  free(walk.stack);
  free(walk.next);
  return result;
}

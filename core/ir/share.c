/* Small constants that are there many times: scales and zero points of quantised graphs, shapes. */
#include <stdlib.h>
#include <string.h>

#include "ir/graph.h"

static size_t bytes_of(const FvTensor *tensor) { return (size_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype); }

/* Any total order in which equal means the same type, shape and bytes. */
static int compare(const FvTensor *a, const FvTensor *b) {
  if (a->dtype != b->dtype) return a->dtype < b->dtype ? -1 : 1;
  if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
  for (int d = 0; d < a->rank; d++)
    if (a->dims[d] != b->dims[d]) return a->dims[d] < b->dims[d] ? -1 : 1;
  return memcmp(a->data, b->data, bytes_of(a));
}

/* Of equal ones the first in the graph comes first, so that the result does not depend on addresses. */
static int by_content(const void *a, const void *b) {
  const FvValue *x = *(FvValue *const *)a, *y = *(FvValue *const *)b;
  int order = compare(x->constant, y->constant);
  return order ? order : x->index - y->index;
}

static bool is_small(const FvValue *value, size_t most_bytes) {
  return value->constant && !value->is_input && !value->is_output && bytes_of(value->constant) <= most_bytes;
}

bool fv_graph_share_constants(FvGraph *graph, size_t most_bytes) {
  FvValue **found = malloc(((size_t)graph->value_count + 1) * sizeof *found);
  int count = 0;
  if (!found) return false;
  for (int i = 0; i < graph->value_count; i++) {
    graph->values[i]->slot = i; /* what it becomes */
    if (is_small(graph->values[i], most_bytes)) found[count++] = graph->values[i];
  }
  qsort(found, (size_t)count, sizeof *found, by_content);
  for (int i = 1; i < count; i++)
    if (compare(found[i - 1]->constant, found[i]->constant) == 0) found[i]->slot = found[i - 1]->slot;
  for (int n = 0; n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i]) node->inputs[i] = graph->values[node->inputs[i]->slot];
  }
  free(found);
  return true;
}

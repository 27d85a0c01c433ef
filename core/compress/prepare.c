#include "compress/prepare.h"

#include <stdlib.h>
#include <string.h>

#include "graph/passes/passes.h"
#include "vision/describe.h"

/* --- the graph --- */

static const int64_t *pads_of(FvGraph *graph, const FvWindow *window) {
  int64_t *pads = fv_arena_array(&graph->arena, 2 * FV_MAX_SPATIAL, sizeof *pads);
  for (int d = 0; pads && d < window->spatial_rank; d++) {
    pads[d] = window->pad_begin[d];
    pads[window->spatial_rank + d] = window->pad_end[d];
  }
  return pads;
}

/* Says in attributes what the window is by now: a graph that is prepared anew, or written to a file, knows nothing else. */
static int spell_window(FvGraph *graph, FvNode *node, const FvWindow *window, bool counts_pad) {
  const int64_t *pads = pads_of(graph, window);
  FvAttr *attrs = fv_arena_array(&graph->arena, (size_t)node->attr_count + 2, sizeof *attrs);
  int count = 0;
  if (!pads || !attrs) return FV_ERR_NO_MEMORY;
  for (int i = 0; i < node->attr_count; i++) {
    const char *name = node->attrs[i].name;
    if (strcmp(name, "pads") != 0 && strcmp(name, "auto_pad") != 0 && strcmp(name, "count_include_pad") != 0) attrs[count++] = node->attrs[i];
  }
  attrs[count++] = (FvAttr){.name = "pads", .kind = FV_ATTR_INTS, .count = 2 * window->spatial_rank, .ints = pads};
  if (counts_pad) attrs[count++] = (FvAttr){.name = "count_include_pad", .kind = FV_ATTR_INT, .i = 1};
  node->attrs = attrs;
  node->attr_count = count;
  return 0;
}

static int spell_windows(FvGraph *graph) {
  int result = 0;
  for (int i = 0; i < graph->node_count && result == 0; i++) {
    FvNode *node = graph->nodes[i];
    if (node->op->kind == FV_OP_CONV) {
      result = spell_window(graph, node, &((const FvConvParams *)node->params)->window, false);
    } else if (node->op->kind == FV_OP_AVERAGE_POOL) {
      const FvPoolParams *params = node->params;
      result = spell_window(graph, node, &params->window, params->count_include_pad);
    }
  }
  return result;
}

FvGraph *fv_compress_graph(const FvModel *model, FvError *err) {
  static int (*const passes[])(FvGraph *) = {fv_pass_remove_noops, fv_pass_fold_pad, fv_pass_fold_scale};
  const FvGraph *prepared = fv_model_prepared_graph(model);
  if (!prepared) {
    fv_error_set(err, FV_ERR_UNSUPPORTED, "%.256s: an input decides shapes, so there is no graph to compress before its value is known", model->path);
    return NULL;
  }
  FvGraph *graph = fv_graph_clone(prepared);
  int result = graph ? 0 : FV_ERR_NO_MEMORY;
  for (size_t i = 0; i < sizeof passes / sizeof passes[0] && result == 0; i++) {
    fv_pass_sweep(graph);
    if (passes[i](graph) < 0) result = FV_ERR_NO_MEMORY;
  }
  if (result == 0) {
    fv_pass_sweep(graph);
    result = spell_windows(graph);
  }
  if (result < 0) {
    fv_error_set(err, result, "out of memory while simplifying the graph");
    fv_graph_destroy(&graph);
  }
  return graph;
}

/* --- the model --- */

static int copy_ends(FvModel *made, const FvModel *like, FvError *err) {
  made->path = strdup(like->path);
  made->name = strdup(like->name);
  made->shape_inputs = calloc((size_t)made->file.graph->input_count + 1, sizeof *made->shape_inputs);
  if (!made->path || !made->name || !made->shape_inputs) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  return fv_description_copy(&made->description, &like->description, err);
}

static int prepare(FvModel *made, FvError *err) {
  made->prepared = fv_graph_clone(made->file.graph);
  return made->prepared ? fv_graph_prepare(made->prepared, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
}

int fv_model_with_graph(const FvModel *like, FvGraph *graph, FvModel **model, FvError *err) {
  FvModel *made = calloc(1, sizeof *made);
  if (!made) {
    fv_graph_destroy(&graph);
    return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  }
  atomic_init(&made->references, 1);
  pthread_mutex_init(&made->hashing, NULL);
  made->lender = fv_model_ref((FvModel *)like); /* counting changes nothing that a caller sees */
  made->from_memory = like->from_memory;
  made->file_bytes = like->file_bytes;
  made->file = like->file;
  made->file.graph = graph;
  made->describe_error = like->describe_error;
  int result = copy_ends(made, like, err);
  if (result == 0) result = prepare(made, err);
  if (result < 0)
    fv_model_destroy(&made);
  else
    *model = made;
  return result;
}

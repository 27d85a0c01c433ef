/* An activation is worth 8 bits when a product in integers reads it, directly or through operators that can work on 8 bits. What comes behind the last product (a
 * head's sigmoid, its reshapes) stays f32, and so do the graph's outputs. */
#include "compress/grids.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "compress/roles.h"
#include "graph/passes/passes.h"
#include "ops/params.h"

typedef struct Choice {
  FvGraph *graph;       /* a clone in which activations that the exporter spelled out are one node; values have the places that they have in the source */
  const FvCalibration *calibration;
  const FvQuantiseParams *params;
  int *maker;           /* by value: index of the source's node that makes it, or -1 */
  bool *needed;         /* by value: some product reads it in 8 bits */
  bool *absorbed;       /* by value: the activation behind works on it before it has 8 bits */
  int *parent;          /* by value: of union-find */
  int *first, *next;    /* by root and by value: the values of a group that bring numbers of their own, as a list that ends with -1 */
  FvHistogram histogram;
} Choice;

static const FvLayerForm *form_of(const Choice *it, const FvNode *node) {
  static const FvLayerForm none;
  int index = node->outputs[0] ? it->maker[node->outputs[0]->slot] : -1;
  return index < 0 ? &none : &it->params->layers[index];
}

/* What the node can be, given how it was asked to compute. */
static FvRole role_in(const Choice *it, const FvNode *node) {
  FvRole role = fv_role_of(node);
  const FvLayerForm *form = form_of(it, node);
  return (role == FV_ROLE_PRODUCT ? fv_layer_in_integers(form) : form->activations) ? role : FV_ROLE_FLOAT;
}

static bool output_needed(const Choice *it, const FvNode *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && it->needed[node->outputs[i]->slot]) return true;
  return false;
}

static int find(const Choice *it, int value) {
  while (it->parent[value] != value) value = it->parent[value] = it->parent[it->parent[value]];
  return value;
}

static void unite(const Choice *it, int a, int b) { it->parent[find(it, b)] = find(it, a); }

/* Backwards, from products to what they read. */
static void find_needed(const Choice *it) {
  for (int n = it->graph->node_count - 1; n >= 0; n--) {
    const FvNode *node = it->graph->nodes[n];
    FvRole role = role_in(it, node);
    if (role == FV_ROLE_FLOAT || (role != FV_ROLE_PRODUCT && !output_needed(it, node))) continue;
    int inputs = role == FV_ROLE_MIX || role == FV_ROLE_JOIN ? node->input_count : 1;
    for (int i = 0; i < inputs; i++) it->needed[node->inputs[i]->slot] = true;
  }
}

static void find_absorbed(const Choice *it) {
  for (int n = 0; n < it->graph->node_count; n++) {
    const FvNode *node = it->graph->nodes[n];
    if (!(node->op->flags & FV_OP_FUSES_ACTIVATION) || (fv_role_of(node) != FV_ROLE_PRODUCT && fv_role_of(node) != FV_ROLE_MIX)) continue;
    const FvNode *user = fv_pass_single_user(it->graph, node->outputs[0]);
    if (!user || role_in(it, user) != FV_ROLE_ACTIVATION || !output_needed(it, user)) continue;
    it->absorbed[node->outputs[0]->slot] = fv_role_is_fused(fv_role_activation(user).type);
  }
}

static bool is_on(const Choice *it, const FvValue *value) { return it->needed[value->slot] && !it->absorbed[value->slot]; }

static void share_grids(const Choice *it) {
  for (int n = 0; n < it->graph->node_count; n++) {
    const FvNode *node = it->graph->nodes[n];
    FvRole role = role_in(it, node);
    if ((role != FV_ROLE_MOVE && role != FV_ROLE_JOIN) || !output_needed(it, node)) continue;
    int first = node->inputs[0]->slot;
    for (int i = 1; role == FV_ROLE_JOIN && i < node->input_count; i++) unite(it, first, node->inputs[i]->slot);
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i] && it->needed[node->outputs[i]->slot]) unite(it, first, node->outputs[i]->slot);
  }
}

/* --- ranges --- */

/* Does the value bring numbers of its own into its group, or only those of another member? */
static bool is_source(const Choice *it, const FvValue *value) {
  FvRole role = value->producer ? role_in(it, value->producer) : FV_ROLE_FLOAT;
  return role != FV_ROLE_MOVE && role != FV_ROLE_JOIN;
}

/* Activations whose outputs have bounds that need no pictures. */
static bool bounded_grid(const FvValue *value, FvGrid *grid) {
  if (!value->producer || fv_role_of(value->producer) != FV_ROLE_ACTIVATION) return false;
  switch (fv_role_activation(value->producer).type) {
    case FV_ACTIVATION_SIGMOID: case FV_ACTIVATION_HARD_SIGMOID: *grid = (FvGrid){0x1p-8f, 0}; return true;
    case FV_ACTIVATION_TANH: *grid = (FvGrid){0x1p-7f, 128}; return true;
    default: return false;
  }
}

static bool same_grid(FvGrid a, FvGrid b) { return a.scale == b.scale && a.zero == b.zero; }

static int no_stats(const FvValue *value, FvError *err) {
  return fv_error_set(err, FV_ERR_INVALID, "there are no calibration figures of the value '%.128s'", value->name);
}

static void list_sources(const Choice *it) {
  for (int i = 0; i < it->graph->value_count; i++) it->first[i] = it->next[i] = -1;
  for (int i = it->graph->value_count - 1; i >= 0; i--) {
    int root = find(it, i);
    if (!is_on(it, it->graph->values[i]) || !is_source(it, it->graph->values[i])) continue;
    it->next[i] = it->first[root];
    it->first[root] = i;
  }
}

/* One group: the grid of root, from all its sources. */
static int choose_group(Choice *it, int root, FvGrid *grid, FvError *err) {
  float low = FLT_MAX, high = -FLT_MAX;
  FvGrid bound = {0}, other = {0};
  bool bounded = true;
  if (it->first[root] < 0) return no_stats(it->graph->values[root], err);
  for (int i = it->first[root]; i >= 0; i = it->next[i]) {
    const FvValue *value = it->graph->values[i];
    const FvActivationStats *stats = fv_calibration_stats(it->calibration, value->name);
    if (!stats) return no_stats(value, err);
    low = stats->min < low ? stats->min : low;
    high = stats->max > high ? stats->max : high;
    bounded = bounded && bounded_grid(value, &other) && (i == it->first[root] || same_grid(bound, other));
    bound = other;
  }
  *grid = bound;
  if (bounded) return 0;
  fv_histogram_init(&it->histogram, low, high);
  for (int i = it->first[root]; i >= 0; i = it->next[i]) fv_histogram_add(&it->histogram, fv_calibration_stats(it->calibration, it->graph->values[i]->name));
  *grid = fv_choose_grid(&it->histogram, it->params->ranges);
  return 0;
}

static int choose_all(Choice *it, FvValueGrid *grids, FvError *err) {
  for (int i = 0; i < it->graph->value_count; i++) {
    if (!is_on(it, it->graph->values[i])) continue;
    int root = find(it, i);
    if (!grids[root].grid.scale) { /* the first member met; root may not be on itself */
      int result = choose_group(it, root, &grids[root].grid, err);
      if (result < 0) return result;
    }
    grids[i] = (FvValueGrid){true, grids[root].grid};
  }
  return 0;
}

/* --- making and unmaking --- */

static int init(Choice *it, FvGraph *graph) {
  size_t count = (size_t)graph->value_count + 1;
  it->graph = fv_graph_clone(graph);
  it->maker = malloc(count * sizeof *it->maker);
  it->needed = calloc(count, sizeof *it->needed);
  it->absorbed = calloc(count, sizeof *it->absorbed);
  it->parent = malloc(count * sizeof *it->parent);
  it->first = malloc(count * sizeof *it->first);
  it->next = malloc(count * sizeof *it->next);
  if (!it->graph || !it->maker || !it->needed || !it->absorbed || !it->parent || !it->first || !it->next) return FV_ERR_NO_MEMORY;
  for (int i = 0; i < graph->value_count; i++) {
    graph->values[i]->slot = it->graph->values[i]->slot = it->parent[i] = i;
    it->maker[i] = -1;
  }
  for (int n = 0; n < graph->node_count; n++)
    for (int i = 0; i < graph->nodes[n]->output_count; i++)
      if (graph->nodes[n]->outputs[i]) it->maker[graph->nodes[n]->outputs[i]->slot] = n;
  fv_graph_count_uses(it->graph);
  if (fv_pass_fuse_gates(it->graph) < 0) return FV_ERR_NO_MEMORY;
  fv_pass_sweep(it->graph);
  return 0;
}

static void finish(Choice *it) {
  fv_graph_destroy(&it->graph);
  free(it->maker);
  free(it->needed);
  free(it->absorbed);
  free(it->parent);
  free(it->first);
  free(it->next);
}

int fv_choose_grids(FvGraph *graph, const FvCalibration *calibration, const FvQuantiseParams *params, FvValueGrid **ret_grids, FvError *err) {
  Choice it = {.calibration = calibration, .params = params};
  FvValueGrid *grids = calloc((size_t)graph->value_count + 1, sizeof *grids);
  int result = grids ? init(&it, graph) : FV_ERR_NO_MEMORY;
  if (result < 0) fv_error_set(err, result, "out of memory");
  if (result == 0) {
    find_needed(&it);
    find_absorbed(&it);
    share_grids(&it);
    list_sources(&it);
    result = choose_all(&it, grids, err);
  }
  finish(&it);
  if (result == 0) *ret_grids = grids;
  else free(grids);
  return result;
}

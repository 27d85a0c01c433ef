#include "compress/forms.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "compress/roles.h"

/* Marks (FvValue.slot) what products make, and whatever is made of that. */
static void mark_behind(FvGraph *graph) {
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = 0;
  for (int n = 0; n < graph->node_count; n++) {
    const FvNode *node = graph->nodes[n];
    bool behind = fv_role_of(node) == FV_ROLE_PRODUCT;
    for (int i = 0; i < node->input_count && !behind; i++) behind = node->inputs[i] && node->inputs[i]->slot;
    for (int i = 0; i < node->output_count; i++)
      if (node->outputs[i]) node->outputs[i]->slot = behind;
  }
}

/* Marks what products read, and whatever that is made of. */
static void mark_before(FvGraph *graph) {
  for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = 0;
  for (int n = graph->node_count - 1; n >= 0; n--) {
    const FvNode *node = graph->nodes[n];
    bool before = fv_role_of(node) == FV_ROLE_PRODUCT;
    for (int i = 0; i < node->output_count && !before; i++) before = node->outputs[i] && node->outputs[i]->slot;
    for (int i = 0; i < node->input_count && before; i++)
      if (node->inputs[i]) node->inputs[i]->slot = 1;
  }
}

/* A few of the narrow layers' weights, and the ones where errors are worst: what enters here has the whole network before it, what leaves is a box. */
static void widen_ends(FvGraph *graph, FvLayerForm *forms) {
  mark_behind(graph);
  for (int n = 0; n < graph->node_count; n++)
    if (fv_role_of(graph->nodes[n]) == FV_ROLE_PRODUCT && !graph->nodes[n]->inputs[0]->slot) forms[n].bits = 8;
  mark_before(graph);
  for (int n = 0; n < graph->node_count; n++)
    if (fv_role_of(graph->nodes[n]) == FV_ROLE_PRODUCT && !graph->nodes[n]->outputs[0]->slot) forms[n].bits = 8;
}

static int apply_pattern(const FvGraph *graph, const FvNodeForm *wanted, FvLayerForm *forms, FvError *err) {
  int found = 0;
  for (int n = 0; n < graph->node_count; n++) {
    const FvNode *node = graph->nodes[n];
    bool has_weights = fv_role_of(node) == FV_ROLE_PRODUCT || node->op->kind == FV_OP_CONV_TRANSPOSE;
    const char *label = fv_node_label(node);
    if (!has_weights || (strcmp(wanted->node, label) != 0 && fnmatch(wanted->node, label, 0) != 0)) continue; /* a name may hold brackets */
    forms[n].weights = wanted->weights;
    forms[n].bits = wanted->bits;
    forms[n].activations = forms[n].activations && !wanted->float_activations;
    found++;
  }
  return found ? 0 : fv_error_set(err, FV_ERR_INVALID, "no convolution or matrix product is called '%.200s'; fovea inspect --layers lists them", wanted->node);
}

bool fv_form_is_asked(const FvNode *node, const FvCompressParams *params) {
  for (int i = 0; i < params->node_count; i++)
    if (fnmatch(params->nodes[i].node, fv_node_label(node), 0) == 0) return true;
  return false;
}

int fv_choose_forms(FvGraph *graph, const FvCompressParams *params, FvLayerForm **ret_forms, FvError *err) {
  FvLayerForm *forms = calloc((size_t)graph->node_count + 1, sizeof *forms);
  if (!forms) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int n = 0; n < graph->node_count; n++) forms[n] = (FvLayerForm){params->weights, params->bits, params->activations == FV_ACTIVATIONS_INT8};
  if (params->weights == FV_WEIGHT_INT && params->bits < 8) widen_ends(graph, forms);
  int result = 0;
  for (int i = 0; i < params->node_count && result == 0; i++) result = apply_pattern(graph, &params->nodes[i], forms, err);
  if (result == 0) *ret_forms = forms;
  else free(forms);
  return result;
}

/* What the operators of a .fovea file take in it. */
#include <stdlib.h>
#include <string.h>

#include <fovea/container.h>

#include "ir/op.h"
#include "model/model_internal.h"

typedef struct Tally {
  FvStoredConstant *stored; /* sorted by tensor */
  int stored_count;
  bool *seen;               /* as stored: counted already, with the first operator that uses it */
  FvLayerBytes *layers;
  int capacity, count;
} Tally;

static int by_tensor(const void *a, const void *b) {
  uintptr_t x = (uintptr_t)((const FvStoredConstant *)a)->tensor, y = (uintptr_t)((const FvStoredConstant *)b)->tensor;
  return (x > y) - (x < y);
}

static void add_constant(Tally *tally, const FvValue *value, FvLayerBytes *layer) {
  static const FvStoredConstant same = {.form = "same", .coder = "none"}; /* as a tensor that is stored */
  const FvStoredConstant key = {.tensor = value->constant};
  const FvStoredConstant *stored = bsearch(&key, tally->stored, (size_t)tally->stored_count, sizeof key, by_tensor);
  bool *seen = stored ? &tally->seen[stored - tally->stored] : NULL;
  int64_t count = fv_tensor_count(value->constant);
  if (!stored) stored = &same;
  double bytes = seen && *seen ? 0 : stored->bytes;
  if (seen) *seen = true;
  layer->bytes += bytes;
  if (count <= layer->weights) return;
  layer->weights = count;
  layer->dtype = value->constant->dtype;
  layer->form = stored->form;
  layer->coder = stored->coder;
  layer->weight_bits = 8 * bytes / (double)count;
}

/* Its constants, and those that are only dequantised for it. */
static void add_node(Tally *tally, const FvNode *node) {
  FvLayerBytes layer = {.node = fv_node_label(node), .operation = node->op->name};
  if (node->op->kind == FV_OP_DEQUANTIZE && node->inputs[0]->constant) return;
  for (int i = 0; i < node->input_count; i++) {
    const FvValue *value = node->inputs[i];
    const FvNode *maker = value ? value->producer : NULL;
    if (value && value->constant) add_constant(tally, value, &layer);
    if (!maker || maker->op->kind != FV_OP_DEQUANTIZE || !maker->inputs[0]->constant) continue;
    for (int k = 0; k < maker->input_count; k++)
      if (maker->inputs[k] && maker->inputs[k]->constant) add_constant(tally, maker->inputs[k], &layer);
  }
  if (!layer.weights) return;
  if (tally->count < tally->capacity) tally->layers[tally->count] = layer;
  tally->count++;
}

static int tally_all(Tally *tally, const FvModelFile *file) {
  memcpy(tally->stored, file->stored, sizeof *file->stored * (size_t)file->stored_count);
  qsort(tally->stored, (size_t)tally->stored_count, sizeof *tally->stored, by_tensor);
  for (int n = 0; n < file->graph->node_count; n++)
    if (!file->graph->nodes[n]->dead) add_node(tally, file->graph->nodes[n]);
  return tally->count;
}

int fv_container_layers(const FvModel *model, FvLayerBytes *layers, int capacity) {
  const FvModelFile *file = &model->file;
  Tally tally = {.stored_count = file->stored_count, .layers = layers, .capacity = capacity};
  if (!file->stored) return 0;
  tally.stored = malloc(sizeof *tally.stored * ((size_t)file->stored_count + 1));
  tally.seen = calloc((size_t)file->stored_count + 1, sizeof *tally.seen);
  int count = tally.stored && tally.seen ? tally_all(&tally, file) : 0;
  free(tally.stored);
  free(tally.seen);
  return count;
}

/* Which weights go. Scores say what a weight contributes: |weight| times the root mean square of its input, squared, relative to the layer's mean squared output, so that
 * they compare between layers. Pruned weights stay pruned. */
#ifndef FOVEA_COMPRESS_PRUNE_MASK_H
#define FOVEA_COMPRESS_PRUNE_MASK_H

#include "compress/prune_layer.h"

/* Something that goes or stays as a whole: weights first, first + stride, … `count` of them. */
typedef struct FvPruneUnit {
  double score;
  int layer;
  int64_t first, stride;
  int count;
} FvPruneUnit;

/* Units of a layer: single weights (block 1) or up to `block` neighbours along its output channels. Returns how many there are; units: room for fv_prune_layer_count, or NULL. */
int64_t fv_prune_units(const FvPruneLayer *layer, int index, int block, FvPruneUnit *units);
/* Prunes the units with the least scores until `fraction` of their weights is pruned. Sorts them. */
void fv_prune_least(FvPruneLayer *layers, FvPruneUnit *units, int64_t count, double fraction);
/* Keeps the n best of every m neighbours along the input channels; of a shorter rest as many in proportion, rounded up. */
void fv_prune_n_of_m(FvPruneLayer *layer, int n, int m);

#endif

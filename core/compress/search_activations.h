/* Layers that do most harm when they compute in 8 bits. */
#ifndef FOVEA_COMPRESS_SEARCH_ACTIVATIONS_H
#define FOVEA_COMPRESS_SEARCH_ACTIVATIONS_H

#include "compress/search.h"

/* Layers by the error of the model's outputs that goes away when they compute in f32, with 8-bit weights everywhere; the worst first, and only those of which it is a
 * noticeable share. nodes: room for all of the graph. Returns how many there are, or a negative code. */
int fv_search_activations(const FvSearchParams *params, const FvLayerForm *forms, int *nodes, FvError *err);

#endif

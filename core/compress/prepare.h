/* The graph that compression works on, and models made of graphs. */
#ifndef FOVEA_COMPRESS_PREPARE_H
#define FOVEA_COMPRESS_PREPARE_H

#include "model/model_internal.h"

/* A clone of the model's prepared graph with no-ops gone, pads and batch norms folded; every node has a unique output name. Activations are not fused. NULL on error. */
FvGraph *fv_compress_graph(const FvModel *model, FvError *err);
/* A model with another graph (taken over, also on failure, and prepared here anew) and everything else of `like`, to which it keeps a reference: the graph may
 * borrow weights from it, as those of fv_compress_graph do. */
int fv_model_with_graph(const FvModel *like, FvGraph *graph, FvModel **model, FvError *err);

#endif

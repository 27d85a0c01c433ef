/* What plans read of a model. */
#ifndef FOVEA_MODEL_MODEL_INTERNAL_H
#define FOVEA_MODEL_MODEL_INTERNAL_H

#include <fovea/model.h>

#include "graph/graph.h"

/* As read from the file, sorted, input shapes fixed as asked; shapes not inferred yet. */
const FvGraph *fv_model_raw_graph(const FvModel *model);
/* The same with all shapes known and constants folded; NULL when an input decides a shape and must be given first. */
const FvGraph *fv_model_prepared_graph(const FvModel *model);

#endif

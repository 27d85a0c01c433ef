/* What becomes of each layer, from what the caller asked for. */
#ifndef FOVEA_COMPRESS_FORMS_H
#define FOVEA_COMPRESS_FORMS_H

#include "compress/quantise.h"

/* One entry per node of graph, malloc'ed. FV_ERR_INVALID when a pattern fits no layer. */
int fv_choose_forms(FvGraph *graph, const FvCompressParams *params, FvLayerForm **forms, FvError *err);
/* Does one of the caller's patterns name the node? */
bool fv_form_is_asked(const FvNode *node, const FvCompressParams *params);

#endif

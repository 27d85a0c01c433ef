/* What each number of bits costs and does, layer by layer. */
#ifndef FOVEA_COMPRESS_SEARCH_LAYERS_H
#define FOVEA_COMPRESS_SEARCH_LAYERS_H

#include "compress/search.h"

enum { FV_LEAST_BITS = 3, FV_MOST_BITS = 8 };

/* Nodes with the same weights are one unit. */
typedef struct FvSearchUnit {
  int first;                         /* node */
  double bytes[FV_MOST_BITS + 1];    /* in the file, by bits: what the range coder makes of the levels */
  double error[FV_MOST_BITS + 1];    /* of the model's outputs when only this unit is narrow, see output_probe.h */
} FvSearchUnit;

typedef struct FvSearchUnits {
  FvSearchUnit *items;
  int count;
  int *unit_of; /* by node; -1: not to be chosen */
} FvSearchUnits;

/* Measures all of it: rounds every layer to every number of bits, and runs the model once for each unit on some pictures. */
int fv_search_units_create(const FvSearchParams *params, const FvLayerForm *forms, FvSearchUnits *units, FvError *err);
void fv_search_units_finish(FvSearchUnits *units);

#endif

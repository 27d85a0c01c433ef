/* What has to happen to a running pipeline for it to become another one. */
#ifndef FOVEA_RUNNER_CHANGE_H
#define FOVEA_RUNNER_CHANGE_H

#include "chain.h"

typedef enum FvChange {
  FV_CHANGE_NONE,
  FV_CHANGE_TUNE,   /* properties that may change while playing */
  FV_CHANGE_REBUILD
} FvChange;

/* Two chains are compared as they would be built, so that no key of the configuration can be forgotten. Elements say themselves what may change while they play. */
FvChange fv_change_of(GPtrArray *from, GPtrArray *to);
/* For FV_CHANGE_TUNE: sets what differs. elements are those of fv_build_pipeline() for `from`. */
void fv_change_apply(GPtrArray *from, GPtrArray *to, GPtrArray *elements);

#endif

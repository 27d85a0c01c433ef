/* The levels that a rounding problem allows: all from -max to max, or the entries of a codebook. */
#ifndef FOVEA_COMPRESS_LEVELS_H
#define FOVEA_COMPRESS_LEVELS_H

#include "compress/rounding.h"

typedef struct FvLevels {
  int8_t below[256], above[256]; /* by v + 128: the largest allowed level <= v and the smallest > v; the first or the last one where there is none */
  int zero;                      /* the one nearest to 0 */
} FvLevels;

int fv_levels_init(FvLevels *levels, const FvRoundingProblem *problem, FvError *err);
/* The largest allowed level that is not above target (in steps of the scale, any number), or the first one. */
int fv_levels_floor(const FvLevels *levels, double target);
static inline int fv_levels_next(const FvLevels *levels, int level) { return levels->above[level + 128]; }
static inline int fv_levels_previous(const FvLevels *levels, int level) { return levels->below[level > -128 ? level + 127 : 0]; }
/* The nearest one; of two the one nearer to 0. */
int fv_levels_nearest(const FvLevels *levels, double target);

/* FV_ERR_INVALID for shapes, scales or codebooks that are none. */
int fv_rounding_check(const FvRoundingProblem *problem, FvError *err);
static inline int64_t fv_rounding_groups(const FvRoundingProblem *problem) { return problem->groups > 1 ? problem->groups : 1; }

#endif

#include "push.h"

#define WALK_RANK 6

/* Element-wise work over up to three inputs: dimensions from the outermost to the innermost in the output's memory. */
FV_PUSH(FvWalkPush) {
  int count;
  int y_at, a_at, b_at;
  int dims[WALK_RANK];
  int y_strides[WALK_RANK];
  int a_strides[WALK_RANK];
  int b_strides[WALK_RANK];
  float alpha, beta;
} FV_PUSH_NAME;

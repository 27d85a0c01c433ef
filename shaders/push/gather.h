#include "push.h"

#define GATHER_RANK 5
#define GATHER_DEPTH 3

/* Walks y; x and i advance along with it, and the indices found at i move x further. */
FV_PUSH(FvGatherPush) {
  int count;
  int y_at, x_at, i_at;
  int dims[GATHER_RANK];
  int y_strides[GATHER_RANK];
  int x_strides[GATHER_RANK];
  int i_strides[GATHER_RANK];
  int i_step;                     /* from one number of an index tuple to the next */
  int lengths[GATHER_DEPTH];      /* of the dimensions of x that the tuple names */
  int steps[GATHER_DEPTH];
} FV_PUSH_NAME;

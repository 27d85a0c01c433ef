#include "push.h"

#define SCATTER_RANK 4
#define SCATTER_DEPTH 4

/* Walks what updates write in parallel; each invocation takes a row of updates one after the other, in order. */
FV_PUSH(FvScatterPush) {
  int count;
  int y_at, u_at, i_at;
  int dims[SCATTER_RANK];
  int y_strides[SCATTER_RANK];
  int u_strides[SCATTER_RANK];
  int i_strides[SCATTER_RANK];
  int updates, u_next, i_next;  /* the row */
  int i_step;                   /* from one number of an index tuple to the next */
  int lengths[SCATTER_DEPTH];   /* of the dimensions of y that the tuple names */
  int steps[SCATTER_DEPTH];
} FV_PUSH_NAME;

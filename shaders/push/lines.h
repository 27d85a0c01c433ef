#include "push.h"

#define LINES_RANK 5

/* ArgMax, ArgMin and TopK: lines of x along one axis; y and i have the lines of x. */
FV_PUSH(FvLinesPush) {
  int count;
  int x_at, y_at, i_at;
  int dims[LINES_RANK];      /* of the lines' grid */
  int x_strides[LINES_RANK];
  int y_strides[LINES_RANK];
  int i_strides[LINES_RANK];
  int elements, x_step;      /* of a line */
  int y_step, i_step, kept;  /* of a line of results */
} FV_PUSH_NAME;

#include "push.h"
#define PRODUCT_RANK 4
/* The dimensions of y but its columns: batches and rows, outermost first. Positions and strides count floats. */
FV_PUSH(FvProductPush) {
  int count;
  int y_at, a_at, b_at, c_at;
  int dims[PRODUCT_RANK];
  int y_strides[PRODUCT_RANK];
  int a_strides[PRODUCT_RANK];
  int b_strides[PRODUCT_RANK];
  int c_strides[PRODUCT_RANK];
  int columns, depth;
  int y_column, b_column, c_column; /* strides of the columns */
  int a_depth, b_depth;             /* strides of what is summed over */
} FV_PUSH_NAME;

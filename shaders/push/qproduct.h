#include "push.h"
#include "qmasks.h"

#define QPRODUCT_RANK 4
/* The dimensions of y, rows and columns last. Positions and strides count elements. */
FV_PUSH(FvQproductPush) {
  int count;
  int y_at, a_at, b_at, a_zero_at, b_zero_at, a_scale_at, b_scale_at, y_scale_at, y_zero_at, bias_at;
  int dims[QPRODUCT_RANK];
  int y_strides[QPRODUCT_RANK];
  int a_strides[QPRODUCT_RANK - 1];                   /* all but columns */
  int b_strides[QPRODUCT_RANK - 1];                   /* all but rows */
  int depth, a_depth, b_depth;
  int a_zero_row, a_scale_row, b_zero_column, b_scale_column; /* 0: one number for all */
} FV_PUSH_NAME;

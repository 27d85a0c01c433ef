#include "push.h"

#define PAD_RANK 5

FV_PUSH(FvPadPush) {
  int count;
  int y_at, x_at, value_at; /* x: the first element that is kept */
  int dims[PAD_RANK];       /* of y */
  int y_strides[PAD_RANK];
  int x_strides[PAD_RANK];
  int begins[PAD_RANK];     /* where in y the kept part begins */
  int kept[PAD_RANK];
  int low, high;            /* the value's bits where it is not a tensor */
} FV_PUSH_NAME;

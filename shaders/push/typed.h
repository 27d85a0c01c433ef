#include "push.h"

#define TYPED_RANK 5

/* Element-wise work on elements of any type, over up to three inputs. */
FV_PUSH(FvTypedPush) {
  int count;
  int y_at, a_at, b_at, c_at;
  int dims[TYPED_RANK];
  int y_strides[TYPED_RANK];
  int a_strides[TYPED_RANK];
  int b_strides[TYPED_RANK];
  int c_strides[TYPED_RANK];
  float factor; /* of TYPED_SCALE */
} FV_PUSH_NAME;

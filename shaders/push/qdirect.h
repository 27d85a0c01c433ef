#include "push.h"
#include "qmasks.h"

#define QDIRECT_SPATIAL 3

/* x is a, w is b. Strides by image and channel (or output and input channel) and the spatial dimensions. They count elements. */
FV_PUSH(FvQdirectPush) {
  int count;
  int y_at, x_at, w_at, x_zero_at, w_zero_at, x_scale_at, w_scale_at, y_scale_at, y_zero_at, bias_at;
  int x_strides[5];
  int y_strides[5];
  int w_strides[5];
  int out_size[QDIRECT_SPATIAL];
  int channels, outputs, groups; /* channels and outputs of one group */
} FV_PUSH_NAME;

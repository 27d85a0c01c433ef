#include "push.h"
/* Strides along: image, channel, and the three spatial dimensions; of weights: output, input channel, and the three of the window. They count floats. */
FV_PUSH(FvDirectPush) {
  int count;
  int x_at, y_at, w_at, b_at, r_at;
  int x_strides[5];
  int y_strides[5];
  int r_strides[5];
  int w_strides[5];
  int out_size[3];
  int channels, outputs, groups; /* channels and outputs of one group */
} FV_PUSH_NAME;

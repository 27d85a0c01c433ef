#include "push.h"

#define MAX_POOL_SPATIAL 3

/* Strides by image, channel and the spatial dimensions, of which there are three; those in front have length 1. They count elements. */
FV_PUSH(FvMaxPoolPush) {
  int count;
  int x_at, y_at, i_at;
  int channels;
  int size[MAX_POOL_SPATIAL], out_size[MAX_POOL_SPATIAL];
  int x_strides[5];
  int y_strides[5];
  int i_strides[5]; /* of the indices */
} FV_PUSH_NAME;

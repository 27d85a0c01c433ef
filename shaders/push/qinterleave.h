#include "push.h"

/* Positions and strides count bytes. */
FV_PUSH(FvQinterleavePush) {
  int count;
  int a_at, b_at, y_at;
  int a_row, a_pixel, a_image;
  int b_row, b_pixel, b_image;
  int y_row, y_pixel, y_image;
  int height, width;
  int channels; /* of one input */
} FV_PUSH_NAME;

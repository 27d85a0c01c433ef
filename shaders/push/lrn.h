#include "push.h"
/* Positions and strides count floats. */
FV_PUSH(FvLrnPush) {
  int count;
  int x_at, y_at;
  int x_row, x_pixel, x_image, x_channel;
  int y_row, y_pixel, y_image, y_channel;
  int height, width, channels;
  int before, behind; /* channels of the window on either side */
  float factor, exponent, bias;
} FV_PUSH_NAME;

#include "push.h"

/* Positions and strides count floats. */
FV_PUSH(FvPoolPush) {
  int count;
  int x_at, y_at;
  int x_row, x_pixel, x_image, x_channel;
  int y_row, y_pixel, y_image, y_channel;
  int height, width; /* of the input */
  int out_height, out_width;
  int channels;
  int sy, sx, dy, dx, top, left;
  int x_plane, y_plane, out_depth; /* of the third spatial dimension; its other numbers are constants of the shader */
  int bottom, right; /* the last padded row and column + 1, for counting pads */
} FV_PUSH_NAME;

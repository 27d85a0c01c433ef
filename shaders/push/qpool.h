#include "push.h"

#define QPOOL_MAX 0
#define QPOOL_AVERAGE 1
#define QPOOL_AVERAGE_WITH_PADS 2 /* pads count */
#define QPOOL_WHOLE 3             /* every window is the whole picture: one multiplier */

/* Positions and strides count bytes, that of the table words: the multiplier for every number of pixels in a window. */
FV_PUSH(FvQpoolPush) {
  int count;
  int x_at, y_at, table_at;
  int x_row, x_pixel, x_image, x_channel;
  int y_row, y_pixel, y_image, y_channel;
  int height, width; /* of the input */
  int out_height, out_width;
  int channels;
  int kh, kw, sy, sx, dy, dx, top, left;
  int bottom, right; /* the last padded row and column + 1, for counting pads */
  int x_zero, y_zero;
  float alpha, beta;
} FV_PUSH_NAME;

#include "push.h"

/* Positions and strides count floats. */
FV_PUSH(FvResizePush) {
  int count;
  int x_at, y_at, rows_at, columns_at; /* tables in the weights: [output position][tap]{index, weight} */
  int x_row, x_pixel, x_image, x_channel;
  int y_row, y_pixel, y_image, y_channel;
  int out_height, out_width;
  int channels;
  float outside; /* what an index of -1 stands for */
} FV_PUSH_NAME;

#include "push.h"

/* Positions and strides count bytes, those of the tables words: [output position][tap]{index, weight}. */
FV_PUSH(FvQresizePush) {
  int count;
  int x_at, y_at, rows_at, columns_at;
  int x_row, x_pixel, x_image, x_channel;
  int y_row, y_pixel, y_image, y_channel;
  int out_height, out_width;
  int channels;
  int outside; /* the byte that an index of -1 stands for */
} FV_PUSH_NAME;

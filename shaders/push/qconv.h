#include "push.h"

/* Convolutions of bytes. Positions and strides of x count bytes, those of y elements of its type, those of weights and the table words. */
FV_PUSH(FvQconvPush) {
  int count;
  int x_at, y_at, w_at, table_at;
  int zero_at;                     /* the byte that is x's zero point, where it is computed */
  int x_row, x_pixel, x_image, x_channel;
  int y_row, y_pixel, y_image, y_channel;
  int height, width;               /* of the input */
  int out_height, out_width;
  int pixels;                      /* of the output, over the whole batch */
  int channels, outputs;           /* of one group */
  int tiles;                       /* of output channels, of one group */
  int groups;
  int x_zero, y_zero;
  float alpha, beta;
} FV_PUSH_NAME;

#include "push.h"

/* Convolutions of every kind. Positions and strides count floats. */
FV_PUSH(FvConvPush) {
  int count;
  int x_at, y_at, r_at, w_at, b_at, zeros_at; /* input, output, residual, packed weights, bias, zeros in the arena */
  int x_row, x_pixel, x_image;
  int y_row, y_pixel, y_image;
  int r_row, r_pixel, r_image;
  int height, width;               /* of the input */
  int out_height, out_width;
  int pixels;                      /* of the output, over the whole batch */
  int channels, outputs;           /* of one group */
  int tiles;                       /* of output channels, of one group */
  int groups;                    /* groups */
  int x_channel;                   /* between channels of one pixel, for inputs that are not channels-last */
  float alpha, beta;
} FV_PUSH_NAME;

#include "push.h"

/* Positions and strides count floats. */
FV_PUSH(FvDepthwisePush) {
  int count;
  int x_at, y_at, r_at, w_at, b_at, zeros_at; /* input, output, residual, packed weights, bias, zeros in the arena */
  int x_row, x_pixel, x_image;
  int y_row, y_pixel, y_image;
  int r_row, r_pixel, r_image;
  int height, width;               /* of the input */
  int out_height, out_width;
  int channels;
  float alpha, beta;
} FV_PUSH_NAME;

#include "push.h"

#define FRAME_SAMPLERS 3

/* Tables of a sampler, in words of the samples' buffer: columns' left bytes, columns' weights, lines' upper bytes, lines' lower bytes, lines' weights. */
FV_PUSH(FvFramePush) {
  int count;
  int y_at;                                  /* elements of the input's type */
  int channel_step, row_step, column_step;   /* of the input, elements */
  int width;                                 /* of the input */
  int left, top, columns, lines;             /* the part of it that is not padding */
  int table[FRAME_SAMPLERS];
  float gain, offset;                        /* of luma, and of R, G, B */
  float red_v, green_u, green_v, blue_u;
  float mean[3], scale[3], pad[3];           /* of output channels; pad is normalised */
} FV_PUSH_NAME;

#version 450
#extension GL_GOOGLE_include_directive : require
/* Resizing of rows and columns by tables that the host worked out: any mode. An invocation computes four channels of one output pixel, or one
 * channel where channels do not follow each other. Dispatch: images x output pixels x fours of channels, channels fastest. */
#include "common.glsl"
#include "push/resize.h"

layout(constant_id = 1) const bool X_ALIGNED = false;
layout(constant_id = 2) const int Y_LIES = 0;
layout(constant_id = 3) const bool VECTOR = false; /* channels follow each other on both sides */
layout(constant_id = 4) const int ROWS = 1;        /* taps */
layout(constant_id = 5) const int COLUMNS = 1;

vec4 load_pixel(int at) {
  if (!VECTOR) return vec4(load(at));
  return X_ALIGNED ? load4(at) : vec4(load(at), load(at + 1), load(at + 2), load(at + 3));
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int step = VECTOR ? 4 : 1, quads = (push.channels + step - 1) / step;
  int pixel = divide(id, quads), c = (id - pixel * quads) * step;
  int row = divide(pixel, push.out_width), x = pixel - row * push.out_width;
  int image = divide(row, push.out_height), y = row - image * push.out_height;
  int base = push.x_at + image * push.x_image + c * push.x_channel;

  vec4 sum = vec4(0);
  for (int i = 0; i < ROWS; i++) {
    int row_tap = push.rows_at + (y * ROWS + i) * 2, iy = int(load_constant(row_tap));
    float row_weight = load_constant(row_tap + 1);
    for (int j = 0; j < COLUMNS; j++) {
      int tap = push.columns_at + (x * COLUMNS + j) * 2, ix = int(load_constant(tap));
      float weight = row_weight * load_constant(tap + 1);
      vec4 v = iy < 0 || ix < 0 ? vec4(push.outside) : load_pixel(base + iy * push.x_row + ix * push.x_pixel);
      sum = ROWS * COLUMNS == 1 ? v : fma(v, vec4(weight), sum);
    }
  }

  int to = push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + c * push.y_channel, left = push.channels - c;
  if (!VECTOR)
    store(to, sum.x);
  else
    store_lying(Y_LIES, to, sum, left);
}

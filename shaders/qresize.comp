#version 450
#extension GL_GOOGLE_include_directive : require
/* Resizing of rows and columns of bytes by tables that the host worked out: the nearest, or sums of whole numbers. An invocation computes four channels of
 * one output pixel. Dispatch: images x output pixels x fours of channels, channels fastest. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qresize.h"

layout(constant_id = 1) const bool SIGNED = false;
layout(constant_id = 2) const bool X_ALIGNED = false; /* fours of channels lie in one word */
layout(constant_id = 3) const int Y_LIES = 0; /* BYTES_… */
layout(constant_id = 4) const int ROWS = 1;           /* taps */
layout(constant_id = 5) const int COLUMNS = 1;
layout(constant_id = 6) const int BITS = 0;           /* by which sums are too large */

uint load_pixel(int image, int iy, int ix, int c, int left) {
  if (iy < 0 || ix < 0) return uint(push.outside) * 0x01010101u;
  return load_bytes(push.x_at + image * push.x_image + c * push.x_channel + iy * push.x_row + ix * push.x_pixel, left, X_ALIGNED, push.x_channel);
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.channels + 3) >> 2;
  int pixel = divide(id, fours), c = (id - pixel * fours) * 4, left = push.channels - c;
  int row = divide(pixel, push.out_width), x = pixel - row * push.out_width;
  int image = divide(row, push.out_height), y = row - image * push.out_height;

  ivec4 sum = ivec4(BITS > 0 ? 1 << (BITS - 1) : 0);
  uint word = 0;
  for (int i = 0; i < ROWS; i++) {
    int row_tap = push.rows_at + (y * ROWS + i) * 2, iy = int(weight_word(row_tap)), row_weight = int(weight_word(row_tap + 1));
    for (int j = 0; j < COLUMNS; j++) {
      int tap = push.columns_at + (x * COLUMNS + j) * 2;
      word = load_pixel(image, iy, int(weight_word(tap)), c, left);
      if (BITS > 0) sum += bytes_of(word, SIGNED) * (row_weight * int(weight_word(tap + 1)));
    }
  }
  if (BITS > 0) {
    sum = sum >> BITS & 255;
    word = uint(sum.x | sum.y << 8 | sum.z << 16 | sum.w << 24);
  }
  store_bytes(push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + c * push.y_channel, word, left, Y_LIES, push.y_channel);
}

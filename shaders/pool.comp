#version 450
#extension GL_GOOGLE_include_directive : require
/* Pooling windows: an invocation computes four channels of one output pixel, or one channel where channels do not follow each other.
 * Dispatch: images x output pixels x fours of channels, channels fastest. */
#include "common.glsl"
#include "push/pool.h"

#define POOL_MAX 0
#define POOL_AVERAGE 1
#define POOL_AVERAGE_WITH_PADS 2
layout(constant_id = 1) const int MODE = 0;
layout(constant_id = 2) const bool X_ALIGNED = false;
layout(constant_id = 3) const int Y_LIES = 0;
layout(constant_id = 4) const bool VECTOR = false; /* channels follow each other on both sides */
layout(constant_id = 5) const int KH = 1;
layout(constant_id = 6) const int KW = 1;
layout(constant_id = 7) const int KD = 1;          /* the third spatial dimension: kernel, stride, dilation, pad, input size, padded end */
layout(constant_id = 8) const int SD = 1;
layout(constant_id = 9) const int DD = 1;
layout(constant_id = 10) const int FRONT = 0;
layout(constant_id = 11) const int DEPTH = 1;
layout(constant_id = 12) const int BACK = 1;

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
  int plane = divide(row, push.out_height), y = row - plane * push.out_height;
  int image = divide(plane, push.out_depth), z = plane - image * push.out_depth;
  int y0 = y * push.sy - push.top, x0 = x * push.sx - push.left;
  int base = push.x_at + image * push.x_image + c * push.x_channel;

  vec4 acc = vec4(MODE == POOL_MAX ? uintBitsToFloat(0xff800000u) : 0);
  int counted = 0;
  for (int kz = 0; kz < KD; kz++) {
    int iz = z * SD - FRONT + kz * DD;
    for (int ky = 0; ky < KH; ky++) {
      int iy = y0 + ky * push.dy;
      for (int kx = 0; kx < KW; kx++) {
        int ix = x0 + kx * push.dx;
        if (MODE == POOL_AVERAGE_WITH_PADS && iz < BACK && iy < push.bottom && ix < push.right) counted++;
        /* Nothing depends on branches, which software devices would run masked. */
        bool inside = (KD == 1 || uint(iz) < uint(DEPTH)) && uint(iy) < uint(push.height) && uint(ix) < uint(push.width);
        vec4 v = load_pixel(inside ? base + iz * push.x_plane + iy * push.x_row + ix * push.x_pixel : base);
        if (MODE == POOL_MAX) {
          bvec4 taken = bvec4(ivec4(not(lessThanEqual(v, acc))) * int(inside)); /* a NaN is, and stays */
          acc = mix(acc, v, taken);
        } else {
          acc += inside ? v : vec4(0);
          if (MODE == POOL_AVERAGE) counted += int(inside);
        }
      }
    }
  }
  if (MODE != POOL_MAX) acc /= float(max(counted, 1));

  int to = push.y_at + image * push.y_image + z * push.y_plane + y * push.y_row + x * push.y_pixel + c * push.y_channel, left = push.channels - c;
  if (!VECTOR)
    store(to, acc.x);
  else
    store_lying(Y_LIES, to, acc, left);
}

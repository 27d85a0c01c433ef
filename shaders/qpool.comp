#version 450
#extension GL_GOOGLE_include_directive : require
/* Pooling of bytes: an invocation computes four channels of one output pixel. Dispatch: images x output pixels x fours of channels, channels fastest. */
#include "common.glsl"
#include "words.glsl"
#include "quantise.glsl"
#include "push/qpool.h"

layout(constant_id = 1) const int MODE = QPOOL_MAX;
layout(constant_id = 2) const int TYPE = TYPE_U8;
layout(constant_id = 3) const int ACTIVATION = 0;
layout(constant_id = 4) const bool X_ALIGNED = false; /* fours of channels lie in one word */
layout(constant_id = 5) const int Y_LIES = 0; /* BYTES_… */
layout(constant_id = 6) const int KH = 0; /* of small windows, so that loops are unrolled; 0: push.kh */
layout(constant_id = 7) const int KW = 0;

const bool SIGNED = TYPE == TYPE_I8;

uint average(ivec4 sum, int counted) {
  precise vec4 steps = vec4(sum) * uintBitsToFloat(weight_word(push.table_at + (MODE == QPOOL_WHOLE ? 0 : counted)));
  return quantised_word(TYPE, activate_steps(ACTIVATION, steps, push.alpha, push.beta), push.y_zero);
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int fours = (push.channels + 3) >> 2;
  int pixel = divide(id, fours), c = (id - pixel * fours) * 4, left = push.channels - c;
  int row = divide(pixel, push.out_width), x = pixel - row * push.out_width;
  int image = divide(row, push.out_height), y = row - image * push.out_height;
  int base = push.x_at + image * push.x_image + c * push.x_channel, counted = 0;

  ivec4 acc = ivec4(MODE != QPOOL_MAX ? 0 : SIGNED ? -128 : 0);
  const ivec4 nothing = ivec4(SIGNED ? -128 : 0);
  for (int ky = 0; ky < (KH > 0 ? KH : push.kh); ky++) {
    int iy = y * push.sy - push.top + ky * push.dy;
    for (int kx = 0; kx < (KW > 0 ? KW : push.kw); kx++) {
      int ix = x * push.sx - push.left + kx * push.dx;
      if (MODE == QPOOL_AVERAGE_WITH_PADS && iy < push.bottom && ix < push.right) counted++;
      /* As in pool.comp, nothing depends on branches. */
      bool inside = uint(iy) < uint(push.height) && uint(ix) < uint(push.width);
      ivec4 v = bytes_of(load_bytes(inside ? base + iy * push.x_row + ix * push.x_pixel : base, left, X_ALIGNED, push.x_channel), SIGNED);
      acc = MODE == QPOOL_MAX ? max(acc, inside ? v : nothing) : acc + (inside ? v - push.x_zero : ivec4(0));
      if (MODE == QPOOL_AVERAGE) counted += int(inside);
    }
  }
  acc &= MODE == QPOOL_MAX ? 255 : -1;
  uint word = MODE == QPOOL_MAX ? uint(acc.x | acc.y << 8 | acc.z << 16 | acc.w << 24) : average(acc, counted);
  store_bytes(push.y_at + image * push.y_image + y * push.y_row + x * push.y_pixel + c * push.y_channel, word, left, Y_LIES, push.y_channel);
}

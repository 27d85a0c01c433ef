/* Integer operators whose scales and zero points are computed: loads of them, and the end of a sum. The shader has constants IN_WEIGHTS, PRESENT (masks of Q_…)
 * and Y_TYPE. */
#include "divide.glsl"

int load_byte(int at, int which, bool is_signed) {
  return byte_of((IN_WEIGHTS & which) != 0 ? weight_byte(at) : arena_byte(at), 0, is_signed);
}
int load_zero(int at, int which, bool is_signed) { return (PRESENT & which) != 0 ? load_byte(at, which, is_signed) : 0; }
uint load_word_of(int at, int which) { return (IN_WEIGHTS & which) != 0 ? weight_word(at) : arena_word(at); }
float load_scale(int at, int which) { return (PRESENT & which) != 0 ? uintBitsToFloat(load_word_of(at, which)) : 1.0; }

void store_sum(int at, int sum, float a_scale, float b_scale, float y_scale, int y_zero) {
  if (Y_TYPE == TYPE_I32) {
    store_word(at, uint(sum));
    return;
  }
  precise float scale = a_scale * b_scale;
  if ((PRESENT & Q_Y_SCALE) != 0) scale = divide_exactly(scale, y_scale);
  precise float steps = float(sum) * scale;
  if (Y_TYPE == TYPE_F32)
    store_word(at, floatBitsToUint(steps));
  else
    store_byte(at, quantised_word(Y_TYPE, vec4(steps), y_zero) & 255u);
}

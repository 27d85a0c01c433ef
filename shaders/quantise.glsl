/* The end of every integer operator, as core/ops/quantised.h defines it: steps are activated, rounded half to even and saturated. */
#include "push/types.h"

/* Only what can be had in steps; bounds of a clip come in steps too. */
vec4 activate_steps(int type, vec4 steps, float alpha, float beta) {
  switch (type) {
    case ACTIVATION_RELU: return max(steps, vec4(0));
    case ACTIVATION_CLIP: return min(max(steps, vec4(alpha)), vec4(beta));
    case ACTIVATION_LEAKY_RELU: return mix(steps, alpha * steps, lessThan(steps, vec4(0)));
    default: return steps;
  }
}

/* Four bytes of type TYPE_U8 or TYPE_I8. */
uint quantised_word(int type, vec4 steps, int zero) {
  int low = type == TYPE_I8 ? -128 : 0;
  ivec4 q = ivec4(clamp(roundEven(steps), vec4(low - zero), vec4(low + 255 - zero))) + zero;
  q &= 255;
  return uint(q.x | q.y << 8 | q.z << 16 | q.w << 24);
}

/* Byte number i of each word, as numbers. */
int byte_of(uint word, int i, bool is_signed) {
  return is_signed ? bitfieldExtract(int(word), i * 8, 8) : int(bitfieldExtract(word, i * 8, 8));
}
ivec4 bytes_of(uint word, bool is_signed) {
  uvec4 up = uvec4(word << 24, word << 16, word << 8, word);
  return is_signed ? ivec4(up) >> 24 : ivec4(up >> 24);
}

int sum_of_bytes(uint word, bool is_signed) {
  ivec4 bytes = bytes_of(word, is_signed);
  return bytes.x + bytes.y + bytes.z + bytes.w;
}

/* The first `left` (at least 1) of four bytes; what the others hold does not matter. `whole`: they are one word; else they lie `step` apart. */
uint load_bytes(int at, int left, bool whole, int step) {
  if (whole) return arena_word(at >> 2);
  uint word = arena_byte(at);
  for (int i = 1; i < min(left, 4); i++) word |= arena_byte(at + i * step) << i * 8;
  return word;
}

/* Stores the first `left` (at most 4) of four bytes, which lie in one word from its beginning on, or `step` apart. Not to know that all are stored is dear on
 * devices that run both sides of branches. */
#define BYTES_APART 0
#define BYTES_IN_WORDS 1
#define BYTES_ARE_WORDS 2 /* all four are stored, always */
void store_bytes(int at, uint word, int left, int lie, int step) {
  if (lie == BYTES_ARE_WORDS || (lie == BYTES_IN_WORDS && left >= 4))
    store_word(at >> 2, word);
  else if (lie == BYTES_IN_WORDS)
    store_masked(at >> 2, (1u << left * 8) - 1u, word);
  else
    for (int i = 0; i < min(left, 4); i++) store_byte(at + i * step, word >> i * 8 & 255u);
}

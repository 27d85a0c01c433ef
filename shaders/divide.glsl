/* a / b rounded correctly, where devices may be off by a few units in the last place: schoolbook division of the mantissas. */
float divide_exactly(float a, float b) {
  uint x = floatBitsToUint(a), y = floatBitsToUint(b), rest = (x & 0x7fffffu) | 0x800000u, by = (y & 0x7fffffu) | 0x800000u, quotient = 0u;
  int ex = int(x >> 23 & 255u), ey = int(y >> 23 & 255u), exponent = ex - ey + 127;
  if (rest < by) {
    rest <<= 1;
    exponent--;
  }
  if (ex == 0 || ey == 0 || ex == 255 || ey == 255 || exponent < 1 || exponent > 254) return a / b; /* zero, infinite, tiny or no number */
  for (int i = 0; i < 24; i++) {
    quotient <<= 1;
    if (rest >= by) {
      rest -= by;
      quotient |= 1u;
    }
    rest <<= 1; /* twice what is left */
  }
  if (rest > by || (rest == by && (quotient & 1u) != 0u)) quotient++;
  return uintBitsToFloat(((x ^ y) & 0x80000000u) | (uint(exponent) << 23) + (quotient - 0x800000u));
}

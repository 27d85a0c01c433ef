#version 450
#extension GL_GOOGLE_include_directive : require
/* y = f(a), f(a, b) or f(a, b, c) element by element for all types and any strides; fp32 alone has elementwise.comp.
 * Dispatch: all elements, innermost fastest. */
#include "common.glsl"
#include "typed.glsl"
#include "push/typed.h"

layout(constant_id = 1) const int OPERATION = 0; /* TYPED_… */
layout(constant_id = 2) const int CLASS = 0;     /* CLASS_… */
layout(constant_id = 3) const int RANK = 1;
layout(constant_id = 4) const int Y_TYPE = 1;
layout(constant_id = 5) const int A_TYPE = 1;
layout(constant_id = 6) const int B_TYPE = 1; /* and c's */
layout(constant_id = 7) const int INPUTS = 1;
layout(constant_id = 8) const int IN_WEIGHTS = 0; /* bit i: input i */

float power(float a, float b) {
  float size = pow(abs(a), b);
  if (b == 0) return 1;
  if (a >= 0 || is_nan(a)) return size;
  return b != floor(b) ? uintBitsToFloat(0x7fc00000u) : mod(b, 2) == 1 ? -size : size;
}

REAL compute(REAL a, REAL b, REAL c) {
  switch (OPERATION) {
    case TYPED_CLIP: case TYPED_CLIP_LOW: case TYPED_CLIP_HIGH:
      if (OPERATION != TYPED_CLIP_HIGH && a < b) a = b;
      return OPERATION != TYPED_CLIP_LOW && a > c ? c : a;
    case TYPED_SCALE: return a * push.factor;
    case TYPED_RELU: return a > 0 ? a : 0;
    case TYPED_ABS: return abs(a);
    case TYPED_NEG: return -a;
    case TYPED_SIGN: return a > 0 ? 1 : a < 0 ? -1 : a;
    case TYPED_IS_NAN: return is_nan(a) ? 1 : 0;
    case TYPED_IS_POSITIVE_INF: return is_inf(a) && a > 0 ? 1 : 0;
    case TYPED_IS_NEGATIVE_INF: return is_inf(a) && a < 0 ? 1 : 0;
    case TYPED_IS_INF: return is_inf(a) ? 1 : 0;
    case TYPED_ADD: return a + b;
    case TYPED_SUB: return a - b;
    case TYPED_MUL: return a * b;
    case TYPED_DIV: return a / b;
    case TYPED_POW: return power(float(a), float(b)); /* f64 has none */
    case TYPED_MIN: return a < b || is_nan(a) ? a : b;
    case TYPED_MAX: return a > b || is_nan(a) ? a : b;
    case TYPED_EQUAL: return a == b ? 1 : 0;
    case TYPED_LESS: return a < b ? 1 : 0;
    case TYPED_LESS_EQUAL: return a <= b ? 1 : 0;
    case TYPED_GREATER: return a > b ? 1 : 0;
    case TYPED_GREATER_EQUAL: return a >= b ? 1 : 0;
    default: return a;
  }
}

/* The divisor is neither 0 nor -1, whose quotients GLSL leaves open. */
INT plain_quotient(INT a, INT b) { return CLASS == CLASS_UNSIGNED ? INT(UINT(a) / UINT(b)) : a / b; }

bool less(INT a, INT b) { return CLASS == CLASS_UNSIGNED ? UINT(a) < UINT(b) : a < b; }

INT quotient(INT a, INT b) {
  if (b == INT(0)) return INT(0);
  if (CLASS == CLASS_SIGNED && b == INT(-1)) return -a;
  return plain_quotient(a, b);
}

INT remainder(INT a, INT b, bool floored) {
  if (b == INT(0) || (CLASS == CLASS_SIGNED && b == INT(-1))) return INT(0);
  INT rest = a - plain_quotient(a, b) * b;
  return floored && CLASS == CLASS_SIGNED && rest != INT(0) && (rest < INT(0)) != (b < INT(0)) ? rest + b : rest;
}

INT power(INT base, INT exponent) {
  if (exponent < INT(0)) return base == INT(1) ? INT(1) : base == INT(-1) ? ((exponent & INT(1)) != INT(0) ? INT(-1) : INT(1)) : INT(0);
  INT result = INT(1);
  for (; exponent != INT(0); exponent >>= 1, base *= base)
    if ((exponent & INT(1)) != INT(0)) result *= base;
  return result;
}

INT compute(INT a, INT b, INT c) {
  bool far = UINT(b) >= UINT(INT_BITS);
  switch (OPERATION) {
    case TYPED_CLIP: case TYPED_CLIP_LOW: case TYPED_CLIP_HIGH:
      if (OPERATION != TYPED_CLIP_HIGH && less(a, b)) a = b;
      return OPERATION != TYPED_CLIP_LOW && less(c, a) ? c : a;
    case TYPED_RELU: return CLASS == CLASS_SIGNED && a < INT(0) ? INT(0) : a;
    case TYPED_ABS: return CLASS == CLASS_SIGNED && a < INT(0) ? -a : a;
    case TYPED_NEG: return -a;
    case TYPED_SIGN: return CLASS == CLASS_SIGNED && a < INT(0) ? INT(-1) : INT(a != INT(0));
    case TYPED_NOT: return INT(a == INT(0));
    case TYPED_BITWISE_NOT: return ~a;
    case TYPED_ADD: return a + b;
    case TYPED_SUB: return a - b;
    case TYPED_MUL: return a * b;
    case TYPED_DIV: return quotient(a, b);
    case TYPED_POW: return power(a, b);
    case TYPED_MIN: return less(a, b) ? a : b;
    case TYPED_MAX: return less(b, a) ? a : b;
    case TYPED_MOD: return remainder(a, b, true);
    case TYPED_FMOD: return remainder(a, b, false);
    case TYPED_EQUAL: return INT(a == b);
    case TYPED_LESS: return INT(less(a, b));
    case TYPED_LESS_EQUAL: return INT(!less(b, a));
    case TYPED_GREATER: return INT(less(b, a));
    case TYPED_GREATER_EQUAL: return INT(!less(a, b));
    case TYPED_AND: return INT(a != INT(0) && b != INT(0));
    case TYPED_OR: return INT(a != INT(0) || b != INT(0));
    case TYPED_XOR: return INT((a != INT(0)) != (b != INT(0)));
    case TYPED_SHIFT_LEFT: return far ? INT(0) : INT(UINT(a) << UINT(b));
    case TYPED_SHIFT_RIGHT: return far ? INT(0) : INT(UINT(a) >> UINT(b));
    case TYPED_BITWISE_AND: return a & b;
    case TYPED_BITWISE_OR: return a | b;
    case TYPED_BITWISE_XOR: return a ^ b;
    default: return a;
  }
}

/* A power of an integer by a float, as an integer: exact where the exponent is whole, and never a little below a whole result. */
uvec2 integer_power(INT base, float exponent) {
  const float too_large = INT_BITS == 64 ? 9.2e18 : 2.147e9;
  float value = power(float(base), exponent), near = roundEven(value);
  if (exponent == floor(exponent) && exponent >= 0 && exponent <= 64 && abs(value) < too_large) {
    INT exact = power(base, INT(exponent));
    return size_of(Y_TYPE) < 4 ? bits_of_float(Y_TYPE, float(exact)) : bits_of_int(Y_TYPE, exact);
  }
  return bits_of_float(Y_TYPE, abs(value - near) <= 4e-6 * abs(near) ? near : value);
}

void main() {
  int id = invocation();
  if (id >= push.count) return;
  int y = push.y_at, at[3] = {push.a_at, push.b_at, push.c_at};
  [[unroll]] for (int d = RANK - 1; d >= 0; d--) {
    int outer = d == 0 ? 0 : id / push.dims[d], i = id - outer * push.dims[d];
    y += i * push.y_strides[d];
    at[0] += i * push.a_strides[d];
    if (INPUTS > 1) at[1] += i * push.b_strides[d];
    if (INPUTS > 2) at[2] += i * push.c_strides[d];
    id = outer;
  }
  uvec2 a = load_bits(A_TYPE, at[0], (IN_WEIGHTS & 1) != 0), b = uvec2(0), c = uvec2(0);
  if (INPUTS > 1) b = load_bits(B_TYPE, at[1], (IN_WEIGHTS & 2) != 0);
  if (INPUTS > 2) c = load_bits(B_TYPE, at[2], (IN_WEIGHTS & 4) != 0);
  if (CLASS == CLASS_BITS)
    a = OPERATION != TYPED_WHERE ? a : a.x != 0u ? b : c;
  else if (CLASS == CLASS_FLOAT && OPERATION == TYPED_POW && !IS_FLOAT(Y_TYPE))
    a = integer_power(int_of(A_TYPE, a), float(float_of(B_TYPE, b)));
  else if (CLASS == CLASS_FLOAT)
    a = bits_of_float(Y_TYPE, compute(float_of(A_TYPE, a), float_of(B_TYPE, b), float_of(B_TYPE, c)));
  else if (IS_FLOAT(Y_TYPE))
    a = bits_of_float(Y_TYPE, float_of(A_TYPE, a)); /* a cast */
  else
    a = bits_of_int(Y_TYPE, compute(int_of(A_TYPE, a), int_of(B_TYPE, b), int_of(B_TYPE, c)));
  store_bits(Y_TYPE, y, a);
}

/* Elements of any type, where no optional feature of the device is asked for: memory is seen as 32-bit words, and positions count elements of the tensor's
 * own type. Elements smaller than a word are put into it by atomics, so that invocations may write neighbours at the same time. Built with WIDE (which takes
 * shaderInt64) integers have 64 bits; else 32, and 64-bit elements are only moved, compared with nothing, or used as indices. Built with WIDE and DOUBLE
 * (which takes shaderFloat64 too) floats have 64 bits; else 32, and f64 is only moved. */
#ifdef DOUBLE
#define REAL double
#else
#define REAL float
#endif
#ifdef WIDE
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#define INT int64_t
#define UINT uint64_t
#define INT_BITS 64
#else
#define INT int
#define UINT uint
#define INT_BITS 32
#endif
#include "push/types.h"

#include "words.glsl"

uint load_word(uint at, bool in_weights) { return in_weights ? weight_word(int(at)) : arena_word(int(at)); }

int size_of(int type) {
  switch (type) {
    case TYPE_I8: case TYPE_U8: case TYPE_BOOL: return 1;
    case TYPE_F16: case TYPE_BF16: case TYPE_I16: case TYPE_U16: return 2;
    case TYPE_F64: case TYPE_I64: case TYPE_U64: return 8;
    default: return 4;
  }
}

/* An element as it lies, in the lower bits. */
uvec2 load_bits(int type, int at, bool in_weights) {
  uint element = uint(at);
  switch (size_of(type)) {
    case 1: return uvec2(bitfieldExtract(load_word(element >> 2, in_weights), int(element & 3u) * 8, 8), 0);
    case 2: return uvec2(bitfieldExtract(load_word(element >> 1, in_weights), int(element & 1u) * 16, 16), 0);
    case 4: return uvec2(load_word(element, in_weights), 0);
    default: return uvec2(load_word(element * 2u, in_weights), load_word(element * 2u + 1u, in_weights));
  }
}

void store_bits(int type, int at, uvec2 bits) {
  switch (size_of(type)) {
    case 1: store_byte(at, bits.x); break;
    case 2: store_masked(at >> 1, 0xffffu << ((at & 1) * 16), bits.x << ((at & 1) * 16)); break;
    case 4: store_word(at, bits.x); break;
    default: store_word(at * 2, bits.x); store_word(at * 2 + 1, bits.y);
  }
}

/* An index of either width, between -2^31 and 2^31 - 1: tensors are shorter than that. */
int load_index(int type, int at, bool in_weights) {
  uvec2 bits = load_bits(type, at, in_weights);
  int low = int(bits.x), high = int(bits.y);
  if (type != TYPE_I64 || high == (low >> 31)) return low;
  return high < 0 ? int(0x80000000u) : 0x7fffffff;
}
/* Negative ones count from the end; what lies outside is brought inside. */
int clamp_index(int index, int dim) { return clamp(index < 0 ? index + dim : index, 0, dim - 1); }
void store_index(int at, int index) { store_bits(TYPE_I64, at, uvec2(index, 0)); }

REAL float_of(int type, uvec2 bits) {
  switch (type) {
    case TYPE_F16: return unpackHalf2x16(bits.x).x;
    case TYPE_BF16: return uintBitsToFloat(bits.x << 16);
    case TYPE_I8: return float(bitfieldExtract(int(bits.x), 0, 8));
    case TYPE_I16: return float(bitfieldExtract(int(bits.x), 0, 16));
    case TYPE_BOOL: return bits.x != 0u ? 1.0 : 0.0;
#ifdef WIDE
    case TYPE_I64: return REAL(int64_t(packUint2x32(bits)));
    case TYPE_U64: return REAL(packUint2x32(bits));
#endif
#ifdef DOUBLE
    case TYPE_I32: return double(int(bits.x));
    case TYPE_U32: return double(bits.x);
    case TYPE_F64: return packDouble2x32(bits);
#else
    case TYPE_I32: return float(int(bits.x));
#endif
    case TYPE_F32: return uintBitsToFloat(bits.x);
    default: return float(bits.x);
  }
}

INT int_of(int type, uvec2 bits) {
  switch (type) {
    case TYPE_I8: return INT(bitfieldExtract(int(bits.x), 0, 8));
    case TYPE_I16: return INT(bitfieldExtract(int(bits.x), 0, 16));
    case TYPE_I32: return INT(int(bits.x));
    case TYPE_BOOL: return INT(bits.x != 0u ? 1 : 0);
#ifdef WIDE
    case TYPE_I64: case TYPE_U64: return int64_t(packUint2x32(bits));
#endif
    default: return INT(bits.x);
  }
}

bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }
bool is_inf(float x) { return (floatBitsToUint(x) & 0x7fffffffu) == 0x7f800000u; }
#ifdef DOUBLE
bool is_nan(double x) {
  uvec2 bits = unpackDouble2x32(x);
  return (bits.y & 0x7fffffffu) > 0x7ff00000u || ((bits.y & 0x7fffffffu) == 0x7ff00000u && bits.x != 0u);
}
bool is_inf(double x) {
  uvec2 bits = unpackDouble2x32(x);
  return (bits.y & 0x7fffffffu) == 0x7ff00000u && bits.x == 0u;
}
#endif

/* Halves to even, as the CPU does; packHalf2x16 may round otherwise. */
uint half_of(float x) {
  uint bits = floatBitsToUint(x), sign = bits >> 16 & 0x8000u, size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) return sign | 0x7e00u;
  if (size >= 0x477ff000u) return sign | 0x7c00u; /* 65520 and more */
  if (size <= 0x33000000u) return sign;           /* up to half of the smallest */
  if (size >= 0x38800000u) {
    uint moved = size - 0x38000000u; /* the exponent counted from 15 */
    return sign | (moved + 0xfffu + (moved >> 13 & 1u)) >> 13;
  }
  int shift = 126 - int(size >> 23);
  uint mantissa = (size & 0x7fffffu) | 0x800000u, kept = mantissa >> shift, rest = mantissa & ((1u << shift) - 1u), middle = 1u << (shift - 1);
  return sign | (kept + (rest > middle || (rest == middle && (kept & 1u) != 0u) ? 1u : 0u));
}

uint brain_of(float x) {
  uint bits = floatBitsToUint(x);
  return is_nan(x) ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

/* Toward zero, saturating; NaN is 0. */
uvec2 bits_of_float(int type, REAL x) {
#ifdef DOUBLE
  if (type == TYPE_F64) return unpackDouble2x32(x);
#endif
  if (type == TYPE_F32) return uvec2(floatBitsToUint(float(x)), 0);
  if (type == TYPE_F16) return uvec2(half_of(float(x)), 0);
  if (type == TYPE_BF16) return uvec2(brain_of(float(x)), 0);
  if (type == TYPE_BOOL) return uvec2(x != 0 || is_nan(x) ? 1 : 0, 0);
  if (is_nan(x)) return uvec2(0);
  switch (type) {
    case TYPE_I8: return uvec2(int(clamp(x, REAL(-128.0), REAL(127.0))), 0);
    case TYPE_U8: return uvec2(int(clamp(x, REAL(0.0), REAL(255.0))), 0);
    case TYPE_I16: return uvec2(int(clamp(x, REAL(-32768.0), REAL(32767.0))), 0);
    case TYPE_U16: return uvec2(int(clamp(x, REAL(0.0), REAL(65535.0))), 0);
    case TYPE_U32: return uvec2(x >= 4294967296.0 ? 0xffffffffu : x > 0 ? uint(x) : 0u, 0);
#ifdef WIDE
    case TYPE_I64:
      if (x >= 9223372036854775808.0) return uvec2(0xffffffffu, 0x7fffffffu);
      return x <= -9223372036854775808.0 ? uvec2(0, 0x80000000u) : unpackUint2x32(uint64_t(int64_t(x)));
    case TYPE_U64: return x >= 18446744073709551616.0 ? uvec2(0xffffffffu) : x > 0 ? unpackUint2x32(uint64_t(x)) : uvec2(0);
#endif
    default: return uvec2(x >= 2147483648.0 ? 0x7fffffffu : x <= -2147483648.0 ? 0x80000000u : uint(int(x)), 0);
  }
}

/* Wraps. */
uvec2 bits_of_int(int type, INT x) {
  if (type == TYPE_BOOL) return uvec2(x != INT(0) ? 1 : 0, 0);
#ifdef WIDE
  return unpackUint2x32(uint64_t(x));
#else
  return uvec2(x, 0);
#endif
}

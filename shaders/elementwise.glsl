/* Element-wise operations on four floats; what ONNX defines for NaN and for signs holds. */
#include "push/operations.h"

#define NOT_A_NUMBER uintBitsToFloat(0x7fc00000u)

/* exp(x) - 1 without cancellation near zero */
vec4 exp_minus_1(vec4 x) { return mix(exp(x) - 1, x * (1 + x * (0.5 + x * (1.0 / 6 + x / 24))), lessThan(abs(x), vec4(0.03))); }
/* log(1 + exp(x)) without overflow */
vec4 softplus(vec4 x) {
  vec4 e = exp(-abs(x));
  return mix(log(1 + e), e * (1 - e * (0.5 - e / 3)), lessThan(e, vec4(0.003))) + max(x, vec4(0));
}
/* Large arguments: drivers divide exponentials, which overflow. Small ones: they subtract them, which cancels. */
vec4 safe_tanh(vec4 x) {
  vec4 square = x * x;
  return mix(tanh(clamp(x, vec4(-15), vec4(15))), x * (1 - square * (1.0 / 3 - square * (2.0 / 15))), lessThan(abs(x), vec4(0.05)));
}
/* Abramowitz and Stegun 7.1.26 is good to 1.5e-7 only in absolute terms; near zero the series takes over. */
vec4 erf(vec4 x) {
  vec4 a = abs(x), t = 1 / (1 + 0.3275911 * a), square = x * x;
  vec4 far = sign(x) * (1 - t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-square));
  vec4 near = 1.1283791671 * x * (1 - square * (1.0 / 3 - square * (0.1 - square * (1.0 / 42 - square / 216))));
  return mix(far, near, lessThan(a, vec4(0.5)));
}

vec4 unary(int type, vec4 x, float alpha, float beta) {
  switch (type) {
    case OP_ELU: return mix(x, alpha * exp_minus_1(x), lessThan(x, vec4(0)));
    case OP_SOFTPLUS: return softplus(x);
    case OP_SOFTSIGN: return x / (1 + abs(x));
    case OP_SELU: return beta * mix(alpha * exp_minus_1(x), x, greaterThan(x, vec4(0)));
    case OP_CELU: return max(x, vec4(0)) + min(alpha * exp_minus_1(x / alpha), vec4(0));
    case OP_THRESHOLDED_RELU: return mix(vec4(0), x, greaterThan(x, vec4(alpha)));
    case OP_MISH: return x * safe_tanh(softplus(x));
    case OP_ERF: return erf(x);
    case OP_GELU: return 0.5 * x * (1 + erf(x * 0.70710678118));
    case OP_GELU_TANH: return 0.5 * x * (1 + safe_tanh(0.79788456080 * (x + 0.044715 * x * x * x)));
    case OP_EXP: return exp(x);
    case OP_LOG: return log(x);
    case OP_SQRT: return sqrt(x);
    case OP_ABS: return abs(x);
    case OP_NEG: return -x;
    case OP_FLOOR: return floor(x);
    case OP_CEIL: return ceil(x);
    case OP_ROUND: return roundEven(x);
    case OP_RECIPROCAL: return 1 / x;
    case OP_SIGN: return sign(x);
    case OP_SIN: return sin(x);
    case OP_COS: return cos(x);
    case OP_TAN: return tan(x);
    case OP_ASIN: return asin(x);
    case OP_ACOS: return acos(x);
    case OP_ATAN: return atan(x);
    case OP_SINH: return sinh(x);
    case OP_COSH: return cosh(x);
    case OP_ASINH: return asinh(x);
    case OP_ACOSH: return acosh(x);
    case OP_ATANH: return atanh(x);
    default: return x;
  }
}

/* GLSL leaves negative bases undefined. */
vec4 power(vec4 a, vec4 b) {
  vec4 size = pow(abs(a), b);
  bvec4 odd = equal(mod(b, vec4(2)), vec4(1)), whole = equal(b, floor(b));
  vec4 negative = mix(vec4(NOT_A_NUMBER), mix(size, -size, odd), whole);
  return mix(mix(size, negative, lessThan(a, vec4(0))), vec4(1), equal(b, vec4(0)));
}

vec4 binary(int type, vec4 a, vec4 b) {
  switch (type) {
    case OP_ADD: return a + b;
    case OP_SUB: return a - b;
    case OP_MUL: return a * b;
    case OP_DIV: return a / b;
    case OP_POW: return power(a, b);
    case OP_MIN: return mix(min(a, b), a + b, isnan(a + b));
    case OP_MAX: return mix(max(a, b), a + b, isnan(a + b));
    case OP_MOD: return a - b * floor(a / b);
    case OP_FMOD: return a - b * trunc(a / b);
    case OP_PRELU: return mix(a, a * b, lessThan(a, vec4(0)));
    default: return a;
  }
}

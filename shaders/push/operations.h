/* Numbers of element-wise operations, as in core/ops/params.h; core/vulkan/ops_elementwise.c asserts that they agree. */
#ifndef FOVEA_SHADERS_OPERATIONS_H
#define FOVEA_SHADERS_OPERATIONS_H

#define OP_IDENTITY 0 /* FV_UNARY_ACTIVATION: the activation does it */
#define OP_ELU 1
#define OP_SOFTPLUS 2
#define OP_SOFTSIGN 3
#define OP_SELU 4
#define OP_CELU 5
#define OP_THRESHOLDED_RELU 6
#define OP_MISH 7
#define OP_ERF 8
#define OP_GELU 9
#define OP_GELU_TANH 10
#define OP_EXP 11
#define OP_LOG 12
#define OP_SQRT 13
#define OP_ABS 14
#define OP_NEG 15
#define OP_FLOOR 16
#define OP_CEIL 17
#define OP_ROUND 18
#define OP_RECIPROCAL 19
#define OP_SIGN 20
#define OP_SIN 21
#define OP_COS 22
#define OP_TAN 23
#define OP_ASIN 24
#define OP_ACOS 25
#define OP_ATAN 26
#define OP_SINH 27
#define OP_COSH 28
#define OP_ASINH 29
#define OP_ACOSH 30
#define OP_ATANH 31

#define OP_ADD 0
#define OP_SUB 1
#define OP_MUL 2
#define OP_DIV 3
#define OP_POW 4
#define OP_MIN 5
#define OP_MAX 6
#define OP_MOD 7
#define OP_FMOD 8
#define OP_PRELU 100 /* an operator of its own */

#endif

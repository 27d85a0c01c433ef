/* Numbers of element types, as in fovea/tensor.h, and of operations on them; core/vulkan/typed.c asserts that they agree. */
#ifndef FOVEA_SHADERS_TYPES_H
#define FOVEA_SHADERS_TYPES_H

#define TYPE_F32 1
#define TYPE_F16 2
#define TYPE_F64 3 /* computed with where the device can, else moved */
#define TYPE_BF16 4
#define TYPE_I8 5
#define TYPE_U8 6
#define TYPE_I16 7
#define TYPE_U16 8
#define TYPE_I32 9
#define TYPE_U32 10
#define TYPE_I64 11
#define TYPE_U64 12
#define TYPE_BOOL 13
#define IS_FLOAT(type) ((type) <= TYPE_BF16)

/* What an operation computes with. */
#define CLASS_BITS 0 /* moves elements as they are */
#define CLASS_FLOAT 1
#define CLASS_SIGNED 2
#define CLASS_UNSIGNED 3

#define TYPED_MOVE 0
#define TYPED_CAST 1
#define TYPED_WHERE 2 /* a ? b : c */
#define TYPED_CLIP 3  /* a between b and c */
#define TYPED_CLIP_LOW 4
#define TYPED_CLIP_HIGH 5
#define TYPED_SCALE 6
#define TYPED_RELU 7
#define TYPED_ABS 8
#define TYPED_NEG 9
#define TYPED_SIGN 10
#define TYPED_NOT 11
#define TYPED_BITWISE_NOT 12
#define TYPED_IS_NAN 13
#define TYPED_IS_POSITIVE_INF 14
#define TYPED_IS_NEGATIVE_INF 15
#define TYPED_IS_INF 16
#define TYPED_BINARY 100 /* and from here on as FvBinaryType */
#define TYPED_ADD 100
#define TYPED_SUB 101
#define TYPED_MUL 102
#define TYPED_DIV 103
#define TYPED_POW 104
#define TYPED_MIN 105
#define TYPED_MAX 106
#define TYPED_MOD 107
#define TYPED_FMOD 108
#define TYPED_EQUAL 109
#define TYPED_LESS 110
#define TYPED_LESS_EQUAL 111
#define TYPED_GREATER 112
#define TYPED_GREATER_EQUAL 113
#define TYPED_AND 114
#define TYPED_OR 115
#define TYPED_XOR 116
#define TYPED_SHIFT_LEFT 117
#define TYPED_SHIFT_RIGHT 118
#define TYPED_BITWISE_AND 119
#define TYPED_BITWISE_OR 120
#define TYPED_BITWISE_XOR 121

#endif

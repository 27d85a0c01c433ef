/* Convolution, pooling, normalisation, matrix products, quantised operators and resizing: values worked out by hand, under two
 * layouts, and refusals. */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "base/strided.h"
#include "ir/op.h"

#define MAX_VALUES 32
typedef struct Data {
  FvDtype dtype; /* NONE: left out */
  int rank;
  int64_t dims[5];
  double v[MAX_VALUES]; /* row-major; what is not given is 0 */
} Data;

typedef struct Case {
  const char *name, *domain, *op;
  int opset;
  Data in[9];
  FvAttr attrs[4];
  FvActivation activation;
  const char *error; /* part of infer's sentence; the outputs are not read then */
  Data out[3];
} Case;

#define F(rank_, dims_, ...) {FV_DTYPE_F32, rank_, DIMS dims_, {__VA_ARGS__}}
#define T(dtype_, rank_, dims_, ...) {FV_DTYPE_##dtype_, rank_, DIMS dims_, {__VA_ARGS__}}
#define S(dtype_, value) {FV_DTYPE_##dtype_, 0, {0}, {value}}
#define DIMS(...) {__VA_ARGS__}
#define INTS(name_, ...) {.name = name_, .kind = FV_ATTR_INTS, .count = (int)(sizeof((int64_t[]){__VA_ARGS__}) / 8), .ints = (const int64_t[]){__VA_ARGS__}}
#define INT(name_, value) {.name = name_, .kind = FV_ATTR_INT, .count = 1, .i = value}
#define FLOAT(name_, value) {.name = name_, .kind = FV_ATTR_FLOAT, .count = 1, .f = value}
#define STRING(name_, value) {.name = name_, .kind = FV_ATTR_STRING, .count = 1, .s = value}
#define NO_DATA {FV_DTYPE_NONE}

/* 1 to 9 in a picture of 3 x 3 */
#define NINE F(4, (1, 1, 3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9)
#define FOUR F(4, (1, 1, 2, 2), 1, 2, 3, 4)
#define ONES(rank_, dims_) F(rank_, dims_, 1, 1, 1, 1, 1, 1, 1, 1, 1)

static const Case cases[] = {
  {"conv/plain", NULL, "Conv", 11, {NINE, ONES(4, (1, 1, 2, 2)), F(1, (1), 0.5)}, .out = {F(4, (1, 1, 2, 2), 12.5, 16.5, 24.5, 28.5)}},
  {"conv/stride-pad-uneven", NULL, "Conv", 11, {NINE, ONES(4, (1, 1, 2, 2))}, {INTS("strides", 2, 1), INTS("pads", 1, 0, 0, 1)},
   .out = {F(4, (1, 1, 2, 3), 3, 5, 3, 24, 28, 15)}},
  {"conv/dilated", NULL, "Conv", 11, {NINE, ONES(4, (1, 1, 2, 2))}, {INTS("dilations", 2, 2)}, .out = {F(4, (1, 1, 1, 1), 20)}},
  {"conv/depthwise-relu", NULL, "Conv", 11, {F(3, (1, 2, 2), 1, 2, 3, 4), F(3, (2, 1, 2), 1, -1, -1, 1)}, {INT("group", 2)}, {FV_ACTIVATION_RELU},
   .out = {F(3, (1, 2, 1), 0, 1)}},
  {"conv/residual-before-activation", NULL, "Conv", 11, {F(3, (1, 1, 2), 1, 2), F(3, (1, 1, 1), 1), NO_DATA, F(3, (1, 1, 2), -3, 3)}, .activation = {FV_ACTIVATION_RELU},
   .out = {F(3, (1, 1, 2), 0, 5)}},
  {"conv/same-upper", NULL, "Conv", 11, {NINE, ONES(4, (1, 1, 2, 2))}, {STRING("auto_pad", "SAME_UPPER")}, .out = {F(4, (1, 1, 3, 3), 12, 16, 9, 24, 28, 15, 15, 17, 9)}},
  {"conv/same-lower", NULL, "Conv", 11, {NINE, ONES(4, (1, 1, 2, 2))}, {STRING("auto_pad", "SAME_LOWER")}, .out = {F(4, (1, 1, 3, 3), 1, 3, 5, 5, 12, 16, 11, 24, 28)}},
  {"conv/3d", NULL, "Conv", 11, {F(5, (1, 1, 2, 1, 2), 1, 2, 3, 4), ONES(5, (1, 1, 2, 1, 1))}, .out = {F(5, (1, 1, 1, 1, 2), 4, 6)}},
  {"conv/half", NULL, "Conv", 11, {T(F16, 3, (1, 1, 2), 1, 2), T(F16, 3, (1, 1, 2), 0.5, 0.25)}, .out = {T(F16, 3, (1, 1, 1), 1)}},
  {"conv/bad-group", NULL, "Conv", 11, {F(3, (1, 4, 2)), F(3, (3, 2, 1))}, {INT("group", 2)}, .error = "3 output channels cannot be divided into 2 groups"},
  {"conv/group-zero", NULL, "Conv", 11, {F(3, (1, 4, 2)), F(3, (3, 2, 1))}, {INT("group", 0)}, .error = "group 0 is not positive"},
  {"conv/channels", NULL, "Conv", 11, {F(3, (1, 4, 2)), F(3, (3, 3, 1))}, .error = "the input has 4 channels"},
  {"conv/too-small", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 3))}, .error = "the padded input has only 2"},
  {"conv/stride-zero", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1))}, {INTS("strides", 0)}, .error = "strides holds 0"},
  {"conv/pad-negative", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1))}, {INTS("pads", 0, -1)}, .error = "pads holds -1"},
  {"conv/pad-count", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1))}, {INTS("pads", 1)}, .error = "pads has 1 numbers where 2"},
  {"conv/dilation-huge", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 3))}, {INTS("dilations", 0x7fffffff)}, .error = "spans more than"},
  {"conv/auto-pad", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1))}, {STRING("auto_pad", "FULL")}, .error = "auto_pad 'FULL'"},
  {"conv/bias-length", NULL, "Conv", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1)), F(1, (2))}, .error = "vector of 1 elements"},
  {"conv/mixed-types", NULL, "Conv", 11, {F(3, (1, 1, 2)), T(F16, 3, (1, 1, 1))}, .error = "has type f16 where f32"},
  {"conv/integers", NULL, "Conv", 11, {T(I32, 3, (1, 1, 2)), T(I32, 3, (1, 1, 1))}, .error = "does not take"},
  {"conv/no-weights", NULL, "Conv", 11, {F(3, (1, 1, 2)), NO_DATA, F(1, (1))}, .error = "input 1 is missing"},
  {"conv/2-dimensions", NULL, "Conv", 11, {F(2, (1, 2)), F(2, (1, 2))}, .error = "2 dimensions"},
  {"conv-transpose/stride", NULL, "ConvTranspose", 11, {F(3, (1, 1, 2), 1, 2), F(3, (1, 1, 3), 1, 10, 100)}, {INTS("strides", 2)}, .out = {F(3, (1, 1, 5), 1, 10, 102, 20, 200)}},
  {"conv-transpose/pads-and-output-padding", NULL, "ConvTranspose", 11, {F(3, (1, 1, 2), 1, 2), F(3, (1, 1, 3), 1, 10, 100), F(1, (1), 5)},
   {INTS("strides", 2), INTS("pads", 1, 0), INTS("output_padding", 1)}, .out = {F(3, (1, 1, 5), 15, 107, 25, 205, 5)}},
  {"conv-transpose/group", NULL, "ConvTranspose", 11, {F(3, (1, 2, 1), 2, 3), F(3, (2, 2, 1), 1, 10, 100, 1000)}, {INT("group", 2)}, .out = {F(3, (1, 4, 1), 2, 20, 300, 3000)}},
  {"conv-transpose/output-shape", NULL, "ConvTranspose", 11, {F(3, (1, 1, 2), 1, 2), F(3, (1, 1, 3), 1, 10, 100)}, {INTS("strides", 2), INTS("output_shape", 4)},
   .out = {F(3, (1, 1, 4), 10, 102, 20, 200)}},
  {"conv-transpose/same-upper", NULL, "ConvTranspose", 11, {F(3, (1, 1, 2), 1, 2), F(3, (1, 1, 3), 1, 10, 100)}, {INTS("strides", 2), STRING("auto_pad", "SAME_UPPER")},
   .out = {F(3, (1, 1, 4), 1, 10, 102, 20)}},
  {"conv-transpose/negative-size", NULL, "ConvTranspose", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1))}, {INTS("pads", 2, 2)}, .error = "negative"},
  {"conv-transpose/bad-group", NULL, "ConvTranspose", 11, {F(3, (1, 3, 2)), F(3, (3, 1, 1))}, {INT("group", 2)}, .error = "3 input channels"},
  {"conv-transpose/output-shape-count", NULL, "ConvTranspose", 11, {F(3, (1, 1, 2)), F(3, (1, 1, 1))}, {INTS("output_shape", 1, 2)}, .error = "output_shape has 2"},
  {"max-pool/indices", NULL, "MaxPool", 12, {NINE}, {INTS("kernel_shape", 2, 2)}, .out = {F(4, (1, 1, 2, 2), 5, 6, 8, 9), T(I64, 4, (1, 1, 2, 2), 4, 5, 7, 8)}},
  {"max-pool/column-major", NULL, "MaxPool", 12, {NINE}, {INTS("kernel_shape", 2, 2), INT("storage_order", 1)},
   .out = {F(4, (1, 1, 2, 2), 5, 6, 8, 9), T(I64, 4, (1, 1, 2, 2), 4, 7, 5, 8)}},
  {"max-pool/ceil", NULL, "MaxPool", 12, {NINE}, {INTS("kernel_shape", 2, 2), INTS("strides", 2, 2), INT("ceil_mode", 1)}, .out = {F(4, (1, 1, 2, 2), 5, 6, 8, 9)}},
  {"max-pool/ceil-drops-window-in-padding", NULL, "MaxPool", 12, {F(3, (1, 1, 2), 1, 2)}, {INTS("kernel_shape", 1), INTS("strides", 2), INTS("pads", 0, 1), INT("ceil_mode", 1)},
   .out = {F(3, (1, 1, 1), 1)}},
  {"max-pool/bytes", NULL, "MaxPool", 12, {T(I8, 3, (1, 1, 3), -5, -3, -9)}, {INTS("kernel_shape", 2), INTS("pads", 1, 0)}, .out = {T(I8, 3, (1, 1, 3), -5, -3, -3)}},
  {"max-pool/dilated", NULL, "MaxPool", 12, {F(3, (1, 1, 4), 1, 9, 2, 3)}, {INTS("kernel_shape", 2), INTS("dilations", 2)}, .out = {F(3, (1, 1, 2), 2, 9)}},
  {"max-pool/no-kernel", NULL, "MaxPool", 12, {NINE}, .error = "kernel_shape is missing"},
  {"max-pool/kernel-huge", NULL, "MaxPool", 12, {NINE}, {INTS("kernel_shape", 0x7fffffff, 1), STRING("auto_pad", "SAME_UPPER")}, .error = "more than 16777216 positions"},
  {"max-pool/storage-order", NULL, "MaxPool", 12, {NINE}, {INTS("kernel_shape", 2, 2), INT("storage_order", 2)}, .error = "storage_order 2"},
  {"average-pool/excludes-padding", NULL, "AveragePool", 19, {F(3, (1, 1, 2), 2, 4)}, {INTS("kernel_shape", 2), INTS("pads", 1, 1)}, .out = {F(3, (1, 1, 3), 2, 3, 4)}},
  {"average-pool/includes-padding", NULL, "AveragePool", 19, {F(3, (1, 1, 2), 2, 4)}, {INTS("kernel_shape", 2), INTS("pads", 1, 1), INT("count_include_pad", 1)},
   .out = {F(3, (1, 1, 3), 1, 3, 2)}},
  {"average-pool/ceil-counts-what-is-there", NULL, "AveragePool", 19, {F(3, (1, 1, 3), 2, 4, 6)},
   {INTS("kernel_shape", 2), INTS("strides", 2), INT("ceil_mode", 1), INT("count_include_pad", 1)}, .out = {F(3, (1, 1, 2), 3, 6)}},
  {"average-pool/dilated", NULL, "AveragePool", 19, {F(3, (1, 1, 3), 2, 4, 6)}, {INTS("kernel_shape", 2), INTS("dilations", 2)}, .out = {F(3, (1, 1, 1), 4)}},
  {"lp-pool/euclid", NULL, "LpPool", 18, {F(3, (1, 1, 2), 3, -4)}, {INTS("kernel_shape", 2)}, .out = {F(3, (1, 1, 1), 5)}},
  {"lp-pool/p", NULL, "LpPool", 18, {F(3, (1, 1, 2))}, {INTS("kernel_shape", 2), INT("p", 0)}, .error = "p 0"},
  {"global-average-pool/plane", NULL, "GlobalAveragePool", 11, {F(4, (1, 2, 1, 2), 1, 2, 3, 5)}, .out = {F(4, (1, 2, 1, 1), 1.5, 4)}},
  {"global-max-pool/plane", NULL, "GlobalMaxPool", 11, {F(3, (1, 2, 2), -1, -2, 3, 5)}, .out = {F(3, (1, 2, 1), -1, 5)}},
  {"global-lp-pool/plane", NULL, "GlobalLpPool", 11, {F(3, (1, 1, 2), 3, 4)}, .out = {F(3, (1, 1, 1), 5)}},
  {"global-average-pool/empty", NULL, "GlobalAveragePool", 11, {F(4, (1, 2, 0, 2))}, .error = "empty planes"},
  {"batch-norm/formula", NULL, "BatchNormalization", 15, {F(3, (1, 2, 1), 3, 10), F(1, (2), 2, 1), F(1, (2), 1, 0), F(1, (2), 1, 4), F(1, (2), 4, 9)}, {FLOAT("epsilon", 0)},
   .out = {F(3, (1, 2, 1), 3, 2)}},
  {"batch-norm/length", NULL, "BatchNormalization", 15, {F(3, (1, 2, 1)), F(1, (2)), F(1, (3)), F(1, (2)), F(1, (2))}, .error = "vector of 2 elements"},
  {"batch-norm/training", NULL, "BatchNormalization", 15, {F(3, (1, 1, 1)), F(1, (1)), F(1, (1)), F(1, (1)), F(1, (1))}, {INT("training_mode", 1)}, .error = "for training"},
  {"instance-norm/plane", NULL, "InstanceNormalization", 6, {F(3, (1, 2, 2), 1, 3, 5, 5), F(1, (2), 1, 2), F(1, (2), 0, 7)}, {FLOAT("epsilon", 0)},
   .out = {F(3, (1, 2, 2), -1, 1, NAN, NAN)}},
  {"group-norm/group-scale", NULL, "GroupNormalization", 18, {F(3, (1, 2, 1), 1, 3), F(1, (1), 2), F(1, (1), 1)}, {FLOAT("epsilon", 0), INT("num_groups", 1)}, .out = {F(3, (1, 2, 1), -1, 3)}},
  {"group-norm/channel-scale", NULL, "GroupNormalization", 21, {F(3, (1, 2, 1), 1, 3), F(1, (2), 2, 3), F(1, (2), 1, 0)}, {FLOAT("epsilon", 0), INT("num_groups", 1)},
   .out = {F(3, (1, 2, 1), -1, 3)}},
  {"group-norm/groups", NULL, "GroupNormalization", 18, {F(3, (1, 2, 1)), F(1, (1)), F(1, (1))}, {INT("num_groups", 3)}, .error = "num_groups 3"},
  {"layer-norm/statistics", NULL, "LayerNormalization", 17, {F(2, (2, 2), 1, 3, 0, 4), F(1, (2), 1, 2), F(1, (2), 0, 1)}, {FLOAT("epsilon", 0)},
   .out = {F(2, (2, 2), -1, 3, -1, 3), F(2, (2, 1), 2, 2), F(2, (2, 1), 1, 0.5)}},
  {"layer-norm/axis", NULL, "LayerNormalization", 17, {F(2, (2, 2)), F(1, (2))}, {INT("axis", 2)}, .error = "axis 2 is outside"},
  {"layer-norm/scale", NULL, "LayerNormalization", 17, {F(2, (2, 2)), F(1, (3))}, .error = "cannot be broadcast"},
  {"lrn/neighbours", NULL, "LRN", 13, {F(3, (1, 3, 1), 1, 2, 3)}, {INT("size", 3), FLOAT("alpha", 3), FLOAT("beta", 1), FLOAT("bias", 1)}, .out = {F(3, (1, 3, 1), 1. / 6, 2. / 15, 3. / 14)}},
  {"lrn/size", NULL, "LRN", 13, {F(3, (1, 3, 1))}, .error = "size 0"},
  {"lp-normalization/zero-stays", NULL, "LpNormalization", 1, {F(2, (2, 2), 3, 4, 0, 0)}, .out = {F(2, (2, 2), 0.6, 0.8, 0, 0)}},
  {"mean-variance/axes", NULL, "MeanVarianceNormalization", 13, {F(2, (2, 2), 1, 10, 3, 30)}, {INTS("axes", 0)}, .out = {F(2, (2, 2), -1, -1, 1, 1)}},
  {"mean-variance/axis", NULL, "MeanVarianceNormalization", 13, {F(3, (2, 2, 2))}, .error = "axis 3 is outside"},
  {"gemm/all", NULL, "Gemm", 13, {F(2, (1, 2), 1, 2), F(2, (2, 1), 3, 4), F(0, (0), 10)}, {FLOAT("alpha", 2), FLOAT("beta", 0.5)}, .out = {F(2, (1, 1), 27)}},
  {"gemm/transposed-activated", NULL, "Gemm", 13, {F(2, (2, 1), 1, 2), F(2, (2, 2), 3, 4, -5, -6), F(1, (2), 0, 1)}, {INT("transA", 1), INT("transB", 1)}, {FV_ACTIVATION_RELU},
   .out = {F(2, (1, 2), 11, 0)}},
  {"gemm/integers-wrap", NULL, "Gemm", 13, {T(I32, 2, (1, 1), 65536), T(I32, 2, (1, 1), 65536), T(I32, 0, (0), 3)}, .out = {T(I32, 2, (1, 1), 3)}},
  {"gemm/inner", NULL, "Gemm", 13, {F(2, (1, 2)), F(2, (3, 1))}, .error = "inner dimensions 2 and 3"},
  {"gemm/c", NULL, "Gemm", 13, {F(2, (1, 2)), F(2, (2, 3)), F(1, (2))}, .error = "cannot be broadcast"},
  {"matmul/vectors", NULL, "MatMul", 13, {F(1, (2), 1, 2), F(1, (2), 3, 4)}, .out = {F(0, (0), 11)}},
  {"matmul/vector-matrix", NULL, "MatMul", 13, {F(1, (2), 1, 2), F(2, (2, 2), 1, 2, 3, 4)}, .out = {F(1, (2), 7, 10)}},
  {"matmul/stack-times-vector", NULL, "MatMul", 13, {F(3, (2, 1, 2), 1, 2, 3, 4), F(1, (2), 10, 1)}, .out = {F(2, (2, 1), 12, 34)}},
  {"matmul/broadcast-stacks", NULL, "MatMul", 13, {F(3, (2, 1, 1), 2, 3), F(4, (2, 1, 1, 2), 1, 2, 3, 4)}, .out = {F(4, (2, 2, 1, 2), 2, 4, 3, 6, 6, 8, 9, 12)}},
  {"matmul/long", NULL, "MatMul", 13, {T(I64, 1, (1), 3), T(I64, 1, (1), -5)}, .out = {T(I64, 0, (0), -15)}},
  {"matmul/scalar", NULL, "MatMul", 13, {F(0, (0)), F(1, (2))}, .error = "is a scalar"},
  {"matmul/stacks", NULL, "MatMul", 13, {F(3, (2, 1, 1)), F(3, (3, 1, 1))}, .error = "cannot be broadcast"},
  {"quantize/halves-to-even", NULL, "QuantizeLinear", 13, {F(1, (6), 1, 3, 5, -1, 600, -600), S(F32, 2), S(U8, 10)}, .out = {T(U8, 1, (6), 10, 12, 12, 10, 255, 0)}},
  {"quantize/axis", NULL, "QuantizeLinear", 13, {F(2, (2, 2), 1, 2, 3, 4), F(1, (2), 1, 0.5), T(I8, 1, (2), 0, -1)}, {INT("axis", 0)}, .out = {T(I8, 2, (2, 2), 1, 2, 5, 7)}},
  {"quantize/blocks", NULL, "QuantizeLinear", 21, {F(2, (1, 3), 2, 4, 6), F(2, (1, 2), 1, 2)}, {INT("axis", 1), INT("block_size", 2)}, .out = {T(U8, 2, (1, 3), 2, 4, 3)}},
  {"quantize/output-type", NULL, "QuantizeLinear", 21, {F(1, (1), -300), S(F32, 1)}, {INT("output_dtype", 5)}, .out = {T(I16, 1, (1), -300)}},
  {"quantize/axis-outside", NULL, "QuantizeLinear", 13, {F(2, (2, 2)), F(1, (2))}, {INT("axis", 2)}, .error = "axis 2 is outside"},
  {"quantize/scale-length", NULL, "QuantizeLinear", 13, {F(2, (2, 2)), F(1, (3))}, .error = "vector of 2"},
  {"quantize/zero-differs", NULL, "QuantizeLinear", 13, {F(2, (2, 2)), F(1, (2)), S(U8, 0)}, .error = "differ in shape"},
  {"dequantize/formula", NULL, "DequantizeLinear", 13, {T(U8, 1, (2), 0, 130), S(F32, 0.5), S(U8, 128)}, .out = {F(1, (2), -64, 1)}},
  {"dequantize/float", NULL, "DequantizeLinear", 13, {F(1, (2)), S(F32, 0.5)}, .error = "does not take"},
  {"dynamic-quantize/range", NULL, "DynamicQuantizeLinear", 11, {F(1, (3), -51, 0, 204)}, .out = {T(U8, 1, (3), 0, 51, 255), S(F32, 1), S(U8, 51)}},
  {"qlinear-conv/per-channel", NULL, "QLinearConv", 10,
   {T(U8, 3, (1, 1, 2), 12, 8), S(F32, 0.5), S(U8, 10), T(I8, 3, (2, 1, 1), 3, -3), F(1, (2), 1, 2), T(I8, 1, (2), 0, 1), S(F32, 1), S(U8, 100), T(I32, 1, (2), 1, 0)},
   .out = {T(U8, 3, (1, 2, 2), 104, 98, 92, 108)}},
  {"qlinear-conv/padding-is-zero-point", NULL, "QLinearConv", 10,
   {T(U8, 3, (1, 1, 1), 12), S(F32, 1), S(U8, 10), T(U8, 3, (1, 1, 3), 1, 1, 1), S(F32, 1), S(U8, 0), S(F32, 1), S(U8, 0)}, {INTS("pads", 1, 1)}, .out = {T(U8, 3, (1, 1, 1), 2)}},
  {"qlinear-conv/zero-type", NULL, "QLinearConv", 10, {T(U8, 3, (1, 1, 2)), S(F32, 1), S(I8, 0), T(I8, 3, (1, 1, 1)), S(F32, 1), S(I8, 0), S(F32, 1), S(U8, 0)}, .error = "type i8 where u8"},
  {"conv-integer/zero-points", NULL, "ConvInteger", 10, {T(U8, 3, (1, 1, 2), 2, 3), T(U8, 3, (1, 1, 2), 1, 4), S(U8, 1), S(U8, 2)}, .out = {T(I32, 3, (1, 1, 1), 3)}},
  {"matmul-integer/per-row", NULL, "MatMulInteger", 10, {T(U8, 2, (2, 1), 5, 5), T(U8, 2, (1, 2), 3, 4), T(U8, 1, (2), 1, 5), T(U8, 1, (2), 3, 2)}, .out = {T(I32, 2, (2, 2), 0, 8, 0, 0)}},
  {"matmul-integer/zero-length", NULL, "MatMulInteger", 10, {T(U8, 2, (2, 1)), T(U8, 2, (1, 2)), T(U8, 1, (3))}, .error = "one per row"},
  {"qlinear-matmul/requantised", NULL, "QLinearMatMul", 10,
   {T(I8, 2, (1, 2), 3, 5), S(F32, 0.5), S(I8, 1), T(I8, 2, (2, 1), 4, 6), S(F32, 0.5), S(I8, 0), S(F32, 2), S(I8, -1)}, .out = {T(I8, 2, (1, 1), 3)}},
  /* sums 4, -6 in steps of 0.5: 2 and -3; LeakyRelu 0.5 makes 2 and -1.5, of 0.25 each: 8 and -6 */
  {"qlinear-conv/leaky", NULL, "QLinearConv", 10,
   {T(U8, 3, (1, 1, 2), 12, 7), S(F32, 0.5), S(U8, 10), T(I8, 3, (1, 1, 1), 2), S(F32, 1), S(I8, 0), S(F32, 0.25), S(U8, 100)}, .activation = {FV_ACTIVATION_LEAKY_RELU, 0.5f, 0},
   .out = {T(U8, 3, (1, 1, 2), 108, 94)}},
  {"qlinear-conv/clip", NULL, "QLinearConv", 10,
   {T(U8, 3, (1, 1, 2), 12, 7), S(F32, 0.5), S(U8, 10), T(I8, 3, (1, 1, 1), 2), S(F32, 1), S(I8, 0), S(F32, 0.25), S(U8, 100)}, .activation = {FV_ACTIVATION_CLIP, 0, 1.5f},
   .out = {T(U8, 3, (1, 1, 2), 106, 100)}},
  {"qlinear-conv/to-floats", NULL, "QLinearConv", 10,
   {T(U8, 3, (1, 1, 2), 12, 7), S(F32, 0.5), S(U8, 10), T(I8, 3, (1, 1, 1), 2), S(F32, 1), S(I8, 0), NO_DATA, NO_DATA, T(I32, 1, (1), 1)}, .activation = {FV_ACTIVATION_RELU, 0, 0},
   .out = {F(3, (1, 1, 2), 2.5, 0)}},
  {"qlinear-conv/scale-without-zero", NULL, "QLinearConv", 10,
   {T(U8, 3, (1, 1, 2)), S(F32, 0.5), S(U8, 10), T(I8, 3, (1, 1, 1)), S(F32, 1), S(I8, 0), S(F32, 1), NO_DATA}, .error = "input 7"},
  {"qlinear-matmul/bias", NULL, "QLinearMatMul", 10,
   {T(I8, 2, (1, 2), 3, 5), S(F32, 0.5), S(I8, 1), T(I8, 2, (2, 1), 4, 6), S(F32, 0.5), S(I8, 0), S(F32, 2), S(I8, -1), T(I32, 1, (1), 16)}, .out = {T(I8, 2, (1, 1), 5)}},
  {"qlinear-average-pool/edges", "com.microsoft", "QLinearAveragePool", 1, {T(U8, 3, (1, 1, 3), 10, 14, 20), S(F32, 1), S(U8, 10), S(F32, 0.5), S(U8, 1)},
   {INTS("kernel_shape", 3), INTS("pads", 1, 1)}, .out = {T(U8, 3, (1, 1, 3), 5, 10, 15)}},
  {"qlinear-table/signed", "fovea", "QLinearTable", 1, {T(I8, 1, (2), 1, -1), T(U8, 1, (256))}, .out = {T(U8, 1, (2), 0, 0)}},
  {"qlinear-table/length", "fovea", "QLinearTable", 1, {T(U8, 1, (2)), T(U8, 1, (255))}, .error = "vector of 256"},
  {"resize/bytes-halves-up", NULL, "Resize", 13, {T(U8, 4, (1, 1, 1, 2), 1, 2), NO_DATA, F(1, (4), 1, 1, 1, 2)}, {STRING("mode", "linear"), STRING("coordinate_transformation_mode", "asymmetric")},
   .out = {T(U8, 4, (1, 1, 1, 4), 1, 2, 2, 2)}},
  {"qlinear-add/broadcast", "com.microsoft", "QLinearAdd", 1,
   {T(U8, 2, (1, 2), 12, 14), S(F32, 1), S(U8, 10), T(U8, 1, (1), 3), S(F32, 2), S(U8, 0), S(F32, 2), S(U8, 1)}, .out = {T(U8, 2, (1, 2), 5, 6)}},
  {"qlinear-mul/scales", "com.microsoft", "QLinearMul", 1, {T(U8, 1, (1), 12), S(F32, 1), S(U8, 10), T(U8, 1, (1), 3), S(F32, 2), NO_DATA, S(F32, 4)}, .out = {T(U8, 1, (1), 3)}},
  {"qlinear-global-average-pool/first", "com.microsoft", "QLinearGlobalAveragePool", 1, {T(U8, 3, (1, 2, 2), 10, 14, 20, 30), S(F32, 1), S(U8, 10), S(F32, 0.5), S(U8, 1)},
   .out = {T(U8, 3, (1, 2, 1), 5, 31)}},
  {"qlinear-global-average-pool/last", "com.microsoft", "QLinearGlobalAveragePool", 1, {T(U8, 3, (1, 2, 2), 10, 14, 20, 30), S(F32, 1), S(U8, 10), S(F32, 0.5), S(U8, 1)}, {INT("channels_last", 1)},
   .out = {T(U8, 3, (1, 1, 2), 11, 25)}},
  {"qlinear-leaky-relu/negative", "com.microsoft", "QLinearLeakyRelu", 1, {T(I8, 1, (2), -10, 4), S(F32, 1), S(I8, 0), S(F32, 1), S(I8, 1)}, {FLOAT("alpha", 0.5f)}, .out = {T(I8, 1, (2), -4, 5)}},
  {"qlinear-concat/rescaled", "com.microsoft", "QLinearConcat", 1, {S(F32, 2), S(U8, 0), T(U8, 2, (1, 1), 8), S(F32, 1), S(U8, 0), T(U8, 2, (1, 1), 8), S(F32, 2), S(U8, 4)}, {INT("axis", 1)},
   .out = {T(U8, 2, (1, 2), 4, 4)}},
  {"upsample/nearest", NULL, "Upsample", 9, {F(3, (1, 1, 2), 1, 2), F(1, (3), 1, 1, 2)}, .out = {F(3, (1, 1, 4), 1, 1, 2, 2)}},
  {"upsample/linear-attribute", NULL, "Upsample", 7, {F(3, (1, 1, 2), 1, 2)},
   {STRING("mode", "linear"), {.name = "scales", .kind = FV_ATTR_FLOATS, .count = 3, .floats = (const float[]){1, 1, 2}}}, .out = {F(3, (1, 1, 4), 1, 1.5, 2, 2)}},
  {"resize/old-asymmetric", NULL, "Resize", 10, {F(1, (2), 1, 2), F(1, (1), 1.5)}, .out = {F(1, (3), 1, 1, 2)}},
  {"resize/half-pixel", NULL, "Resize", 13, {F(1, (2), 0, 4), NO_DATA, F(1, (1), 2)}, {STRING("mode", "linear")}, .out = {F(1, (4), 0, 1, 3, 4)}},
  {"resize/align-corners", NULL, "Resize", 13, {F(1, (2), 0, 3), NO_DATA, NO_DATA, T(I64, 1, (1), 4)}, {STRING("mode", "linear"), STRING("coordinate_transformation_mode", "align_corners")},
   .out = {F(1, (4), 0, 1, 2, 3)}},
  {"resize/pytorch-single", NULL, "Resize", 13, {F(1, (3), 7, 8, 9), NO_DATA, NO_DATA, T(I64, 1, (1), 1)}, {STRING("mode", "linear"), STRING("coordinate_transformation_mode", "pytorch_half_pixel")},
   .out = {F(1, (1), 7)}},
  {"resize/crop", NULL, "Resize", 13, {F(1, (3), 0, 1, 2), F(1, (2), 0.5, 1.5), NO_DATA, T(I64, 1, (1), 3)},
   {STRING("mode", "linear"), STRING("coordinate_transformation_mode", "tf_crop_and_resize"), FLOAT("extrapolation_value", 9)}, .out = {F(1, (3), 1, 2, 9)}},
  {"resize/nearest-ceil", NULL, "Resize", 13, {F(1, (2), 1, 2), NO_DATA, F(1, (1), 2)}, {STRING("coordinate_transformation_mode", "asymmetric"), STRING("nearest_mode", "ceil")},
   .out = {F(1, (4), 1, 2, 2, 2)}},
  {"resize/float-scale-is-exact", NULL, "Resize", 13, {F(1, (7), 1, 2, 3, 4, 5, 6, 7), NO_DATA, F(1, (1), 0.33333334)}, {STRING("coordinate_transformation_mode", "asymmetric"), STRING("nearest_mode", "floor")},
   .out = {F(1, (2), 1, 4)}},
  {"resize/antialias", NULL, "Resize", 18, {F(1, (4), 1, 2, 3, 4), NO_DATA, F(1, (1), 0.5)}, {STRING("mode", "linear"), INT("antialias", 1)}, .out = {F(1, (2), 1.625, 3.375)}},
  {"resize/not-larger", NULL, "Resize", 18, {FOUR, NO_DATA, NO_DATA, T(I64, 1, (2), 4, 1)}, {INTS("axes", 2, 3), STRING("keep_aspect_ratio_policy", "not_larger")}, .out = {F(4, (1, 1, 1, 1), 1)}},
  {"resize/integers", NULL, "Resize", 13, {T(I64, 1, (2), 9007199254740991, 2), NO_DATA, F(1, (1), 2)}, .out = {T(I64, 1, (4), 9007199254740991, 9007199254740991, 2, 2)}},
  {"resize/axes", NULL, "Resize", 18, {FOUR, NO_DATA, F(1, (1), 2)}, {INTS("axes", 4)}, .error = "axis 4 is outside"},
  {"resize/axes-twice", NULL, "Resize", 18, {FOUR, NO_DATA, F(1, (2), 2, 2)}, {INTS("axes", 3, -1)}, .error = "twice"},
  {"resize/nothing", NULL, "Resize", 13, {FOUR}, .error = "neither scales nor sizes"},
  {"resize/both", NULL, "Resize", 13, {F(1, (1)), NO_DATA, F(1, (1), 2), T(I64, 1, (1), 2)}, .error = "both scales and sizes"},
  {"resize/scale-zero", NULL, "Resize", 13, {F(1, (1)), NO_DATA, F(1, (1), 0)}, .error = "not positive"},
  {"resize/scale-huge", NULL, "Resize", 13, {F(1, (4)), NO_DATA, F(1, (1), 1e9)}, .error = "too large"},
  {"resize/size-huge", NULL, "Resize", 13, {F(1, (4)), NO_DATA, NO_DATA, T(I64, 1, (1), 0x40000000)}, .error = "can be resized to"},
  {"resize/size-negative", NULL, "Resize", 13, {F(1, (4)), NO_DATA, NO_DATA, T(I64, 1, (1), -1)}, .error = "cannot be resized"},
  {"resize/scale-tiny-antialias", NULL, "Resize", 18, {F(1, (4)), NO_DATA, F(1, (1), 1e-30)}, {STRING("mode", "linear"), INT("antialias", 1)}, .out = {F(1, (0))}},
  {"resize/mode", NULL, "Resize", 13, {F(1, (4)), NO_DATA, F(1, (1), 2)}, {STRING("mode", "lanczos")}, .error = "mode 'lanczos'"},
};

/* A tensor of its own: row-major, or with the first dimension fastest and a gap behind each run of it. */
static FvTensor make_tensor(FvDtype dtype, int rank, const int64_t *dims, bool turned) {
  FvTensor tensor = {.dtype = dtype, .rank = rank};
  memcpy(tensor.dims, dims, sizeof tensor.dims[0] * (size_t)rank);
  fv_tensor_set_contiguous(&tensor);
  int64_t stride = 1;
  for (int d = 0; turned && d < rank; d++) {
    tensor.strides[d] = stride;
    stride *= dims[d] + (d == 0);
  }
  int64_t count = turned ? stride : fv_tensor_count(&tensor);
  tensor.data = g_malloc0((size_t)(count + 1) * fv_dtype_size(dtype));
  return tensor;
}

static FvTensor fill(const Data *data, bool turned) {
  FvTensor tensor = make_tensor(data->dtype, data->rank, data->dims, turned);
  int64_t index[FV_MAX_RANK] = {0}, i = 0;
  if (fv_tensor_count(&tensor) == 0) return tensor;
  do {
    double value = i < MAX_VALUES ? data->v[i] : 0;
    fv_store_f64(&tensor, fv_offset(&tensor, index), value);
    i++;
  } while (fv_index_next(index, tensor.dims, tensor.rank));
  return tensor;
}

static FvNode *make_node(FvGraph *graph, const Case *test, FvTensor *constants) {
  const FvOp *op = fv_op_find(test->domain, test->op);
  g_assert_nonnull(op);
  int inputs = 0, outputs = 0, attrs = 0;
  for (int i = 0; i < 9; i++)
    if (test->in[i].dtype) inputs = i + 1;
  for (int i = 0; i < 3; i++)
    if (test->out[i].dtype) outputs = i + 1;
  while (attrs < 4 && test->attrs[attrs].name) attrs++;
  FvNode *node = fv_graph_add_node(graph, op, test->name, test->opset, inputs, outputs ? outputs : 1);
  node->attrs = test->attrs;
  node->attr_count = attrs;
  node->activation = test->activation;
  for (int i = 0; i < inputs; i++) {
    if (!test->in[i].dtype) continue;
    g_autofree char *name = g_strdup_printf("in%d", i);
    constants[i] = fill(&test->in[i], false);
    node->inputs[i] = fv_graph_add_constant(graph, name, &constants[i], false);
  }
  for (int i = 0; i < node->output_count; i++) {
    g_autofree char *name = g_strdup_printf("out%d", i);
    node->outputs[i] = fv_graph_add_value(graph, name);
  }
  return node;
}

static void compare(const FvTensor *got, const Data *want) {
  int64_t index[FV_MAX_RANK] = {0}, i = 0;
  if (fv_tensor_count(got) == 0) return;
  do {
    double value = fv_load_f64(got, fv_offset(got, index));
    if (isnan(want->v[i])) g_assert_true(isnan(value));
    else if (fabs(value - want->v[i]) > 1e-6 * fmax(1, fabs(want->v[i]))) g_error("element %d is %g, not %g", (int)i, value, want->v[i]);
    i++;
  } while (fv_index_next(index, got->dims, got->rank));
}

static void run(const Case *test, const FvNode *node, bool turned) {
  FvTensor in[9], out[3];
  const FvTensor *in_at[9] = {NULL};
  FvTensor *out_at[3] = {NULL};
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    in[i] = fill(&test->in[i], turned);
    in_at[i] = &in[i];
  }
  for (int i = 0; i < node->output_count; i++) {
    const FvValue *value = node->outputs[i];
    g_assert_cmpint(value->dtype, ==, test->out[i].dtype);
    g_assert_cmpint(value->rank, ==, test->out[i].rank);
    for (int d = 0; d < value->rank; d++) g_assert_cmpint(value->dims[d], ==, test->out[i].dims[d]);
    out[i] = make_tensor(value->dtype, value->rank, value->dims, turned);
    out_at[i] = &out[i];
  }
  node->op->reference(&(FvKernelCall){.node = node, .in = in_at, .out = out_at, .parts = 1});
  for (int i = 0; i < node->output_count; i++) compare(&out[i], &test->out[i]);
  for (int i = 0; i < node->input_count; i++)
    if (in_at[i]) g_free(in[i].data);
  for (int i = 0; i < node->output_count; i++) g_free(out[i].data);
}

static void check_case(gconstpointer data) {
  const Case *test = data;
  FvGraph *graph = fv_graph_create();
  FvTensor constants[9] = {{0}};
  FvError err = {0};
  FvNode *node = make_node(graph, test, constants);
  int result = node->op->infer(node, &(FvInfer){graph, &err});
  if (test->error) {
    g_assert_cmpint(result, <, 0);
    if (!strstr(err.message, test->error)) g_error("'%s' does not say '%s'", err.message, test->error);
  } else {
    if (result < 0) g_error("%s", err.message);
    run(test, node, false);
    run(test, node, true);
  }
  fv_graph_destroy(&graph);
  for (int i = 0; i < 9; i++) g_free(constants[i].data);
}

static void macs_count_what_is_multiplied(void) {
  FvGraph *graph = fv_graph_create();
  FvTensor constants[9] = {{0}};
  const Case conv = {"macs", NULL, "Conv", 11, {F(4, (1, 4, 5, 5)), F(4, (6, 2, 3, 3))}, {INT("group", 2)}};
  FvNode *node = make_node(graph, &conv, constants);
  g_assert_cmpint(node->op->infer(node, &(FvInfer){graph, NULL}), ==, 0);
  g_assert_cmpint(node->op->macs(node), ==, 6 * 3 * 3 * 2 * 3 * 3);
  fv_graph_destroy(&graph);
  for (int i = 0; i < 9; i++) g_free(constants[i].data);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *path = g_strconcat("/ops/", cases[i].name, NULL);
    g_test_add_data_func(path, &cases[i], check_case);
  }
  g_test_add_func("/ops/macs", macs_count_what_is_multiplied);
  return g_test_run();
}

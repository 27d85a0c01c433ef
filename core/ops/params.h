/* The parameter structs that more than one module reads: shape rules write them, kernels, shaders and passes read them. */
#ifndef FOVEA_OPS_PARAMS_H
#define FOVEA_OPS_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#define FV_MAX_SPATIAL 3

/* Windows of convolution and pooling. Spatial axes are dims 2, 3, 4 of the input, in order ([N, C, L], [N, C, H, W], [N, C, D, H, W]). */
typedef struct FvWindow {
  int spatial_rank; /* 1 to FV_MAX_SPATIAL */
  int64_t kernel[FV_MAX_SPATIAL], stride[FV_MAX_SPATIAL], dilation[FV_MAX_SPATIAL];
  int64_t pad_begin[FV_MAX_SPATIAL], pad_end[FV_MAX_SPATIAL]; /* auto_pad resolved; Pad nodes may be folded in */
} FvWindow;

/* Conv: inputs x [N, C, …], w [M, C/group, …], b [M] or left out, and, after fusion, residual of the output's shape (input 3),
 * which is added before the activation. */
typedef struct FvConvParams {
  FvWindow window;
  int64_t group;
  int64_t output_pad[FV_MAX_SPATIAL]; /* ConvTranspose only */
} FvConvParams;

typedef struct FvPoolParams {
  FvWindow window;
  bool ceil_mode;
  bool count_include_pad; /* AveragePool */
  int storage_order;      /* MaxPool's Indices output: 0 row-major, 1 column-major */
} FvPoolParams;

/* Gemm: y = alpha * op(a) * op(b) + beta * c. */
typedef struct FvGemmParams {
  float alpha, beta;
  bool trans_a, trans_b;
} FvGemmParams;

/* BatchNormalization, InstanceNormalization, GroupNormalization (groups), LayerNormalization (axis). */
typedef struct FvNormParams {
  float epsilon;
  int axis;       /* first normalised dimension, non-negative */
  int64_t groups;
} FvNormParams;

/* LRN: over (size - 1) / 2 channels before and size / 2 behind. */
typedef struct FvLrnParams {
  int64_t size;
  double alpha, beta, bias;
} FvLrnParams;

typedef enum FvUnaryType {
  FV_UNARY_ACTIVATION, /* FvUnaryParams.activation: Relu, LeakyRelu, Sigmoid, Tanh, HardSigmoid, HardSwish, Clip with constant bounds on f32 */
  FV_UNARY_ELU, FV_UNARY_SOFTPLUS, FV_UNARY_SOFTSIGN, FV_UNARY_SELU, FV_UNARY_CELU, FV_UNARY_THRESHOLDED_RELU, FV_UNARY_MISH, FV_UNARY_ERF, FV_UNARY_GELU, FV_UNARY_GELU_TANH,
  FV_UNARY_EXP, FV_UNARY_LOG, FV_UNARY_SQRT, FV_UNARY_ABS, FV_UNARY_NEG, FV_UNARY_FLOOR, FV_UNARY_CEIL, FV_UNARY_ROUND, FV_UNARY_RECIPROCAL, FV_UNARY_SIGN,
  FV_UNARY_SIN, FV_UNARY_COS, FV_UNARY_TAN, FV_UNARY_ASIN, FV_UNARY_ACOS, FV_UNARY_ATAN, FV_UNARY_SINH, FV_UNARY_COSH, FV_UNARY_ASINH, FV_UNARY_ACOSH, FV_UNARY_ATANH,
  FV_UNARY_NOT, FV_UNARY_IS_NAN, FV_UNARY_IS_INF, FV_UNARY_BITWISE_NOT
} FvUnaryType;
#include "ir/activation.h"
typedef struct FvUnaryParams {
  FvUnaryType type;
  FvActivation activation;
  float alpha, beta;
} FvUnaryParams;

typedef enum FvBinaryType {
  FV_BINARY_ADD, FV_BINARY_SUB, FV_BINARY_MUL, FV_BINARY_DIV, FV_BINARY_POW, FV_BINARY_MIN, FV_BINARY_MAX, FV_BINARY_MOD, FV_BINARY_FMOD,
  FV_BINARY_EQUAL, FV_BINARY_LESS, FV_BINARY_LESS_EQUAL, FV_BINARY_GREATER, FV_BINARY_GREATER_EQUAL, FV_BINARY_AND, FV_BINARY_OR, FV_BINARY_XOR,
  FV_BINARY_BIT_SHIFT_LEFT, FV_BINARY_BIT_SHIFT_RIGHT, FV_BINARY_BITWISE_AND, FV_BINARY_BITWISE_OR, FV_BINARY_BITWISE_XOR
} FvBinaryType;
/* Binary: numpy broadcasting; Min, Max, Sum and Mean of more than two inputs take the variadic form: all inputs fold with the same type. */
typedef struct FvBinaryParams {
  FvBinaryType type;
  bool mean; /* divide by the number of inputs at the end */
} FvBinaryParams;

typedef struct FvSoftmaxParams {
  int axis;       /* non-negative */
  bool flatten;   /* opset < 13: over all dimensions from axis on */
  bool log;
} FvSoftmaxParams;

typedef struct FvConcatParams {
  int axis; /* non-negative */
} FvConcatParams;

/* Split: output i starts at offset[i] along axis. */
typedef struct FvSplitParams {
  int axis;
  int64_t *offset; /* output_count entries */
} FvSplitParams;

typedef struct FvSliceParams {
  int64_t start[8], step[8]; /* one per dimension; step may be negative, never 0 */
} FvSliceParams;

typedef struct FvTransposeParams {
  int perm[8];
} FvTransposeParams;

typedef struct FvGatherParams {
  int axis;
} FvGatherParams;

/* GatherND */
typedef struct FvGatherNdParams {
  int batch, depth; /* leading dims shared with the indices; dims that one index tuple names */
} FvGatherNdParams;

typedef enum FvScatterReduction { FV_SCATTER_NONE, FV_SCATTER_ADD, FV_SCATTER_MUL, FV_SCATTER_MIN, FV_SCATTER_MAX } FvScatterReduction;
/* ScatterND, ScatterElements: updates take effect in the order of their indices. */
typedef struct FvScatterParams {
  FvScatterReduction reduction;
  int axis; /* ScatterElements */
} FvScatterParams;

/* ArgMax, ArgMin: NaN is above everything. */
typedef struct FvArgParams {
  int axis;
  bool smallest, keep_dims, last; /* last: of equals the last wins */
} FvArgParams;

/* TopK: always sorted, which `sorted` = 0 allows too; of equals the lower index comes first. */
typedef struct FvTopKParams {
  int axis;
  bool largest;
} FvTopKParams;

typedef enum FvPadMode { FV_PAD_CONSTANT, FV_PAD_REFLECT, FV_PAD_EDGE, FV_PAD_WRAP } FvPadMode;
typedef struct FvPadParams {
  FvPadMode mode;
  int64_t begin[8], end[8]; /* may be negative: crop */
  double value;
} FvPadParams;

typedef enum FvResizeMode { FV_RESIZE_NEAREST, FV_RESIZE_LINEAR, FV_RESIZE_CUBIC } FvResizeMode;
typedef enum FvCoordinateMode {
  FV_COORDINATE_HALF_PIXEL, FV_COORDINATE_HALF_PIXEL_SYMMETRIC, FV_COORDINATE_PYTORCH_HALF_PIXEL, FV_COORDINATE_ALIGN_CORNERS,
  FV_COORDINATE_ASYMMETRIC, FV_COORDINATE_TF_HALF_PIXEL_FOR_NN, FV_COORDINATE_TF_CROP_AND_RESIZE
} FvCoordinateMode;
/* One dimension of a resize, worked out: out[x] = sum over t < taps of weight[x * taps + t] * in[index[x * taps + t]]. Indices are clamped
 * to the input; -1 stands for the extrapolation value. */
typedef struct FvResizeAxis {
  int taps;             /* 0: the dimension is not resized, index and weight are NULL */
  const int32_t *index;
  const float *weight;  /* NULL when nearest: one tap of weight 1 */
} FvResizeAxis;
typedef struct FvResizeParams {
  FvResizeMode mode;
  FvCoordinateMode coordinate;
  FvResizeAxis axis[8]; /* per dimension; says everything that follows from the fields below */
  int nearest;      /* rounding of nearest: 0 round_prefer_floor, 1 round_prefer_ceil, 2 floor, 3 ceil */
  double scale[8];  /* output / input, per dimension */
  /* source coordinate = (x + a[d]) * b[d] + c[d] for every coordinate mode */
  double a[8], b[8], c[8];
  bool antialias, exclude_outside;
  bool crop;        /* tf_crop_and_resize: outside gives extrapolation_value */
  float extrapolation_value;
  double cubic_coeff;
} FvResizeParams;

typedef struct FvChannelShuffleParams {
  int64_t groups; /* out[g' * groups + g] = in[g * (C / groups) + g'] along axis 1 */
} FvChannelShuffleParams;

/* DepthToSpace and SpaceToDepth: a cell of block x block pixels against block * block groups of channels. */
typedef struct FvDepthSpaceParams {
  int64_t block;
  bool column_row_depth; /* DepthToSpace, mode CRD: the cell's pixels are neighbours among the channels */
} FvDepthSpaceParams;
/* QuantizeLinear, DequantizeLinear: one scale (axis -1), one per index of axis (block 0), or one per block of `block` indices of axis. */
typedef struct FvQuantizeParams {
  int axis;
  int64_t block;
} FvQuantizeParams;

/* QLinearConv: inputs x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias. */
typedef struct FvQLinearConvParams {
  FvConvParams conv;
} FvQLinearConvParams;

typedef enum FvReduceType {
  FV_REDUCE_SUM, FV_REDUCE_MEAN, FV_REDUCE_MAX, FV_REDUCE_MIN, FV_REDUCE_PROD, FV_REDUCE_L1, FV_REDUCE_L2, FV_REDUCE_LOG_SUM, FV_REDUCE_LOG_SUM_EXP, FV_REDUCE_SUM_SQUARE
} FvReduceType;
typedef struct FvReduceParams {
  FvReduceType type;
  bool axes[8]; /* true: reduced */
  bool keep_dims;
} FvReduceParams;

#endif

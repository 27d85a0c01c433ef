/* Elementwise, reduction, selection and cast operators: numbers worked out by hand, each case run over row-major, transposed and mirrored
 * tensors; and what the shape rules refuse. */
#include <glib.h>
#include <math.h>
#include <string.h>

#include "ir/op.h"
#include "ops/params.h"
#include "base/strided.h"

#define MAX_VALUES 12
#define F32 FV_DTYPE_F32
#define I32 FV_DTYPE_I32
#define I64 FV_DTYPE_I64
#define U8 FV_DTYPE_U8
#define BOOL FV_DTYPE_BOOL

typedef struct Data {
  FvDtype dtype; /* FV_DTYPE_NONE: left out */
  int rank;
  int64_t dims[4];
  double values[MAX_VALUES];
  bool constant;
} Data;

typedef struct Case {
  const char *name, *op;
  int opset;
  Data in[5];
  FvAttr attrs[3];
  Data out, second;      /* values in row-major order */
  const char *error;     /* part of the sentence that infer must give */
  FvActivation activation;
} Case;

#define VEC(type, n, ...) {type, 1, {n}, {__VA_ARGS__}}
#define MAT(type, r, c, ...) {type, 2, {r, c}, {__VA_ARGS__}}
#define NUM(type, value) {type, 0, {0}, {value}}
#define CONST_VEC(type, n, ...) {type, 1, {n}, {__VA_ARGS__}, true}
#define CONST_NUM(type, value) {type, 0, {0}, {value}, true}
#define INT(attr, value) {.name = attr, .kind = FV_ATTR_INT, .i = value}
#define FLOAT(attr, value) {.name = attr, .kind = FV_ATTR_FLOAT, .f = value}
#define STRING(attr, value) {.name = attr, .kind = FV_ATTR_STRING, .s = value}

static const Case cases[] = {
  {"relu", "Relu", 14, {VEC(F32, 3, -1, 0, 2)}, .out = VEC(F32, 3, 0, 0, 2)},
  {"relu/i32", "Relu", 14, {VEC(I32, 3, -1, 0, 2)}, .out = VEC(I32, 3, 0, 0, 2)},
  {"leaky-relu", "LeakyRelu", 16, {MAT(F32, 2, 2, -1, 1, -10, 0)}, {FLOAT("alpha", 0.5f)}, .out = MAT(F32, 2, 2, -0.5, 1, -5, 0)},
  {"sigmoid/ends", "Sigmoid", 13, {VEC(F32, 3, -1000, 0, 1000)}, .out = VEC(F32, 3, 0, 0.5, 1)},
  {"softplus/ends", "Softplus", 1, {VEC(F32, 3, -1000, 0, 1000)}, .out = VEC(F32, 3, 0, 0.693147, 1000)},
  {"mish/large", "Mish", 18, {VEC(F32, 2, 0, 500)}, .out = VEC(F32, 2, 0, 500)},
  {"hard-sigmoid", "HardSigmoid", 6, {VEC(F32, 3, -9, 1, 9)}, .out = VEC(F32, 3, 0, 0.7, 1)},
  {"hard-swish", "HardSwish", 14, {VEC(F32, 3, -4, 1, 4)}, .out = VEC(F32, 3, 0, 0.666667, 4)},
  {"elu", "Elu", 6, {VEC(F32, 2, -1, 3)}, {FLOAT("alpha", 2)}, .out = VEC(F32, 2, -1.264241, 3)},
  {"gelu/tanh", "Gelu", 20, {VEC(F32, 2, 1, -1)}, {STRING("approximate", "tanh")}, .out = VEC(F32, 2, 0.841192, -0.158808)},
  {"gelu/unknown", "Gelu", 20, {VEC(F32, 1, 1)}, {STRING("approximate", "fast")}, .error = "none or tanh"},
  {"round/half-to-even", "Round", 11, {VEC(F32, 5, -2.5, -0.5, 0.5, 1.5, 2.5)}, .out = VEC(F32, 5, -2, 0, 0, 2, 2)},
  {"sign/nan", "Sign", 13, {VEC(F32, 3, -3, NAN, 0.1)}, .out = VEC(F32, 3, -1, NAN, 1)},
  {"abs/i8-least", "Abs", 13, {VEC(FV_DTYPE_I8, 2, -128, -5)}, .out = VEC(FV_DTYPE_I8, 2, -128, 5)},
  {"not", "Not", 1, {VEC(BOOL, 2, 1, 0)}, .out = VEC(BOOL, 2, 0, 1)},
  {"not/of-numbers", "Not", 1, {VEC(F32, 2, 1, 0)}, .error = "type f32"},
  {"is-inf/negative-alone", "IsInf", 20, {VEC(F32, 3, INFINITY, -INFINITY, NAN)}, {INT("detect_positive", 0)}, .out = VEC(BOOL, 3, 0, 1, 0)},
  {"exp/f16", "Exp", 13, {VEC(FV_DTYPE_F16, 2, 0, 100)}, .out = VEC(FV_DTYPE_F16, 2, 1, INFINITY)},
  {"unary/empty", "Exp", 13, {MAT(F32, 0, 3, 0)}, .out = MAT(F32, 0, 3, 0)},

  {"clip/attributes", "Clip", 6, {VEC(F32, 3, -1, 3, 9)}, {FLOAT("min", 0), FLOAT("max", 6)}, .out = VEC(F32, 3, 0, 3, 6)},
  {"clip/one-bound", "Clip", 13, {VEC(F32, 3, -1, 3, 9), {0}, CONST_NUM(F32, 6)}, .out = VEC(F32, 3, -1, 3, 6)},
  {"clip/computed-bounds", "Clip", 13, {VEC(F32, 3, -1, 3, 9), NUM(F32, 0), NUM(F32, 6)}, .out = VEC(F32, 3, 0, 3, 6)},
  {"clip/u8", "Clip", 13, {VEC(U8, 3, 1, 100, 250), CONST_NUM(U8, 10), CONST_NUM(U8, 200)}, .out = VEC(U8, 3, 10, 100, 200)},
  {"clip/types-differ", "Clip", 13, {VEC(F32, 1, 1), CONST_NUM(I32, 10)}, .error = "is i32"},
  {"clip/bound-of-two", "Clip", 13, {VEC(F32, 1, 1), VEC(F32, 2, 1, 2)}, .error = "one number"},

  {"prelu/channels", "PRelu", 16, {{F32, 3, {1, 2, 2}, {-1, 1, -2, 2}}, MAT(F32, 2, 1, 0.5, 2)}, .out = {F32, 3, {1, 2, 2}, {-0.5, 1, -4, 2}}},
  {"prelu/opset-6", "PRelu", 6, {{F32, 3, {1, 2, 2}, {-1, -1, -2, -2}}, VEC(F32, 2, 0.5, 2)}, .out = {F32, 3, {1, 2, 2}, {-0.5, -0.5, -4, -4}}},
  {"prelu/unfit", "PRelu", 16, {MAT(F32, 2, 2, 0), VEC(F32, 3, 0)}, .error = "broadcast"},

  {"add/broadcast-both", "Add", 14, {MAT(F32, 2, 1, 1, 2), MAT(F32, 1, 3, 10, 20, 30)}, .out = MAT(F32, 2, 3, 11, 21, 31, 12, 22, 32)},
  {"add/scalar", "Add", 14, {MAT(F32, 2, 2, 1, 2, 3, 4), NUM(F32, 1)}, .out = MAT(F32, 2, 2, 2, 3, 4, 5)},
  {"add/relu", "Add", 14, {VEC(F32, 2, 1, -3), VEC(F32, 2, 1, 1)}, .out = VEC(F32, 2, 2, 0), .activation = {FV_ACTIVATION_RELU, 0, 0}},
  {"add/axis", "Add", 6, {MAT(F32, 2, 3, 1, 2, 3, 4, 5, 6), VEC(F32, 2, 10, 20)}, {INT("broadcast", 1), INT("axis", 0)}, .out = MAT(F32, 2, 3, 11, 12, 13, 24, 25, 26)},
  {"add/axis-unfit", "Add", 6, {MAT(F32, 2, 3, 0), VEC(F32, 3, 0)}, {INT("broadcast", 1), INT("axis", 0)}, .error = "broadcast"},
  {"add/unfit", "Add", 14, {MAT(F32, 2, 3, 0), VEC(F32, 2, 0)}, .error = "broadcast"},
  {"add/types-differ", "Add", 14, {VEC(F32, 1, 0), VEC(I32, 1, 0)}, .error = "differ in type"},
  {"add/u8-wraps", "Add", 14, {VEC(U8, 1, 250), VEC(U8, 1, 10)}, .out = VEC(U8, 1, 4)},
  {"add/missing", "Add", 14, {VEC(F32, 1, 0), {0}}, .error = "missing"},
  {"div/i32", "Div", 14, {VEC(I32, 4, 7, -7, 5, INT32_MIN), VEC(I32, 4, 2, 2, 0, -1)}, .out = VEC(I32, 4, 3, -3, 0, INT32_MIN)},
  {"div/i64-least", "Div", 14, {VEC(I64, 1, (double)INT64_MIN), VEC(I64, 1, -1)}, .out = VEC(I64, 1, (double)INT64_MIN)},
  {"mod/sign-of-divisor", "Mod", 13, {VEC(I32, 4, -4, 7, 5, 1), VEC(I32, 4, 3, -3, 0, -1)}, .out = VEC(I32, 4, 2, -2, 0, 0)},
  {"mod/sign-of-dividend", "Mod", 13, {VEC(F32, 2, -4.3, 7), VEC(F32, 2, 2.1, -3)}, {INT("fmod", 1)}, .out = VEC(F32, 2, -0.1, 1)},
  {"pow/mixed", "Pow", 15, {VEC(I32, 2, 2, 3), VEC(F32, 2, 3, 2)}, .out = VEC(I32, 2, 8, 9)},
  {"pow/negative-exponent", "Pow", 15, {VEC(I32, 3, 2, -1, 1), VEC(I32, 1, -3)}, .out = VEC(I32, 3, 0, -1, 1)},
  {"max/nan", "Max", 13, {VEC(F32, 3, 1, NAN, 3), VEC(F32, 3, NAN, 2, 2)}, .out = VEC(F32, 3, NAN, NAN, 3)},
  {"min/three", "Min", 13, {VEC(F32, 2, 5, 1), NUM(F32, 3), MAT(F32, 2, 1, 4, 0)}, .out = MAT(F32, 2, 2, 3, 1, 0, 0)},
  {"mean", "Mean", 13, {VEC(F32, 2, 1, 2), VEC(F32, 2, 3, 8), VEC(F32, 2, 5, 2)}, .out = VEC(F32, 2, 3, 4)},
  {"sum/one", "Sum", 13, {VEC(F32, 2, 1, 2)}, .out = VEC(F32, 2, 1, 2)},
  {"bit-shift/all-the-way", "BitShift", 11, {VEC(U8, 3, 1, 255, 3), VEC(U8, 3, 7, 1, 200)}, {STRING("direction", "LEFT")}, .out = VEC(U8, 3, 128, 254, 0)},
  {"bit-shift/no-direction", "BitShift", 11, {VEC(U8, 1, 1), VEC(U8, 1, 7)}, .error = "LEFT or RIGHT"},

  {"less/nan", "Less", 13, {VEC(F32, 3, 1, NAN, 2), VEC(F32, 3, 2, 1, 2)}, .out = VEC(BOOL, 3, 1, 0, 0)},
  {"greater/u64", "Greater", 13, {VEC(FV_DTYPE_U64, 1, 9223372036854775808.0), VEC(FV_DTYPE_U64, 1, 1)}, .out = VEC(BOOL, 1, 1)},
  {"xor", "Xor", 7, {VEC(BOOL, 4, 0, 0, 1, 1), VEC(BOOL, 4, 0, 1, 0, 1)}, .out = VEC(BOOL, 4, 0, 1, 1, 0)},
  {"where/broadcast", "Where", 16, {MAT(BOOL, 2, 1, 1, 0), VEC(I64, 2, 1, 2), NUM(I64, 9)}, .out = MAT(I64, 2, 2, 1, 2, 9, 9)},
  {"where/types-differ", "Where", 16, {VEC(BOOL, 1, 1), VEC(I64, 1, 1), VEC(F32, 1, 1)}, .error = "differ in type"},

  {"reduce-sum/axis", "ReduceSum", 13, {MAT(F32, 2, 3, 1, 2, 3, 4, 5, 6), CONST_VEC(I64, 1, -1)}, {INT("keepdims", 0)}, .out = VEC(F32, 2, 6, 15)},
  {"reduce-sum/first-axis", "ReduceSum", 13, {MAT(F32, 2, 3, 1, 2, 3, 4, 5, 6), CONST_VEC(I64, 1, 0)}, .out = MAT(F32, 1, 3, 5, 7, 9)},
  {"reduce-sum/nothing", "ReduceSum", 13, {VEC(F32, 2, 1, 2)}, {INT("noop_with_empty_axes", 1)}, .out = VEC(F32, 2, 1, 2)},
  {"reduce-sum/axis-twice", "ReduceSum", 13, {MAT(F32, 2, 2, 0), CONST_VEC(I64, 2, 1, -1)}, .error = "twice"},
  {"reduce-sum/axis-outside", "ReduceSum", 13, {MAT(F32, 2, 2, 0), CONST_VEC(I64, 1, 2)}, .error = "outside"},
  {"reduce-sum/computed-axes", "ReduceSum", 13, {MAT(F32, 2, 2, 0), VEC(I64, 1, 0)}, .error = "known at load"},
  {"reduce-mean/i32", "ReduceMean", 18, {VEC(I32, 2, -3, 0)}, .out = VEC(I32, 1, -1)},
  {"reduce-max/nan", "ReduceMax", 18, {VEC(F32, 3, 1, NAN, 3)}, {INT("keepdims", 0)}, .out = NUM(F32, NAN)},
  {"reduce-max/of-nothing", "ReduceMax", 20, {MAT(F32, 2, 0, 0), CONST_VEC(I64, 1, 1)}, {INT("keepdims", 0)}, .out = VEC(F32, 2, -INFINITY, -INFINITY)},
  {"reduce-min/i32-of-nothing", "ReduceMin", 20, {MAT(I32, 1, 0, 0), CONST_VEC(I64, 1, 1)}, .out = MAT(I32, 1, 1, INT32_MAX)},
  {"reduce-log-sum-exp/large", "ReduceLogSumExp", 18, {VEC(F32, 2, 1000, 1000)}, .out = VEC(F32, 1, 1000.693147)},
  {"reduce-l2", "ReduceL2", 18, {VEC(F32, 2, 3, -4)}, .out = VEC(F32, 1, 5)},
  {"reduce-l1/i32", "ReduceL1", 18, {VEC(I32, 2, 3, -4)}, .out = VEC(I32, 1, 7)},
  {"reduce-prod/of-nothing", "ReduceProd", 18, {VEC(F32, 0, 0)}, .out = VEC(F32, 1, 1)},

  {"softmax/last", "Softmax", 13, {MAT(F32, 2, 2, 0, 0, 1000, 1000)}, .out = MAT(F32, 2, 2, 0.5, 0.5, 0.5, 0.5)},
  {"softmax/axis", "Softmax", 13, {MAT(F32, 2, 2, 0, 1000, 0, 0)}, {INT("axis", 0)}, .out = MAT(F32, 2, 2, 0.5, 1, 0.5, 0)},
  {"softmax/flattened", "Softmax", 11, {{F32, 3, {1, 2, 2}, {0, 0, 0, 0}}}, .out = {F32, 3, {1, 2, 2}, {0.25, 0.25, 0.25, 0.25}}},
  {"log-softmax", "LogSoftmax", 13, {VEC(F32, 2, 3, 3)}, .out = VEC(F32, 2, -0.693147, -0.693147)},
  {"hardmax/first-of-equals", "Hardmax", 13, {VEC(F32, 3, 1, 2, 2)}, .out = VEC(F32, 3, 0, 1, 0)},
  {"softmax/axis-outside", "Softmax", 13, {VEC(F32, 3, 0)}, {INT("axis", 1)}, .error = "outside"},

  {"arg-max/first", "ArgMax", 13, {MAT(F32, 2, 3, 1, 3, 3, 5, 4, 5)}, {INT("axis", 1)}, .out = MAT(I64, 2, 1, 1, 0)},
  {"arg-max/last", "ArgMax", 13, {MAT(F32, 2, 3, 1, 3, 3, 5, 4, 5)}, {INT("axis", 1), INT("select_last_index", 1), INT("keepdims", 0)}, .out = VEC(I64, 2, 2, 2)},
  {"arg-min", "ArgMin", 13, {MAT(I32, 2, 2, 1, 3, 0, 4)}, {INT("keepdims", 0)}, .out = VEC(I64, 2, 1, 0)},
  {"arg-max/empty", "ArgMax", 13, {MAT(F32, 2, 0, 0)}, {INT("axis", 1)}, .error = "empty"},
  {"top-k/ties", "TopK", 11, {VEC(F32, 5, 1, 7, 3, 7, 2), CONST_VEC(I64, 1, 3)}, .out = VEC(F32, 3, 7, 7, 3), .second = VEC(I64, 3, 1, 3, 2)},
  {"top-k/smallest-axis-0", "TopK", 11, {MAT(F32, 3, 2, 3, 1, 1, 2, 2, 3), CONST_VEC(I64, 1, 2)}, {INT("axis", 0), INT("largest", 0)},
   .out = MAT(F32, 2, 2, 1, 1, 2, 2), .second = MAT(I64, 2, 2, 1, 0, 2, 1)},
  {"top-k/attribute", "TopK", 1, {VEC(F32, 2, 1, 2)}, {INT("k", 1)}, .out = VEC(F32, 1, 2), .second = VEC(I64, 1, 1)},
  {"top-k/too-many", "TopK", 11, {VEC(F32, 2, 1, 2), CONST_VEC(I64, 1, 3)}, .error = "k is 3"},
  {"top-k/negative", "TopK", 11, {VEC(F32, 2, 1, 2), CONST_VEC(I64, 1, -1)}, .error = "k is -1"},
  {"cum-sum/exclusive-reverse", "CumSum", 14, {VEC(F32, 3, 1, 2, 3), CONST_NUM(I64, 0)}, {INT("exclusive", 1), INT("reverse", 1)}, .out = VEC(F32, 3, 5, 3, 0)},

  {"cast/truncates", "Cast", 13, {VEC(F32, 4, -1.9, 1.9, 0.5, 300)}, {INT("to", 3)}, .out = VEC(FV_DTYPE_I8, 4, -1, 1, 0, 127)},
  {"cast/to-bool", "Cast", 13, {VEC(F32, 3, 0, 0.5, NAN)}, {INT("to", 9)}, .out = VEC(BOOL, 3, 0, 1, 1)},
  {"cast/half-and-back", "Cast", 13, {VEC(FV_DTYPE_BF16, 2, 1.5, -2)}, {INT("to", 10)}, .out = VEC(FV_DTYPE_F16, 2, 1.5, -2)},
  {"cast/to-string", "Cast", 13, {VEC(F32, 1, 0)}, {INT("to", 8)}, .error = "ONNX type 8"},
  {"cast/to-nowhere", "Cast", 13, {VEC(F32, 1, 0)}, .error = "attribute to is missing"},
  {"cast-like", "CastLike", 15, {VEC(F32, 1, 2.5), VEC(I32, 1, 0)}, .out = VEC(I32, 1, 2)},

  /* Box 1 covers box 0 by 0.9; box 2 lies apart. */
  {"nms/suppresses", "NonMaxSuppression", 11,
   {{F32, 3, {1, 3, 4}, {0, 0, 1, 1, 0, 0.1, 1, 1, 5, 5, 6, 6}}, {F32, 3, {1, 1, 3}, {0.5, 0.9, 0.3}}, NUM(I64, 3), NUM(F32, 0.5), NUM(F32, 0)},
   .out = MAT(I64, 2, 3, 0, 0, 1, 0, 0, 2)},
  {"nms/keeps-at-most", "NonMaxSuppression", 11,
   {{F32, 3, {1, 3, 4}, {0, 0, 1, 1, 0, 0.1, 1, 1, 5, 5, 6, 6}}, {F32, 3, {1, 1, 3}, {0.5, 0.9, 0.3}}, CONST_NUM(I64, 1), NUM(F32, 0.5), NUM(F32, 0)},
   .out = MAT(I64, 1, 3, 0, 0, 1)},
  {"nms/flipped-corners", "NonMaxSuppression", 11,
   {{F32, 3, {1, 2, 4}, {1, 1, 0, 0, 0, 0.1, 1, 1}}, {F32, 3, {1, 1, 2}, {0.5, 0.9}}, NUM(I64, 3), NUM(F32, 0.5), NUM(F32, 0.6)}, .out = MAT(I64, 1, 3, 0, 0, 1)},
  {"nms/none", "NonMaxSuppression", 11, {{F32, 3, {1, 1, 4}, {0, 0, 1, 1}}, {F32, 3, {1, 1, 1}, {0.5}}}, .out = MAT(I64, 0, 3, 0)},
  {"nms/boxes-of-three", "NonMaxSuppression", 11, {{F32, 3, {1, 2, 3}, {0}}, {F32, 3, {1, 1, 2}, {0}}}, .error = "4 are needed"},
  {"nms/disagree", "NonMaxSuppression", 11, {{F32, 3, {1, 2, 4}, {0}}, {F32, 3, {1, 1, 3}, {0}}}, .error = "disagree"},
};

typedef enum Layout { ROW_MAJOR, TRANSPOSED, MIRRORED, LAYOUT_COUNT } Layout;

/* A tensor of the shape over memory of its own; TRANSPOSED leaves a gap of one element between rows. */
static FvTensor make_tensor(FvDtype dtype, int rank, const int64_t *dims, Layout layout) {
  FvTensor tensor = {.dtype = dtype, .rank = rank};
  int64_t stride = 1;
  for (int i = 0; i < rank; i++) {
    int d = layout == TRANSPOSED ? i : rank - 1 - i;
    tensor.dims[d] = dims[d];
    tensor.strides[d] = stride;
    stride *= dims[d] + (layout == TRANSPOSED);
  }
  tensor.data = g_malloc0(((size_t)stride + 1) * fv_dtype_size(dtype));
  return tensor;
}

/* The same memory, read from its other end. */
static FvTensor mirrored(FvTensor tensor, Layout layout) {
  for (int d = 0; d < tensor.rank && layout == MIRRORED; d++) {
    if (tensor.dims[d] == 0) continue;
    tensor.data = (char *)tensor.data + (tensor.dims[d] - 1) * tensor.strides[d] * (int64_t)fv_dtype_size(tensor.dtype);
    tensor.strides[d] = -tensor.strides[d];
  }
  return tensor;
}

static void fill(const FvTensor *tensor, const double *values) {
  int64_t at[FV_MAX_RANK] = {0}, n = 0;
  if (fv_tensor_count(tensor) == 0) return;
  do fv_store_f64(tensor, fv_offset(tensor, at), values[n++]);
  while (fv_index_next(at, tensor->dims, tensor->rank));
}

static void assert_holds(const FvTensor *tensor, const Data *expected) {
  int64_t at[FV_MAX_RANK] = {0}, n = 0;
  g_assert_cmpint(tensor->dtype, ==, expected->dtype);
  g_assert_cmpint(tensor->rank, ==, expected->rank);
  for (int d = 0; d < expected->rank; d++) g_assert_cmpint(tensor->dims[d], ==, expected->dims[d]);
  if (fv_tensor_count(tensor) == 0) return;
  do {
    double got = fv_load_f64(tensor, fv_offset(tensor, at)), want = expected->values[n++];
    if (isnan(want) || isinf(want)) g_assert_true(isnan(want) ? isnan(got) : got == want);
    else g_assert_cmpfloat_with_epsilon(got, want, 1e-5 * fmax(1, fabs(want)));
  } while (fv_index_next(at, tensor->dims, tensor->rank));
}

static FvNode *build(FvGraph *graph, const Case *c) {
  int inputs = 0, attrs = 0;
  for (int i = 0; i < 5; i++)
    if (c->in[i].dtype) inputs = i + 1;
  const FvOp *op = fv_op_find("", c->op);
  g_assert_nonnull(op);
  inputs = MAX(inputs, op->min_inputs);
  while (attrs < 3 && c->attrs[attrs].name) attrs++;
  FvNode *node = fv_graph_add_node(graph, op, c->name, c->opset, inputs, c->second.dtype ? 2 : 1);
  node->attrs = c->attrs;
  node->attr_count = attrs;
  node->activation = c->activation;
  for (int i = 0; i < inputs; i++) {
    const Data *data = &c->in[i];
    char name[16];
    g_snprintf(name, sizeof name, "input%d", i);
    if (!data->dtype) continue;
    if (data->constant) {
      FvTensor tensor = make_tensor(data->dtype, data->rank, data->dims, ROW_MAJOR);
      fill(&tensor, data->values);
      node->inputs[i] = fv_graph_add_constant(graph, name, &tensor, true);
      g_free(tensor.data);
    } else {
      node->inputs[i] = fv_graph_add_value(graph, name);
      node->inputs[i]->dtype = data->dtype;
      node->inputs[i]->rank = data->rank;
      memcpy(node->inputs[i]->dims, data->dims, sizeof data->dims);
    }
  }
  for (int i = 0; i < node->output_count; i++) node->outputs[i] = fv_graph_add_value(graph, i ? "second" : "first");
  return node;
}

static void check_run(const FvNode *node, const Case *c, Layout layout) {
  FvTensor memory[5] = {0}, in[5] = {0}, out_memory[2] = {0}, out[2] = {0};
  const FvTensor *ins[5] = {0};
  FvTensor *outs[2] = {0};
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    memory[i] = make_tensor(c->in[i].dtype, c->in[i].rank, c->in[i].dims, layout);
    in[i] = mirrored(memory[i], layout);
    fill(&in[i], c->in[i].values);
    ins[i] = &in[i];
  }
  for (int i = 0; i < node->output_count; i++) {
    out_memory[i] = make_tensor(node->outputs[i]->dtype, node->outputs[i]->rank, node->outputs[i]->dims, layout);
    out[i] = mirrored(out_memory[i], layout);
    outs[i] = &out[i];
  }
  node->op->reference(&(FvKernelCall){.node = node, .in = ins, .out = outs, .parts = 1});
  assert_holds(&out[0], &c->out);
  if (c->second.dtype) assert_holds(&out[1], &c->second);
  for (int i = 0; i < 5; i++) g_free(memory[i].data);
  for (int i = 0; i < 2; i++) g_free(out_memory[i].data);
}

static void test_case(gconstpointer data) {
  const Case *c = data;
  FvError err = {0};
  FvGraph *graph = fv_graph_create();
  FvInfer infer = {.graph = graph, .err = &err};
  FvNode *node = build(graph, c);
  int code = node->op->infer(node, &infer);
  if (c->error) {
    g_assert_cmpint(code, <, 0);
    g_assert_nonnull(strstr(err.message, c->error));
  } else {
    g_assert_cmpstr(err.message, ==, "");
    g_assert_cmpint(code, ==, 0);
    for (int layout = 0; layout < LAYOUT_COUNT; layout++) check_run(node, c, (Layout)layout);
  }
  fv_graph_destroy(&graph);
}

/* Kernels of the common kinds must never see the forms that only references know. */
static void test_rare_forms_stay_with_the_reference(void) {
  static const struct {
    const char *name;
    FvOpKind kind;
  } rows[] = {
    {"clip/attributes", FV_OP_UNARY}, {"clip/one-bound", FV_OP_UNARY}, {"clip/computed-bounds", FV_OP_CLIP}, {"clip/u8", FV_OP_CLIP},
    {"add/axis", FV_OP_OTHER}, {"add/scalar", FV_OP_BINARY}, {"prelu/opset-6", FV_OP_OTHER}, {"prelu/channels", FV_OP_PRELU},
  };
  for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
      if (strcmp(cases[i].name, rows[r].name) != 0) continue;
      FvGraph *graph = fv_graph_create();
      FvNode *node = build(graph, &cases[i]);
      g_assert_cmpint(node->op->infer(node, &(FvInfer){.graph = graph}), ==, 0);
      g_assert_cmpint(node->op->kind, ==, rows[r].kind);
      fv_graph_destroy(&graph);
    }
  }
}

/* Casts and functions of one tensor follow a length that falls at run time; Add says that it does not. */
static void test_lengths_that_change(void) {
  static const Case c = {"dynamic", "Cast", 13, {MAT(I64, 3, 1, 1, 2, 3)}, {INT("to", 1)}};
  FvGraph *graph = fv_graph_create();
  FvError err = {0};
  FvInfer infer = {.graph = graph, .err = &err};
  FvNode *node = build(graph, &c);
  node->inputs[0]->dynamic = true;
  g_assert_cmpint(node->op->infer(node, &infer), ==, 0);
  g_assert_true(node->outputs[0]->dynamic);
  int64_t data[3] = {1, 2, 3};
  float result[3] = {-1, -1, -1};
  FvTensor in = {.dtype = I64, .rank = 2, .dims = {2, 1}, .strides = {1, 1}, .data = data};
  FvTensor out = {.dtype = F32, .rank = 2, .dims = {3, 1}, .strides = {1, 1}, .data = result};
  node->op->reference(&(FvKernelCall){.node = node, .in = (const FvTensor *[]){&in}, .out = (FvTensor *[]){&out}, .parts = 1});
  g_assert_cmpint(out.dims[0], ==, 2);
  g_assert_true(result[1] == 2 && result[2] == -1);
  FvNode *add = fv_graph_add_node(graph, fv_op_find("", "Add"), "add", 13, 2, 1);
  add->inputs[0] = add->inputs[1] = node->outputs[0];
  add->outputs[0] = fv_graph_add_value(graph, "sum");
  g_assert_cmpint(add->op->infer(add, &infer), ==, FV_ERR_UNSUPPORTED);
  fv_graph_destroy(&graph);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    char *path = g_strdup_printf("/ops/elementwise/%s", cases[i].name);
    g_test_add_data_func(path, &cases[i], test_case);
    g_free(path);
  }
  g_test_add_func("/ops/elementwise/rare-forms-stay-with-the-reference", test_rare_forms_stay_with_the_reference);
  g_test_add_func("/ops/elementwise/lengths-that-change", test_lengths_that_change);
  return g_test_run();
}

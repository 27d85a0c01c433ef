/* Operators of one tensor, element by element; and Clip and PRelu, which need bounds and slopes besides. */
#include <math.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/families.h"
#include "ops/params.h"

typedef struct UnaryRule {
  const char *name;
  FvUnaryType type;
  FvActivationType activation; /* of FV_UNARY_ACTIVATION */
  unsigned types;
  const char *alpha_name, *beta_name; /* attributes; NULL: the default is all there is */
  float alpha, beta;
} UnaryRule;

#define ACTIVATION(name, type, types, ...) {name, FV_UNARY_ACTIVATION, FV_ACTIVATION_##type, types, __VA_ARGS__}
#define PLAIN(name, type, types) {name, FV_UNARY_##type, FV_ACTIVATION_NONE, types, NULL, NULL, 0, 0}
#define ALPHA(name, type, value) {name, FV_UNARY_##type, FV_ACTIVATION_NONE, FV_TYPES_FLOAT, "alpha", NULL, value, 0}

static const UnaryRule rules[] = {
  ACTIVATION("Relu", RELU, FV_TYPES_NUMBER, NULL, NULL, 0, 0),
  ACTIVATION("LeakyRelu", LEAKY_RELU, FV_TYPES_FLOAT, "alpha", NULL, 0.01f, 0),
  ACTIVATION("Sigmoid", SIGMOID, FV_TYPES_FLOAT, NULL, NULL, 0, 0),
  ACTIVATION("Tanh", TANH, FV_TYPES_FLOAT, NULL, NULL, 0, 0),
  ACTIVATION("HardSigmoid", HARD_SIGMOID, FV_TYPES_FLOAT, "alpha", "beta", 0.2f, 0.5f),
  ACTIVATION("HardSwish", HARD_SWISH, FV_TYPES_FLOAT, NULL, NULL, 0, 0),
  ALPHA("Elu", ELU, 1.0f),
  ALPHA("Celu", CELU, 1.0f),
  ALPHA("ThresholdedRelu", THRESHOLDED_RELU, 1.0f),
  {"Selu", FV_UNARY_SELU, FV_ACTIVATION_NONE, FV_TYPES_FLOAT, "alpha", "gamma", 1.67326319217681884765625f, 1.05070102214813232421875f},
  PLAIN("Softplus", SOFTPLUS, FV_TYPES_FLOAT),
  PLAIN("Softsign", SOFTSIGN, FV_TYPES_FLOAT),
  PLAIN("Mish", MISH, FV_TYPES_FLOAT),
  PLAIN("Erf", ERF, FV_TYPES_FLOAT),
  PLAIN("Gelu", GELU, FV_TYPES_FLOAT),
  PLAIN("Exp", EXP, FV_TYPES_FLOAT),
  PLAIN("Log", LOG, FV_TYPES_FLOAT),
  PLAIN("Sqrt", SQRT, FV_TYPES_FLOAT),
  PLAIN("Abs", ABS, FV_TYPES_NUMBER),
  PLAIN("Neg", NEG, FV_TYPES_NUMBER),
  PLAIN("Floor", FLOOR, FV_TYPES_FLOAT),
  PLAIN("Ceil", CEIL, FV_TYPES_FLOAT),
  PLAIN("Round", ROUND, FV_TYPES_FLOAT),
  PLAIN("Reciprocal", RECIPROCAL, FV_TYPES_FLOAT),
  PLAIN("Sign", SIGN, FV_TYPES_NUMBER),
  PLAIN("Sin", SIN, FV_TYPES_FLOAT),
  PLAIN("Cos", COS, FV_TYPES_FLOAT),
  PLAIN("Tan", TAN, FV_TYPES_FLOAT),
  PLAIN("Asin", ASIN, FV_TYPES_FLOAT),
  PLAIN("Acos", ACOS, FV_TYPES_FLOAT),
  PLAIN("Atan", ATAN, FV_TYPES_FLOAT),
  PLAIN("Sinh", SINH, FV_TYPES_FLOAT),
  PLAIN("Cosh", COSH, FV_TYPES_FLOAT),
  PLAIN("Asinh", ASINH, FV_TYPES_FLOAT),
  PLAIN("Acosh", ACOSH, FV_TYPES_FLOAT),
  PLAIN("Atanh", ATANH, FV_TYPES_FLOAT),
  PLAIN("Not", NOT, FV_TYPES_BOOL),
  PLAIN("IsNaN", IS_NAN, FV_TYPES_FLOAT),
  PLAIN("IsInf", IS_INF, FV_TYPES_FLOAT),
  PLAIN("BitwiseNot", BITWISE_NOT, FV_TYPES_INT),
};

static const UnaryRule *find_rule(const char *name) {
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
    if (strcmp(rules[i].name, name) == 0) return &rules[i];
  return NULL;
}

static int infer_unary(FvNode *node, FvInfer *infer) {
  const UnaryRule *rule = find_rule(node->op->name);
  int rc = fv_infer_type(node, 0, rule->types, infer);
  if (rc < 0) return rc;
  FvUnaryParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->type = rule->type;
  params->alpha = rule->alpha_name ? fv_node_float(node, rule->alpha_name, rule->alpha) : rule->alpha;
  params->beta = rule->beta_name ? fv_node_float(node, rule->beta_name, rule->beta) : rule->beta;
  params->activation = (FvActivation){rule->activation, params->alpha, params->beta};
  if (rule->type == FV_UNARY_GELU) {
    const char *approximate = fv_node_string(node, "approximate", "none");
    if (strcmp(approximate, "tanh") == 0) params->type = FV_UNARY_GELU_TANH;
    else if (strcmp(approximate, "none") != 0) return fv_infer_error(infer, "attribute approximate is '%s'; it must be none or tanh", approximate);
  } else if (rule->type == FV_UNARY_CELU && params->alpha == 0) {
    return fv_infer_error(infer, "attribute alpha must not be 0");
  } else if (rule->type == FV_UNARY_IS_INF) {
    params->alpha = fv_node_int(node, "detect_negative", 1) != 0;
    params->beta = fv_node_int(node, "detect_positive", 1) != 0;
  }
  const FvValue *in = node->inputs[0];
  bool tests = rule->type == FV_UNARY_IS_NAN || rule->type == FV_UNARY_IS_INF;
  rc = fv_infer_output(node, 0, tests ? FV_DTYPE_BOOL : in->dtype, in->rank, in->dims, infer);
  if (rc < 0 || !in->dynamic) return rc;
  if (node->outputs[0]) node->outputs[0]->dynamic = true;
  return fv_infer_reference_only(node, infer);
}

/* fv_activate in double, for types that float would round. */
static double activate_f64(FvActivation act, double x) {
  switch (act.type) {
    case FV_ACTIVATION_RELU: return x > 0 ? x : 0;
    case FV_ACTIVATION_LEAKY_RELU: return x < 0 ? act.alpha * x : x;
    case FV_ACTIVATION_SIGMOID: return 1 / (1 + exp(-x));
    case FV_ACTIVATION_TANH: return tanh(x);
    case FV_ACTIVATION_HARD_SIGMOID: return fmin(fmax(act.alpha * x + act.beta, 0), 1);
    case FV_ACTIVATION_HARD_SWISH: return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    default: return x;
  }
}

/* log(1 + exp(x)) without overflow */
static double softplus(double x) { return log1p(exp(-fabs(x))) + (x > 0 ? x : 0); }

static double unary_f64(const FvUnaryParams *p, double x) {
  double alpha = p->alpha;
  switch (p->type) {
    case FV_UNARY_ACTIVATION: return activate_f64(p->activation, x);
    case FV_UNARY_ELU: return x < 0 ? alpha * expm1(x) : x;
    case FV_UNARY_CELU: return fmax(0, x) + fmin(0, alpha * expm1(x / alpha));
    case FV_UNARY_SELU: return p->beta * (x > 0 ? x : alpha * expm1(x));
    case FV_UNARY_THRESHOLDED_RELU: return x > alpha ? x : 0;
    case FV_UNARY_SOFTPLUS: return softplus(x);
    case FV_UNARY_SOFTSIGN: return x / (1 + fabs(x));
    case FV_UNARY_MISH: return x * tanh(softplus(x));
    case FV_UNARY_ERF: return erf(x);
    case FV_UNARY_GELU: return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case FV_UNARY_GELU_TANH: return 0.5 * x * (1 + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
    case FV_UNARY_EXP: return exp(x);
    case FV_UNARY_LOG: return log(x);
    case FV_UNARY_SQRT: return sqrt(x);
    case FV_UNARY_ABS: return fabs(x);
    case FV_UNARY_NEG: return -x;
    case FV_UNARY_FLOOR: return floor(x);
    case FV_UNARY_CEIL: return ceil(x);
    case FV_UNARY_ROUND: return nearbyint(x); /* the rounding mode is to nearest, ties to even */
    case FV_UNARY_RECIPROCAL: return 1 / x;
    case FV_UNARY_SIGN: return x > 0 ? 1 : x < 0 ? -1 : x; /* NaN stays */
    case FV_UNARY_SIN: return sin(x);
    case FV_UNARY_COS: return cos(x);
    case FV_UNARY_TAN: return tan(x);
    case FV_UNARY_ASIN: return asin(x);
    case FV_UNARY_ACOS: return acos(x);
    case FV_UNARY_ATAN: return atan(x);
    case FV_UNARY_SINH: return sinh(x);
    case FV_UNARY_COSH: return cosh(x);
    case FV_UNARY_ASINH: return asinh(x);
    case FV_UNARY_ACOSH: return acosh(x);
    case FV_UNARY_ATANH: return atanh(x);
    case FV_UNARY_IS_NAN: return isnan(x) != 0;
    case FV_UNARY_IS_INF: return isinf(x) && (x < 0 ? p->alpha != 0 : p->beta != 0);
    default: return x;
  }
}

static int64_t unary_i64(const FvUnaryParams *p, bool is_signed, int64_t x) {
  switch (p->type) {
    case FV_UNARY_ACTIVATION: return is_signed && x < 0 ? 0 : x; /* Relu */
    case FV_UNARY_ABS: return is_signed && x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
    case FV_UNARY_NEG: return (int64_t)(0 - (uint64_t)x);
    case FV_UNARY_SIGN: return is_signed && x < 0 ? -1 : x != 0;
    case FV_UNARY_NOT: return !x;
    case FV_UNARY_BITWISE_NOT: return ~x;
    default: return x;
  }
}

static void reference_unary(const FvKernelCall *call) {
  const FvUnaryParams *params = call->node->params;
  const FvTensor *in = call->in[0];
  FvTensor *out = call->out[0];
  if (in->rank) out->dims[0] = in->dims[0]; /* both are lowered together when dynamic */
  bool f32_activation = in->dtype == FV_DTYPE_F32 && params->type == FV_UNARY_ACTIVATION;
  FvRows rows;
  for (bool more = fv_rows_start(&rows, (const FvTensor *[]){out, in}, 2); more; more = fv_rows_next(&rows)) {
    for (int64_t i = 0; i < rows.length; i++) {
      int64_t to = rows.offset[0] + i * rows.step[0], from = rows.offset[1] + i * rows.step[1];
      if (f32_activation) ((float *)out->data)[to] = fv_activate(params->activation, ((const float *)in->data)[from]);
      else if (fv_dtype_is_float(in->dtype)) fv_store_f64(out, to, unary_f64(params, fv_load_f64(in, from)));
      else fv_store_i64(out, to, unary_i64(params, in->dtype != FV_DTYPE_U64, fv_load_i64(in, from)));
    }
  }
}

/* Clip. Bounds are attributes before opset 11, inputs since; one that is left out does not bound. */
static int infer_clip(FvNode *node, FvInfer *infer);
static void reference_clip(const FvKernelCall *call);

/* Takes the place of the table's row when the bounds are computed from the frame or the type is not f32. */
static const FvOp clip_any = {
  .name = "Clip", .kind = FV_OP_CLIP, .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
  .flags = FV_OP_FOLLOWS_LAYOUT | FV_OP_IN_PLACE, .infer = infer_clip, .reference = reference_clip,
};

static int check_clip_bound(const FvNode *node, int input, bool *constant, FvInfer *infer) {
  const FvValue *bound = fv_node_input(node, input);
  if (!bound) return 0;
  if (bound->dtype != node->inputs[0]->dtype) return fv_infer_error(infer, "bound '%s' is %s, but the input is %s", bound->name,
                                                                   fv_dtype_name(bound->dtype), fv_dtype_name(node->inputs[0]->dtype));
  for (int d = 0; d < bound->rank; d++)
    if (bound->dims[d] != 1) return fv_infer_error(infer, "bound '%s' must be one number", bound->name);
  *constant &= bound->constant != NULL;
  return 0;
}

static int infer_clip(FvNode *node, FvInfer *infer) {
  bool constant = true;
  int rc = fv_infer_type(node, 0, FV_TYPES_NUMBER, infer);
  if (rc < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0 || (rc = check_clip_bound(node, 1, &constant, infer)) < 0 ||
      (rc = check_clip_bound(node, 2, &constant, infer)) < 0)
    return rc;
  FvUnaryParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  double low = fv_node_float(node, "min", -INFINITY), high = fv_node_float(node, "max", INFINITY);
  if (constant) {
    fv_infer_const_scalar(node, 1, low, &low, infer);
    fv_infer_const_scalar(node, 2, high, &high, infer);
  }
  params->type = FV_UNARY_ACTIVATION;
  params->alpha = (float)low;
  params->beta = (float)high;
  params->activation = (FvActivation){FV_ACTIVATION_CLIP, params->alpha, params->beta};
  if (!constant || node->inputs[0]->dtype != FV_DTYPE_F32) node->op = &clip_any;
  return fv_infer_output_like(node, 0, node->inputs[0], infer);
}

static void reference_clip(const FvKernelCall *call) {
  const FvUnaryParams *params = call->node->params;
  const FvTensor *in = call->in[0];
  const FvTensor *low = call->node->input_count > 1 ? call->in[1] : NULL, *high = call->node->input_count > 2 ? call->in[2] : NULL;
  FvRows rows;
  for (bool more = fv_rows_start(&rows, (const FvTensor *[]){call->out[0], in}, 2); more; more = fv_rows_next(&rows)) {
    for (int64_t i = 0; i < rows.length; i++) {
      int64_t to = rows.offset[0] + i * rows.step[0], from = rows.offset[1] + i * rows.step[1];
      if (fv_dtype_is_float(in->dtype)) {
        double x = fv_load_f64(in, from), a = low ? fv_load_f64(low, 0) : params->alpha, b = high ? fv_load_f64(high, 0) : params->beta;
        if (x < a) x = a;
        if (x > b) x = b;
        fv_store_f64(call->out[0], to, x);
      } else {
        bool is_unsigned = in->dtype == FV_DTYPE_U64;
        int64_t x = fv_load_i64(in, from), a = low ? fv_load_i64(low, 0) : x, b = 0;
        if (is_unsigned ? (uint64_t)x < (uint64_t)a : x < a) x = a;
        b = high ? fv_load_i64(high, 0) : x;
        if (is_unsigned ? (uint64_t)x > (uint64_t)b : x > b) x = b;
        fv_store_i64(call->out[0], to, x);
      }
    }
  }
}

/* PRelu: the slope broadcasts to x. Before opset 7 a one-dimensional slope goes along axis 1, the channels. */
typedef struct PReluParams {
  bool along_channels;
} PReluParams;

static int infer_prelu(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_NUMBER, infer);
  if (rc < 0 || (rc = fv_infer_type(node, 1, FV_TYPES_NUMBER, infer)) < 0 || (rc = fv_infer_not_dynamic(node, infer)) < 0) return rc;
  const FvValue *x = node->inputs[0], *slope = node->inputs[1];
  if (slope->dtype != x->dtype) return fv_infer_bad_type(node, 1, infer);
  PReluParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->along_channels = node->opset < 7 && slope->rank == 1 && x->rank > 2 && slope->dims[0] != 1;
  if (params->along_channels) {
    if (slope->dims[0] != x->dims[1])
      return fv_infer_error(infer, "%lld slopes for %lld channels", (long long)slope->dims[0], (long long)x->dims[1]);
    if ((rc = fv_infer_reference_only(node, infer)) < 0) return rc;
  } else {
    if (slope->rank > x->rank) return fv_infer_error(infer, "slope '%s' has more dimensions than the input", slope->name);
    for (int d = 0; d < slope->rank; d++)
      if (slope->dims[d] != 1 && slope->dims[d] != x->dims[x->rank - slope->rank + d])
        return fv_infer_error(infer, "slope '%s' cannot be broadcast to the input: %lld against %lld", slope->name, (long long)slope->dims[d],
                              (long long)x->dims[x->rank - slope->rank + d]);
  }
  return fv_infer_output_like(node, 0, x, infer);
}

static void reference_prelu(const FvKernelCall *call) {
  const PReluParams *params = call->node->params;
  const FvTensor *x = call->in[0], *out = call->out[0];
  FvTensor slope = *call->in[1];
  if (params->along_channels) {
    slope.rank = x->rank - 1;
    for (int d = 1; d < slope.rank; d++) slope.dims[d] = 1;
  }
  FvRows rows;
  for (bool more = fv_rows_start(&rows, (const FvTensor *[]){out, x, &slope}, 3); more; more = fv_rows_next(&rows)) {
    for (int64_t i = 0; i < rows.length; i++) {
      int64_t to = rows.offset[0] + i * rows.step[0], from = rows.offset[1] + i * rows.step[1], at = rows.offset[2] + i * rows.step[2];
      if (fv_dtype_is_float(x->dtype)) {
        double v = fv_load_f64(x, from);
        fv_store_f64(out, to, v < 0 ? v * fv_load_f64(&slope, at) : v);
      } else {
        int64_t v = fv_load_i64(x, from);
        bool negative = x->dtype != FV_DTYPE_U64 && v < 0;
        fv_store_i64(out, to, negative ? (int64_t)((uint64_t)v * (uint64_t)fv_load_i64(&slope, at)) : v);
      }
    }
  }
}

#define UNARY(op) \
  {.name = op, .kind = FV_OP_UNARY, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1, \
   .flags = FV_OP_FOLLOWS_LAYOUT | FV_OP_IN_PLACE, .infer = infer_unary, .reference = reference_unary}

const FvOp fv_ops_unary[] = {
  UNARY("Relu"), UNARY("LeakyRelu"), UNARY("Sigmoid"), UNARY("Tanh"), UNARY("HardSigmoid"), UNARY("HardSwish"), UNARY("Elu"), UNARY("Celu"),
  UNARY("ThresholdedRelu"), UNARY("Selu"), UNARY("Softplus"), UNARY("Softsign"), UNARY("Mish"), UNARY("Erf"), UNARY("Gelu"), UNARY("Exp"),
  UNARY("Log"), UNARY("Sqrt"), UNARY("Abs"), UNARY("Neg"), UNARY("Floor"), UNARY("Ceil"), UNARY("Round"), UNARY("Reciprocal"), UNARY("Sign"),
  UNARY("Sin"), UNARY("Cos"), UNARY("Tan"), UNARY("Asin"), UNARY("Acos"), UNARY("Atan"), UNARY("Sinh"), UNARY("Cosh"), UNARY("Asinh"),
  UNARY("Acosh"), UNARY("Atanh"), UNARY("Not"), UNARY("IsNaN"), UNARY("IsInf"), UNARY("BitwiseNot"),
  {.name = "Clip", .kind = FV_OP_UNARY, .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT | FV_OP_IN_PLACE, .infer = infer_clip, .reference = reference_unary},
  {.name = "PRelu", .kind = FV_OP_PRELU, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT | FV_OP_IN_PLACE, .infer = infer_prelu, .reference = reference_prelu},
  {0},
};

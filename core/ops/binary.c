#include <math.h>
#include <string.h>

#include "ops/arith.h"
#include "ops/families.h"

/* FvBinaryParams first: kernels see no more than that. */
typedef struct BinaryParams {
  FvBinaryParams shared;
  int axis; /* where the second input's first dimension lies, of the form before opset 7; -1: numpy's rule */
} BinaryParams;

static bool is_comparison(FvBinaryType type) { return type >= FV_BINARY_EQUAL && type <= FV_BINARY_GREATER_EQUAL; }

/* Before opset 7, broadcast=1 with an axis lays the second shape over a's from that axis on. */
static int infer_with_axis(FvNode *node, BinaryParams *params, FvInfer *infer) {
  const FvValue *a = node->inputs[0], *b = node->inputs[1];
  int rc = fv_infer_axis(fv_node_int(node, "axis", 0), a->rank, &params->axis, infer);
  if (rc < 0) return rc;
  if (params->axis + b->rank > a->rank) return fv_infer_error(infer, "'%s' does not fit into '%s' from axis %d on", b->name, a->name, params->axis);
  for (int d = 0; d < b->rank; d++)
    if (b->dims[d] != 1 && b->dims[d] != a->dims[params->axis + d])
      return fv_infer_error(infer, "'%s' and '%s' cannot be broadcast: %lld against %lld in dimension %d", a->name, b->name,
                            (long long)a->dims[params->axis + d], (long long)b->dims[d], params->axis + d);
  FvDtype dtype = is_comparison(params->shared.type) ? FV_DTYPE_BOOL : a->dtype;
  rc = fv_infer_output(node, 0, dtype, a->rank, a->dims, infer);
  if (rc < 0) return rc;
  if (params->axis + b->rank < a->rank) return fv_infer_reference_only(node, infer);
  params->axis = -1; /* numpy's rule says the same */
  return 0;
}

int fv_infer_binary(FvNode *node, FvBinaryType type, bool mean, unsigned types, FvInfer *infer) {
  FvValue shape = {0};
  int rc = fv_infer_not_dynamic(node, infer);
  for (int i = 0; i < node->input_count && rc >= 0; i++) {
    rc = fv_infer_type(node, i, types, infer);
    if (rc >= 0 && type != FV_BINARY_POW && node->inputs[i]->dtype != node->inputs[0]->dtype)
      rc = fv_infer_error(infer, "inputs '%s' and '%s' differ in type: %s and %s", node->inputs[0]->name, node->inputs[i]->name,
                          fv_dtype_name(node->inputs[0]->dtype), fv_dtype_name(node->inputs[i]->dtype));
  }
  BinaryParams *params = rc < 0 ? NULL : fv_infer_params(node, infer, sizeof *params);
  if (!params) return rc < 0 ? rc : FV_ERR_NO_MEMORY;
  *params = (BinaryParams){{type, mean}, -1};
  if (node->opset < 7 && node->input_count == 2 && fv_node_int(node, "broadcast", 0) && fv_node_attr(node, "axis"))
    return infer_with_axis(node, params, infer);
  shape = *node->inputs[0];
  for (int i = 1; i < node->input_count; i++)
    if ((rc = fv_infer_broadcast(&shape, node->inputs[i], &shape.rank, shape.dims, infer)) < 0) return rc;
  return fv_infer_output(node, 0, is_comparison(type) ? FV_DTYPE_BOOL : shape.dtype, shape.rank, shape.dims, infer);
}

static double floor_mod(double a, double b) {
  double rest = fmod(a, b);
  if (rest == 0) return copysign(0, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

static double binary_f64(FvBinaryType type, double a, double b) {
  switch (type) {
    case FV_BINARY_ADD: return a + b;
    case FV_BINARY_SUB: return a - b;
    case FV_BINARY_MUL: return a * b;
    case FV_BINARY_DIV: return a / b;
    case FV_BINARY_POW: return pow(a, b);
    case FV_BINARY_MIN: return a < b || a != a ? a : b; /* NaN wins, as in numpy */
    case FV_BINARY_MAX: return a > b || a != a ? a : b;
    case FV_BINARY_MOD: return floor_mod(a, b);  /* sign of the divisor */
    case FV_BINARY_FMOD: return fmod(a, b);      /* sign of the dividend */
    case FV_BINARY_EQUAL: return a == b;
    case FV_BINARY_LESS: return a < b;
    case FV_BINARY_LESS_EQUAL: return a <= b;
    case FV_BINARY_GREATER: return a > b;
    case FV_BINARY_GREATER_EQUAL: return a >= b;
    default: return 0;
  }
}

/* Wraps; a negative power of an integer truncates toward zero. */
static uint64_t power_u64(uint64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == UINT64_MAX ? (exponent & 1 ? UINT64_MAX : 1) : 0;
  uint64_t result = 1;
  for (; exponent; exponent >>= 1, base *= base)
    if (exponent & 1) result *= base;
  return result;
}

static uint64_t binary_u64(FvBinaryType type, uint64_t a, uint64_t b) {
  switch (type) {
    case FV_BINARY_ADD: return a + b;
    case FV_BINARY_SUB: return a - b;
    case FV_BINARY_MUL: return a * b;
    case FV_BINARY_DIV: return b ? a / b : 0; /* ours: x / 0 is 0 */
    case FV_BINARY_MOD: case FV_BINARY_FMOD: return b ? a % b : 0;
    case FV_BINARY_POW: return power_u64(a, (int64_t)b);
    case FV_BINARY_MIN: return a < b ? a : b;
    case FV_BINARY_MAX: return a > b ? a : b;
    case FV_BINARY_EQUAL: return a == b;
    case FV_BINARY_LESS: return a < b;
    case FV_BINARY_LESS_EQUAL: return a <= b;
    case FV_BINARY_GREATER: return a > b;
    case FV_BINARY_GREATER_EQUAL: return a >= b;
    case FV_BINARY_AND: return a && b;
    case FV_BINARY_OR: return a || b;
    case FV_BINARY_XOR: return !a != !b;
    case FV_BINARY_BIT_SHIFT_LEFT: return b < 64 ? a << b : 0;
    case FV_BINARY_BIT_SHIFT_RIGHT: return b < 64 ? a >> b : 0;
    case FV_BINARY_BITWISE_AND: return a & b;
    case FV_BINARY_BITWISE_OR: return a | b;
    case FV_BINARY_BITWISE_XOR: return a ^ b;
  }
  return 0;
}

/* Only where the sign matters; the rest is the same in two's complement, and unsigned arithmetic wraps without undefined behaviour. */
static int64_t binary_i64(FvBinaryType type, int64_t a, int64_t b) {
  switch (type) {
    case FV_BINARY_DIV: return b == 0 ? 0 : b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    case FV_BINARY_FMOD: return b == 0 || b == -1 ? 0 : a % b;
    case FV_BINARY_MOD: {
      int64_t rest = b == 0 || b == -1 ? 0 : a % b;
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    }
    case FV_BINARY_MIN: return a < b ? a : b;
    case FV_BINARY_MAX: return a > b ? a : b;
    case FV_BINARY_LESS: return a < b;
    case FV_BINARY_LESS_EQUAL: return a <= b;
    case FV_BINARY_GREATER: return a > b;
    case FV_BINARY_GREATER_EQUAL: return a >= b;
    default: return (int64_t)binary_u64(type, (uint64_t)a, (uint64_t)b);
  }
}

/* One output element from any number of inputs. */
typedef struct Operand {
  const FvTensor *tensor;
  int64_t offset;
} Operand;

static void combine(const FvBinaryParams *params, const FvTensor *out, int64_t to, Operand a, Operand b) {
  if (fv_dtype_is_float(a.tensor->dtype) || fv_dtype_is_float(b.tensor->dtype)) {
    double y = binary_f64(params->type, fv_load_f64(a.tensor, a.offset), fv_load_f64(b.tensor, b.offset));
    fv_store_f64(out, to, y);
  } else {
    int64_t x = fv_load_i64(a.tensor, a.offset), y = fv_load_i64(b.tensor, b.offset);
    fv_store_i64(out, to, a.tensor->dtype == FV_DTYPE_U64 ? (int64_t)binary_u64(params->type, (uint64_t)x, (uint64_t)y) : binary_i64(params->type, x, y));
  }
}

static void reference_pair(const FvKernelCall *call, const BinaryParams *params) {
  const FvTensor *a = call->in[0], *out = call->out[0];
  FvTensor b = *call->in[1];
  if (params->axis >= 0) /* trailing dimensions of 1 move b under its axis */
    while (params->axis + b.rank < out->rank) b.dims[b.rank++] = 1;
  bool f32 = a->dtype == FV_DTYPE_F32 && b.dtype == FV_DTYPE_F32 && out->dtype == FV_DTYPE_F32;
  FvRows rows;
  for (bool more = fv_rows_start(&rows, (const FvTensor *[]){out, a, &b}, 3); more; more = fv_rows_next(&rows)) {
    for (int64_t i = 0; i < rows.length; i++) {
      int64_t to = rows.offset[0] + i * rows.step[0], from_a = rows.offset[1] + i * rows.step[1], from_b = rows.offset[2] + i * rows.step[2];
      combine(&params->shared, out, to, (Operand){a, from_a}, (Operand){&b, from_b});
      if (f32) ((float *)out->data)[to] = fv_activate(call->node->activation, ((float *)out->data)[to]);
    }
  }
}

/* Sum, Mean, Min and Max of any number of inputs. All are read before the element is written: the output may share input 0's memory. */
static void reference_variadic(const FvKernelCall *call, const FvBinaryParams *params) {
  const FvTensor *out = call->out[0];
  int count = call->node->input_count;
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(out) == 0) return;
  do {
    int64_t to = fv_offset(out, index);
    if (fv_dtype_is_float(out->dtype)) {
      double sum = fv_load_f64(call->in[0], fv_broadcast_offset(call->in[0], index, out->rank));
      for (int i = 1; i < count; i++) sum = binary_f64(params->type, sum, fv_load_f64(call->in[i], fv_broadcast_offset(call->in[i], index, out->rank)));
      fv_store_f64(out, to, params->mean ? sum / count : sum);
    } else {
      int64_t sum = fv_load_i64(call->in[0], fv_broadcast_offset(call->in[0], index, out->rank));
      for (int i = 1; i < count; i++) {
        int64_t next = fv_load_i64(call->in[i], fv_broadcast_offset(call->in[i], index, out->rank));
        sum = out->dtype == FV_DTYPE_U64 ? (int64_t)binary_u64(params->type, (uint64_t)sum, (uint64_t)next) : binary_i64(params->type, sum, next);
      }
      fv_store_i64(out, to, sum);
    }
  } while (fv_index_next(index, out->dims, out->rank));
}

void fv_reference_binary(const FvKernelCall *call) {
  const BinaryParams *params = call->node->params;
  if (call->node->input_count == 2 && !params->shared.mean) reference_pair(call, params);
  else reference_variadic(call, &params->shared);
}

static const struct {
  const char *name;
  FvBinaryType type;
  bool mean;
  unsigned types;
} rules[] = {
  {"Add", FV_BINARY_ADD, false, FV_TYPES_NUMBER},
  {"Sub", FV_BINARY_SUB, false, FV_TYPES_NUMBER},
  {"Mul", FV_BINARY_MUL, false, FV_TYPES_NUMBER},
  {"Div", FV_BINARY_DIV, false, FV_TYPES_NUMBER},
  {"Pow", FV_BINARY_POW, false, FV_TYPES_NUMBER},
  {"Min", FV_BINARY_MIN, false, FV_TYPES_NUMBER},
  {"Max", FV_BINARY_MAX, false, FV_TYPES_NUMBER},
  {"Sum", FV_BINARY_ADD, false, FV_TYPES_FLOAT},
  {"Mean", FV_BINARY_ADD, true, FV_TYPES_FLOAT},
  {"BitwiseAnd", FV_BINARY_BITWISE_AND, false, FV_TYPES_INT},
  {"BitwiseOr", FV_BINARY_BITWISE_OR, false, FV_TYPES_INT},
  {"BitwiseXor", FV_BINARY_BITWISE_XOR, false, FV_TYPES_INT},
};

static int infer_arithmetic(FvNode *node, FvInfer *infer) {
  size_t i = 0;
  while (strcmp(rules[i].name, node->op->name) != 0) i++;
  return fv_infer_binary(node, rules[i].type, rules[i].mean, rules[i].types, infer);
}

static int infer_mod(FvNode *node, FvInfer *infer) {
  return fv_infer_binary(node, fv_node_int(node, "fmod", 0) ? FV_BINARY_FMOD : FV_BINARY_MOD, false, FV_TYPES_NUMBER, infer);
}

static int infer_bit_shift(FvNode *node, FvInfer *infer) {
  const char *direction = fv_node_string(node, "direction", "");
  bool left = strcmp(direction, "LEFT") == 0;
  if (!left && strcmp(direction, "RIGHT") != 0) return fv_infer_error(infer, "attribute direction is '%s'; it must be LEFT or RIGHT", direction);
  for (int i = 0; i < 2; i++) {
    FvDtype dtype = node->inputs[i] ? node->inputs[i]->dtype : FV_DTYPE_NONE;
    if (dtype != FV_DTYPE_U8 && dtype != FV_DTYPE_U16 && dtype != FV_DTYPE_U32 && dtype != FV_DTYPE_U64) return fv_infer_bad_type(node, i, infer);
  }
  return fv_infer_binary(node, left ? FV_BINARY_BIT_SHIFT_LEFT : FV_BINARY_BIT_SHIFT_RIGHT, false, FV_TYPES_INT, infer);
}

#define BINARY(op, least, most, extra, rule) \
  {.name = op, .kind = FV_OP_BINARY, .min_inputs = least, .max_inputs = most, .min_outputs = 1, .max_outputs = 1, \
   .flags = FV_OP_FOLLOWS_LAYOUT | FV_OP_IN_PLACE | extra, .infer = rule, .reference = fv_reference_binary}

const FvOp fv_ops_binary[] = {
  BINARY("Add", 2, 2, FV_OP_FUSES_ACTIVATION, infer_arithmetic),
  BINARY("Sub", 2, 2, FV_OP_FUSES_ACTIVATION, infer_arithmetic),
  BINARY("Mul", 2, 2, FV_OP_FUSES_ACTIVATION, infer_arithmetic),
  BINARY("Div", 2, 2, FV_OP_FUSES_ACTIVATION, infer_arithmetic),
  BINARY("Pow", 2, 2, 0, infer_arithmetic),
  BINARY("Min", 1, -1, 0, infer_arithmetic),
  BINARY("Max", 1, -1, 0, infer_arithmetic),
  BINARY("Sum", 1, -1, 0, infer_arithmetic),
  BINARY("Mean", 1, -1, 0, infer_arithmetic),
  BINARY("BitwiseAnd", 2, 2, 0, infer_arithmetic),
  BINARY("BitwiseOr", 2, 2, 0, infer_arithmetic),
  BINARY("BitwiseXor", 2, 2, 0, infer_arithmetic),
  BINARY("Mod", 2, 2, 0, infer_mod),
  BINARY("BitShift", 2, 2, 0, infer_bit_shift),
  {0},
};

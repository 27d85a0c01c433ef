#include <string.h>

#include "ops/arith.h"
#include "ops/families.h"

static const struct {
  const char *name;
  FvBinaryType type;
  unsigned types;
} rules[] = {
  {"Equal", FV_BINARY_EQUAL, FV_TYPES_ANY},
  {"Less", FV_BINARY_LESS, FV_TYPES_NUMBER},
  {"LessOrEqual", FV_BINARY_LESS_EQUAL, FV_TYPES_NUMBER},
  {"Greater", FV_BINARY_GREATER, FV_TYPES_NUMBER},
  {"GreaterOrEqual", FV_BINARY_GREATER_EQUAL, FV_TYPES_NUMBER},
  {"And", FV_BINARY_AND, FV_TYPES_BOOL},
  {"Or", FV_BINARY_OR, FV_TYPES_BOOL},
  {"Xor", FV_BINARY_XOR, FV_TYPES_BOOL},
};

static int infer_logic(FvNode *node, FvInfer *infer) {
  size_t i = 0;
  while (strcmp(rules[i].name, node->op->name) != 0) i++;
  return fv_infer_binary(node, rules[i].type, false, rules[i].types, infer);
}

static int infer_where(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_BOOL, infer);
  if (rc < 0 || (rc = fv_infer_type(node, 1, FV_TYPES_ANY, infer)) < 0 || (rc = fv_infer_type(node, 2, FV_TYPES_ANY, infer)) < 0 ||
      (rc = fv_infer_not_dynamic(node, infer)) < 0)
    return rc;
  const FvValue *x = node->inputs[1], *y = node->inputs[2];
  if (x->dtype != y->dtype)
    return fv_infer_error(infer, "'%s' and '%s' differ in type: %s and %s", x->name, y->name, fv_dtype_name(x->dtype), fv_dtype_name(y->dtype));
  FvValue shape = *node->inputs[0];
  if ((rc = fv_infer_broadcast(&shape, x, &shape.rank, shape.dims, infer)) < 0 ||
      (rc = fv_infer_broadcast(&shape, y, &shape.rank, shape.dims, infer)) < 0)
    return rc;
  return fv_infer_output(node, 0, x->dtype, shape.rank, shape.dims, infer);
}

static void reference_where(const FvKernelCall *call) {
  const FvTensor *out = call->out[0];
  size_t size = fv_dtype_size(out->dtype);
  FvRows rows;
  for (bool more = fv_rows_start(&rows, (const FvTensor *[]){out, call->in[0], call->in[1], call->in[2]}, 4); more; more = fv_rows_next(&rows)) {
    for (int64_t i = 0; i < rows.length; i++) {
      int chosen = ((const uint8_t *)call->in[0]->data)[rows.offset[1] + i * rows.step[1]] ? 1 : 2;
      int64_t from = rows.offset[chosen + 1] + i * rows.step[chosen + 1], to = rows.offset[0] + i * rows.step[0];
      memcpy((char *)out->data + to * (int64_t)size, (const char *)call->in[chosen]->data + from * (int64_t)size, size);
    }
  }
}

#define LOGIC(op) \
  {.name = op, .kind = FV_OP_BINARY, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, \
   .flags = FV_OP_FOLLOWS_LAYOUT | FV_OP_IN_PLACE, .infer = infer_logic, .reference = fv_reference_binary}

const FvOp fv_ops_logic[] = {
  LOGIC("Equal"), LOGIC("Less"), LOGIC("LessOrEqual"), LOGIC("Greater"), LOGIC("GreaterOrEqual"), LOGIC("And"), LOGIC("Or"), LOGIC("Xor"),
  {.name = "Where", .kind = FV_OP_WHERE, .min_inputs = 3, .max_inputs = 3, .min_outputs = 1, .max_outputs = 1,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_where, .reference = reference_where},
  {0},
};

#include "ops/elementwise.h"
#include "ops/families.h"

/* onnx.TensorProto.DataType */
static const FvDtype onnx_types[] = {
  [1] = FV_DTYPE_F32, [2] = FV_DTYPE_U8, [3] = FV_DTYPE_I8, [4] = FV_DTYPE_U16, [5] = FV_DTYPE_I16, [6] = FV_DTYPE_I32, [7] = FV_DTYPE_I64,
  [9] = FV_DTYPE_BOOL, [10] = FV_DTYPE_F16, [11] = FV_DTYPE_F64, [12] = FV_DTYPE_U32, [13] = FV_DTYPE_U64, [16] = FV_DTYPE_BF16,
};

static int infer_to(FvNode *node, FvDtype dtype, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int rc = fv_infer_output(node, 0, dtype, in->rank, in->dims, infer);
  if (rc < 0 || !in->dynamic) return rc;
  if (node->outputs[0]) node->outputs[0]->dynamic = true;
  return fv_infer_reference_only(node, infer);
}

static int infer_cast(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_ANY, infer);
  if (rc < 0) return rc;
  if (!fv_node_attr(node, "to")) return fv_infer_error(infer, "attribute to is missing");
  int64_t to = fv_node_int(node, "to", 0);
  if (to < 0 || to >= (int64_t)(sizeof onnx_types / sizeof onnx_types[0]) || onnx_types[to] == FV_DTYPE_NONE)
    return fv_infer_unsupported(infer, "attribute to asks for ONNX type %lld, which is not supported", (long long)to);
  return infer_to(node, onnx_types[to], infer);
}

static int infer_cast_like(FvNode *node, FvInfer *infer) {
  int rc = fv_infer_type(node, 0, FV_TYPES_ANY, infer);
  if (rc < 0 || (rc = fv_infer_type(node, 1, FV_TYPES_ANY, infer)) < 0) return rc;
  return infer_to(node, node->inputs[1]->dtype, infer);
}

static void reference_cast(const FvKernelCall *call) {
  if (call->in[0]->rank) call->out[0]->dims[0] = call->in[0]->dims[0]; /* both are lowered together when dynamic */
  fv_tensor_copy(call->out[0], call->in[0], NULL);
}

#define CAST(op, inputs, rule) \
  {.name = op, .kind = FV_OP_CAST, .min_inputs = inputs, .max_inputs = inputs, .min_outputs = 1, .max_outputs = 1, \
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = rule, .reference = reference_cast}

const FvOp fv_ops_cast[] = {CAST("Cast", 1, infer_cast), CAST("CastLike", 2, infer_cast_like), {0}};

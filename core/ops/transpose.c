/* Transpose: dimensions in another order, always a view. */
#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "ops/views.h"

static int infer_transpose(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int64_t perm[FV_MAX_RANK], dims[FV_MAX_RANK];
  bool used[FV_MAX_RANK] = {false};
  int count, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_ints(node, -1, "perm", perm, FV_MAX_RANK, &count, infer)) < 0) return code;
  if (count >= 0 && count != in->rank) return fv_infer_error(infer, "perm has %d entries for %d dimensions", count, in->rank);
  FvTransposeParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  for (int d = 0; d < in->rank; d++) {
    int64_t from = count < 0 ? in->rank - 1 - d : perm[d];
    if (from < 0 || from >= in->rank || used[from]) return fv_infer_error(infer, "perm is not an order of the dimensions 0 to %d", in->rank - 1);
    used[from] = true;
    params->perm[d] = (int)from;
    dims[d] = in->dims[from];
  }
  return fv_infer_output(node, 0, in->dtype, in->rank, dims, infer);
}

static bool view_transpose(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset) {
  const FvTransposeParams *params = node->params;
  fv_view_begin(node, index, input, output);
  for (int d = 0; d < input->rank; d++) output->strides[d] = input->strides[params->perm[d]];
  *offset = 0;
  return true;
}

static void transpose_reference(const FvKernelCall *call) {
  FvTensor view;
  int64_t offset;
  view_transpose(call->node, 0, call->in[0], &view, &offset);
  view.data = call->in[0]->data;
  fv_tensor_copy(call->out[0], &view, NULL);
}

const FvOp fv_ops_transpose[] = {
  {.name = "Transpose", .kind = FV_OP_TRANSPOSE, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_transpose, .view = view_transpose, .reference = transpose_reference},
  {0}};

/* Concat and Split: along one axis, tensors become one or one becomes several. */
#include "base/file.h"
#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "ops/views.h"

static int check_same(const FvValue *first, const FvValue *other, int axis, FvInfer *infer) {
  if (other->dtype != first->dtype)
    return fv_infer_error(infer, "'%s' is %s but '%s' is %s", first->name, fv_dtype_name(first->dtype), other->name, fv_dtype_name(other->dtype));
  if (other->rank != first->rank)
    return fv_infer_error(infer, "'%s' has %d dimensions but '%s' has %d", first->name, first->rank, other->name, other->rank);
  for (int d = 0; d < first->rank; d++)
    if (d != axis && other->dims[d] != first->dims[d])
      return fv_infer_error(infer, "dimension %d is %lld in '%s' but %lld in '%s'", d, (long long)first->dims[d], first->name,
                            (long long)other->dims[d], other->name);
  return 0;
}

static int infer_concat(FvNode *node, FvInfer *infer) {
  int axis, code = fv_infer_static_inputs(node, infer);
  const FvValue *first = node->inputs[0];
  if (code < 0) return code;
  for (int i = 0; i < node->input_count; i++)
    if (!node->inputs[i]) return fv_infer_error(infer, "input %d is left out", i);
  if (node->opset >= 4 && !fv_node_attr(node, "axis")) return fv_infer_error(infer, "attribute 'axis' is missing");
  if ((code = fv_infer_axis(fv_node_int(node, "axis", 1), first->rank, &axis, infer)) < 0) return code;
  int64_t dims[FV_MAX_RANK];
  for (int d = 0; d < first->rank; d++) dims[d] = first->dims[d];
  for (int i = 1; i < node->input_count; i++) {
    if ((code = check_same(first, node->inputs[i], axis, infer)) < 0) return code;
    dims[axis] += node->inputs[i]->dims[axis]; /* at most FV_MAX_NODE_IO * FV_MAX_DIM */
  }
  FvConcatParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  params->axis = axis;
  return fv_infer_output(node, 0, first->dtype, first->rank, dims, infer);
}

static void concat_reference(const FvKernelCall *call) {
  const FvConcatParams *params = call->node->params;
  FvTensor slot = *call->out[0];
  int64_t at = 0;
  for (int i = 0; i < call->node->input_count; i++) {
    const FvTensor *in = call->in[i];
    slot.dims[params->axis] = in->dims[params->axis];
    slot.data = fv_element(call->out[0], at * slot.strides[params->axis]);
    if (slot.data != in->data) fv_tensor_copy(&slot, in, NULL); /* the same memory: its producer wrote in place */
    at += in->dims[params->axis];
  }
}

/* Lengths of the parts: given, or equal; from opset 18 on the last part may be shorter. */
static int split_sizes(const FvNode *node, int64_t length, int64_t *sizes, FvInfer *infer) {
  int given, parts = node->output_count;
  int code = fv_infer_ints(node, 1, "split", sizes, parts, &given, infer);
  if (code < 0) return code;
  if (given >= 0) {
    int64_t sum = 0;
    for (int i = 0; i < given; i++)
      if (sizes[i] < 0 || !fv_add_ok(sum, sizes[i], &sum)) return fv_infer_error(infer, "part %d has a bad length, %lld", i, (long long)sizes[i]);
    if (given != parts || sum != length)
      return fv_infer_error(infer, "%d lengths that add up to %lld are given for %d outputs and a dimension of %lld", given, (long long)sum, parts, (long long)length);
    return 0;
  }
  int64_t wanted = fv_node_int(node, "num_outputs", parts);
  if (wanted != parts) return fv_infer_error(infer, "num_outputs is %lld but there are %d outputs", (long long)wanted, parts);
  if (node->opset < 18 && length % parts) return fv_infer_error(infer, "a dimension of %lld does not split into %d equal parts", (long long)length, parts);
  int64_t each = (length + parts - 1) / parts, left = length;
  for (int i = 0; i < parts; i++) {
    sizes[i] = left < each ? left : each;
    left -= sizes[i];
  }
  return 0;
}

static int infer_split(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int axis, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_axis(fv_node_int(node, "axis", 0), in->rank, &axis, infer)) < 0) return code;
  FvSplitParams *params = fv_infer_params(node, infer, sizeof *params);
  int64_t *sizes = fv_arena_array(&infer->graph->arena, (size_t)node->output_count, 2 * sizeof *sizes);
  if (!params || !sizes) return fv_error_set(infer->err, FV_ERR_NO_MEMORY, "out of memory");
  params->axis = axis;
  params->offset = sizes + node->output_count;
  if ((code = split_sizes(node, in->dims[axis], sizes, infer)) < 0) return code;
  int64_t dims[FV_MAX_RANK], at = 0;
  for (int d = 0; d < in->rank; d++) dims[d] = in->dims[d];
  for (int i = 0; i < node->output_count; i++) {
    params->offset[i] = at;
    at += dims[axis] = sizes[i];
    if ((code = fv_infer_output(node, i, in->dtype, in->rank, dims, infer)) < 0) return code;
  }
  return 0;
}

static bool view_split(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset) {
  const FvSplitParams *params = node->params;
  fv_view_begin(node, index, input, output);
  for (int d = 0; d < input->rank; d++) output->strides[d] = input->strides[d];
  *offset = params->offset[index] * input->strides[params->axis];
  return true;
}

static void split_reference(const FvKernelCall *call) {
  for (int i = 0; i < call->node->output_count; i++) {
    if (!call->out[i]) continue;
    FvTensor part;
    int64_t offset;
    view_split(call->node, i, call->in[0], &part, &offset);
    part.data = fv_element(call->in[0], offset);
    if (part.data != call->out[i]->data) fv_tensor_copy(call->out[i], &part, NULL);
  }
}

const FvOp fv_ops_concat[] = {
  {.name = "Concat", .kind = FV_OP_CONCAT, .min_inputs = 1, .max_inputs = -1, .min_outputs = 1, .max_outputs = 1, .flags = FV_OP_FOLLOWS_LAYOUT,
   .infer = infer_concat, .reference = concat_reference},
  {.name = "Split", .kind = FV_OP_SPLIT, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = -1, .constant_inputs = 1 << 1,
   .infer = infer_split, .view = view_split, .reference = split_reference},
  {0}};

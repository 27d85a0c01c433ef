/* The same elements under another shape: Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout, Expand. */
#include <string.h>

#include "base/file.h"
#include "ops/families.h"
#include "ir/op.h"
#include "base/strided.h"
#include "ops/views.h"

static int64_t product(const int64_t *dims, int first, int last) {
  int64_t count = 1;
  for (int d = first; d < last; d++) count *= dims[d]; /* of a checked tensor: does not overflow */
  return count;
}

/* 0 takes the input's dimension, -1 what is left over. */
static int resolve_shape(const FvValue *in, bool allow_zero, int rank, int64_t *dims, FvInfer *infer) {
  int open = -1;
  bool zero = false;
  int64_t count = product(in->dims, 0, in->rank), known = 1;
  for (int d = 0; d < rank; d++) {
    if (dims[d] == -1) {
      if (open >= 0) return fv_infer_error(infer, "the shape has more than one -1");
      open = d;
      continue;
    }
    if (dims[d] == 0 && !allow_zero) {
      if (d >= in->rank) return fv_infer_error(infer, "the shape copies dimension %d of an input that has %d", d, in->rank);
      dims[d] = in->dims[d];
    }
    zero |= dims[d] == 0;
    if (dims[d] < 0 || !fv_mul_ok(known, dims[d], &known)) return fv_infer_error(infer, "the shape has a bad dimension, %lld", (long long)dims[d]);
  }
  if (open >= 0) {
    if (zero || count % known) return fv_infer_error(infer, "%lld elements do not fit a shape whose known dimensions make %lld", (long long)count, (long long)known);
    known *= dims[open] = count / known;
  }
  if (known != count) return fv_infer_error(infer, "%lld elements cannot become a shape of %lld", (long long)count, (long long)known);
  return 0;
}

static int infer_reshape(FvNode *node, FvInfer *infer) {
  int64_t dims[FV_MAX_RANK];
  int rank, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_ints(node, 1, "shape", dims, FV_MAX_RANK, &rank, infer)) < 0) return code;
  if (rank < 0) return fv_infer_error(infer, "no shape is given");
  if ((code = resolve_shape(node->inputs[0], fv_node_int(node, "allowzero", 0) != 0, rank, dims, infer)) < 0) return code;
  return fv_infer_output(node, 0, node->inputs[0]->dtype, rank, dims, infer);
}

static int infer_flatten(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  int64_t axis = fv_node_int(node, "axis", 1);
  if (axis < -in->rank || axis > in->rank) return fv_infer_error(infer, "axis %lld is outside a tensor of %d dimensions", (long long)axis, in->rank);
  int cut = (int)(axis < 0 ? axis + in->rank : axis);
  int64_t dims[2] = {product(in->dims, 0, cut), product(in->dims, cut, in->rank)};
  return fv_infer_output(node, 0, in->dtype, 2, dims, infer);
}

/* Marks the axes that an attribute or input 1 names, of a shape of `rank` dimensions; *count = -1 when none are given. */
static int read_axes(const FvNode *node, int rank, bool *marked, int *count, FvInfer *infer) {
  int64_t axes[FV_MAX_RANK];
  int code = fv_infer_ints(node, 1, "axes", axes, FV_MAX_RANK, count, infer);
  for (int i = 0; code >= 0 && i < *count; i++) {
    int axis;
    if ((code = fv_infer_axis(axes[i], rank, &axis, infer)) < 0) break;
    if (marked[axis]) return fv_infer_error(infer, "axis %d is named twice", axis);
    marked[axis] = true;
  }
  return code;
}

static int infer_squeeze(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  bool drop[FV_MAX_RANK] = {false};
  int count, rank = 0, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = read_axes(node, in->rank, drop, &count, infer)) < 0) return code;
  int64_t dims[FV_MAX_RANK];
  for (int d = 0; d < in->rank; d++) {
    if (count < 0 ? in->dims[d] == 1 : drop[d]) {
      if (in->dims[d] != 1) return fv_infer_error(infer, "dimension %d cannot be dropped, it has length %lld", d, (long long)in->dims[d]);
    } else {
      dims[rank++] = in->dims[d];
    }
  }
  return fv_infer_output(node, 0, in->dtype, rank, dims, infer);
}

static int infer_unsqueeze(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int64_t axes[FV_MAX_RANK], dims[FV_MAX_RANK];
  bool insert[FV_MAX_RANK] = {false};
  int count, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_ints(node, 1, "axes", axes, FV_MAX_RANK, &count, infer)) < 0) return code;
  if (count < 0) return fv_infer_error(infer, "no axes are given");
  int rank = in->rank + count;
  if (rank > FV_MAX_RANK) return fv_error_set(infer->err, FV_ERR_LIMIT, "the output would have %d dimensions; the limit is %d", rank, FV_MAX_RANK);
  if ((code = read_axes(node, rank, insert, &count, infer)) < 0) return code;
  for (int d = 0, from = 0; d < rank; d++) dims[d] = insert[d] ? 1 : in->dims[from++];
  return fv_infer_output(node, 0, in->dtype, rank, dims, infer);
}

static int infer_identity(FvNode *node, FvInfer *infer) {
  int code = fv_infer_static_inputs(node, infer);
  return code < 0 ? code : fv_infer_output_like(node, 0, node->inputs[0], infer);
}

/* A detector never trains, so Dropout passes its input on; the mask says that everything was kept. */
static int infer_dropout(FvNode *node, FvInfer *infer) {
  double ratio, training;
  int code = infer_identity(node, infer);
  if (code < 0 || (code = fv_infer_const_scalar(node, 1, 0.5, &ratio, infer)) < 0 ||
      (code = fv_infer_const_scalar(node, 2, 0, &training, infer)) < 0)
    return code;
  if (training != 0 && ratio != 0) return fv_infer_unsupported(infer, "training mode, which drops at random");
  const FvValue *in = node->inputs[0];
  return fv_infer_output(node, 1, node->opset >= 10 ? FV_DTYPE_BOOL : in->dtype, in->rank, in->dims, infer);
}

static int infer_expand(FvNode *node, FvInfer *infer) {
  FvValue shape = {.name = "shape"};
  int64_t dims[FV_MAX_RANK];
  int rank, code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = fv_infer_const_ints(node, 1, shape.dims, FV_MAX_RANK, &shape.rank, infer)) < 0) return code;
  for (int d = 0; d < shape.rank; d++)
    if (shape.dims[d] < 0) return fv_infer_error(infer, "the shape has a negative dimension, %lld", (long long)shape.dims[d]);
  if ((code = fv_infer_broadcast(node->inputs[0], &shape, &rank, dims, infer)) < 0) return code;
  return fv_infer_output(node, 0, node->inputs[0]->dtype, rank, dims, infer);
}

static bool view_reshape(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset) {
  if (index != 0) return false;
  FvTensor view;
  fv_view_begin(node, 0, input, &view);
  if (!fv_view_reshape(input, &view)) return false;
  output->dtype = view.dtype;
  output->rank = view.rank;
  memcpy(output->dims, view.dims, sizeof view.dims);
  memcpy(output->strides, view.strides, sizeof view.strides);
  *offset = 0;
  return true;
}

static bool view_expand(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset) {
  fv_view_begin(node, 0, input, output);
  int added = output->rank - input->rank;
  for (int d = 0; d < output->rank; d++)
    output->strides[d] = d < added || input->dims[d - added] != output->dims[d] ? 0 : input->strides[d - added];
  *offset = 0;
  return true;
}

static void reshape_reference(const FvKernelCall *call) { fv_copy_in_order(call->out[0], call->in[0]); }

static void dropout_reference(const FvKernelCall *call) {
  if (call->out[0]) fv_copy_in_order(call->out[0], call->in[0]);
  const FvTensor *mask = call->node->output_count > 1 ? call->out[1] : NULL;
  if (!mask || fv_tensor_count(mask) == 0) return;
  int64_t index[FV_MAX_RANK] = {0};
  do fv_store_f64(mask, fv_offset(mask, index), 1);
  while (fv_index_next(index, mask->dims, mask->rank));
}

static void expand_reference(const FvKernelCall *call) {
  FvTensor in = *call->out[0];
  int64_t offset;
  view_expand(call->node, 0, call->in[0], &in, &offset);
  in.data = call->in[0]->data;
  fv_tensor_copy(call->out[0], &in, NULL);
}

const FvOp fv_ops_reshape[] = {
  {.name = "Reshape", .kind = FV_OP_RESHAPE, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_reshape, .view = view_reshape, .reference = reshape_reference},
  {.name = "Flatten", .kind = FV_OP_RESHAPE, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_flatten, .view = view_reshape, .reference = reshape_reference},
  {.name = "Squeeze", .kind = FV_OP_RESHAPE, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_squeeze, .view = view_reshape, .reference = reshape_reference},
  {.name = "Unsqueeze", .kind = FV_OP_RESHAPE, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_unsqueeze, .view = view_reshape, .reference = reshape_reference},
  {.name = "Identity", .kind = FV_OP_IDENTITY, .min_inputs = 1, .max_inputs = 1, .min_outputs = 1, .max_outputs = 1,
   .infer = infer_identity, .view = view_reshape, .reference = reshape_reference},
  {.name = "Dropout", .kind = FV_OP_IDENTITY, .min_inputs = 1, .max_inputs = 3, .min_outputs = 1, .max_outputs = 2, .constant_inputs = 1 << 1 | 1 << 2,
   .infer = infer_dropout, .view = view_reshape, .reference = dropout_reference},
  {.name = "Expand", .kind = FV_OP_EXPAND, .min_inputs = 2, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1,
   .infer = infer_expand, .view = view_expand, .reference = expand_reference},
  {0}};

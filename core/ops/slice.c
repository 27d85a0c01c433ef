/* Slice: every step-th element between two bounds, always a view. */
#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "ops/views.h"

static int64_t clamp(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }

typedef struct Bounds {
  int64_t starts[FV_MAX_RANK], ends[FV_MAX_RANK], axes[FV_MAX_RANK], steps[FV_MAX_RANK];
  int count;
} Bounds;

static int read_bounds(const FvNode *node, int rank, Bounds *bounds, FvInfer *infer) {
  int starts, ends, axes, steps, code;
  if ((code = fv_infer_ints(node, 1, "starts", bounds->starts, rank, &starts, infer)) < 0 ||
      (code = fv_infer_ints(node, 2, "ends", bounds->ends, rank, &ends, infer)) < 0 ||
      (code = fv_infer_ints(node, 3, "axes", bounds->axes, rank, &axes, infer)) < 0 ||
      (code = fv_infer_ints(node, 4, "steps", bounds->steps, rank, &steps, infer)) < 0)
    return code;
  if (starts < 0 || ends != starts || (axes >= 0 && axes != starts) || (steps >= 0 && steps != starts))
    return fv_infer_error(infer, "starts, ends, axes and steps differ in length (%d, %d, %d, %d)", starts, ends, axes, steps);
  for (int i = 0; i < starts; i++) {
    if (axes < 0) bounds->axes[i] = i;
    if (steps < 0) bounds->steps[i] = 1;
  }
  bounds->count = starts;
  return 0;
}

/* One axis as ONNX (and numpy) clamp it; returns how many elements are taken. */
static int64_t slice_axis(int64_t length, int64_t begin, int64_t end, int64_t *start, int64_t *step) {
  *step = clamp(*step, -FV_MAX_DIM, FV_MAX_DIM); /* further takes one element, too */
  if (begin < 0) begin = begin < -length ? -1 : begin + length;
  if (end < 0) end = end < -length ? -1 : end + length;
  int64_t count;
  if (*step > 0) {
    begin = clamp(begin, 0, length);
    end = clamp(end, 0, length);
    count = end > begin ? (end - begin + *step - 1) / *step : 0;
  } else {
    begin = clamp(begin, length ? 0 : -1, length - 1);
    end = clamp(end, -1, length - 1);
    count = begin > end ? (begin - end - *step - 1) / -*step : 0;
  }
  *start = count ? begin : 0;
  return count;
}

static int infer_slice(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  Bounds bounds;
  int64_t dims[FV_MAX_RANK];
  bool seen[FV_MAX_RANK] = {false};
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0 || (code = read_bounds(node, in->rank, &bounds, infer)) < 0) return code;
  FvSliceParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  for (int d = 0; d < in->rank; d++) {
    params->step[d] = 1;
    dims[d] = in->dims[d];
  }
  for (int i = 0; i < bounds.count; i++) {
    int axis;
    if ((code = fv_infer_axis(bounds.axes[i], in->rank, &axis, infer)) < 0) return code;
    if (seen[axis]) return fv_infer_error(infer, "axis %d is named twice", axis);
    if (bounds.steps[i] == 0) return fv_infer_error(infer, "the step along axis %d is 0", axis);
    seen[axis] = true;
    params->step[axis] = bounds.steps[i];
    dims[axis] = slice_axis(in->dims[axis], bounds.starts[i], bounds.ends[i], &params->start[axis], &params->step[axis]);
  }
  return fv_infer_output(node, 0, in->dtype, in->rank, dims, infer);
}

static bool view_slice(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset) {
  const FvSliceParams *params = node->params;
  fv_view_begin(node, index, input, output);
  *offset = 0;
  for (int d = 0; d < input->rank; d++) {
    output->strides[d] = input->strides[d] * params->step[d];
    *offset += input->strides[d] * params->start[d];
  }
  return true;
}

static void slice_reference(const FvKernelCall *call) {
  FvTensor view;
  int64_t offset;
  view_slice(call->node, 0, call->in[0], &view, &offset);
  view.data = fv_element(call->in[0], offset);
  fv_tensor_copy(call->out[0], &view, NULL);
}

const FvOp fv_ops_slice[] = {
  {.name = "Slice", .kind = FV_OP_SLICE, .min_inputs = 1, .max_inputs = 5, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 0x1e,
   .infer = infer_slice, .view = view_slice, .reference = slice_reference},
  {0}};

/* Pad: a border of a constant, or of the tensor's own elements; negative pads crop. */
#include <string.h>

#include "ops/families.h"
#include "ir/op.h"
#include "ops/params.h"
#include "base/strided.h"
#include "ops/views.h"

static int read_mode(const FvNode *node, FvPadMode *mode, FvInfer *infer) {
  static const char *const names[] = {[FV_PAD_CONSTANT] = "constant", [FV_PAD_REFLECT] = "reflect", [FV_PAD_EDGE] = "edge", [FV_PAD_WRAP] = "wrap"};
  const char *name = fv_node_string(node, "mode", "constant");
  for (int i = 0; i < 4; i++)
    if (strcmp(name, names[i]) == 0) {
      *mode = (FvPadMode)i;
      return 0;
    }
  return fv_infer_error(infer, "mode '%s' is none of constant, reflect, edge, wrap", name);
}

/* pads holds the beginnings of all axes, then the ends; the axes are all of them unless input 3 lists some. */
static int read_pads(const FvNode *node, int rank, FvPadParams *params, FvInfer *infer) {
  int64_t pads[2 * FV_MAX_RANK], axes[FV_MAX_RANK];
  int pad_count, axis_count, code;
  const char *attr = node->opset < 2 ? "paddings" : "pads";
  if ((code = fv_infer_ints(node, 1, attr, pads, 2 * FV_MAX_RANK, &pad_count, infer)) < 0 ||
      (code = fv_infer_const_ints(node, 3, axes, FV_MAX_RANK, &axis_count, infer)) < 0)
    return code;
  int count = axis_count < 0 ? rank : axis_count;
  if (pad_count != 2 * count) return fv_infer_error(infer, "%d pads are given for %d axes", pad_count < 0 ? 0 : pad_count, count);
  bool seen[FV_MAX_RANK] = {false};
  for (int i = 0; i < count; i++) {
    int axis;
    if ((code = fv_infer_axis(axis_count < 0 ? i : axes[i], rank, &axis, infer)) < 0) return code;
    if (seen[axis]) return fv_infer_error(infer, "axis %d is named twice", axis);
    seen[axis] = true;
    int64_t begin = pads[i], end = pads[count + i];
    if (begin < -FV_MAX_DIM || begin > FV_MAX_DIM || end < -FV_MAX_DIM || end > FV_MAX_DIM)
      return fv_infer_error(infer, "the pads of axis %d are out of bounds", axis);
    params->begin[axis] = begin;
    params->end[axis] = end;
  }
  return 0;
}

static int read_value(const FvNode *node, FvPadParams *params, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, 2);
  params->value = fv_node_float(node, "value", 0);
  if (!value) return 0;
  int64_t count = 1;
  for (int d = 0; d < value->rank; d++) count *= value->dims[d];
  if (count != 1 || value->dtype != node->inputs[0]->dtype)
    return fv_infer_error(infer, "'%s' must be one number of type %s", value->name, fv_dtype_name(node->inputs[0]->dtype));
  if (value->constant) params->value = fv_load_f64(value->constant, 0);
  return 0;
}

static int64_t min0(int64_t value) { return value < 0 ? value : 0; }

static int infer_pad(FvNode *node, FvInfer *infer) {
  const FvValue *in = node->inputs[0];
  int code = fv_infer_static_inputs(node, infer);
  if (code < 0) return code;
  FvPadParams *params = fv_infer_params(node, infer, sizeof *params);
  if (!params) return FV_ERR_NO_MEMORY;
  if ((code = read_mode(node, &params->mode, infer)) < 0 || (code = read_pads(node, in->rank, params, infer)) < 0 ||
      (code = read_value(node, params, infer)) < 0)
    return code;
  int64_t dims[FV_MAX_RANK];
  for (int d = 0; d < in->rank; d++) {
    dims[d] = in->dims[d] + params->begin[d] + params->end[d];
    int64_t kept = in->dims[d] + min0(params->begin[d]) + min0(params->end[d]);
    if (params->mode != FV_PAD_CONSTANT && kept < 1 && dims[d] > 0)
      return fv_infer_error(infer, "nothing is left of dimension %d to fill its border with", d);
  }
  return fv_infer_output(node, 0, in->dtype, in->rank, dims, infer);
}

static int64_t floor_mod(int64_t value, int64_t n) {
  int64_t rest = value % n;
  return rest < 0 ? rest + n : rest;
}

/* Where output index `at` of dimension d comes from; -1: from the pad value. Cropping comes before padding. */
static int64_t source_index(const FvPadParams *params, int d, int64_t at, int64_t length) {
  int64_t cropped = -min0(params->begin[d]), kept = length - cropped + min0(params->end[d]);
  int64_t x = at - params->begin[d] - cropped;
  if (x >= 0 && x < kept) return cropped + x;
  switch (params->mode) {
    case FV_PAD_EDGE: return cropped + (x < 0 ? 0 : kept - 1);
    case FV_PAD_WRAP: return cropped + floor_mod(x, kept);
    case FV_PAD_REFLECT: /* … 2 1 [0 1 2] 1 0 … with a period that counts neither end twice */
      if (kept == 1) return cropped;
      x = floor_mod(x, 2 * (kept - 1));
      return cropped + (x < kept ? x : 2 * (kept - 1) - x);
    default: return -1;
  }
}

static void pad_reference(const FvKernelCall *call) {
  const FvPadParams *params = call->node->params;
  const FvTensor *in = call->in[0], *out = call->out[0], *given = call->node->input_count > 2 ? call->in[2] : NULL;
  if (fv_tensor_count(out) == 0) return;
  int64_t fill[1] = {0}; /* room for one element of any type */
  FvTensor fill_tensor = {.dtype = out->dtype, .data = fill};
  if (given)
    memcpy(fill, given->data, fv_dtype_size(out->dtype));
  else
    fv_store_f64(&fill_tensor, 0, params->value);
  size_t size = fv_dtype_size(out->dtype);
  int64_t at[FV_MAX_RANK] = {0};
  do {
    int64_t source = 0;
    bool inside = true;
    for (int d = 0; d < out->rank; d++) {
      int64_t from = source_index(params, d, at[d], in->dims[d]);
      inside &= from >= 0;
      source += from * in->strides[d];
    }
    memcpy(fv_element(out, fv_offset(out, at)), inside ? fv_element(in, source) : fill, size);
  } while (fv_index_next(at, out->dims, out->rank));
}

const FvOp fv_ops_pad[] = {
  {.name = "Pad", .kind = FV_OP_PAD, .min_inputs = 1, .max_inputs = 4, .min_outputs = 1, .max_outputs = 1, .constant_inputs = 1 << 1 | 1 << 3,
   .flags = FV_OP_FOLLOWS_LAYOUT, .infer = infer_pad, .reference = pad_reference},
  {0}};

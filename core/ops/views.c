#include "ops/views.h"

#include <string.h>

#include "base/strided.h"

/* Strides of out's dims [first, last) from a run of in's dims that is contiguous with step `stride` at its end. */
static void split_run(FvTensor *out, const int64_t *dims, int first, int last, int64_t stride) {
  for (int d = last - 1; d >= first; d--) {
    out->strides[d] = stride;
    stride *= dims[d];
  }
}

bool fv_view_reshape(const FvTensor *in, FvTensor *out) {
  if (fv_tensor_count(in) == 0) {
    fv_tensor_set_contiguous(out);
    return true;
  }
  /* Match the shortest runs of dims with equal products, from the left; a run can be cut anew when in's dims lie dense in it. */
  int64_t dims[FV_MAX_RANK], strides[FV_MAX_RANK];
  int rank = 0;
  for (int d = 0; d < in->rank; d++) {
    if (in->dims[d] == 1) continue;
    dims[rank] = in->dims[d];
    strides[rank++] = in->strides[d];
  }
  FvTensor view = *out;
  int from = 0, to = 0;
  while (from < rank && to < out->rank) {
    int from_end = from + 1, to_end = to + 1;
    int64_t from_count = dims[from], to_count = out->dims[to];
    while (from_count != to_count) {
      if (from_count < to_count) {
        if (from_end == rank) return false;
        from_count *= dims[from_end++];
      } else {
        if (to_end == out->rank) return false;
        to_count *= out->dims[to_end++];
      }
    }
    for (int d = from; d + 1 < from_end; d++)
      if (strides[d] != strides[d + 1] * dims[d + 1]) return false;
    split_run(&view, out->dims, to, to_end, strides[from_end - 1]);
    from = from_end;
    to = to_end;
  }
  for (; to < out->rank; to++) view.strides[to] = 1; /* only dims of 1 are left */
  memcpy(out->strides, view.strides, sizeof out->strides);
  return true;
}

void fv_view_begin(const FvNode *node, int index, const FvTensor *in, FvTensor *view) {
  const FvValue *value = node->outputs[index];
  view->dtype = in->dtype;
  view->rank = value->rank;
  memcpy(view->dims, value->dims, sizeof view->dims);
}

FvTensor fv_drop_dims(const FvTensor *tensor, int first, int last) {
  FvTensor part = *tensor;
  part.rank = tensor->rank - (last - first);
  memmove(part.dims + first, tensor->dims + last, sizeof part.dims[0] * (size_t)(tensor->rank - last));
  memmove(part.strides + first, tensor->strides + last, sizeof part.strides[0] * (size_t)(tensor->rank - last));
  return part;
}

/* Both sides are cut in different places: walk them together, the shorter of both rows at a time. */
static void copy_rows(const FvTensor *out, const FvTensor *in) {
  size_t size = fv_dtype_size(in->dtype);
  int64_t from[FV_MAX_RANK] = {0}, to[FV_MAX_RANK] = {0};
  int in_last = in->rank - 1, out_last = out->rank - 1;
  for (;;) {
    int64_t left_in = in->dims[in_last] - from[in_last], left_out = out->dims[out_last] - to[out_last];
    int64_t n = left_in < left_out ? left_in : left_out;
    int64_t source = fv_offset(in, from), target = fv_offset(out, to);
    for (int64_t i = 0; i < n; i++)
      memcpy(fv_element(out, target + i * out->strides[out_last]), fv_element(in, source + i * in->strides[in_last]), size);
    from[in_last] += n - 1;
    to[out_last] += n - 1;
    if (!fv_index_next(from, in->dims, in->rank) || !fv_index_next(to, out->dims, out->rank)) return;
  }
}

void fv_copy_in_order(const FvTensor *out, const FvTensor *in) {
  if (out->data == in->data || fv_tensor_count(in) == 0) return;
  FvTensor other = *out; /* in, seen with out's shape, or the other way round */
  if (fv_view_reshape(in, &other)) {
    other.data = in->data;
    fv_tensor_copy(out, &other, NULL);
    return;
  }
  other = *in;
  if (fv_view_reshape(out, &other)) {
    other.data = out->data;
    fv_tensor_copy(&other, in, NULL);
    return;
  }
  copy_rows(out, in); /* neither reshapes, so both have a dimension */
}

int fv_infer_static_inputs(const FvNode *node, FvInfer *infer) {
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && node->inputs[i]->dynamic)
      return fv_infer_unsupported(infer, "the length of input '%s' depends on the frame, which this operator does not take", node->inputs[i]->name);
  return 0;
}

int fv_infer_ints(const FvNode *node, int input, const char *attr, int64_t *values, int capacity, int *count, FvInfer *infer) {
  if (input >= 0 && fv_node_input(node, input)) return fv_infer_const_ints(node, input, values, capacity, count, infer);
  *count = fv_node_ints(node, attr, values, capacity);
  if (*count > capacity) return fv_infer_error(infer, "attribute '%s' has %d numbers where at most %d make sense", attr, *count, capacity);
  return 0;
}

int fv_infer_index_type(const FvNode *node, int input, FvInfer *infer) {
  FvDtype dtype = node->inputs[input]->dtype;
  return dtype == FV_DTYPE_I64 || dtype == FV_DTYPE_I32 ? 0 : fv_infer_bad_type(node, input, infer);
}

int fv_infer_index_range(const FvValue *indices, int64_t dim, FvInfer *infer) {
  int64_t count = 1;
  for (int d = 0; d < indices->rank; d++) count *= indices->dims[d];
  if (dim == 0 && count > 0) return fv_infer_error(infer, "indices into a dimension of length 0");
  if (!indices->constant) return 0;
  for (int64_t i = 0; i < count; i++) {
    int64_t index = fv_load_i64(indices->constant, i);
    if (index < -dim || index >= dim)
      return fv_infer_error(infer, "index %lld is outside a dimension of length %lld", (long long)index, (long long)dim);
  }
  return 0;
}

int fv_infer_tuple_range(const FvValue *data, const FvValue *indices, int batch, int depth, FvInfer *infer) {
  for (int k = 0; k < depth; k++)
    if (data->dims[batch + k] == 0) return fv_infer_error(infer, "indices into a dimension of length 0");
  if (!indices->constant) return 0;
  int64_t count = fv_tensor_count(indices->constant);
  for (int64_t i = 0; i < count; i++) {
    int64_t index = fv_load_i64(indices->constant, i), dim = data->dims[batch + i % depth];
    if (index < -dim || index >= dim)
      return fv_infer_error(infer, "index %lld is outside a dimension of length %lld", (long long)index, (long long)dim);
  }
  return 0;
}

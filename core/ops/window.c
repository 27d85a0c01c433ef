#include "ops/window.h"

#include <string.h>

/* Bound on the positions in a window. Padding lets a kernel be larger than any input, and a frame must not take hours. */
#define MAX_TAPS (1 << 24)

/* An attribute with `count` integers in [low, FV_MAX_DIM]; all `fallback` when it is absent. */
static int read_axes(const FvNode *node, const char *name, int count, int64_t low, int64_t fallback, int64_t *values, FvInfer *infer) {
  int found = fv_node_ints(node, name, values, count);
  if (found < 0) {
    for (int i = 0; i < count; i++) values[i] = fallback;
    return 0;
  }
  if (found != count) return fv_infer_error(infer, "%s has %d numbers where %d are wanted", name, found, count);
  for (int i = 0; i < count; i++)
    if (values[i] < low || values[i] > FV_MAX_DIM)
      return fv_infer_error(infer, "%s holds %lld, which is outside %lld to %lld", name, (long long)values[i], (long long)low,
                            (long long)FV_MAX_DIM);
  return 0;
}

static int read_auto_pad(const FvNode *node, FvAutoPad *auto_pad, FvInfer *infer) {
  static const char *const names[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
  const char *name = fv_node_string(node, "auto_pad", "NOTSET");
  for (int i = 0; i < 4; i++)
    if (strcmp(name, names[i]) == 0) {
      *auto_pad = (FvAutoPad)i;
      return 0;
    }
  return fv_infer_error(infer, "auto_pad '%s' is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER", name);
}

int fv_infer_window(const FvNode *node, int spatial_rank, const int64_t *kernel, FvWindow *window, FvAutoPad *auto_pad, FvInfer *infer) {
  int64_t pads[2 * FV_MAX_SPATIAL], taps = 1;
  *window = (FvWindow){.spatial_rank = spatial_rank};
  if (!kernel && !fv_node_attr(node, "kernel_shape")) return fv_infer_error(infer, "kernel_shape is missing");
  int rc = read_axes(node, "kernel_shape", spatial_rank, 1, 1, window->kernel, infer);
  if (!rc) rc = read_axes(node, "strides", spatial_rank, 1, 1, window->stride, infer);
  if (!rc) rc = read_axes(node, "dilations", spatial_rank, 1, 1, window->dilation, infer);
  if (!rc) rc = read_axes(node, "pads", 2 * spatial_rank, 0, 0, pads, infer);
  if (!rc) rc = read_auto_pad(node, auto_pad, infer);
  if (rc) return rc;
  for (int d = 0; d < spatial_rank; d++) {
    if (kernel && fv_node_attr(node, "kernel_shape") && window->kernel[d] != kernel[d])
      return fv_infer_error(infer, "kernel_shape says %lld along axis %d, the weights say %lld", (long long)window->kernel[d], d,
                            (long long)kernel[d]);
    if (kernel) window->kernel[d] = kernel[d];
    if (window->kernel[d] < 1) return fv_infer_error(infer, "the kernel is empty along axis %d", d);
    if (window->kernel[d] > FV_MAX_DIM || fv_window_extent(window, d) > FV_MAX_DIM)
      return fv_error_set(infer->err, FV_ERR_LIMIT, "the dilated kernel spans more than %lld elements", (long long)FV_MAX_DIM);
    taps *= window->kernel[d];
    if (taps > MAX_TAPS) return fv_error_set(infer->err, FV_ERR_LIMIT, "the kernel has more than %d positions", MAX_TAPS);
    window->pad_begin[d] = *auto_pad == FV_AUTO_PAD_NOTSET ? pads[d] : 0;
    window->pad_end[d] = *auto_pad == FV_AUTO_PAD_NOTSET ? pads[spatial_rank + d] : 0;
  }
  return 0;
}

static void pad_to_same(FvWindow *window, int d, bool upper, int64_t in) {
  int64_t out = (in + window->stride[d] - 1) / window->stride[d];
  int64_t total = (out - 1) * window->stride[d] + fv_window_extent(window, d) - in;
  if (total < 0) total = 0;
  window->pad_begin[d] = upper ? total / 2 : total - total / 2;
  window->pad_end[d] = total - window->pad_begin[d];
}

int fv_infer_window_output(FvWindow *window, FvAutoPad auto_pad, const int64_t *in, bool ceil_mode, int64_t *out, FvInfer *infer) {
  for (int d = 0; d < window->spatial_rank; d++) {
    if (auto_pad == FV_AUTO_PAD_SAME_UPPER || auto_pad == FV_AUTO_PAD_SAME_LOWER)
      pad_to_same(window, d, auto_pad == FV_AUTO_PAD_SAME_UPPER, in[d]);
    int64_t padded = in[d] + window->pad_begin[d] + window->pad_end[d], stride = window->stride[d];
    int64_t room = padded - fv_window_extent(window, d);
    if (room < 0)
      return fv_infer_error(infer, "the window spans %lld elements along axis %d, but the padded input has only %lld",
                            (long long)fv_window_extent(window, d), d, (long long)padded);
    out[d] = (ceil_mode ? (room + stride - 1) / stride : room / stride) + 1;
    /* A window that ceil_mode added must still begin inside the input or its leading padding. */
    if (ceil_mode && (out[d] - 1) * stride >= in[d] + window->pad_begin[d]) out[d]--;
  }
  return 0;
}

/* Resize and its forerunner Upsample. Every dimension is worked out once, at load, into source indices and weights. */
#include <math.h>
#include <string.h>

#include "ops/checks.h"
#include "ops/families.h"
#include "ops/params.h"
#include "ops/quantised.h"

/* Bound on the weights of one dimension: a hostile scale cannot make a table of gigabytes. */
#define MAX_AXIS_WEIGHTS (1 << 24)

enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL };
static const char *const nearest_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
static const char *const mode_names[] = {"nearest", "linear", "cubic", NULL};
static const char *const coordinate_names[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                                               "tf_half_pixel_for_nn", "tf_crop_and_resize", NULL};
static const char *const policy_names[] = {"stretch", "not_larger", "not_smaller", NULL};

/* What the shape rule works out on the way to FvResizeParams. */
typedef struct Plan {
  const FvValue *x;
  int64_t out[FV_MAX_RANK];
  double length[FV_MAX_RANK];        /* the output's, before it is rounded down to whole elements */
  double roi[2][FV_MAX_RANK];        /* start and end, 0..1 */
  bool ceil_when_shrinking;          /* nearest before version 11 */
} Plan;

static int read_name(const FvNode *node, const char *attr, const char *fallback, const char *const *names, int *result, FvInfer *infer) {
  const char *name = fv_node_string(node, attr, fallback);
  for (int i = 0; names[i]; i++)
    if (strcmp(name, names[i]) == 0) {
      *result = i;
      return 0;
    }
  return fv_infer_unsupported(infer, "%s '%s' is not known", attr, name);
}

/* A constant vector of floats; count is 0 when it is left out or empty. */
static int read_floats(const FvNode *node, int input, double *values, int capacity, int *count, FvInfer *infer) {
  const FvValue *value = fv_node_input(node, input);
  *count = 0;
  if (!value || (value->rank == 1 && value->dims[0] == 0)) return 0;
  if (!value->constant)
    return fv_infer_unsupported(infer, "input '%s' must be known at load, but it is computed from the frame", value->name);
  if (!fv_dtype_is_float(value->dtype)) return fv_infer_bad_type(node, input, infer);
  if (value->rank != 1 || value->dims[0] > capacity)
    return fv_infer_error(infer, "input '%s' must be a vector of at most %d numbers", value->name, capacity);
  for (int i = 0; i < value->dims[0]; i++) {
    values[i] = fv_load_f64(value->constant, i);
    if (!isfinite(values[i])) return fv_infer_error(infer, "input '%s' holds a number that is not finite", value->name);
  }
  *count = (int)value->dims[0];
  return 0;
}

static int apply_scales(Plan *plan, FvResizeParams *params, const double *scales, const int *axes, int count, FvInfer *infer) {
  for (int i = 0; i < count; i++) {
    int d = axes[i];
    if (!(scales[i] > 0) || scales[i] > 1e9) return fv_infer_error(infer, "scale %g is not positive or too large", scales[i]);
    /* In float, as exporters reckon: 0.7f * 10 is 7 there, not 6.99. */
    float length = (float)plan->x->dims[d] * (float)scales[i];
    if (length > (float)FV_MAX_DIM) return fv_error_set(infer->err, FV_ERR_LIMIT, "scale %g makes dimension %d too large", scales[i], d);
    plan->out[d] = (int64_t)floorf(length);
    plan->length[d] = (double)plan->x->dims[d] * scales[i];
    params->scale[d] = scales[i];
  }
  return 0;
}

static int apply_sizes(const FvNode *node, Plan *plan, FvResizeParams *params, const int64_t *sizes, const int *axes, int count, FvInfer *infer) {
  int policy = 0, rc = read_name(node, "keep_aspect_ratio_policy", "stretch", policy_names, &policy, infer);
  if (rc) return rc;
  double common = policy == 1 ? INFINITY : 0;
  for (int i = 0; i < count; i++) {
    int64_t in = plan->x->dims[axes[i]];
    if (sizes[i] < 0 || sizes[i] > FV_MAX_DIM || (in == 0 && sizes[i] > 0))
      return fv_infer_error(infer, "dimension %d cannot be resized from %lld to %lld", axes[i], (long long)in, (long long)sizes[i]);
    double scale = in ? (double)sizes[i] / (double)in : 1;
    common = policy == 1 ? fmin(common, scale) : fmax(common, scale);
    params->scale[axes[i]] = scale;
    plan->out[axes[i]] = sizes[i];
  }
  for (int i = 0; i < count; i++) {
    int d = axes[i];
    if (policy) {
      double length = floor(common * (double)plan->x->dims[d] + 0.5);
      if (length > (double)FV_MAX_DIM) return fv_error_set(infer->err, FV_ERR_LIMIT, "sizes make dimension %d too large", d);
      params->scale[d] = common;
      plan->out[d] = (int64_t)length;
    }
    plan->length[d] = (double)plan->out[d];
  }
  return 0;
}

static int read_axes(const FvNode *node, int rank, int *axes, int *count, FvInfer *infer) {
  int64_t given[FV_MAX_RANK];
  bool seen[FV_MAX_RANK] = {false};
  *count = fv_node_ints(node, "axes", given, FV_MAX_RANK);
  if (*count > rank) return fv_infer_error(infer, "axes has %d numbers; the input has %d dimensions", *count, rank);
  if (*count < 0) {
    for (*count = 0; *count < rank; ++*count) axes[*count] = *count;
    return 0;
  }
  for (int i = 0; i < *count; i++) {
    int rc = fv_infer_axis(given[i], rank, &axes[i], infer);
    if (rc) return rc;
    if (seen[axes[i]]) return fv_infer_error(infer, "axes names dimension %d twice", axes[i]);
    seen[axes[i]] = true;
  }
  return 0;
}

static int read_roi(const FvNode *node, Plan *plan, const int *axes, int count, FvInfer *infer) {
  double roi[2 * FV_MAX_RANK];
  int found, rc = read_floats(node, 1, roi, 2 * FV_MAX_RANK, &found, infer);
  if (rc) return rc;
  if (found != 2 * count) return fv_infer_error(infer, "roi has %d numbers where %d are wanted", found, 2 * count);
  for (int i = 0; i < 2 * count; i++)
    if (fabs(roi[i]) > 1e6) return fv_infer_error(infer, "roi holds %g; its numbers are fractions of the input", roi[i]);
  for (int i = 0; i < count; i++) {
    plan->roi[0][axes[i]] = roi[i];
    plan->roi[1][axes[i]] = roi[count + i];
  }
  return 0;
}

/* scales at input `scales_at`, sizes at the one behind it (from version 11). */
static int infer_target(const FvNode *node, int scales_at, Plan *plan, FvResizeParams *params, FvInfer *infer) {
  double scales[FV_MAX_RANK];
  int64_t sizes[FV_MAX_RANK];
  int axes[FV_MAX_RANK], count, scale_count, size_count = 0;
  int rc = read_axes(node, plan->x->rank, axes, &count, infer);
  if (!rc && params->coordinate == FV_COORDINATE_TF_CROP_AND_RESIZE) rc = read_roi(node, plan, axes, count, infer);
  if (!rc) rc = read_floats(node, scales_at, scales, FV_MAX_RANK, &scale_count, infer);
  if (!rc) rc = fv_infer_const_ints(node, scales_at + 1, sizes, FV_MAX_RANK, &size_count, infer);
  if (rc) return rc;
  if (scale_count > 0 && size_count > 0) return fv_infer_error(infer, "both scales and sizes are given");
  if (scale_count <= 0 && size_count <= 0 && count > 0) return fv_infer_error(infer, "neither scales nor sizes are given");
  int found = scale_count > 0 ? scale_count : size_count;
  if (count > 0 && found != count) return fv_infer_error(infer, "%d scales or sizes are given for %d dimensions", found, count);
  return scale_count > 0 ? apply_scales(plan, params, scales, axes, count, infer) : apply_sizes(node, plan, params, sizes, axes, count, infer);
}

/* a, b and c of one dimension. length is the output's before rounding: ONNX's own results for align_corners come from it. */
static void resolve_coordinates(const Plan *plan, FvResizeParams *params, int d) {
  double in = (double)plan->x->dims[d], out = (double)plan->out[d], length = plan->length[d], start = plan->roi[0][d], end = plan->roi[1][d];
  double step = 1 / params->scale[d], span = length > 1 ? (in - 1) / (length - 1) : 0;
  double a = 0, b = step, c = 0;
  switch (params->coordinate) {
    case FV_COORDINATE_HALF_PIXEL: a = 0.5, c = -0.5; break;
    case FV_COORDINATE_HALF_PIXEL_SYMMETRIC: a = 0.5, c = in / 2 * (1 - out / length) - 0.5; break;
    case FV_COORDINATE_PYTORCH_HALF_PIXEL:
      if (out > 1) a = 0.5, c = -0.5;
      else b = 0;
      break;
    case FV_COORDINATE_ALIGN_CORNERS: b = span; break;
    case FV_COORDINATE_ASYMMETRIC: break;
    case FV_COORDINATE_TF_HALF_PIXEL_FOR_NN: a = 0.5; break;
    case FV_COORDINATE_TF_CROP_AND_RESIZE:
      b = out > 1 ? (end - start) * span : 0;
      c = out > 1 ? start * (in - 1) : 0.5 * (start + end) * (in - 1);
      break;
  }
  params->a[d] = a, params->b[d] = b, params->c[d] = c;
}

static double source_coordinate(const FvResizeParams *params, int d, int64_t x) {
  return ((double)x + params->a[d]) * params->b[d] + params->c[d];
}

/* Coordinates that are whole or half but for the rounding of a float scale are taken as such, or 3 * (1 / 3) would fall to 0. */
static int64_t round_nearest(double x, int rounding) {
  double snapped = rint(2 * x) / 2;
  if (fabs(x - snapped) < 1e-6 * fmax(1, fabs(x))) x = snapped;
  switch (rounding) {
    case ROUND_PREFER_FLOOR: return (int64_t)ceil(x - 0.5);
    case ROUND_PREFER_CEIL: return (int64_t)floor(x + 0.5);
    case ROUND_FLOOR: return (int64_t)floor(x);
    default: return (int64_t)ceil(x);
  }
}

static double triangle(double u) { return fmax(0, 1 - fabs(u)); }

/* Keys' cubic with free coefficient a. */
static double cubic(double u, double a) {
  u = fabs(u);
  if (u <= 1) return ((a + 2) * u - (a + 3)) * u * u + 1;
  return u < 2 ? ((a * u - 5 * a) * u + 8 * a) * u - 4 * a : 0;
}

static bool is_outside(const FvResizeParams *params, double source, int64_t in) {
  return params->crop && (source < 0 || source > (double)(in - 1));
}

static int32_t clamp_index(int64_t i, int64_t in) { return (int32_t)(i < 0 ? 0 : i >= in ? in - 1 : i); }

static void fill_nearest(const Plan *plan, const FvResizeParams *params, int d, int32_t *index) {
  int64_t in = plan->x->dims[d];
  int rounding = plan->ceil_when_shrinking && params->scale[d] < 1 ? ROUND_CEIL : params->nearest;
  for (int64_t x = 0; x < plan->out[d]; x++) {
    double source = source_coordinate(params, d, x);
    index[x] = is_outside(params, source, in) ? -1 : clamp_index(round_nearest(source, rounding), in);
  }
}

/* Before normalisation: of source index i, u filter units from the centre. */
static double tap_weight(const FvResizeParams *params, int64_t i, int64_t in, double u) {
  if (params->exclude_outside && (i < 0 || i >= in)) return 0;
  return params->mode == FV_RESIZE_CUBIC ? cubic(u, params->cubic_coeff) : triangle(u);
}

/* The taps of output x, the first of them `first` from floor(source). shrink < 1 widens the filter: antialiasing. */
static void fill_taps(const FvResizeParams *params, double source, int64_t in, int64_t first, int taps, double shrink, int32_t *index, float *weight) {
  double base = floor(source), ratio = source - base, sum = 0;
  for (int t = 0; t < taps; t++) sum += tap_weight(params, (int64_t)base + first + t, in, ((double)(first + t) - ratio) * shrink);
  for (int t = 0; t < taps; t++) {
    int64_t i = (int64_t)base + first + t;
    double weight_here = tap_weight(params, i, in, ((double)(first + t) - ratio) * shrink);
    index[t] = clamp_index(i, in);
    weight[t] = sum != 0 ? (float)(weight_here / sum) : 0;
  }
}

static int fill_weighted(const Plan *plan, FvResizeParams *params, int d, FvInfer *infer) {
  double shrink = params->antialias ? fmin(params->scale[d], 1) : 1, reach = params->mode == FV_RESIZE_CUBIC ? 2 : 1;
  double first = floor(-reach / shrink) + 1, taps = 2 - 2 * first;
  int64_t in = plan->x->dims[d], out = plan->out[d];
  if (taps * (double)out > MAX_AXIS_WEIGHTS)
    return fv_error_set(infer->err, FV_ERR_LIMIT, "resizing dimension %d would need more than %d weights", d, MAX_AXIS_WEIGHTS);
  size_t count = (size_t)taps * (size_t)out;
  int32_t *index = fv_arena_array(&infer->graph->arena, count, sizeof *index);
  float *weight = fv_arena_array(&infer->graph->arena, count, sizeof *weight);
  if (!index || !weight) return fv_error_set(infer->err, FV_ERR_NO_MEMORY, "out of memory");
  params->axis[d] = (FvResizeAxis){(int)taps, index, weight};
  for (int64_t x = 0; x < out; x++, index += (int)taps, weight += (int)taps) {
    double source = source_coordinate(params, d, x);
    if (!is_outside(params, source, in))
      fill_taps(params, source, in, (int64_t)first, (int)taps, shrink, index, weight);
    else
      for (int t = 0; t < (int)taps; t++) index[t] = -1;
  }
  return 0;
}

static int fill_axis(const Plan *plan, FvResizeParams *params, int d, FvInfer *infer) {
  resolve_coordinates(plan, params, d);
  if (plan->out[d] == 0 || (plan->out[d] == plan->x->dims[d] && params->scale[d] == 1 && !params->crop)) {
    params->a[d] = 0, params->b[d] = 1, params->c[d] = 0;
    return 0;
  }
  if (params->mode != FV_RESIZE_NEAREST) return fill_weighted(plan, params, d, infer);
  if (plan->out[d] > MAX_AXIS_WEIGHTS)
    return fv_error_set(infer->err, FV_ERR_LIMIT, "dimension %d would have %lld elements; %d can be resized to", d, (long long)plan->out[d],
                        MAX_AXIS_WEIGHTS);
  int32_t *index = fv_arena_array(&infer->graph->arena, (size_t)plan->out[d], sizeof *index);
  if (!index) return fv_error_set(infer->err, FV_ERR_NO_MEMORY, "out of memory");
  fill_nearest(plan, params, d, index);
  params->axis[d] = (FvResizeAxis){1, index, NULL};
  return 0;
}

static int start_plan(const FvNode *node, Plan *plan, FvResizeParams *params, FvInfer *infer) {
  const FvValue *x = plan->x;
  if (x->rank < 1) return fv_infer_error(infer, "input '%s' is a scalar", x->name);
  for (int d = 0; d < x->rank; d++) {
    params->scale[d] = 1;
    plan->out[d] = x->dims[d];
    plan->length[d] = (double)x->dims[d];
    plan->roi[1][d] = 1;
  }
  int mode = FV_RESIZE_NEAREST, rc = 0;
  if (strcmp(fv_node_string(node, "mode", "nearest"), "bilinear") == 0) mode = FV_RESIZE_LINEAR; /* Upsample's first version */
  else rc = read_name(node, "mode", "nearest", mode_names, &mode, infer);
  if (!rc) params->mode = (FvResizeMode)mode;
  return rc;
}

static int finish_plan(FvNode *node, Plan *plan, FvResizeParams *params, FvInfer *infer) {
  int rc = fv_infer_output(node, 0, plan->x->dtype, plan->x->rank, plan->out, infer);
  for (int d = 0; d < plan->x->rank && !rc; d++) rc = fill_axis(plan, params, d, infer);
  return rc;
}

static int read_modes(const FvNode *node, FvResizeParams *params, FvInfer *infer) {
  int coordinate = 0, rc = read_name(node, "coordinate_transformation_mode", "half_pixel", coordinate_names, &coordinate, infer);
  if (!rc) rc = read_name(node, "nearest_mode", "round_prefer_floor", nearest_names, &params->nearest, infer);
  if (rc) return rc;
  params->coordinate = (FvCoordinateMode)coordinate;
  params->crop = coordinate == FV_COORDINATE_TF_CROP_AND_RESIZE;
  params->antialias = fv_node_int(node, "antialias", 0) != 0;
  params->exclude_outside = fv_node_int(node, "exclude_outside", 0) != 0;
  params->extrapolation_value = fv_node_float(node, "extrapolation_value", 0);
  params->cubic_coeff = (double)fv_node_float(node, "cubic_coeff_a", -0.75f);
  return 0;
}

static int infer_resize(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need(node, 0, infer);
  FvResizeParams *params = x ? fv_infer_params(node, infer, sizeof *params) : NULL;
  if (!params) return fv_infer_failed(infer);
  bool old = node->opset < 11; /* inputs x, scales; no coordinate modes */
  Plan plan = {.x = x, .ceil_when_shrinking = old};
  int rc = start_plan(node, &plan, params, infer);
  if (!rc && !old) rc = read_modes(node, params, infer);
  if (old) params->coordinate = FV_COORDINATE_ASYMMETRIC, params->nearest = ROUND_FLOOR;
  if (!rc) rc = infer_target(node, old ? 1 : 2, &plan, params, infer);
  return rc ? rc : finish_plan(node, &plan, params, infer);
}

/* Scales as attributes: `scales` in version 7, height_scale and width_scale in version 1. */
static int upsample_scales(const FvNode *node, int rank, double *scales, int *count, FvInfer *infer) {
  const FvAttr *attr = fv_node_attr(node, "scales");
  if (attr && attr->kind == FV_ATTR_FLOATS) {
    *count = attr->count;
    for (int i = 0; i < attr->count && i < FV_MAX_RANK; i++) scales[i] = (double)attr->floats[i];
  } else if (rank == 4 && fv_node_attr(node, "height_scale")) {
    *count = 4;
    scales[0] = scales[1] = 1;
    scales[2] = (double)fv_node_float(node, "height_scale", 1);
    scales[3] = (double)fv_node_float(node, "width_scale", 1);
  } else {
    return read_floats(node, 1, scales, FV_MAX_RANK, count, infer);
  }
  return 0;
}

static int infer_upsample(FvNode *node, FvInfer *infer) {
  const FvValue *x = fv_infer_need(node, 0, infer);
  FvResizeParams *params = x ? fv_infer_params(node, infer, sizeof *params) : NULL;
  if (!params) return fv_infer_failed(infer);
  static const int axes[FV_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
  double scales[FV_MAX_RANK];
  Plan plan = {.x = x, .ceil_when_shrinking = true};
  params->coordinate = FV_COORDINATE_ASYMMETRIC;
  params->nearest = ROUND_FLOOR;
  int count, rc = start_plan(node, &plan, params, infer);
  if (!rc) rc = upsample_scales(node, x->rank, scales, &count, infer);
  if (rc) return rc;
  if (count != x->rank) return fv_infer_error(infer, "%d scales are given for %d dimensions", count, x->rank);
  rc = apply_scales(&plan, params, scales, axes, count, infer);
  return rc ? rc : finish_plan(node, &plan, params, infer);
}

/* Where tap `tap` of output `index` reads, and with what weight; false outside the region of interest. */
static bool locate(const FvResizeParams *params, const FvTensor *x, const int64_t *index, const int64_t *tap, int64_t *offset, double *weight) {
  *offset = 0;
  *weight = 1;
  for (int d = 0; d < x->rank; d++) {
    const FvResizeAxis *axis = &params->axis[d];
    int64_t entry = index[d] * axis->taps + tap[d], at = axis->taps ? axis->index[entry] : index[d];
    if (at < 0) return false;
    *offset += at * x->strides[d];
    if (axis->weight) *weight *= (double)axis->weight[entry];
  }
  return true;
}

static double interpolate(const FvResizeParams *params, const FvTensor *x, const int64_t *index) {
  int64_t tap[FV_MAX_RANK] = {0}, taps[FV_MAX_RANK], offset;
  double sum = 0, weight;
  for (int d = 0; d < x->rank; d++) taps[d] = params->axis[d].taps ? params->axis[d].taps : 1;
  do {
    if (!locate(params, x, index, tap, &offset, &weight)) return (double)params->extrapolation_value;
    sum += weight * fv_load_f64(x, offset);
  } while (fv_index_next(tap, taps, x->rank));
  return sum;
}

/* Bytes between bytes: sums of whole numbers, halves up. */
static bool interpolates_bytes(const FvResizeParams *params, const FvTensor *x) {
  int axes = 0;
  for (int d = 0; d < x->rank; d++) {
    if (params->axis[d].taps != 0 && params->axis[d].taps != 2) return false;
    axes += params->axis[d].taps == 2;
  }
  return fv_dtype_is_8bit(x->dtype) && params->mode == FV_RESIZE_LINEAR && !params->crop && axes <= 2;
}

static int64_t interpolate_bytes(const FvResizeParams *params, const FvTensor *x, const int64_t *index) {
  int64_t tap[FV_MAX_RANK] = {0}, taps[FV_MAX_RANK], sum = 0, one = 1;
  for (int d = 0; d < x->rank; d++) {
    taps[d] = params->axis[d].taps ? 2 : 1;
    if (params->axis[d].taps) one <<= FV_RESIZE_WEIGHT_BITS;
  }
  do {
    int64_t offset = 0, weight = 1;
    for (int d = 0; d < x->rank; d++) {
      const FvResizeAxis *axis = &params->axis[d];
      offset += (axis->taps ? axis->index[index[d] * 2 + tap[d]] : index[d]) * x->strides[d];
      if (axis->taps) weight *= fv_resize_weight_8bit(axis->weight, index[d], (int)tap[d]);
    }
    sum += weight * fv_load_i64(x, offset);
  } while (fv_index_next(tap, taps, x->rank));
  return (sum + one / 2) >> (__builtin_ctzll((unsigned long long)one));
}

static void copy_nearest(const FvResizeParams *params, const FvTensor *x, const int64_t *index, const FvTensor *y, int64_t y_at) {
  static const int64_t only[FV_MAX_RANK] = {0};
  int64_t offset;
  double weight;
  if (!locate(params, x, index, only, &offset, &weight)) fv_store_f64(y, y_at, (double)params->extrapolation_value);
  else if (fv_dtype_is_float(x->dtype)) fv_store_f64(y, y_at, fv_load_f64(x, offset));
  else fv_store_i64(y, y_at, fv_load_i64(x, offset));
}

static void reference_resize(const FvKernelCall *call) {
  const FvResizeParams *params = call->node->params;
  const FvTensor *x = call->in[0], *y = call->out[0];
  int64_t index[FV_MAX_RANK] = {0};
  if (fv_tensor_count(y) == 0) return;
  bool bytes = interpolates_bytes(params, x);
  do {
    int64_t at = fv_offset(y, index);
    if (params->mode == FV_RESIZE_NEAREST) copy_nearest(params, x, index, y, at);
    else if (bytes) fv_store_i64(y, at, interpolate_bytes(params, x, index));
    else fv_store_f64(y, at, interpolate(params, x, index));
  } while (fv_index_next(index, y->dims, y->rank));
}

const FvOp fv_ops_resize[] = {
  {.name = "Resize", .kind = FV_OP_RESIZE, .min_inputs = 1, .max_inputs = 4, .min_outputs = 1, .max_outputs = 1,
   .constant_inputs = 1u << 1 | 1u << 2 | 1u << 3, .flags = FV_OP_SPATIAL, .infer = infer_resize, .reference = reference_resize},
  {.name = "Upsample", .kind = FV_OP_RESIZE, .min_inputs = 1, .max_inputs = 2, .min_outputs = 1, .max_outputs = 1,
   .constant_inputs = 1u << 1, .flags = FV_OP_SPATIAL, .infer = infer_upsample, .reference = reference_resize},
  {0},
};

/* Resizing pictures: shaders/resize.comp, with the tables of FvResizeParams as its weights. */
#include "vulkan/shape.h"

#include "push/resize.h"

typedef struct Resize {
  FvVkImage x, y;
  FvResizeAxis rows, columns;
} Resize;

static bool look(const FvKernelQuery *q, Resize *r) {
  const FvResizeParams *params = q->node->params;
  if (!fv_vk_is_float(q->in[0]) || q->in[0]->data || !fv_vk_image(q->in[0], &r->x) || !fv_vk_image(q->out[0], &r->y)) return false;
  int rank = q->in[0]->rank;
  if (params->axis[0].taps || params->axis[1].taps || r->y.h >= 1 << 24 || r->y.w >= 1 << 24) return false; /* indices are kept as floats */
  r->columns = params->axis[rank - 1];
  if (rank == 4) r->rows = params->axis[2];
  return true;
}

static bool suits(const FvKernelQuery *q) {
  Resize r = {0};
  return look(q, &r);
}

static int64_t taps(const FvResizeAxis *axis) { return axis->taps ? axis->taps : 1; }
static size_t table_floats(const FvResizeAxis *axis, int64_t length) { return (size_t)(taps(axis) * length * 2); }

static size_t packed_size(const FvKernelQuery *q) {
  Resize r = {0};
  look(q, &r);
  return (table_floats(&r.rows, r.y.h) + table_floats(&r.columns, r.y.w)) * sizeof(float);
}

static void pack_axis(const FvResizeAxis *axis, int64_t length, float *to) {
  for (int64_t i = 0; i < taps(axis) * length; i++) {
    to[2 * i] = axis->taps ? (float)axis->index[i] : (float)i;
    to[2 * i + 1] = axis->taps && axis->weight ? axis->weight[i] : 1;
  }
}

static void pack(const FvKernelQuery *q, void *packed) {
  Resize r = {0};
  look(q, &r);
  pack_axis(&r.rows, r.y.h, packed);
  pack_axis(&r.columns, r.y.w, (float *)packed + table_floats(&r.rows, r.y.h));
}

static int emit_resize(FvVkEmit *emit) {
  Resize r = {0};
  look(&emit->query, &r);
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  bool vector = (r.x.sc == 1 || r.x.c == 1) && (r.y.sc == 1 || r.y.c == 1);
  struct FvResizePush push = {
    .x_at = x.at, .y_at = y.at, .rows_at = emit->packed_at, .columns_at = emit->packed_at + (int)table_floats(&r.rows, r.y.h),
    .x_row = (int)r.x.sh, .x_pixel = (int)r.x.sw, .x_image = (int)r.x.sn, .x_channel = (int)r.x.sc,
    .y_row = (int)r.y.sh, .y_pixel = (int)r.y.sw, .y_image = (int)r.y.sn, .y_channel = (int)r.y.sc,
    .out_height = (int)r.y.h, .out_width = (int)r.y.w, .channels = (int)r.x.c, .outside = ((const FvResizeParams *)emit->node->params)->extrapolation_value,
  };
  FvVkLaunch launch = {
    .shader = FV_SHADER_RESIZE, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = r.y.n * r.y.h * r.y.w * fv_vk_ceil_div(r.x.c, vector ? 4 : 1),
    .spec_count = 5, .spec = {fv_vk_aligned_pixels(&x), fv_vk_place_lies(&y), vector, (uint32_t)taps(&r.rows), (uint32_t)taps(&r.columns)},
  };
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_resize[] = {
  {.name = "resize_f32_vulkan", .op = FV_OP_RESIZE, .forms = FV_VK_TAKES_HALF, .suits = suits, .packed_size = packed_size, .pack = pack, .emit = emit_resize},
  {0}};

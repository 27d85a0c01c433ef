/* Windows and tables over pictures of bytes: pooling (shaders/qpool.comp) and resizing (shaders/qresize.comp). */
#include <math.h>
#include <string.h>

#include "ir/names.h"
#include "vulkan/quantised.h"

#include "push/qpool.h"
#include "push/qresize.h"

/* --- pooling --- */

enum { MAX_AREA = 1 << 22 /* sums of bytes stay within 32 bits, twice over */, MAX_TABLE = 4096, MAX_UNROLLED = 25 /* taps */ };

typedef struct Qpool {
  FvVkImage x, y;
  FvVkWindow window;
  uint32_t mode;
  int64_t bottom, right;
} Qpool;

static bool look_pictures(const FvKernelQuery *q, Qpool *p) {
  const FvTensor *x = q->in[0], *y = q->out[0];
  if (!fv_vk_is_8bit(x) || x->data || !y || y->dtype != x->dtype || !fv_vk_image(x, &p->x) || !fv_vk_image(y, &p->y)) return false;
  return p->x.n * p->x.sn <= INT32_MAX && p->y.n * p->y.sn <= INT32_MAX;
}

static bool look_window(const FvKernelQuery *q, Qpool *p) {
  const FvPoolParams *params = q->node->params;
  const FvWindow *w = &params->window;
  if (!look_pictures(q, p) || !fv_vk_window(w, &p->window)) return false;
  int last = w->spatial_rank - 1;
  p->bottom = p->x.h + (last > 0 ? w->pad_end[0] : 0);
  p->right = p->x.w + w->pad_end[last];
  p->mode = q->node->op->kind == FV_OP_MAX_POOL ? QPOOL_MAX : params->count_include_pad ? QPOOL_AVERAGE_WITH_PADS : QPOOL_AVERAGE;
  return true;
}

/* [N, H, W, C] as [N, C, H, W] */
static void turn(FvVkImage *image) {
  *image = (FvVkImage){image->n, image->w, image->c, image->h, image->sn, image->sw, image->sc, image->sh};
}

static bool look_whole(const FvKernelQuery *q, Qpool *p) {
  if (!look_pictures(q, p)) return false;
  if (fv_node_int(q->node, "channels_last", 0)) {
    if (q->in[0]->rank != 4) return false;
    turn(&p->x);
    turn(&p->y);
  }
  p->mode = QPOOL_WHOLE;
  p->window = (FvVkWindow){(int32_t)p->x.h, (int32_t)p->x.w, 1, 1, 1, 1, 0, 0};
  return p->x.h * p->x.w <= MAX_AREA;
}

static bool look(const FvKernelQuery *q, Qpool *p) {
  *p = (Qpool){0};
  return q->node->op->kind == FV_OP_QLINEAR_GLOBAL_AVERAGE_POOL ? look_whole(q, p) : look_window(q, p);
}

static bool suits_max(const FvKernelQuery *q) {
  Qpool p;
  return (q->node->output_count < 2 || !q->out[1]) && look(q, &p);
}

static bool suits_average(const FvKernelQuery *q) {
  Qpool p;
  if (!fv_vk_per_tensor(q, 1) || !fv_vk_per_tensor(q, 3) || !fv_activates_steps(q->node->activation.type) || !look(q, &p)) return false;
  return p.mode == QPOOL_WHOLE || (int64_t)p.window.kh * p.window.kw <= MAX_TABLE;
}

static int64_t table_length(const Qpool *p) { return p->mode == QPOOL_WHOLE ? 1 : (int64_t)p->window.kh * p->window.kw + 1; }

static size_t packed_size(const FvKernelQuery *q) {
  Qpool p;
  look(q, &p);
  return (size_t)table_length(&p) * sizeof(float);
}

/* As the reference has it: the scale of y times the number of pixels comes first. */
static void pack(const FvKernelQuery *q, void *packed) {
  Qpool p;
  look(q, &p);
  float x_scale = (float)fv_quant_param(q->in[1], 0), y_scale = (float)fv_quant_param(q->in[3], 0), *to = packed;
  if (p.mode == QPOOL_WHOLE) to[0] = x_scale / (y_scale * (float)(p.x.h * p.x.w));
  for (int64_t count = 1; p.mode != QPOOL_WHOLE && count < table_length(&p); count++) to[count] = x_scale / (y_scale * (float)count);
}

static int emit_pool(FvVkEmit *emit) {
  Qpool p;
  look(&emit->query, &p);
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  bool average = p.mode != QPOOL_MAX;
  FvActivation act = average ? fv_vk_activation_in_steps(emit->node->activation, (float)fv_quant_param(emit->query.in[3], 0)) : (FvActivation){0};
  struct FvQpoolPush push = {
    .x_at = x.at, .y_at = y.at, .table_at = emit->packed_at, .x_row = (int)p.x.sh, .x_pixel = (int)p.x.sw, .x_image = (int)p.x.sn, .x_channel = (int)p.x.sc,
    .y_row = (int)p.y.sh, .y_pixel = (int)p.y.sw, .y_image = (int)p.y.sn, .y_channel = (int)p.y.sc, .height = (int)p.x.h, .width = (int)p.x.w,
    .out_height = (int)p.y.h, .out_width = (int)p.y.w, .channels = (int)p.x.c, .kh = p.window.kh, .kw = p.window.kw, .sy = p.window.sh, .sx = p.window.sw,
    .dy = p.window.dh, .dx = p.window.dw, .top = p.window.top, .left = p.window.left, .bottom = (int)p.bottom, .right = (int)p.right,
    .x_zero = average ? (int)fv_quant_param(fv_query_input(&emit->query, 2), 0) : 0, .y_zero = average ? (int)fv_quant_param(fv_query_input(&emit->query, 4), 0) : 0,
    .alpha = act.alpha, .beta = act.beta,
  };
  bool small = p.window.kh * p.window.kw <= MAX_UNROLLED;
  FvVkLaunch launch = {.shader = FV_SHADER_QPOOL, .params = &push, .params_size = sizeof push, .invocations = p.y.n * p.y.h * p.y.w * fv_vk_ceil_div(p.x.c, 4), .spec_count = 7,
                       .spec = {p.mode, x.tensor->dtype, act.type, fv_vk_bytes_aligned(&p.x, x.at, 4), fv_vk_bytes_lie(fv_vk_bytes_aligned(&p.y, y.at, 4), p.y.c),
                                small ? (uint32_t)p.window.kh : 0, small ? (uint32_t)p.window.kw : 0}};
  return fv_vk_launch(emit, &launch);
}

/* --- resizing --- */

typedef struct Qresize {
  FvVkImage x, y;
  FvResizeAxis rows, columns;
  int bits; /* by which sums are too large: 0 where there are none */
} Qresize;

static bool is_known(const FvResizeParams *params, const FvResizeAxis *axis, Qresize *r) {
  if (params->mode == FV_RESIZE_NEAREST) return axis->taps <= 1;
  if (axis->taps == 2) r->bits += FV_RESIZE_WEIGHT_BITS;
  return axis->taps == 0 || axis->taps == 2;
}

static bool look_resize(const FvKernelQuery *q, Qresize *r) {
  const FvResizeParams *params = q->node->params;
  const FvTensor *x = q->in[0], *y = q->out[0];
  *r = (Qresize){0};
  if (!fv_vk_is_8bit(x) || x->data || !y || !fv_vk_image(x, &r->x) || !fv_vk_image(y, &r->y)) return false;
  if (params->axis[0].taps || params->axis[1].taps || params->mode == FV_RESIZE_CUBIC || (params->mode == FV_RESIZE_LINEAR && params->crop)) return false;
  r->columns = params->axis[x->rank - 1];
  if (x->rank == 4) r->rows = params->axis[2];
  return is_known(params, &r->rows, r) && is_known(params, &r->columns, r) && r->x.n * r->x.sn <= INT32_MAX && r->y.n * r->y.sn <= INT32_MAX;
}

static bool suits_resize(const FvKernelQuery *q) {
  Qresize r;
  return look_resize(q, &r);
}

static int64_t taps(const FvResizeAxis *axis) { return axis->taps ? axis->taps : 1; }
static size_t table_words(const FvResizeAxis *axis, int64_t length) { return (size_t)(taps(axis) * length * 2); }

static size_t packed_size_resize(const FvKernelQuery *q) {
  Qresize r;
  look_resize(q, &r);
  return (table_words(&r.rows, r.y.h) + table_words(&r.columns, r.y.w)) * sizeof(int32_t);
}

static void pack_axis(const FvResizeAxis *axis, int64_t length, int32_t *to) {
  for (int64_t i = 0; i < length; i++)
    for (int tap = 0; tap < taps(axis); tap++, to += 2) {
      to[0] = axis->taps ? axis->index[i * taps(axis) + tap] : (int32_t)i;
      to[1] = axis->taps == 2 ? fv_resize_weight_8bit(axis->weight, i, tap) : 1;
    }
}

static void pack_resize(const FvKernelQuery *q, void *packed) {
  Qresize r;
  look_resize(q, &r);
  pack_axis(&r.rows, r.y.h, packed);
  pack_axis(&r.columns, r.y.w, (int32_t *)packed + table_words(&r.rows, r.y.h));
}

static int emit_resize(FvVkEmit *emit) {
  Qresize r;
  look_resize(&emit->query, &r);
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  uint8_t outside = 0;
  fv_store_f64(&(FvTensor){.dtype = x.tensor->dtype, .data = &outside}, 0, (double)((const FvResizeParams *)emit->node->params)->extrapolation_value);
  struct FvQresizePush push = {
    .x_at = x.at, .y_at = y.at, .rows_at = emit->packed_at, .columns_at = emit->packed_at + (int)table_words(&r.rows, r.y.h),
    .x_row = (int)r.x.sh, .x_pixel = (int)r.x.sw, .x_image = (int)r.x.sn, .x_channel = (int)r.x.sc,
    .y_row = (int)r.y.sh, .y_pixel = (int)r.y.sw, .y_image = (int)r.y.sn, .y_channel = (int)r.y.sc,
    .out_height = (int)r.y.h, .out_width = (int)r.y.w, .channels = (int)r.x.c, .outside = outside,
  };
  FvVkLaunch launch = {.shader = FV_SHADER_QRESIZE, .params = &push, .params_size = sizeof push, .invocations = r.y.n * r.y.h * r.y.w * fv_vk_ceil_div(r.x.c, 4), .spec_count = 6,
                       .spec = {x.tensor->dtype == FV_DTYPE_I8, fv_vk_bytes_aligned(&r.x, x.at, 4), fv_vk_bytes_lie(fv_vk_bytes_aligned(&r.y, y.at, 4), r.y.c), (uint32_t)taps(&r.rows),
                                (uint32_t)taps(&r.columns), (uint32_t)r.bits}};
  return fv_vk_launch(emit, &launch);
}

#define AVERAGE(title, kind) {.name = title "_vulkan", .op = kind, .suits = suits_average, .packed_size = packed_size, .pack = pack, .emit = emit_pool}
const FvVkKernel fv_vk_qpools[] = {
  {.name = "max_pool_bytes_vulkan", .op = FV_OP_MAX_POOL, .suits = suits_max, .emit = emit_pool},
  AVERAGE("qlinear_average_pool", FV_OP_QLINEAR_AVERAGE_POOL), AVERAGE("qlinear_global_average_pool", FV_OP_QLINEAR_GLOBAL_AVERAGE_POOL),
  {.name = "resize_bytes_vulkan", .op = FV_OP_RESIZE, .suits = suits_resize, .packed_size = packed_size_resize, .pack = pack_resize, .emit = emit_resize},
  {0}};

/* Pooling windows: shaders/pool.comp, and shaders/max_pool.comp for other types than fp32 and for indices. */
#include "vulkan/typed.h"

#include <math.h>
#include <string.h>

#include "push/max_pool.h"
#include "push/pool.h"

enum { POOL_MAX, POOL_AVERAGE, POOL_AVERAGE_WITH_PADS };

typedef struct Pool {
  FvVkImage x, y;
  FvVkWindow window;
  int64_t depth, out_depth, x_plane, y_plane; /* the first of three spatial dimensions */
} Pool;

/* [N, C, D, H, W] without its depth */
static FvTensor flattened(const FvTensor *t, int64_t *depth, int64_t *plane) {
  FvTensor flat = *t;
  *depth = 1;
  *plane = 0;
  if (t->rank != 5) return flat;
  *depth = t->dims[2];
  *plane = t->strides[2];
  for (int d = 2; d < 4; d++) {
    flat.dims[d] = t->dims[d + 1];
    flat.strides[d] = t->strides[d + 1];
  }
  flat.rank = 4;
  return flat;
}

static FvWindow flat_window(const FvWindow *window) {
  FvWindow flat = *window;
  if (window->spatial_rank < 3) return flat;
  flat.spatial_rank = 2;
  for (int d = 0; d < 2; d++) {
    flat.kernel[d] = window->kernel[d + 1];
    flat.stride[d] = window->stride[d + 1];
    flat.dilation[d] = window->dilation[d + 1];
    flat.pad_begin[d] = window->pad_begin[d + 1];
    flat.pad_end[d] = window->pad_end[d + 1];
  }
  return flat;
}

static bool look(const FvKernelQuery *q, Pool *pool) {
  const FvPoolParams *params = q->node->params;
  if (!q->out[0] || (q->node->output_count > 1 && q->out[1]) || !fv_vk_is_float(q->in[0]) || q->in[0]->data) return false;
  FvTensor x = flattened(q->in[0], &pool->depth, &pool->x_plane), y = flattened(q->out[0], &pool->out_depth, &pool->y_plane);
  FvWindow window = flat_window(&params->window);
  return fv_vk_window(&window, &pool->window) && fv_vk_image(&x, &pool->x) && fv_vk_image(&y, &pool->y);
}

static bool suits(const FvKernelQuery *q) {
  Pool pool = {0};
  return look(q, &pool);
}

static int emit_pool(FvVkEmit *emit) {
  Pool p = {0};
  look(&emit->query, &p);
  const FvPoolParams *params = emit->node->params;
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0);
  FvVkWindow w = p.window;
  const FvWindow *window = &params->window;
  FvWindow flat = flat_window(window);
  bool deep = window->spatial_rank == 3;
  int last = flat.spatial_rank - 1;
  bool vector = (p.x.sc == 1 || p.x.c == 1) && (p.y.sc == 1 || p.y.c == 1);
  uint32_t mode = emit->node->op->kind == FV_OP_MAX_POOL ? POOL_MAX : params->count_include_pad ? POOL_AVERAGE_WITH_PADS : POOL_AVERAGE;
  struct FvPoolPush push = {
    .x_at = x.at, .y_at = y.at, .x_row = (int)p.x.sh, .x_pixel = (int)p.x.sw, .x_image = (int)p.x.sn, .x_channel = (int)p.x.sc,
    .y_row = (int)p.y.sh, .y_pixel = (int)p.y.sw, .y_image = (int)p.y.sn, .y_channel = (int)p.y.sc, .height = (int)p.x.h, .width = (int)p.x.w,
    .out_height = (int)p.y.h, .out_width = (int)p.y.w, .channels = (int)p.x.c, .sy = w.sh, .sx = w.sw, .dy = w.dh, .dx = w.dw,
    .top = w.top, .left = w.left, .bottom = (int)p.x.h + (last > 0 ? (int)flat.pad_end[0] : 0), .right = (int)(p.x.w + flat.pad_end[last]),
    .x_plane = (int)p.x_plane, .y_plane = (int)p.y_plane, .out_depth = (int)p.out_depth,
  };
  FvVkLaunch launch = {
    .shader = FV_SHADER_POOL, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = p.y.n * p.out_depth * p.y.h * p.y.w * fv_vk_ceil_div(p.x.c, vector ? 4 : 1),
    .spec_count = 12, .spec = {mode, fv_vk_aligned_pixels(&x), fv_vk_place_lies(&y), vector, (uint32_t)w.kh, (uint32_t)w.kw, 1, 1, 1, 0, 1, 1},
  };
  if (deep) {
    uint32_t depth[] = {(uint32_t)window->kernel[0], (uint32_t)window->stride[0], (uint32_t)window->dilation[0], (uint32_t)window->pad_begin[0], (uint32_t)p.depth,
                        (uint32_t)(p.depth + window->pad_end[0])};
    memcpy(launch.spec + 6, depth, sizeof depth);
  }
  return fv_vk_launch(emit, &launch);
}

/* --- any type, with indices --- */

static const FvTensor *indices_of(const FvKernelQuery *q) { return q->node->output_count > 1 ? q->out[1] : NULL; }

static bool suits_any_max(const FvKernelQuery *q) {
  const FvTensor *x = q->in[0];
  return fv_vk_computes(x) && !x->data && x->rank >= 3 && x->rank <= 2 + MAX_POOL_SPATIAL && (q->out[0] || indices_of(q));
}

static void strides_of(const FvTensor *t, int strides[5]) {
  for (int d = 0; d < t->rank; d++) strides[d < 2 ? d : 5 - t->rank + d] = (int)t->strides[d];
}

static uint32_t lowest_bits(FvDtype dtype) {
  uint64_t bits = 0;
  fv_store_f64(&(FvTensor){.dtype = dtype, .data = &bits}, 0, -INFINITY);
  return (uint32_t)bits;
}

static int emit_any_max(FvVkEmit *emit) {
  const FvPoolParams *params = emit->node->params;
  FvVkPlace x = fv_vk_input(emit, 0), y = fv_vk_output(emit, 0), i = fv_vk_output(emit, 1);
  const FvTensor *shape = y.tensor ? y.tensor : i.tensor;
  struct FvMaxPoolPush push = {.x_at = x.at, .y_at = y.at, .i_at = i.at, .channels = (int)x.tensor->dims[1], .size = {1, 1, 1}, .out_size = {1, 1, 1}};
  strides_of(x.tensor, push.x_strides);
  if (y.tensor) strides_of(y.tensor, push.y_strides);
  if (i.tensor) strides_of(i.tensor, push.i_strides);
  FvDtype dtype = x.tensor->dtype;
  FvVkLaunch launch = {.shader = FV_SHADER_MAX_POOL, .params = &push, .params_size = sizeof push, .invocations = fv_tensor_count(shape), .spec_count = 18,
                       .spec = {dtype, fv_dtype_is_float(dtype) ? CLASS_FLOAT : CLASS_SIGNED, y.tensor != NULL, i.tensor != NULL, (uint32_t)params->storage_order,
                                1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, lowest_bits(dtype)}};
  for (int d = 2; d < x.tensor->rank; d++) {
    int to = MAX_POOL_SPATIAL - x.tensor->rank + d;
    push.size[to] = (int)x.tensor->dims[d];
    push.out_size[to] = (int)shape->dims[d];
    launch.spec[5 + to] = (uint32_t)params->window.kernel[d - 2];
    launch.spec[8 + to] = (uint32_t)params->window.stride[d - 2];
    launch.spec[11 + to] = (uint32_t)params->window.dilation[d - 2];
    launch.spec[14 + to] = (uint32_t)params->window.pad_begin[d - 2];
  }
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_pool[] = {
  {.name = "max_pool_f32_vulkan", .op = FV_OP_MAX_POOL, .forms = FV_VK_TAKES_HALF, .suits = suits, .emit = emit_pool},
  {.name = "max_pool_any_vulkan", .op = FV_OP_MAX_POOL, .suits = suits_any_max, .emit = emit_any_max},
  {.name = "average_pool_f32_vulkan", .op = FV_OP_AVERAGE_POOL, .forms = FV_VK_TAKES_HALF, .suits = suits, .emit = emit_pool},
  {0}};

/* Pooling windows: shaders/pool.comp. */
#include "vulkan/shape.h"

#include "push/pool.h"

enum { POOL_MAX, POOL_AVERAGE, POOL_AVERAGE_WITH_PADS };

typedef struct Pool {
  FvVkImage x, y;
  FvVkWindow window;
} Pool;

static bool look(const FvKernelQuery *q, Pool *pool) {
  const FvPoolParams *params = q->node->params;
  if (!q->out[0] || (q->node->output_count > 1 && q->out[1]) || !fv_vk_is_f32(q->in[0]) || q->in[0]->data) return false;
  return fv_vk_window(&params->window, &pool->window) && fv_vk_image(q->in[0], &pool->x) && fv_vk_image(q->out[0], &pool->y);
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
  int last = params->window.spatial_rank - 1;
  bool vector = (p.x.sc == 1 || p.x.c == 1) && (p.y.sc == 1 || p.y.c == 1);
  uint32_t mode = emit->node->op->kind == FV_OP_MAX_POOL ? POOL_MAX : params->count_include_pad ? POOL_AVERAGE_WITH_PADS : POOL_AVERAGE;
  struct FvPoolPush push = {
    .x_at = x.at, .y_at = y.at, .x_row = (int)p.x.sh, .x_pixel = (int)p.x.sw, .x_image = (int)p.x.sn, .x_channel = (int)p.x.sc,
    .y_row = (int)p.y.sh, .y_pixel = (int)p.y.sw, .y_image = (int)p.y.sn, .y_channel = (int)p.y.sc, .height = (int)p.x.h, .width = (int)p.x.w,
    .out_height = (int)p.y.h, .out_width = (int)p.y.w, .channels = (int)p.x.c, .sy = w.sh, .sx = w.sw, .dy = w.dh, .dx = w.dw,
    .top = w.top, .left = w.left, .bottom = (int)p.x.h + (last > 0 ? (int)params->window.pad_end[0] : 0), .right = (int)(p.x.w + params->window.pad_end[last]),
  };
  FvVkLaunch launch = {
    .shader = FV_SHADER_POOL, .params = &push, .params_size = sizeof push, .invocations = p.y.n * p.y.h * p.y.w * fv_vk_ceil_div(p.x.c, vector ? 4 : 1),
    .spec_count = 6, .spec = {mode, fv_vk_aligned_pixels(&x), fv_vk_aligned_pixels(&y), vector, (uint32_t)w.kh, (uint32_t)w.kw},
  };
  return fv_vk_launch(emit, &launch);
}

const FvVkKernel fv_vk_pool[] = {
  {.name = "max_pool_f32_vulkan", .op = FV_OP_MAX_POOL, .suits = suits, .emit = emit_pool},
  {.name = "average_pool_f32_vulkan", .op = FV_OP_AVERAGE_POOL, .suits = suits, .emit = emit_pool},
  {0}};

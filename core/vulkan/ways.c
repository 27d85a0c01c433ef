/* How convolutions are divided among invocations: a small cost model per kind of device, and what was tuned in its place. */
#include "vulkan/conv.h"
#include "vulkan/device.h"
#include "vulkan/tuned.h"

enum { GPU_INVOCATIONS = 16384 /* fewer leave parts of a larger GPU idle */ };

static void add(FvVkConvWay *ways, int *count, FvVkConvWay way) {
  if (*count < FV_VK_MAX_WAYS) ways[(*count)++] = way;
}

/* Each invocation by itself, in registers. */
static FvVkConvWay alone(FvVkShader shader, int32_t group_size) {
  bool narrow = shader == FV_SHADER_CONV_4X4;
  return (FvVkConvWay){.shader = shader, .pixels = shader == FV_SHADER_CONV_16X8 ? 16 : shader == FV_SHADER_CONV_8X8 ? 8 : 4, .vecs = narrow ? 1 : 2, .group_size = group_size};
}

static FvVkConvWay shared(int32_t rows, int32_t columns, int32_t pixels, int32_t vecs, int32_t step) {
  return (FvVkConvWay){.shader = FV_SHADER_CONV_SHARED, .pixels = pixels, .vecs = vecs, .rows = rows, .columns = columns, .step = step};
}

/* Bytes of shared memory, as conv_shared.comp declares it. */
static int64_t shared_bytes(const FvVkConvWay *way) {
  int64_t pixels = way->rows * way->pixels, vecs = way->columns * way->vecs;
  return pixels * 12 + way->step * (pixels + 1) * 4 + way->step * vecs * 16;
}

static bool fits(const FvVkDevice *device, const FvVkConvWay *way) {
  const VkPhysicalDeviceLimits *limits = &device->traits.properties.limits;
  uint32_t size = (uint32_t)(way->rows ? way->rows * way->columns : way->group_size);
  return size <= limits->maxComputeWorkGroupInvocations && size <= limits->maxComputeWorkGroupSize[0] && shared_bytes(way) <= (int64_t)limits->maxComputeSharedMemorySize;
}

/* Where loads are dear, the widest tile reuses most of what it loads, unless it leaves most of itself empty. Small work-groups divide evenly among few threads. */
static int texel_ways(const FvVkConv *c, FvVkConvWay *ways) {
  enum { SMALL = 8, LARGE = 64, ENOUGH_PIXELS = 48 };
  bool wide = c->y.n * c->y.h * c->y.w >= ENOUGH_PIXELS;
  int count = 0;
  if (wide) add(ways, &count, alone(FV_SHADER_CONV_16X8, SMALL));
  add(ways, &count, alone(FV_SHADER_CONV_8X8, SMALL));
  if (wide) add(ways, &count, alone(FV_SHADER_CONV_16X8, LARGE));
  add(ways, &count, alone(FV_SHADER_CONV_8X8, LARGE));
  add(ways, &count, alone(FV_SHADER_CONV_4X8, SMALL));
  add(ways, &count, alone(FV_SHADER_CONV_4X8, LARGE));
  return count;
}

/* Real GPUs: shared memory where a tile is used often enough, of a size that still makes enough work-groups; else registers alone. */
static int storage_ways(const FvVkConv *c, FvVkConvWay *ways) {
  int64_t pixels = c->y.n * c->y.h * c->y.w, results = pixels * c->outputs * c->group, depth = c->channels * c->window.kh * c->window.kw;
  int32_t step = c->channels >= 16 ? 16 : (int32_t)(c->channels + 3) / 4 * 4;
  FvVkConvWay wide = shared(8, 8, 8, 2, step), middle = shared(8, 8, 4, 1, step), many = shared(16, 8, 4, 2, step), registers = alone(FV_SHADER_CONV_4X8, 0);
  bool reuses = depth >= 16 && c->outputs >= 16 && pixels >= 32;
  FvVkConvWay best = !reuses ? registers : results / 64 >= GPU_INVOCATIONS && c->outputs >= 48 ? wide : results / 16 >= GPU_INVOCATIONS / 4 ? middle : registers;
  const FvVkConvWay all[] = {registers, middle, wide, many, alone(FV_SHADER_CONV_4X8, 32), alone(FV_SHADER_CONV_4X8, 128), alone(FV_SHADER_CONV_8X8, 0)};
  int count = 0;
  add(ways, &count, best);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (all[i].shader != best.shader || all[i].pixels != best.pixels || all[i].vecs != best.vecs || all[i].rows != best.rows || all[i].group_size != best.group_size)
      add(ways, &count, all[i]);
  return count;
}

/* Puts the same ways with arithmetic in fp16 before those found, or behind them. */
static int add_arithmetic(FvVkConvWay *ways, int count, bool first) {
  if (count * 2 > FV_VK_MAX_WAYS) count = FV_VK_MAX_WAYS / 2;
  for (int i = 0; i < count; i++) {
    ways[count + i] = ways[i];
    ways[first ? i : count + i].arithmetic = true;
  }
  return count * 2;
}

static int found_ways(const FvVkDevice *device, bool texel, const FvVkConv *c, FvVkConvWay ways[FV_VK_MAX_WAYS]) {
  if (c->outputs <= 4) { /* their weights are packed by fours */
    ways[0] = alone(FV_SHADER_CONV_4X4, 0);
    return 1;
  }
  FvVkConvWay found[FV_VK_MAX_WAYS];
  int count = texel ? texel_ways(c, found) : storage_ways(c, found), kept = 0;
  for (int i = 0; i < count; i++)
    if (fits(device, &found[i])) ways[kept++] = found[i];
  return kept;
}

int fv_vk_conv_ways(const FvVkDevice *device, bool texel, FvVkForm form, FvVkArithmetic arithmetic, const FvVkConv *c, FvVkConvWay ways[FV_VK_MAX_WAYS]) {
  int count = found_ways(device, texel, c, ways);
  bool takes_arithmetic = form == FV_VK_HALF && arithmetic != FV_VK_IN_FULL && (!fv_vk_conv_keeps_full(c) || fv_vk_wish("arithmetic"));
  return takes_arithmetic ? add_arithmetic(ways, count, arithmetic == FV_VK_IN_HALF) : count;
}

FvVkConvWay fv_vk_conv_way(const FvVkEmit *emit, const FvVkConv *c) {
  FvVkConvWay ways[FV_VK_MAX_WAYS];
  int count = fv_vk_conv_ways(emit->device, emit->texel, emit->form, emit->arithmetic, c, ways);
  int chosen = emit->way ? emit->way - 1 : fv_vk_tuned(emit->device->tunings, fv_vk_tuning_key(c, emit->form, emit->texel, ways, count));
  return ways[chosen >= 0 && chosen < count ? chosen : 0];
}

/* Moving elements: everything that is a copy between two views. */
#include "vulkan/typed.h"

#include <string.h>

#include "push/interleave.h"
#include "push/qinterleave.h"
#include "vulkan/quantised.h"

static FvTensor channel_group(const FvTensor *t, int64_t step, int64_t count) {
  FvTensor part = *t;
  part.dims[1] = count;
  part.strides[1] *= step;
  return part;
}

/* --- one copy --- */

/* The input as the output sees it; false when it takes more than strides. */
static bool view_of(const FvKernelQuery *q, int index, FvTensor *view, int64_t *offset) {
  const FvTensor *in = q->in[0], *out = q->out[index];
  *view = *out;
  *offset = 0;
  if (q->node->op->kind == FV_OP_COPY || q->node->op->kind == FV_OP_IDENTITY) {
    *view = *in;
    return in->rank == out->rank;
  }
  return q->node->op->view && q->node->op->view(q->node, index, in, view, offset);
}

static bool suits_view(const FvKernelQuery *q) {
  for (int i = 0; i < q->node->output_count; i++) {
    FvTensor view;
    int64_t offset;
    if (!q->out[i] || fv_tensor_count(q->out[i]) == 0) continue;
    if (!view_of(q, i, &view, &offset) || !fv_vk_move_fits(q->out[i], &view)) return false;
  }
  return true;
}

/* --- a new shape for elements that no strides can give it --- */

/* The output, when its elements follow each other, takes any shape: the input's. Else the input, when its do. */
static bool reshape_views(const FvKernelQuery *q, FvTensor *y, FvTensor *x) {
  *y = *q->out[0];
  *x = *q->in[0];
  bool y_whole = fv_tensor_is_contiguous(y), x_whole = fv_tensor_is_contiguous(x);
  FvTensor *flexible = y_whole ? y : x, *fixed = y_whole ? x : y;
  if (!y_whole && !x_whole) return false;
  flexible->rank = fixed->rank;
  memcpy(flexible->dims, fixed->dims, sizeof fixed->dims);
  fv_tensor_set_contiguous(flexible);
  return fv_vk_move_fits(y, x);
}

static bool suits_reshape(const FvKernelQuery *q) {
  FvTensor y, x;
  return q->in[0] && q->out[0] && fv_tensor_count(q->out[0]) > 0 && reshape_views(q, &y, &x);
}

static int emit_reshape(FvVkEmit *emit) {
  FvTensor y, x;
  FvVkPlace from = fv_vk_input(emit, 0);
  reshape_views(&emit->query, &y, &x);
  return fv_vk_move(emit, &y, fv_vk_output(emit, 0).at, &x, from.at, from.in_weights);
}

static int emit_view(FvVkEmit *emit) {
  FvVkPlace x = fv_vk_input(emit, 0);
  for (int i = 0; i < emit->node->output_count; i++) {
    FvVkPlace y = fv_vk_output(emit, i);
    FvTensor view;
    int64_t offset;
    if (!y.tensor || fv_tensor_count(y.tensor) == 0) continue;
    view_of(&emit->query, i, &view, &offset);
    int result = fv_vk_move(emit, y.tensor, y.at, &view, x.at + offset, x.in_weights);
    if (result < 0) return result;
  }
  return 0;
}

/* --- channel shuffles --- */

/* y[:, c * groups + g] = x[:, g * each + c], as one walk: channels become [groups, each] there and [each, groups] here. */
static bool split_channels(const FvTensor *t, int64_t outer, int64_t inner, bool swapped, FvTensor *result) {
  if (t->rank >= FV_MAX_RANK) return false;
  *result = *t;
  result->rank++;
  for (int d = t->rank; d > 2; d--) {
    result->dims[d] = t->dims[d - 1];
    result->strides[d] = t->strides[d - 1];
  }
  result->dims[1] = swapped ? inner : outer;
  result->dims[2] = swapped ? outer : inner;
  result->strides[1] = t->strides[1] * (swapped ? 1 : inner);
  result->strides[2] = t->strides[1] * (swapped ? inner : 1);
  return true;
}

static bool shuffle_views(const FvKernelQuery *q, FvTensor *y, FvTensor *x) {
  int64_t groups = ((const FvChannelShuffleParams *)q->node->params)->groups, each = q->in[0]->dims[1] / groups;
  return split_channels(q->out[0], each, groups, false, y) && split_channels(q->in[0], groups, each, true, x);
}

static bool suits_shuffle(const FvKernelQuery *q) {
  FvTensor y, x;
  return shuffle_views(q, &y, &x) && fv_vk_move_fits(&y, &x);
}

static int emit_shuffle(FvVkEmit *emit) {
  FvTensor y, x;
  FvVkPlace from = fv_vk_input(emit, 0);
  shuffle_views(&emit->query, &y, &x);
  return fv_vk_move(emit, &y, fv_vk_output(emit, 0).at, &x, from.at, from.in_weights);
}

static bool suits_concat_shuffle(const FvKernelQuery *q) {
  FvTensor half = channel_group(q->out[0], 2, q->in[0]->dims[1]);
  return fv_vk_move_fits(&half, q->in[0]) && fv_vk_move_fits(&half, q->in[1]);
}

static int emit_concat_shuffle(FvVkEmit *emit) {
  FvVkPlace y = fv_vk_output(emit, 0);
  for (int i = 0; i < 2; i++) {
    FvVkPlace x = fv_vk_input(emit, i);
    FvTensor half = channel_group(y.tensor, 2, x.tensor->dims[1]);
    int result = fv_vk_move(emit, &half, y.at + i * y.tensor->strides[1], x.tensor, x.at, x.in_weights);
    if (result < 0) return result;
  }
  return 0;
}

/* The same between channels-last pictures, in one launch. */
typedef struct Pictures {
  FvVkImage a, b, y;
} Pictures;

static bool look_pictures(const FvKernelQuery *q, Pictures *p) {
  if (!q->in[0] || !q->in[1] || q->in[0]->data || q->in[1]->data || !fv_vk_image(q->in[0], &p->a) || !fv_vk_image(q->in[1], &p->b)) return false;
  return fv_vk_image(q->out[0], &p->y) && p->a.sc == 1 && p->b.sc == 1 && p->y.sc == 1;
}

static bool suits_interleave(const FvKernelQuery *q) {
  Pictures p;
  return fv_vk_is_f32(q->in[0]) && look_pictures(q, &p);
}

static bool suits_interleave_bytes(const FvKernelQuery *q) {
  Pictures p;
  return fv_vk_is_8bit(q->in[0]) && look_pictures(q, &p);
}

static int emit_interleave_bytes(FvVkEmit *emit) {
  Pictures p = {0};
  look_pictures(&emit->query, &p);
  FvVkPlace a = fv_vk_input(emit, 0), b = fv_vk_input(emit, 1), y = fv_vk_output(emit, 0);
  struct FvQinterleavePush push = {
    .a_at = a.at, .b_at = b.at, .y_at = y.at, .a_row = (int)p.a.sh, .a_pixel = (int)p.a.sw, .a_image = (int)p.a.sn, .b_row = (int)p.b.sh, .b_pixel = (int)p.b.sw,
    .b_image = (int)p.b.sn, .y_row = (int)p.y.sh, .y_pixel = (int)p.y.sw, .y_image = (int)p.y.sn, .height = (int)p.a.h, .width = (int)p.a.w, .channels = (int)p.a.c,
  };
  FvVkLaunch launch = {.shader = FV_SHADER_QINTERLEAVE, .params = &push, .params_size = sizeof push, .invocations = p.a.n * p.a.h * p.a.w * fv_vk_ceil_div(p.a.c, 4),
                       .spec_count = 3, .spec = {fv_vk_bytes_aligned(&p.a, a.at, 4), fv_vk_bytes_aligned(&p.b, b.at, 4), fv_vk_bytes_lie(fv_vk_bytes_aligned(&p.y, y.at, 4), p.y.c)}};
  return fv_vk_launch(emit, &launch);
}

static int emit_interleave(FvVkEmit *emit) {
  Pictures p = {0};
  look_pictures(&emit->query, &p);
  FvVkPlace a = fv_vk_input(emit, 0), b = fv_vk_input(emit, 1), y = fv_vk_output(emit, 0);
  struct FvInterleavePush push = {
    .a_at = a.at, .b_at = b.at, .y_at = y.at, .a_row = (int)p.a.sh, .a_pixel = (int)p.a.sw, .a_image = (int)p.a.sn, .b_row = (int)p.b.sh, .b_pixel = (int)p.b.sw,
    .b_image = (int)p.b.sn, .y_row = (int)p.y.sh, .y_pixel = (int)p.y.sw, .y_image = (int)p.y.sn, .height = (int)p.a.h, .width = (int)p.a.w, .channels = (int)p.a.c,
  };
  FvVkLaunch launch = {.shader = FV_SHADER_INTERLEAVE, .form = emit->form, .params = &push, .params_size = sizeof push, .invocations = p.a.n * p.a.h * p.a.w * fv_vk_ceil_div(p.a.c, 4),
                       .spec_count = 3, .spec = {fv_vk_aligned_pixels(&a), fv_vk_aligned_pixels(&b), fv_vk_place_lies(&y)}};
  return fv_vk_launch(emit, &launch);
}

/* --- tiles, cells --- */

/* Adds a dimension; lengths of 1 are left out. False when there is no room. */
static bool add_dim(FvTensor *y, FvTensor *x, int64_t dim, int64_t y_stride, int64_t x_stride) {
  if (dim == 1) return true;
  if (y->rank == FV_MAX_RANK) return false;
  y->dims[y->rank] = x->dims[x->rank] = dim;
  y->strides[y->rank++] = y_stride;
  x->strides[x->rank++] = x_stride;
  return true;
}

static void start_views(const FvKernelQuery *q, FvTensor *y, FvTensor *x) { *y = *x = (FvTensor){.dtype = q->out[0]->dtype}; }

/* Every dimension twice: the tiles, which do not move x, and the elements of one. */
static bool tile_views(const FvKernelQuery *q, FvTensor *y, FvTensor *x) {
  const FvTensor *in = q->in[0], *out = q->out[0];
  if (fv_tensor_count(out) == 0) return false;
  start_views(q, y, x);
  bool fits = true;
  for (int d = 0; d < in->rank; d++)
    fits = fits && add_dim(y, x, out->dims[d] / in->dims[d], out->strides[d] * in->dims[d], 0) && add_dim(y, x, in->dims[d], out->strides[d], in->strides[d]);
  return fits;
}

/* The picture with its cells apart, [N, C, H, block, W, block], against the channels in groups. Both ways it is the same pair of views. */
static bool cell_views(const FvKernelQuery *q, FvTensor *y, FvTensor *x) {
  const FvDepthSpaceParams *params = q->node->params;
  bool to_space = q->node->op->kind == FV_OP_DEPTH_TO_SPACE;
  const FvTensor *picture = to_space ? q->out[0] : q->in[0], *deep = to_space ? q->in[0] : q->out[0];
  FvTensor *p = to_space ? y : x, *g = to_space ? x : y;
  int64_t block = params->block, channels = picture->dims[1], cell = deep->strides[1];
  int64_t channel_step = params->column_row_depth ? cell * block * block : cell, cell_step = params->column_row_depth ? cell : cell * channels;
  start_views(q, y, x);
  return add_dim(p, g, picture->dims[0], picture->strides[0], deep->strides[0]) && add_dim(p, g, channels, picture->strides[1], channel_step) &&
         add_dim(p, g, deep->dims[2], picture->strides[2] * block, deep->strides[2]) && add_dim(p, g, block, picture->strides[2], cell_step * block) &&
         add_dim(p, g, deep->dims[3], picture->strides[3] * block, deep->strides[3]) && add_dim(p, g, block, picture->strides[3], cell_step);
}

static bool rearranged(const FvKernelQuery *q, FvTensor *y, FvTensor *x) {
  if (!q->in[0] || !q->out[0] || q->in[0]->dtype != q->out[0]->dtype) return false;
  return q->node->op->kind == FV_OP_TILE ? tile_views(q, y, x) : cell_views(q, y, x);
}

static bool suits_rearranged(const FvKernelQuery *q) {
  FvTensor y, x;
  return rearranged(q, &y, &x) && fv_vk_move_fits(&y, &x);
}

static int emit_rearranged(FvVkEmit *emit) {
  FvTensor y, x;
  FvVkPlace from = fv_vk_input(emit, 0);
  rearranged(&emit->query, &y, &x);
  return fv_vk_move(emit, &y, fv_vk_output(emit, 0).at, &x, from.at, from.in_weights);
}

#define VIEW(title, kind) {.name = title "_vulkan", .op = kind, .suits = suits_view, .emit = emit_view}
const FvVkKernel fv_vk_copies[] = {
  VIEW("copy", FV_OP_COPY), VIEW("identity", FV_OP_IDENTITY), VIEW("transpose", FV_OP_TRANSPOSE), VIEW("slice", FV_OP_SLICE), VIEW("split", FV_OP_SPLIT),
  VIEW("reshape", FV_OP_RESHAPE), VIEW("expand", FV_OP_EXPAND),
  {.name = "reshape_copy_vulkan", .op = FV_OP_RESHAPE, .suits = suits_reshape, .emit = emit_reshape},
  {.name = "channel_shuffle_vulkan", .op = FV_OP_CHANNEL_SHUFFLE, .suits = suits_shuffle, .emit = emit_shuffle},
  {.name = "interleave_f32_vulkan", .op = FV_OP_CONCAT_SHUFFLE, .forms = FV_VK_TAKES_HALF, .suits = suits_interleave, .emit = emit_interleave},
  {.name = "interleave_bytes_vulkan", .op = FV_OP_CONCAT_SHUFFLE, .suits = suits_interleave_bytes, .emit = emit_interleave_bytes},
  {.name = "concat_shuffle_vulkan", .op = FV_OP_CONCAT_SHUFFLE, .suits = suits_concat_shuffle, .emit = emit_concat_shuffle},
  {.name = "tile_vulkan", .op = FV_OP_TILE, .suits = suits_rearranged, .emit = emit_rearranged},
  {.name = "depth_to_space_vulkan", .op = FV_OP_DEPTH_TO_SPACE, .suits = suits_rearranged, .emit = emit_rearranged},
  {.name = "space_to_depth_vulkan", .op = FV_OP_SPACE_TO_DEPTH, .suits = suits_rearranged, .emit = emit_rearranged},
  {0}};

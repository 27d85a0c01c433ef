/* Pad: shaders/pad.comp. */
#include "vulkan/typed.h"

#include <string.h>

#include "push/pad.h"

_Static_assert(FV_PAD_CONSTANT == 0 && FV_PAD_REFLECT == 1 && FV_PAD_EDGE == 2 && FV_PAD_WRAP == 3, "shaders/pad.comp numbers modes otherwise");

/* Fills dims and strides, leaving out dimensions that have length 1 and no pads; false when the rest are too many. *offset: from x's first element to
 * the first that is kept. */
static bool look(const FvKernelQuery *q, struct FvPadPush *push, int *rank, int64_t *offset) {
  const FvPadParams *params = q->node->params;
  const FvTensor *x = q->in[0], *y = q->out[0];
  *rank = 0;
  *offset = 0;
  for (int d = 0; d < x->rank; d++) {
    int64_t crop = params->begin[d] < 0 ? -params->begin[d] : 0, crop_end = params->end[d] < 0 ? -params->end[d] : 0;
    int64_t begin = params->begin[d] + crop, kept = x->dims[d] - crop - crop_end;
    *offset += crop * x->strides[d];
    if (y->dims[d] == 1 && kept == 1 && begin == 0) continue;
    if (*rank == PAD_RANK || kept < 0) return false;
    push->dims[*rank] = (int)y->dims[d];
    push->y_strides[*rank] = (int)y->strides[d];
    push->x_strides[*rank] = (int)x->strides[d];
    push->begins[*rank] = (int)begin;
    push->kept[(*rank)++] = (int)kept;
  }
  if (*rank == 0) {
    *rank = 1;
    push->dims[0] = push->kept[0] = 1;
  }
  return true;
}

static bool suits(const FvKernelQuery *q) {
  struct FvPadPush push = {0};
  int rank;
  int64_t offset;
  const FvTensor *value = fv_query_input(q, 2);
  if (!q->in[0] || !q->out[0] || q->in[0]->dtype != q->out[0]->dtype || (value && value->dtype != q->out[0]->dtype)) return false;
  return look(q, &push, &rank, &offset);
}

static int emit(FvVkEmit *e) {
  const FvPadParams *params = e->node->params;
  struct FvPadPush push = {0};
  int rank;
  int64_t offset, bits[1] = {0};
  FvVkPlace x = fv_vk_input(e, 0), value = fv_vk_input(e, 2), y = fv_vk_output(e, 0);
  look(&e->query, &push, &rank, &offset);
  push.y_at = y.at;
  push.x_at = (int)(x.at + offset);
  push.value_at = value.at;
  fv_store_f64(&(FvTensor){.dtype = y.tensor->dtype, .data = bits}, 0, params->value);
  memcpy(&push.low, bits, sizeof push.low);
  memcpy(&push.high, (const char *)bits + sizeof push.low, sizeof push.high);
  FvVkLaunch launch = {.shader = FV_SHADER_PAD, .params = &push, .params_size = sizeof push, .invocations = fv_tensor_count(y.tensor), .spec_count = 6,
                       .spec = {y.tensor->dtype, (uint32_t)rank, params->mode, x.in_weights, value.tensor != NULL, value.in_weights}};
  return fv_vk_launch(e, &launch);
}

const FvVkKernel fv_vk_pads[] = {{.name = "pad_vulkan", .op = FV_OP_PAD, .suits = suits, .emit = emit}, {0}};

#include "vulkan/shape.h"

#include <stdlib.h>
#include <string.h>

bool fv_vk_image(const FvTensor *t, FvVkImage *image) {
  if (!t || (t->rank != 3 && t->rank != 4)) return false;
  int w = t->rank - 1;
  *image = (FvVkImage){t->dims[0], t->dims[1], 1, t->dims[w], t->strides[0], t->strides[1], 0, t->strides[w]};
  if (t->rank == 4) {
    image->h = t->dims[2];
    image->sh = t->strides[2];
  }
  return true;
}

bool fv_vk_window(const FvWindow *w, FvVkWindow *result) {
  if (w->spatial_rank != 1 && w->spatial_rank != 2) return false;
  int y = w->spatial_rank == 1 ? -1 : 0, x = w->spatial_rank - 1;
  *result = (FvVkWindow){1, (int32_t)w->kernel[x], 1, (int32_t)w->stride[x], 1, (int32_t)w->dilation[x], 0, (int32_t)w->pad_begin[x]};
  if (y < 0) return true;
  result->kh = (int32_t)w->kernel[y];
  result->sh = (int32_t)w->stride[y];
  result->dh = (int32_t)w->dilation[y];
  result->top = (int32_t)w->pad_begin[y];
  return true;
}

static bool pixels_begin_at(const FvVkImage *i, int32_t at, int multiple) {
  if ((i->sc != 1 && i->c > 1) || at % multiple) return false;
  return (i->w <= 1 || i->sw % multiple == 0) && (i->h <= 1 || i->sh % multiple == 0) && (i->n <= 1 || i->sn % multiple == 0);
}

bool fv_vk_image_aligned(const FvVkImage *image, int32_t at) { return pixels_begin_at(image, at, 4); }

bool fv_vk_aligned_pixels(const FvVkPlace *place) {
  FvVkImage image;
  return fv_vk_image(place->tensor, &image) && fv_vk_image_aligned(&image, place->at);
}

static uint32_t lies(bool in_fours, bool in_pairs, int64_t count) {
  return (in_fours ? FV_VK_LIES_FOURS : 0) | (count % 4 == 0 ? FV_VK_LIES_WHOLE : 0) | (in_pairs && count % 2 == 0 ? FV_VK_LIES_PAIRS : 0);
}

uint32_t fv_vk_image_lies(const FvVkImage *image, int32_t at, int64_t channels) {
  bool all = channels == image->c; /* else groups begin at multiples of their size */
  return lies((all || channels % 4 == 0) && pixels_begin_at(image, at, 4), pixels_begin_at(image, at, 2), channels);
}

uint32_t fv_vk_place_lies(const FvVkPlace *place) {
  FvVkImage image;
  return fv_vk_image(place->tensor, &image) ? fv_vk_image_lies(&image, place->at, image.c) : 0;
}

/* Strides of a tensor along the full shape's dimensions. */
static void broadcast_strides(const FvTensor *tensor, const FvTensor *full, int64_t *strides) {
  for (int d = 0; d < full->rank; d++) {
    int own = d - (full->rank - tensor->rank);
    strides[d] = own < 0 || (tensor->dims[own] == 1 && full->dims[d] != 1) ? 0 : tensor->strides[own];
  }
}

static void move_dim(FvVkWalk *walk, int count, int from, int to, const FvVkWalk *source) {
  walk->dims[to] = source->dims[from];
  for (int t = 0; t < count; t++) walk->strides[t][to] = source->strides[t][from];
}

static bool can_merge(const FvVkWalk *walk, int count, int outer, int inner) {
  for (int t = 0; t < count; t++)
    if (walk->strides[t][outer] != walk->strides[t][inner] * walk->dims[inner]) return false;
  return true;
}

void fv_vk_walk(const FvTensor *const *tensors, int count, FvVkWalk *walk) {
  const FvTensor *full = tensors[0];
  FvVkWalk plain = {.rank = full->rank}, sorted = {0};
  memcpy(plain.dims, full->dims, sizeof plain.dims);
  for (int t = 0; t < count; t++) broadcast_strides(tensors[t], full, plain.strides[t]);
  for (int d = 0; d < plain.rank; d++) { /* insertion, by the first tensor's strides */
    if (plain.dims[d] == 1) continue;
    int at = sorted.rank++;
    for (; at > 0 && llabs(sorted.strides[0][at - 1]) < llabs(plain.strides[0][d]); at--) {
      FvVkWalk copy = sorted;
      move_dim(&sorted, count, at - 1, at, &copy);
    }
    move_dim(&sorted, count, d, at, &plain);
  }
  *walk = (FvVkWalk){0};
  for (int d = 0; d < sorted.rank; d++) {
    move_dim(walk, count, d, walk->rank, &sorted);
    int last = walk->rank - 1;
    if (walk->rank > 0 && can_merge(walk, count, last, walk->rank)) {
      int64_t merged = walk->dims[last] * walk->dims[walk->rank];
      move_dim(walk, count, d, last, &sorted);
      walk->dims[last] = merged;
    } else {
      walk->rank++;
    }
  }
  if (walk->rank == 0) {
    walk->rank = 1;
    walk->dims[0] = 1;
    for (int t = 0; t < count; t++) walk->strides[t][0] = 1;
  }
}

static bool rows_begin_at(const FvVkWalk *walk, int index, int64_t at, int multiple) {
  const int64_t *strides = walk->strides[index];
  if (strides[walk->rank - 1] != 1 || at % multiple) return false;
  for (int d = 0; d < walk->rank - 1; d++)
    if (strides[d] % multiple) return false;
  return true;
}

bool fv_vk_walk_aligned(const FvVkWalk *walk, int index, int64_t at) { return rows_begin_at(walk, index, at, 4); }

uint32_t fv_vk_walk_lies(const FvVkWalk *walk, int64_t at) {
  return lies(rows_begin_at(walk, 0, at, 4), rows_begin_at(walk, 0, at, 2), walk->dims[walk->rank - 1]);
}

uint32_t fv_vk_walk_short(const FvVkWalk *walk) {
  int64_t length = walk->dims[walk->rank - 1];
  return length < 4 ? (uint32_t)length : 0;
}

/* Walking several tensors of one shape together, innermost run first in the order in which the first of them lies in memory. */
#ifndef FOVEA_CPU_WALK_H
#define FOVEA_CPU_WALK_H

#include "cpu/layout.h"

#include "base/threads.h"

enum { FV_WALK_MAX = 3 };

/* Dimensions from the outermost to the innermost; neighbours that advance alike in every tensor are one. rank >= 1. */
typedef struct FvWalk {
  int rank, count;
  int64_t dims[FV_MAX_RANK];
  int64_t strides[FV_WALK_MAX][FV_MAX_RANK];
  /* the cursor */
  int64_t index[FV_MAX_RANK], offset[FV_WALK_MAX], left; /* left: runs to go */
} FvWalk;

static inline int64_t fv_walk_stride(const FvTensor *t, int rank, int d) {
  int own = d - (rank - t->rank);
  return own < 0 || t->dims[own] == 1 ? 0 : t->strides[own];
}

static inline bool fv_walk_merges(const FvWalk *w, int outer, int inner) {
  for (int t = 0; t < w->count; t++)
    if (w->strides[t][outer] != w->strides[t][inner] * w->dims[inner]) return false;
  return true;
}

static inline void fv_walk_swap(FvWalk *w, int a, int b) {
  int64_t keep = w->dims[a];
  w->dims[a] = w->dims[b];
  w->dims[b] = keep;
  for (int t = 0; t < w->count; t++) {
    keep = w->strides[t][a];
    w->strides[t][a] = w->strides[t][b];
    w->strides[t][b] = keep;
  }
}

static inline void fv_walk_drop(FvWalk *w, int d) {
  for (; d + 1 < w->rank; d++) fv_walk_swap(w, d, d + 1);
  w->rank--;
}

/* tensors[0] has the whole shape; the others broadcast to it, aligned at the right. */
static inline void fv_walk_init(FvWalk *w, int count, const FvTensor *const *tensors) {
  const FvTensor *shape = tensors[0];
  *w = (FvWalk){.rank = 0, .count = count};
  for (int d = 0; d < shape->rank; d++) {
    if (shape->dims[d] == 1) continue;
    w->dims[w->rank] = shape->dims[d];
    for (int t = 0; t < count; t++) w->strides[t][w->rank] = fv_walk_stride(tensors[t], shape->rank, d);
    w->rank++;
  }
  for (int i = 1; i < w->rank; i++)
    for (int j = i; j > 0 && llabs(w->strides[0][j - 1]) < llabs(w->strides[0][j]); j--) fv_walk_swap(w, j - 1, j);
  for (int d = w->rank - 2; d >= 0; d--)
    if (fv_walk_merges(w, d, d + 1)) {
      w->dims[d + 1] *= w->dims[d];
      fv_walk_drop(w, d);
    }
  if (w->rank == 0) {
    w->rank = 1;
    w->dims[0] = 1;
    for (int t = 0; t < count; t++) w->strides[t][0] = 1;
  }
}

static inline int64_t fv_walk_length(const FvWalk *w) { return w->dims[w->rank - 1]; }
static inline int64_t fv_walk_step(const FvWalk *w, int tensor) { return w->strides[tensor][w->rank - 1]; }

/* Confines the walk to one part and sets the cursor to its first run; false when there is nothing to do. A tensor of one run is cut inside. */
static inline bool fv_walk_begin(FvWalk *w, int part, int parts) {
  int64_t runs = 1;
  for (int d = 0; d < w->rank; d++)
    if (w->dims[d] == 0) return false;
  if (w->rank == 1 && parts > 1) {
    FvRange r = fv_split(w->dims[0], 64, part, parts);
    w->dims[0] = r.end - r.begin;
    for (int t = 0; t < w->count; t++) w->offset[t] = r.begin * w->strides[t][0];
    w->left = 1;
    return r.end > r.begin;
  }
  for (int d = 0; d < w->rank - 1; d++) runs *= w->dims[d];
  FvRange r = fv_split(runs, 1, part, parts);
  int64_t at = r.begin;
  for (int d = w->rank - 2; d >= 0; d--) {
    w->index[d] = at % w->dims[d];
    at /= w->dims[d];
    for (int t = 0; t < w->count; t++) w->offset[t] += w->index[d] * w->strides[t][d];
  }
  w->left = r.end - r.begin;
  return w->left > 0;
}

static inline bool fv_walk_next(FvWalk *w) {
  if (--w->left <= 0) return false;
  for (int d = w->rank - 2; d >= 0; d--) {
    for (int t = 0; t < w->count; t++) w->offset[t] += w->strides[t][d];
    if (++w->index[d] < w->dims[d]) return true;
    for (int t = 0; t < w->count; t++) w->offset[t] -= w->dims[d] * w->strides[t][d];
    w->index[d] = 0;
  }
  return true;
}

#endif

#include <stdlib.h>

#include "graph/layout.h"

enum { ALIGNMENT = 64 };

static int by_size(const void *a, const void *b) {
  const FvBuffer *x = *(FvBuffer *const *)a, *y = *(FvBuffer *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  return x < y ? -1 : x > y;
}

static bool alive_together(const FvBuffer *a, const FvBuffer *b) { return a->first <= b->last && b->first <= a->last; }

static int64_t rounded(int64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

/* The lowest offset at which `buffer` overlaps none of the placed ones that are alive with it. */
static int64_t lowest_gap(FvBuffer *const *placed, int count, const FvBuffer *buffer) {
  int64_t at = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (int i = 0; i < count; i++) {
      int64_t end = placed[i]->offset + rounded(placed[i]->bytes);
      if (!alive_together(placed[i], buffer) || at >= end || at + rounded(buffer->bytes) <= placed[i]->offset) continue;
      at = end;
      moved = true;
    }
  }
  return at;
}

int64_t fv_memory_plan(FvBuffer *buffers, int count, FvError *err) {
  FvBuffer **order = malloc(((size_t)count + 1) * sizeof *order);
  if (!order) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while planning memory");
  int used = 0;
  for (int i = 0; i < count; i++)
    if (buffers[i].first >= 0 && buffers[i].bytes > 0) order[used++] = &buffers[i];
  qsort(order, (size_t)used, sizeof *order, by_size);
  int64_t total = 0;
  for (int i = 0; i < used; i++) {
    order[i]->offset = lowest_gap(order, i, order[i]);
    int64_t end = order[i]->offset + rounded(order[i]->bytes);
    if (end > total) total = end;
  }
  free(order);
  if (total > FV_MAX_ARENA_BYTES)
    return fv_error_set(err, FV_ERR_LIMIT, "the activations need %lld bytes, more than the %lld allowed", (long long)total, (long long)FV_MAX_ARENA_BYTES);
  return total;
}

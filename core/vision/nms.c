#include "vision/nms.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int fv_candidates_init(FvCandidates *set, int capacity, int label_count, bool landmarks, FvError *err) {
  *set = (FvCandidates){.capacity = capacity, .label_count = label_count};
  size_t n = (size_t)capacity;
  set->ranked = calloc(n, sizeof *set->ranked);
  set->boxes = calloc(n, sizeof *set->boxes);
  set->last_kept = calloc((size_t)label_count + 1, sizeof *set->last_kept);
  set->previous_kept = calloc(FV_MAX_DETECTIONS, sizeof *set->previous_kept);
  set->kept = calloc(FV_MAX_DETECTIONS, sizeof *set->kept);
  if (landmarks) set->landmarks = calloc(n, sizeof *set->landmarks);
  if (set->ranked && set->boxes && set->last_kept && set->previous_kept && set->kept && (set->landmarks || !landmarks)) return FV_OK;
  fv_candidates_finish(set);
  return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for %d candidate boxes", capacity);
}

void fv_candidates_finish(FvCandidates *set) {
  free(set->ranked);
  free(set->boxes);
  free(set->landmarks);
  free(set->last_kept);
  free(set->previous_kept);
  free(set->kept);
  *set = (FvCandidates){0};
}

void fv_candidates_clear(FvCandidates *set) {
  set->count = set->arrived = 0;
  set->heaped = false;
}

static bool better(const FvRanked *a, const FvRanked *b) { return a->score > b->score || (a->score == b->score && a->order < b->order); }

/* Restores the heap (every parent worse than its children) below `at`. */
static void sift_down(FvRanked *heap, int count, int at) {
  FvRanked moved = heap[at];
  for (;;) {
    int child = 2 * at + 1;
    if (child >= count) break;
    if (child + 1 < count && better(&heap[child], &heap[child + 1])) child++;
    if (!better(&moved, &heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moved;
}

static void make_heap(FvCandidates *set) {
  for (int i = set->count / 2 - 1; i >= 0; i--) sift_down(set->ranked, set->count, i);
  set->heaped = true;
}

int fv_candidates_add(FvCandidates *set, float score) {
  FvRanked new = {score, set->arrived++, set->count};
  if (set->count < set->capacity) {
    set->ranked[set->count++] = new;
    return new.slot;
  }
  if (!set->heaped) make_heap(set);
  if (!better(&new, &set->ranked[0])) return -1;
  new.slot = set->ranked[0].slot;
  set->ranked[0] = new;
  sift_down(set->ranked, set->count, 0);
  return new.slot;
}

/* Heap sort: the worst goes to the end again and again, so the best end up first. In place, unlike qsort(). */
static void sort_best_first(FvCandidates *set) {
  if (!set->heaped) make_heap(set);
  for (int last = set->count - 1; last > 0; last--) {
    FvRanked worst = set->ranked[0];
    set->ranked[0] = set->ranked[last];
    set->ranked[last] = worst;
    sift_down(set->ranked, last, 0);
  }
  set->heaped = false;
}

static float overlap(const FvBox *a, const FvBox *b) {
  float width = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0), height = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
  if (width <= 0 || height <= 0) return 0;
  float shared = width * height;
  return shared / ((a->x1 - a->x0) * (a->y1 - a->y0) + (b->x1 - b->x0) * (b->y1 - b->y0) - shared);
}

static bool usable(const FvCandidates *set, const FvBox *box) {
  return isfinite(box->x0) && isfinite(box->y0) && isfinite(box->x1) && isfinite(box->y1) && box->x1 > box->x0 && box->y1 > box->y0 &&
         box->label >= 0 && box->label < set->label_count;
}

int fv_candidates_suppress(FvCandidates *set, float iou_threshold, int limit) {
  int kept = 0;
  if (limit > FV_MAX_DETECTIONS) limit = FV_MAX_DETECTIONS;
  sort_best_first(set);
  for (int l = 0; l < set->label_count; l++) set->last_kept[l] = -1;
  for (int r = 0; r < set->count && kept < limit; r++) {
    const FvBox *box = &set->boxes[set->ranked[r].slot];
    if (!usable(set, box)) continue;
    int other = set->last_kept[box->label];
    while (other >= 0 && overlap(box, &set->boxes[set->ranked[set->kept[other]].slot]) <= iou_threshold) other = set->previous_kept[other];
    if (other >= 0) continue;
    set->previous_kept[kept] = set->last_kept[box->label];
    set->last_kept[box->label] = kept;
    set->kept[kept++] = r;
  }
  return kept;
}

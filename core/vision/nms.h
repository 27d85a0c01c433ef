/* Candidates, best scores first, and greedy class-aware suppression. All memory is taken at create. */
#ifndef FOVEA_VISION_NMS_H
#define FOVEA_VISION_NMS_H

#include <stdbool.h>

#include <fovea/detection.h>
#include <fovea/error.h>
#include <fovea/limits.h>

typedef struct FvBox {
  float x0, y0, x1, y1; /* input pixels */
  int label;
} FvBox;

typedef struct FvRanked {
  float score;
  int order; /* of arrival: decides between equal scores, so that results do not depend on the sort */
  int slot;  /* its box */
} FvRanked;

typedef struct FvCandidates {
  FvRanked *ranked;
  FvBox *boxes;
  float (*landmarks)[FV_MAX_LANDMARKS][2]; /* NULL for families without */
  int capacity, count, arrived;
  bool heaped;           /* ranked is a heap with the worst on top */
  int *last_kept;        /* by label: the latest kept box, -1 for none */
  int *previous_kept;    /* by kept box: the one before of its label */
  int *kept;             /* ranks that survive */
  int label_count;
} FvCandidates;

int fv_candidates_init(FvCandidates *set, int capacity, int label_count, bool landmarks, FvError *err);
void fv_candidates_finish(FvCandidates *set);
void fv_candidates_clear(FvCandidates *set);
/* Takes a candidate and returns its slot, whose box the caller fills; -1 when there are enough better ones already. */
int fv_candidates_add(FvCandidates *set, float score);
/* Sorts, then keeps at most `limit` boxes that overlap no better kept box of their label by more than iou_threshold. Boxes that are empty, not finite or
 * of an unknown label are dropped. Writes set->kept, indices into set->ranked; returns their number. iou_threshold >= 1 suppresses nothing. */
int fv_candidates_suppress(FvCandidates *set, float iou_threshold, int limit);

#endif

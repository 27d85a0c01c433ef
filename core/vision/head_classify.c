/* Classifiers: one detection per class over the threshold, spanning the frame. */
#include "vision/head_decode.h"

static bool is_class_vector(const FvDetector *d, const FvTensor *tensor, int level) { return fv_tensor_count(tensor) == d->classes; }

static bool bind_classifier(FvDetector *d) { return d->classes > 0 && fv_head_take(d, is_class_vector, 0); }

static void decode_classifier(FvDetector *d, float threshold) {
  const FvHead *head = &d->description->head;
  const FvTensor *tensor = fv_head_role(d, 0);
  int64_t step = 1;
  for (int i = 0; i < tensor->rank; i++)
    if (tensor->dims[i] > 1) step = tensor->strides[i];
  if (fv_tensor_count(tensor) != d->classes) return;
  FvScores scores = fv_scores(tensor->data, step, d->classes, head->score_activation);
  for (int c = head->background ? 1 : 0; c < d->classes; c++) {
    float score = fv_scores_at(&scores, c);
    if (!(score >= threshold)) continue;
    int slot = fv_candidates_add(&d->candidates, score);
    if (slot >= 0)
      d->candidates.boxes[slot] = (FvBox){0, 0, (float)d->description->preprocess.width, (float)d->description->preprocess.height, c - head->background};
  }
}

const FvHeadOps fv_head_classifier = {FV_FAMILY_CLASSIFIER, "one output with one score per class", bind_classifier, decode_classifier};

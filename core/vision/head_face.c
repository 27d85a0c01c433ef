/* Face detectors with five landmarks. */
#include "vision/head_decode.h"

static FvBox *add_face(FvDetector *d, float score, float (**landmarks)[2]) {
  int slot = fv_candidates_add(&d->candidates, score);
  if (slot < 0) return NULL;
  d->candidates.boxes[slot].label = 0;
  *landmarks = d->candidates.landmarks[slot];
  (*landmarks)[0][0] = NAN; /* none until somebody knows better */
  return &d->candidates.boxes[slot];
}

/* Ten numbers: x, y of five points relative to (cx, cy), in units of width and height. */
static void set_landmarks(float (*landmarks)[2], const float *p, int64_t step, float cx, float cy, float width, float height) {
  for (int k = 0; k < FV_MAX_LANDMARKS; k++) {
    landmarks[k][0] = cx + p[2 * k * step] * width;
    landmarks[k][1] = cy + p[(2 * k + 1) * step] * height;
  }
}

static const float *row_of(const FvGridView *list, int64_t row) { return list->data + row * list->column_stride; }

/* --- retinaface: boxes, two-class scores and landmarks against priors --- */

static bool bind_priors(FvDetector *d, int64_t first_columns, int64_t second_columns, int64_t third_columns) {
  FvMatrixShape m = {0};
  return d->description->class_count == 1 && fv_head_take_matrix(d, 0, first_columns) && fv_matrix_shape(&d->outputs[d->role_output[0]], &m) &&
         fv_head_take_matrix(d, m.rows, second_columns) && fv_head_take_matrix(d, m.rows, third_columns) && fv_head_fit_grids(d, m.rows, true);
}

static bool bind_retinaface(FvDetector *d) { return bind_priors(d, 4, 2, 10); }

static void decode_retinaface(FvDetector *d, float threshold) {
  const FvHead *head = &d->description->head;
  FvGridView boxes = fv_head_list(d, 0), scores = fv_head_list(d, 1), points = fv_head_list(d, 2);
  FvPriorWalk walk = {0};
  FvPrior prior;
  for (int i = 0; i < boxes.width && fv_prior_next(d, &walk, &prior); i++) {
    if (!fv_head_is_chosen(d, 0, i)) continue;
    FvScores row = fv_scores(row_of(&scores, i), scores.channel_stride, 2, head->score_activation);
    float score = fv_scores_at(&row, 1), (*landmarks)[2];
    FvBox *box = score >= threshold ? add_face(d, score, &landmarks) : NULL;
    if (!box) continue;
    fv_box_from_prior(box, head, &prior, row_of(&boxes, i), boxes.channel_stride);
    set_landmarks(landmarks, row_of(&points, i), points.channel_stride, prior.cx, prior.cy, head->variance[0] * prior.width, head->variance[0] * prior.height);
  }
}

/* The second of two classes is the face. */
static void add_face_factor(const FvDetector *d, FvLocationGroup *group, const FvLocationPart *scores, float power) {
  fv_head_add_factor(group, scores, 0, 2, d->description->head.score_activation, power);
  group->factors[group->factor_count - 1].skip = 1;
}

static void locate_retinaface(FvDetector *d) {
  FvGridView boxes = fv_head_list(d, 0), scores = fv_head_list(d, 1), points = fv_head_list(d, 2);
  FvLocationGroup *group = fv_head_add_group(d, &boxes);
  fv_head_add_part(d, group, 0, &boxes, 0, 4);
  FvLocationPart row = fv_head_add_part(d, group, 1, &scores, 0, 2);
  fv_head_add_part(d, group, 2, &points, 0, 10);
  add_face_factor(d, group, &row, 1);
}

const FvHeadOps fv_head_retinaface = {FV_FAMILY_RETINAFACE, "boxes [N, 4], scores [N, 2] and landmarks [N, 10], N being all priors of the strides", bind_retinaface,
                                      decode_retinaface, locate_retinaface};

/* --- yunet: of 2021 with priors (loc [N, 14], conf [N, 2], iou [N, 1]), since 2023 per stride and without (cls, obj, bbox, kps). Both score with the
 * geometric mean of the two confidences. --- */

static bool take_per_stride(FvDetector *d, int64_t columns) {
  const FvHead *head = &d->description->head;
  for (int l = 0; l < head->stride_count; l++) {
    int64_t anchors = head->anchor_count[l] ? head->anchor_count[l] : 1;
    if (!fv_head_take_matrix(d, (int64_t)d->grid_width[l] * d->grid_height[l] * anchors, columns)) return false;
  }
  return true;
}

static bool has_anchors(const FvHead *head) {
  for (int l = 0; l < head->stride_count; l++)
    if (head->anchor_count[l]) return true;
  return false;
}

static bool bind_yunet(FvDetector *d) {
  if (has_anchors(&d->description->head)) return bind_priors(d, 14, 2, 1);
  return d->description->class_count == 1 && fv_head_fit_grids(d, 0, false) && take_per_stride(d, 1) && take_per_stride(d, 1) && take_per_stride(d, 4) &&
         take_per_stride(d, 10);
}

static float confidence(float a, float b) { return sqrtf(fminf(fmaxf(a, 0), 1) * fminf(fmaxf(b, 0), 1)); }

static void decode_yunet_priors(FvDetector *d, float threshold) {
  const FvHead *head = &d->description->head;
  FvGridView rows = fv_head_list(d, 0), scores = fv_head_list(d, 1), overlaps = fv_head_list(d, 2);
  FvPriorWalk walk = {0};
  FvPrior prior;
  for (int i = 0; i < rows.width && fv_prior_next(d, &walk, &prior); i++) {
    if (!fv_head_is_chosen(d, 0, i)) continue;
    FvScores row = fv_scores(row_of(&scores, i), scores.channel_stride, 2, head->score_activation);
    float score = confidence(fv_scores_at(&row, 1), *row_of(&overlaps, i)), (*landmarks)[2];
    FvBox *box = score >= threshold ? add_face(d, score, &landmarks) : NULL;
    if (!box) continue;
    const float *p = row_of(&rows, i);
    fv_box_from_prior(box, head, &prior, p, rows.channel_stride);
    set_landmarks(landmarks, p + 4 * rows.channel_stride, rows.channel_stride, prior.cx, prior.cy, head->variance[0] * prior.width,
                  head->variance[0] * prior.height);
  }
}

static void decode_yunet_cells(FvDetector *d, float threshold) {
  const FvHead *head = &d->description->head;
  int n = head->stride_count;
  for (int l = 0; l < n; l++) {
    FvGridView first = fv_head_list(d, l), second = fv_head_list(d, n + l), boxes = fv_head_list(d, 2 * n + l), points = fv_head_list(d, 3 * n + l);
    float stride = (float)head->strides[l];
    for (int i = 0; i < first.width; i++) {
      if (!fv_head_is_chosen(d, l, i)) continue;
      float score = confidence(fv_score_activate(head->score_activation, *row_of(&first, i)), fv_score_activate(head->objectness_activation, *row_of(&second, i)));
      float x = (float)(i % d->grid_width[l]) * stride, y = (float)(i / d->grid_width[l]) * stride, (*landmarks)[2];
      FvBox *box = score >= threshold ? add_face(d, score, &landmarks) : NULL;
      if (!box) continue;
      const float *p = row_of(&boxes, i);
      int64_t step = boxes.channel_stride;
      fv_box_from_center(box, x + p[0] * stride, y + p[step] * stride, expf(p[2 * step]) * stride, expf(p[3 * step]) * stride);
      set_landmarks(landmarks, row_of(&points, i), points.channel_stride, x, y, stride, stride);
    }
  }
}

static void decode_yunet(FvDetector *d, float threshold) {
  if (has_anchors(&d->description->head))
    decode_yunet_priors(d, threshold);
  else
    decode_yunet_cells(d, threshold);
}

static void locate_yunet_priors(FvDetector *d) {
  FvGridView rows = fv_head_list(d, 0), scores = fv_head_list(d, 1), overlaps = fv_head_list(d, 2);
  FvLocationGroup *group = fv_head_add_group(d, &rows);
  fv_head_add_part(d, group, 0, &rows, 0, 14);
  FvLocationPart classes = fv_head_add_part(d, group, 1, &scores, 0, 2), overlap = fv_head_add_part(d, group, 2, &overlaps, 0, 1);
  add_face_factor(d, group, &classes, 0.5f);
  fv_head_add_factor(group, &overlap, 0, 1, FV_ACT_NONE, 0.5f);
}

static void locate_yunet(FvDetector *d) {
  const FvHead *head = &d->description->head;
  int n = head->stride_count;
  if (has_anchors(head)) {
    locate_yunet_priors(d);
    return;
  }
  for (int l = 0; l < n; l++) {
    FvGridView first = fv_head_list(d, l), second = fv_head_list(d, n + l), boxes = fv_head_list(d, 2 * n + l), points = fv_head_list(d, 3 * n + l);
    FvLocationGroup *group = fv_head_add_group(d, &first);
    FvLocationPart face = fv_head_add_part(d, group, l, &first, 0, 1), object = fv_head_add_part(d, group, n + l, &second, 0, 1);
    fv_head_add_part(d, group, 2 * n + l, &boxes, 0, 4);
    fv_head_add_part(d, group, 3 * n + l, &points, 0, 10);
    fv_head_add_factor(group, &face, 0, 1, head->score_activation, 0.5f);
    fv_head_add_factor(group, &object, 0, 1, head->objectness_activation, 0.5f);
  }
}

const FvHeadOps fv_head_yunet = {FV_FAMILY_YUNET, "loc [N, 14], conf [N, 2] and iou [N, 1], N being all priors; or cls, obj, bbox and kps per stride", bind_yunet,
                                 decode_yunet, locate_yunet};

/* --- scrfd: distances to the sides in strides, from the corner of the cell; anchors of a cell are neighbours and differ in nothing else --- */

static bool bind_scrfd(FvDetector *d) {
  if (d->description->class_count != 1 || !fv_head_fit_grids(d, 0, false) || !take_per_stride(d, 1) || !take_per_stride(d, 4)) return false;
  int before = d->role_count;
  if (!take_per_stride(d, 10)) d->role_count = before; /* some have no landmarks */
  return true;
}

static void decode_scrfd_level(FvDetector *d, int level, float threshold) {
  const FvHead *head = &d->description->head;
  int n = head->stride_count, anchors = head->anchor_count[level] ? head->anchor_count[level] : 1, width = d->grid_width[level];
  FvGridView scores = fv_head_list(d, level), boxes = fv_head_list(d, n + level);
  FvGridView points = d->role_count == 3 * n ? fv_head_list(d, 2 * n + level) : (FvGridView){0};
  float stride = (float)head->strides[level];
  for (int i = 0; i < scores.width; i++) {
    if (!fv_head_is_chosen(d, level, i)) continue;
    float score = fv_score_activate(head->score_activation, *row_of(&scores, i)), (*landmarks)[2];
    FvBox *box = score >= threshold ? add_face(d, score, &landmarks) : NULL;
    if (!box) continue;
    int cell = i / anchors;
    float x = (float)(cell % width) * stride, y = (float)(cell / width) * stride;
    const float *p = row_of(&boxes, i);
    int64_t step = boxes.channel_stride;
    box->x0 = x - p[0] * stride, box->y0 = y - p[step] * stride;
    box->x1 = x + p[2 * step] * stride, box->y1 = y + p[3 * step] * stride;
    if (points.data) set_landmarks(landmarks, row_of(&points, i), points.channel_stride, x, y, stride, stride);
  }
}

static void decode_scrfd(FvDetector *d, float threshold) {
  for (int l = 0; l < d->description->head.stride_count; l++) decode_scrfd_level(d, l, threshold);
}

static void locate_scrfd(FvDetector *d) {
  const FvHead *head = &d->description->head;
  int n = head->stride_count;
  for (int l = 0; l < n; l++) {
    FvGridView scores = fv_head_list(d, l), boxes = fv_head_list(d, n + l);
    FvLocationGroup *group = fv_head_add_group(d, &scores);
    FvLocationPart score = fv_head_add_part(d, group, l, &scores, 0, 1);
    fv_head_add_part(d, group, n + l, &boxes, 0, 4);
    fv_head_add_factor(group, &score, 0, 1, head->score_activation, 1);
    if (d->role_count < 3 * n) continue;
    FvGridView points = fv_head_list(d, 2 * n + l);
    fv_head_add_part(d, group, 2 * n + l, &points, 0, 10);
  }
}

const FvHeadOps fv_head_scrfd = {FV_FAMILY_SCRFD, "scores [N, 1], boxes [N, 4] and perhaps landmarks [N, 10] per stride, N being H*W*anchors", bind_scrfd, decode_scrfd, locate_scrfd};

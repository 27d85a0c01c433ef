/* Boxes and scores as two outputs, and detectors that suppress in the graph. */
#include "vision/head_decode.h"

bool fv_prior_next(const FvDetector *d, FvPriorWalk *walk, FvPrior *prior) {
  const FvHead *head = &d->description->head;
  while (walk->level < head->stride_count && (walk->y >= d->grid_height[walk->level] || head->anchor_count[walk->level] == 0))
    *walk = (FvPriorWalk){.level = walk->level + 1};
  if (walk->level >= head->stride_count) return false;
  int level = walk->level;
  float stride = (float)head->strides[level];
  const float *size = head->anchors[level][walk->anchor];
  *prior = (FvPrior){((float)walk->x + 0.5f) * stride, ((float)walk->y + 0.5f) * stride, size[0], size[1], level, walk->x, walk->y};
  if (++walk->anchor == head->anchor_count[level]) {
    walk->anchor = 0;
    if (++walk->x == d->grid_width[level]) walk->x = 0, walk->y++;
  }
  return true;
}

void fv_box_from_prior(FvBox *box, const FvHead *head, const FvPrior *prior, const float *p, int64_t stride) {
  fv_box_from_center(box, prior->cx + p[0] * head->variance[0] * prior->width, prior->cy + p[stride] * head->variance[0] * prior->height,
                     prior->width * expf(p[2 * stride] * head->variance[1]), prior->height * expf(p[3 * stride] * head->variance[1]));
}

/* --- ssd --- */

static bool bind_ssd(FvDetector *d) {
  const FvHead *head = &d->description->head;
  FvMatrixShape m = {0};
  if (!fv_head_take_matrix(d, 0, 4) || !fv_matrix_shape(&d->outputs[d->role_output[0]], &m) || !fv_head_take_matrix(d, m.rows, d->classes)) return false;
  d->decoded = head->box_coding != FV_BOX_RAW && (head->box_coding != FV_BOX_DEFAULT || head->stride_count == 0);
  return d->decoded || fv_head_fit_grids(d, m.rows, true);
}

/* UltraFace's priors: the cells of a stride divide the input evenly, also where the stride does not divide its size; sizes are cut to the input. */
static void place_prior(const FvDetector *d, int level, FvPrior *prior) {
  float width = (float)d->description->preprocess.width, height = (float)d->description->preprocess.height;
  prior->cx = ((float)prior->x + 0.5f) * width / (float)d->grid_width[level];
  prior->cy = ((float)prior->y + 0.5f) * height / (float)d->grid_height[level];
  prior->width = fminf(prior->width, width);
  prior->height = fminf(prior->height, height);
}

static void ssd_row(FvDetector *d, const float *boxes, int64_t box_step, const float *scores_at, int64_t score_step, FvPrior *prior, float threshold) {
  const FvHead *head = &d->description->head;
  FvScores scores = fv_scores(scores_at, score_step, d->classes, head->score_activation);
  for (int c = head->background; c < d->classes; c++) {
    float score = fv_scores_at(&scores, c);
    if (!(score >= threshold)) continue;
    int slot = fv_candidates_add(&d->candidates, score);
    if (slot < 0) continue;
    FvBox *box = &d->candidates.boxes[slot];
    box->label = c - head->background;
    if (prior) {
      place_prior(d, prior->level, prior);
      fv_box_from_prior(box, head, prior, boxes, box_step);
    } else {
      fv_box_from_coding(box, head->box_coding == FV_BOX_DEFAULT ? FV_BOX_XYXY_UNIT : head->box_coding, boxes, box_step, &d->description->preprocess);
    }
  }
}

static void decode_ssd(FvDetector *d, float threshold) {
  FvGridView boxes = fv_head_list(d, 0), scores = fv_head_list(d, 1);
  FvPriorWalk walk = {0};
  FvPrior prior;
  for (int i = 0; i < boxes.width && i < scores.width; i++) {
    if (!d->decoded && !fv_prior_next(d, &walk, &prior)) return;
    if (!fv_head_is_chosen(d, 0, i)) continue;
    ssd_row(d, boxes.data + i * boxes.column_stride, boxes.channel_stride, scores.data + i * scores.column_stride, scores.channel_stride,
            d->decoded ? NULL : &prior, threshold);
  }
}

/* Every class of a row may be a box: the best one decides. */
static void locate_ssd(FvDetector *d) {
  const FvHead *head = &d->description->head;
  FvGridView boxes = fv_head_list(d, 0), scores = fv_head_list(d, 1);
  FvLocationGroup *group = fv_head_add_group(d, &boxes);
  fv_head_add_part(d, group, 0, &boxes, 0, 4);
  FvLocationPart row = fv_head_add_part(d, group, 1, &scores, 0, d->classes);
  fv_head_add_factor(group, &row, 0, d->classes, head->score_activation, 1);
  group->factors[0].skip = head->background;
}

const FvHeadOps fv_head_ssd = {FV_FAMILY_SSD, "boxes [N, 4] and scores [N, classes (with background)], N being all priors where strides and anchors are given",
                               bind_ssd, decode_ssd, locate_ssd};

/* --- detections: boxes, scores, classes and perhaps their number; or one output [N, 6] of corners, score, class --- */

static const char *output_name(const FvDetector *d, const FvTensor *tensor) { return d->names[tensor - d->outputs]; }
static bool listed(const FvDetector *d) { return d->description->head.output_count > 0; }

static bool is_score_output(const FvDetector *d, const FvTensor *tensor, int level) {
  return listed(d) || strcasestr(output_name(d, tensor), "score") || strcasestr(output_name(d, tensor), "conf");
}
static bool is_class_output(const FvDetector *d, const FvTensor *tensor, int level) {
  return listed(d) || strcasestr(output_name(d, tensor), "class") || strcasestr(output_name(d, tensor), "label");
}
static bool is_count_output(const FvDetector *d, const FvTensor *tensor, int level) {
  return fv_tensor_count(tensor) == 1 && (listed(d) || strcasestr(output_name(d, tensor), "num") || strcasestr(output_name(d, tensor), "count"));
}

static bool bind_detections(FvDetector *d) {
  if (d->output_count == 1) return fv_head_take_matrix(d, 0, 6);
  if (!fv_head_take_matrix(d, 0, 4) || !fv_head_take(d, is_score_output, 0) || !fv_head_take(d, is_class_output, 0)) return false;
  fv_head_take(d, is_count_output, 0);
  return true;
}

/* A role as a list of numbers: [N], [1, N], [N, 1]. */
static int64_t vector(const FvDetector *d, int role, int64_t *step) {
  const FvTensor *tensor = fv_head_role(d, role);
  int wide = 0;
  *step = 1;
  for (int i = 0; i < tensor->rank; i++)
    if (tensor->dims[i] != 1) *step = tensor->strides[i], wide++;
  return wide > 1 ? 0 : fv_tensor_count(tensor);
}

static void add_detection(FvDetector *d, const float *box, int64_t step, FvBoxCoding fallback, float score, float label, float threshold) {
  const FvHead *head = &d->description->head;
  if (!(score >= threshold) || !(label >= 0 && label < (float)d->classes)) return;
  int slot = fv_candidates_add(&d->candidates, score);
  if (slot < 0) return;
  FvBoxCoding coding = head->box_coding == FV_BOX_DEFAULT ? fallback : head->box_coding;
  fv_box_from_coding(&d->candidates.boxes[slot], coding, box, step, &d->description->preprocess);
  d->candidates.boxes[slot].label = (int)label - head->background;
}

static void decode_detections(FvDetector *d, float threshold) {
  FvGridView boxes = fv_head_list(d, 0);
  if (d->role_count == 1) {
    for (int i = 0; i < boxes.width; i++) {
      const float *row = boxes.data + i * boxes.column_stride;
      if (!fv_head_is_chosen(d, 0, i)) continue;
      add_detection(d, row, boxes.channel_stride, FV_BOX_XYXY, row[4 * boxes.channel_stride], row[5 * boxes.channel_stride], threshold);
    }
    return;
  }
  int64_t score_step, class_step, rows = boxes.width, scores = vector(d, 1, &score_step), classes = vector(d, 2, &class_step);
  if (scores < rows) rows = scores;
  if (classes < rows) rows = classes;
  if (d->role_count > 3) {
    const float *count = fv_head_role(d, 3)->data;
    if (*count >= 0 && *count < (float)rows) rows = (int64_t)*count;
  }
  const float *score = fv_head_role(d, 1)->data, *label = fv_head_role(d, 2)->data;
  for (int64_t i = 0; i < rows; i++)
    add_detection(d, boxes.data + i * boxes.column_stride, boxes.channel_stride, FV_BOX_YXYX_UNIT, score[i * score_step], label[i * class_step], threshold);
}

/* Several outputs are as long as there are boxes at most, and perhaps counted by another: they are read whole. */
static void locate_detections(FvDetector *d) {
  FvGridView rows = fv_head_list(d, 0);
  if (d->role_count > 1) return;
  FvLocationGroup *group = fv_head_add_group(d, &rows);
  FvLocationPart row = fv_head_add_part(d, group, 0, &rows, 0, 6);
  fv_head_add_factor(group, &row, 4, 1, FV_ACT_NONE, 1);
}

const FvHeadOps fv_head_detections = {FV_FAMILY_DETECTIONS,
                                      "boxes [N, 4], scores [N], classes [N] and perhaps their count (name them under head: outputs), or one output [N, 6]",
                                      bind_detections, decode_detections, locate_detections};

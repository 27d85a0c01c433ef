/* NanoDet and other heads with generalised focal loss: distances to the four sides are expectations over `bins` of a softmax.
 *
 * NanoDet exports two outputs per stride, class scores and distributions, with a cell's point at
 * (cell + 0.5) * stride - 0.5; NanoDet-Plus one output [1, N, classes + 4 * bins] for all strides, with the point at cell * stride. */
#include "vision/head_decode.h"

static int distances(const FvDetector *d) { return 4 * d->description->head.bins; }

static bool bind_nanodet(FvDetector *d) {
  const FvHead *head = &d->description->head;
  if (head->bins < 1 || head->stride_count < 1 || !fv_head_fit_grids(d, 0, false)) return false;
  if (fv_head_take_matrix(d, 0, d->classes + distances(d))) {
    FvMatrixShape m = {0};
    fv_matrix_shape(&d->outputs[d->role_output[0]], &m);
    return fv_head_fit_grids(d, m.rows, false);
  }
  for (int l = 0; l < head->stride_count; l++) {
    int64_t cells = (int64_t)d->grid_width[l] * d->grid_height[l];
    if (!fv_head_take_matrix(d, cells, d->classes)) return false;
  }
  for (int l = 0; l < head->stride_count; l++) {
    int64_t cells = (int64_t)d->grid_width[l] * d->grid_height[l];
    if (!fv_head_take_matrix(d, cells, distances(d))) return false;
  }
  return true;
}

/* Sum of i * softmax_i. */
static float expectation(const float *p, int64_t step, int bins) {
  float peak = p[0], sum = 0, weighted = 0;
  for (int i = 1; i < bins; i++) peak = fmaxf(peak, p[i * step]);
  for (int i = 0; i < bins; i++) {
    float e = expf(p[i * step] - peak);
    sum += e;
    weighted += e * (float)i;
  }
  return weighted / sum;
}

static float within(float v, int size) { return fminf(fmaxf(v, 0), (float)size); }

/* As the authors do: the box is cut to the input before suppression. */
static void distance_box(const FvDetector *d, const float *p, int64_t step, float cx, float cy, float stride, FvBox *box) {
  int bins = d->description->head.bins;
  const FvPreprocess *input = &d->description->preprocess;
  float side[4];
  for (int i = 0; i < 4; i++) side[i] = expectation(p + i * bins * step, step, bins) * stride;
  *box = (FvBox){within(cx - side[0], input->width), within(cy - side[1], input->height), within(cx + side[2], input->width),
                 within(cy + side[3], input->height), 0};
}

/* Every class over the threshold is a candidate of its own, with the same box. */
static void decode_level(FvDetector *d, int level, const FvGridView *classes, const FvGridView *boxes, float stride, float shift, float threshold) {
  if (!classes->data || !boxes->data) return;
  for (int y = 0; y < classes->height; y++) {
    for (int x = 0; x < classes->width; x++) {
      if (!fv_head_is_chosen(d, level, (int64_t)y * classes->width + x)) continue;
      const float *cell = classes->data + y * classes->row_stride + x * classes->column_stride;
      FvScores scores = fv_scores(cell, classes->channel_stride, d->classes, d->description->head.score_activation);
      if (!fv_scores_any(&scores, threshold)) continue;
      FvBox box;
      bool known = false;
      for (int c = 0; c < d->classes; c++) {
        float score = fv_scores_at(&scores, c);
        if (!(score >= threshold)) continue;
        int slot = fv_candidates_add(&d->candidates, score);
        if (slot < 0) continue;
        if (!known)
          distance_box(d, boxes->data + y * boxes->row_stride + x * boxes->column_stride, boxes->channel_stride, (float)x * stride + shift,
                       (float)y * stride + shift, stride, &box);
        known = true;
        d->candidates.boxes[slot] = box;
        d->candidates.boxes[slot].label = c;
      }
    }
  }
}

static void take_level(const FvDetector *d, int l, int64_t *first, FvGridView *classes, FvGridView *boxes) {
  int64_t at = 0, from = 0;
  if (d->role_count == 1) {
    *classes = *boxes = fv_head_level(d, 0, l, 1, false, first);
    if (boxes->data) boxes->data += d->classes * boxes->channel_stride;
  } else {
    *classes = fv_head_level(d, l, l, 1, false, &at);
    *boxes = fv_head_level(d, d->description->head.stride_count + l, l, 1, false, &from);
  }
}

static void decode_nanodet(FvDetector *d, float threshold) {
  const FvHead *head = &d->description->head;
  int64_t first = 0;
  for (int l = 0; l < head->stride_count; l++) {
    FvGridView classes, boxes;
    take_level(d, l, &first, &classes, &boxes);
    float stride = (float)head->strides[l];
    decode_level(d, l, &classes, &boxes, stride, d->role_count == 1 ? 0.0f : 0.5f * (stride - 1), threshold);
  }
}

static void locate_nanodet(FvDetector *d) {
  const FvHead *head = &d->description->head;
  int64_t first = 0;
  for (int l = 0; l < head->stride_count; l++) {
    FvGridView classes, boxes;
    take_level(d, l, &first, &classes, &boxes);
    FvLocationGroup *group = fv_head_add_group(d, &classes);
    FvLocationPart scores = fv_head_add_part(d, group, d->role_count == 1 ? 0 : l, &classes, 0, d->classes);
    fv_head_add_part(d, group, d->role_count == 1 ? 0 : head->stride_count + l, &boxes, 0, distances(d));
    fv_head_add_factor(group, &scores, 0, d->classes, head->score_activation, 1);
  }
}

const FvHeadOps fv_head_nanodet = {FV_FAMILY_NANODET, "outputs [1, H*W, classes] and [1, H*W, 4 * bins] per stride, or one [1, N, classes + 4 * bins]",
                                   bind_nanodet, decode_nanodet, locate_nanodet};

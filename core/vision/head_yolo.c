/* The YOLO families: one row of box, objectness and class scores per anchor or cell. */
#include "vision/head_decode.h"

static int input_rows(const FvDetector *d, int output) {
  FvMatrixShape m = {0};
  return fv_matrix_shape(&d->outputs[output], &m) ? (int)m.rows : 0;
}

static bool is_decoded(FvBoxCoding coding) { return coding != FV_BOX_DEFAULT && coding != FV_BOX_RAW; }

static void add_box(FvDetector *d, float score, int label, const FvBox *box) {
  int slot = fv_candidates_add(&d->candidates, score);
  if (slot < 0) return;
  d->candidates.boxes[slot] = *box;
  d->candidates.boxes[slot].label = label;
}

/* Calls fn for every anchor of every cell. */
typedef void (*FvCellFn)(FvDetector *d, const FvGridView *grid, const float *cell, int level, int anchor, int x, int y, float threshold);

static void each_cell(FvDetector *d, const FvGridView *grid, int level, float threshold, FvCellFn fn) {
  int location = 0;
  for (int a = 0; grid->data && a < grid->anchors; a++)
    for (int y = 0; y < grid->height; y++)
      for (int x = 0; x < grid->width; x++)
        if (fv_head_is_chosen(d, level, location++))
          fn(d, grid, grid->data + a * grid->anchor_stride + y * grid->row_stride + x * grid->column_stride, level, a, x, y, threshold);
}

/* Objectness times best class over the threshold? cell: 4 box values, objectness, classes. */
static bool score_cell(const FvDetector *d, const float *cell, int64_t step, float threshold, float *score, int *label) {
  const FvHead *head = &d->description->head;
  float objectness = fv_score_activate(head->objectness_activation, cell[4 * step]);
  if (!(objectness >= threshold)) return false;
  FvScores scores = fv_scores(cell + 5 * step, step, d->classes, head->score_activation);
  *label = fv_scores_best(&scores, 0);
  *score = objectness * fv_scores_at(&scores, *label);
  return *score >= threshold;
}

/* Rows of box, objectness, classes, of whose product a score is made. */
static void locate_cells(FvDetector *d, int role, const FvGridView *grid) {
  const FvHead *head = &d->description->head;
  FvLocationGroup *group = fv_head_add_group(d, grid);
  FvLocationPart row = fv_head_add_part(d, group, role, grid, 0, 5 + d->classes);
  fv_head_add_factor(group, &row, 4, 1, head->objectness_activation, 1);
  fv_head_add_factor(group, &row, 5, d->classes, head->score_activation, 1);
}

static void locate_list(FvDetector *d) {
  FvGridView list = fv_head_list(d, 0);
  locate_cells(d, 0, &list);
}

/* --- yolo-anchor: YOLOv5's formula, box = (2s - 0.5 + cell) * stride, size = (2s)^2 * anchor, s being the sigmoid. --- */

static bool is_anchor_grid(const FvDetector *d, const FvTensor *tensor, int level) {
  FvGridView grid;
  return fv_head_grid(d, tensor, level, d->description->head.anchor_count[level], 5 + d->classes, &grid);
}

static bool bind_yolo_anchor(FvDetector *d) {
  const FvHead *head = &d->description->head;
  d->decoded = is_decoded(head->box_coding) || (head->box_coding == FV_BOX_DEFAULT && d->output_count == 1);
  if (d->decoded) return fv_head_take_matrix(d, 0, 5 + d->classes);
  if (fv_head_fit_grids(d, 0, true)) {
    bool all = true;
    for (int l = 0; l < head->stride_count && all; l++) all = fv_head_take(d, is_anchor_grid, l);
    if (all) return true;
  }
  d->role_count = 0;
  memset(d->used, 0, sizeof d->used);
  return fv_head_take_matrix(d, 0, 5 + d->classes) && fv_head_fit_grids(d, input_rows(d, d->role_output[0]), true);
}

static void decoded_cell(FvDetector *d, const FvGridView *grid, const float *cell, int level, int anchor, int x, int y, float threshold) {
  float score;
  FvBox box;
  int label;
  if (!score_cell(d, cell, grid->channel_stride, threshold, &score, &label)) return;
  FvBoxCoding coding = d->description->head.box_coding;
  fv_box_from_coding(&box, coding == FV_BOX_DEFAULT ? FV_BOX_CXCYWH : coding, cell, grid->channel_stride, &d->description->preprocess);
  add_box(d, score, label, &box);
}

static void anchor_cell(FvDetector *d, const FvGridView *grid, const float *cell, int level, int anchor, int x, int y, float threshold) {
  const FvHead *head = &d->description->head;
  float score, v[4], stride = (float)head->strides[level];
  FvBox box;
  int label;
  if (!score_cell(d, cell, grid->channel_stride, threshold, &score, &label)) return;
  /* An export that leaves the objectness raw leaves the box raw too. */
  for (int i = 0; i < 4; i++) v[i] = fv_score_activate(head->objectness_activation, cell[i * grid->channel_stride]);
  const float *size = head->anchors[level][anchor];
  fv_box_from_center(&box, (v[0] * 2 - 0.5f + (float)x) * stride, (v[1] * 2 - 0.5f + (float)y) * stride, v[2] * v[2] * 4 * size[0],
                     v[3] * v[3] * 4 * size[1]);
  add_box(d, score, label, &box);
}

/* The role that has level l: one per level, or one for all, whose rows start at *first. */
static int anchor_level(const FvDetector *d, int l, int64_t *first, FvGridView *grid) {
  const FvHead *head = &d->description->head;
  if (d->role_count == head->stride_count && fv_head_grid(d, fv_head_role(d, l), l, head->anchor_count[l], 5 + d->classes, grid)) return l;
  *grid = fv_head_level(d, 0, l, head->anchor_count[l], true, first);
  return 0;
}

static void decode_yolo_anchor(FvDetector *d, float threshold) {
  FvGridView grid = fv_head_list(d, 0);
  int64_t first = 0;
  if (d->decoded) each_cell(d, &grid, 0, threshold, decoded_cell);
  for (int l = 0; l < d->description->head.stride_count && !d->decoded; l++) {
    anchor_level(d, l, &first, &grid);
    each_cell(d, &grid, l, threshold, anchor_cell);
  }
}

static void locate_yolo_anchor(FvDetector *d) {
  int64_t first = 0;
  if (d->decoded) locate_list(d);
  for (int l = 0; l < d->description->head.stride_count && !d->decoded; l++) {
    FvGridView grid;
    int role = anchor_level(d, l, &first, &grid);
    locate_cells(d, role, &grid);
  }
}

const FvHeadOps fv_head_yolo_anchor = {FV_FAMILY_YOLO_ANCHOR, "one output [1, N, 5 + classes], or one [1, anchors, H, W, 5 + classes] per stride",
                                       bind_yolo_anchor, decode_yolo_anchor, locate_yolo_anchor};

/* --- yolo-free: YOLOv8 and later, channels first. --- */

static bool bind_yolo_free(FvDetector *d) {
  if (fv_head_take_matrix(d, 4 + d->classes, 0)) return d->transposed = true;
  return fv_head_take_matrix(d, 0, 4 + d->classes);
}

static FvGridView free_rows(const FvDetector *d) {
  FvGridView list = fv_head_list(d, 0), turned = list;
  if (!d->transposed) return list;
  turned.width = list.channels, turned.channels = list.width;
  turned.column_stride = list.channel_stride, turned.channel_stride = list.column_stride;
  return turned;
}

static void decode_yolo_free(FvDetector *d, float threshold) {
  const FvHead *head = &d->description->head;
  FvGridView rows = free_rows(d);
  int64_t step = rows.channel_stride;
  for (int i = 0; i < rows.width; i++) {
    if (!fv_head_is_chosen(d, 0, i)) continue;
    const float *cell = rows.data + i * rows.column_stride;
    FvScores scores = fv_scores(cell + 4 * step, step, d->classes, head->score_activation);
    int label = fv_scores_best(&scores, 0);
    float score = fv_scores_at(&scores, label);
    if (!(score >= threshold)) continue;
    FvBox box;
    fv_box_from_coding(&box, head->box_coding == FV_BOX_DEFAULT ? FV_BOX_CXCYWH : head->box_coding, cell, step, &d->description->preprocess);
    add_box(d, score, label, &box);
  }
}

static void locate_yolo_free(FvDetector *d) {
  FvGridView rows = free_rows(d);
  FvLocationGroup *group = fv_head_add_group(d, &rows);
  FvLocationPart row = fv_head_add_part(d, group, 0, &rows, 0, 4 + d->classes);
  fv_head_add_factor(group, &row, 4, d->classes, d->description->head.score_activation, 1);
}

const FvHeadOps fv_head_yolo_free = {FV_FAMILY_YOLO_FREE, "one output [1, 4 + classes, N] or [1, N, 4 + classes]", bind_yolo_free, decode_yolo_free, locate_yolo_free};

/* --- yolox: centre = (t + cell) * stride, size = exp(t) * stride. --- */

static bool bind_yolox(FvDetector *d) {
  d->decoded = is_decoded(d->description->head.box_coding);
  if (!fv_head_take_matrix(d, 0, 5 + d->classes)) return false;
  return d->decoded || fv_head_fit_grids(d, input_rows(d, d->role_output[0]), false);
}

static void yolox_cell(FvDetector *d, const FvGridView *grid, const float *cell, int level, int anchor, int x, int y, float threshold) {
  float score, stride = (float)d->description->head.strides[level];
  int64_t step = grid->channel_stride;
  FvBox box;
  int label;
  if (!score_cell(d, cell, step, threshold, &score, &label)) return;
  fv_box_from_center(&box, (cell[0] + (float)x) * stride, (cell[step] + (float)y) * stride, expf(cell[2 * step]) * stride, expf(cell[3 * step]) * stride);
  add_box(d, score, label, &box);
}

static void decode_yolox(FvDetector *d, float threshold) {
  if (d->decoded) {
    FvGridView list = fv_head_list(d, 0);
    each_cell(d, &list, 0, threshold, decoded_cell);
    return;
  }
  int64_t first = 0;
  for (int l = 0; l < d->description->head.stride_count; l++) {
    FvGridView grid = fv_head_level(d, 0, l, 1, true, &first);
    each_cell(d, &grid, l, threshold, yolox_cell);
  }
}

static void locate_yolox(FvDetector *d) {
  int64_t first = 0;
  if (d->decoded) locate_list(d);
  for (int l = 0; l < d->description->head.stride_count && !d->decoded; l++) {
    FvGridView grid = fv_head_level(d, 0, l, 1, true, &first);
    locate_cells(d, 0, &grid);
  }
}

const FvHeadOps fv_head_yolox = {FV_FAMILY_YOLOX, "one output [1, N, 5 + classes], N being the cells of all strides", bind_yolox, decode_yolox, locate_yolox};

/* --- fastestdet: objectness first; score = objectness^0.6 * class^0.4; centre = (cell + tanh) / cells, size = sigmoid, of the input. --- */

static bool is_fastestdet_grid(const FvDetector *d, const FvTensor *tensor, int level) {
  FvGridView grid;
  return fv_head_grid(d, tensor, level, 1, 5 + d->classes, &grid);
}

static bool bind_fastestdet(FvDetector *d) {
  return d->description->head.stride_count == 1 && fv_head_fit_grids(d, 0, false) && fv_head_take(d, is_fastestdet_grid, 0);
}

static void fastestdet_cell(FvDetector *d, const FvGridView *grid, const float *cell, int level, int anchor, int x, int y, float threshold) {
  const FvHead *head = &d->description->head;
  const FvPreprocess *input = &d->description->preprocess;
  int64_t step = grid->channel_stride;
  float objectness = powf(fv_score_activate(head->objectness_activation, cell[0]), 0.6f);
  if (!(objectness >= threshold)) return;
  FvScores scores = fv_scores(cell + 5 * step, step, d->classes, head->score_activation);
  int label = fv_scores_best(&scores, 0);
  float score = objectness * powf(fv_scores_at(&scores, label), 0.4f);
  if (!(score >= threshold)) return;
  float cell_width = (float)input->width / (float)grid->width, cell_height = (float)input->height / (float)grid->height;
  FvBox box;
  fv_box_from_center(&box, ((float)x + tanhf(cell[step])) * cell_width, ((float)y + tanhf(cell[2 * step])) * cell_height,
                     fv_sigmoid(cell[3 * step]) * (float)input->width, fv_sigmoid(cell[4 * step]) * (float)input->height);
  add_box(d, score, label, &box);
}

static void decode_fastestdet(FvDetector *d, float threshold) {
  FvGridView grid;
  if (fv_head_grid(d, fv_head_role(d, 0), 0, 1, 5 + d->classes, &grid)) each_cell(d, &grid, 0, threshold, fastestdet_cell);
}

static void locate_fastestdet(FvDetector *d) {
  const FvHead *head = &d->description->head;
  FvGridView grid;
  if (!fv_head_grid(d, fv_head_role(d, 0), 0, 1, 5 + d->classes, &grid)) return;
  FvLocationGroup *group = fv_head_add_group(d, &grid);
  FvLocationPart cell = fv_head_add_part(d, group, 0, &grid, 0, 5 + d->classes);
  fv_head_add_factor(group, &cell, 0, 1, head->objectness_activation, 0.6f);
  fv_head_add_factor(group, &cell, 5, d->classes, head->score_activation, 0.4f);
}

const FvHeadOps fv_head_fastestdet = {FV_FAMILY_FASTESTDET, "one output [1, 5 + classes, H, W] and one stride", bind_fastestdet, decode_fastestdet, locate_fastestdet};

/* --- yolo-fastest: a cell holds boxes of all anchors, their objectness, then classes that the anchors share. --- */

static int fastest_columns(const FvDetector *d, int level) { return 5 * d->description->head.anchor_count[level] + d->classes; }

static bool is_fastest_grid(const FvDetector *d, const FvTensor *tensor, int level) {
  FvGridView grid;
  return fv_head_grid(d, tensor, level, 1, fastest_columns(d, level), &grid);
}

static bool bind_yolo_fastest(FvDetector *d) {
  const FvHead *head = &d->description->head;
  if (!fv_head_fit_grids(d, 0, false)) return false;
  for (int l = 1; l < head->stride_count; l++)
    if (head->anchor_count[l] != head->anchor_count[0]) return false;
  if (fv_head_take_matrix(d, 0, fastest_columns(d, 0)) && fv_head_fit_grids(d, input_rows(d, d->role_output[0]), false)) return true;
  d->role_count = 0;
  memset(d->used, 0, sizeof d->used);
  for (int l = 0; l < head->stride_count; l++)
    if (!fv_head_take(d, is_fastest_grid, l)) return false;
  return true;
}

static void fastest_cell(FvDetector *d, const FvGridView *grid, const float *cell, int level, int unused, int x, int y, float threshold) {
  const FvHead *head = &d->description->head;
  int anchors = head->anchor_count[level];
  float stride = (float)head->strides[level], class_score = -1;
  int64_t step = grid->channel_stride;
  int label = 0;
  for (int a = 0; a < anchors; a++) {
    float objectness = fv_score_activate(head->objectness_activation, cell[(4 * anchors + a) * step]);
    if (!(objectness >= threshold)) continue;
    if (class_score < 0) {
      FvScores scores = fv_scores(cell + 5 * anchors * step, step, d->classes, head->score_activation);
      label = fv_scores_best(&scores, 0);
      class_score = fv_scores_at(&scores, label);
    }
    if (!(objectness * class_score >= threshold)) continue;
    float v[4];
    for (int i = 0; i < 4; i++) v[i] = fv_score_activate(head->objectness_activation, cell[(4 * a + i) * step]);
    FvBox box;
    fv_box_from_center(&box, (v[0] * 2 - 0.5f + (float)x) * stride, (v[1] * 2 - 0.5f + (float)y) * stride,
                       v[2] * v[2] * 4 * head->anchors[level][a][0], v[3] * v[3] * 4 * head->anchors[level][a][1]);
    add_box(d, objectness * class_score, label, &box);
  }
}

static int fastest_level(const FvDetector *d, int l, int64_t *first, FvGridView *grid) {
  if (d->role_count == d->description->head.stride_count && fv_head_grid(d, fv_head_role(d, l), l, 1, fastest_columns(d, l), grid)) return l;
  *grid = fv_head_level(d, 0, l, 1, false, first);
  return 0;
}

static void decode_yolo_fastest(FvDetector *d, float threshold) {
  int64_t first = 0;
  for (int l = 0; l < d->description->head.stride_count; l++) {
    FvGridView grid;
    fastest_level(d, l, &first, &grid);
    each_cell(d, &grid, l, threshold, fastest_cell);
  }
}

/* The best of the anchors' objectness stands for all of them. */
static void locate_yolo_fastest(FvDetector *d) {
  const FvHead *head = &d->description->head;
  int64_t first = 0;
  for (int l = 0; l < head->stride_count; l++) {
    FvGridView grid;
    int role = fastest_level(d, l, &first, &grid), anchors = head->anchor_count[l];
    FvLocationGroup *group = fv_head_add_group(d, &grid);
    FvLocationPart cell = fv_head_add_part(d, group, role, &grid, 0, fastest_columns(d, l));
    fv_head_add_factor(group, &cell, 4 * anchors, anchors, head->objectness_activation, 1);
    fv_head_add_factor(group, &cell, 5 * anchors, d->classes, head->score_activation, 1);
  }
}

const FvHeadOps fv_head_yolo_fastest = {FV_FAMILY_YOLO_FASTEST, "one output [N, 5 * anchors + classes], or one [1, H, W, 5 * anchors + classes] per stride",
                                        bind_yolo_fastest, decode_yolo_fastest, locate_yolo_fastest};

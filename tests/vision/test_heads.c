/* Every head: boxes encoded the way the family does come back; real raw outputs give what the model's authors' decoding gave; NMS and mapping. */
#include <glib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "vision/describe.h"
#include "vision/head.h"
#include "vision/nms.h"

enum { SIDE = 320, MAX_OUTPUTS = 12 };

typedef struct Truth {
  float x0, y0, x1, y1; /* input pixels */
  int label;
  float score;
} Truth;

static const Truth truths[] = {{40, 60, 104, 140, 5, 0.9f}, {180, 100, 260, 290, 17, 0.8f}, {200, 30, 230, 70, 0, 0.7f}};

typedef struct Outputs {
  FvTensor tensor[MAX_OUTPUTS];
  const char *name[MAX_OUTPUTS];
  int count;
  gboolean odd_strides; /* every other test: gaps between rows, as channels-last activations have */
} Outputs;

static FvTensor *add(Outputs *o, const char *name, FvDtype dtype, float fill, int rank, const int64_t *dims) {
  FvTensor *t = &o->tensor[o->count];
  *t = (FvTensor){.dtype = dtype, .rank = rank};
  memcpy(t->dims, dims, sizeof *dims * (size_t)rank);
  fv_tensor_set_contiguous(t);
  if (o->odd_strides && rank == 4) { /* [N, C, H, W] stored as [N, H, W, C + 3] */
    int64_t pixel = dims[1] + 3;
    t->strides[0] = dims[2] * dims[3] * pixel, t->strides[1] = 1, t->strides[2] = dims[3] * pixel, t->strides[3] = pixel;
  } else if (o->odd_strides) {
    int64_t step = 2;
    for (int d = rank - 1; d >= 0; d--) t->strides[d] = step, step *= dims[d] + 1;
  }
  int64_t last = 0;
  for (int d = 0; d < rank; d++) last += (dims[d] - 1) * t->strides[d];
  gsize bytes = (gsize)(last + 1) * fv_dtype_size(dtype);
  t->data = g_malloc(bytes);
  for (int64_t i = 0; i <= last; i++) {
    if (dtype == FV_DTYPE_F32) ((float *)t->data)[i] = fill;
    if (dtype == FV_DTYPE_I64) ((gint64 *)t->data)[i] = (gint64)fill;
  }
  o->name[o->count++] = name;
  return t;
}
#define ADD(o, name, fill, ...) add(o, name, FV_DTYPE_F32, fill, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (const int64_t[]){__VA_ARGS__})

/* Element by index, the leading ones of the shape left out. */
static void put3(FvTensor *t, int64_t a, int64_t b, int64_t c, float v) {
  int64_t at = t->rank >= 3 ? a * t->strides[t->rank - 3] : 0;
  if (t->rank >= 2) at += b * t->strides[t->rank - 2];
  at += c * t->strides[t->rank - 1];
  if (t->dtype == FV_DTYPE_I64) ((gint64 *)t->data)[at] = (gint64)v;
  else ((float *)t->data)[at] = v;
}
static void put2(FvTensor *t, int64_t row, int64_t column, float v) { put3(t, 0, row, column, v); }

static void outputs_finish(Outputs *o) {
  for (int i = 0; i < o->count; i++) g_free(o->tensor[i].data);
}

static float logit(float p) { return logf(p / (1 - p)); }

typedef struct Place {
  int x, y, width;
  float cx, cy, w, h; /* of the box */
} Place;
static Place place(const Truth *t, int stride) {
  Place p = {.width = (SIDE + stride - 1) / stride, .cx = (t->x0 + t->x1) / 2, .cy = (t->y0 + t->y1) / 2, .w = t->x1 - t->x0, .h = t->y1 - t->y0};
  p.x = (int)(p.cx / (float)stride), p.y = (int)(p.cy / (float)stride);
  return p;
}
static int64_t cells(int stride) { return (int64_t)((SIDE + stride - 1) / stride) * ((SIDE + stride - 1) / stride); }
/* The stride that takes truth i: each test spreads them. */
static int level_of(int i) { return i % 2; }

/* --- encoders, one per way of exporting --- */

static void yolo_decoded(Outputs *o) {
  FvTensor *t = ADD(o, "output0", 0, 1, 6300, 85);
  for (int i = 0; i < 3; i++) {
    Place p = place(&truths[i], 8);
    int row = 100 + 1000 * i;
    float v[5] = {p.cx, p.cy, p.w, p.h, truths[i].score};
    for (int k = 0; k < 5; k++) put2(t, row, k, v[k]);
    put2(t, row, 5 + truths[i].label, 1);
  }
}

static const float v5_anchors[3][3][2] = {{{10, 13}, {16, 30}, {33, 23}}, {{30, 61}, {62, 45}, {59, 119}}, {{116, 90}, {156, 198}, {373, 326}}};

static void v5_values(int i, int level, int anchor, float v[5]) {
  int stride = 8 << level;
  Place p = place(&truths[i], stride);
  v[0] = logit((p.cx / (float)stride - (float)p.x + 0.5f) / 2), v[1] = logit((p.cy / (float)stride - (float)p.y + 0.5f) / 2);
  v[2] = logit(sqrtf(p.w / v5_anchors[level][anchor][0]) / 2), v[3] = logit(sqrtf(p.h / v5_anchors[level][anchor][1]) / 2);
  v[4] = logit(truths[i].score);
}

static void yolo_raw_grids(Outputs *o) {
  FvTensor *t[3];
  for (int l = 0; l < 3; l++) t[l] = ADD(o, "grid", -30, 1, 3, SIDE >> (3 + l), SIDE >> (3 + l), 85);
  for (int i = 0; i < 3; i++) {
    int level = 1 + level_of(i), anchor = i % 2;
    Place p = place(&truths[i], 8 << level);
    float v[5], *cell = (float *)t[level]->data + anchor * t[level]->strides[1] + p.y * t[level]->strides[2] + p.x * t[level]->strides[3];
    v5_values(i, level, anchor, v);
    for (int k = 0; k < 5; k++) cell[k * t[level]->strides[4]] = v[k];
    cell[(5 + truths[i].label) * t[level]->strides[4]] = 30;
  }
}

static void yolo_raw_channels(Outputs *o) {
  FvTensor *t[3];
  for (int l = 0; l < 3; l++) t[l] = ADD(o, "grid", -30, 1, 255, SIDE >> (3 + l), SIDE >> (3 + l));
  for (int i = 0; i < 3; i++) {
    int level = 1 + level_of(i), anchor = i % 2;
    Place p = place(&truths[i], 8 << level);
    float v[5];
    v5_values(i, level, anchor, v);
    for (int k = 0; k < 5; k++) put3(t[level], 85 * anchor + k, p.y, p.x, v[k]);
    put3(t[level], 85 * anchor + 5 + truths[i].label, p.y, p.x, 30);
  }
}

static void yolo_raw_list(Outputs *o) {
  FvTensor *t = ADD(o, "all", -30, 1, 6300, 85);
  int64_t first[3] = {0, 3 * cells(8), 3 * (cells(8) + cells(16))};
  for (int i = 0; i < 3; i++) {
    int level = 1 + level_of(i), anchor = i % 2;
    Place p = place(&truths[i], 8 << level);
    int64_t row = first[level] + anchor * cells(8 << level) + p.y * p.width + p.x;
    float v[5];
    v5_values(i, level, anchor, v);
    for (int k = 0; k < 5; k++) put2(t, row, k, v[k]);
    put2(t, row, 5 + truths[i].label, 30);
  }
}

static void yolo_free(Outputs *o) {
  FvTensor *t = ADD(o, "output0", 0, 1, 84, 2100);
  for (int i = 0; i < 3; i++) {
    Place p = place(&truths[i], 8);
    float v[4] = {p.cx, p.cy, p.w, p.h};
    for (int k = 0; k < 4; k++) put2(t, k, 700 * i, v[k]);
    put2(t, 4 + truths[i].label, 700 * i, truths[i].score);
  }
}

static void yolo_free_transposed(Outputs *o) {
  FvTensor *t = ADD(o, "output0", 0, 1, 2100, 84);
  for (int i = 0; i < 3; i++) {
    Place p = place(&truths[i], 8);
    float v[4] = {p.cx, p.cy, p.w, p.h};
    for (int k = 0; k < 4; k++) put2(t, 700 * i + 3, k, v[k]);
    put2(t, 700 * i + 3, 4 + truths[i].label, truths[i].score);
  }
}

static void yolox(Outputs *o) {
  FvTensor *t = ADD(o, "output", 0, 1, 2100, 85);
  for (int i = 0; i < 3; i++) {
    int stride = 16 << level_of(i);
    Place p = place(&truths[i], stride);
    int64_t row = cells(8) + (stride == 32 ? cells(16) : 0) + p.y * p.width + p.x;
    float s = (float)stride, v[5] = {p.cx / s - (float)p.x, p.cy / s - (float)p.y, logf(p.w / s), logf(p.h / s), truths[i].score};
    for (int k = 0; k < 5; k++) put2(t, row, k, v[k]);
    put2(t, row, 5 + truths[i].label, 1);
  }
}

/* A distribution over two neighbouring bins whose mean is the distance. */
static void put_distance(FvTensor *t, int64_t row, int column, float distance) {
  int bin = (int)distance;
  float part = distance - (float)bin;
  put2(t, row, column + bin, logf(1 - part + 1e-9f));
  if (bin < 7) put2(t, row, column + bin + 1, logf(part + 1e-9f));
}

static void put_sides(FvTensor *t, int64_t row, int column, const Truth *b, float x, float y, float stride) {
  const float sides[4] = {x - b->x0, y - b->y0, b->x1 - x, b->y1 - y};
  for (int k = 0; k < 4; k++) put_distance(t, row, column + 8 * k, sides[k] / stride);
}

static void nanodet(Outputs *o) {
  static const char *const names[] = {"dis_32", "cls_8", "dis_16", "cls_32", "dis_8", "cls_16"}; /* in any order */
  FvTensor *t[6];
  for (int k = 0; k < 6; k++) t[k] = ADD(o, names[k], names[k][0] == 'd' ? -40.0f : 0.0f, 1, cells(atoi(names[k] + 4)), names[k][0] == 'd' ? 32 : 80);
  for (int i = 0; i < 3; i++) {
    int stride = 16 << level_of(i + 1);
    Place p = place(&truths[i], stride);
    int64_t row = p.y * p.width + p.x;
    put2(t[stride == 16 ? 5 : 3], row, truths[i].label, truths[i].score);
    put_sides(t[stride == 16 ? 2 : 0], row, 0, &truths[i], ((float)p.x + 0.5f) * (float)stride - 0.5f, ((float)p.y + 0.5f) * (float)stride - 0.5f, (float)stride);
  }
}

static void nanodet_plus(Outputs *o) {
  FvTensor *t = ADD(o, "output", -40, 1, 2125, 112);
  for (int i = 0; i < 3; i++) {
    int stride = 16 << level_of(i);
    Place p = place(&truths[i], stride);
    int64_t row = cells(8) + (stride == 32 ? cells(16) : 0) + p.y * p.width + p.x;
    put2(t, row, truths[i].label, truths[i].score);
    put_sides(t, row, 80, &truths[i], (float)(p.x * stride), (float)(p.y * stride), (float)stride);
  }
}

static void fastestdet(Outputs *o) {
  FvTensor *t = ADD(o, "758", 0, 1, 85, 20, 20);
  for (int i = 0; i < 3; i++) {
    Place p = place(&truths[i], 16);
    float dx = p.cx / 16 - (float)p.x, dy = p.cy / 16 - (float)p.y;
    put3(t, 0, p.y, p.x, powf(truths[i].score, 1 / 0.6f)); /* with a class score of 1 */
    put3(t, 1, p.y, p.x, atanhf(dx));
    put3(t, 2, p.y, p.x, atanhf(dy));
    put3(t, 3, p.y, p.x, logit(p.w / SIDE));
    put3(t, 4, p.y, p.x, logit(p.h / SIDE));
    put3(t, 5 + truths[i].label, p.y, p.x, 1);
  }
}

static const float fastest_anchors[2][3][2] = {{{12.64f, 19.39f}, {37.88f, 51.48f}, {55.71f, 138.31f}}, {{126.91f, 78.23f}, {131.57f, 214.55f}, {279.92f, 258.87f}}};

static void fastest_values(int i, int level, int anchor, float v[4]) {
  float stride = (float)(16 << level);
  Place p = place(&truths[i], 16 << level);
  v[0] = (p.cx / stride - (float)p.x + 0.5f) / 2, v[1] = (p.cy / stride - (float)p.y + 0.5f) / 2;
  v[2] = sqrtf(p.w / fastest_anchors[level][anchor][0]) / 2, v[3] = sqrtf(p.h / fastest_anchors[level][anchor][1]) / 2;
}

static void yolo_fastest_list(Outputs *o) {
  FvTensor *t = ADD(o, "845", 0, 500, 95);
  for (int i = 0; i < 3; i++) {
    int level = level_of(i), anchor = i;
    Place p = place(&truths[i], 16 << level);
    int64_t row = (level ? cells(16) : 0) + p.y * p.width + p.x;
    float v[4];
    fastest_values(i, level, anchor, v);
    for (int k = 0; k < 4; k++) put2(t, row, 4 * anchor + k, v[k]);
    put2(t, row, 12 + anchor, truths[i].score);
    put2(t, row, 15 + truths[i].label, 1);
  }
}

static void yolo_fastest_grids(Outputs *o) {
  FvTensor *t[2] = {ADD(o, "794", 0, 1, 20, 20, 95), NULL};
  t[1] = ADD(o, "796", 0, 1, 95, 10, 10); /* channels last and first */
  for (int i = 0; i < 3; i++) {
    int level = level_of(i), anchor = i;
    Place p = place(&truths[i], 16 << level);
    float v[95] = {0};
    fastest_values(i, level, anchor, v + 4 * anchor);
    v[12 + anchor] = truths[i].score;
    v[15 + truths[i].label] = 1;
    for (int k = 0; k < 95; k++) level ? put3(t[1], k, p.y, p.x, v[k]) : put3(t[0], p.y, p.x, k, v[k]);
  }
}

/* The row of prior `size` at a box's cell, priors of 3, 2, 2, 3 sizes at strides 8 to 64. */
static const float prior_sizes[4][3] = {{10, 16, 24}, {32, 48}, {64, 96}, {128, 192, 256}};
static const int prior_counts[4] = {3, 2, 2, 3};

static int64_t prior_row(const Truth *t, int level, int which, float prior[4]) {
  int64_t row = 0;
  for (int l = 0; l < level; l++) row += cells(8 << l) * prior_counts[l];
  Place p = place(t, 8 << level);
  prior[0] = ((float)p.x + 0.5f) * (float)(8 << level), prior[1] = ((float)p.y + 0.5f) * (float)(8 << level);
  prior[2] = prior[3] = prior_sizes[level][which];
  return row + (p.y * p.width + p.x) * prior_counts[level] + which;
}

static void prior_values(const Truth *t, const float prior[4], float v[4]) {
  Place p = place(t, 8);
  v[0] = (p.cx - prior[0]) / prior[2] / 0.1f, v[1] = (p.cy - prior[1]) / prior[3] / 0.1f;
  v[2] = logf(p.w / prior[2]) / 0.2f, v[3] = logf(p.h / prior[3]) / 0.2f;
}

static int64_t all_priors(void) {
  int64_t rows = 0;
  for (int l = 0; l < 4; l++) rows += cells(8 << l) * prior_counts[l];
  return rows;
}

static void ssd_raw(Outputs *o) {
  FvTensor *scores = ADD(o, "scores", 0, 1, all_priors(), 81), *boxes = ADD(o, "boxes", 0, 1, all_priors(), 4);
  for (int i = 0; i < 3; i++) {
    float prior[4], v[4];
    int64_t row = prior_row(&truths[i], 2 + level_of(i), i % 2, prior);
    prior_values(&truths[i], prior, v);
    for (int k = 0; k < 4; k++) put2(boxes, row, k, v[k]);
    put2(scores, row, 0, logf(1 - truths[i].score)); /* softmax over background and one class */
    for (int c = 1; c < 81; c++) put2(scores, row, c, -60);
    put2(scores, row, 1 + truths[i].label, logf(truths[i].score));
  }
}

static void ssd_decoded(Outputs *o) {
  FvTensor *scores = ADD(o, "scores", 0, 1, 50, 80), *boxes = ADD(o, "boxes", 0, 1, 50, 4);
  for (int i = 0; i < 3; i++) {
    const float v[4] = {truths[i].x0 / SIDE, truths[i].y0 / SIDE, truths[i].x1 / SIDE, truths[i].y1 / SIDE};
    for (int k = 0; k < 4; k++) put2(boxes, 9 * i, k, v[k]);
    put2(scores, 9 * i, truths[i].label, truths[i].score);
  }
}

/* Landmark k of every face: a fifth of the box further each time. */
static void landmark(const Truth *t, int k, float point[2]) {
  point[0] = t->x0 + (t->x1 - t->x0) * 0.2f * (float)k, point[1] = t->y0 + (t->y1 - t->y0) * 0.1f * (float)k;
}

static void put_prior_landmarks(FvTensor *t, int64_t row, int column, const Truth *b, const float prior[4]) {
  for (int k = 0; k < 5; k++) {
    float point[2];
    landmark(b, k, point);
    for (int a = 0; a < 2; a++) put2(t, row, column + 2 * k + a, (point[a] - prior[a]) / prior[2 + a] / 0.1f);
  }
}

static void yunet(Outputs *o) {
  FvTensor *loc = ADD(o, "loc", 0, all_priors(), 14), *conf = ADD(o, "conf", 0, all_priors(), 2), *iou = ADD(o, "iou", 0, all_priors(), 1);
  for (int i = 0; i < 3; i++) {
    float prior[4], v[4];
    int64_t row = prior_row(&truths[i], 1 + level_of(i), i % 2, prior);
    prior_values(&truths[i], prior, v);
    for (int k = 0; k < 4; k++) put2(loc, row, k, v[k]);
    put_prior_landmarks(loc, row, 4, &truths[i], prior);
    put2(conf, row, 1, truths[i].score);
    put2(iou, row, 0, truths[i].score);
  }
}

static void retinaface(Outputs *o) {
  FvTensor *points = ADD(o, "landms", 0, 1, all_priors(), 10), *conf = ADD(o, "conf", 0, 1, all_priors(), 2), *loc = ADD(o, "loc", 0, 1, all_priors(), 4);
  for (int i = 0; i < 3; i++) {
    float prior[4], v[4];
    int64_t row = prior_row(&truths[i], 1 + level_of(i), i % 2, prior);
    prior_values(&truths[i], prior, v);
    for (int k = 0; k < 4; k++) put2(loc, row, k, v[k]);
    put_prior_landmarks(points, row, 0, &truths[i], prior);
    put2(conf, row, 1, truths[i].score);
  }
}

static void put_cell_landmarks(FvTensor *t, int64_t row, const Truth *b, float x, float y, float stride) {
  for (int k = 0; k < 5; k++) {
    float point[2];
    landmark(b, k, point);
    put2(t, row, 2 * k, (point[0] - x) / stride);
    put2(t, row, 2 * k + 1, (point[1] - y) / stride);
  }
}

static void yunet_cells(Outputs *o) {
  FvTensor *t[4][3];
  static const int columns[4] = {1, 1, 4, 10};
  for (int k = 0; k < 4; k++)
    for (int l = 0; l < 3; l++) t[k][l] = ADD(o, "x", 0, 1, cells(8 << l), columns[k]);
  for (int i = 0; i < 3; i++) {
    int level = 1 + level_of(i);
    float s = (float)(8 << level);
    Place p = place(&truths[i], 8 << level);
    int64_t row = p.y * p.width + p.x;
    float x = (float)p.x * s, y = (float)p.y * s, v[4] = {(p.cx - x) / s, (p.cy - y) / s, logf(p.w / s), logf(p.h / s)};
    put2(t[0][level], row, 0, truths[i].score);
    put2(t[1][level], row, 0, truths[i].score);
    for (int k = 0; k < 4; k++) put2(t[2][level], row, k, v[k]);
    put_cell_landmarks(t[3][level], row, &truths[i], x, y, s);
  }
}

static void scrfd_outputs(Outputs *o, int kinds) {
  FvTensor *t[3][3];
  static const int columns[3] = {1, 4, 10};
  for (int k = 0; k < kinds; k++)
    for (int l = 0; l < 3; l++) t[k][l] = ADD(o, "x", 0, 2 * cells(8 << l), columns[k]);
  for (int i = 0; i < 3; i++) {
    int level = 1 + level_of(i);
    float s = (float)(8 << level);
    Place p = place(&truths[i], 8 << level);
    int64_t row = 2 * (p.y * p.width + p.x) + i % 2;
    float x = (float)p.x * s, y = (float)p.y * s;
    const float v[4] = {(x - truths[i].x0) / s, (y - truths[i].y0) / s, (truths[i].x1 - x) / s, (truths[i].y1 - y) / s};
    put2(t[0][level], row, 0, truths[i].score);
    for (int k = 0; k < 4; k++) put2(t[1][level], row, k, v[k]);
    if (kinds > 2) put_cell_landmarks(t[2][level], row, &truths[i], x, y, s);
  }
}
static void scrfd(Outputs *o) { scrfd_outputs(o, 3); }
static void scrfd_boxes_only(Outputs *o) { scrfd_outputs(o, 2); }

static void suppressed(Outputs *o) {
  FvTensor *count = ADD(o, "num_detections", 3, 1), *classes = add(o, "detection_classes", FV_DTYPE_I64, 1, 2, (const int64_t[]){1, 10});
  FvTensor *scores = ADD(o, "detection_scores", 0.95f, 1, 10), *boxes = ADD(o, "detection_boxes", 0.5f, 1, 10, 4);
  (void)count;
  for (int i = 0; i < 3; i++) {
    const float v[4] = {truths[i].y0 / SIDE, truths[i].x0 / SIDE, truths[i].y1 / SIDE, truths[i].x1 / SIDE};
    for (int k = 0; k < 4; k++) put2(boxes, i, k, v[k]);
    put2(scores, 0, i, truths[i].score);
    put2(classes, 0, i, (float)truths[i].label + 1);
  }
}

static void suppressed_in_one(Outputs *o) {
  FvTensor *t = ADD(o, "output0", 0, 1, 300, 6);
  for (int i = 0; i < 3; i++) {
    const float v[6] = {truths[i].x0, truths[i].y0, truths[i].x1, truths[i].y1, truths[i].score, (float)truths[i].label};
    for (int k = 0; k < 6; k++) put2(t, 5 * i, k, v[k]);
  }
}

#define V5_ANCHORS "strides: [8, 16, 32], anchors: [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]"
#define FASTEST_ANCHORS "strides: [16, 32], anchors: [[12.64, 19.39, 37.88, 51.48, 55.71, 138.31], [126.91, 78.23, 131.57, 214.55, 279.92, 258.87]]"
#define PRIORS "strides: [8, 16, 32, 64], anchors: [[10,10,16,16,24,24], [32,32,48,48], [64,64,96,96], [128,128,192,192,256,256]]"

static const struct {
  const char *name, *yaml;
  void (*make)(Outputs *);
  gboolean face; /* one class, landmarks */
} cases[] = {
  {"yolo-anchor decoded", "family: yolo-anchor", yolo_decoded, FALSE},
  {"yolo-anchor raw grids", "family: yolo-anchor\nhead: {boxes: raw, objectness-activation: sigmoid, score-activation: sigmoid, " V5_ANCHORS "}", yolo_raw_grids, FALSE},
  {"yolo-anchor raw channels", "family: yolo-anchor\nhead: {boxes: raw, objectness-activation: sigmoid, score-activation: sigmoid, " V5_ANCHORS "}", yolo_raw_channels, FALSE},
  {"yolo-anchor raw list", "family: yolo-anchor\nhead: {boxes: raw, objectness-activation: sigmoid, score-activation: sigmoid, " V5_ANCHORS "}", yolo_raw_list, FALSE},
  {"yolo-free", "family: yolo-free", yolo_free, FALSE},
  {"yolo-free transposed", "family: yolo-free", yolo_free_transposed, FALSE},
  {"yolox raw", "family: yolox\nhead: {strides: [8, 16, 32]}", yolox, FALSE},
  {"yolox decoded", "family: yolox\nhead: {boxes: cxcywh}", yolo_decoded, FALSE},
  {"nanodet", "family: nanodet\nhead: {bins: 8, strides: [8, 16, 32]}", nanodet, FALSE},
  {"nanodet-plus", "family: nanodet\nhead: {bins: 8, strides: [8, 16, 32, 64]}", nanodet_plus, FALSE},
  {"fastestdet", "family: fastestdet\nhead: {strides: [16]}", fastestdet, FALSE},
  {"yolo-fastest list", "family: yolo-fastest\nhead: {" FASTEST_ANCHORS "}", yolo_fastest_list, FALSE},
  {"yolo-fastest grids", "family: yolo-fastest\nhead: {" FASTEST_ANCHORS "}", yolo_fastest_grids, FALSE},
  {"ssd raw", "family: ssd\nhead: {boxes: raw, background: true, score-activation: softmax, " PRIORS "}", ssd_raw, FALSE},
  {"ssd decoded", "family: ssd\nhead: {boxes: xyxy-unit}", ssd_decoded, FALSE},
  {"yunet", "family: yunet\nhead: {" PRIORS "}", yunet, TRUE},
  {"yunet without priors", "family: yunet\nhead: {strides: [8, 16, 32]}", yunet_cells, TRUE},
  {"retinaface", "family: retinaface\nhead: {" PRIORS "}", retinaface, TRUE},
  {"scrfd", "family: scrfd\nhead: {strides: [8, 16, 32], anchors: [[16,16,32,32],[64,64,128,128],[256,256,512,512]]}", scrfd, TRUE},
  {"scrfd without landmarks", "family: scrfd\nhead: {strides: [8, 16, 32], anchors: [[16,16,32,32],[64,64,128,128],[256,256,512,512]]}", scrfd_boxes_only, TRUE},
  {"detections", "family: detections\nhead: {background: true}", suppressed, FALSE},
  {"detections in one output", "family: detections\nhead: {boxes: xyxy}", suppressed_in_one, FALSE},
};

static void describe(FvDescription *d, const char *yaml, int classes) {
  FvError err;
  *d = (FvDescription){.class_count = classes};
  d->preprocess.width = d->preprocess.height = SIDE;
  if (fv_description_read_yaml(d, yaml, strlen(yaml), "test.yaml", &err) < 0) g_error("%s", err.message);
}

static void check_found(const FvDetection *found, int count, gboolean face, gboolean landmarks) {
  g_assert_cmpint(count, ==, 3);
  for (int i = 0; i < 3; i++) {
    const Truth *t = &truths[i];
    const float want[4] = {(t->x0 - 10) / 0.5f, (t->y0 - 20) / 0.8f, (t->x1 - 10) / 0.5f, (t->y1 - 20) / 0.8f};
    const float got[4] = {found[i].x0, found[i].y0, found[i].x1, found[i].y1};
    for (int k = 0; k < 4; k++) g_assert_cmpfloat_with_epsilon(got[k], want[k], 0.02f);
    g_assert_cmpint(found[i].label, ==, face ? 0 : t->label);
    g_assert_cmpfloat_with_epsilon(found[i].score, t->score, 1e-4f);
    g_assert_cmpint(found[i].landmark_count, ==, landmarks ? 5 : 0);
    for (int k = 0; k < found[i].landmark_count; k++) {
      float point[2];
      landmark(t, k, point);
      g_assert_cmpfloat_with_epsilon(found[i].landmarks[k][0], (point[0] - 10) / 0.5f, 0.02f);
      g_assert_cmpfloat_with_epsilon(found[i].landmarks[k][1], (point[1] - 20) / 0.8f, 0.02f);
    }
  }
}

static FvDetector *detector_for(const FvDescription *d, const Outputs *o, const FvTensor *pointers[MAX_OUTPUTS]) {
  FvDetector *detector;
  FvError err;
  for (int i = 0; i < o->count; i++) pointers[i] = &o->tensor[i];
  if (fv_detector_create(d, o->name, pointers, o->count, &detector, &err) < 0) g_error("%s", err.message);
  return detector;
}

static void test_round_trip(gconstpointer data) {
  gsize i = GPOINTER_TO_SIZE(data);
  for (int odd = 0; odd < 2; odd++) {
    Outputs o = {.odd_strides = odd};
    FvDescription d;
    FvDetection found[16];
    const FvTensor *pointers[MAX_OUTPUTS];
    FvDecodeParams params = {.threshold = 0.5f, .iou_threshold = 0.45f, .map = {0.5f, 0.8f, 10, 20}, .frame_width = 600, .frame_height = 400};
    cases[i].make(&o);
    describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
    FvDetector *detector = detector_for(&d, &o, pointers);
    for (int again = 0; again < 2; again++)
      check_found(found, fv_detector_decode(detector, pointers, &params, found, 16), cases[i].face, cases[i].face && o.count != 6);
    params.threshold = 0.75f;
    g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 16), ==, 2);
    params.threshold = 0.5f;
    g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 1), ==, 1);
    g_assert_cmpfloat_with_epsilon(found[0].score, 0.9f, 1e-4f);
    fv_detector_destroy(&detector);
    fv_description_finish(&d);
    outputs_finish(&o);
  }
}

/* A head that gets other outputs than it was described for says what it wants and what there is. */
static void test_wrong_outputs(void) {
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    Outputs o = {0};
    FvDescription d;
    FvDetector *detector = NULL;
    FvError err;
    ADD(&o, "strange", 0, 1, 7, 13, 9);
    const FvTensor *pointers[] = {&o.tensor[0]};
    describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
    g_assert_cmpint(fv_detector_create(&d, o.name, pointers, 1, &detector, &err), ==, FV_ERR_CONFIG);
    g_assert_null(detector);
    g_assert_nonnull(strstr(err.message, "strange f32[1,7,13,9]"));
    g_assert_nonnull(strstr(err.message, fv_family_name(d.family)));
    fv_description_finish(&d);
    outputs_finish(&o);
  }
}

/* Numbers that no network should give must neither crash nor come out as boxes. */
static void test_wild_numbers(void) {
  static const float wild[] = {NAN, INFINITY, -INFINITY, 1e38f, -1e38f};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
    for (gsize w = 0; w < G_N_ELEMENTS(wild); w++) {
      Outputs o = {0};
      FvDescription d;
      FvDetection found[64];
      const FvTensor *pointers[MAX_OUTPUTS];
      cases[i].make(&o);
      for (int k = 0; k < o.count; k++)
        for (int64_t e = 0; o.tensor[k].dtype == FV_DTYPE_F32 && e < fv_tensor_count(&o.tensor[k]); e++)
          if (e % 3 != 1) ((float *)o.tensor[k].data)[e] = wild[w];
      describe(&d, cases[i].yaml, cases[i].face ? 1 : 80);
      FvDetector *detector = detector_for(&d, &o, pointers);
      FvDecodeParams params = {.threshold = 0.01f, .iou_threshold = 0.5f, .map = {1, 1, 0, 0}, .frame_width = SIDE, .frame_height = SIDE};
      int count = fv_detector_decode(detector, pointers, &params, found, 64);
      for (int k = 0; k < count; k++) {
        g_assert_true(found[k].x0 >= 0 && found[k].x1 <= SIDE && found[k].y0 >= 0 && found[k].y1 <= SIDE && found[k].x0 < found[k].x1);
        g_assert_true(found[k].score >= 0.01f && found[k].score <= 1);
        g_assert_true(found[k].label >= 0 && found[k].label < 80);
      }
      fv_detector_destroy(&detector);
      fv_description_finish(&d);
      outputs_finish(&o);
    }
}

static void test_named_outputs(void) {
  Outputs o = {0};
  FvDescription d;
  const FvTensor *pointers[MAX_OUTPUTS];
  FvDetection found[8];
  ssd_decoded(&o);
  describe(&d, "family: ssd\nhead: {boxes: xyxy-unit, outputs: [boxes, scores]}", 80);
  FvDetector *detector = detector_for(&d, &o, pointers);
  FvDecodeParams params = {.threshold = 0.5f, .iou_threshold = 0.45f, .map = {1, 1, 0, 0}, .frame_width = SIDE, .frame_height = SIDE};
  g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 8), ==, 3);
  fv_detector_destroy(&detector);
  fv_description_finish(&d);
  FvError err;
  describe(&d, "family: ssd\nhead: {boxes: xyxy-unit, outputs: [boxen, scores]}", 80);
  g_assert_cmpint(fv_detector_create(&d, o.name, pointers, o.count, &detector, &err), ==, FV_ERR_CONFIG);
  fv_description_finish(&d);
  outputs_finish(&o);
}

static void test_classifier(void) {
  Outputs o = {0};
  FvDescription d;
  const FvTensor *pointers[MAX_OUTPUTS];
  FvDetection found[8];
  FvTensor *t = ADD(&o, "logits", -5, 1, 10, 1, 1);
  put3(t, 7, 0, 0, 4);
  put3(t, 3, 0, 0, 3);
  describe(&d, "family: classifier\nhead: {score-activation: softmax}", 10);
  FvDetector *detector = detector_for(&d, &o, pointers);
  FvDecodeParams params = {.threshold = 0.2f, .iou_threshold = 0.1f, .map = {0.5f, 0.5f, -3, 4}, .frame_width = 640, .frame_height = 480};
  g_assert_cmpint(fv_detector_decode(detector, pointers, &params, found, 8), ==, 2);
  g_assert_cmpint(found[0].label, ==, 7);
  g_assert_cmpint(found[1].label, ==, 3);
  g_assert_cmpfloat_with_epsilon(found[0].score, 1 / (1 + expf(-1) + 8 * expf(-9)), 1e-5f);
  g_assert_true(found[1].x0 == 0 && found[1].y0 == 0 && found[1].x1 == 640 && found[1].y1 == 480);
  fv_detector_destroy(&detector);
  fv_description_finish(&d);
  outputs_finish(&o);
}

/* --- suppression --- */

static void test_suppression(void) {
  FvCandidates set;
  g_assert_cmpint(fv_candidates_init(&set, 100, 3, false, NULL), ==, FV_OK);
  static const FvBox boxes[] = {{0, 0, 10, 10, 0}, {1, 0, 11, 10, 0}, {1, 0, 11, 10, 1}, {0, 0, 10, 6, 0}, {5, 5, 5, 9, 2}, {0, 0, NAN, 9, 2}, {0, 0, 9, 9, 3}};
  static const float scores[] = {0.5f, 0.6f, 0.4f, 0.3f, 0.9f, 0.9f, 0.9f};
  for (gsize i = 0; i < G_N_ELEMENTS(boxes); i++) set.boxes[fv_candidates_add(&set, scores[i])] = boxes[i];
  /* 1 beats 0 (overlap 9/11); 2 is of another label; 3 overlaps 1 by 54/106; 4 to 6 are no boxes. */
  g_assert_cmpint(fv_candidates_suppress(&set, 0.6f, 100), ==, 3);
  g_assert_cmpfloat(set.ranked[set.kept[0]].score, ==, 0.6f);
  g_assert_cmpfloat(set.ranked[set.kept[1]].score, ==, 0.4f);
  g_assert_cmpfloat(set.ranked[set.kept[2]].score, ==, 0.3f);
  fv_candidates_finish(&set);
}

/* More candidates than room: the best stay, and of equals the earlier. */
static void test_top_candidates(void) {
  enum { ROOM = 50, ALL = 3000 };
  FvCandidates set;
  g_assert_cmpint(fv_candidates_init(&set, ROOM, 1, true, NULL), ==, FV_OK);
  for (int round = 0; round < 2; round++) {
    fv_candidates_clear(&set);
    for (int i = 0; i < ALL; i++) {
      int slot = fv_candidates_add(&set, (float)((i * 7919) % 1000) / 1000.0f);
      if (slot >= 0) set.boxes[slot] = (FvBox){(float)i, 0, (float)i + 0.5f, 1, 0};
    }
    g_assert_cmpint(fv_candidates_suppress(&set, 0.5f, ALL), ==, ROOM);
    for (int k = 0; k < ROOM; k++) { /* three of each score, 999 downwards */
      g_assert_cmpfloat(set.ranked[k].score, ==, (float)(999 - k / 3) / 1000.0f);
      if (k % 3) g_assert_cmpint(set.ranked[k].order, >, set.ranked[k - 1].order);
      g_assert_cmpint((int)set.boxes[set.ranked[k].slot].x0, ==, set.ranked[k].order);
    }
  }
  fv_candidates_finish(&set);
}

/* --- real outputs --- */

typedef struct Known {
  float score, box[4];
  char label[40];
} Known;

/* The few fields of ref.json that we need, in the order it has them. */
static int read_known(const char *folder, float *threshold, Known *known, int capacity) {
  char *path = g_build_filename(folder, "ref.json", NULL), *text = NULL;
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_free(path);
  const char *at = strstr(text, "\"score_threshold\":");
  g_assert_nonnull(at);
  *threshold = (float)g_ascii_strtod(at + 18, NULL);
  int count = 0;
  while (count < capacity && (at = strstr(at, "\"label\": \""))) {
    Known *k = &known[count++];
    at += 10;
    g_snprintf(k->label, sizeof k->label, "%.*s", (int)strcspn(at, "\""), at);
    at = strstr(at, "\"score\":") + 8;
    k->score = (float)g_ascii_strtod(at, NULL);
    at = strchr(strstr(at, "\"box_xyxy\":"), '[') + 1;
    for (int i = 0; i < 4; i++) {
      char *end;
      k->box[i] = (float)g_ascii_strtod(at, &end);
      at = end + 1;
    }
  }
  g_free(text);
  return count;
}

static const struct {
  const char *folder, *config;
  const char *outputs[6];
  int width, height; /* of the picture */
  int input_width, input_height;
  FvFrameMap map;
} references[] = {
  {"FastestDet", "FastestDet", {"758"}, 640, 425, 352, 352, {0.55f, 352.0f / 425, 0, 0}},
  {"yolo-fastestv2", "yolo-fastestv2", {"845"}, 640, 425, 352, 352, {0.55f, 352.0f / 425, 0, 0}},
  {"nanodet_m_320", "nanodet_m_320",
   {"cls_pred_stride_8", "cls_pred_stride_16", "cls_pred_stride_32", "dis_pred_stride_8", "dis_pred_stride_16", "dis_pred_stride_32"},
   640, 425, 320, 320, {0.5f, 212.0f / 425, 0, 54}},
  {"version-RFB-320", "version-RFB-320", {"scores", "boxes"}, 512, 600, 320, 240, {320.0f / 512, 0.4f, 0, 0}},
  {"version-RFB-320_simplified", "version-RFB-320_simplified", {"scores", "boxes"}, 512, 600, 320, 240, {320.0f / 512, 0.4f, 0, 0}},
  {"yunet_120x160", "face_detection_yunet_120x160", {"loc", "conf", "iou"}, 512, 600, 160, 120, {160.0f / 512, 0.2f, 0, 0}},
};

static void test_reference(gconstpointer data) {
  gsize r = GPOINTER_TO_SIZE(data);
  char *folder = g_build_filename(g_getenv("FOVEA_SHARED_DIR") ? g_getenv("FOVEA_SHARED_DIR") : "", "models", "reference", references[r].folder, NULL);
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR)) {
    g_test_skip("no reference outputs: FOVEA_SHARED_DIR is not there");
    g_free(folder);
    return;
  }
  char *path = fv_description_find(NULL, references[r].config, NULL);
  g_assert_nonnull(path);
  FvDescription d = {.preprocess = {.width = references[r].input_width, .height = references[r].input_height}};
  FvError err;
  void *text;
  gsize size;
  g_assert_cmpint(fv_file_read(path, FV_MAX_CONFIG_BYTES, &text, &size, &err), ==, 0);
  if (fv_description_read_yaml(&d, text, size, path, &err) < 0) g_error("%s", err.message);
  free(text);
  free(path);

  Outputs o = {0};
  const FvTensor *pointers[MAX_OUTPUTS];
  for (; o.count < 6 && references[r].outputs[o.count]; o.count++) {
    char *file = g_strdup_printf("%s/out%d.npy", folder, o.count);
    o.name[o.count] = references[r].outputs[o.count];
    if (fv_npy_read(file, &o.tensor[o.count], &err) < 0) g_error("%s", err.message);
    g_free(file);
  }
  FvDetector *detector = detector_for(&d, &o, pointers);
  Known known[64];
  FvDetection found[64];
  FvDecodeParams params = {.iou_threshold = d.iou_threshold, .map = references[r].map, .frame_width = references[r].width, .frame_height = references[r].height};
  int want = read_known(folder, &params.threshold, known, 64), got = fv_detector_decode(detector, pointers, &params, found, 64);
  g_assert_cmpint(got, ==, want);
  for (int i = 0; i < want; i++) {
    char scratch[24];
    const float box[4] = {found[i].x0, found[i].y0, found[i].x1, found[i].y1};
    g_assert_cmpstr(fv_description_label(&d, found[i].label, scratch), ==, known[i].label);
    g_assert_cmpfloat_with_epsilon(found[i].score, known[i].score, 1e-4f); /* the file has four digits */
    for (int k = 0; k < 4; k++) g_assert_cmpfloat_with_epsilon(box[k], known[i].box[k], 0.11f); /* and one */
  }
  fv_detector_destroy(&detector);
  fv_description_finish(&d);
  for (int i = 0; i < o.count; i++) fv_tensor_release(&o.tensor[i]);
  g_free(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    char *path = g_strdup_printf("/heads/boxes come back/%s", cases[i].name);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_round_trip);
    g_free(path);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(references); i++) {
    char *path = g_strdup_printf("/heads/as the authors decode/%s", references[i].folder);
    g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_reference);
    g_free(path);
  }
  g_test_add_func("/heads/other outputs are refused", test_wrong_outputs);
  g_test_add_func("/heads/wild numbers give no wild boxes", test_wild_numbers);
  g_test_add_func("/heads/outputs by name", test_named_outputs);
  g_test_add_func("/heads/classifier", test_classifier);
  g_test_add_func("/heads/suppression", test_suppression);
  g_test_add_func("/heads/only the best candidates stay", test_top_candidates);
  return g_test_run();
}

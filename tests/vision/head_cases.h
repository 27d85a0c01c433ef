/* Outputs as each family of heads gives them, with known boxes in them. */
#ifndef FOVEA_TESTS_HEAD_CASES_H
#define FOVEA_TESTS_HEAD_CASES_H

#include <glib.h>
#include <math.h>
#include <string.h>

#include "vision/describe.h"
#include "vision/head.h"

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

static FvDetector *detector_for(const FvDescription *d, const Outputs *o, const FvTensor *pointers[MAX_OUTPUTS]) {
  FvDetector *detector;
  FvError err;
  for (int i = 0; i < o->count; i++) pointers[i] = &o->tensor[i];
  if (fv_detector_create(d, o->name, pointers, o->count, &detector, &err) < 0) g_error("%s", err.message);
  return detector;
}

#endif

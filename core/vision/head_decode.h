/* What the families' decoders share: outputs as strided grids, candidates, and how roles are found among a model's outputs. */
#ifndef FOVEA_VISION_HEAD_DECODE_H
#define FOVEA_VISION_HEAD_DECODE_H

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "vision/head.h"
#include "vision/nms.h"

/* Values on a grid: element (anchor, y, x, channel) at data[anchor * anchor_stride + y * row_stride + …]. A plain list of N rows is a grid of
 * height 1 and width N. */
typedef struct FvGridView {
  const float *data;
  int64_t anchor_stride, row_stride, column_stride, channel_stride;
  int anchors, height, width, channels;
} FvGridView;

/* Rows and columns of a tensor as a matrix, leading dimensions of 1 dropped; a vector is one column. False for anything else. */
typedef struct FvMatrixShape {
  int64_t rows, columns, row_stride, column_stride;
} FvMatrixShape;
bool fv_matrix_shape(const FvTensor *tensor, FvMatrixShape *shape);

typedef struct FvHeadOps {
  FvFamily family;
  const char *expects; /* the outputs, in words, for the error */
  /* Finds its roles among the outputs; false when they do not fit. */
  bool (*bind)(FvDetector *detector);
  /* Locations are numbered as fv_head_locations lists them; those not fv_head_is_chosen are left out. */
  void (*decode)(FvDetector *detector, float threshold);
  /* Adds the groups of locations, in the order that decode takes them, with fv_head_add_group; NULL where all is read anyway. */
  void (*locate)(FvDetector *detector);
} FvHeadOps;

struct FvDetector {
  const FvDescription *description;
  const FvHeadOps *ops;
  int output_count;
  const char *const *names;          /* during create only */
  FvTensor outputs[FV_MAX_HEAD_OUTPUTS]; /* as f32: the session's own, or `converted` */
  FvTensor converted[FV_MAX_HEAD_OUTPUTS];
  int64_t max_count[FV_MAX_HEAD_OUTPUTS]; /* elements seen at create */
  /* By role: which output. */
  int role_output[FV_MAX_HEAD_OUTPUTS];
  int role_count;
  bool used[FV_MAX_HEAD_OUTPUTS];
  int grid_width[FV_MAX_HEAD_STRIDES], grid_height[FV_MAX_HEAD_STRIDES]; /* cells at each stride */
  bool decoded;   /* boxes need no grid */
  bool transposed; /* [4+C, N] */
  int classes;    /* score columns, with background */
  FvCandidates candidates;
  FvLocationGroup groups[FV_MAX_LOCATION_GROUPS];
  int group_count;
  const uint64_t *chosen; /* during decode */
};

/* A new group of locations, those of the grid. */
FvLocationGroup *fv_head_add_group(FvDetector *detector, const FvGridView *grid);
/* Channels [first, first + count) of a role that grid views; all of them are read by decode. */
FvLocationPart fv_head_add_part(const FvDetector *detector, FvLocationGroup *group, int role, const FvGridView *grid, int first, int count);
/* Some of those are a factor of the score: channels [first, first + count) of the part. */
void fv_head_add_factor(FvLocationGroup *group, const FvLocationPart *part, int first, int count, FvActivationKind activation, float power);

static inline bool fv_head_is_chosen(const FvDetector *d, int group, int64_t index) {
  if (!d->chosen) return true;
  int64_t bit = d->groups[group].first + index;
  return d->chosen[bit / 64] >> bit % 64 & 1;
}

/* Takes the next output that fits as the next role: by name when the description lists outputs, else the first unused one of this shape (a 0 matches any). */
bool fv_head_take_matrix(FvDetector *detector, int64_t rows, int64_t columns);
/* The same for any tensor that test accepts. */
bool fv_head_take(FvDetector *detector, bool (*test)(const FvDetector *detector, const FvTensor *tensor, int level), int level);

static inline const FvTensor *fv_head_role(const FvDetector *detector, int role) { return &detector->outputs[detector->role_output[role]]; }

/* Fills grid_width and grid_height so that the cells, times their anchors where per_anchor, make `rows`: sizes rounded up, else down. rows 0: rounds up. */
bool fv_head_fit_grids(FvDetector *detector, int64_t rows, bool per_anchor);
/* Rows [first, …) of a matrix-like role as a list. */
FvGridView fv_head_list(const FvDetector *detector, int role);
/* The part of a matrix-like role that belongs to a stride, whose rows start at *first (moved behind it). Anchors of a cell are neighbours, or, when
 * anchor_major, each anchor's grid follows the last one's. */
FvGridView fv_head_level(const FvDetector *detector, int role, int level, int anchors, bool anchor_major, int64_t *first);

/* A role of shape [1, A, H, W, C], [1, A*C, H, W] or [1, H, W, A*C] with this stride's grid and `channels` values an anchor; false for others. */
bool fv_head_grid(const FvDetector *detector, const FvTensor *tensor, int level, int anchors, int channels, FvGridView *grid);

static inline float fv_sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* Class scores of one row. */
typedef struct FvScores {
  const float *data;
  int64_t stride;
  int count;
  FvActivationKind activation;
  float peak, sum; /* of a softmax */
} FvScores;

static inline FvScores fv_scores(const float *data, int64_t stride, int count, FvActivationKind activation) {
  FvScores s = {data, stride, count, activation, 0, 0};
  if (activation == FV_ACT_SOFTMAX) {
    s.peak = data[0];
    for (int c = 1; c < count; c++) s.peak = fmaxf(s.peak, data[c * stride]);
    for (int c = 0; c < count; c++) s.sum += expf(data[c * stride] - s.peak);
  }
  return s;
}

static inline float fv_score_activate(FvActivationKind activation, float x) { return activation == FV_ACT_SIGMOID ? fv_sigmoid(x) : x; }

static inline float fv_scores_at(const FvScores *s, int c) {
  float x = s->data[c * s->stride];
  return s->activation == FV_ACT_SOFTMAX ? expf(x - s->peak) / s->sum : fv_score_activate(s->activation, x);
}

/* False when no plain score of a row in one piece reaches the threshold: most cells of a frame, found without a branch per class. */
static inline bool fv_scores_any(const FvScores *s, float threshold) {
  if (s->activation != FV_ACT_NONE || s->stride != 1) return true;
  int any = 0;
  for (int c = 0; c < s->count; c++) any |= s->data[c] >= threshold;
  return any;
}

/* The first of the highest classes in [begin, count). */
static inline int fv_scores_best(const FvScores *s, int begin) {
  int best = begin;
  for (int c = begin + 1; c < s->count; c++)
    if (s->data[c * s->stride] > s->data[best * s->stride]) best = c;
  return best;
}

static inline void fv_box_from_center(FvBox *box, float cx, float cy, float width, float height) {
  box->x0 = cx - width * 0.5f;
  box->y0 = cy - height * 0.5f;
  box->x1 = cx + width * 0.5f;
  box->y1 = cy + height * 0.5f;
}

/* Prior boxes, row by row in the order strides, y, x, sizes (head.anchors); input pixels. */
typedef struct FvPriorWalk {
  int level, y, x, anchor;
} FvPriorWalk;
typedef struct FvPrior {
  float cx, cy, width, height;
  int level, x, y;
} FvPrior;
/* Start with a zeroed walk; false behind the last. */
bool fv_prior_next(const FvDetector *detector, FvPriorWalk *walk, FvPrior *prior);
/* SSD's coding: centre = prior + t * variance[0] * size, size = prior * exp(t * variance[1]). */
void fv_box_from_prior(FvBox *box, const FvHead *head, const FvPrior *prior, const float *p, int64_t stride);

/* Four numbers that are a box already, in input pixels or 0..1 of the input. */
void fv_box_from_coding(FvBox *box, FvBoxCoding coding, const float *p, int64_t stride, const FvPreprocess *input);

/* One row per family. */
extern const FvHeadOps fv_head_yolo_anchor, fv_head_yolo_free, fv_head_yolox, fv_head_fastestdet, fv_head_yolo_fastest, fv_head_nanodet,
  fv_head_ssd, fv_head_detections, fv_head_yunet, fv_head_retinaface, fv_head_scrfd, fv_head_classifier;

#endif

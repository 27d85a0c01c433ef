#include "vision/head_decode.h"

#include <stdio.h>
#include <stdlib.h>

#include "vision/describe.h"

static const FvHeadOps *const heads[] = {
  &fv_head_yolo_anchor, &fv_head_yolo_free, &fv_head_yolox, &fv_head_fastestdet, &fv_head_yolo_fastest, &fv_head_nanodet, &fv_head_ssd,
  &fv_head_detections, &fv_head_yunet, &fv_head_retinaface, &fv_head_scrfd, &fv_head_classifier,
};

_Static_assert((int)FV_MAX_LOCATION_GROUPS >= FV_MAX_HEAD_STRIDES, "a head has a group for each stride");

static const FvHeadOps *find_head(FvFamily family) {
  for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
    if (heads[i]->family == family) return heads[i];
  return NULL;
}

bool fv_matrix_shape(const FvTensor *tensor, FvMatrixShape *shape) {
  int first = 0;
  while (tensor->rank - first > 2 && tensor->dims[first] == 1) first++;
  int rank = tensor->rank - first;
  if (rank > 2) return false;
  const int64_t *dims = tensor->dims + first, *strides = tensor->strides + first;
  *shape = (FvMatrixShape){rank > 0 ? dims[0] : 1, rank > 1 ? dims[1] : 1, rank > 0 ? strides[0] : 0, rank > 1 ? strides[1] : 0};
  return true;
}

static bool fits_matrix(const FvTensor *tensor, int64_t rows, int64_t columns) {
  FvMatrixShape shape;
  if (!fv_matrix_shape(tensor, &shape)) return false;
  return (rows == 0 || shape.rows == rows) && (columns == 0 || shape.columns == columns);
}

/* The output that the next role has to be: as the description lists them, or -1 for a free choice, -2 when the list is wrong. */
static int listed_output(const FvDetector *d) {
  const FvHead *head = &d->description->head;
  if (head->output_count == 0) return -1;
  if (d->role_count >= head->output_count) return -2;
  for (int o = 0; o < d->output_count; o++)
    if (strcmp(d->names[o], head->outputs[d->role_count]) == 0) return o;
  return -2;
}

static void take(FvDetector *d, int output) {
  d->used[output] = true;
  d->role_output[d->role_count++] = output;
}

bool fv_head_take_matrix(FvDetector *d, int64_t rows, int64_t columns) {
  int listed = listed_output(d);
  if (d->role_count == FV_MAX_HEAD_OUTPUTS || listed == -2) return false;
  for (int o = listed >= 0 ? listed : 0; o < (listed >= 0 ? listed + 1 : d->output_count); o++)
    if (!d->used[o] && fits_matrix(&d->outputs[o], rows, columns)) return take(d, o), true;
  return false;
}

bool fv_head_take(FvDetector *d, bool (*test)(const FvDetector *, const FvTensor *, int), int level) {
  int listed = listed_output(d);
  if (d->role_count == FV_MAX_HEAD_OUTPUTS || listed == -2) return false;
  for (int o = listed >= 0 ? listed : 0; o < (listed >= 0 ? listed + 1 : d->output_count); o++)
    if (!d->used[o] && test(d, &d->outputs[o], level)) return take(d, o), true;
  return false;
}

static int cells(int side, int stride, bool up) { return up ? (side + stride - 1) / stride : side / stride; }

bool fv_head_fit_grids(FvDetector *d, int64_t rows, bool per_anchor) {
  const FvHead *head = &d->description->head;
  const FvPreprocess *input = &d->description->preprocess;
  for (int up = 1; up >= 0; up--) {
    int64_t total = 0;
    for (int l = 0; l < head->stride_count; l++) {
      d->grid_width[l] = cells(input->width, head->strides[l], up);
      d->grid_height[l] = cells(input->height, head->strides[l], up);
      total += (int64_t)d->grid_width[l] * d->grid_height[l] * (per_anchor ? head->anchor_count[l] : 1);
    }
    if (rows == 0 || total == rows) return head->stride_count > 0;
  }
  return false;
}

FvGridView fv_head_list(const FvDetector *d, int role) {
  const FvTensor *tensor = fv_head_role(d, role);
  FvMatrixShape m = {0};
  if (!fv_matrix_shape(tensor, &m)) return (FvGridView){0};
  return (FvGridView){.data = tensor->data, .column_stride = m.row_stride, .channel_stride = m.column_stride, .anchors = 1, .height = 1,
                      .width = (int)m.rows, .channels = (int)m.columns};
}

FvGridView fv_head_level(const FvDetector *d, int role, int level, int anchors, bool anchor_major, int64_t *first) {
  FvGridView list = fv_head_list(d, role);
  int width = d->grid_width[level], height = d->grid_height[level];
  int64_t need = (int64_t)width * height * anchors, step = list.column_stride;
  if (!list.data || *first + need > list.width) return (FvGridView){0};
  FvGridView grid = {.data = list.data + *first * step, .anchors = anchors, .height = height, .width = width, .channels = list.channels,
                     .channel_stride = list.channel_stride};
  grid.column_stride = anchor_major ? step : step * anchors;
  grid.row_stride = grid.column_stride * width;
  grid.anchor_stride = anchor_major ? grid.row_stride * height : step;
  *first += need;
  return grid;
}

bool fv_head_grid(const FvDetector *d, const FvTensor *tensor, int level, int anchors, int channels, FvGridView *grid) {
  const int64_t *dims = tensor->dims, *strides = tensor->strides;
  int64_t width = d->grid_width[level], height = d->grid_height[level], all = (int64_t)anchors * channels;
  *grid = (FvGridView){.data = tensor->data, .anchors = anchors, .height = (int)height, .width = (int)width, .channels = channels};
  if (tensor->rank == 5 && dims[0] == 1 && dims[1] == anchors && dims[2] == height && dims[3] == width && dims[4] == channels) {
    grid->anchor_stride = strides[1], grid->row_stride = strides[2], grid->column_stride = strides[3], grid->channel_stride = strides[4];
  } else if (tensor->rank == 4 && dims[0] == 1 && dims[1] == all && dims[2] == height && dims[3] == width) {
    grid->anchor_stride = strides[1] * channels, grid->channel_stride = strides[1], grid->row_stride = strides[2], grid->column_stride = strides[3];
  } else if (tensor->rank == 4 && dims[0] == 1 && dims[1] == height && dims[2] == width && dims[3] == all) {
    grid->anchor_stride = strides[3] * channels, grid->channel_stride = strides[3], grid->row_stride = strides[1], grid->column_stride = strides[2];
  } else {
    return false;
  }
  return true;
}

FvLocationGroup *fv_head_add_group(FvDetector *d, const FvGridView *grid) {
  FvLocationGroup *group = &d->groups[d->group_count++];
  const FvLocationGroup *before = d->group_count > 1 ? group - 1 : NULL;
  *group = (FvLocationGroup){.anchors = grid->anchors, .height = grid->height, .width = grid->width, .first = before ? before->first + fv_location_count(before) : 0};
  return group;
}

FvLocationPart fv_head_add_part(const FvDetector *d, FvLocationGroup *group, int role, const FvGridView *grid, int first, int count) {
  FvLocationPart part = {
    .output = d->role_output[role], .first = grid->data - (const float *)fv_head_role(d, role)->data + first * grid->channel_stride,
    .steps = {grid->anchor_stride, grid->row_stride, grid->column_stride}, .channel_step = grid->channel_stride, .channels = count,
  };
  group->parts[group->part_count++] = part;
  return part;
}

void fv_head_add_factor(FvLocationGroup *group, const FvLocationPart *part, int first, int count, FvActivationKind activation, float power) {
  FvScoreFactor *factor = &group->factors[group->factor_count++];
  *factor = (FvScoreFactor){.part = *part, .power = power, .activation = activation == FV_ACT_SIGMOID ? FV_SCORE_SIGMOID : activation == FV_ACT_SOFTMAX ? FV_SCORE_SOFTMAX : FV_SCORE_PLAIN};
  factor->part.first += first * part->channel_step;
  factor->part.channels = count;
}

/* Outputs that have to be converted are read as a whole anyway. */
static void locate(FvDetector *d) {
  for (int o = 0; o < d->output_count; o++)
    if (d->converted[o].data) return;
  if (d->ops->locate) d->ops->locate(d);
}

const FvLocationGroup *fv_detector_locations(const FvDetector *detector, int *count) {
  *count = detector->group_count;
  return detector->groups;
}

void fv_box_from_coding(FvBox *box, FvBoxCoding coding, const float *p, int64_t stride, const FvPreprocess *input) {
  float a = p[0], b = p[stride], c = p[2 * stride], e = p[3 * stride];
  float width = (float)input->width, height = (float)input->height;
  switch (coding) {
    case FV_BOX_CXCYWH: fv_box_from_center(box, a, b, c, e); break;
    case FV_BOX_XYXY_UNIT: box->x0 = a * width, box->y0 = b * height, box->x1 = c * width, box->y1 = e * height; break;
    case FV_BOX_YXYX_UNIT: box->x0 = b * width, box->y0 = a * height, box->x1 = e * width, box->y1 = c * height; break;
    default: box->x0 = a, box->y0 = b, box->x1 = c, box->y1 = e; break;
  }
}

/* "scores f32[1,4420,2], boxes f32[1,4420,4]" */
static void describe_outputs(const FvDetector *d, const FvTensor *const *outputs, char *text, size_t size) {
  size_t used = 0;
  text[0] = 0;
  for (int o = 0; o < d->output_count && used < size; o++) {
    char shape[96];
    used += (size_t)snprintf(text + used, size - used, "%s%.40s %s", o ? ", " : "", d->names[o], fv_tensor_describe(outputs[o], shape, sizeof shape));
  }
}

/* Makes room for an f32 copy of every output of another type. */
static int take_outputs(FvDetector *d, const FvTensor *const *outputs, FvError *err) {
  for (int o = 0; o < d->output_count; o++) {
    d->outputs[o] = *outputs[o];
    d->max_count[o] = fv_tensor_count(outputs[o]);
    if (d->max_count[o] < 0 || d->max_count[o] >= FV_MAX_ELEMENTS)
      return fv_error_set(err, FV_ERR_LIMIT, "output %s is too large", d->names[o]);
    if (outputs[o]->dtype == FV_DTYPE_F32) continue;
    d->converted[o] = *outputs[o];
    d->converted[o].dtype = FV_DTYPE_F32;
    d->converted[o].data = malloc((size_t)d->max_count[o] * sizeof(float) + 64);
    if (!d->converted[o].data) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for output %s as floats", d->names[o]);
    d->outputs[o].dtype = FV_DTYPE_F32;
  }
  return FV_OK;
}

static bool has_landmarks(FvFamily family) { return family == FV_FAMILY_YUNET || family == FV_FAMILY_RETINAFACE || family == FV_FAMILY_SCRFD; }

int fv_detector_create(const FvDescription *description, const char *const *names, const FvTensor *const *outputs, int output_count,
                       FvDetector **detector, FvError *err) {
  *detector = NULL;
  int checked = fv_description_check(description, err);
  if (checked < 0) return checked;
  const FvHeadOps *ops = find_head(description->family);
  if (!ops)
    return fv_error_set(err, FV_ERR_CONFIG, "%s: there are no boxes to find in a model of family %s: give `config`, or put a description into configs/models",
                        description->name ? description->name : "the model", fv_family_name(description->family));
  if (output_count < 1 || output_count > FV_MAX_HEAD_OUTPUTS)
    return fv_error_set(err, FV_ERR_LIMIT, "the model has %d outputs, a head takes 1 to %d", output_count, FV_MAX_HEAD_OUTPUTS);
  FvDetector *d = calloc(1, sizeof *d);
  if (!d) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for the detection head");
  *d = (FvDetector){.description = description, .ops = ops, .output_count = output_count, .names = names};
  d->classes = description->class_count + (description->head.background ? 1 : 0);
  int result = take_outputs(d, outputs, err);
  if (result == FV_OK && !ops->bind(d)) {
    char text[320];
    describe_outputs(d, outputs, text, sizeof text);
    result = fv_error_set(err, FV_ERR_CONFIG, "family %s expects %s, with %d classes; the model gives %s: correct its description",
                          fv_family_name(description->family), ops->expects, description->class_count, text);
  }
  if (result == FV_OK)
    result = fv_candidates_init(&d->candidates, FV_MAX_CANDIDATES, description->class_count, has_landmarks(description->family), err);
  if (result == FV_OK) locate(d);
  d->names = NULL;
  if (result < 0)
    fv_detector_destroy(&d);
  else
    *detector = d;
  return result;
}

void fv_detector_destroy(FvDetector **detector) {
  if (!detector || !*detector) return;
  FvDetector *d = *detector;
  for (int o = 0; o < d->output_count; o++) free(d->converted[o].data);
  fv_candidates_finish(&d->candidates);
  free(d);
  *detector = NULL;
}

/* Looks at this run's outputs; those that are not f32 are converted. Only a graph that suppresses by itself has outputs that become shorter. */
static bool refresh_outputs(FvDetector *d, const FvTensor *const *outputs) {
  for (int o = 0; o < d->output_count; o++) {
    int64_t count = fv_tensor_count(outputs[o]);
    if (count < 0 || count > d->max_count[o] || outputs[o]->rank != d->outputs[o].rank) return false;
    if (count < d->max_count[o] && d->ops->family != FV_FAMILY_DETECTIONS) return false;
    if (!d->converted[o].data) {
      d->outputs[o] = *outputs[o];
      continue;
    }
    FvTensor *copy = &d->converted[o];
    memcpy(copy->dims, outputs[o]->dims, sizeof copy->dims);
    fv_tensor_set_contiguous(copy);
    if (fv_tensor_copy(copy, outputs[o], NULL) < 0) return false;
    d->outputs[o] = *copy;
  }
  return true;
}

static float clip(float v, float high) { return v < 0 ? 0 : v > high ? high : v; }

static void to_frame(const FvDetector *d, const FvRanked *ranked, const FvDecodeParams *params, FvDetection *found) {
  const FvFrameMap *map = &params->map;
  const FvBox *box = &d->candidates.boxes[ranked->slot];
  float width = (float)params->frame_width, height = (float)params->frame_height;
  *found = (FvDetection){.score = clip(ranked->score, 1), .label = box->label};
  found->x0 = clip((box->x0 - map->offset_x) / map->scale_x, width);
  found->y0 = clip((box->y0 - map->offset_y) / map->scale_y, height);
  found->x1 = clip((box->x1 - map->offset_x) / map->scale_x, width);
  found->y1 = clip((box->y1 - map->offset_y) / map->scale_y, height);
  if (d->ops->family == FV_FAMILY_CLASSIFIER) found->x0 = found->y0 = 0, found->x1 = width, found->y1 = height;
  const float(*points)[2] = d->candidates.landmarks ? (const float(*)[2])d->candidates.landmarks[ranked->slot] : NULL;
  if (!points || !isfinite(points[0][0])) return;
  found->landmark_count = FV_MAX_LANDMARKS;
  for (int k = 0; k < FV_MAX_LANDMARKS; k++) {
    found->landmarks[k][0] = (points[k][0] - map->offset_x) / map->scale_x;
    found->landmarks[k][1] = (points[k][1] - map->offset_y) / map->scale_y;
  }
}

int fv_detector_decode(FvDetector *d, const FvTensor *const *outputs, const FvDecodeParams *params, FvDetection *found, int capacity) {
  if (!refresh_outputs(d, outputs)) return 0;
  fv_candidates_clear(&d->candidates);
  d->chosen = params->chosen;
  d->ops->decode(d, params->threshold);
  bool suppressed = d->ops->family == FV_FAMILY_DETECTIONS || d->ops->family == FV_FAMILY_CLASSIFIER;
  int kept = fv_candidates_suppress(&d->candidates, suppressed ? INFINITY : params->iou_threshold, capacity), written = 0;
  for (int k = 0; k < kept; k++) {
    to_frame(d, &d->candidates.ranked[d->candidates.kept[k]], params, &found[written]);
    /* What lies wholly in the padding has no area left in the frame. */
    if (found[written].x1 > found[written].x0 && found[written].y1 > found[written].y0) written++;
  }
  return written;
}

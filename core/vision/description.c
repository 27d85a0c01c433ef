#include <fovea/description.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vision/describe_internal.h"

static const char *const family_names[FV_FAMILY_COUNT] = {
  "none", "yolo-anchor", "yolo-free", "yolox", "nanodet", "fastestdet", "yolo-fastest", "ssd", "yunet", "retinaface", "scrfd", "detections",
  "classifier", "embedding",
};
const char *const fv_resize_names[] = {"stretch", "letterbox", "letterbox-top-left", "center-crop", NULL};
const char *const fv_channel_names[] = {"rgb", "bgr", "gray", NULL};
const char *const fv_activation_names[] = {"none", "sigmoid", "softmax", NULL};
const char *const fv_box_names[] = {"default", "raw", "cxcywh", "xyxy", "xyxy-unit", "yxyx-unit", NULL};

const char *fv_family_name(FvFamily family) { return (unsigned)family < FV_FAMILY_COUNT ? family_names[family] : "none"; }

FvFamily fv_family_from_name(const char *name) {
  for (int f = 1; name && f < FV_FAMILY_COUNT; f++)
    if (strcmp(name, family_names[f]) == 0) return (FvFamily)f;
  return FV_FAMILY_NONE;
}

const char *fv_description_label(const FvDescription *description, int label, char *scratch) {
  if (description && description->labels && label >= 0 && label < description->class_count) return description->labels[label];
  snprintf(scratch, 24, "class %d", label);
  return scratch;
}

void fv_description_set_defaults(FvDescription *d) {
  d->threshold = 0.25f;
  d->iou_threshold = 0.45f;
  d->head.variance[0] = 0.1f;
  d->head.variance[1] = 0.2f;
  for (int c = 0; c < 3; c++) d->preprocess.scale[c] = 1.0f;
}

void fv_labels_free(char **labels, int count) {
  for (int i = 0; labels && i < count; i++) free(labels[i]);
  free(labels);
}

void fv_description_set_labels(FvDescription *description, char **labels, int count) {
  fv_labels_free(description->labels, description->class_count);
  description->labels = labels;
  description->class_count = count;
}

void fv_description_finish(FvDescription *description) {
  fv_labels_free(description->labels, description->class_count);
  free(description->name);
  for (int i = 0; i < description->head.output_count && i < FV_MAX_HEAD_OUTPUTS; i++) free(description->head.outputs[i]);
  *description = (FvDescription){0};
}

int fv_description_copy(FvDescription *to, const FvDescription *from, FvError *err) {
  bool failed = false;
  *to = *from;
  to->name = from->name ? strdup(from->name) : NULL;
  failed |= from->name && !to->name;
  for (int i = 0; i < from->head.output_count && i < FV_MAX_HEAD_OUTPUTS; i++) {
    to->head.outputs[i] = from->head.outputs[i] ? strdup(from->head.outputs[i]) : NULL;
    failed |= from->head.outputs[i] && !to->head.outputs[i];
  }
  to->labels = from->labels ? calloc((size_t)from->class_count + 1, sizeof *to->labels) : NULL;
  failed |= from->labels && !to->labels;
  for (int i = 0; to->labels && i < from->class_count; i++) failed |= !(to->labels[i] = strdup(from->labels[i]));
  if (!failed) return 0;
  fv_description_finish(to);
  return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
}

static bool in_range(float value, float low, float high) { return value >= low && value <= high; } /* false for NaN */

static int check_preprocess(const FvPreprocess *p, const char *name, FvError *err) {
  if (p->width < 0 || p->height < 0 || p->width > FV_MAX_FRAME_SIDE || p->height > FV_MAX_FRAME_SIDE)
    return fv_error_set(err, FV_ERR_CONFIG, "%s: the input's size %dx%d is not within 1 to %d", name, p->width, p->height, FV_MAX_FRAME_SIDE);
  if (p->pad_value < 0 || p->pad_value > 255) return fv_error_set(err, FV_ERR_CONFIG, "%s: pad is %d, not 0 to 255", name, p->pad_value);
  for (int c = 0; c < 3; c++)
    if (!isfinite(p->mean[c]) || !isfinite(p->scale[c]))
      return fv_error_set(err, FV_ERR_CONFIG, "%s: mean and std must be finite numbers, and std not 0", name);
  return FV_OK;
}

static int check_head(const FvHead *head, const char *name, FvError *err) {
  if (head->stride_count < 0 || head->stride_count > FV_MAX_HEAD_STRIDES)
    return fv_error_set(err, FV_ERR_CONFIG, "%s: %d strides, at most %d are possible", name, head->stride_count, FV_MAX_HEAD_STRIDES);
  for (int l = 0; l < FV_MAX_HEAD_STRIDES; l++) {
    if (l < head->stride_count && (head->strides[l] < 1 || head->strides[l] > FV_MAX_FRAME_SIDE))
      return fv_error_set(err, FV_ERR_CONFIG, "%s: stride %d is not within 1 to %d pixels", name, head->strides[l], FV_MAX_FRAME_SIDE);
    if (head->anchor_count[l] < 0 || head->anchor_count[l] > FV_MAX_ANCHORS)
      return fv_error_set(err, FV_ERR_CONFIG, "%s: %d anchors at stride %d, at most %d are possible", name, head->anchor_count[l], head->strides[l], FV_MAX_ANCHORS);
    if (l >= head->stride_count && head->anchor_count[l])
      return fv_error_set(err, FV_ERR_CONFIG, "%s: anchors are given for more strides than the %d there are", name, head->stride_count);
    for (int a = 0; a < head->anchor_count[l]; a++)
      if (!(head->anchors[l][a][0] > 0 && head->anchors[l][a][0] <= 1e6f && head->anchors[l][a][1] > 0 && head->anchors[l][a][1] <= 1e6f))
        return fv_error_set(err, FV_ERR_CONFIG, "%s: anchors must be above 0 and at most 1000000 pixels", name);
  }
  if (head->bins < 0 || head->bins > 256) return fv_error_set(err, FV_ERR_CONFIG, "%s: bins is %d, not 0 to 256", name, head->bins);
  if (!in_range(head->variance[0], 0, 10) || !in_range(head->variance[1], 0, 10))
    return fv_error_set(err, FV_ERR_CONFIG, "%s: variance must be two numbers within 0 to 10", name);
  if (head->output_count < 0 || head->output_count > FV_MAX_HEAD_OUTPUTS)
    return fv_error_set(err, FV_ERR_CONFIG, "%s: %d outputs, at most %d are possible", name, head->output_count, FV_MAX_HEAD_OUTPUTS);
  return FV_OK;
}

/* What a family cannot do without. */
static int check_family(const FvDescription *d, const char *name, FvError *err) {
  const FvHead *head = &d->head;
  bool grid = d->family == FV_FAMILY_NANODET || d->family == FV_FAMILY_FASTESTDET || d->family == FV_FAMILY_YOLO_FASTEST ||
              d->family == FV_FAMILY_YUNET || d->family == FV_FAMILY_RETINAFACE || d->family == FV_FAMILY_SCRFD ||
              (d->family == FV_FAMILY_YOLOX && (head->box_coding == FV_BOX_DEFAULT || head->box_coding == FV_BOX_RAW)) ||
              ((d->family == FV_FAMILY_YOLO_ANCHOR || d->family == FV_FAMILY_SSD) && head->box_coding == FV_BOX_RAW);
  if (grid && head->stride_count == 0)
    return fv_error_set(err, FV_ERR_CONFIG, "%s: family %s needs head: strides", name, fv_family_name(d->family));
  if (d->family == FV_FAMILY_NANODET && head->bins < 2) return fv_error_set(err, FV_ERR_CONFIG, "%s: family nanodet needs head: bins, 2 or more", name);
  bool detects = d->family != FV_FAMILY_NONE && d->family != FV_FAMILY_EMBEDDING;
  if (detects && (d->class_count < 1 || d->class_count > FV_MAX_LABELS))
    return fv_error_set(err, FV_ERR_CONFIG, "%s: %d classes, not within 1 to %d: give classes or labels", name, d->class_count, FV_MAX_LABELS);
  return FV_OK;
}

int fv_description_check(const FvDescription *d, FvError *err) {
  const char *name = d->name ? d->name : "the model";
  if ((unsigned)d->family >= FV_FAMILY_COUNT) return fv_error_set(err, FV_ERR_CONFIG, "%s: the family is unknown", name);
  if (!in_range(d->threshold, 0, 1)) return fv_error_set(err, FV_ERR_CONFIG, "%s: threshold is %g, not 0 to 1", name, (double)d->threshold);
  if (!in_range(d->iou_threshold, 0, 1)) return fv_error_set(err, FV_ERR_CONFIG, "%s: iou-threshold is %g, not 0 to 1", name, (double)d->iou_threshold);
  int result = check_preprocess(&d->preprocess, name, err);
  if (result == FV_OK) result = check_head(&d->head, name, err);
  return result == FV_OK ? check_family(d, name, err) : result;
}

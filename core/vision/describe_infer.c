/* Recognising a detector by the shapes, names and producers of its outputs. A rule matches only what it can be sure of; what the graph cannot tell
 * (mean, channel order) is then the family's published convention, and configs/models/ corrects it per model. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/op.h"
#include "vision/describe_internal.h"
#include "vision/head_decode.h"

typedef struct FvScene {
  FvDescription *d;
  const FvGraph *graph;
  const FvMetadata *metadata;
  int metadata_count;
  int count;                                   /* of outputs */
  FvMatrixShape shape[FV_MAX_HEAD_OUTPUTS];    /* rows 0: not a matrix */
} FvScene;

static const char *metadata_value(const FvScene *s, const char *key) {
  for (int i = 0; i < s->metadata_count; i++)
    if (strcmp(s->metadata[i].key, key) == 0) return s->metadata[i].value;
  return NULL;
}

/* --- looking at the graph --- */

static bool is_reshaping(const char *op) {
  static const char *const names[] = {"Reshape", "Transpose", "Identity", "Squeeze", "Unsqueeze", "Flatten", "Cast", "Slice", "DequantizeLinear"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(op, names[i]) == 0) return true;
  return false;
}

/* The operator that made the values, behind those that only move them; "" for none. */
static const char *maker(const FvValue *value) {
  for (int i = 0; i < 16 && value && value->producer; i++) {
    const char *op = value->producer->op->name;
    if (!is_reshaping(op)) return op;
    value = fv_node_input(value->producer, 0);
  }
  return "";
}

/* Is an operator of this name within depth steps above value? Budget bounds the walk in graphs that branch. */
static bool is_near(const FvValue *value, const char *op, int depth, int *budget) {
  if (!value || !value->producer || depth == 0 || (*budget)-- <= 0) return false;
  if (strcmp(value->producer->op->name, op) == 0) return true;
  for (int i = 0; i < value->producer->input_count; i++)
    if (is_near(fv_node_input(value->producer, i), op, depth - 1, budget)) return true;
  return false;
}

static bool made_near(const FvScene *s, int output, const char *op) {
  int budget = 400;
  return is_near(s->graph->outputs[output], op, 10, &budget);
}

static FvActivationKind missing_activation(const FvScene *s, int output, FvActivationKind wanted) {
  const char *op = maker(s->graph->outputs[output]);
  return strcmp(op, "Softmax") == 0 || strcmp(op, "Sigmoid") == 0 || (strcmp(op, "Concat") == 0 && made_near(s, output, "Sigmoid")) ? FV_ACT_NONE : wanted;
}

/* --- filling in --- */

static void set_preprocess(FvScene *s, FvResize resize, int pad, FvChannelOrder channels, float mean, float std) {
  FvPreprocess *p = &s->d->preprocess;
  p->resize = resize;
  p->pad_value = pad;
  if (p->channels != FV_CHANNELS_GRAY) p->channels = channels;
  for (int c = 0; c < 3; c++) p->mean[c] = mean, p->scale[c] = 1.0f / std;
}

static void set_strides(FvScene *s, int count) {
  FvHead *head = &s->d->head;
  head->stride_count = count;
  for (int l = 0; l < count; l++) head->strides[l] = 8 << l;
}

/* Square priors; sizes of each stride end with 0, the last stride with -1. */
static void set_priors(FvScene *s, const float *sizes) {
  FvHead *head = &s->d->head;
  int level = 0;
  memset(head->anchor_count, 0, sizeof head->anchor_count);
  for (; *sizes >= 0; sizes++) {
    if (*sizes == 0) {
      level++;
    } else {
      int a = head->anchor_count[level]++;
      head->anchors[level][a][0] = head->anchors[level][a][1] = *sizes;
    }
  }
  set_strides(s, level + 1);
}

static int64_t cell_count(const FvScene *s, int strides, bool per_anchor, bool up) {
  const FvPreprocess *p = &s->d->preprocess;
  int64_t total = 0;
  for (int l = 0; l < strides; l++) {
    int stride = 8 << l, more = up ? stride - 1 : 0;
    total += (int64_t)((p->width + more) / stride) * ((p->height + more) / stride) * (per_anchor ? s->d->head.anchor_count[l] : 1);
  }
  return total;
}

static bool priors_make(const FvScene *s, int64_t rows) {
  int n = s->d->head.stride_count;
  return rows == cell_count(s, n, true, true) || rows == cell_count(s, n, true, false);
}

static void set_classes(FvScene *s, FvFamily family, int classes) {
  s->d->family = family;
  if (s->d->class_count != classes) fv_description_set_labels(s->d, NULL, classes);
}

static void set_face(FvScene *s, FvFamily family) {
  set_classes(s, family, 1);
  s->d->threshold = 0.6f;
  s->d->iou_threshold = 0.3f;
  char **labels = calloc(1, sizeof *labels);
  if (labels && (labels[0] = strdup("face")))
    fv_description_set_labels(s->d, labels, 1);
  else
    free(labels);
}

static int output_with(const FvScene *s, int64_t rows, int64_t columns) {
  for (int o = 0; o < s->count; o++)
    if (s->shape[o].columns == columns && s->shape[o].rows > 0 && (rows == 0 || s->shape[o].rows == rows)) return o;
  return -1;
}

/* --- the rules --- */

static const float ultraface_priors[] = {10, 16, 24, 0, 32, 48, 0, 64, 96, 0, 128, 192, 256, -1};

static bool is_ultraface(FvScene *s) {
  int boxes = output_with(s, 0, 4), scores = output_with(s, 0, 2);
  set_priors(s, ultraface_priors);
  if (s->count != 2 || boxes < 0 || scores < 0 || s->shape[boxes].rows != s->shape[scores].rows || !priors_make(s, s->shape[boxes].rows)) return false;
  set_face(s, FV_FAMILY_SSD);
  s->d->threshold = 0.7f;
  s->d->head.background = true;
  s->d->head.box_coding = made_near(s, boxes, "Exp") ? FV_BOX_XYXY_UNIT : FV_BOX_RAW;
  s->d->head.score_activation = missing_activation(s, scores, FV_ACT_SOFTMAX);
  set_preprocess(s, FV_RESIZE_STRETCH, 0, FV_CHANNELS_RGB, 127, 128);
  return true;
}

static bool is_yunet(FvScene *s) {
  int boxes = output_with(s, 0, 14), scores = output_with(s, 0, 2), overlaps = output_with(s, 0, 1);
  set_priors(s, ultraface_priors); /* the same sizes */
  if (s->count != 3 || boxes < 0 || scores < 0 || overlaps < 0 || !priors_make(s, s->shape[boxes].rows)) return false;
  set_face(s, FV_FAMILY_YUNET);
  s->d->head.score_activation = missing_activation(s, scores, FV_ACT_SOFTMAX);
  set_preprocess(s, FV_RESIZE_STRETCH, 0, FV_CHANNELS_RGB, 0, 1);
  return true;
}

static bool is_retinaface(FvScene *s) {
  static const float priors[] = {16, 32, 0, 64, 128, 0, 256, 512, -1};
  int boxes = output_with(s, 0, 4), scores = output_with(s, 0, 2), points = output_with(s, 0, 10);
  set_priors(s, priors);
  if (s->count != 3 || boxes < 0 || scores < 0 || points < 0 || !priors_make(s, s->shape[boxes].rows)) return false;
  set_face(s, FV_FAMILY_RETINAFACE);
  s->d->head.score_activation = missing_activation(s, scores, FV_ACT_SOFTMAX);
  set_preprocess(s, FV_RESIZE_STRETCH, 0, FV_CHANNELS_BGR, 0, 1);
  const float mean[3] = {104, 117, 123};
  memcpy(s->d->preprocess.mean, mean, sizeof mean);
  return true;
}

/* Per stride: scores, boxes and perhaps landmarks, two anchors a cell; 2023's YuNet has twelve outputs and one anchor. */
static bool is_per_stride_face(FvScene *s) {
  if (s->count != 6 && s->count != 9 && s->count != 12) return false;
  int64_t anchors = s->count == 12 ? 1 : 2;
  for (int l = 0; l < 3; l++) {
    int64_t cells = (cell_count(s, l + 1, false, true) - cell_count(s, l, false, true)) * anchors;
    if (output_with(s, cells, 1) < 0 || output_with(s, cells, 4) < 0 || (s->count > 6 && output_with(s, cells, 10) < 0)) return false;
  }
  set_strides(s, 3);
  memset(s->d->head.anchor_count, 0, sizeof s->d->head.anchor_count);
  set_face(s, s->count == 12 ? FV_FAMILY_YUNET : FV_FAMILY_SCRFD);
  int scores = output_with(s, 0, 1);
  s->d->head.score_activation = s->d->head.objectness_activation = missing_activation(s, scores, FV_ACT_SIGMOID);
  if (s->count == 12) {
    set_preprocess(s, FV_RESIZE_STRETCH, 0, FV_CHANNELS_BGR, 0, 1);
    return true;
  }
  for (int l = 0; l < 3; l++) {
    s->d->head.anchor_count[l] = 2;
    for (int a = 0; a < 2; a++) s->d->head.anchors[l][a][0] = s->d->head.anchors[l][a][1] = (float)((16 << a) << (2 * l));
  }
  set_preprocess(s, FV_RESIZE_LETTERBOX_TOP_LEFT, 0, FV_CHANNELS_RGB, 127.5f, 128);
  return true;
}

static void set_nanodet(FvScene *s, int strides, int classes, int bins, int scores) {
  set_strides(s, strides);
  set_classes(s, FV_FAMILY_NANODET, classes);
  s->d->head.bins = bins;
  s->d->head.score_activation = scores < 0 ? FV_ACT_NONE : missing_activation(s, scores, FV_ACT_SIGMOID);
  s->d->threshold = 0.35f;
  s->d->iou_threshold = 0.6f;
  set_preprocess(s, FV_RESIZE_LETTERBOX, 0, FV_CHANNELS_BGR, 0, 1);
  const float mean[3] = {103.53f, 116.28f, 123.675f}, std[3] = {57.375f, 57.12f, 58.395f};
  for (int c = 0; c < 3; c++) s->d->preprocess.mean[c] = mean[c], s->d->preprocess.scale[c] = 1.0f / std[c];
}

static bool is_nanodet(FvScene *s) {
  enum { BINS = 8 };
  if (s->count == 1) { /* NanoDet-Plus has a fourth stride, which tells it from YOLOX */
    if (s->shape[0].columns <= 4 * BINS || s->shape[0].rows != cell_count(s, 4, false, true)) return false;
    set_nanodet(s, 4, (int)s->shape[0].columns - 4 * BINS, BINS, -1);
    return true;
  }
  int strides = s->count / 2, scores = -1;
  if (s->count % 2 || strides < 2 || strides > 4) return false;
  int64_t classes = 0;
  for (int o = 0; o < s->count; o++)
    if (s->shape[o].columns != 4 * BINS) classes = s->shape[o].columns, scores = o;
  if (classes < 1) return false;
  for (int l = 0; l < strides; l++) {
    int64_t cells = cell_count(s, l + 1, false, true) - cell_count(s, l, false, true);
    if (output_with(s, cells, 4 * BINS) < 0 || output_with(s, cells, classes) < 0) return false;
  }
  set_nanodet(s, strides, (int)classes, BINS, scores);
  return true;
}

/* Concat(Sigmoid, boxes, Softmax over channels) on one grid. */
static bool is_fastestdet(FvScene *s) {
  const FvValue *output = s->graph->outputs[0];
  const FvPreprocess *p = &s->d->preprocess;
  if (s->count != 1 || output->rank != 4 || output->dims[1] <= 5 || !output->producer || output->producer->input_count != 3) return false;
  const FvNode *node = output->producer;
  if (strcmp(node->op->name, "Concat") != 0 || strcmp(maker(node->inputs[0]), "Sigmoid") != 0 || strcmp(maker(node->inputs[2]), "Softmax") != 0) return false;
  int64_t stride = output->dims[3] > 0 ? p->width / output->dims[3] : 0;
  if (stride < 1 || stride > 256 || output->dims[3] * stride != p->width || output->dims[2] * stride != p->height) return false;
  s->d->head.stride_count = 1;
  s->d->head.strides[0] = (int)stride;
  set_classes(s, FV_FAMILY_FASTESTDET, (int)output->dims[1] - 5);
  s->d->threshold = 0.4f;
  set_preprocess(s, FV_RESIZE_STRETCH, 0, FV_CHANNELS_BGR, 0, 255);
  return true;
}

static bool is_yolo_anchor(FvScene *s) {
  if (s->count != 1 || s->shape[0].columns < 6 || s->shape[0].columns > 5 + FV_MAX_LABELS) return false;
  int64_t rows = s->shape[0].rows;
  if (rows != 3 * cell_count(s, 3, false, true) && rows != 3 * cell_count(s, 4, false, true)) return false;
  set_classes(s, FV_FAMILY_YOLO_ANCHOR, (int)s->shape[0].columns - 5);
  s->d->head.box_coding = FV_BOX_CXCYWH;
  set_preprocess(s, FV_RESIZE_LETTERBOX, 114, FV_CHANNELS_RGB, 0, 255);
  return true;
}

static bool is_yolo_free(FvScene *s) {
  int64_t cells = cell_count(s, 3, false, true), classes = s->shape[0].rows - 4;
  if (s->count != 1 || s->shape[0].columns != cells || classes < 1 || classes + 4 >= cells) return false;
  set_classes(s, FV_FAMILY_YOLO_FREE, (int)classes);
  set_preprocess(s, FV_RESIZE_LETTERBOX, 114, FV_CHANNELS_RGB, 0, 255);
  return true;
}

/* Other class counts look like a transposed YOLOv8 of one class more. */
static bool is_yolox(FvScene *s) {
  if (s->count != 1 || s->shape[0].rows != cell_count(s, 3, false, true) || s->shape[0].columns != 85) return false;
  set_strides(s, 3);
  set_classes(s, FV_FAMILY_YOLOX, 80);
  s->d->head.box_coding = made_near(s, 0, "Exp") ? FV_BOX_CXCYWH : FV_BOX_RAW;
  set_preprocess(s, FV_RESIZE_LETTERBOX_TOP_LEFT, 114, FV_CHANNELS_BGR, 0, 1);
  return true;
}

static bool is_classifier(FvScene *s) {
  const FvValue *output = s->graph->outputs[0];
  int64_t classes = 1;
  for (int i = 0; i < output->rank; i++) classes *= output->dims[i] > 0 && output->dims[i] <= FV_MAX_LABELS && classes <= FV_MAX_LABELS ? output->dims[i] : 0;
  if (s->count != 1 || output->rank < 2 || output->dims[0] != 1 || (output->dims[1] != classes && output->dims[output->rank - 1] != classes)) return false;
  bool scored = strcmp(maker(output), "Softmax") == 0;
  if (classes < 2 || classes > FV_MAX_LABELS || (!scored && classes != 1000 && classes != 1001)) return false;
  set_classes(s, FV_FAMILY_CLASSIFIER, (int)classes);
  s->d->head.score_activation = scored ? FV_ACT_NONE : FV_ACT_SOFTMAX;
  set_preprocess(s, FV_RESIZE_CENTER_CROP, 0, FV_CHANNELS_RGB, 0, 255);
  if (metadata_value(s, "task")) return true;
  const float mean[3] = {123.675f, 116.28f, 103.53f}, std[3] = {58.395f, 57.12f, 57.375f}; /* ImageNet's, as torchvision has them */
  for (int c = 0; c < 3; c++) s->d->preprocess.mean[c] = mean[c], s->d->preprocess.scale[c] = 1.0f / std[c];
  return true;
}

static bool (*const rules[])(FvScene *s) = {is_ultraface, is_yunet, is_retinaface, is_per_stride_face, is_nanodet, is_fastestdet,
                                            is_yolo_anchor, is_yolo_free, is_yolox, is_classifier};

/* --- Ultralytics' metadata --- */

/* One Python string literal at *text; writes its bytes over themselves in `out` (big enough) and moves *text behind it. */
static bool python_string(const char **text, char *out, size_t size) {
  const char *p = *text;
  char quote = *p++;
  size_t used = 0;
  if (quote != '\'' && quote != '"') return false;
  for (; *p && *p != quote; p++) {
    if (*p == '\\' && p[1]) p++;
    if (used + 1 >= size) return false;
    out[used++] = *p;
  }
  out[used] = 0;
  if (*p != quote) return false;
  *text = p + 1;
  return true;
}

/* "{0: 'person', 1: 'bicycle'}", the keys counting from 0. Returns how many; 0 when it is anything else. */
static int python_names(const char *text, char ***labels) {
  int count = 0, capacity = 0;
  char name[FV_MAX_LABEL_BYTES + 1];
  *labels = NULL;
  while (isspace((unsigned char)*text)) text++;
  if (*text++ != '{') return 0;
  for (;;) {
    char *end;
    while (isspace((unsigned char)*text) || *text == ',') text++;
    if (*text == '}') return count;
    long key = strtol(text, &end, 10);
    if (end == text || key != count || count == FV_MAX_LABELS) break;
    text = end;
    while (isspace((unsigned char)*text) || *text == ':') text++;
    if (!python_string(&text, name, sizeof name)) break;
    if (count == capacity) {
      capacity = capacity ? 2 * capacity : 64;
      char **grown = realloc(*labels, (size_t)capacity * sizeof *grown);
      if (!grown) break;
      *labels = grown;
    }
    if (!((*labels)[count] = fv_label_copy(name, strlen(name)))) break;
    count++;
  }
  fv_labels_free(*labels, count);
  *labels = NULL;
  return 0;
}

/* With the number of classes known, no shape is ambiguous. */
static bool is_ultralytics(FvScene *s, int classes) {
  const FvMatrixShape *m = &s->shape[0];
  const char *task = metadata_value(s, "task");
  if (s->count != 1 || classes < 1 || (task && strcmp(task, "detect") != 0)) return false;
  if (m->columns == 6 && m->rows <= 1000 && task) { /* suppressed in the graph */
    set_classes(s, FV_FAMILY_DETECTIONS, classes);
    s->d->head.box_coding = FV_BOX_XYXY;
  } else if (m->rows == 4 + classes || m->columns == 4 + classes) {
    set_classes(s, FV_FAMILY_YOLO_FREE, classes);
  } else if (m->columns == 5 + classes) {
    set_classes(s, FV_FAMILY_YOLO_ANCHOR, classes);
    s->d->head.box_coding = FV_BOX_CXCYWH;
  } else {
    return false;
  }
  set_preprocess(s, FV_RESIZE_LETTERBOX, 114, FV_CHANNELS_RGB, 0, 255);
  return true;
}

/* --- the whole --- */

static void read_shapes(FvScene *s) {
  s->count = s->graph->output_count <= FV_MAX_HEAD_OUTPUTS ? s->graph->output_count : 0;
  for (int o = 0; o < s->count; o++) {
    const FvValue *value = s->graph->outputs[o];
    FvTensor tensor = {.rank = value->rank};
    if (value->rank < 0) continue;
    memcpy(tensor.dims, value->dims, sizeof tensor.dims);
    if (!fv_matrix_shape(&tensor, &s->shape[o]) || s->shape[o].rows < 0) s->shape[o] = (FvMatrixShape){0};
  }
}

/* The picture input: the first of rank 4 with 1 or 3 channels. */
static bool read_input(FvScene *s) {
  FvPreprocess *p = &s->d->preprocess;
  for (int i = 0; i < s->graph->input_count; i++) {
    const FvValue *value = s->graph->inputs[i];
    if (value->constant || value->rank != 4) continue;
    bool first = value->dims[1] == 3 || value->dims[1] == 1, last = value->dims[3] == 3 || value->dims[3] == 1;
    int64_t height = value->dims[first ? 2 : 1], width = value->dims[first ? 3 : 2];
    if ((!first && !last) || height < 1 || width < 1 || height > FV_MAX_FRAME_SIDE || width > FV_MAX_FRAME_SIDE) continue;
    p->channels_last = !first;
    p->channels = value->dims[first ? 1 : 3] == 1 ? FV_CHANNELS_GRAY : FV_CHANNELS_RGB;
    p->width = (int)width;
    p->height = (int)height;
    return true;
  }
  return false;
}

static int fail_unknown(const FvScene *s, const char *name, FvError *err) {
  char text[256] = "";
  const char *task = metadata_value(s, "task");
  if (task && strcmp(task, "detect") != 0 && strcmp(task, "classify") != 0)
    return fv_error_set(err, FV_ERR_CONFIG, "%s: a model for the task '%.40s', detect and classify are supported", name, task);
  for (int o = 0; o < s->graph->output_count && o < 12; o++) {
    const FvValue *value = s->graph->outputs[o];
    FvTensor tensor = {.dtype = value->dtype, .rank = value->rank < 0 ? 0 : value->rank};
    char shape[96];
    memcpy(tensor.dims, value->dims, sizeof tensor.dims);
    size_t used = strlen(text);
    snprintf(text + used, sizeof text - used, "%s%.40s %s", o ? ", " : "", value->name, fv_tensor_describe(&tensor, shape, sizeof shape));
  }
  return fv_error_set(err, FV_ERR_CONFIG,
                      "%s: the outputs (%s) could be read in more than one way: give a description with `config`, or as configs/models/%s.yaml", name, text, name);
}

/* Names for the classes: the exporter's, else COCO's where there are 80. */
static void name_classes(FvScene *s, char **labels, int count) {
  if (count && count == s->d->class_count) {
    fv_description_set_labels(s->d, labels, count);
    return;
  }
  fv_labels_free(labels, count);
  char *coco = s->d->class_count == 80 && !s->d->labels ? fv_config_find("labels", "coco.txt") : NULL;
  if (coco) fv_description_read_labels(s->d, coco, NULL);
  free(coco);
}

static bool match(FvScene *s, int names) {
  if (names && is_ultralytics(s, names)) return true;
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    s->d->head = (FvHead){.variance = {0.1f, 0.2f}};
    if (rules[i](s)) return true;
  }
  s->d->head = (FvHead){.variance = {0.1f, 0.2f}};
  return false;
}

int fv_description_infer(FvDescription *description, const char *name, const FvGraph *graph, const FvMetadata *metadata, int metadata_count, FvError *err) {
  FvScene s = {.d = description, .graph = graph, .metadata = metadata, .metadata_count = metadata_count};
  *description = (FvDescription){0};
  fv_description_set_defaults(description);
  snprintf(description->source, sizeof description->source, "graph");
  description->name = strdup(name);
  if (!description->name) return fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory", name);

  char **labels = NULL;
  const char *names = metadata_value(&s, "names"), *embedded = metadata_value(&s, "fovea.description");
  int name_count = names ? python_names(names, &labels) : 0;
  read_shapes(&s);
  bool picture = read_input(&s), known = picture && s.count > 0 && match(&s, name_count);
  if (known)
    name_classes(&s, labels, name_count);
  else
    fv_labels_free(labels, name_count);
  if (embedded) return fv_description_read_embedded(description, embedded, strlen(embedded), name, err);
  if (known) return FV_OK;
  if (!picture) return fv_error_set(err, FV_ERR_CONFIG, "%s: no input is a picture of 1 or 3 channels and known size: give --input-shape, or a description with `config`", name);
  return fail_unknown(&s, name, err);
}

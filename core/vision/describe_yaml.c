/* Descriptions as YAML. The events of libyaml are read once, in order, against tables of keys, so that memory does not grow with the file;
 * anchors, aliases and a second document are refused. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "vision/describe_internal.h"

typedef struct FvReader {
  yaml_parser_t parser;
  yaml_event_t event; /* the current one */
  bool have_event;
  const char *path;
  FvDescription *d;
  FvError *err;
  /* Labels wait for the end, because `classes` may stand behind them. */
  char **labels;
  int label_count, label_capacity;
  char *labels_path;
  yaml_mark_t labels_mark;
  int stated_classes; /* 0: not given */
  bool embedded;      /* not written by the user: names no files */
} FvReader;

typedef struct FvKey {
  const char *name;
  int (*read)(FvReader *r); /* sees the value's first event, leaves its last one */
} FvKey;

static int fail_at(FvReader *r, yaml_mark_t mark, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int fail_at(FvReader *r, yaml_mark_t mark, const char *format, ...) {
  char text[FV_ERROR_MESSAGE_SIZE];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return fv_error_set(r->err, FV_ERR_CONFIG, "%.200s:%zu:%zu: %s", r->path, mark.line + 1, mark.column + 1, text);
}
#define fail(r, ...) fail_at(r, (r)->event.start_mark, __VA_ARGS__)

static int next(FvReader *r) {
  if (r->have_event) yaml_event_delete(&r->event);
  r->have_event = false;
  if (!yaml_parser_parse(&r->parser, &r->event)) {
    if (r->parser.error == YAML_MEMORY_ERROR) return fv_error_set(r->err, FV_ERR_NO_MEMORY, "%s: no memory", r->path);
    return fail_at(r, r->parser.problem_mark, "%s", r->parser.problem ? r->parser.problem : "not YAML");
  }
  r->have_event = true;
  const yaml_event_t *e = &r->event;
  bool anchored = (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) || (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
                  (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor);
  if (e->type == YAML_ALIAS_EVENT || anchored) return fail(r, "anchors and aliases are not allowed here");
  return FV_OK;
}

/* The current event's text when it is a scalar without NUL bytes, else NULL. */
static const char *text_of(const FvReader *r) {
  if (r->event.type != YAML_SCALAR_EVENT) return NULL;
  const char *text = (const char *)r->event.data.scalar.value;
  return strlen(text) == r->event.data.scalar.length ? text : NULL;
}

/* Levenshtein's distance, of words shorter than 48. */
static int distance(const char *a, const char *b) {
  int row[48], m = (int)strlen(a), n = (int)strlen(b);
  if (m > 46 || n > 46) return 99;
  for (int j = 0; j <= n; j++) row[j] = j;
  for (int i = 1; i <= m; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= n; j++) {
      int above = row[j], cost = diagonal + (a[i - 1] != b[j - 1]);
      if (above + 1 < cost) cost = above + 1;
      if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1;
      diagonal = above;
      row[j] = cost;
    }
  }
  return row[n];
}

/* "did you mean 'x'?" or all of them. */
static int fail_unknown(FvReader *r, const char *what, const char *word, const char *const *valid, int count) {
  int best = -1, best_distance = 99;
  char all[256] = "";
  for (int i = 0; i < count; i++) {
    int cost = distance(word, valid[i]);
    if (cost < best_distance) best = i, best_distance = cost;
    size_t used = strlen(all);
    snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", valid[i]);
  }
  if (best >= 0 && best_distance <= 1 + (int)strlen(valid[best]) / 3)
    return fail(r, "unknown %s '%.40s', did you mean '%s'?", what, word, valid[best]);
  return fail(r, "unknown %s '%.40s', it is one of: %s", what, word, all);
}

static int read_mapping(FvReader *r, const char *what, const FvKey *keys, int count) {
  if (r->event.type != YAML_MAPPING_START_EVENT) return fail(r, "%s must be a mapping of keys to values", what);
  unsigned seen = 0;
  for (;;) {
    int result = next(r);
    if (result < 0) return result;
    if (r->event.type == YAML_MAPPING_END_EVENT) return FV_OK;
    const char *word = text_of(r), *names[32];
    if (!word) return fail(r, "a key of %s must be a word", what);
    int k = 0;
    while (k < count && strcmp(keys[k].name, word) != 0) names[k] = keys[k].name, k++;
    if (k == count) return fail_unknown(r, "key", word, names, count);
    if (seen & 1u << k) return fail(r, "key '%s' is given twice", word);
    seen |= 1u << k;
    if ((result = next(r)) < 0 || (result = keys[k].read(r)) < 0) return result;
  }
}

static int read_number(FvReader *r, const char *what, double low, double high, double *value) {
  const char *text = text_of(r);
  char *end = NULL;
  errno = 0;
  double number = text ? strtod(text, &end) : NAN;
  if (!text || !*text || *end || !isfinite(number) || errno == ERANGE || strpbrk(text, "xXpP"))
    return fail(r, "%s must be a number", what);
  if (number < low || number > high) return fail(r, "%s is %g, it must be %g to %g", what, number, low, high);
  *value = number;
  return FV_OK;
}

static int read_int(FvReader *r, const char *what, int low, int high, int *value) {
  double number = 0;
  int result = read_number(r, what, low, high, &number);
  if (result < 0) return result;
  if (number != floor(number)) return fail(r, "%s is %g, it must be a whole number", what, number);
  *value = (int)number;
  return FV_OK;
}

static int read_float(FvReader *r, const char *what, double low, double high, float *value) {
  double number = 0;
  int result = read_number(r, what, low, high, &number);
  if (result == FV_OK) *value = (float)number;
  return result;
}

static int read_word(FvReader *r, const char *what, const char *const *words, int *value) {
  int count = 0;
  while (words[count]) count++;
  const char *text = text_of(r);
  if (!text) return fail(r, "%s must be one word", what);
  for (int i = 0; i < count; i++)
    if (strcmp(words[i], text) == 0) return *value = i, FV_OK;
  return fail_unknown(r, what, text, words, count);
}

static int read_bool(FvReader *r, const char *what, bool *value) {
  const char *text = text_of(r);
  if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)) return fail(r, "%s must be true or false", what);
  *value = *text == 't';
  return FV_OK;
}

/* A list of least to capacity numbers, or, where one will do, a bare number. Returns how many. */
static int read_floats(FvReader *r, const char *what, double low, double high, int least, int capacity, float *values) {
  if (r->event.type == YAML_SCALAR_EVENT && least <= 1) {
    int result = read_float(r, what, low, high, values);
    return result < 0 ? result : 1;
  }
  if (r->event.type != YAML_SEQUENCE_START_EVENT) return fail(r, "%s must be a list of numbers", what);
  for (int count = 0;; count++) {
    int result = next(r);
    if (result < 0) return result;
    if (r->event.type == YAML_SEQUENCE_END_EVENT)
      return count >= least ? count : fail(r, "%s has %d numbers, %d are needed", what, count, least);
    if (count == capacity) return fail(r, "%s has more than %d numbers", what, capacity);
    if ((result = read_float(r, what, low, high, &values[count])) < 0) return result;
  }
}

static int read_string(FvReader *r, const char *what, char **value) {
  const char *text = text_of(r);
  if (!text || !*text || strlen(text) > FV_MAX_NAME) return fail(r, "%s must be text of 1 to %d bytes", what, FV_MAX_NAME);
  char *copy = strdup(text);
  if (!copy) return fv_error_set(r->err, FV_ERR_NO_MEMORY, "%s: no memory", r->path);
  free(*value);
  *value = copy;
  return FV_OK;
}

/* --- preprocess --- */

/* One number for all channels, or one per channel. */
static int read_channels(FvReader *r, const char *what, double low, double high, float values[3]) {
  float read[3];
  int count = read_floats(r, what, low, high, 1, 3, read);
  if (count < 0) return count;
  if (count == 2) return fail(r, "%s must be one number, or one per channel", what);
  for (int c = 0; c < 3; c++) values[c] = read[count == 1 ? 0 : c];
  return FV_OK;
}

static int read_width(FvReader *r) { return read_int(r, "width", 1, FV_MAX_FRAME_SIDE, &r->d->preprocess.width); }
static int read_height(FvReader *r) { return read_int(r, "height", 1, FV_MAX_FRAME_SIDE, &r->d->preprocess.height); }
static int read_pad(FvReader *r) { return read_int(r, "pad", 0, 255, &r->d->preprocess.pad_value); }
static int read_mean(FvReader *r) { return read_channels(r, "mean", -1e6, 1e6, r->d->preprocess.mean); }

static int read_resize(FvReader *r) {
  int value, result = read_word(r, "resize", fv_resize_names, &value);
  if (result == FV_OK) r->d->preprocess.resize = (FvResize)value;
  return result;
}

static int read_channel_order(FvReader *r) {
  int value, result = read_word(r, "channels", fv_channel_names, &value);
  if (result == FV_OK) r->d->preprocess.channels = (FvChannelOrder)value;
  return result;
}

static int read_std(FvReader *r) {
  float std[3];
  int result = read_channels(r, "std", 1e-6, 1e6, std);
  for (int c = 0; c < 3 && result == FV_OK; c++) r->d->preprocess.scale[c] = 1.0f / std[c];
  return result;
}

static int read_layout(FvReader *r) {
  static const char *const layouts[] = {"nchw", "nhwc", NULL};
  int value, result = read_word(r, "layout", layouts, &value);
  if (result == FV_OK) r->d->preprocess.channels_last = value == 1;
  return result;
}

static const FvKey preprocess_keys[] = {
  {"width", read_width}, {"height", read_height}, {"resize", read_resize}, {"pad", read_pad}, {"channels", read_channel_order},
  {"mean", read_mean}, {"std", read_std}, {"layout", read_layout},
};
static int read_preprocess(FvReader *r) { return read_mapping(r, "preprocess", preprocess_keys, sizeof preprocess_keys / sizeof preprocess_keys[0]); }

/* --- head --- */

static int read_strides(FvReader *r) {
  FvHead *head = &r->d->head;
  float values[FV_MAX_HEAD_STRIDES];
  int count = read_floats(r, "strides", 1, FV_MAX_FRAME_SIDE, 1, FV_MAX_HEAD_STRIDES, values);
  if (count < 0) return count;
  head->stride_count = count;
  for (int l = 0; l < FV_MAX_HEAD_STRIDES; l++) {
    head->strides[l] = l < count ? (int)values[l] : 0;
    if (l < count && values[l] != floorf(values[l])) return fail(r, "strides must be whole numbers of pixels");
  }
  return FV_OK;
}

static int read_anchors(FvReader *r) {
  FvHead *head = &r->d->head;
  memset(head->anchor_count, 0, sizeof head->anchor_count);
  if (r->event.type != YAML_SEQUENCE_START_EVENT) return fail(r, "anchors must be a list with one list of widths and heights per stride");
  for (int level = 0;; level++) {
    int result = next(r);
    if (result < 0) return result;
    if (r->event.type == YAML_SEQUENCE_END_EVENT) return FV_OK;
    if (level == FV_MAX_HEAD_STRIDES) return fail(r, "anchors are given for more than %d strides", FV_MAX_HEAD_STRIDES);
    int count = read_floats(r, "anchors of a stride", 1e-3, 1e6, 2, 2 * FV_MAX_ANCHORS, &head->anchors[level][0][0]);
    if (count < 0) return count;
    if (count % 2) return fail(r, "anchors must be pairs of width and height");
    head->anchor_count[level] = count / 2;
  }
}

static int read_variance(FvReader *r) {
  int count = read_floats(r, "variance", 1e-6, 10, 2, 2, r->d->head.variance);
  return count < 0 ? count : FV_OK;
}

static int read_bins(FvReader *r) { return read_int(r, "bins", 2, 256, &r->d->head.bins); }
static int read_background(FvReader *r) { return read_bool(r, "background", &r->d->head.background); }

static int read_activation(FvReader *r, const char *what, FvActivationKind *activation) {
  int value, result = read_word(r, what, fv_activation_names, &value);
  if (result == FV_OK) *activation = (FvActivationKind)value;
  return result;
}
static int read_score_activation(FvReader *r) { return read_activation(r, "score-activation", &r->d->head.score_activation); }
static int read_objectness_activation(FvReader *r) {
  int result = read_activation(r, "objectness-activation", &r->d->head.objectness_activation);
  if (result == FV_OK && r->d->head.objectness_activation == FV_ACT_SOFTMAX) return fail(r, "objectness-activation is none or sigmoid");
  return result;
}

static int read_boxes(FvReader *r) {
  int value, result = read_word(r, "boxes", fv_box_names, &value);
  if (result == FV_OK) r->d->head.box_coding = (FvBoxCoding)value;
  return result;
}

static int read_outputs(FvReader *r) {
  FvHead *head = &r->d->head;
  for (int i = 0; i < head->output_count; i++) free(head->outputs[i]), head->outputs[i] = NULL;
  head->output_count = 0;
  if (r->event.type != YAML_SEQUENCE_START_EVENT) return fail(r, "outputs must be a list of names");
  for (;;) {
    int result = next(r);
    if (result < 0) return result;
    if (r->event.type == YAML_SEQUENCE_END_EVENT) return FV_OK;
    if (head->output_count == FV_MAX_HEAD_OUTPUTS) return fail(r, "outputs has more than %d names", FV_MAX_HEAD_OUTPUTS);
    if ((result = read_string(r, "an output's name", &head->outputs[head->output_count])) < 0) return result;
    head->output_count++;
  }
}

static const FvKey head_keys[] = {
  {"strides", read_strides}, {"anchors", read_anchors}, {"variance", read_variance}, {"bins", read_bins},
  {"score-activation", read_score_activation}, {"objectness-activation", read_objectness_activation}, {"boxes", read_boxes},
  {"background", read_background}, {"outputs", read_outputs},
};
static int read_head(FvReader *r) { return read_mapping(r, "head", head_keys, sizeof head_keys / sizeof head_keys[0]); }

/* --- top --- */

static int read_name(FvReader *r) { return read_string(r, "name", &r->d->name); }
static int read_threshold(FvReader *r) { return read_float(r, "threshold", 0, 1, &r->d->threshold); }
static int read_iou_threshold(FvReader *r) { return read_float(r, "iou-threshold", 0, 1, &r->d->iou_threshold); }
static int read_classes(FvReader *r) { return read_int(r, "classes", 1, FV_MAX_LABELS, &r->stated_classes); }

static int read_family(FvReader *r) {
  const char *names[FV_FAMILY_COUNT] = {NULL};
  for (int f = 1; f < FV_FAMILY_COUNT; f++) names[f - 1] = fv_family_name((FvFamily)f);
  int value, result = read_word(r, "family", names, &value);
  if (result == FV_OK) r->d->family = (FvFamily)(value + 1);
  return result;
}

static int add_label(FvReader *r) {
  if (r->label_count == FV_MAX_LABELS) return fail(r, "more than %d labels", FV_MAX_LABELS);
  if (r->label_count == r->label_capacity) {
    int capacity = r->label_capacity ? 2 * r->label_capacity : 64;
    char **grown = realloc(r->labels, (size_t)capacity * sizeof *grown);
    if (!grown) return fv_error_set(r->err, FV_ERR_NO_MEMORY, "%s: no memory for labels", r->path);
    r->labels = grown;
    r->label_capacity = capacity;
  }
  const char *text = text_of(r);
  char *label = text ? fv_label_copy(text, strlen(text)) : NULL;
  if (!label) return fail(r, "a label must be UTF-8 text of at most %d bytes without control characters", FV_MAX_LABEL_BYTES);
  r->labels[r->label_count++] = label;
  return FV_OK;
}

static int read_labels(FvReader *r) {
  r->labels_mark = r->event.start_mark;
  if (r->event.type == YAML_SCALAR_EVENT) {
    int result = read_string(r, "labels", &r->labels_path);
    if (result < 0) return result;
    if (r->embedded && strspn(r->labels_path, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(r->labels_path))
      return fail(r, "a description inside a model may not name a file of labels");
    char *found = r->embedded ? fv_labels_find(r->labels_path, NULL) : fv_labels_find(r->labels_path, r->path);
    if (!found)
      return fail(r, "labels '%.100s' is neither a readable file beside this one nor the name of a list in configs/labels", r->labels_path);
    free(r->labels_path);
    r->labels_path = found;
    return FV_OK;
  }
  if (r->event.type != YAML_SEQUENCE_START_EVENT) return fail(r, "labels must be a list of names, a file or the name of a list");
  for (;;) {
    int result = next(r);
    if (result < 0) return result;
    if (r->event.type == YAML_SEQUENCE_END_EVENT) return r->label_count ? FV_OK : fail(r, "labels is an empty list");
    if ((result = add_label(r)) < 0) return result;
  }
}

static const FvKey top_keys[] = {
  {"name", read_name}, {"family", read_family}, {"classes", read_classes}, {"labels", read_labels}, {"threshold", read_threshold},
  {"iou-threshold", read_iou_threshold}, {"preprocess", read_preprocess}, {"head", read_head},
};

static int read_document(FvReader *r) {
  int result;
  do { /* stream start, document start */
    if ((result = next(r)) < 0) return result;
    if (r->event.type == YAML_STREAM_END_EVENT) return fail(r, "the file is empty");
  } while (r->event.type != YAML_DOCUMENT_START_EVENT);
  if ((result = next(r)) < 0) return result;
  if ((result = read_mapping(r, "a description", top_keys, sizeof top_keys / sizeof top_keys[0])) < 0) return result;
  do { /* document end */
    if ((result = next(r)) < 0) return result;
    if (r->event.type == YAML_DOCUMENT_START_EVENT) return fail(r, "only one document is allowed");
  } while (r->event.type != YAML_STREAM_END_EVENT);
  return FV_OK;
}

static int apply_labels(FvReader *r) {
  FvDescription *d = r->d;
  if (r->stated_classes && r->stated_classes != d->class_count) {
    fv_description_set_labels(d, NULL, r->stated_classes);
  }
  if (r->labels_path) return fv_description_read_labels(d, r->labels_path, r->err);
  if (!r->labels) return FV_OK;
  if (d->class_count && d->class_count != r->label_count)
    return fail_at(r, r->labels_mark, "%d labels, but the model has %d classes", r->label_count, d->class_count);
  fv_description_set_labels(d, r->labels, r->label_count);
  r->labels = NULL;
  return FV_OK;
}

static int read_yaml(FvDescription *description, const char *text, size_t size, const char *path, bool embedded, FvError *err) {
  FvReader r = {.path = path, .d = description, .err = err, .embedded = embedded};
  if ((int64_t)size > FV_MAX_CONFIG_BYTES)
    return fv_error_set(err, FV_ERR_LIMIT, "%s: %zu bytes, more than the %lld allowed", path, size, (long long)FV_MAX_CONFIG_BYTES);
  if (description->preprocess.scale[0] == 0) fv_description_set_defaults(description); /* nobody has described anything yet */
  if (!yaml_parser_initialize(&r.parser)) return fv_error_set(err, FV_ERR_NO_MEMORY, "%s: no memory", path);
  yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
  int result = read_document(&r);
  if (result == FV_OK) result = apply_labels(&r);
  if (result == FV_OK) snprintf(description->source, sizeof description->source, embedded ? "embedded" : "file");
  if (r.have_event) yaml_event_delete(&r.event);
  yaml_parser_delete(&r.parser);
  if (r.labels) fv_labels_free(r.labels, r.label_count);
  free(r.labels_path);
  return result;
}

int fv_description_read_yaml(FvDescription *description, const char *text, size_t size, const char *path, FvError *err) {
  return read_yaml(description, text, size, path, false, err);
}

int fv_description_read_embedded(FvDescription *description, const char *text, size_t size, const char *path, FvError *err) {
  return read_yaml(description, text, size, path, true, err);
}

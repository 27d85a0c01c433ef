/* Descriptions from YAML, label files and graphs: what they say, and how they fail. */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir/op.h"
#include "vision/describe.h"

static int read_text(FvDescription *d, const char *text, FvError *err) { return fv_description_read_yaml(d, text, strlen(text), "test.yaml", err); }

static void test_every_key(void) {
  static const char text[] =
    "name: mine\nfamily: yolo-anchor\nclasses: 3\nlabels: [cat, dog, 'fire truck']\nthreshold: 0.4\niou-threshold: 0.55\n"
    "preprocess:\n  width: 640\n  height: 384\n  resize: letterbox-top-left\n  pad: 114\n  channels: bgr\n  mean: [1, 2, 3]\n  std: [2, 4, 8]\n  layout: nhwc\n"
    "head:\n  strides: [8, 16]\n  anchors: [[1, 2, 3, 4], [5, 6]]\n  variance: [0.1, 0.25]\n  bins: 16\n  score-activation: softmax\n"
    "  objectness-activation: sigmoid\n  boxes: xyxy-unit\n  background: true\n  outputs: [a, b]\n";
  FvDescription d = {0};
  FvError err;
  if (read_text(&d, text, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(fv_description_check(&d, &err), ==, FV_OK);
  g_assert_cmpstr(d.name, ==, "mine");
  g_assert_cmpstr(d.source, ==, "file");
  g_assert_cmpint(d.family, ==, FV_FAMILY_YOLO_ANCHOR);
  g_assert_cmpint(d.class_count, ==, 3);
  g_assert_cmpstr(d.labels[2], ==, "fire truck");
  g_assert_cmpfloat(d.threshold, ==, 0.4f);
  g_assert_cmpfloat(d.iou_threshold, ==, 0.55f);
  const FvPreprocess *p = &d.preprocess;
  g_assert_true(p->width == 640 && p->height == 384 && p->resize == FV_RESIZE_LETTERBOX_TOP_LEFT && p->pad_value == 114 && p->channels == FV_CHANNELS_BGR);
  g_assert_true(p->mean[2] == 3 && p->scale[0] == 0.5f && p->scale[2] == 0.125f && p->channels_last);
  const FvHead *h = &d.head;
  g_assert_true(h->stride_count == 2 && h->strides[1] == 16 && h->anchor_count[0] == 2 && h->anchor_count[1] == 1 && h->anchors[0][1][1] == 4 && h->anchors[1][0][0] == 5);
  g_assert_true(h->variance[1] == 0.25f && h->bins == 16 && h->score_activation == FV_ACT_SOFTMAX && h->objectness_activation == FV_ACT_SIGMOID);
  g_assert_true(h->box_coding == FV_BOX_XYXY_UNIT && h->background && h->output_count == 2);
  g_assert_cmpstr(h->outputs[1], ==, "b");
  /* Absent keys keep their value. */
  g_assert_cmpint(read_text(&d, "threshold: 0.9\npreprocess: {pad: 0}\n", &err), ==, FV_OK);
  g_assert_true(d.threshold == 0.9f && p->pad_value == 0 && p->width == 640 && d.class_count == 3 && d.labels && h->output_count == 2);
  /* Another number of classes cannot keep the labels. */
  g_assert_cmpint(read_text(&d, "classes: 2\n", &err), ==, FV_OK);
  g_assert_true(d.class_count == 2 && d.labels == NULL);
  fv_description_finish(&d);
}

static void test_defaults(void) {
  FvDescription d = {0};
  FvError err;
  g_assert_cmpint(read_text(&d, "family: yolo-free\nclasses: 1\n", &err), ==, FV_OK);
  g_assert_true(d.preprocess.scale[0] == 1 && d.threshold > 0 && d.iou_threshold > 0 && d.head.variance[1] == 0.2f);
  fv_description_finish(&d);
}

static const struct {
  const char *text, *message;
} mistakes[] = {
  {"famly: ssd\n", "test.yaml:1:1: unknown key 'famly', did you mean 'family'?"},
  {"family: yolov8\n", "unknown family 'yolov8', did you mean 'yolox'?"},
  {"family: [a]\n", "test.yaml:1:9: family must be one word"},
  {"head:\n  strdes: [8]\n", "test.yaml:2:3: unknown key 'strdes', did you mean 'strides'?"},
  {"preprocess: {resize: crop-of-some-strange-kind}\n", "it is one of: stretch, letterbox"},
  {"preprocess: {pad: 256}\n", "pad is 256, it must be 0 to 255"},
  {"preprocess: {pad: grey}\n", "pad must be a number"},
  {"preprocess: {width: 1.5}\n", "whole number"},
  {"preprocess: {width: 0}\n", "width is 0"},
  {"preprocess: {std: 0}\n", "std is 0"},
  {"preprocess: {mean: [1, 2]}\n", "one number, or one per channel"},
  {"preprocess: {mean: [1, 2, 3, 4]}\n", "more than 3"},
  {"preprocess: 3\n", "preprocess must be a mapping"},
  {"threshold: nan\n", "threshold must be a number"},
  {"threshold: 0x1p-1\n", "threshold must be a number"},
  {"threshold: 1.01\n", "threshold is 1.01, it must be 0 to 1"},
  {"threshold: 0.5\nthreshold: 0.6\n", "test.yaml:2:1: key 'threshold' is given twice"},
  {"classes: 100000\n", "classes is 100000"},
  {"classes: 2\nlabels: [a, b, c]\n", "test.yaml:2:9: 3 labels, but the model has 2 classes"},
  {"labels: []\n", "empty list"},
  {"labels: [[a]]\n", "a label must be"},
  {"labels: [\"a\\0b\"]\n", "a label must be"},
  {"labels: no-such-list\n", "neither a readable file beside this one nor the name of a list"},
  {"head: {strides: [8, 16, 32, 64, 128, 256, 512, 1024, 2048]}\n", "more than 8"},
  {"head: {strides: [8.5]}\n", "whole numbers"},
  {"head: {strides: [8], anchors: [[1, 2, 3]]}\n", "pairs"},
  {"head: {anchors: [1, 2]}\n", "a list of numbers"},
  {"head: {anchors: [[-1, 2]]}\n", "it must be"},
  {"head: {objectness-activation: softmax}\n", "none or sigmoid"},
  {"head: {background: yes}\n", "true or false"},
  {"head: {outputs: [a, '']}\n", "must be text"},
  {"name: &a x\nfamily: *a\n", "anchors and aliases are not allowed"},
  {"a: &a [x, x]\n", "unknown key 'a'"},
  {"name: x\n---\nname: y\n", "only one document"},
  {"", "the file is empty"},
  {"[1, 2]\n", "a description must be a mapping"},
  {"family: {\n", "test.yaml:"},
  {"\tfamily: ssd\n", "test.yaml:1:"},
  {"? [x]\n: y\n", "a key of a description must be a word"},
};

static void test_mistakes(void) {
  for (gsize i = 0; i < G_N_ELEMENTS(mistakes); i++) {
    FvDescription d = {0};
    FvError err = {0};
    int result = read_text(&d, mistakes[i].text, &err);
    if (result != FV_ERR_CONFIG || !strstr(err.message, mistakes[i].message)) g_error("%s gave %d: %s", mistakes[i].text, result, err.message);
    g_assert_true(g_str_has_prefix(err.message, "test.yaml:"));
    fv_description_finish(&d);
  }
}

static void test_check(void) {
  static const struct {
    const char *text, *message;
  } rows[] = {
    {"family: nanodet\nclasses: 80\n", "needs head: strides"},
    {"family: nanodet\nclasses: 80\nhead: {strides: [8]}\n", "needs head: bins"},
    {"family: yolo-free\n", "give classes or labels"},
    {"family: ssd\nclasses: 1\nhead: {strides: [8], anchors: [[1, 1], [2, 2]]}\n", "anchors are given for more strides than the 1"},
    {"family: yolo-anchor\nclasses: 1\nhead: {boxes: raw}\n", "needs head: strides"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    FvDescription d = {0};
    FvError err;
    if (read_text(&d, rows[i].text, &err) < 0) g_error("%s", err.message);
    g_assert_cmpint(fv_description_check(&d, &err), ==, FV_ERR_CONFIG);
    if (!strstr(err.message, rows[i].message)) g_error("%s", err.message);
    fv_description_finish(&d);
  }
}

static void test_large(void) {
  FvDescription d = {0};
  FvError err;
  GString *text = g_string_new("labels:\n");
  for (int i = 0; i <= FV_MAX_LABELS; i++) g_string_append_printf(text, "- c%d\n", i);
  g_assert_cmpint(read_text(&d, text->str, &err), ==, FV_ERR_CONFIG);
  g_assert_nonnull(strstr(err.message, "more than 65536 labels"));
  g_string_set_size(text, 0);
  for (int i = 0; i < 100000; i++) g_string_append_c(text, '[');
  g_assert_cmpint(read_text(&d, text->str, &err), ==, FV_ERR_CONFIG);
  g_assert_cmpint(fv_description_read_yaml(&d, text->str, (gsize)FV_MAX_CONFIG_BYTES + 1, "test.yaml", &err), ==, FV_ERR_LIMIT);
  g_string_free(text, TRUE);
  fv_description_finish(&d);
}

/* Every file that we ship is right. */
static void test_shipped(void) {
  char *folder = g_build_filename(g_getenv("FOVEA_CONFIG_DIR"), "models", NULL);
  GDir *dir = g_dir_open(folder, 0, NULL);
  g_assert_nonnull(dir);
  int count = 0;
  for (const char *name; (name = g_dir_read_name(dir)); count++) {
    char *path = g_build_filename(folder, name, NULL), *text;
    FvDescription d = {0};
    FvError err;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    if (fv_description_read_yaml(&d, text, strlen(text), path, &err) < 0 || fv_description_check(&d, &err) < 0) g_error("%s", err.message);
    g_assert_true(d.family == FV_FAMILY_CLASSIFIER || d.family == FV_FAMILY_EMBEDDING || d.labels);
    g_free(text);
    g_free(path);
    fv_description_finish(&d);
  }
  g_assert_cmpint(count, >=, 15);
  g_dir_close(dir);
  g_free(folder);
}

/* --- labels --- */

static int read_label_bytes(FvDescription *d, const void *bytes, gsize size, FvError *err) {
  char *path;
  int fd = g_file_open_tmp("fovea-labels-XXXXXX", &path, NULL);
  g_assert_cmpint(fd, >=, 0);
  g_close(fd, NULL);
  g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
  int result = fv_description_read_labels(d, path, err);
  g_remove(path);
  g_free(path);
  return result;
}
#define READ_LABELS(d, text) read_label_bytes(d, text, sizeof text - 1, &err)

static void test_labels(void) {
  FvDescription d = {0};
  FvError err;
  char scratch[24];
  g_assert_cmpint(READ_LABELS(&d, "\xef\xbb\xbfperson\r\ncar \n\n\n"), ==, FV_OK);
  g_assert_cmpint(d.class_count, ==, 2);
  g_assert_cmpstr(fv_description_label(&d, 0, scratch), ==, "person");
  g_assert_cmpstr(fv_description_label(&d, 1, scratch), ==, "car");
  g_assert_cmpstr(fv_description_label(&d, 2, scratch), ==, "class 2");
  g_assert_cmpstr(fv_description_label(&d, -1, scratch), ==, "class -1");
  g_assert_cmpstr(fv_description_label(NULL, 2147483647, scratch), ==, "class 2147483647");
  g_assert_cmpint(READ_LABELS(&d, "a\nb\nc\n"), ==, FV_ERR_CONFIG);
  g_assert_nonnull(strstr(err.message, "3 class names, but the model has 2 classes"));
  g_assert_cmpint(READ_LABELS(&d, "Fahrr\xc3\xa4" "der\nb"), ==, FV_OK);
  g_assert_cmpstr(d.labels[1], ==, "b");
  fv_description_finish(&d);
  g_assert_cmpint(READ_LABELS(&d, "a\0b\n"), ==, FV_ERR_CONFIG);
  g_assert_cmpint(READ_LABELS(&d, "\xff\n"), ==, FV_ERR_CONFIG);
  g_assert_cmpint(READ_LABELS(&d, "ok\n\xc3"), ==, FV_ERR_CONFIG);
  g_assert_nonnull(strstr(err.message, ":2: "));
  g_assert_cmpint(READ_LABELS(&d, "\x1b[31mred\n"), ==, FV_ERR_CONFIG);
  g_assert_cmpint(READ_LABELS(&d, ""), ==, FV_ERR_CONFIG);
  g_assert_cmpint(READ_LABELS(&d, "\n \n"), ==, FV_ERR_CONFIG);
  char *longest = g_strnfill(256, 'x');
  g_assert_cmpint(read_label_bytes(&d, longest, 256, &err), ==, FV_ERR_CONFIG);
  g_assert_cmpint(read_label_bytes(&d, longest, 255, &err), ==, FV_OK);
  g_free(longest);
  fv_description_finish(&d);
  g_assert_cmpint(fv_description_read_labels(&d, "/nonexistent/labels.txt", &err), ==, FV_ERR_IO);
  g_assert_null(d.labels);
}

static void test_labels_by_name(void) {
  FvDescription d = {0};
  FvError err;
  if (read_text(&d, "labels: coco\n", &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(d.class_count, ==, 80);
  g_assert_cmpstr(d.labels[79], ==, "toothbrush");
  fv_description_finish(&d);
  static const char *const outside[] = {"labels: /etc/passwd\n", "labels: ../../../../etc/passwd\n", "labels: coco.txt\n"};
  for (gsize i = 0; i < G_N_ELEMENTS(outside); i++) {
    g_assert_cmpint(fv_description_read_embedded(&d, outside[i], strlen(outside[i]), "model.onnx", &err), ==, FV_ERR_CONFIG);
    g_assert_nonnull(strstr(err.message, "may not name a file"));
  }
  g_assert_cmpint(fv_description_read_embedded(&d, "labels: face\n", 13, "model.onnx", &err), ==, FV_OK);
  g_assert_cmpstr(d.source, ==, "embedded");
  fv_description_finish(&d);
}

static void test_find(void) {
  char *folder = g_dir_make_tmp("fovea-find-XXXXXX", NULL), *model = g_build_filename(folder, "mine.onnx", NULL), *beside = g_build_filename(folder, "mine.yaml", NULL);
  char *found = fv_description_find(model, "FastestDet", NULL);
  g_assert_true(found && g_str_has_suffix(found, "configs/models/FastestDet.yaml"));
  free(found);
  g_assert_null(fv_description_find(model, "nobody-knows-this", NULL));
  g_assert_null(fv_description_find(NULL, "../models/FastestDet", NULL));
  g_assert_true(g_file_set_contents(beside, "family: ssd\n", -1, NULL));
  found = fv_description_find(model, "FastestDet", NULL);
  g_assert_cmpstr(found, ==, beside);
  free(found);
  found = fv_description_find(model, "FastestDet", "given.yaml");
  g_assert_cmpstr(found, ==, "given.yaml");
  free(found);
  g_remove(beside);
  g_remove(folder);
  g_free(beside);
  g_free(model);
  g_free(folder);
}

/* --- graphs --- */

typedef struct Shape {
  const char *name, *maker; /* the operator that makes it; NULL: Identity of nothing known */
  int rank;
  int64_t dims[5];
} Shape;

static FvGraph *make_graph(int channels, int height, int width, const Shape *outputs, int count) {
  FvGraph *graph = fv_graph_create();
  FvValue *input = fv_graph_add_value(graph, "images");
  *input = (FvValue){.name = input->name, .dtype = FV_DTYPE_F32, .rank = 4, .dims = {1, channels, height, width}};
  fv_graph_add_input(graph, input);
  for (int i = 0; i < count; i++) {
    FvValue *value = fv_graph_add_value(graph, outputs[i].name);
    const FvOp *op = fv_op_find(NULL, outputs[i].maker ? outputs[i].maker : "Identity");
    g_assert_nonnull(op);
    FvNode *node = fv_graph_add_node(graph, op, "", 13, 1, 1);
    value->dtype = FV_DTYPE_F32;
    value->rank = outputs[i].rank;
    memcpy(value->dims, outputs[i].dims, sizeof outputs[i].dims);
    node->inputs[0] = input;
    node->outputs[0] = value;
    value->producer = node;
    fv_graph_add_output(graph, value);
  }
  return graph;
}

static int infer(FvDescription *d, int height, int width, const Shape *outputs, int count, const FvMetadata *metadata, int metadata_count, FvError *err) {
  FvGraph *graph = make_graph(3, height, width, outputs, count);
  int result = fv_description_infer(d, "model", graph, metadata, metadata_count, err);
  fv_graph_destroy(&graph);
  return result;
}

static void test_infer(void) {
  static const struct {
    FvFamily family;
    int classes, height, width;
    FvBoxCoding boxes;
    int count;
    Shape outputs[12];
  } rows[] = {
    {FV_FAMILY_YOLO_FREE, 80, 640, 640, FV_BOX_DEFAULT, 1, {{"output0", NULL, 3, {1, 84, 8400}}}},
    {FV_FAMILY_YOLO_FREE, 2, 384, 640, FV_BOX_DEFAULT, 1, {{"output0", NULL, 3, {1, 6, 5040}}}},
    {FV_FAMILY_YOLO_ANCHOR, 80, 640, 640, FV_BOX_CXCYWH, 1, {{"output", NULL, 3, {1, 25200, 85}}}},
    {FV_FAMILY_YOLOX, 80, 416, 416, FV_BOX_RAW, 1, {{"output", NULL, 3, {1, 3549, 85}}}},
    {FV_FAMILY_YOLOX, 80, 416, 416, FV_BOX_CXCYWH, 1, {{"output", "Exp", 3, {1, 3549, 85}}}},
    {FV_FAMILY_NANODET, 80, 416, 416, FV_BOX_DEFAULT, 1, {{"output", NULL, 3, {1, 3598, 112}}}},
    {FV_FAMILY_NANODET, 12, 320, 320, FV_BOX_DEFAULT, 6,
     {{"a", NULL, 3, {1, 1600, 12}}, {"b", NULL, 3, {1, 400, 12}}, {"c", NULL, 3, {1, 100, 12}}, {"d", NULL, 3, {1, 1600, 32}}, {"e", NULL, 3, {1, 400, 32}}, {"f", NULL, 3, {1, 100, 32}}}},
    {FV_FAMILY_SSD, 1, 240, 320, FV_BOX_RAW, 2, {{"scores", "Softmax", 3, {1, 4420, 2}}, {"boxes", NULL, 3, {1, 4420, 4}}}},
    {FV_FAMILY_SSD, 1, 240, 320, FV_BOX_XYXY_UNIT, 2, {{"scores", "Softmax", 3, {1, 4420, 2}}, {"boxes", "Exp", 3, {1, 4420, 4}}}},
    {FV_FAMILY_YUNET, 1, 120, 160, FV_BOX_DEFAULT, 3, {{"loc", NULL, 2, {1076, 14}}, {"conf", "Softmax", 2, {1076, 2}}, {"iou", NULL, 2, {1076, 1}}}},
    {FV_FAMILY_RETINAFACE, 1, 640, 640, FV_BOX_DEFAULT, 3, {{"x", NULL, 3, {1, 16800, 4}}, {"y", NULL, 3, {1, 16800, 2}}, {"z", NULL, 3, {1, 16800, 10}}}},
    {FV_FAMILY_SCRFD, 1, 640, 640, FV_BOX_DEFAULT, 6,
     {{"a", "Sigmoid", 2, {12800, 1}}, {"b", "Sigmoid", 2, {3200, 1}}, {"c", "Sigmoid", 2, {800, 1}}, {"d", NULL, 2, {12800, 4}}, {"e", NULL, 2, {3200, 4}}, {"f", NULL, 2, {800, 4}}}},
    {FV_FAMILY_CLASSIFIER, 1000, 224, 224, FV_BOX_DEFAULT, 1, {{"output", NULL, 2, {1, 1000}}}},
    {FV_FAMILY_CLASSIFIER, 7, 224, 224, FV_BOX_DEFAULT, 1, {{"output", "Softmax", 2, {1, 7}}}},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    FvDescription d;
    FvError err;
    if (infer(&d, rows[i].height, rows[i].width, rows[i].outputs, rows[i].count, NULL, 0, &err) < 0) g_error("%s", err.message);
    g_test_message("%s", fv_family_name(d.family));
    g_assert_cmpint(d.family, ==, rows[i].family);
    g_assert_cmpint(d.class_count, ==, rows[i].classes);
    g_assert_cmpint(d.head.box_coding, ==, rows[i].boxes);
    g_assert_true(d.preprocess.width == rows[i].width && d.preprocess.height == rows[i].height && !d.preprocess.channels_last);
    g_assert_cmpint(fv_description_check(&d, &err), ==, FV_OK);
    g_assert_true(d.class_count != 80 || (d.labels && strcmp(d.labels[0], "person") == 0));
    fv_description_finish(&d);
  }
}

static void test_infer_uncertain(void) {
  static const Shape strange[] = {{"what", NULL, 3, {1, 777, 13}}}, features[] = {{"features", NULL, 2, {1, 512}}}, ambiguous[] = {{"output", NULL, 3, {1, 3549, 7}}};
  static const Shape *const all[] = {strange, features, ambiguous};
  for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
    FvDescription d;
    FvError err;
    g_assert_cmpint(infer(&d, 416, 416, all[i], 1, NULL, 0, &err), ==, FV_ERR_CONFIG);
    g_assert_nonnull(strstr(err.message, "`config`"));
    g_assert_nonnull(strstr(err.message, "configs/models/model.yaml"));
    g_assert_nonnull(strstr(err.message, all[i][0].name));
    g_assert_cmpint(d.family, ==, FV_FAMILY_NONE);
    g_assert_true(d.preprocess.width == 416 && d.preprocess.height == 416);
    fv_description_finish(&d);
  }
}

static void test_infer_metadata(void) {
  static const Shape transposed[] = {{"output0", NULL, 3, {1, 2100, 6}}}, end_to_end[] = {{"output0", NULL, 3, {1, 300, 6}}};
  static const FvMetadata ours[] = {{"task", "detect"}, {"names", "{0: 'cat', 1: \"dog's\"}"}};
  static const FvMetadata pose[] = {{"task", "pose"}, {"names", "{0: 'person'}"}};
  FvDescription d;
  FvError err;
  g_assert_cmpint(infer(&d, 320, 320, transposed, 1, ours, 2, &err), ==, FV_OK);
  g_assert_true(d.family == FV_FAMILY_YOLO_FREE && d.class_count == 2 && d.preprocess.resize == FV_RESIZE_LETTERBOX);
  g_assert_cmpstr(d.labels[1], ==, "dog's");
  fv_description_finish(&d);
  g_assert_cmpint(infer(&d, 640, 640, end_to_end, 1, ours, 2, &err), ==, FV_OK);
  g_assert_true(d.family == FV_FAMILY_DETECTIONS && d.head.box_coding == FV_BOX_XYXY);
  fv_description_finish(&d);
  g_assert_cmpint(infer(&d, 320, 320, (const Shape[]){{"output0", NULL, 3, {1, 56, 1000}}}, 1, pose, 2, &err), ==, FV_ERR_CONFIG);
  g_assert_nonnull(strstr(err.message, "'pose'"));
  fv_description_finish(&d);

  static const char *const hostile[] = {"", "{", "{0: 'a", "{0: 'a', 5: 'b'}", "{99999999999999999999: 'a'}", "[1]", "{0: 'a\\", "{0: '\x01'}", "{0 'a'", "{}"};
  for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
    FvMetadata bad[] = {{"names", hostile[i]}, {"stride", "-1"}};
    g_assert_cmpint(infer(&d, 640, 640, (const Shape[]){{"output0", NULL, 3, {1, 84, 8400}}}, 1, bad, 2, &err), ==, FV_OK);
    g_assert_cmpint(d.class_count, ==, 80);
    fv_description_finish(&d);
  }
  FvMetadata embedded = {"fovea.description", "family: yolo-free\nclasses: 3\n"}, broken = {"fovea.description", "family: [\n"};
  g_assert_cmpint(infer(&d, 320, 320, (const Shape[]){{"o", NULL, 3, {1, 99, 7}}}, 1, &embedded, 1, &err), ==, FV_OK);
  g_assert_cmpstr(d.source, ==, "embedded");
  fv_description_finish(&d);
  g_assert_cmpint(infer(&d, 320, 320, (const Shape[]){{"o", NULL, 3, {1, 99, 7}}}, 1, &broken, 1, &err), ==, FV_ERR_CONFIG);
  fv_description_finish(&d);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/description/every key", test_every_key);
  g_test_add_func("/description/defaults", test_defaults);
  g_test_add_func("/description/mistakes name the place and the remedy", test_mistakes);
  g_test_add_func("/description/parts must fit together", test_check);
  g_test_add_func("/description/large files", test_large);
  g_test_add_func("/description/shipped files", test_shipped);
  g_test_add_func("/description/label files", test_labels);
  g_test_add_func("/description/labels by name", test_labels_by_name);
  g_test_add_func("/description/where files are found", test_find);
  g_test_add_func("/description/known graphs", test_infer);
  g_test_add_func("/description/uncertain graphs", test_infer_uncertain);
  g_test_add_func("/description/exporters' metadata", test_infer_metadata);
  return g_test_run();
}

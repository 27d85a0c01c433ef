/* Average precision against numbers of coco_reference.py (checked once against pycocotools), and what a bad instances.json leads to. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "coco.h"

static char *fixture(const char *name) { return g_test_build_filename(G_TEST_DIST, "tools", "coco", name, NULL); }

static FvCoco *read_fixture(void) {
  g_autofree char *path = fixture("instances.json");
  FvError err = {0};
  FvCoco *coco = fv_coco_read(path, &err);
  g_assert_cmpstr(err.message, ==, "");
  g_assert_nonnull(coco);
  return coco;
}

static int image_of(const FvCoco *coco, gint64 id) {
  for (int i = 0; i < fv_coco_image_count(coco); i++)
    if (fv_coco_image_id(coco, i) == id) return i;
  return -1;
}

static int category_of(const FvCoco *coco, gint64 id) {
  for (int i = 0; i < fv_coco_category_count(coco); i++)
    if (fv_coco_category_id(coco, i) == id) return i;
  return -1;
}

static JsonNode *load(const char *name) {
  g_autofree char *path = fixture(name);
  g_autoptr(JsonParser) parser = json_parser_new();
  g_autoptr(GError) error = NULL;
  json_parser_load_from_file(parser, path, &error);
  g_assert_no_error(error);
  return json_parser_steal_root(parser);
}

static void add_boxes(FvCoco *coco, JsonArray *boxes, gboolean scored) {
  for (guint i = 0; i < json_array_get_length(boxes); i++) {
    JsonObject *object = json_array_get_object_element(boxes, i);
    JsonArray *bbox = json_object_get_array_member(object, "bbox");
    double box[4];
    for (guint k = 0; k < 4; k++) box[k] = json_array_get_double_element(bbox, k);
    g_assert_true(fv_coco_add(coco, image_of(coco, json_object_get_int_member(object, "image_id")),
                              category_of(coco, json_object_get_int_member(object, "category_id")),
                              scored ? json_object_get_double_member(object, "score") : 1, box));
  }
}

static void test_agrees_with_reference(void) {
  FvCoco *coco = read_fixture();
  g_autoptr(JsonNode) detections = load("detections.json");
  g_autoptr(JsonNode) expected = load("expected.json");
  add_boxes(coco, json_node_get_array(detections), TRUE);
  FvCocoClass per_category[16];
  FvCocoResult result;
  for (int round = 0; round < 2; round++) { /* measuring changes nothing */
    fv_coco_evaluate(coco, &result, per_category);
    g_assert_cmpfloat_with_epsilon(result.map, json_object_get_double_member(json_node_get_object(expected), "map"), 1e-9);
    g_assert_cmpfloat_with_epsilon(result.ap50, json_object_get_double_member(json_node_get_object(expected), "ap50"), 1e-9);
  }
  JsonObject *classes = json_object_get_object_member(json_node_get_object(expected), "per_class");
  g_assert_cmpint(fv_coco_category_count(coco), ==, 5);
  for (int c = 0; c < 5; c++) {
    JsonNode *value = json_object_get_member(classes, fv_coco_category_name(coco, c));
    if (JSON_NODE_HOLDS_NULL(value)) g_assert_true(isnan(per_category[c].ap));
    else g_assert_cmpfloat_with_epsilon(per_category[c].ap, json_node_get_double(value), 1e-9);
  }
  fv_coco_destroy(&coco);
}

static void test_truth_as_detections_is_perfect(void) {
  FvCoco *coco = read_fixture();
  g_autoptr(JsonNode) instances = load("instances.json");
  add_boxes(coco, json_object_get_array_member(json_node_get_object(instances), "annotations"), FALSE);
  FvCocoResult result;
  fv_coco_evaluate(coco, &result, NULL);
  g_assert_cmpfloat_with_epsilon(result.map, 1, 1e-9);
  fv_coco_destroy(&coco);
}

static void test_nothing_found_is_zero(void) {
  FvCoco *coco = read_fixture();
  FvCocoResult result;
  fv_coco_evaluate(coco, &result, NULL);
  g_assert_true(result.map == 0 && result.ap50 == 0);
  fv_coco_destroy(&coco);
}

static const char *const two_files[] = {"a.jpg", "b.jpg"}, *const two_classes[] = {"cat", "dog"};

static void add(FvCoco *coco, int image, int category, double score, double x) {
  double box[4] = {x, 10, 20, 20};
  g_assert_true(fv_coco_add(coco, image, category, score, box));
}

/* A model's boxes are true; another model misses the only dog of three objects, and sees a cat that is none after the true ones. */
static void test_another_models_boxes(void) {
  FvCocoResult result;
  FvCoco *coco = fv_coco_create(two_files, 2, two_classes, 2);
  g_assert_cmpint(fv_coco_image_count(coco), ==, 2);
  g_assert_cmpstr(fv_coco_image_file(coco, 1), ==, "b.jpg");
  g_assert_cmpstr(fv_coco_category_name(coco, 1), ==, "dog");
  add(coco, 0, 0, 0.9, 0);
  add(coco, 1, 0, 0.8, 100);
  add(coco, 1, 1, 0.7, 200);
  fv_coco_adopt(coco);
  add(coco, 0, 0, 0.9, 0);
  add(coco, 1, 0, 0.8, 100);
  add(coco, 1, 0, 0.5, 300);
  fv_coco_evaluate(coco, &result, NULL);
  g_assert_cmpfloat_with_epsilon(result.map, 0.5, 1e-6);                 /* cats 1, dogs 0 */
  g_assert_cmpfloat_with_epsilon(result.pooled, 67.0 / 101.0, 1e-6); /* recall ends at 2/3: 67 of 101 points have precision 1 */
  fv_coco_forget(coco);
  fv_coco_evaluate(coco, &result, NULL);
  g_assert_cmpfloat(result.map, ==, 0);
  fv_coco_destroy(&coco);
}

static void test_some_pictures_are_kept(void) {
  FvCocoResult result;
  FvCoco *coco = fv_coco_create(two_files, 2, two_classes, 2);
  add(coco, 0, 0, 0.9, 0);
  add(coco, 1, 1, 0.8, 100);
  fv_coco_adopt(coco);
  fv_coco_keep(coco, (const gboolean[]){FALSE, TRUE});
  g_assert_cmpint(fv_coco_image_count(coco), ==, 1);
  g_assert_cmpstr(fv_coco_image_file(coco, 0), ==, "b.jpg");
  add(coco, 0, 1, 0.6, 100);
  fv_coco_evaluate(coco, &result, NULL);
  g_assert_cmpfloat_with_epsilon(result.map, 1, 1e-6); /* cats went with their picture */
  fv_coco_destroy(&coco);
}

static void test_order_and_ranges(void) {
  FvCoco *coco = read_fixture();
  const double box[4] = {0, 0, 1, 1}, bad[4] = {0, 0, NAN, 1};
  g_assert_cmpint(fv_coco_image_count(coco), ==, 6);
  for (int i = 1; i < 6; i++) g_assert_cmpint(fv_coco_image_id(coco, i - 1), <, fv_coco_image_id(coco, i));
  g_assert_cmpstr(fv_coco_image_file(coco, 0), ==, "7.jpg");
  g_assert_cmpstr(fv_coco_category_name(coco, 0), ==, "person");
  g_assert_false(fv_coco_add(coco, 6, 0, 0.5, box));
  g_assert_false(fv_coco_add(coco, -1, 0, 0.5, box));
  g_assert_false(fv_coco_add(coco, 0, 5, 0.5, box));
  g_assert_false(fv_coco_add(coco, 0, 0, NAN, box));
  g_assert_false(fv_coco_add(coco, 0, 0, 0.5, bad));
  fv_coco_destroy(&coco);
}

#define IMAGES "\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}]"
#define CATEGORIES "\"categories\": [{\"id\": 1, \"name\": \"a\"}]"
static const struct {
  const char *name, *text, *error; /* error NULL: it is read, and has no object */
} files[] = {
  {"empty", "", "not a JSON object"},
  {"cut-off", "{\"images\": [", "not a JSON object"},
  {"list", "[]", "not a JSON object"},
  {"no-images", "{}", "no list \"images\""},
  {"number-as-image", "{\"images\": [3]}", "images[0] is not an object"},
  {"image-without-id", "{\"images\": [{\"file_name\": \"a.jpg\"}]}", "images[0] needs"},
  {"image-outside", "{\"images\": [{\"id\": 1, \"file_name\": \"x/../../a.jpg\"}]}", "leads out"},
  {"image-absolute", "{\"images\": [{\"id\": 1, \"file_name\": \"/a.jpg\"}]}", "leads out"},
  {"image-twice", "{\"images\": [{\"id\": 1, \"file_name\": \"a.jpg\"}, {\"id\": 1, \"file_name\": \"b.jpg\"}]}", "two images have the id 1"},
  {"category-twice", "{" IMAGES ", \"categories\": [{\"id\": 1, \"name\": \"a\"}, {\"id\": 1, \"name\": \"b\"}]}", "two categories have the id 1"},
  {"box-of-three", "{" IMAGES "," CATEGORIES ", \"annotations\": [{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 3]}]}", "annotations[0] needs"},
  {"box-of-text", "{" IMAGES "," CATEGORIES ", \"annotations\": [{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, \"3\", 4]}]}", "annotations[0] needs"},
  {"box-infinite", "{" IMAGES "," CATEGORIES ", \"annotations\": [{\"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 2, 1e999, 4]}]}", "annotations[0] needs"},
  {"other-picture", "{" IMAGES "," CATEGORIES ", \"annotations\": [{\"image_id\": 2, \"category_id\": 1, \"bbox\": [1, 2, 3, 4]}]}", NULL},
  {"nothing-annotated", "{" IMAGES "," CATEGORIES ", \"annotations\": []}", NULL},
};

static FvCoco *read_text(const char *text, FvError *err) {
  g_autofree char *path = NULL;
  g_autoptr(GError) error = NULL;
  int fd = g_file_open_tmp("fovea-coco-XXXXXX", &path, &error);
  g_assert_no_error(error);
  g_close(fd, NULL);
  g_file_set_contents(path, text, -1, &error);
  g_assert_no_error(error);
  FvCoco *coco = fv_coco_read(path, err);
  g_unlink(path);
  return coco;
}

static void test_file(gconstpointer data) {
  int i = GPOINTER_TO_INT(data);
  FvError err = {0};
  FvCoco *coco = read_text(files[i].text, &err);
  if (files[i].error) {
    g_assert_null(coco);
    g_assert_nonnull(strstr(err.message, files[i].error));
    return;
  }
  FvCocoResult result;
  g_assert_nonnull(coco);
  fv_coco_evaluate(coco, &result, NULL);
  g_assert_true(isnan(result.map));
  fv_coco_destroy(&coco);
}

static void test_refuses_deep_nesting(void) {
  FvError err = {0};
  g_autofree char *text = g_strnfill(1000000, '[');
  g_assert_null(read_text(text, &err));
  g_assert_cmpint(err.code, ==, FV_ERR_LIMIT);
}

static void test_refuses_absent_file(void) {
  FvError err = {0};
  g_assert_null(fv_coco_read("/nonexistent/instances.json", &err));
  g_assert_cmpint(err.code, ==, FV_ERR_IO);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/tools/coco/agrees-with-reference", test_agrees_with_reference);
  g_test_add_func("/tools/coco/truth-as-detections-is-perfect", test_truth_as_detections_is_perfect);
  g_test_add_func("/tools/coco/nothing-found-is-zero", test_nothing_found_is_zero);
  g_test_add_func("/tools/coco/another-models-boxes", test_another_models_boxes);
  g_test_add_func("/tools/coco/some-pictures-are-kept", test_some_pictures_are_kept);
  g_test_add_func("/tools/coco/order-and-ranges", test_order_and_ranges);
  g_test_add_func("/tools/coco/refuses-deep-nesting", test_refuses_deep_nesting);
  g_test_add_func("/tools/coco/refuses-absent-file", test_refuses_absent_file);
  for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
    char *path = g_strdup_printf("/tools/coco/file/%s", files[i].name);
    g_test_add_data_func(path, GINT_TO_POINTER((int)i), test_file);
    g_free(path);
  }
  return g_test_run();
}

/* Reading instances.json. It comes from outside: counts, depth and every type are checked. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include <fovea/limits.h>

#include "coco_data.h"

#define MAX_BYTES (G_GINT64_CONSTANT(512) << 20)
#define MAX_DEPTH 32 /* of nested brackets; the format needs 5 */
#define MAX_IMAGES (1 << 20)

/* The parser recurses, so the depth is bounded before it sees the text. */
static gboolean is_too_deep(const char *text, gsize length) {
  int depth = 0;
  gboolean quoted = FALSE;
  for (gsize i = 0; i < length; i++) {
    char c = text[i];
    if (quoted && c == '\\') i++;
    else if (c == '"') quoted = !quoted;
    else if (!quoted && (c == '{' || c == '[')) depth++;
    else if (!quoted && (c == '}' || c == ']')) depth--;
    if (depth > MAX_DEPTH) return TRUE;
  }
  return FALSE;
}

static JsonParser *parse(const char *path, FvError *err) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, &error);
  if (!file) {
    gboolean folder = g_file_test(path, G_FILE_TEST_IS_DIR);
    fv_error_set(err, FV_ERR_IO, "%s: %s", path, folder ? "not a regular file" : g_file_test(path, G_FILE_TEST_EXISTS) ? error->message : "No such file or directory");
    return NULL;
  }
  gsize length = g_mapped_file_get_length(file);
  const char *text = g_mapped_file_get_contents(file);
  if (length > MAX_BYTES || (text && is_too_deep(text, length))) {
    fv_error_set(err, FV_ERR_LIMIT, "%s: larger than %d MiB, or nested deeper than %d brackets", path, (int)(MAX_BYTES >> 20), MAX_DEPTH);
    return NULL;
  }
  JsonParser *parser = json_parser_new_immutable();
  JsonNode *root = text && json_parser_load_from_data(parser, text, (gssize)length, &error) ? json_parser_get_root(parser) : NULL;
  if (root && JSON_NODE_HOLDS_OBJECT(root)) return parser;
  fv_error_set(err, FV_ERR_FORMAT, "%s: not a JSON object%s%s", path, error ? ": " : "",
               !error ? "" : g_str_has_prefix(error->message, "<data>:") ? error->message + strlen("<data>:") : error->message);
  g_object_unref(parser);
  return NULL;
}

static gboolean number(JsonNode *node, double *ret_value) {
  if (!node || !JSON_NODE_HOLDS_VALUE(node)) return FALSE;
  GType type = json_node_get_value_type(node);
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE) return FALSE;
  double value = json_node_get_double(node);
  if (!isfinite(value)) return FALSE;
  *ret_value = value;
  return TRUE;
}

static gboolean integer(JsonNode *node, gint64 *ret_value) {
  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64) return FALSE;
  *ret_value = json_node_get_int(node);
  return TRUE;
}

static const char *string(JsonNode *node) {
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING ? json_node_get_string(node) : NULL;
}

/* An array of objects under a key of the root; the sentence in err when it is not. */
static JsonArray *list(JsonParser *parser, const char *key, guint limit, const char *path, FvError *err) {
  JsonNode *node = json_object_get_member(json_node_get_object(json_parser_get_root(parser)), key);
  if (!node || !JSON_NODE_HOLDS_ARRAY(node)) {
    fv_error_set(err, FV_ERR_FORMAT, "%s: has no list \"%s\"", path, key);
    return NULL;
  }
  JsonArray *array = json_node_get_array(node);
  if (json_array_get_length(array) > limit) {
    fv_error_set(err, FV_ERR_LIMIT, "%s: \"%s\" has more than %u entries", path, key, limit);
    return NULL;
  }
  for (guint i = 0; i < json_array_get_length(array); i++) {
    if (JSON_NODE_HOLDS_OBJECT(json_array_get_element(array, i))) continue;
    fv_error_set(err, FV_ERR_FORMAT, "%s: %s[%u] is not an object", path, key, i);
    return NULL;
  }
  return array;
}

/* Such a name could make the caller read outside of the folder of pictures. */
static gboolean leaves_folder(const char *name) {
  if (name[0] == '/' || name[0] == '\0') return TRUE;
  g_auto(GStrv) parts = g_strsplit(name, "/", -1);
  return g_strv_contains((const char *const *)parts, "..");
}

static int by_id(gconstpointer a, gconstpointer b) {
  gint64 x = ((const CocoImage *)a)->id, y = ((const CocoImage *)b)->id;
  return (x > y) - (x < y);
}

static int read_images(FvCoco *coco, JsonParser *parser, const char *path, FvError *err) {
  JsonArray *images = list(parser, "images", MAX_IMAGES, path, err);
  if (!images) return -1;
  for (guint i = 0; i < json_array_get_length(images); i++) {
    JsonObject *object = json_array_get_object_element(images, i);
    const char *file = string(json_object_get_member(object, "file_name"));
    CocoImage image = {.frame = -1};
    if (!file || !integer(json_object_get_member(object, "id"), &image.id))
      return fv_error_set(err, FV_ERR_FORMAT, "%s: images[%u] needs an integer \"id\" and a text \"file_name\"", path, i);
    if (leaves_folder(file)) return fv_error_set(err, FV_ERR_FORMAT, "%s: images[%u]: file_name \"%.100s\" leads out of the folder", path, i, file);
    JsonNode *frame = json_object_get_member(object, "frame_index");
    if (frame && (!integer(frame, &image.frame) || image.frame < 0))
      return fv_error_set(err, FV_ERR_FORMAT, "%s: images[%u]: \"frame_index\" is a whole number from 0", path, i);
    image.file = g_strdup(file);
    g_array_append_val(coco->images, image);
  }
  g_array_sort(coco->images, by_id);
  for (guint i = 1; i < coco->images->len; i++)
    if (g_array_index(coco->images, CocoImage, i - 1).id == g_array_index(coco->images, CocoImage, i).id)
      return fv_error_set(err, FV_ERR_FORMAT, "%s: two images have the id %" G_GINT64_FORMAT, path, g_array_index(coco->images, CocoImage, i).id);
  return 0;
}

static int read_categories(FvCoco *coco, GHashTable *index_of, JsonParser *parser, const char *path, FvError *err) {
  JsonArray *categories = list(parser, "categories", FV_MAX_LABELS, path, err);
  if (!categories) return -1;
  for (guint i = 0; i < json_array_get_length(categories); i++) {
    JsonObject *object = json_array_get_object_element(categories, i);
    const char *name = string(json_object_get_member(object, "name"));
    CocoCategory category = {0};
    if (!name || !integer(json_object_get_member(object, "id"), &category.id))
      return fv_error_set(err, FV_ERR_FORMAT, "%s: categories[%u] needs an integer \"id\" and a text \"name\"", path, i);
    if (!g_hash_table_insert(index_of, g_memdup2(&category.id, sizeof category.id), GUINT_TO_POINTER(i)))
      return fv_error_set(err, FV_ERR_FORMAT, "%s: two categories have the id %" G_GINT64_FORMAT, path, category.id);
    category.name = g_strdup(name);
    g_array_append_val(coco->categories, category);
  }
  return 0;
}

static gboolean read_box(JsonNode *node, double *box) {
  if (!node || !JSON_NODE_HOLDS_ARRAY(node) || json_array_get_length(json_node_get_array(node)) != 4) return FALSE;
  for (guint i = 0; i < 4; i++)
    if (!number(json_array_get_element(json_node_get_array(node), i), &box[i])) return FALSE;
  return TRUE;
}

/* Annotations of pictures or categories that the file does not list are passed over: cut-down files have them. */
static int read_annotations(FvCoco *coco, GHashTable *category_of, JsonParser *parser, const char *path, FvError *err) {
  JsonArray *annotations = list(parser, "annotations", G_MAXINT, path, err);
  if (!annotations) return -1;
  for (guint i = 0; i < json_array_get_length(annotations); i++) {
    JsonObject *object = json_array_get_object_element(annotations, i);
    gint64 category_id, crowd = 0;
    CocoImage wanted = {0};
    CocoBox truth = {.order = i};
    if (!integer(json_object_get_member(object, "image_id"), &wanted.id) || !integer(json_object_get_member(object, "category_id"), &category_id) ||
        !read_box(json_object_get_member(object, "bbox"), truth.box))
      return fv_error_set(err, FV_ERR_FORMAT, "%s: annotations[%u] needs integers \"image_id\" and \"category_id\" and four numbers \"bbox\"", path, i);
    guint image;
    gpointer category;
    if (!g_array_binary_search(coco->images, &wanted, by_id, &image) || !g_hash_table_lookup_extended(category_of, &category_id, NULL, &category)) continue;
    double area = truth.box[2] * truth.box[3];
    number(json_object_get_member(object, "area"), &area);
    integer(json_object_get_member(object, "iscrowd"), &crowd);
    truth.image = (int)image;
    truth.category = GPOINTER_TO_INT(category);
    truth.crowd = crowd != 0;
    truth.ignore = truth.crowd || area < 0 || area > COCO_MAX_AREA;
    g_array_append_val(coco->truths, truth);
  }
  return 0;
}

static void clear_image(gpointer image) { g_free(((CocoImage *)image)->file); }
static void clear_category(gpointer category) { g_free(((CocoCategory *)category)->name); }

FvCoco *fv_coco_empty(void) {
  FvCoco *coco = g_new0(FvCoco, 1);
  coco->images = g_array_new(FALSE, FALSE, sizeof(CocoImage));
  coco->categories = g_array_new(FALSE, FALSE, sizeof(CocoCategory));
  coco->truths = g_array_new(FALSE, FALSE, sizeof(CocoBox));
  coco->detections = g_array_new(FALSE, FALSE, sizeof(CocoBox));
  g_array_set_clear_func(coco->images, clear_image);
  g_array_set_clear_func(coco->categories, clear_category);
  return coco;
}

FvCoco *fv_coco_create(const char *const *files, int file_count, const char *const *categories, int category_count) {
  FvCoco *coco = fv_coco_empty();
  for (int i = 0; i < file_count; i++) {
    CocoImage image = {i + 1, -1, g_strdup(files[i])};
    g_array_append_val(coco->images, image);
  }
  for (int i = 0; i < category_count; i++) {
    CocoCategory category = {i + 1, g_strdup(categories[i]), FALSE};
    g_array_append_val(coco->categories, category);
  }
  return coco;
}

FvCoco *fv_coco_read(const char *path, FvError *err) {
  g_autoptr(JsonParser) parser = parse(path, err);
  if (!parser) return NULL;
  g_autoptr(GHashTable) category_of = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  FvCoco *coco = fv_coco_empty();
  if (read_images(coco, parser, path, err) < 0 || read_categories(coco, category_of, parser, path, err) < 0 ||
      read_annotations(coco, category_of, parser, path, err) < 0)
    fv_coco_destroy(&coco);
  return coco;
}

void fv_coco_destroy(FvCoco **coco) {
  if (!coco || !*coco) return;
  g_array_unref((*coco)->images);
  g_array_unref((*coco)->categories);
  g_array_unref((*coco)->truths);
  g_array_unref((*coco)->detections);
  g_free(*coco);
  *coco = NULL;
}

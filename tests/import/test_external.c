/* External data: only a regular file beside the model, and only as much as it has. */
#include "build_model.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

typedef struct Place {
  char *directory, *model, *data, *outside;
} Place;

static const float weights[6] = {1, 2, 3, 4, 5, 6};

static void place_init(Place *place) {
  place->directory = g_dir_make_tmp("fovea-external-XXXXXX", NULL);
  place->model = g_build_filename(place->directory, "model.onnx", NULL);
  place->data = g_build_filename(place->directory, "weights.bin", NULL);
  place->outside = g_strconcat(place->directory, ".outside", NULL);
  g_assert_true(g_file_set_contents(place->data, (const char *)weights, sizeof weights, NULL));
  g_assert_true(g_file_set_contents(place->outside, (const char *)weights, sizeof weights, NULL));
}

static void place_finish(Place *place) {
  g_unlink(place->model);
  g_unlink(place->data);
  g_unlink(place->outside);
  g_rmdir(place->directory);
  g_free(place->directory);
  g_free(place->model);
  g_free(place->data);
  g_free(place->outside);
}

/* build_small() with w moved to the location. */
static void build_with(Build *build, const char *location, const char *offset, const char *length) {
  build_small(build);
  build->graph.initializer[0]->has_raw_data = 0;
  if (location) build_external(build, build->graph.initializer[0], "location", location);
  if (offset) build_external(build, build->graph.initializer[0], "offset", offset);
  if (length) build_external(build, build->graph.initializer[0], "length", length);
}

static int open_file(Build *build, const Place *place, FvError *err) {
  FvModel *model = NULL;
  GBytes *bytes = build_pack(build);
  size_t size;
  const void *data = g_bytes_get_data(bytes, &size);
  g_assert_true(g_file_set_contents(place->model, data, (gssize)size, NULL));
  int result = fv_model_open(place->model, NULL, &model, err);
  g_bytes_unref(bytes);
  fv_model_destroy(&model);
  build_free(build);
  return result;
}

static void test_beside(void) {
  Place place;
  Build build;
  FvError err = {0};
  place_init(&place);
  build_with(&build, "weights.bin", NULL, NULL);
  g_assert_cmpint(open_file(&build, &place, &err), ==, 0);
  build_with(&build, "weights.bin", "0", "24");
  g_assert_cmpint(open_file(&build, &place, &err), ==, 0);
  place_finish(&place);
}

static void test_refused(void) {
  static const struct {
    const char *location, *offset, *length, *word;
  } cases[] = {
    {"../weights.bin", NULL, NULL, "beside the model"},
    {"/etc/passwd", NULL, NULL, "beside the model"},
    {"sub/weights.bin", NULL, NULL, "beside the model"},
    {"sub\\weights.bin", NULL, NULL, "beside the model"},
    {"..", NULL, NULL, "beside the model"},
    {".", NULL, NULL, "beside the model"},
    {"", NULL, NULL, "no location"},
    {NULL, "0", NULL, "no location"},
    {"weights.bin", "4", NULL, "truncated"},
    {"weights.bin", "25", NULL, "truncated"},
    {"weights.bin", "9223372036854775807", NULL, "not a size"},
    {"weights.bin", "99999999999999999999", NULL, "not a size"},
    {"weights.bin", "-1", NULL, "not a size"},
    {"weights.bin", "0", "23", "needs 24 bytes"},
    {"weights.bin", "0", "24x", "not a size"},
  };
  Place place;
  place_init(&place);
  for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
    Build build;
    FvError err = {0};
    build_with(&build, cases[i].location, cases[i].offset, cases[i].length);
    g_assert_cmpint(open_file(&build, &place, &err), ==, FV_ERR_FORMAT);
    if (!strstr(err.message, cases[i].word) || !strstr(err.message, "initialiser 'w'")) g_error("'%s' is not in: %s", cases[i].word, err.message);
  }
  place_finish(&place);
}

static void test_links(void) {
  Place place;
  Build build;
  FvError err = {0};
  place_init(&place);
  g_unlink(place.data);
  g_assert_cmpint(symlink(place.outside, place.data), ==, 0);
  build_with(&build, "weights.bin", NULL, NULL);
  g_assert_cmpint(open_file(&build, &place, &err), ==, FV_ERR_FORMAT);
  g_assert_nonnull(strstr(err.message, "symbolic link"));
  g_unlink(place.data);
  build_with(&build, "weights.bin", NULL, NULL);
  g_assert_cmpint(open_file(&build, &place, &err), ==, FV_ERR_IO);
  g_assert_cmpint(g_mkdir(place.data, 0700), ==, 0);
  build_with(&build, "weights.bin", NULL, NULL);
  g_assert_cmpint(open_file(&build, &place, &err), ==, FV_ERR_FORMAT);
  g_assert_nonnull(strstr(err.message, "regular file"));
  g_rmdir(place.data);
  place_finish(&place);
}

static void test_memory(void) {
  Build build;
  build_with(&build, "weights.bin", NULL, NULL);
  EXPECT_ERROR(&build, FV_ERR_UNSUPPORTED, "initialiser 'w'", "not read from a file");
  build_free(&build);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/external/beside-the-model", test_beside);
  g_test_add_func("/external/elsewhere-is-refused", test_refused);
  g_test_add_func("/external/links-are-refused", test_links);
  g_test_add_func("/external/none-from-memory", test_memory);
  return g_test_run();
}

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/cache.h"

static const char kind[FV_CACHE_KIND_BYTES] = "testing1", other[FV_CACHE_KIND_BYTES] = "testing2";
static char *folder, *file;

static char *read_text(const char *which) {
  size_t size = 0;
  char *data = fv_cache_read("file.cache", which, 100, &size);
  g_assert_true(data || size == 0);
  if (data) g_assert_cmpuint(size, ==, strlen(data)); /* zero bytes behind it */
  char *text = g_strdup(data ? data : "absent");
  free(data);
  return text;
}

static void expect(const char *which, const char *text) {
  g_autofree char *got = read_text(which);
  g_assert_cmpstr(got, ==, text);
}

static void test_read_what_was_written(void) {
  expect(kind, "absent");
  fv_cache_write("file.cache", kind, "first", 5);
  expect(kind, "first");
  fv_cache_write("file.cache", kind, "the second, which is longer than any header", 43);
  expect(kind, "the second, which is longer than any header");
  expect(other, "absent");
}

static void test_damage(void) {
  char *good;
  gsize size;
  fv_cache_write("file.cache", kind, "some text", 9);
  g_assert_true(g_file_get_contents(file, &good, &size, NULL));
  for (gsize i = 0; i < size; i++) {
    good[i] ^= 0x10;
    g_assert_true(g_file_set_contents(file, good, (gssize)size, NULL));
    expect(kind, "absent");
    good[i] ^= 0x10;
    g_assert_true(g_file_set_contents(file, good, (gssize)i, NULL));
    expect(kind, "absent");
  }
  g_assert_true(g_file_set_contents(file, good, (gssize)size, NULL));
  expect(kind, "some text");
  g_free(good);
}

static void test_too_large(void) {
  char text[101];
  memset(text, 'x', sizeof text);
  fv_cache_write("file.cache", kind, text, sizeof text);
  expect(kind, "absent");
  fv_cache_write("file.cache", kind, text, sizeof text - 1);
  g_autofree char *got = read_text(kind);
  g_assert_cmpuint(strlen(got), ==, 100);
}

/* A folder of another place, and none at all. */
static void test_places(void) {
  g_autofree char *home = g_build_filename(folder, "home", NULL), *there = g_build_filename(home, ".cache", "fovea", "file.cache", NULL);
  g_autofree char *xdg = g_build_filename(folder, "xdg", NULL), *here = g_build_filename(xdg, "fovea", "file.cache", NULL);
  g_mkdir(home, 0700);
  g_setenv("HOME", home, TRUE);
  g_setenv("XDG_CACHE_HOME", xdg, TRUE);
  g_unsetenv("FOVEA_CACHE_DIR");
  fv_cache_write("file.cache", kind, "x", 1);
  g_assert_true(g_file_test(here, G_FILE_TEST_EXISTS));
  g_setenv("XDG_CACHE_HOME", "not/absolute", TRUE);
  fv_cache_write("file.cache", kind, "x", 1);
  g_assert_true(g_file_test(there, G_FILE_TEST_EXISTS));
  g_unsetenv("HOME");
  fv_cache_write("file.cache", kind, "x", 1);
  expect(kind, "absent");
  g_setenv("FOVEA_CACHE_DIR", folder, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  folder = g_dir_make_tmp("fovea-cache-XXXXXX", NULL);
  file = g_build_filename(folder, "file.cache", NULL);
  g_setenv("FOVEA_CACHE_DIR", folder, TRUE);
  g_test_add_func("/base/cache/read-what-was-written", test_read_what_was_written);
  g_test_add_func("/base/cache/damaged-files-are-absent", test_damage);
  g_test_add_func("/base/cache/larger-than-asked-for-is-absent", test_too_large);
  g_test_add_func("/base/cache/places", test_places);
  int result = g_test_run();
  g_autofree char *remove = g_strdup_printf("rm -rf '%s'", folder);
  if (system(remove) != 0) result = 1;
  g_free(file);
  g_free(folder);
  return result;
}

/* Models by name, and the one by default: which folder wins, what is a name, and what is said when there is none. */
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include <fovea/model.h>

static char *own, *data, *here; /* $FOVEA_MODEL_DIR, $XDG_DATA_HOME, the working directory */

static void put(const char *folder, const char *below) {
  char *path = g_build_filename(folder, below, NULL), *parent = g_path_get_dirname(path);
  g_assert_cmpint(g_mkdir_with_parents(parent, 0700), ==, 0);
  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  g_free(parent);
  g_free(path);
}

static void drop(const char *folder, const char *below) {
  char *path = g_build_filename(folder, below, NULL);
  g_assert_cmpint(g_unlink(path), ==, 0);
  g_free(path);
}

static void assert_found(const char *name, const char *folder, const char *below) {
  char *expected = folder ? g_build_filename(folder, below, NULL) : g_strdup(below), *path = NULL;
  FvError err;
  if (fv_model_find(name, &path, &err) < 0) g_error("%s", err.message);
  g_assert_cmpstr(path, ==, expected);
  free(path);
  g_free(expected);
}

static void test_folders_in_their_order(void) {
  put(data, "fovea/models/street/street.onnx");
  assert_found("street", data, "fovea/models/street/street.onnx");
  put(data, "fovea/models/street.fovea");
  assert_found("street", data, "fovea/models/street.fovea");
  put(data, "fovea/models/street/street.fovea");
  assert_found("street", data, "fovea/models/street/street.fovea");
  put(own, "street.onnx"); /* the folder counts more than the form */
  assert_found("street", own, "street.onnx");
}

static void test_default(void) {
  put(data, "fovea/models/" FV_DEFAULT_MODEL ".fovea");
  assert_found(NULL, data, "fovea/models/" FV_DEFAULT_MODEL ".fovea");
  put(own, FV_DEFAULT_MODEL "/" FV_DEFAULT_MODEL ".fovea");
  assert_found(NULL, own, FV_DEFAULT_MODEL "/" FV_DEFAULT_MODEL ".fovea");
  assert_found(FV_DEFAULT_MODEL, own, FV_DEFAULT_MODEL "/" FV_DEFAULT_MODEL ".fovea");
}

/* A file of the working directory is meant before any other; a folder is not. */
static void test_working_directory(void) {
  put(own, "gate/gate.fovea");
  put(here, "gate/other");
  assert_found("gate", own, "gate/gate.fovea");
  put(here, "yard");
  put(own, "yard/yard.fovea");
  assert_found("yard", NULL, "yard");
  drop(here, "yard");
  assert_found("yard", own, "yard/yard.fovea");
}

static void test_paths_stay_paths(void) {
  static const char *const paths[] = {"", "street.onnx", "./street", "a/street", "/nowhere/street", "..", ".street"};
  put(own, "street.onnx");
  for (guint i = 0; i < G_N_ELEMENTS(paths); i++) assert_found(paths[i], NULL, paths[i]);
}

static void assert_missing(const char *name, const char *says) {
  char *path = NULL;
  FvError err;
  FvModel *model = NULL;
  g_assert_cmpint(fv_model_find(name, &path, &err), ==, FV_ERR_IO);
  g_assert_null(path);
  g_assert_nonnull(strstr(err.message, says));
  g_assert_cmpint(fv_model_find(name, &path, NULL), ==, FV_ERR_IO);
  g_assert_cmpint(fv_model_open(name, NULL, &model, &err), ==, FV_ERR_IO);
  g_assert_nonnull(strstr(err.message, says));
}

static void test_missing(void) {
  char *says = g_strdup_printf("%.90s, %.80s", own, data), *long_name = g_strnfill(127, 'x');
  assert_missing("no-such-model", "there is no file 'no-such-model', and no model of that name in");
  assert_missing("no-such-model", says);
  assert_missing("no-such-model", "fovea/models; give the path of an .onnx or .fovea file");
  assert_missing(long_name, "xxx");
  assert_missing("a\nb\033c", "there is no file 'a?b?c'");
  g_free(long_name);
  g_free(says);
}

static void test_no_default(void) {
  char *path = NULL;
  FvError err;
  drop(own, FV_DEFAULT_MODEL "/" FV_DEFAULT_MODEL ".fovea");
  drop(data, "fovea/models/" FV_DEFAULT_MODEL ".fovea");
  if (fv_model_find(NULL, &path, &err) == 0) {
    g_test_skip("the model is installed on this machine");
    free(path);
    return;
  }
  assert_missing(NULL, "no model is given, and " FV_DEFAULT_MODEL ", which comes with Fovea, is not in ");
  assert_missing(NULL, "set FOVEA_MODEL_DIR");
}

/* Folders whose names are longer than a message may not hide what to do. */
static void test_long_folders(void) {
  char *deep = g_strnfill(6000, 'd');
  g_setenv("FOVEA_MODEL_DIR", deep, TRUE);
  g_setenv("XDG_DATA_HOME", deep, TRUE);
  assert_missing("no-such-model", "give the path of an .onnx or .fovea file");
  g_unsetenv("FOVEA_MODEL_DIR");
  g_unsetenv("XDG_DATA_HOME");
  g_setenv("HOME", here, TRUE);
  put(here, ".local/share/fovea/models/home.onnx");
  assert_found("home", here, ".local/share/fovea/models/home.onnx");
  g_unsetenv("HOME");
  assert_missing("home", "and no model of that name in /");
  g_free(deep);
}

static void remove_tree(const char *path) {
  GDir *dir = g_file_test(path, G_FILE_TEST_IS_DIR) ? g_dir_open(path, 0, NULL) : NULL;
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    char *child = g_build_filename(path, name, NULL);
    remove_tree(child);
    g_free(child);
  }
  if (dir) g_dir_close(dir);
  g_remove(path);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  char *root = g_dir_make_tmp("fovea-find-XXXXXX", NULL);
  own = g_build_filename(root, "own", NULL);
  data = g_build_filename(root, "data", NULL);
  here = g_build_filename(root, "here", NULL);
  g_assert_cmpint(g_mkdir_with_parents(here, 0700), ==, 0);
  g_assert_cmpint(g_chdir(here), ==, 0);
  g_setenv("FOVEA_MODEL_DIR", own, TRUE);
  g_setenv("XDG_DATA_HOME", data, TRUE);
  g_test_add_func("/find/folders-in-their-order", test_folders_in_their_order);
  g_test_add_func("/find/the-model-by-default", test_default);
  g_test_add_func("/find/the-working-directory-comes-first", test_working_directory);
  g_test_add_func("/find/paths-stay-paths", test_paths_stay_paths);
  g_test_add_func("/find/a-missing-name-tells-where-it-was-looked-for", test_missing);
  g_test_add_func("/find/no-model-by-default", test_no_default);
  g_test_add_func("/find/long-folders-and-none", test_long_folders);
  int result = g_test_run();
  g_assert_cmpint(g_chdir("/"), ==, 0);
  remove_tree(root);
  g_free(own);
  g_free(data);
  g_free(here);
  g_free(root);
  return result;
}

/* YAML trees: values, places, variables, and documents that mean harm. */
#include <string.h>

#include <glib/gstdio.h>

#include "nearest.h"
#include "support.h"

static FvYaml *parse(const char *text, FvProblems *problems) {
  fv_problems_init(problems, "t.yaml");
  return fv_yaml_parse(text, strlen(text), test_env, NULL, problems);
}

static void check_values(void) {
  FvProblems problems;
  FvYaml *yaml = parse("a: 1\nb: [x, 'y z']\nc:\n  d: \"${NAME} $${NAME} ${NONE:-else}\"\n  e: pre-${NAME}\n  f: ${EMPTY:-full}\n", &problems);
  g_assert_nonnull(yaml);
  g_assert_cmpuint(problems.items->len, ==, 0);
  const FvYamlNode *root = fv_yaml_root(yaml);
  g_assert_cmpint(root->count, ==, 3);
  g_assert_cmpstr(fv_yaml_find(root, "a")->text, ==, "1");
  const FvYamlNode *list = fv_yaml_find(root, "b");
  g_assert_cmpint(list->kind, ==, FV_YAML_SEQUENCE);
  g_assert_cmpint(list->count, ==, 2);
  g_assert_false(list->first->quoted);
  g_assert_true(list->first->next->quoted);
  g_assert_cmpint(list->place.line, ==, 2);
  g_assert_cmpint(list->first->next->place.column, ==, 8);
  const FvYamlNode *inner = fv_yaml_find(root, "c");
  g_assert_cmpstr(fv_yaml_find(inner, "d")->text, ==, "gate ${NAME} else");
  g_assert_true(fv_yaml_find(inner, "d")->replaced);
  g_assert_cmpstr(fv_yaml_find(inner, "e")->text, ==, "pre-gate");
  g_assert_cmpstr(fv_yaml_find(inner, "f")->text, ==, "full");
  g_assert_cmpint(fv_yaml_find(inner, "e")->key_place.line, ==, 5);
  g_assert_null(fv_yaml_find(inner, "a"));
  fv_yaml_free(yaml);
  fv_problems_finish(&problems);
}

typedef struct BadCase {
  const char *name, *text, *expected; /* expected: beginning of the first problem's line */
} BadCase;

static const BadCase bad_cases[] = {
  {"a missing variable names its place", "a: 1\nb: xx ${NOPE}\n", "t.yaml:2:7: error: variable NOPE is not set"},
  {"a missing variable in quotes", "b: \"xx ${NOPE}\"\n", "t.yaml:1:8: error: variable NOPE is not set"},
  {"an open brace", "a: ${NAME\n", "t.yaml:1:4: error: '${' without '}'"},
  {"a strange variable name", "a: ${9x}\n", "t.yaml:1:4: error: '9x' is not a name"},
  {"a key given twice", "a: 1\nb: 2\na: 3\n", "t.yaml:3:1: error: key 'a' is given twice, first in line 1"},
  {"an alias", "a: &x 1\nb: *x\n", "t.yaml:2:4: error: aliases ('*x') are not accepted"},
  {"a tag", "a: !!python/object 1\n", "t.yaml:1:4: error: tags"},
  {"two documents", "a: 1\n---\nb: 2\n", "t.yaml:2:1: error: only one document"},
  {"an empty file", "", "t.yaml:1:1: error: the file is empty"},
  {"a bad indentation", "a: 1\n b: 2\n", "t.yaml:2:3: error: mapping values are not allowed"},
  {"a list as a key", "? [a]\n: 1\n", "t.yaml:1:3: error: a key must be a plain word"},
  {"a NUL in text", "a: \"x\\0y\"\n", "t.yaml:1:4: error: text with a NUL"},
  {"bytes that are not UTF-8", "a: \xff\xfe\n", "t.yaml: error: "},
  {"an open list", "a: [1, 2\n", "t.yaml:2:1: error: did not find expected ',' or ']'"},
};

static void check_bad(gconstpointer data) {
  const BadCase *bad = data;
  FvProblems problems;
  FvYaml *yaml = parse(bad->text, &problems);
  g_assert_cmpuint(problems.items->len, >=, 1);
  char *line = fv_problems_line(&problems, 0);
  if (!g_str_has_prefix(line, bad->expected)) g_error("got '%s', not '%s…'", line, bad->expected);
  g_free(line);
  fv_yaml_free(yaml);
  fv_problems_finish(&problems);
}

static void expect_limit(GString *text, const char *what) {
  FvProblems problems;
  FvYaml *yaml = parse(text->str, &problems);
  g_assert_cmpuint(problems.items->len, ==, 1);
  const FvProblem *problem = g_ptr_array_index(problems.items, 0);
  g_assert_nonnull(strstr(problem->message, what));
  fv_yaml_free(yaml);
  fv_problems_finish(&problems);
  g_string_free(text, TRUE);
}

static void check_depth(void) {
  GString *flow = g_string_new(NULL), *block = g_string_new(NULL);
  for (int i = 0; i < 5000; i++) g_string_append_c(flow, '[');
  expect_limit(flow, "nested deeper than 32 levels");
  for (int i = 0; i < 40; i++) g_string_append_printf(block, "%*sk:\n", i, "");
  expect_limit(block, "nested deeper than 32 levels");
}

static void check_size(void) {
  GString *many = g_string_new("a: ["), *lengthy = g_string_new("a: ");
  for (int i = 0; i < FV_YAML_MAX_NODES + 10; i++) g_string_append(many, "1,");
  g_string_append(many, "]\n");
  expect_limit(many, "more than 65536 values");
  for (int i = 0; i < FV_YAML_MAX_TEXT + 1; i++) g_string_append_c(lengthy, 'x');
  expect_limit(lengthy, "text of more than 65536 bytes");
}

/* Each level would repeat the one before nine times: nine to the power of nine nodes, were aliases followed. */
static void check_alias_bomb(void) {
  GString *text = g_string_new("a: &a [x,x,x,x,x,x,x,x,x]\n");
  for (char c = 'b'; c < 'k'; c++) {
    g_string_append_printf(text, "%c: &%c [", c, c);
    for (int i = 0; i < 9; i++) g_string_append_printf(text, "*%c,", c - 1);
    g_string_append(text, "]\n");
  }
  expect_limit(text, "aliases");
}

static void check_expansion(void) {
  GString *text = g_string_new("a: ");
  for (int i = 0; i < 20000; i++) g_string_append(text, "${NAME}"); /* 140 kB before, 80 kB after replacement */
  expect_limit(text, "text of more than 65536 bytes");
}

static void check_many_problems(void) {
  GString *text = g_string_new(NULL);
  for (int i = 0; i < 500; i++) g_string_append_printf(text, "k%d: ${NOPE}\n", i);
  FvProblems problems;
  FvYaml *yaml = parse(text->str, &problems);
  g_assert_cmpuint(problems.items->len, ==, FV_MAX_PROBLEMS);
  fv_yaml_free(yaml);
  fv_problems_finish(&problems);
  g_string_free(text, TRUE);
}

static void check_nearest(void) {
  static const char *const keys[] = {"threshold", "iou-threshold", "labels", "device", NULL};
  g_assert_cmpstr(fv_nearest("thresold", keys), ==, "threshold");
  g_assert_cmpstr(fv_nearest("treshhold", keys), ==, "threshold");
  g_assert_cmpstr(fv_nearest("lables", keys), ==, "labels");
  g_assert_cmpstr(fv_nearest("Device", keys), ==, "device");
  g_assert_null(fv_nearest("zebra", keys));
  g_assert_null(fv_nearest("", keys));
  char longest[4096];
  memset(longest, 'a', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  g_assert_null(fv_nearest(longest, keys));
}

static void check_reading(void) {
  gsize length = 0;
  char *error = NULL;
  g_assert_null(fv_read_bounded("/nowhere/at/all", 10, &length, &error));
  g_assert_nonnull(strstr(error, "cannot open '/nowhere/at/all'"));
  g_clear_pointer(&error, g_free);
  g_assert_null(fv_read_bounded("/dev/zero", 10, &length, &error));
  g_assert_nonnull(strstr(error, "not a regular file"));
  g_clear_pointer(&error, g_free);
  char *path = NULL;
  int fd = g_file_open_tmp("fovea-XXXXXX", &path, NULL);
  g_assert_cmpint(fd, >=, 0);
  g_assert_true(g_file_set_contents(path, "0123456789", 10, NULL));
  char *data = fv_read_bounded(path, 10, &length, &error);
  g_assert_cmpstr(data, ==, "0123456789");
  g_assert_cmpuint(length, ==, 10);
  g_free(data);
  g_assert_null(fv_read_bounded(path, 9, &length, &error));
  g_assert_nonnull(strstr(error, "more than 9 bytes"));
  g_free(error);
  g_unlink(path);
  g_close(fd, NULL);
  g_free(path);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/tree/values, places and variables are read", check_values);
  for (guint i = 0; i < G_N_ELEMENTS(bad_cases); i++) {
    char *path = g_strdup_printf("/tree/refused: %s", bad_cases[i].name);
    g_test_add_data_func(path, &bad_cases[i], check_bad);
    g_free(path);
  }
  g_test_add_func("/tree/depth is bounded", check_depth);
  g_test_add_func("/tree/values and text are bounded", check_size);
  g_test_add_func("/tree/aliases do not multiply", check_alias_bomb);
  g_test_add_func("/tree/text is bounded after replacement", check_expansion);
  g_test_add_func("/tree/problems are bounded", check_many_problems);
  g_test_add_func("/tree/the nearest word is found", check_nearest);
  g_test_add_func("/tree/only small regular files are read", check_reading);
  return g_test_run();
}

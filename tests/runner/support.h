/* What the tests of the runner share. */
#ifndef FOVEA_TESTS_RUNNER_SUPPORT_H
#define FOVEA_TESTS_RUNNER_SUPPORT_H

#include <string.h>

#include "config.h"

/* Variables of the tests: NAME is "gate", EMPTY is "", NUMBER is 0.25. */
static inline const char *test_env(const char *name, void *user) {
  if (g_str_equal(name, "NAME")) return "gate";
  if (g_str_equal(name, "EMPTY")) return "";
  if (g_str_equal(name, "NUMBER")) return "0.25";
  return NULL;
}

static inline char *test_secret(const char *path, gsize max_bytes, gsize *length, char **error) {
  if (!g_str_equal(path, "/run/secrets/gate")) {
    *error = g_strdup_printf("cannot open '%s'", path);
    return NULL;
  }
  *length = strlen("open sesame\n");
  return g_strdup("open sesame\n");
}

static const FvConfigSources test_sources = {test_env, test_secret, NULL};

/* Every problem of text, a line each. */
static inline char *test_problems(const char *text) {
  FvProblems problems;
  fv_problems_init(&problems, "t.yaml");
  fv_config_unref(fv_config_parse(text, strlen(text), &test_sources, &problems));
  GString *lines = g_string_new(NULL);
  for (guint i = 0; i < problems.items->len; i++) {
    char *line = fv_problems_line(&problems, i);
    g_string_append_printf(lines, "%s%s", i > 0 ? "\n" : "", line);
    g_free(line);
  }
  fv_problems_finish(&problems);
  return g_string_free(lines, FALSE);
}

#endif

/* Pipeline files: parse and check, every variable set, without secrets. */
#include "config.h"
#include "fuzz.h"

static const char *any_variable(const char *name, void *user) { return "4"; } /* fits texts and numbers */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const FvConfigSources sources = {.env = any_variable};
  FvProblems problems;
  fv_problems_init(&problems, "fuzz.yaml");
  fv_config_unref(fv_config_parse((const char *)data, size, &sources, &problems));
  for (guint i = 0; i < problems.items->len; i++) g_free(fv_problems_line(&problems, i));
  fv_problems_finish(&problems);
  return 0;
}

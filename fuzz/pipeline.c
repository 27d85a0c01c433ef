/* Pipeline files: parse and check, without environment or secrets. */
#include "config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const FvConfigSources none;
  FvProblems problems;
  fv_problems_init(&problems, "fuzz.yaml");
  fv_config_free(fv_config_parse((const char *)data, size, &none, &problems));
  for (guint i = 0; i < problems.items->len; i++) g_free(fv_problems_line(&problems, i));
  fv_problems_finish(&problems);
  return 0;
}

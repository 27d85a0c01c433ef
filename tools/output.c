#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

int fv_output_check(const char *command, const char *option, const char *path) {
  if (path == NULL) return FV_EXIT_OK;
  if (*path == '\0') return fv_fail_usage(command, "%s needs the name of a file", option);
  if (g_file_test(path, G_FILE_TEST_IS_DIR)) return fv_fail(command, "%s '%s' is a folder; give the name of a file", option, path);
  char *folder = g_path_get_dirname(path);
  gboolean exists = g_file_test(path, G_FILE_TEST_EXISTS);
  int result = FV_EXIT_OK;
  if (!exists && !g_file_test(folder, G_FILE_TEST_IS_DIR))
    result = fv_fail(command, "%s '%s' cannot be written: there is no folder '%s'", option, path, folder);
  else if (access(exists ? path : folder, W_OK) != 0)
    result = fv_fail(command, "%s '%s' cannot be written: %s", option, path, g_strerror(errno));
  g_free(folder);
  return result;
}

int fv_output_write(const char *command, const char *path, const char *text) {
  FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
  int failed = file == NULL || fputs(text, file) < 0 || fflush(file) != 0 ? errno : 0;
  if (file != NULL && file != stdout && fclose(file) != 0 && failed == 0) failed = errno;
  return failed == 0 ? FV_EXIT_OK : fv_fail(command, "'%s' cannot be written: %s", path, g_strerror(failed));
}

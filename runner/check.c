#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "compose.h"

static void check_readable(const FvValue *value, const char *path, FvProblems *problems) {
  if (access(path, R_OK) == 0) return;
  fv_problems_add(problems, value->node->place, "cannot read '%s': %s", value->secret ? "***" : path, g_strerror(errno));
}

static void check_model(const FvModelConfig *model, FvProblems *problems) {
  const FvValue *files[] = {&model->path, &model->config, &model->labels};
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    if (files[i]->node != NULL) check_readable(files[i], files[i]->text, problems);
}

static void check_camera(const FvCameraConfig *camera, FvProblems *problems) {
  if (fv_compose_is_live(camera)) return;
  char *path = strstr(camera->uri.text, "://") != NULL ? g_filename_from_uri(camera->uri.text, NULL, NULL) : g_strdup(camera->uri.text);
  if (path != NULL) check_readable(&camera->uri, path, problems);
  g_free(path);
}

void fv_check_files(const FvConfig *config, FvProblems *problems) {
  for (guint i = 0; i < config->models->len; i++) check_model(g_ptr_array_index(config->models, i), problems);
  for (guint i = 0; i < config->cameras->len; i++) check_camera(g_ptr_array_index(config->cameras, i), problems);
}

#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fovea/model.h>

#include "compose.h"

static void check_readable(const FvPipelineValue *value, const char *path, FvProblems *problems) {
  if (access(path, R_OK) == 0) return;
  fv_problems_add(problems, value->node->place, "cannot read '%s': %s", value->secret ? "***" : path, g_strerror(errno));
}

/* A path, the name of an installed model, or NULL for the one that comes with Fovea. */
static void check_model_path(const FvPipelineValue *value, FvPlace place, FvProblems *problems) {
  FvError err;
  char *path = NULL;
  if (fv_model_find(value != NULL ? value->text : NULL, &path, &err) < 0)
    fv_problems_add(problems, place, "%s", value != NULL && value->secret ? "there is no such model" : err.message);
  else if (value != NULL)
    check_readable(value, path, problems);
  free(path);
}

static void check_model(const FvPipelineModel *model, FvProblems *problems) {
  const FvPipelineValue *files[] = {&model->config, &model->labels, &model->trusted_keys};
  bool given = model->path.node != NULL;
  check_model_path(given ? &model->path : NULL, given ? model->path.node->place : model->place, problems);
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    if (files[i]->node != NULL) check_readable(files[i], files[i]->text, problems);
}

static void check_camera(const FvCameraConfig *camera, FvProblems *problems) {
  if (camera->detect.node != NULL && camera->model == NULL) check_model_path(NULL, camera->detect.node->key_place, problems);
  if (fv_compose_is_live(camera)) return;
  char *path = strstr(camera->uri.text, "://") != NULL ? g_filename_from_uri(camera->uri.text, NULL, NULL) : g_strdup(camera->uri.text);
  if (path != NULL) check_readable(&camera->uri, path, problems);
  g_free(path);
}

/* Files are made where they are missing, folders are not, but for clips. */
static void check_output(const FvOutputConfig *output, FvProblems *problems) {
  const FvPipelineValue *tls[] = {&output->tls.ca, &output->tls.cert, &output->tls.key};
  for (guint i = 0; i < G_N_ELEMENTS(tls); i++)
    if (tls[i]->node != NULL) check_readable(tls[i], tls[i]->text, problems);
  if (output->path.node == NULL || output->kind == FV_OUTPUT_CLIPS || strchr(output->path.text, '{') != NULL) return; /* {camera} may stand in the folder's name */
  char *folder = g_path_get_dirname(output->path.text);
  if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
    fv_problems_add(problems, output->path.node->place, "cannot write '%s': there is no folder '%s'", output->path.text, folder);
  g_free(folder);
}

void fv_check_files(const FvConfig *config, FvProblems *problems) {
  for (guint i = 0; i < config->models->len; i++) check_model(g_ptr_array_index(config->models, i), problems);
  for (guint i = 0; i < config->cameras->len; i++) check_camera(g_ptr_array_index(config->cameras, i), problems);
  for (guint i = 0; i < config->outputs->len; i++) check_output(g_ptr_array_index(config->outputs, i), problems);
}

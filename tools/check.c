/* fovea check: what is wrong with a YAML file, or what it stands for. */
#include <stdio.h>

#include <fovea/pipeline.h>

#include "commands.h"
#include "options.h"

static int print_cameras(const char *path) {
  GError *error = NULL;
  FoveaPipeline *pipeline = fovea_pipeline_new_from_file(path, &error);
  if (pipeline == NULL) { /* the file has changed since it was checked */
    fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
    return FV_EXIT_FAILURE;
  }
  gchar **cameras = fovea_pipeline_list_cameras(pipeline);
  for (gchar **camera = cameras; *camera != NULL; camera++) {
    gchar *text = fovea_pipeline_dup_launch_text(pipeline, *camera);
    printf("# %s\ngst-launch-1.0 -e %s\n", *camera, text);
    g_free(text);
  }
  g_strfreev(cameras);
  g_object_unref(pipeline);
  return FV_EXIT_OK;
}

int fv_command_check(int argc, char **argv) {
  const GOptionEntry entries[] = {{NULL}};
  const FvUsage usage = {"check", "FILE", "Says everything that is wrong with a pipeline file, as FILE:line:column: error: …; prints each camera as a\n"
                         "gst-launch-1.0 line when nothing is. Nothing is run.", 1, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result != FV_EXIT_OK) return result;
  gchar **problems = fovea_pipeline_check_file(argv[1]);
  for (gchar **line = problems; *line != NULL; line++) fprintf(stderr, "%s\n", *line);
  result = *problems != NULL ? FV_EXIT_FAILURE : print_cameras(argv[1]);
  g_strfreev(problems);
  return result;
}

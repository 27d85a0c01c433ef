/* fovea check: what is wrong with a YAML file, or what it stands for. */
#include <stdio.h>

#include <fovea/pipeline.h>

#include "commands.h"
#include "json.h"
#include "options.h"

static void print_text(FoveaPipeline *pipeline, gchar **cameras, gchar **problems) {
  for (gchar **line = problems; *line != NULL; line++) fprintf(stderr, "%s\n", *line);
  for (gchar **camera = cameras; *camera != NULL; camera++) {
    gchar *text = fovea_pipeline_dup_launch_text(pipeline, *camera);
    printf("# %s\ngst-launch-1.0 -e %s\n", *camera, text);
    g_free(text);
  }
}

static void print_json(FoveaPipeline *pipeline, gchar **cameras, gchar **problems) {
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_open(&json, "problems", '[');
  for (gchar **line = problems; *line != NULL; line++) fv_json_string(&json, NULL, *line);
  fv_json_close(&json, ']');
  fv_json_open(&json, "cameras", '[');
  for (gchar **camera = cameras; *camera != NULL; camera++) {
    gchar *text = fovea_pipeline_dup_launch_text(pipeline, *camera);
    fv_json_open(&json, NULL, '{');
    fv_json_string(&json, "name", *camera);
    fv_json_string(&json, "launch", text);
    fv_json_close(&json, '}');
    g_free(text);
  }
  fv_json_close(&json, ']');
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

int fv_command_check(int argc, char **argv) {
  gboolean json = FALSE;
  const GOptionEntry entries[] = {{"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL}, {NULL}};
  const FvUsage usage = {"check", "FILE", "Says everything that is wrong with a pipeline file, as FILE:line:column: error: …; prints each camera as a\n"
                         "gst-launch-1.0 line when nothing is. Nothing is run.", 1, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result != FV_EXIT_OK) return result;
  gchar **problems = fovea_pipeline_check_file(argv[1]);
  GError *error = NULL;
  FoveaPipeline *pipeline = *problems == NULL ? fovea_pipeline_new_from_file(argv[1], &error) : NULL;
  if (error != NULL) { /* the file has changed since it was checked */
    g_strfreev(problems);
    problems = g_strsplit(error->message, "\n", -1);
    g_error_free(error);
  }
  gchar **cameras = pipeline != NULL ? fovea_pipeline_list_cameras(pipeline) : g_new0(gchar *, 1);
  (json ? print_json : print_text)(pipeline, cameras, problems);
  result = *problems != NULL ? FV_EXIT_FAILURE : FV_EXIT_OK;
  g_strfreev(cameras);
  g_strfreev(problems);
  g_clear_object(&pipeline);
  return result;
}

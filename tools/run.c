/* fovea run: the cameras of a YAML file, until they end or somebody says so. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <glib-unix.h>

#include <fovea/pipeline.h>

#include "commands.h"
#include "options.h"

typedef struct Run {
  GMainLoop *loop;
  gboolean verbose;
  gboolean interrupted;
  int failed; /* cameras */
} Run;

static const char *state_word(FoveaCameraState state) {
  GEnumClass *states = g_type_class_ref(FOVEA_TYPE_CAMERA_STATE);
  const char *word = g_enum_get_value(states, (gint)state)->value_nick;
  g_type_class_unref(states);
  return word;
}

/* State lines go to standard error: standard output belongs to outputs of type stdout. */
static void on_state(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  Run *run = user;
  run->failed += state == FOVEA_CAMERA_FAILED;
  fprintf(stderr, "%s: %s%s%s\n", camera, state_word(state), *message != '\0' ? ": " : "", message);
}

static void on_finished(FoveaPipeline *pipeline, gpointer user) { g_main_loop_quit(((Run *)user)->loop); }

static gboolean on_interrupt(gpointer user) {
  Run *run = user;
  run->interrupted = TRUE;
  g_main_loop_quit(run->loop);
  return G_SOURCE_CONTINUE;
}

/* How a service is stopped: no failure. */
static gboolean on_terminate(gpointer user) {
  g_main_loop_quit(((Run *)user)->loop);
  return G_SOURCE_CONTINUE;
}

static void print_launch_texts(FoveaPipeline *pipeline) {
  gchar **cameras = fovea_pipeline_list_cameras(pipeline);
  for (gchar **camera = cameras; *camera != NULL; camera++) {
    gchar *text = fovea_pipeline_dup_launch_text(pipeline, *camera);
    fprintf(stderr, "%s: gst-launch-1.0 -e %s\n", *camera, text);
    g_free(text);
  }
  g_strfreev(cameras);
}

static int run_pipeline(FoveaPipeline *pipeline, gboolean verbose) {
  Run run = {.loop = g_main_loop_new(NULL, FALSE)};
  guint interrupt = g_unix_signal_add(SIGINT, on_interrupt, &run), terminate = g_unix_signal_add(SIGTERM, on_terminate, &run);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(on_state), &run);
  g_signal_connect(pipeline, "finished", G_CALLBACK(on_finished), &run);
  if (verbose) print_launch_texts(pipeline);
  fovea_pipeline_start(pipeline, NULL);
  if (fovea_pipeline_is_running(pipeline)) g_main_loop_run(run.loop);
  /* While files are being completed, a second signal ends the process in the usual way. */
  g_source_remove(interrupt);
  g_source_remove(terminate);
  fovea_pipeline_stop(pipeline);
  g_main_loop_unref(run.loop);
  if (run.interrupted) return FV_EXIT_INTERRUPTED;
  return run.failed > 0 ? FV_EXIT_FAILURE : FV_EXIT_OK;
}

int fv_command_run(int argc, char **argv) {
  gboolean verbose = FALSE;
  const GOptionEntry entries[] = {
    {"verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Print each camera as a gst-launch-1.0 line first", NULL},
    {NULL},
  };
  const FvUsage usage = {"run", "FILE", "Runs the cameras of a YAML file until all have ended, or SIGINT or SIGTERM; recordings are completed.\nThe format is "
                         "described in docs/pipelines.md.", 1, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result != FV_EXIT_OK) return result;
  GError *error = NULL;
  FoveaPipeline *pipeline = fovea_pipeline_new_from_file(argv[1], &error);
  if (pipeline == NULL) {
    fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
    return FV_EXIT_FAILURE;
  }
  result = run_pipeline(pipeline, verbose);
  g_object_unref(pipeline);
  return result;
}

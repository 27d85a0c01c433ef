/* fovea run: the cameras of a YAML file, until they end or somebody says so. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <glib-unix.h>

#include <fovea/pipeline.h>

#include "commands.h"
#include "notify.h"
#include "options.h"
#include "run_display.h"
#include "status.h"

#define SUMMARY_INTERVAL_S 5   /* between two STATUS lines for systemd */
#define TOLD_AGAIN_US (60 * G_USEC_PER_SEC)
#define STOP_MARGIN_US (5 * G_USEC_PER_SEC) /* over the time to drain */

typedef struct Run {
  GMainLoop *loop;
  FoveaPipeline *pipeline;
  FvDisplay *display;
  GHashTable *told; /* camera -> why it is away, and in which minute that was told */
  gboolean interrupted;
} Run;

typedef struct RunOptions {
  gboolean verbose, status;
  int status_interval; /* s; 0: as the terminal is */
  int drain;           /* s; negative: not given */
} RunOptions;

static const char *state_word(FoveaCameraState state) {
  GEnumClass *states = g_type_class_ref(FOVEA_TYPE_CAMERA_STATE);
  const char *word = g_enum_get_value(states, (gint)state)->value_nick;
  g_type_class_unref(states);
  return word;
}

/* --- What the pipeline tells ------------------------------------------------------------------------------------- */

/* A camera that is away for days is tried every few seconds: the same reason is told once a minute. */
static gboolean is_news(Run *run, const char *camera, FoveaCameraState state, const char *message) {
  if (state != FOVEA_CAMERA_RETRYING) {
    g_hash_table_remove(run->told, camera);
    return TRUE;
  }
  const char *end = strstr(message, "; next attempt in");
  gint64 minute = g_get_monotonic_time() / TOLD_AGAIN_US;
  char *reason = g_strdup_printf("%.*s %" G_GINT64_FORMAT, end != NULL ? (int)(end - message) : (int)strlen(message), message, minute);
  gboolean news = g_strcmp0(g_hash_table_lookup(run->told, camera), reason) != 0;
  g_hash_table_replace(run->told, g_strdup(camera), reason);
  return news;
}

/* To standard error: standard output belongs to outputs of type stdout. */
static void on_state(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  Run *run = user;
  if (!is_news(run, camera, state, message)) return;
  fv_display_say(run->display, "%s: %s%s%s", camera, state_word(state), *message != '\0' ? ": " : "", message);
}

static void on_notice(FoveaPipeline *pipeline, const char *camera, const char *message, gpointer user) {
  fv_display_say(((Run *)user)->display, "%s: %s", camera, message);
}

static void on_finished(FoveaPipeline *pipeline, gpointer user) { g_main_loop_quit(((Run *)user)->loop); }

/* --- What the outside wants -------------------------------------------------------------------------------------- */

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

static char *summary(Run *run) {
  char *json = fovea_pipeline_dup_status(run->pipeline), *text = fv_status_text(json, FV_STATUS_SUMMARY, 0);
  g_free(json);
  return text;
}

/* A file with mistakes changes nothing: they are told, and the old configuration goes on. */
static gboolean on_reload(gpointer user) {
  Run *run = user;
  GError *error = NULL;
  fv_notify_reloading();
  if (fovea_pipeline_reload(run->pipeline, &error)) {
    fv_display_say(run->display, "reloaded");
  } else {
    fv_display_say(run->display, "%s", error->message);
    fv_display_say(run->display, "not reloaded: the old configuration goes on");
    g_error_free(error);
  }
  char *text = summary(run);
  fv_notify_ready(text);
  g_free(text);
  return G_SOURCE_CONTINUE;
}

static gboolean on_ask(gpointer user) {
  Run *run = user;
  fv_display_lines(run->display);
  return G_SOURCE_CONTINUE;
}

static gboolean on_summary(gpointer user) {
  char *text = summary(user);
  fv_notify_status(text);
  g_free(text);
  return G_SOURCE_CONTINUE;
}

/* From the main loop, so that a loop that hangs is noticed, and only while a restart would not help. */
static gboolean on_watchdog(gpointer user) {
  if (fovea_pipeline_is_healthy(((Run *)user)->pipeline)) fv_notify_alive();
  return G_SOURCE_CONTINUE;
}

/* --- The run ----------------------------------------------------------------------------------------------------- */

static void print_launch_texts(FoveaPipeline *pipeline) {
  gchar **cameras = fovea_pipeline_list_cameras(pipeline);
  for (gchar **camera = cameras; *camera != NULL; camera++) {
    gchar *text = fovea_pipeline_dup_launch_text(pipeline, *camera);
    fprintf(stderr, "%s: gst-launch-1.0 -e %s\n", *camera, text);
    g_free(text);
  }
  g_strfreev(cameras);
}

static int count_failed(FoveaPipeline *pipeline) {
  gchar **cameras = fovea_pipeline_list_cameras(pipeline);
  int failed = 0;
  for (gchar **camera = cameras; *camera != NULL; camera++) failed += fovea_pipeline_get_camera_state(pipeline, *camera) == FOVEA_CAMERA_FAILED;
  g_strfreev(cameras);
  return failed;
}

static void tell_ready(Run *run) {
  char *text = summary(run);
  fv_notify_ready(text);
  g_free(text);
}

static void stop(Run *run) {
  guint drain_ms = 0;
  g_object_get(run->pipeline, "drain-timeout", &drain_ms, NULL);
  fv_notify_stopping((guint64)drain_ms * 1000 + STOP_MARGIN_US);
  fovea_pipeline_stop(run->pipeline);
}

static int run_pipeline(FoveaPipeline *pipeline, const RunOptions *options) {
  Run run = {.loop = g_main_loop_new(NULL, FALSE), .pipeline = pipeline};
  run.told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  run.display = fv_display_new(pipeline, options->status, options->status_interval);
  if (options->drain >= 0) g_object_set(pipeline, "drain-timeout", (guint)options->drain * 1000, NULL);
  const struct { int signal; GSourceFunc handler; } handlers[] = {{SIGINT, on_interrupt}, {SIGTERM, on_terminate}, {SIGHUP, on_reload}, {SIGUSR1, on_ask}};
  guint sources[G_N_ELEMENTS(handlers)];
  for (guint i = 0; i < G_N_ELEMENTS(handlers); i++) sources[i] = g_unix_signal_add(handlers[i].signal, handlers[i].handler, &run);
  guint watchdog_ms = (guint)(fv_notify_watchdog_us() / 2000); /* half of the interval, as sd_watchdog_enabled(3) advises */
  guint watchdog = watchdog_ms > 0 ? g_timeout_add(watchdog_ms, on_watchdog, &run) : 0;
  guint telling = g_timeout_add_seconds(SUMMARY_INTERVAL_S, on_summary, &run);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(on_state), &run);
  g_signal_connect(pipeline, "notice", G_CALLBACK(on_notice), &run);
  g_signal_connect(pipeline, "finished", G_CALLBACK(on_finished), &run);
  if (options->verbose) print_launch_texts(pipeline);
  fovea_pipeline_start(pipeline, NULL);
  tell_ready(&run); /* cameras and brokers may be away: that is no reason to wait */
  if (fovea_pipeline_is_running(pipeline)) g_main_loop_run(run.loop);
  int failed = count_failed(pipeline);
  /* From here on a second signal ends the process in the usual way. */
  for (guint i = 0; i < G_N_ELEMENTS(handlers); i++) g_source_remove(sources[i]);
  if (watchdog != 0) g_source_remove(watchdog);
  g_source_remove(telling);
  signal(SIGHUP, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  stop(&run);
  fv_display_free(run.display);
  g_hash_table_unref(run.told);
  g_main_loop_unref(run.loop);
  if (run.interrupted) return FV_EXIT_INTERRUPTED;
  return failed > 0 ? FV_EXIT_FAILURE : FV_EXIT_OK;
}

int fv_command_run(int argc, char **argv) {
  RunOptions options = {.drain = -1};
  const GOptionEntry entries[] = {
    {"verbose", 'v', 0, G_OPTION_ARG_NONE, &options.verbose, "Print each camera as a gst-launch-1.0 line first", NULL},
    {"status", 0, 0, G_OPTION_ARG_NONE, &options.status, "Show a table of the cameras on a terminal; elsewhere print a line for each camera now and then", NULL},
    {"interval", 0, 0, G_OPTION_ARG_INT, &options.status_interval, "Between two of --status (default 1 on a terminal, else 10)", "SECONDS"},
    {"drain", 0, 0, G_OPTION_ARG_INT, &options.drain, "Wait so long at the end for recordings to be completed and outputs to be emptied (default 10)", "SECONDS"},
    {NULL},
  };
  const FvUsage usage = {"run", "FILE", "Runs the cameras of a YAML file until all have ended, or SIGINT or SIGTERM; recordings are completed and outputs emptied, a\n"
                         "second signal ends at once. SIGHUP reads the file again and applies what changed, without touching the other cameras.\n"
                         "SIGUSR1 prints what is going on. The format is described in docs/pipelines.md.", 1, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result != FV_EXIT_OK) return result;
  if (options.drain < -1 || options.drain > 3600) return fv_fail_usage("run", "--drain takes seconds from 0 to 3600, not %d", options.drain);
  if (options.status_interval < 0 || options.status_interval > 86400) return fv_fail_usage("run", "--interval takes seconds from 1 to 86400, not %d", options.status_interval);
  GError *error = NULL;
  FoveaPipeline *pipeline = fovea_pipeline_new_from_file(argv[1], &error);
  if (pipeline == NULL) {
    fprintf(stderr, "%s\n", error->message);
    g_error_free(error);
    return FV_EXIT_FAILURE;
  }
  result = run_pipeline(pipeline, &options);
  g_object_unref(pipeline);
  return result;
}

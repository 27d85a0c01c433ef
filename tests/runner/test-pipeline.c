/* The public object: states, signals, cameras that fail beside cameras that run, and starting over. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <gst/gst.h>

#include <fovea/pipeline.h>

typedef struct Log {
  GMainLoop *loop;
  GString *states; /* "camera:state " in the order they came */
  char *last_message;
  int finished, records;
  gboolean ordered; /* no record after its camera's end */
} Log;

static void on_state(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  Log *log = user;
  GEnumClass *states = g_type_class_ref(FOVEA_TYPE_CAMERA_STATE);
  g_string_append_printf(log->states, "%s:%s ", camera, g_enum_get_value(states, (gint)state)->value_nick);
  g_type_class_unref(states);
  g_assert_cmpint(fovea_pipeline_get_camera_state(pipeline, camera), ==, state);
  if (*message == '\0') return;
  g_free(log->last_message);
  log->last_message = g_strdup(message);
}

static void on_finished(FoveaPipeline *pipeline, gpointer user) {
  Log *log = user;
  log->finished++;
  g_assert_cmpint(fovea_pipeline_get_state(pipeline), ==, FOVEA_PIPELINE_FINISHED);
  g_main_loop_quit(log->loop);
}

static void on_detections(FoveaPipeline *pipeline, const char *camera, guint64 timestamp, const char *json, gpointer user) {
  Log *log = user;
  log->records++;
  g_assert_true(g_str_has_prefix(json, "{\"schema\":\"fovea.frame/1\",\"source\":\""));
  g_assert_true(g_str_has_suffix(json, "}"));
  char *end = g_strdup_printf("%s:finished ", camera);
  log->ordered &= strstr(log->states->str, end) == NULL;
  g_free(end);
}

static Log *log_new(FoveaPipeline *pipeline) {
  Log *log = g_new0(Log, 1);
  log->loop = g_main_loop_new(g_main_context_get_thread_default(), FALSE);
  log->states = g_string_new(NULL);
  log->ordered = TRUE;
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(on_state), log);
  g_signal_connect(pipeline, "finished", G_CALLBACK(on_finished), log);
  return log;
}

static void log_free(Log *log) {
  g_main_loop_unref(log->loop);
  g_string_free(log->states, TRUE);
  g_free(log->last_message);
  g_free(log);
}

static FoveaPipeline *make(const char *text) {
  GError *error = NULL;
  FoveaPipeline *pipeline = fovea_pipeline_new_from_data(text, -1, "t.yaml", &error);
  g_assert_no_error(error);
  return pipeline;
}

static void start(FoveaPipeline *pipeline) {
  GError *error = NULL;
  g_assert_true(fovea_pipeline_start(pipeline, &error));
  g_assert_no_error(error);
}

/* A clip of `frames` frames in a temporary folder, for clip_remove(). */
static char *clip_new(int frames) {
  char *folder = g_dir_make_tmp("fovea-XXXXXX", NULL), *path = g_build_filename(folder, "clip.mkv", NULL);
  char *text = g_strdup_printf("version: 1\npipeline:\n- {element: videotestsrc, properties: {num-buffers: %d}}\n"
                               "- {caps: 'video/x-raw,width=64,height=48,framerate=25/1'}\n- {element: jpegenc}\n- {element: matroskamux}\n"
                               "- {element: filesink, properties: {location: '%s'}}\n", frames, path);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  start(pipeline);
  g_main_loop_run(log->loop);
  g_assert_cmpstr(log->states->str, ==, "pipeline:starting pipeline:running pipeline:finished ");
  g_object_unref(pipeline);
  log_free(log);
  g_free(text);
  g_free(folder);
  return path;
}

static void clip_remove(char *path) {
  char *folder = g_path_get_dirname(path);
  g_unlink(path);
  g_rmdir(folder);
  g_free(folder);
  g_free(path);
}

static void check_file_to_end(void) {
  char *clip = clip_new(10);
  char *text = g_strdup_printf("version: 1\ncameras: {a: {uri: '%s'}}\n", clip);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  g_assert_false(fovea_pipeline_is_running(pipeline));
  start(pipeline);
  g_assert_true(fovea_pipeline_is_running(pipeline));
  g_assert_false(fovea_pipeline_start(pipeline, NULL));
  g_main_loop_run(log->loop);
  g_assert_false(fovea_pipeline_is_running(pipeline));
  g_assert_cmpstr(log->states->str, ==, "a:starting a:running a:finished ");
  g_assert_cmpint(log->finished, ==, 1);
  g_object_unref(pipeline);
  log_free(log);
  g_free(text);
  clip_remove(clip);
}

static void check_dead_beside_living(void) {
  char *clip = clip_new(10);
  char *text = g_strdup_printf("version: 1\ncameras: {dead: {uri: /nowhere/clip.mp4}, a: {uri: '%s'}, silent: {uri: '/dev/null'}}\n", clip);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  start(pipeline);
  g_main_loop_run(log->loop);
  const char *running = strstr(log->states->str, "a:running "); /* the others' states may come between */
  g_assert_nonnull(running);
  g_assert_nonnull(strstr(running, "a:finished "));
  g_assert_nonnull(strstr(log->states->str, "dead:failed "));
  g_assert_nonnull(strstr(log->states->str, "silent:f")); /* failed or finished: it has no frames */
  g_assert_cmpint(fovea_pipeline_get_camera_state(pipeline, "dead"), ==, FOVEA_CAMERA_FAILED);
  g_assert_cmpint(log->finished, ==, 1);
  g_object_unref(pipeline);
  log_free(log);
  g_free(text);
  clip_remove(clip);
}

static void quit_when_a_is_done(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  if (g_str_equal(camera, "a") && state == FOVEA_CAMERA_FINISHED) g_main_loop_quit(((Log *)user)->loop);
}

/* Opening a pipe waits until somebody opens its other end. */
static void check_hanging_beside_living(void) {
  char *clip = clip_new(10), *folder = g_path_get_dirname(clip), *pipe = g_build_filename(folder, "pipe", NULL);
  g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
  char *text = g_strdup_printf("version: 1\ncameras: {hanging: {uri: '%s'}, a: {uri: '%s'}}\n", pipe, clip);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(quit_when_a_is_done), log);
  start(pipeline);
  g_main_loop_run(log->loop);
  fovea_pipeline_stop(pipeline);
  g_assert_cmpstr(log->states->str, ==, "hanging:starting a:starting a:running a:finished hanging:stopped ");
  g_object_unref(pipeline);
  int other_end = open(pipe, O_WRONLY | O_NONBLOCK); /* lets the abandoned one go */
  g_assert_cmpint(other_end, >=, 0);
  close(other_end);
  log_free(log);
  g_unlink(pipe);
  g_free(pipe);
  g_free(folder);
  g_free(text);
  clip_remove(clip);
}

static gboolean quit(gpointer loop) {
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

static void quit_on_retry(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  if (state == FOVEA_CAMERA_RETRYING) g_main_loop_quit(((Log *)user)->loop);
}

/* Nobody listens at port 1 of this machine. */
static void check_retry(void) {
  FoveaPipeline *pipeline = make("version: 1\ncameras: {gate: {uri: 'rtsp://joe:sesame@127.0.0.1:1/x', transport: tcp}}\n");
  Log *log = log_new(pipeline);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(quit_on_retry), log);
  start(pipeline);
  g_main_loop_run(log->loop);
  g_assert_true(g_str_has_prefix(log->states->str, "gate:starting "));
  g_assert_nonnull(strstr(log->last_message, "next attempt in "));
  g_assert_null(strstr(log->last_message, "sesame"));
  g_main_loop_run(log->loop); /* the second failure, after the pause */
  g_assert_nonnull(strstr(log->states->str, "gate:retrying gate:retrying "));
  g_assert_true(fovea_pipeline_is_running(pipeline));
  g_assert_cmpint(log->finished, ==, 0);
  fovea_pipeline_stop(pipeline);
  g_assert_true(g_str_has_suffix(log->states->str, "gate:stopped "));
  g_object_unref(pipeline);
  log_free(log);
}

static void check_again_and_again(void) {
  FoveaPipeline *pipeline = make("version: 1\npipeline: [{element: videotestsrc, properties: {is-live: true}}, {element: fakesink}]\n");
  for (int i = 0; i < 20; i++) {
    start(pipeline);
    for (int j = 0; j < i; j++) g_main_context_iteration(NULL, FALSE);
    fovea_pipeline_stop(pipeline);
    g_assert_cmpint(fovea_pipeline_get_state(pipeline), ==, FOVEA_PIPELINE_STOPPED);
    g_assert_cmpint(fovea_pipeline_get_camera_state(pipeline, "pipeline"), ==, FOVEA_CAMERA_STOPPED);
  }
  fovea_pipeline_stop(pipeline);
  start(pipeline);
  g_object_unref(pipeline); /* while it runs */
}

static void quit_when_running(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  Log *log = user;
  if (state == FOVEA_CAMERA_RUNNING) g_timeout_add(300, quit, log->loop);
}

static void check_stop_completes_files(void) {
  char *folder = g_dir_make_tmp("fovea-XXXXXX", NULL), *path = g_build_filename(folder, "live.mp4", NULL);
  char *text = g_strdup_printf("version: 1\npipeline:\n- {element: videotestsrc, properties: {is-live: true}}\n- {caps: 'video/x-raw,width=64,height=48,framerate=25/1'}\n"
                               "- {element: jpegenc}\n- {element: qtmux}\n- {element: filesink, properties: {location: '%s'}}\n", path);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(quit_when_running), log);
  start(pipeline);
  g_main_loop_run(log->loop);
  fovea_pipeline_stop(pipeline);
  g_object_unref(pipeline);
  char *data = NULL;
  gsize length = 0;
  g_assert_true(g_file_get_contents(path, &data, &length, NULL));
  g_assert_nonnull(memmem(data, length, "moov", 4)); /* the index that players need comes last */
  g_free(data);
  log_free(log);
  g_free(text);
  g_free(folder);
  clip_remove(path);
}

static void stop_in_handler(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  fovea_pipeline_stop(pipeline);
}

static void check_stop_in_handler(void) {
  FoveaPipeline *pipeline = make("version: 1\ncameras: {a: {uri: /nowhere/a.mp4}, b: {uri: /nowhere/b.mp4}}\n");
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(stop_in_handler), NULL);
  start(pipeline);
  g_assert_cmpint(fovea_pipeline_get_state(pipeline), ==, FOVEA_PIPELINE_STOPPED);
  g_object_unref(pipeline);
}

static void unref_when_finished(FoveaPipeline *pipeline, gpointer user) { g_object_unref(pipeline); }

static void check_unref_in_handler(void) {
  FoveaPipeline *pipeline = make("version: 1\ncameras: {a: {uri: /nowhere/a.mp4}}\n");
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  g_signal_connect(pipeline, "finished", G_CALLBACK(unref_when_finished), NULL);
  g_object_weak_ref(G_OBJECT(pipeline), (GWeakNotify)(void (*)(void))quit, loop);
  start(pipeline);
  g_main_loop_run(loop);
  g_main_loop_unref(loop);
}

static gpointer run_elsewhere(gpointer text) {
  GMainContext *context = g_main_context_new();
  g_main_context_push_thread_default(context);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  start(pipeline);
  g_main_loop_run(log->loop);
  g_assert_nonnull(strstr(log->states->str, "a:failed "));
  g_object_unref(pipeline);
  log_free(log);
  g_main_context_pop_thread_default(context);
  g_main_context_unref(context);
  return NULL;
}

/* The main context of this thread is not run: everything must arrive in the other one. */
static void check_other_context(void) {
  g_thread_join(g_thread_new("elsewhere", run_elsewhere, "version: 1\ncameras: {a: {uri: /nowhere/a.mp4}}\n"));
}

static void check_errors(void) {
  GError *error = NULL;
  g_assert_null(fovea_pipeline_new_from_data("version: 1\nversoin: 2\n", -1, "t.yaml", &error));
  g_assert_error(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_CONFIG);
  g_assert_cmpstr(error->message, ==, "t.yaml:2:1: error: unknown key 'versoin' (did you mean 'version'?)\n"
                                      "t.yaml:1:1: error: nothing to run: give one or more 'cameras', or a 'pipeline'");
  g_clear_error(&error);
  g_assert_null(fovea_pipeline_new_from_file("/nowhere/t.yaml", &error));
  g_assert_error(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_CONFIG);
  g_clear_error(&error);
  gchar **lines = fovea_pipeline_check_file("/nowhere/t.yaml");
  g_assert_cmpuint(g_strv_length(lines), ==, 1);
  g_strfreev(lines);
}

static void check_lists(void) {
  FoveaPipeline *pipeline = make("version: 1\ncameras: {b: {uri: x}, a: {uri: y}}\npipeline: [{element: fakesrc}, {element: fakesink}]\n");
  gchar **cameras = fovea_pipeline_list_cameras(pipeline), *text = fovea_pipeline_dup_launch_text(pipeline, "pipeline");
  char *names = g_strjoinv(" ", cameras);
  g_assert_cmpstr(names, ==, "b a pipeline");
  g_assert_cmpstr(text, ==, "fakesrc ! fakesink");
  g_assert_null(fovea_pipeline_dup_launch_text(pipeline, "nobody"));
  g_free(names);
  g_free(text);
  g_strfreev(cameras);
  g_object_unref(pipeline);
}

/* --- With real material ------------------------------------------------------------------------------------------ */

static char *shared_file(const char *path) {
  const char *folder = g_getenv("FOVEA_SHARED_DIR");
  char *full = folder != NULL ? g_build_filename(folder, path, NULL) : NULL;
  if (full != NULL && g_file_test(full, G_FILE_TEST_EXISTS)) return full;
  g_free(full);
  g_test_skip("FOVEA_SHARED_DIR has no models and media");
  return NULL;
}

static void check_detections(void) {
  char *model = shared_file("models/onnx/version-RFB-320.onnx");
  if (model == NULL) return;
  char *clip = clip_new(10);
  char *text = g_strdup_printf("version: 1\nmodels: {m: {path: '%s'}}\ncameras: {a: {uri: '%s', detect: {model: m}}, b: {uri: '%s', detect: {model: m}}}\n", model, clip, clip);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  g_signal_connect(pipeline, "detections", G_CALLBACK(on_detections), log);
  start(pipeline);
  g_main_loop_run(log->loop);
  g_assert_cmpstr(log->last_message, ==, NULL);
  g_assert_cmpint(log->records, ==, 20); /* every frame of both */
  g_assert_true(log->ordered);
  g_object_unref(pipeline);
  log_free(log);
  g_free(text);
  g_free(model);
  clip_remove(clip);
}

static void check_bad_model(void) {
  char *clip = clip_new(3);
  char *text = g_strdup_printf("version: 1\nmodels: {m: {path: '%s'}}\ncameras: {a: {uri: '%s', detect: {model: m}}, b: {uri: '%s'}}\n", clip, clip, clip);
  FoveaPipeline *pipeline = make(text);
  Log *log = log_new(pipeline);
  start(pipeline);
  g_main_loop_run(log->loop);
  g_assert_nonnull(strstr(log->states->str, "a:failed "));
  g_assert_nonnull(strstr(log->states->str, "b:finished "));
  g_assert_nonnull(strstr(log->last_message, "clip.mkv"));
  g_object_unref(pipeline);
  log_free(log);
  g_free(text);
  clip_remove(clip);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pipeline/a file runs to its end", check_file_to_end);
  g_test_add_func("/pipeline/a dead camera leaves the others alone", check_dead_beside_living);
  g_test_add_func("/pipeline/a hanging camera leaves the others alone", check_hanging_beside_living);
  g_test_add_func("/pipeline/a camera that is away is tried again", check_retry);
  g_test_add_func("/pipeline/starts and stops again and again", check_again_and_again);
  g_test_add_func("/pipeline/stopping completes recordings", check_stop_completes_files);
  g_test_add_func("/pipeline/may be stopped in a handler", check_stop_in_handler);
  g_test_add_func("/pipeline/may be dropped in a handler", check_unref_in_handler);
  g_test_add_func("/pipeline/lives in the context it was started in", check_other_context);
  g_test_add_func("/pipeline/errors name every problem", check_errors);
  g_test_add_func("/pipeline/cameras are listed", check_lists);
  g_test_add_func("/pipeline/a model that is none fails its camera only", check_bad_model);
  g_test_add_func("/pipeline/every frame of every camera is told", check_detections);
  return g_test_run();
}

/* Another configuration while cameras run: what stays the same is not touched, what changes does so alone, what is wrong changes nothing. And what is noticed of cameras that
 * are dead or stuck. */
#include <stdlib.h>
#include <string.h>

#include <gio/gio.h>
#include <glib/gstdio.h>

#include "build.h"
#include "compose.h"
#include "elements.h"
#include "pipeline-private.h"
#include "status.h"

#define WAIT_US (30 * G_USEC_PER_SEC)

/* --- A camera on the network ------------------------------------------------------------------------------------- */

typedef struct Server {
  GSubprocess *process;
  char *uri;
} Server;

static gboolean server_start(Server *server) {
  const char *program = g_getenv("FOVEA_TEST_RTSP_SERVER");
  if (program == NULL) {
    g_test_skip("no RTSP server was built (libgstrtspserver-1.0-dev)");
    return FALSE;
  }
  GError *error = NULL;
  server->process = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, "--width", "64", "--height", "48", NULL);
  g_assert_no_error(error);
  GDataInputStream *lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(server->process));
  char *line = g_data_input_stream_read_line(lines, NULL, NULL, &error);
  g_assert_true(line != NULL && g_str_has_prefix(line, "port "));
  server->uri = g_strdup_printf("rtsp://127.0.0.1:%s/camera", line + strlen("port "));
  g_object_unref(lines);
  g_free(line);
  return TRUE;
}

static void server_stop(Server *server) {
  g_subprocess_force_exit(server->process);
  g_subprocess_wait(server->process, NULL, NULL);
  g_object_unref(server->process);
  g_free(server->uri);
}

/* --- Pipelines --------------------------------------------------------------------------------------------------- */

static FoveaPipeline *make(const char *text) {
  GError *error = NULL;
  FoveaPipeline *pipeline = fovea_pipeline_new_from_data(text, -1, "t.yaml", &error);
  g_assert_no_error(error);
  return pipeline;
}

static void on_state(FoveaPipeline *pipeline, const char *camera, FoveaCameraState state, const char *message, gpointer user) {
  GEnumClass *states = g_type_class_ref(FOVEA_TYPE_CAMERA_STATE);
  g_string_append_printf(user, "%s:%s ", camera, g_enum_get_value(states, (gint)state)->value_nick);
  g_type_class_unref(states);
}

static GString *start(FoveaPipeline *pipeline) {
  GString *log = g_string_new(NULL);
  g_signal_connect(pipeline, "state-changed", G_CALLBACK(on_state), log);
  g_assert_true(fovea_pipeline_start(pipeline, NULL));
  return log;
}

static void reload(FoveaPipeline *pipeline, const char *text) {
  GError *error = NULL;
  g_assert_true(fovea_pipeline_reload_from_data(pipeline, text, -1, &error));
  g_assert_no_error(error);
}

static FvCamera *camera_of(FoveaPipeline *pipeline, const char *name) {
  for (guint i = 0; i < pipeline->cameras->len; i++)
    if (g_str_equal(fv_camera_name(g_ptr_array_index(pipeline->cameras, i)), name)) return g_ptr_array_index(pipeline->cameras, i);
  g_error("there is no camera %s", name);
}

static GstStructure *source_stats(FoveaPipeline *pipeline, const char *name) {
  GstElement *built = fv_camera_pipeline(camera_of(pipeline, name)), *source = built != NULL ? gst_bin_get_by_name(GST_BIN(built), "source") : NULL;
  GstStructure *stats = source != NULL ? fv_element_stats(source) : NULL;
  gst_clear_object(&source);
  return stats;
}

static guint64 source_count(FoveaPipeline *pipeline, const char *name, const char *field) {
  GstStructure *stats = source_stats(pipeline, name);
  guint64 count = stats != NULL ? fv_stats_count(stats, field) : 0;
  if (stats != NULL) gst_structure_free(stats);
  return count;
}

static gboolean wake(gpointer unused) { return G_SOURCE_CONTINUE; }

#define WAIT_FOR(condition) \
  do { \
    guint waker_ = g_timeout_add(10, wake, NULL); \
    gint64 deadline_ = g_get_monotonic_time() + WAIT_US; \
    while (!(condition) && g_get_monotonic_time() < deadline_) g_main_context_iteration(NULL, TRUE); \
    g_source_remove(waker_); \
    g_assert_true(condition); \
  } while (0)

static void wait_for_frames(FoveaPipeline *pipeline, const char *name, guint64 more) {
  guint64 goal = source_count(pipeline, name, "frames") + more;
  WAIT_FOR(source_count(pipeline, name, "frames") >= goal);
}

/* --- Cameras ----------------------------------------------------------------------------------------------------- */

static void check_others_untouched(void) {
  Server server;
  if (!server_start(&server)) return;
  char *before = g_strdup_printf("version: 1\ncameras: {a: {uri: '%s', transport: tcp}, b: {uri: '%s', transport: tcp}, gone: {uri: '%s'}}\n", server.uri, server.uri, server.uri);
  char *after = g_strdup_printf("version: 1\ncameras: {new: {uri: '%s'}, b: {uri: '%s', transport: tcp, latency: 50ms}, a: {transport: tcp, uri: '%s'}}\n", server.uri,
                                server.uri, server.uri);
  FoveaPipeline *pipeline = make(before);
  GString *log = start(pipeline);
  wait_for_frames(pipeline, "a", 5);
  wait_for_frames(pipeline, "b", 5);
  FvCamera *a = camera_of(pipeline, "a"), *b = camera_of(pipeline, "b");
  GstElement *built = gst_object_ref(fv_camera_pipeline(a));
  guint64 seen = source_count(pipeline, "a", "frames");
  g_string_truncate(log, 0);
  reload(pipeline, after);
  g_assert_true(camera_of(pipeline, "a") == a && fv_camera_pipeline(a) == built);
  g_assert_true(camera_of(pipeline, "b") != b);
  wait_for_frames(pipeline, "b", 5);
  wait_for_frames(pipeline, "new", 5);
  g_assert_true(fv_camera_pipeline(a) == built);
  g_assert_cmpuint(source_count(pipeline, "a", "frames"), >, seen);
  g_assert_cmpuint(source_count(pipeline, "a", "gaps") + source_count(pipeline, "a", "reconnects"), ==, 0);
  g_assert_null(strstr(log->str, "a:"));
  g_assert_nonnull(strstr(log->str, "gone:stopped "));
  const char *ended = strstr(log->str, "b:stopped "), *begun = strstr(log->str, "b:starting ");
  g_assert_true(ended != NULL && begun != NULL && ended < begun);
  gchar **names = fovea_pipeline_list_cameras(pipeline);
  char *list = g_strjoinv(" ", names);
  g_assert_cmpstr(list, ==, "new b a");
  g_free(list);
  g_strfreev(names);
  fovea_pipeline_stop(pipeline);
  gst_object_unref(built);
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
  g_free(before);
  g_free(after);
  server_stop(&server);
}

#define RAW(more, width) \
  "version: 1\n" more "pipeline: [{element: videotestsrc, properties: {is-live: true}}, {caps: 'video/x-raw,width=64,height=48,framerate=25/1'}, " \
  "{element: foveaoverlay, name: boxes, properties: {line-width: " width "}}, {element: fakesink}]\n"

static int line_width(FvCamera *camera) {
  GstElement *boxes = gst_bin_get_by_name(GST_BIN(fv_camera_pipeline(camera)), "boxes");
  GValue value = G_VALUE_INIT;
  g_object_get_property(G_OBJECT(boxes), "line-width", &value);
  char *text = gst_value_serialize(&value);
  int width = atoi(text);
  g_free(text);
  g_value_unset(&value);
  gst_object_unref(boxes);
  return width;
}

static void check_tuned_in_place(void) {
  FoveaPipeline *pipeline = make(RAW("", "2"));
  GString *log = start(pipeline);
  WAIT_FOR(strstr(log->str, "pipeline:running ") != NULL);
  FvCamera *camera = camera_of(pipeline, "pipeline");
  GstElement *built = fv_camera_pipeline(camera);
  reload(pipeline, RAW("# a remark changes nothing\n", "7"));
  g_assert_true(camera_of(pipeline, "pipeline") == camera && fv_camera_pipeline(camera) == built);
  g_assert_cmpint(line_width(camera), ==, 7);
  g_assert_cmpstr(log->str, ==, "pipeline:starting pipeline:running ");
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
}

static void check_refused(void) {
  FoveaPipeline *pipeline = make(RAW("", "2"));
  GString *log = start(pipeline);
  GError *error = NULL;
  WAIT_FOR(strstr(log->str, "pipeline:running ") != NULL);
  FvCamera *camera = camera_of(pipeline, "pipeline");
  GstElement *built = fv_camera_pipeline(camera);
  g_assert_false(fovea_pipeline_reload_from_data(pipeline, RAW("camreas: {}\n", "7"), -1, &error));
  g_assert_error(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_CONFIG);
  g_assert_cmpstr(error->message, ==, "t.yaml:2:1: error: unknown key 'camreas' (did you mean 'cameras'?)");
  g_clear_error(&error);
  g_assert_false(fovea_pipeline_reload_from_data(pipeline, RAW("", "99"), -1, &error)); /* found when it is built */
  g_assert_nonnull(strstr(error->message, "line-width"));
  g_clear_error(&error);
  g_assert_false(fovea_pipeline_reload(pipeline, &error));
  g_assert_error(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_STATE); /* there is no file */
  g_clear_error(&error);
  g_assert_true(camera_of(pipeline, "pipeline") == camera && fv_camera_pipeline(camera) == built);
  g_assert_cmpint(line_width(camera), ==, 2);
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
}

#define RECORDING(more) \
  "version: 1\n" more "pipeline:\n- {element: videotestsrc, properties: {is-live: true}}\n- {caps: 'video/x-raw,width=64,height=48,framerate=25/1'}\n" \
  "- {element: jpegenc}\n- {element: qtmux}\n- {element: filesink, properties: {location: '%s'}}\n"

static gboolean file_has(const char *path, const char *word) {
  char *data = NULL;
  gsize length = 0;
  gboolean has = g_file_get_contents(path, &data, &length, NULL) && memmem(data, length, word, strlen(word)) != NULL;
  g_free(data);
  return has;
}

static void check_removed_is_complete(void) {
  char *folder = g_dir_make_tmp("fovea-XXXXXX", NULL), *path = g_build_filename(folder, "live.mp4", NULL);
  char *before = g_strdup_printf(RECORDING("cameras: {a: {uri: 'rtsp://127.0.0.1:1/x'}}\n"), path);
  FoveaPipeline *pipeline = make(before);
  GString *log = start(pipeline);
  WAIT_FOR(strstr(log->str, "pipeline:running ") != NULL);
  reload(pipeline, "version: 1\ncameras: {a: {uri: 'rtsp://127.0.0.1:1/x'}}\n");
  g_assert_null(strstr(log->str, "pipeline:stopped ")); /* in the background */
  WAIT_FOR(strstr(log->str, "pipeline:stopped ") != NULL);
  g_assert_true(file_has(path, "moov"));
  g_assert_cmpuint(pipeline->retiring->len, ==, 0);
  g_assert_true(fovea_pipeline_is_running(pipeline));
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
  g_unlink(path);
  g_rmdir(folder);
  g_free(before);
  g_free(path);
  g_free(folder);
}

/* The recording of a camera that changes is kept, and the next one does not lie over it. */
static void check_recording_goes_on(void) {
  Server server;
  if (!server_start(&server)) return;
  char *folder = g_dir_make_tmp("fovea-XXXXXX", NULL), *first = g_build_filename(folder, "a.mkv", NULL), *second = g_build_filename(folder, "a-1.mkv", NULL);
  char *before = g_strdup_printf("version: 1\ncameras: {a: {uri: '%s'}}\noutputs: {video: {path: '%s'}}\n", server.uri, first);
  char *after = g_strdup_printf("version: 1\ncameras: {a: {uri: '%s', latency: 50ms}}\noutputs: {video: {path: '%s'}}\n", server.uri, first);
  FoveaPipeline *pipeline = make(before);
  GString *log = start(pipeline);
  wait_for_frames(pipeline, "a", 5);
  reload(pipeline, after);
  WAIT_FOR(strstr(log->str, "a:stopped a:starting ") != NULL);
  wait_for_frames(pipeline, "a", 5);
  fovea_pipeline_stop(pipeline);
  g_assert_true(file_has(first, "\x1c\x53\xbb\x6b")); /* Cues, which come last */
  g_assert_true(file_has(second, "\x1c\x53\xbb\x6b"));
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
  g_unlink(first);
  g_unlink(second);
  g_rmdir(folder);
  char *texts[] = {before, after, first, second, folder};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) g_free(texts[i]);
  server_stop(&server);
}

static void check_failed_is_tried_again(void) {
  const char *text = "version: 1\ncameras: {a: {uri: /nowhere/a.mp4}, b: {uri: 'rtsp://127.0.0.1:1/x'}}\n";
  FoveaPipeline *pipeline = make(text);
  GString *log = start(pipeline);
  WAIT_FOR(strstr(log->str, "a:failed ") != NULL);
  g_string_truncate(log, 0);
  reload(pipeline, text);
  WAIT_FOR(strstr(log->str, "a:failed ") != NULL);
  g_assert_nonnull(strstr(log->str, "a:starting "));
  g_assert_null(strstr(log->str, "b:starting "));
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
}

static void on_finished(FoveaPipeline *pipeline, gpointer user) { ++*(int *)user; }

static void check_finished_goes_on(void) {
  int finished = 0;
  FoveaPipeline *pipeline = make("version: 1\npipeline: [{element: videotestsrc, properties: {num-buffers: 3}}, {element: fakesink}]\n");
  g_signal_connect(pipeline, "finished", G_CALLBACK(on_finished), &finished);
  GString *log = start(pipeline);
  WAIT_FOR(finished == 1);
  reload(pipeline, "version: 1\npipeline: [{element: videotestsrc, properties: {num-buffers: 5}}, {element: fakesink}]\n");
  g_assert_true(fovea_pipeline_is_running(pipeline));
  WAIT_FOR(finished == 2);
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
}

static void check_again_and_again(void) {
  FoveaPipeline *pipeline = make(RAW("", "1"));
  GString *log = start(pipeline);
  for (int i = 0; i < 30; i++) {
    reload(pipeline, i % 3 == 0 ? "version: 1\ncameras: {a: {uri: 'rtsp://127.0.0.1:1/x'}}\n" : i % 3 == 1 ? RAW("cameras: {a: {uri: 'rtsp://127.0.0.1:1/y'}}\n", "2") : RAW("", "3"));
    for (int j = 0; j < i % 7; j++) g_main_context_iteration(NULL, FALSE);
  }
  reload(pipeline, RAW("", "4"));
  WAIT_FOR(pipeline->retiring->len == 0 && pipeline->waiting->len == 0 && fovea_pipeline_get_camera_state(pipeline, "pipeline") == FOVEA_CAMERA_RUNNING);
  g_assert_cmpint(line_width(camera_of(pipeline, "pipeline")), ==, 4);
  reload(pipeline, "version: 1\ncameras: {a: {uri: 'rtsp://127.0.0.1:1/x'}}\n");
  fovea_pipeline_stop(pipeline); /* while the old one retires and the new one waits */
  g_assert_cmpint(fovea_pipeline_get_state(pipeline), ==, FOVEA_PIPELINE_STOPPED);
  reload(pipeline, RAW("", "5"));
  g_assert_true(fovea_pipeline_start(pipeline, NULL));
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
}

/* --- What would be built ----------------------------------------------------------------------------------------- */

typedef struct ChangeCase {
  const char *name, *from, *to;
  FvChange expected;
} ChangeCase;

#define CAMERA(model, camera, more) "version: 1\nmodels: {m: {path: m.onnx" model "}}\ncameras: {a: {uri: a.mp4, detect: {model: m" camera "}}}\n" more
static const ChangeCase change_cases[] = {
  {"nothing", CAMERA("", "", ""), CAMERA("", "", "# nothing\n"), FV_CHANGE_NONE},
  {"thresholds", CAMERA(", threshold: 0.3, iou-threshold: 0.5", "", ""), CAMERA(", threshold: 0.4, max-detections: 7", "", ""), FV_CHANGE_TUNE},
  {"the interval", CAMERA("", ", interval: 2", ""), CAMERA("", ", interval: 5", ""), FV_CHANGE_TUNE},
  {"the model", CAMERA("", "", ""), "version: 1\nmodels: {m: {path: n.onnx}}\ncameras: {a: {uri: a.mp4, detect: {model: m}}}\n", FV_CHANGE_TUNE},
  {"frames a second", CAMERA("", "", ""), CAMERA("", ", fps: 5", ""), FV_CHANGE_REBUILD},
  {"an output more", CAMERA("", "", ""), CAMERA("", "", "outputs: {stdout: {}}\n"), FV_CHANGE_REBUILD},
  {"an output's file", CAMERA("", "", "outputs: {file: {path: x}}\n"), CAMERA("", "", "outputs: {file: {path: y}}\n"), FV_CHANGE_REBUILD},
  {"which frames are written", CAMERA("", "", "outputs: {file: {path: x}}\n"), CAMERA("", "", "outputs: {file: {path: x, include-empty: false}}\n"), FV_CHANGE_TUNE},
  {"both kinds at once", CAMERA(", threshold: 0.3", "", ""), CAMERA(", threshold: 0.4", ", fps: 5", ""), FV_CHANGE_REBUILD},
};

static GPtrArray *chain_of(const char *text) {
  FvProblems problems;
  fv_problems_init(&problems, "t.yaml");
  FvConfig *config = fv_config_parse(text, strlen(text), &fv_config_sources, &problems);
  g_assert_nonnull(config);
  GPtrArray *chain = fv_compose_camera(config, g_ptr_array_index(config->cameras, 0), 0, &problems);
  fv_config_unref(config);
  fv_problems_finish(&problems);
  return chain;
}

static void check_change(gconstpointer data) {
  const ChangeCase *one = data;
  GPtrArray *from = chain_of(one->from), *to = chain_of(one->to);
  g_assert_cmpint(fv_change_of(from, to), ==, one->expected);
  g_assert_cmpint(fv_change_of(to, from), ==, one->expected);
  g_assert_cmpint(fv_change_of(from, from), ==, FV_CHANGE_NONE);
  g_ptr_array_unref(from);
  g_ptr_array_unref(to);
}

/* What is no longer given is the element's default again. */
static void check_apply(void) {
  GPtrArray *from = chain_of(CAMERA(", threshold: 0.3", ", interval: 2", "")), *to = chain_of(CAMERA(", max-detections: 7", "", "")), *elements = g_ptr_array_new();
  FvProblems problems;
  fv_problems_init(&problems, "t.yaml");
  GstElement *pipeline = gst_object_ref_sink(fv_build_pipeline(from, "test", &problems, elements)), *detect = gst_bin_get_by_name(GST_BIN(pipeline), FV_DETECT_NAME);
  fv_change_apply(from, to, elements);
  float threshold = 9;
  guint interval = 9;
  int most = 0;
  g_object_get(detect, "threshold", &threshold, "interval", &interval, "max-detections", &most, NULL);
  g_assert_true(threshold == 0 && interval == 1 && most == 7);
  gst_object_unref(detect);
  gst_object_unref(pipeline);
  g_ptr_array_unref(from);
  g_ptr_array_unref(to);
  g_ptr_array_unref(elements);
  fv_problems_finish(&problems);
}

/* --- Watching ---------------------------------------------------------------------------------------------------- */

static void check_one_dead_of_four(void) {
  Server server, other;
  if (!server_start(&server)) return;
  g_assert_true(server_start(&other));
  char *text = g_strdup_printf("version: 1\ncameras: {a: {uri: '%s'}, b: {uri: '%s'}, c: {uri: '%s'}, d: {uri: '%s', stall-timeout: 1s, transport: tcp}}\n", server.uri, server.uri,
                               server.uri, other.uri);
  FoveaPipeline *pipeline = make(text);
  GString *log = start(pipeline);
  static const char *const names[] = {"a", "b", "c", "d"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) wait_for_frames(pipeline, names[i], 5);
  server_stop(&other);
  WAIT_FOR(fovea_pipeline_get_camera_state(pipeline, "d") == FOVEA_CAMERA_RETRYING);
  for (guint i = 0; i < 3; i++) {
    wait_for_frames(pipeline, names[i], 25);
    g_assert_cmpint(fovea_pipeline_get_camera_state(pipeline, names[i]), ==, FOVEA_CAMERA_RUNNING);
    g_assert_cmpuint(source_count(pipeline, names[i], "reconnects"), ==, 0);
  }
  g_assert_true(fovea_pipeline_is_healthy(pipeline));
  char *status = fovea_pipeline_dup_status(pipeline);
  g_assert_nonnull(strstr(status, "{\"schema\":\"fovea.status/1\",\"state\":\"running\""));
  g_assert_nonnull(strstr(status, "{\"name\":\"d\",\"state\":\"retrying\",\"message\":\""));
  g_assert_nonnull(strstr(status, "\"elements\":[{\"name\":\"source\",\"type\":\"foveasrc\",\"stats\":{\"state\":\"connected\""));
  g_free(status);
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
  g_free(text);
  server_stop(&server);
}

/* Time is the test's own: an hour passes at once. */
static void check_stuck_is_rebuilt(void) {
  Server server;
  if (!server_start(&server)) return;
  char *text = g_strdup_printf("version: 1\ncameras: {a: {uri: '%s'}, away: {uri: 'rtsp://127.0.0.1:1/x'}}\n", server.uri);
  FoveaPipeline *pipeline = make(text);
  GString *log = start(pipeline);
  wait_for_frames(pipeline, "a", 5);
  FvCamera *a = camera_of(pipeline, "a"), *away = camera_of(pipeline, "away");
  WAIT_FOR(fv_camera_state(a) == FOVEA_CAMERA_RUNNING && fv_camera_state(away) == FOVEA_CAMERA_RETRYING);
  gint64 now = g_get_monotonic_time(), later = now + (gint64)3600 * G_USEC_PER_SEC;
  g_assert_true(fv_camera_is_healthy(a, now) && fv_camera_is_healthy(away, now));
  g_assert_false(fv_camera_is_healthy(a, later));
  g_assert_false(fv_camera_is_healthy(away, later));
  GstElement *old = gst_object_ref(fv_camera_pipeline(a));
  fv_camera_tick(a, now);
  fv_camera_tick(a, now); /* no frames between the two: time alone counts */
  g_assert_cmpint(fv_camera_state(a), ==, FOVEA_CAMERA_RUNNING);
  gst_element_set_state(old, GST_STATE_PAUSED); /* frames come no more */
  fv_camera_tick(a, later);                     /* counts the last ones */
  fv_camera_tick(a, later + (gint64)3600 * G_USEC_PER_SEC);
  g_assert_cmpint(fv_camera_state(a), ==, FOVEA_CAMERA_RETRYING);
  g_string_truncate(log, 0);
  WAIT_FOR(strstr(log->str, "a:starting ") != NULL);
  wait_for_frames(pipeline, "a", 5);
  g_assert_true(fv_camera_pipeline(a) != old);
  char *status = fovea_pipeline_dup_status(pipeline);
  g_assert_nonnull(strstr(status, "\"rebuilds\":1"));
  g_free(status);
  gst_object_unref(old);
  g_object_unref(pipeline);
  g_string_free(log, TRUE);
  g_free(text);
  server_stop(&server);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  gst_init(NULL, NULL);
  fv_elements_find();
  g_test_add_func("/reload/other cameras are not touched", check_others_untouched);
  g_test_add_func("/reload/what may change while playing does", check_tuned_in_place);
  g_test_add_func("/reload/a bad file changes nothing", check_refused);
  g_test_add_func("/reload/a camera that is gone completes its files", check_removed_is_complete);
  g_test_add_func("/reload/a camera that changes keeps its recording", check_recording_goes_on);
  g_test_add_func("/reload/a camera that failed is tried again", check_failed_is_tried_again);
  g_test_add_func("/reload/what had finished goes on", check_finished_goes_on);
  g_test_add_func("/reload/again and again", check_again_and_again);
  for (guint i = 0; i < G_N_ELEMENTS(change_cases); i++) {
    char *path = g_strdup_printf("/reload/change of %s", change_cases[i].name);
    g_test_add_data_func(path, &change_cases[i], check_change);
    g_free(path);
  }
  g_test_add_func("/reload/values that are no longer given", check_apply);
  g_test_add_func("/watch/one dead of four", check_one_dead_of_four);
  g_test_add_func("/watch/a camera that is stuck is built anew", check_stuck_is_rebuilt);
  return g_test_run();
}

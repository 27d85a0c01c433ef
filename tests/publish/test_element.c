/* The element from outside: settings, secrets, files, states. */
#include <glib/gstdio.h>
#include <string.h>

#include "../plugins/support.h"

static gchar *folder;

static gchar *in_folder(const gchar *name) { return g_build_filename(folder, name, NULL); }

static GstElement *make_pipeline(const gchar *properties) {
  GError *error = NULL;
  gchar *launch = g_strdup_printf("videotestsrc num-buffers=40 ! video/x-raw,width=16,height=16 ! foveapublish name=publisher source=gate %s ! fakesink", properties);
  GstElement *pipeline = gst_parse_launch(launch, &error);
  g_assert_no_error(error);
  g_free(launch);
  return pipeline;
}

/* Runs to its end; the text of the error that it came to instead, or NULL. */
static gchar *run(GstElement *pipeline) {
  GstBus *bus = gst_element_get_bus(pipeline);
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 30 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  GError *error = NULL;
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR)
    gst_message_parse_error(message, &error, NULL);
  gchar *text = error ? g_strdup(error->message) : NULL;
  g_clear_error(&error);
  gst_message_unref(message);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  gst_object_unref(bus);
  return text;
}

static void wrong_settings_are_sentences(void) {
  const struct {
    const gchar *properties, *says;
  } cases[] = {
    {"method=mqtt", "address"},
    {"method=file", "file-path"},
    {"method=mqtt address=http://host", "mqtt://host:1883"},
    {"method=mqtt address=mqtt://host topic=a/#", "topic 'a/#'"},
    {"method=mqtt address=mqtts://host ca-file=/nowhere/ca.pem", "/nowhere/ca.pem"},
    {"method=mqtt address=mqtts://host cert-file=/nowhere/c.pem", "cert-file and key-file"},
    {"method=http address=mqtt://host", "http://host/path"},
    {"method=kafka address=kafka://host/topic", "host:9092"},
    {"method=kafka address=host topic=a/b", "topic 'a/b'"},
    {"method=mqtt address=mqtt://host password-from=Xq7-secret", "env:NAME or file:PATH"},
    {"method=mqtt address=mqtt://host password-from=env:FOVEA_NOT_SET", "FOVEA_NOT_SET"},
    {"method=mqtt address=mqtt://host retry-min=2000 retry-max=1000", "retry-min"},
    {"file-path=/dev/null spool=/proc/version/x", "/proc/version/x"},
    {"file-path=/dev/null spool=/tmp spool-bytes=1000", "262144"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    GstElement *pipeline = make_pipeline(cases[i].properties);
    gchar *text = run(pipeline);
    if (!text || !strstr(text, cases[i].says) || strstr(text, "Xq7"))
      g_error("%s says: %s", cases[i].properties, text ? text : "nothing");
    g_free(text);
    gst_object_unref(pipeline);
  }
}

static void collect(GstDebugCategory *category, GstDebugLevel level, const gchar *file, const gchar *function, gint line, GObject *object, GstDebugMessage *message,
                    gpointer user) {
  static GMutex lock;
  const gchar *text = gst_debug_message_get(message); /* may log itself */
  g_mutex_lock(&lock);
  g_string_append(user, text);
  g_mutex_unlock(&lock);
}

/* An application sets them; from then on nobody reads them. */
static void secrets_cannot_be_read_back(void) {
  const gchar *secrets[] = {"Xq7-in-the-address", "Xq7-as-a-property"};
  GString *log = g_string_new(NULL);
  GstElement *pipeline = make_pipeline("method=mqtt drain-timeout=0"), *publisher = gst_bin_get_by_name(GST_BIN(pipeline), "publisher");
  gst_debug_set_default_threshold(GST_LEVEL_MEMDUMP);
  gst_debug_remove_log_function(gst_debug_log_default);
  gst_debug_add_log_function(collect, log, NULL);
  g_object_set(publisher, "address", "mqtt://me:Xq7-in-the-address@127.0.0.1:1", "password", "Xq7-as-a-property", NULL);
  g_free(run(pipeline));
  gchar *dot = gst_debug_bin_to_dot_data(GST_BIN(pipeline), GST_DEBUG_GRAPH_SHOW_ALL), *address;
  GstStructure *stats;
  g_object_get(publisher, "address", &address, "stats", &stats, NULL);
  gchar *stats_text = gst_structure_to_string(stats);
  gst_debug_remove_log_function(collect);
  gst_debug_set_default_threshold(GST_LEVEL_NONE);
  g_assert_cmpstr(address, ==, "mqtt://127.0.0.1:1");
  g_assert_false(g_object_class_find_property(G_OBJECT_GET_CLASS(publisher), "password")->flags & G_PARAM_READABLE);
  for (guint i = 0; i < G_N_ELEMENTS(secrets); i++) {
    g_assert_null(strstr(dot, secrets[i]));
    g_assert_null(strstr(stats_text, secrets[i]));
    g_assert_null(strstr(log->str, secrets[i]));
  }
  g_assert_cmpuint(log->len, >, 1000);
  gst_structure_free(stats);
  g_free(stats_text);
  g_free(address);
  g_free(dot);
  gst_object_unref(publisher);
  gst_object_unref(pipeline);
  g_string_free(log, TRUE);
}

static guint count_lines(const gchar *path) {
  gchar *text;
  guint count = 0;
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return 0;
  for (const gchar *c = text; *c; c++) count += *c == '\n';
  g_free(text);
  return count;
}

static void files_rotate(void) {
  gchar *path = in_folder("out.jsonl"), *properties = g_strdup_printf("file-path=%s rotate-bytes=2000 rotate-keep=2", path);
  GstElement *pipeline = make_pipeline(properties);
  g_assert_null(run(pipeline));
  guint lines = 0;
  for (guint i = 0; i < 4; i++) {
    gchar *name = i ? g_strdup_printf("%s.%u", path, i) : g_strdup(path);
    GStatBuf status = {0};
    g_assert_cmpint(g_stat(name, &status) == 0, ==, i < 3);
    g_assert_cmpint((gint)status.st_size, <=, 2000);
    lines += count_lines(name);
    g_unlink(name);
    g_free(name);
  }
  g_assert_cmpuint(lines, >, 15);
  g_assert_cmpuint(lines, <, 40); /* the oldest are gone, as told */
  gst_object_unref(pipeline);
  g_free(properties);
  g_free(path);
}

static void stats_tell_of_the_last_run(void) {
  gchar *path = in_folder("out.jsonl"), *properties = g_strdup_printf("file-path=%s", path);
  GstElement *pipeline = make_pipeline(properties), *publisher = gst_bin_get_by_name(GST_BIN(pipeline), "publisher");
  for (guint i = 0; i < 2; i++) {
    GstStructure *stats;
    gint state;
    g_assert_null(run(pipeline));
    g_object_get(publisher, "stats", &stats, "state", &state, NULL);
    g_assert_cmpuint(test_stat(publisher, "written"), ==, 40);
    g_assert_cmpuint(test_stat(publisher, "acknowledged"), ==, 40);
    g_assert_cmpuint(test_stat(publisher, "pending"), ==, 0);
    g_assert_cmpuint(test_stat(publisher, "failed"), ==, 0);
    g_assert_cmpstr(gst_structure_get_string(stats, "state"), ==, "offline");
    g_assert_cmpstr(gst_structure_get_string(stats, "target"), ==, path);
    g_assert_cmpint(state, ==, 0);
    gst_structure_free(stats);
  }
  g_assert_cmpuint(count_lines(path), ==, 40);
  g_unlink(path);
  gst_object_unref(publisher);
  gst_object_unref(pipeline);
  g_free(properties);
  g_free(path);
}

/* Many times up and down with nobody there: no thread, descriptor or byte stays behind (leak checkers look on). */
static void comes_and_goes_without_a_network(void) {
  const gchar *properties[] = {"method=mqtt address=mqtt://127.0.0.1:1 drain-timeout=0", "method=mqtt address=mqtt://nowhere.invalid drain-timeout=0",
                               "method=http address=http://127.0.0.1:1 drain-timeout=0",
                               "method=kafka address=127.0.0.1:1 drain-timeout=0"};
  for (guint i = 0; i < G_N_ELEMENTS(properties); i++) {
    GstElement *pipeline = make_pipeline(properties[i]), *publisher = gst_bin_get_by_name(GST_BIN(pipeline), "publisher");
    for (guint turn = 0; turn < 3; turn++) {
      gchar *text = run(pipeline);
      if (text && (strstr(text, "install the package") || strstr(text, "made without"))) {
        g_test_message("%s", text);
        g_free(text);
        break;
      }
      g_assert_null(text);
      g_assert_cmpuint(test_stat(publisher, "written"), ==, 0);
      g_assert_cmpuint(test_stat(publisher, "failed"), ==, 40); /* they were in memory */
    }
    gst_object_unref(publisher);
    gst_object_unref(pipeline);
  }
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  folder = g_dir_make_tmp("fovea-publish-XXXXXX", NULL);
  g_test_add_func("/publish/element/wrong-settings-are-sentences", wrong_settings_are_sentences);
  g_test_add_func("/publish/element/secrets-cannot-be-read-back", secrets_cannot_be_read_back);
  g_test_add_func("/publish/element/files-rotate", files_rotate);
  g_test_add_func("/publish/element/stats-tell-of-the-last-run", stats_tell_of_the_last_run);
  g_test_add_func("/publish/element/comes-and-goes-without-a-network", comes_and_goes_without_a_network);
  int result = g_test_run();
  g_rmdir(folder);
  g_free(folder);
  return result;
}

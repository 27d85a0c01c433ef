/* Cameras that can be stopped and frozen, and a pipeline that notes what foveasrc gives out. */
#ifndef FOVEA_TESTS_SOURCE_SUPPORT_H
#define FOVEA_TESTS_SOURCE_SUPPORT_H

#include <gio/gio.h>
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* --- programs ----------------------------------------------------------------------------------------------- */

typedef struct TestProgram {
  GSubprocess *process;
  GDataInputStream *said;
  gint port; /* that it said it listens on */
} TestProgram;

static inline void test_end_with_parent(gpointer user) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

/* Reads "port N". */
static inline void test_program_start(TestProgram *program, const gchar *const *arguments) {
  GError *error = NULL;
  GSubprocessLauncher *launcher = g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDIN_PIPE);
  g_subprocess_launcher_set_child_setup(launcher, test_end_with_parent, NULL, NULL);
  program->process = g_subprocess_launcher_spawnv(launcher, arguments, &error);
  g_object_unref(launcher);
  g_assert_no_error(error);
  program->said = g_data_input_stream_new(g_subprocess_get_stdout_pipe(program->process));
  gchar *line = g_data_input_stream_read_line(program->said, NULL, NULL, NULL);
  g_assert_nonnull(line);
  g_assert_true(g_str_has_prefix(line, "port "));
  program->port = atoi(line + 5);
  g_free(line);
}

static inline void test_program_stop(TestProgram *program) {
  if (!program->process)
    return;
  g_subprocess_send_signal(program->process, SIGCONT);
  g_subprocess_force_exit(program->process);
  g_subprocess_wait(program->process, NULL, NULL);
  g_clear_object(&program->said);
  g_clear_object(&program->process);
}

/* more: further arguments, separated by spaces. port 0: any. */
static inline void test_camera_start(TestProgram *camera, gint port, const gchar *more) {
  gchar *text = g_strdup_printf("%s --port %d %s", g_getenv("FOVEA_TEST_RTSP_SERVER"), port, more ? more : "");
  gchar **arguments = NULL;
  g_assert_true(g_shell_parse_argv(text, NULL, &arguments, NULL));
  test_program_start(camera, (const gchar *const *)arguments);
  g_strfreev(arguments);
  g_free(text);
}

/* The impairment proxy in front of a port. */
static inline void test_proxy_start(TestProgram *proxy, gint to, const gchar *more) {
  gchar *text = g_strdup_printf("python3 %s --to 127.0.0.1:%d %s", g_getenv("FOVEA_TEST_IMPAIR"), to, more ? more : "");
  gchar **arguments = NULL;
  g_assert_true(g_shell_parse_argv(text, NULL, &arguments, NULL));
  test_program_start(proxy, (const gchar *const *)arguments);
  g_strfreev(arguments);
  g_free(text);
}

/* One of the proxy's commands. */
static inline void test_proxy_tell(TestProgram *proxy, const gchar *command) {
  GOutputStream *ear = g_subprocess_get_stdin_pipe(proxy->process);
  g_assert_true(g_output_stream_printf(ear, NULL, NULL, NULL, "%s\n", command) && g_output_stream_flush(ear, NULL, NULL));
  gchar *answer = g_data_input_stream_read_line(proxy->said, NULL, NULL, NULL);
  g_assert_cmpstr(answer, ==, "ok");
  g_free(answer);
}

static inline gint test_free_port(void) {
  GSocketListener *listener = g_socket_listener_new();
  gint port = g_socket_listener_add_any_inet_port(listener, NULL, NULL);
  g_assert_cmpint(port, >, 0);
  g_socket_listener_close(listener);
  g_object_unref(listener);
  return port;
}

static inline gchar *test_uri(gint port) { return g_strdup_printf("rtsp://127.0.0.1:%d/camera", port); }

/* --- a pipeline with foveasrc ------------------------------------------------------------------------------- */

typedef struct TestStream {
  GstElement *pipeline, *source;
  gulong probe;

  GMutex lock; /* of all below */
  guint frames, placeholders, disconts, gaps, went_back, errors, ends, dated;
  gint width, height;
  GstClockTime last_pts, last_dts;
  gint64 last_at; /* monotonic us of the last real frame */
  gint64 ntp_minus_wall; /* us, of the latest dated frame */
  GString *states; /* "connecting connected …" */
  GString *reasons;
  gchar *error;
} TestStream;

static inline void test_note_buffer(TestStream *stream, GstBuffer *buffer) {
  GstClockTime time = GST_BUFFER_DTS_IS_VALID(buffer) ? GST_BUFFER_DTS(buffer) : GST_BUFFER_PTS(buffer);
  const GstReferenceTimestampMeta *reference = gst_buffer_get_reference_timestamp_meta(buffer, NULL);
  g_mutex_lock(&stream->lock);
  stream->went_back += GST_CLOCK_TIME_IS_VALID(stream->last_pts) && time < stream->last_pts ? 1 : 0;
  stream->last_pts = time;
  stream->disconts += GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT) ? 1 : 0;
  if (GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP)) {
    stream->placeholders++;
  } else {
    stream->frames++;
    stream->last_at = g_get_monotonic_time();
  }
  if (reference) {
    stream->dated++;
    stream->ntp_minus_wall = (gint64)(reference->timestamp / 1000) - G_GINT64_CONSTANT(2208988800000000) - g_get_real_time();
  }
  g_mutex_unlock(&stream->lock);
}

static inline void test_note_event(TestStream *stream, GstEvent *event) {
  g_mutex_lock(&stream->lock);
  if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
    GstCaps *caps;
    gst_event_parse_caps(event, &caps);
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &stream->width);
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "height", &stream->height);
  } else if (GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM && gst_event_has_name(event, "fovea-gap")) {
    guint64 start, duration;
    const GstStructure *gap = gst_event_get_structure(event);
    g_assert_true(gst_structure_get_uint64(gap, "start", &start) && gst_structure_get_uint64(gap, "duration", &duration));
    g_string_append_printf(stream->reasons, "%s;", gst_structure_get_string(gap, "reason"));
    stream->gaps++;
  }
  g_mutex_unlock(&stream->lock);
}

static inline GstPadProbeReturn test_probe(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
    test_note_buffer(user, GST_PAD_PROBE_INFO_BUFFER(info));
  else if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM)
    test_note_event(user, GST_PAD_PROBE_INFO_EVENT(info));
  return GST_PAD_PROBE_OK;
}

static inline GstBusSyncReply test_note_message(GstBus *bus, GstMessage *message, gpointer user) {
  TestStream *stream = user;
  const GstStructure *details = gst_message_get_structure(message);
  g_mutex_lock(&stream->lock);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT && gst_structure_has_name(details, "fovea-link-state")) {
    g_string_append_printf(stream->states, "%s ", gst_structure_get_string(details, "state"));
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) {
    GError *error = NULL;
    gst_message_parse_error(message, &error, NULL);
    stream->errors++;
    g_free(stream->error);
    stream->error = g_strdup(error->message);
    g_error_free(error);
  } else if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
    stream->ends++;
  }
  g_mutex_unlock(&stream->lock);
  gst_message_unref(message);
  return GST_BUS_DROP;
}

/* foveasrc with these properties, then a sink; more is between them. */
static inline void test_stream_open(TestStream *stream, const gchar *properties, const gchar *more) {
  gchar *launch = g_strdup_printf("foveasrc name=source %s %s ! fakesink name=sink sync=false", properties, more ? more : "");
  GError *error = NULL;
  memset(stream, 0, sizeof *stream);
  g_mutex_init(&stream->lock);
  stream->states = g_string_new(NULL);
  stream->reasons = g_string_new(NULL);
  stream->last_pts = stream->last_dts = GST_CLOCK_TIME_NONE;
  stream->pipeline = gst_parse_launch(launch, &error);
  g_assert_no_error(error);
  stream->source = gst_bin_get_by_name(GST_BIN(stream->pipeline), "source");
  GstPad *pad = gst_element_get_static_pad(stream->source, "src");
  stream->probe = gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, test_probe, stream, NULL);
  gst_object_unref(pad);
  GstBus *bus = gst_element_get_bus(stream->pipeline);
  gst_bus_set_sync_handler(bus, test_note_message, stream, NULL);
  gst_object_unref(bus);
  g_free(launch);
}

static inline GstStateChangeReturn test_stream_play(TestStream *stream) { return gst_element_set_state(stream->pipeline, GST_STATE_PLAYING); }

static inline void test_stream_close(TestStream *stream) {
  gst_element_set_state(stream->pipeline, GST_STATE_NULL);
  gst_object_unref(stream->source);
  gst_object_unref(stream->pipeline);
  g_string_free(stream->states, TRUE);
  g_string_free(stream->reasons, TRUE);
  g_free(stream->error);
  g_mutex_clear(&stream->lock);
}

static inline guint test_frames(TestStream *stream) {
  g_mutex_lock(&stream->lock);
  guint frames = stream->frames;
  g_mutex_unlock(&stream->lock);
  return frames;
}

/* Until that many more frames have come. Seconds until then; fails after limit seconds. */
#define test_wait_frames(stream, more, limit) test_wait_frames_at(stream, more, limit, __LINE__)
static inline gdouble test_wait_frames_at(TestStream *stream, guint more, gdouble limit, gint line) {
  gint64 begin = g_get_monotonic_time();
  guint until = test_frames(stream) + more;
  while (test_frames(stream) < until) {
    if (g_get_monotonic_time() - begin > limit * G_USEC_PER_SEC) {
      g_mutex_lock(&stream->lock);
      g_error("line %d: %u of %u more frames after %.0f s; states: %s; error: %s", line, more - (until - stream->frames), more, limit, stream->states->str,
              stream->error ? stream->error : "none");
    }
    g_usleep(5000);
  }
  return (gdouble)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
}

/* Waits for a text among the states. */
#define test_wait_state(stream, text, limit) test_wait_state_at(stream, text, limit, __LINE__)
static inline void test_wait_state_at(TestStream *stream, const gchar *text, gdouble limit, gint line) {
  gint64 begin = g_get_monotonic_time();
  gboolean seen = FALSE;
  while (!seen) {
    g_mutex_lock(&stream->lock);
    seen = strstr(stream->states->str, text) != NULL;
    if (!seen && g_get_monotonic_time() - begin > limit * G_USEC_PER_SEC)
      g_error("line %d: states are \"%s\", without \"%s\"", line, stream->states->str, text);
    g_mutex_unlock(&stream->lock);
    g_usleep(5000);
  }
}

static inline guint64 test_statistic(GstElement *source, const gchar *name) {
  GstStructure *statistics = NULL;
  guint64 value = 0;
  g_object_get(source, "statistics", &statistics, NULL);
  g_assert_true(gst_structure_get_uint64(statistics, name, &value));
  gst_structure_free(statistics);
  return value;
}

/* Pages of this process that are in memory, bytes. */
static inline gsize test_resident(void) {
  gchar *text = NULL;
  gsize pages = 0, resident = 0;
  g_assert_true(g_file_get_contents("/proc/self/statm", &text, NULL, NULL));
  g_assert_cmpint(sscanf(text, "%zu %zu", &pages, &resident), ==, 2);
  g_free(text);
  return resident * (gsize)sysconf(_SC_PAGESIZE);
}

#endif

/* foveasrc and a camera that comes and goes: an RTSP server in a process of its own. */
#include "support.h"

#define RETURN_LIMIT 20.0 /* s, on a busy machine; 5 are wanted, and the figure is printed */

static gchar *properties(gint port, const gchar *more) { return g_strdup_printf("uri=rtsp://127.0.0.1:%d/camera transport=tcp %s", port, more ? more : ""); }

static void open_camera(TestStream *stream, gint port, const gchar *more) {
  gchar *text = properties(port, more);
  test_stream_open(stream, text, NULL);
  g_free(text);
}

static void tell(const gchar *what, gdouble seconds) { g_test_message("%s: first frame %.2f s after the return", what, seconds); }

static void comes_up_without_the_camera(void) {
  TestProgram camera;
  TestStream stream;
  gint port = test_free_port();
  open_camera(&stream, port, NULL);
  g_assert_cmpint(test_stream_play(&stream), !=, GST_STATE_CHANGE_FAILURE);
  g_assert_cmpint(gst_element_get_state(stream.pipeline, NULL, NULL, 0), !=, GST_STATE_CHANGE_FAILURE);
  test_wait_state(&stream, "retrying", RETURN_LIMIT);
  test_camera_start(&camera, port, NULL);
  tell("away at the start", test_wait_frames(&stream, 1, RETURN_LIMIT));
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_assert_true(g_str_has_prefix(stream.states->str, "connecting retrying "));
  g_assert_cmpuint(stream.errors + stream.ends + stream.went_back, ==, 0);
  g_assert_cmpuint(test_statistic(stream.source, "reconnects"), ==, 0);
  test_program_stop(&camera);
  test_stream_close(&stream);
}

static void follows_a_camera_to_another_size(void) {
  TestProgram camera;
  TestStream stream;
  gint status;
  test_camera_start(&camera, 0, NULL);
  gint port = camera.port;
  open_camera(&stream, port, NULL);
  test_stream_play(&stream);
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_assert_cmpint(stream.width, ==, 320);
  test_program_stop(&camera);
  test_wait_state(&stream, "connected retrying", RETURN_LIMIT);
  g_object_get(stream.source, "status", &status, NULL);
  g_assert_cmpint(status, ==, 3);
  g_usleep(G_USEC_PER_SEC);
  test_camera_start(&camera, port, "--width 640 --height 360");
  tell("restarted with another size", test_wait_frames(&stream, 1, RETURN_LIMIT));
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_assert_cmpint(stream.width, ==, 640);
  g_assert_cmpuint(stream.gaps, ==, 1);
  g_assert_cmpuint(stream.disconts, >=, 2);
  g_assert_cmpuint(stream.errors + stream.ends + stream.went_back, ==, 0);
  g_assert_cmpuint(test_statistic(stream.source, "reconnects"), ==, 1);
  g_assert_cmpuint(test_statistic(stream.source, "gap-ms"), >=, 900);
  test_program_stop(&camera);
  test_stream_close(&stream);
}

static void notices_a_frozen_camera(void) {
  TestProgram camera;
  TestStream stream;
  test_camera_start(&camera, 0, NULL);
  open_camera(&stream, camera.port, "stall-timeout=2000");
  test_stream_play(&stream);
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_subprocess_send_signal(camera.process, SIGSTOP);
  test_wait_state(&stream, "connected retrying", RETURN_LIMIT);
  g_assert_cmpuint(test_statistic(stream.source, "stalls"), >=, 1);
  g_usleep(3 * G_USEC_PER_SEC); /* attempts hang in a server that accepts and does not answer */
  g_subprocess_send_signal(camera.process, SIGCONT);
  tell("frozen and thawed", test_wait_frames(&stream, 1, RETURN_LIMIT));
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_assert_cmpuint(stream.errors + stream.ends + stream.went_back, ==, 0);
  g_assert_nonnull(strstr(stream.reasons->str, "no frame for 2.0 s"));
  test_program_stop(&camera);
  test_stream_close(&stream);
}

/* A pause shorter than the timeout needs no new connection. */
static void bears_a_short_pause(void) {
  TestProgram camera;
  TestStream stream;
  test_camera_start(&camera, 0, NULL);
  open_camera(&stream, camera.port, "stall-timeout=20000");
  test_stream_play(&stream);
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_subprocess_send_signal(camera.process, SIGSTOP);
  g_usleep(3 * G_USEC_PER_SEC);
  g_subprocess_send_signal(camera.process, SIGCONT);
  test_wait_frames(&stream, 30, RETURN_LIMIT);
  g_assert_cmpuint(test_statistic(stream.source, "reconnects"), ==, 0);
  g_assert_cmpuint(stream.went_back, ==, 0);
  test_program_stop(&camera);
  test_stream_close(&stream);
}

static void gives_placeholders(gconstpointer which) {
  TestProgram camera;
  TestStream stream;
  gint port = test_free_port();
  gchar *more = g_strdup_printf("placeholder=%s", (const gchar *)which);
  open_camera(&stream, port, more);
  test_stream_play(&stream);
  for (guint i = 0; i < 1000 && g_atomic_int_get((gint *)&stream.placeholders) < 10; i++)
    g_usleep(20000);
  g_assert_cmpuint(stream.placeholders, >=, 10);
  g_assert_cmpint(stream.width, ==, 640);
  g_assert_cmpint(stream.height, ==, 360);
  test_camera_start(&camera, port, NULL);
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_assert_cmpint(stream.width, ==, 320);
  guint before = stream.placeholders;
  test_program_stop(&camera);
  test_wait_state(&stream, "connected retrying", RETURN_LIMIT);
  for (guint i = 0; i < 1000 && g_atomic_int_get((gint *)&stream.placeholders) < (gint)before + 25; i++)
    g_usleep(20000);
  g_assert_cmpuint(stream.placeholders, >=, before + 25);
  g_assert_cmpint(stream.width, ==, 320);
  test_camera_start(&camera, port, NULL);
  test_wait_frames(&stream, 10, RETURN_LIMIT);
  g_assert_cmpuint(stream.errors + stream.ends + stream.went_back, ==, 0);
  g_assert_cmpuint(test_statistic(stream.source, "placeholders"), >=, 35);
  test_program_stop(&camera);
  test_stream_close(&stream);
  g_free(more);
}

static void gives_encoded_video(void) {
  TestProgram camera;
  TestStream stream;
  test_camera_start(&camera, 0, NULL);
  gint port = camera.port;
  gchar *text = properties(port, "output=encoded");
  test_stream_open(&stream, text, "! video/x-h264,stream-format=avc,alignment=au");
  test_stream_play(&stream);
  test_wait_frames(&stream, 20, RETURN_LIMIT);
  test_program_stop(&camera);
  test_wait_state(&stream, "connected retrying", RETURN_LIMIT);
  test_camera_start(&camera, port, "--width 160 --height 120");
  test_wait_frames(&stream, 20, RETURN_LIMIT);
  g_assert_cmpint(stream.width, ==, 160);
  g_assert_cmpuint(stream.errors + stream.ends + stream.went_back, ==, 0);
  g_assert_cmpuint(stream.gaps, ==, 1);
  test_program_stop(&camera);
  test_stream_close(&stream);
  g_free(text);
}

/* Stamps of the camera come with its sender reports, some seconds after the start. */
static void dates_frames_by_the_camera(void) {
  TestProgram camera;
  TestStream stream;
  test_camera_start(&camera, 0, NULL);
  open_camera(&stream, camera.port, NULL);
  test_stream_play(&stream);
  for (guint i = 0; i < 1500 && g_atomic_int_get((gint *)&stream.dated) < 10; i++)
    g_usleep(20000);
  g_assert_cmpuint(stream.dated, >=, 10);
  g_assert_cmpint(ABS(stream.ntp_minus_wall), <, 5 * G_USEC_PER_SEC); /* it is this machine's clock, and frames wait a little */
  test_program_stop(&camera);
  test_stream_close(&stream);
}

static void connects_with_a_password(void) {
  TestProgram camera;
  TestStream stream;
  test_camera_start(&camera, 0, "--user viewer --password s3cr%t");
  gint port = camera.port;
  gchar *wrong = properties(port, "username=viewer password=other");
  test_stream_open(&stream, wrong, NULL);
  test_stream_play(&stream);
  test_wait_state(&stream, "retrying", RETURN_LIMIT);
  g_usleep(2 * G_USEC_PER_SEC); /* an account must not be locked by asking again and again */
  g_assert_cmpstr(stream.states->str, ==, "connecting retrying ");
  test_stream_close(&stream);
  g_setenv("FOVEA_TEST_PASSWORD", "s3cr%t", TRUE);
  gchar *right = properties(port, "username=viewer password-from=env:FOVEA_TEST_PASSWORD");
  test_stream_open(&stream, right, NULL);
  test_stream_play(&stream);
  test_wait_frames(&stream, 5, RETURN_LIMIT);
  test_stream_close(&stream);
  gchar *in_uri = g_strdup_printf("transport=tcp uri=rtsp://viewer:s3cr%%25t@127.0.0.1:%d/camera", port);
  test_stream_open(&stream, in_uri, NULL);
  test_stream_play(&stream);
  test_wait_frames(&stream, 5, RETURN_LIMIT);
  gchar *uri = NULL, *dot = gst_debug_bin_to_dot_data(GST_BIN(stream.pipeline), GST_DEBUG_GRAPH_SHOW_ALL | GST_DEBUG_GRAPH_SHOW_FULL_PARAMS);
  GstStructure *statistics = NULL;
  g_object_get(stream.source, "uri", &uri, "statistics", &statistics, NULL);
  gchar *text = gst_structure_to_string(statistics), *expected = g_strdup_printf("rtsp://viewer@127.0.0.1:%d/camera", port);
  g_assert_cmpstr(uri, ==, expected);
  g_assert_null(strstr(dot, "s3cr"));
  g_assert_null(strstr(text, "s3cr"));
  g_assert_null(g_object_class_find_property(G_OBJECT_GET_CLASS(stream.source), "password")->flags & G_PARAM_READABLE ? "readable" : NULL);
  gst_structure_free(statistics);
  test_stream_close(&stream);
  test_program_stop(&camera);
  g_free(expected);
  g_free(text);
  g_free(uri);
  g_free(dot);
  g_free(wrong);
  g_free(right);
  g_free(in_uri);
}

/* An address that swallows packets, a server that accepts and is silent, and one that refuses. */
static void stops_at_once_while_connecting(void) {
  TestProgram camera;
  test_camera_start(&camera, 0, NULL);
  g_subprocess_send_signal(camera.process, SIGSTOP);
  gint ports[] = {camera.port, test_free_port()};
  for (guint i = 0; i < 3; i++) {
    TestStream stream;
    gchar *text = i < 2 ? properties(ports[i], NULL) : g_strdup("uri=rtsp://192.0.2.1:554/camera");
    test_stream_open(&stream, text, NULL);
    test_stream_play(&stream);
    g_usleep(300 * 1000);
    gint64 begin = g_get_monotonic_time();
    gst_element_set_state(stream.pipeline, GST_STATE_NULL);
    gint64 took = g_get_monotonic_time() - begin;
    g_test_message("%s: stopped after %.0f ms", text, took / 1000.0);
    g_assert_cmpint(took, <, 10 * G_USEC_PER_SEC);
    test_stream_close(&stream);
    g_free(text);
  }
  test_program_stop(&camera);
}

static void pauses_and_goes_on(void) {
  TestProgram camera;
  TestStream stream;
  test_camera_start(&camera, 0, NULL);
  open_camera(&stream, camera.port, NULL);
  for (guint i = 0; i < 3; i++) {
    gst_element_set_state(stream.pipeline, GST_STATE_PLAYING);
    test_wait_frames(&stream, 5, RETURN_LIMIT);
    gst_element_set_state(stream.pipeline, GST_STATE_PAUSED);
  }
  g_assert_cmpuint(stream.errors + stream.ends + stream.went_back, ==, 0);
  test_stream_close(&stream);
  test_program_stop(&camera);
}

/* What records needs the end of the stream to finish its file, with the camera there or away. */
static void ends_when_told(void) {
  TestProgram camera;
  test_camera_start(&camera, 0, NULL);
  for (guint away = 0; away < 2; away++) {
    TestStream stream;
    open_camera(&stream, camera.port, NULL);
    test_stream_play(&stream);
    test_wait_frames(&stream, 5, RETURN_LIMIT);
    if (away) {
      test_program_stop(&camera);
      test_wait_state(&stream, "connected retrying", RETURN_LIMIT);
    }
    g_assert_true(gst_element_send_event(stream.pipeline, gst_event_new_eos()));
    for (guint i = 0; i < 1000 && g_atomic_int_get((gint *)&stream.ends) == 0; i++)
      g_usleep(20000);
    g_assert_cmpuint(stream.ends, ==, 1);
    g_assert_cmpuint(stream.errors, ==, 0);
    test_stream_close(&stream);
  }
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/source/camera/comes-up-without-the-camera", comes_up_without_the_camera);
  g_test_add_func("/source/camera/follows-a-camera-to-another-size", follows_a_camera_to_another_size);
  g_test_add_func("/source/camera/notices-a-frozen-camera", notices_a_frozen_camera);
  g_test_add_func("/source/camera/bears-a-short-pause", bears_a_short_pause);
  g_test_add_data_func("/source/camera/gives-grey-placeholders", "grey", gives_placeholders);
  g_test_add_data_func("/source/camera/repeats-the-last-frame", "last", gives_placeholders);
  g_test_add_func("/source/camera/gives-encoded-video", gives_encoded_video);
  g_test_add_func("/source/camera/dates-frames-by-the-camera", dates_frames_by_the_camera);
  g_test_add_func("/source/camera/connects-with-a-password", connects_with_a_password);
  g_test_add_func("/source/camera/stops-at-once-while-connecting", stops_at_once_while_connecting);
  g_test_add_func("/source/camera/pauses-and-goes-on", pauses_and_goes_on);
  g_test_add_func("/source/camera/ends-when-told", ends_when_told);
  return g_test_run();
}

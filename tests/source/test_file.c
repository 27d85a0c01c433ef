/* foveasrc and what has an end, and what hangs. */
#include "support.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <gst/gsttracer.h>
#include <sys/stat.h>

#define LIMIT 20.0
#define FRAMES 50

static gchar *directory;

static gchar *in_directory(const gchar *name) { return g_build_filename(directory, name, NULL); }

static void run_to_end(GstElement *pipeline) {
  gst_element_set_state(pipeline, GST_STATE_PLAYING);
  GstBus *bus = gst_element_get_bus(pipeline);
  GstMessage *message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull(message);
  g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_EOS);
  gst_message_unref(message);
  gst_object_unref(bus);
  gst_element_set_state(pipeline, GST_STATE_NULL);
}

static void run(const gchar *launch) {
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch(launch, &error);
  g_assert_no_error(error);
  run_to_end(pipeline);
  gst_object_unref(pipeline);
}

/* film.mkv with sound, b-frames.mkv with them,  sound.mkv without a picture, frame.jpg, and a playlist that is finished. */
static void make_clips(void) {
  gchar *video = g_strdup_printf("videotestsrc num-buffers=%d ! video/x-raw,width=320,height=240,framerate=25/1 ! x264enc speed-preset=ultrafast key-int-max=10 ! h264parse", FRAMES);
  gchar *film = g_strdup_printf("%s ! queue ! matroskamux name=m ! filesink location=%s/film.mkv audiotestsrc num-buffers=86 ! vorbisenc ! queue ! m.", video, directory);
  gchar *sound = g_strdup_printf("audiotestsrc num-buffers=20 ! vorbisenc ! matroskamux ! filesink location=%s/sound.mkv", directory);
  gchar *picture = g_strdup_printf("videotestsrc num-buffers=1 ! video/x-raw,width=320,height=240 ! jpegenc ! filesink location=%s/frame.jpg", directory);
  gchar *list = g_strdup_printf("%s ! hlssink2 target-duration=1 playlist-location=%s/list.m3u8 location=%s/part%%d.ts", video, directory, directory);
  gchar *reordered = g_strdup_printf("videotestsrc num-buffers=%d ! video/x-raw,width=64,height=64,framerate=25/1 ! x264enc speed-preset=ultrafast bframes=2 b-adapt=false ! h264parse"
                                     " ! matroskamux ! filesink location=%s/b-frames.mkv", FRAMES, directory);
  const gchar *launches[] = {film, sound, picture, list, reordered};
  for (guint i = 0; i < G_N_ELEMENTS(launches); i++)
    run(launches[i]);
  g_free(video);
  g_free(film);
  g_free(sound);
  g_free(picture);
  g_free(list);
  g_free(reordered);
}

static void open_file(TestStream *stream, const gchar *name, const gchar *more, const gchar *after) {
  gchar *text = g_strdup_printf("uri=%s%s%s %s", name[0] == '/' || strstr(name, ":") ? "" : directory, name[0] == '/' || strstr(name, ":") ? "" : "/", name, more ? more : "");
  test_stream_open(stream, text, after);
  g_free(text);
}

static guint look(TestStream *stream, const guint *counter) {
  g_mutex_lock(&stream->lock);
  guint value = *counter;
  g_mutex_unlock(&stream->lock);
  return value;
}

static void wait_for(TestStream *stream, const guint *counter) {
  for (guint i = 0; i < LIMIT * 200 && !look(stream, counter); i++)
    g_usleep(5000);
  if (!look(stream, counter))
    g_error("still waiting; states: %s; error: %s", stream->states->str, stream->error ? stream->error : "none");
}

static void a_file_ends(gconstpointer output) {
  TestStream stream;
  gchar *more = g_strdup_printf("output=%s", (const gchar *)output);
  open_file(&stream, "film.mkv", more, NULL);
  g_assert_cmpint(gst_element_set_state(stream.pipeline, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_ASYNC);
  g_assert_cmpint(gst_element_get_state(stream.pipeline, NULL, NULL, 20 * GST_SECOND), ==, GST_STATE_CHANGE_SUCCESS);
  test_stream_play(&stream);
  wait_for(&stream, &stream.ends);
  g_assert_cmpuint(stream.frames, ==, FRAMES);
  g_assert_cmpuint(stream.gaps + stream.errors + stream.went_back, ==, 0);
  g_assert_cmpstr(stream.states->str, ==, "connecting connected offline ");
  test_stream_close(&stream);
  g_free(more);
}

typedef struct Times {
  guint count;
  GstClockTime pts[FRAMES], dts[FRAMES];
} Times;

static void on_encoded(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user) {
  Times *times = user;
  g_assert_cmpuint(times->count, <, FRAMES);
  times->pts[times->count] = GST_BUFFER_PTS(buffer);
  times->dts[times->count++] = GST_BUFFER_DTS(buffer);
}

/* Matroska holds only when pictures are shown, as RTP does. A muxer behind us needs to know when they are decoded. */
static void decoding_times_are_told(void) {
  Times times = {0};
  gchar *text = g_strdup_printf("foveasrc uri=%s/b-frames.mkv output=encoded ! fakesink name=sink signal-handoffs=true", directory);
  GstElement *pipeline = gst_parse_launch(text, NULL), *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
  g_signal_connect(sink, "handoff", G_CALLBACK(on_encoded), &times);
  run_to_end(pipeline);
  g_assert_cmpuint(times.count, ==, FRAMES);
  guint back = 0;
  for (guint i = 0; i < FRAMES; i++) {
    g_assert_true(GST_CLOCK_TIME_IS_VALID(times.dts[i]));
    g_assert_cmpuint(times.dts[i], <=, times.pts[i]);
    g_assert_true(i == 0 || times.dts[i] > times.dts[i - 1]);
    back += i > 0 && times.pts[i] < times.pts[i - 1];
  }
  g_assert_cmpuint(back, >, FRAMES / 4);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
  g_free(text);
}

static void a_file_begins_again_when_told(void) {
  TestStream stream;
  open_file(&stream, "film.mkv", "restart=always retry-min=10 retry-max=20", NULL);
  test_stream_play(&stream);
  test_wait_frames(&stream, 3 * FRAMES, LIMIT);
  g_assert_cmpuint(stream.ends + stream.errors + stream.went_back + stream.gaps, ==, 0);
  g_assert_cmpuint(test_statistic(stream.source, "reconnects"), >=, 2);
  test_stream_close(&stream);
}

static void frames_are_thinned(void) {
  TestStream stream;
  open_file(&stream, "film.mkv", "max-fps=5 decoder=decodebin", NULL);
  test_stream_play(&stream);
  wait_for(&stream, &stream.ends);
  g_assert_cmpuint(stream.frames, ==, FRAMES / 5);
  test_stream_close(&stream);
}

/* Errors are errors where nothing is to come back; they name the place. */
static void what_cannot_be_read_is_an_error(void) {
  static const struct {
    const gchar *name, *says;
  } cases[] = {{"missing.mkv", "missing.mkv"}, {"sound.mkv", "no video"}, {"garbage", "garbage"}, {"empty", "empty"}, {"/", "/"}};
  gchar *garbage = in_directory("garbage"), *empty = in_directory("empty");
  GString *noise = g_string_new(NULL);
  for (guint i = 0; i < 100000; i++)
    g_string_append_c(noise, (gchar)g_test_rand_int());
  g_assert_true(g_file_set_contents(garbage, noise->str, (gssize)noise->len, NULL) && g_file_set_contents(empty, "", 0, NULL));
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    TestStream stream;
    open_file(&stream, cases[i].name, NULL, NULL);
    test_stream_play(&stream);
    wait_for(&stream, &stream.errors);
    g_test_message("%s", stream.error);
    g_assert_nonnull(strstr(stream.error, cases[i].says));
    g_assert_cmpuint(stream.frames, ==, 0);
    test_stream_close(&stream);
  }
  g_string_free(noise, TRUE);
  g_free(garbage);
  g_free(empty);
}

/* What no waiting will cure is told at once. */
static void wrong_settings_are_errors(void) {
  static const struct {
    const gchar *properties, *says;
  } cases[] = {
    {"", "no uri"}, {"uri=nonsense://x", "nonsense"}, {"uri=rtsp://", "no host"}, {"uri=rtsp://u:hidden@host:x1/", "rtsp://host:x1/"},
    {"uri=rtsp://host/ password-from=env:FOVEA_NOT_SET", "FOVEA_NOT_SET"}, {"uri=rtsp://host/ password-from=file:/nonexistent/secret", "/nonexistent/secret"},
    {"uri=rtsp://host/ password-from=hidden", "env:NAME"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    TestStream stream;
    test_stream_open(&stream, cases[i].properties, NULL);
    g_assert_cmpint(test_stream_play(&stream), ==, GST_STATE_CHANGE_FAILURE);
    g_assert_nonnull(stream.error);
    g_test_message("%s", stream.error);
    g_assert_nonnull(strstr(stream.error, cases[i].says));
    g_assert_null(strstr(stream.error, "hidden"));
    test_stream_close(&stream);
  }
}

/* Opening a pipe that nobody writes to never returns; neither does a device whose driver hangs. */
static void what_hangs_is_let_go_of(void) {
  TestStream stream;
  gchar *pipe = in_directory("pipe");
  g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
  open_file(&stream, "pipe", "restart=always stall-timeout=200 retry-min=10 retry-max=20", NULL);
  test_stream_play(&stream);
  GstStructure *statistics = NULL;
  for (guint i = 0; i < 2000 && test_statistic(stream.source, "stalls") < 4; i++)
    g_usleep(10000);
  g_usleep(1500 * 1000); /* at most so many hang at a time */
  g_object_get(stream.source, "statistics", &statistics, NULL);
  g_assert_nonnull(strstr(gst_structure_get_string(statistics, "last-error"), "hang"));
  gst_structure_free(statistics);
  gint64 begin = g_get_monotonic_time();
  gst_element_set_state(stream.pipeline, GST_STATE_NULL);
  g_assert_cmpint(g_get_monotonic_time() - begin, <, 10 * G_USEC_PER_SEC);
  test_stream_close(&stream);
  gint writer = g_open(pipe, O_WRONLY | O_NONBLOCK, 0); /* frees them, for the leak checker */
  g_usleep(300 * 1000);
  if (writer >= 0)
    close(writer);
  g_usleep(300 * 1000);
  g_free(pipe);
}

/* --- HTTP --------------------------------------------------------------------------------------------------- */

static void start_http(TestProgram *server) {
  const gchar *arguments[] = {"python3", g_getenv("FOVEA_TEST_HTTP_SERVER"), directory, NULL};
  test_program_start(server, arguments);
}

static void a_film_over_http_ends(void) {
  TestProgram server;
  TestStream stream;
  start_http(&server);
  gchar *uri = g_strdup_printf("http://127.0.0.1:%d/film.mkv", server.port);
  open_file(&stream, uri, NULL, NULL);
  test_stream_play(&stream);
  wait_for(&stream, &stream.ends);
  g_assert_cmpuint(stream.frames, ==, FRAMES);
  g_assert_cmpuint(stream.errors + stream.went_back, ==, 0);
  test_stream_close(&stream);
  test_program_stop(&server);
  g_free(uri);
}

static void a_playlist_is_played(void) {
  TestProgram server;
  TestStream stream;
  start_http(&server);
  gchar *uri = g_strdup_printf("http://127.0.0.1:%d/list.m3u8", server.port);
  open_file(&stream, uri, NULL, NULL);
  test_stream_play(&stream);
  test_wait_frames(&stream, 20, LIMIT);
  g_assert_cmpuint(stream.errors + stream.went_back, ==, 0);
  test_stream_close(&stream);
  test_program_stop(&server);
  g_free(uri);
}

/* A camera that ends its stream is asked again. */
static void a_camera_over_http_comes_back(void) {
  TestProgram server;
  TestStream stream;
  start_http(&server);
  gchar *uri = g_strdup_printf("http://127.0.0.1:%d/mjpeg?frames=20", server.port);
  open_file(&stream, uri, NULL, NULL);
  test_stream_play(&stream);
  test_wait_frames(&stream, 50, LIMIT);
  g_assert_cmpuint(test_statistic(stream.source, "reconnects"), >=, 2);
  g_assert_cmpuint(stream.errors + stream.went_back + stream.ends, ==, 0);
  test_stream_close(&stream);
  test_program_stop(&server);
  g_free(uri);
}

static void endless_redirects_end(void) {
  TestProgram server;
  TestStream stream;
  start_http(&server);
  gchar *uri = g_strdup_printf("http://127.0.0.1:%d/loop", server.port);
  open_file(&stream, uri, NULL, NULL);
  test_stream_play(&stream);
  test_wait_state(&stream, "retrying", LIMIT);
  g_assert_cmpuint(stream.errors, ==, 0);
  test_stream_close(&stream);
  open_file(&stream, uri, "restart=never", NULL);
  test_stream_play(&stream);
  wait_for(&stream, &stream.errors);
  g_test_message("%s", stream.error);
  test_stream_close(&stream);
  test_program_stop(&server);
  g_free(uri);
}

/* --- many lives --------------------------------------------------------------------------------------------- */

static GstTracer *leaks_tracer(void) {
  GList *tracers = gst_tracing_get_active_tracers();
  GstTracer *found = NULL;
  for (GList *link = tracers; link && !found; link = link->next)
    if (g_str_equal(G_OBJECT_TYPE_NAME(link->data), "GstLeaksTracer"))
      found = gst_object_ref(link->data);
  g_list_free_full(tracers, gst_object_unref);
  return found;
}

static guint count_live(GstTracer *tracer) {
  GstStructure *live = NULL;
  g_signal_emit_by_name(tracer, "get-live-objects", &live);
  guint count = gst_value_list_get_size(gst_structure_get_value(live, "live-objects-list"));
  gst_structure_free(live);
  return count;
}

static void live_once(gint cycle) {
  static const gchar *kinds[] = {"film.mkv", "missing.mkv", "rtsp://127.0.0.1:1/x", "film.mkv", "sound.mkv"};
  TestStream stream;
  open_file(&stream, kinds[cycle % 5], cycle % 2 ? "output=encoded" : "placeholder=grey", NULL);
  test_stream_play(&stream);
  if (cycle % 5 == 3)
    wait_for(&stream, &stream.ends);
  else
    g_usleep((gulong)(cycle % 7) * 3000);
  test_stream_close(&stream);
}

static void many_lives_leave_nothing(void) {
  GstTracer *tracer = leaks_tracer();
  if (!tracer) {
    g_test_skip("this GStreamer has no leaks tracer");
    return;
  }
  for (gint cycle = 0; cycle < 20; cycle++)
    live_once(cycle);
  g_usleep(2 * G_USEC_PER_SEC); /* attempts that were let go of end a moment later */
  guint before = count_live(tracer), after = 0;
  for (gint cycle = 0; cycle < 100; cycle++)
    live_once(cycle);
  for (guint i = 0; i < 5 && (i == 0 || after > before); i++) {
    g_usleep(2 * G_USEC_PER_SEC); /* the tracer takes references, also to what is just being freed: so it is not asked often, nor at once */
    after = count_live(tracer);
  }
  g_assert_cmpuint(after, <=, before);
  gst_object_unref(tracer);
}

int main(int argc, char **argv) {
  g_setenv("GST_TRACERS", "leaks(filters=\"GstElement,GstPad,GstBuffer,GstEvent,GstBus\")", TRUE);
  g_setenv("GST_LEAKS_TRACER_SIG", "0", TRUE);
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  directory = g_dir_make_tmp("fovea-source-XXXXXX", NULL);
  make_clips();
  g_test_add_data_func("/source/file/a-file-ends/raw", "raw", a_file_ends);
  g_test_add_data_func("/source/file/a-file-ends/encoded", "encoded", a_file_ends);
  g_test_add_func("/source/file/decoding-times-are-told", decoding_times_are_told);
  g_test_add_func("/source/file/a-file-begins-again-when-told", a_file_begins_again_when_told);
  g_test_add_func("/source/file/frames-are-thinned", frames_are_thinned);
  g_test_add_func("/source/file/what-cannot-be-read-is-an-error", what_cannot_be_read_is_an_error);
  g_test_add_func("/source/file/wrong-settings-are-errors", wrong_settings_are_errors);
  g_test_add_func("/source/http/a-film-over-http-ends", a_film_over_http_ends);
  g_test_add_func("/source/http/a-playlist-is-played", a_playlist_is_played);
  g_test_add_func("/source/http/a-camera-over-http-comes-back", a_camera_over_http_comes_back);
  g_test_add_func("/source/http/endless-redirects-end", endless_redirects_end);
  g_test_add_func("/source/lives/many-lives-leave-nothing", many_lives_leave_nothing);
  g_test_add_func("/source/file/what-hangs-is-let-go-of", what_hangs_is_let_go_of);
  gint result = g_test_run();
  GDir *listing = g_dir_open(directory, 0, NULL);
  for (const gchar *name; (name = g_dir_read_name(listing));) {
    gchar *path = in_directory(name);
    g_unlink(path);
    g_free(path);
  }
  g_dir_close(listing);
  g_rmdir(directory);
  g_free(directory);
  return result;
}

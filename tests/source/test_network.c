/* foveasrc behind a bad network: the proxy of tests/net between it and the camera. The long form has more of everything. */
#include "support.h"

#include <malloc.h>

#define LIMIT 20.0 /* s, on a busy machine */

static gboolean is_long;

static void open_through(TestStream *stream, const TestProgram *proxy, const gchar *more) {
  gchar *text = g_strdup_printf("uri=rtsp://127.0.0.1:%d/camera %s", proxy->port, more);
  test_stream_open(stream, text, NULL);
  g_free(text);
  test_stream_play(stream);
}

static void check_unharmed(TestStream *stream) {
  g_assert_cmpuint(stream->errors, ==, 0);
  g_assert_cmpuint(stream->ends, ==, 0);
  g_assert_cmpuint(stream->went_back, ==, 0);
}

/* 30 % of everything lost and 400 ms each way; the camera is away for a while, besides. */
static void lives_with_loss_and_delay(gconstpointer transport) {
  TestProgram camera, proxy;
  TestStream stream;
  gchar *more = g_strdup_printf("transport=%s", (const gchar *)transport);
  test_camera_start(&camera, 0, NULL);
  gint port = camera.port;
  test_proxy_start(&proxy, port, "--rtsp --loss 0.3 --delay 400 --seed 7");
  open_through(&stream, &proxy, more);
  g_test_message("%s, 30 %% loss, 400 ms: first frame %.2f s after the start", (const gchar *)transport, test_wait_frames(&stream, 1, 2 * LIMIT));
  test_wait_frames(&stream, is_long ? 250 : 20, 6 * LIMIT);
  for (gint i = 0; i < (is_long ? 5 : 1); i++) {
    test_program_stop(&camera);
    test_proxy_tell(&proxy, "cut"); /* over UDP nothing else tells that the camera has gone */
    g_usleep((is_long ? 5 : 1) * G_USEC_PER_SEC);
    test_camera_start(&camera, port, i % 2 ? NULL : "--width 640 --height 360");
    g_test_message("%s, 30 %% loss, 400 ms: first frame %.2f s after the return", (const gchar *)transport, test_wait_frames(&stream, 1, 2 * LIMIT));
    test_wait_frames(&stream, 10, 2 * LIMIT);
    g_assert_cmpint(stream.width, ==, i % 2 ? 320 : 640);
  }
  check_unharmed(&stream);
  test_stream_close(&stream);
  test_program_stop(&proxy);
  test_program_stop(&camera);
  g_free(more);
}

/* A cut, a refusal and a connection that is dead without anybody being told. */
static void comes_back_after(gconstpointer harm) {
  TestProgram camera, proxy;
  TestStream stream;
  test_camera_start(&camera, 0, NULL);
  test_proxy_start(&proxy, camera.port, "");
  open_through(&stream, &proxy, "transport=tcp stall-timeout=2000");
  test_wait_frames(&stream, 10, LIMIT);
  test_proxy_tell(&proxy, harm);
  test_wait_state(&stream, "connected retrying", LIMIT);
  g_usleep((is_long ? 20 : 2) * G_USEC_PER_SEC);
  test_proxy_tell(&proxy, "pass");
  g_test_message("%s: first frame %.2f s after the return", (const gchar *)harm, test_wait_frames(&stream, 1, LIMIT));
  test_wait_frames(&stream, 10, LIMIT);
  g_assert_cmpuint(stream.gaps, >=, 1);
  check_unharmed(&stream);
  test_stream_close(&stream);
  test_program_stop(&proxy);
  test_program_stop(&camera);
}

static gsize settled_memory(void) {
  malloc_trim(0);
  return test_resident();
}

/* What a connection leaves behind would show in the pages of the process. */
static void memory_is_flat_over_reconnects(void) {
  const gint warm = 10, count = is_long ? 200 : 20;
  TestProgram camera, proxy;
  TestStream stream;
  test_camera_start(&camera, 0, "--rate 50 --key-interval 5");
  test_proxy_start(&proxy, camera.port, "");
  open_through(&stream, &proxy, "transport=tcp retry-min=10 retry-max=100 latency=20");
  gsize before = 0;
  for (gint i = 0; i < warm + count; i++) {
    test_wait_frames(&stream, 3, LIMIT);
    if (i == warm)
      before = settled_memory();
    test_proxy_tell(&proxy, "cut");
  }
  test_wait_frames(&stream, 3, LIMIT);
  gsize after = settled_memory();
  guint64 reconnects = test_statistic(stream.source, "reconnects");
  g_test_message("%" G_GUINT64_FORMAT " reconnects: %.1f MB resident after %d, %.1f MB after %d", reconnects, (gdouble)before / 1e6, warm, (gdouble)after / 1e6, warm + count);
  g_assert_cmpuint(reconnects, >=, (guint64)count);
  if (!g_getenv("FOVEA_SANITIZED")) /* their quarantine grows */
    g_assert_cmpuint(after, <, before + before / 20 + (is_long ? 4u << 20 : 8u << 20));
  check_unharmed(&stream);
  test_stream_close(&stream);
  test_program_stop(&proxy);
  test_program_stop(&camera);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  is_long = g_getenv("FOVEA_TEST_LONG") != NULL;
  g_test_add_data_func("/source/network/lives-with-loss-and-delay/udp", "udp", lives_with_loss_and_delay);
  g_test_add_data_func("/source/network/lives-with-loss-and-delay/tcp", "tcp", lives_with_loss_and_delay);
  g_test_add_data_func("/source/network/comes-back-after/a-refusal", "refuse", comes_back_after);
  g_test_add_data_func("/source/network/comes-back-after/silence", "half-open", comes_back_after);
  g_test_add_func("/source/network/memory-is-flat-over-reconnects", memory_is_flat_over_reconnects);
  return g_test_run();
}

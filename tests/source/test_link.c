/* foveasrc in a network namespace of its own, whose only link comes up. Skipped where namespaces may not be made. */
#include <sched.h>

#include "support.h"

static gboolean alone;

/* As root in what is ours, so that links may be changed. Before there are threads. */
static gboolean make_namespace(void) {
  gchar *map = g_strdup_printf("0 %u 1", (guint)getuid());
  gboolean made = unshare(CLONE_NEWNET) == 0 ||
                  (unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && g_file_set_contents_full("/proc/self/uid_map", map, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
  g_free(map);
  return made;
}

static void a_link_that_comes_up_ends_the_wait(void) {
  TestStream stream;
  if (!alone) {
    g_test_skip("no network namespace can be made here");
    return;
  }
  test_stream_open(&stream, "uri=rtsp://127.0.0.1:554/camera retry-min=120000 retry-max=120000", NULL);
  test_stream_play(&stream);
  test_wait_state(&stream, "connecting retrying", 20);
  g_assert_cmpstr(stream.states->str, ==, "connecting retrying ");
  gint status = 0;
  if (!g_spawn_command_line_sync("ip link set lo up", NULL, NULL, &status, NULL) || status != 0)
    g_test_skip("the link cannot be changed here");
  else
    test_wait_state(&stream, "connecting retrying retrying", 20);
  test_stream_close(&stream);
}

int main(int argc, char **argv) {
  alone = make_namespace();
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/source/link/a-link-that-comes-up-ends-the-wait", a_link_that_comes_up_ends_the_wait);
  return g_test_run();
}

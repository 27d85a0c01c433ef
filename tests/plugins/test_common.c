/* What the elements share about links and secrets. */
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "common/backoff.h"
#include "common/linkwatch.h"
#include "common/secret.h"

static void test_backoff(void) {
  FoveaBackoff backoff = {.min_ms = 100, .max_ms = 1500};
  const guint whole[] = {100, 200, 400, 800, 1500, 1500};
  gboolean varies = FALSE;
  for (gint round = 0; round < 200; round++) {
    for (guint i = 0; i < G_N_ELEMENTS(whole); i++) {
      guint wait = fovea_backoff_next(&backoff);
      g_assert_cmpuint(wait, >=, whole[i] / 2);
      g_assert_cmpuint(wait, <=, whole[i]);
      varies |= wait != whole[i];
    }
    fovea_backoff_reset(&backoff);
  }
  g_assert_true(varies);
  backoff.failures = G_MAXUINT; /* a link that is down for years */
  g_assert_cmpuint(fovea_backoff_next(&backoff), <=, 1500);
  g_assert_cmpuint(backoff.failures, ==, G_MAXUINT);
}

static void expect_error(const gchar *reference, const gchar *part, const gchar *never) {
  GError *error = NULL;
  g_assert_null(fovea_secret_read(reference, &error));
  g_assert_nonnull(error);
  g_assert_nonnull(strstr(error->message, part));
  if (never)
    g_assert_null(strstr(error->message, never));
  g_error_free(error);
}

static void test_secret_env(void) {
  g_setenv("FOVEA_TEST_SECRET", "p@ss", TRUE);
  gchar *secret = fovea_secret_read("env:FOVEA_TEST_SECRET", NULL);
  g_assert_cmpstr(secret, ==, "p@ss");
  fovea_secret_free(secret);
  g_unsetenv("FOVEA_TEST_SECRET");
  expect_error("env:FOVEA_TEST_SECRET", "FOVEA_TEST_SECRET is not set", NULL);
  expect_error("hunter2", "env:NAME or file:PATH", "hunter2");
  expect_error("env:", "env:NAME or file:PATH", NULL);
}

static void test_secret_file(void) {
  gchar *folder = g_dir_make_tmp("fovea-secret-XXXXXX", NULL), *path = g_build_filename(folder, "key", NULL);
  gchar *reference = g_strconcat("file:", path, NULL), *large = g_malloc(FOVEA_SECRET_MAX_BYTES + 1);
  g_assert_true(g_file_set_contents(path, "geheim \xc3\xbc\r\n", -1, NULL));
  gchar *secret = fovea_secret_read(reference, NULL);
  g_assert_cmpstr(secret, ==, "geheim \xc3\xbc");
  fovea_secret_free(secret);
  g_assert_true(g_file_set_contents(path, "a\0b", 3, NULL));
  expect_error(reference, "is not text", NULL);
  memset(large, 'x', FOVEA_SECRET_MAX_BYTES + 1);
  g_assert_true(g_file_set_contents(path, large, FOVEA_SECRET_MAX_BYTES + 1, NULL));
  expect_error(reference, "larger than", "xxx");
  g_unlink(path);
  expect_error(reference, "No such file", NULL);
  g_rmdir(folder);
  expect_error("file:/", "secret file /", NULL);
  g_free(large);
  g_free(reference);
  g_free(path);
  g_free(folder);
}

static void test_split_uri(void) {
  const struct { const gchar *uri, *plain, *user, *password; } cases[] = {
    {"rtsp://cam/1", "rtsp://cam/1", NULL, NULL},
    {"rtsp://joe@cam/1", "rtsp://cam/1", "joe", NULL},
    {"rtsp://joe:a%40b@cam:554/1?x=@", "rtsp://cam:554/1?x=@", "joe", "a@b"},
    {"rtsp://joe:p@ss@cam/1", "rtsp://cam/1", "joe", "p@ss"},
    {"/clips/a@b.mp4", "/clips/a@b.mp4", NULL, NULL},
    {"http://cam/a@b", "http://cam/a@b", NULL, NULL},
    {"rtsp://:%zz@cam", "rtsp://cam", "", "%zz"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    gchar *user, *password, *plain = fovea_secret_split_uri(cases[i].uri, &user, &password);
    g_assert_cmpstr(plain, ==, cases[i].plain);
    g_assert_cmpstr(user, ==, cases[i].user);
    g_assert_cmpstr(password, ==, cases[i].password);
    g_free(plain);
    g_free(user);
    fovea_secret_free(password);
  }
}

/* A network of this process alone, with its loopback down at first. */
static gboolean own_network(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 || unshare(CLONE_NEWNET) == 0; }

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo"};
  gint fd = socket(AF_INET, SOCK_DGRAM, 0);
  g_assert_cmpint(ioctl(fd, SIOCGIFFLAGS, &request), ==, 0);
  request.ifr_flags |= IFF_UP;
  g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
  close(fd);
}

static void on_up(gpointer user) { g_atomic_int_inc((gint *)user); }

static void test_link_watch(void) {
  gint calls = 0;
  if (!own_network()) {
    g_test_skip("no network of its own is allowed here");
    return;
  }
  FoveaLinkWatch *watch = fovea_link_watch_new(on_up, &calls);
  g_usleep(50 * 1000);
  g_assert_cmpint(g_atomic_int_get(&calls), ==, 0);
  loopback_up();
  for (gint i = 0; i < 500 && g_atomic_int_get(&calls) == 0; i++) g_usleep(10 * 1000);
  g_assert_cmpint(g_atomic_int_get(&calls), >=, 1);
  fovea_link_watch_free(watch);
  for (gint i = 0; i < 100; i++) fovea_link_watch_free(fovea_link_watch_new(on_up, &calls));
  fovea_link_watch_free(NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/common/backoff", test_backoff);
  g_test_add_func("/common/secret/env", test_secret_env);
  g_test_add_func("/common/secret/file", test_secret_file);
  g_test_add_func("/common/secret/split-uri", test_split_uri);
  g_test_add_func("/common/link-watch", test_link_watch);
  return g_test_run();
}

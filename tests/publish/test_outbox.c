/* The outbox, in memory and on disk: the same manners behind one interface. */
#include <glib/gstdio.h>
#include <string.h>

#include "publish/library.h"
#include "publish/outbox.h"

typedef struct Fixture {
  gchar *spool; /* NULL: in memory */
} Fixture;

static void set_up(Fixture *fixture, gconstpointer on_disk) { fixture->spool = on_disk ? g_dir_make_tmp("fovea-outbox-XXXXXX", NULL) : NULL; }

static void tear_down(Fixture *fixture, gconstpointer on_disk) {
  if (!fixture->spool)
    return;
  GDir *dir = g_dir_open(fixture->spool, 0, NULL);
  for (const gchar *name; (name = g_dir_read_name(dir));) {
    gchar *path = g_build_filename(fixture->spool, name, NULL);
    g_unlink(path);
    g_free(path);
  }
  g_dir_close(dir);
  g_rmdir(fixture->spool);
  g_free(fixture->spool);
}

static FoveaOutbox *open_box(Fixture *fixture, FoveaOutboxSettings settings) {
  GError *error = NULL;
  gchar *problem;
  settings.spool = fixture->spool;
  settings.sync_interval_ms = 1000;
  FoveaOutbox *box = fovea_outbox_new(&settings, &problem, &error);
  g_assert_no_error(error);
  g_assert_null(problem);
  return box;
}

static gboolean put(FoveaOutbox *box, gint number, guint8 priority, gsize size) {
  gchar *text = g_malloc0(size);
  g_snprintf(text, size, "%d", number);
  gboolean taken = fovea_outbox_append(box, priority, text, size, NULL);
  g_free(text);
  return taken;
}

static gint take(FoveaOutbox *box, guint64 *ret_id) {
  FvSpoolRecord record;
  if (!fovea_outbox_next(box, &record))
    return -1;
  if (ret_id)
    *ret_id = record.id;
  return atoi(record.data);
}

static guint64 pending(FoveaOutbox *box) {
  FoveaOutboxStats stats;
  fovea_outbox_stats(box, &stats);
  return stats.pending;
}

static void comes_again_until_acknowledged(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){0});
  guint64 ids[10];
  for (gint i = 0; i < 10; i++) g_assert_true(put(box, i, (guint8)(i % 8), 100)); /* priorities do not matter unless the policy says so */
  for (gint i = 0; i < 10; i++) g_assert_cmpint(take(box, &ids[i]), ==, i);
  g_assert_cmpint(take(box, NULL), ==, -1);
  for (gint i = 0; i < 10; i += 2) fovea_outbox_acknowledge(box, ids[i]);
  g_assert_cmpuint(pending(box), ==, 5);
  g_assert_cmpuint(fovea_outbox_unkept(box), ==, on_disk ? 5 : 0);
  fovea_outbox_rewind(box);
  put(box, 10, 3, 100);
  for (gint i = 1; i < 10; i += 2) g_assert_cmpint(take(box, NULL), ==, i);
  g_assert_cmpint(take(box, &ids[0]), ==, 10);
  fovea_outbox_acknowledge(box, ids[0]);
  fovea_outbox_acknowledge(box, ids[0]);
  fovea_outbox_acknowledge(box, 12345);
  g_assert_cmpuint(pending(box), ==, 5);
  fovea_outbox_keep(box);
  g_assert_cmpuint(fovea_outbox_unkept(box), ==, 0);
  fovea_outbox_free(box);
}

static void survives_on_disk(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){0});
  guint64 id = 0;
  for (gint i = 0; i < 5; i++) put(box, i, 0, 100);
  take(box, &id);
  fovea_outbox_acknowledge(box, id);
  fovea_outbox_free(box);
  box = open_box(fixture, (FoveaOutboxSettings){0});
  put(box, 5, 0, 100);
  for (gint i = 1; i < 6; i++) g_assert_cmpint(take(box, NULL), ==, i); /* in order: what is new comes behind */
  fovea_outbox_free(box);
}

static void newest_first_lets_new_ones_pass(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.newest_first = TRUE});
  for (gint i = 0; i < 5; i++) put(box, i, 0, 100);
  g_assert_cmpint(take(box, NULL), ==, 0); /* nothing of it is old yet */
  fovea_outbox_rewind(box);
  put(box, 5, 0, 100);
  g_assert_cmpint(take(box, NULL), ==, 5);
  for (gint i = 4; i >= 0; i--) g_assert_cmpint(take(box, NULL), ==, i);
  g_assert_cmpint(take(box, NULL), ==, -1);
  fovea_outbox_free(box);
}

static void backlog_is_limited(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.backlog_bytes_per_s = 100});
  for (gint i = 0; i < 5; i++) put(box, i, 0, 1000);
  fovea_outbox_rewind(box);
  put(box, 5, 0, 1000);
  put(box, 6, 0, 1000);
  g_assert_cmpint(take(box, NULL), ==, 5); /* what is new is not */
  g_assert_cmpint(take(box, NULL), ==, 6);
  g_usleep(20000);
  g_assert_cmpint(take(box, NULL), ==, 0);
  g_assert_cmpint(take(box, NULL), ==, -1);
  g_assert_true(fovea_outbox_holds_back(box, 3));
  g_assert_false(fovea_outbox_holds_back(box, 7));
  fovea_outbox_free(box);
}

static void fill(FoveaOutbox *box, gint count) {
  for (gint i = 0; i < count; i++) put(box, i, 2, 4000);
}

static void keeps_under_its_bound(Fixture *fixture, gconstpointer on_disk) {
  const guint64 bound = 256 << 10;
  FoveaOutboxStats stats;
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.bytes = bound});
  fill(box, 200);
  fovea_outbox_stats(box, &stats);
  g_assert_cmpuint(stats.bytes, <=, bound);
  g_assert_cmpuint(stats.dropped, >, 100);
  g_assert_cmpuint(stats.dropped + stats.pending, ==, 200);
  g_assert_cmpint(take(box, NULL), ==, (gint)stats.dropped); /* the oldest went */
  fovea_outbox_free(box);
}

static void refuses_when_told(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutboxStats stats;
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.bytes = 256 << 10, .policy = FV_SPOOL_REFUSE_NEW});
  fill(box, 200);
  fovea_outbox_stats(box, &stats);
  g_assert_cmpuint(stats.refused + stats.pending, ==, 200);
  g_assert_cmpuint(stats.refused, >, 100);
  g_assert_cmpuint(stats.dropped, ==, 0);
  g_assert_cmpint(take(box, NULL), ==, 0);
  fovea_outbox_free(box);
}

static void important_ones_stay(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutboxStats stats;
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.bytes = 256 << 10, .policy = FV_SPOOL_DROP_LOWEST_PRIORITY});
  for (gint i = 0; i < 10; i++) put(box, 1000 + i, 5, 1000);
  fill(box, 200);
  fovea_outbox_stats(box, &stats);
  g_assert_cmpuint(stats.dropped, >, 0);
  for (gint i = 0; i < 10; i++) g_assert_cmpint(take(box, NULL), ==, 1000 + i);
  g_assert_cmpint(take(box, NULL), ==, (gint)stats.dropped);
  fovea_outbox_free(box);
}

static void old_ones_go(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutboxStats stats;
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.age_s = 1});
  put(box, 0, 0, 100);
  put(box, 1, 0, 100);
  g_usleep(2100000);
  put(box, 2, 0, 100);
  g_assert_cmpint(take(box, NULL), ==, 2);
  fovea_outbox_stats(box, &stats);
  g_assert_cmpuint(stats.dropped, ==, 2);
  fovea_outbox_free(box);
}

/* The reader holds what it was given, though an append may drop it meanwhile. */
static void given_messages_outlive_a_drop(Fixture *fixture, gconstpointer on_disk) {
  FoveaOutbox *box = open_box(fixture, (FoveaOutboxSettings){.bytes = 256 << 10});
  FvSpoolRecord record;
  put(box, 7, 0, 4000);
  g_assert_true(fovea_outbox_next(box, &record));
  fill(box, 200);
  g_assert_cmpstr(record.data, ==, "7");
  fovea_outbox_acknowledge(box, record.id);
  fovea_outbox_free(box);
}

static void unusable_directory_is_an_error(void) {
  gchar *problem;
  GError *error = NULL;
  g_assert_null(fovea_outbox_new(&(FoveaOutboxSettings){.spool = "/proc/version/x"}, &problem, &error));
  g_assert_nonnull(strstr(error->message, "/proc/version/x"));
  g_assert_null(problem);
  g_clear_error(&error);
}

static void missing_library_names_its_package(void) {
  static const gchar *const names[] = {"fovea_no_such_function"};
  gpointer places[1];
  GError *error = NULL;
  g_assert_false(fovea_library_open("libfovea-nowhere.so.9", "libnowhere9", names, places, 1, &error));
  g_assert_nonnull(strstr(error->message, "install the package libnowhere9"));
  g_clear_error(&error);
  g_assert_false(fovea_library_open("libc.so.6", "libc6", names, places, 1, &error));
  g_assert_nonnull(strstr(error->message, "fovea_no_such_function"));
  g_clear_error(&error);
}

#define ADD_BOTH(name, function)                                                                                       \
  g_test_add("/publish/outbox/memory/" name, Fixture, NULL, set_up, function, tear_down);                              \
  g_test_add("/publish/outbox/disk/" name, Fixture, GINT_TO_POINTER(TRUE), set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD_BOTH("comes-again-until-acknowledged", comes_again_until_acknowledged);
  ADD_BOTH("newest-first-lets-new-ones-pass", newest_first_lets_new_ones_pass);
  ADD_BOTH("backlog-is-limited", backlog_is_limited);
  ADD_BOTH("keeps-under-its-bound", keeps_under_its_bound);
  ADD_BOTH("refuses-when-told", refuses_when_told);
  ADD_BOTH("important-ones-stay", important_ones_stay);
  ADD_BOTH("old-ones-go", old_ones_go);
  ADD_BOTH("given-messages-outlive-a-drop", given_messages_outlive_a_drop);
  g_test_add("/publish/outbox/disk/survives", Fixture, GINT_TO_POINTER(TRUE), set_up, survives_on_disk, tear_down);
  g_test_add_func("/publish/outbox/unusable-directory-is-an-error", unusable_directory_is_an_error);
  g_test_add_func("/publish/library/missing-one-names-its-package", missing_library_names_its_package);
  return g_test_run();
}

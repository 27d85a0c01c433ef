/* The spool: order, acknowledgement, bounds, damage, and a writer that is killed. */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fovea/spool.h>

#include "spool/format.h"

static char *make_directory(void) {
  char *path = g_dir_make_tmp("fovea-spool-XXXXXX", NULL);
  g_assert_nonnull(path);
  return path;
}

static void remove_directory(char *path) {
  GDir *dir = g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    char *file = g_build_filename(path, name, NULL);
    g_unlink(file);
    g_free(file);
  }
  if (dir) g_dir_close(dir);
  g_rmdir(path);
  g_free(path);
}

static FvSpool *open_spool(const FvSpoolParams *params) {
  FvSpool *spool;
  FvError err;
  if (fv_spool_open(params, &spool, &err) < 0) g_error("%s", err.message);
  return spool;
}

static FvSpoolReader *open_reader(FvSpool *spool, const char *name, bool newest_first, int64_t rate) {
  FvSpoolReader *reader;
  FvError err;
  if (fv_spool_reader_open(spool, &(FvSpoolReaderParams){name, newest_first, rate}, &reader, &err) < 0) g_error("%s", err.message);
  return reader;
}

static int put(FvSpool *spool, int number, int priority, size_t size) {
  g_autofree char *data = g_malloc0(size);
  g_snprintf(data, size, "%d", number);
  return fv_spool_append(spool, &(FvSpoolRecord){.priority = (uint8_t)priority, .type = (uint16_t)number, .data = data, .size = size}, NULL, NULL);
}

static int take(FvSpoolReader *reader, uint64_t *id) {
  FvSpoolRecord record;
  FvError err;
  int got = fv_spool_next(reader, &record, &err);
  if (got < 0) g_error("%s", err.message);
  if (got == 0) return -1;
  if (id) *id = record.id;
  g_assert_cmpint(atoi(record.data), ==, record.type);
  return record.type;
}

static void test_crc(void) {
  /* RFC 3720 B.4, and the usual check value */
  uint8_t zeros[32] = {0};
  g_assert_cmphex(fv_crc32c(0, "123456789", 9), ==, 0xe3069283);
  g_assert_cmphex(fv_crc32c(0, zeros, sizeof zeros), ==, 0x8a9136aa);
  g_assert_cmphex(fv_crc32c(fv_crc32c(0, "1234", 4), "56789", 5), ==, 0xe3069283);
}

static void test_order_and_progress(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_bytes = 1 << 20, .segment_bytes = 4096};
  FvSpool *spool = open_spool(&params);
  FvSpoolReader *reader = open_reader(spool, "mqtt", false, 0);
  for (int i = 0; i < 100; i++) g_assert_cmpint(put(spool, i, 0, 200), ==, 0);
  uint64_t id = 0;
  for (int i = 0; i < 100; i++) {
    g_assert_cmpint(take(reader, &id), ==, i);
    if (i < 60 || i == 70) g_assert_cmpint(fv_spool_acknowledge(reader, id, NULL), ==, 0);
  }
  g_assert_cmpint(take(reader, NULL), ==, -1);
  g_assert_cmpint(fv_spool_pending(reader), ==, 39);
  g_assert_cmpint(fv_spool_stats(spool).records, <, 100); /* whole segments went */
  fv_spool_rewind(reader);
  g_assert_cmpint(take(reader, NULL), ==, 60);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);

  spool = open_spool(&params);
  reader = open_reader(spool, "mqtt", false, 0);
  g_assert_cmpint(fv_spool_pending(reader), ==, 39);
  g_assert_cmpint(put(spool, 100, 0, 200), ==, 0); /* new before old */
  g_assert_cmpint(take(reader, NULL), ==, 100);
  for (int i = 60; i < 100; i++)
    if (i != 70) g_assert_cmpint(take(reader, NULL), ==, i);
  g_assert_cmpint(take(reader, NULL), ==, -1);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

/* A reader that keeps the order gives what another process left before what is new; and what was acknowledged is not given again even after a crash. */
static void test_backlog_before_new_in_order(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_bytes = 1 << 20, .segment_bytes = 4096};
  FvSpool *spool = open_spool(&params);
  FvSpoolReader *reader = NULL;
  uint64_t id;
  for (int i = 0; i < 40; i++) put(spool, i, 2, 200);
  fv_spool_close(&spool);
  spool = open_spool(&params);
  g_assert_cmpint(fv_spool_reader_open(spool, &(FvSpoolReaderParams){.name = "a", .in_order = true, .newest_first = true}, &reader, NULL), ==, FV_ERR_INVALID);
  g_assert_cmpint(fv_spool_reader_open(spool, &(FvSpoolReaderParams){.name = "a", .in_order = true}, &reader, NULL), ==, 0);
  for (int i = 40; i < 60; i++) put(spool, i, 2, 200);
  for (int i = 0; i < 50; i++) g_assert_cmpint(take(reader, NULL), ==, i);
  fv_spool_rewind(reader);
  for (int i = 60; i < 70; i++) put(spool, i, 2, 200);
  for (int i = 0; i < 70; i++) {
    g_assert_cmpint(take(reader, &id), ==, i);
    if (i < 65) fv_spool_acknowledge(reader, id, NULL);
  }
  g_assert_cmpint(take(reader, NULL), ==, -1);
  g_assert_cmpint(fv_spool_keep(spool, NULL), ==, 0);
  FvSpoolParams looking = {.directory = path, .read_only = true};
  FvSpool *look = open_spool(&looking);
  FvSpoolReader *second = open_reader(look, "a", false, 0);
  g_assert_cmpint(fv_spool_pending(second), ==, 5);
  fv_spool_reader_close(&second);
  fv_spool_close(&look);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

static void test_newest_first_and_priorities(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_bytes = 1 << 20, .segment_bytes = 4096};
  FvSpool *spool = open_spool(&params);
  for (int i = 0; i < 60; i++) put(spool, i, i % 3 == 0 ? 5 : 1, 200);
  FvSpoolReader *reader = open_reader(spool, "a", true, 0);
  for (int i = 57; i >= 0; i -= 3) g_assert_cmpint(take(reader, NULL), ==, i);
  for (int i = 59; i >= 0; i--)
    if (i % 3) g_assert_cmpint(take(reader, NULL), ==, i);
  g_assert_cmpint(take(reader, NULL), ==, -1);
  put(spool, 60, 1, 100);
  put(spool, 61, 5, 100);
  g_assert_cmpint(take(reader, NULL), ==, 61);
  g_assert_cmpint(take(reader, NULL), ==, 60);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

static void test_bounds(void) {
  for (int policy = FV_SPOOL_DROP_OLDEST; policy <= FV_SPOOL_REFUSE_NEW; policy++) {
    char *path = make_directory();
    FvSpoolParams params = {.directory = path, .max_bytes = FV_SPOOL_MIN_BYTES, .segment_bytes = 16384, .policy = (FvSpoolPolicy)policy};
    FvSpool *spool = open_spool(&params);
    for (int i = 0; i < 100; i++) g_assert_cmpint(put(spool, i, 6, 1000), ==, 0);
    int refused = 0;
    for (int i = 100; i < 500; i++) {
      refused += put(spool, i, 2, 1000) < 0;
      g_assert_cmpint(fv_spool_stats(spool).bytes, <=, FV_SPOOL_MIN_BYTES);
    }
    FvSpoolStats stats = fv_spool_stats(spool);
    g_assert_cmpint(refused, ==, (int)stats.refused);
    g_assert_cmpint(stats.records + (int64_t)stats.dropped + refused, ==, 500);
    FvSpoolReader *reader = open_reader(spool, "r", false, 0);
    int first = take(reader, NULL);
    if (policy == FV_SPOOL_DROP_OLDEST) g_assert_cmpint(first, >, 100);
    if (policy != FV_SPOOL_DROP_OLDEST) g_assert_cmpint(first, ==, 0);
    if (policy == FV_SPOOL_DROP_LOWEST_PRIORITY) {
      g_assert_cmpint(refused, ==, 0);
      for (int i = 1; i < 100; i++) g_assert_cmpint(take(reader, NULL), ==, i); /* all that is worth more is still there */
    }
    if (policy == FV_SPOOL_REFUSE_NEW) g_assert_cmpint(refused, >, 200);
    fv_spool_reader_close(&reader);
    fv_spool_close(&spool);
    remove_directory(path);
  }
}

static void test_age(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_age_s = 3600};
  FvSpool *spool = open_spool(&params);
  int64_t now = g_get_real_time() * 1000;
  fv_spool_append(spool, &(FvSpoolRecord){.wall_ns = now - INT64_C(7200000000000), .data = "x", .size = 1}, NULL, NULL);
  g_assert_cmpint(fv_spool_stats(spool).records, ==, 1);
  g_assert_cmpint(fv_spool_sync(spool, NULL), ==, 0);
  g_assert_cmpint(fv_spool_stats(spool).records, ==, 0);
  g_assert_cmpuint(fv_spool_stats(spool).dropped, ==, 1);
  put(spool, 1, 0, 10);
  fv_spool_sync(spool, NULL);
  g_assert_cmpint(fv_spool_stats(spool).records, ==, 1);
  fv_spool_close(&spool);
  remove_directory(path);
}

static char *only_segment(const char *path) {
  GDir *dir = g_dir_open(path, 0, NULL);
  char *found = NULL;
  for (const char *name; (name = g_dir_read_name(dir));)
    if (g_str_has_suffix(name, ".seg")) {
      g_assert_null(found);
      found = g_build_filename(path, name, NULL);
    }
  g_dir_close(dir);
  g_assert_nonnull(found);
  return found;
}

/* Every length that a torn write can leave, and every byte that may have rotted. */
static void test_damage(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path};
  FvSpool *spool = open_spool(&params);
  for (int i = 0; i < 4; i++) put(spool, i, 0, 20);
  fv_spool_close(&spool);
  g_autofree char *file = only_segment(path);
  char *bytes;
  gsize size;
  g_assert_true(g_file_get_contents(file, &bytes, &size, NULL));
  int64_t record = fv_record_bytes(20);
  g_assert_cmpint((int64_t)size, ==, FV_SEGMENT_HEADER_BYTES + 4 * record);
  for (gsize length = 0; length <= size; length++) {
    g_assert_true(g_file_set_contents(file, bytes, (gssize)length, NULL));
    spool = open_spool(&params);
    int whole = length < FV_SEGMENT_HEADER_BYTES ? 0 : (int)(((int64_t)length - FV_SEGMENT_HEADER_BYTES) / record);
    g_assert_cmpint(fv_spool_stats(spool).records, ==, whole);
    g_assert_cmpint(put(spool, 9, 0, 20), ==, 0); /* and it goes on behind them */
    FvSpoolReader *reader = open_reader(spool, "r", false, 0);
    for (int i = 0; i < whole; i++) g_assert_cmpint(take(reader, NULL), ==, i);
    g_assert_cmpint(take(reader, NULL), ==, 9);
    fv_spool_reader_close(&reader);
    fv_spool_reader_forget(spool, "r", NULL);
    fv_spool_close(&spool);
  }
  for (gsize at = FV_SEGMENT_HEADER_BYTES; at < size - (gsize)record; at++) {
    bytes[at] ^= 0x10;
    g_assert_true(g_file_set_contents(file, bytes, (gssize)size, NULL));
    bytes[at] ^= 0x10;
    spool = open_spool(&params);
    FvSpoolReader *reader = open_reader(spool, "r", false, 0);
    int seen = 0, hit = (int)(((int64_t)at - FV_SEGMENT_HEADER_BYTES) / record);
    bool padding = ((int64_t)at - FV_SEGMENT_HEADER_BYTES) % record >= FV_RECORD_HEADER_BYTES + 20;
    for (int got; (got = take(reader, NULL)) >= 0; seen++) g_assert_true(padding || got != hit);
    g_assert_cmpint(seen, ==, padding ? 4 : 3);
    g_assert_cmpuint(fv_spool_stats(spool).damaged, ==, padding ? 0 : 1);
    fv_spool_reader_close(&reader);
    fv_spool_reader_forget(spool, "r", NULL);
    fv_spool_close(&spool);
  }
  g_free(bytes);
  remove_directory(path);
}

static void test_one_writer(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path};
  FvSpool *spool = open_spool(&params), *other;
  FvError err;
  put(spool, 1, 0, 10);
  g_assert_cmpint(fv_spool_open(&params, &other, &err), ==, FV_ERR_IO);
  g_autofree char *number = g_strdup_printf("number %d", getpid());
  g_assert_nonnull(strstr(err.message, number));
  params.read_only = true; /* looking is allowed */
  other = open_spool(&params);
  FvSpoolReader *reader = open_reader(other, "look", false, 0);
  g_assert_cmpint(take(reader, NULL), ==, 1);
  g_assert_cmpint(put(other, 2, 0, 10), ==, FV_ERR_INVALID);
  fv_spool_reader_close(&reader);
  fv_spool_close(&other);
  fv_spool_close(&spool);
  remove_directory(path);
}

/* A writer is killed at arbitrary moments, a hundred times; what it said it had synced is there, in order, once. */
static void test_killed_writer(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_bytes = 64 << 20, .segment_bytes = 65536};
  int expected = 0;
  for (int round = 0; round < 100; round++) {
    int channel[2];
    g_assert_cmpint(pipe(channel), ==, 0);
    pid_t child = fork();
    if (child == 0) {
      FvSpool *spool;
      if (fv_spool_open(&params, &spool, NULL) < 0) _exit(1);
      for (int i = expected;; i++) {
        char data[64 + 512];
        memset(data, i & 255, sizeof data);
        g_snprintf(data, 64, "%d", i);
        if (fv_spool_append(spool, &(FvSpoolRecord){.data = data, .size = 64 + (size_t)(i * 37 % 512)}, NULL, NULL) < 0) _exit(2);
        if (write(channel[1], &i, sizeof i) < 0) _exit(3);
      }
    }
    close(channel[1]);
    int said = -1, value;
    for (int n = 0; n < 20 + round * 7 % 40 && read(channel[0], &value, sizeof value) == sizeof value; n++) said = value;
    kill(child, SIGKILL);
    while (read(channel[0], &value, sizeof value) == sizeof value) said = value;
    close(channel[0]);
    int status;
    waitpid(child, &status, 0);
    g_assert_true(WIFSIGNALED(status));
    FvSpool *spool = open_spool(&params);
    FvSpoolStats stats = fv_spool_stats(spool);
    g_assert_cmpint(stats.records, >=, said + 1);
    g_assert_cmpint(stats.records, <=, said + 2); /* one may have been written and not been told of */
    expected = (int)stats.records;
    fv_spool_close(&spool);
  }
  FvSpool *spool = open_spool(&params);
  FvSpoolReader *reader = open_reader(spool, "r", false, 0);
  FvSpoolRecord record;
  for (int i = 0; i < expected; i++) {
    g_assert_cmpint(fv_spool_next(reader, &record, NULL), ==, 1);
    g_assert_cmpint(atoi(record.data), ==, i);
  }
  g_assert_cmpint(fv_spool_next(reader, &record, NULL), ==, 0);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

static void test_backlog_rate(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path};
  FvSpool *spool = open_spool(&params);
  for (int i = 0; i < 50; i++) put(spool, i, 0, 1000);
  FvSpoolReader *reader = open_reader(spool, "slow", false, 1); /* a byte a second: one record at most, ever */
  fv_spool_wait(reader, 1000);
  g_assert_cmpint(take(reader, NULL), ==, 0);
  g_assert_cmpint(take(reader, NULL), ==, -1);
  g_assert_false(fv_spool_wait(reader, 0));
  put(spool, 77, 0, 10);
  g_assert_true(fv_spool_wait(reader, 0));
  g_assert_cmpint(take(reader, NULL), ==, 77); /* new ones don't wait */
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

static void test_many_holes(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_bytes = 16 << 20};
  FvSpool *spool = open_spool(&params);
  FvSpoolReader *reader = open_reader(spool, "r", false, 0);
  uint64_t id = 0;
  enum { COUNT = 3 * FV_CURSOR_MAX_RANGES };
  for (int i = 0; i < COUNT; i++) put(spool, i, 0, 8);
  for (int i = 0; i < COUNT; i++) {
    take(reader, &id);
    if (i % 2 == 0) fv_spool_acknowledge(reader, id, NULL);
  }
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  spool = open_spool(&params);
  reader = open_reader(spool, "r", false, 0);
  bool given[COUNT] = {false};
  for (int got; (got = take(reader, NULL)) >= 0;) given[got] = true;
  for (int i = 1; i < COUNT; i += 2) g_assert_true(given[i]); /* none that was not acknowledged is missing */
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

static gpointer append_thread(gpointer data) {
  for (int i = 0; i < 3000; i++) g_assert_cmpint(put(data, i, 1, 100), ==, 0);
  return NULL;
}

/* Several threads append and write through while one reads, acknowledges and keeps: nothing is lost or given twice, before or after another opening. */
static void test_threads(void) {
  char *path = make_directory();
  FvSpoolParams params = {.directory = path, .max_bytes = 8 << 20, .segment_bytes = 32 << 10, .sync_interval_ms = 1};
  FvSpool *spool = open_spool(&params);
  FvSpoolReader *reader = open_reader(spool, "a", false, 0);
  GThread *threads[3];
  FvSpoolRecord record;
  int taken = 0, left = 0;
  for (int i = 0; i < 3; i++) threads[i] = g_thread_new("append", append_thread, spool);
  while (taken < 8000) {
    if (!fv_spool_wait(reader, 10000)) break;
    for (; taken < 8000 && fv_spool_next(reader, &record, NULL) == 1; taken++) {
      g_assert_cmpint(fv_spool_acknowledge(reader, record.id, NULL), ==, 0);
      if (taken % 50 == 0) g_assert_cmpint(fv_spool_keep(spool, NULL), ==, 0);
    }
  }
  for (int i = 0; i < 3; i++) g_thread_join(threads[i]);
  g_assert_cmpint(taken, ==, 8000);
  g_assert_cmpint(fv_spool_pending(reader), ==, 1000);
  g_assert_cmpint(fv_spool_sync(spool, NULL), ==, 0);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  spool = open_spool(&params);
  reader = open_reader(spool, "a", false, 0);
  while (fv_spool_next(reader, &record, NULL) == 1) left++;
  g_assert_cmpint(left, ==, 1000);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

static void test_bad_parameters(void) {
  char *path = make_directory();
  FvSpool *spool;
  FvSpoolReader *reader;
  FvError err;
  g_assert_cmpint(fv_spool_open(&(FvSpoolParams){.directory = NULL}, &spool, &err), ==, FV_ERR_INVALID);
  g_assert_cmpint(fv_spool_open(&(FvSpoolParams){.directory = path, .max_bytes = 100}, &spool, &err), ==, FV_ERR_INVALID);
  g_assert_cmpint(fv_spool_open(&(FvSpoolParams){.directory = "/nonexistent/a/b"}, &spool, &err), ==, FV_ERR_IO);
  g_assert_nonnull(strstr(err.message, "/nonexistent/a/b"));
  spool = open_spool(&(FvSpoolParams){.directory = path});
  g_assert_cmpint(put(spool, 0, 8, 10), ==, FV_ERR_INVALID);
  g_assert_cmpint(put(spool, 0, 0, 8 << 20), ==, FV_ERR_INVALID);
  g_assert_cmpint(fv_spool_reader_open(spool, &(FvSpoolReaderParams){.name = "../x"}, &reader, &err), ==, FV_ERR_INVALID);
  reader = open_reader(spool, "twice", false, 0);
  FvSpoolReader *again;
  g_assert_cmpint(fv_spool_reader_open(spool, &(FvSpoolReaderParams){.name = "twice"}, &again, &err), <, 0);
  g_assert_cmpint(fv_spool_acknowledge(reader, UINT64_MAX, NULL), ==, 0);
  fv_spool_reader_close(&reader);
  fv_spool_close(&spool);
  remove_directory(path);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/spool/crc32c", test_crc);
  g_test_add_func("/spool/order-and-progress", test_order_and_progress);
  g_test_add_func("/spool/backlog-before-new-in-order", test_backlog_before_new_in_order);
  g_test_add_func("/spool/newest-first-and-priorities", test_newest_first_and_priorities);
  g_test_add_func("/spool/bounds", test_bounds);
  g_test_add_func("/spool/age", test_age);
  g_test_add_func("/spool/damage", test_damage);
  g_test_add_func("/spool/one-writer", test_one_writer);
  g_test_add_func("/spool/killed-writer", test_killed_writer);
  g_test_add_func("/spool/backlog-rate", test_backlog_rate);
  g_test_add_func("/spool/many-holes", test_many_holes);
  g_test_add_func("/spool/threads", test_threads);
  g_test_add_func("/spool/bad-parameters", test_bad_parameters);
  return g_test_run();
}

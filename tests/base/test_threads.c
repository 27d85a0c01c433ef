/* The pool runs each part exactly once, whoever else is using it. Nothing here depends on how fast. */
#include <glib.h>
#include <stdatomic.h>

#include <fovea/limits.h>

#include "base/threads.h"

enum { PARTS = 37, ROUNDS = 300, CALLERS = 4 };

typedef struct Job {
  atomic_int runs[PARTS];
  int parts;
} Job;

static void count_part(void *arg, int part) {
  Job *job = arg;
  g_assert_cmpint(part, >=, 0);
  g_assert_cmpint(part, <, job->parts);
  atomic_fetch_add(&job->runs[part], 1);
}

static void run_rounds(int parts) {
  for (int round = 0; round < ROUNDS; round++) {
    Job job = {.parts = parts};
    fv_pool_run(parts, count_part, &job);
    for (int i = 0; i < PARTS; i++) g_assert_cmpint(atomic_load(&job.runs[i]), ==, i < parts);
  }
}

static void test_alone(void) {
  run_rounds(0); /* before there are workers, too */
  run_rounds(PARTS);
  g_assert_cmpint(fv_pool_reserve(4), ==, 0);
  g_assert_cmpint(fv_pool_reserve(2), ==, 0);
  for (int parts = 0; parts <= PARTS; parts += 4) run_rounds(parts);
}

static gpointer call(gpointer arg) {
  run_rounds(GPOINTER_TO_INT(arg));
  return NULL;
}

static void test_concurrent_callers(void) {
  GThread *threads[CALLERS];
  g_assert_cmpint(fv_pool_reserve(3), ==, 0);
  for (int i = 0; i < CALLERS; i++) threads[i] = g_thread_new("caller", call, GINT_TO_POINTER(PARTS - i));
  for (int i = 0; i < CALLERS; i++) g_thread_join(threads[i]);
}

static void run_inner(void *arg, int part) {
  Job inner = {.parts = 5};
  fv_pool_run(5, count_part, &inner);
  for (int i = 0; i < 5; i++) g_assert_cmpint(atomic_load(&inner.runs[i]), ==, 1);
  count_part(arg, part);
}

static void test_nested(void) {
  Job job = {.parts = PARTS};
  g_assert_cmpint(fv_pool_reserve(3), ==, 0);
  fv_pool_run(PARTS, run_inner, &job);
  for (int i = 0; i < PARTS; i++) g_assert_cmpint(atomic_load(&job.runs[i]), ==, 1);
}

static void test_split(void) {
  for (long count = 0; count < 70; count++)
    for (long grain = 1; grain < 10; grain++)
      for (int parts = 1; parts < 9; parts++) {
        long at = 0;
        for (int part = 0; part < parts; part++) {
          FvRange range = fv_split(count, grain, part, parts);
          g_assert_cmpint(range.begin, ==, at);
          g_assert_cmpint(range.end, >=, range.begin);
          g_assert_true(range.begin % grain == 0 || range.begin == count);
          at = range.end;
        }
        g_assert_cmpint(at, ==, count);
      }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/threads/each-part-once", test_alone);
  g_test_add_func("/threads/concurrent-callers", test_concurrent_callers);
  g_test_add_func("/threads/nested", test_nested);
  g_test_add_func("/threads/split-covers-everything", test_split);
  return g_test_run();
}

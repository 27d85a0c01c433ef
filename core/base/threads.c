#include "base/threads.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fovea/error.h>
#include <fovea/limits.h>

#include "base/cpu.h"

/* A job is published by raising `generation`; workers take part numbers from `next` until there are none, and the caller waits for `left`
 * to reach zero. Only `busy` decides who may publish. */
enum { SPINS = 2000, CLOSED = 1 << 30 };

static struct {
  atomic_flag busy;
  _Alignas(64) atomic_int generation;
  atomic_int sleepers;
  _Alignas(64) atomic_int next; /* part number to take; CLOSED and beyond between jobs */
  _Alignas(64) atomic_int left; /* parts not finished yet */
  atomic_int inside;            /* workers that may still look at the job */
  _Alignas(64) FvPartFn fn;
  void *arg;
  atomic_int parts;
  atomic_int workers;
  pthread_mutex_t growing;
} pool = {.busy = ATOMIC_FLAG_INIT, .growing = PTHREAD_MUTEX_INITIALIZER};

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

static void futex_wait(atomic_int *word, int value) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0); }
static void futex_wake(atomic_int *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0); }

static void take_parts(void) {
  for (;;) {
    int part = atomic_fetch_add_explicit(&pool.next, 1, memory_order_acq_rel);
    if (part >= atomic_load_explicit(&pool.parts, memory_order_relaxed)) return;
    pool.fn(pool.arg, part);
    if (atomic_fetch_sub_explicit(&pool.left, 1, memory_order_acq_rel) == 1) futex_wake(&pool.left);
  }
}

static int wait_for_job(int seen) {
  for (int i = 0; i < SPINS; i++) {
    int now = atomic_load_explicit(&pool.generation, memory_order_acquire);
    if (now != seen) return now;
    pause_cpu();
  }
  atomic_fetch_add(&pool.sleepers, 1);
  int now;
  while ((now = atomic_load(&pool.generation)) == seen) futex_wait(&pool.generation, seen);
  atomic_fetch_sub(&pool.sleepers, 1);
  return now;
}

static void *work(void *unused) {
  (void)unused;
  for (int seen = atomic_load(&pool.generation);;) {
    seen = wait_for_job(seen);
    atomic_fetch_add(&pool.inside, 1);
    take_parts(); /* nothing to take when late: next is CLOSED until the following job is whole */
    atomic_fetch_sub(&pool.inside, 1);
  }
  return NULL;
}

int fv_pool_reserve(int threads) {
  int result = 0;
  if (threads > FV_MAX_THREADS) threads = FV_MAX_THREADS;
  pthread_mutex_lock(&pool.growing);
  while (result == 0 && atomic_load(&pool.workers) < threads - 1) {
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, work, NULL) != 0)
      result = FV_ERR_NO_MEMORY;
    else
      atomic_fetch_add(&pool.workers, 1);
    pthread_attr_destroy(&attr);
  }
  pthread_mutex_unlock(&pool.growing);
  return result;
}

void fv_pool_reserve_some(void) {
  enum { SOME = 4 };
  int cores = fv_cpu_core_count();
  if (atomic_load(&pool.workers) + 1 < (cores < SOME ? cores : SOME)) fv_pool_reserve(cores < SOME ? cores : SOME);
}

void fv_pool_run(int parts, FvPartFn fn, void *arg) {
  if (parts <= 1 || atomic_load(&pool.workers) == 0 || atomic_flag_test_and_set_explicit(&pool.busy, memory_order_acquire)) {
    for (int part = 0; part < parts; part++) fn(arg, part);
    return;
  }
  while (atomic_load(&pool.inside) > 0) pause_cpu(); /* stragglers of the last job */
  pool.fn = fn;
  pool.arg = arg;
  atomic_store(&pool.parts, parts);
  atomic_store(&pool.left, parts);
  atomic_store(&pool.next, 0);
  atomic_fetch_add(&pool.generation, 1);
  if (atomic_load(&pool.sleepers) > 0) futex_wake(&pool.generation);
  take_parts();
  for (int i = 0, left; (left = atomic_load_explicit(&pool.left, memory_order_acquire)) > 0; i++) {
    if (i < SPINS)
      pause_cpu();
    else
      futex_wait(&pool.left, left);
  }
  atomic_store(&pool.next, CLOSED);
  atomic_flag_clear_explicit(&pool.busy, memory_order_release);
}

#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Route {
  FvLogFn fn;
  void *user;
  FvLogLevel level;
} Route;

/* Two slots: fv_log_set fills the one not in use and switches, so that readers never see half a route. */
static Route routes[2] = {{NULL, NULL, FV_LOG_WARNING}, {NULL, NULL, FV_LOG_WARNING}};
static atomic_int current;
static atomic_flag started = ATOMIC_FLAG_INIT;

static void level_from_environment(void) {
  static const char *const names[] = {"none", "error", "warning", "info", "debug"};
  const char *text = getenv("FOVEA_LOG");
  if (atomic_flag_test_and_set(&started) || !text) return;
  for (int i = 0; i <= FV_LOG_DEBUG; i++)
    if (strcmp(text, names[i]) == 0) routes[0].level = (FvLogLevel)i;
}

void fv_log_set(FvLogFn fn, void *user, FvLogLevel level) {
  atomic_flag_test_and_set(&started);
  int next = 1 - atomic_load(&current);
  routes[next] = (Route){fn, user, level};
  atomic_store(&current, next);
}

void fv_log(FvLogLevel level, const char *format, ...) {
  level_from_environment();
  Route route = routes[atomic_load(&current)];
  if (level > route.level || level == FV_LOG_NONE) return;
  char message[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (route.fn)
    route.fn(level, message, route.user);
  else
    fprintf(stderr, "fovea: %s\n", message);
}

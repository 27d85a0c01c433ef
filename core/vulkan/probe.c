#include "vulkan/probe.h"

#include <time.h>

#include "vulkan/runner.h"

#include "push/probe.h"

enum {
  FLOATS = 16384,
  INVOCATIONS = 2048, LOADS = 32,
  RESULTS = INVOCATIONS * PROBE_STORES * 4, /* with FLOATS below the 65536 that every device's texel buffers reach */
  ROUNDS = 6,
};

uint64_t fv_vk_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int launch_probe(FvVkProgram *program, FvError *err) {
  const FvNode none = {0};
  const struct FvProbePush push = {.loads = LOADS, .mask = FLOATS - 1};
  const FvVkLaunch launch = {.shader = FV_SHADER_PROBE, .params = &push, .params_size = sizeof push, .invocations = INVOCATIONS};
  FvVkEmit emit = {.node = &none, .program = program, .err = err};
  int result = fv_vk_launch(&emit, &launch);
  program->step_count = 1;
  return result;
}

typedef struct Contender {
  FvVkProgram *program;
  FvVkRunner *runner;
  uint64_t best_ns;
} Contender;

static int enter(FvVkDevice *device, bool texel, Contender *contender, FvError *err) {
  *contender = (Contender){.best_ns = UINT64_MAX};
  int result = fv_vk_program_start(device, texel, (FLOATS + RESULTS + 64) * (int64_t)sizeof(float), &contender->program, err);
  if (result == 0) result = launch_probe(contender->program, err);
  if (result == 0) result = fv_vk_runner_create(contender->program, 1, false, &contender->runner, err);
  return result;
}

static int run_once(Contender *contender, FvError *err) {
  uint64_t start = fv_vk_now_ns();
  int result = fv_vk_runner_submit(contender->runner, 0, err);
  if (result == 0) result = fv_vk_runner_wait(contender->runner, 0, err);
  uint64_t took = fv_vk_now_ns() - start;
  if (took < contender->best_ns) contender->best_ns = took;
  return result;
}

static void leave(Contender *contender) {
  fv_vk_runner_destroy(&contender->runner);
  fv_vk_program_destroy(&contender->program);
}

int fv_vk_probe_load_path(FvVkDevice *device, FvError *err) {
  Contender storage = {0}, texel = {0};
  bool possible = fv_vk_has_texel_bindings(device);
  device->texel = possible && fv_vk_wish("texel");
  if (device->texel || !possible || fv_vk_wish("storage")) return 0;
  int result = enter(device, false, &storage, err);
  if (result == 0) result = enter(device, true, &texel, err);
  for (int i = 0; i < ROUNDS && result == 0; i++) { /* in turns, so that a busy moment meets both; the best counts */
    result = run_once(&storage, err);
    if (result == 0) result = run_once(&texel, err);
  }
  /* Real GPUs do as well with either: texel buffers have to be worth it. */
  device->texel = result == 0 && texel.best_ns * 1.4 < storage.best_ns;
  leave(&texel);
  leave(&storage);
  return result;
}

#include "vulkan/probe.h"

#include <time.h>

#include "vulkan/runner.h"

#include "push/probe.h"

enum {
  FLOATS = 16384,            /* read: 64 KiB, what every device's texel buffers reach */
  INVOCATIONS = 2048, LOADS = 64,
  ROUNDS = 3,
  ADVANTAGE = 2,             /* texel buffers are taken when they are so many times faster: real GPUs do well with either */
};

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int launch_probe(FvVkProgram *program, FvError *err) {
  const FvNode none = {0};
  const struct FvProbePush push = {.rounds = LOADS, .mask = FLOATS - 1};
  const FvVkLaunch launch = {.shader = FV_SHADER_PROBE, .params = &push, .params_size = sizeof push, .invocations = INVOCATIONS};
  FvVkEmit emit = {.node = &none, .program = program, .err = err};
  int result = fv_vk_launch(&emit, &launch);
  program->step_count = 1;
  return result;
}

/* The best of a few runs, after one that warms up. */
static int measure(FvVkDevice *device, bool texel, uint64_t *best_ns, FvError *err) {
  FvVkProgram *program = NULL;
  FvVkRunner *runner = NULL;
  int result = fv_vk_program_start(device, texel, (FLOATS + INVOCATIONS + 64) * (int64_t)sizeof(float), &program, err);
  if (result == 0) result = launch_probe(program, err);
  if (result == 0) result = fv_vk_runner_create(program, 1, false, &runner, err);
  *best_ns = UINT64_MAX;
  for (int i = 0; i <= ROUNDS && result == 0; i++) {
    uint64_t start = now_ns();
    result = fv_vk_runner_submit(runner, 0, err);
    if (result == 0) result = fv_vk_runner_wait(runner, 0, err);
    uint64_t took = now_ns() - start;
    if (i > 0 && took < *best_ns) *best_ns = took;
  }
  fv_vk_runner_destroy(&runner);
  fv_vk_program_destroy(&program);
  return result;
}

int fv_vk_probe_load_path(FvVkDevice *device, FvError *err) {
  uint64_t storage, texel;
  device->texel = fv_vk_wish("texel");
  if (device->texel || fv_vk_wish("storage")) return 0;
  int result = measure(device, false, &storage, err);
  if (result == 0) result = measure(device, true, &texel, err);
  if (result == 0) device->texel = texel * ADVANTAGE < storage;
  return result;
}

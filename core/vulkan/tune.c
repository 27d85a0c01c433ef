/* Measuring the ways of every distinct convolution of a plan, each in a program of its own over the plan's arena. */
#include <stdlib.h>
#include <time.h>

#include "vulkan/program.h"
#include "vulkan/tuned.h"

enum {
  ROUNDS = 8,             /* runs of each way, in turns, so that a busy moment meets all; the best counts */
  ROUNDS_NS = 1000000000, /* rounds stop early after so long, but not before the third */
};
static const double worth = 0.97; /* of the default's time: less is noise, and the default needs no record */

typedef struct Contender {
  FvVkProgram *program;
  FvVkRunner *runner;
  uint64_t best_ns;
} Contender;

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int run_once(Contender *contender, FvError *err) {
  uint64_t start = now_ns();
  int result = fv_vk_runner_submit(contender->runner, 0, err);
  if (result == 0) result = fv_vk_runner_wait(contender->runner, 0, err);
  uint64_t took = now_ns() - start;
  if (took < contender->best_ns) contender->best_ns = took;
  return result;
}

static int enter(FvVkDevice *device, const FvVkStep *step, const FvVkProgramParams *whole, int way, Contender *contender, FvError *err) {
  FvVkProgramParams params = {.steps = step, .step_count = 1, .arena_bytes = whole->arena_bytes, .arithmetic = whole->arithmetic, .way = way + 1};
  *contender = (Contender){.best_ns = UINT64_MAX};
  int result = fv_vk_program_create(device, &params, &contender->program, err);
  return result == 0 ? fv_vk_runner_create(contender->program, 1, false, &contender->runner, err) : result;
}

static int compete(Contender *contenders, int count, FvError *err) {
  uint64_t start = now_ns();
  int result = 0;
  for (int round = 0; round < ROUNDS && result == 0 && (round < 3 || now_ns() - start < ROUNDS_NS); round++)
    for (int i = 0; i < count && result == 0; i++) result = run_once(&contenders[i], err);
  return result;
}

/* The queries that a step is compiled by; freed by the caller. */
static const FvTensor **tensors_of(const FvVkStep *step, FvKernelQuery *query) {
  int in = step->node->input_count, count = in + step->node->output_count;
  const FvTensor **tensors = calloc((size_t)count + 1, sizeof *tensors);
  for (int i = 0; i < count && tensors; i++) {
    const FvVkOperand *operand = i < in ? &step->in[i] : &step->out[i - in];
    tensors[i] = operand->present ? &operand->tensor : NULL;
  }
  *query = (FvKernelQuery){step->node, tensors, tensors ? tensors + in : NULL};
  return tensors;
}

static int tune_step(FvVkDevice *device, const FvVkStep *step, const FvVkProgramParams *whole, int way_count, FvTuning *tuning, int *best, FvError *err) {
  Contender contenders[FV_VK_MAX_WAYS] = {{0}};
  int entered = 0, result = 0;
  *best = 0;
  for (; entered < way_count && result == 0; entered++) result = enter(device, step, whole, entered, &contenders[entered], err);
  if (result == 0) result = compete(contenders, way_count, err);
  for (int i = 1; i < way_count && result == 0; i++)
    if (contenders[i].best_ns < contenders[*best].best_ns) *best = i;
  if (result == 0 && (double)contenders[*best].best_ns > worth * (double)contenders[0].best_ns) *best = 0;
  if (result == 0) {
    tuning->before_ms += (double)contenders[0].best_ns / 1e6;
    tuning->after_ms += (double)contenders[*best].best_ns / 1e6;
    tuning->changed += *best > 0;
  }
  for (int i = 0; i < entered; i++) {
    fv_vk_runner_destroy(&contenders[i].runner);
    fv_vk_program_destroy(&contenders[i].program);
  }
  return result;
}

/* Which convolution a step launches, and its ways; 0 where it is none, or there is nothing to choose. */
static int ways_of(const FvVkDevice *device, const FvVkStep *step, bool texel, FvVkArithmetic arithmetic, uint64_t *key) {
  FvKernelQuery query;
  FvVkConv conv = {0};
  FvVkConvWay ways[FV_VK_MAX_WAYS];
  const FvTensor **tensors = step->kernel && step->kernel->conv ? tensors_of(step, &query) : NULL;
  int form = tensors ? fv_vk_form_of(&query) : -1;
  int count = form >= 0 && step->kernel->conv(&query, &conv) ? fv_vk_conv_ways(device, texel, (FvVkForm)form, arithmetic, &conv, ways) : 0;
  if (count > 1) *key = fv_vk_tuning_key(&conv, (FvVkForm)form, texel, ways, count);
  free(tensors);
  return count;
}

static bool is_known(const uint64_t *keys, int count, uint64_t key) {
  for (int i = 0; i < count; i++)
    if (keys[i] == key) return true;
  return false;
}

int fv_vk_tune(FvVkDevice *device, const FvVkProgramParams *params, bool texel, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err) {
  uint64_t *keys = calloc((size_t)params->step_count + 1, sizeof *keys);
  int result = keys ? 0 : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  *tuning = (FvTuning){0};
  for (int s = 0; s < params->step_count && result == 0; s++) {
    uint64_t key = 0;
    int best, way_count = ways_of(device, &params->steps[s], texel, params->arithmetic, &key);
    if (way_count < 2) continue;
    tuning->layers++;
    if (is_known(keys, tuning->distinct, key)) continue;
    keys[tuning->distinct++] = key;
    result = tune_step(device, &params->steps[s], params, way_count, tuning, &best, err);
    if (result == 0) fv_vk_tunings_set(device->tunings, key, best);
    if (result == 0 && tell && !tell(data, s + 1, params->step_count)) break;
  }
  free(keys);
  fv_vk_tunings_save(device->tunings, device); /* what is known so far, too */
  return result;
}

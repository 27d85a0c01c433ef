#include "session/choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "base/log.h"
#include "session/session_internal.h"

enum {
  MAX_DEVICES = 32,
  ROUNDS = 6,            /* runs of champion and challenger in turns… */
  ROUNDS_NS = 600000000, /* …that stop early after so long, but not before the second */
  HOPELESS = 5, HOPELESS_COLD = 20, /* so many times slower in its second run, or in its first, a device is not timed any further */
};

/* A GPU that saves less than what a frame may cost besides is not even looked for: opening drivers takes longer than hundreds of such frames. */
static const double fast_enough_ms = 5;
/* The CPU needs no driver, no uploads and no second memory, so others have to be worth it; a software device takes its time from the same cores. */
static const double margin = 1.1, software_margin = 1.5;

/* One at a time: two measurements at once would each find the other in the way. */
static pthread_mutex_t measuring = PTHREAD_MUTEX_INITIALIZER;

typedef struct Runner {
  FvPlan *plan;
  FvSession *session;
  FvDeviceTiming *row;
  double best_ms;
  double margin; /* how many times as fast as the CPU it must be */
} Runner;

static void leave(Runner *runner) {
  fv_session_destroy(&runner->session);
  fv_plan_destroy(&runner->plan);
}

static int run_once(Runner *runner, FvError *err) {
  uint64_t start = fv_session_now();
  int result = fv_session_run(runner->session, err);
  double ms = (double)(fv_session_now() - start) / 1e6;
  if (runner->best_ms <= 0 || ms < runner->best_ms) runner->best_ms = ms;
  return result;
}

/* Numbers of everyday size; zeros could be faster than any picture. */
static void fill_inputs(FvSession *session) {
  for (int i = 0; i < fv_session_input_count(session); i++) {
    const FvTensor *input = fv_session_input(session, i);
    if (!input || input->dtype != FV_DTYPE_F32 || !fv_tensor_is_contiguous(input)) continue;
    float *data = input->data;
    for (int64_t j = 0, count = fv_tensor_count(input); j < count; j++) data[j] = (float)(j * 37 % 256) / 256.0f;
  }
}

/* Makes the plan and runs it twice: the first run touches memory and wakes clocks, the second counts. *hopeless: too slow to go on with. */
static int enter(FvModel *model, const FvPlanParams *params, double best_ms, Runner *runner, bool *hopeless, FvError *err) {
  int result = fv_plan_create_on(model, params, runner->row->device, &runner->plan, err);
  if (result == 0) result = fv_session_create(runner->plan, &runner->session, err);
  if (result < 0) return result;
  fill_inputs(runner->session);
  result = run_once(runner, err);
  *hopeless = best_ms > 0 && runner->best_ms > HOPELESS_COLD * best_ms;
  if (result < 0 || *hopeless) return result;
  runner->best_ms = 0;
  result = run_once(runner, err);
  *hopeless = best_ms > 0 && runner->best_ms > HOPELESS * best_ms;
  return result;
}

/* In turns, so that a busy moment meets both; the best run of each counts. *loser: who failed. */
static int compete(Runner *champion, Runner *challenger, Runner **loser, FvError *err) {
  uint64_t start = fv_session_now();
  int result = 0;
  for (int i = 0; i < 2 * ROUNDS && result == 0 && (i < 4 || fv_session_now() - start < ROUNDS_NS); i++) {
    *loser = i % 2 ? challenger : champion;
    result = run_once(*loser, err);
  }
  return result;
}

static bool wins(const Runner *challenger, const Runner *champion) {
  bool against_cpu = strcmp(champion->row->device, "cpu") == 0;
  return challenger->best_ms * (against_cpu ? challenger->margin : 1) < champion->best_ms;
}

/* reason lies outside the row, but compilers don't see that, so no snprintf. */
static void note(FvDeviceTiming *row, const char *reason) {
  size_t length = strnlen(reason, sizeof row->reason - 1);
  memcpy(row->reason, reason, length);
  row->reason[length] = '\0';
}

static void lose(Runner *loser, const Runner *winner) {
  char text[sizeof loser->row->reason];
  loser->row->ms = loser->best_ms;
  if (loser->best_ms >= winner->best_ms)
    snprintf(text, sizeof text, "slower than %s", winner->row->device);
  else
    snprintf(text, sizeof text, "less than %g times as fast as the cpu", loser->margin);
  note(loser->row, text);
  leave(loser);
}

typedef struct Contest {
  FvModel *model;
  FvPlanParams params;
  bool thorough;         /* looks at all devices even where the CPU is fast */
  bool looked;           /* at devices beside the CPU */
  bool fleeting;         /* something failed that may not fail the next time: nothing to remember */
  FvDeviceInfo devices[MAX_DEVICES];
  FvDeviceTiming table[MAX_DEVICES]; /* a row for each device */
  int count;
  double cpu_ms;
  Runner champion;
} Contest;

/* Lets a device into the competition; what it cannot do only excludes it. */
static void challenge(Contest *contest, const FvDeviceInfo *device, FvDeviceTiming *row) {
  FvError err = {0};
  Runner *champion = &contest->champion, runner = {.row = row, .margin = device->kind == FV_DEVICE_SOFTWARE ? software_margin : margin};
  Runner *loser = &runner;
  bool hopeless = false;
  int result = enter(contest->model, &contest->params, champion->best_ms, &runner, &hopeless, &err);
  if (result == 0 && champion->plan && !hopeless) result = compete(champion, &runner, &loser, &err);
  if (result < 0) {
    contest->fleeting |= result != FV_ERR_UNSUPPORTED && result != FV_ERR_LIMIT;
    note(loser->row, err.message);
    leave(loser);
    if (loser == champion) *champion = runner;
  } else if (!champion->plan) {
    *champion = runner;
  } else if (wins(&runner, champion)) {
    lose(champion, &runner);
    *champion = runner;
  } else {
    lose(&runner, champion);
  }
}

_Static_assert(sizeof((FvDeviceTiming *)0)->device == sizeof((FvDeviceInfo *)0)->id && sizeof((FvDeviceTiming *)0)->name == sizeof((FvDeviceInfo *)0)->name, "rows copy whole fields");

static void enlist(Contest *contest, int index) {
  const FvDeviceInfo *device = &contest->devices[index];
  FvDeviceTiming *row = &contest->table[index];
  memcpy(row->device, device->id, sizeof row->device);
  memcpy(row->name, device->name, sizeof row->name);
  if (device->usable)
    challenge(contest, device, row);
  else
    note(row, device->reason);
}

/* The CPU comes first; where it is fast enough no driver is opened. */
static void compete_all(Contest *contest) {
  fv_device_describe_cpu(&contest->devices[0]);
  contest->count = 1;
  enlist(contest, 0);
  contest->cpu_ms = contest->champion.best_ms;
  if (contest->champion.plan && !contest->thorough && contest->cpu_ms <= fast_enough_ms) return;
  contest->looked = true;
  contest->count = fv_devices_list(contest->devices, MAX_DEVICES);
  if (contest->count > MAX_DEVICES) contest->count = MAX_DEVICES;
  for (int i = 1; i < contest->count; i++) enlist(contest, i);
}

static void remember(const Contest *contest) {
  FvChoice choice = {.ms = (float)contest->champion.best_ms, .cpu_ms = (float)contest->cpu_ms};
  if (contest->fleeting || !fv_choice_key(contest->model, &contest->params, choice.key)) return;
  if (contest->looked) fv_choice_devices(contest->devices, contest->count, choice.devices);
  snprintf(choice.device, sizeof choice.device, "%s", contest->champion.row->device);
  fv_choice_remember(&choice);
}

/* A contest ended, with its champion's plan; free it with end(). */
static int hold(FvModel *model, const FvPlanParams *params, bool thorough, Contest **ret_contest, FvError *err) {
  Contest *contest = *ret_contest = calloc(1, sizeof *contest);
  if (!contest) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  contest->model = model;
  contest->params = *params;
  contest->params.flags &= ~(unsigned)FV_PLAN_PROFILE; /* its time stamps and barriers are not what is asked about */
  contest->thorough = thorough;
  compete_all(contest);
  Runner *champion = &contest->champion;
  if (!champion->plan) return fv_error_set(err, FV_ERR_DEVICE, "no device can run the model; cpu: %.300s", contest->table[0].reason);
  champion->row->chosen = true;
  champion->row->ms = champion->best_ms;
  note(champion->row, contest->count > 1 ? "the fastest" : "fast enough");
  remember(contest);
  return 0;
}

static void end(Contest *contest) {
  if (contest) leave(&contest->champion);
  free(contest);
}

static void explain(FvPlan *plan, double ms, double cpu_ms) {
  if (strcmp(plan->device_id, "cpu") == 0 || cpu_ms <= 0)
    snprintf(plan->choice, sizeof plan->choice, "%.1f ms a run", ms);
  else
    snprintf(plan->choice, sizeof plan->choice, "%.1f ms a run, cpu %.1f ms", ms, cpu_ms);
  fv_log(FV_LOG_INFO, "auto: %s, %s", plan->device_id, plan->choice);
}

static int measure(FvModel *model, const FvPlanParams *params, FvPlan **plan, FvError *err) {
  Contest *contest;
  int result = hold(model, params, false, &contest, err);
  if (result == 0 && params->flags & FV_PLAN_PROFILE)
    result = fv_plan_create_on(model, params, contest->champion.row->device, plan, err);
  else if (result == 0)
    *plan = fv_plan_ref(contest->champion.plan);
  if (result == 0) explain(*plan, contest->champion.best_ms, contest->cpu_ms);
  end(contest);
  return result;
}

static bool are_the_same(const FvChoice *choice) {
  static const uint8_t none[FV_CHOICE_KEY_BYTES];
  if (memcmp(choice->devices, none, sizeof none) == 0) return strcmp(choice->device, "cpu") == 0;
  FvDeviceInfo *devices = calloc(MAX_DEVICES, sizeof *devices);
  if (!devices) return false;
  int count = fv_devices_list(devices, MAX_DEVICES);
  uint8_t key[FV_CHOICE_KEY_BYTES];
  fv_choice_devices(devices, count < MAX_DEVICES ? count : MAX_DEVICES, key);
  free(devices);
  return memcmp(key, choice->devices, sizeof key) == 0;
}

/* True with the plan when an earlier measurement still stands and its device still works. */
static bool recall(FvModel *model, const FvPlanParams *params, FvPlan **plan) {
  FvChoice choice;
  FvError err;
  if (!fv_choice_key(model, params, choice.key) || !fv_choice_recall(choice.key, &choice) || !are_the_same(&choice)) return false;
  if (fv_plan_create_on(model, params, choice.device, plan, &err) < 0) {
    fv_log(FV_LOG_WARNING, "auto: %s was the fastest, but fails now (%s); measuring again", choice.device, err.message);
    return false;
  }
  explain(*plan, (double)choice.ms, (double)choice.cpu_ms);
  return true;
}

/* What no file stands for, such as the candidates of compression, is one of many and soon gone. */
static bool is_worth_measuring(const FvModel *model, const FvPlanParams *params) {
  return !(params->flags & FV_PLAN_NO_MEASURE) && *fv_model_sha256(model);
}

int fv_plan_choose(FvModel *model, const FvPlanParams *params, FvPlan **plan, FvError *err) {
  if (recall(model, params, plan)) return 0;
  if (!is_worth_measuring(model, params)) return fv_plan_create_on(model, params, "cpu", plan, err);
  pthread_mutex_lock(&measuring);
  int result = recall(model, params, plan) ? 0 : measure(model, params, plan, err);
  pthread_mutex_unlock(&measuring);
  return result;
}

int fv_devices_measure(FvModel *model, const FvPlanParams *params, FvDeviceTiming *table, int capacity, FvError *err) {
  static const FvPlanParams defaults;
  Contest *contest;
  if (!params) params = &defaults;
  int result = fv_plan_params_check(params, err);
  if (result < 0) return result;
  pthread_mutex_lock(&measuring);
  result = hold(model, params, true, &contest, err);
  int count = contest ? contest->count : 0;
  if (contest && capacity > 0) memcpy(table, contest->table, sizeof *table * (size_t)(count < capacity ? count : capacity));
  end(contest);
  pthread_mutex_unlock(&measuring);
  return result < 0 ? result : count;
}

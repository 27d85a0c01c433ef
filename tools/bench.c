/* fovea bench: how long a model takes to load and to run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "json.h"
#include "options.h"

static const char command[] = "bench";
enum { MAX_RUNS = 10000000 };

typedef struct Bench {
  FvModel *model;
  FvPlan *plan;
  FvSession *session;
  int runs, warmup;
  double load_ms;
  double *run_ms;   /* sorted after measuring */
  double *step_ms;  /* mean per step, with --profile */
} Bench;

static double now_ms(void) { return (double)g_get_monotonic_time() / 1000; }

/* Something that is not all zero, the same every time, so that no kernel meets denormals or an easy case. */
static void fill(const FvTensor *input) {
  int64_t count = fv_tensor_count(input);
  float *noise = g_new(float, MAX(count, 1));
  guint32 state = 1;
  for (int64_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    noise[i] = (float)(state >> 8) / (1 << 24);
  }
  FvTensor flat = *input;
  flat.dtype = FV_DTYPE_F32;
  flat.data = noise;
  fv_tensor_set_contiguous(&flat);
  fv_tensor_copy(input, &flat, NULL);
  g_free(noise);
}

/* Peak resident memory of this process in bytes; 0 where the system does not tell. */
static gint64 peak_memory(void) {
  char *status = NULL;
  gint64 bytes = 0;
  if (g_file_get_contents("/proc/self/status", &status, NULL, NULL)) {
    const char *line = strstr(status, "VmHWM:");
    if (line) bytes = g_ascii_strtoll(line + 6, NULL, 10) * 1024;
  }
  g_free(status);
  return bytes;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Nearest rank: the smallest time that at least `percent` of the runs did not exceed. */
static double percentile(const Bench *it, int percent) {
  int rank = (int)(((gint64)it->runs * percent + 99) / 100);
  return it->run_ms[MAX(rank, 1) - 1];
}

static int measure(Bench *it) {
  FvError err;
  int steps = fv_plan_info(it->plan).step_count;
  for (int i = 0; i < fv_session_input_count(it->session); i++)
    if (fv_session_input(it->session, i)) fill(fv_session_input(it->session, i));
  it->run_ms = g_new0(double, it->runs);
  it->step_ms = g_new0(double, steps + 1);
  for (int run = -it->warmup; run < it->runs; run++) {
    double before = now_ms();
    if (fv_session_run(it->session, &err) < 0) return fv_fail(command, "%s", err.message);
    if (run < 0) continue;
    it->run_ms[run] = now_ms() - before;
    for (int s = 0; s < steps; s++) it->step_ms[s] += (double)fv_session_step_ns(it->session, s) / 1e6 / it->runs;
  }
  qsort(it->run_ms, (size_t)it->runs, sizeof *it->run_ms, compare);
  return FV_EXIT_OK;
}

/* Steps by the time they take, longest first; g_free() it. */
static int *order_steps(const Bench *it, int count) {
  int *order = g_new(int, count + 1);
  for (int i = 0; i < count; i++) {
    int at = i;
    for (; at > 0 && it->step_ms[order[at - 1]] < it->step_ms[i]; at--) order[at] = order[at - 1];
    order[at] = i;
  }
  return order;
}

static double mean(const Bench *it) {
  double sum = 0;
  for (int i = 0; i < it->runs; i++) sum += it->run_ms[i];
  return sum / it->runs;
}

static void json_profile(FvJson *json, const Bench *it, int steps) {
  int *order = order_steps(it, steps);
  fv_json_open(json, "steps", '[');
  for (int i = 0; i < steps; i++) {
    FvStepInfo step = fv_plan_step(it->plan, order[i]);
    fv_json_open(json, NULL, '{');
    fv_json_int(json, "step", order[i]);
    fv_json_string(json, "name", step.name);
    fv_json_string(json, "operation", step.operation);
    fv_json_string(json, "kernel", step.kernel);
    fv_json_number(json, "ms", it->step_ms[order[i]], 4);
    fv_json_int(json, "macs", step.macs);
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
  g_free(order);
}

static void print_json(const Bench *it, bool profile) {
  FvPlanInfo info = fv_plan_info(it->plan);
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_string(&json, "model", fv_model_info(it->model).path);
  fv_json_string(&json, "device", info.device);
  fv_json_string(&json, "instructions", info.instructions);
  fv_json_string(&json, "precision", fv_precision_name(info.precision));
  fv_json_int(&json, "threads", info.threads);
  fv_json_int(&json, "runs", it->runs);
  fv_json_number(&json, "load_ms", it->load_ms, 3);
  fv_json_number(&json, "p50_ms", percentile(it, 50), 3);
  fv_json_number(&json, "p95_ms", percentile(it, 95), 3);
  fv_json_number(&json, "min_ms", it->run_ms[0], 3);
  fv_json_number(&json, "mean_ms", mean(it), 3);
  fv_json_int(&json, "macs", info.macs);
  fv_json_int(&json, "peak_memory_bytes", peak_memory());
  fv_json_int(&json, "weight_bytes", info.weight_bytes);
  fv_json_int(&json, "session_bytes", info.session_bytes);
  if (profile) json_profile(&json, it, info.step_count);
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_profile(const Bench *it, int steps) {
  int *order = order_steps(it, steps);
  double total = 0;
  for (int i = 0; i < steps; i++) total += it->step_ms[i];
  printf("\n%9s %6s %9s  %-28s %-32s %s\n", "ms", "share", "GMAC/s", "operation", "kernel", "name");
  for (int i = 0; i < steps; i++) {
    FvStepInfo step = fv_plan_step(it->plan, order[i]);
    double ms = it->step_ms[order[i]];
    printf("%9.3f %5.1f%% %9.2f  %-28s %-32s %s\n", ms, total > 0 ? 100 * ms / total : 0, ms > 0 ? (double)step.macs / ms / 1e6 : 0, step.operation, step.kernel, step.name);
  }
  g_free(order);
}

static void print_text(const Bench *it, bool profile) {
  FvPlanInfo info = fv_plan_info(it->plan);
  printf("%-8s %s\n", "model", fv_model_info(it->model).path);
  printf("%-8s %s (%s, %s), %d threads\n", "device", info.device, info.instructions, fv_precision_name(info.precision), info.threads);
  printf("%-8s %.1f ms\n", "load", it->load_ms);
  printf("%-8s p50 %.3f ms, p95 %.3f ms, min %.3f ms over %d runs (%.2f GMAC/s)\n", "run", percentile(it, 50), percentile(it, 95), it->run_ms[0], it->runs,
         it->run_ms[0] > 0 ? (double)info.macs / it->run_ms[0] / 1e6 : 0);
  printf("%-8s peak %.1f MiB, weights %.2f MiB, session %.2f MiB\n", "memory", (double)peak_memory() / 1048576, (double)info.weight_bytes / 1048576,
         (double)info.session_bytes / 1048576);
  if (profile) print_profile(it, info.step_count);
}

static int load(Bench *it, const FvModelOptions *options, const char *path, unsigned flags) {
  FvError err;
  double before = now_ms();
  int result = fv_model_options_open(options, command, path, &it->model);
  for (int i = 0; result == FV_EXIT_OK && i < fv_model_input_count(it->model); i++)
    if (fv_model_input_is_shape(it->model, i))
      result = fv_fail(command, "input '%s' decides shapes, which bench cannot make up", fv_model_input(it->model, i).name);
  if (result == FV_EXIT_OK) result = fv_model_options_plan(options, command, it->model, flags, NULL, 0, &it->plan);
  if (result == FV_EXIT_OK && fv_session_create(it->plan, &it->session, &err) < 0) result = fv_fail(command, "%s", err.message);
  it->load_ms = now_ms() - before;
  return result;
}

int fv_command_bench(int argc, char **argv) {
  FvModelOptions options = {0};
  Bench it = {.runs = 100, .warmup = 10};
  gboolean json = FALSE, profile = FALSE, reference = FALSE;
  const GOptionEntry entries[] = {
    {"runs", 0, 0, G_OPTION_ARG_INT, &it.runs, "Measured runs (default 100)", "N"},
    {"warmup", 0, 0, G_OPTION_ARG_INT, &it.warmup, "Runs before measuring (default 10)", "N"},
    {"profile", 0, 0, G_OPTION_ARG_NONE, &profile, "Also time every step, longest first", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
    FV_MODEL_OPTIONS(options),
    FV_DEVICE_OPTIONS(options),
    {"reference", 0, 0, G_OPTION_ARG_NONE, &reference, "Use reference kernels only: slow, for checking", NULL},
    {0}};
  const FvUsage usage = {command, "[MODEL]", "Measures load time, latency and memory on made-up input. Times are in milliseconds." FV_MODEL_ARGUMENT, 0, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK && (it.runs < 1 || it.runs > MAX_RUNS)) result = fv_fail_usage(command, "--runs must be 1 to %d, not %d", MAX_RUNS, it.runs);
  if (result == FV_EXIT_OK && (it.warmup < 0 || it.warmup > MAX_RUNS)) result = fv_fail_usage(command, "--warmup must be 0 to %d, not %d", MAX_RUNS, it.warmup);
  unsigned flags = (reference ? FV_PLAN_REFERENCE : 0) | (profile ? FV_PLAN_PROFILE : 0);
  if (result == FV_EXIT_OK) result = load(&it, &options, fv_model_argument(argc, argv), flags);
  if (result == FV_EXIT_OK) result = measure(&it);
  if (result == FV_EXIT_OK) (json ? print_json : print_text)(&it, profile);
  g_free(it.run_ms);
  g_free(it.step_ms);
  fv_session_destroy(&it.session);
  fv_plan_destroy(&it.plan);
  fv_model_destroy(&it.model);
  fv_model_options_finish(&options);
  return result;
}

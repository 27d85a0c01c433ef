/* fovea tune: finds the fastest shaders for a model's convolutions on a Vulkan device. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "json.h"
#include "options.h"
#include "progress.h"

static const char command[] = "tune";
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal) {
  (void)signal;
  interrupted = 1;
}

static int show(void *data, int done, int total) {
  FvProgress *progress = data;
  progress->total = total;
  fv_progress_show(progress, done);
  return !interrupted;
}

static void print_json(FvPlanInfo info, const FvTuning *tuning) {
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_string(&json, "device", info.device);
  fv_json_string(&json, "precision", fv_precision_name(info.precision));
  fv_json_int(&json, "layers", tuning->layers);
  fv_json_int(&json, "distinct", tuning->distinct);
  fv_json_int(&json, "changed", tuning->changed);
  fv_json_number(&json, "before_ms", tuning->before_ms, 3);
  fv_json_number(&json, "after_ms", tuning->after_ms, 3);
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_text(FvPlanInfo info, const FvTuning *tuning) {
  printf("%s, %s: %d convolutions, %d of them different: %d are faster in another way, %.2f ms become %.2f ms\n", info.device, fv_precision_name(info.precision), tuning->layers,
         tuning->distinct, tuning->changed, tuning->before_ms, tuning->after_ms);
}

static int tune(FvPlan *plan, gboolean json) {
  FvTuning tuning;
  FvProgress progress;
  FvError err;
  fv_progress_start(&progress, "steps", 0);
  signal(SIGINT, on_interrupt);
  int code = fv_plan_tune(plan, show, &progress, &tuning, &err);
  fv_progress_end(&progress);
  if (code < 0) return fv_fail(command, "%s", err.message);
  (json ? print_json : print_text)(fv_plan_info(plan), &tuning);
  return interrupted ? FV_EXIT_INTERRUPTED : FV_EXIT_OK;
}

int fv_command_tune(int argc, char **argv) {
  FvModelOptions options = {0};
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
    FV_MODEL_OPTIONS(options),
    FV_DEVICE_OPTIONS(options),
    {0}};
  const FvUsage usage = {command, "[MODEL]", "Times the ways in which a Vulkan device can compute each convolution and keeps the fastest for plans made from then on." FV_MODEL_ARGUMENT, 0, 1};
  FvModel *model = NULL;
  FvPlan *plan = NULL;
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK && !options.device) options.device = g_strdup("vulkan"); /* auto may be the CPU */
  if (result == FV_EXIT_OK) result = fv_model_options_open(&options, command, fv_model_argument(argc, argv), &model);
  if (result == FV_EXIT_OK) result = fv_model_options_plan(&options, command, model, 0, NULL, 0, &plan);
  if (result == FV_EXIT_OK) result = tune(plan, json);
  fv_plan_destroy(&plan);
  fv_model_destroy(&model);
  fv_model_options_finish(&options);
  return result;
}

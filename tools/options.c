#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fovea/limits.h>

#include "config.h"

static void complain(const char *command, const char *format, va_list args) {
  char *sentence = g_strdup_vprintf(format, args);
  fprintf(stderr, "fovea %s: %s\n", command, sentence);
  g_free(sentence);
}

int fv_fail(const char *command, const char *format, ...) {
  va_list args;
  va_start(args, format);
  complain(command, format, args);
  va_end(args);
  return FV_EXIT_FAILURE;
}

int fv_fail_usage(const char *command, const char *format, ...) {
  char *longer = g_strdup_printf("%s; see fovea %s --help", format, command);
  va_list args;
  va_start(args, format);
  complain(command, longer, args);
  va_end(args);
  g_free(longer);
  return FV_EXIT_USAGE;
}

static int check_arguments(const FvUsage *usage, int count, char **arguments) {
  if (count < usage->minimum) return fv_fail_usage(usage->command, "%s is missing", usage->arguments);
  if (usage->maximum >= 0 && count > usage->maximum) return fv_fail_usage(usage->command, "'%s' is one argument too many", arguments[usage->maximum]);
  return FV_EXIT_OK;
}

int fv_options_parse(const FvUsage *usage, const GOptionEntry *entries, const GOptionEntry *extra, int *argc, char ***argv) {
  GOptionContext *context = g_option_context_new(usage->arguments);
  GError *error = NULL;
  char *program = g_strdup_printf("fovea %s", usage->command);
  g_set_prgname(program); /* in the usage line of --help */
  g_free(program);
  g_option_context_set_summary(context, usage->summary);
  if (entries) g_option_context_add_main_entries(context, entries, NULL);
  if (extra) g_option_context_add_main_entries(context, extra, NULL);
  int result = FV_EXIT_OK;
  if (!g_option_context_parse(context, argc, argv, &error)) {
    error->message[0] = g_ascii_tolower(error->message[0]);
    result = fv_fail_usage(usage->command, "%s", error->message);
    g_error_free(error);
  } else {
    if (*argc > 1 && strcmp((*argv)[1], "--") == 0) { /* GOption leaves it standing */
      (*argv)[1] = (*argv)[0];
      (*argv)++;
      (*argc)--;
    }
    result = check_arguments(usage, *argc - 1, *argv + 1);
  }
  g_option_context_free(context);
  return result;
}

const char *fv_model_argument(int argc, char **argv) { return argc > 1 ? argv[1] : NULL; }

void fv_model_options_finish(FvModelOptions *options) {
  g_free(options->config);
  g_free(options->labels);
  g_free(options->device);
  g_free(options->precision);
  g_free(options->signature);
  g_free(options->trusted_keys);
  g_strfreev(options->input_shapes);
  *options = (FvModelOptions){0};
}

bool fv_shape_parse(char *text, FvInputShape *shape) {
  char *equals = strrchr(text, '='), *at = equals ? equals + 1 : text;
  *shape = (FvInputShape){0};
  if (equals) {
    *equals = '\0';
    shape->name = text;
  }
  while (shape->rank < FV_MAX_RANK && g_ascii_isdigit(*at)) {
    guint64 dim = g_ascii_strtoull(at, &at, 10);
    if (dim > FV_MAX_DIM) return false;
    shape->dims[shape->rank++] = (int64_t)dim;
    if (*at == '\0') return true;
    if (*at != 'x' && *at != ',') return false;
    at++;
  }
  return false;
}

int fv_model_options_check(const FvModelOptions *options, const char *command) {
  if (options->threads < 0 || options->threads > FV_MAX_THREADS)
    return fv_fail_usage(command, "--threads must be 0 (one per core) to %d, not %d", FV_MAX_THREADS, options->threads);
  if (options->device != NULL && !fv_config_device_is_valid(options->device))
    return fv_fail_usage(command, "--device '%s' is unknown; it is one of auto, cpu, vulkan, vulkan:N, vulkan:NAME", options->device);
  if (options->precision && fv_precision_from_name(options->precision) < 0)
    return fv_fail_usage(command, "--precision '%s' is unknown; it is one of auto, fp32, fp16, fp16-arithmetic", options->precision);
  if (!options->signature || fv_signature_policy_from_name(options->signature) >= 0) return FV_EXIT_OK;
  return fv_fail_usage(command, "--signature '%s' is not off, warn or require", options->signature);
}

int fv_model_options_open(const FvModelOptions *options, const char *command, const char *path, FvModel **model) {
  int count = options->input_shapes ? (int)g_strv_length(options->input_shapes) : 0, result = fv_model_options_check(options, command);
  FvInputShape *shapes = g_new0(FvInputShape, count + 1);
  char **texts = g_strdupv(options->input_shapes);
  FvError err;
  for (int i = 0; i < count && result == FV_EXIT_OK; i++)
    if (!fv_shape_parse(texts[i], &shapes[i]))
      result = fv_fail_usage(command, "--input-shape '%s' is not like input=1x3x320x320", options->input_shapes[i]);
  FvModelParams params = {.config = options->config, .labels = options->labels, .input_shapes = shapes, .input_shape_count = count,
                          .trusted_keys = options->trusted_keys};
  if (result == FV_EXIT_OK && options->signature) params.signature = (FvSignaturePolicy)fv_signature_policy_from_name(options->signature);
  if (result == FV_EXIT_OK && fv_model_open(path, &params, model, &err) < 0) result = fv_fail(command, "%s", err.message);
  g_strfreev(texts);
  g_free(shapes);
  return result;
}

int fv_model_expect_detector(const char *command, const FvModel *model) {
  FvFamily family = fv_model_description(model)->family;
  if (family == FV_FAMILY_NONE) return fv_fail(command, "%s", fv_model_describe_error(model));
  if (family == FV_FAMILY_EMBEDDING)
    return fv_fail(command, "%s gives feature vectors and finds no objects; use a detector or a classifier", fv_model_info(model).path);
  return FV_EXIT_OK;
}

int fv_model_options_plan(const FvModelOptions *options, const char *command, FvModel *model, unsigned flags, const FvNamedTensor *constants,
                          int constant_count, FvPlan **plan) {
  FvError err;
  FvPlanParams params = {.device = options->device, .threads = options->threads, .flags = flags, .constants = constants, .constant_count = constant_count};
  if (options->precision) params.precision = (FvPrecision)fv_precision_from_name(options->precision);
  int code = fv_plan_create(model, &params, plan, &err);
  if (code == FV_ERR_INVALID) return fv_fail_usage(command, "%s", err.message);
  return code < 0 ? fv_fail(command, "%s", err.message) : FV_EXIT_OK;
}

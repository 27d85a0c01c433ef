/* fovea inspect: what a model is, and how it would run. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "container_text.h"
#include "json.h"
#include "options.h"

enum { MAX_OPERATORS = 256 };

typedef struct Inspection {
  FvModel *model;
  FvPlan *plan;
  FvSession *session;      /* knows the shapes of inputs and outputs; NULL where shape inputs were not given */
  const FvContainerInfo *container; /* NULL: not a .fovea file */
  const char *plan_error;  /* why there is no plan */
  gboolean layers;         /* what operators take in the file, instead of the steps of the plan */
} Inspection;

static const char *resize_name(FvResize resize) {
  static const char *const names[] = {"stretch", "letterbox", "letterbox-top-left", "center-crop"};
  return (unsigned)resize < G_N_ELEMENTS(names) ? names[resize] : "unknown";
}

static const char *channels_name(FvChannelOrder order) {
  static const char *const names[] = {"rgb", "bgr", "gray"};
  return (unsigned)order < G_N_ELEMENTS(names) ? names[order] : "unknown";
}

/* Shapes as planned where there is a plan: open dimensions are then fixed. */
static FvValueInfo value_info(const Inspection *it, bool input, int index) {
  FvValueInfo info = input ? fv_model_input(it->model, index) : fv_model_output(it->model, index);
  const FvTensor *tensor = !it->session ? NULL : input ? fv_session_input(it->session, index) : fv_session_output(it->session, index);
  if (tensor) {
    info.dtype = tensor->dtype;
    info.rank = tensor->rank;
    memcpy(info.dims, tensor->dims, sizeof info.dims);
  }
  return info;
}

static char *shape_text(FvDtype dtype, int rank, const int64_t *dims) {
  GString *text = g_string_new(fv_dtype_name(dtype));
  g_string_append_c(text, '[');
  for (int d = 0; d < rank; d++) {
    if (d) g_string_append_c(text, ',');
    if (dims[d] < 0)
      g_string_append_c(text, '?');
    else
      g_string_append_printf(text, "%lld", (long long)dims[d]);
  }
  g_string_append(text, rank < 0 ? "?]" : "]");
  return g_string_free(text, FALSE);
}

static void json_values(FvJson *json, const Inspection *it, bool input) {
  int count = input ? fv_model_input_count(it->model) : fv_model_output_count(it->model);
  fv_json_open(json, input ? "inputs" : "outputs", '[');
  for (int i = 0; i < count; i++) {
    FvValueInfo info = value_info(it, input, i);
    fv_json_open(json, NULL, '{');
    fv_json_string(json, "name", info.name);
    fv_json_string(json, "dtype", fv_dtype_name(info.dtype));
    fv_json_ints(json, "shape", info.dims, MAX(info.rank, 0));
    if (input) fv_json_bool(json, "is_shape", fv_model_input_is_shape(it->model, i));
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
}

static const char *activation_name(FvActivationKind kind) {
  static const char *const names[] = {"none", "sigmoid", "softmax"};
  return names[kind];
}

static void json_labels(FvJson *json, const FvDescription *description) {
  char scratch[32];
  fv_json_open(json, "labels", '[');
  for (int label = 0; label < description->class_count; label++) fv_json_string(json, NULL, fv_description_label(description, label, scratch));
  fv_json_close(json, ']');
}

static void json_description(FvJson *json, const FvModel *model) {
  const FvDescription *description = fv_model_description(model);
  const FvPreprocess *pre = &description->preprocess;
  fv_json_string(json, "family", fv_family_name(description->family));
  if (description->family == FV_FAMILY_NONE) {
    fv_json_string(json, "family_error", fv_model_describe_error(model));
    return;
  }
  fv_json_string(json, "description_source", description->source);
  fv_json_int(json, "classes", description->class_count);
  json_labels(json, description);
  fv_json_string(json, "score_activation", activation_name(description->head.score_activation));
  fv_json_number(json, "threshold", description->threshold, 4);
  fv_json_number(json, "iou_threshold", description->iou_threshold, 4);
  fv_json_open(json, "preprocess", '{');
  fv_json_int(json, "width", pre->width);
  fv_json_int(json, "height", pre->height);
  fv_json_string(json, "resize", resize_name(pre->resize));
  fv_json_int(json, "pad_value", pre->pad_value);
  fv_json_string(json, "channels", channels_name(pre->channels));
  fv_json_numbers(json, "mean", (double[]){pre->mean[0], pre->mean[1], pre->mean[2]}, 3, 7);
  fv_json_numbers(json, "scale", (double[]){pre->scale[0], pre->scale[1], pre->scale[2]}, 3, 7);
  fv_json_close(json, '}');
}

static void json_plan(FvJson *json, const Inspection *it) {
  if (!it->plan) {
    fv_json_string(json, "plan_error", it->plan_error);
    return;
  }
  FvPlanInfo info = fv_plan_info(it->plan);
  fv_json_string(json, "device", info.device);
  fv_json_string(json, "device_choice", info.choice);
  fv_json_string(json, "instructions", info.instructions);
  fv_json_string(json, "precision", fv_precision_name(info.precision));
  fv_json_int(json, "threads", info.threads);
  fv_json_int(json, "macs", info.macs);
  fv_json_int(json, "weight_bytes", info.weight_bytes);
  fv_json_int(json, "session_bytes", info.session_bytes);
  fv_json_int(json, "staging_bytes", info.staging_bytes);
  fv_json_open(json, "steps", '[');
  for (int i = 0; i < info.step_count; i++) {
    FvStepInfo step = fv_plan_step(it->plan, i);
    fv_json_open(json, NULL, '{');
    fv_json_string(json, "name", step.name);
    fv_json_string(json, "operation", step.operation);
    fv_json_string(json, "kernel", step.kernel);
    fv_json_string(json, "dtype", fv_dtype_name(step.output.dtype));
    fv_json_ints(json, "shape", step.output.dims, step.output.rank);
    fv_json_ints(json, "strides", step.output.strides, step.output.rank);
    fv_json_int(json, "macs", step.macs);
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
}

static void print_json(const Inspection *it) {
  FvModelInfo info = fv_model_info(it->model);
  FvOperatorCount operators[MAX_OPERATORS];
  int count = MIN(fv_model_operators(it->model, operators, MAX_OPERATORS), MAX_OPERATORS);
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_string(&json, "path", info.path);
  fv_json_string(&json, "format", info.format);
  fv_json_string(&json, "producer", info.producer);
  fv_json_int(&json, "opset", info.opset);
  fv_json_int(&json, "file_bytes", info.file_bytes);
  fv_json_string(&json, "sha256", fv_model_sha256(it->model));
  fv_json_int(&json, "parameters", info.parameters);
  fv_json_int(&json, "nodes", info.node_count);
  json_values(&json, it, true);
  json_values(&json, it, false);
  json_description(&json, it->model);
  fv_json_open(&json, "operators", '{');
  for (int i = 0; i < count; i++) fv_json_int(&json, operators[i].name, operators[i].count);
  fv_json_close(&json, '}');
  if (it->container) {
    fv_container_json(&json, it->container);
    fv_layers_json(&json, it->model);
  }
  json_plan(&json, it);
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_values(const Inspection *it, bool input) {
  int count = input ? fv_model_input_count(it->model) : fv_model_output_count(it->model);
  for (int i = 0; i < count; i++) {
    FvValueInfo info = value_info(it, input, i);
    char *shape = shape_text(info.dtype, info.rank, info.dims);
    printf("%-12s %s %s%s\n", i ? "" : input ? "inputs" : "outputs", info.name, shape,
           input && fv_model_input_is_shape(it->model, i) ? " (decides shapes: needed at load)" : "");
    g_free(shape);
  }
}

static void print_description(const FvModel *model) {
  const FvDescription *description = fv_model_description(model);
  const FvPreprocess *pre = &description->preprocess;
  if (description->family == FV_FAMILY_NONE) {
    printf("%-12s none: %s\n", "family", fv_model_describe_error(model));
    return;
  }
  printf("%-12s %s, %d classes, threshold %.2f, IoU threshold %.2f (description from %s)\n", "family", fv_family_name(description->family),
         description->class_count, description->threshold, description->iou_threshold, description->source);
  printf("%-12s %dx%d %s, %s, pad %d, mean %g %g %g, scale %.6g %.6g %.6g\n", "preprocess", pre->width, pre->height, resize_name(pre->resize),
         channels_name(pre->channels), pre->pad_value, pre->mean[0], pre->mean[1], pre->mean[2], pre->scale[0], pre->scale[1], pre->scale[2]);
}

static void print_operators(const FvModel *model) {
  FvOperatorCount operators[MAX_OPERATORS];
  int count = MIN(fv_model_operators(model, operators, MAX_OPERATORS), MAX_OPERATORS);
  printf("%-12s", "operators");
  for (int i = 0; i < count; i++) printf("%s %s %d", i ? "," : "", operators[i].name, operators[i].count);
  printf("\n");
}

static void print_plan(const Inspection *it) {
  if (!it->plan) {
    printf("%-12s none: %s\n", "plan", it->plan_error);
    return;
  }
  FvPlanInfo info = fv_plan_info(it->plan);
  printf("%-12s %.1f million multiply-accumulates a run\n", "work", (double)info.macs / 1e6);
  printf("%-12s %lld bytes of weights shared by all sessions, %lld bytes a session", "memory", (long long)info.weight_bytes, (long long)info.session_bytes);
  if (info.staging_bytes) printf(" (%lld of them to and from the device)", (long long)info.staging_bytes);
  printf("\n%-12s %s (%s, %s), %d threads, %d steps", "device", info.device, info.instructions, fv_precision_name(info.precision), info.threads, info.step_count);
  if (*info.choice) printf("; auto knows: %s", info.choice);
  printf("\n\n");
  printf("%4s  %-28s %-32s %-22s %9s  %s\n", "step", "operation", "kernel", "output", "MMAC", "name");
  for (int i = 0; i < info.step_count; i++) {
    FvStepInfo step = fv_plan_step(it->plan, i);
    char *shape = shape_text(step.output.dtype, step.output.rank, step.output.dims);
    printf("%4d  %-28s %-32s %-22s %9.2f  %s\n", i, step.operation, step.kernel, shape, (double)step.macs / 1e6, step.name);
    g_free(shape);
  }
}

static void print_text(const Inspection *it) {
  FvModelInfo info = fv_model_info(it->model);
  printf("%-12s %s (%s, opset %d%s%s)\n", "model", info.path, info.format, info.opset, info.producer && *info.producer ? ", from " : "",
         info.producer ? info.producer : "");
  printf("%-12s %.2f MiB, %lld parameters, %d operators\n", "size", (double)info.file_bytes / 1048576, (long long)info.parameters, info.node_count);
  print_values(it, true);
  print_values(it, false);
  print_description(it->model);
  print_operators(it->model);
  if (it->container) fv_container_print(it->container);
  if (it->layers)
    fv_layers_print(it->model);
  else
    print_plan(it);
}

int fv_command_inspect(int argc, char **argv) {
  FvModelOptions options = {0};
  gboolean json = FALSE, layers = FALSE, reference = FALSE;
  const GOptionEntry entries[] = {
    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
    {"layers", 0, 0, G_OPTION_ARG_NONE, &layers, "Of a .fovea file: bytes, bits per weight and coder of every operator, instead of the plan", NULL},
    FV_MODEL_OPTIONS(options),
    FV_DEVICE_OPTIONS(options),
    {"reference", 0, 0, G_OPTION_ARG_NONE, &reference, "Use reference kernels only: slow, for checking", NULL},
    {0}};
  const FvUsage usage = {"inspect", "[MODEL]", "Shows inputs, outputs, family, operators, parameters, work, memory and the kernel of every step." FV_MODEL_ARGUMENT, 0, 1};
  FvError err;
  Inspection it = {0};
  FvContainerInfo container = {0};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) result = fv_model_options_open(&options, usage.command, fv_model_argument(argc, argv), &it.model);
  it.layers = layers;
  if (result == FV_EXIT_OK && strcmp(fv_model_info(it.model).format, "fovea") == 0) {
    it.container = &container;
    if (fv_container_verify(fv_model_info(it.model).path, options.trusted_keys, &container, &err) < 0) result = fv_fail(usage.command, "%s", err.message);
  }
  if (result == FV_EXIT_OK) {
    FvPlanParams params = {.device = options.device, .threads = options.threads, .flags = FV_PLAN_NO_MEASURE | (reference ? FV_PLAN_REFERENCE : 0)};
    if (options.precision) params.precision = (FvPrecision)fv_precision_from_name(options.precision);
    int code = fv_plan_create(it.model, &params, &it.plan, &err);
    if (code == FV_ERR_DEVICE) result = fv_fail(usage.command, "%s", err.message); /* what was asked for, not the model */
    it.plan_error = code < 0 ? err.message : NULL;
    FvError ignored;
    if (it.plan) fv_session_create(it.plan, &it.session, &ignored);
  }
  if (result == FV_EXIT_OK) (json ? print_json : print_text)(&it);
  fv_container_info_finish(&container);
  fv_session_destroy(&it.session);
  fv_plan_destroy(&it.plan);
  fv_model_destroy(&it.model);
  fv_model_options_finish(&options);
  return result;
}

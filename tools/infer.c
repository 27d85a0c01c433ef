/* fovea infer: tensors in, tensors out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "json.h"
#include "options.h"

static const char command[] = "infer";

typedef struct Inference {
  FvModel *model;
  FvPlan *plan;
  FvSession *session;
  FvTensor *given;  /* one per model input; data NULL: not given */
  int input_count;
} Inference;

/* "NAME=file.npy" names an input when such a one exists; else the whole text is a file for the first input without one. */
static int find_input(const Inference *it, const char *text, const char **path) {
  for (int i = 0; i < it->input_count; i++) {
    const char *name = fv_model_input(it->model, i).name;
    size_t length = strlen(name);
    if (strncmp(text, name, length) == 0 && text[length] == '=') {
      *path = text + length + 1;
      return i;
    }
  }
  *path = text;
  for (int i = 0; i < it->input_count; i++)
    if (!it->given[i].data) return i;
  return -1;
}

static char *input_names(const Inference *it) {
  GString *names = g_string_new(NULL);
  for (int i = 0; i < it->input_count; i++) g_string_append_printf(names, "%s'%s'", i ? ", " : "", fv_model_input(it->model, i).name);
  return g_string_free(names, FALSE);
}

static int unknown_input(const Inference *it, const char *text) {
  char *names = input_names(it);
  const char *equals = strchr(text, '=');
  int result = equals ? fv_fail(command, "there is no input '%.*s'; the model has %s", (int)(equals - text), text, names)
                      : fv_fail(command, "%s: the model has no input left for it; it has %s", text, names);
  g_free(names);
  return result;
}

static int read_input(Inference *it, const char *text) {
  const char *path;
  FvError err;
  int index = find_input(it, text, &path);
  bool named = path != text;
  if (index < 0 || (!named && strchr(text, '=') && !g_file_test(text, G_FILE_TEST_EXISTS))) return unknown_input(it, text);
  FvValueInfo info = fv_model_input(it->model, index);
  if (it->given[index].data) return fv_fail(command, "input '%s' is given twice", info.name);
  if (fv_npy_read(path, &it->given[index], &err) < 0) return fv_fail(command, "%s", err.message);
  if (it->given[index].dtype != info.dtype)
    return fv_fail(command, "%s: input '%s' takes %s, but the file holds %s; convert it first", path, info.name, fv_dtype_name(info.dtype),
                   fv_dtype_name(it->given[index].dtype));
  return FV_EXIT_OK;
}

static int read_inputs(Inference *it, char **texts) {
  it->input_count = fv_model_input_count(it->model);
  it->given = g_new0(FvTensor, it->input_count + 1);
  int result = FV_EXIT_OK;
  for (int i = 0; texts && texts[i] && result == FV_EXIT_OK; i++) result = read_input(it, texts[i]);
  for (int i = 0; i < it->input_count && result == FV_EXIT_OK; i++)
    if (!it->given[i].data) result = fv_fail(command, "input '%s' is missing; give it with --input %s=FILE.npy", fv_model_input(it->model, i).name, fv_model_input(it->model, i).name);
  return result;
}

/* Inputs that decide shapes go into the plan. */
static int make_session(Inference *it, const FvModelOptions *options, unsigned flags) {
  FvNamedTensor *constants = g_new0(FvNamedTensor, it->input_count + 1);
  int count = 0;
  FvError err;
  for (int i = 0; i < it->input_count; i++)
    if (fv_model_input_is_shape(it->model, i)) constants[count++] = (FvNamedTensor){fv_model_input(it->model, i).name, it->given[i]};
  int result = fv_model_options_plan(options, command, it->model, flags, constants, count, &it->plan);
  if (result == FV_EXIT_OK && fv_session_create(it->plan, &it->session, &err) < 0) result = fv_fail(command, "%s", err.message);
  g_free(constants);
  return result;
}

static int fill_input(const Inference *it, int index) {
  const FvTensor *to = fv_session_input(it->session, index), *from = &it->given[index];
  FvError err;
  if (!to) return FV_EXIT_OK; /* a constant of the plan */
  if (to->rank != from->rank || memcmp(to->dims, from->dims, sizeof to->dims[0] * (size_t)to->rank) != 0) {
    char wanted[160], got[160];
    return fv_fail(command, "input '%s' is %s, but the file holds %s; --input-shape changes what it is", fv_session_input_name(it->session, index),
                   fv_tensor_describe(to, wanted, sizeof wanted), fv_tensor_describe(from, got, sizeof got));
  }
  return fv_tensor_copy(to, from, &err) < 0 ? fv_fail(command, "%s", err.message) : FV_EXIT_OK;
}

static char *output_path(const char *directory, const char *name) {
  char *safe = g_strdup(name), *file, *path;
  for (char *c = safe; *c; c++)
    if (!g_ascii_isalnum(*c) && !strchr("_.-", *c)) *c = '_';
  file = g_strconcat(safe, ".npy", NULL);
  path = g_build_filename(directory, file, NULL);
  g_free(file);
  g_free(safe);
  return path;
}

/* Before anything is written: no two outputs may share a file. */
static int check_paths(const Inference *it, char **paths) {
  for (int i = 0; paths[i]; i++)
    for (int k = 0; k < i; k++)
      if (strcmp(paths[i], paths[k]) == 0)
        return fv_fail(command, "outputs '%s' and '%s' would both be written to %s", fv_session_output_name(it->session, k),
                       fv_session_output_name(it->session, i), paths[i]);
  return FV_EXIT_OK;
}

static void print_text(const Inference *it, char **paths) {
  char text[160];
  for (int i = 0; paths[i]; i++)
    printf("%s %s -> %s\n", fv_session_output_name(it->session, i), fv_tensor_describe(fv_session_output(it->session, i), text, sizeof text), paths[i]);
}

static void print_json(const Inference *it, char **paths) {
  FvPlanInfo plan = fv_plan_info(it->plan);
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_string(&json, "model", fv_model_info(it->model).path);
  fv_json_string(&json, "device", plan.device);
  fv_json_int(&json, "threads", plan.threads);
  fv_json_open(&json, "outputs", '[');
  for (int i = 0; paths[i]; i++) {
    const FvTensor *output = fv_session_output(it->session, i);
    fv_json_open(&json, NULL, '{');
    fv_json_string(&json, "name", fv_session_output_name(it->session, i));
    fv_json_string(&json, "dtype", fv_dtype_name(output->dtype));
    fv_json_ints(&json, "shape", output->dims, output->rank);
    fv_json_string(&json, "file", paths[i]);
    fv_json_close(&json, '}');
  }
  fv_json_close(&json, ']');
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static int write_outputs(const Inference *it, const char *directory, bool json) {
  int count = fv_session_output_count(it->session);
  char **paths = g_new0(char *, count + 1);
  FvError err;
  for (int i = 0; i < count; i++) paths[i] = output_path(directory, fv_session_output_name(it->session, i));
  int result = check_paths(it, paths);
  for (int i = 0; i < count && result == FV_EXIT_OK; i++) {
    if (fv_npy_write(paths[i], fv_session_output(it->session, i), &err) < 0) result = fv_fail(command, "%s", err.message);
  }
  if (result == FV_EXIT_OK) (json ? print_json : print_text)(it, paths);
  g_strfreev(paths);
  return result;
}

static int run(Inference *it, const FvModelOptions *options, unsigned flags, const char *directory, bool json) {
  FvError err;
  int result = make_session(it, options, flags);
  for (int i = 0; i < it->input_count && result == FV_EXIT_OK; i++) result = fill_input(it, i);
  if (result != FV_EXIT_OK) return result;
  if (fv_session_run(it->session, &err) < 0) return fv_fail(command, "%s", err.message);
  if (g_mkdir_with_parents(directory, 0777) < 0) return fv_fail(command, "%s: %s", directory, g_strerror(errno));
  return write_outputs(it, directory, json);
}

int fv_command_infer(int argc, char **argv) {
  FvModelOptions options = {0};
  char **inputs = NULL, *directory = NULL;
  gboolean reference = FALSE, json = FALSE;
  const GOptionEntry entries[] = {
    {"input", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &inputs, "Value of an input; repeatable. Without NAME: of the next input without one", "[NAME=]FILE.npy"},
    {"output-dir", 'o', 0, G_OPTION_ARG_FILENAME, &directory, "Where outputs are written, made if missing (default .)", "DIR"},
    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL},
    FV_MODEL_OPTIONS(options),
    FV_DEVICE_OPTIONS(options),
    {"reference", 0, 0, G_OPTION_ARG_NONE, &reference, "Use reference kernels only: slow, for checking", NULL},
    {0}};
  const FvUsage usage = {command, "MODEL",
                         "Runs a model once on tensors from .npy files. Every output becomes DIR/<output>.npy; characters of its name\n"
                         "other than letters, digits, '_', '.' and '-' become '_'.", 1, 1};
  Inference it = {0};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) result = fv_model_options_open(&options, command, argv[1], &it.model);
  if (result == FV_EXIT_OK) result = read_inputs(&it, inputs);
  if (result == FV_EXIT_OK) result = run(&it, &options, FV_PLAN_NO_MEASURE | (reference ? FV_PLAN_REFERENCE : 0), directory ? directory : ".", json);
  for (int i = 0; i < it.input_count; i++) fv_tensor_release(&it.given[i]);
  g_free(it.given);
  fv_session_destroy(&it.session);
  fv_plan_destroy(&it.plan);
  fv_model_destroy(&it.model);
  fv_model_options_finish(&options);
  g_strfreev(inputs);
  g_free(directory);
  return result;
}

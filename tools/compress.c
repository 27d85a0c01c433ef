/* fovea compress: a model into one .fovea file. */
#include <stdio.h>
#include <string.h>

#include <fovea/container.h>

#include "commands.h"
#include "options.h"

static const char command[] = "compress";

typedef struct Compression {
  FvModelOptions model;
  char *output, *weights, *entropy, *sign_key;
  gboolean encrypt;
} Compression;

static int parse_weights(const Compression *it, FvWeightKind *kind) {
  const char *name = it->weights ? it->weights : "fp32";
  *kind = strcmp(name, "fp16") == 0 ? FV_WEIGHTS_F16 : FV_WEIGHTS_F32;
  if (*kind == FV_WEIGHTS_F16 || strcmp(name, "fp32") == 0) return FV_EXIT_OK;
  return fv_fail_usage(command, "--weights '%s' is not available: there is fp32 (as it is) and fp16 (half the bytes)", name);
}

static int check_entropy(const Compression *it) {
  GString *names = g_string_new("auto");
  bool known = !it->entropy || strcmp(it->entropy, "auto") == 0;
  for (int i = 0; fv_entropy_coder(i); i++) {
    g_string_append_printf(names, ", %s", fv_entropy_coder(i));
    known = known || strcmp(it->entropy, fv_entropy_coder(i)) == 0;
  }
  int result = known ? FV_EXIT_OK : fv_fail_usage(command, "--entropy '%s' is not available: there is %s", it->entropy, names->str);
  g_string_free(names, TRUE);
  return result;
}

/* The command line as it would be typed again, for the provenance. */
static char *command_line(int argc, char **argv) {
  GString *line = g_string_new("fovea");
  for (int i = 0; i < argc; i++) {
    bool plain = *argv[i] != '\0' && strspn(argv[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+-@%") == strlen(argv[i]);
    char *quoted = plain ? g_strdup(argv[i]) : g_shell_quote(argv[i]);
    g_string_append_printf(line, " %s", quoted);
    g_free(quoted);
  }
  return g_string_free(line, FALSE);
}

static int write_file(const Compression *it, const FvModel *model, const FvContainerParams *params) {
  FvError err;
  FvContainerInfo info;
  if (fv_container_write(model, it->output, params, &err) < 0) return fv_fail(command, "%s", err.message);
  if (fv_container_verify(it->output, it->model.trusted_keys, &info, &err) < 0) return fv_fail(command, "%s", err.message);
  FvModelInfo source = fv_model_info(model);
  printf("%s: %lld bytes, %.2f times smaller than %s%s\n", it->output, (long long)info.file_bytes, (double)source.file_bytes / (double)info.file_bytes,
         source.path, info.signature == FV_SIGNATURE_NONE ? ", not signed" : ", signed");
  fv_container_info_finish(&info);
  return FV_EXIT_OK;
}

static int run(const Compression *it, const char *path, const char *line) {
  FvModel *model = NULL;
  FvContainerParams params = {.entropy = it->entropy, .sign_key = it->sign_key, .encrypt = it->encrypt, .command = line};
  int result = it->output ? parse_weights(it, &params.weights) : fv_fail_usage(command, "-o OUT.fovea is missing");
  if (result == FV_EXIT_OK) result = check_entropy(it);
  if (result == FV_EXIT_OK) result = fv_model_options_open(&it->model, command, path, &model);
  if (result == FV_EXIT_OK && strcmp(fv_model_info(model).format, "fovea") == 0)
    result = fv_fail(command, "%s is a .fovea file already: begin with the ONNX file that it was made from", path);
  if (result == FV_EXIT_OK) result = write_file(it, model, &params);
  fv_model_destroy(&model);
  return result;
}

int fv_command_compress(int argc, char **argv) {
  Compression it = {0};
  const GOptionEntry entries[] = {
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &it.output, "File to write; one that is there is replaced", "OUT.fovea"},
    {"weights", 0, 0, G_OPTION_ARG_STRING, &it.weights, "fp32, or fp16 for weights of convolutions and matrix products (default fp32)", "KIND"},
    {"entropy", 0, 0, G_OPTION_ARG_STRING, &it.entropy, "none, huffman, rans … or auto, the smallest that decodes quickly (default auto)", "CODER"},
    {"sign", 0, 0, G_OPTION_ARG_FILENAME, &it.sign_key, "Sign with this key, see fovea keygen", "NAME.key"},
    {"encrypt", 0, 0, G_OPTION_ARG_NONE, &it.encrypt, "Encrypt graph, weights and description with the key in $FOVEA_MODEL_KEY_FILE or $FOVEA_MODEL_KEY", NULL},
    FV_MODEL_OPTIONS(it.model),
    {0}};
  const FvUsage usage = {command, "MODEL.onnx",
                         "Writes a model, what its outputs mean and its class names into one file that is verified before it is used.\n"
                         "Everything that takes an ONNX file takes the result.", 1, 1};
  char *line = command_line(argc, argv);
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) result = run(&it, argv[1], line);
  fv_model_options_finish(&it.model);
  g_free(line);
  g_free(it.output);
  g_free(it.weights);
  g_free(it.entropy);
  g_free(it.sign_key);
  return result;
}

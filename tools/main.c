/* The `fovea` command: finds the subcommand. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <fovea/version.h>

#include "commands.h"
#include "nearest.h"
#include "options.h"

static const struct {
  const char *name, *summary;
  int (*run)(int argc, char **argv);
} commands[] = {
  {"detect", "find objects in a picture or video", fv_command_detect},
  {"run", "run the cameras of a YAML file", fv_command_run},
  {"check", "say what is wrong with a YAML file, or print it as gst-launch-1.0 lines", fv_command_check},
  {"infer", "run a model on tensors from .npy files", fv_command_infer},
  {"inspect", "show what a model is: inputs, outputs, operators, memory, kernels", fv_command_inspect},
  {"eval", "measure a detector's mAP on annotated pictures", fv_command_eval},
  {"bench", "measure load time, latency and memory of a model", fv_command_bench},
  {"tune", "find the fastest shaders for a model on a Vulkan device, and keep them", fv_command_tune},
  {"compress", "write a model into one .fovea file", fv_command_compress},
  {"keygen", "make a key to sign models with", fv_command_keygen},
  {"sign", "sign a .fovea file", fv_command_sign},
  {"verify", "check a .fovea file and its signature", fv_command_verify},
  {"spool", "look into what waits on disk for the network", fv_command_spool},
  {"devices", "list the devices that models can run on", fv_command_devices},
};

static void print_help(FILE *to) {
  fprintf(to, "Usage: fovea COMMAND [OPTION…]\n\nReal-time video analytics: detectors on cameras, clips and pictures.\n\nCommands:\n");
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
  fprintf(to, "\n  --help    this text; fovea COMMAND --help tells the options of one\n  --version\n");
}

static int unknown(const char *name) {
  const char *names[G_N_ELEMENTS(commands) + 1] = {NULL};
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) names[i] = commands[i].name;
  fprintf(stderr, "fovea: there is no command '%s'%s; see fovea --help\n", name, fv_did_you_mean(name, names));
  return FV_EXIT_USAGE;
}

/* SOURCE/folder, of the tree that the program was built in, is where to look unless the environment says otherwise. */
static void use_folder(const char *tools, const char *folder, const char *variable) {
  char *path = g_build_filename(tools, "..", "..", folder, NULL), *full = g_canonicalize_filename(path, NULL);
  if (g_file_test(full, G_FILE_TEST_IS_DIR)) g_setenv(variable, full, FALSE);
  g_free(full);
  g_free(path);
}

/* In a build tree (BUILD/tools/fovea, BUILD beside configs/) descriptions, label files and models are those of the source, without a word in the
 * environment. meson-info tells a build tree from an installation. */
static void use_files_of_source(void) {
  char *program = g_file_read_link("/proc/self/exe", NULL);
  char *tools = program != NULL ? g_path_get_dirname(program) : g_strdup("."), *info = g_build_filename(tools, "..", "meson-info", NULL);
  if (g_file_test(info, G_FILE_TEST_IS_DIR)) {
    use_folder(tools, "configs", "FOVEA_CONFIG_DIR");
    use_folder(tools, "models", "FOVEA_MODEL_DIR");
  }
  g_free(info);
  g_free(tools);
  g_free(program);
}

int main(int argc, char **argv) {
  setlocale(LC_CTYPE, ""); /* names of files; numbers stay as they are in every file we read */
  use_files_of_source();
  if (argc < 2) {
    print_help(stderr);
    return FV_EXIT_USAGE;
  }
  const char *name = argv[1];
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    print_help(stdout);
    return FV_EXIT_OK;
  }
  if (strcmp(name, "--version") == 0) {
    printf("fovea %s\n", fv_version());
    return FV_EXIT_OK;
  }
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
    if (strcmp(commands[i].name, name) == 0) return commands[i].run(argc - 1, argv + 1);
  return unknown(name);
}

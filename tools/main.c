/* The `fovea` command: finds the subcommand. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <fovea/version.h>

#include "commands.h"
#include "options.h"

static const struct {
  const char *name, *summary;
  int (*run)(int argc, char **argv);
} commands[] = {
  {"infer", "run a model on tensors from .npy files", fv_command_infer},
  {"inspect", "show what a model is: inputs, outputs, operators, memory, kernels", fv_command_inspect},
  {"bench", "measure load time, latency and memory of a model", fv_command_bench},
  {"devices", "list the devices that models can run on", fv_command_devices},
};

static void print_help(FILE *to) {
  fprintf(to, "Usage: fovea COMMAND [OPTION…]\n\nReal-time video analytics: detectors on cameras, clips and pictures.\n\nCommands:\n");
  for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
  fprintf(to, "\n  --help    this text; fovea COMMAND --help tells the options of one\n  --version\n");
}

/* Levenshtein's distance between short words. */
static int edit_distance(const char *a, const char *b) {
  int row[32], columns = (int)strlen(b);
  for (int j = 0; j <= columns; j++) row[j] = j;
  for (int i = 1; a[i - 1]; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= columns; j++) {
      int change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = MIN(change, MIN(row[j], row[j - 1]) + 1);
    }
  }
  return row[columns];
}

static int unknown(const char *name) {
  const char *nearest = NULL;
  int distance = 3; /* further away is no misspelling */
  for (size_t i = 0; i < G_N_ELEMENTS(commands) && strlen(name) < 32; i++) {
    int d = edit_distance(name, commands[i].name);
    if (d >= distance) continue;
    distance = d;
    nearest = commands[i].name;
  }
  if (nearest)
    fprintf(stderr, "fovea: there is no command '%s' (did you mean '%s'?); see fovea --help\n", name, nearest);
  else
    fprintf(stderr, "fovea: there is no command '%s'; see fovea --help\n", name);
  return FV_EXIT_USAGE;
}

int main(int argc, char **argv) {
  setlocale(LC_CTYPE, ""); /* names of files; numbers stay as they are in every file we read */
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

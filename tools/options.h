/* What all subcommands share: options, exit codes, and how a mistake is told. */
#ifndef FOVEA_TOOLS_OPTIONS_H
#define FOVEA_TOOLS_OPTIONS_H

#include <glib.h>

#include <fovea/model.h>
#include <fovea/plan.h>

enum {
  FV_EXIT_OK = 0,
  FV_EXIT_FAILURE = 1, /* the work could not be done: files, models, devices */
  FV_EXIT_USAGE = 2,   /* the command line is wrong */
  FV_EXIT_INTERRUPTED = 130, /* SIGINT: what was written is complete as far as it goes */
};

/* "fovea COMMAND: sentence" on stderr; returns FV_EXIT_FAILURE. */
int fv_fail(const char *command, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The same, pointing at --help; returns FV_EXIT_USAGE. */
int fv_fail_usage(const char *command, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Parses argv by entries and `extra` groups of entries. positional says how many other arguments there must be: exactly minimum when
 * maximum is the same, any number from minimum on when maximum is -1. On success *argc and *argv hold the command and those arguments. */
typedef struct FvUsage {
  const char *command;   /* "infer" */
  const char *arguments; /* "MODEL" */
  const char *summary;   /* what it does, for --help; examples too */
  int minimum, maximum;  /* positional arguments */
} FvUsage;
/* Returns FV_EXIT_OK, or FV_EXIT_USAGE after saying what is wrong. --help prints and ends the process. */
int fv_options_parse(const FvUsage *usage, const GOptionEntry *entries, const GOptionEntry *extra, int *argc, char ***argv);

/* MODEL where it is the only argument and may be left out; NULL is the model that comes with Fovea. For the summary of --help: */
const char *fv_model_argument(int argc, char **argv);
#define FV_MODEL_ARGUMENT "\nMODEL is a file or the name of an installed model; without it: " FV_DEFAULT_MODEL "."

/* Options of every subcommand that opens a model and runs it. */
typedef struct FvModelOptions {
  char *config, *labels, *device, *precision, *signature, *trusted_keys;
  char **input_shapes; /* NAME=1x3x320x320 */
  int threads;
} FvModelOptions;

/* Rows for a GOptionEntry table. */
#define FV_TRUST_OPTIONS(o) \
  {"signature", 0, 0, G_OPTION_ARG_STRING, &(o).signature, "off, warn or require a .fovea file signed with a trusted key (default warn)", "POLICY"}, \
  {"trusted-keys", 0, 0, G_OPTION_ARG_FILENAME, &(o).trusted_keys, "Directory of public keys (default ~/.config/fovea/trusted and /etc/fovea/trusted)", "DIR"}
#define FV_MODEL_OPTIONS(o) \
  {"config", 0, 0, G_OPTION_ARG_FILENAME, &(o).config, "Description of the model (default: found by its name)", "FILE.yaml"}, \
  {"labels", 0, 0, G_OPTION_ARG_FILENAME, &(o).labels, "Class names, one a line (default: those of the description)", "FILE"}, \
  {"input-shape", 0, 0, G_OPTION_ARG_STRING_ARRAY, &(o).input_shapes, "Dimensions of an input, open or not; 0 keeps one; repeatable", "[NAME=]1x3x320x320"}, \
  FV_TRUST_OPTIONS(o)
#define FV_DEVICE_OPTIONS(o) \
  {"device", 0, 0, G_OPTION_ARG_STRING, &(o).device, "auto, cpu, vulkan, vulkan:N or vulkan:NAME (default auto)", "DEVICE"}, \
  {"precision", 0, 0, G_OPTION_ARG_STRING, &(o).precision, "auto, fp32, fp16 or fp16-arithmetic; auto is fp16 on GPUs; the CPU computes in fp32 (default auto)", "PRECISION"}, \
  {"threads", 0, 0, G_OPTION_ARG_INT, &(o).threads, "Threads, 1 to 64; 0 is one per core (default 0)", "N"}

void fv_model_options_finish(FvModelOptions *options);
/* Whether the numbers and words can be right at all; opening a model begins with it. */
int fv_model_options_check(const FvModelOptions *options, const char *command);
/* All say what is wrong and return an exit code. path: as fv_model_open takes it. */
int fv_model_options_open(const FvModelOptions *options, const char *command, const char *path, FvModel **model);
int fv_model_options_plan(const FvModelOptions *options, const char *command, FvModel *model, unsigned flags, const FvNamedTensor *constants,
                          int constant_count, FvPlan **plan);

/* Refuses a model whose outputs hold no objects. */
int fv_model_expect_detector(const char *command, const FvModel *model);

/* Parses "[NAME=]1x3x320x320". The name is cut out of text; false when it is no shape. */
bool fv_shape_parse(char *text, FvInputShape *shape);

#endif

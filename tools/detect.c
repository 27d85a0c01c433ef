/* fovea detect: finds objects in a picture or video. */
#include "detect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gst/gst.h>

#include "commands.h"
#include "compose.h"
#include "elements.h"
#include "output.h"
#include "picture.h"

FILE *fv_detect_report(const FvDetectJob *job) {
  if (job->quiet) return NULL;
  return job->json != NULL && strcmp(job->json, "-") == 0 ? stderr : stdout;
}

static gboolean is_picture(const char *path) {
  static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp"};
  char *lower = g_ascii_strdown(path, -1);
  gboolean found = FALSE;
  for (guint i = 0; i < G_N_ELEMENTS(endings); i++) found |= g_str_has_suffix(lower, endings[i]);
  g_free(lower);
  return found;
}

static gboolean same_file(const char *a, const char *b) {
  char *first = realpath(a, NULL), *second = realpath(b, NULL);
  gboolean same = first != NULL && second != NULL && strcmp(first, second) == 0;
  free(first);
  free(second);
  return same;
}

static gboolean in_0_to_1(double value) { return value >= 0 && value <= 1; } /* not NaN */

static int check_numbers(const FvDetectJob *job) {
  if (!in_0_to_1(job->threshold)) return fv_fail_usage("detect", "--threshold must be 0 to 1, not %g", job->threshold);
  if (!in_0_to_1(job->iou_threshold)) return fv_fail_usage("detect", "--iou-threshold must be 0 to 1, not %g", job->iou_threshold);
  if (job->max_detections < 1 || job->max_detections > FV_MAX_DETECTIONS)
    return fv_fail_usage("detect", "--max-detections must be 1 to %d, not %d", FV_MAX_DETECTIONS, job->max_detections);
  if (job->interval < 1) return fv_fail_usage("detect", "--interval must be 1 or more, not %d", job->interval);
  return fv_model_options_check(&job->options, "detect");
}

static int check_readable(const char *what, const char *path) {
  if (access(path, R_OK) != 0) return fv_fail("detect", "cannot read %s '%s': %s", what, path, g_strerror(errno));
  if (g_file_test(path, G_FILE_TEST_IS_DIR)) return fv_fail("detect", "cannot read %s '%s': it is a folder", what, path);
  return FV_EXIT_OK;
}

static int check_sheet(const FvDetectJob *job, gboolean picture) {
  if (job->sheet == NULL) return FV_EXIT_OK;
  if (picture) return fv_fail_usage("detect", "--sheet is made of a video; '%s' is a picture", job->input);
  if (!fv_picture_can_write(job->sheet)) return fv_fail_usage("detect", "--sheet '%s': a contact sheet's name must end with .png, .jpg or .bmp", job->sheet);
  return fv_output_check("detect", "--sheet", job->sheet);
}

static int check_outputs(const FvDetectJob *job, gboolean picture) {
  const char *outputs[] = {job->output, job->json, job->sheet};
  gboolean json_file = job->json != NULL && strcmp(job->json, "-") != 0;
  if (job->output != NULL && picture && !fv_picture_can_write(job->output))
    return fv_fail_usage("detect", "--output '%s': an annotated picture's name must end with .png, .jpg or .bmp", job->output);
  if (job->output != NULL && !picture && !fv_compose_can_record(job->output))
    return fv_fail_usage("detect", "--output '%s': an annotated video's name must end with .mp4, .mkv or .webm", job->output);
  int result = fv_output_check("detect", "--output", job->output);
  if (result == FV_EXIT_OK && json_file) result = fv_output_check("detect", "--json", job->json);
  if (result == FV_EXIT_OK) result = check_sheet(job, picture);
  for (guint i = 0; i < G_N_ELEMENTS(outputs) && result == FV_EXIT_OK; i++)
    if (outputs[i] != NULL && (same_file(outputs[i], job->input) || same_file(outputs[i], job->model)))
      result = fv_fail("detect", "'%s' would overwrite what is read", outputs[i]);
  static const char *const options[] = {"--output", "--json", "--sheet"};
  for (guint i = 0; i < G_N_ELEMENTS(outputs); i++)
    for (guint j = 0; j < i && result == FV_EXIT_OK; j++)
      if (outputs[i] != NULL && outputs[j] != NULL && strcmp(outputs[i], outputs[j]) == 0)
        result = fv_fail_usage("detect", "%s and %s name the same file", options[j], options[i]);
  return result;
}

static int find_model(FvDetectJob *job, const char *name) {
  FvError err;
  return fv_model_find(name, &job->model, &err) < 0 ? fv_fail("detect", "%s", err.message) : FV_EXIT_OK;
}

/* What can be known before anything is loaded, or an output emptied. */
static int check_job(FvDetectJob *job, const char *model, const char *grid) {
  int result = check_numbers(job);
  if (result == FV_EXIT_OK && grid != NULL && !fv_sheet_grid_parse(grid, &job->grid))
    result = fv_fail_usage("detect", "--sheet-grid must be like 3x3, 1 to %d each, not '%s'", FV_SHEET_MAX_SIDE, grid);
  if (result == FV_EXIT_OK && grid != NULL && job->sheet == NULL) result = fv_fail_usage("detect", "--sheet-grid goes with --sheet FILE");
  if (result == FV_EXIT_OK) result = find_model(job, model);
  if (result == FV_EXIT_OK) result = check_readable("the model", job->model);
  if (result == FV_EXIT_OK) result = check_readable("the input", job->input);
  return result == FV_EXIT_OK ? check_outputs(job, is_picture(job->input)) : result;
}

int fv_command_detect(int argc, char **argv) {
  FvDetectJob job = {.interval = 1, .max_detections = 100, .grid = {3, 3}};
  char *model = NULL, *grid = NULL;
  const GOptionEntry entries[] = {
    {"model", 'm', 0, G_OPTION_ARG_FILENAME, &model, "The detector: a file, or the name of an installed model (default " FV_DEFAULT_MODEL ")", "MODEL"},
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &job.output, "Annotated copy: .png, .jpg or .bmp of a picture, .mp4, .mkv or .webm of a video", "FILE"},
    {"sheet", 0, 0, G_OPTION_ARG_FILENAME, &job.sheet, "Contact sheet: annotated frames spread over a video, on one picture (.png, .jpg or .bmp)", "FILE"},
    {"sheet-grid", 0, 0, G_OPTION_ARG_STRING, &grid, "Columns and rows of the sheet, 1 to 8 each (default 3x3)", "CxR"},
    {"json", 0, 0, G_OPTION_ARG_FILENAME, &job.json, "What was found, one JSON object a frame; - is standard output", "FILE.jsonl"},
    {"threshold", 't', 0, G_OPTION_ARG_DOUBLE, &job.threshold, "Lowest score, 0 to 1; 0 is the model's own (default 0)", "SCORE"},
    {"iou-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &job.iou_threshold, "Overlap beyond which the weaker box goes, 0 to 1; 0 is the model's own (default 0)", "IOU"},
    {"max-detections", 0, 0, G_OPTION_ARG_INT, &job.max_detections, "Most objects of a frame, best first, 1 to 4096 (default 100)", "N"},
    {"interval", 0, 0, G_OPTION_ARG_INT, &job.interval, "Analyse every N-th frame of a video (default 1)", "N"},
    {"quiet", 'q', 0, G_OPTION_ARG_NONE, &job.quiet, "Print neither progress nor summary", NULL},
    {"config", 0, 0, G_OPTION_ARG_FILENAME, &job.options.config, "Description of the model (default: found by its name)", "FILE.yaml"},
    {"labels", 0, 0, G_OPTION_ARG_FILENAME, &job.options.labels, "Class names, one a line (default: those of the description)", "FILE"},
    FV_TRUST_OPTIONS(job.options),
    FV_DEVICE_OPTIONS(job.options),
    {NULL},
  };
  const FvUsage usage = {
    "detect", "INPUT",
    "Finds objects in a picture (.jpg, .png, .bmp) or a video, and prints what it found.\n\n"
    "  fovea detect street.mp4 --output street-boxes.mp4 --sheet street-boxes.png\n"
    "  fovea detect --model yolo-fastestv2.onnx street.mp4 --output street-boxes.mp4 --json street.jsonl\n"
    "  fovea detect --model version-RFB-320.onnx face.jpg --output face-boxes.png", 1, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) {
    job.input = argv[1];
    result = check_job(&job, model, grid);
  }
  if (result == FV_EXIT_OK) {
    gst_init(NULL, NULL);
    fv_elements_find();
    result = is_picture(job.input) ? fv_detect_picture(&job) : fv_detect_video(&job);
  }
  fv_model_options_finish(&job.options);
  free(job.model);
  g_free(model);
  g_free(grid);
  g_free(job.sheet);
  g_free(job.output);
  g_free(job.json);
  return result;
}

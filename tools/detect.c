/* fovea detect: finds objects in a picture or video. */
#include "detect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gst/gst.h>

#include "commands.h"
#include "elements.h"

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

/* What can be known before anything is loaded, or an output emptied. */
static int check_job(const FvDetectJob *job) {
  const char *outputs[] = {job->output, job->json};
  if (job->model == NULL) return fv_fail_usage("detect", "--model is missing");
  if (job->threshold < 0 || job->threshold > 1) return fv_fail_usage("detect", "--threshold is 0 to 1, not %g", job->threshold);
  if (job->iou_threshold < 0 || job->iou_threshold > 1) return fv_fail_usage("detect", "--iou-threshold is 0 to 1, not %g", job->iou_threshold);
  if (job->max_detections < 0 || job->max_detections > FV_MAX_DETECTIONS) return fv_fail_usage("detect", "--max-detections is 1 to %d", FV_MAX_DETECTIONS);
  if (job->interval < 1) return fv_fail_usage("detect", "--interval is 1 or more");
  if (job->options.threads < 0 || job->options.threads > FV_MAX_THREADS) return fv_fail_usage("detect", "--threads is 0 to %d", FV_MAX_THREADS);
  if (access(job->model, R_OK) != 0) return fv_fail("detect", "cannot read the model '%s': %s", job->model, g_strerror(errno));
  if (access(job->input, R_OK) != 0) return fv_fail("detect", "cannot read '%s': %s", job->input, g_strerror(errno));
  for (guint i = 0; i < G_N_ELEMENTS(outputs); i++)
    if (outputs[i] != NULL && (same_file(outputs[i], job->input) || same_file(outputs[i], job->model)))
      return fv_fail("detect", "'%s' would overwrite what is read", outputs[i]);
  if (job->output != NULL && job->json != NULL && strcmp(job->output, job->json) == 0) return fv_fail("detect", "--output and --json name the same file");
  return FV_EXIT_OK;
}

int fv_command_detect(int argc, char **argv) {
  FvDetectJob job = {.interval = 1};
  const GOptionEntry entries[] = {
    {"model", 'm', 0, G_OPTION_ARG_FILENAME, &job.model, "The detector", "MODEL"},
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &job.output, "Annotated copy: .png or .jpg of a picture, .mp4, .mkv or .webm of a video", "FILE"},
    {"json", 0, 0, G_OPTION_ARG_FILENAME, &job.json, "What was found, one JSON object a frame; - is standard output", "FILE.jsonl"},
    {"threshold", 't', 0, G_OPTION_ARG_DOUBLE, &job.threshold, "Lowest score, 0 to 1; 0 is the model's own (default 0)", "SCORE"},
    {"iou-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &job.iou_threshold, "Overlap beyond which the weaker box goes, 0 to 1; 0 is the model's own (default 0)", "IOU"},
    {"max-detections", 0, 0, G_OPTION_ARG_INT, &job.max_detections, "Most objects of a frame, best first", "N"},
    {"interval", 0, 0, G_OPTION_ARG_INT, &job.interval, "Analyse every N-th frame of a video (default 1)", "N"},
    {"quiet", 'q', 0, G_OPTION_ARG_NONE, &job.quiet, "Print neither progress nor summary", NULL},
    {"config", 0, 0, G_OPTION_ARG_FILENAME, &job.options.config, "Description of the model (default: found by its name)", "FILE.yaml"},
    {"labels", 0, 0, G_OPTION_ARG_FILENAME, &job.options.labels, "Class names, one a line (default: those of the description)", "FILE"},
    FV_DEVICE_OPTIONS(job.options),
    {NULL},
  };
  const FvUsage usage = {
    "detect", "INPUT",
    "Finds objects in a picture (.jpg, .png, .bmp) or a video, and prints what it found.\n\n"
    "  fovea detect --model yolo-fastestv2.onnx street.mp4 --output street-boxes.mp4 --json street.jsonl\n"
    "  fovea detect --model version-RFB-320.onnx face.jpg --output face-boxes.png", 1, 1};
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) {
    job.input = argv[1];
    result = check_job(&job);
  }
  if (result == FV_EXIT_OK) {
    gst_init(NULL, NULL);
    fv_elements_find();
    result = is_picture(job.input) ? fv_detect_picture(&job) : fv_detect_video(&job);
  }
  fv_model_options_finish(&job.options);
  g_free(job.model);
  g_free(job.output);
  g_free(job.json);
  return result;
}

/* fovea eval: how well a detector does on annotated pictures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coco.h"
#include "commands.h"
#include "json.h"
#include "options.h"
#include "output.h"
#include "picture.h"
#include "progress.h"

static const char command[] = "eval";

typedef struct Settings {
  char *images, *annotations, *detections;
  double threshold, iou_threshold;
  int max_detections;
  gboolean json;
} Settings;

typedef struct Evaluation {
  FvModel *model;
  FvPlan *plan;
  FvSession *session;
  FvCoco *coco;
  int *category;      /* of a label; -1: not among the annotated ones */
  FvDetection *found; /* max_detections */
  gint64 found_total;
  FvJson results;     /* what --detections writes */
} Evaluation;

/* Labels stand for categories by position when there are equally many of both, else by name. */
static int map_labels(Evaluation *it) {
  const FvDescription *description = fv_model_description(it->model);
  int categories = fv_coco_category_count(it->coco), mapped = 0;
  char scratch[32];
  it->category = g_new(int, description->class_count + 1);
  for (int label = 0; label < description->class_count; label++) {
    it->category[label] = description->class_count == categories ? label : -1;
    for (int c = 0; c < categories && it->category[label] < 0; c++)
      if (g_ascii_strcasecmp(fv_description_label(description, label, scratch), fv_coco_category_name(it->coco, c)) == 0) it->category[label] = c;
    mapped += it->category[label] >= 0;
  }
  if (mapped) return FV_EXIT_OK;
  return fv_fail(command, "none of the model's %d classes is among the %d annotated ones; give their names with --labels", description->class_count, categories);
}

static void add_result(Evaluation *it, int image, int category, const FvDetection *d, const double box[4]) {
  fv_json_open(&it->results, NULL, '{');
  fv_json_int(&it->results, "image_id", fv_coco_image_id(it->coco, image));
  fv_json_int(&it->results, "category_id", fv_coco_category_id(it->coco, category));
  fv_json_numbers(&it->results, "bbox", box, 4, 2);
  fv_json_number(&it->results, "score", d->score, 5);
  fv_json_close(&it->results, '}');
}

static int evaluate_picture(Evaluation *it, const Settings *settings, int image) {
  char *path = g_build_filename(settings->images, fv_coco_image_file(it->coco, image), NULL);
  FvPicture picture;
  FvError err;
  int count = fv_picture_read(path, false, &picture, &err);
  if (count == 0) {
    FvFrame frame = fv_picture_frame(&picture);
    FvDetectParams params = {(float)settings->threshold, (float)settings->iou_threshold, settings->max_detections};
    count = fv_session_detect(it->session, &frame, &params, it->found, settings->max_detections, &err);
    if (count < 0) fv_error_prefix(&err, "%.256s", path);
    fv_picture_release(&picture);
  }
  g_free(path);
  if (count < 0) return fv_fail(command, "%s", err.message);
  for (int i = 0; i < count; i++) {
    const FvDetection *d = &it->found[i];
    double box[4] = {d->x0, d->y0, (double)d->x1 - d->x0, (double)d->y1 - d->y0};
    int category = it->category[d->label];
    if (category < 0 || !fv_coco_add(it->coco, image, category, d->score, box)) continue;
    it->found_total++;
    if (settings->detections) add_result(it, image, category, d, box);
  }
  return FV_EXIT_OK;
}

static int evaluate(Evaluation *it, const Settings *settings) {
  FvProgress progress;
  int count = fv_coco_image_count(it->coco), result = FV_EXIT_OK;
  it->found = g_new(FvDetection, settings->max_detections);
  fv_json_open(&it->results, NULL, '[');
  fv_progress_start(&progress, "pictures", count);
  for (int i = 0; i < count && result == FV_EXIT_OK; i++) {
    fv_progress_show(&progress, i);
    result = evaluate_picture(it, settings, i);
  }
  fv_progress_end(&progress);
  fv_json_close(&it->results, ']');
  return result;
}

static int write_results(Evaluation *it, const char *path) {
  char *text = fv_json_take(&it->results);
  int result = fv_output_write(command, path, text);
  g_free(text);
  return result;
}

static void print_json(const Evaluation *it, const FvCocoResult *result, const double *per_category) {
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_number(&json, "map", result->map, 5);
  fv_json_number(&json, "ap50", result->ap50, 5);
  fv_json_int(&json, "images", fv_coco_image_count(it->coco));
  fv_json_int(&json, "detections", it->found_total);
  fv_json_open(&json, "per_class", '{');
  for (int c = 0; c < fv_coco_category_count(it->coco); c++)
    if (isfinite(per_category[c])) fv_json_number(&json, fv_coco_category_name(it->coco, c), per_category[c], 5);
  fv_json_close(&json, '}');
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_text(const Evaluation *it, const FvCocoResult *result, const double *per_category) {
  printf("mAP    %.4f (overlaps 0.50 to 0.95)\nAP50   %.4f\n", result->map, result->ap50);
  printf("%d pictures, %lld detections\n\n", fv_coco_image_count(it->coco), (long long)it->found_total);
  for (int c = 0; c < fv_coco_category_count(it->coco); c++)
    if (isfinite(per_category[c])) printf("%.4f  %s\n", per_category[c], fv_coco_category_name(it->coco, c));
}

static int report(Evaluation *it, const Settings *settings) {
  FvCocoResult result;
  double *per_category = g_new0(double, fv_coco_category_count(it->coco) + 1);
  fv_coco_evaluate(it->coco, &result, per_category);
  (settings->json ? print_json : print_text)(it, &result, per_category);
  g_free(per_category);
  return FV_EXIT_OK;
}

static int check_settings(const Settings *settings) {
  if (!settings->images) return fv_fail_usage(command, "--images DIR is missing");
  if (!settings->annotations) return fv_fail_usage(command, "--annotations FILE is missing");
  if (!(settings->threshold > 0 && settings->threshold < 1)) return fv_fail_usage(command, "--threshold must lie between 0 and 1, not be %g", settings->threshold);
  if (!(settings->iou_threshold >= 0 && settings->iou_threshold <= 1)) return fv_fail_usage(command, "--iou-threshold must be 0 to 1, not %g", settings->iou_threshold);
  if (settings->max_detections < 1 || settings->max_detections > FV_MAX_DETECTIONS)
    return fv_fail_usage(command, "--max-detections must be 1 to %d, not %d", FV_MAX_DETECTIONS, settings->max_detections);
  if (!g_file_test(settings->images, G_FILE_TEST_IS_DIR)) return fv_fail(command, "--images '%s' is not a folder", settings->images);
  return fv_output_check(command, "--detections", settings->detections);
}

static int load(Evaluation *it, const Settings *settings, const FvModelOptions *options, const char *path) {
  FvError err;
  int result = fv_model_options_open(options, command, path, &it->model);
  if (result == FV_EXIT_OK) result = fv_model_expect_detector(command, it->model);
  if (result != FV_EXIT_OK) return result;
  if (!(it->coco = fv_coco_read(settings->annotations, &err))) return fv_fail(command, "%s", err.message);
  result = map_labels(it);
  if (result == FV_EXIT_OK) result = fv_model_options_plan(options, command, it->model, 0, NULL, 0, &it->plan);
  if (result == FV_EXIT_OK && fv_session_create(it->plan, &it->session, &err) < 0) result = fv_fail(command, "%s", err.message);
  return result;
}

static void finish(Evaluation *it, Settings *settings, FvModelOptions *options) {
  g_free(fv_json_take(&it->results));
  g_free(it->found);
  g_free(it->category);
  fv_coco_destroy(&it->coco);
  fv_session_destroy(&it->session);
  fv_plan_destroy(&it->plan);
  fv_model_destroy(&it->model);
  fv_model_options_finish(options);
  g_free(settings->images);
  g_free(settings->annotations);
  g_free(settings->detections);
}

int fv_command_eval(int argc, char **argv) {
  FvModelOptions options = {0};
  Settings settings = {.threshold = 0.01, .max_detections = 100};
  Evaluation it = {0};
  const GOptionEntry entries[] = {
    {"images", 0, 0, G_OPTION_ARG_FILENAME, &settings.images, "Folder of the pictures", "DIR"},
    {"annotations", 0, 0, G_OPTION_ARG_FILENAME, &settings.annotations, "What is on them, in COCO's form", "instances.json"},
    {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &settings.threshold, "Lowest score that counts, 0 to 1 (default 0.01)", "SCORE"},
    {"iou-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &settings.iou_threshold, "Overlap at which boxes suppress each other, 0 to 1 (default 0: the model's own)", "IOU"},
    {"max-detections", 0, 0, G_OPTION_ARG_INT, &settings.max_detections, "Boxes kept per picture, best first (default 100)", "N"},
    {"detections", 0, 0, G_OPTION_ARG_FILENAME, &settings.detections, "Also write all detections, in COCO's results form", "FILE.json"},
    {"json", 0, 0, G_OPTION_ARG_NONE, &settings.json, "Print JSON", NULL},
    FV_MODEL_OPTIONS(options),
    FV_DEVICE_OPTIONS(options),
    {0}};
  const FvUsage usage = {command, "MODEL",
                         "Measures mean average precision by COCO's rules, 0 to 1. Pictures are taken as stored, without their EXIF orientation.\n"
                         "Classes without an annotated object are left out.", 1, 1};
  fv_json_init(&it.results);
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) result = check_settings(&settings);
  if (result == FV_EXIT_OK) result = load(&it, &settings, &options, argv[1]);
  if (result == FV_EXIT_OK) result = evaluate(&it, &settings);
  if (result == FV_EXIT_OK && settings.detections) result = write_results(&it, settings.detections);
  if (result == FV_EXIT_OK) result = report(&it, &settings);
  finish(&it, &settings, &options);
  return result;
}

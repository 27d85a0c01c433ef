/* fovea eval: how well a detector does on annotated pictures. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coco.h"
#include "commands.h"
#include "gallery.h"
#include "json.h"
#include "measure.h"
#include "options.h"
#include "output.h"

static const char command[] = "eval";

typedef struct Settings {
  char *images, *annotations, *clip, *truth, *truth_model, *detections, *mot_classes, *classes, *rename;
  double threshold, iou_threshold;
  int max_detections, pictures;
  gboolean json;
} Settings;

typedef struct Evaluation {
  FvModel *model;
  FvMeasure measure;
  gint64 found_total;
  FvJson results; /* what --detections writes */
} Evaluation;

static void add_result(void *data, int image, int category, double score, const double box[4]) {
  Evaluation *it = data;
  fv_json_open(&it->results, NULL, '{');
  fv_json_int(&it->results, "image_id", fv_coco_image_id(it->measure.coco, image));
  fv_json_int(&it->results, "category_id", fv_coco_category_id(it->measure.coco, category));
  fv_json_numbers(&it->results, "bbox", box, 4, 2);
  fv_json_number(&it->results, "score", score, 5);
  fv_json_close(&it->results, '}');
}

static int evaluate(Evaluation *it, const Settings *settings) {
  FvError err;
  fv_json_open(&it->results, NULL, '[');
  it->found_total = fv_measure_detect(&it->measure, it->model, settings->detections ? add_result : NULL, it, &err);
  fv_json_close(&it->results, ']');
  return it->found_total < 0 ? fv_fail(command, "%s", err.message) : FV_EXIT_OK;
}

static int write_results(Evaluation *it, const char *path) {
  char *text = fv_json_take(&it->results);
  int result = fv_output_write(command, path, text);
  g_free(text);
  return result;
}

static void print_json(const Evaluation *it, const FvCocoResult *result, const FvCocoClass *per_category) {
  FvJson json;
  fv_json_init(&json);
  fv_json_open(&json, NULL, '{');
  fv_json_number(&json, "map", result->map, 5);
  fv_json_number(&json, "ap50", result->ap50, 5);
  fv_json_number(&json, "pooled", result->pooled, 5);
  fv_json_int(&json, "images", fv_coco_image_count(it->measure.coco));
  fv_json_int(&json, "detections", it->found_total);
  fv_json_open(&json, "per_class", '{');
  for (int c = 0; c < fv_coco_category_count(it->measure.coco); c++)
    if (isfinite(per_category[c].ap)) fv_json_number(&json, fv_coco_category_name(it->measure.coco, c), per_category[c].ap, 5);
  fv_json_close(&json, '}');
  fv_json_open(&json, "per_class_ap50", '{');
  for (int c = 0; c < fv_coco_category_count(it->measure.coco); c++)
    if (isfinite(per_category[c].ap)) fv_json_number(&json, fv_coco_category_name(it->measure.coco, c), per_category[c].ap50, 5);
  fv_json_close(&json, '}');
  fv_json_close(&json, '}');
  fv_json_print(&json);
}

static void print_text(const Evaluation *it, const FvCocoResult *result, const FvCocoClass *per_category) {
  printf("mAP    %.4f (overlaps 0.50 to 0.95)\nAP50   %.4f\npooled %.4f (all classes ranked together)\n", result->map, result->ap50, result->pooled);
  printf("%d %s, %lld detections\n\nAP      AP50\n", fv_coco_image_count(it->measure.coco), it->measure.clip ? "frames" : "pictures", (long long)it->found_total);
  for (int c = 0; c < fv_coco_category_count(it->measure.coco); c++)
    if (isfinite(per_category[c].ap)) printf("%.4f  %.4f  %s\n", per_category[c].ap, per_category[c].ap50, fv_coco_category_name(it->measure.coco, c));
}

static int report(Evaluation *it, const Settings *settings) {
  FvCocoResult result;
  FvCocoClass *per_category = g_new0(FvCocoClass, fv_coco_category_count(it->measure.coco) + 1);
  fv_coco_evaluate(it->measure.coco, &result, per_category);
  (settings->json ? print_json : print_text)(it, &result, per_category);
  g_free(per_category);
  return FV_EXIT_OK;
}

static int check_settings(const Settings *settings) {
  if (!settings->images == !settings->clip) return fv_fail_usage(command, "give either --images DIR or --clip FILE");
  if (settings->images && settings->truth) return fv_fail_usage(command, "--truth is about a clip; the truth about pictures is --annotations");
  if (settings->clip && settings->annotations) return fv_fail_usage(command, "--annotations is about pictures; the truth about a clip is --truth");
  if (settings->images && !settings->annotations == !settings->truth_model) return fv_fail_usage(command, "give either --annotations FILE or --truth-model MODEL");
  if (settings->clip && !settings->truth == !settings->truth_model) return fv_fail_usage(command, "give either --truth FILE or --truth-model MODEL");
  if (!(settings->threshold > 0 && settings->threshold < 1)) return fv_fail_usage(command, "--threshold must lie between 0 and 1, not be %g", settings->threshold);
  if (!(settings->iou_threshold >= 0 && settings->iou_threshold <= 1)) return fv_fail_usage(command, "--iou-threshold must be 0 to 1, not %g", settings->iou_threshold);
  if (settings->max_detections < 1 || settings->max_detections > FV_MAX_DETECTIONS)
    return fv_fail_usage(command, "--max-detections must be 1 to %d, not %d", FV_MAX_DETECTIONS, settings->max_detections);
  if (settings->pictures < 0) return fv_fail_usage(command, "--pictures must be 1 or more, or 0 for all");
  if (settings->pictures && (settings->annotations || settings->clip)) return fv_fail_usage(command, "--pictures chooses among unannotated ones; it goes with --images and --truth-model");
  if (settings->images && !g_file_test(settings->images, G_FILE_TEST_IS_DIR)) return fv_fail(command, "--images '%s' is not a folder", settings->images);
  return fv_output_check(command, "--detections", settings->detections);
}

static int list_pictures(Evaluation *it, const Settings *settings, const FvModel *model, FvError *err) {
  if (settings->clip) return fv_measure_list_frames(&it->measure, model, err);
  g_autoptr(GPtrArray) names = fv_gallery_list(settings->images, err);
  if (!names) return -1;
  if (settings->pictures) fv_gallery_thin(names, (guint)settings->pictures);
  fv_measure_list(&it->measure, settings->images, names, model);
  return 0;
}

/* What the other model finds is true; its classes are the categories. */
static int load_truth(Evaluation *it, const Settings *settings, const FvModelOptions *options) {
  FvModelOptions other = {.device = options->device, .signature = options->signature, .trusted_keys = options->trusted_keys, .threads = options->threads};
  FvModel *model = NULL;
  FvError err;
  int result = fv_model_options_open(&other, command, settings->truth_model, &model);
  if (result == FV_EXIT_OK) result = fv_model_expect_detector(command, model);
  if (result == FV_EXIT_OK && (list_pictures(it, settings, model, &err) < 0 || fv_measure_trust(&it->measure, model, &err) < 0))
    result = fv_fail(command, "%s", err.message);
  fv_model_destroy(&model);
  return result;
}

/* COCO's JSON, of pictures or of a clip, or MOTChallenge's text. */
static int read_truth(Evaluation *it, const Settings *settings) {
  FvError err;
  const char *path = settings->clip ? settings->truth : settings->annotations;
  if (settings->clip && g_str_has_suffix(path, ".txt")) {
    g_auto(GStrv) classes = g_strsplit(settings->mot_classes ? settings->mot_classes : "person", ",", -1);
    it->measure.coco = fv_coco_read_mot(path, (const char *const *)classes, &err);
  } else {
    it->measure.coco = fv_coco_read(path, &err);
  }
  return it->measure.coco ? FV_EXIT_OK : fv_fail(command, "%s", err.message);
}

/* FROM=TO,… */
static int rename_classes(Evaluation *it, const Settings *settings) {
  if (!settings->rename) return FV_EXIT_OK;
  g_auto(GStrv) pairs = g_strsplit(settings->rename, ",", -1);
  for (char **pair = pairs; *pair; pair++) {
    char *to = strchr(*pair, '=');
    if (!to || to == *pair || to[1] == '\0') return fv_fail_usage(command, "--rename takes FROM=TO,…, not '%.64s'", *pair);
    *to++ = '\0';
    if (!fv_coco_rename_category(it->measure.coco, *pair, to)) return fv_fail(command, "--rename: the truth knows no class '%.64s'", *pair);
  }
  return FV_EXIT_OK;
}

static int keep_classes(Evaluation *it, const Settings *settings) {
  const char *unknown;
  if (!settings->classes) return FV_EXIT_OK;
  g_auto(GStrv) names = g_strsplit(settings->classes, ",", -1);
  if (fv_coco_keep_categories(it->measure.coco, (const char *const *)names, &unknown)) return FV_EXIT_OK;
  return fv_fail(command, "--classes: the truth knows no class '%.64s'", unknown);
}

static int load(Evaluation *it, const Settings *settings, const FvModelOptions *options, const char *path) {
  int result = fv_model_options_open(options, command, path, &it->model);
  if (result == FV_EXIT_OK) result = fv_model_expect_detector(command, it->model);
  if (result != FV_EXIT_OK) return result;
  it->measure = (FvMeasure){.threshold = settings->threshold, .iou_threshold = settings->iou_threshold, .max_detections = settings->max_detections,
                            .device = options->device, .threads = options->threads, .progress = settings->clip ? "frames" : "pictures",
                            .precision = options->precision ? (FvPrecision)fv_precision_from_name(options->precision) : FV_PRECISION_AUTO};
  it->measure.clip = g_strdup(settings->clip);
  if (!settings->truth_model) it->measure.folder = g_strdup(settings->images);
  result = settings->truth_model ? load_truth(it, settings, options) : read_truth(it, settings);
  if (result == FV_EXIT_OK) result = rename_classes(it, settings);
  return result == FV_EXIT_OK ? keep_classes(it, settings) : result;
}

static void finish(Evaluation *it, Settings *settings, FvModelOptions *options) {
  g_free(fv_json_take(&it->results));
  fv_measure_finish(&it->measure);
  fv_model_destroy(&it->model);
  fv_model_options_finish(options);
  g_free(settings->images);
  g_free(settings->annotations);
  g_free(settings->clip);
  g_free(settings->truth);
  g_free(settings->mot_classes);
  g_free(settings->classes);
  g_free(settings->rename);
  g_free(settings->truth_model);
  g_free(settings->detections);
}

int fv_command_eval(int argc, char **argv) {
  FvModelOptions options = {0};
  Settings settings = {.threshold = 0.01, .max_detections = 100};
  Evaluation it = {0};
  const GOptionEntry entries[] = {
    {"images", 0, 0, G_OPTION_ARG_FILENAME, &settings.images, "Folder of the pictures", "DIR"},
    {"annotations", 0, 0, G_OPTION_ARG_FILENAME, &settings.annotations, "What is on them, in COCO's form", "instances.json"},
    {"clip", 0, 0, G_OPTION_ARG_FILENAME, &settings.clip, "Instead of pictures: a recording", "FILE"},
    {"truth", 0, 0, G_OPTION_ARG_FILENAME, &settings.truth, "What is in the recording: COCO-video .json or MOTChallenge gt .txt", "FILE"},
    {"mot-classes", 0, 0, G_OPTION_ARG_STRING, &settings.mot_classes, "Names of the .txt file's classes 1, 2, … (default person)", "NAME,…"},
    {"classes", 0, 0, G_OPTION_ARG_STRING, &settings.classes, "Only these of the truth's classes count (default: all)", "NAME,…"},
    {"rename", 0, 0, G_OPTION_ARG_STRING, &settings.rename, "The truth's class FROM is what the model calls TO", "FROM=TO,…"},
    {"truth-model", 0, 0, G_OPTION_ARG_FILENAME, &settings.truth_model, "Instead of annotations or truth: what this model finds with a score of 0.3 or more", "MODEL"},
    {"pictures", 0, 0, G_OPTION_ARG_INT, &settings.pictures, "With --truth-model: how many pictures of the folder, evenly chosen (default 0: all)", "N"},
    {"threshold", 0, 0, G_OPTION_ARG_DOUBLE, &settings.threshold, "Lowest score that counts, 0 to 1 (default 0.01)", "SCORE"},
    {"iou-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &settings.iou_threshold, "Overlap at which boxes suppress each other, 0 to 1 (default 0: the model's own)", "IOU"},
    {"max-detections", 0, 0, G_OPTION_ARG_INT, &settings.max_detections, "Boxes kept per picture, best first (default 100)", "N"},
    {"detections", 0, 0, G_OPTION_ARG_FILENAME, &settings.detections, "Also write all detections, in COCO's results form", "FILE.json"},
    {"json", 0, 0, G_OPTION_ARG_NONE, &settings.json, "Print JSON", NULL},
    FV_MODEL_OPTIONS(options),
    FV_DEVICE_OPTIONS(options),
    {0}};
  const FvUsage usage = {command, "[MODEL]",
                         "Measures mean average precision by COCO's rules, 0 to 1, on pictures or on the frames of a recording. Pictures are taken as stored, without their EXIF orientation.\n"
                         "Classes without an annotated object are left out." FV_MODEL_ARGUMENT, 0, 1};
  fv_json_init(&it.results);
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) result = check_settings(&settings);
  if (result == FV_EXIT_OK) result = load(&it, &settings, &options, fv_model_argument(argc, argv));
  if (result == FV_EXIT_OK) result = evaluate(&it, &settings);
  if (result == FV_EXIT_OK && settings.detections) result = write_results(&it, settings.detections);
  if (result == FV_EXIT_OK) result = report(&it, &settings);
  finish(&it, &settings, &options);
  return result;
}

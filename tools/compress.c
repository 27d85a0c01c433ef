/* fovea compress: a model into one .fovea file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <fovea/container.h>

#include "commands.h"
#include "compress_options.h"
#include "compress_pictures.h"
#include "options.h"
#include "progress.h"

static const char command[] = "compress";

typedef struct Compression {
  FvModelOptions options;
  FvCompressWords words;
  char *output, *calibrate, *images, *annotations, *entropy, *sign_key;
  double budget, decode_ms;
  int pictures, measured;
  gboolean encrypt, layers;
  /* at work */
  FvModel *model, *made;
  FvCompressParams params;
  FvNodeForm *nodes;
  FvCalibrationPictures calibration;
  FvMeasure measure;      /* what the loss is told by */
  gboolean seen;          /* its pictures are those of calibration */
  FvMeasure search;       /* what a budget is spent by */
  gboolean search_annotated;
  FvCompressReport *report;
  FvCocoResult before, after;
  gboolean is_measured;
  FvScoreHistogram scores; /* of what was made, on the pictures of calibration */
  FvProgress bar;
  const char *doing;
} Compression;

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

/* --- compressing --- */

static int show_progress(void *data, const char *what, int done, int total) {
  Compression *it = data;
  if (!it->doing || strcmp(it->doing, what) != 0) {
    if (it->doing) fv_progress_end(&it->bar);
    fv_progress_start(&it->bar, what, total);
    it->doing = what;
  }
  fv_progress_show(&it->bar, done);
  return 0;
}

static int score(FvMeasure *measure, FvModel *model, FvCocoResult *result, FvError *err) {
  gint64 found = fv_measure_detect(measure, model, NULL, NULL, err);
  if (found < 0) return (int)found;
  fv_coco_evaluate(measure->coco, result, NULL);
  return 0;
}

/* Over all classes together: on few pictures mAP is decided by the classes that occur once, and a search would go where they fall. Boxes of annotations count up to an overlap of
 * 0.95; those of the model itself are exact to fractions of a pixel, and being off by one is no loss: there an overlap of 0.5 says that the same objects are found. */
static int score_candidate(void *data, FvModel *model, double *ret_score, FvError *err) {
  Compression *it = data;
  FvCocoResult result;
  int code = score(&it->search, model, &result, err);
  *ret_score = code < 0 ? NAN : 100 * (it->search_annotated ? result.pooled : result.pooled50);
  return code;
}

static gboolean finds_objects(const FvModel *model) {
  FvFamily family = fv_model_description(model)->family;
  return family != FV_FAMILY_NONE && family != FV_FAMILY_EMBEDDING;
}

static int open_pictures(Compression *it, FvError *err) {
  if (!it->calibrate) return 0;
  int result = fv_calibration_pictures_init(&it->calibration, it->calibrate, it->pictures, err);
  it->params.calibration = it->calibration.source;
  gboolean measures = it->measured > 0 && finds_objects(it->model);
  if (result == 0 && measures)
    result = fv_measured_pictures_init(&it->measure, &it->calibration, it->images, it->annotations, it->measured, it->model, &it->seen, err);
  if (result < 0 || it->budget == 0) return result;
  it->params.measure = score_candidate;
  it->params.measure_data = it;
  it->search_annotated = it->annotations && !it->images; /* of other pictures they say nothing here */
  return fv_search_pictures_init(&it->search, &it->calibration, it->search_annotated ? it->annotations : NULL, it->model, err);
}

static void count_score(void *data, int image, int category, double score, const double box[4]) {
  FvScoreHistogram *scores = data;
  (void)image;
  (void)category;
  (void)box;
  int bin = (int)(score * FV_SCORE_BINS);
  scores->counts[CLAMP(bin, 0, FV_SCORE_BINS - 1)]++;
}

/* What scores are usual, for whoever wants to tell later whether they still are. */
static int count_scores(Compression *it, FvError *err) {
  FvMeasure all = {.threads = it->options.threads, .device = "cpu"};
  if (!finds_objects(it->made) || !it->calibrate) return 0;
  it->scores.group = "all";
  fv_measure_list(&all, it->calibration.folder, it->calibration.names, it->made);
  gint64 found = fv_measure_detect(&all, it->made, count_score, &it->scores, err);
  fv_measure_finish(&all);
  return found < 0 ? (int)found : 0;
}

static int compress(Compression *it) {
  FvError err;
  it->measure = (FvMeasure){.threads = it->options.threads, .device = "cpu", .progress = "measuring"};
  it->search = (FvMeasure){.threads = it->options.threads, .device = "cpu", .keeps_pictures = TRUE};
  it->params.threads = it->options.threads;
  it->params.progress = show_progress;
  it->params.progress_data = it;
  int result = open_pictures(it, &err);
  if (result == 0) result = fv_compress(it->model, &it->params, &it->made, &it->report, &err);
  if (it->doing) fv_progress_end(&it->bar);
  if (result == 0 && it->measure.coco) result = score(&it->measure, it->model, &it->before, &err);
  if (result == 0 && it->measure.coco) result = score(&it->measure, it->made, &it->after, &err);
  if (result == 0) result = count_scores(it, &err);
  it->is_measured = result == 0 && it->measure.coco && isfinite(it->before.map) && isfinite(it->after.map);
  return result < 0 ? fv_fail(command, "%s", err.message) : FV_EXIT_OK;
}

/* --- telling --- */

static void print_layers(const FvCompressReport *report) {
  char form[32];
  printf("%-40s %-8s %10s %7s  %-12s %7s %9s\n", "layer", "", "weights", "kept", "form", "entropy", "error");
  for (int i = 0; i < report->layer_count; i++) {
    const FvLayerReport *layer = &report->layers[i];
    printf("%-40s %-8s %10lld %6.1f%%  %-12s %7.2f %8.3f%%\n", layer->node, layer->operation, (long long)layer->weights,
           layer->weights ? 100.0 * (double)layer->kept / (double)layer->weights : 0, fv_weight_form_text(layer->form, layer->bits, form), layer->entropy_bits,
           100 * layer->output_error);
  }
}

static void print_accuracy(const Compression *it) {
  if (!it->is_measured) return;
  printf("mAP %.2f, before %.2f, AP50 %.2f, before %.2f, on %d pictures%s; truth: %s\n", 100 * it->after.map, 100 * it->before.map, 100 * it->after.ap50, 100 * it->before.ap50,
         fv_coco_image_count(it->measure.coco),
         it->seen ? " (those of calibration: there are no others)" : "", it->annotations ? "annotations" : "what the model found before, score 0.3 and more");
}

enum { NOTES = 8, NOTE_BYTES = 128 };

/* The record that goes into the file. */
static int write_accuracy(const Compression *it, FvNote *notes, char (*texts)[NOTE_BYTES]) {
  int count = 0;
  if (!it->is_measured) return count;
  notes[count++] = (FvNote){"metric", "COCO mAP, 0 to 100, overlaps 0.50 to 0.95"};
  notes[count++] = (FvNote){"truth", it->annotations ? "annotations" : "objects that the source model finds with score 0.3 or more"};
  snprintf(texts[count], NOTE_BYTES, "%d%s", fv_coco_image_count(it->measure.coco), it->seen ? ", those of calibration" : "");
  notes[count] = (FvNote){"pictures", texts[count]};
  count++;
  const struct {
    const char *key;
    double value;
  } scores[] = {{"before", it->before.map}, {"after", it->after.map}, {"before-ap50", it->before.ap50}, {"after-ap50", it->after.ap50}};
  for (size_t i = 0; i < G_N_ELEMENTS(scores); i++, count++) {
    snprintf(texts[count], NOTE_BYTES, "%.3f", 100 * scores[i].value);
    notes[count] = (FvNote){scores[i].key, texts[count]};
  }
  return count;
}

static int write_calibration(const Compression *it, FvNote *notes, char *text) {
  if (!it->report || !it->report->pictures) return 0;
  snprintf(text, NOTE_BYTES, "%d", it->report->pictures);
  notes[0] = (FvNote){"pictures", text};
  notes[1] = (FvNote){"ranges", it->words.ranges ? it->words.ranges : "auto"};
  notes[2] = (FvNote){"activations", it->params.activations == FV_ACTIVATIONS_INT8 ? "int8" : "fp32"};
  notes[3] = (FvNote){"equalised", it->words.no_equalisation ? "no" : "yes"};
  return 4;
}

static int write_file(const Compression *it, FvContainerParams *params) {
  FvError err;
  FvContainerInfo info;
  FvNote accuracy[NOTES], calibration[NOTES];
  char texts[NOTES][NOTE_BYTES], pictures[NOTE_BYTES];
  params->accuracy = accuracy;
  params->accuracy_count = write_accuracy(it, accuracy, texts);
  params->calibration = calibration;
  params->calibration_count = write_calibration(it, calibration, pictures);
  params->scores = &it->scores;
  params->score_count = it->scores.group ? 1 : 0;
  params->decode_ms = it->decode_ms;
  if (fv_container_write(it->made, it->output, params, &err) < 0) return fv_fail(command, "%s", err.message);
  if (fv_container_verify(it->output, it->options.trusted_keys, &info, &err) < 0) return fv_fail(command, "%s", err.message);
  FvModelInfo source = fv_model_info(it->model);
  if (it->layers && it->report) print_layers(it->report);
  print_accuracy(it);
  printf("%s: %lld bytes, %.2f times smaller than %s%s\n", it->output, (long long)info.file_bytes, (double)source.file_bytes / (double)info.file_bytes,
         source.path, info.signature == FV_SIGNATURE_NONE ? ", not signed" : ", signed");
  fv_container_info_finish(&info);
  return FV_EXIT_OK;
}

/* --- the command --- */

static int check_pictures(const Compression *it) {
  if (it->pictures < 1) return fv_fail_usage(command, "--pictures must be 1 or more, not %d", it->pictures);
  if (it->measured < 0) return fv_fail_usage(command, "--measure must be 0 (not at all) or more, not %d", it->measured);
  if (!(it->decode_ms >= 0 || it->decode_ms == -1)) return fv_fail_usage(command, "--decode-ms must be 0 or more, or -1, not %g", it->decode_ms);
  if (!(it->params.mean_bits >= 0 && it->params.mean_bits <= 8)) return fv_fail_usage(command, "--mean-bits must be 0 (not at all) to 8, not %g", it->params.mean_bits);
  if (!(it->budget >= 0)) return fv_fail_usage(command, "--budget must be 0 or more, not %g", it->budget);
  if (it->calibrate && !g_file_test(it->calibrate, G_FILE_TEST_IS_DIR)) return fv_fail(command, "--calibrate '%s' is not a folder", it->calibrate);
  if (it->images && !g_file_test(it->images, G_FILE_TEST_IS_DIR)) return fv_fail(command, "--images '%s' is not a folder", it->images);
  if (it->calibrate) return FV_EXIT_OK;
  const char *needs = it->budget > 0 ? "--budget" : it->params.mean_bits > 0 ? "--mean-bits" : it->annotations ? "--annotations" : it->images ? "--images" : it->words.prune ? "--prune" : NULL;
  if (needs) return fv_fail_usage(command, "%s needs --calibrate DIR", needs);
  bool narrow = it->params.weights == FV_WEIGHT_INT || it->params.weights == FV_WEIGHT_CODEBOOK;
  for (int i = 0; i < it->params.node_count; i++) narrow = narrow || it->params.nodes[i].weights == FV_WEIGHT_INT || it->params.nodes[i].weights == FV_WEIGHT_CODEBOOK;
  return narrow ? fv_fail_usage(command, "narrow weights need --calibrate DIR, a folder of pictures like those that the model will see") : FV_EXIT_OK;
}

static int check(Compression *it) {
  if (!it->output) return fv_fail_usage(command, "-o OUT.fovea is missing");
  it->params.budget = it->budget;
  int result = fv_compress_words_read(command, &it->words, it->calibrate != NULL, &it->params, &it->nodes);
  if (result == FV_EXIT_OK) result = check_pictures(it);
  return result == FV_EXIT_OK ? check_entropy(it) : result;
}

/* Nothing to look at: the file as it is, or its weights in half the bytes. */
static bool is_plain(const Compression *it) {
  return !it->calibrate && it->params.node_count == 0;
}

static int run(Compression *it, const char *path, const char *line) {
  FvContainerParams params = {.entropy = it->entropy, .sign_key = it->sign_key, .encrypt = it->encrypt, .command = line};
  int result = check(it);
  if (result == FV_EXIT_OK) result = fv_model_options_open(&it->options, command, path, &it->model);
  if (result == FV_EXIT_OK && strcmp(fv_model_info(it->model).format, "fovea") == 0)
    result = fv_fail(command, "%s is a .fovea file already: begin with the ONNX file that it was made from", path);
  if (result == FV_EXIT_OK && is_plain(it)) {
    params.weights = it->params.weights == FV_WEIGHT_F16 ? FV_WEIGHTS_F16 : FV_WEIGHTS_F32;
    it->made = fv_model_ref(it->model);
  } else if (result == FV_EXIT_OK) {
    result = compress(it);
  }
  return result == FV_EXIT_OK ? write_file(it, &params) : result;
}

static void finish(Compression *it) {
  fv_model_destroy(&it->made);
  fv_model_destroy(&it->model);
  fv_compress_report_destroy(&it->report);
  fv_measure_finish(&it->measure);
  fv_measure_finish(&it->search);
  fv_calibration_pictures_finish(&it->calibration);
  fv_model_options_finish(&it->options);
  fv_compress_words_finish(&it->words);
  g_free(it->nodes);
  g_free(it->output);
  g_free(it->calibrate);
  g_free(it->images);
  g_free(it->annotations);
  g_free(it->entropy);
  g_free(it->sign_key);
}

int fv_command_compress(int argc, char **argv) {
  Compression it = {.words.rate = NAN, .pictures = 64, .measured = 500};
  const GOptionEntry entries[] = {
    {"output", 'o', 0, G_OPTION_ARG_FILENAME, &it.output, "File to write; one that is there is replaced", "OUT.fovea"},
    {"calibrate", 0, 0, G_OPTION_ARG_FILENAME, &it.calibrate, "Folder of pictures like those that the model will see; makes int8 the default", "DIR"},
    {"pictures", 0, 0, G_OPTION_ARG_INT, &it.pictures, "How many of them to calibrate with, evenly chosen (default 64)", "N"},
    {"images", 0, 0, G_OPTION_ARG_FILENAME, &it.images, "Folder to measure the loss on (default: what --calibrate leaves over)", "DIR"},
    {"annotations", 0, 0, G_OPTION_ARG_FILENAME, &it.annotations, "What is on those pictures, in COCO's form (default: what the model itself finds)", "FILE.json"},
    {"measure", 0, 0, G_OPTION_ARG_INT, &it.measured, "On how many pictures to measure, at most; 0: do not (default 500)", "N"},
    {"mean-bits", 0, 0, G_OPTION_ARG_DOUBLE, &it.params.mean_bits, "Look for the best bits per layer with which weights take so many bits each in the file, on average", "BITS"},
    {"budget", 0, 0, G_OPTION_ARG_DOUBLE, &it.budget, "Look for the fewest bits per layer that lose no more than this, in points of mAP", "POINTS"},
    {"weights", 0, 0, G_OPTION_ARG_STRING, &it.words.weights, "int8, int7 … int3, codebook:N, fp16 or fp32 (default int8 with --calibrate, else fp32)", "FORM"},
    {"activations", 0, 0, G_OPTION_ARG_STRING, &it.words.activations, "int8 or fp32 (default int8 with narrow weights)", "FORM"},
    {"ranges", 0, 0, G_OPTION_ARG_STRING, &it.words.ranges, "How activations get their range: auto, minmax, percentile, kl or mse (default auto)", "METHOD"},
    {"rounding", 0, 0, G_OPTION_ARG_STRING, &it.words.rounding, "auto, nearest or gptq (default auto: gptq below 8 bits)", "METHOD"},
    {"rate", 0, 0, G_OPTION_ARG_DOUBLE, &it.words.rate, "How much rounding favours levels that take fewer bits in the file (default 1 below 8 bits, else 0)", "WEIGHT"},
    {"prune", 0, 0, G_OPTION_ARG_STRING, &it.words.prune, "magnitude:0.5, global:0.5, channels:0.3, 2:4, block4:0.7, auto:0.02 or list:FILE", "KIND:AMOUNT"},
    {"prune-steps", 0, 0, G_OPTION_ARG_INT, &it.words.prune_steps, "Prune in so many steps (default 1)", "N"},
    {"keep", 0, 0, G_OPTION_ARG_STRING_ARRAY, &it.words.keep, "Another form for a layer, * and ? allowed; repeatable", "NODE=FORM"},
    {"no-equalisation", 0, 0, G_OPTION_ARG_NONE, &it.words.no_equalisation, "Do not even out channels across layers", NULL},
    {"no-bias-correction", 0, 0, G_OPTION_ARG_NONE, &it.words.no_bias_correction, "Do not correct biases for what rounding shifts", NULL},
    {"layers", 0, 0, G_OPTION_ARG_NONE, &it.layers, "Print what became of each layer", NULL},
    {"entropy", 0, 0, G_OPTION_ARG_STRING, &it.entropy, "none, huffman, rans … or auto, the smallest that decodes quickly (default auto)", "CODER"},
    {"decode-ms", 0, 0, G_OPTION_ARG_DOUBLE, &it.decode_ms, "With auto: milliseconds that decoding may take; -1: no limit, the smallest file (default: 1.3 ns a weight)", "MS"},
    {"sign", 0, 0, G_OPTION_ARG_FILENAME, &it.sign_key, "Sign with this key, see fovea keygen", "NAME.key"},
    {"encrypt", 0, 0, G_OPTION_ARG_NONE, &it.encrypt, "Encrypt graph, weights and description with the key in $FOVEA_MODEL_KEY_FILE or $FOVEA_MODEL_KEY", NULL},
    {"threads", 0, 0, G_OPTION_ARG_INT, &it.options.threads, "Threads, 1 to 64; 0 is one per core (default 0)", "N"},
    FV_MODEL_OPTIONS(it.options),
    {0}};
  const FvUsage usage = {command, "MODEL.onnx",
                         "Writes a model, what its outputs mean and its class names into one file that is verified before it is used.\n"
                         "Everything that takes an ONNX file takes the result. With --calibrate it becomes smaller and faster, and the file says what that cost.", 1, 1};
  char *line = command_line(argc, argv);
  int result = fv_options_parse(&usage, entries, NULL, &argc, &argv);
  if (result == FV_EXIT_OK) result = run(&it, argv[1], line);
  finish(&it);
  g_free(line);
  return result;
}

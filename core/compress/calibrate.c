#include "compress/calibrate.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/threads.h"
#include "compress/moments.h"
#include "compress/prepare.h"
#include "session/session_internal.h"

#define MAX_MOMENT_BYTES (INT64_C(2) << 30) /* layers beyond it do without */

/* One observed value. */
typedef struct Entry {
  const char *name;
  FvActivationStats stats;
  double *channel_sum;
  int64_t *bins;           /* of the histogram: a float stops counting at 2^24 */
  int64_t channel_count;   /* numbers seen in each channel */
  FvMomentSums moments;    /* of the node that makes it; node NULL: none */
  const FvTensor *tensor;  /* while gathering */
  const FvTensor *input;   /* of that node, for moments */
} Entry;

struct FvCalibration {
  FvArena arena;
  Entry *entries; /* by name */
  int count;
};

/* --- walking tensors --- */

/* Numbers that lie a step apart in memory, all in one channel or one in each. */
typedef struct Run {
  const float *data;
  int64_t step, length;
  int64_t channel, channel_step;
} Run;

typedef void (*RunFn)(Entry *entry, const Run *run);

static int64_t distance(int64_t stride) { return stride < 0 ? -stride : stride; }

/* The dimension with the shortest step. */
static int fastest_dim(const FvTensor *tensor) {
  int best = tensor->rank - 1;
  for (int d = 0; d < tensor->rank; d++)
    if (tensor->dims[d] > 1 && (tensor->dims[best] == 1 || distance(tensor->strides[d]) < distance(tensor->strides[best]))) best = d;
  return best;
}

static void walk(Entry *entry, RunFn visit) {
  const FvTensor *tensor = entry->tensor;
  if (fv_tensor_count(tensor) == 0) return;
  if (tensor->rank == 0) {
    visit(entry, &(Run){.data = tensor->data, .length = 1});
    return;
  }
  int along = fastest_dim(tensor);
  int64_t index[FV_MAX_RANK] = {0};
  for (bool more = true; more;) {
    const float *data = tensor->data;
    for (int d = 0; d < tensor->rank; d++) data += index[d] * tensor->strides[d];
    visit(entry, &(Run){data, tensor->strides[along], tensor->dims[along], tensor->rank > 1 ? index[1] : 0, along == 1});
    more = false;
    for (int d = tensor->rank - 1; d >= 0 && !more; d--) {
      if (d == along) continue;
      more = ++index[d] < tensor->dims[d];
      if (!more) index[d] = 0;
    }
  }
}

static void note_ranges(Entry *entry, const Run *run) {
  FvActivationStats *stats = &entry->stats;
  for (int64_t i = 0, c = run->channel; i < run->length; i++, c += run->channel_step) {
    float x = run->data[i * run->step];
    if (!isfinite(x)) continue; /* masks have them; they stay what they are under any range */
    stats->min = x < stats->min ? x : stats->min;
    stats->max = x > stats->max ? x : stats->max;
    if (!stats->channels) continue;
    stats->channel_min[c] = x < stats->channel_min[c] ? x : stats->channel_min[c];
    stats->channel_max[c] = x > stats->channel_max[c] ? x : stats->channel_max[c];
    entry->channel_sum[c] += (double)x;
  }
  stats->count += run->length;
}

static void note_histogram(Entry *entry, const Run *run) {
  FvActivationStats *stats = &entry->stats;
  float scale = FV_HISTOGRAM_BINS / (stats->max - stats->min);
  if (!isfinite(scale)) scale = 0;
  for (int64_t i = 0; i < run->length; i++) {
    float x = run->data[i * run->step];
    if (!isfinite(x)) continue;
    int bin = (int)((x - stats->min) * scale);
    entry->bins[bin < FV_HISTOGRAM_BINS ? bin : FV_HISTOGRAM_BINS - 1]++;
  }
}

/* --- what is observed --- */

static int by_name(const void *a, const void *b) { return strcmp(((const Entry *)a)->name, ((const Entry *)b)->name); }

static Entry *find(const FvCalibration *calibration, const char *name) {
  const Entry key = {.name = name};
  return bsearch(&key, calibration->entries, (size_t)calibration->count, sizeof key, by_name);
}

static bool is_observable(const FvValue *value) { return value && !value->constant && value->dtype == FV_DTYPE_F32 && !value->dynamic && value->rank >= 0; }

static int init_entry(FvCalibration *calibration, Entry *entry, const FvValue *value, FvError *err) {
  FvArena *arena = &calibration->arena;
  size_t channels = value->rank >= 2 ? (size_t)value->dims[1] : 0;
  FvActivationStats *stats = &entry->stats;
  entry->name = fv_arena_strndup(arena, value->name, strlen(value->name));
  stats->min = FLT_MAX;
  stats->max = -FLT_MAX;
  stats->histogram = fv_arena_array(arena, FV_HISTOGRAM_BINS, sizeof *stats->histogram);
  stats->channels = (int)channels;
  stats->channel_min = fv_arena_array(arena, channels, sizeof *stats->channel_min);
  stats->channel_max = fv_arena_array(arena, channels, sizeof *stats->channel_max);
  stats->channel_mean = fv_arena_array(arena, channels, sizeof *stats->channel_mean);
  entry->channel_sum = fv_arena_array(arena, channels, sizeof *entry->channel_sum);
  entry->bins = fv_arena_array(arena, FV_HISTOGRAM_BINS, sizeof *entry->bins);
  if (!entry->name || !entry->bins || !stats->histogram || !stats->channel_min || !stats->channel_max || !stats->channel_mean || !entry->channel_sum)
    return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (size_t c = 0; c < channels; c++) {
    stats->channel_min[c] = FLT_MAX;
    stats->channel_max[c] = -FLT_MAX;
  }
  calibration->count++;
  return 0;
}

static int add_entries(FvCalibration *calibration, const FvGraph *graph, FvError *err) {
  int capacity = graph->input_count, result = 0;
  for (int i = 0; i < graph->node_count; i++) capacity += graph->nodes[i]->output_count;
  calibration->entries = fv_arena_array(&calibration->arena, (size_t)capacity + 1, sizeof *calibration->entries);
  if (!calibration->entries) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < graph->input_count && result == 0; i++)
    if (is_observable(graph->inputs[i])) result = init_entry(calibration, &calibration->entries[calibration->count], graph->inputs[i], err);
  for (int i = 0; i < graph->node_count; i++)
    for (int j = 0; j < graph->nodes[i]->output_count && result == 0; j++)
      if (is_observable(graph->nodes[i]->outputs[j])) result = init_entry(calibration, &calibration->entries[calibration->count], graph->nodes[i]->outputs[j], err);
  qsort(calibration->entries, (size_t)calibration->count, sizeof *calibration->entries, by_name);
  return result;
}

static int add_moments(FvCalibration *calibration, const FvGraph *graph, FvError *err) {
  int64_t left = MAX_MOMENT_BYTES;
  int result = 0;
  for (int i = 0; i < graph->node_count && result == 0; i++) {
    const FvNode *node = graph->nodes[i];
    FvMoments moments;
    Entry *entry = node->outputs[0] ? find(calibration, node->outputs[0]->name) : NULL;
    if (!entry || !fv_moments_of_node(node, &moments) || fv_moments_bytes(&moments) > left) continue;
    left -= fv_moments_bytes(&moments);
    result = fv_moments_init(&entry->moments, node, &calibration->arena, err);
  }
  return result;
}

/* --- running --- */

typedef struct Gathering {
  FvCalibration *calibration;
  const FvCalibrationParams *params;
  FvModel *model; /* every value is an output */
  FvPlan *plan;
  FvSession *session;
  FvPreprocessor *preprocessor;
  bool ranges; /* first pass: ranges and moments; second: histograms */
  int picture, parts;
} Gathering;



static int open_graph(Gathering *it, FvModel *model, const FvGraph *graph, FvError *err) {
  FvGraph *open = fv_graph_clone(graph);
  bool failed = !open;
  for (int i = 0; !failed && i < open->node_count; i++)
    for (int j = 0; j < open->nodes[i]->output_count && !failed; j++) {
      FvValue *value = open->nodes[i]->outputs[j];
      if (is_observable(value) && !value->is_input && !value->is_output) failed = !fv_graph_add_output(open, value);
    }
  if (failed) {
    fv_graph_destroy(&open);
    return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  }
  fv_graph_count_uses(open);
  return fv_model_with_graph(model, open, &it->model, err);
}

static int open_session(Gathering *it, FvError *err) {
  FvPlanParams params = {.device = "cpu", .threads = it->params->threads, .flags = FV_PLAN_NO_FUSION};
  int result = fv_plan_create(it->model, &params, &it->plan, err);
  if (result == 0) result = fv_session_create(it->plan, &it->session, err);
  if (result < 0) return result;
  if (fv_session_input_count(it->session) != 1 || !fv_session_input(it->session, 0))
    return fv_error_set(err, FV_ERR_UNSUPPORTED, "calibration takes models with one input, the picture; this one has %d", fv_session_input_count(it->session));
  it->parts = fv_plan_info(it->plan).threads;
  return fv_preprocessor_create(&fv_model_description(it->model)->preprocess, &it->preprocessor, err);
}

/* Tells every entry where its numbers lie. */
static void bind(Gathering *it) {
  FvCalibration *calibration = it->calibration;
  Entry *entry = find(calibration, fv_session_input_name(it->session, 0));
  if (entry) entry->tensor = fv_session_input(it->session, 0);
  for (int i = 0; i < fv_session_output_count(it->session); i++)
    if ((entry = find(calibration, fv_session_output_name(it->session, i)))) entry->tensor = fv_session_output(it->session, i);
  for (int i = 0; i < calibration->count; i++) {
    const FvNode *node = calibration->entries[i].moments.node;
    entry = node ? find(calibration, node->inputs[0]->name) : NULL;
    calibration->entries[i].input = entry ? entry->tensor : NULL;
  }
}

static void gather_part(void *arg, int part) {
  const Gathering *it = arg;
  for (int i = part; i < it->calibration->count; i += it->parts) {
    Entry *entry = &it->calibration->entries[i];
    if (!entry->tensor) continue;
    walk(entry, it->ranges ? note_ranges : note_histogram);
    if (it->ranges && entry->stats.channels) entry->channel_count += fv_tensor_count(entry->tensor) / entry->stats.channels;
    if (it->ranges && entry->moments.node && entry->input) fv_moments_add(&entry->moments, entry->input, entry->tensor, it->picture);
  }
}

static int passes(const FvCalibrationParams *params) { return params->ranges_only ? 1 : 2; }

static int report_progress(const Gathering *it, int done) {
  const FvCalibrationParams *params = it->params;
  return params->progress ? params->progress(params->progress_data, "calibrating", done, passes(params) * params->pictures.count) : 0;
}

static int gather_picture(Gathering *it, FvError *err) {
  const FvPictureSource *pictures = &it->params->pictures;
  FvFrame frame = {0};
  FvFrameMap map;
  int result = pictures->read(pictures->data, it->picture, &frame, err);
  if (result == 0) result = fv_preprocessor_run(it->preprocessor, &frame, fv_session_input(it->session, 0), it->parts, &map, err);
  if (result == 0) result = fv_session_run(it->session, err);
  if (result == 0) fv_pool_run(it->parts, gather_part, it);
  return result;
}

static int gather_all(Gathering *it, FvError *err) {
  int count = it->params->pictures.count;
  for (int done = 0; done < passes(it->params) * count; done++) {
    it->ranges = done < count;
    it->picture = done % count;
    if (report_progress(it, done)) return fv_error_set(err, FV_ERR_CANCELLED, "cancelled while calibrating");
    int result = gather_picture(it, err);
    if (result < 0) return result;
  }
  return 0;
}

static void finish_entries(FvCalibration *calibration) {
  for (int i = 0; i < calibration->count; i++) {
    Entry *entry = &calibration->entries[i];
    FvActivationStats *stats = &entry->stats;
    if (stats->min > stats->max) stats->min = stats->max = 0;
    for (int b = 0; b < FV_HISTOGRAM_BINS; b++) stats->histogram[b] = (float)entry->bins[b];
    for (int c = 0; c < stats->channels; c++) {
      if (stats->channel_min[c] > stats->channel_max[c]) stats->channel_min[c] = stats->channel_max[c] = 0;
      stats->channel_mean[c] = entry->channel_count ? (float)(entry->channel_sum[c] / (double)entry->channel_count) : 0;
    }
    if (entry->moments.node) fv_moments_finish(&entry->moments);
    entry->moments.node = NULL; /* the graph may be gone before us */
    entry->tensor = entry->input = NULL;
  }
}

static int gather(Gathering *it, FvModel *model, const FvGraph *graph, FvError *err) {
  int result = open_graph(it, model, graph, err);
  if (result == 0) result = open_session(it, err);
  if (result == 0) {
    bind(it);
    result = gather_all(it, err);
  }
  fv_preprocessor_destroy(&it->preprocessor);
  fv_session_destroy(&it->session);
  fv_plan_destroy(&it->plan);
  fv_model_destroy(&it->model);
  return result;
}

int fv_calibration_create(FvModel *model, const FvGraph *graph, const FvCalibrationParams *params, FvCalibration **ret_calibration, FvError *err) {
  if (params->pictures.count < 1 || params->pictures.count > FV_MAX_CALIBRATION_PICTURES || !params->pictures.read)
    return fv_error_set(err, FV_ERR_INVALID, "calibration needs 1 to %d pictures, not %d", FV_MAX_CALIBRATION_PICTURES, params->pictures.count);
  FvCalibration *calibration = calloc(1, sizeof *calibration);
  if (!calibration) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  fv_arena_init(&calibration->arena);
  Gathering it = {.calibration = calibration, .params = params};
  int result = add_entries(calibration, graph, err);
  if (result == 0 && params->moments) result = add_moments(calibration, graph, err);
  if (result == 0) result = gather(&it, model, graph, err);
  if (result == 0) {
    finish_entries(calibration);
    *ret_calibration = calibration;
  } else {
    fv_calibration_destroy(&calibration);
  }
  return result;
}

void fv_calibration_destroy(FvCalibration **place) {
  if (!place || !*place) return;
  fv_arena_finish(&(*place)->arena);
  free(*place);
  *place = NULL;
}

const FvActivationStats *fv_calibration_stats(const FvCalibration *calibration, const char *value) {
  const Entry *entry = find(calibration, value);
  return entry ? &entry->stats : NULL;
}

const FvMoments *fv_calibration_moments(const FvCalibration *calibration, const char *output) {
  const Entry *entry = find(calibration, output);
  return entry && entry->moments.matrix ? &entry->moments.moments : NULL;
}

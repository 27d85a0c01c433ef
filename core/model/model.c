#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "container/envelope.h"
#include "container/hash.h"
#include "model/model_internal.h"
#include "ir/op.h"
#include "vision/describe.h"

/* "dir/nanodet_m.onnx" -> "nanodet_m". */
static char *name_of(const char *path) {
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
  return dot && dot != base ? strndup(base, (size_t)(dot - base)) : strdup(base);
}

static char *directory_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return strdup(".");
  return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static FvModel *create(const char *path, bool from_memory) {
  FvModel *model = calloc(1, sizeof *model);
  if (!model) return NULL;
  atomic_init(&model->references, 1);
  pthread_mutex_init(&model->hashing, NULL);
  model->path = strdup(path);
  model->name = name_of(path);
  model->from_memory = from_memory;
  if (!model->path || !model->name) fv_model_destroy(&model);
  return model;
}

FvModel *fv_model_ref(FvModel *model) {
  atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
  return model;
}

void fv_model_destroy(FvModel **place) {
  FvModel *model = place ? *place : NULL;
  if (!model) return;
  *place = NULL;
  if (atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) > 1) return;
  fv_description_finish(&model->description);
  if (model->prepared != model->file.graph) fv_graph_destroy(&model->prepared); /* borrows from the file's graph */
  fv_graph_destroy(&model->file.graph);
  fv_model_destroy(&model->lender);
  pthread_mutex_destroy(&model->hashing);
  free(model->bytes);
  free(model->shape_inputs);
  free(model->path);
  free(model->name);
  free(model);
}

static bool has_ending(const char *path, const char *ending) {
  size_t length = strlen(path), wanted = strlen(ending);
  return length > wanted && strcmp(path + length - wanted, ending) == 0;
}

static int parse(FvModel *model, const void *data, size_t size, const FvModelParams *params, bool *borrows, FvError *err) {
  *borrows = false;
  model->is_container = fv_envelope_is(data, size) || has_ending(model->path, ".fovea");
  if (model->is_container) {
    model->file_bytes = (int64_t)size;
    return fv_model_read_container(model, data, size, params, borrows, err);
  }
  if (params && params->signature == FV_SIGNATURE_REQUIRE)
    return fv_error_set(err, FV_ERR_CONFIG, "ONNX files are not signed, and a signature is required: make a .fovea file with fovea compress --sign");
  char *directory = model->from_memory ? NULL : directory_of(model->path);
  model->file_bytes = (int64_t)size;
  int result = fv_onnx_read(data, size, directory, &model->file, err);
  free(directory);
  return result;
}

/* The graph of a container has its constants folded and its dimensions fixed: there is nothing to see of it beside the prepared one. */
static int prepare(FvModel *model, const FvModelParams *params, FvError *err) {
  model->prepared = model->is_container ? model->file.graph : fv_graph_clone(model->file.graph);
  if (!model->prepared) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  int result = fv_graph_prepare(model->prepared, err);
  if (result < 0 && params && params->input_shape_count > 0) fv_error_prefix(err, "with the input shape given");
  return result;
}

static int build(FvModel *model, const FvModelParams *params, const FvModelConfig *config, FvError *err) {
  FvPreprocess size = {0};
  bool any_shape_input;
  int result = fv_model_has_open_size(model) ? fv_model_config_size(model, config, &size, err) : 0;
  if (result < 0) return result; /* names the configuration file */
  result = fv_model_set_shapes(model, params, &size, err);
  if (result == 0) result = fv_model_find_shape_inputs(model, &any_shape_input, err);
  if (result == 0 && !any_shape_input) result = prepare(model, params, err);
  if (result < 0) {
    fv_error_prefix(err, "%.256s", model->path);
    return result;
  }
  return fv_model_describe(model, params, config, err);
}

static int open_parsed(FvModel *model, const FvModelParams *params, FvError *err) {
  FvModelConfig config;
  int result = fv_model_config_read(model, params, &config, err);
  if (result == 0) result = build(model, params, &config, err);
  fv_model_config_finish(&config);
  return result;
}

/* *borrows: data must live as long as the model; never so for a model from memory. */
static int open_bytes(FvModel *model, const void *data, size_t size, const FvModelParams *params, bool *borrows, FvError *err) {
  int result = parse(model, data, size, params, borrows, err);
  if (result < 0) fv_error_prefix(err, "%.256s", model->path);
  return result;
}

/* Ends both ways of opening: hands the model out, or drops it. */
static int finish_open(FvModel *model, int result, FvModel **ret_model) {
  if (result < 0)
    fv_model_destroy(&model);
  else
    *ret_model = model;
  return result;
}

static int open_file(const char *path, const FvModelParams *params, FvModel **model, FvError *err) {
  void *data;
  size_t size;
  int result = fv_file_read(path, FV_MAX_MODEL_BYTES, &data, &size, err);
  if (result < 0) return result;
  FvModel *opened = create(path, false);
  bool borrows = false;
  if (opened) fv_model_mark_file(opened);
  result = opened ? open_bytes(opened, data, size, params, &borrows, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (borrows) opened->bytes = data;
  else free(data); /* gone before graphs are prepared */
  if (result == 0) result = open_parsed(opened, params, err);
  return finish_open(opened, result, model);
}

int fv_model_open(const char *name, const FvModelParams *params, FvModel **model, FvError *err) {
  char *path;
  FvError local;
  if (!model) return fv_error_set(err, FV_ERR_INVALID, "a place for the model is needed");
  if (!err) err = &local;
  int result = fv_model_find(name, &path, err);
  if (result < 0) return result;
  result = open_file(path, params, model, err);
  free(path);
  return result;
}

int fv_model_open_memory(const void *data, size_t size, const char *name, const FvModelParams *params, FvModel **model, FvError *err) {
  FvError local;
  if ((!data && size) || !model) return fv_error_set(err, FV_ERR_INVALID, "the model's bytes and a place for it are needed");
  if (!err) err = &local;
  FvModel *opened = create(name ? name : "model", true);
  bool borrows;
  if (opened) fv_model_hash_bytes(opened, data, size);
  int result = opened ? open_bytes(opened, data, size, params, &borrows, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (result == 0) result = open_parsed(opened, params, err);
  return finish_open(opened, result, model);
}

const FvGraph *fv_model_raw_graph(const FvModel *model) { return model->file.graph; }
const FvGraph *fv_model_prepared_graph(const FvModel *model) { return model->prepared; }

static const FvGraph *best_graph(const FvModel *model) { return model->prepared ? model->prepared : model->file.graph; }

static FvValueInfo describe_value(FvValue *const *values, int count, int index) {
  FvValueInfo info = {.rank = -1};
  if (index < 0 || index >= count) return info;
  info.name = values[index]->name;
  info.dtype = values[index]->dtype;
  info.rank = values[index]->rank;
  memcpy(info.dims, values[index]->dims, sizeof info.dims);
  return info;
}

int fv_model_input_count(const FvModel *model) { return model->file.graph->input_count; }
int fv_model_output_count(const FvModel *model) { return model->file.graph->output_count; }

FvValueInfo fv_model_input(const FvModel *model, int index) {
  const FvGraph *graph = best_graph(model);
  return describe_value(graph->inputs, graph->input_count, index);
}

FvValueInfo fv_model_output(const FvModel *model, int index) {
  const FvGraph *graph = best_graph(model);
  return describe_value(graph->outputs, graph->output_count, index);
}

bool fv_model_input_is_shape(const FvModel *model, int index) {
  return index >= 0 && index < model->file.graph->input_count && model->shape_inputs[index];
}

const FvDescription *fv_model_description(const FvModel *model) { return &model->description; }

const char *fv_model_describe_error(const FvModel *model) { return model->describe_error.code ? model->describe_error.message : ""; }

FvModelInfo fv_model_info(const FvModel *model) {
  return (FvModelInfo){.path = model->path, .format = model->is_container ? "fovea" : "onnx", .producer = model->file.producer, .opset = model->file.opset,
                       .file_bytes = model->file_bytes, .parameters = model->file.parameters, .node_count = model->file.node_count};
}

static int compare_operators(const void *a, const void *b) {
  const FvOperatorCount *x = a, *y = b;
  return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->name, y->name);
}

static void count_operator(FvOperatorCount *operators, int *used, const char *name) {
  for (int i = 0; i < *used; i++)
    if (strcmp(operators[i].name, name) == 0) {
      operators[i].count++;
      return;
    }
  operators[(*used)++] = (FvOperatorCount){name, 1};
}

int fv_model_operators(const FvModel *model, FvOperatorCount *operators, int capacity) {
  const FvGraph *graph = model->file.graph;
  FvOperatorCount *found = calloc((size_t)graph->node_count + 1, sizeof *found);
  int used = 0;
  if (!found) return 0;
  for (int i = 0; i < graph->node_count; i++) count_operator(found, &used, graph->nodes[i]->op->name);
  qsort(found, (size_t)used, sizeof *found, compare_operators);
  memcpy(operators, found, sizeof *found * (size_t)(used < capacity ? used : capacity));
  free(found);
  return used;
}

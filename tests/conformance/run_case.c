#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "conformance.h"
#include "import/onnx.h"
#include "import/onnx.pb-c.h"

enum { MAX_INPUTS = 32, PATH_SIZE = 4096 };

/* One data set: what goes in and what must come out. */
typedef struct DataSet {
  FvGraph *memory; /* whose arena the tensors live in */
  FvTensor inputs[MAX_INPUTS], outputs[MAX_INPUTS];
  int input_count, output_count;
} DataSet;

typedef struct Case {
  const char *model;
  const Options *options;
  Verdict *verdict;
  Tolerance tolerance;
} Case;

static bool fail(const Case *test, int code, const char *sentence) {
  test->verdict->outcome = code == FV_ERR_UNSUPPORTED ? UNSUPPORTED : FAILED;
  snprintf(test->verdict->reason, sizeof test->verdict->reason, "%s", sentence);
  return false;
}

/* The operators' names, and how exact their results are: quantised ones may be a step off. */
static void look_inside(Case *test) {
  void *data;
  size_t size;
  char *names = test->verdict->operation;
  test->tolerance = (Tolerance){.relative = 1e-3, .absolute = 1e-5};
  snprintf(names, sizeof test->verdict->operation, "?");
  if (fv_file_read(test->model, FV_MAX_MODEL_BYTES, &data, &size, NULL) < 0) return;
  Onnx__ModelProto *proto = onnx__model_proto__unpack(NULL, size, data);
  size_t nodes = proto && proto->graph ? proto->graph->n_node : 0, used = 0;
  for (size_t i = 0; i < nodes; i++) {
    const char *type = proto->graph->node[i]->op_type ? proto->graph->node[i]->op_type : "";
    if (strncmp(type, "QLinear", 7) == 0 || strstr(type, "QuantizeLinear")) test->tolerance.steps = 1;
    if (i < 3) used += (size_t)snprintf(names + used, sizeof test->verdict->operation - used, i ? "+%.16s" : "%.24s", type);
    if (i == 3) snprintf(names + used, sizeof test->verdict->operation - used, "+…");
  }
  if (proto) onnx__model_proto__free_unpacked(proto, NULL);
  free(data);
}

/* Reads DIR/<kind>_0.pb, _1, … until one is missing. */
static int read_tensors(DataSet *set, const char *directory, const char *kind, FvTensor *tensors, int *count, FvError *err) {
  for (*count = 0; *count < MAX_INPUTS; ++*count) {
    char path[PATH_SIZE];
    void *data;
    size_t size;
    snprintf(path, sizeof path, "%s/%s_%d.pb", directory, kind, *count);
    if (access(path, F_OK) != 0) return 0;
    int result = fv_file_read(path, FV_MAX_MODEL_BYTES, &data, &size, err);
    if (result < 0) return result;
    result = fv_onnx_read_value(data, size, set->memory, &tensors[*count], err);
    free(data);
    if (result < 0) return fv_error_prefix(err, "%s_%d.pb", kind, *count);
  }
  return 0;
}

/* Fixes the inputs' shapes to those of the data. */
static int open_model(const Case *test, const DataSet *set, FvModel **model, FvError *err) {
  FvModel *bare;
  FvInputShape shapes[MAX_INPUTS] = {0};
  int result = fv_model_open(test->model, NULL, &bare, err), count = 0;
  if (result == 0) {
    for (; count < set->input_count && count < fv_model_input_count(bare); count++) {
      shapes[count].name = strdup(fv_model_input(bare, count).name);
      shapes[count].rank = set->inputs[count].rank;
      memcpy(shapes[count].dims, set->inputs[count].dims, sizeof shapes[count].dims);
    }
    fv_model_destroy(&bare);
    result = fv_model_open(test->model, &fv_model_params(.input_shapes = shapes, .input_shape_count = count), model, err);
  }
  for (int i = 0; i < count; i++) free((char *)shapes[i].name);
  return result;
}

static int create_session(const Case *test, FvModel *model, const DataSet *set, FvSession **session, FvError *err) {
  FvNamedTensor constants[MAX_INPUTS];
  FvPlan *plan;
  int count = 0;
  for (int i = 0; i < set->input_count && i < fv_model_input_count(model); i++)
    if (fv_model_input_is_shape(model, i)) constants[count++] = (FvNamedTensor){fv_model_input(model, i).name, set->inputs[i]};
  int result = fv_plan_create(model, &fv_plan_params(.device = test->options->device, .threads = 2, .flags = test->options->plan_flags,
                                                     .constants = constants, .constant_count = count), &plan, err);
  if (result < 0) return result;
  result = fv_session_create(plan, session, err);
  fv_plan_destroy(&plan);
  return result;
}

static int fill_inputs(FvSession *session, const DataSet *set, FvError *err) {
  for (int i = 0; i < fv_session_input_count(session); i++) {
    const FvTensor *input = fv_session_input(session, i);
    if (!input) continue; /* given to the plan */
    if (i >= set->input_count) return fv_error_set(err, FV_ERR_FORMAT, "no data for input %d", i);
    if (input->dtype != set->inputs[i].dtype)
      return fv_error_set(err, FV_ERR_FORMAT, "input %d is %s, its data %s", i, fv_dtype_name(input->dtype), fv_dtype_name(set->inputs[i].dtype));
    int result = fv_tensor_copy(input, &set->inputs[i], err);
    if (result < 0) return result;
  }
  return 0;
}

static bool compare(const Case *test, FvSession *session, const DataSet *set) {
  if (fv_session_output_count(session) < set->output_count) return fail(test, FV_ERR_FORMAT, "fewer outputs than expected");
  for (int i = 0; i < set->output_count; i++) {
    char reason[400], sentence[512];
    if (tensors_agree(fv_session_output(session, i), &set->outputs[i], test->tolerance, reason, sizeof reason)) continue;
    snprintf(sentence, sizeof sentence, "output %d %s", i, reason);
    return fail(test, FV_ERR_FORMAT, sentence);
  }
  return true;
}

static bool run_set(const Case *test, const DataSet *set) {
  FvError err = {0};
  FvModel *model = NULL;
  FvSession *session = NULL;
  if (set->output_count == 0) return fail(test, FV_ERR_FORMAT, "no expected output");
  int result = open_model(test, set, &model, &err);
  if (result == 0) result = create_session(test, model, set, &session, &err);
  if (result == 0) result = fill_inputs(session, set, &err);
  if (result == 0) result = fv_session_run(session, &err);
  bool good = result < 0 ? fail(test, result, err.message) : compare(test, session, set);
  fv_session_destroy(&session);
  fv_model_destroy(&model);
  return good;
}

static bool run_folder(const Case *test, const char *directory) {
  char path[PATH_SIZE];
  int sets = 0;
  for (;; sets++) {
    FvError err = {0};
    snprintf(path, sizeof path, "%s/test_data_set_%d", directory, sets);
    if (access(path, F_OK) != 0) break;
    DataSet set = {.memory = fv_graph_create()};
    int result = set.memory ? read_tensors(&set, path, "input", set.inputs, &set.input_count, &err) : FV_ERR_NO_MEMORY;
    if (result == 0) result = read_tensors(&set, path, "output", set.outputs, &set.output_count, &err);
    bool good = result < 0 ? fail(test, result, err.message) : run_set(test, &set);
    fv_graph_destroy(&set.memory);
    if (!good) return false;
  }
  return sets > 0 || fail(test, FV_ERR_FORMAT, "no test_data_set_0");
}

/* Every input is float32 arange(n) / n. */
static int make_inputs(const Case *test, DataSet *set, FvError *err) {
  FvModel *model;
  int result = fv_model_open(test->model, NULL, &model, err);
  if (result < 0) return result;
  for (int i = 0; result == 0 && i < fv_model_input_count(model) && i < MAX_INPUTS; i++) {
    FvValueInfo info = fv_model_input(model, i);
    FvTensor *tensor = &set->inputs[set->input_count++];
    *tensor = (FvTensor){.dtype = FV_DTYPE_F32, .rank = info.rank};
    memcpy(tensor->dims, info.dims, sizeof tensor->dims);
    fv_tensor_set_contiguous(tensor);
    int64_t count = fv_tensor_count(tensor);
    float *values = tensor->data = fv_arena_array(&set->memory->arena, (size_t)count, sizeof *values);
    if (!values) result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
    for (int64_t j = 0; values && j < count; j++) values[j] = (float)j / (float)count;
  }
  fv_model_destroy(&model);
  return result;
}

static bool run_single(const Case *test) {
  char path[PATH_SIZE];
  FvError err = {0};
  void *data = NULL;
  size_t size;
  DataSet set = {.memory = fv_graph_create(), .output_count = 1};
  snprintf(path, sizeof path, "%.*s_output_0.pb", (int)(strlen(test->model) - strlen(".onnx")), test->model);
  int result = set.memory ? make_inputs(test, &set, &err) : FV_ERR_NO_MEMORY;
  if (result == 0) result = fv_file_read(path, FV_MAX_MODEL_BYTES, &data, &size, &err);
  if (result == 0) result = fv_onnx_read_value(data, size, set.memory, &set.outputs[0], &err);
  free(data);
  bool good = result < 0 ? fail(test, result, err.message) : run_set(test, &set);
  fv_graph_destroy(&set.memory);
  return good;
}

void run_case(const char *model, const char *directory, const Options *options, Verdict *verdict) {
  Case test = {model, options, verdict, {0}};
  look_inside(&test);
  if (directory ? run_folder(&test, directory) : run_single(&test)) verdict->outcome = PASSED;
}

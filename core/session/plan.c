#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/threads.h"
#include "graph/passes/passes.h"
#include "model/model_internal.h"
#include "session/choose.h"
#include "session/plan_internal.h"

static const FvNamedTensor *find_constant(const FvPlanParams *params, const char *name) {
  for (int i = 0; i < params->constant_count; i++)
    if (strcmp(params->constants[i].name, name) == 0) return &params->constants[i];
  return NULL;
}

/* Turns a graph input into a constant of the graph. */
static int bind_constant(FvGraph *graph, FvValue *input, const FvTensor *given, FvError *err) {
  if (given->dtype != input->dtype)
    return fv_error_set(err, FV_ERR_INVALID, "input '%s' is %s, but the value given for it is %s", input->name, fv_dtype_name(input->dtype), fv_dtype_name(given->dtype));
  FvTensor *constant = fv_arena_object(&graph->arena, sizeof *constant);
  if (!constant) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  *constant = *given;
  fv_tensor_set_contiguous(constant);
  constant->data = fv_arena_alloc(&graph->arena, (size_t)fv_tensor_count(given) * fv_dtype_size(given->dtype));
  if (!constant->data) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  int result = fv_tensor_copy(constant, given, err);
  input->constant = constant;
  input->rank = given->rank;
  memcpy(input->dims, given->dims, sizeof input->dims);
  return result;
}

/* The model's graph, ours to rewrite: already prepared by the model, or prepared here once the given constants are in. */
static int take_graph(FvPlan *plan, const FvPlanParams *params, FvError *err) {
  const FvGraph *prepared = fv_model_prepared_graph(plan->model);
  bool reuse = prepared && params->constant_count == 0;
  plan->graph = fv_graph_clone(reuse ? prepared : fv_model_raw_graph(plan->model));
  if (!plan->graph) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while copying the graph");
  int bound = 0;
  for (int i = 0; i < plan->graph->input_count; i++) {
    const FvNamedTensor *given = find_constant(params, plan->graph->inputs[i]->name);
    int result = given ? bind_constant(plan->graph, plan->graph->inputs[i], &given->tensor, err) : 0;
    if (result < 0) return result;
    bound += given != NULL;
  }
  if (bound != params->constant_count) return fv_error_set(err, FV_ERR_INVALID, "a constant was given for an input that the model does not have");
  return reuse ? 0 : fv_graph_prepare(plan->graph, err);
}

static int record_ends(FvPlan *plan, FvError *err) {
  FvGraph *graph = plan->graph;
  plan->inputs = fv_arena_array(&plan->arena, (size_t)graph->input_count + 1, sizeof *plan->inputs);
  plan->outputs = fv_arena_array(&plan->arena, (size_t)graph->output_count + 1, sizeof *plan->outputs);
  if (!plan->inputs || !plan->outputs) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < graph->input_count; i++) plan->inputs[i] = graph->inputs[i]->constant ? -1 : graph->inputs[i]->slot;
  for (int i = 0; i < graph->output_count; i++) plan->outputs[i] = graph->outputs[i]->slot;
  return 0;
}

static int build(FvPlan *plan, const FvPlanParams *params, FvError *err) {
  int result = take_graph(plan, params, err);
  if (result == 0) result = fv_passes_run(plan->graph, !(params->flags & FV_PLAN_NO_FUSION), err);
  if (result == 0 && plan->precision >= FV_PRECISION_FP16 && fv_pass_halve(plan->graph) < 0) result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while turning the graph to fp16");
  if (result == 0 && !fv_graph_tighten(plan->graph)) result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (result == 0) result = fv_layout_create(plan->graph, &plan->layout, err);
  if (result == 0) result = record_ends(plan, err);
  if (result == 0 && fv_pool_reserve(plan->threads) < 0) plan->threads = 1; /* runs all the same */
  if (result == 0) result = fv_plan_compile(plan, err);
  return result;
}

int fv_plan_params_check(const FvPlanParams *params, FvError *err) {
  if (params->precision < FV_PRECISION_AUTO || params->precision > FV_PRECISION_FP16_ARITHMETIC) return fv_error_set(err, FV_ERR_INVALID, "there is no precision %d", (int)params->precision);
  if (params->threads >= 0 && params->threads <= FV_MAX_THREADS) return 0;
  return fv_error_set(err, FV_ERR_INVALID, "threads must be 0 (one per core) to %d, not %d", FV_MAX_THREADS, params->threads);
}

int fv_plan_create_on(FvModel *model, const FvPlanParams *params, const char *device, FvPlan **plan, FvError *err) {
  const char *which;
  *plan = NULL;
  const FvBackend *backend = fv_backend_find(device, &which, err);
  if (!backend) return FV_ERR_INVALID;
  FvPlan *made = calloc(1, sizeof *made);
  if (!made) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  atomic_init(&made->references, 1);
  fv_arena_init(&made->arena);
  made->backend = backend;
  made->model = fv_model_ref(model);
  int cores = fv_cpu_core_count();
  made->threads = params->threads ? params->threads : cores < FV_MAX_THREADS ? cores : FV_MAX_THREADS;
  made->flags = params->flags;
  made->precision = params->precision;
  int result = backend->open(made, which, err);
  if (result == 0) result = build(made, params, err);
  if (result < 0)
    fv_plan_destroy(&made);
  else
    *plan = made;
  return result;
}

static bool is_auto(const char *device) { return !device || !*device || strcmp(device, "auto") == 0; }

int fv_plan_create(FvModel *model, const FvPlanParams *params, FvPlan **plan, FvError *err) {
  static const FvPlanParams defaults;
  *plan = NULL;
  if (!params) params = &defaults;
  int result = fv_plan_params_check(params, err);
  if (result < 0) return result;
  const char *device = params->device;
  if (is_auto(device)) device = params->flags & FV_PLAN_REFERENCE ? "cpu" : getenv("FOVEA_DEVICE");
  if (is_auto(device)) return fv_plan_choose(model, params, plan, err);
  result = fv_plan_create_on(model, params, device, plan, err);
  return result < 0 && is_auto(params->device) && !(params->flags & FV_PLAN_REFERENCE) ? fv_error_prefix(err, "FOVEA_DEVICE") : result;
}

int fv_plan_tune(FvPlan *plan, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err) {
  *tuning = (FvTuning){0};
  if (plan->backend->tune) return plan->backend->tune(plan, tell, data, tuning, err);
  return fv_error_set(err, FV_ERR_UNSUPPORTED, "device '%s' has nothing to tune; only Vulkan devices have", plan->device_id);
}

FvPlan *fv_plan_ref(FvPlan *plan) {
  if (plan) atomic_fetch_add(&plan->references, 1);
  return plan;
}

void fv_plan_destroy(FvPlan **plan) {
  if (!plan || !*plan) return;
  FvPlan *old = *plan;
  *plan = NULL;
  if (atomic_fetch_sub(&old->references, 1) != 1) return;
  old->backend->close(old);
  fv_layout_finish(&old->layout);
  free(old->steps);
  fv_graph_destroy(&old->graph);
  fv_arena_finish(&old->arena);
  fv_model_destroy(&old->model);
  free(old);
}

static const char *const precisions[] = {[FV_PRECISION_AUTO] = "auto", [FV_PRECISION_FP32] = "fp32", [FV_PRECISION_FP16] = "fp16",
                                         [FV_PRECISION_FP16_ARITHMETIC] = "fp16-arithmetic"};
enum { PRECISIONS = sizeof precisions / sizeof precisions[0] };

int fv_precision_from_name(const char *name) {
  for (int i = 0; name && i < PRECISIONS; i++)
    if (strcmp(name, precisions[i]) == 0) return i;
  return -1;
}

const char *fv_precision_name(FvPrecision precision) { return (unsigned)precision < PRECISIONS ? precisions[precision] : "unknown"; }

FvModel *fv_plan_model(const FvPlan *plan) { return plan->model; }

FvPlanInfo fv_plan_info(const FvPlan *plan) {
  return (FvPlanInfo){
    .device = plan->device_id, .choice = plan->choice, .instructions = plan->instructions, .precision = plan->precision, .threads = plan->threads, .step_count = plan->step_count, .macs = plan->macs,
    .weight_bytes = plan->weight_bytes, .session_bytes = plan->session_bytes, .staging_bytes = plan->staging_bytes,
  };
}

FvStepInfo fv_plan_step(const FvPlan *plan, int index) {
  if (index < 0 || index >= plan->step_count) return (FvStepInfo){0};
  const FvStep *step = &plan->steps[index];
  FvStepInfo info = {
    .name = fv_node_label(step->node), .operation = step->node->fused_name ? step->node->fused_name : step->node->op->name,
    .kernel = plan->backend->kernel_name(step), .macs = step->macs,
  };
  if (step->out[0] >= 0) info.output = plan->layout.slots[step->out[0]].tensor;
  return info;
}

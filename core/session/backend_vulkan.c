/* Vulkan: the plan's steps become one command buffer per session. */
#include <stdlib.h>
#include <string.h>

#include "session/vulkan_internal.h"

typedef struct VulkanPlan {
  FvVkDevice *device;
  FvVkProgram *program;
  FvVkArithmetic arithmetic;
} VulkanPlan;

static int choose_precision(FvPlan *plan, VulkanPlan *state, FvError *err) {
  const FvVkDevice *device = state->device;
  bool takes_half = fv_vk_device_takes_half(device), computes_half = fv_vk_device_computes_half(device);
  if (plan->precision == FV_PRECISION_FP16_ARITHMETIC && !computes_half)
    return fv_error_set(err, FV_ERR_DEVICE, "device '%s' does not compute in fp16; use precision %s", fv_vk_device_id(device), takes_half ? "fp16" : "fp32");
  if (plan->precision == FV_PRECISION_FP16 && !takes_half)
    return fv_error_set(err, FV_ERR_DEVICE, "device '%s' has no 16-bit storage, which fp16 takes; use precision fp32", fv_vk_device_id(device));
  state->arithmetic = plan->precision == FV_PRECISION_FP16_ARITHMETIC ? FV_VK_IN_HALF : plan->precision == FV_PRECISION_AUTO && computes_half ? FV_VK_AS_TUNED : FV_VK_IN_FULL;
  if (plan->precision == FV_PRECISION_AUTO) plan->precision = takes_half && !fv_vk_device_is_software(device) ? FV_PRECISION_FP16 : FV_PRECISION_FP32;
  return 0;
}

static int vulkan_open(FvPlan *plan, const char *which, FvError *err) {
  if (plan->flags & FV_PLAN_REFERENCE) return fv_error_set(err, FV_ERR_INVALID, "reference kernels run on device 'cpu' only");
  VulkanPlan *state = plan->state = calloc(1, sizeof *state);
  if (!state) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  int result = fv_vk_device_open(which, &state->device, err);
  if (result == 0) strncpy(plan->device_id, fv_vk_device_id(state->device), sizeof plan->device_id - 1);
  return result < 0 ? result : choose_precision(plan, state, err);
}

static void vulkan_close(FvPlan *plan) {
  VulkanPlan *state = plan->state;
  if (!state) return;
  fv_vk_program_destroy(&state->program);
  fv_vk_device_close(&state->device);
  free(state);
}

static const void *vulkan_select(const FvPlan *plan, const FvKernelQuery *query) {
  return fv_vk_select(((const VulkanPlan *)plan->state)->device, query);
}

static int vulkan_prepare(FvPlan *plan, FvStep *step, const FvKernelQuery *query, FvError *err) {
  if (step->kernel) return 0;
  const char *missing = fv_vk_select_missing(((const VulkanPlan *)plan->state)->device, query);
  char text[128] = "nothing";
  if (query->node->input_count && query->in[0]) fv_tensor_describe(query->in[0], text, sizeof text);
  if (missing)
    return fv_error_set(err, FV_ERR_UNSUPPORTED, "node '%s' (%s of %s): the device '%s' has no %s; use device 'cpu'", fv_node_label(step->node),
                        step->node->op->name, text, plan->device_id, missing);
  return fv_error_set(err, FV_ERR_UNSUPPORTED, "node '%s' (%s of %s): the Vulkan back-end has no kernel for it; use device 'cpu'",
                      fv_node_label(step->node), step->node->op->name, text);
}

static FvVkOperand operand_of(const FvPlan *plan, int slot) {
  if (slot < 0) return (FvVkOperand){0};
  const FvSlot *from = &plan->layout.slots[slot];
  FvVkOperand operand = {.present = true, .is_constant = from->place == FV_PLACE_CONSTANT, .tensor = from->tensor};
  if (from->place == FV_PLACE_BUFFER) operand.offset = plan->layout.buffers[from->buffer].offset + from->offset;
  return operand;
}

/* All operands of all steps, then the graph's inputs and outputs. NULL when memory is out. */
static FvVkOperand *collect_operands(const FvPlan *plan, FvVkStep *steps, FvVkProgramParams *params) {
  size_t count = (size_t)(plan->graph->input_count + plan->graph->output_count);
  for (int s = 0; s < plan->step_count; s++) count += (size_t)(plan->steps[s].node->input_count + plan->steps[s].node->output_count);
  FvVkOperand *operands = calloc(count + 1, sizeof *operands), *at = operands;
  if (!operands) return NULL;
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    steps[s] = (FvVkStep){step->node, step->kernel, at, at + step->node->input_count};
    for (int i = 0; i < step->node->input_count; i++) *at++ = operand_of(plan, step->in[i]);
    for (int i = 0; i < step->node->output_count; i++) *at++ = operand_of(plan, step->out[i]);
  }
  *params = (FvVkProgramParams){.steps = steps, .step_count = plan->step_count, .arena_bytes = plan->arena_bytes, .inputs = at,
                                .input_count = plan->graph->input_count, .output_count = plan->graph->output_count};
  for (int i = 0; i < params->input_count; i++) *at++ = operand_of(plan, plan->inputs[i]);
  params->outputs = at;
  for (int i = 0; i < params->output_count; i++) *at++ = operand_of(plan, plan->outputs[i]);
  return operands;
}

static int vulkan_finish(FvPlan *plan, FvError *err) {
  VulkanPlan *state = plan->state;
  FvVkStep *steps = calloc((size_t)plan->step_count + 1, sizeof *steps);
  FvVkProgramParams params;
  FvVkOperand *operands = steps ? collect_operands(plan, steps, &params) : NULL;
  params.arithmetic = state->arithmetic;
  int result = operands ? fv_vk_program_create(state->device, &params, &state->program, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  free(operands);
  free(steps);
  if (result < 0) return result;
  plan->instructions = fv_vk_device_load_path(state->device);
  plan->weight_bytes = fv_vk_program_weight_bytes(state->program);
  plan->session_bytes = fv_vk_program_frame_bytes(state->program);
  plan->staging_bytes = fv_vk_program_staging_bytes(state->program);
  return 0;
}

static int vulkan_tune(FvPlan *plan, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err) {
  VulkanPlan *state = plan->state;
  FvVkStep *steps = calloc((size_t)plan->step_count + 1, sizeof *steps);
  FvVkProgramParams params;
  FvVkOperand *operands = steps ? collect_operands(plan, steps, &params) : NULL;
  bool texel = fv_vk_program_is_texel(state->program);
  params.arithmetic = state->arithmetic;
  int result = operands ? fv_vk_tune(state->device, &params, texel, tell, data, tuning, err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  free(operands);
  free(steps);
  return result;
}

static const char *vulkan_kernel_name(const FvStep *step) { return fv_vk_kernel_name(step->kernel); }

static int vulkan_session_open(FvSession *session, FvError *err) {
  const FvPlan *plan = session->plan;
  VulkanSession *state = session->state = calloc(1, sizeof *state);
  if (!state) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  int result = fv_vk_runner_create(((VulkanPlan *)plan->state)->program, 1, session->step_ns != NULL, &state->runner, err);
  for (int i = 0; i < plan->graph->input_count && result == 0; i++)
    if (plan->inputs[i] >= 0) session->tensors[plan->inputs[i]].data = fv_vk_runner_input(state->runner, 0, i);
  for (int i = 0; i < plan->graph->output_count && result == 0; i++)
    if (plan->layout.slots[plan->outputs[i]].place == FV_PLACE_BUFFER) session->tensors[plan->outputs[i]].data = fv_vk_runner_output(state->runner, 0, i);
  return result;
}

static void vulkan_session_close(FvSession *session) {
  VulkanSession *state = session->state;
  if (!state) return;
  fv_vk_runner_destroy(&state->runner);
  free(state);
}

/* Lengths that were found on the way, and of what was made from such tensors element by element. */
static void set_lengths(FvSession *session, const FvVkRunner *runner) {
  const FvPlan *plan = session->plan;
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    if (!step->is_dynamic) continue;
    int64_t rows = fv_vk_runner_rows(runner, 0, s);
    if (rows < 0) rows = session->tensors[step->in[0]].dims[0];
    for (int i = 0; i < step->node->output_count; i++)
      if (step->out[i] >= 0) session->tensors[step->out[i]].dims[0] = rows;
  }
}

int fv_vulkan_run(FvSession *session, FvError *err) {
  FvVkRunner *runner = ((VulkanSession *)session->state)->runner;
  int result = fv_vk_runner_submit(runner, 0, err);
  if (result == 0) result = fv_vk_runner_wait(runner, 0, err);
  if (result == 0) set_lengths(session, runner);
  if (result == 0 && session->step_ns) fv_vk_runner_times(runner, 0, session->step_ns);
  return result;
}

static uint64_t bytes_of(const FvSession *session, const int *slots, int count) {
  uint64_t bytes = 0;
  for (int i = 0; i < count; i++) {
    const FvTensor *tensor = fv_plan_tensor(session->plan, slots[i]);
    if (tensor) bytes += (uint64_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype);
  }
  return bytes;
}

uint64_t fv_vulkan_uploaded(FvSession *session) {
  VulkanSession *state = session->state;
  uint64_t taken = state->taken_bytes;
  state->taken_bytes = 0;
  return taken ? taken : bytes_of(session, session->plan->inputs, session->plan->graph->input_count);
}

static int vulkan_session_run(FvSession *session, FvError *err) {
  session->traffic = (FvTraffic){fv_vulkan_uploaded(session), bytes_of(session, session->plan->outputs, session->plan->graph->output_count)};
  return fv_vulkan_run(session, err);
}

static bool vulkan_imports_dma(const FvSession *session) { return fv_vk_device_imports_dma(((const VulkanPlan *)session->plan->state)->device); }

const FvBackend fv_backend_vulkan = {
  .name = "vulkan", .open = vulkan_open, .close = vulkan_close, .select = vulkan_select, .prepare = vulkan_prepare, .combine = fv_vulkan_combine, .finish = vulkan_finish,
  .kernel_name = vulkan_kernel_name, .tune = vulkan_tune, .session_open = vulkan_session_open, .session_close = vulkan_session_close, .session_run = vulkan_session_run,
  .frame_in = fv_vulkan_frame_in, .imports_dma = vulkan_imports_dma, .locate = fv_vulkan_locate, .run_chosen = fv_vulkan_run_chosen,
};

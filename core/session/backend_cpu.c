/* The CPU: kernels of cpu/ over one arena per session, some of them split over the thread pool. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/threads.h"
#include "cpu/kernel.h"
#include "session/session_internal.h"

enum {
  SMALL_STEP_NS = 6000, /* below this a part is not worth waking a thread for */
  MAX_PACKED_INPUTS = 16,
  ALIGNMENT = 64, SLACK = 256 /* kernels may read a little past the end */
};

/* A session's memory and prebuilt calls. */
typedef struct CpuSession {
  char *arena, *scratch;   /* one allocation; scratch lies behind the activations */
  FvTensor **pointers;     /* what the calls' in and out point into */
  FvKernelCall *calls;     /* by step */
} CpuSession;

static int cpu_open(FvPlan *plan, const char *which, FvError *err) {
  if (which) return fv_error_set(err, FV_ERR_INVALID, "device 'cpu:%s' is unknown; there is one 'cpu'", which);
  strcpy(plan->device_id, "cpu");
  plan->cpu = fv_cpu_flags();
  plan->precision = FV_PRECISION_FP32;
  return 0;
}

static void cpu_close(FvPlan *plan) { (void)plan; }

static const void *cpu_select(const FvPlan *plan, const FvKernelQuery *query) {
  return plan->flags & FV_PLAN_REFERENCE ? NULL : fv_cpu_select(query, plan->cpu);
}

static int64_t tensor_bytes(const FvTensor *tensor) { return fv_tensor_count(tensor) * (int64_t)fv_dtype_size(tensor->dtype); }

static int64_t step_bytes(const FvKernelQuery *query) {
  int64_t bytes = 0;
  for (int i = 0; i < query->node->input_count; i++)
    if (query->in[i]) bytes += tensor_bytes(query->in[i]);
  for (int i = 0; i < query->node->output_count; i++)
    if (query->out[i]) bytes += tensor_bytes(query->out[i]);
  return bytes;
}

/* A rough price in nanoseconds: 20 multiply-accumulates or 8 bytes each. */
static int choose_parts(const FvPlan *plan, const FvStep *step, const FvKernelQuery *query) {
  int64_t parts = (step->macs / 20 + step_bytes(query) / 8) / SMALL_STEP_NS;
  return parts < 1 ? 1 : parts > plan->threads ? plan->threads : (int)parts;
}

static int cpu_prepare(FvPlan *plan, FvStep *step, const FvKernelQuery *query, FvError *err) {
  const FvKernel *kernel = step->kernel;
  if (!kernel) return 0;
  if (kernel->flags & FV_KERNEL_PARALLEL) step->parts = choose_parts(plan, step, query);
  if (kernel->packed_size) {
    size_t bytes = kernel->packed_size(query);
    step->packed = fv_arena_alloc(&plan->arena, bytes);
    if (!step->packed) return fv_error_set(err, FV_ERR_NO_MEMORY, "node '%s': no memory for %zu bytes of packed weights", fv_node_label(step->node), bytes);
    plan->packed_bytes += (int64_t)bytes;
    if (query->node->input_count > MAX_PACKED_INPUTS) kernel->pack(query, step->packed); /* else in cpu_finish */
  }
  if (kernel->scratch_size) step->scratch_bytes = (kernel->scratch_size(query) + 127) / 64 * 64;
  int64_t scratch = (int64_t)step->scratch_bytes * step->parts;
  if (scratch > plan->scratch_bytes) plan->scratch_bytes = scratch;
  return 0;
}

static const char *instructions_used(const FvPlan *plan) {
  static const char *const sets[] = {"avx512", "avx2", "neon"};
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
    for (int s = 0; s < plan->step_count; s++)
      if (plan->steps[s].kernel && strstr(((const FvKernel *)plan->steps[s].kernel)->name, sets[i])) return sets[i];
  return "reference";
}

/* Constants that steps read as they are, plus what kernels packed. */
static int64_t weight_bytes(const FvPlan *plan) {
  int64_t bytes = plan->packed_bytes;
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    for (int i = 0; i < step->node->input_count && !step->packed; i++) {
      const FvSlot *slot = step->in[i] < 0 ? NULL : &plan->layout.slots[step->in[i]];
      if (slot && slot->place == FV_PLACE_CONSTANT) bytes += tensor_bytes(&slot->tensor);
    }
  }
  return bytes;
}

/* Weights of one step: steps have nothing in common, so that threads share them. */
static void pack_step(void *arg, int index) {
  const FvPlan *plan = arg;
  const FvStep *step = &plan->steps[index];
  const FvTensor *in[MAX_PACKED_INPUTS], *out[MAX_PACKED_INPUTS];
  if (!step->packed || step->node->input_count > MAX_PACKED_INPUTS) return;
  for (int i = 0; i < step->node->input_count; i++) in[i] = fv_plan_tensor(plan, step->in[i]);
  for (int i = 0; i < step->node->output_count && i < MAX_PACKED_INPUTS; i++) out[i] = fv_plan_tensor(plan, step->out[i]);
  ((const FvKernel *)step->kernel)->pack(&(FvKernelQuery){step->node, in, out}, step->packed);
}

static int cpu_finish(FvPlan *plan, FvError *err) {
  (void)err;
  fv_pool_run(plan->step_count, pack_step, plan);
  plan->instructions = instructions_used(plan);
  plan->weight_bytes = weight_bytes(plan);
  plan->session_bytes = plan->arena_bytes + plan->scratch_bytes;
  return 0;
}

static const char *cpu_kernel_name(const FvStep *step) { return step->kernel ? ((const FvKernel *)step->kernel)->name : "reference"; }

static int make_calls(FvSession *session, CpuSession *state, FvError *err) {
  const FvPlan *plan = session->plan;
  size_t pointers = 0;
  for (int s = 0; s < plan->step_count; s++) pointers += (size_t)(plan->steps[s].node->input_count + plan->steps[s].node->output_count);
  state->pointers = calloc(pointers + 1, sizeof *state->pointers);
  state->calls = calloc((size_t)plan->step_count + 1, sizeof *state->calls);
  if (!state->pointers || !state->calls) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  FvTensor **at = state->pointers;
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    FvKernelCall *call = &state->calls[s];
    FvTensor **in = at, **out = at + step->node->input_count;
    for (int i = 0; i < step->node->input_count; i++) in[i] = step->in[i] < 0 ? NULL : &session->tensors[step->in[i]];
    for (int i = 0; i < step->node->output_count; i++) out[i] = step->out[i] < 0 ? NULL : &session->tensors[step->out[i]];
    *call = (FvKernelCall){.node = step->node, .in = (const FvTensor *const *)in, .out = out, .packed = step->packed, .scratch = state->scratch, .parts = step->parts};
    at += step->node->input_count + step->node->output_count;
  }
  return 0;
}

static int cpu_session_open(FvSession *session, FvError *err) {
  const FvPlan *plan = session->plan;
  CpuSession *state = session->state = calloc(1, sizeof *state);
  if (!state) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  size_t arena = ((size_t)plan->arena_bytes + SLACK + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t total = arena + ((size_t)plan->scratch_bytes + SLACK + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  state->arena = aligned_alloc(ALIGNMENT, total);
  if (!state->arena) return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for a session of %zu bytes", total);
  memset(state->arena, 0, total); /* also touches every page now, not in the first frame */
  state->scratch = state->arena + arena;
  for (int i = 0; i < plan->layout.slot_count; i++) {
    const FvSlot *slot = &plan->layout.slots[i];
    if (slot->place == FV_PLACE_BUFFER) session->tensors[i].data = state->arena + plan->layout.buffers[slot->buffer].offset + slot->offset;
  }
  return make_calls(session, state, err);
}

static void cpu_session_close(FvSession *session) {
  CpuSession *state = session->state;
  if (!state) return;
  free(state->calls);
  free(state->pointers);
  free(state->arena);
  free(state);
}

typedef struct Job {
  const FvStep *step;
  const FvKernelCall *call;
} Job;

static void run_part(void *arg, int part) {
  const Job *job = arg;
  FvKernelCall call = *job->call;
  call.part = part;
  call.scratch = (char *)call.scratch + (size_t)part * job->step->scratch_bytes;
  ((const FvKernel *)job->step->kernel)->run(&call);
}

/* A length that depends on the data starts at its bound; the kernel lowers it. */
static void reset_dynamic(FvSession *session, const FvStep *step) {
  for (int i = 0; i < step->node->output_count; i++)
    if (step->out[i] >= 0) session->tensors[step->out[i]].dims[0] = session->plan->layout.slots[step->out[i]].tensor.dims[0];
}

static void run_step(const FvStep *step, FvKernelCall *call) {
  Job job = {step, call};
  if (!step->kernel)
    step->node->op->reference(call);
  else if (step->parts == 1)
    run_part(&job, 0);
  else
    fv_pool_run(step->parts, run_part, &job);
}

static int cpu_session_run(FvSession *session, FvError *err) {
  (void)err; /* nothing can fail on the CPU once the plan is made */
  const FvPlan *plan = session->plan;
  const CpuSession *state = session->state;
  for (int s = 0; s < plan->step_count; s++) {
    uint64_t before = session->step_ns ? fv_session_now() : 0;
    if (plan->steps[s].is_dynamic) reset_dynamic(session, &plan->steps[s]);
    run_step(&plan->steps[s], &state->calls[s]);
    if (session->step_ns) session->step_ns[s] = fv_session_now() - before;
  }
  return 0;
}

const FvBackend fv_backend_cpu = {
  .name = "cpu", .open = cpu_open, .close = cpu_close, .select = cpu_select, .prepare = cpu_prepare, .finish = cpu_finish, .kernel_name = cpu_kernel_name,
  .session_open = cpu_session_open, .session_close = cpu_session_close, .session_run = cpu_session_run,
};

#include "session/session_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/threads.h"
#include "model/model_internal.h"

enum { ALIGNMENT = 64, SLACK = 256 /* kernels may read a little past the end */ };

static void resolve(FvSession *session, int slot) {
  const FvSlot *from = &session->plan->layout.slots[slot];
  FvTensor *tensor = &session->tensors[slot];
  *tensor = from->tensor;
  if (from->place == FV_PLACE_BUFFER) tensor->data = session->arena + session->plan->layout.buffers[from->buffer].offset + from->offset;
}

static int make_calls(FvSession *session, FvError *err) {
  const FvPlan *plan = session->plan;
  size_t pointers = 0;
  for (int s = 0; s < plan->step_count; s++) pointers += (size_t)(plan->steps[s].node->input_count + plan->steps[s].node->output_count);
  session->pointers = calloc(pointers + 1, sizeof *session->pointers);
  session->calls = calloc((size_t)plan->step_count + 1, sizeof *session->calls);
  if (!session->pointers || !session->calls) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  FvTensor **at = session->pointers;
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    FvKernelCall *call = &session->calls[s];
    FvTensor **in = at, **out = at + step->node->input_count;
    for (int i = 0; i < step->node->input_count; i++) in[i] = step->in[i] < 0 ? NULL : &session->tensors[step->in[i]];
    for (int i = 0; i < step->node->output_count; i++) out[i] = step->out[i] < 0 ? NULL : &session->tensors[step->out[i]];
    *call = (FvKernelCall){.node = step->node, .in = (const FvTensor *const *)in, .out = out, .packed = step->packed, .scratch = session->scratch, .parts = step->parts};
    at += step->node->input_count + step->node->output_count;
  }
  return 0;
}

static int allocate(FvSession *session, FvError *err) {
  const FvPlan *plan = session->plan;
  size_t arena = ((size_t)plan->arena_bytes + SLACK + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  size_t total = arena + ((size_t)plan->scratch_bytes + SLACK + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  session->arena = aligned_alloc(ALIGNMENT, total);
  session->tensors = calloc((size_t)plan->layout.slot_count + 1, sizeof *session->tensors);
  if (plan->flags & FV_PLAN_PROFILE) session->step_ns = calloc((size_t)plan->step_count + 1, sizeof *session->step_ns);
  if (!session->arena || !session->tensors || (plan->flags & FV_PLAN_PROFILE && !session->step_ns))
    return fv_error_set(err, FV_ERR_NO_MEMORY, "no memory for a session of %zu bytes", total);
  memset(session->arena, 0, total); /* also touches every page now, not in the first frame */
  session->scratch = session->arena + arena;
  for (int i = 0; i < plan->layout.slot_count; i++) resolve(session, i);
  return make_calls(session, err);
}

int fv_session_create(FvPlan *plan, FvSession **session, FvError *err) {
  *session = NULL;
  FvSession *made = calloc(1, sizeof *made);
  if (!made) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  made->plan = fv_plan_ref(plan);
  int result = allocate(made, err);
  if (result == 0) result = fv_session_init_detection(made, err);
  if (result < 0)
    fv_session_destroy(&made);
  else
    *session = made;
  return result;
}

void fv_session_destroy(FvSession **session) {
  if (!session || !*session) return;
  FvSession *old = *session;
  *session = NULL;
  fv_session_finish_detection(old);
  free(old->step_ns);
  free(old->calls);
  free(old->pointers);
  free(old->tensors);
  free(old->arena);
  fv_plan_destroy(&old->plan);
  free(old);
}

int fv_session_input_count(const FvSession *session) { return session->plan->graph->input_count; }
int fv_session_output_count(const FvSession *session) { return session->plan->graph->output_count; }

const char *fv_session_input_name(const FvSession *session, int index) {
  return index < 0 || index >= fv_session_input_count(session) ? NULL : session->plan->graph->inputs[index]->name;
}

const char *fv_session_output_name(const FvSession *session, int index) {
  return index < 0 || index >= fv_session_output_count(session) ? NULL : fv_model_output(session->plan->model, index).name;
}

const FvTensor *fv_session_input(const FvSession *session, int index) {
  if (index < 0 || index >= fv_session_input_count(session) || session->plan->inputs[index] < 0) return NULL;
  return &session->tensors[session->plan->inputs[index]];
}

const FvTensor *fv_session_output(const FvSession *session, int index) {
  return index < 0 || index >= fv_session_output_count(session) ? NULL : &session->tensors[session->plan->outputs[index]];
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
  job->step->kernel->run(&call);
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

uint64_t fv_session_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int fv_session_run(FvSession *session, FvError *err) {
  (void)err; /* nothing can fail on the CPU once the plan is made; other devices can be lost */
  const FvPlan *plan = session->plan;
  for (int s = 0; s < plan->step_count; s++) {
    uint64_t before = session->step_ns ? fv_session_now() : 0;
    if (plan->steps[s].is_dynamic) reset_dynamic(session, &plan->steps[s]);
    run_step(&plan->steps[s], &session->calls[s]);
    if (session->step_ns) session->step_ns[s] = fv_session_now() - before;
  }
  return 0;
}

uint64_t fv_session_step_ns(const FvSession *session, int step) {
  return session->step_ns && step >= 0 && step < session->plan->step_count ? session->step_ns[step] : 0;
}

#include "session/session_internal.h"

#include <stdlib.h>
#include <time.h>

#include "model/model_internal.h"

static int allocate(FvSession *session, FvError *err) {
  const FvPlan *plan = session->plan;
  session->tensors = calloc((size_t)plan->layout.slot_count + 1, sizeof *session->tensors);
  if (plan->flags & FV_PLAN_PROFILE) session->step_ns = calloc((size_t)plan->step_count + 1, sizeof *session->step_ns);
  if (!session->tensors || (plan->flags & FV_PLAN_PROFILE && !session->step_ns)) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int i = 0; i < plan->layout.slot_count; i++) session->tensors[i] = plan->layout.slots[i].tensor;
  return plan->backend->session_open(session, err);
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
  old->plan->backend->session_close(old);
  free(old->step_ns);
  free(old->tensors);
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

uint64_t fv_session_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int fv_session_run(FvSession *session, FvError *err) { return session->plan->backend->session_run(session, err); }

uint64_t fv_session_step_ns(const FvSession *session, int step) {
  return session->step_ns && step >= 0 && step < session->plan->step_count ? session->step_ns[step] : 0;
}

#ifndef FOVEA_SESSION_SESSION_INTERNAL_H
#define FOVEA_SESSION_SESSION_INTERNAL_H

#include "session/plan_internal.h"
#include "vision/head.h"
#include "vision/preprocess.h"

struct FvSession {
  FvPlan *plan;
  void *state;             /* the back-end's own */
  FvTensor *tensors;       /* by slot; data of constants, inputs and outputs is set, the rest is the back-end's affair */
  uint64_t *step_ns;       /* by step, or NULL */
  /* detection; NULL when the model is no detector, and no_detection says why */
  FvPreprocessor *preprocessor;
  FvDetector *detector;
  const FvTensor **head_outputs;
  FvError no_detection;
  uint64_t *chosen;        /* a bit per location of the detector; NULL where outputs are always read whole */
  FvTiming timing;
  FvTraffic traffic;
};

/* Detection parts of a session. A model that is no detector is no error here, only when fv_session_detect is called. */
int fv_session_init_detection(FvSession *session, FvError *err);
void fv_session_finish_detection(FvSession *session);

uint64_t fv_session_now(void); /* monotonic nanoseconds */

#endif

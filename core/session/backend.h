/* What a device brings to a plan and its sessions. session/ lays out, orders and copies; a back-end chooses kernels, keeps weights and runs.
 *
 * Order of calls: open, then for every step select (perhaps more than once) and prepare, then finish when memory is planned; close undoes all of
 * it and accepts a plan at any stage. Sessions come and go between finish and close, on any thread. */
#ifndef FOVEA_SESSION_BACKEND_H
#define FOVEA_SESSION_BACKEND_H

#include <fovea/frame.h>
#include <fovea/plan.h>

#include "ir/op.h"
#include "vision/preprocess.h"

typedef struct FvStep FvStep;

typedef struct FvBackend {
  const char *name; /* what the device parameter is, or starts with before a colon */
  int (*open)(FvPlan *plan, const char *which, FvError *err); /* which: what follows the colon, or NULL; sets device_id, and precision from what was asked for */
  void (*close)(FvPlan *plan);
  /* The best kernel for a step, or NULL. Tensors are as planned, data only of constants. */
  const void *(*select)(const FvPlan *plan, const FvKernelQuery *query);
  /* A step is as it will run; step->kernel may be NULL. FV_ERR_UNSUPPORTED when the device cannot do it. */
  int (*prepare)(FvPlan *plan, FvStep *step, const FvKernelQuery *query, FvError *err);
  /* All steps are prepared, memory is not planned yet: may put fewer steps in their place. NULL: no. */
  int (*combine)(FvPlan *plan, FvError *err);
  /* Buffers have their offsets. Sets the plan's instructions, weight_bytes, session_bytes and staging_bytes. */
  int (*finish)(FvPlan *plan, FvError *err);
  const char *(*kernel_name)(const FvStep *step);
  /* fv_plan_tune; NULL: there is nothing to choose. */
  int (*tune)(FvPlan *plan, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err);
  /* Buffers of one caller; sets the data of session->tensors for inputs and outputs (slots that hold no constant). */
  int (*session_open)(FvSession *session, FvError *err);
  void (*session_close)(FvSession *session);
  int (*session_run)(FvSession *session, FvError *err);
  /* What the device does of detection; NULL: the host does it.
   * frame_in takes a frame, whose conversion becomes part of the next run: 1, or 0 when the host has to convert this one. */
  int (*frame_in)(FvSession *session, const FvFrame *frame, FvFrameMap *map, FvError *err);
  bool (*imports_dma)(const FvSession *session); /* frame_in takes frames in DMA buffers */
  /* Gets ready to list candidates; sets session->chosen where the device does. Called once, when the detector is bound. */
  int (*locate)(FvSession *session, FvError *err);
  /* Runs, for a session that has `chosen`: 1 when its bits tell the locations that may reach the threshold, whose outputs alone were read back; 0 when
   * all outputs are there. */
  int (*run_chosen)(FvSession *session, float threshold, FvError *err);
} FvBackend;

extern const FvBackend fv_backend_cpu, fv_backend_vulkan;

/* The back-end that a device parameter other than "auto" names; *which is what follows the colon, or NULL. */
const FvBackend *fv_backend_find(const char *device, const char **which, FvError *err);

#endif

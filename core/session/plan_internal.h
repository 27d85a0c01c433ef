/* A plan's inside: steps over slots. Back-ends compile from this; sessions run it. */
#ifndef FOVEA_SESSION_PLAN_INTERNAL_H
#define FOVEA_SESSION_PLAN_INTERNAL_H

#include <stdatomic.h>

#include <fovea/device.h>
#include <fovea/plan.h>

#include "graph/layout.h"
#include "session/backend.h"

struct FvStep {
  const FvNode *node;
  const void *kernel;     /* a row of the back-end's table; NULL: the operator's reference */
  int *in, *out;          /* slots, -1 where left out */
  int64_t macs;
  bool is_dynamic;        /* some output's length is known only after running */
  /* CPU */
  void *packed;
  size_t scratch_bytes;   /* of one part */
  int parts;
};

struct FvPlan {
  atomic_int references;
  const FvBackend *backend;
  void *state;         /* the back-end's own */
  char device_id[32];  /* "cpu", "vulkan:0" */
  char choice[96];     /* why "auto" took it; empty when it was asked for */
  FvModel *model;
  FvGraph *graph;    /* our own, rewritten */
  FvArena arena;     /* steps, packed weights */
  FvLayout layout;
  FvStep *steps;
  int step_count, step_capacity;
  int *inputs, *outputs; /* slots of the graph's inputs and outputs; -1 for inputs fixed at load */
  int64_t arena_bytes;  /* where the layout's buffers lie */
  int64_t macs, weight_bytes, session_bytes, staging_bytes;
  int threads;
  unsigned flags;    /* FvPlanFlags */
  FvPrecision precision; /* as asked for; after open as it is */
  const char *instructions;
  /* CPU */
  unsigned cpu;      /* FvCpuFlags that kernels may use */
  int64_t packed_bytes, scratch_bytes;
};

int fv_plan_params_check(const FvPlanParams *params, FvError *err);
/* For the device named, whatever params->device says. params are checked. */
int fv_plan_create_on(FvModel *model, const FvPlanParams *params, const char *device, FvPlan **plan, FvError *err);
void fv_device_describe_cpu(FvDeviceInfo *device);

/* Chooses kernels, inserts layout copies, packs weights, plans memory. plan->graph is laid out. */
int fv_plan_compile(FvPlan *plan, FvError *err);
/* NULL for a slot of -1. */
static inline const FvTensor *fv_plan_tensor(const FvPlan *plan, int slot) { return slot < 0 ? NULL : &plan->layout.slots[slot].tensor; }

#endif

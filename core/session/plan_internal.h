/* A plan's inside: steps over slots. Back-ends compile from this; sessions run it. */
#ifndef FOVEA_SESSION_PLAN_INTERNAL_H
#define FOVEA_SESSION_PLAN_INTERNAL_H

#include <stdatomic.h>

#include <fovea/plan.h>

#include "cpu/kernel.h"
#include "graph/layout.h"

typedef struct FvStep {
  const FvNode *node;
  const FvKernel *kernel; /* NULL: the operator's reference */
  int *in, *out;          /* slots, -1 where left out */
  void *packed;
  size_t scratch_bytes;   /* of one part */
  int parts;
  int64_t macs;
  bool is_dynamic;        /* some output's length is known only after running */
} FvStep;

struct FvPlan {
  atomic_int references;
  FvModel *model;
  FvGraph *graph;    /* our own, rewritten */
  FvArena arena;     /* steps, packed weights */
  FvLayout layout;
  FvStep *steps;
  int step_count, step_capacity;
  int *inputs, *outputs; /* slots of the graph's inputs and outputs; -1 for inputs fixed at load */
  int64_t arena_bytes, scratch_bytes; /* of a session */
  int64_t macs, packed_bytes;
  int threads;
  unsigned cpu;      /* FvCpuFlags that kernels may use */
  unsigned flags;    /* FvPlanFlags */
  const char *instructions;
};

/* Chooses kernels, inserts layout copies, packs weights, plans memory. plan->graph is laid out. */
int fv_plan_compile(FvPlan *plan, FvError *err);

#endif

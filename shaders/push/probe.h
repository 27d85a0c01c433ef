#include "push.h"

FV_PUSH(FvProbePush) {
  int count;
  int loads;  /* of each invocation, times PROBE_STORES */
  int mask;   /* floats - 1 of what is read, a power of two; results lie behind */
} FV_PUSH_NAME;

#define PROBE_STORES 4

#include "push.h"

FV_PUSH(FvProbePush) {
  int count;
  int rounds; /* loads of each invocation */
  int mask;   /* floats - 1 of what is read, a power of two */
} FV_PUSH_NAME;

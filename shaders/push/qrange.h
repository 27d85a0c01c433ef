#include "push.h"

#define QRANGE_RANK 5

/* Positions of floats: the lowest numbers found at parts_at, the highest `parts` behind. The scale and the zero point, the byte that is lowest in a word, lie behind those. */
FV_PUSH(FvQrangePush) {
  int count;
  int x_at, parts_at, parts;
  int dims[QRANGE_RANK];
  int x_strides[QRANGE_RANK];
  int elements;
  int scale_at, zero_at; /* outputs: a float, and a byte; -1: not wanted */
} FV_PUSH_NAME;

#include "push.h"

#define CHAIN_INPUTS 8
#define CHAIN_OPERATIONS 8
#define CHAIN_NUMBERS 4 /* pairs */
#define CHAIN_RANK 2

/* Where y and the inputs lie: rows of y, and along them. */
FV_PUSH(FvChainPush) {
  int count;
  int y_at;
  int dims[CHAIN_RANK];
  int y_strides[CHAIN_RANK];
  int at[CHAIN_INPUTS];
  int strides[CHAIN_INPUTS * CHAIN_RANK];
} FV_PUSH_NAME;

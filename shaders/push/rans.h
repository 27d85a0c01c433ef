#include "push.h"

/* Positions count words of their buffer. */
FV_PUSH(FvRansPush) {
  int count;       /* of invocations: 32 a block */
  int to_at;       /* where elements go, as bytes */
  int elements;    /* of the whole stream */
  int block;       /* of a block but the last */
  int scale;
  int symbols_at;  /* by slot, four to a word */
  int ranges_at;   /* by symbol: frequency << 16 | start */
  int blocks_at;   /* {where the states are, how many 16-bit words follow them} */
} FV_PUSH_NAME;

#include "push.h"

#define QMAP_RANK 6

#define QMAP_TABLE 0      /* bytes to bytes: 256 bytes at table_at */
#define QMAP_FLOATS 1     /* bytes to f32: 256 floats there */
#define QMAP_THRESHOLDS 2 /* f32 to bytes: {1 / scale, where 0 comes to lie, 0, 0}, and the 255 smallest numbers that become the lowest byte + 1, + 2, … */
#define QMAP_ADD 3        /* bytes: {zero of a, zero of b, zero of y, factor of a, factor of b, two numbers of the activation} */
#define QMAP_MUL 4        /* likewise, with one factor */
#define QMAP_COPY 5

/* Dimensions from the outermost to the innermost in the output's memory. Positions and strides count elements, those of the table words. */
FV_PUSH(FvQmapPush) {
  int count;
  int y_at, a_at, b_at, table_at;
  int dims[QMAP_RANK];
  int y_strides[QMAP_RANK];
  int a_strides[QMAP_RANK];
  int b_strides[QMAP_RANK];
} FV_PUSH_NAME;

#include "push.h"

#define REDUCE_KEPT 4
#define REDUCE_OVER 3

/* Kept dimensions and reduced ones, outermost first, the rest 1. */
FV_PUSH(FvReducePush) {
  int count;
  int x_at, y_at;
  int kept[REDUCE_KEPT], kept_x[REDUCE_KEPT], kept_y[REDUCE_KEPT];
  int over[REDUCE_OVER], over_x[REDUCE_OVER], over_y[REDUCE_OVER];
  float factor;  /* of a mean's sum; the epsilon of moments */
  int factor_at; /* the second output of moments */
} FV_PUSH_NAME;

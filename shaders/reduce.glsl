/* What softmax and reductions share: where an invocation's group of elements begins. */
#include "push/reduce.h"

void group_start(int id, out int x, out int y) {
  x = push.x_at;
  y = push.y_at;
  for (int d = REDUCE_KEPT - 1; d >= 0; d--) {
    int outer = divide(id, push.kept[d]), at = id - outer * push.kept[d];
    x += at * push.kept_x[d];
    y += at * push.kept_y[d];
    id = outer;
  }
}

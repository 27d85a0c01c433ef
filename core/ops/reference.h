/* What several reference kernels share. */
#ifndef FOVEA_OPS_REFERENCE_H
#define FOVEA_OPS_REFERENCE_H

#include "ir/op.h"

/* Sum over i < count of (a[a_at + i * a_step] - a_zero) * (b[b_at + i * b_step] - b_zero), in double: exact for 8-bit
 * integers, and better than any float kernel that is compared with it. */
double fv_dot(const FvTensor *a, int64_t a_at, int64_t a_step, double a_zero, const FvTensor *b, int64_t b_at, int64_t b_step,
              double b_zero, int64_t count);

/* The activation fused behind a node; double passes unrounded when there is none. */
static inline double fv_activated(const FvNode *node, double value) {
  return node->activation.type == FV_ACTIVATION_NONE ? value : (double)fv_activate(node->activation, (float)value);
}

#endif

/* Scales and zero points as kernels read them, at load or, where they are computed, at run time. */
#ifndef FOVEA_CPU_QLINEAR_H
#define FOVEA_CPU_QLINEAR_H

#include "cpu/layout.h"

static inline bool fv_is_8bit(const FvTensor *t) { return t && (t->dtype == FV_DTYPE_I8 || t->dtype == FV_DTYPE_U8); }

/* Entry i of a vector, or the one number there is; an absent zero point is 0. */
static inline int64_t fv_q_at(const FvTensor *t, int64_t i) {
  return t->rank == 0 || t->dims[t->rank - 1] == 1 ? 0 : i * t->strides[t->rank - 1];
}
static inline float fv_q_scale(const FvTensor *t, int64_t i) { return ((const float *)t->data)[fv_q_at(t, i)]; }
static inline int32_t fv_q_zero(const FvTensor *t, int64_t i) {
  if (!t) return 0;
  return t->dtype == FV_DTYPE_I8 ? ((const int8_t *)t->data)[fv_q_at(t, i)] : ((const uint8_t *)t->data)[fv_q_at(t, i)];
}
static inline bool fv_is_one(const FvTensor *t) {
  for (int d = 0; t && d < t->rank; d++)
    if (t->dims[d] != 1) return false;
  return true;
}
/* A scale of one number and a zero point of one byte or none. */
static inline bool fv_q_per_tensor(const FvTensor *scale, const FvTensor *zero) {
  return fv_is_f32(scale) && fv_is_one(scale) && (!zero || (fv_is_8bit(zero) && fv_is_one(zero)));
}

/* The activations that the integer kernels apply, and the types they write. */
static inline bool fv_q_output_suits(const FvKernelQuery *q) {
  FvActivation act = q->node->activation;
  bool known = act.type == FV_ACTIVATION_NONE || act.type == FV_ACTIVATION_RELU || act.type == FV_ACTIVATION_CLIP ||
               (act.type == FV_ACTIVATION_LEAKY_RELU && act.alpha < 1);
  return known && (fv_is_8bit(q->out[0]) || fv_is_f32(q->out[0]));
}

#endif

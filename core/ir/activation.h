/* Activations that are fused behind an operator: one definition for the reference, the kernels and the shaders. */
#ifndef FOVEA_IR_ACTIVATION_H
#define FOVEA_IR_ACTIVATION_H

#include <math.h>

typedef enum FvActivationType {
  FV_ACTIVATION_NONE = 0,
  FV_ACTIVATION_RELU,
  FV_ACTIVATION_CLIP,         /* min(max(x, alpha), beta); ReLU6 is 0, 6 */
  FV_ACTIVATION_LEAKY_RELU,   /* x < 0 ? alpha * x : x */
  FV_ACTIVATION_SIGMOID,      /* 1 / (1 + exp(-x)) */
  FV_ACTIVATION_SILU,         /* x * sigmoid(x) */
  FV_ACTIVATION_TANH,
  FV_ACTIVATION_HARD_SIGMOID, /* min(max(alpha * x + beta, 0), 1) */
  FV_ACTIVATION_HARD_SWISH,   /* x * min(max(x / 6 + 0.5, 0), 1) */
  FV_ACTIVATION_COUNT
} FvActivationType;

typedef struct FvActivation {
  FvActivationType type;
  float alpha, beta;
} FvActivation;

static inline float fv_activate(FvActivation act, float x) {
  switch (act.type) {
    case FV_ACTIVATION_RELU: return x > 0 ? x : 0;
    case FV_ACTIVATION_CLIP: return fminf(fmaxf(x, act.alpha), act.beta);
    case FV_ACTIVATION_LEAKY_RELU: return x < 0 ? act.alpha * x : x;
    case FV_ACTIVATION_SIGMOID: return 1.0f / (1.0f + expf(-x));
    case FV_ACTIVATION_SILU: return x / (1.0f + expf(-x));
    case FV_ACTIVATION_TANH: return tanhf(x);
    case FV_ACTIVATION_HARD_SIGMOID: return fminf(fmaxf(act.alpha * x + act.beta, 0), 1);
    case FV_ACTIVATION_HARD_SWISH: return x * fminf(fmaxf(x * (1.0f / 6) + 0.5f, 0), 1);
    default: return x;
  }
}

#endif

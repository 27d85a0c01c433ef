#version 450
#extension GL_GOOGLE_include_directive : require
/* y = (x - mean) * factor * scale + bias, everything but x broadcast: an invocation computes four neighbours along the innermost dimension of y.
 * Dispatch: all dimensions but the innermost x fours of it, innermost fastest. */
#include "common.glsl"
#include "push/normalise.h"

layout(constant_id = 1) const int ACTIVATION = 0;
layout(constant_id = 2) const bool VARIANCE = false; /* factor is a variance yet: 1 / sqrt(variance + epsilon) of it is taken */
layout(constant_id = 3) const bool HAS_BIAS = true;
layout(constant_id = 4) const bool MEAN_IN_WEIGHTS = false;
layout(constant_id = 5) const bool FACTOR_IN_WEIGHTS = false;
layout(constant_id = 6) const bool SCALE_IN_WEIGHTS = false;
layout(constant_id = 7) const bool BIAS_IN_WEIGHTS = false;
layout(constant_id = 8) const bool IN_SCRATCH = false; /* mean and factor */

float load_from(int at, bool in_weights) { return in_weights ? load_constant(at) : load(at); }

void main() {
  int id = invocation();
  if (id >= push.count) return;
  const int last = NORMALISE_RANK - 1;
  int inner = push.dims[last], fours = (inner + 3) >> 2;
  int rest = id / fours, first = (id - rest * fours) * 4;
  int y = push.y_at, x = push.x_at, mean = 0, scale = 0;
  [[unroll]] for (int d = last - 1; d >= 0; d--) {
    int outer = rest / push.dims[d], at = rest - outer * push.dims[d];
    y += at * push.y_strides[d];
    x += at * push.x_strides[d];
    mean += at * push.mean_strides[d];
    scale += at * push.scale_strides[d];
    rest = outer;
  }
  [[unroll]] for (int k = 0; k < 4; k++) {
    int i = first + k;
    if (i >= inner) return;
    int m = mean + i * push.mean_strides[last], s = scale + i * push.scale_strides[last];
    float factor = IN_SCRATCH ? load_scratch(push.factor_at + m) : load_from(push.factor_at + m, FACTOR_IN_WEIGHTS);
    float middle = IN_SCRATCH ? load_scratch(push.mean_at + m) : load_from(push.mean_at + m, MEAN_IN_WEIGHTS);
    if (VARIANCE) factor = inversesqrt(factor + push.epsilon);
    float value = (load(x + i * push.x_strides[last]) - middle) * factor * load_from(push.scale_at + s, SCALE_IN_WEIGHTS);
    if (HAS_BIAS) value += load_from(push.bias_at + s, BIAS_IN_WEIGHTS);
    store(y + i * push.y_strides[last], activate(ACTIVATION, vec4(value), push.alpha, push.beta).x);
  }
}

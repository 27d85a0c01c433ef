/* Scales on a logarithmic grid: 2^(k/16), k from FV_LOG_GRID_MIN to FV_LOG_GRID_MAX. A scale is at most 2.2 % off, which costs a quantiser nothing measurable, and a file
 * keeps its index instead of four bytes. Values are the same to the bit everywhere: a table of sixteen, and a power of two. */
#ifndef FOVEA_IR_LOG_GRID_H
#define FOVEA_IR_LOG_GRID_H

#include <math.h>
#include <stdbool.h>

enum { FV_LOG_GRID_MIN = -64 * 16, FV_LOG_GRID_MAX = 64 * 16 - 1 };

static inline float fv_log_grid_value(int k) {
  static const float steps[16] = {
    0x1.000000p+0f, 0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f, 0x1.306fe0p+0f, 0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
    0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f, 0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f,
  };
  return ldexpf(steps[k & 15], (k - (k & 15)) / 16);
}
/* The nearest entry (in the logarithm) of a positive, finite value. */
static inline int fv_log_grid_index(float value) {
  int k = (int)lrint(16 * log2((double)value));
  return k < FV_LOG_GRID_MIN ? FV_LOG_GRID_MIN : k > FV_LOG_GRID_MAX ? FV_LOG_GRID_MAX : k;
}
static inline float fv_log_grid_round(float value) { return fv_log_grid_value(fv_log_grid_index(value)); }
static inline bool fv_on_log_grid(float value) { return value > 0 && isfinite(value) && fv_log_grid_round(value) == value; }

#endif

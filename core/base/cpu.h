/* What this processor can do. Read once; FOVEA_CPU masks it: a comma-separated list of levels to allow
 * ("reference" allows none, "avx2" everything up to AVX2, "neon"; default all), so that every variant can be forced. */
#ifndef FOVEA_BASE_CPU_H
#define FOVEA_BASE_CPU_H

typedef enum FvCpuFlags {
  FV_CPU_AVX2 = 1 << 0,       /* AVX2, FMA and F16C together */
  FV_CPU_AVX512 = 1 << 1,     /* F, BW, DQ and VL together, and the system saves the registers */
  FV_CPU_AVX512_VNNI = 1 << 2,
  FV_CPU_AVX_VNNI = 1 << 3,
  FV_CPU_NEON = 1 << 8,
  FV_CPU_DOTPROD = 1 << 9,
} FvCpuFlags;

unsigned fv_cpu_flags(void);
int fv_cpu_core_count(void); /* cores this process may run on, >= 1 */
/* "AMD EPYC 9B14"; static storage, never NULL. */
const char *fv_cpu_name(void);
/* Words for flags ("avx2 avx512"), written into text. */
char *fv_cpu_describe(unsigned flags, char *text, int size);

#endif

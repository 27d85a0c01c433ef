#include "base/cpu.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__aarch64__)
#include <sys/auxv.h>
#elif defined(__x86_64__)
#include <cpuid.h>
#endif

/* In rising order; a level allows everything up to and including its own row of the same family. */
static const struct {
  const char *name;
  unsigned flag;
} levels[] = {
  {"avx2", FV_CPU_AVX2}, {"avx-vnni", FV_CPU_AVX_VNNI}, {"avx512", FV_CPU_AVX512}, {"avx512-vnni", FV_CPU_AVX512_VNNI},
  {"neon", FV_CPU_NEON}, {"dotprod", FV_CPU_DOTPROD},
};
enum { LEVELS = sizeof levels / sizeof levels[0] };

#if defined(__x86_64__)
/* Not every compiler's __builtin_cpu_supports knows this one. */
static int has_f16c(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && c & bit_F16C;
}
#endif

static unsigned detect(void) {
  unsigned flags = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c()) flags |= FV_CPU_AVX2;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    flags |= FV_CPU_AVX512;
  if (flags & FV_CPU_AVX512 && __builtin_cpu_supports("avx512vnni")) flags |= FV_CPU_AVX512_VNNI;
#elif defined(__aarch64__)
  flags |= FV_CPU_NEON;
  if (getauxval(AT_HWCAP) & 1 << 20 /* HWCAP_ASIMDDP */) flags |= FV_CPU_DOTPROD;
#endif
  return flags;
}

static unsigned allowed_by(const char *list) {
  unsigned mask = 0;
  for (int i = 0; i < LEVELS; i++) {
    const char *at = strstr(list, levels[i].name);
    size_t length = strlen(levels[i].name);
    if (!at || (at != list && at[-1] != ',') || (at[length] && at[length] != ',')) continue;
    for (int j = 0; j <= i; j++)
      if ((levels[j].flag < FV_CPU_NEON) == (levels[i].flag < FV_CPU_NEON)) mask |= levels[j].flag;
  }
  return mask;
}

unsigned fv_cpu_flags(void) {
  static atomic_int cached = -1;
  int flags = atomic_load(&cached);
  if (flags < 0) {
    const char *list = getenv("FOVEA_CPU");
    flags = (int)(detect() & (!list || !*list || strcmp(list, "all") == 0 ? ~0u : allowed_by(list)));
    atomic_store(&cached, flags);
  }
  return (unsigned)flags;
}

int fv_cpu_core_count(void) {
  cpu_set_t set;
  int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return count > 0 ? count : 1;
}

static void read_name(char *name, size_t size) {
  char line[512];
  FILE *file = fopen("/proc/cpuinfo", "re");
  snprintf(name, size, "unknown processor");
  while (file && fgets(line, sizeof line, file)) {
    char *colon = strchr(line, ':');
    if (!colon || strncmp(line, "model name", 10) != 0) continue;
    line[strcspn(line, "\n")] = 0;
    snprintf(name, size, "%s", colon + 2);
    break;
  }
  if (file) fclose(file);
}

const char *fv_cpu_name(void) {
  static char name[128];
  static atomic_int state; /* 0 unread, 1 being read, 2 there */
  int expected = 0;
  if (atomic_compare_exchange_strong(&state, &expected, 1)) {
    read_name(name, sizeof name);
    atomic_store(&state, 2);
  }
  while (atomic_load(&state) != 2) sched_yield();
  return name;
}

char *fv_cpu_describe(unsigned flags, char *text, int size) {
  int used = 0;
  text[0] = 0;
  for (int i = 0; i < LEVELS; i++)
    if (flags & levels[i].flag && used < size)
      used += snprintf(text + used, (size_t)(size - used), "%s%s", used ? " " : "", levels[i].name);
  return text;
}

/* One pool of worker threads for the process. Workers spin briefly, then sleep on a futex; starting a job takes no
 * lock. While one caller uses the pool, another runs its parts itself, so that streams spread by frame when there
 * are more of them than cores. */
#ifndef FOVEA_BASE_THREADS_H
#define FOVEA_BASE_THREADS_H

typedef void (*FvPartFn)(void *arg, int part);

/* Makes sure that jobs of `threads` parts can run in parallel. Called at plan time; returns 0 or FV_ERR_NO_MEMORY. */
int fv_pool_reserve(int threads);
/* The same for work at load time, when nobody has said yet how many threads there shall be: one per core, four at most. Where they cannot be had, jobs run on the caller's thread. */
void fv_pool_reserve_some(void);
/* Runs fn(arg, 0) … fn(arg, parts - 1), some of them on this thread, and returns when all are done. */
void fv_pool_run(int parts, FvPartFn fn, void *arg);

/* The half-open range of `count` units that part of parts takes: a static, even split in multiples of grain. */
typedef struct FvRange {
  long begin, end;
} FvRange;
static inline FvRange fv_split(long count, long grain, int part, int parts) {
  long grains = (count + grain - 1) / grain;
  long begin = grains * part / parts * grain, end = grains * (part + 1) / parts * grain;
  return (FvRange){begin < count ? begin : count, end < count ? end : count};
}

#endif

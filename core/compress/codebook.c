/* k-means in one dimension, exactly: entries are whole steps, so weights fall into 255 bins, and the best split of the bins into runs, each with one entry, is found by dynamic
 * programming (Wang & Song 2011). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/levels.h"

enum { BINS = 255, MAX_ENTRIES = 256 };

/* Sums over bins below i: of importance, of importance * x, of importance * x^2. */
typedef struct Sums {
  double weight[BINS + 1], first[BINS + 1], second[BINS + 1];
} Sums;

static void add_up(Sums *sums, const FvRoundingProblem *p) {
  *sums = (Sums){0};
  int64_t n = p->columns;
  for (int64_t i = 0; i < p->rows * fv_rounding_groups(p) * n; i++) {
    if (p->keep && !p->keep[i]) continue;
    int64_t row = i / n, column = i % n, group = row / p->rows;
    double x = fmin(fmax((double)p->weights[i] / p->scales[row], -127), 127), scale = p->scales[row];
    double importance = scale * scale * (p->moments ? fmax(p->moments[(group * n + column) * n + column], 0) : 1);
    int bin = (int)lrint(x) + 128;
    sums->weight[bin] += importance, sums->first[bin] += importance * x, sums->second[bin] += importance * x * x;
  }
  for (int i = 1; i <= BINS; i++) sums->weight[i] += sums->weight[i - 1], sums->first[i] += sums->first[i - 1], sums->second[i] += sums->second[i - 1];
}

/* The best entry for bins from..to - 1, and what it leaves. */
static double run_error(const Sums *s, int from, int to, int *entry) {
  double weight = s->weight[to] - s->weight[from], first = s->first[to] - s->first[from], second = s->second[to] - s->second[from];
  *entry = weight > 0 ? (int)lrint(fmin(fmax(first / weight, from - 127), to - 128)) : from - 127;
  return fmax(second - 2 * *entry * first + (double)*entry * *entry * weight, 0);
}

typedef struct Split {
  double error[MAX_ENTRIES + 1][BINS + 1]; /* of the first i bins in so many runs */
  uint8_t start[MAX_ENTRIES + 1][BINS + 1]; /* of the last run */
} Split;

static void find_split(Split *split, const Sums *sums, int runs) {
  int entry;
  for (int to = 0; to <= BINS; to++) split->error[0][to] = to ? INFINITY : 0;
  for (int run = 1; run <= runs; run++)
    for (int to = 0; to <= BINS; to++) {
      split->error[run][to] = INFINITY, split->start[run][to] = 0;
      for (int from = 0; from < to; from++) {
        if (!(split->error[run - 1][from] < INFINITY)) continue;
        double error = split->error[run - 1][from] + run_error(sums, from, to, &entry);
        if (error < split->error[run][to]) split->error[run][to] = error, split->start[run][to] = (uint8_t)from;
      }
    }
}

/* Pruned weights need a 0: the entry nearest to it becomes one. */
static void make_zero(float *codebook, int entries) {
  int nearest = 0;
  for (int i = 1; i < entries; i++)
    if (fabsf(codebook[i]) < fabsf(codebook[nearest])) nearest = i;
  codebook[nearest] = 0;
}

int fv_choose_codebook(const FvRoundingProblem *problem, int entries, float *codebook, FvError *err) {
  FvRoundingProblem whole = *problem;
  whole.codebook = NULL, whole.max_level = 127;
  int rc = fv_rounding_check(&whole, err);
  if (rc >= 0 && (entries < 2 || entries > MAX_ENTRIES)) rc = fv_error_set(err, FV_ERR_INVALID, "a codebook has 2 to 256 entries, not %d", entries);
  if (rc < 0) return rc;
  struct { Sums sums; Split split; } *work = malloc(sizeof *work);
  if (!work) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  add_up(&work->sums, problem);
  int runs = entries < BINS ? entries : BINS;
  find_split(&work->split, &work->sums, runs);
  for (int run = runs, to = BINS; run > 0; to = work->split.start[run--][to]) {
    int entry;
    run_error(&work->sums, work->split.start[run][to], to, &entry);
    codebook[run - 1] = (float)entry;
  }
  for (int i = runs; i < entries; i++) codebook[i] = 127; /* of 256 entries the last one comes twice */
  if (problem->keep && memchr(problem->keep, 0, (size_t)(problem->rows * fv_rounding_groups(problem) * problem->columns))) make_zero(codebook, entries);
  free(work);
  return FV_OK;
}

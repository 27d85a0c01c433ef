/* Least squares: with C the second moments of the inputs (less the mean's share, where a bias makes up for that), w0 a row's weights and S those that stay, the row that leaves
 * the output nearest to what it was solves C_SS w_S = (C w0)_S. By conjugate gradients with the diagonal as preconditioner, from the weights as they are: rows have
 * masks of their own, so a factor would serve one row only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/prune_layer.h"
#include "compress/solve.h"

enum { MAX_STEPS = 100 };
#define PRECISION 1e-7 /* of the squared residual, relative to where it began */
#define DAMPING 0.01    /* of the mean of C's diagonal, added to it */

typedef struct Fit {
  int64_t n;
  double *c; /* n x n, damped */
  double damping;
  double *goal, *x, *residual, *direction, *image;
} Fit;

static void load_moments(Fit *fit, const FvPruneLayer *layer, int64_t group) {
  int64_t n = fit->n;
  const float *h = layer->moments->matrix + group * n * n, *mean = layer->moments->mean + group * n;
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    for (int64_t j = 0; j < n; j++) fit->c[i * n + j] = h[i * n + j] - (layer->has_bias ? (double)mean[i] * mean[j] : 0);
    sum += fmax(fit->c[i * n + i], 0);
  }
  fit->damping = sum > 0 ? DAMPING * sum / (double)n : 1;
  for (int64_t i = 0; i < n; i++) fit->c[i * n + i] = fmax(fit->c[i * n + i], 0) + fit->damping;
}

/* image = C direction, on the entries that stay. */
static void apply(Fit *fit, const uint8_t *keep) {
  for (int64_t i = 0; i < fit->n; i++) fit->image[i] = keep[i] ? fv_factor_dot(fit->c + i * fit->n, fit->direction, fit->n) : 0;
}

static double preconditioned(const Fit *fit) {
  double sum = 0;
  for (int64_t i = 0; i < fit->n; i++) sum += fit->residual[i] * fit->residual[i] / fit->c[i * fit->n + i];
  return sum;
}

static void solve(Fit *fit, const uint8_t *keep) {
  int64_t n = fit->n;
  memcpy(fit->direction, fit->x, (size_t)n * sizeof *fit->x);
  apply(fit, keep);
  for (int64_t i = 0; i < n; i++) {
    fit->residual[i] = keep[i] ? fit->goal[i] - fit->image[i] : 0;
    fit->direction[i] = fit->residual[i] / fit->c[i * n + i];
  }
  double size = preconditioned(fit), enough = size * PRECISION;
  for (int step = 0; step < MAX_STEPS && size > enough && size > 0; step++) {
    apply(fit, keep);
    double curvature = fv_factor_dot(fit->direction, fit->image, n);
    if (!(curvature > 0)) return; /* moments in single precision need not be positive: as good as it gets */
    double length = size / curvature;
    for (int64_t i = 0; i < n; i++) fit->x[i] += length * fit->direction[i], fit->residual[i] -= length * fit->image[i];
    double next = preconditioned(fit);
    for (int64_t i = 0; i < n; i++) fit->direction[i] = fit->residual[i] / fit->c[i * n + i] + next / size * fit->direction[i];
    size = next;
  }
}

static void fit_row(Fit *fit, FvPruneLayer *layer, int64_t row) {
  int64_t n = fit->n;
  const float *original = layer->original + row * n;
  const uint8_t *keep = layer->keep + row * n;
  float *weights = layer->weights + row * n;
  if (!memchr(keep, 0, (size_t)n)) return;
  for (int64_t i = 0; i < n; i++) fit->direction[i] = original[i], fit->x[i] = keep[i] ? weights[i] : 0;
  for (int64_t i = 0; i < n; i++) fit->goal[i] = fv_factor_dot(fit->c + i * n, fit->direction, n);
  solve(fit, keep);
  for (int64_t i = 0; i < n; i++) weights[i] = keep[i] ? (float)fit->x[i] : 0;
}

static bool fit_init(Fit *fit, int64_t n) {
  double *vectors = malloc((size_t)(5 * n) * sizeof(double));
  *fit = (Fit){.n = n, .c = malloc((size_t)(n * n) * sizeof(double)), .goal = vectors};
  if (vectors) fit->x = vectors + n, fit->residual = vectors + 2 * n, fit->direction = vectors + 3 * n, fit->image = vectors + 4 * n;
  return fit->c && vectors;
}

static void fit_finish(Fit *fit) {
  free(fit->c);
  free(fit->goal);
}

int fv_prune_layer_fit(FvPruneLayer *layer, FvError *err) {
  Fit fit;
  bool ready = fit_init(&fit, layer->columns);
  for (int64_t group = 0; ready && group < layer->groups; group++) {
    load_moments(&fit, layer, group);
    for (int64_t row = group * layer->rows; row < (group + 1) * layer->rows; row++) fit_row(&fit, layer, row);
  }
  fit_finish(&fit);
  return ready ? FV_OK : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
}

double fv_prune_layer_error(const FvPruneLayer *layer) {
  int64_t n = layer->columns;
  double wrong = 0, whole = 0;
  Fit fit;
  bool ready = fit_init(&fit, n);
  for (int64_t row = 0; ready && row < fv_prune_layer_rows(layer); row++) {
    if (row % layer->rows == 0) load_moments(&fit, layer, row / layer->rows);
    const float *original = layer->original + row * n, *weights = layer->weights + row * n;
    for (int64_t i = 0; i < n; i++) fit.x[i] = original[i], fit.residual[i] = (double)original[i] - weights[i];
    for (int64_t i = 0; i < n; i++) {
      const double *c = fit.c + i * n;
      wrong += fit.residual[i] * (fv_factor_dot(c, fit.residual, n) - fit.damping * fit.residual[i]);
      whole += fit.x[i] * (fv_factor_dot(c, fit.x, n) - fit.damping * fit.x[i]);
    }
  }
  fit_finish(&fit);
  return !ready ? INFINITY : whole > 0 ? fmax(wrong, 0) / whole : 0;
}

#include "compress/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compress/rounding.h"
#include "ops/params.h"

/* Weights as [channels, columns]; channels of group g are neighbours. */
typedef struct Rows {
  int64_t channels, columns;
  int groups;
  bool transposed; /* in the node they are [columns, channels] */
  const float *weights;
  float *own;      /* when transposed */
  uint8_t *keep;   /* NULL when no weight is 0 */
} Rows;

static bool is_transposed(const FvNode *node) {
  return node->op->kind == FV_OP_MATMUL || (node->op->kind == FV_OP_GEMM && !((const FvGemmParams *)node->params)->trans_b);
}

static int rows_init(Rows *rows, const FvNode *node) {
  const FvTensor *w = node->inputs[1]->constant;
  int64_t count = fv_tensor_count(w);
  *rows = (Rows){.groups = 1, .transposed = is_transposed(node), .weights = w->data};
  rows->channels = w->dims[rows->transposed];
  rows->columns = rows->channels ? count / rows->channels : 0;
  if (node->op->kind == FV_OP_CONV) rows->groups = (int)((const FvConvParams *)node->params)->group;
  if (count == 0) return FV_ERR_UNSUPPORTED;
  if (rows->transposed) {
    rows->weights = rows->own = malloc((size_t)count * sizeof *rows->own);
    if (!rows->own) return FV_ERR_NO_MEMORY;
    for (int64_t k = 0; k < rows->columns; k++)
      for (int64_t c = 0; c < rows->channels; c++) rows->own[c * rows->columns + k] = ((const float *)w->data)[k * rows->channels + c];
  }
  int64_t zeros = 0;
  for (int64_t i = 0; i < count; i++) zeros += rows->weights[i] == 0;
  if (zeros == 0) return 0;
  rows->keep = malloc((size_t)count);
  for (int64_t i = 0; rows->keep && i < count; i++) rows->keep[i] = rows->weights[i] != 0;
  return rows->keep ? 0 : FV_ERR_NO_MEMORY;
}

static void rows_finish(Rows *rows) {
  free(rows->own);
  free(rows->keep);
}

double fv_level_entropy(const int8_t *levels, int64_t count) {
  int64_t seen[256] = {0};
  double bits = 0;
  for (int64_t i = 0; i < count; i++) seen[levels[i] + 128]++;
  for (int v = 0; v < 256; v++)
    if (seen[v]) bits -= (double)seen[v] * log2((double)seen[v] / (double)count);
  return count ? bits / (double)count : 0;
}

static int choose_scales(const Rows *rows, const FvMoments *moments, int max_level, float *scales, FvError *err) {
  int64_t share = rows->channels / rows->groups, size = rows->columns;
  int result = 0;
  for (int g = 0; g < rows->groups && result == 0; g++)
    result = fv_choose_scales(rows->weights + g * share * size, share, size, moments ? moments->matrix + g * size * size : NULL, max_level, scales + g * share, err);
  return result;
}

static int transpose_levels(const Rows *rows, FvLevelsOut *out) {
  int8_t *to = malloc((size_t)(rows->channels * rows->columns));
  if (!to) return FV_ERR_NO_MEMORY;
  for (int64_t c = 0; c < rows->channels; c++)
    for (int64_t k = 0; k < rows->columns; k++) to[k * rows->channels + c] = out->levels[c * rows->columns + k];
  free(out->levels);
  out->levels = to;
  return 0;
}

static int round_rows(const Rows *rows, const FvMoments *moments, const FvLayerForm *form, const FvQuantiseParams *params, FvLevelsOut *out, double *error, FvError *err) {
  float codebook[256];
  bool is_book = form->weights == FV_WEIGHT_CODEBOOK;
  int max_level = is_book ? 127 : (1 << (form->bits - 1)) - 1;
  FvRoundingProblem problem = {
    .groups = rows->groups, .weights = rows->weights, .keep = rows->keep, .rows = rows->channels / rows->groups, .columns = rows->columns,
    .moments = moments ? moments->matrix : NULL, .mean = moments && params->bias_correction ? moments->mean : NULL, .scales = out->scales, .max_level = max_level,
    .rate_weight = params->rate_weight,
  };
  int result = choose_scales(rows, moments, max_level, out->scales, err);
  if (result == 0 && is_book) {
    result = fv_choose_codebook(&problem, form->bits, codebook, err);
    problem.codebook = codebook;
    problem.codebook_size = form->bits;
  }
  bool gptq = params->rounding == FV_ROUNDING_GPTQ || (params->rounding == FV_ROUNDING_AUTO && (is_book || form->bits < 8));
  if (result == 0) result = (gptq ? fv_round_gptq : fv_round_nearest)(&problem, out->levels, err);
  if (result == 0) *error = fv_rounding_error(&problem, out->levels);
  return result;
}

static void fill_report(const FvLevelsOut *out, const FvLayerForm *form, int64_t count, double error, FvLayerReport *report) {
  report->form = form->weights;
  report->bits = form->bits;
  report->kept = 0;
  for (int64_t i = 0; i < count; i++) report->kept += out->levels[i] != 0;
  report->entropy_bits = fv_level_entropy(out->levels, count);
  report->output_error = error;
}

int fv_round_layer(const FvNode *node, const FvMoments *moments, const FvLayerForm *form, const FvQuantiseParams *params, FvLevelsOut *out, FvLayerReport *report, FvError *err) {
  Rows rows;
  double error = 0;
  *out = (FvLevelsOut){0};
  int result = rows_init(&rows, node);
  int64_t count = rows.channels * rows.columns;
  if (result == 0) {
    out->channels = rows.channels;
    out->axis = rows.transposed;
    out->levels = malloc((size_t)count);
    out->scales = malloc((size_t)rows.channels * sizeof *out->scales);
    if (!out->levels || !out->scales) result = FV_ERR_NO_MEMORY;
  }
  if (result < 0) fv_error_set(err, result, result == FV_ERR_NO_MEMORY ? "out of memory" : "it has no weights");
  if (result == 0) result = round_rows(&rows, moments, form, params, out, &error, err);
  if (result == 0) fill_report(out, form, count, error, report);
  if (result == 0 && rows.transposed && transpose_levels(&rows, out) < 0) result = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  rows_finish(&rows);
  if (result < 0) fv_levels_finish(out);
  return result;
}

bool fv_moments_fit(const FvMoments *moments, const FvNode *node) {
  const FvTensor *w = node->inputs[1]->constant;
  int64_t channels = w->dims[is_transposed(node)], groups = node->op->kind == FV_OP_CONV ? ((const FvConvParams *)node->params)->group : 1;
  return moments && channels > 0 && moments->groups == groups && moments->size == fv_tensor_count(w) / channels;
}

/* The error of a channel's weights times the mean of its inputs. */
float *fv_levels_shift(const FvNode *node, const FvMoments *moments, const FvLevelsOut *out) {
  const float *weights = node->inputs[1]->constant->data;
  int64_t size = moments->size, share = out->channels / moments->groups, channel_step = out->axis ? 1 : size, step = out->axis ? out->channels : 1;
  float *shift = calloc((size_t)out->channels, sizeof *shift);
  for (int64_t c = 0; shift && c < out->channels; c++) {
    const float *mean = moments->mean + c / share * size;
    double sum = 0;
    for (int64_t k = 0; k < size; k++) {
      int64_t at = c * channel_step + k * step;
      sum += ((double)weights[at] - (double)out->scales[c] * out->levels[at]) * (double)mean[k];
    }
    shift[c] = (float)sum;
  }
  return shift;
}

void fv_levels_finish(FvLevelsOut *out) {
  free(out->levels);
  free(out->scales);
  *out = (FvLevelsOut){0};
}

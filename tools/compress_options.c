#include "compress_options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

void fv_compress_words_finish(FvCompressWords *words) {
  g_free(words->weights);
  g_free(words->activations);
  g_free(words->ranges);
  g_free(words->rounding);
  g_free(words->prune);
  g_strfreev(words->keep);
  *words = (FvCompressWords){0};
}

const char *fv_weight_form_text(FvWeightForm form, int bits, char *text) {
  if (form == FV_WEIGHT_INT) snprintf(text, 32, "int%d", bits);
  else if (form == FV_WEIGHT_CODEBOOK) snprintf(text, 32, "codebook:%d", bits);
  else snprintf(text, 32, "%s", form == FV_WEIGHT_F16 ? "fp16" : "fp32");
  return text;
}

/* A whole number at the end of text, low to high; -1 for anything else. */
static int whole(const char *text, int low, int high) {
  gint64 value;
  return g_ascii_string_to_signed(text, 10, low, high, &value, NULL) ? (int)value : -1;
}

static gboolean parse_form(const char *text, FvWeightForm *form, int *bits) {
  *bits = 0;
  if (strcmp(text, "fp32") == 0) return *form = FV_WEIGHT_F32, TRUE;
  if (strcmp(text, "fp16") == 0) return *form = FV_WEIGHT_F16, TRUE;
  if (g_str_has_prefix(text, "int")) return *form = FV_WEIGHT_INT, (*bits = whole(text + 3, 3, 8)) > 0;
  if (g_str_has_prefix(text, "codebook:")) return *form = FV_WEIGHT_CODEBOOK, (*bits = whole(text + 9, 2, 256)) > 0;
  return FALSE;
}

static int read_weights(const char *command, const FvCompressWords *words, gboolean calibrated, FvCompressParams *params) {
  params->weights = calibrated ? FV_WEIGHT_INT : FV_WEIGHT_F32;
  params->bits = calibrated ? 8 : 0;
  if (words->weights && !parse_form(words->weights, &params->weights, &params->bits))
    return fv_fail_usage(command, "--weights '%s' is not fp32, fp16, int3 to int8 or codebook:2 to codebook:256", words->weights);
  return FV_EXIT_OK;
}

static int read_activations(const char *command, const FvCompressWords *words, gboolean calibrated, FvCompressParams *params) {
  gboolean narrow = params->weights == FV_WEIGHT_INT || params->weights == FV_WEIGHT_CODEBOOK;
  const char *word = words->activations ? words->activations : calibrated && narrow ? "int8" : "fp32";
  if (strcmp(word, "fp16") == 0)
    return fv_fail_usage(command, "--activations fp16 is nothing that a file says: a device that computes in fp16 does so with any model");
  if (strcmp(word, "int8") != 0 && strcmp(word, "fp32") != 0) return fv_fail_usage(command, "--activations '%s' is not int8 or fp32", word);
  params->activations = strcmp(word, "int8") == 0 ? FV_ACTIVATIONS_INT8 : FV_ACTIVATIONS_F32;
  if (params->activations == FV_ACTIVATIONS_INT8 && !narrow) return fv_fail_usage(command, "--activations int8 needs weights that are integers or a codebook");
  return FV_EXIT_OK;
}

static int index_of(const char *const *names, const char *word) {
  for (int i = 0; names[i]; i++)
    if (strcmp(names[i], word) == 0) return i;
  return -1;
}

static int read_methods(const char *command, const FvCompressWords *words, FvCompressParams *params) {
  static const char *const ranges[] = {[FV_RANGE_AUTO] = "auto", [FV_RANGE_MINMAX] = "minmax", [FV_RANGE_PERCENTILE] = "percentile", [FV_RANGE_KL] = "kl",
                                       [FV_RANGE_MSE] = "mse", NULL};
  static const char *const roundings[] = {[FV_ROUNDING_AUTO] = "auto", [FV_ROUNDING_NEAREST] = "nearest", [FV_ROUNDING_GPTQ] = "gptq", NULL};
  int range = words->ranges ? index_of(ranges, words->ranges) : 0, rounding = words->rounding ? index_of(roundings, words->rounding) : 0;
  if (range < 0) return fv_fail_usage(command, "--ranges '%s' is not auto, minmax, percentile, kl or mse", words->ranges);
  if (rounding < 0) return fv_fail_usage(command, "--rounding '%s' is not auto, nearest or gptq", words->rounding);
  if (!isnan(words->rate) && !(words->rate >= 0 && words->rate <= 1000)) return fv_fail_usage(command, "--rate must be 0 to 1000, not %g", words->rate);
  params->ranges = (FvRangeMethod)range;
  params->rounding = (FvRounding)rounding;
  bool narrow = params->weights == FV_WEIGHT_CODEBOOK || (params->weights == FV_WEIGHT_INT && params->bits < 8) || params->budget > 0;
  params->rate_weight = !isnan(words->rate) ? words->rate : narrow ? 1 : 0;
  params->no_equalisation = words->no_equalisation;
  params->no_bias_correction = words->no_bias_correction;
  return FV_EXIT_OK;
}

/* KIND:AMOUNT with an amount over 0 and below 1. */
static gboolean parse_amount(const char *text, double *amount) {
  char *end;
  *amount = g_ascii_strtod(text, &end);
  return end != text && *end == '\0' && *amount > 0 && *amount < 1;
}

static gboolean parse_prune(const char *word, FvPruneParams *prune) {
  const char *colon = strchr(word, ':');
  g_autofree char *kind = colon ? g_strndup(word, (gsize)(colon - word)) : NULL;
  if (!kind) return FALSE;
  const char *amount = colon + 1;
  if (g_ascii_isdigit(*kind)) {
    prune->kind = FV_PRUNE_N_M;
    prune->n = whole(kind, 1, 31);
    prune->m = whole(amount, 2, 32);
    return prune->n > 0 && prune->m > prune->n;
  }
  if (strcmp(kind, "list") == 0) {
    prune->kind = FV_PRUNE_LIST;
    prune->list = amount;
    return *amount != '\0';
  }
  if (g_str_has_prefix(kind, "block")) {
    prune->kind = FV_PRUNE_BLOCKS;
    prune->block = kind[5] ? whole(kind + 5, 2, 64) : 4;
    return prune->block > 0 && parse_amount(amount, &prune->amount);
  }
  prune->global = strcmp(kind, "global") == 0;
  prune->kind = strcmp(kind, "magnitude") == 0 || prune->global ? FV_PRUNE_MAGNITUDE : strcmp(kind, "channels") == 0 ? FV_PRUNE_CHANNELS
                : strcmp(kind, "auto") == 0 ? FV_PRUNE_AUTO : FV_PRUNE_NONE;
  if (prune->kind == FV_PRUNE_CHANNELS) prune->global = TRUE; /* dead channels first, wherever they are */
  return prune->kind != FV_PRUNE_NONE && parse_amount(amount, &prune->amount);
}

static int read_prune(const char *command, const FvCompressWords *words, FvCompressParams *params) {
  if (words->prune && !parse_prune(words->prune, &params->prune))
    return fv_fail_usage(command, "--prune '%s' is not magnitude:FRACTION, global:FRACTION, channels:FRACTION, N:M (2:4), block4:FRACTION, auto:ERROR or list:FILE", words->prune);
  if (words->prune_steps < 0 || words->prune_steps > 100) return fv_fail_usage(command, "--prune-steps must be 1 to 100, not %d", words->prune_steps);
  params->prune.steps = words->prune_steps;
  return FV_EXIT_OK;
}

/* FORM, or FORM/fp32. */
static gboolean parse_node_form(char *text, FvNodeForm *node) {
  char *slash = strchr(text, '/');
  if (slash && strcmp(slash, "/fp32") != 0) return FALSE;
  if (slash) *slash = '\0';
  node->float_activations = slash != NULL;
  return parse_form(text, &node->weights, &node->bits);
}

/* The last = parts them: names of nodes may hold one. The words are cut in place. */
static int read_keep(const char *command, FvCompressWords *words, FvCompressParams *params, FvNodeForm **nodes) {
  int count = words->keep ? (int)g_strv_length(words->keep) : 0;
  *nodes = g_new0(FvNodeForm, count + 1);
  for (int i = 0; i < count; i++) {
    FvNodeForm *node = &(*nodes)[i];
    char *equals = strrchr(words->keep[i], '=');
    if (!equals || equals == words->keep[i] || !parse_node_form(equals + 1, node))
      return fv_fail_usage(command, "--keep '%s' is not like NODE=fp32, NODE=int8, NODE=codebook:16 or, with its inputs in fp32, NODE=int8/fp32", words->keep[i]);
    *equals = '\0';
    node->node = words->keep[i];
  }
  params->nodes = *nodes;
  params->node_count = count;
  return FV_EXIT_OK;
}

int fv_compress_words_read(const char *command, FvCompressWords *words, gboolean calibrated, FvCompressParams *params, FvNodeForm **nodes) {
  int result = read_weights(command, words, calibrated, params);
  if (result == FV_EXIT_OK) result = read_activations(command, words, calibrated, params);
  if (result == FV_EXIT_OK) result = read_methods(command, words, params);
  if (result == FV_EXIT_OK) result = read_prune(command, words, params);
  if (result == FV_EXIT_OK) result = read_keep(command, words, params, nodes);
  return result;
}

#include "container_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *fv_signature_text(const FvContainerInfo *info) {
  switch (info->signature) {
    case FV_SIGNATURE_TRUSTED: return g_strdup_printf("signed with the trusted key '%s' (%.16s…)", info->signer_name, info->signer);
    case FV_SIGNATURE_UNTRUSTED: return g_strdup_printf("signed with a key that is not trusted (%s)", info->signer);
    default: return g_strdup("not signed");
  }
}

static const char *find_note(const FvNote *notes, int count, const char *key) {
  for (int i = 0; i < count; i++)
    if (strcmp(notes[i].key, key) == 0) return notes[i].value;
  return NULL;
}

/* How many times smaller than what it was made from; 0 when that is not known. */
static double ratio_to_source(const FvContainerInfo *info) {
  const char *text = find_note(info->provenance, info->provenance_count, "source-bytes");
  double bytes = text ? g_ascii_strtod(text, NULL) : 0;
  return bytes > 0 && info->file_bytes > 0 ? bytes / (double)info->file_bytes : 0;
}

static void print_notes(const char *title, const FvNote *notes, int count) {
  for (int i = 0; i < count; i++) printf("%-12s %s: %s\n", i ? "" : title, notes[i].key, notes[i].value);
}

/* How many scores there are, and how they lie: the tenths of the scale, lowest first. */
static void print_scores(const FvContainerInfo *info) {
  for (int i = 0; i < info->score_count; i++) {
    const FvScoreHistogram *histogram = &info->scores[i];
    int64_t total = 0, tenths[10] = {0};
    for (int bin = 0; bin < FV_SCORE_BINS; bin++) {
      total += histogram->counts[bin];
      tenths[bin * 10 / FV_SCORE_BINS] += histogram->counts[bin];
    }
    printf("%-12s %s: %lld, by tenths", i ? "" : "scores", histogram->group, (long long)total);
    for (int k = 0; k < 10; k++) printf(" %lld", (long long)tenths[k]);
    printf("\n");
  }
}

void fv_container_print(const FvContainerInfo *info) {
  double ratio = ratio_to_source(info);
  char *signature = fv_signature_text(info);
  printf("%-12s %s\n", "signature", signature);
  g_free(signature);
  for (int i = 0; i < info->section_count; i++) {
    const FvSectionInfo *section = &info->sections[i];
    printf("%-12s %-12s %10lld bytes, %lld decoded, coder %s%s\n", i ? "" : "sections", section->name, (long long)section->stored_bytes,
           (long long)section->decoded_bytes, section->coder, section->encrypted ? ", encrypted" : "");
  }
  if (ratio > 0) printf("%-12s %.2f times smaller than its source\n", "ratio", ratio);
  print_notes("provenance", info->provenance, info->provenance_count);
  print_notes("accuracy", info->accuracy, info->accuracy_count);
  print_notes("calibration", info->calibration, info->calibration_count);
  print_scores(info);
}

static void json_notes(FvJson *json, const char *title, const FvNote *notes, int count) {
  fv_json_open(json, title, '{');
  for (int i = 0; i < count; i++) fv_json_string(json, notes[i].key, notes[i].value);
  fv_json_close(json, '}');
}

static void json_scores(FvJson *json, const FvContainerInfo *info) {
  fv_json_open(json, "scores", '{');
  for (int i = 0; i < info->score_count; i++) fv_json_ints(json, info->scores[i].group, info->scores[i].counts, FV_SCORE_BINS);
  fv_json_close(json, '}');
}

void fv_container_json(FvJson *json, const FvContainerInfo *info) {
  static const char *const states[] = {"none", "untrusted", "trusted"};
  double ratio = ratio_to_source(info);
  fv_json_string(json, "signature", states[info->signature]);
  fv_json_string(json, "signer", *info->signer ? info->signer : NULL);
  fv_json_open(json, "sections", '[');
  for (int i = 0; i < info->section_count; i++) {
    const FvSectionInfo *section = &info->sections[i];
    fv_json_open(json, NULL, '{');
    fv_json_string(json, "name", section->name);
    fv_json_string(json, "coder", section->coder);
    fv_json_bool(json, "encrypted", section->encrypted);
    fv_json_int(json, "stored_bytes", section->stored_bytes);
    fv_json_int(json, "decoded_bytes", section->decoded_bytes);
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
  if (ratio > 0) fv_json_number(json, "ratio", ratio, 4);
  json_notes(json, "provenance", info->provenance, info->provenance_count);
  json_notes(json, "accuracy", info->accuracy, info->accuracy_count);
  json_notes(json, "calibration", info->calibration, info->calibration_count);
  json_scores(json, info);
}

static FvLayerBytes *find_layers(const FvModel *model, int *count) {
  *count = fv_container_layers(model, NULL, 0);
  FvLayerBytes *layers = g_new0(FvLayerBytes, MAX(*count, 1));
  *count = MIN(*count, fv_container_layers(model, layers, *count));
  return layers;
}

static void print_layer(const FvLayerBytes *layer) {
  printf("%-20s %10lld %-5s %-9s %-12s %9.2f %11.0f  %s\n", layer->operation, (long long)layer->weights, fv_dtype_name(layer->dtype), layer->form, layer->coder, layer->weight_bits,
         layer->bytes, layer->node);
}

void fv_layers_print(const FvModel *model) {
  int count, singles = 0;
  double single_bytes = 0, bytes = 0, weight_bits = 0;
  int64_t weights = 0;
  FvLayerBytes *layers = find_layers(model, &count);
  printf("%-20s %10s %-5s %-9s %-12s %9s %11s  %s\n", "operation", "weights", "type", "form", "coder", "bits each", "bytes", "name");
  for (int i = 0; i < count; i++) {
    bytes += layers[i].bytes;
    if (layers[i].weights == 1) {
      singles++;
      single_bytes += layers[i].bytes;
      continue;
    }
    weights += layers[i].weights;
    weight_bits += layers[i].weight_bits * (double)layers[i].weights;
    print_layer(&layers[i]);
  }
  if (singles) printf("%-20s %10d %-5s %-9s %-12s %9s %11.0f  %s\n", "(others)", singles, "", "", "", "", single_bytes, "single numbers");
  printf("%-20s %10lld %-5s %-9s %-12s %9.2f %11.0f\n", "all", (long long)weights, "", "", "", weights ? weight_bits / (double)weights : 0, bytes);
  g_free(layers);
}

void fv_layers_json(FvJson *json, const FvModel *model) {
  int count;
  FvLayerBytes *layers = find_layers(model, &count);
  fv_json_open(json, "layers", '[');
  for (int i = 0; i < count; i++) {
    fv_json_open(json, NULL, '{');
    fv_json_string(json, "name", layers[i].node);
    fv_json_string(json, "operation", layers[i].operation);
    fv_json_int(json, "weights", layers[i].weights);
    fv_json_string(json, "dtype", fv_dtype_name(layers[i].dtype));
    fv_json_string(json, "form", layers[i].form);
    fv_json_string(json, "coder", layers[i].coder);
    fv_json_number(json, "weight_bits", layers[i].weight_bits, 3);
    fv_json_number(json, "bytes", layers[i].bytes, 1);
    fv_json_close(json, '}');
  }
  fv_json_close(json, ']');
  g_free(layers);
}

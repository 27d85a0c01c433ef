/* Descriptions back to YAML, for models that carry theirs. Reading the text gives the same description, bit for bit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vision/describe_internal.h"

/* A double-quoted scalar: labels are clean UTF-8, tabs aside. */
static void put_quoted(FILE *to, const char *text) {
  fputc('"', to);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fputc('\\', to);
    if (*text == '\t')
      fputs("\\t", to);
    else
      fputc(*text, to);
  }
  fputc('"', to);
}

static void put_floats(FILE *to, const char *start, const float *values, int count) {
  fprintf(to, "%s[", start);
  for (int i = 0; i < count; i++) fprintf(to, "%s%.9g", i ? ", " : "", (double)values[i]);
  fputs("]\n", to);
}

/* The std whose reciprocal, in binary32, is exactly this scale, which itself came from such a std. */
static float std_of(float scale) {
  float nearest = 1.0f / scale, below = nearest, above = nearest;
  for (int ulp = 0; ulp < 8; ulp++) {
    if (1.0f / below == scale) return below;
    if (1.0f / above == scale) return above;
    below = nextafterf(below, 0.0f);
    above = nextafterf(above, INFINITY);
  }
  return nearest;
}

static void put_preprocess(FILE *to, const FvPreprocess *p) {
  float std[3];
  for (int c = 0; c < 3; c++) std[c] = std_of(p->scale[c]);
  fputs("preprocess:\n", to);
  if (p->width) fprintf(to, "  width: %d\n", p->width);
  if (p->height) fprintf(to, "  height: %d\n", p->height);
  fprintf(to, "  resize: %s\n  pad: %d\n  channels: %s\n", fv_resize_names[p->resize], p->pad_value, fv_channel_names[p->channels]);
  put_floats(to, "  mean: ", p->mean, 3);
  put_floats(to, "  std: ", std, 3);
  fprintf(to, "  layout: %s\n", p->channels_last ? "nhwc" : "nchw");
}

static void put_anchors(FILE *to, const FvHead *head) {
  int levels = 0;
  for (int l = 0; l < FV_MAX_HEAD_STRIDES; l++)
    if (head->anchor_count[l]) levels = l + 1;
  if (levels == 0) return;
  fputs("  anchors:\n", to);
  for (int l = 0; l < levels; l++) put_floats(to, "    - ", &head->anchors[l][0][0], 2 * head->anchor_count[l]);
}

static void put_head(FILE *to, const FvHead *head) {
  fputs("head:\n", to);
  if (head->stride_count) {
    fputs("  strides: [", to);
    for (int l = 0; l < head->stride_count; l++) fprintf(to, "%s%d", l ? ", " : "", head->strides[l]);
    fputs("]\n", to);
  }
  put_anchors(to, head);
  put_floats(to, "  variance: ", head->variance, 2);
  if (head->bins) fprintf(to, "  bins: %d\n", head->bins);
  fprintf(to, "  score-activation: %s\n  objectness-activation: %s\n  boxes: %s\n  background: %s\n", fv_activation_names[head->score_activation],
          fv_activation_names[head->objectness_activation], fv_box_names[head->box_coding], head->background ? "true" : "false");
  if (head->output_count) fputs("  outputs:\n", to);
  for (int i = 0; i < head->output_count; i++) {
    fputs("    - ", to);
    put_quoted(to, head->outputs[i]);
    fputc('\n', to);
  }
}

int fv_description_write(const FvDescription *d, char **text, size_t *size, FvError *err) {
  *text = NULL;
  FILE *to = open_memstream(text, size);
  if (!to) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (d->name && *d->name) {
    fputs("name: ", to);
    put_quoted(to, d->name);
    fputc('\n', to);
  }
  if (d->family != FV_FAMILY_NONE) fprintf(to, "family: %s\n", fv_family_name(d->family));
  if (d->class_count > 0) fprintf(to, "classes: %d\n", d->class_count);
  fprintf(to, "threshold: %.9g\niou-threshold: %.9g\n", (double)d->threshold, (double)d->iou_threshold);
  put_preprocess(to, &d->preprocess);
  put_head(to, &d->head);
  if (d->labels) fputs("labels:\n", to);
  for (int i = 0; d->labels && i < d->class_count; i++) {
    fputs("  - ", to);
    put_quoted(to, d->labels[i]);
    fputc('\n', to);
  }
  bool failed = ferror(to);
  if (fclose(to) != 0 || failed || !*text) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  FvDescription again = {0};
  int result = fv_description_read_embedded(&again, *text, *size, "the description", err); /* also bounds the size */
  fv_description_finish(&again);
  if (result < 0) {
    free(*text);
    *text = NULL;
  }
  return result;
}

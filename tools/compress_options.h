/* What the words of `fovea compress` mean. */
#ifndef FOVEA_TOOLS_COMPRESS_OPTIONS_H
#define FOVEA_TOOLS_COMPRESS_OPTIONS_H

#include <glib.h>

#include <fovea/compress.h>

/* As typed; owned strings, NULL where left out. */
typedef struct FvCompressWords {
  char *weights, *activations, *ranges, *rounding, *prune;
  char **keep; /* NODE=FORM */
  double rate; /* NAN: 1 below 8 bits, else 0 */
  gboolean no_equalisation, no_bias_correction;
  int prune_steps;
} FvCompressWords;

void fv_compress_words_finish(FvCompressWords *words);
/* Fills what the words say; calibrated: there are pictures, so that 8 bits are the default. nodes is an array of FvNodeForm to be freed with g_free after params; it and
 * params borrow from words. Returns an exit code after saying what is wrong. */
int fv_compress_words_read(const char *command, FvCompressWords *words, gboolean calibrated, FvCompressParams *params, FvNodeForm **nodes);
/* "int5", "codebook:16", "fp16": the inverse, into text of 32 bytes. */
const char *fv_weight_form_text(FvWeightForm form, int bits, char *text);

#endif

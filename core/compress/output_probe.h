/* How far a changed model's outputs are from those of the fp32 model, on a few pictures. */
#ifndef FOVEA_COMPRESS_OUTPUT_PROBE_H
#define FOVEA_COMPRESS_OUTPUT_PROBE_H

#include <fovea/compress.h>

typedef struct FvOutputProbe FvOutputProbe;

/* Runs base on `count` of the pictures, evenly chosen, and keeps what goes in and what comes out. */
int fv_output_probe_create(FvModel *base, const FvPictureSource *pictures, int count, int threads, FvOutputProbe **probe, FvError *err);
void fv_output_probe_destroy(FvOutputProbe **probe);
/* Squared difference relative to the outputs' variance, summed over the outputs. The model has the inputs and outputs of base. */
int fv_output_probe_error(const FvOutputProbe *probe, FvModel *model, double *error, FvError *err);

#endif

/* What flows through a network: ranges, histograms and second moments of activations over calibration pictures, from the fp32 engine with the same
 * preprocessing as at run time. */
#ifndef FOVEA_COMPRESS_CALIBRATE_H
#define FOVEA_COMPRESS_CALIBRATE_H

#include <fovea/compress.h>

#include "ir/op.h"

enum { FV_HISTOGRAM_BINS = 2048, FV_MAX_CALIBRATION_PICTURES = 1 << 20 };

/* Of one value. */
typedef struct FvActivationStats {
  float min, max;   /* over everything seen */
  int64_t count;
  float *histogram; /* FV_HISTOGRAM_BINS counts, evenly from min to max */
  int channels;     /* of dims[1]; 0 where there are none */
  float *channel_min, *channel_max, *channel_mean; /* per channel */
} FvActivationStats;

/* Second moments of what a layer multiplies its weights with: H = mean of p pT over patches p, one matrix per group. Row and column i belong to entry i of a row of the
 * weights seen as [M, K], K = C/group * kh * kw for Conv (order of ONNX's weights) or the inner dimension of Gemm and MatMul. mean is that of p. */
typedef struct FvMoments {
  int groups, size;   /* of the matrices: size x size, row-major */
  const float *matrix; /* groups * size * size */
  const float *mean;   /* groups * size */
  int64_t patches;
} FvMoments;

typedef struct FvCalibration FvCalibration;

typedef struct FvCalibrationParams {
  FvPictureSource pictures;
  bool moments;
  bool ranges_only; /* one pass: minima, maxima and means, no histograms */
  int threads;
  int (*progress)(void *data, const char *what, int done, int total);
  void *progress_data;
} FvCalibrationParams;

/* graph: prepared, batch norms folded (see prepare.h); its values and nodes name the statistics. model brings preprocessing. */
int fv_calibration_create(FvModel *model, const FvGraph *graph, const FvCalibrationParams *params, FvCalibration **calibration, FvError *err);
void fv_calibration_destroy(FvCalibration **calibration);
/* By the value's name; NULL when it is not an f32 value of the graph. */
const FvActivationStats *fv_calibration_stats(const FvCalibration *calibration, const char *value);
/* By the name of the node's output 0; NULL without moments, or for nodes without weights. */
const FvMoments *fv_calibration_moments(const FvCalibration *calibration, const char *output);

#endif

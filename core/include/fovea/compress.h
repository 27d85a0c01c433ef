/* Compression: an fp32 model into one with narrow weights and activations, its loss measured. The result is an ordinary model: plans are made of it, and
 * fv_container_write keeps it in a .fovea file.
 *
 * Nothing here is thread-safe, except that different models may be compressed at the same time. */
#ifndef FOVEA_COMPRESS_H
#define FOVEA_COMPRESS_H

#include <fovea/frame.h>
#include <fovea/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pictures, read one at a time; the frame is borrowed until the next call. */
typedef struct FvPictureSource {
  int count;
  int (*read)(void *data, int index, FvFrame *frame, FvError *err);
  void *data;
} FvPictureSource;

/* How weights are stored. 3 to 8 bits: integers on a symmetric grid per output channel that the int8 kernels use as they are. */
typedef enum FvWeightForm { FV_WEIGHT_F32 = 0, FV_WEIGHT_F16, FV_WEIGHT_INT, FV_WEIGHT_CODEBOOK } FvWeightForm;
typedef enum FvActivationForm { FV_ACTIVATIONS_F32 = 0, FV_ACTIVATIONS_INT8 } FvActivationForm;
typedef enum FvRangeMethod { FV_RANGE_AUTO = 0 /* by the error of the layers' outputs, per tensor */, FV_RANGE_MINMAX, FV_RANGE_PERCENTILE, FV_RANGE_KL, FV_RANGE_MSE } FvRangeMethod;
typedef enum FvRounding { FV_ROUNDING_AUTO = 0 /* GPTQ below 8 bits */, FV_ROUNDING_NEAREST, FV_ROUNDING_GPTQ } FvRounding;
typedef enum FvPruneKind { FV_PRUNE_NONE = 0, FV_PRUNE_MAGNITUDE, FV_PRUNE_CHANNELS, FV_PRUNE_N_M, FV_PRUNE_BLOCKS, FV_PRUNE_AUTO, FV_PRUNE_LIST } FvPruneKind;

/* What one node's weights become; nodes are named as `fovea inspect --layers` shows them. */
typedef struct FvNodeForm {
  const char *node;  /* a name, or a pattern with * and ? */
  FvWeightForm weights;
  int bits;          /* of FV_WEIGHT_INT: 3 to 8; entries of a codebook: 2 to 256 */
  bool float_activations; /* it computes in f32, whatever its weights are */
} FvNodeForm;

typedef struct FvPruneParams {
  FvPruneKind kind;
  double amount;        /* MAGNITUDE, BLOCKS: fraction of weights; CHANNELS: of channels; AUTO: largest growth of the outputs' relative error. 0 to 1 */
  int n, m;             /* N_M: n of m neighbours along the input channels stay */
  int block;            /* BLOCKS: 1 x block neighbours along the output channels go together; 0 is 4 */
  bool global;          /* one threshold for all layers instead of one fraction for each */
  int steps;            /* incremental: compensation after every step; 0 is 1 */
  const char *list;     /* LIST: file with "NODE CHANNEL…" a line */
} FvPruneParams;

typedef struct FvCompressParams {
  FvWeightForm weights;
  int bits;                     /* of FV_WEIGHT_INT, 3 to 8; of FV_WEIGHT_CODEBOOK, its entries */
  FvActivationForm activations;
  FvRangeMethod ranges;
  FvRounding rounding;
  double rate_weight;           /* how much a bit of weight stream is worth against output error; 0: not at all */
  bool no_equalisation, no_bias_correction;
  FvPruneParams prune;
  const FvNodeForm *nodes;      /* the later one wins */
  int node_count;
  FvPictureSource calibration;  /* needed by everything but F32 and F16 weights without pruning */
  int threads;                  /* 0: one per core */
  /* Search (FV_WEIGHT_INT only): bits per node, 3 to 8, the smallest file whose measured loss stays within the budget. */
  double budget;                /* loss of `measure`, in its units; 0: no search */
  double mean_bits;             /* instead of a budget: bits per node so that weights take no more than so many bits each in the file, on average; 0: no */
  /* How good a model is, larger is better; called on candidates and on the model itself. */
  int (*measure)(void *data, FvModel *model, double *score, FvError *err);
  void *measure_data;
  /* Work done of work to do, and what is being done; may be NULL. A non-zero result ends the work with FV_ERR_CANCELLED. */
  int (*progress)(void *data, const char *what, int done, int total);
  void *progress_data;
} FvCompressParams;

#define fv_compress_params(...) ((FvCompressParams){__VA_ARGS__})

typedef struct FvLayerReport {
  const char *node;      /* owned by the report */
  const char *operation; /* "Conv" */
  int64_t weights;       /* before */
  int64_t kept;          /* not zero, after */
  FvWeightForm form;
  int bits;              /* of INT; entries of a codebook */
  double entropy_bits;   /* order-0, per weight */
  double output_error;   /* relative squared error of the layer's output on the calibration pictures */
} FvLayerReport;

typedef struct FvCompressReport {
  int layer_count;
  FvLayerReport *layers;
  double score_before, score_after; /* of measure; NaN where there is none */
  int pictures;                     /* of calibration */
} FvCompressReport;
FV_API void fv_compress_report_destroy(FvCompressReport **report);

/* Makes a compressed model of an fp32 one. On success *compressed is a new reference; report may be NULL.
 * Errors: FV_ERR_INVALID for parameters, FV_ERR_UNSUPPORTED (names the node), what reading pictures and measuring return. */
FV_API int fv_compress(FvModel *model, const FvCompressParams *params, FvModel **compressed, FvCompressReport **report, FvError *err);

#ifdef __cplusplus
}
#endif
#endif

/* A prepared fp32 graph into its quantised form, spelled as ONNX does: QuantizeLinear and DequantizeLinear around what computes in integers (QDQ).
 * graph/passes/integers.c makes integer operators of it when a plan is compiled; that is also how imported QDQ models run.
 *
 * Activations: u8 or s8 per tensor with a zero point. Weights: s8 per output channel, zero point 0, levels within -2^(bits-1)+1..2^(bits-1)-1. Biases stay f32 in the graph, rounded to
 * f16; the pass turns them into int32 steps. All scales are on the log grid, so that the container keeps each in a byte or two. */
#ifndef FOVEA_COMPRESS_QUANTISE_H
#define FOVEA_COMPRESS_QUANTISE_H

#include "compress/calibrate.h"

/* What becomes of one node with weights; index is its position in graph->nodes. */
typedef struct FvLayerForm {
  FvWeightForm weights;
  int bits;         /* of INT; entries of a codebook */
  bool activations; /* its inputs and outputs are 8 bits wide */
} FvLayerForm;

typedef struct FvQuantiseParams {
  const FvLayerForm *layers; /* by node index; entries of nodes without weights say whether they compute in 8 bits */
  FvRangeMethod ranges;
  FvRounding rounding;
  double rate_weight;
  bool bias_correction;
} FvQuantiseParams;

/* Rewrites graph in place and prepares it anew. calibration may be NULL where no activation becomes 8 bits wide; weights then go to the nearest level. reports: by node index,
 * filled for nodes with weights, the first of those that share theirs; may be NULL. Names in them belong to the graph. */
int fv_quantise(FvGraph *graph, const FvCalibration *calibration, const FvQuantiseParams *params, FvLayerReport *reports, FvError *err);
/* Cross-layer equalisation (after Nagel et al. 2019): scales moved between convolutions with only positively homogeneous operators between them. The ranges of the calibration are
 * all it needs; they are no longer true of the graph afterwards. */
int fv_equalise(FvGraph *graph, const FvCalibration *calibration, FvError *err);

#endif

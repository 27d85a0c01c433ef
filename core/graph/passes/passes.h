/* Rewrites of a prepared graph. Each pass keeps the graph's meaning to float rounding, leaves shapes known, and marks what it removes
 * dead; fv_passes_run cleans up between them. Nodes that a pass changes get their own copy of params first. */
#ifndef FOVEA_GRAPH_PASSES_H
#define FOVEA_GRAPH_PASSES_H

#include "ir/graph.h"
#include "ir/op.h"
#include "ops/params.h"

/* All passes in order. fuse false: only what every device needs (constants folded, no-ops removed); quantised graphs then compute in floats. */
int fv_passes_run(FvGraph *graph, bool fuse, FvError *err);

/* Each returns how many places it changed, or a negative code when memory is out. */
int fv_pass_remove_noops(FvGraph *graph);      /* Identity, Dropout, casts and reshapes to the same, empty pads */
int fv_pass_fold_scale(FvGraph *graph);        /* BatchNormalization and per-channel Mul/Add behind a convolution into its weights */
int fv_pass_fold_pad(FvGraph *graph);          /* zero Pad in front of Conv and AveragePool into their window */
int fv_pass_fuse_gates(FvGraph *graph);        /* x * sigmoid(x), x * hard_sigmoid(x), x * clip(x + 3, 0, 6) / 6 */
int fv_pass_fuse_residual(FvGraph *graph);     /* Conv + Add */
int fv_pass_fuse_activation(FvGraph *graph);   /* activations behind ops that take one */
int fv_pass_fuse_shuffle(FvGraph *graph);      /* Reshape-Transpose-Reshape to ChannelShuffle, Concat + shuffle to an interleave */

/* Operators on integers for what is written as float operators between DequantizeLinear and QuantizeLinear. Results differ from the float form by
 * rounding to the output's steps. Errors are set. */
int fv_pass_integers(FvGraph *graph, FvError *err);

/* No part of fv_passes_run: for devices that keep floats as fp16, after everything else. */
int fv_pass_halve(FvGraph *graph);

/* Helpers of passes. */
/* The node's params, copied so that other graphs keep theirs; NULL when memory is out. */
void *fv_pass_own_params(FvGraph *graph, FvNode *node, size_t size);
/* The only user of value when there is exactly one and it is no graph output; else NULL. */
FvNode *fv_pass_single_user(const FvGraph *graph, const FvValue *value);
/* "Conv+Relu": appends to the node's shown name. */
void fv_pass_note_fusion(FvGraph *graph, FvNode *node, const char *what);
/* Drops dead nodes and nodes whose outputs nobody uses, then recounts uses. */
void fv_pass_sweep(FvGraph *graph);
/* A constant f32 value as one number per element, NULL when it is anything else. */
const float *fv_pass_constant_f32(const FvValue *value, int64_t *count);

#endif

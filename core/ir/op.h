/* An operator: its name in ONNX, its shape rule, its reference kernel. One family per file in ops/; ops/registry.c lists them.
 *
 * Division of labour:
 *  - infer  checks inputs and attributes (they come from outside: everything is bounded, every mistake is an error that says
 *           what is wrong; the caller puts node and operator in front), sets dtype and dims of every output, and fills
 *           node->params, so that no kernel reads attributes or shape-giving inputs again;
 *  - view   says when an output is merely another look at the input's memory (Transpose, Slice, Squeeze, …);
 *  - reference computes, in plain C over arbitrary strides, single-threaded: the simplest loop one can believe, for ever. */
#ifndef FOVEA_IR_OP_H
#define FOVEA_IR_OP_H

#include "ir/graph.h"

/* Operators that passes, kernels or shaders ask for by kind; everything else is FV_OP_OTHER. */
typedef enum FvOpKind {
  FV_OP_OTHER = 0,
  FV_OP_CONV, FV_OP_CONV_TRANSPOSE, FV_OP_GEMM, FV_OP_MATMUL, FV_OP_BATCH_NORM, FV_OP_INSTANCE_NORM, FV_OP_LAYER_NORM,
  FV_OP_MAX_POOL, FV_OP_AVERAGE_POOL, FV_OP_GLOBAL_AVERAGE_POOL, FV_OP_GLOBAL_MAX_POOL,
  FV_OP_UNARY,   /* params FvUnaryParams */
  FV_OP_BINARY,  /* params FvBinaryParams */
  FV_OP_CLIP, FV_OP_PRELU, FV_OP_WHERE, FV_OP_CAST, FV_OP_SOFTMAX, FV_OP_REDUCE,
  FV_OP_RESIZE, FV_OP_CONCAT, FV_OP_SPLIT, FV_OP_SLICE, FV_OP_RESHAPE /* Reshape, Flatten, Squeeze, Unsqueeze */, FV_OP_TRANSPOSE,
  FV_OP_GATHER, FV_OP_PAD, FV_OP_EXPAND, FV_OP_IDENTITY /* Identity, Dropout */, FV_OP_SHAPE, FV_OP_DEPTH_TO_SPACE, FV_OP_SPACE_TO_DEPTH,
  FV_OP_CHANNEL_SHUFFLE, /* ours: made by a pass from Reshape-Transpose-Reshape */
  FV_OP_CONCAT_SHUFFLE,  /* ours: Concat of two halves, shuffled by 2, seen as an interleave */
  FV_OP_COPY,            /* ours: a change of layout */
  FV_OP_QUANTIZE, FV_OP_DEQUANTIZE, FV_OP_QLINEAR_CONV, FV_OP_QLINEAR_MATMUL, FV_OP_QLINEAR_ADD, FV_OP_QLINEAR_MUL,
  FV_OP_QLINEAR_AVERAGE_POOL, FV_OP_QLINEAR_GLOBAL_AVERAGE_POOL,
  FV_OP_QLINEAR_TABLE,   /* ours: any function of one byte */
  FV_OP_CONV_INTEGER, FV_OP_MATMUL_INTEGER, FV_OP_DYNAMIC_QUANTIZE, FV_OP_QLINEAR_CONCAT,
  FV_OP_QLINEAR_UNARY, /* LeakyRelu, Sigmoid */
  FV_OP_NMS, FV_OP_GROUP_NORM, FV_OP_LRN,
  FV_OP_ARG /* ArgMax, ArgMin */, FV_OP_TOP_K, FV_OP_GATHER_ELEMENTS, FV_OP_GATHER_ND, FV_OP_SCATTER_ELEMENTS, FV_OP_SCATTER_ND, FV_OP_TILE,
} FvOpKind;

typedef enum FvOpFlags {
  FV_OP_SPATIAL = 1 << 0,          /* outputs of rank >= 3 are best laid out channels-last */
  FV_OP_FOLLOWS_LAYOUT = 1 << 1,   /* outputs take the layout of the first computed input of the same rank */
  FV_OP_FUSES_ACTIVATION = 1 << 2, /* reference and all kernels honour node->activation */
  FV_OP_SHAPE_ONLY = 1 << 3,       /* reads the input's dims alone, never its data (Shape) */
  FV_OP_IN_PLACE = 1 << 4,         /* output 0 may share input 0's memory when shapes, types and strides agree */
} FvOpFlags;

/* What infer works with. */
typedef struct FvInfer {
  FvGraph *graph; /* for its arena */
  FvError *err;
} FvInfer;

/* One execution of one operator by one thread. */
typedef struct FvKernelCall {
  const FvNode *node;
  const FvTensor *const *in; /* node->input_count entries, NULL where left out */
  FvTensor *const *out;      /* node->output_count entries, NULL where not wanted; dims[0] of a dynamic output is the kernel's to lower */
  const void *packed;        /* what the kernel's pack wrote at load, 64-byte aligned */
  void *scratch;             /* this part's own scratch, 64-byte aligned */
  int part, parts;           /* static split; reference kernels see 0 of 1 */
} FvKernelCall;

/* A node and its tensors as planned: what a back-end chooses a kernel by. */
typedef struct FvKernelQuery {
  const FvNode *node;
  const FvTensor *const *in;  /* as in FvKernelCall; data is NULL unless constant */
  const FvTensor *const *out;
} FvKernelQuery;

static inline const FvTensor *fv_query_input(const FvKernelQuery *q, int index) { return index < q->node->input_count ? q->in[index] : NULL; }

struct FvOp {
  const char *name;   /* ONNX op_type */
  const char *domain; /* NULL: the default domain */
  FvOpKind kind;
  short min_inputs, max_inputs;   /* max -1: any number up to FV_MAX_NODE_IO */
  short min_outputs, max_outputs;
  unsigned constant_inputs; /* bit i: input i's value is needed at plan time (Reshape's shape); infer may rely on ->constant */
  unsigned flags;           /* FvOpFlags */
  int (*infer)(FvNode *node, FvInfer *infer);
  /* True when output `index` can be had from `input` (dims and strides as planned) without copying: writes its dims and strides, and the offset in
   * elements from input's first element. NULL: never. */
  bool (*view)(const FvNode *node, int index, const FvTensor *input, FvTensor *output, int64_t *offset);
  void (*reference)(const FvKernelCall *call);
  /* Multiply-accumulates of one run; NULL counts as 0. */
  int64_t (*macs)(const FvNode *node);
};

/* NULL when there is no such operator. domain "" and "ai.onnx" are the default domain. */
const FvOp *fv_op_find(const char *domain, const char *name);
/* Walks all operators: index from 0, NULL at the end. */
const FvOp *fv_op_at(int index);

/* Ends an infer with a sentence; returns a negative code. The caller adds "node 'x' (Conv): ". */
#define fv_infer_error(infer, ...) fv_error_set((infer)->err, FV_ERR_FORMAT, __VA_ARGS__)
#define fv_infer_unsupported(infer, ...) fv_error_set((infer)->err, FV_ERR_UNSUPPORTED, __VA_ARGS__)

/* Helpers of infer functions (ops/infer.c). All return 0 or a negative code with the error set. */
/* Allocates node->params. NULL when memory is out (error set). */
void *fv_infer_params(FvNode *node, FvInfer *infer, size_t size);
/* Sets an output's type and shape, checking rank, every dim >= 0, and the element limit. No-op for outputs that are NULL. */
int fv_infer_output(FvNode *node, int index, FvDtype dtype, int rank, const int64_t *dims, FvInfer *infer);
/* Same type and shape as an input. */
int fv_infer_output_like(FvNode *node, int index, const FvValue *like, FvInfer *infer);
/* ONNX multidirectional broadcasting of two shapes. */
int fv_infer_broadcast(const FvValue *a, const FvValue *b, int *rank, int64_t *dims, FvInfer *infer);
/* axis in [-rank, rank) made non-negative, else an error. */
int fv_infer_axis(int64_t axis, int rank, int *result, FvInfer *infer);
/* Reads a constant integer input (I32 or I64, rank <= 1) into values; *count says how many. An absent input gives *count = -1; one that is
 * not constant is an error naming it. */
int fv_infer_const_ints(const FvNode *node, int input, int64_t *values, int capacity, int *count, FvInfer *infer);
/* Reads a constant scalar of any type as double; absent gives fallback. */
int fv_infer_const_scalar(const FvNode *node, int input, double fallback, double *value, FvInfer *infer);
/* The error for an input whose type the operator does not take. */
int fv_infer_bad_type(const FvNode *node, int input, FvInfer *infer);

#endif

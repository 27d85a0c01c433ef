/* The intermediate representation: operators and the values between them, in ONNX's semantics ([N, C, H, W]).
 *
 * Everything in a graph lives in its arena and dies with it. Importers build graphs, fv_graph_prepare fixes shapes and folds
 * constants, passes rewrite, the plan reads. How values lie in memory is the business of graph/layout.h, not of the graph itself. */
#ifndef FOVEA_IR_GRAPH_H
#define FOVEA_IR_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include <fovea/tensor.h>

#include "base/arena.h"
#include "ir/activation.h"

typedef struct FvNode FvNode;
typedef struct FvOp FvOp;

typedef enum FvAttrKind { FV_ATTR_INT, FV_ATTR_FLOAT, FV_ATTR_STRING, FV_ATTR_INTS, FV_ATTR_FLOATS, FV_ATTR_STRINGS, FV_ATTR_TENSOR } FvAttrKind;

typedef struct FvAttr {
  const char *name;
  FvAttrKind kind;
  int count;        /* of ints, floats, strings */
  union {
    int64_t i;
    float f;
    const char *s;
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
    const FvTensor *tensor; /* row-major */
  };
} FvAttr;

typedef struct FvValue {
  const char *name; /* unique, never NULL */
  FvDtype dtype;
  int rank; /* -1 until inferred */
  int64_t dims[FV_MAX_RANK]; /* -1 for a dimension that the file leaves open */
  const FvTensor *constant; /* row-major data in the arena (or in the model's file), or NULL */
  FvNode *producer; /* NULL for inputs and constants */
  FvNode *user;     /* a node that named it when uses were counted, or NULL: no more than a hint */
  int use_count;    /* node inputs that name it, plus one when it is a graph output; see fv_graph_count_uses */
  int slot;         /* scratch number for the pass or plan at work */
  int index;        /* in the graph's values */
  bool is_input, is_output;
  bool dynamic;     /* dims[0] is an upper bound; the true length is known after running */
} FvValue;

struct FvNode {
  const FvOp *op;
  const char *name; /* may be "" ; fv_node_label() never is */
  int opset;        /* version of op's domain */
  int input_count, output_count;
  FvValue **inputs;  /* NULL entries: optional inputs left out */
  FvValue **outputs; /* NULL entries: outputs nobody asked for */
  const FvAttr *attrs;
  int attr_count;
  void *params;      /* the op's own struct, written by its infer */
  FvActivation activation; /* fused behind output 0, for ops with FV_OP_FUSES_ACTIVATION */
  const char *fused_name;  /* what inspect shows after a fusion, "Conv+Add+Relu"; NULL: op->name */
  bool dead;         /* removed by a pass */
};

typedef struct FvGraph {
  FvArena arena;     /* numbers, params, names */
  FvArena structure; /* values, nodes and their lists */
  FvNode **nodes; /* topological order after fv_graph_sort */
  int node_count, node_capacity;
  FvValue **values;
  int value_count, value_capacity;
  FvValue **inputs, **outputs;
  int input_count, output_count;
} FvGraph;

FvGraph *fv_graph_create(void);
void fv_graph_destroy(FvGraph **graph);
/* A deep copy of structure; names, attributes and constants are shared with (and must not outlive) the source. */
FvGraph *fv_graph_clone(const FvGraph *graph);

/* Drops what fv_graph_compact drops and gives its memory back: values and nodes move. False when memory is out; the graph is whole all the same. */
bool fv_graph_tighten(FvGraph *graph);

/* Building. All return NULL when memory or a limit is exhausted. Names are copied. */
FvValue *fv_graph_add_value(FvGraph *graph, const char *name);
/* A constant; data is borrowed unless copy is set. tensor must be row-major. */
FvValue *fv_graph_add_constant(FvGraph *graph, const char *name, const FvTensor *tensor, bool copy);
FvNode *fv_graph_add_node(FvGraph *graph, const FvOp *op, const char *name, int opset, int input_count, int output_count);
/* Puts value into inputs / outputs lists of the graph. */
bool fv_graph_add_input(FvGraph *graph, FvValue *value);
bool fv_graph_add_output(FvGraph *graph, FvValue *value);

/* Orders nodes topologically, keeping the file's order where it can. FV_ERR_FORMAT names a node on a cycle or with an input
 * that nobody produces. Sets producers. */
int fv_graph_sort(FvGraph *graph, FvError *err);
/* Recounts use_count. */
void fv_graph_count_uses(FvGraph *graph);
/* Drops dead nodes, and values that no node, input or output names; numbers the others anew. Takes FvValue.slot, and counts uses. */
void fv_graph_compact(FvGraph *graph);
/* Makes every user of `from` use `to` instead and moves the use counts. A graph output moves too and keeps its name (the values swap
 * names), unless `to` is itself a graph input or output: callers know both by name, so `from` then stays an output. */
void fv_graph_replace_uses(FvGraph *graph, FvValue *from, FvValue *to);

/* Fixes open input dimensions to 1, infers every shape, replaces nodes whose inputs are all constant by their results. Call once inputs
 * carry their final shapes. Errors name the node and operator. DequantizeLinear of a constant stays: integer operators want the constant. */
int fv_graph_prepare(FvGraph *graph, FvError *err);
/* On a prepared graph: replaces whatever has constant inputs only, DequantizeLinear too. */
int fv_graph_fold_constants(FvGraph *graph, FvError *err);

/* Nodes that name equal constants of at most so many bytes name the same one afterwards; graph outputs stay what they are. The others are left for fv_graph_compact. False when
 * memory is out. */
bool fv_graph_share_constants(FvGraph *graph, size_t most_bytes);

/* The node's name, or "Conv -> output_name" when it has none; in the graph's arena or static. */
const char *fv_node_label(const FvNode *node);

/* Attributes. The getters return the fallback when the attribute is absent or of another kind. */
const FvAttr *fv_node_attr(const FvNode *node, const char *name);
int64_t fv_node_int(const FvNode *node, const char *name, int64_t fallback);
float fv_node_float(const FvNode *node, const char *name, float fallback);
const char *fv_node_string(const FvNode *node, const char *name, const char *fallback);
/* Copies at most capacity ints and returns how many there are, or -1 when the attribute is absent. */
int fv_node_ints(const FvNode *node, const char *name, int64_t *values, int capacity);

/* Inputs by position, NULL when beyond the end or left out. */
static inline FvValue *fv_node_input(const FvNode *node, int index) {
  return index < node->input_count ? node->inputs[index] : NULL;
}

#endif

#include <stdlib.h>
#include <string.h>

#include "base/strided.h"
#include "ir/graph.h"
#include "ir/op.h"
#include "ops/params.h"

/* What folding may cost: a hostile file could otherwise ask for hours and terabytes. Nodes beyond a bound stay in the graph. */
#define FOLD_MAX_BYTES (INT64_C(64) << 20)        /* outputs of one node */
#define FOLD_MAX_TOTAL_BYTES (INT64_C(512) << 20) /* outputs of all of them */
#define FOLD_MAX_WORK (INT64_C(1) << 28)          /* elements read and written, and multiply-accumulates, in all */

typedef struct Folding {
  FvGraph *graph;
  int64_t bytes_left, work_left;
  FvError *err;
} Folding;

static FvTensor tensor_of(const FvValue *value) {
  FvTensor tensor = {.dtype = value->dtype, .rank = value->rank};
  memcpy(tensor.dims, value->dims, sizeof tensor.dims);
  fv_tensor_set_contiguous(&tensor);
  return tensor;
}

static int64_t elements(const FvValue *value) {
  FvTensor tensor = tensor_of(value);
  return fv_tensor_count(&tensor);
}

static bool is_foldable(const FvNode *node) {
  for (int i = 0; i < node->input_count; i++) {
    const FvValue *value = node->inputs[i];
    bool known = !value || value->constant || (node->op->flags & FV_OP_SHAPE_ONLY && !value->dynamic);
    if (!known) return false;
  }
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && node->outputs[i]->dynamic) return false;
  return node->op->reference != NULL;
}

/* Takes the node's cost from the budget; false when it is too much. */
static bool afford(Folding *fold, const FvNode *node) {
  int64_t bytes = 0, work = node->op->macs ? node->op->macs(node) : 0;
  for (int i = 0; i < node->input_count; i++)
    if (node->inputs[i] && node->inputs[i]->constant) work += elements(node->inputs[i]);
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    int64_t count = elements(node->outputs[i]);
    work += count;
    bytes += count * (int64_t)fv_dtype_size(node->outputs[i]->dtype);
  }
  if (bytes > FOLD_MAX_BYTES || bytes > fold->bytes_left || work < 0 || work > fold->work_left) return false;
  fold->bytes_left -= bytes;
  fold->work_left -= work;
  return true;
}

/* Gives every output its memory. Tensors are the graph's from now on. */
static int allocate_outputs(Folding *fold, const FvNode *node, FvTensor **out) {
  FvArena *arena = &fold->graph->arena;
  for (int i = 0; i < node->output_count; i++) {
    const FvValue *value = node->outputs[i];
    if (!value) continue;
    out[i] = fv_arena_object(arena, sizeof **out);
    if (!out[i]) return fv_error_set(fold->err, FV_ERR_NO_MEMORY, "out of memory");
    *out[i] = tensor_of(value);
    out[i]->data = fv_arena_alloc(arena, (size_t)elements(value) * fv_dtype_size(value->dtype));
    if (!out[i]->data) return fv_error_set(fold->err, FV_ERR_NO_MEMORY, "out of memory");
  }
  return 0;
}

static bool has_elements(const FvNode *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && elements(node->outputs[i]) > 0) return true;
  return false;
}

/* The reference of DequantizeLinear for what files are full of, row-major weights of signed bytes: the same double arithmetic, without asking at every element what types there are. False: not of
 * that kind. */
static bool dequantise_bytes(const FvNode *node, const FvTensor *const *in, const FvTensor *out) {
  if (node->op->kind != FV_OP_DEQUANTIZE) return false;
  const FvQuantizeParams *params = node->params;
  const FvTensor *x = in[0], *scales = in[1], *zeros = node->input_count > 2 ? in[2] : NULL;
  if (params->block || x->dtype != FV_DTYPE_I8 || scales->dtype != FV_DTYPE_F32 || out->dtype != FV_DTYPE_F32) return false;
  int64_t count = params->axis < 0 ? 1 : x->dims[params->axis], inner = params->axis < 0 ? fv_tensor_count(x) : x->strides[params->axis];
  const int8_t *from = x->data, *end = from + fv_tensor_count(x);
  float *to = out->data;
  while (from < end)
    for (int64_t i = 0; i < count; i++, from += inner, to += inner) {
      double scale = fv_load_f64(scales, params->axis < 0 ? 0 : i * scales->strides[0]), zero = !zeros ? 0 : fv_load_f64(zeros, params->axis < 0 ? 0 : i * zeros->strides[0]);
      for (int64_t k = 0; k < inner; k++) to[k] = (float)(((double)from[k] - zero) * scale);
    }
  return true;
}

static int evaluate(Folding *fold, FvNode *node, FvTensor *shapes, const FvTensor **in, FvTensor **out) {
  for (int i = 0; i < node->input_count; i++) {
    const FvValue *value = node->inputs[i];
    if (!value) continue;
    shapes[i] = tensor_of(value);
    in[i] = value->constant ? value->constant : &shapes[i];
  }
  int result = allocate_outputs(fold, node, out);
  if (result < 0) return result;
  FvKernelCall call = {.node = node, .in = in, .out = out, .parts = 1};
  if (has_elements(node) && !dequantise_bytes(node, in, (const FvTensor *)out[0])) node->op->reference(&call);
  for (int i = 0; i < node->output_count; i++) {
    if (!node->outputs[i]) continue;
    node->outputs[i]->constant = out[i];
    node->outputs[i]->producer = NULL;
  }
  node->dead = true;
  return 0;
}

static int fold_node(Folding *fold, FvNode *node) {
  size_t inputs = (size_t)node->input_count + 1, outputs = (size_t)node->output_count + 1;
  FvTensor *shapes = calloc(inputs, sizeof *shapes);
  const FvTensor **in = calloc(inputs, sizeof *in);
  FvTensor **out = calloc(outputs, sizeof *out);
  int result = shapes && in && out ? evaluate(fold, node, shapes, in, out) : fv_error_set(fold->err, FV_ERR_NO_MEMORY, "out of memory");
  free(shapes);
  free(in);
  free(out);
  return result;
}

static int fix_inputs(FvGraph *graph, FvError *err) {
  for (int i = 0; i < graph->input_count; i++) {
    FvValue *value = graph->inputs[i];
    int64_t count = 1;
    if (value->rank < 0)
      return fv_error_set(err, FV_ERR_UNSUPPORTED, "input '%s' has no shape in the file: give one with --input-shape", value->name);
    for (int d = 0; d < value->rank; d++) {
      if (value->dims[d] < 0) value->dims[d] = 1;
      if (value->dims[d] > FV_MAX_DIM || __builtin_mul_overflow(count, value->dims[d], &count) || count > FV_MAX_ELEMENTS)
        return fv_error_set(err, FV_ERR_LIMIT, "input '%s' has more than %lld elements", value->name, (long long)FV_MAX_ELEMENTS);
    }
  }
  return 0;
}

/* Integer operators take the bytes themselves; a single number is a parameter of some operator and belongs to nobody else. */
static bool is_kept(const FvNode *node) { return node->op->kind == FV_OP_DEQUANTIZE && elements(node->inputs[0]) > 1; }

static int prepare_node(Folding *fold, FvNode *node) {
  FvInfer infer = {fold->graph, fold->err};
  int result = node->op->infer(node, &infer);
  for (int i = 0; result == 0 && i < node->output_count; i++)
    if (node->outputs[i] && (node->outputs[i]->rank < 0 || node->outputs[i]->dtype == FV_DTYPE_NONE))
      result = fv_error_set(fold->err, FV_ERR_UNSUPPORTED, "the shape of output %d is not known at load", i);
  if (result == 0 && !is_kept(node) && is_foldable(node) && afford(fold, node)) result = fold_node(fold, node);
  return result;
}

/* Drops folded nodes and those that nobody needs any more, last first, so that whole chains go. */
static void sweep(FvGraph *graph) {
  fv_graph_count_uses(graph);
  for (int n = graph->node_count - 1; n >= 0; n--) {
    FvNode *node = graph->nodes[n];
    bool used = false;
    for (int i = 0; i < node->output_count; i++) used |= node->outputs[i] && node->outputs[i]->use_count > 0;
    if (node->dead || used) continue;
    node->dead = true;
    for (int i = 0; i < node->input_count; i++)
      if (node->inputs[i]) node->inputs[i]->use_count--;
  }
  int kept = 0;
  for (int n = 0; n < graph->node_count; n++)
    if (!graph->nodes[n]->dead) graph->nodes[kept++] = graph->nodes[n];
  graph->node_count = kept;
}

int fv_graph_prepare(FvGraph *graph, FvError *err) {
  FvError local;
  Folding fold = {graph, FOLD_MAX_TOTAL_BYTES, FOLD_MAX_WORK, err ? err : &local};
  int result = fix_inputs(graph, fold.err);
  if (result == 0) sweep(graph); /* what no output needs may be as wrong as it likes */
  for (int n = 0; result == 0 && n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    result = prepare_node(&fold, node);
    if (result < 0) fv_error_prefix(fold.err, "node '%.128s' (%s)", fv_node_label(node), node->op->name);
  }
  if (result == 0) {
    sweep(graph);
    fv_graph_compact(graph);
  }
  return result;
}

int fv_graph_fold_constants(FvGraph *graph, FvError *err) {
  Folding fold = {graph, FOLD_MAX_TOTAL_BYTES, FOLD_MAX_WORK, err};
  int result = 0;
  for (int n = 0; result == 0 && n < graph->node_count; n++) {
    FvNode *node = graph->nodes[n];
    if (!node->dead && is_foldable(node) && afford(&fold, node)) result = fold_node(&fold, node);
  }
  if (result == 0) sweep(graph);
  return result;
}

/* y = a * (conv(x) + b) + c, per output channel, is a convolution with scaled weights; so is it with Gemm and its columns. */
#include <math.h>
#include <string.h>

#include "graph/passes/passes.h"

typedef struct Affine {
  const float *scale, *shift; /* per channel, or NULL; step 0 repeats one number */
  int scale_step, shift_step;
} Affine;

/* Channels of a value that broadcasts as [C,1,1], [1,C,1,1] or a single number against [N,C,H,W]; -1 when it does neither. */
static int per_channel_step(const FvValue *value, int rank, int64_t channels) {
  int64_t count;
  if (!fv_pass_constant_f32(value, &count)) return -1;
  if (count == 1) return 0;
  int axis = value->rank - (rank - 1);
  return count == channels && axis >= 0 && axis < value->rank && value->dims[axis] == channels ? 1 : -1;
}

static bool affine_of_batch_norm(FvGraph *graph, const FvNode *node, int64_t channels, Affine *affine) {
  const float *in[4];
  int64_t count;
  for (int i = 0; i < 4; i++)
    if (!(in[i] = fv_pass_constant_f32(fv_node_input(node, i + 1), &count)) || count != channels) return false;
  float *scale = fv_arena_array(&graph->arena, (size_t)channels, sizeof *scale);
  float *shift = fv_arena_array(&graph->arena, (size_t)channels, sizeof *shift);
  if (!scale || !shift) return false;
  double epsilon = fv_node_float(node, "epsilon", 1e-5f);
  for (int64_t c = 0; c < channels; c++) {
    double a = in[0][c] / sqrt((double)in[3][c] + epsilon);
    scale[c] = (float)a;
    shift[c] = (float)(in[1][c] - in[2][c] * a);
  }
  *affine = (Affine){scale, shift, 1, 1};
  return true;
}

static bool affine_of_binary(FvGraph *graph, const FvNode *node, const FvValue *computed, int64_t channels, Affine *affine) {
  const FvBinaryParams *params = node->params;
  if (node->input_count != 2 || params->mean || node->inputs[0] == node->inputs[1]) return false;
  const FvValue *constant = node->inputs[node->inputs[0] == computed];
  int step = per_channel_step(constant, computed->rank, channels);
  int64_t count;
  const float *data = fv_pass_constant_f32(constant, &count);
  if (step < 0) return false;
  *affine = (Affine){0};
  if (params->type == FV_BINARY_ADD)
    affine->shift = data, affine->shift_step = step;
  else if (params->type == FV_BINARY_MUL)
    affine->scale = data, affine->scale_step = step;
  else if (node->inputs[0] == computed && (params->type == FV_BINARY_SUB || params->type == FV_BINARY_DIV)) {
    float *own = fv_arena_array(&graph->arena, (size_t)count, sizeof *own);
    if (!own) return false;
    for (int64_t i = 0; i < count; i++) own[i] = params->type == FV_BINARY_SUB ? -data[i] : 1.0f / data[i];
    if (params->type == FV_BINARY_SUB)
      affine->shift = own, affine->shift_step = step;
    else
      affine->scale = own, affine->scale_step = step;
  } else {
    return false;
  }
  return true;
}

static FvValue *scaled_constant(FvGraph *graph, const FvValue *like, const char *name, const FvTensor *shape) {
  FvTensor tensor = *shape;
  tensor.data = fv_arena_alloc(&graph->arena, (size_t)fv_tensor_count(&tensor) * sizeof(float));
  char *unique = fv_arena_printf(&graph->arena, "%s/folded%d", like ? like->name : name, graph->value_count);
  return tensor.data && unique ? fv_graph_add_constant(graph, unique, &tensor, false) : NULL;
}

/* Conv weights are [M, C/g, …]; ConvTranspose's are [C, M/g, …], so that the output channel is found from both leading indices; Gemm's have the output
 * last unless they are transposed. */
static int64_t output_channel(const FvNode *conv, const FvTensor *w, int64_t element, int64_t inner, int64_t channels) {
  if (conv->op->kind == FV_OP_GEMM) return ((const FvGemmParams *)conv->params)->trans_b ? element / w->dims[1] : element % w->dims[1];
  int64_t first = element / (inner * w->dims[1]);
  if (conv->op->kind == FV_OP_CONV) return first;
  int64_t group = ((const FvConvParams *)conv->params)->group;
  return first / (w->dims[0] / group) * (channels / group) + element / inner % w->dims[1];
}

static int apply(FvGraph *graph, FvNode *conv, const Affine *affine, int64_t channels) {
  const FvTensor *w = conv->inputs[1]->constant;
  FvTensor bias_shape = {.dtype = FV_DTYPE_F32, .rank = 1, .dims = {channels}};
  FvValue *weights = scaled_constant(graph, conv->inputs[1], "weight", w);
  FvValue *bias = scaled_constant(graph, fv_node_input(conv, 2), conv->outputs[0]->name, &bias_shape);
  if (!weights || !bias) return -1;
  int64_t count, inner = 1;
  const float *old_bias = fv_pass_constant_f32(fv_node_input(conv, 2), &count), *old = w->data;
  for (int d = 2; d < w->rank; d++) inner *= w->dims[d];
  float *to = weights->constant->data, *b = bias->constant->data;
  for (int64_t i = 0, n = fv_tensor_count(w); i < n; i++)
    to[i] = affine->scale ? old[i] * affine->scale[output_channel(conv, w, i, inner, channels) * affine->scale_step] : old[i];
  for (int64_t c = 0; c < channels; c++) {
    b[c] = old_bias ? old_bias[c] : 0;
    if (affine->scale) b[c] *= affine->scale[c * affine->scale_step];
    if (affine->shift) b[c] += affine->shift[c * affine->shift_step];
  }
  conv->inputs[1] = weights;
  if (conv->input_count < 3) { /* a third place was left free only when the file had one; make the list anew */
    FvValue **inputs = fv_arena_array(&graph->arena, 5, sizeof *inputs);
    if (!inputs) return -1;
    memcpy(inputs, conv->inputs, sizeof *inputs * (size_t)conv->input_count);
    conv->inputs = inputs;
    conv->input_count = 3;
  }
  conv->inputs[2] = bias;
  return 0;
}

/* Gemm adds what a convolution calls bias when it is one number per column, taken as it is. */
static bool adds_bias(const FvNode *gemm) {
  const FvValue *c = fv_node_input(gemm, 2);
  return ((const FvGemmParams *)gemm->params)->beta == 1 && (!c || (c->rank > 0 && c->dims[c->rank - 1] == gemm->outputs[0]->dims[1] && (c->rank == 1 || c->dims[0] == 1)));
}

static bool can_scale(const FvNode *conv) {
  int64_t count;
  FvOpKind kind = conv->op->kind;
  return (kind == FV_OP_CONV || kind == FV_OP_CONV_TRANSPOSE || (kind == FV_OP_GEMM && adds_bias(conv))) && conv->activation.type == FV_ACTIVATION_NONE &&
         conv->input_count <= 3 && fv_pass_constant_f32(conv->inputs[1], &count) &&
         (!fv_node_input(conv, 2) || fv_pass_constant_f32(conv->inputs[2], &count));
}

int fv_pass_fold_scale(FvGraph *graph) {
  int changed = 0;
  for (int i = 0; i < graph->node_count; i++) {
    FvNode *conv = graph->nodes[i], *user;
    while (!conv->dead && can_scale(conv) && (user = fv_pass_single_user(graph, conv->outputs[0]))) {
      const FvValue *out = conv->outputs[0];
      Affine affine;
      bool found = user->op->kind == FV_OP_BATCH_NORM ? user->inputs[0] == out && affine_of_batch_norm(graph, user, out->dims[1], &affine)
                   : user->op->kind == FV_OP_BINARY   ? affine_of_binary(graph, user, out, out->dims[1], &affine)
                                                      : false;
      const FvValue *after = user->outputs[0];
      /* broadcasting must not have widened the shape */
      if (!found || user->activation.type != FV_ACTIVATION_NONE || after->rank != out->rank ||
          memcmp(after->dims, out->dims, sizeof out->dims[0] * (size_t)out->rank) != 0)
        break;
      if (apply(graph, conv, &affine, out->dims[1]) < 0) return FV_ERR_NO_MEMORY;
      conv->outputs[0] = user->outputs[0];
      conv->outputs[0]->producer = conv;
      user->dead = true;
      fv_pass_note_fusion(graph, conv, user->op->name);
      changed++;
    }
  }
  return changed;
}

#include "graph/layout.h"

#include <stdlib.h>
#include <string.h>

#include "ir/op.h"
#include "ops/params.h"

enum { PIXEL_STRIDE_MULTIPLE = 8 };

typedef struct Builder {
  FvGraph *graph;
  FvLayout *layout;
  bool *channels_last_input; /* by slot: a graph input that a spatial operator reads */
  bool *padded;              /* by slot: some user likes a padded pixel stride */
  int *parent;               /* by slot: slot of the concatenation it is written into, or -1 */
  int64_t *parent_index;     /* first index along the concatenation's axis */
  int *parent_axis;
} Builder;

void fv_layout_finish(FvLayout *layout) {
  free(layout->slots);
  free(layout->buffers);
  *layout = (FvLayout){0};
}

int fv_layout_add_buffer(FvLayout *layout, int64_t bytes) {
  if (layout->buffer_count == layout->buffer_capacity) {
    int grown = layout->buffer_capacity ? layout->buffer_capacity * 2 : 64;
    FvBuffer *buffers = realloc(layout->buffers, (size_t)grown * sizeof *buffers);
    if (!buffers) return -1;
    layout->buffers = buffers;
    layout->buffer_capacity = grown;
  }
  layout->buffers[layout->buffer_count] = (FvBuffer){.bytes = bytes, .first = -1, .last = -1};
  return layout->buffer_count++;
}

static int64_t bytes_of(const FvTensor *tensor) {
  int64_t last = 0;
  for (int d = 0; d < tensor->rank; d++) {
    if (tensor->dims[d] == 0) return 0;
    last += (tensor->dims[d] - 1) * tensor->strides[d];
  }
  return (last + 1) * (int64_t)fv_dtype_size(tensor->dtype);
}

static void set_channels_last(FvTensor *tensor, int64_t pixel_stride) {
  int64_t stride = pixel_stride;
  tensor->strides[1] = 1;
  for (int d = tensor->rank - 1; d >= 2; d--) {
    tensor->strides[d] = stride;
    stride *= tensor->dims[d];
  }
  tensor->strides[0] = stride;
}

static int64_t padded_channels(int64_t channels) {
  return channels <= PIXEL_STRIDE_MULTIPLE ? channels : (channels + PIXEL_STRIDE_MULTIPLE - 1) / PIXEL_STRIDE_MULTIPLE * PIXEL_STRIDE_MULTIPLE;
}

int fv_layout_add_copy(FvLayout *layout, const FvTensor *like) {
  if (layout->slot_count == layout->slot_capacity) return -1;
  FvSlot slot = {.place = FV_PLACE_BUFFER, .tensor = *like};
  slot.tensor.data = NULL;
  if (like->rank >= 3)
    set_channels_last(&slot.tensor, padded_channels(like->dims[1]));
  else
    fv_tensor_set_contiguous(&slot.tensor);
  slot.buffer = fv_layout_add_buffer(layout, bytes_of(&slot.tensor));
  if (slot.buffer < 0) return -1;
  layout->slots[layout->slot_count] = slot;
  return layout->slot_count++;
}

/* Dimensions from the outermost in memory to the innermost; dimensions of length 1 and strides that tie keep their logical order. */
static void memory_order(const FvTensor *tensor, int *order) {
  for (int d = 0; d < tensor->rank; d++) {
    int at = d;
    while (at > 0 && tensor->dims[order[at - 1]] > 1 && tensor->dims[d] > 1 && llabs(tensor->strides[order[at - 1]]) < llabs(tensor->strides[d])) {
      order[at] = order[at - 1];
      at--;
    }
    order[at] = d;
  }
}

static bool looks_channels_last(const FvTensor *tensor) {
  if (tensor->rank < 3 || tensor->dims[1] == 1) return false;
  int order[FV_MAX_RANK];
  memory_order(tensor, order);
  return order[tensor->rank - 1] == 1;
}

static void set_strides_by_order(FvTensor *tensor, const int *order) {
  int64_t stride = 1;
  for (int i = tensor->rank - 1; i >= 0; i--) {
    tensor->strides[order[i]] = stride;
    stride *= tensor->dims[order[i]];
  }
}

static FvTensor tensor_of(const FvValue *value) {
  FvTensor tensor = {.dtype = value->dtype, .rank = value->rank};
  memcpy(tensor.dims, value->dims, sizeof tensor.dims);
  fv_tensor_set_contiguous(&tensor);
  return tensor;
}

/* The computed input whose layout the node's outputs take: the largest of the output's rank. */
static const FvTensor *layout_source(const Builder *builder, const FvNode *node, const FvValue *out) {
  const FvTensor *best = NULL;
  for (int i = 0; i < node->input_count; i++) {
    if (!node->inputs[i]) continue;
    const FvSlot *slot = &builder->layout->slots[node->inputs[i]->slot];
    if (slot->place != FV_PLACE_BUFFER || slot->tensor.rank != out->rank) continue;
    if (!best || fv_tensor_count(&slot->tensor) > fv_tensor_count(best)) best = &slot->tensor;
  }
  return best;
}

static void choose_strides(const Builder *builder, const FvNode *node, const FvValue *out, FvTensor *tensor) {
  bool padded = builder->padded[out->slot];
  int64_t channels = tensor->rank >= 3 ? tensor->dims[1] : 0;
  if (node->op->flags & FV_OP_SPATIAL && tensor->rank >= 3) {
    set_channels_last(tensor, padded ? padded_channels(channels) : channels);
  } else if (node->op->flags & FV_OP_FOLLOWS_LAYOUT) {
    const FvTensor *source = layout_source(builder, node, out);
    if (!source) return;
    int order[FV_MAX_RANK];
    memory_order(source, order);
    if (looks_channels_last(source))
      set_channels_last(tensor, padded ? padded_channels(channels) : channels);
    else
      set_strides_by_order(tensor, order);
  }
}

static int own_buffer(Builder *builder, FvSlot *slot) {
  slot->place = FV_PLACE_BUFFER;
  slot->offset = 0;
  slot->buffer = fv_layout_add_buffer(builder->layout, bytes_of(&slot->tensor));
  return slot->buffer < 0 ? FV_ERR_NO_MEMORY : 0;
}

static bool try_view(Builder *builder, const FvNode *node, int index) {
  if (!node->op->view || !node->inputs[0]) return false;
  const FvSlot *in = &builder->layout->slots[node->inputs[0]->slot];
  FvSlot *out = &builder->layout->slots[node->outputs[index]->slot];
  if (in->place != FV_PLACE_BUFFER || node->inputs[0]->dtype != node->outputs[index]->dtype) return false;
  FvTensor tensor = tensor_of(node->outputs[index]);
  int64_t offset = 0;
  if (!node->op->view(node, index, &in->tensor, &tensor, &offset)) return false;
  *out = (FvSlot){.place = FV_PLACE_BUFFER, .buffer = in->buffer, .offset = in->offset + offset * (int64_t)fv_dtype_size(tensor.dtype), .tensor = tensor, .is_view = true};
  return true;
}

/* Concatenations come after their inputs, so a slice's buffer must exist before its parent is reached: the root of the chain is laid out first. */
static int place_in_parent(Builder *builder, int slot_index) {
  FvLayout *layout = builder->layout;
  FvSlot *slot = &layout->slots[slot_index];
  int parent = builder->parent[slot_index];
  if (slot->place != FV_PLACE_NONE) return 0;
  if (parent < 0) return own_buffer(builder, slot);
  int result = place_in_parent(builder, parent);
  if (result < 0) return result;
  slot = &layout->slots[slot_index];
  const FvSlot *whole = &layout->slots[parent];
  memcpy(slot->tensor.strides, whole->tensor.strides, sizeof slot->tensor.strides);
  slot->place = FV_PLACE_BUFFER;
  slot->buffer = whole->buffer;
  slot->offset = whole->offset + builder->parent_index[slot_index] * whole->tensor.strides[builder->parent_axis[slot_index]] * (int64_t)fv_dtype_size(slot->tensor.dtype);
  return 0;
}

static int lay_out_node(Builder *builder, const FvNode *node) {
  for (int i = 0; i < node->output_count; i++) {
    FvValue *out = node->outputs[i];
    if (!out) continue;
    FvSlot *slot = &builder->layout->slots[out->slot];
    if (slot->place == FV_PLACE_BUFFER) continue; /* a concatenation that one of its inputs placed */
    if (try_view(builder, node, i)) continue;
    if (builder->parent[out->slot] < 0) {
      slot->tensor = tensor_of(out);
      choose_strides(builder, node, out, &slot->tensor);
    }
    int result = place_in_parent(builder, out->slot);
    if (result < 0) return result;
  }
  return 0;
}

static int lay_out_input(Builder *builder, const FvValue *value) {
  FvSlot *slot = &builder->layout->slots[value->slot];
  if (slot->place != FV_PLACE_NONE) return 0;
  slot->tensor = tensor_of(value);
  if (builder->channels_last_input[value->slot]) set_channels_last(&slot->tensor, slot->tensor.dims[1]);
  return own_buffer(builder, slot);
}

static void reset(Builder *builder) {
  FvLayout *layout = builder->layout;
  layout->buffer_count = 0;
  for (int i = 0; i < builder->graph->value_count; i++) {
    const FvValue *value = builder->graph->values[i];
    FvSlot *slot = &layout->slots[value->slot];
    FvTensor kept = slot->tensor;
    *slot = (FvSlot){0};
    if (value->constant) {
      slot->place = FV_PLACE_CONSTANT;
      slot->tensor = *value->constant;
    } else {
      slot->tensor = kept; /* strides of the first walk, which parents rely on */
    }
  }
}

static int walk(Builder *builder) {
  reset(builder);
  int result = 0;
  for (int i = 0; i < builder->graph->input_count && result == 0; i++)
    if (!builder->graph->inputs[i]->constant) result = lay_out_input(builder, builder->graph->inputs[i]);
  for (int i = 0; i < builder->graph->node_count && result == 0; i++) result = lay_out_node(builder, builder->graph->nodes[i]);
  return result;
}

/* May this input of a concatenation be written by its producer straight into its slice? Judged by the strides of the first walk. */
static bool can_live_in(const Builder *builder, const FvValue *value, const FvTensor *whole) {
  const FvSlot *slot = &builder->layout->slots[value->slot];
  if (slot->place != FV_PLACE_BUFFER || slot->is_view || !value->producer || value->is_output || value->is_input || value->dynamic) return false;
  if (builder->parent[value->slot] >= 0 || value->dtype != whole->dtype || value->rank != whole->rank) return false;
  return looks_channels_last(whole) == looks_channels_last(&slot->tensor) || value->rank < 3 || value->dims[1] == 1;
}

static void adopt_concat_inputs(Builder *builder, const FvNode *node) {
  const FvSlot *out = &builder->layout->slots[node->outputs[0]->slot];
  int axis = ((const FvConcatParams *)node->params)->axis;
  int64_t at = 0;
  for (int i = 0; i < node->input_count; i++) {
    const FvValue *in = node->inputs[i];
    if (can_live_in(builder, in, &out->tensor)) {
      builder->parent[in->slot] = node->outputs[0]->slot;
      builder->parent_index[in->slot] = at;
      builder->parent_axis[in->slot] = axis;
    }
    at += in->dims[axis];
  }
}

/* Last node first, so that a wish for channels-last passes through what follows its input's layout: a frame that is quantised first, say. */
static void note_wishes(Builder *builder) {
  for (int i = builder->graph->node_count - 1; i >= 0; i--) {
    const FvNode *node = builder->graph->nodes[i];
    bool spatial = node->op->flags & FV_OP_SPATIAL;
    for (int j = 0; j < node->input_count; j++) {
      FvValue *in = node->inputs[j];
      if (!in || in->rank < 3) continue;
      bool followed = node->op->flags & FV_OP_FOLLOWS_LAYOUT && node->outputs[0] && builder->channels_last_input[node->outputs[0]->slot];
      if (j == 0 && (spatial || followed)) builder->channels_last_input[in->slot] = true;
      if (spatial || node->op->flags & FV_OP_FOLLOWS_LAYOUT) builder->padded[in->slot] = true;
    }
  }
}

/* Slots never move, so that tensors can be pointed to: room for every value and for one copy of every input that an operator computes. */
static int slots_ever(const FvGraph *graph) {
  int count = graph->value_count;
  for (int i = 0; i < graph->node_count; i++) {
    const FvNode *node = graph->nodes[i];
    for (int j = 0; j < node->input_count; j++) count += node->inputs[j] && (!node->inputs[j]->constant || node->op->kind == FV_OP_CONCAT);
  }
  return count;
}

int fv_layout_create(FvGraph *graph, FvLayout *layout, FvError *err) {
  *layout = (FvLayout){0};
  Builder builder = {graph, layout};
  size_t n = (size_t)graph->value_count + 1;
  layout->slot_count = graph->value_count;
  layout->slot_capacity = slots_ever(graph);
  layout->slots = calloc((size_t)layout->slot_capacity + 1, sizeof *layout->slots);
  builder.channels_last_input = calloc(n, sizeof(bool));
  builder.padded = calloc(n, sizeof(bool));
  builder.parent = malloc(n * sizeof(int));
  builder.parent_index = calloc(n, sizeof(int64_t));
  builder.parent_axis = calloc(n, sizeof(int));
  int result = layout->slots && builder.channels_last_input && builder.padded && builder.parent && builder.parent_index && builder.parent_axis ? 0 : FV_ERR_NO_MEMORY;
  if (result == 0) {
    memset(builder.parent, -1, n * sizeof(int));
    for (int i = 0; i < graph->value_count; i++) graph->values[i]->slot = i;
    note_wishes(&builder);
    result = walk(&builder); /* once to see which strides come out, once more with slices in their places */
  }
  for (int i = graph->node_count - 1; i >= 0 && result == 0; i--)
    if (graph->nodes[i]->op->kind == FV_OP_CONCAT) adopt_concat_inputs(&builder, graph->nodes[i]);
  if (result == 0) result = walk(&builder);
  free(builder.channels_last_input);
  free(builder.padded);
  free(builder.parent);
  free(builder.parent_index);
  free(builder.parent_axis);
  return result < 0 ? fv_error_set(err, result, "out of memory while laying out the graph") : 0;
}

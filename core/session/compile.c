#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ops/params.h"
#include "session/plan_internal.h"

static FvStep *add_step(FvPlan *plan, const FvNode *node, int inputs, int outputs) {
  if (plan->step_count == plan->step_capacity) {
    int grown = plan->step_capacity ? plan->step_capacity * 2 : 128;
    FvStep *steps = realloc(plan->steps, (size_t)grown * sizeof *steps);
    if (!steps) return NULL;
    plan->steps = steps;
    plan->step_capacity = grown;
  }
  FvStep *step = &plan->steps[plan->step_count];
  *step = (FvStep){.node = node, .parts = 1};
  step->in = fv_arena_array(&plan->arena, (size_t)inputs + 1, sizeof *step->in);
  step->out = fv_arena_array(&plan->arena, (size_t)outputs + 1, sizeof *step->out);
  if (!step->in || !step->out) return NULL;
  plan->step_count++;
  return step;
}

/* Tensors of a step as kernels see them before there is memory; the arrays hold FV_MAX_NODE_IO + 1 entries. */
typedef struct Query {
  FvKernelQuery query;
  const FvTensor **in, **out;
} Query;

static void fill_query(const FvPlan *plan, const FvStep *step, Query *query) {
  for (int i = 0; i < step->node->input_count; i++) query->in[i] = fv_plan_tensor(plan, step->in[i]);
  for (int i = 0; i < step->node->output_count; i++) query->out[i] = fv_plan_tensor(plan, step->out[i]);
  query->query = (FvKernelQuery){step->node, query->in, query->out};
}

static int finish_step(FvPlan *plan, FvStep *step, Query *query, FvError *err) {
  fill_query(plan, step, query);
  step->macs = step->node->op->macs ? step->node->op->macs(step->node) : 0;
  plan->macs += step->macs;
  return plan->backend->prepare(plan, step, &query->query, err);
}

static const void *select_kernel(const FvPlan *plan, const FvStep *step, Query *query) {
  fill_query(plan, step, query);
  return plan->backend->select(plan, &query->query);
}

/* One step that copies slot `from` into slot `to`. */
static int add_copy_step(FvPlan *plan, int from, int to, const char *name, Query *query, FvError *err) {
  FvNode *node = fv_arena_object(&plan->arena, sizeof *node);
  const FvOp *op = fv_op_find("fovea", "Copy");
  FvValue **values = fv_arena_array(&plan->arena, 2, sizeof *values);
  FvStep *step = node && op && values ? add_step(plan, node, 1, 1) : NULL;
  if (!step) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
  for (int i = 0; i < 2; i++) {
    const FvTensor *tensor = fv_plan_tensor(plan, i ? to : from);
    if (!(values[i] = fv_arena_object(&plan->arena, sizeof **values))) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
    *values[i] = (FvValue){.name = name, .dtype = tensor->dtype, .rank = tensor->rank, .slot = i ? to : from};
    memcpy(values[i]->dims, tensor->dims, sizeof tensor->dims);
  }
  *node = (FvNode){.op = op, .name = name, .opset = 1, .input_count = 1, .output_count = 1, .inputs = &values[0], .outputs = &values[1]};
  step->in[0] = from;
  step->out[0] = to;
  step->kernel = select_kernel(plan, step, query);
  return finish_step(plan, step, query, err);
}

/* A concatenation is one copy per input that does not already lie in its slice. */
static int compile_concat(FvPlan *plan, const FvNode *node, Query *query, FvError *err) {
  int axis = ((const FvConcatParams *)node->params)->axis, out = node->outputs[0]->slot;
  int64_t at = 0;
  for (int i = 0; i < node->input_count; i++) {
    FvLayout *layout = &plan->layout;
    const FvValue *in = node->inputs[i];
    FvSlot slice = layout->slots[out];
    memcpy(slice.tensor.dims, in->dims, sizeof slice.tensor.dims);
    slice.offset += at * slice.tensor.strides[axis] * (int64_t)fv_dtype_size(slice.tensor.dtype);
    at += in->dims[axis];
    const FvSlot *from = &layout->slots[in->slot];
    if (from->place == FV_PLACE_BUFFER && from->buffer == slice.buffer && from->offset == slice.offset && !from->is_view) continue;
    if (fv_tensor_count(&slice.tensor) == 0) continue;
    int to = fv_layout_add_copy(layout, &slice.tensor);
    if (to < 0) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
    layout->buffer_count--; /* the slice has its home already */
    layout->slots[to] = slice;
    int result = add_copy_step(plan, in->slot, to, fv_node_label(node), query, err);
    if (result < 0) return result;
  }
  return 0;
}

static bool is_channels_last(const FvTensor *tensor) { return tensor->strides[1] == 1 || tensor->dims[1] == 1; }

/* When no fast kernel takes the inputs as they lie, tries once more with spatial inputs copied to channels-last. */
static const void *select_with_copies(FvPlan *plan, FvStep *step, Query *query, int *copied) {
  const void *kernel = select_kernel(plan, step, query);
  for (int i = 0; i < step->node->input_count; i++) copied[i] = -1;
  if (kernel || plan->flags & FV_PLAN_REFERENCE || !(step->node->op->flags & FV_OP_SPATIAL)) return kernel;
  FvTensor candidates[4];
  int count = step->node->input_count < 4 ? step->node->input_count : 4;
  bool any = false;
  for (int i = 0; i < count; i++) {
    if (step->in[i] < 0 || plan->layout.slots[step->in[i]].place != FV_PLACE_BUFFER) continue;
    const FvTensor *tensor = fv_plan_tensor(plan, step->in[i]);
    if (tensor->rank < 3 || is_channels_last(tensor)) continue;
    int slots = plan->layout.slot_count, buffers = plan->layout.buffer_count;
    int copy = fv_layout_add_copy(&plan->layout, tensor);
    if (copy < 0) return NULL;
    candidates[i] = plan->layout.slots[copy].tensor;
    plan->layout.slot_count = slots; /* only asked what it would look like */
    plan->layout.buffer_count = buffers;
    query->in[i] = &candidates[i];
    copied[i] = 1;
    any = true;
  }
  kernel = any ? plan->backend->select(plan, &query->query) : NULL;
  for (int i = 0; !kernel && i < count; i++) copied[i] = -1;
  return kernel;
}

static int compile_node(FvPlan *plan, const FvNode *node, Query *query, FvError *err) {
  FvStep *step = add_step(plan, node, node->input_count, node->output_count);
  int *copied = malloc(((size_t)node->input_count + 1) * sizeof *copied);
  if (!step || !copied) {
    free(copied);
    return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
  }
  for (int i = 0; i < node->input_count; i++) step->in[i] = node->inputs[i] ? node->inputs[i]->slot : -1;
  for (int i = 0; i < node->output_count; i++) {
    step->out[i] = node->outputs[i] ? node->outputs[i]->slot : -1;
    step->is_dynamic |= node->outputs[i] && node->outputs[i]->dynamic;
  }
  const void *kernel = select_with_copies(plan, step, query, copied);
  FvStep mine = *step;
  plan->step_count--; /* copies come first */
  int result = 0;
  for (int i = 0; i < node->input_count && result == 0; i++) {
    if (copied[i] < 0) continue;
    int copy = fv_layout_add_copy(&plan->layout, fv_plan_tensor(plan, mine.in[i]));
    result = copy < 0 ? fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling") : add_copy_step(plan, mine.in[i], copy, fv_node_label(node), query, err);
    mine.in[i] = copy;
  }
  free(copied);
  if (result < 0) return result;
  step = add_step(plan, node, 0, 0);
  if (!step) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
  *step = mine;
  step->kernel = kernel;
  return finish_step(plan, step, query, err);
}

static bool has_work(const FvPlan *plan, const FvNode *node) {
  for (int i = 0; i < node->output_count; i++)
    if (node->outputs[i] && !plan->layout.slots[node->outputs[i]->slot].is_view && fv_tensor_count(fv_plan_tensor(plan, node->outputs[i]->slot)) > 0) return true;
  return false;
}

static void touch(FvPlan *plan, int slot, int step) {
  if (slot < 0 || plan->layout.slots[slot].place != FV_PLACE_BUFFER) return;
  FvBuffer *buffer = &plan->layout.buffers[plan->layout.slots[slot].buffer];
  if (buffer->first < 0 || step < buffer->first) buffer->first = step;
  if (step > buffer->last) buffer->last = step;
}

/* Inputs stay until the end, so that a session can run again without filling them. */
static int plan_memory(FvPlan *plan, FvError *err) {
  for (int s = 0; s < plan->step_count; s++) {
    const FvStep *step = &plan->steps[s];
    for (int i = 0; i < step->node->input_count; i++) touch(plan, step->in[i], s);
    for (int i = 0; i < step->node->output_count; i++) touch(plan, step->out[i], s);
  }
  for (int i = 0; i < plan->graph->input_count; i++) {
    touch(plan, plan->inputs[i], 0);
    touch(plan, plan->inputs[i], INT_MAX);
  }
  for (int i = 0; i < plan->graph->output_count; i++) {
    touch(plan, plan->outputs[i], 0);
    touch(plan, plan->outputs[i], INT_MAX);
  }
  plan->arena_bytes = fv_memory_plan(plan->layout.buffers, plan->layout.buffer_count, err);
  return plan->arena_bytes < 0 ? (int)plan->arena_bytes : 0;
}

int fv_plan_compile(FvPlan *plan, FvError *err) {
  Query query = {.in = calloc(FV_MAX_NODE_IO + 2, sizeof *query.in), .out = calloc(FV_MAX_NODE_IO + 2, sizeof *query.out)};
  int result = query.in && query.out ? 0 : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory while compiling");
  for (int i = 0; i < plan->graph->node_count && result == 0; i++) {
    const FvNode *node = plan->graph->nodes[i];
    if (!has_work(plan, node)) continue;
    result = node->op->kind == FV_OP_CONCAT ? compile_concat(plan, node, &query, err) : compile_node(plan, node, &query, err);
  }
  free(query.in);
  free(query.out);
  if (result == 0 && plan->backend->combine) result = plan->backend->combine(plan, err);
  if (result == 0) result = plan_memory(plan, err);
  if (result == 0) result = plan->backend->finish(plan, err);
  return result;
}

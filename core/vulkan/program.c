#include "vulkan/program.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"

enum { ALIGNMENT = 64, SLACK = 256 /* kernels may read a little past the end */, MAX_GROUPS = 65535, HALF_MAX = 65504 };

static int64_t rounded(int64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }
static int64_t element_size(const FvTensor *tensor) { return (int64_t)fv_dtype_size(tensor->dtype); }

/* --- what launches touch --- */

/* Shaders reach elements smaller than a word through the word that they lie in, so neighbours in one word do wait for each other. */
static FvVkRange by_words(FvVkRange range) {
  range.begin = range.begin / 4 * 4;
  range.end = (range.end + 3) / 4 * 4;
  if (range.period % 4) range.period = 0;
  int64_t behind = (range.phase + range.width + 3) / 4 * 4;
  range.phase = range.phase / 4 * 4;
  range.width = behind - range.phase;
  return range;
}

static FvVkRange elements_of(const FvVkOperand *operand) {
  const FvTensor *t = &operand->tensor;
  int64_t size = element_size(t), low = 0, high = 0;
  for (int d = 0; d < t->rank; d++) *(t->strides[d] < 0 ? &low : &high) += (t->dims[d] - 1) * t->strides[d];
  FvVkRange range = {.begin = operand->offset + low * size, .end = operand->offset + (high + 1) * size};
  if (t->rank < 3 || t->strides[1] != 1) return range;
  int64_t pixel = t->strides[t->rank - 1];
  for (int d = 0; d < t->rank; d++)
    if (d != 1 && t->dims[d] > 1 && (t->strides[d] <= 0 || pixel <= 0 || t->strides[d] % pixel)) return range;
  if (pixel < t->dims[1]) return range;
  range.period = pixel * size;
  range.phase = operand->offset % range.period;
  range.width = t->dims[1] * size;
  return range;
}

static FvVkRange range_of(const FvVkOperand *operand) {
  FvVkRange range = elements_of(operand);
  return element_size(&operand->tensor) < 4 ? by_words(range) : range;
}

static bool overlap(const FvVkRange *a, const FvVkRange *b) {
  if (a->end <= b->begin || b->end <= a->begin) return false;
  if (!a->period || a->period != b->period) return true;
  int64_t apart = (b->phase - a->phase + a->period) % a->period;
  return apart < a->width || apart + b->width > a->period;
}

static bool overlaps_any(const FvVkRange *range, const FvVkRange *list, int count) {
  for (int i = 0; i < count; i++)
    if (overlap(range, &list[i])) return true;
  return false;
}

static bool touches_arena(const FvVkOperand *operand) { return operand->present && !operand->is_constant && fv_tensor_count(&operand->tensor) > 0; }

static bool must_wait(const FvVkProgram *program, const FvVkEmit *emit) {
  for (int i = 0; i < emit->node->input_count; i++) {
    FvVkRange range = touches_arena(&emit->in[i]) ? range_of(&emit->in[i]) : (FvVkRange){0};
    if (overlaps_any(&range, program->writes, program->write_count)) return true;
  }
  for (int i = 0; i < emit->node->output_count; i++) {
    FvVkRange range = touches_arena(&emit->out[i]) ? range_of(&emit->out[i]) : (FvVkRange){0};
    if (overlaps_any(&range, program->writes, program->write_count) || overlaps_any(&range, program->reads, program->read_count)) return true;
  }
  return false;
}

/* Scratch is one place for all steps, so a step that uses it counts as writing it. */
static int note_ranges(FvVkProgram *program, const FvVkEmit *emit) {
  int needed = (program->read_count > program->write_count ? program->read_count : program->write_count) + emit->node->input_count + emit->node->output_count;
  if (needed > program->range_capacity) {
    FvVkRange *reads = realloc(program->reads, (size_t)needed * 2 * sizeof *reads);
    if (reads) program->reads = reads;
    FvVkRange *writes = realloc(program->writes, (size_t)needed * 2 * sizeof *writes);
    if (writes) program->writes = writes;
    if (!reads || !writes) return FV_ERR_NO_MEMORY;
    program->range_capacity = needed * 2;
  }
  for (int i = 0; i < emit->node->input_count; i++)
    if (touches_arena(&emit->in[i])) program->reads[program->read_count++] = range_of(&emit->in[i]);
  for (int i = 0; i < emit->node->output_count; i++)
    if (touches_arena(&emit->out[i])) program->writes[program->write_count++] = range_of(&emit->out[i]);
  return 0;
}

/* --- what rows call --- */

static FvVkPlace place_of(const FvVkOperand *operand) {
  if (!operand->present) return (FvVkPlace){0};
  return (FvVkPlace){&operand->tensor, (int32_t)(operand->offset / element_size(&operand->tensor)), operand->is_constant};
}

FvVkPlace fv_vk_input(const FvVkEmit *emit, int index) {
  return index < emit->node->input_count ? place_of(&emit->in[index]) : (FvVkPlace){0};
}

FvVkPlace fv_vk_output(const FvVkEmit *emit, int index) {
  return index < emit->node->output_count ? place_of(&emit->out[index]) : (FvVkPlace){0};
}

void fv_vk_need_zeros(FvVkEmit *emit, int64_t floats) {
  int64_t bytes = rounded(floats * (int64_t)sizeof(float) + SLACK);
  if (bytes > emit->program->zeros_bytes) emit->program->zeros_bytes = bytes;
}

static FvVkDispatch *add_dispatch(FvVkProgram *program) {
  if (program->dispatch_count == program->dispatch_capacity) {
    int grown = program->dispatch_capacity ? program->dispatch_capacity * 2 : 128;
    FvVkDispatch *dispatches = realloc(program->dispatches, (size_t)grown * sizeof *dispatches);
    if (!dispatches) return NULL;
    program->dispatches = dispatches;
    program->dispatch_capacity = grown;
  }
  FvVkDispatch *dispatch = &program->dispatches[program->dispatch_count++];
  *dispatch = (FvVkDispatch){.step = program->step_count};
  return dispatch;
}

/* A grid of groups with at least `count` of them: a row while that is allowed, else rows. */
static bool divide_groups(int64_t count, uint32_t groups[2]) {
  int64_t rows = (count + MAX_GROUPS - 1) / MAX_GROUPS;
  if (rows > MAX_GROUPS) return false;
  groups[0] = (uint32_t)((count + rows - 1) / rows);
  groups[1] = (uint32_t)rows;
  return true;
}

int fv_vk_dispatch_make(FvVkDevice *device, bool texel, const FvVkLaunch *launch, FvVkDispatch *dispatch, FvError *err) {
  uint32_t group = launch->group_size ? launch->group_size : device->group_size;
  FvVkPipelineKey key = {.shader = launch->shader, .texel = texel, .form = launch->form, .spec_count = launch->spec_count + 1, .spec = {group}};
  memcpy(key.spec + 1, launch->spec, (size_t)launch->spec_count * sizeof key.spec[0]);
  if (launch->params_size > sizeof dispatch->params || launch->invocations > INT32_MAX - (int64_t)group * MAX_GROUPS ||
      !divide_groups((launch->invocations + group - 1) / group, dispatch->groups))
    return fv_error_set(err, FV_ERR_LIMIT, "too large for one dispatch");
  int32_t count = (int32_t)launch->invocations;
  memcpy(dispatch->params, launch->params, launch->params_size);
  memcpy(dispatch->params, &count, sizeof count);
  dispatch->params_size = (uint32_t)launch->params_size;
  return fv_vk_pipeline_get(device, &key, &dispatch->pipeline, err);
}

int fv_vk_launch(FvVkEmit *emit, const FvVkLaunch *launch) {
  FvVkProgram *program = emit->program;
  if (launch->invocations <= 0) return 0;
  FvVkDispatch *dispatch = add_dispatch(program);
  if (!dispatch) return fv_error_set(emit->err, FV_ERR_NO_MEMORY, "out of memory");
  int result = fv_vk_dispatch_make(program->device, program->texel, launch, dispatch, emit->err);
  if (result < 0) return result;
  dispatch->barrier = program->dispatch_count > 1 && (program->has_launched ? !launch->independent : must_wait(program, emit));
  if (dispatch->barrier) program->read_count = program->write_count = 0;
  program->has_launched = true;
  return note_ranges(program, emit) < 0 ? fv_error_set(emit->err, FV_ERR_NO_MEMORY, "out of memory") : 0;
}

/* --- building --- */

/* Where weights come from: packed by a row, or a constant as it lies. */
typedef struct Weights {
  int64_t *packed_at, *full_at; /* by step, bytes */
  const void **known;    /* raw constants already placed, so that several users share one copy */
  int64_t *known_at;
  int known_count;
  int64_t bytes;
} Weights;

typedef struct Build {
  const FvVkProgramParams *params;
  FvVkProgram *program;
  FvVkOperand *operands;       /* copies of all steps' operands, with constants given their offsets in the weights */
  FvVkStep *steps;
  const FvTensor **tensors;    /* what the queries' in and out point into */
  FvKernelQuery *queries;
  Weights weights;
  int64_t scratch_at;
  FvError *err;
} Build;

static size_t operand_count(const FvVkProgramParams *params) {
  size_t count = 0;
  for (int s = 0; s < params->step_count; s++) count += (size_t)(params->steps[s].node->input_count + params->steps[s].node->output_count);
  return count;
}

static int prepare_steps(Build *build) {
  const FvVkProgramParams *params = build->params;
  size_t count = operand_count(params) + 1, steps = (size_t)params->step_count + 1;
  build->operands = calloc(count, sizeof *build->operands);
  build->tensors = calloc(count, sizeof *build->tensors);
  build->steps = calloc(steps, sizeof *build->steps);
  build->queries = calloc(steps, sizeof *build->queries);
  build->weights.packed_at = calloc(steps, sizeof *build->weights.packed_at);
  build->weights.full_at = calloc(steps, sizeof *build->weights.full_at);
  build->weights.known = calloc(count, sizeof *build->weights.known);
  build->weights.known_at = calloc(count, sizeof *build->weights.known_at);
  if (!build->operands || !build->tensors || !build->steps || !build->queries || !build->weights.packed_at || !build->weights.full_at ||
      !build->weights.known || !build->weights.known_at)
    return fv_error_set(build->err, FV_ERR_NO_MEMORY, "out of memory");
  size_t at = 0;
  for (int s = 0; s < params->step_count; s++) {
    const FvVkStep *from = &params->steps[s];
    int in = from->node->input_count, out = from->node->output_count;
    build->steps[s] = (FvVkStep){from->node, from->kernel, &build->operands[at], &build->operands[at + (size_t)in]};
    build->queries[s] = (FvKernelQuery){from->node, &build->tensors[at], &build->tensors[at + (size_t)in]};
    for (int i = 0; i < in + out; i++, at++) {
      build->operands[at] = i < in ? from->in[i] : from->out[i - in];
      if (!build->operands[at].is_constant) build->operands[at].tensor.data = NULL; /* as suits saw it */
      build->tensors[at] = build->operands[at].present ? &build->operands[at].tensor : NULL;
    }
  }
  return 0;
}

static int64_t span_bytes(const FvTensor *tensor) {
  int64_t last = 0;
  for (int d = 0; d < tensor->rank; d++) last += (tensor->dims[d] - 1) * tensor->strides[d];
  return fv_tensor_count(tensor) ? (last + 1) * element_size(tensor) : 0;
}

static void place_constant(Weights *weights, FvVkOperand *operand) {
  for (int i = 0; i < weights->known_count; i++)
    if (weights->known[i] == operand->tensor.data) {
      operand->offset = weights->known_at[i];
      return;
    }
  operand->offset = weights->bytes;
  weights->known[weights->known_count] = operand->tensor.data;
  weights->known_at[weights->known_count++] = operand->offset;
  weights->bytes += rounded(span_bytes(&operand->tensor));
}

static FvVkForm form_of(const FvVkStep *step, const FvKernelQuery *query) {
  int form = step->kernel->forms == FV_VK_NO_FORMS ? FV_VK_FULL : fv_vk_form_of(query);
  return form < 0 ? FV_VK_FULL : (FvVkForm)form;
}

static bool reads_half(FvVkForm form) { return form == FV_VK_HALF || form == FV_VK_WIDEN; }
static bool halves_weights(const FvVkStep *step, const FvKernelQuery *query) {
  return step->kernel->forms & FV_VK_HALVES_WEIGHTS && reads_half(form_of(step, query));
}

static int64_t full_bytes(const FvVkStep *step, const FvKernelQuery *query) {
  return step->kernel->full_size ? (int64_t)step->kernel->full_size(query) : 0;
}

/* Of the part that may be f16; what stays f32 follows. */
static int64_t packed_bytes(const FvVkStep *step, const FvKernelQuery *query) {
  int64_t floats = (int64_t)step->kernel->packed_size(query) - full_bytes(step, query);
  return halves_weights(step, query) ? rounded(floats / 2) : floats;
}

static int64_t place_weights(Build *build) {
  int64_t scratch = 0;
  for (int s = 0; s < build->params->step_count; s++) {
    const FvVkStep *step = &build->steps[s];
    const FvVkKernel *kernel = step->kernel;
    build->weights.packed_at[s] = build->weights.bytes;
    if (kernel->packed_size) {
      build->weights.full_at[s] = build->weights.bytes + packed_bytes(step, &build->queries[s]);
      build->weights.bytes = rounded(build->weights.full_at[s] + full_bytes(step, &build->queries[s]));
    } else {
      for (int i = 0; i < step->node->input_count; i++)
        if (step->in[i].present && step->in[i].is_constant) place_constant(&build->weights, &step->in[i]);
    }
    int64_t bytes = kernel->scratch_size ? rounded((int64_t)kernel->scratch_size(&build->queries[s])) : 0;
    if (bytes > scratch) scratch = bytes;
  }
  build->program->weight_bytes = build->weights.bytes;
  return scratch;
}

/* Packed floats into memory as f16, the last ones as they are. What fp16 cannot hold becomes its largest number: infinities would spread. */
static int fill_halves(const FvVkStep *step, const FvKernelQuery *query, uint16_t *to, char *full_to) {
  size_t all = step->kernel->packed_size(query) / sizeof(float), full = (size_t)full_bytes(step, query) / sizeof(float), count = all - full;
  float *packed = calloc(all + 1, sizeof *packed);
  if (!packed) return FV_ERR_NO_MEMORY;
  step->kernel->pack(query, packed);
  for (size_t i = 0; i < count; i++) to[i] = fv_f32_to_f16(packed[i] > HALF_MAX ? HALF_MAX : packed[i] < -HALF_MAX ? -HALF_MAX : packed[i]);
  memcpy(full_to, packed + count, full * sizeof *packed);
  free(packed);
  return 0;
}

/* Writes all weights to host memory of build->weights.bytes bytes, zeroed. */
static int fill_weights(const Build *build, char *memory) {
  for (int s = 0; s < build->params->step_count; s++) {
    const FvVkStep *step = &build->steps[s];
    if (halves_weights(step, &build->queries[s])) {
      uint16_t *to = (uint16_t *)(memory + build->weights.packed_at[s]);
      if (fill_halves(step, &build->queries[s], to, memory + build->weights.full_at[s]) < 0) return fv_error_set(build->err, FV_ERR_NO_MEMORY, "out of memory");
      continue;
    }
    if (step->kernel->packed_size) {
      step->kernel->pack(&build->queries[s], memory + build->weights.packed_at[s]);
      continue;
    }
    for (int i = 0; i < step->node->input_count; i++)
      if (step->in[i].present && step->in[i].is_constant)
        memcpy(memory + step->in[i].offset, step->in[i].tensor.data, (size_t)span_bytes(&step->in[i].tensor));
  }
  return 0;
}

static int upload_weights(Build *build) {
  FvVkProgram *program = build->program;
  FvVkDevice *device = program->device;
  int64_t bytes = build->weights.bytes + SLACK;
  FvVkBuffer staging = {0};
  int result = fv_vk_buffer_create(device, bytes, FV_VK_DEVICE, program->views, "memory for weights", &program->weights, build->err);
  char *memory = program->weights.map;
  if (result == 0 && !memory) {
    result = fv_vk_buffer_create(device, bytes, FV_VK_UPLOAD, FV_VK_NO_VIEWS, "memory to upload weights from", &staging, build->err);
    memory = staging.map;
  }
  if (result == 0) {
    memset(memory, 0, (size_t)bytes);
    result = fill_weights(build, memory);
    if (result == 0 && staging.handle) result = fv_vk_copy_now(device, &staging, &program->weights, (VkDeviceSize)bytes, build->err);
  }
  fv_vk_buffer_destroy(device, &staging);
  return result;
}

static int emit_step(Build *build, int s) {
  FvVkProgram *program = build->program;
  const FvVkStep *step = &build->steps[s];
  program->step_count = s;
  program->has_launched = false;
  FvVkForm form = form_of(step, &build->queries[s]);
  int64_t packed = halves_weights(step, &build->queries[s]) ? 2 : 4, read = reads_half(form) ? 2 : 4, result_size = form == FV_VK_HALF || form == FV_VK_NARROW ? 2 : 4;
  FvVkEmit emit = {
    .node = step->node, .query = build->queries[s], .in = step->in, .out = step->out, .form = form, .packed_at = (int32_t)(build->weights.packed_at[s] / packed),
    .full_at = (int32_t)(build->weights.full_at[s] / 4), .scratch_at = (int32_t)(build->scratch_at / result_size), .scratch_full_at = (int32_t)(build->scratch_at / 4), .zeros_at = (int32_t)(program->zeros_begin / read), .texel = program->texel, .device = program->device, .arithmetic = program->arithmetic, .way = program->way, .program = program, .err = build->err,
  };
  int first = program->dispatch_count;
  int result = step->kernel->emit(&emit);
  if (result < 0) return fv_error_prefix(build->err, "node '%s' (%s)", fv_node_label(step->node), step->node->op->name);
  /* Scratch may still be read by an earlier step that used it too. */
  if (step->kernel->scratch_size && program->dispatch_count > first && first > 0) program->dispatches[first].barrier = true;
  return 0;
}

static void make_port(const FvVkOperand *operand, FvVkPort *port, int64_t *staging) {
  if (!touches_arena(operand)) return;
  FvVkRange range = range_of(operand);
  int64_t begin = range.begin / ALIGNMENT * ALIGNMENT, end = rounded(range.end);
  *port = (FvVkPort){true, operand->offset, begin, end - begin, *staging};
  *staging += end - begin;
}

/* What the host reads is copied out, and what it writes is copied in, beside the graph's inputs and outputs. */
static int add_host_step(Build *build, int s) {
  FvVkProgram *program = build->program;
  const FvVkStep *step = &build->steps[s];
  int in = step->node->input_count, out = step->node->output_count;
  if (program->host_count == FV_VK_MAX_HOSTS || in + out > FV_VK_HOST_IO)
    return fv_error_set(build->err, FV_ERR_LIMIT, "node '%s' (%s): too many steps for the host", fv_node_label(step->node), step->node->op->name);
  FvVkHostStep *hosts = realloc(program->hosts, (size_t)(program->host_count + 1) * sizeof *hosts);
  if (!hosts) return fv_error_set(build->err, FV_ERR_NO_MEMORY, "out of memory");
  program->hosts = hosts;
  FvVkHostStep *host = &hosts[program->host_count++];
  *host = (FvVkHostStep){.node = step->node, .step = s, .first_dispatch = program->dispatch_count};
  for (int i = 0; i < in + out; i++) {
    const FvVkOperand *operand = i < in ? &step->in[i] : &step->out[i - in];
    host->tensors[i] = operand->present ? operand->tensor : (FvTensor){0};
    make_port(operand, &host->ports[i], i < in ? &program->staging_out_bytes : &program->staging_in_bytes);
  }
  program->read_count = program->write_count = 0;
  return 0;
}

static int make_ports(const FvVkOperand *operands, int count, FvVkPort **ports, int64_t *staging) {
  *ports = calloc((size_t)count + 1, sizeof **ports);
  if (!*ports) return FV_ERR_NO_MEMORY;
  for (int i = 0; i < count; i++) make_port(&operands[i], &(*ports)[i], staging);
  return 0;
}

static int check_size(const FvVkProgram *program, int64_t arena, int64_t weights, FvError *err) {
  if (fv_vk_fits_storage(program->device, arena) && fv_vk_fits_storage(program->device, weights)) return 0;
  return fv_error_set(err, FV_ERR_LIMIT, "the model needs %lld bytes for activations and %lld for weights; device '%s' reaches %u bytes of each", (long long)arena,
                      (long long)weights, program->device->id, program->device->traits.properties.limits.maxStorageBufferRange);
}

/* How shaders reach memory: through texel buffers where those are faster and long enough. */
static void choose_views(Build *build) {
  FvVkProgram *program = build->program;
  const FvVkDevice *device = program->device;
  FvVkViews views = FV_VK_FLOAT_VIEWS;
  for (int s = 0; s < build->params->step_count; s++)
    for (int i = 0; i < build->steps[s].node->output_count; i++)
      if (build->steps[s].out[i].present && build->steps[s].out[i].tensor.dtype == FV_DTYPE_F16) views = FV_VK_HALF_VIEWS;
  program->texel = device->texel && (views != FV_VK_HALF_VIEWS || device->traits.half_texel) && fv_vk_fits_texel(device, views, program->zeros_begin + (1 << 20)) &&
                   fv_vk_fits_texel(device, views, build->weights.bytes + SLACK);
  program->views = program->texel ? views : FV_VK_NO_VIEWS;
}

static int build_program(Build *build) {
  const FvVkProgramParams *params = build->params;
  FvVkProgram *program = build->program;
  int result = prepare_steps(build);
  if (result < 0) return result;
  int64_t scratch = place_weights(build);
  build->scratch_at = rounded(params->arena_bytes + SLACK);
  program->zeros_begin = build->scratch_at + scratch;
  result = check_size(program, program->zeros_begin, build->weights.bytes, build->err);
  choose_views(build);
  if (result == 0) result = upload_weights(build);
  for (int s = 0; s < params->step_count && result == 0; s++) result = build->steps[s].kernel->on_host ? add_host_step(build, s) : emit_step(build, s);
  program->step_count = params->step_count;
  program->arena_bytes = program->zeros_begin + program->zeros_bytes + SLACK;
  if (result == 0) result = check_size(program, program->arena_bytes, build->weights.bytes, build->err);
  program->input_count = params->input_count;
  program->output_count = params->output_count;
  if (result == 0 && (make_ports(params->inputs, params->input_count, &program->inputs, &program->staging_in_bytes) < 0 ||
                      make_ports(params->outputs, params->output_count, &program->outputs, &program->staging_out_bytes) < 0))
    result = fv_error_set(build->err, FV_ERR_NO_MEMORY, "out of memory");
  return result;
}

int fv_vk_program_create(FvVkDevice *device, const FvVkProgramParams *params, FvVkProgram **program, FvError *err) {
  *program = NULL;
  FvVkProgram *made = calloc(1, sizeof *made);
  if (!made) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  made->device = device;
  made->way = params->way;
  made->arithmetic = params->arithmetic;
  Build build = {.params = params, .program = made, .err = err};
  int result = build_program(&build);
  free(build.weights.known_at);
  free(build.weights.known);
  free(build.weights.full_at);
  free(build.weights.packed_at);
  free(build.queries);
  free(build.steps);
  free(build.tensors);
  free(build.operands);
  if (result < 0)
    fv_vk_program_destroy(&made);
  else
    fv_vk_pipelines_save(device);
  *program = made;
  return result;
}

int fv_vk_program_start(FvVkDevice *device, bool texel, int64_t arena_bytes, FvVkProgram **program, FvError *err) {
  FvVkProgram *made = *program = calloc(1, sizeof *made);
  if (!made) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  made->device = device;
  made->texel = texel;
  made->views = texel ? FV_VK_FLOAT_VIEWS : FV_VK_NO_VIEWS;
  made->arena_bytes = arena_bytes;
  return fv_vk_buffer_create(device, SLACK, FV_VK_DEVICE, made->views, "memory for weights", &made->weights, err);
}

void fv_vk_program_destroy(FvVkProgram **program) {
  if (!program || !*program) return;
  FvVkProgram *old = *program;
  *program = NULL;
  fv_vk_buffer_destroy(old->device, &old->weights);
  free(old->dispatches);
  free(old->hosts);
  free(old->inputs);
  free(old->outputs);
  free(old->reads);
  free(old->writes);
  free(old);
}

bool fv_vk_program_is_texel(const FvVkProgram *program) { return program->texel; }

int64_t fv_vk_program_weight_bytes(const FvVkProgram *program) { return program->weight_bytes; }

int64_t fv_vk_program_staging_bytes(const FvVkProgram *program) {
  return program->device->traits.unified ? 0 : program->staging_in_bytes + program->staging_out_bytes;
}

int64_t fv_vk_program_frame_bytes(const FvVkProgram *program) { return program->arena_bytes + fv_vk_program_staging_bytes(program); }

/* One caller's buffers, and command buffers per frame that are recorded once and submitted again and again. */
#include "vulkan/candidates.h"
#include "vulkan/picture.h"

#include <stdlib.h>
#include <string.h>

/* A driver that has not finished a frame by then is taken for hung; software devices are given longer. */
static uint64_t patience_ns(const FvVkDevice *device) {
  return device->traits.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU ? UINT64_C(120000000000) : UINT64_C(10000000000);
}

typedef struct Frame {
  FvVkBuffer arena, upload, readback; /* upload and readback only where memory is not unified */
  VkDescriptorPool descriptors;
  VkDescriptorSet set;
  VkCommandBuffer inputs, steps, outputs; /* copies in, the network, copies out; copies only where memory is not unified */
  VkCommandBuffer behind[FV_VK_MAX_HOSTS]; /* what follows each step that the host takes; `steps` ends at the first */
  int64_t rows[FV_VK_MAX_HOSTS];           /* of such a step's output */
  int hosts_done;
  VkFence fence;
  VkQueryPool times; /* one more than there are steps */
  FvVkPictureIn picture;
  FvVkCandidates candidates;
  bool from_picture; /* the next submit takes the first input from a picture */
  bool to_candidates; /* it, or what is in flight, lists candidates instead of reading outputs back */
  bool in_flight;
} Frame;

struct FvVkRunner {
  FvVkProgram *program;
  VkCommandPool pool;
  Frame frames[FV_VK_MAX_FRAMES];
  int frame_count;
};

int fv_vk_queue_submit(FvVkDevice *device, const VkCommandBuffer *commands, int count, VkFence fence, FvError *err) {
  if (atomic_load(&device->lost)) return fv_error_set(err, FV_ERR_DEVICE, "device '%s' was lost; open the model again", device->id);
  VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = (uint32_t)count, .pCommandBuffers = commands};
  VkResult result = fv_vk_fault_check(&device->faults, FV_VK_FAULT_LOSE);
  pthread_mutex_lock(&device->queue_lock);
  if (result == VK_SUCCESS) result = device->vk.QueueSubmit(device->queue, 1, &info, fence);
  pthread_mutex_unlock(&device->queue_lock);
  return result == VK_SUCCESS ? 0 : fv_vk_failure(device, result, "starting a frame", err);
}

void fv_vk_barrier(FvVkDevice *device, VkCommandBuffer commands, FvVkUser from, FvVkUser to) {
  static const VkPipelineStageFlags stages[] = {VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT};
  static const VkAccessFlags writes[] = {VK_ACCESS_TRANSFER_WRITE_BIT, VK_ACCESS_SHADER_WRITE_BIT, VK_ACCESS_HOST_WRITE_BIT};
  static const VkAccessFlags reads[] = {VK_ACCESS_TRANSFER_READ_BIT, VK_ACCESS_SHADER_READ_BIT, VK_ACCESS_HOST_READ_BIT};
  VkMemoryBarrier info = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER, .srcAccessMask = writes[from], .dstAccessMask = reads[to] | writes[to]};
  device->vk.CmdPipelineBarrier(commands, stages[from], stages[to], 0, 1, &info, 0, NULL, 0, NULL);
}

/* --- one-off work --- */

static VkResult create_pool(FvVkDevice *device, VkCommandPool *pool) {
  VkCommandPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = device->traits.queue_family};
  return device->vk.CreateCommandPool(device->handle, &info, NULL, pool);
}

VkResult fv_vk_commands_create(FvVkDevice *device, VkCommandPool pool, VkCommandBuffer *commands) {
  VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = pool, .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1};
  return device->vk.AllocateCommandBuffers(device->handle, &info, commands);
}

static VkResult create_fence(FvVkDevice *device, VkFence *fence) {
  VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  return device->vk.CreateFence(device->handle, &info, NULL, fence);
}

VkResult fv_vk_commands_begin(FvVkDevice *device, VkCommandBuffer commands) {
  VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  return device->vk.BeginCommandBuffer(commands, &info);
}

static int wait_fence(FvVkDevice *device, VkFence fence, FvError *err) {
  VkResult result = device->vk.WaitForFences(device->handle, 1, &fence, VK_TRUE, patience_ns(device));
  if (result == VK_SUCCESS) result = fv_vk_fault_check(&device->faults, FV_VK_FAULT_HANG);
  return result == VK_SUCCESS ? 0 : fv_vk_failure(device, result, "waiting for a frame", err);
}

/* Work that was given up, and goes on all the same. */
static bool is_stuck(FvVkDevice *device, VkFence fence) {
  bool busy = atomic_load(&device->lost) && device->vk.WaitForFences(device->handle, 1, &fence, VK_TRUE, 0) == VK_TIMEOUT;
  if (busy) atomic_store(&device->stuck, true);
  return busy;
}

/* Records something, sends it and waits for it. */
static int do_now(FvVkDevice *device, void (*record)(FvVkDevice *device, VkCommandBuffer commands, const void *what), const void *what, FvError *err) {
  VkCommandPool pool = VK_NULL_HANDLE;
  VkCommandBuffer commands;
  VkFence fence = VK_NULL_HANDLE;
  VkResult made = create_pool(device, &pool);
  if (made == VK_SUCCESS) made = fv_vk_commands_create(device, pool, &commands);
  if (made == VK_SUCCESS) made = create_fence(device, &fence);
  if (made == VK_SUCCESS) made = fv_vk_commands_begin(device, commands);
  if (made == VK_SUCCESS) {
    record(device, commands, what);
    made = device->vk.EndCommandBuffer(commands);
  }
  int result = made == VK_SUCCESS ? fv_vk_queue_submit(device, &commands, 1, fence, err) : fv_vk_failure(device, made, "preparing work", err);
  bool submitted = result == 0;
  if (result == 0) result = wait_fence(device, fence, err);
  if (submitted && result < 0 && is_stuck(device, fence)) return result;
  if (fence) device->vk.DestroyFence(device->handle, fence, NULL);
  if (pool) device->vk.DestroyCommandPool(device->handle, pool, NULL);
  return result;
}

typedef struct Copy {
  const FvVkBuffer *from, *to;
  VkDeviceSize bytes;
} Copy;

static void record_copy(FvVkDevice *device, VkCommandBuffer commands, const void *what) {
  const Copy *copy = what;
  VkBufferCopy region = {0, 0, copy->bytes};
  device->vk.CmdCopyBuffer(commands, copy->from->handle, copy->to->handle, 1, &region);
  fv_vk_barrier(device, commands, FV_VK_COPY, FV_VK_SHADER);
  fv_vk_barrier(device, commands, FV_VK_COPY, FV_VK_HOST);
}

int fv_vk_copy_now(FvVkDevice *device, const FvVkBuffer *from, const FvVkBuffer *to, VkDeviceSize bytes, FvError *err) {
  return do_now(device, record_copy, &(Copy){from, to, bytes}, err);
}

typedef struct Dispatch {
  VkDescriptorSet set;
  const FvVkDispatch *dispatch;
} Dispatch;

static void record_one(FvVkDevice *device, VkCommandBuffer commands, const void *what) {
  const Dispatch *one = what;
  fv_vk_record_set(device, commands, one->set);
  fv_vk_record_dispatch(device, commands, one->dispatch);
  fv_vk_barrier(device, commands, FV_VK_SHADER, FV_VK_SHADER);
  fv_vk_barrier(device, commands, FV_VK_SHADER, FV_VK_COPY);
  fv_vk_barrier(device, commands, FV_VK_SHADER, FV_VK_HOST);
}

int fv_vk_run_now(FvVkDevice *device, VkDescriptorSet set, const FvVkDispatch *dispatch, FvError *err) {
  return do_now(device, record_one, &(Dispatch){set, dispatch}, err);
}

/* --- recording --- */

static void record_copies(const FvVkRunner *runner, const Frame *frame, VkCommandBuffer commands, const FvVkPort *ports, int count, bool to_device) {
  FvVkDevice *device = runner->program->device;
  for (int i = 0; i < count; i++) {
    const FvVkPort *port = &ports[i];
    if (!port->present) continue;
    VkBufferCopy region = {(VkDeviceSize)(to_device ? port->staging : port->begin), (VkDeviceSize)(to_device ? port->begin : port->staging), (VkDeviceSize)port->size};
    if (to_device)
      device->vk.CmdCopyBuffer(commands, frame->upload.handle, frame->arena.handle, 1, &region);
    else
      device->vk.CmdCopyBuffer(commands, frame->arena.handle, frame->readback.handle, 1, &region);
  }
}

static void stamp(const FvVkRunner *runner, const Frame *frame, VkCommandBuffer commands, int index) {
  FvVkDevice *device = runner->program->device;
  if (frame->times) device->vk.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, frame->times, (uint32_t)index);
}

void fv_vk_record_set(FvVkDevice *device, VkCommandBuffer commands, VkDescriptorSet set) {
  device->vk.CmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, fv_vk_pipeline_layout(device), 0, 1, &set, 0, NULL);
}

static void record_launch(FvVkDevice *device, VkCommandBuffer commands, const FvVkDispatch *dispatch) {
  device->vk.CmdPushConstants(commands, fv_vk_pipeline_layout(device), VK_SHADER_STAGE_COMPUTE_BIT, 0, dispatch->params_size, dispatch->params);
  device->vk.CmdDispatch(commands, dispatch->groups[0], dispatch->groups[1], 1);
}

void fv_vk_record_dispatch(FvVkDevice *device, VkCommandBuffer commands, const FvVkDispatch *dispatch) {
  device->vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, dispatch->pipeline);
  record_launch(device, commands, dispatch);
}

/* The dispatches from `first` to `end` - 1, and the time stamps up to that of step `last`. */
static void record_dispatches(const FvVkRunner *runner, const Frame *frame, VkCommandBuffer commands, int first, int end, int *stamped, int last) {
  const FvVkProgram *program = runner->program;
  FvVkDevice *device = program->device;
  VkPipeline bound = VK_NULL_HANDLE;
  bool always = fv_vk_wish("barriers") || frame->times;
  fv_vk_record_set(device, commands, frame->set);
  for (int i = first; i < end; i++) {
    const FvVkDispatch *dispatch = &program->dispatches[i];
    while (*stamped <= dispatch->step) stamp(runner, frame, commands, (*stamped)++);
    if (dispatch->barrier || (always && i > first)) fv_vk_barrier(device, commands, FV_VK_SHADER, FV_VK_SHADER);
    if (dispatch->pipeline != bound) device->vk.CmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, bound = dispatch->pipeline);
    record_launch(device, commands, dispatch);
  }
  while (*stamped <= last) stamp(runner, frame, commands, (*stamped)++);
}

/* With staging, the copy in waits for nothing of the frame before: each frame has buffers of its own and its fence was waited for. */
static VkResult record_inputs(const FvVkRunner *runner, const Frame *frame) {
  const FvVkProgram *program = runner->program;
  VkResult result = fv_vk_commands_begin(program->device, frame->inputs);
  if (result != VK_SUCCESS) return result;
  record_copies(runner, frame, frame->inputs, program->inputs, program->input_count, true);
  fv_vk_barrier(program->device, frame->inputs, FV_VK_COPY, FV_VK_SHADER);
  return program->device->vk.EndCommandBuffer(frame->inputs);
}

static VkResult record_outputs(const FvVkRunner *runner, const Frame *frame) {
  const FvVkProgram *program = runner->program;
  VkResult result = fv_vk_commands_begin(program->device, frame->outputs);
  if (result != VK_SUCCESS) return result;
  fv_vk_barrier(program->device, frame->outputs, FV_VK_SHADER, FV_VK_COPY);
  record_copies(runner, frame, frame->outputs, program->outputs, program->output_count, false);
  fv_vk_barrier(program->device, frame->outputs, FV_VK_COPY, FV_VK_HOST);
  return program->device->vk.EndCommandBuffer(frame->outputs);
}

/* What the host reads goes out after part number `part` of the network, what it wrote comes in before the next. */
static void record_to_host(const FvVkRunner *runner, const Frame *frame, VkCommandBuffer commands, const FvVkHostStep *host) {
  FvVkDevice *device = runner->program->device;
  fv_vk_barrier(device, commands, FV_VK_SHADER, frame->outputs ? FV_VK_COPY : FV_VK_HOST);
  if (!frame->outputs) return;
  record_copies(runner, frame, commands, host->ports, host->node->input_count, false);
  fv_vk_barrier(device, commands, FV_VK_COPY, FV_VK_HOST);
}

static void record_from_host(const FvVkRunner *runner, const Frame *frame, VkCommandBuffer commands, const FvVkHostStep *host) {
  FvVkDevice *device = runner->program->device;
  fv_vk_barrier(device, commands, FV_VK_SHADER, FV_VK_SHADER);
  if (!frame->inputs) return;
  record_copies(runner, frame, commands, host->ports + host->node->input_count, host->node->output_count, true);
  fv_vk_barrier(device, commands, FV_VK_COPY, FV_VK_SHADER);
}

static VkResult record_part(const FvVkRunner *runner, const Frame *frame, int part, int *stamped) {
  const FvVkProgram *program = runner->program;
  FvVkDevice *device = program->device;
  VkCommandBuffer commands = part ? frame->behind[part - 1] : frame->steps;
  const FvVkHostStep *before = part ? &program->hosts[part - 1] : NULL, *after = part < program->host_count ? &program->hosts[part] : NULL;
  VkResult result = fv_vk_commands_begin(device, commands);
  if (result != VK_SUCCESS) return result;
  if (before)
    record_from_host(runner, frame, commands, before);
  else if (frame->times)
    device->vk.CmdResetQueryPool(commands, frame->times, 0, (uint32_t)program->step_count + 1);
  record_dispatches(runner, frame, commands, before ? before->first_dispatch : 0, after ? after->first_dispatch : program->dispatch_count, stamped,
                    after ? after->step : program->step_count);
  if (after)
    record_to_host(runner, frame, commands, after);
  else if (!frame->outputs)
    fv_vk_barrier(device, commands, FV_VK_SHADER, FV_VK_HOST);
  return device->vk.EndCommandBuffer(commands);
}

static VkResult record_steps(const FvVkRunner *runner, const Frame *frame) {
  VkResult result = VK_SUCCESS;
  int stamped = 0;
  for (int part = 0; part <= runner->program->host_count && result == VK_SUCCESS; part++) result = record_part(runner, frame, part, &stamped);
  return result;
}

static VkResult record(const FvVkRunner *runner, const Frame *frame) {
  VkResult result = frame->inputs ? record_inputs(runner, frame) : VK_SUCCESS;
  if (result == VK_SUCCESS) result = record_steps(runner, frame);
  return result == VK_SUCCESS && frame->outputs ? record_outputs(runner, frame) : result;
}

/* --- buffers --- */

/* The zeros that convolutions read outside the picture, and an arena that does not differ from run to run. */
static int clear_arena(FvVkRunner *runner, Frame *frame, FvError *err) {
  FvVkDevice *device = runner->program->device;
  if (frame->arena.map) {
    memset(frame->arena.map, 0, frame->arena.size);
    return 0;
  }
  VkResult made = fv_vk_commands_begin(device, frame->steps);
  if (made == VK_SUCCESS) {
    device->vk.CmdFillBuffer(frame->steps, frame->arena.handle, 0, VK_WHOLE_SIZE, 0);
    fv_vk_barrier(device, frame->steps, FV_VK_COPY, FV_VK_COPY);
    fv_vk_barrier(device, frame->steps, FV_VK_COPY, FV_VK_SHADER);
    made = device->vk.EndCommandBuffer(frame->steps);
  }
  int result = made == VK_SUCCESS ? fv_vk_queue_submit(device, &frame->steps, 1, frame->fence, err) : fv_vk_failure(device, made, "clearing memory", err);
  frame->in_flight = result == 0;
  if (result == 0) result = wait_fence(device, frame->fence, err);
  if (result < 0) return result;
  frame->in_flight = false;
  device->vk.ResetFences(device->handle, 1, &frame->fence);
  return 0;
}

static int create_buffers(FvVkRunner *runner, Frame *frame, FvError *err) {
  const FvVkProgram *program = runner->program;
  FvVkDevice *device = program->device;
  int result = fv_vk_buffer_create(device, program->arena_bytes, FV_VK_DEVICE, program->views, "memory for activations", &frame->arena, err);
  if (result < 0 || device->traits.unified) return result;
  result = fv_vk_buffer_create(device, program->staging_in_bytes, FV_VK_UPLOAD, FV_VK_NO_VIEWS, "memory for inputs", &frame->upload, err);
  if (result < 0) return result;
  memset(frame->upload.map, 0, frame->upload.size);
  return fv_vk_buffer_create(device, program->staging_out_bytes, FV_VK_READBACK, FV_VK_NO_VIEWS, "memory for outputs", &frame->readback, err);
}

static VkResult create_commands(const FvVkRunner *runner, Frame *frame) {
  FvVkDevice *device = runner->program->device;
  bool staging = frame->upload.handle != VK_NULL_HANDLE;
  VkResult result = fv_vk_commands_create(device, runner->pool, &frame->steps);
  for (int i = 0; i < runner->program->host_count && result == VK_SUCCESS; i++) result = fv_vk_commands_create(device, runner->pool, &frame->behind[i]);
  if (result == VK_SUCCESS && staging) result = fv_vk_commands_create(device, runner->pool, &frame->inputs);
  if (result == VK_SUCCESS && staging) result = fv_vk_commands_create(device, runner->pool, &frame->outputs);
  return result == VK_SUCCESS ? create_fence(device, &frame->fence) : result;
}

static int create_frame(FvVkRunner *runner, Frame *frame, bool timed, FvError *err) {
  const FvVkProgram *program = runner->program;
  FvVkDevice *device = program->device;
  int result = create_buffers(runner, frame, err);
  if (result == 0) result = fv_vk_set_create(device, &frame->arena, &program->weights, &frame->descriptors, &frame->set, err);
  if (result < 0) return result;
  VkResult made = create_commands(runner, frame);
  VkQueryPoolCreateInfo times = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = (uint32_t)program->step_count + 1};
  if (made == VK_SUCCESS && timed && device->traits.timestamp_bits) made = device->vk.CreateQueryPool(device->handle, &times, NULL, &frame->times);
  if (made != VK_SUCCESS) return fv_vk_failure(device, made, "preparing a frame", err);
  result = clear_arena(runner, frame, err);
  made = result == 0 ? record(runner, frame) : VK_SUCCESS;
  return made == VK_SUCCESS ? result : fv_vk_failure(device, made, "recording a frame", err);
}

int fv_vk_runner_create(FvVkProgram *program, int frames, bool timed, FvVkRunner **runner, FvError *err) {
  FvVkRunner *made = *runner = calloc(1, sizeof *made);
  if (!made) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  made->program = program;
  FvVkDevice *device = program->device;
  VkCommandPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                  .queueFamilyIndex = device->traits.queue_family};
  VkResult pool = device->vk.CreateCommandPool(device->handle, &info, NULL, &made->pool);
  int result = pool == VK_SUCCESS ? 0 : fv_vk_failure(device, pool, "preparing frames", err);
  while (result == 0 && made->frame_count < frames) result = create_frame(made, &made->frames[made->frame_count++], timed, err);
  if (result < 0) fv_vk_runner_destroy(runner);
  return result;
}

static void destroy_frame(FvVkDevice *device, Frame *frame) {
  fv_vk_candidates_finish(&frame->candidates, device);
  fv_vk_picture_finish(&frame->picture, device);
  if (frame->times) device->vk.DestroyQueryPool(device->handle, frame->times, NULL);
  if (frame->fence) device->vk.DestroyFence(device->handle, frame->fence, NULL);
  if (frame->descriptors) device->vk.DestroyDescriptorPool(device->handle, frame->descriptors, NULL);
  fv_vk_buffer_destroy(device, &frame->readback);
  fv_vk_buffer_destroy(device, &frame->upload);
  fv_vk_buffer_destroy(device, &frame->arena);
}

/* A frame in flight is waited for; one of a device that hangs is left to it, with all that belongs to it. */
void fv_vk_runner_destroy(FvVkRunner **runner) {
  if (!runner || !*runner) return;
  FvVkRunner *old = *runner;
  *runner = NULL;
  FvVkDevice *device = old->program->device;
  for (int i = 0; i < old->frame_count; i++) {
    Frame *frame = &old->frames[i];
    if (frame->in_flight && !atomic_load(&device->lost)) fv_vk_runner_wait(old, i, NULL);
    if (frame->in_flight) is_stuck(device, frame->fence);
  }
  if (!atomic_load(&device->stuck)) {
    for (int i = 0; i < old->frame_count; i++) destroy_frame(device, &old->frames[i]);
    if (old->pool) device->vk.DestroyCommandPool(device->handle, old->pool, NULL);
  }
  free(old);
}

/* --- running --- */

static void *port_memory(const FvVkPort *ports, int count, int index, const FvVkBuffer *staging, const FvVkBuffer *arena) {
  if (index < 0 || index >= count || !ports[index].present) return NULL;
  return staging->map ? staging->map + ports[index].staging + (ports[index].first - ports[index].begin) : arena->map + ports[index].first;
}

void *fv_vk_runner_input(const FvVkRunner *runner, int frame, int index) {
  const Frame *f = &runner->frames[frame];
  return port_memory(runner->program->inputs, runner->program->input_count, index, &f->upload, &f->arena);
}

void *fv_vk_runner_output(const FvVkRunner *runner, int frame, int index) {
  const Frame *f = &runner->frames[frame];
  return port_memory(runner->program->outputs, runner->program->output_count, index, &f->readback, &f->arena);
}

int fv_vk_runner_set_picture(FvVkRunner *runner, int frame, const FvVkPicture *picture, FvError *err) {
  Frame *f = &runner->frames[frame];
  f->from_picture = false;
  int result = fv_vk_picture_prepare(&f->picture, runner->program, &f->arena, runner->pool, picture, err);
  if (result == 0) fv_vk_pipelines_save(runner->program->device);
  return result;
}

int64_t fv_vk_runner_load_picture(FvVkRunner *runner, int frame, const FvFrame *picture, FvError *err) {
  Frame *f = &runner->frames[frame];
  int64_t bytes = fv_vk_picture_load(&f->picture, runner->program->device, runner->pool, picture, err);
  f->from_picture = bytes >= 0;
  return bytes;
}

int fv_vk_runner_locate(FvVkRunner *runner, int frame, const FvLocationGroup *groups, int count, float threshold, FvError *err) {
  const FvVkProgram *program = runner->program;
  Frame *f = &runner->frames[frame];
  float **outputs = calloc((size_t)program->output_count + 1, sizeof *outputs);
  if (!outputs) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int o = 0; o < program->output_count; o++) outputs[o] = fv_vk_runner_output(runner, frame, o);
  int result = fv_vk_candidates_prepare(&f->candidates, program, &f->arena, groups, count, outputs, err);
  if (result == 0) result = fv_vk_candidates_record(&f->candidates, program, runner->pool, threshold, err);
  if (result == 0) fv_vk_pipelines_save(program->device);
  return result;
}

int fv_vk_runner_choose(FvVkRunner *runner, int frame, float threshold, FvError *err) {
  Frame *f = &runner->frames[frame];
  int result = fv_vk_candidates_record(&f->candidates, runner->program, runner->pool, threshold, err);
  f->to_candidates = result == 0;
  return result;
}

int fv_vk_runner_chosen(FvVkRunner *runner, int frame, uint64_t *chosen, int64_t *bytes, FvError *err) {
  Frame *f = &runner->frames[frame];
  FvVkDevice *device = runner->program->device;
  if (fv_vk_candidates_take(&f->candidates, chosen, bytes)) return 1;
  for (int o = 0; o < runner->program->output_count; o++)
    if (runner->program->outputs[o].present) *bytes += runner->program->outputs[o].size;
  if (!f->outputs) return 0;
  int result = fv_vk_queue_submit(device, &f->outputs, 1, f->fence, err);
  f->in_flight = result == 0;
  return result == 0 ? fv_vk_runner_wait(runner, frame, err) : result;
}

/* --- steps that the host takes --- */

static void run_on_host(const FvVkRunner *runner, Frame *f, int index) {
  const FvVkHostStep *host = &runner->program->hosts[index];
  FvTensor tensors[FV_VK_HOST_IO], *pointers[FV_VK_HOST_IO];
  int in = host->node->input_count, all = in + host->node->output_count;
  for (int i = 0; i < all; i++) {
    tensors[i] = host->tensors[i];
    pointers[i] = tensors[i].dtype == FV_DTYPE_NONE ? NULL : &tensors[i];
    void *memory = port_memory(host->ports, all, i, i < in ? &f->readback : &f->upload, &f->arena);
    if (memory) tensors[i].data = memory;
  }
  host->node->op->reference(&(FvKernelCall){.node = host->node, .in = (const FvTensor *const *)pointers, .out = pointers + in, .parts = 1});
  f->rows[index] = pointers[in] ? pointers[in]->dims[0] : 0;
}

int64_t fv_vk_runner_rows(const FvVkRunner *runner, int frame, int step) {
  for (int i = 0; i < runner->program->host_count; i++)
    if (runner->program->hosts[i].step == step) return runner->frames[frame].rows[i];
  return -1;
}

/* The next part of the network, with what comes before the first and behind the last. */
static int submit_part(FvVkRunner *runner, Frame *f, FvError *err) {
  VkCommandBuffer commands[3];
  int count = 0, part = f->hosts_done;
  if (part == 0 && (f->from_picture || f->inputs)) commands[count++] = f->from_picture ? f->picture.commands : f->inputs;
  commands[count++] = part ? f->behind[part - 1] : f->steps;
  if (part == runner->program->host_count && (f->to_candidates || f->outputs)) {
    if (f->to_candidates) fv_vk_candidates_clear(&f->candidates);
    commands[count++] = f->to_candidates ? f->candidates.commands : f->outputs;
    f->to_candidates = false;
  }
  f->from_picture = false;
  int result = fv_vk_queue_submit(runner->program->device, commands, count, f->fence, err);
  f->in_flight |= result == 0;
  return result;
}

/* --- a frame --- */

int fv_vk_runner_submit(FvVkRunner *runner, int frame, FvError *err) {
  Frame *f = &runner->frames[frame];
  int result = f->in_flight ? fv_vk_runner_wait(runner, frame, err) : 0;
  f->hosts_done = 0;
  if (result == 0) result = submit_part(runner, f, err);
  if (result < 0) f->from_picture = f->to_candidates = false;
  return result;
}

int fv_vk_runner_wait(FvVkRunner *runner, int frame, FvError *err) {
  Frame *f = &runner->frames[frame];
  FvVkDevice *device = runner->program->device;
  int result = 0;
  while (f->in_flight && result == 0) {
    result = wait_fence(device, f->fence, err);
    if (result < 0) return result;
    f->in_flight = false;
    fv_vk_picture_release(&f->picture, device);
    VkResult reset = device->vk.ResetFences(device->handle, 1, &f->fence);
    if (reset != VK_SUCCESS) return fv_vk_failure(device, reset, "ending a frame", err);
    if (f->hosts_done == runner->program->host_count) return 0;
    run_on_host(runner, f, f->hosts_done++);
    result = submit_part(runner, f, err);
  }
  return result;
}

void fv_vk_runner_times(const FvVkRunner *runner, int frame, uint64_t *step_ns) {
  const FvVkProgram *program = runner->program;
  FvVkDevice *device = program->device;
  const Frame *f = &runner->frames[frame];
  double period = device->traits.properties.limits.timestampPeriod;
  uint64_t mask = device->traits.timestamp_bits >= 64 ? UINT64_MAX : (UINT64_C(1) << device->traits.timestamp_bits) - 1;
  for (int s = 0; s < program->step_count; s++) {
    uint64_t pair[2] = {0, 0};
    step_ns[s] = 0;
    if (f->times && device->vk.GetQueryPoolResults(device->handle, f->times, (uint32_t)s, 2, sizeof pair, pair, sizeof pair[0], VK_QUERY_RESULT_64_BIT) == VK_SUCCESS)
      step_ns[s] = (uint64_t)((double)((pair[1] - pair[0]) & mask) * period);
  }
}

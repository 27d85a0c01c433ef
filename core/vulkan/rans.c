#include "vulkan/rans.h"

#include <string.h>

#include "entropy/rans.h"
#include "vulkan/runner.h"

#include "push/rans.h"

/* The coded buffer: status, the table, where blocks are, the stream. In words. */
enum { STATUS_WORDS = 4, RANGES = 256 };

typedef struct Job {
  FvRansStream stream;
  FvVkBuffer coded, staging, status; /* staging and status only where memory is not unified */
  VkDescriptorPool descriptors;
  VkDescriptorSet set;
  struct FvRansPush push;
  int64_t stream_at, words;
} Job;

static void lay_out(Job *job, int64_t at) {
  const FvRansStream *stream = &job->stream;
  size_t rounded = (stream->count + FV_RANS_LANES - 1) / FV_RANS_LANES * FV_RANS_LANES;
  int64_t symbols = (int64_t)1 << (stream->table.scale - 2);
  job->push = (struct FvRansPush){
    .count = (int)(stream->blocks * FV_RANS_LANES), .to_at = (int)(at / 4), .elements = (int)stream->count, .scale = (int)stream->table.scale,
    .block = (int)(stream->block_elements < rounded ? stream->block_elements : rounded), .symbols_at = STATUS_WORDS, .ranges_at = (int)(STATUS_WORDS + symbols),
  };
  job->push.blocks_at = job->push.ranges_at + RANGES;
  job->stream_at = job->push.blocks_at + 2 * (int64_t)stream->blocks;
  job->words = job->stream_at + (int64_t)(stream->size + 3) / 4;
}

static int fill(const Job *job, char *memory, FvError *err) {
  const FvRansStream *stream = &job->stream;
  memset(memory, 0, STATUS_WORDS * 4);
  memcpy(memory + (int64_t)job->push.symbols_at * 4, stream->table.symbols, (size_t)1 << stream->table.scale);
  memcpy(memory + (int64_t)job->push.ranges_at * 4, stream->table.ranges, sizeof stream->table.ranges);
  memcpy(memory + job->stream_at * 4, stream->coded, stream->size);
  size_t at = stream->first_at;
  for (size_t b = 0; b < stream->blocks; b++) {
    size_t begin = at, words;
    int result = fv_rans_next_block(stream, b, &at, &words, err);
    if (result < 0) return result;
    const int32_t place[2] = {(int32_t)(job->stream_at + (int64_t)(begin / 4)), (int32_t)words};
    memcpy(memory + ((int64_t)job->push.blocks_at + 2 * (int64_t)b) * 4, place, sizeof place);
  }
  return 0;
}

static int send(FvVkDevice *device, Job *job, FvError *err) {
  int64_t bytes = job->words * 4;
  int result = fv_vk_buffer_create(device, bytes, FV_VK_DEVICE, device->texel ? FV_VK_FLOAT_VIEWS : FV_VK_NO_VIEWS, "memory for coded weights", &job->coded, err);
  if (result < 0) return result;
  if (job->coded.map) return fill(job, job->coded.map, err);
  result = fv_vk_buffer_create(device, bytes, FV_VK_UPLOAD, FV_VK_NO_VIEWS, "memory to upload coded weights from", &job->staging, err);
  if (result == 0) result = fv_vk_buffer_create(device, STATUS_WORDS * 4, FV_VK_READBACK, FV_VK_NO_VIEWS, "memory for a status", &job->status, err);
  if (result == 0) result = fill(job, job->staging.map, err);
  return result < 0 ? result : fv_vk_copy_now(device, &job->staging, &job->coded, (VkDeviceSize)bytes, err);
}

static int run(FvVkDevice *device, Job *job, const FvVkBuffer *to, FvError *err) {
  uint32_t group = device->group_size, blocks = group / FV_RANS_LANES, groups = ((uint32_t)job->stream.blocks + blocks - 1) / blocks;
  FvVkPipelineKey key = {.shader = FV_SHADER_RANS, .texel = device->texel, .spec_count = 1, .spec = {group}};
  FvVkDispatch dispatch = {.groups = {groups, 1}, .params_size = sizeof job->push};
  memcpy(dispatch.params, &job->push, sizeof job->push);
  int result = fv_vk_pipeline_get(device, &key, &dispatch.pipeline, err);
  if (result == 0) result = fv_vk_set_create(device, to, &job->coded, &job->descriptors, &job->set, err);
  return result < 0 ? result : fv_vk_run_now(device, job->set, &dispatch, err);
}

static int read_status(FvVkDevice *device, Job *job, FvError *err) {
  const char *memory = job->coded.map;
  if (!memory) {
    int result = fv_vk_copy_now(device, &job->coded, &job->status, STATUS_WORDS * 4, err);
    if (result < 0) return result;
    memory = job->status.map;
  }
  uint32_t bad;
  memcpy(&bad, memory, sizeof bad);
  return bad ? fv_error_set(err, FV_ERR_FORMAT, "a block is not what an encoder makes; the data is damaged") : 0;
}

int fv_vk_rans_decode(FvVkDevice *device, const uint8_t *coded, size_t size, size_t count, const FvVkBuffer *to, int64_t at, FvError *err) {
  Job job = {0};
  if (count == 0 || count > FV_CODER_MAX_COUNT) return fv_error_set(err, FV_ERR_LIMIT, "%zu elements at once; the device decodes 1 to %lld", count, (long long)FV_CODER_MAX_COUNT);
  int result = fv_rans_open(coded, size, count, &job.stream, err);
  if (result < 0) return result;
  lay_out(&job, at);
  if (job.stream.blocks > 65535 || !fv_vk_fits_storage(device, job.words * 4) || (device->texel && !fv_vk_fits_texel(device, FV_VK_FLOAT_VIEWS, job.words * 4)))
    return fv_error_set(err, FV_ERR_LIMIT, "a stream of %zu bytes in %zu blocks is too long for device '%s'", size, job.stream.blocks, device->id);
  result = send(device, &job, err);
  if (result == 0) result = run(device, &job, to, err);
  if (result == 0) result = read_status(device, &job, err);
  if (job.descriptors) device->vk.DestroyDescriptorPool(device->handle, job.descriptors, NULL);
  fv_vk_buffer_destroy(device, &job.status);
  fv_vk_buffer_destroy(device, &job.staging);
  fv_vk_buffer_destroy(device, &job.coded);
  return result;
}

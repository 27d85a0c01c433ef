#include "vulkan/candidates.h"

#include <stdlib.h>
#include <string.h>

#include "push/candidates.h"

_Static_assert(FV_SCORE_PLAIN == 0 && FV_SCORE_SIGMOID == 1 && FV_SCORE_SOFTMAX == 2, "shaders/candidates.comp numbers activations otherwise");
_Static_assert(FV_MAX_SCORE_FACTORS == 2, "a score has as many factors as the push constants");

/* More than a quarter of all locations are as soon read with the rest. */
enum { MIN_CAPACITY = 16, MAX_CAPACITY = 4096, WORD = 4 };

static int location_total(const FvVkCandidates *out) {
  const FvLocationGroup *last = &out->groups[out->group_count - 1];
  return last->first + fv_location_count(last);
}

static int values_of(const FvLocationGroup *group) {
  int values = 0;
  for (int p = 0; p < group->part_count; p++) values += group->parts[p].channels;
  return values;
}

/* Floats of the arena before an output's element with all indices 0. */
static int64_t output_at(const FvVkProgram *program, int output) { return program->outputs[output].first / WORD; }

static void write_tables(const FvVkCandidates *out, const FvVkProgram *program) {
  int32_t *to = (int32_t *)(void *)out->list.map + CANDIDATES_TABLE;
  for (int g = 0; g < out->group_count; g++)
    for (int p = 0; p < FV_MAX_LOCATION_PARTS; p++, to += CANDIDATES_PART_WORDS) {
      const FvLocationPart *part = &out->groups[g].parts[p];
      if (p >= out->groups[g].part_count) continue;
      to[0] = (int32_t)(output_at(program, part->output) + part->first);
      for (int s = 0; s < 3; s++) to[1 + s] = (int32_t)part->steps[s];
      to[4] = (int32_t)part->channel_step;
      to[5] = part->channels;
    }
}

static bool lie_in_arena(const FvVkProgram *program, const FvLocationGroup *groups, int count) {
  for (int g = 0; g < count; g++)
    for (int p = 0; p < groups[g].part_count; p++) {
      int output = groups[g].parts[p].output;
      if (output >= program->output_count || !program->outputs[output].present) return false;
    }
  return count > 0;
}

int fv_vk_candidates_prepare(FvVkCandidates *out, const FvVkProgram *program, const FvVkBuffer *arena, const FvLocationGroup *groups, int count, float **outputs,
                             FvError *err) {
  out->outputs = outputs;
  out->threshold = -1;
  if (!lie_in_arena(program, groups, count)) return fv_error_set(err, FV_ERR_UNSUPPORTED, "the model's outputs are not all of the device's making");
  memcpy(out->groups, groups, (size_t)count * sizeof *groups);
  out->group_count = count;
  out->gathers = !arena->map;
  int total = location_total(out), widest = 0;
  for (int g = 0; g < count; g++)
    if (values_of(&groups[g]) > widest) widest = values_of(&groups[g]);
  out->capacity = total / 4 < MIN_CAPACITY ? MIN_CAPACITY : total / 4 > MAX_CAPACITY ? MAX_CAPACITY : total / 4;
  out->entry_words = 1 + (out->gathers ? widest : 0);
  out->entries_at = CANDIDATES_TABLE + count * FV_MAX_LOCATION_PARTS * CANDIDATES_PART_WORDS;
  int64_t bytes = ((int64_t)out->capacity * out->entry_words + out->entries_at) * WORD;
  int result = fv_vk_buffer_create(program->device, bytes, FV_VK_READBACK, FV_VK_NO_VIEWS, "memory for candidates", &out->list, err);
  if (result == 0) result = fv_vk_set_create(program->device, arena, &out->list, &out->descriptors, &out->set, err);
  if (result == 0) write_tables(out, program);
  return result;
}

/* The device's arithmetic may be a hair lower than the host's, which has the last word. */
static float limit_of(float threshold) { return threshold * 0.999f - 1e-6f; }

static int make_dispatch(const FvVkCandidates *out, const FvVkProgram *program, int g, float threshold, FvVkDispatch *dispatch, FvError *err) {
  const FvLocationGroup *group = &out->groups[g];
  struct FvCandidatesPush push = {
    .plane = group->height * group->width, .width = group->width, .first = group->first, .limit = limit_of(threshold), .capacity = out->capacity,
    .entries_at = out->entries_at, .entry_words = out->entry_words, .table_at = CANDIDATES_TABLE + g * FV_MAX_LOCATION_PARTS * CANDIDATES_PART_WORDS,
  };
  for (int f = 0; f < group->factor_count; f++) {
    const FvScoreFactor *factor = &group->factors[f];
    push.at[f] = (int)(output_at(program, factor->part.output) + factor->part.first);
    push.anchor_step[f] = (int)factor->part.steps[0];
    push.row_step[f] = (int)factor->part.steps[1];
    push.column_step[f] = (int)factor->part.steps[2];
    push.channel_step[f] = (int)factor->part.channel_step;
    push.channels[f] = factor->part.channels;
    push.skip[f] = factor->skip;
    push.power[f] = factor->power;
  }
  FvVkLaunch launch = {
    .shader = FV_SHADER_CANDIDATES, .params = &push, .params_size = sizeof push, .invocations = fv_location_count(group), .spec_count = 4,
    .spec = {(uint32_t)group->factor_count, group->factors[0].activation, group->factors[1].activation, out->gathers ? (uint32_t)group->part_count : 0},
  };
  return fv_vk_dispatch_make(program->device, program->texel, &launch, dispatch, err);
}

int fv_vk_candidates_record(FvVkCandidates *out, const FvVkProgram *program, VkCommandPool pool, float threshold, FvError *err) {
  FvVkDevice *device = program->device;
  FvVkDispatch dispatches[FV_MAX_LOCATION_GROUPS];
  int result = 0;
  if (out->threshold == threshold) return 0;
  out->threshold = -1;
  for (int g = 0; g < out->group_count && result == 0; g++)
    if (fv_location_count(&out->groups[g]) > 0) result = make_dispatch(out, program, g, threshold, &dispatches[g], err);
  if (result < 0) return result;
  VkResult made = out->commands ? VK_SUCCESS : fv_vk_commands_create(device, pool, &out->commands);
  if (made == VK_SUCCESS) made = fv_vk_commands_begin(device, out->commands);
  if (made == VK_SUCCESS) {
    fv_vk_barrier(device, out->commands, FV_VK_SHADER, FV_VK_SHADER);
    fv_vk_record_set(device, out->commands, out->set);
    for (int g = 0; g < out->group_count; g++) {
      if (fv_location_count(&out->groups[g]) == 0) continue;
      if (g > 0 && fv_vk_wish("barriers")) fv_vk_barrier(device, out->commands, FV_VK_SHADER, FV_VK_SHADER);
      fv_vk_record_dispatch(device, out->commands, &dispatches[g]);
    }
    fv_vk_barrier(device, out->commands, FV_VK_SHADER, FV_VK_HOST);
    made = device->vk.EndCommandBuffer(out->commands);
  }
  if (made == VK_SUCCESS) out->threshold = threshold;
  return made == VK_SUCCESS ? 0 : fv_vk_failure(device, made, "preparing for candidates", err);
}

void fv_vk_candidates_clear(FvVkCandidates *out) { *(uint32_t *)(void *)out->list.map = 0; }

static const FvLocationGroup *group_of(const FvVkCandidates *out, int location) {
  int g = 0;
  while (location >= out->groups[g].first + fv_location_count(&out->groups[g])) g++;
  return &out->groups[g];
}

static void put_values(const FvVkCandidates *out, const FvLocationGroup *group, int location, const uint32_t *values) {
  for (int p = 0; p < group->part_count; p++) {
    const FvLocationPart *part = &group->parts[p];
    float *to = out->outputs[part->output] + fv_location_element(part, group, location - group->first);
    for (int c = 0; c < part->channels; c++) memcpy(&to[c * part->channel_step], values++, WORD);
  }
}

bool fv_vk_candidates_take(const FvVkCandidates *out, uint64_t *chosen, int64_t *bytes) {
  const uint32_t *list = (const uint32_t *)(const void *)out->list.map;
  uint32_t total = (uint32_t)location_total(out);
  *bytes = WORD;
  if (list[0] > (uint32_t)out->capacity) return false;
  memset(chosen, 0, ((size_t)total + 63) / 64 * sizeof *chosen);
  for (uint32_t i = 0; i < list[0]; i++) {
    const uint32_t *entry = list + out->entries_at + i * (uint32_t)out->entry_words;
    if (entry[0] >= total) return false; /* a device that writes nonsense */
    const FvLocationGroup *group = group_of(out, (int)entry[0]);
    chosen[entry[0] / 64] |= UINT64_C(1) << entry[0] % 64;
    if (out->gathers) put_values(out, group, (int)entry[0], entry + 1);
    *bytes += (1 + values_of(group)) * WORD;
  }
  return true;
}

/* Commands go with the runner's pool. */
void fv_vk_candidates_finish(FvVkCandidates *out, FvVkDevice *device) {
  if (out->descriptors) device->vk.DestroyDescriptorPool(device->handle, out->descriptors, NULL);
  fv_vk_buffer_destroy(device, &out->list);
  free(out->outputs);
  *out = (FvVkCandidates){0};
}

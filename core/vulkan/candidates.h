/* Candidates out: the part of a frame in flight that lists the locations worth reading. */
#ifndef FOVEA_VULKAN_CANDIDATES_H
#define FOVEA_VULKAN_CANDIDATES_H

#include "ir/locations.h"
#include "vulkan/runner.h"

typedef struct FvVkCandidates {
  FvVkBuffer list;            /* shaders/push/candidates.h says what lies where; the device writes into the host's memory */
  VkDescriptorPool descriptors;
  VkDescriptorSet set;
  VkCommandBuffer commands;   /* of the runner's pool: the shader for every group */
  FvLocationGroup groups[FV_MAX_LOCATION_GROUPS];
  int group_count, capacity, entry_words, entries_at;
  float threshold;            /* that commands are recorded for */
  float **outputs;            /* in the host's memory: the element with all indices 0; NULL for those not there */
  bool gathers;               /* entries have the values: the host cannot read the arena */
} FvVkCandidates;

/* Memory and tables for outputs that lie as groups say; `outputs` is malloc'ed and the candidates' own from then on. */
int fv_vk_candidates_prepare(FvVkCandidates *out, const FvVkProgram *program, const FvVkBuffer *arena, const FvLocationGroup *groups, int count, float **outputs,
                             FvError *err);
/* Commands for a threshold. */
int fv_vk_candidates_record(FvVkCandidates *out, const FvVkProgram *program, VkCommandPool pool, float threshold, FvError *err);
void fv_vk_candidates_clear(FvVkCandidates *out); /* before each run */
/* Sets the bits of the locations listed and, where the list has their values, writes those to where outputs lie in the host's memory. False when there were more than the list holds. *bytes is what was read. */
bool fv_vk_candidates_take(const FvVkCandidates *out, uint64_t *chosen, int64_t *bytes);
void fv_vk_candidates_finish(FvVkCandidates *out, FvVkDevice *device);

#endif

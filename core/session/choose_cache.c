/* The choices of device="auto" on disk: one file of records, the newest first, the oldest dropped beyond a bound. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <fovea/version.h>

#include "base/cache.h"
#include "base/cpu.h"
#include "model/model_internal.h"
#include "session/choose.h"

enum { MAX_RECORDS = 256 };

static const char name[] = "devices.cache";
static const char kind[FV_CACHE_KIND_BYTES] = {'f', 'v', 'a', 'u', 't', 'o', '0', '1'};

/* Lengths in front keep neighbours apart. */
static void add(crypto_generichash_state *state, const void *data, size_t size) {
  uint64_t length = size;
  crypto_generichash_update(state, (const unsigned char *)&length, sizeof length);
  crypto_generichash_update(state, data, size);
}

static void add_text(crypto_generichash_state *state, const char *text) { add(state, text, strlen(text)); }

static void add_constants(crypto_generichash_state *state, const FvPlanParams *params) {
  for (int i = 0; i < params->constant_count; i++) {
    const FvTensor *tensor = &params->constants[i].tensor;
    add_text(state, params->constants[i].name);
    add(state, tensor->dims, (size_t)tensor->rank * sizeof tensor->dims[0]);
    if (fv_tensor_is_contiguous(tensor)) add(state, tensor->data, (size_t)fv_tensor_count(tensor) * fv_dtype_size(tensor->dtype));
  }
}

bool fv_choice_key(const FvModel *model, const FvPlanParams *params, uint8_t key[FV_CHOICE_KEY_BYTES]) {
  const char *sha256 = fv_model_sha256(model);
  if (!*sha256 || sodium_init() < 0) return false;
  char features[256];
  fv_cpu_describe(fv_cpu_flags(), features, sizeof features);
  crypto_generichash_state state;
  crypto_generichash_init(&state, NULL, 0, FV_CHOICE_KEY_BYTES);
  add_text(&state, FV_VERSION);
  add_text(&state, sha256);
  for (int i = 0; i < fv_model_input_count(model); i++) {
    FvValueInfo input = fv_model_input(model, i);
    add(&state, input.dims, input.rank > 0 ? (size_t)input.rank * sizeof input.dims[0] : 0);
  }
  add_constants(&state, params);
  add(&state, &(int[]){params->threads, fv_cpu_core_count()}, 2 * sizeof(int));
  add(&state, &(unsigned[]){params->flags & FV_PLAN_NO_FUSION, (unsigned)params->precision}, 2 * sizeof(unsigned));
  add_text(&state, fv_cpu_name());
  add_text(&state, features);
  crypto_generichash_final(&state, key, FV_CHOICE_KEY_BYTES);
  return true;
}

void fv_choice_devices(const FvDeviceInfo *devices, int count, uint8_t key[FV_CHOICE_KEY_BYTES]) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, NULL, 0, FV_CHOICE_KEY_BYTES);
  for (int i = 0; i < count; i++) {
    if (!devices[i].usable) continue;
    const FvVulkanTraits *traits = &devices[i].vulkan;
    add_text(&state, devices[i].id);
    add_text(&state, devices[i].name);
    add_text(&state, traits->driver);
    add_text(&state, traits->cache_id);
    add(&state, &(unsigned[]){traits->driver_version, traits->vendor_id, traits->device_id}, 3 * sizeof(unsigned));
  }
  crypto_generichash_final(&state, key, FV_CHOICE_KEY_BYTES);
}

/* malloc'ed records, with room for one more; NULL when memory is out. */
static FvChoice *read_all(int *count) {
  size_t size = 0;
  FvChoice *found = fv_cache_read(name, kind, MAX_RECORDS * sizeof *found, &size);
  *count = found && size % sizeof *found == 0 ? (int)(size / sizeof *found) : 0;
  FvChoice *all = calloc((size_t)*count + 1, sizeof *all);
  if (all && *count) memcpy(all, found, (size_t)*count * sizeof *all);
  free(found);
  for (int i = 0; all && i < *count; i++) all[i].device[sizeof all[i].device - 1] = '\0';
  return all;
}

bool fv_choice_recall(const uint8_t key[FV_CHOICE_KEY_BYTES], FvChoice *choice) {
  int count;
  bool found = false;
  FvChoice *all = read_all(&count);
  for (int i = 0; all && i < count && !found; i++) {
    found = memcmp(all[i].key, key, FV_CHOICE_KEY_BYTES) == 0;
    if (found) *choice = all[i];
  }
  free(all);
  return found;
}

void fv_choice_remember(const FvChoice *choice) {
  int count, kept = 1;
  FvChoice *all = read_all(&count);
  if (!all) return;
  memmove(all + 1, all, (size_t)count * sizeof *all);
  all[0] = *choice;
  for (int i = 1; i <= count && kept < MAX_RECORDS; i++)
    if (memcmp(all[i].key, choice->key, FV_CHOICE_KEY_BYTES) != 0) all[kept++] = all[i];
  fv_cache_write(name, kind, all, (size_t)kept * sizeof *all);
  free(all);
}

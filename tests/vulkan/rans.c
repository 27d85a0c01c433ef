/* The device's rANS decoder against the coder's own: the same bytes for every kind of data, the same refusals for damaged streams, nothing written outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "entropy/coder.h"
#include "entropy/rans.h"
#include "vulkan/device.h"
#include "vulkan/rans.h"
#include "vulkan/vk.h"

enum { GUARD = 64, CANARY = 0x5a };

static int line, failures;
static char given[64]; /* FOVEA_VULKAN as it was */
static uint32_t random_state = 1;

static uint32_t next_random(void) {
  random_state = random_state * 1664525u + 1013904223u;
  return random_state >> 8;
}

static void report(bool good, const char *path, const char *name, const char *why) {
  failures += !good;
  printf("%s %d - %s/%s%s%s\n", good ? "ok" : "not ok", ++line, path, name, good ? "" : ": ", good ? "" : why);
}

/* Bell-shaped like weights, or flat, or nearly or wholly of one kind. */
static uint8_t element(const char *kind) {
  if (strcmp(kind, "flat") == 0) return (uint8_t)next_random();
  if (strcmp(kind, "one") == 0) return 7;
  if (strcmp(kind, "rare") == 0) return next_random() % 1000 ? 0 : (uint8_t)next_random();
  int sum = 0;
  for (int i = 0; i < 8; i++) sum += (int)(next_random() % 9) - 4;
  return (uint8_t)sum;
}

typedef struct Decoded {
  FvVkBuffer buffer, from, to; /* from and to: the host's, where memory is not unified */
  size_t bytes;
} Decoded;

static bool open_decoded(FvVkDevice *device, size_t count, Decoded *d, FvError *err) {
  *d = (Decoded){.bytes = 2 * GUARD + (count + 3) / 4 * 4};
  int result = fv_vk_buffer_create(device, (int64_t)d->bytes, FV_VK_DEVICE, device->texel, "memory", &d->buffer, err);
  if (result == 0 && !d->buffer.map) result = fv_vk_buffer_create(device, (int64_t)d->bytes, FV_VK_UPLOAD, false, "memory", &d->from, err);
  if (result == 0 && !d->buffer.map) result = fv_vk_buffer_create(device, (int64_t)d->bytes, FV_VK_READBACK, false, "memory", &d->to, err);
  if (result < 0) return false;
  memset(d->buffer.map ? d->buffer.map : d->from.map, CANARY, d->bytes);
  return d->buffer.map || fv_vk_copy_now(device, &d->from, &d->buffer, d->bytes, err) == 0;
}

static const uint8_t *read_decoded(FvVkDevice *device, Decoded *d, FvError *err) {
  if (!d->buffer.map && fv_vk_copy_now(device, &d->buffer, &d->to, d->bytes, err) < 0) return NULL;
  return (const uint8_t *)(d->buffer.map ? d->buffer.map : d->to.map);
}

static void close_decoded(FvVkDevice *device, Decoded *d) {
  fv_vk_buffer_destroy(device, &d->buffer);
  fv_vk_buffer_destroy(device, &d->from);
  fv_vk_buffer_destroy(device, &d->to);
}

static const char *compare(const uint8_t *got, const uint8_t *want, size_t count) {
  for (size_t i = 0; i < GUARD; i++)
    if (got[i] != CANARY || got[GUARD + (count + 3) / 4 * 4 + i] != CANARY) return "wrote outside";
  return memcmp(got + GUARD, want, count) ? "other bytes than were coded" : NULL;
}

static void check_data(FvVkDevice *device, const char *path, const char *kind, size_t count) {
  FvError err = {0};
  FvBytes coded = {0};
  Decoded d = {0};
  uint8_t *data = malloc(count);
  char name[64];
  for (size_t i = 0; i < count; i++) data[i] = element(kind);
  const char *why = NULL;
  if (fv_coder_encode(FV_CODER_RANS, data, (FvCodeShape){.count = count}, &coded, &err) < 0 || !open_decoded(device, count, &d, &err) ||
      fv_vk_rans_decode(device, coded.data, coded.size, count, &d.buffer, GUARD, &err) < 0)
    why = err.message;
  const uint8_t *got = why ? NULL : read_decoded(device, &d, &err);
  if (!why) why = got ? compare(got, data, count) : err.message;
  snprintf(name, sizeof name, "%s of %zu", kind, count);
  report(!why, path, name, why);
  close_decoded(device, &d);
  fv_bytes_finish(&coded);
  free(data);
}

/* Whatever byte is changed or missing: the device says what the coder says, and writes nothing outside. */
static void check_damage(FvVkDevice *device, const char *path) {
  enum { COUNT = 4000 };
  FvError err = {0};
  FvBytes coded = {0};
  Decoded d = {0};
  uint8_t data[COUNT], out[COUNT];
  for (size_t i = 0; i < COUNT; i++) data[i] = element("weights");
  bool good = fv_coder_encode(FV_CODER_RANS, data, (FvCodeShape){.count = COUNT}, &coded, &err) == 0 && open_decoded(device, COUNT, &d, &err);
  const char *why = good ? NULL : err.message;
  for (int round = 0; round < 96 && !why; round++) {
    size_t at = round < 40 ? (size_t)round : next_random() % coded.size, size = round % 8 == 7 ? at : coded.size;
    uint8_t kept = coded.data[at];
    coded.data[at] ^= (uint8_t)(1 + next_random() % 255);
    bool host = fv_coder_decode(FV_CODER_RANS, coded.data, size, (FvCodeShape){.count = COUNT}, out, NULL) == 0;
    bool mine = fv_vk_rans_decode(device, coded.data, size, COUNT, &d.buffer, GUARD, &err) == 0;
    const uint8_t *got = read_decoded(device, &d, &err);
    if (host != mine) why = "the coder and the device disagree about damage";
    else if (!got) why = err.message;
    else if (host) why = compare(got, out, COUNT);
    else if (compare(got, got + GUARD, COUNT)) why = "wrote outside";
    coded.data[at] = kept;
  }
  report(!why, path, "damaged streams", why);
  close_decoded(device, &d);
  fv_bytes_finish(&coded);
}

static void check_path(const char *path) {
  static const struct {
    const char *kind;
    size_t count;
  } cases[] = {{"weights", 1}, {"weights", 31}, {"weights", 33}, {"weights", 4099}, {"weights", 300001}, {"flat", 70000}, {"one", 5000}, {"rare", 2000000}};
  FvError err = {0};
  FvVkDevice *device = NULL;
  char wishes[128];
  snprintf(wishes, sizeof wishes, "%s,nocache,%s", path, given);
  setenv("FOVEA_VULKAN", wishes, 1);
  if (fv_vk_device_open(getenv("FOVEA_TEST_VULKAN_DEVICE"), &device, &err) < 0) {
    report(false, path, "opening the device", err.message);
    return;
  }
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_data(device, path, cases[i].kind, cases[i].count);
  check_damage(device, path);
  fv_vk_device_close(&device);
}

int main(void) {
  snprintf(given, sizeof given, "%s", getenv("FOVEA_VULKAN") ? getenv("FOVEA_VULKAN") : "");
  if (!driver_found(getenv("FOVEA_TEST_VULKAN_DEVICE"))) return 0;
  check_path("storage");
  check_path("texel,staging");
  printf("1..%d\n", line);
  return failures || !line ? 1 : 0;
}

#include <fovea/device.h>

#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "session/plan_internal.h"
#include "vulkan/vk.h"

void fv_device_describe_cpu(FvDeviceInfo *device) {
  *device = (FvDeviceInfo){.id = "cpu", .usable = 1};
  int cores = fv_cpu_core_count();
  snprintf(device->name, sizeof device->name, "%.90s, %d %s", fv_cpu_name(), cores, cores == 1 ? "core" : "cores");
  fv_cpu_describe(fv_cpu_flags(), device->features, sizeof device->features);
}

const char *fv_device_kind_name(FvDeviceKind kind) {
  static const char *const names[] = {"cpu", "discrete", "integrated", "virtual", "software"};
  return (unsigned)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

const char *fv_device_load_path(const char *id, FvError *err) {
  FvVkDevice *device;
  if (strncmp(id, "vulkan", 6) != 0 || (id[6] && id[6] != ':')) {
    fv_error_set(err, FV_ERR_INVALID, "device '%s' is no Vulkan device", id);
    return NULL;
  }
  if (fv_vk_device_open(id[6] ? id + 7 : NULL, &device, err) < 0) return NULL;
  const char *path = fv_vk_device_load_path(device);
  fv_vk_device_close(&device);
  return path;
}

int fv_devices_list(FvDeviceInfo *devices, int capacity) {
  if (capacity > 0) fv_device_describe_cpu(&devices[0]);
  return 1 + fv_vk_devices_list(capacity > 1 ? devices + 1 : NULL, capacity > 1 ? capacity - 1 : 0);
}

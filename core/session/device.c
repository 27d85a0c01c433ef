#include <fovea/device.h>

#include <stdio.h>

#include "base/cpu.h"
#include "vulkan/vk.h"

static void describe_cpu(FvDeviceInfo *device) {
  *device = (FvDeviceInfo){.id = "cpu", .usable = 1};
  int cores = fv_cpu_core_count();
  snprintf(device->name, sizeof device->name, "%.90s, %d %s", fv_cpu_name(), cores, cores == 1 ? "core" : "cores");
  fv_cpu_describe(fv_cpu_flags(), device->features, sizeof device->features);
}

int fv_devices_list(FvDeviceInfo *devices, int capacity) {
  if (capacity > 0) describe_cpu(&devices[0]);
  return 1 + fv_vk_devices_list(capacity > 1 ? devices + 1 : NULL, capacity > 1 ? capacity - 1 : 0);
}

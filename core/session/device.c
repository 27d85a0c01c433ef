#include <fovea/device.h>

#include <stdio.h>

#include "base/cpu.h"

static void describe_cpu(FvDeviceInfo *device) {
  *device = (FvDeviceInfo){.id = "cpu", .usable = 1};
  int cores = fv_cpu_core_count();
  snprintf(device->name, sizeof device->name, "%.90s, %d %s", fv_cpu_name(), cores, cores == 1 ? "core" : "cores");
  fv_cpu_describe(fv_cpu_flags(), device->features, sizeof device->features);
}

static void describe_vulkan(FvDeviceInfo *device) {
  *device = (FvDeviceInfo){.id = "vulkan", .name = "Vulkan GPUs"};
  snprintf(device->reason, sizeof device->reason, "the Vulkan back-end is not part of this version");
}

int fv_devices_list(FvDeviceInfo *devices, int capacity) {
  if (capacity > 0) describe_cpu(&devices[0]);
  if (capacity > 1) describe_vulkan(&devices[1]);
  return 2;
}

/* Drivers and LLVM leak a little for every device opened. tests/lsan.supp knows them by their libraries, and must find them loaded when the process ends. What we
 * forget to destroy in a driver's hands is found by other means: counts of buffers, and the validation layer's objects alive. */
#ifndef FOVEA_TESTS_VULKAN_DRIVER_H
#define FOVEA_TESTS_VULKAN_DRIVER_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vulkan/device.h"

/* Call while a device is open. */
static inline void driver_keep_loaded(void) {
  char line[4096];
  FILE *maps = getenv("FOVEA_SANITIZED") ? fopen("/proc/self/maps", "r") : NULL;
  while (maps && fgets(line, sizeof line, maps)) {
    char *path = strchr(line, '/');
    if (!path || (!strstr(path, "/libvulkan") && !strstr(path, "/libLLVM"))) continue;
    path[strcspn(path, "\n")] = '\0';
    dlopen(path, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  }
  if (maps) fclose(maps);
}

/* Is there a device (which: a name or number, NULL for the first)? Where there is none, all of the test is skipped in words. */
static inline bool driver_found(const char *which) {
  FvError err = {0};
  FvVkDevice *device = NULL;
  if (fv_vk_device_open(which, &device, &err) < 0) {
    printf("1..0 # SKIP no Vulkan device: %s\n", err.message);
    return false;
  }
  driver_keep_loaded();
  fv_vk_device_close(&device);
  return true;
}

#endif

/* Which way do shaders read memory faster on this device? Measured, because nothing that a driver reports says it. */
#ifndef FOVEA_VULKAN_PROBE_H
#define FOVEA_VULKAN_PROBE_H

#include "vulkan/device.h"

/* Sets device->texel. A few milliseconds. */
int fv_vk_probe_load_path(FvVkDevice *device, FvError *err);
uint64_t fv_vk_now_ns(void); /* monotonic */

#endif

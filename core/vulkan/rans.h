/* The rANS decoder on the device: coded weights are sent as they lie in the file, and decoded into the buffer that kernels read. */
#ifndef FOVEA_VULKAN_RANS_H
#define FOVEA_VULKAN_RANS_H

#include "vulkan/memory.h"

/* Decodes `count` elements of a stream (core/entropy/rans.h) into `to` from byte `at` on, a multiple of 4, and waits. The buffer reaches to the next multiple
 * of 4 behind them, whose bytes become zero. FV_ERR_FORMAT for what fv_rans_decode refuses: what the host cannot see without decoding the device reports;
 * the elements are then undefined. FV_ERR_LIMIT where the device's buffers are too short. */
int fv_vk_rans_decode(FvVkDevice *device, const uint8_t *coded, size_t size, size_t count, const FvVkBuffer *to, int64_t at, FvError *err);

#endif

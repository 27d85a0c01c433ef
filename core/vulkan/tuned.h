/* What `fovea tune` found out: which way of fv_vk_conv_ways is fastest for a convolution on this device. Kept on disk beside the pipelines, read when a
 * device is opened. Thread-safe. */
#ifndef FOVEA_VULKAN_TUNED_H
#define FOVEA_VULKAN_TUNED_H

#include "vulkan/conv.h"

typedef struct FvVkTunings FvVkTunings;

/* NULL when memory is out, which costs nothing but speed: all others take NULL. */
FvVkTunings *fv_vk_tunings_create(const FvVkDevice *device);
void fv_vk_tunings_destroy(FvVkTunings *tunings);

/* Of everything that the speed of a way depends on, the ways there are included. */
uint64_t fv_vk_tuning_key(const FvVkConv *conv, FvVkForm form, bool texel, const FvVkConvWay *ways, int way_count);
/* A number of a way, or -1. */
int fv_vk_tuned(FvVkTunings *tunings, uint64_t key);
void fv_vk_tunings_set(FvVkTunings *tunings, uint64_t key, int way);
void fv_vk_tunings_save(FvVkTunings *tunings, const FvVkDevice *device);

#endif

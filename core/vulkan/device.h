/* A physical device looked at, and a logical one opened. */
#ifndef FOVEA_VULKAN_DEVICE_H
#define FOVEA_VULKAN_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "vulkan/fault.h"
#include "vulkan/instance.h"
#include "vulkan/vk.h"

typedef struct FvVkPipelines FvVkPipelines;

/* What a physical device can do, as far as kernels or execution ask. */
typedef struct FvVkTraits {
  VkPhysicalDeviceProperties properties;
  VkPhysicalDeviceMemoryProperties memory;
  char driver[160];           /* its name and version in words */
  uint32_t queue_family;      /* compute without graphics where there is one; UINT32_MAX: none */
  bool async_compute;         /* that family has no graphics */
  uint32_t timestamp_bits;
  bool storage8, storage16, float16, int8, int16, int64, float64;
  bool dot_product, dot_product_accelerated; /* 4 x 8 bit, signed and mixed */
  bool storage_formats, half_texel; /* all image formats may be stored to; fp16 ones in texel buffers may, singly and in fours */
  uint32_t subgroup_size;
  VkSubgroupFeatureFlags subgroup_operations; /* of compute shaders */
  bool subgroup_arithmetic, subgroup_shuffle;
  bool cooperative_matrix;
  bool timeline;
  bool host_import, dma_buf;
  VkDeviceSize host_import_alignment;
  bool unified;               /* device memory that the host reads and writes as fast as its own */
} FvVkTraits;

struct FvVkDevice {
  int references;
  int index;
  char id[32];
  FvVkInstance *instance;
  VkPhysicalDevice physical;
  FvVkTraits traits;
  VkDevice handle;
  FvVkDeviceFunctions vk;
  PFN_vkGetMemoryHostPointerPropertiesEXT host_properties; /* NULL: cannot import memory of the host */
  PFN_vkGetMemoryFdPropertiesKHR fd_properties;            /* NULL: cannot import DMA buffers */
  VkQueue queue;
  pthread_mutex_t queue_lock;
  atomic_bool lost;           /* nothing more is sent to it */
  atomic_bool stuck;          /* work on it never ended: what it holds is left to it, for freeing memory under its hands could bring the process down */
  FvVkPipelines *pipelines;
  struct FvVkTunings *tunings; /* may be NULL */
  bool texel;                 /* shaders read through texel buffers */
  uint32_t group_size;        /* invocations of a work-group */
  atomic_int buffer_count;    /* alive */
  FvVkFaults faults;
};

void fv_vk_traits_read(FvVkInstance *instance, VkPhysicalDevice physical, FvVkTraits *traits);
/* NULL, or why this back-end cannot use the device; static text. */
const char *fv_vk_traits_problem(const FvVkTraits *traits);

/* FV_ERR_DEVICE with a sentence for a failed call; remembers that the device is lost. */
int fv_vk_failure(FvVkDevice *device, VkResult result, const char *what, FvError *err);

#endif

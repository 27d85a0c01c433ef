/* The loader and the instance: one of each for the process, made when first asked for. */
#ifndef FOVEA_VULKAN_INSTANCE_H
#define FOVEA_VULKAN_INSTANCE_H

#include <stdbool.h>

#include <fovea/error.h>

#include "vulkan/functions.h"

enum { FV_VK_MAX_DEVICES = 16 };

typedef struct FvVkInstance {
  VkInstance handle;
  FvVkInstanceFunctions vk;
  uint32_t api; /* what applications may ask devices for */
  VkDebugUtilsMessengerEXT messenger;
  PFN_vkDestroyDebugUtilsMessengerEXT destroy_messenger;
  int references;
} FvVkInstance;

/* A counted reference; NULL with a sentence that says why there is no Vulkan. */
FvVkInstance *fv_vk_instance_take(FvError *err);
void fv_vk_instance_give(FvVkInstance *instance);
/* How many devices there are (at most FV_VK_MAX_DEVICES), or a negative code. */
int fv_vk_instance_devices(FvVkInstance *instance, VkPhysicalDevice *devices, FvError *err);

/* Is the word in the environment's FOVEA_VULKAN? For tests and for looking into trouble: "validate" turns the validation layer on, "barriers" puts a
 * barrier before every dispatch (and, with "validate", has synchronisation checked), "storage" and "texel" force the load path, "dot" uses 8-bit dot products where the device has them but does not call them fast, "staging" treats memory as not shared with the host, "nocache" leaves the disk alone. */
bool fv_vk_wish(const char *word);
int fv_vk_wish_number(const char *word); /* N of "word:N"; 0 where there is none */
/* What the validation layer found wrong since the process started. */
int fv_vk_validation_messages(void);

#endif

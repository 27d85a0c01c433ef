/* Pictures in: the part of a frame in flight that takes a camera's bytes as they are. */
#ifndef FOVEA_VULKAN_PICTURE_H
#define FOVEA_VULKAN_PICTURE_H

#include "vulkan/runner.h"

enum { FV_VK_MAX_PLANES = 3 };

/* The rows of a plane that some output line needs. */
typedef struct FvVkPlaneRows {
  int32_t *rows;      /* of the picture, ascending */
  int count, row_bytes;
  int64_t at, pitch;  /* bytes in the samples' buffer */
} FvVkPlaneRows;

typedef struct FvVkPictureIn {
  FvVkBuffer samples, upload; /* tables, then rows; upload only where memory is not unified */
  VkDescriptorPool descriptors;
  VkDescriptorSet set;
  VkCommandBuffer commands;   /* of the runner's pool: upload, and the shader */
  FvVkPlaneRows planes[FV_VK_MAX_PLANES];
  bool texel;
} FvVkPictureIn;

/* Buffers, tables and commands for pictures of one kind; what is there already is used again where it fits. */
int fv_vk_picture_prepare(FvVkPictureIn *in, const FvVkProgram *program, const FvVkBuffer *arena, VkCommandPool pool, const FvVkPicture *picture, FvError *err);
int64_t fv_vk_picture_load(FvVkPictureIn *in, const uint8_t *const *planes, const int *strides);
void fv_vk_picture_finish(FvVkPictureIn *in, FvVkDevice *device);

#endif

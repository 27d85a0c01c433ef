/* Pictures in: the part of a frame in flight that takes a camera's bytes as they are. */
#ifndef FOVEA_VULKAN_PICTURE_H
#define FOVEA_VULKAN_PICTURE_H

#include "vulkan/foreign.h"
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
  FvVkDispatch dispatch;
  FvVkPlaneRows planes[FV_VK_MAX_PLANES];
  int64_t table_bytes, bytes; /* in samples: tables, everything */
  bool texel;
  /* Pictures that the device fetches by itself out of memory that is not ours. */
  FvVkForeign foreign[FV_VK_MAX_PLANES];
  VkBufferCopy *regions;      /* of one plane */
  bool fetches;               /* what commands are recorded for */
  int trials;                 /* of both ways, while it is not known which is faster */
  uint64_t best_ns[2], fetch_ns; /* of the host's time: copying rows, fetching; the last fetch until it is released */
} FvVkPictureIn;

/* Buffers, tables and commands for pictures of one kind; what is there already is used again where it fits. */
int fv_vk_picture_prepare(FvVkPictureIn *in, const FvVkProgram *program, const FvVkBuffer *arena, VkCommandPool pool, const FvVkPicture *picture, FvError *err);
/* The bytes that go to the device, or FV_ERR_UNSUPPORTED. */
int64_t fv_vk_picture_load(FvVkPictureIn *in, FvVkDevice *device, VkCommandPool pool, const FvFrame *picture, FvError *err);
void fv_vk_picture_release(FvVkPictureIn *in, FvVkDevice *device); /* gives the picture's memory back once the device is done */
void fv_vk_picture_finish(FvVkPictureIn *in, FvVkDevice *device);

#endif

/* A session on a Vulkan device: backend_vulkan.c runs it, detect_vulkan.c takes frames in and candidates out. */
#ifndef FOVEA_SESSION_VULKAN_INTERNAL_H
#define FOVEA_SESSION_VULKAN_INTERNAL_H

#include "session/session_internal.h"
#include "vulkan/vk.h"

typedef struct VulkanSession {
  FvVkRunner *runner;
  /* The kind of picture the runner is ready for. */
  bool has_picture, refuses_picture;
  unsigned picture_generation;
  FvColorMatrix picture_matrix;
  FvColorRange picture_range;
} VulkanSession;

/* What preprocessing computed, as the back-end takes it. */
FvVkPicture fv_vulkan_picture(const FvFrame *frame, const FvPreprocess *wanted, const FvTensor *input, const FvSampling *sampling);

int fv_vulkan_frame_in(FvSession *session, const FvFrame *frame, FvFrameMap *map, FvError *err);

#endif

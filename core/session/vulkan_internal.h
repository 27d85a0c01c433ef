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
  uint64_t taken_bytes; /* of the picture that waits for the next run; 0: the host fills the input */
} VulkanSession;

int fv_vulkan_run(FvSession *session, FvError *err);    /* submits and waits */
uint64_t fv_vulkan_uploaded(FvSession *session);        /* bytes that the next run takes in */

/* Chains of element-wise steps into one step each. */
int fv_vulkan_combine(FvPlan *plan, FvError *err);

/* What preprocessing computed, as the back-end takes it. */
FvVkPicture fv_vulkan_picture(const FvFrame *frame, const FvPreprocess *wanted, const FvTensor *input, const FvSampling *sampling);

int fv_vulkan_frame_in(FvSession *session, const FvFrame *frame, FvFrameMap *map, FvError *err);
int fv_vulkan_locate(FvSession *session, FvError *err);
int fv_vulkan_run_chosen(FvSession *session, float threshold, FvError *err);

#endif

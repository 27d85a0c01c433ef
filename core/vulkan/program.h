/* A program's inside: launches in order, and what they need. Shared by all its runners. */
#ifndef FOVEA_VULKAN_PROGRAM_H
#define FOVEA_VULKAN_PROGRAM_H

#include "vulkan/kernel.h"

/* Bytes of the arena that something reads or writes: [begin, end), and when period is not 0 only `width` bytes from `phase` on in each period, so that
 * neighbours in a concatenation of channels do not wait for each other. */
typedef struct FvVkRange {
  int64_t begin, end, period, phase, width;
} FvVkRange;

typedef struct FvVkDispatch {
  VkPipeline pipeline;
  uint32_t groups[2];
  int step;
  bool barrier; /* what it touches was written, or is still read, by launches before it */
  uint32_t params_size;
  unsigned char params[FV_VK_PARAM_BYTES];
} FvVkDispatch;

/* An input or output of the graph between the host and the arena. */
typedef struct FvVkPort {
  bool present;
  int64_t first;               /* bytes in the arena: the element with all indices 0 */
  int64_t begin, size;         /* bytes in the arena that the tensor spans */
  int64_t staging;             /* where that span begins in the staging buffer */
} FvVkPort;

/* A step that the host takes: what comes before it is waited for. */
enum { FV_VK_MAX_HOSTS = 16, FV_VK_HOST_IO = 8 /* inputs and outputs together */ };
typedef struct FvVkHostStep {
  const FvNode *node;
  int step, first_dispatch;        /* of what comes after it */
  FvTensor tensors[FV_VK_HOST_IO]; /* inputs, then outputs; data of constants */
  FvVkPort ports[FV_VK_HOST_IO];
} FvVkHostStep;

struct FvVkProgram {
  FvVkDevice *device;
  bool texel;
  FvVkArithmetic arithmetic;
  int way;
  FvVkViews views;
  FvVkBuffer weights;
  int64_t weight_bytes;
  FvVkDispatch *dispatches;
  int dispatch_count, dispatch_capacity;
  int step_count;
  FvVkHostStep *hosts;
  int host_count;
  FvVkPort *inputs, *outputs;
  int input_count, output_count;
  int64_t staging_in_bytes, staging_out_bytes;
  int64_t zeros_begin, zeros_bytes;  /* at the arena's end */
  int64_t arena_bytes;               /* everything */
  /* while it is built */
  FvVkRange *reads, *writes; /* since the last barrier */
  int read_count, write_count, range_capacity;
  bool has_launched;         /* a launch of the same step came before */
};

/* One launch on its own: pipeline, groups and parameters; no step, no barrier. */
int fv_vk_dispatch_make(FvVkDevice *device, bool texel, const FvVkLaunch *launch, FvVkDispatch *dispatch, FvError *err);

/* The load-path probe makes a program by hand: a device's program without steps, whose arena has so many bytes. */
int fv_vk_program_start(FvVkDevice *device, bool texel, int64_t arena_bytes, FvVkProgram **program, FvError *err);

#endif

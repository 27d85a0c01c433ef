/* The Vulkan back-end as sessions see it: devices, a table of kernels, programs (a plan for a device) and runners (one caller's buffers).
 *
 * libvulkan.so.1 is opened at run time. Where the build had no Vulkan headers or no GLSL compiler, stubs.c gives the same functions and every
 * device is absent, with the reason. Everything is thread-safe except a runner, which belongs to one thread at a time. Errors: FV_ERR_DEVICE when
 * there is no such device or it was lost, ran out of memory or did not answer in time; the process goes on and other devices are not touched. */
#ifndef FOVEA_VULKAN_VK_H
#define FOVEA_VULKAN_VK_H

#include <fovea/device.h>

#include "ir/op.h"

typedef struct FvVkDevice FvVkDevice;
typedef struct FvVkKernel FvVkKernel;
typedef struct FvVkProgram FvVkProgram;
typedef struct FvVkRunner FvVkRunner;

/* Every physical device, or one entry that says why there is none; like fv_devices_list. */
int fv_vk_devices_list(FvDeviceInfo *devices, int capacity);

/* which: an index in that list, part of a name (case does not matter), or NULL for the first usable one, GPUs before software. Plans on one device share it. */
int fv_vk_device_open(const char *which, FvVkDevice **device, FvError *err);
void fv_vk_device_close(FvVkDevice **device);
const char *fv_vk_device_id(const FvVkDevice *device); /* "vulkan:0" */
const char *fv_vk_device_load_path(const FvVkDevice *device); /* "texel" or "storage": what the probe found faster to read through */

/* Can float tensors be fp16 in its memory? */
bool fv_vk_device_takes_half(const FvVkDevice *device);
bool fv_vk_device_is_software(const FvVkDevice *device); /* the CPU in another guise */

/* The first row that suits, or NULL. */
const FvVkKernel *fv_vk_select(const FvVkDevice *device, const FvKernelQuery *query);
const char *fv_vk_kernel_name(const FvVkKernel *kernel);

/* Where a step's tensor lies. */
typedef struct FvVkOperand {
  bool present;
  bool is_constant; /* tensor.data is set; else `offset` counts */
  int64_t offset;   /* bytes from the arena's start to the element with all indices 0 */
  FvTensor tensor;
} FvVkOperand;

typedef struct FvVkStep {
  const FvNode *node;
  const FvVkKernel *kernel;
  FvVkOperand *in, *out; /* node->input_count and output_count */
} FvVkStep;

typedef struct FvVkProgramParams {
  const FvVkStep *steps;
  int step_count;
  int64_t arena_bytes;
  const FvVkOperand *inputs, *outputs; /* of the graph; what is not present or constant is left alone */
  int input_count, output_count;
} FvVkProgramParams;

/* Packs and uploads weights, makes pipelines, orders dispatches. Borrows nothing from params, and keeps the device. */
int fv_vk_program_create(FvVkDevice *device, const FvVkProgramParams *params, FvVkProgram **program, FvError *err);
void fv_vk_program_destroy(FvVkProgram **program);
int64_t fv_vk_program_weight_bytes(const FvVkProgram *program);
int64_t fv_vk_program_frame_bytes(const FvVkProgram *program); /* of one frame of a runner */

enum { FV_VK_MAX_FRAMES = 4 };

/* Buffers and one recorded command buffer for each of `frames` (1 to FV_VK_MAX_FRAMES) frames in flight. The program must outlive the runner.
 * With `timed`, every step is followed by a time stamp. */
int fv_vk_runner_create(FvVkProgram *program, int frames, bool timed, FvVkRunner **runner, FvError *err);
void fv_vk_runner_destroy(FvVkRunner **runner);
/* Host memory of an input's or output's element with all indices 0; strides are those of the operand. NULL for constants. */
void *fv_vk_runner_input(const FvVkRunner *runner, int frame, int index);
void *fv_vk_runner_output(const FvVkRunner *runner, int frame, int index);
/* Starts a frame whose inputs are filled; they must stay until wait returns. */
int fv_vk_runner_submit(FvVkRunner *runner, int frame, FvError *err);
int fv_vk_runner_wait(FvVkRunner *runner, int frame, FvError *err);
/* Nanoseconds per step of a frame that was waited for; zeros when the device has no time stamps. */
void fv_vk_runner_times(const FvVkRunner *runner, int frame, uint64_t *step_ns);

#endif

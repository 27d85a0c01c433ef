/* The Vulkan back-end as sessions see it: devices, a table of kernels, programs (a plan for a device) and runners (one caller's buffers).
 *
 * libvulkan.so.1 is opened at run time. Where the build had no Vulkan headers or no GLSL compiler, stubs.c gives the same functions and every
 * device is absent, with the reason. Everything is thread-safe except a runner, which belongs to one thread at a time. Errors: FV_ERR_DEVICE when
 * there is no such device or it was lost, ran out of memory or did not answer in time; the process goes on and other devices are not touched. */
#ifndef FOVEA_VULKAN_VK_H
#define FOVEA_VULKAN_VK_H

#include <fovea/device.h>
#include <fovea/frame.h>
#include <fovea/plan.h>

#include "ir/locations.h"
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
bool fv_vk_device_imports_dma(const FvVkDevice *device);
const char *fv_vk_device_load_path(const FvVkDevice *device); /* "texel" or "storage": what the probe found faster to read through */

/* Can float tensors be fp16 in its memory? */
bool fv_vk_device_takes_half(const FvVkDevice *device);
bool fv_vk_device_computes_half(const FvVkDevice *device); /* …and does it compute with them as they are? */
bool fv_vk_device_is_software(const FvVkDevice *device); /* the CPU in another guise */

/* The first row that suits, or NULL. */
const FvVkKernel *fv_vk_select(const FvVkDevice *device, const FvKernelQuery *query);
/* Where there is none only because the device lacks a feature: that feature, in words. Else NULL. */
const char *fv_vk_select_missing(const FvVkDevice *device, const FvKernelQuery *query);
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

/* How steps compute whose floats are fp16: in fp32, in fp32 but for convolutions that were measured to be faster in fp16, or in fp16. */
typedef enum FvVkArithmetic { FV_VK_IN_FULL, FV_VK_AS_TUNED, FV_VK_IN_HALF } FvVkArithmetic;

typedef struct FvVkProgramParams {
  const FvVkStep *steps;
  int step_count;
  int64_t arena_bytes;
  const FvVkOperand *inputs, *outputs; /* of the graph; what is not present or constant is left alone */
  int input_count, output_count;
  FvVkArithmetic arithmetic;
  int way; /* in which convolutions are computed, from 1 on; 0: the best that is known */
} FvVkProgramParams;

/* Packs and uploads weights, makes pipelines, orders dispatches. Keeps the device; borrows nothing from params but nodes and
 * constants of steps that the host takes. */
int fv_vk_program_create(FvVkDevice *device, const FvVkProgramParams *params, FvVkProgram **program, FvError *err);
void fv_vk_program_destroy(FvVkProgram **program);
bool fv_vk_program_is_texel(const FvVkProgram *program); /* how it reaches memory */

/* Times the ways of every convolution among the steps, for programs that reach memory as `texel` says; those made from then on take the fastest. */
int fv_vk_tune(FvVkDevice *device, const FvVkProgramParams *params, bool texel, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err);
int64_t fv_vk_program_weight_bytes(const FvVkProgram *program);
int64_t fv_vk_program_frame_bytes(const FvVkProgram *program); /* of one frame of a runner… */
int64_t fv_vk_program_staging_bytes(const FvVkProgram *program); /* …and what of it lies between host and device */

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
/* How many rows (dims[0]) the output of a step has, where the host took it: its length depends on the data. -1 for all other steps. */
int64_t fv_vk_runner_rows(const FvVkRunner *runner, int frame, int step);

/* A group of a picture's components that are sampled together. Where in a row's bytes each output column's left sample lies, and how much the right one,
 * `step` bytes on, weighs; the same for lines and the row below. Tables are the caller's, read during the call. */
enum { FV_VK_MAX_SAMPLERS = 3 };
typedef struct FvVkSampler {
  int plane, row_bytes;
  int step, row_step; /* 0 in a plane of one column, or one row */
  int components, byte[3];
  const int32_t *column, *row;
  const float *column_weight, *row_weight;
} FvVkSampler;

/* How a picture becomes the first input: what shaders/frame.comp does. */
typedef struct FvVkPicture {
  int sampler_count;
  FvVkSampler samplers[FV_VK_MAX_SAMPLERS];
  int width, height;              /* of the input, pixels */
  int left, top, columns, lines;  /* the part that shows the picture; the rest is padding */
  int channels;                   /* 3 or 1, of the input */
  bool yuv, bgr;
  float gain, offset, red_v, green_u, green_v, blue_u;
  float mean[3], scale[3], pad[3];
  FvDtype dtype;                  /* f32, u8 or i8 */
  int64_t channel_stride, row_stride, column_stride; /* elements */
} FvVkPicture;
/* Makes a frame ready for pictures of one kind. FV_ERR_UNSUPPORTED when the device cannot take them. Allocates; the frame must not be in flight. */
int fv_vk_runner_set_picture(FvVkRunner *runner, int frame, const FvVkPicture *picture, FvError *err);
/* Takes a picture of the kind set, which must stay until wait returns, and makes the next submit convert it in place of the first input. Returns the bytes
 * that go to the device. Allocates only when memory is imported. FV_ERR_UNSUPPORTED when the picture lies in DMA buffers that cannot be. */
int64_t fv_vk_runner_load_picture(FvVkRunner *runner, int frame, const FvFrame *picture, FvError *err);

/* Gets a frame ready to list candidates among the locations of its outputs, and for this threshold to begin with. Once per frame of a runner;
 * FV_ERR_UNSUPPORTED when it cannot. */
int fv_vk_runner_locate(FvVkRunner *runner, int frame, const FvLocationGroup *groups, int count, float threshold, FvError *err);
/* Makes the next submit list the locations whose score may reach the threshold, in place of reading outputs back. */
int fv_vk_runner_choose(FvVkRunner *runner, int frame, float threshold, FvError *err);
/* After the wait: 1 when bits of chosen tell the locations whose values are now where fv_vk_runner_output says, 0 when there were too many and all
 * outputs are there instead. *bytes is what was read. */
int fv_vk_runner_chosen(FvVkRunner *runner, int frame, uint64_t *chosen, int64_t *bytes, FvError *err);

/* Nanoseconds per step of a frame that was waited for; zeros when the device has no time stamps. */
void fv_vk_runner_times(const FvVkRunner *runner, int frame, uint64_t *step_ns);

#endif

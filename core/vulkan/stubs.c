/* The back-end where the build had no Vulkan headers or no GLSL compiler: the same functions, no device. */
#include <stdio.h>
#include <string.h>

#include "vulkan/chain.h"
#include "vulkan/vk.h"

static const char reason[] = "this build has no Vulkan back-end: it needs the packages libvulkan-dev and glslang-tools";

int fv_vk_devices_list(FvDeviceInfo *devices, int capacity) {
  if (capacity > 0) {
    devices[0] = (FvDeviceInfo){.id = "vulkan", .name = "Vulkan"};
    snprintf(devices[0].reason, sizeof devices[0].reason, "%s", reason);
  }
  return 1;
}

int fv_vk_device_open(const char *which, FvVkDevice **device, FvError *err) {
  (void)which;
  *device = NULL;
  return fv_error_set(err, FV_ERR_DEVICE, "device 'vulkan': %s", reason);
}

void fv_vk_device_close(FvVkDevice **device) { (void)device; }
const char *fv_vk_device_id(const FvVkDevice *device) { return (void)device, "vulkan"; }
bool fv_vk_device_imports_dma(const FvVkDevice *device) { return (void)device, false; }
const char *fv_vk_device_load_path(const FvVkDevice *device) { return (void)device, "none"; }
bool fv_vk_device_takes_half(const FvVkDevice *device) { return device != NULL; }
bool fv_vk_device_computes_half(const FvVkDevice *device) { return device != NULL; }
bool fv_vk_device_is_software(const FvVkDevice *device) { return device == NULL; }
const FvVkKernel *fv_vk_select(const FvVkDevice *device, const FvKernelQuery *query) { return (void)device, (void)query, NULL; }
const char *fv_vk_select_missing(const FvVkDevice *device, const FvKernelQuery *query) { return (void)device, (void)query, NULL; }
const char *fv_vk_kernel_name(const FvVkKernel *kernel) { return (void)kernel, "none"; }

int fv_vk_program_create(FvVkDevice *device, const FvVkProgramParams *params, FvVkProgram **program, FvError *err) {
  (void)device, (void)params;
  *program = NULL;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}

void fv_vk_program_destroy(FvVkProgram **program) { (void)program; }
bool fv_vk_program_is_texel(const FvVkProgram *program) { return program != NULL; }
int fv_vk_tune(FvVkDevice *device, const FvVkProgramParams *params, bool texel, FvTuneFn tell, void *data, FvTuning *tuning, FvError *err) {
  (void)device, (void)params, (void)texel, (void)tell, (void)data, (void)tuning;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}
int64_t fv_vk_program_weight_bytes(const FvVkProgram *program) { return (void)program, 0; }
int64_t fv_vk_program_frame_bytes(const FvVkProgram *program) { return (void)program, 0; }
int64_t fv_vk_program_staging_bytes(const FvVkProgram *program) { return (void)program, 0; }

int fv_vk_runner_create(FvVkProgram *program, int frames, bool timed, FvVkRunner **runner, FvError *err) {
  (void)program, (void)frames, (void)timed;
  *runner = NULL;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}

void fv_vk_runner_destroy(FvVkRunner **runner) { (void)runner; }
void *fv_vk_runner_input(const FvVkRunner *runner, int frame, int index) { return (void)runner, (void)frame, (void)index, NULL; }
void *fv_vk_runner_output(const FvVkRunner *runner, int frame, int index) { return (void)runner, (void)frame, (void)index, NULL; }
int fv_vk_runner_submit(FvVkRunner *runner, int frame, FvError *err) { return (void)runner, (void)frame, fv_error_set(err, FV_ERR_DEVICE, "%s", reason); }
int fv_vk_runner_wait(FvVkRunner *runner, int frame, FvError *err) { return (void)runner, (void)frame, fv_error_set(err, FV_ERR_DEVICE, "%s", reason); }
int fv_vk_runner_set_picture(FvVkRunner *runner, int frame, const FvVkPicture *picture, FvError *err) {
  (void)runner, (void)frame, (void)picture;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}
int64_t fv_vk_runner_load_picture(FvVkRunner *runner, int frame, const FvFrame *picture, FvError *err) {
  (void)runner, (void)frame, (void)picture;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}
int fv_vk_runner_locate(FvVkRunner *runner, int frame, const FvLocationGroup *groups, int count, float threshold, FvError *err) {
  (void)runner, (void)frame, (void)groups, (void)count, (void)threshold;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}
int fv_vk_runner_choose(FvVkRunner *runner, int frame, float threshold, FvError *err) {
  (void)runner, (void)frame, (void)threshold;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}
int fv_vk_runner_chosen(FvVkRunner *runner, int frame, uint64_t *chosen, int64_t *bytes, FvError *err) {
  (void)runner, (void)frame, (void)chosen, (void)bytes;
  return fv_error_set(err, FV_ERR_DEVICE, "%s", reason);
}
int64_t fv_vk_runner_rows(const FvVkRunner *runner, int frame, int step) { return (void)runner, (void)frame, (void)step, -1; }
void fv_vk_runner_times(const FvVkRunner *runner, int frame, uint64_t *step_ns) { (void)runner, (void)frame, (void)step_ns; }

const FvOp fv_vk_chain_op = {.name = "Chain", .domain = "fovea", .kind = FV_OP_OTHER};
bool fv_vk_chain_takes(const FvVkKernel *kernel, const FvNode *node, FvVkChainOperation *operation) { return (void)kernel, (void)node, (void)operation, false; }
const FvVkKernel *fv_vk_chain_kernel(const FvVkChain *chain, const FvTensor *y, const FvTensor *const *inputs, int count) {
  return (void)chain, (void)y, (void)inputs, (void)count, NULL;
}

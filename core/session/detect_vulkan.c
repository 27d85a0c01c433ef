/* Detection on a Vulkan device: what of it becomes part of the submission. */
#include <stdlib.h>
#include <string.h>

#include "session/vulkan_internal.h"

_Static_assert((int)FV_VK_MAX_SAMPLERS == (int)FV_MAX_SAMPLERS, "a picture has as many samplers here as there");

static FvVkSampler sampler_of(const FvFrame *frame, const FvPlaneSampler *from) {
  const FvRowSampler *across = &from->across;
  return (FvVkSampler){
    .plane = from->plane, .row_bytes = fv_format_row_bytes(frame->format, from->plane, frame->width), .step = across->step, .row_step = from->row_step,
    .components = across->components, .byte = {across->byte[0], across->byte[1], across->byte[2]},
    .column = across->offset, .column_weight = across->weight, .row = from->row, .row_weight = from->row_weight,
  };
}

FvVkPicture fv_vulkan_picture(const FvFrame *frame, const FvPreprocess *wanted, const FvTensor *input, const FvSampling *sampling) {
  const FvRowMix *mix = &sampling->mix;
  FvVkPicture picture = {
    .sampler_count = sampling->sampler_count, .width = wanted->width, .height = wanted->height, .left = sampling->target.x, .top = sampling->target.y,
    .columns = sampling->target.width, .lines = sampling->target.height, .channels = mix->channels, .yuv = mix->yuv, .bgr = mix->order[0] == 2,
    .gain = mix->gain, .offset = mix->offset, .red_v = mix->red_v, .green_u = mix->green_u, .green_v = mix->green_v, .blue_u = mix->blue_u,
    .dtype = input->dtype, .channel_stride = sampling->channel_stride, .row_stride = sampling->row_stride, .column_stride = sampling->column_stride,
  };
  for (int s = 0; s < sampling->sampler_count; s++) picture.samplers[s] = sampler_of(frame, &sampling->samplers[s]);
  memcpy(picture.mean, mix->mean, sizeof picture.mean);
  memcpy(picture.scale, mix->scale, sizeof picture.scale);
  memcpy(picture.pad, sampling->pad, sizeof picture.pad);
  return picture;
}

/* Tables, commands and perhaps memory, when the frame is not like the last one. */
static int make_ready(FvSession *session, const FvFrame *frame, const FvSampling *sampling, FvError *err) {
  VulkanSession *state = session->state;
  if (state->has_picture && state->picture_generation == sampling->generation && state->picture_matrix == frame->matrix && state->picture_range == frame->range) return 0;
  FvVkPicture picture = fv_vulkan_picture(frame, &fv_model_description(session->plan->model)->preprocess, fv_session_input(session, 0), sampling);
  state->has_picture = false;
  int result = fv_vk_runner_set_picture(state->runner, 0, &picture, err);
  if (result < 0 && result != FV_ERR_UNSUPPORTED) return result;
  state->has_picture = true;
  state->refuses_picture = result == FV_ERR_UNSUPPORTED;
  state->picture_generation = sampling->generation;
  state->picture_matrix = frame->matrix;
  state->picture_range = frame->range;
  return 0;
}

int fv_vulkan_frame_in(FvSession *session, const FvFrame *frame, FvFrameMap *map, FvError *err) {
  VulkanSession *state = session->state;
  FvSampling sampling;
  int result = fv_preprocessor_sampling(session->preprocessor, frame, fv_session_input(session, 0), &sampling, map, err);
  if (result == 0) result = make_ready(session, frame, &sampling, err);
  if (result < 0 || state->refuses_picture) return result;
  int64_t bytes = fv_vk_runner_load_picture(state->runner, 0, frame, err);
  if (bytes < 0) return (int)bytes;
  state->taken_bytes = (uint64_t)bytes;
  return 1;
}

int fv_vulkan_locate(FvSession *session, FvError *err) {
  VulkanSession *state = session->state;
  int count;
  const FvLocationGroup *groups = fv_detector_locations(session->detector, &count);
  float threshold = fv_model_description(session->plan->model)->threshold;
  int result = count ? fv_vk_runner_locate(state->runner, 0, groups, count, threshold, err) : FV_ERR_UNSUPPORTED;
  if (result == FV_ERR_UNSUPPORTED || result == FV_ERR_LIMIT) return 0; /* outputs are read whole */
  if (result < 0) return result;
  size_t total = (size_t)(groups[count - 1].first + fv_location_count(&groups[count - 1]));
  session->chosen = calloc(total / 64 + 1, sizeof *session->chosen);
  return session->chosen ? 0 : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
}

int fv_vulkan_run_chosen(FvSession *session, float threshold, FvError *err) {
  VulkanSession *state = session->state;
  int64_t bytes = 0;
  session->traffic = (FvTraffic){.uploaded_bytes = fv_vulkan_uploaded(session)};
  int result = fv_vk_runner_choose(state->runner, 0, threshold, err);
  if (result == 0) result = fv_vulkan_run(session, err);
  if (result == 0) result = fv_vk_runner_chosen(state->runner, 0, session->chosen, &bytes, err);
  session->traffic.read_bytes = (uint64_t)bytes;
  return result;
}

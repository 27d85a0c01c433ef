#include <stdlib.h>

#include "session/session_internal.h"

static int bind_detector(FvSession *session, const FvDescription *description, FvError *err) {
  int count = fv_session_output_count(session);
  const char **names = calloc((size_t)count + 1, sizeof *names);
  session->head_outputs = calloc((size_t)count + 1, sizeof *session->head_outputs);
  if (!names || !session->head_outputs) {
    free(names);
    return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  }
  for (int i = 0; i < count; i++) {
    names[i] = fv_session_output_name(session, i);
    session->head_outputs[i] = fv_session_output(session, i);
  }
  int result = fv_detector_create(description, names, session->head_outputs, count, &session->detector, err);
  free(names);
  return result;
}

int fv_session_init_detection(FvSession *session, FvError *err) {
  const FvDescription *description = fv_model_description(session->plan->model);
  if (description->family == FV_FAMILY_NONE) {
    fv_error_set(&session->no_detection, FV_ERR_CONFIG, "%s", fv_model_describe_error(session->plan->model));
    return 0;
  }
  FvError *why = &session->no_detection;
  int result = 0;
  if (fv_session_input_count(session) != 1 || !fv_session_input(session, 0))
    result = fv_error_set(why, FV_ERR_CONFIG, "the model has %d inputs; detection needs one, the picture", fv_session_input_count(session));
  if (result == 0) result = fv_preprocessor_create(&description->preprocess, &session->preprocessor, why);
  if (result == 0) result = bind_detector(session, description, why);
  if (result == FV_ERR_NO_MEMORY) return fv_error_set(err, result, "out of memory");
  if (result == 0 && session->plan->backend->locate) return session->plan->backend->locate(session, err);
  return 0;
}

void fv_session_finish_detection(FvSession *session) {
  fv_detector_destroy(&session->detector);
  fv_preprocessor_destroy(&session->preprocessor);
  free(session->head_outputs);
  free(session->chosen);
}

static float or_default(float given, float fallback) { return given > 0 ? given : fallback; }

static int check_params(const FvDetectParams *params, FvError *err) {
  if (!(params->threshold >= 0 && params->threshold <= 1) || !(params->iou_threshold >= 0 && params->iou_threshold <= 1))
    return fv_error_set(err, FV_ERR_INVALID, "thresholds must lie between 0 and 1");
  if (params->max_detections < 0) return fv_error_set(err, FV_ERR_INVALID, "max_detections must not be negative");
  return 0;
}

/* The device takes the frame as it is, or the host fills the input. */
static int frame_in(FvSession *session, const FvFrame *frame, FvFrameMap *map, FvError *err) {
  const FvBackend *backend = session->plan->backend;
  int taken = backend->frame_in ? backend->frame_in(session, frame, map, err) : 0;
  if (taken != 0) return taken < 0 ? taken : 0;
  return fv_preprocessor_run(session->preprocessor, frame, fv_session_input(session, 0), session->plan->threads, map, err);
}

/* Sets decode->chosen when only some outputs came back. */
static int run(FvSession *session, FvDecodeParams *decode, FvError *err) {
  int chosen = session->chosen ? session->plan->backend->run_chosen(session, decode->threshold, err) : fv_session_run(session, err);
  if (chosen > 0) decode->chosen = session->chosen;
  return chosen < 0 ? chosen : 0;
}

int fv_session_detect(FvSession *session, const FvFrame *frame, const FvDetectParams *params, FvDetection *found, int capacity, FvError *err) {
  static const FvDetectParams defaults;
  if (!params) params = &defaults;
  if (!session->detector) return fv_error_set(err, session->no_detection.code, "%s", session->no_detection.message);
  int result = check_params(params, err);
  if (result < 0) return result;
  const FvDescription *description = fv_model_description(session->plan->model);
  FvDecodeParams decode = {
    .threshold = or_default(params->threshold, description->threshold), .iou_threshold = or_default(params->iou_threshold, description->iou_threshold),
    .frame_width = frame->width, .frame_height = frame->height,
  };
  uint64_t start = fv_session_now();
  result = frame_in(session, frame, &decode.map, err);
  if (result < 0) return result;
  uint64_t prepared = fv_session_now();
  result = run(session, &decode, err);
  if (result < 0) return result;
  uint64_t inferred = fv_session_now();
  if (params->max_detections && params->max_detections < capacity) capacity = params->max_detections;
  int count = fv_detector_decode(session->detector, session->head_outputs, &decode, found, capacity);
  session->timing = (FvTiming){prepared - start, inferred - prepared, fv_session_now() - inferred};
  return count;
}

bool fv_session_imports_dma(const FvSession *session) {
  const FvBackend *backend = session->plan->backend;
  return session->detector && backend->imports_dma && backend->imports_dma(session);
}

FvTraffic fv_session_traffic(const FvSession *session) { return session->traffic; }
FvTiming fv_session_timing(const FvSession *session) { return session->timing; }

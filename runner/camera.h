/* One supervised camera: its GstPipeline is built, watched, and built anew after an error where the source may come back. Cameras share
 * nothing, so one that hangs or fails does not touch another.
 *
 * All functions, and the state callback, belong to the thread that runs `context`. on_record comes from a streaming thread. */
#ifndef FOVEA_RUNNER_CAMERA_H
#define FOVEA_RUNNER_CAMERA_H

#include <gst/gst.h>

#include "config.h"
#include <fovea/pipeline.h>

typedef struct FvCamera FvCamera;

typedef struct FvCameraEvents {
  void (*on_state)(FvCamera *camera, FoveaCameraState state, const char *message, void *user);
  void (*on_record)(FvCamera *camera, GstClockTime timestamp, const char *json, void *user);
  /* From a streaming thread: whether anybody wants records now. */
  gboolean (*wants_records)(void *user);
  void *user;
} FvCameraEvents;

/* config stays with the caller. A NULL camera config means the raw pipeline. */
FvCamera *fv_camera_new(const FvConfig *config, const FvCameraConfig *camera, const FvCameraEvents *events);
void fv_camera_free(FvCamera *camera); /* stopped before */
const char *fv_camera_name(const FvCamera *camera);
FoveaCameraState fv_camera_state(const FvCamera *camera);
/* True when the source cannot wait: a network camera or a device. Any thread. */
bool fv_camera_is_live(const FvCamera *camera);
/* The elements as gst-launch text; problems as fv_build_pipeline() finds them. Free with g_free(). */
char *fv_camera_check(FvCamera *camera, FvProblems *problems);

/* Forgets how an earlier run ended. */
void fv_camera_reset(FvCamera *camera);
void fv_camera_start(FvCamera *camera, GMainContext *context);
/* First asks the pipeline to end; then waits until files are complete, and lets go of it, at most until the monotonic time deadline (µs). */
void fv_camera_end(FvCamera *camera);
void fv_camera_stop(FvCamera *camera, gint64 deadline);

#endif

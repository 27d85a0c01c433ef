/* One supervised camera: its GstPipeline is built, watched, and built anew where something fails that its source cannot heal by itself. Cameras share
 * nothing, so one that hangs or fails does not touch another.
 *
 * All functions, and the callbacks, belong to the thread that runs `context`; on_record and wants_records come from a streaming thread. */
#ifndef FOVEA_RUNNER_CAMERA_H
#define FOVEA_RUNNER_CAMERA_H

#include <gst/gst.h>

#include "change.h"
#include "config.h"
#include <fovea/pipeline.h>

#define FV_SILENCE_US (120 * G_USEC_PER_SEC) /* a source that neither gives frames nor says that it tries is stuck after this long */

typedef struct FvCamera FvCamera;

typedef struct FvCameraEvents {
  void (*on_state)(FvCamera *camera, FoveaCameraState state, const char *message, void *user);
  /* Something a person should know that changes no state: a warning, an output that lost its network. */
  void (*on_notice)(FvCamera *camera, const char *message, void *user);
  void (*on_record)(FvCamera *camera, GstClockTime timestamp, const char *json, void *user);
  /* From a streaming thread: whether anybody wants records now. */
  gboolean (*wants_records)(void *user);
  /* What fv_camera_retire() began is done; the camera may be freed. */
  void (*on_retired)(FvCamera *camera, void *user);
  void *user;
} FvCameraEvents;

/* Takes references on config, which holds camera. A NULL camera config means the raw pipeline. */
FvCamera *fv_camera_new(FvConfig *config, const FvCameraConfig *camera, const FvCameraEvents *events);
void fv_camera_free(FvCamera *camera); /* stopped or retired before */
const char *fv_camera_name(const FvCamera *camera); /* any thread */
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

/* --- Changing configurations ------------------------------------------------------------------------------------- */

/* What it takes for camera to become what `other`, which was not started, describes. */
FvChange fv_camera_compare(FvCamera *camera, FvCamera *other);
/* Where that is not FV_CHANGE_REBUILD: takes other's configuration, and changes properties of the running elements. */
void fv_camera_adopt(FvCamera *camera, const FvCamera *other);
/* camera, not started yet, takes the place of one that runs: its files go on where that one's end. */
void fv_camera_succeed(FvCamera *camera, const FvCamera *before);
/* Ends and stops without waiting; on_retired follows, at the latest about two seconds after deadline. */
void fv_camera_retire(FvCamera *camera, gint64 deadline);

/* --- Watching ---------------------------------------------------------------------------------------------------- */

/* Call about once a second with the monotonic time in µs: counts frames, and builds a camera anew through which nothing gets any more. */
void fv_camera_tick(FvCamera *camera, gint64 now);
/* FALSE when a camera that should run has given no sign of life for far longer than building it anew takes. */
gboolean fv_camera_is_healthy(const FvCamera *camera, gint64 now);
/* Appends what fovea_pipeline_dup_status() says about it. */
void fv_camera_append_status(const FvCamera *camera, GString *json);
/* Borrowed while the camera runs, else NULL: for tests. */
GstElement *fv_camera_pipeline(const FvCamera *camera);

#endif

/* A camera of the configuration as a chain of elements. */
#ifndef FOVEA_RUNNER_COMPOSE_H
#define FOVEA_RUNNER_COMPOSE_H

#include "chain.h"
#include "config.h"

/* Names of a camera's elements. */
#define FV_SOURCE_NAME "source"           /* foveasrc */
#define FV_DETECT_NAME "detect"           /* foveadetect */
#define FV_OUTPUT_NAME_PREFIX "output-"   /* before an output's name: foveapublish, foveaclips, foveaspool */

/* attempt counts restarts: recordings of a later attempt get "-N" before the ending, so that none is overwritten. */
GPtrArray *fv_compose_camera(const FvConfig *config, const FvCameraConfig *camera, int attempt, FvProblems *problems);

/* True for sources that may come back after an end or an error. */
bool fv_compose_is_live(const FvCameraConfig *camera);

/* The pieces, for programs that build a chain of their own. */
void fv_compose_file_source(GPtrArray *chain, const char *path, FvPlace place);
/* videoconvert, encoder, muxer by the ending of path, filesink. bitrate in kbit/s, 0: constant quality. */
void fv_compose_recording(GPtrArray *chain, const char *path, FvCodec codec, int bitrate, FvPlace place, FvProblems *problems);
/* True when path's ending names a container that is written. */
bool fv_compose_can_record(const char *path);

#endif

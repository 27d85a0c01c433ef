/* One run of a pipeline, which can be let go of without waiting for it.
 *
 * Opening a device, a pipe or a file on a dead network disk may take for ever, and holds the locks of its pipeline meanwhile. So states are changed
 * on threads of GStreamer's, and whoever lets go of an attempt decides how long to wait; an abandoned one ends by itself, if ever, and calls nobody. */
#ifndef FOVEA_RUNNER_ATTEMPT_H
#define FOVEA_RUNNER_ATTEMPT_H

#include <gst/gst.h>

typedef struct FvAttempt FvAttempt;

/* From a streaming thread, for every buffer that leaves a foveadetect. */
typedef void (*FvBufferFn)(GstPad *pad, GstBuffer *buffer, gpointer user);

/* Takes the (floating) pipeline. */
FvAttempt *fv_attempt_new(GstElement *pipeline, FvBufferFn on_buffer, gpointer user);
GstElement *fv_attempt_pipeline(const FvAttempt *attempt); /* borrowed */
void fv_attempt_play(FvAttempt *attempt);
/* Sends the end of the stream; FALSE when no stream runs. */
gboolean fv_attempt_end(FvAttempt *attempt);
/* After fv_attempt_end(): waits for the end to arrive at the other side, or an error, at most until deadline (monotonic µs). */
void fv_attempt_wait_end(FvAttempt *attempt, gint64 deadline);
/* Begins to stop. When this returns, on_buffer is not running and is not called again. */
void fv_attempt_begin_stop(FvAttempt *attempt);
gboolean fv_attempt_is_stopped(FvAttempt *attempt);
/* Stops, frees and clears *attempt, waiting for the stop at most until deadline; TRUE when it has stopped. As to on_buffer the same, whatever the result. */
gboolean fv_attempt_release(FvAttempt **attempt, gint64 deadline);

#endif

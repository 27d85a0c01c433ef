/* What the files of the public object share. */
#ifndef FOVEA_RUNNER_PIPELINE_PRIVATE_H
#define FOVEA_RUNNER_PIPELINE_PRIVATE_H

#include <gst/gst.h>

#include "camera.h"
#include "config.h"
#include <fovea/pipeline.h>

/**
 * FoveaPipeline:
 *
 * The cameras of a YAML file (docs/pipelines.md), or its raw pipeline under the name "pipeline". Each camera has a GStreamer pipeline of
 * its own: one that fails leaves the others running.
 */
struct _FoveaPipeline {
  GObject parent;
  char *path; /* of the file; NULL when made from data */
  FvConfig *config;
  GPtrArray *cameras;  /* of FvCamera */
  GPtrArray *retiring; /* of FvCamera that left the configuration and have not ended yet */
  GPtrArray *waiting;  /* of FvCamera in `cameras`, borrowed: start when nothing retires any more */
  FoveaPipelineState state;
  GMainContext *context; /* while running */
  GSource *tick;
  gint64 started_at;     /* monotonic µs */
  guint drain_ms;

  GMutex lock; /* of all below: streaming threads put records in, the context's thread takes them out */
  GCond room;
  GQueue records;
  GSource *delivery; /* attached while records wait */
  gboolean stopping;
  guint64 dropped;
};

/* Every camera of config, none started. */
GPtrArray *fv_pipeline_make_cameras(FoveaPipeline *self, FvConfig *config);
/* Emits detections for the records that wait. */
void fv_pipeline_deliver(FoveaPipeline *self);
void fv_pipeline_tell_state(FoveaPipeline *self, const char *camera, FoveaCameraState state, const char *message);
void fv_pipeline_set_state(FoveaPipeline *self, FoveaPipelineState state);
/* Finished, when every camera is done. */
void fv_pipeline_settle(FoveaPipeline *self);
void fv_pipeline_set_error(GError **error, const FvProblems *problems);

/* reload.c */
void fv_pipeline_on_retired(FvCamera *camera, void *user);

#endif

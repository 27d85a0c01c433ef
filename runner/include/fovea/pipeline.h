/* libfovea-pipeline: a YAML file as running cameras.
 *
 *   g_autoptr(FoveaPipeline) pipeline = fovea_pipeline_new_from_file("cameras.yaml", &error);
 *   g_signal_connect(pipeline, "detections", G_CALLBACK(on_detections), NULL);
 *   fovea_pipeline_start(pipeline, &error);
 *   g_main_loop_run(loop);
 *
 * Threads. An object belongs to one thread: the one that calls fovea_pipeline_start(), whose thread-default main context must run while the
 * pipeline does. Every signal is emitted there. Different objects may live on different threads. GStreamer is initialised on first use.
 * Ownership. Constructors give a new reference. Dropping the last one stops the pipeline as fovea_pipeline_stop() does. */
#ifndef FOVEA_PIPELINE_H
#define FOVEA_PIPELINE_H

#include <glib-object.h>

G_BEGIN_DECLS

#ifdef __GI_SCANNER__
#define FOVEA_PIPELINE_API extern
#else
#define FOVEA_PIPELINE_API __attribute__((visibility("default"))) extern
#endif

/**
 * FoveaCameraState:
 * @FOVEA_CAMERA_STOPPED: not started, or stopped by the program
 * @FOVEA_CAMERA_STARTING: the source is being opened and the model loaded
 * @FOVEA_CAMERA_RUNNING: frames flow
 * @FOVEA_CAMERA_RETRYING: the source failed or ended; another attempt follows
 * @FOVEA_CAMERA_FINISHED: the file came to its end
 * @FOVEA_CAMERA_FAILED: an error that no attempt can mend; the message says which
 *
 * What a camera is doing.
 */
typedef enum {
  FOVEA_CAMERA_STOPPED,
  FOVEA_CAMERA_STARTING,
  FOVEA_CAMERA_RUNNING,
  FOVEA_CAMERA_RETRYING,
  FOVEA_CAMERA_FINISHED,
  FOVEA_CAMERA_FAILED
} FoveaCameraState;

#define FOVEA_TYPE_CAMERA_STATE (fovea_camera_state_get_type())
FOVEA_PIPELINE_API GType fovea_camera_state_get_type(void) G_GNUC_CONST;

/**
 * FoveaPipelineState:
 * @FOVEA_PIPELINE_STOPPED: not started, or stopped by the program
 * @FOVEA_PIPELINE_RUNNING: at least one camera runs or will
 * @FOVEA_PIPELINE_FINISHED: every camera has finished or failed
 *
 * What a pipeline is doing as a whole.
 */
typedef enum {
  FOVEA_PIPELINE_STOPPED,
  FOVEA_PIPELINE_RUNNING,
  FOVEA_PIPELINE_FINISHED
} FoveaPipelineState;

#define FOVEA_TYPE_PIPELINE_STATE (fovea_pipeline_state_get_type())
FOVEA_PIPELINE_API GType fovea_pipeline_state_get_type(void) G_GNUC_CONST;

/**
 * FoveaPipelineError:
 * @FOVEA_PIPELINE_ERROR_CONFIG: the file cannot be read or something in it is wrong; the message has one line per problem, `FILE:line:col: error: …`
 * @FOVEA_PIPELINE_ERROR_STATE: the call does not fit the state, as starting what runs
 *
 * Codes of the domain %FOVEA_PIPELINE_ERROR.
 */
typedef enum {
  FOVEA_PIPELINE_ERROR_CONFIG,
  FOVEA_PIPELINE_ERROR_STATE
} FoveaPipelineError;

#define FOVEA_PIPELINE_ERROR (fovea_pipeline_error_quark())
FOVEA_PIPELINE_API GQuark fovea_pipeline_error_quark(void);

#define FOVEA_TYPE_PIPELINE (fovea_pipeline_get_type())
FOVEA_PIPELINE_API GType fovea_pipeline_get_type(void);
typedef struct _FoveaPipeline FoveaPipeline;
typedef struct { GObjectClass parent_class; } FoveaPipelineClass;
#define FOVEA_PIPELINE(object) (G_TYPE_CHECK_INSTANCE_CAST((object), FOVEA_TYPE_PIPELINE, FoveaPipeline))
#define FOVEA_IS_PIPELINE(object) (G_TYPE_CHECK_INSTANCE_TYPE((object), FOVEA_TYPE_PIPELINE))
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FoveaPipeline, g_object_unref)

FOVEA_PIPELINE_API FoveaPipeline *fovea_pipeline_new_from_file(const gchar *path, GError **error);
FOVEA_PIPELINE_API FoveaPipeline *fovea_pipeline_new_from_data(const gchar *data, gssize length, const gchar *name, GError **error);

FOVEA_PIPELINE_API gboolean fovea_pipeline_start(FoveaPipeline *self, GError **error);
FOVEA_PIPELINE_API void fovea_pipeline_stop(FoveaPipeline *self);
FOVEA_PIPELINE_API gboolean fovea_pipeline_is_running(FoveaPipeline *self);
FOVEA_PIPELINE_API FoveaPipelineState fovea_pipeline_get_state(FoveaPipeline *self);

FOVEA_PIPELINE_API gchar **fovea_pipeline_list_cameras(FoveaPipeline *self);
FOVEA_PIPELINE_API FoveaCameraState fovea_pipeline_get_camera_state(FoveaPipeline *self, const gchar *camera);
FOVEA_PIPELINE_API gchar *fovea_pipeline_dup_launch_text(FoveaPipeline *self, const gchar *camera);

FOVEA_PIPELINE_API gboolean fovea_pipeline_reload(FoveaPipeline *self, GError **error);
FOVEA_PIPELINE_API gboolean fovea_pipeline_reload_from_data(FoveaPipeline *self, const gchar *data, gssize length, GError **error);

FOVEA_PIPELINE_API gchar *fovea_pipeline_dup_status(FoveaPipeline *self);
FOVEA_PIPELINE_API gboolean fovea_pipeline_is_healthy(FoveaPipeline *self);

FOVEA_PIPELINE_API gchar **fovea_pipeline_check_file(const gchar *path);

G_END_DECLS
#endif

#include "pipeline-private.h"

#include <string.h>

#include "check.h"
#include "common/json.h"
#include "elements.h"
#include "status.h"

#define MAX_QUEUED_RECORDS 1024
#define ROOM_WAIT_US G_USEC_PER_SEC /* a file's records wait this long for a slow program before the oldest is dropped */
#define DEFAULT_DRAIN_MS 10000

typedef struct Record {
  FvCamera *camera;
  GstClockTime timestamp;
  char *json;
} Record;

enum { PROP_STATE = 1, PROP_DROPPED_RECORDS, PROP_DRAIN_TIMEOUT, PROP_COUNT };
static GParamSpec *properties[PROP_COUNT];
enum { SIGNAL_DETECTIONS, SIGNAL_STATE_CHANGED, SIGNAL_NOTICE, SIGNAL_FINISHED, SIGNAL_COUNT };
static guint signals[SIGNAL_COUNT];

G_DEFINE_TYPE(FoveaPipeline, fovea_pipeline, G_TYPE_OBJECT)
G_DEFINE_QUARK(fovea-pipeline-error-quark, fovea_pipeline_error)

#define ENUM_TYPE(TypeName, type_name, ...)                                                    \
  GType type_name##_get_type(void) {                                                           \
    static gsize type = 0;                                                                     \
    if (g_once_init_enter(&type)) {                                                            \
      static const GEnumValue values[] = {__VA_ARGS__, {0, NULL, NULL}};                       \
      g_once_init_leave(&type, g_enum_register_static(g_intern_static_string(#TypeName), values)); \
    }                                                                                          \
    return type;                                                                               \
  }
ENUM_TYPE(FoveaCameraState, fovea_camera_state, {FOVEA_CAMERA_STOPPED, "FOVEA_CAMERA_STOPPED", "stopped"},
          {FOVEA_CAMERA_STARTING, "FOVEA_CAMERA_STARTING", "starting"}, {FOVEA_CAMERA_RUNNING, "FOVEA_CAMERA_RUNNING", "running"},
          {FOVEA_CAMERA_RETRYING, "FOVEA_CAMERA_RETRYING", "retrying"}, {FOVEA_CAMERA_FINISHED, "FOVEA_CAMERA_FINISHED", "finished"},
          {FOVEA_CAMERA_FAILED, "FOVEA_CAMERA_FAILED", "failed"})
ENUM_TYPE(FoveaPipelineState, fovea_pipeline_state, {FOVEA_PIPELINE_STOPPED, "FOVEA_PIPELINE_STOPPED", "stopped"},
          {FOVEA_PIPELINE_RUNNING, "FOVEA_PIPELINE_RUNNING", "running"}, {FOVEA_PIPELINE_FINISHED, "FOVEA_PIPELINE_FINISHED", "finished"})

/* --- Records, from streaming threads to the context -------------------------------------------------------------- */

static void record_free(gpointer data) {
  Record *record = data;
  g_free(record->json);
  g_free(record);
}

static Record *next_record(FoveaPipeline *self) {
  g_mutex_lock(&self->lock);
  Record *record = g_queue_pop_head(&self->records);
  if (record == NULL && self->delivery != NULL) {
    g_source_destroy(self->delivery);
    g_clear_pointer(&self->delivery, g_source_unref);
  }
  g_cond_broadcast(&self->room);
  g_mutex_unlock(&self->lock);
  return record;
}

void fv_pipeline_deliver(FoveaPipeline *self) {
  Record *record;
  while ((record = next_record(self)) != NULL) {
    g_signal_emit(self, signals[SIGNAL_DETECTIONS], 0, fv_camera_name(record->camera), (guint64)record->timestamp, record->json);
    record_free(record);
  }
}

static gboolean on_delivery(gpointer user) {
  FoveaPipeline *self = g_object_ref(user);
  fv_pipeline_deliver(self);
  g_object_unref(self);
  return G_SOURCE_CONTINUE; /* next_record() has destroyed the source */
}

static void on_record(FvCamera *camera, GstClockTime timestamp, const char *json, gpointer user) {
  FoveaPipeline *self = user;
  g_mutex_lock(&self->lock);
  gint64 deadline = g_get_monotonic_time() + ROOM_WAIT_US;
  while (self->records.length >= MAX_QUEUED_RECORDS && !self->stopping && !fv_camera_is_live(camera) &&
         g_cond_wait_until(&self->room, &self->lock, deadline)) {}
  if (self->records.length >= MAX_QUEUED_RECORDS) {
    record_free(g_queue_pop_head(&self->records));
    self->dropped++;
  }
  Record *record = g_new(Record, 1);
  *record = (Record){camera, timestamp, g_strdup(json)};
  g_queue_push_tail(&self->records, record);
  if (self->delivery == NULL) {
    self->delivery = g_idle_source_new();
    g_source_set_priority(self->delivery, G_PRIORITY_DEFAULT);
    g_source_set_callback(self->delivery, on_delivery, self, NULL);
    g_source_attach(self->delivery, self->context);
  }
  g_mutex_unlock(&self->lock);
}

static gboolean wants_records(gpointer user) { return g_signal_has_handler_pending(user, signals[SIGNAL_DETECTIONS], 0, TRUE); }

/* --- States ------------------------------------------------------------------------------------------------------ */

void fv_pipeline_set_state(FoveaPipeline *self, FoveaPipelineState state) {
  if (self->state == state) return;
  self->state = state;
  g_object_notify_by_pspec(G_OBJECT(self), properties[PROP_STATE]);
}

static gboolean all_done(FoveaPipeline *self) {
  for (guint i = 0; i < self->cameras->len; i++) {
    FoveaCameraState state = fv_camera_state(g_ptr_array_index(self->cameras, i));
    if (state != FOVEA_CAMERA_FINISHED && state != FOVEA_CAMERA_FAILED) return FALSE;
  }
  return self->retiring->len == 0;
}

void fv_pipeline_settle(FoveaPipeline *self) {
  if (self->state != FOVEA_PIPELINE_RUNNING || self->stopping || !all_done(self)) return;
  fv_pipeline_set_state(self, FOVEA_PIPELINE_FINISHED);
  g_signal_emit(self, signals[SIGNAL_FINISHED], 0);
}

void fv_pipeline_tell_state(FoveaPipeline *self, const char *camera, FoveaCameraState state, const char *message) {
  fv_pipeline_deliver(self); /* what was seen comes before the news that it is over */
  g_signal_emit(self, signals[SIGNAL_STATE_CHANGED], 0, camera, state, message);
}

static void on_state(FvCamera *camera, FoveaCameraState state, const char *message, gpointer user) {
  FoveaPipeline *self = g_object_ref(user);
  fv_pipeline_tell_state(self, fv_camera_name(camera), state, message);
  fv_pipeline_settle(self);
  g_object_unref(self);
}

static void on_notice(FvCamera *camera, const char *message, gpointer user) {
  g_signal_emit(user, signals[SIGNAL_NOTICE], 0, fv_camera_name(camera), message);
}

static gboolean on_tick(gpointer user) {
  FoveaPipeline *self = g_object_ref(user);
  gint64 now = g_get_monotonic_time();
  for (guint i = 0; i < self->cameras->len && !self->stopping; i++) fv_camera_tick(g_ptr_array_index(self->cameras, i), now);
  g_object_unref(self);
  return G_SOURCE_CONTINUE;
}

/* --- Making ------------------------------------------------------------------------------------------------------ */

GPtrArray *fv_pipeline_make_cameras(FoveaPipeline *self, FvConfig *config) {
  FvCameraEvents events = {on_state, on_notice, on_record, wants_records, fv_pipeline_on_retired, self};
  GPtrArray *cameras = g_ptr_array_new_with_free_func((GDestroyNotify)fv_camera_free);
  for (guint i = 0; i < config->cameras->len; i++) g_ptr_array_add(cameras, fv_camera_new(config, g_ptr_array_index(config->cameras, i), &events));
  if (config->steps != NULL) g_ptr_array_add(cameras, fv_camera_new(config, NULL, &events));
  return cameras;
}

static void take_config(FoveaPipeline *self, FvConfig *config) {
  self->config = config;
  g_ptr_array_unref(self->cameras);
  self->cameras = fv_pipeline_make_cameras(self, config);
}

/* Builds every camera once and throws the result away, so that a wrong property is found before anything runs. */
static void check_cameras(FoveaPipeline *self, FvProblems *problems) {
  for (guint i = 0; i < self->cameras->len; i++) g_free(fv_camera_check(g_ptr_array_index(self->cameras, i), problems));
}

static gchar **problem_lines(const FvProblems *problems) {
  gchar **lines = g_new0(gchar *, problems->items->len + 1);
  for (guint i = 0; i < problems->items->len; i++) lines[i] = fv_problems_line(problems, i);
  return lines;
}

void fv_pipeline_set_error(GError **error, const FvProblems *problems) {
  gchar **lines = problem_lines(problems);
  gchar *text = g_strjoinv("\n", lines);
  g_set_error_literal(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_CONFIG, text);
  g_free(text);
  g_strfreev(lines);
}

static FoveaPipeline *finish_new(FvConfig *config, FvProblems *problems, GError **error) {
  FoveaPipeline *self = NULL;
  if (config != NULL) {
    self = g_object_new(FOVEA_TYPE_PIPELINE, NULL);
    take_config(self, config);
    check_cameras(self, problems);
  }
  if (problems->items->len > 0) {
    fv_pipeline_set_error(error, problems);
    g_clear_object(&self);
  }
  fv_problems_finish(problems);
  return self;
}

static gboolean begin_new(const char *name, FvProblems *problems, GError **error) {
  GError *cause = NULL;
  if (!gst_init_check(NULL, NULL, &cause)) {
    g_set_error(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_STATE, "GStreamer does not start: %s", cause != NULL ? cause->message : "no reason given");
    g_clear_error(&cause);
    return FALSE;
  }
  fv_elements_find();
  fv_problems_init(problems, name);
  return TRUE;
}

/**
 * fovea_pipeline_new_from_file:
 * @path: (type filename): a YAML file
 * @error: return location for a #GError of the domain %FOVEA_PIPELINE_ERROR
 *
 * Reads and checks a file. Nothing is opened or started yet; cameras and models may be missing until fovea_pipeline_start().
 * Relative paths in the file are relative to the current directory.
 *
 * Returns: (transfer full): a new pipeline, or %NULL
 */
FoveaPipeline *fovea_pipeline_new_from_file(const gchar *path, GError **error) {
  g_return_val_if_fail(path != NULL, NULL);
  FvProblems problems;
  if (!begin_new(path, &problems, error)) return NULL;
  FoveaPipeline *self = finish_new(fv_config_load(path, &problems), &problems, error);
  if (self != NULL) self->path = g_strdup(path);
  return self;
}

/**
 * fovea_pipeline_new_from_data:
 * @data: (array length=length) (element-type guint8): YAML text
 * @length: its bytes, or -1 when it ends with a NUL
 * @name: what stands for the file name in messages
 * @error: return location for a #GError of the domain %FOVEA_PIPELINE_ERROR
 *
 * The same from memory.
 *
 * Returns: (transfer full): a new pipeline, or %NULL
 */
FoveaPipeline *fovea_pipeline_new_from_data(const gchar *data, gssize length, const gchar *name, GError **error) {
  g_return_val_if_fail(data != NULL && name != NULL, NULL);
  FvProblems problems;
  if (!begin_new(name, &problems, error)) return NULL;
  gsize bytes = length < 0 ? strlen(data) : (gsize)length;
  return finish_new(fv_config_parse(data, bytes, &fv_config_sources, &problems), &problems, error);
}

/**
 * fovea_pipeline_check_file:
 * @path: (type filename): a YAML file
 *
 * Everything that is wrong with a file, without running it: syntax, keys, values, elements, properties, and files that are not there.
 *
 * Returns: (transfer full) (array zero-terminated=1): one line per problem, `FILE:line:col: error: …`; empty when there is none
 */
gchar **fovea_pipeline_check_file(const gchar *path) {
  g_return_val_if_fail(path != NULL, NULL);
  FvProblems problems;
  GError *error = NULL;
  if (!begin_new(path, &problems, &error)) {
    gchar **lines = g_new0(gchar *, 2);
    lines[0] = g_strdup(error->message);
    g_error_free(error);
    return lines;
  }
  FvConfig *config = fv_config_load(path, &problems);
  if (config != NULL) {
    FoveaPipeline *self = g_object_new(FOVEA_TYPE_PIPELINE, NULL);
    take_config(self, config);
    check_cameras(self, &problems);
    fv_check_files(config, &problems);
    g_object_unref(self);
  }
  gchar **lines = problem_lines(&problems);
  fv_problems_finish(&problems);
  return lines;
}

/* --- Running ----------------------------------------------------------------------------------------------------- */

/**
 * fovea_pipeline_start:
 * @self: a pipeline that does not run
 * @error: return location for a #GError of the domain %FOVEA_PIPELINE_ERROR
 *
 * Starts every camera and returns at once; #FoveaPipeline::state-changed tells how each fares. A pipeline that was stopped or has finished
 * can be started again, and begins anew.
 *
 * Returns: %TRUE, or %FALSE when it runs already
 */
gboolean fovea_pipeline_start(FoveaPipeline *self, GError **error) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self), FALSE);
  if (self->state == FOVEA_PIPELINE_RUNNING) {
    g_set_error_literal(error, FOVEA_PIPELINE_ERROR, FOVEA_PIPELINE_ERROR_STATE, "the pipeline runs already");
    return FALSE;
  }
  fovea_pipeline_stop(self); /* lets go of what a finished run still holds */
  g_object_ref(self);
  self->context = g_main_context_ref_thread_default();
  self->stopping = FALSE;
  self->started_at = g_get_monotonic_time();
  self->tick = g_timeout_source_new_seconds(1);
  g_source_set_callback(self->tick, on_tick, self, NULL);
  g_source_attach(self->tick, self->context);
  fv_pipeline_set_state(self, FOVEA_PIPELINE_RUNNING);
  for (guint i = 0; i < self->cameras->len; i++) fv_camera_reset(g_ptr_array_index(self->cameras, i));
  for (guint i = 0; i < self->cameras->len && self->state == FOVEA_PIPELINE_RUNNING; i++)
    fv_camera_start(g_ptr_array_index(self->cameras, i), self->context);
  g_object_unref(self);
  return TRUE;
}

/**
 * fovea_pipeline_stop:
 * @self: a pipeline
 *
 * Ends every camera as a stream ends, so that recordings are complete and playable and what outputs hold is sent, waiting up to #FoveaPipeline:drain-timeout for all
 * of them together. A source that hangs is left behind after two seconds.
 * Records that were waiting are delivered before it returns. Does nothing to a pipeline that is stopped.
 */
void fovea_pipeline_stop(FoveaPipeline *self) {
  g_return_if_fail(FOVEA_IS_PIPELINE(self));
  if (self->context == NULL || self->stopping) return;
  g_mutex_lock(&self->lock);
  self->stopping = TRUE;
  g_cond_broadcast(&self->room);
  g_mutex_unlock(&self->lock);
  gint64 deadline = g_get_monotonic_time() + (gint64)self->drain_ms * 1000;
  g_source_destroy(self->tick);
  g_clear_pointer(&self->tick, g_source_unref);
  g_ptr_array_set_size(self->waiting, 0);
  for (guint i = 0; i < self->cameras->len; i++) fv_camera_end(g_ptr_array_index(self->cameras, i));
  for (guint i = 0; i < self->retiring->len; i++) fv_camera_stop(g_ptr_array_index(self->retiring, i), deadline);
  for (guint i = 0; i < self->cameras->len; i++) fv_camera_stop(g_ptr_array_index(self->cameras, i), deadline);
  fv_pipeline_deliver(self);
  g_ptr_array_set_size(self->retiring, 0);
  g_clear_pointer(&self->context, g_main_context_unref);
  fv_pipeline_set_state(self, FOVEA_PIPELINE_STOPPED);
}

/**
 * fovea_pipeline_is_running:
 * @self: a pipeline
 *
 * Returns: %TRUE between fovea_pipeline_start() and the end of the last camera or fovea_pipeline_stop()
 */
gboolean fovea_pipeline_is_running(FoveaPipeline *self) { return fovea_pipeline_get_state(self) == FOVEA_PIPELINE_RUNNING; }

/**
 * fovea_pipeline_get_state:
 * @self: a pipeline
 *
 * Returns: what the pipeline is doing as a whole
 */
FoveaPipelineState fovea_pipeline_get_state(FoveaPipeline *self) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self), FOVEA_PIPELINE_STOPPED);
  return self->state;
}

static FvCamera *find_camera(FoveaPipeline *self, const gchar *name) {
  for (guint i = 0; i < self->cameras->len; i++)
    if (g_str_equal(fv_camera_name(g_ptr_array_index(self->cameras, i)), name)) return g_ptr_array_index(self->cameras, i);
  return NULL;
}

/**
 * fovea_pipeline_list_cameras:
 * @self: a pipeline
 *
 * Returns: (transfer full) (array zero-terminated=1): names of the cameras in the order of the file; the raw pipeline is called "pipeline"
 */
gchar **fovea_pipeline_list_cameras(FoveaPipeline *self) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self), NULL);
  gchar **names = g_new0(gchar *, self->cameras->len + 1);
  for (guint i = 0; i < self->cameras->len; i++) names[i] = g_strdup(fv_camera_name(g_ptr_array_index(self->cameras, i)));
  return names;
}

/**
 * fovea_pipeline_get_camera_state:
 * @self: a pipeline
 * @camera: name of a camera
 *
 * Returns: what the camera is doing; %FOVEA_CAMERA_STOPPED when there is none of that name
 */
FoveaCameraState fovea_pipeline_get_camera_state(FoveaPipeline *self, const gchar *camera) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self) && camera != NULL, FOVEA_CAMERA_STOPPED);
  FvCamera *found = find_camera(self, camera);
  return found != NULL ? fv_camera_state(found) : FOVEA_CAMERA_STOPPED;
}

/**
 * fovea_pipeline_dup_launch_text:
 * @self: a pipeline
 * @camera: name of a camera
 *
 * The elements of a camera as arguments of gst-launch-1.0, quoted for a shell, on one line. Secrets are shown as ***.
 *
 * Returns: (transfer full) (nullable): the text, or %NULL when there is no camera of that name
 */
gchar *fovea_pipeline_dup_launch_text(FoveaPipeline *self, const gchar *camera) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self) && camera != NULL, NULL);
  FvCamera *found = find_camera(self, camera);
  if (found == NULL) return NULL;
  FvProblems problems;
  fv_problems_init(&problems, self->config->file);
  gchar *text = fv_camera_check(found, &problems);
  fv_problems_finish(&problems);
  return text;
}

/**
 * fovea_pipeline_is_healthy:
 * @self: a pipeline
 *
 * For a watchdog: whether a restart of the program is no remedy. Call it from the main context, so that a context that hangs is noticed too. Cameras that are
 * away or broken are healthy: they are tried again. Cameras that should run and have given no sign of life, neither a frame nor an attempt, for four minutes
 * are not, though each was built anew meanwhile; but as long as any other camera does what it should, the program is left alone.
 *
 * Returns: %FALSE when there are such cameras and no others
 */
gboolean fovea_pipeline_is_healthy(FoveaPipeline *self) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self), FALSE);
  gint64 now = g_get_monotonic_time();
  for (guint i = 0; i < self->cameras->len; i++)
    if (fv_camera_is_healthy(g_ptr_array_index(self->cameras, i), now)) return TRUE;
  return self->cameras->len == 0;
}

/**
 * fovea_pipeline_dup_status:
 * @self: a pipeline
 *
 * What is going on, as JSON on one line, schema "fovea.status/1": the state of every camera, its frames and rate, and the statistics of its elements.
 *
 * Returns: (transfer full): the text
 */
gchar *fovea_pipeline_dup_status(FoveaPipeline *self) {
  g_return_val_if_fail(FOVEA_IS_PIPELINE(self), NULL);
  GEnumClass *states = g_type_class_ref(FOVEA_TYPE_PIPELINE_STATE);
  GString *json = g_string_new(NULL);
  gint64 up = self->context != NULL ? (g_get_monotonic_time() - self->started_at) / 1000 : 0;
  g_string_append_printf(json, "{\"schema\":\"%s\",\"state\":\"%s\",\"up-ms\":%" G_GINT64_FORMAT ",\"cameras\":[", FV_STATUS_SCHEMA,
                         g_enum_get_value(states, (gint)self->state)->value_nick, up);
  for (guint i = 0; i < self->cameras->len; i++) {
    if (i > 0) g_string_append_c(json, ',');
    fv_camera_append_status(g_ptr_array_index(self->cameras, i), json);
  }
  g_string_append(json, "]}");
  g_type_class_unref(states);
  return g_string_free(json, FALSE);
}

/* --- GObject ----------------------------------------------------------------------------------------------------- */

static void fovea_pipeline_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  FoveaPipeline *self = FOVEA_PIPELINE(object);
  switch (id) {
  case PROP_STATE: g_value_set_enum(value, self->state); break;
  case PROP_DROPPED_RECORDS:
    g_mutex_lock(&self->lock);
    g_value_set_uint64(value, self->dropped);
    g_mutex_unlock(&self->lock);
    break;
  case PROP_DRAIN_TIMEOUT: g_value_set_uint(value, self->drain_ms); break;
  default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void fovea_pipeline_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  FoveaPipeline *self = FOVEA_PIPELINE(object);
  if (id == PROP_DRAIN_TIMEOUT)
    self->drain_ms = g_value_get_uint(value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
}

static void fovea_pipeline_dispose(GObject *object) {
  fovea_pipeline_stop(FOVEA_PIPELINE(object));
  G_OBJECT_CLASS(fovea_pipeline_parent_class)->dispose(object);
}

static void fovea_pipeline_finalize(GObject *object) {
  FoveaPipeline *self = FOVEA_PIPELINE(object);
  g_ptr_array_unref(self->cameras);
  g_ptr_array_unref(self->waiting);
  g_ptr_array_unref(self->retiring);
  g_free(self->path);
  g_clear_pointer(&self->config, fv_config_unref);
  g_queue_clear_full(&self->records, record_free);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->room);
  G_OBJECT_CLASS(fovea_pipeline_parent_class)->finalize(object);
}

static void fovea_pipeline_class_init(FoveaPipelineClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->get_property = fovea_pipeline_get_property;
  object_class->set_property = fovea_pipeline_set_property;
  object_class->dispose = fovea_pipeline_dispose;
  object_class->finalize = fovea_pipeline_finalize;

  /**
   * FoveaPipeline:state:
   *
   * What the pipeline is doing as a whole.
   */
  properties[PROP_STATE] = g_param_spec_enum("state", NULL, NULL, FOVEA_TYPE_PIPELINE_STATE, FOVEA_PIPELINE_STOPPED,
                                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * FoveaPipeline:dropped-records:
   *
   * Frames whose #FoveaPipeline::detections was not emitted because the program did not keep up: 1024 may wait. Files wait for the program first.
   */
  properties[PROP_DROPPED_RECORDS] = g_param_spec_uint64("dropped-records", NULL, NULL, 0, G_MAXUINT64, 0,
                                                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  /**
   * FoveaPipeline:drain-timeout:
   *
   * Milliseconds that fovea_pipeline_stop(), and fovea_pipeline_reload() where it ends cameras, wait for recordings to be completed and outputs to be emptied.
   */
  properties[PROP_DRAIN_TIMEOUT] = g_param_spec_uint("drain-timeout", NULL, NULL, 0, 3600000, DEFAULT_DRAIN_MS, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties(object_class, PROP_COUNT, properties);

  /**
   * FoveaPipeline::detections:
   * @self: the pipeline
   * @camera: name of the camera
   * @timestamp: of the frame in its stream, nanoseconds; all ones when it has none
   * @json: the record of the frame, schema "fovea.frame/1", as file outputs write it but without the time of day
   *
   * A frame was analysed. Nothing is prepared while no handler is connected.
   */
  signals[SIGNAL_DETECTIONS] = g_signal_new("detections", FOVEA_TYPE_PIPELINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                                            G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_STRING);
  /**
   * FoveaPipeline::state-changed:
   * @self: the pipeline
   * @camera: name of the camera
   * @state: its new state
   * @message: one sentence for %FOVEA_CAMERA_FAILED and %FOVEA_CAMERA_RETRYING, else empty
   *
   * A camera does something else now.
   */
  signals[SIGNAL_STATE_CHANGED] = g_signal_new("state-changed", FOVEA_TYPE_PIPELINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 3,
                                               G_TYPE_STRING, FOVEA_TYPE_CAMERA_STATE, G_TYPE_STRING);
  /**
   * FoveaPipeline::notice:
   * @self: the pipeline
   * @camera: name of the camera
   * @message: one sentence
   *
   * Something a person should know that changes no camera's state: a warning of an element, an output that lost its network or found it again.
   */
  signals[SIGNAL_NOTICE] = g_signal_new("notice", FOVEA_TYPE_PIPELINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_STRING, G_TYPE_STRING);
  /**
   * FoveaPipeline::finished:
   * @self: the pipeline
   *
   * Every camera has finished or failed; nothing more happens by itself.
   */
  signals[SIGNAL_FINISHED] = g_signal_new("finished", FOVEA_TYPE_PIPELINE, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void fovea_pipeline_init(FoveaPipeline *self) {
  self->cameras = g_ptr_array_new_with_free_func((GDestroyNotify)fv_camera_free);
  self->retiring = g_ptr_array_new_with_free_func((GDestroyNotify)fv_camera_free);
  self->waiting = g_ptr_array_new();
  self->drain_ms = DEFAULT_DRAIN_MS;
  g_mutex_init(&self->lock);
  g_cond_init(&self->room);
  g_queue_init(&self->records);
}

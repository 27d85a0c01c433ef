#include "camera.h"

#include "attempt.h"
#include "build.h"
#include "chain.h"
#include "common/backoff.h"
#include "compose.h"
#include "record.h"

#define RETRY_FIRST_MS 1000
#define RETRY_LONGEST_MS 60000
#define RELEASE_US (2 * G_USEC_PER_SEC) /* for closing files after the end of a stream */
#define STABLE_US (60 * G_USEC_PER_SEC) /* after running this long, the next failure waits for the first interval again */

struct FvCamera {
  const FvConfig *config;
  const FvCameraConfig *camera; /* NULL: the raw pipeline */
  FvCameraEvents events;
  GMainContext *context;
  FvAttempt *running; /* NULL between attempts */
  GSource *watch, *retry;
  FoveaCameraState state;
  char *missing; /* codec that the running attempt asked for */
  int attempt;
  FoveaBackoff backoff;
  gboolean ending; /* the end of the stream was sent */
  gint64 running_since; /* monotonic µs; 0: not running */
};

FvCamera *fv_camera_new(const FvConfig *config, const FvCameraConfig *camera, const FvCameraEvents *events) {
  FvCamera *self = g_new0(FvCamera, 1);
  self->config = config;
  self->camera = camera;
  self->events = *events;
  self->state = FOVEA_CAMERA_STOPPED;
  return self;
}

const char *fv_camera_name(const FvCamera *self) { return self->camera != NULL ? self->camera->name : "pipeline"; }
FoveaCameraState fv_camera_state(const FvCamera *self) { return self->state; }
bool fv_camera_is_live(const FvCamera *self) { return self->camera != NULL && fv_compose_is_live(self->camera); }

static void set_state(FvCamera *self, FoveaCameraState state, const char *message) {
  if (self->state == state && message == NULL) return;
  self->state = state;
  self->events.on_state(self, state, message != NULL ? message : "", self->events.user);
}

/* --- Records ----------------------------------------------------------------------------------------------------- */

static void on_buffer(GstPad *pad, GstBuffer *buffer, gpointer user) {
  FvCamera *self = user;
  if (!self->events.wants_records(self->events.user)) return;
  GstClockTime timestamp = GST_CLOCK_TIME_NONE;
  char *json = fv_record_from_buffer(pad, buffer, fv_camera_name(self), fv_camera_is_live(self), &timestamp);
  if (json != NULL) self->events.on_record(self, timestamp, json, self->events.user);
  g_free(json);
}

/* --- One attempt ------------------------------------------------------------------------------------------------- */

static GPtrArray *make_chain(FvCamera *self, FvProblems *problems) {
  if (self->camera == NULL) return g_ptr_array_ref(self->config->steps);
  return fv_compose_camera(self->config, self->camera, self->attempt, problems);
}

char *fv_camera_check(FvCamera *self, FvProblems *problems) {
  GPtrArray *chain = make_chain(self, problems);
  GstElement *pipeline = fv_build_pipeline(chain, fv_camera_name(self), problems);
  char *text = fv_chain_text(chain);
  if (pipeline != NULL) gst_object_unref(gst_object_ref_sink(pipeline));
  g_ptr_array_unref(chain);
  return text;
}

static void clear_source(GSource **source) {
  if (*source == NULL) return;
  g_source_destroy(*source);
  g_clear_pointer(source, g_source_unref);
}

static void release(FvCamera *self, gint64 deadline) {
  clear_source(&self->watch);
  g_clear_pointer(&self->missing, g_free);
  if (!fv_attempt_release(&self->running, deadline) && deadline > 0)
    GST_WARNING("camera %s does not let go of its source", fv_camera_name(self));
  self->running_since = 0;
}

static FvRestart restart_policy(const FvCamera *self) {
  if (self->camera == NULL) return FV_RESTART_NEVER;
  FvRestart policy = (FvRestart)fv_pipeline_value_choice(&self->camera->restart, FV_RESTART_AUTO);
  if (policy != FV_RESTART_AUTO) return policy;
  if (!fv_compose_is_live(self->camera)) return FV_RESTART_NEVER;
  /* The end of an http stream may be the end of a film; a camera has no end. */
  return g_ascii_strncasecmp(self->camera->uri.text, "http", 4) == 0 ? FV_RESTART_ON_ERROR : FV_RESTART_ALWAYS;
}

static void begin_attempt(FvCamera *self);

static gboolean on_retry(gpointer user) {
  FvCamera *self = user;
  clear_source(&self->retry);
  self->attempt++;
  begin_attempt(self);
  return G_SOURCE_REMOVE;
}

static void schedule_retry(FvCamera *self, const char *reason) {
  if (self->running_since != 0 && g_get_monotonic_time() - self->running_since > STABLE_US) fovea_backoff_reset(&self->backoff);
  release(self, 0); /* a source in trouble may take its time: not ours */
  guint delay = fovea_backoff_next(&self->backoff);
  self->retry = g_timeout_source_new(delay);
  g_source_set_callback(self->retry, on_retry, self, NULL);
  g_source_attach(self->retry, self->context);
  char *message = g_strdup_printf("%s; next attempt in %.1f s", reason, delay / 1000.0);
  set_state(self, FOVEA_CAMERA_RETRYING, message);
  g_free(message);
}

static void on_end(FvCamera *self) {
  if (restart_policy(self) == FV_RESTART_ALWAYS) {
    schedule_retry(self, "the stream ended");
    return;
  }
  release(self, g_get_monotonic_time() + RELEASE_US);
  set_state(self, FOVEA_CAMERA_FINISHED, NULL);
}

static void on_failure(FvCamera *self, const char *sentence) {
  FvRestart policy = restart_policy(self);
  if (policy == FV_RESTART_ALWAYS || policy == FV_RESTART_ON_ERROR) {
    schedule_retry(self, sentence);
    return;
  }
  release(self, g_get_monotonic_time() + RELEASE_US);
  set_state(self, FOVEA_CAMERA_FAILED, sentence);
}

static void on_error(FvCamera *self, GstMessage *message) {
  char *sentence = fv_error_sentence(message, self->missing);
  on_failure(self, sentence);
  g_free(sentence);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user) {
  FvCamera *self = user;
  switch (GST_MESSAGE_TYPE(message)) {
  case GST_MESSAGE_ELEMENT:
    if (self->missing == NULL) self->missing = fv_missing_plugin(message);
    break;
  case GST_MESSAGE_STATE_CHANGED: {
    GstState state;
    gst_message_parse_state_changed(message, NULL, &state, NULL);
    if (GST_MESSAGE_SRC(message) != GST_OBJECT(fv_attempt_pipeline(self->running)) || state != GST_STATE_PLAYING) break;
    self->running_since = g_get_monotonic_time();
    set_state(self, FOVEA_CAMERA_RUNNING, NULL);
    break;
  }
  case GST_MESSAGE_LATENCY: gst_bin_recalculate_latency(GST_BIN(fv_attempt_pipeline(self->running))); break;
  case GST_MESSAGE_ERROR: on_error(self, message); break;
  case GST_MESSAGE_EOS: on_end(self); break;
  default: break;
  }
  return G_SOURCE_CONTINUE;
}

static void begin_attempt(FvCamera *self) {
  FvProblems problems;
  fv_problems_init(&problems, self->config->file);
  GPtrArray *chain = make_chain(self, &problems);
  GstElement *pipeline = fv_build_pipeline(chain, fv_camera_name(self), &problems);
  g_ptr_array_unref(chain);
  if (pipeline == NULL) { /* checked when the file was read: an element has gone since */
    char *line = fv_problems_line(&problems, 0);
    set_state(self, FOVEA_CAMERA_FAILED, line);
    g_free(line);
    fv_problems_finish(&problems);
    return;
  }
  fv_problems_finish(&problems);
  self->running = fv_attempt_new(pipeline, on_buffer, self);
  GstBus *bus = gst_element_get_bus(pipeline);
  self->watch = gst_bus_create_watch(bus);
  g_source_set_callback(self->watch, G_SOURCE_FUNC(on_message), self, NULL);
  g_source_attach(self->watch, self->context);
  gst_object_unref(bus);
  fv_attempt_play(self->running);
  set_state(self, FOVEA_CAMERA_STARTING, NULL); /* last: whoever hears it may stop the camera */
}

/* --- From outside ------------------------------------------------------------------------------------------------ */

void fv_camera_reset(FvCamera *self) { self->state = FOVEA_CAMERA_STOPPED; }

void fv_camera_start(FvCamera *self, GMainContext *context) {
  self->context = g_main_context_ref(context);
  self->attempt = 0;
  self->backoff = (FoveaBackoff){.min_ms = RETRY_FIRST_MS, .max_ms = RETRY_LONGEST_MS};
  begin_attempt(self);
}

void fv_camera_end(FvCamera *self) {
  clear_source(&self->retry);
  clear_source(&self->watch);
  self->ending = self->running != NULL && fv_attempt_end(self->running);
}

void fv_camera_stop(FvCamera *self, gint64 deadline) {
  if (self->ending) fv_attempt_wait_end(self->running, deadline);
  /* Files are closed in no time once the end has arrived; a source that hangs is not waited for longer. */
  release(self, g_get_monotonic_time() + RELEASE_US);
  g_clear_pointer(&self->context, g_main_context_unref);
  if (self->state != FOVEA_CAMERA_FINISHED && self->state != FOVEA_CAMERA_FAILED) set_state(self, FOVEA_CAMERA_STOPPED, NULL);
}

void fv_camera_free(FvCamera *self) { g_free(self); }

#include "camera.h"

#include <string.h>

#include "attempt.h"
#include "build.h"
#include "chain.h"
#include "common/backoff.h"
#include "common/json.h"
#include "common/linkstate.h"
#include "compose.h"
#include "record.h"
#include "status.h"

#define RETRY_FIRST_MS 1000
#define RETRY_LONGEST_MS 60000
#define RELEASE_US (2 * G_USEC_PER_SEC) /* for closing files after the end of a stream */
#define STABLE_US (60 * G_USEC_PER_SEC) /* after running this long, the next failure waits for the first interval again */
#define BLOCKED_US (60 * G_USEC_PER_SEC) /* a connected source whose frames nobody takes; four times stall-timeout where that is given */
#define BLOCKED_LEAST_US (5 * G_USEC_PER_SEC)
#define RETIRE_POLL_MS 20
#define LOST "fovea-runner-lost" /* on an element of an output: its link was lost and has not come back */
#define RATE_SAMPLES 5 /* seconds over which frames are counted for a rate */

typedef struct Sample {
  gint64 time; /* monotonic µs; 0: none */
  guint64 frames;
} Sample;

struct FvCamera {
  FvConfig *config;
  const FvCameraConfig *camera; /* NULL: the raw pipeline */
  char *name;
  bool live;
  FvCameraEvents events;
  GMainContext *context;
  FvAttempt *running;  /* NULL between attempts */
  GPtrArray *elements; /* of the running attempt, by step; borrowed from its pipeline */
  GSource *watch, *retry, *retiring;
  FoveaCameraState state;
  char *message; /* that came with the state */
  char *missing; /* codec that the running attempt asked for */
  int attempt;
  FoveaBackoff backoff;
  gboolean playing;
  gboolean ending; /* the end of the stream was sent */
  gboolean ended;  /* and has arrived, or an error instead */
  gint64 running_since; /* monotonic µs; 0: not running */

  /* progress */
  guint64 frames, frames_before; /* of the running attempt, of those before it */
  guint64 rebuilds;
  gint64 frame_at, active_at, heard_at; /* monotonic µs: last frame or start; last sign of life of this attempt; of any */
  gint64 quiet_until; /* the source said that it waits until then */
  Sample samples[RATE_SAMPLES + 1];
  double fps;
  gint64 retire_deadline;
};

FvCamera *fv_camera_new(FvConfig *config, const FvCameraConfig *camera, const FvCameraEvents *events) {
  FvCamera *self = g_new0(FvCamera, 1);
  self->config = fv_config_ref(config);
  self->camera = camera;
  self->name = g_strdup(camera != NULL ? camera->name : "pipeline");
  self->live = camera != NULL && fv_compose_is_live(camera);
  self->events = *events;
  self->elements = g_ptr_array_new();
  self->state = FOVEA_CAMERA_STOPPED;
  return self;
}

void fv_camera_free(FvCamera *self) {
  fv_config_unref(self->config);
  g_ptr_array_unref(self->elements);
  g_free(self->name);
  g_free(self->message);
  g_free(self);
}

const char *fv_camera_name(const FvCamera *self) { return self->name; }
FoveaCameraState fv_camera_state(const FvCamera *self) { return self->state; }
bool fv_camera_is_live(const FvCamera *self) { return self->live; }
GstElement *fv_camera_pipeline(const FvCamera *self) { return self->running != NULL ? fv_attempt_pipeline(self->running) : NULL; }

static void set_state(FvCamera *self, FoveaCameraState state, const char *message) {
  if (self->state == state && message == NULL) return;
  self->state = state;
  g_free(self->message);
  self->message = g_strdup(message != NULL ? message : "");
  char *told = g_strdup(self->message); /* whoever hears it may change the state again */
  self->events.on_state(self, state, told, self->events.user);
  g_free(told);
}

/* --- Records ----------------------------------------------------------------------------------------------------- */

static void on_buffer(GstPad *pad, GstBuffer *buffer, gpointer user) {
  FvCamera *self = user;
  if (!self->events.wants_records(self->events.user)) return;
  GstClockTime timestamp = GST_CLOCK_TIME_NONE;
  char *json = fv_record_from_buffer(pad, buffer, self->name, self->live, &timestamp);
  if (json != NULL) self->events.on_record(self, timestamp, json, self->events.user);
  g_free(json);
}

/* --- One attempt ------------------------------------------------------------------------------------------------- */

static GPtrArray *make_chain(const FvCamera *self, int attempt, FvProblems *problems) {
  if (self->camera == NULL) return g_ptr_array_ref(self->config->steps);
  return fv_compose_camera(self->config, self->camera, attempt, problems);
}

char *fv_camera_check(FvCamera *self, FvProblems *problems) {
  GPtrArray *chain = make_chain(self, self->attempt, problems);
  GstElement *pipeline = fv_build_pipeline(chain, self->name, problems, NULL);
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

static void forget_attempt(FvCamera *self) {
  clear_source(&self->watch);
  g_clear_pointer(&self->missing, g_free);
  g_ptr_array_set_size(self->elements, 0);
  self->frames_before += self->frames;
  self->frames = 0;
  self->running_since = 0;
  self->playing = FALSE;
}

static void release(FvCamera *self, gint64 deadline) {
  forget_attempt(self);
  if (!fv_attempt_release(&self->running, deadline) && deadline > 0) GST_WARNING("camera %s does not let go of its source", self->name);
}

static gboolean may_rebuild(const FvCamera *self) {
  if (self->camera == NULL) return FALSE;
  FvRestart policy = (FvRestart)fv_pipeline_value_choice(&self->camera->restart, FV_RESTART_AUTO);
  return policy == FV_RESTART_AUTO ? self->live : policy != FV_RESTART_NEVER;
}

static void begin_attempt(FvCamera *self);

static gboolean on_retry(gpointer user) {
  FvCamera *self = user;
  clear_source(&self->retry);
  self->attempt++;
  self->rebuilds++;
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

static void on_failure(FvCamera *self, const char *sentence) {
  if (may_rebuild(self)) {
    schedule_retry(self, sentence);
    return;
  }
  release(self, g_get_monotonic_time() + RELEASE_US);
  set_state(self, FOVEA_CAMERA_FAILED, sentence);
}

/* --- Messages ---------------------------------------------------------------------------------------------------- */

static void on_end(FvCamera *self) {
  release(self, g_get_monotonic_time() + RELEASE_US);
  set_state(self, FOVEA_CAMERA_FINISHED, NULL);
}

static void on_error(FvCamera *self, GstMessage *message) {
  char *sentence = fv_error_sentence(message, self->missing);
  self->heard_at = g_get_monotonic_time(); /* broken is not stuck */
  on_failure(self, sentence);
  g_free(sentence);
}

/* Of which output it speaks, where it is one's. */
static void tell_about(FvCamera *self, const char *element, const char *sentence) {
  gboolean output = g_str_has_prefix(element, FV_OUTPUT_NAME_PREFIX);
  char *notice = g_strdup_printf("%s%s%s", output ? element + strlen(FV_OUTPUT_NAME_PREFIX) : "", output ? ": " : "", sentence);
  self->events.on_notice(self, notice, self->events.user);
  g_free(notice);
}

/* What people should know; the messages in which elements tell programs the same, those of links apart, are none of ours. */
static void on_warning(FvCamera *self, GstMessage *message) {
  GError *error = NULL;
  const GstStructure *details = NULL;
  gst_message_parse_warning(message, &error, NULL);
  gst_message_parse_warning_details(message, &details);
  gboolean ours = g_str_has_prefix(G_OBJECT_TYPE_NAME(GST_MESSAGE_SRC(message)), "GstFovea"), told = details != NULL && gst_structure_has_field(details, FOVEA_TOLD_FIELD);
  if (ours && !told) tell_about(self, GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), error->message);
  g_error_free(error);
}

static GstElement *source_of(const FvCamera *self) { return self->camera != NULL && self->elements->len > 0 ? g_ptr_array_index(self->elements, 0) : NULL; }

static void set_running(FvCamera *self) {
  FoveaLinkState link = FOVEA_LINK_CONNECTED;
  GstElement *source = self->live ? source_of(self) : NULL; /* a file that plays has given a frame */
  if (source != NULL) g_object_get(source, "status", &link, NULL);
  if (!self->playing || link != FOVEA_LINK_CONNECTED) return;
  if (self->running_since == 0) self->running_since = g_get_monotonic_time();
  set_state(self, FOVEA_CAMERA_RUNNING, NULL);
}

/* "reason; next attempt in 1.5 s" */
static char *describe_link(const GstStructure *news, guint *retry_ms) {
  const char *reason = gst_structure_get_string(news, "reason");
  *retry_ms = 0;
  gst_structure_get_uint(news, "retry-in-ms", retry_ms);
  if (*retry_ms == 0) return g_strdup(reason != NULL ? reason : "");
  return g_strdup_printf("%s; next attempt in %.1f s", reason != NULL && *reason != '\0' ? reason : "no connection", *retry_ms / 1000.0);
}

static void on_source_link(FvCamera *self, const GstStructure *news, const char *state) {
  guint retry_ms = 0;
  char *text = describe_link(news, &retry_ms);
  self->active_at = self->heard_at = g_get_monotonic_time();
  self->quiet_until = self->active_at + (gint64)retry_ms * 1000;
  if (g_str_equal(state, "connected")) {
    self->frame_at = self->active_at;
    set_running(self);
  } else if (g_str_equal(state, "retrying")) {
    self->running_since = 0;
    set_state(self, FOVEA_CAMERA_RETRYING, text);
  }
  g_free(text);
}

static void on_link(FvCamera *self, GstMessage *message) {
  const GstStructure *news = gst_message_get_structure(message);
  const char *state = gst_structure_get_string(news, "state"), *name = GST_OBJECT_NAME(GST_MESSAGE_SRC(message));
  if (state == NULL) return;
  if (GST_MESSAGE_SRC(message) == (GstObject *)source_of(self)) {
    on_source_link(self, news, state);
    return;
  }
  GObject *element = G_OBJECT(GST_MESSAGE_SRC(message));
  gboolean lost = g_str_equal(state, "retrying"), was_lost = g_object_get_data(element, LOST) != NULL;
  /* What goes as it should is no news, and further attempts are none. */
  if (lost ? was_lost : !was_lost || !g_str_equal(state, "connected")) return;
  g_object_set_data(element, LOST, lost ? element : NULL);
  guint retry_ms;
  char *text = describe_link(news, &retry_ms), *sentence = g_strdup_printf("%s%s%s", state, *text != '\0' ? ": " : "", text);
  tell_about(self, name, sentence);
  g_free(sentence);
  g_free(text);
}

static void on_state_changed(FvCamera *self, GstMessage *message) {
  GstState state;
  if (GST_MESSAGE_SRC(message) != GST_OBJECT(fv_attempt_pipeline(self->running))) return;
  gst_message_parse_state_changed(message, NULL, &state, NULL);
  self->playing = state == GST_STATE_PLAYING;
  if (!self->playing) return;
  self->active_at = self->heard_at = self->frame_at = g_get_monotonic_time();
  set_running(self);
}

/* While a camera is being retired its end is all that matters. */
static void on_last_message(FvCamera *self, GstMessage *message) {
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS || GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR) self->ended = TRUE;
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user) {
  FvCamera *self = user;
  if (self->retiring != NULL) {
    on_last_message(self, message);
    return G_SOURCE_CONTINUE;
  }
  switch (GST_MESSAGE_TYPE(message)) {
  case GST_MESSAGE_ELEMENT:
    if (self->missing == NULL) self->missing = fv_missing_plugin(message);
    if (gst_message_has_name(message, FOVEA_LINK_MESSAGE)) on_link(self, message);
    break;
  case GST_MESSAGE_STATE_CHANGED: on_state_changed(self, message); break;
  case GST_MESSAGE_LATENCY: gst_bin_recalculate_latency(GST_BIN(fv_attempt_pipeline(self->running))); break;
  case GST_MESSAGE_WARNING: on_warning(self, message); break;
  case GST_MESSAGE_ERROR: on_error(self, message); break;
  case GST_MESSAGE_EOS: on_end(self); break;
  default: break;
  }
  return G_SOURCE_CONTINUE;
}

static void make_folder(char *folder, int mode) {
  if (folder != NULL) g_mkdir_with_parents(folder, mode);
  g_free(folder);
}

/* Spools make their own folder, but not those above it; clips make none. What cannot be made is the element's to complain of. */
static void make_folders(const FvCamera *self) {
  for (guint i = 0; self->camera != NULL && i < self->config->outputs->len; i++) {
    const FvOutputConfig *output = g_ptr_array_index(self->config->outputs, i);
    if (!fv_config_camera_uses(self->camera, output)) continue;
    make_folder(fv_config_spool_folder(self->camera, output), 0700);
    if (output->kind != FV_OUTPUT_CLIPS) continue;
    char *path = fv_config_expand(output->path.text, self->camera);
    make_folder(g_path_get_dirname(path), 0777);
    g_free(path);
  }
}

static void begin_attempt(FvCamera *self) {
  FvProblems problems;
  fv_problems_init(&problems, self->config->file);
  GPtrArray *chain = make_chain(self, self->attempt, &problems);
  g_ptr_array_set_size(self->elements, 0);
  GstElement *pipeline = fv_build_pipeline(chain, self->name, &problems, self->elements);
  g_ptr_array_unref(chain);
  if (pipeline == NULL) { /* checked when the file was read: an element has gone since */
    char *line = fv_problems_line(&problems, 0);
    g_ptr_array_set_size(self->elements, 0);
    set_state(self, FOVEA_CAMERA_FAILED, line);
    g_free(line);
    fv_problems_finish(&problems);
    return;
  }
  fv_problems_finish(&problems);
  make_folders(self);
  self->active_at = self->frame_at = g_get_monotonic_time();
  if (self->heard_at == 0) self->heard_at = self->active_at;
  self->quiet_until = 0;
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
  self->backoff = (FoveaBackoff){.min_ms = RETRY_FIRST_MS, .max_ms = RETRY_LONGEST_MS};
  self->ending = self->ended = FALSE;
  self->heard_at = 0;
  begin_attempt(self);
}

void fv_camera_end(FvCamera *self) {
  clear_source(&self->retry);
  if (self->retiring != NULL) return; /* it has been asked already */
  clear_source(&self->watch);
  self->ending = self->running != NULL && fv_attempt_end(self->running);
}

void fv_camera_stop(FvCamera *self, gint64 deadline) {
  clear_source(&self->retiring);
  clear_source(&self->watch); /* before somebody else takes messages from the bus */
  if (self->ending && !self->ended && self->running != NULL) fv_attempt_wait_end(self->running, deadline);
  self->ending = FALSE;
  /* Files are closed in no time once the end has arrived; a source that hangs is not waited for longer. */
  release(self, g_get_monotonic_time() + RELEASE_US);
  g_clear_pointer(&self->context, g_main_context_unref);
  self->attempt = 0;
  if (self->state != FOVEA_CAMERA_FINISHED && self->state != FOVEA_CAMERA_FAILED) set_state(self, FOVEA_CAMERA_STOPPED, NULL);
}

/* --- Changing configurations ------------------------------------------------------------------------------------- */

/* As the first attempt would be built: the number of the attempt changes names of files. */
static GPtrArray *first_chain(const FvCamera *self) {
  FvProblems problems;
  fv_problems_init(&problems, self->config->file);
  GPtrArray *chain = make_chain(self, 0, &problems);
  fv_problems_finish(&problems);
  return chain;
}

FvChange fv_camera_compare(FvCamera *self, FvCamera *other) {
  GPtrArray *from = first_chain(self), *to = first_chain(other);
  FvChange change = fv_change_of(from, to);
  g_ptr_array_unref(from);
  g_ptr_array_unref(to);
  return change;
}

void fv_camera_adopt(FvCamera *self, const FvCamera *other) {
  GPtrArray *from = first_chain(self), *to = first_chain(other);
  if (self->running != NULL) fv_change_apply(from, to, self->elements);
  g_ptr_array_unref(from);
  g_ptr_array_unref(to);
  fv_config_ref(other->config);
  fv_config_unref(self->config);
  self->config = other->config;
  self->camera = other->camera;
}

void fv_camera_succeed(FvCamera *self, const FvCamera *before) {
  self->attempt = before->context != NULL || before->attempt > 0 ? before->attempt + 1 : 0;
  self->frames_before = before->frames_before + before->frames;
  self->rebuilds = before->rebuilds;
}

/* The end of the stream, then of the pipeline, then of the wait for it. */
static gboolean on_retire_poll(gpointer user) {
  FvCamera *self = user;
  gint64 now = g_get_monotonic_time();
  if (self->running != NULL && self->ending && !self->ended && now < self->retire_deadline) return G_SOURCE_CONTINUE;
  if (self->running != NULL) {
    if (self->watch != NULL) self->retire_deadline = now + RELEASE_US;
    clear_source(&self->watch);
    fv_attempt_begin_stop(self->running);
    if (!fv_attempt_is_stopped(self->running) && now < self->retire_deadline) return G_SOURCE_CONTINUE;
    release(self, 0);
  }
  clear_source(&self->retiring);
  g_clear_pointer(&self->context, g_main_context_unref);
  self->state = FOVEA_CAMERA_STOPPED;
  self->events.on_retired(self, self->events.user);
  return G_SOURCE_REMOVE;
}

void fv_camera_retire(FvCamera *self, gint64 deadline) {
  clear_source(&self->retry);
  self->ending = self->running != NULL && fv_attempt_end(self->running);
  self->retire_deadline = deadline;
  self->retiring = g_timeout_source_new(RETIRE_POLL_MS);
  g_source_set_callback(self->retiring, on_retire_poll, self, NULL);
  g_source_attach(self->retiring, self->context);
}

/* --- Watching ---------------------------------------------------------------------------------------------------- */

/* Frames that have come so far; the raw pipeline has no source of ours, but perhaps a detector. */
static guint64 count_frames(const FvCamera *self) {
  for (guint i = 0; i < self->elements->len; i++) {
    GstElement *element = g_ptr_array_index(self->elements, i);
    const char *factory = GST_OBJECT_NAME(gst_element_get_factory(element));
    if (!g_str_equal(factory, "foveasrc") && !g_str_equal(factory, "foveadetect")) continue;
    GstStructure *stats = fv_element_stats(element);
    guint64 frames = stats != NULL ? fv_stats_count(stats, "frames") : 0;
    if (stats != NULL) gst_structure_free(stats);
    return frames;
  }
  return 0;
}

static void note_rate(FvCamera *self, gint64 now) {
  memmove(&self->samples[1], &self->samples[0], sizeof self->samples - sizeof self->samples[0]);
  self->samples[0] = (Sample){now, self->frames_before + self->frames};
  int last = RATE_SAMPLES;
  while (last > 0 && self->samples[last].time == 0) last--;
  gint64 span = now - self->samples[last].time;
  self->fps = span > 0 ? (double)(self->samples[0].frames - self->samples[last].frames) * G_USEC_PER_SEC / (double)span : 0;
}

static gint64 blocked_after(const FvCamera *self) {
  const FvPipelineValue *stall = &self->camera->stall_timeout;
  return stall->node != NULL ? MAX(BLOCKED_LEAST_US, (gint64)(stall->number * 4000)) : BLOCKED_US;
}

/* Files may take as long as they like. */
static void check_progress(FvCamera *self, gint64 now) {
  if (!self->live || self->running == NULL || self->retiring != NULL || !may_rebuild(self)) return;
  if (self->state == FOVEA_CAMERA_RUNNING && now - self->frame_at > blocked_after(self)) {
    char *reason = g_strdup_printf("no frame for %.0f s, though the source is connected", (double)(now - self->frame_at) / G_USEC_PER_SEC);
    on_failure(self, reason);
    g_free(reason);
  } else if (self->state != FOVEA_CAMERA_RUNNING && now - MAX(self->active_at, self->quiet_until) > FV_SILENCE_US) {
    on_failure(self, "the source gives no sign of life");
  }
}

void fv_camera_tick(FvCamera *self, gint64 now) {
  guint64 frames = self->running != NULL ? count_frames(self) : self->frames;
  if (frames > self->frames) self->frame_at = self->active_at = self->heard_at = now;
  self->frames = frames;
  note_rate(self, now);
  check_progress(self, now);
}

gboolean fv_camera_is_healthy(const FvCamera *self, gint64 now) {
  gboolean wanted = self->live && self->context != NULL && self->state != FOVEA_CAMERA_FINISHED && self->state != FOVEA_CAMERA_FAILED;
  return !wanted || now - MAX(self->heard_at, self->quiet_until) <= 2 * FV_SILENCE_US;
}

void fv_camera_append_status(const FvCamera *self, GString *json) {
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  GEnumClass *states = g_type_class_ref(FOVEA_TYPE_CAMERA_STATE);
  g_string_append(json, "{\"name\":");
  fovea_json_append_string(json, self->name);
  g_string_append_printf(json, ",\"state\":\"%s\",\"message\":", g_enum_get_value(states, (gint)self->state)->value_nick);
  fovea_json_append_string(json, self->message != NULL ? self->message : "");
  g_string_append_printf(json, ",\"frames\":%" G_GUINT64_FORMAT ",\"fps\":%s,\"rebuilds\":%" G_GUINT64_FORMAT ",\"elements\":", self->frames_before + (self->running != NULL ? count_frames(self) : self->frames),
                         g_ascii_formatd(number, sizeof number, "%.2f", self->fps), self->rebuilds);
  if (self->running != NULL)
    fv_status_append_elements(json, fv_attempt_pipeline(self->running));
  else
    g_string_append(json, "[]");
  g_string_append_c(json, '}');
  g_type_class_unref(states);
}

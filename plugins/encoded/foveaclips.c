/**
 * SECTION:element-foveaclips
 * @title: foveaclips
 *
 * Keeps the last seconds of encoded video in memory and, when something happens, writes them and what follows to a file of their own: fragmented MP4, without encoding anew.
 *
 * |[
 * gst-launch-1.0 rtspsrc location=rtsp://camera/ ! rtph264depay ! h264parse ! tee name=t \
 *   t. ! queue ! decodebin ! videoconvert ! foveadetect name=detector model=yolo-n.fovea ! fakesink \
 *   t. ! queue ! foveaclips location="clips/{source}-%Y%m%d-%H%M%S.mp4" source=gate trigger-element=detector trigger-labels=person pre-roll=5000 post-roll=5000
 * ]|
 */
#include "foveaclips.h"

#include "clip.h"
#include "door.h"
#include "preroll.h"
#include "trigger.h"

GST_DEBUG_CATEGORY_STATIC(fovea_clips_debug);
#define GST_CAT_DEFAULT fovea_clips_debug

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(FOVEA_ENCODED_CAPS));

#define CLIP_MESSAGE "fovea-clip"
#define SLACK (5 * (gint64)GST_SECOND) /* by which detections may come later than the video */
#define MAX_WINDOWS 64                 /* that wait for their time */
#define MAX_WRITERS 4                  /* clips that are being written at once, on a disk that is slow */
#define STOP_US (10 * G_USEC_PER_SEC)  /* for the disk */
#define WARNING_US (10 * G_USEC_PER_SEC)

enum {
  PROP_0, PROP_LOCATION, PROP_SOURCE, PROP_PRE_ROLL, PROP_POST_ROLL, PROP_MAX_DURATION, PROP_MAX_BYTES, PROP_MAX_AGE, PROP_RING_BYTES, PROP_TRIGGER,
  PROP_STATS = PROP_TRIGGER + FOVEA_TRIGGER_PROPERTIES,
};

typedef struct Window {
  gint64 begin, end; /* running time, ns */
  const gchar *label; /* interned */
} Window;

struct _GstFoveaClips {
  GstBaseSink parent;

  /* object lock */
  gchar *location, *source;
  guint pre_roll, post_roll, max_duration; /* ms */
  guint64 max_bytes, ring_bytes;
  guint max_age;
  FoveaTriggerFilter filter;

  GMutex store_lock; /* of the store, while clips use it */
  FoveaClipStore store;
  FoveaTrigger *trigger;
  FoveaDoor door;    /* streaming thread */

  GMutex lock;       /* of all below */
  GCond idle;        /* a clip is done */
  gboolean started;
  gint64 pre, post, longest, delay; /* ns, of this run */
  FoveaPreroll ring;
  GQueue windows;    /* Window that wait for their time or for the clip before; by begin, never overlapping */
  FoveaClip *clip;
  Window current;    /* of the clip */
  gint64 clip_start;
  guint writers;
  gint64 warned_at;
  guint64 frames, undecodable, triggers, merged, missed, clips, incomplete, failed, bytes;
  gchar *last_location, *last_error;
};

static guint clip_signal;

G_DEFINE_TYPE_WITH_CODE(GstFoveaClips, gst_fovea_clips, GST_TYPE_BASE_SINK, GST_DEBUG_CATEGORY_INIT(fovea_clips_debug, "foveaclips", 0, "clips of events"))
GST_ELEMENT_REGISTER_DEFINE(foveaclips, "foveaclips", GST_RANK_NONE, GST_TYPE_FOVEA_CLIPS)

/* --- a clip is done; its thread -------------------------------------------------------------------------------- */

static void tell(GstFoveaClips *self, const FoveaClipResult *result) {
  GstStructure *details = gst_structure_new(CLIP_MESSAGE, "location", G_TYPE_STRING, result->location, "start", G_TYPE_UINT64, (guint64)result->start, "duration", G_TYPE_UINT64,
                                            (guint64)result->duration, "label", G_TYPE_STRING, result->label, "frames", G_TYPE_UINT64, result->frames, "complete", G_TYPE_BOOLEAN,
                                            result->error == NULL, NULL);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), details));
  g_signal_emit(self, clip_signal, 0, result->location, (guint64)result->start, (guint64)result->duration, result->label);
}

static gboolean count_result(GstFoveaClips *self, const FoveaClipResult *result) {
  gint64 now = g_get_monotonic_time();
  g_mutex_lock(&self->lock);
  self->clips += result->location && !result->error ? 1 : 0;
  self->incomplete += result->location && result->error ? 1 : 0;
  self->failed += result->location ? 0 : 1;
  self->bytes += result->location ? result->bytes : 0;
  if (result->location) {
    g_free(self->last_location);
    self->last_location = g_strdup(result->location);
  }
  if (result->error) {
    g_free(self->last_error);
    self->last_error = g_strdup(result->error);
  }
  gboolean warn = result->error && (!self->warned_at || now - self->warned_at > WARNING_US);
  if (warn)
    self->warned_at = now;
  g_mutex_unlock(&self->lock);
  return warn;
}

/* user is the element, with a reference of the clip's. */
static void on_done(gpointer user, FoveaClipResult *result) {
  GstFoveaClips *self = user;
  gboolean warn = count_result(self, result);
  if (warn)
    GST_ELEMENT_WARNING(self, RESOURCE, WRITE, ("A clip %s: %s.", result->location ? "ends early" : "is lost", result->error), (NULL));
  if (result->location)
    tell(self, result);
  g_free(result->location);
  g_free(result->error);
  g_mutex_lock(&self->lock);
  self->writers--;
  g_cond_broadcast(&self->idle);
  g_mutex_unlock(&self->lock);
  gst_object_unref(self);
}

/* --- windows and clips; with the lock held ---------------------------------------------------------------------- */

static gint window_order(gconstpointer a, gconstpointer b, gpointer user) {
  const Window *first = a, *second = b;
  return first->begin < second->begin ? -1 : first->begin > second->begin;
}

/* Joins it with every one that it touches. */
static void add_window(GstFoveaClips *self, Window window) {
  for (GList *at = self->windows.head, *next; at; at = next) {
    Window *other = at->data;
    next = at->next;
    if (other->end < window.begin || other->begin > window.end)
      continue;
    window = (Window){MIN(window.begin, other->begin), MAX(window.end, other->end), other->label};
    self->merged++;
    g_free(other);
    g_queue_delete_link(&self->windows, at);
  }
  if (self->windows.length < MAX_WINDOWS)
    g_queue_insert_sorted(&self->windows, g_memdup2(&window, sizeof window), window_order, NULL);
  else
    self->missed++;
}

static void end_clip(GstFoveaClips *self) {
  fovea_clip_end(self->clip);
  self->clip = NULL;
  fovea_preroll_release(&self->ring);
}

static void begin_clip(GstFoveaClips *self, const Window *window) {
  const FoveaGop *first = self->writers < MAX_WRITERS ? fovea_preroll_seek(&self->ring, window->begin) : NULL;
  if (!first || first->start >= window->end) { /* nothing is left of it in the ring */
    fovea_preroll_release(&self->ring);
    self->missed++;
    return;
  }
  self->current = *window;
  self->clip_start = first->start;
  self->writers++;
  self->clip = fovea_clip_begin(&self->store, &self->store_lock, first->caps, first->epoch, window->label, on_done, gst_object_ref(self));
}

/* Where a clip is as long as it may be, the next one begins with the GOP that is open then. */
static void roll_over(GstFoveaClips *self, gint64 at) {
  Window rest = {at, self->current.end, self->current.label};
  end_clip(self);
  begin_clip(self, &rest);
}

static gboolean is_begun_gop(const FoveaGop *gop, const FoveaFrame *frame) { return gop->part == 0 && frame == fovea_gop_frame(gop, 0); }

/* Gives the clip what has come of it. TRUE: it is at its end, or has become another. */
static gboolean feed_clip(GstFoveaClips *self) {
  const FoveaGop *gop;
  const FoveaFrame *frame;
  while ((frame = fovea_preroll_peek(&self->ring, &gop))) {
    gint64 order = fovea_frame_order(frame);
    if (order >= self->current.end) {
      if (self->ring.newest < self->current.end + self->delay)
        return FALSE; /* a late detection may make it longer */
      end_clip(self);
      return TRUE;
    }
    gboolean other = !gst_caps_is_equal(gop->caps, fovea_clip_caps(self->clip));
    if (other || (is_begun_gop(gop, frame) && order - self->clip_start >= self->longest)) {
      roll_over(self, gop->start);
      return TRUE;
    }
    fovea_clip_add(self->clip, frame);
    fovea_preroll_advance(&self->ring);
  }
  return FALSE;
}

static void advance(GstFoveaClips *self) {
  Window *window;
  while (self->clip && feed_clip(self)) {
  }
  while (!self->clip && (window = g_queue_peek_head(&self->windows)) && self->ring.newest != FOVEA_NO_TIME && self->ring.newest >= window->begin) {
    begin_clip(self, window);
    g_free(g_queue_pop_head(&self->windows));
    while (self->clip && feed_clip(self)) {
    }
  }
}

static void happen(GstFoveaClips *self, gint64 time, const gchar *label) {
  Window window = {time - self->pre, time + self->post, label};
  self->triggers++;
  if (self->clip && window.begin <= self->current.end && window.end >= self->clip_start) {
    self->current.end = MAX(self->current.end, window.end);
    self->merged++;
  } else
    add_window(self, window);
  advance(self);
}

static void finish_all(GstFoveaClips *self) {
  gint64 delay = self->delay;
  self->delay = 0;
  advance(self);
  self->delay = delay;
  if (self->clip)
    end_clip(self);
  g_queue_clear_full(&self->windows, g_free);
}

/* --- stream ------------------------------------------------------------------------------------------------------ */

static void take_frames(GstFoveaClips *self) {
  FoveaFrame frame;
  while (fovea_door_take(&self->door, &frame)) {
    g_mutex_lock(&self->lock);
    self->frames++;
    if (fovea_preroll_append(&self->ring, &frame, self->door.caps))
      advance(self);
    else
      self->undecodable++;
    g_mutex_unlock(&self->lock);
  }
}

static void take_the_rest(GstFoveaClips *self) {
  fovea_door_settle(&self->door);
  take_frames(self);
}

static gboolean set_caps(GstBaseSink *sink, GstCaps *caps) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(sink);
  take_the_rest(self);
  fovea_door_set_caps(&self->door, caps);
  return TRUE;
}

static GstFlowReturn render(GstBaseSink *sink, GstBuffer *buffer) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(sink);
  if (!self->door.caps)
    return GST_FLOW_NOT_NEGOTIATED;
  fovea_door_put(&self->door, buffer, &sink->segment);
  take_frames(self);
  return GST_FLOW_OK;
}

/* Windows that end after the stream end with it. */
static void wait_for_disk(GstFoveaClips *self) {
  gint64 until = g_get_monotonic_time() + STOP_US;
  while (self->writers > 0 && g_cond_wait_until(&self->idle, &self->lock, until)) {
  }
}

static gboolean event(GstBaseSink *sink, GstEvent *given) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(sink);
  if (GST_EVENT_TYPE(given) == GST_EVENT_EOS)
    take_the_rest(self);
  g_mutex_lock(&self->lock);
  if (GST_EVENT_TYPE(given) == GST_EVENT_EOS) {
    finish_all(self);
    wait_for_disk(self);
  }
  if (GST_EVENT_TYPE(given) == GST_EVENT_FLUSH_STOP) { /* times begin anew */
    fovea_door_flush(&self->door);
    finish_all(self);
    fovea_preroll_clear(&self->ring);
  }
  g_mutex_unlock(&self->lock);
  return GST_BASE_SINK_CLASS(gst_fovea_clips_parent_class)->event(sink, given);
}

/* --- start and stop ---------------------------------------------------------------------------------------------- */

static gint64 ns(guint ms) { return ms * (gint64)GST_MSECOND; }

static void on_trigger(gpointer user, gint64 running_time, const gchar *label) {
  GstFoveaClips *self = user;
  g_mutex_lock(&self->lock);
  if (self->started)
    happen(self, running_time, label);
  g_mutex_unlock(&self->lock);
}

static gboolean open_store(GstFoveaClips *self) {
  GError *error = NULL;
  g_mutex_lock(&self->lock);
  gboolean busy = self->writers > 0;
  g_mutex_unlock(&self->lock);
  if (busy) {
    GST_ELEMENT_ERROR(self, RESOURCE, BUSY, ("A clip is still being written; the disk of %s does not answer.", self->store.directory), (NULL));
    return FALSE;
  }
  GST_OBJECT_LOCK(self);
  gchar *location = g_strdup(self->location), *source = g_strdup(self->source ? self->source : GST_OBJECT_NAME(self));
  guint64 max_bytes = self->max_bytes;
  gint64 max_age = self->max_age;
  GST_OBJECT_UNLOCK(self);
  gboolean right = fovea_clip_store_init(&self->store, location, source, &error);
  if (!right)
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("The property location is wrong: %s.", error->message), (NULL));
  else if (!fovea_clip_store_open(&self->store, &error)) { /* a disk may come later: each clip tries */
    GST_ELEMENT_WARNING(self, RESOURCE, OPEN_WRITE, ("Clips cannot be written yet: %s.", error->message), (NULL));
  }
  g_clear_error(&error);
  self->store.max_bytes = max_bytes;
  self->store.max_age = max_age;
  g_free(location);
  g_free(source);
  return right;
}

static void begin_run(GstFoveaClips *self) {
  GST_OBJECT_LOCK(self);
  g_mutex_lock(&self->lock);
  self->pre = ns(self->pre_roll);
  self->post = ns(self->post_roll);
  self->longest = self->max_duration ? ns(self->max_duration) : G_MAXINT64;
  self->delay = ns(self->filter.delay);
  self->ring = (FoveaPreroll){.span = self->pre + self->delay + SLACK, .max_bytes = self->ring_bytes, .newest = FOVEA_NO_TIME};
  self->frames = self->undecodable = self->triggers = self->merged = self->missed = self->clips = self->incomplete = self->failed = self->bytes = 0;
  self->started = TRUE;
  g_mutex_unlock(&self->lock);
  GST_OBJECT_UNLOCK(self);
}

static gboolean start(GstBaseSink *sink) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(sink);
  if (!open_store(self))
    return FALSE;
  begin_run(self);
  GST_OBJECT_LOCK(self);
  FoveaTriggerFilter filter = fovea_trigger_filter_copy(&self->filter);
  GST_OBJECT_UNLOCK(self);
  FoveaTrigger *trigger = fovea_trigger_start(GST_ELEMENT(self), &filter, on_trigger, self);
  g_mutex_lock(&self->lock);
  self->trigger = trigger;
  g_mutex_unlock(&self->lock);
  fovea_trigger_filter_clear(&filter);
  return TRUE;
}

/* A clip whose disk does not answer keeps the element, and with it the store, until it does. */
static gboolean stop(GstBaseSink *sink) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(sink);
  g_mutex_lock(&self->lock);
  FoveaTrigger *trigger = g_steal_pointer(&self->trigger);
  g_mutex_unlock(&self->lock);
  fovea_trigger_stop(trigger);
  g_mutex_lock(&self->lock);
  finish_all(self);
  fovea_preroll_clear(&self->ring);
  self->started = FALSE;
  wait_for_disk(self);
  gboolean idle = self->writers == 0;
  g_mutex_unlock(&self->lock);
  fovea_door_clear(&self->door);
  if (idle)
    fovea_clip_store_clear(&self->store);
  return idle;
}

/* --- properties -------------------------------------------------------------------------------------------------- */

static void trigger(GstFoveaClips *self, guint64 running_time, const gchar *label) {
  if (running_time <= G_MAXINT64 / 2)
    on_trigger(self, (gint64)running_time, g_intern_string(label ? label : ""));
}

static void take_text(gchar **place, const GValue *value) {
  g_free(*place);
  *place = g_value_dup_string(value);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(object);
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_LOCATION: take_text(&self->location, value); break;
    case PROP_SOURCE: take_text(&self->source, value); break;
    case PROP_PRE_ROLL: self->pre_roll = g_value_get_uint(value); break;
    case PROP_POST_ROLL: self->post_roll = g_value_get_uint(value); break;
    case PROP_MAX_DURATION: self->max_duration = g_value_get_uint(value); break;
    case PROP_MAX_BYTES: self->max_bytes = g_value_get_uint64(value); break;
    case PROP_MAX_AGE: self->max_age = g_value_get_uint(value); break;
    case PROP_RING_BYTES: self->ring_bytes = g_value_get_uint64(value); break;
    default:
      if (!fovea_trigger_set_property(&self->filter, id - PROP_TRIGGER, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static GstStructure *make_stats(GstFoveaClips *self) {
  g_mutex_lock(&self->store_lock);
  guint64 deleted = self->store.deleted;
  g_mutex_unlock(&self->store_lock);
  g_mutex_lock(&self->lock);
  const FoveaGop *oldest = g_queue_peek_head(&self->ring.gops);
  guint64 span = oldest && self->ring.newest > oldest->start ? (guint64)(self->ring.newest - oldest->start) / GST_MSECOND : 0;
  GstStructure *stats = gst_structure_new(
    "foveaclips-stats", "frames", G_TYPE_UINT64, self->frames, "undecodable", G_TYPE_UINT64, self->undecodable, "triggers", G_TYPE_UINT64, self->triggers, "merged", G_TYPE_UINT64,
    self->merged, "missed", G_TYPE_UINT64, self->missed, "clips", G_TYPE_UINT64, self->clips, "incomplete", G_TYPE_UINT64, self->incomplete, "failed", G_TYPE_UINT64, self->failed,
    "bytes", G_TYPE_UINT64, self->bytes, "deleted", G_TYPE_UINT64, deleted, "writing", G_TYPE_UINT64, (guint64)self->writers, "ring-ms", G_TYPE_UINT64, span, "ring-bytes",
    G_TYPE_UINT64, (guint64)self->ring.bytes, "trigger-found", G_TYPE_BOOLEAN, fovea_trigger_found(self->trigger), "last-location", G_TYPE_STRING,
    self->last_location ? self->last_location : "", "last-error", G_TYPE_STRING, self->last_error ? self->last_error : "", NULL);
  g_mutex_unlock(&self->lock);
  return stats;
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(object);
  if (id == PROP_STATS) {
    g_value_take_boxed(value, make_stats(self));
    return;
  }
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_LOCATION: g_value_set_string(value, self->location); break;
    case PROP_SOURCE: g_value_set_string(value, self->source); break;
    case PROP_PRE_ROLL: g_value_set_uint(value, self->pre_roll); break;
    case PROP_POST_ROLL: g_value_set_uint(value, self->post_roll); break;
    case PROP_MAX_DURATION: g_value_set_uint(value, self->max_duration); break;
    case PROP_MAX_BYTES: g_value_set_uint64(value, self->max_bytes); break;
    case PROP_MAX_AGE: g_value_set_uint(value, self->max_age); break;
    case PROP_RING_BYTES: g_value_set_uint64(value, self->ring_bytes); break;
    default:
      if (!fovea_trigger_get_property(&self->filter, id - PROP_TRIGGER, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void finalize(GObject *object) {
  GstFoveaClips *self = GST_FOVEA_CLIPS(object);
  fovea_clip_store_clear(&self->store);
  g_free(self->location);
  g_free(self->source);
  fovea_trigger_filter_clear(&self->filter);
  g_free(self->last_location);
  g_free(self->last_error);
  g_mutex_clear(&self->store_lock);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->idle);
  G_OBJECT_CLASS(gst_fovea_clips_parent_class)->finalize(object);
}

#define DEFAULT_LOCATION "{source}-%Y%m%d-%H%M%S.mp4"

static void gst_fovea_clips_init(GstFoveaClips *self) {
  self->location = g_strdup(DEFAULT_LOCATION);
  self->pre_roll = self->post_roll = 5000;
  self->max_duration = 120000;
  self->max_bytes = G_GUINT64_CONSTANT(1) << 30;
  self->ring_bytes = 64 << 20;
  self->filter.delay = FOVEA_TRIGGER_DELAY;
  g_mutex_init(&self->store_lock);
  g_mutex_init(&self->lock);
  g_cond_init(&self->idle);
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_async_enabled(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_last_sample_enabled(GST_BASE_SINK(self), FALSE);
}

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)

static void install_text(GObjectClass *class, guint id, const gchar *name, const gchar *nick, const gchar *blurb, const gchar *preset) {
  g_object_class_install_property(class, id, g_param_spec_string(name, nick, blurb, preset, READY));
}

static void install_ms(GObjectClass *class, guint id, const gchar *name, const gchar *nick, const gchar *blurb, guint preset) {
  g_object_class_install_property(class, id, g_param_spec_uint(name, nick, blurb, 0, 24 * 3600 * 1000, preset, READY));
}

static void install_properties(GObjectClass *class) {
  install_text(class, PROP_LOCATION, "location", "Location",
               "Path of the clips; in the name %Y %m %d %H %M %S %j %y %F %s stand for the time (UTC) they begin, {source} for the source. Clips of the same second are numbered", DEFAULT_LOCATION);
  install_text(class, PROP_SOURCE, "source", "Source", "Name of the camera; unset: the element's name", NULL);
  install_ms(class, PROP_PRE_ROLL, "pre-roll", "Pre-roll", "Before an event; the clip begins with the key frame at or before it (ms)", 5000);
  install_ms(class, PROP_POST_ROLL, "post-roll", "Post-roll", "After the last of events that overlap (ms)", 5000);
  install_ms(class, PROP_MAX_DURATION, "max-duration", "Longest clip", "At the key frame after so long another clip goes on (ms; 0: no bound)", 120000);
  g_object_class_install_property(class, PROP_MAX_BYTES,
                                  g_param_spec_uint64("max-bytes", "Most bytes", "Of all clips of this location; the oldest are deleted (bytes; 0: no bound)", 0, G_MAXUINT64,
                                                      G_GUINT64_CONSTANT(1) << 30, READY));
  g_object_class_install_property(class, PROP_MAX_AGE,
                                  g_param_spec_uint("max-age", "Oldest clip", "Clips of this location that are older are deleted when the next is written (seconds; 0: no bound)", 0, G_MAXINT, 0, READY));
  g_object_class_install_property(class, PROP_RING_BYTES,
                                  g_param_spec_uint64("ring-bytes", "Ring bytes", "Memory for the video before an event, whatever pre-roll says (bytes)", 1 << 20,
                                                      G_GUINT64_CONSTANT(1) << 34, 64 << 20, READY));
  fovea_trigger_install_properties(class, PROP_TRIGGER, "Name of an element of the same pipeline, a foveadetect for one: frames with objects that leave it are events",
                                   "A clip stays open so much longer, for detections that come later than the video and make it longer (ms)");
  g_object_class_install_property(class, PROP_STATS,
                                  g_param_spec_boxed("stats", "Statistics", "Events, clips written, incomplete and lost, the ring; since the start", GST_TYPE_STRUCTURE,
                                                     G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_fovea_clips_class_init(GstFoveaClipsClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties(object_class);
  sink_class->set_caps = set_caps;
  sink_class->render = render;
  sink_class->event = event;
  sink_class->start = start;
  sink_class->stop = stop;
  fovea_trigger_install_signal(object_class, G_CALLBACK(trigger));
  /* location, start and duration (running time, ns), label; from a thread of the clip's */
  clip_signal = g_signal_new(CLIP_MESSAGE, G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 4, G_TYPE_STRING, G_TYPE_UINT64, G_TYPE_UINT64,
                             G_TYPE_STRING);
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(element_class, "Fovea event clips", "Sink/File/Video", "Writes video before and after events to files, without encoding anew", "Fovea");
}

#include "attempt.h"

/* What the probes hold. Apart from the attempt, which holds the pipeline, which holds the probes. */
typedef struct Tap {
  GMutex lock; /* held during on_buffer */
  FvBufferFn on_buffer; /* NULL once released */
  gpointer user;
} Tap;

struct FvAttempt {
  GstElement *pipeline;
  Tap *tap;
  GMutex states; /* held while the pipeline changes its state: possibly for ever */

  GMutex lock; /* of all below */
  GCond changed;
  gboolean released, stopped;
};

static void tap_clear(gpointer data) { g_mutex_clear(&((Tap *)data)->lock); }
static void tap_unref(gpointer data) { g_atomic_rc_box_release_full(data, tap_clear); }

static void attempt_clear(gpointer data) {
  FvAttempt *self = data;
  gst_clear_object(&self->pipeline);
  tap_unref(self->tap);
  g_mutex_clear(&self->states);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
}

static void attempt_unref(gpointer data) { g_atomic_rc_box_release_full(data, attempt_clear); }

static GstPadProbeReturn pass_buffer(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  Tap *tap = user;
  g_mutex_lock(&tap->lock);
  if (tap->on_buffer != NULL) tap->on_buffer(pad, GST_PAD_PROBE_INFO_BUFFER(info), tap->user);
  g_mutex_unlock(&tap->lock);
  return GST_PAD_PROBE_OK;
}

static void watch_detector(const GValue *item, gpointer user) {
  GstElement *element = g_value_get_object(item);
  GstElementFactory *factory = gst_element_get_factory(element);
  if (factory == NULL || !g_str_equal(GST_OBJECT_NAME(factory), "foveadetect")) return;
  GstPad *pad = gst_element_get_static_pad(element, "src");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, pass_buffer, g_atomic_rc_box_acquire((Tap *)user), tap_unref);
  gst_object_unref(pad);
}

FvAttempt *fv_attempt_new(GstElement *pipeline, FvBufferFn on_buffer, gpointer user) {
  FvAttempt *self = g_atomic_rc_box_new0(FvAttempt);
  self->pipeline = gst_object_ref_sink(pipeline);
  self->tap = g_atomic_rc_box_new0(Tap);
  self->tap->on_buffer = on_buffer;
  self->tap->user = user;
  g_mutex_init(&self->tap->lock);
  g_mutex_init(&self->states);
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  GstIterator *elements = gst_bin_iterate_elements(GST_BIN(pipeline));
  gst_iterator_foreach(elements, watch_detector, self->tap);
  gst_iterator_free(elements);
  return self;
}

GstElement *fv_attempt_pipeline(const FvAttempt *self) { return self->pipeline; }

static gboolean is_released(FvAttempt *self) {
  g_mutex_lock(&self->lock);
  gboolean released = self->released;
  g_mutex_unlock(&self->lock);
  return released;
}

/* The threads of play and stop may start in any order. */
static void play(GstElement *pipeline, gpointer user) {
  FvAttempt *self = user;
  g_mutex_lock(&self->states);
  if (!is_released(self)) gst_element_set_state(pipeline, GST_STATE_PLAYING); /* failures arrive as messages */
  g_mutex_unlock(&self->states);
}

static void stop(GstElement *pipeline, gpointer user) {
  FvAttempt *self = user;
  g_mutex_lock(&self->states);
  gst_element_set_state(pipeline, GST_STATE_NULL);
  g_mutex_unlock(&self->states);
  g_mutex_lock(&self->lock);
  self->stopped = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

void fv_attempt_play(FvAttempt *self) { gst_element_call_async(self->pipeline, play, g_atomic_rc_box_acquire(self), attempt_unref); }

static void send_end(GstElement *pipeline, gpointer unused) { gst_element_send_event(pipeline, gst_event_new_eos()); }

/* A pipeline whose encoder has frames, but whose sink has none yet, is on its way to PLAYING still. Elements may take the event in their own time: not in ours. */
gboolean fv_attempt_end(FvAttempt *self) {
  GstState state = GST_STATE_NULL;
  gst_element_get_state(self->pipeline, &state, NULL, 0);
  if (state < GST_STATE_PAUSED) return FALSE;
  gst_element_call_async(self->pipeline, send_end, NULL, NULL);
  return TRUE;
}

void fv_attempt_wait_end(FvAttempt *self, gint64 deadline) {
  GstBus *bus = gst_element_get_bus(self->pipeline);
  gint64 left = MAX(0, deadline - g_get_monotonic_time());
  GstMessage *last = gst_bus_timed_pop_filtered(bus, (GstClockTime)left * GST_USECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (last != NULL) gst_message_unref(last);
  gst_object_unref(bus);
}

void fv_attempt_begin_stop(FvAttempt *self) {
  g_mutex_lock(&self->lock);
  gboolean again = self->released;
  self->released = TRUE;
  g_mutex_unlock(&self->lock);
  if (again) return;
  g_mutex_lock(&self->tap->lock);
  self->tap->on_buffer = NULL;
  g_mutex_unlock(&self->tap->lock);
  gst_element_call_async(self->pipeline, stop, g_atomic_rc_box_acquire(self), attempt_unref);
}

gboolean fv_attempt_is_stopped(FvAttempt *self) {
  g_mutex_lock(&self->lock);
  gboolean stopped = self->stopped;
  g_mutex_unlock(&self->lock);
  return stopped;
}

gboolean fv_attempt_release(FvAttempt **attempt, gint64 deadline) {
  FvAttempt *self = *attempt;
  if (self == NULL) return TRUE;
  *attempt = NULL;
  fv_attempt_begin_stop(self);
  g_mutex_lock(&self->lock);
  while (!self->stopped && g_cond_wait_until(&self->changed, &self->lock, deadline)) {}
  gboolean stopped = self->stopped;
  g_mutex_unlock(&self->lock);
  attempt_unref(self);
  return stopped;
}

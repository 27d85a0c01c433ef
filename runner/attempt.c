#include "attempt.h"

#include "common/detached.h"

/* What the probes hold. Apart from the attempt, which holds the pipeline, which holds the probes. */
typedef struct Tap {
  GMutex lock; /* held during on_buffer */
  FvBufferFn on_buffer; /* NULL once released */
  gpointer user;
} Tap;

struct FvAttempt {
  FoveaDetached *pipeline;
  Tap *tap;
};

static void tap_clear(gpointer data) { g_mutex_clear(&((Tap *)data)->lock); }
static void tap_unref(gpointer data) { g_atomic_rc_box_release_full(data, tap_clear); }

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
  FvAttempt *self = g_new0(FvAttempt, 1);
  self->pipeline = fovea_detached_new(pipeline, NULL);
  self->tap = g_atomic_rc_box_new0(Tap);
  self->tap->on_buffer = on_buffer;
  self->tap->user = user;
  g_mutex_init(&self->tap->lock);
  GstIterator *elements = gst_bin_iterate_elements(GST_BIN(pipeline));
  gst_iterator_foreach(elements, watch_detector, self->tap);
  gst_iterator_free(elements);
  return self;
}

GstElement *fv_attempt_pipeline(const FvAttempt *self) { return fovea_detached_element(self->pipeline); }

void fv_attempt_play(FvAttempt *self) { fovea_detached_play(self->pipeline); }

static void send_end(GstElement *pipeline, gpointer unused) { gst_element_send_event(pipeline, gst_event_new_eos()); }

/* A pipeline whose encoder has frames, but whose sink has none yet, is on its way to PLAYING still. Elements may take the event in their own time: not in ours. */
gboolean fv_attempt_end(FvAttempt *self) {
  GstState state = GST_STATE_NULL;
  gst_element_get_state(fv_attempt_pipeline(self), &state, NULL, 0);
  if (state < GST_STATE_PAUSED) return FALSE;
  gst_element_call_async(fv_attempt_pipeline(self), send_end, NULL, NULL);
  return TRUE;
}

void fv_attempt_wait_end(FvAttempt *self, gint64 deadline) {
  GstBus *bus = gst_element_get_bus(fv_attempt_pipeline(self));
  gint64 left = MAX(0, deadline - g_get_monotonic_time());
  GstMessage *last = gst_bus_timed_pop_filtered(bus, (GstClockTime)left * GST_USECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (last != NULL) gst_message_unref(last);
  gst_object_unref(bus);
}

void fv_attempt_begin_stop(FvAttempt *self) {
  g_mutex_lock(&self->tap->lock);
  self->tap->on_buffer = NULL;
  g_mutex_unlock(&self->tap->lock);
  fovea_detached_begin_stop(self->pipeline, NULL, NULL);
}

gboolean fv_attempt_is_stopped(FvAttempt *self) { return fovea_detached_is_stopped(self->pipeline); }

gboolean fv_attempt_release(FvAttempt **attempt, gint64 deadline) {
  FvAttempt *self = *attempt;
  if (self == NULL) return TRUE;
  *attempt = NULL;
  fv_attempt_begin_stop(self);
  gboolean stopped = fovea_detached_release(&self->pipeline, deadline, NULL, NULL);
  tap_unref(self->tap);
  g_free(self);
  return stopped;
}

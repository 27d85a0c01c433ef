#include "detached.h"

struct FoveaDetached {
  GstElement *element;
  void (*before_stop)(GstElement *element);
  GMutex states; /* held while the element changes its state: possibly for ever */

  GMutex lock; /* of all below */
  GCond changed;
  gboolean released, stopped;
  void (*on_stopped)(gpointer user);
  gpointer user;
};

static void clear(gpointer data) {
  FoveaDetached *self = data;
  gst_clear_object(&self->element);
  g_mutex_clear(&self->states);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
}

static void unref(gpointer data) { g_atomic_rc_box_release_full(data, clear); }

FoveaDetached *fovea_detached_new(GstElement *element, void (*before_stop)(GstElement *element)) {
  FoveaDetached *self = g_atomic_rc_box_new0(FoveaDetached);
  self->before_stop = before_stop;
  self->element = gst_object_ref_sink(element);
  g_mutex_init(&self->states);
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  return self;
}

GstElement *fovea_detached_element(const FoveaDetached *self) { return self->element; }

static gboolean is_released(FoveaDetached *self) {
  g_mutex_lock(&self->lock);
  gboolean released = self->released;
  g_mutex_unlock(&self->lock);
  return released;
}

/* The threads of play and stop may start in any order. */
static void play(GstElement *element, gpointer user) {
  FoveaDetached *self = user;
  g_mutex_lock(&self->states);
  if (!is_released(self))
    gst_element_set_state(element, GST_STATE_PLAYING);
  g_mutex_unlock(&self->states);
}

static void stop(GstElement *element, gpointer user) {
  FoveaDetached *self = user;
  g_mutex_lock(&self->states);
  if (self->before_stop)
    self->before_stop(element);
  gst_element_set_state(element, GST_STATE_NULL);
  g_mutex_unlock(&self->states);
  if (self->on_stopped)
    self->on_stopped(self->user);
  g_mutex_lock(&self->lock);
  self->stopped = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

void fovea_detached_play(FoveaDetached *self) { gst_element_call_async(self->element, play, g_atomic_rc_box_acquire(self), unref); }

void fovea_detached_begin_stop(FoveaDetached *self, void (*stopped)(gpointer user), gpointer user) {
  g_mutex_lock(&self->lock);
  gboolean again = self->released;
  if (!again) {
    self->released = TRUE;
    self->on_stopped = stopped;
    self->user = user;
  }
  g_mutex_unlock(&self->lock);
  if (!again)
    gst_element_call_async(self->element, stop, g_atomic_rc_box_acquire(self), unref);
}

gboolean fovea_detached_is_stopped(FoveaDetached *self) {
  g_mutex_lock(&self->lock);
  gboolean stopped = self->stopped;
  g_mutex_unlock(&self->lock);
  return stopped;
}

gboolean fovea_detached_release(FoveaDetached **detached, gint64 deadline, void (*stopped)(gpointer user), gpointer user) {
  FoveaDetached *self = *detached;
  if (!self) {
    if (stopped)
      stopped(user);
    return TRUE;
  }
  *detached = NULL;
  fovea_detached_begin_stop(self, stopped, user);
  g_mutex_lock(&self->lock);
  while (!self->stopped && g_cond_wait_until(&self->changed, &self->lock, deadline)) {}
  gboolean done = self->stopped;
  g_mutex_unlock(&self->lock);
  unref(self);
  return done;
}

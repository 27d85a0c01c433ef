#include "link.h"

#include "tcpqueue.h"

#define DRAIN_MS 5000

static gint astray; /* atomic */

guint fovea_links_astray(void) { return (guint)g_atomic_int_get(&astray); }

void fovea_link_unref(FoveaLink *link) {
  if (!link || !g_atomic_ref_count_dec(&link->references))
    return;
  fovea_child_unref(link->child);
  g_free(link);
}

/* What may hang runs without the lock, between these. */
static void begin_call(FoveaLink *link) {
  link->busy_since = g_get_monotonic_time();
  g_mutex_unlock(link->feed.lock);
}

static void end_call(FoveaLink *link) {
  g_mutex_lock(link->feed.lock);
  link->busy_since = 0;
  g_cond_broadcast(link->feed.changed);
}

static gboolean child_failed(FoveaChild *child) {
  gchar *error = fovea_child_error(child);
  g_free(error);
  return error != NULL;
}

/* The functions from here on are the thread's, called with the lock held. */
static gboolean start_child(FoveaLink *link) {
  FoveaChild *child = link->child;
  gint64 now = link->now;
  begin_call(link);
  gboolean started = fovea_child_start(child, now);
  gint queue = started ? fovea_tcp_queue_open(child) : -1;
  end_call(link);
  link->tcp_socket = queue;
  if (link->dropped)
    fovea_tcp_queue_close(&link->tcp_socket);
  return started;
}

static gboolean push(FoveaLink *link, FoveaLinkFrame *out) {
  FoveaChild *child = link->child;
  gsize size = gst_buffer_get_size(out->frame.buffer);
  begin_call(link);
  GstFlowReturn flow = fovea_child_push(child, &out->frame, out->caps, out->shift, out->discont);
  gint64 time = fovea_frame_order(&out->frame) + out->shift;
  fovea_frame_clear(&out->frame);
  gst_clear_caps(&out->caps);
  end_call(link);
  if (flow != GST_FLOW_OK || link->dropped)
    return FALSE;
  link->connected = TRUE;
  link->frames++;
  link->bytes += size;
  link->last_time = time;
  link->feed.handed(link->feed.user, link);
  return !child_failed(child);
}

/* After the end of the stream the connection stays until it is told to quit, so that what fails late is still seen. */
static gboolean drain(FoveaLink *link) {
  FoveaChild *child = link->child;
  begin_call(link);
  gboolean drained = fovea_child_drain(child, DRAIN_MS);
  end_call(link);
  link->drained = drained;
  link->busy_since = g_get_monotonic_time(); /* somebody should come and confirm */
  g_cond_broadcast(link->feed.changed);
  while (drained && !link->quit && !link->dropped && !child_failed(child))
    g_cond_wait_until(link->feed.changed, link->feed.lock, g_get_monotonic_time() + 100 * 1000);
  return drained && !child_failed(child);
}

static void run(FoveaLink *link) {
  gboolean good = start_child(link);
  while (good && !link->dropped && !link->quit && !child_failed(link->child)) {
    FoveaLinkFrame out = {0};
    FoveaLinkStep step = link->feed.next(link->feed.user, link, &out);
    if (step == FOVEA_LINK_QUIT)
      break;
    good = step == FOVEA_LINK_FRAME ? push(link, &out) : drain(link);
    if (step == FOVEA_LINK_DRAIN)
      break;
  }
  link->failed = !good || child_failed(link->child);
}

static gpointer link_thread(gpointer data) {
  FoveaLink *link = data;
  g_mutex_lock(link->feed.lock);
  run(link);
  fovea_tcp_queue_close(&link->tcp_socket); /* or it would keep the connection open */
  begin_call(link);
  fovea_child_stop(link->child);
  end_call(link);
  gboolean was_dropped = link->dropped;
  link->ended = TRUE;
  g_cond_broadcast(link->feed.changed);
  g_mutex_unlock(link->feed.lock);
  if (was_dropped)
    g_atomic_int_add(&astray, -1);
  link->feed.unref(link->feed.user);
  fovea_link_unref(link);
  return NULL;
}

/* ---- the keeper's side ---- */

FoveaLink *fovea_link_new(const gchar *text, GstCaps *caps, gint64 now, const FoveaLinkFeed *feed, GError **error) {
  gchar *whole = fovea_child_complete(text, caps);
  FoveaChild *child = fovea_child_new(whole, error);
  g_free(whole);
  if (!child)
    return NULL;
  FoveaLink *link = g_new0(FoveaLink, 1);
  g_atomic_ref_count_init(&link->references);
  g_atomic_ref_count_inc(&link->references); /* the thread's */
  link->feed = *feed;
  link->now = now;
  link->child = child;
  link->tcp_socket = -1;
  link->last_time = FOVEA_NO_TIME;
  link->busy_since = g_get_monotonic_time();
  g_thread_unref(g_thread_new("fovea-link", link_thread, link));
  return link;
}

void fovea_link_quit(FoveaLink *link) {
  link->quit = TRUE;
  g_cond_broadcast(link->feed.changed);
}

static gpointer stop_thread(gpointer data) {
  FoveaChild *child = data;
  fovea_child_stop(child);
  fovea_child_unref(child);
  return NULL;
}

void fovea_link_let_go(FoveaLink *link) {
  if (link->dropped || link->ended)
    return;
  link->dropped = TRUE;
  g_atomic_int_inc(&astray);
  fovea_tcp_queue_close(&link->tcp_socket);
  g_thread_unref(g_thread_new("fovea-link-stop", stop_thread, fovea_child_ref(link->child)));
  g_cond_broadcast(link->feed.changed);
}

gboolean fovea_link_must_end(FoveaLink *link) { return link->quit || link->dropped || child_failed(link->child); }

gint64 fovea_link_unacknowledged(const FoveaLink *link) { return fovea_tcp_queue_bytes(link->tcp_socket); }

gchar *fovea_link_reason(FoveaLink *link) {
  gchar *error = fovea_child_error(link->child);
  gchar *masked = error ? fovea_child_describe(error) : NULL;
  g_free(error);
  return masked;
}

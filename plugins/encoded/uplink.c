#include "uplink_internal.h"

#define SHORTEST (500 * (gint64)GST_MSECOND) /* streams of key frames only (MJPEG) are put together to GOPs of this length */
#define LONGEST (30 * (gint64)GST_SECOND)

void fovea_entry_free(FoveaEntry *entry) {
  fovea_gop_unref(entry->gop);
  g_clear_pointer(&entry->ids, g_array_unref);
  g_free(entry);
}

void fovea_uplink_params_clear(FoveaUplinkParams *params) {
  g_clear_pointer(&params->sink, g_free);
  g_clear_pointer(&params->replay_sink, g_free);
  g_clear_pointer(&params->spool, g_free);
}

static void clear(GQueue *queue) { g_queue_clear_full(queue, (GDestroyNotify)fovea_entry_free); }

void fovea_uplink_unref(gpointer data) {
  FoveaUplink *uplink = data;
  if (!g_atomic_ref_count_dec(&uplink->references))
    return;
  clear(&uplink->queue);
  clear(&uplink->sent);
  clear(&uplink->doomed);
  clear(&uplink->replay);
  clear(&uplink->replayed);
  g_free(uplink->live.reason);
  g_free(uplink->again.reason);
  g_free(uplink->stats.last_error);
  fovea_uplink_params_clear(&uplink->params);
  gst_clear_caps(&uplink->caps);
  g_mutex_clear(&uplink->lock);
  g_cond_clear(&uplink->changed);
  g_cond_clear(&uplink->wake);
  g_free(uplink);
}

FoveaUplink *fovea_uplink_start(GstElement *element, FoveaUplinkParams *params) {
  FoveaUplink *uplink = g_new0(FoveaUplink, 1);
  g_atomic_ref_count_init(&uplink->references);
  g_atomic_ref_count_inc(&uplink->references);
  g_mutex_init(&uplink->lock);
  g_cond_init(&uplink->changed);
  g_cond_init(&uplink->wake);
  uplink->params = *params;
  *params = (FoveaUplinkParams){0};
  uplink->element = element;
  uplink->newest = FOVEA_NO_TIME;
  uplink->live.backoff = uplink->again.backoff = (FoveaBackoff){.min_ms = uplink->params.retry_min, .max_ms = MAX(uplink->params.retry_min, uplink->params.retry_max)};
  uplink->live.state = uplink->again.state = FOVEA_LINK_OFFLINE;
  uplink->keeper = g_thread_new("fovea-uplink", fovea_uplink_keep, uplink);
  return uplink;
}

void fovea_uplink_stop(FoveaUplink *uplink) {
  if (!uplink)
    return;
  fovea_uplink_end_gop(uplink);
  g_mutex_lock(&uplink->lock);
  uplink->stopping = TRUE;
  uplink->stop_by = g_get_monotonic_time() + uplink->params.drain_timeout * G_GINT64_CONSTANT(1000);
  g_cond_broadcast(&uplink->changed);
  g_cond_broadcast(&uplink->wake);
  g_mutex_unlock(&uplink->lock);
  g_thread_join(uplink->keeper);
  fovea_uplink_unref(uplink);
}

/* ---- the queue; with the lock held ---- */

void fovea_uplink_drop(FoveaUplink *uplink, FoveaEntry *entry) {
  uplink->stats.dropped_gops++;
  uplink->stats.dropped_bytes += entry->gop->bytes;
  fovea_entry_free(entry);
}

void fovea_uplink_settle(FoveaUplink *uplink) {
  FoveaEntry *entry = g_queue_peek_head(&uplink->queue);
  if (!entry || !entry->complete || !entry->begun || entry->sent < entry->gop->frames->len)
    return;
  g_queue_pop_head(&uplink->queue);
  entry->handed_at = g_get_monotonic_time();
  uplink->live.follow = entry->gop->cut ? entry->gop->part + 1 : 0;
  if (uplink->live.link)
    entry->handed_frames = uplink->live.link->frames, entry->handed_bytes = uplink->live.link->bytes;
  g_queue_push_tail(&uplink->sent, entry);
}

/* The next part of a GOP whose beginning is not on this link would not be understood. */
static gboolean has_lost_its_beginning(const FoveaUplink *uplink, const FoveaEntry *entry) {
  return entry->gop->part > 0 && entry->gop->part != uplink->live.follow;
}

void fovea_uplink_doom_old(FoveaUplink *uplink) {
  gint64 oldest = g_get_monotonic_time() - uplink->params.live_latency * G_GINT64_CONSTANT(1000);
  FoveaEntry *entry;
  while ((entry = g_queue_peek_head(&uplink->queue)) && !entry->begun && (entry->since < oldest || has_lost_its_beginning(uplink, entry))) {
    if (uplink->stopping && uplink->live.state == FOVEA_LINK_CONNECTED)
      return; /* the last chance */
    g_queue_push_tail(&uplink->doomed, g_queue_pop_head(&uplink->queue));
  }
}

gint64 fovea_uplink_waiting(const FoveaUplink *uplink) {
  const FoveaEntry *entry = g_queue_peek_head((GQueue *)&uplink->queue);
  if (!entry || entry->sent >= entry->gop->frames->len)
    return 0;
  return g_get_monotonic_time() - fovea_gop_frame(entry->gop, entry->sent)->arrived;
}

static FoveaEntry *growing(FoveaUplink *uplink) {
  FoveaEntry *entry = g_queue_peek_tail(&uplink->queue);
  if (!entry || entry->complete)
    entry = g_queue_peek_tail(&uplink->doomed);
  return entry && !entry->complete ? entry : NULL;
}

static void complete(FoveaUplink *uplink, gboolean cut) {
  FoveaEntry *entry = growing(uplink);
  if (!entry)
    return;
  entry->gop->cut = cut;
  entry->complete = TRUE;
  entry->completed = g_get_monotonic_time();
  fovea_uplink_settle(uplink);
}

/* Memory is bounded whatever becomes of the disk and the link: the oldest that nobody is at goes. */
static void keep_bound(FoveaUplink *uplink) {
  while (uplink->memory > uplink->params.queue_bytes) {
    FoveaEntry *entry = g_queue_peek_head(&uplink->doomed);
    GQueue *from = entry && entry->complete ? &uplink->doomed : &uplink->queue;
    GList *at = from->head;
    while (at && (((FoveaEntry *)at->data)->begun || !((FoveaEntry *)at->data)->complete)) at = at->next;
    if (!at)
      return;
    entry = at->data;
    g_queue_delete_link(from, at);
    uplink->memory -= entry->gop->bytes;
    fovea_uplink_drop(uplink, entry);
  }
}

static void begin(FoveaUplink *uplink, const FoveaFrame *frame, GstCaps *caps, guint part) {
  FoveaEntry *entry = g_new0(FoveaEntry, 1);
  entry->gop = fovea_gop_new(caps, uplink->epoch, part);
  entry->since = frame->arrived;
  g_queue_push_tail(&uplink->queue, entry);
}

void fovea_uplink_append(FoveaUplink *uplink, FoveaFrame *frame, GstCaps *caps) {
  static const FoveaGopBounds bounds = {SHORTEST, LONGEST};
  g_mutex_lock(&uplink->lock);
  uplink->stats.frames++;
  FoveaEntry *open = growing(uplink);
  FoveaGopStep step = fovea_gop_step(open ? open->gop : NULL, frame, caps, &bounds);
  if (step == FOVEA_GOP_REFUSE) {
    uplink->stats.undecodable++;
    fovea_frame_clear(frame);
    g_mutex_unlock(&uplink->lock);
    return;
  }
  if (uplink->epoch == 0)
    uplink->epoch = fovea_gop_epoch(frame);
  if (step != FOVEA_GOP_GROW) {
    guint part = step == FOVEA_GOP_CUT ? open->gop->part + 1 : 0;
    complete(uplink, step == FOVEA_GOP_CUT);
    begin(uplink, frame, caps, part);
    open = growing(uplink);
  }
  uplink->newest = fovea_frame_time(frame);
  gst_caps_replace(&uplink->caps, caps);
  uplink->memory += gst_buffer_get_size(frame->buffer);
  fovea_gop_append(open->gop, frame);
  keep_bound(uplink);
  g_cond_broadcast(&uplink->changed);
  g_mutex_unlock(&uplink->lock);
}

void fovea_uplink_end_gop(FoveaUplink *uplink) {
  g_mutex_lock(&uplink->lock);
  complete(uplink, FALSE);
  g_cond_broadcast(&uplink->changed);
  g_mutex_unlock(&uplink->lock);
}

void fovea_uplink_trigger(FoveaUplink *uplink, gint64 running_time) {
  g_mutex_lock(&uplink->lock);
  uplink->triggers[uplink->trigger_count++ % FOVEA_TRIGGERS] = running_time;
  g_mutex_unlock(&uplink->lock);
}

void fovea_uplink_retry(FoveaUplink *uplink) {
  g_mutex_lock(&uplink->lock);
  uplink->live.retry_at = uplink->again.retry_at = 0;
  fovea_backoff_reset(&uplink->live.backoff);
  fovea_backoff_reset(&uplink->again.backoff);
  g_cond_broadcast(&uplink->wake);
  g_mutex_unlock(&uplink->lock);
}

FoveaUplinkStats fovea_uplink_stats(FoveaUplink *uplink) {
  g_mutex_lock(&uplink->lock);
  FoveaUplinkStats stats = uplink->stats;
  stats.state = uplink->live.state;
  stats.replay_state = uplink->again.state;
  stats.waiting_ns = fovea_uplink_waiting(uplink) * 1000;
  stats.last_error = g_strdup(stats.last_error);
  g_mutex_unlock(&uplink->lock);
  return stats;
}

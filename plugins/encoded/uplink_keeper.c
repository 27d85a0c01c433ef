/* The keeper: disk, confirmation, and the life of the links. Its functions are called with the lock held and let go of it around what may take time. */
#include "uplink_internal.h"

#define TICK_US (50 * 1000)
#define LOOK_US (500 * 1000)             /* between two looks at the spool's statistics */
#define REOPEN_US (10 * G_USEC_PER_SEC)  /* a disk may come later */
#define WARNING_US (10 * G_USEC_PER_SEC)
#define END_US G_USEC_PER_SEC            /* that a child may take to stop at the end */
#define MAX_ASTRAY 8                     /* children that hang; no new ones before some have come back */
#define AHEAD_GOPS 4                     /* read from the spool before they are due */
#define BATCH_GOPS 16                    /* newest-first goes back in time so many at once; each such step is a connection */
#define AHEAD_BYTES (8 << 20)

static gint64 us(guint ms) { return ms * G_GINT64_CONSTANT(1000); }

/* ---- telling ---- */

static void set_last_error(FoveaUplink *uplink, const gchar *sentence) {
  g_free(uplink->stats.last_error);
  uplink->stats.last_error = g_strdup(sentence);
}

static void warn(FoveaUplink *uplink, const gchar *what, const gchar *cause) {
  gint64 now = g_get_monotonic_time();
  set_last_error(uplink, cause);
  if (uplink->warned_at && now - uplink->warned_at < WARNING_US)
    return;
  uplink->warned_at = now;
  g_mutex_unlock(&uplink->lock);
  GST_ELEMENT_WARNING(uplink->element, RESOURCE, WRITE, ("%s: %s.", what, cause), (NULL));
  g_mutex_lock(&uplink->lock);
}

static void set_state(FoveaSlot *slot, FoveaLinkState state, gchar *reason, guint retry_in) {
  slot->state = state;
  slot->retry_in = retry_in;
  slot->post = TRUE;
  g_free(slot->reason);
  slot->reason = reason;
}

/* Only the live link's: the replay is our own business, and may go to the same place. */
static void post(FoveaUplink *uplink) {
  FoveaSlot *slot = &uplink->live;
  if (!slot->post)
    return;
  slot->post = FALSE;
  FoveaLinkState state = slot->state;
  guint retry_in = slot->retry_in, attempt = slot->backoff.failures;
  gchar *reason = g_strdup(slot->reason);
  g_mutex_unlock(&uplink->lock);
  fovea_link_state_post(uplink->element, state, uplink->target, reason, retry_in, attempt);
  g_free(reason);
  g_mutex_lock(&uplink->lock);
}

/* ---- the spool ---- */

static void open_spool(FoveaUplink *uplink) {
  const FoveaUplinkParams *params = &uplink->params;
  FvSpoolReaderParams reader = {.name = "uplink", .newest_first = params->newest_first};
  FvSpoolParams spool = {.directory = params->spool, .max_bytes = params->spool_bytes, .max_age_s = params->spool_age, .policy = params->spool_policy,
                         .segment_bytes = fovea_gop_segment_bytes(params->spool_bytes)};
  FvError err;
  uplink->record_bytes = fovea_gop_record_bytes(spool.segment_bytes);
  g_mutex_unlock(&uplink->lock);
  int result = fv_spool_open(&spool, &uplink->spool, &err);
  if (result == 0 && (result = fv_spool_reader_open(uplink->spool, &reader, &uplink->reader.reader, &err)) < 0)
    fv_spool_close(&uplink->spool);
  g_mutex_lock(&uplink->lock);
  uplink->opened_at = g_get_monotonic_time();
  if (result < 0)
    warn(uplink, "Video is not kept while the link is down", err.message);
}

static gboolean had_trigger(const FoveaUplink *uplink, const FoveaGop *gop) {
  for (guint i = 0; i < MIN(uplink->trigger_count, FOVEA_TRIGGERS); i++)
    if (uplink->triggers[i] >= gop->start && uplink->triggers[i] <= gop->end)
      return TRUE;
  return FALSE;
}

static void store(FoveaUplink *uplink, FoveaEntry *entry) {
  FvError err = {0};
  gboolean event = had_trigger(uplink, entry->gop);
  int result = FV_ERR_IO;
  if (uplink->spool) {
    g_mutex_unlock(&uplink->lock);
    result = fovea_gop_spool(uplink->spool, entry->gop, event ? FOVEA_PRIORITY_EVENT : FOVEA_PRIORITY_PLAIN, uplink->record_bytes, &err);
    g_mutex_lock(&uplink->lock);
    uplink->appended = TRUE;
  }
  uplink->memory -= entry->gop->bytes;
  if (result < 0) {
    fovea_uplink_drop(uplink, entry);
    if (uplink->spool)
      warn(uplink, "Video is being lost", err.message);
    return;
  }
  uplink->stats.spooled_gops++;
  uplink->stats.spooled_bytes += entry->gop->bytes;
  uplink->stats.event_gops += event ? 1 : 0;
  fovea_entry_free(entry);
}

/* Detections come later than the frames they are of, so a GOP waits a little before its priority is settled. */
static void store_doomed(FoveaUplink *uplink, gboolean all) {
  FoveaEntry *entry;
  while ((entry = g_queue_peek_head(&uplink->doomed)) && entry->complete &&
         (all || g_get_monotonic_time() - entry->completed >= us(uplink->params.trigger_delay))) {
    g_queue_pop_head(&uplink->doomed);
    store(uplink, entry);
  }
}

/* Records written since would come before older ones, and without order: as backlog they take their place. */
static void rewind_reader(FoveaUplink *uplink) {
  if (uplink->appended)
    fv_spool_rewind(uplink->reader.reader);
  uplink->appended = FALSE;
}

static gint by_time(gconstpointer a, gconstpointer b, gpointer user) {
  const FoveaGop *first = ((const FoveaEntry *)a)->gop, *second = ((const FoveaEntry *)b)->gop;
  gint64 at = first->epoch + first->start, other = second->epoch + second->start;
  return at < other ? -1 : at > other ? 1 : (gint)first->part - (gint)second->part;
}

static gboolean read_one(FoveaUplink *uplink, GQueue *batch) {
  FvError err = {0};
  GArray *ids = NULL;
  g_mutex_unlock(&uplink->lock);
  rewind_reader(uplink);
  FoveaGop *gop = fovea_gop_unspool(&uplink->reader, &ids, &err);
  g_mutex_lock(&uplink->lock);
  uplink->stats.damaged_gops = uplink->reader.damaged;
  if (!gop && err.code != FV_OK)
    warn(uplink, "Kept video cannot be read", err.message);
  if (!gop)
    return FALSE;
  FoveaEntry *entry = g_new0(FoveaEntry, 1);
  entry->gop = gop;
  entry->ids = ids;
  entry->complete = TRUE;
  if (uplink->params.newest_first)
    g_queue_insert_sorted(batch, entry, by_time, NULL);
  else
    g_queue_push_tail(batch, entry);
  return TRUE;
}

static guint8 priority_of(const FoveaEntry *entry) { return (guint8)(g_array_index(entry->ids, guint64, 0) >> 56); }

/* Sorted by time, GOPs with an event would come among the others: they make a batch of their own. */
static gboolean is_of_next_batch(FoveaUplink *uplink, GQueue *batch) {
  FoveaEntry *entry = NULL;
  for (GList *at = batch->head; at && !entry; at = at->next)
    if (priority_of(at->data) < priority_of(batch->head->data) || priority_of(at->data) < priority_of(batch->tail->data))
      entry = at->data;
  if (!entry)
    return FALSE;
  g_queue_remove(batch, entry);
  fovea_gop_take_back(&uplink->reader, entry->ids);
  fovea_entry_free(entry);
  uplink->appended = TRUE; /* has the reader rewound */
  return TRUE;
}

static gsize bytes_of(const GQueue *queue) {
  gsize bytes = 0;
  for (const GList *at = queue->head; at; at = at->next) bytes += ((const FoveaEntry *)at->data)->gop->bytes;
  return bytes;
}

static void read_ahead(FoveaUplink *uplink) {
  const gboolean newest_first = uplink->params.newest_first;
  GQueue batch = G_QUEUE_INIT;
  FoveaEntry *entry;
  if (!uplink->spool || uplink->live.state != FOVEA_LINK_CONNECTED || uplink->stopping || (newest_first && uplink->replay.length > 0))
    return;
  while (uplink->replay.length + batch.length < (newest_first ? BATCH_GOPS : AHEAD_GOPS) && bytes_of(&uplink->replay) + bytes_of(&batch) < AHEAD_BYTES &&
         bytes_of(&uplink->replayed) < uplink->params.queue_bytes && read_one(uplink, &batch) && !(newest_first && is_of_next_batch(uplink, &batch))) {
  }
  if (batch.length > 0)
    uplink->replay_active = g_get_monotonic_time();
  while ((entry = g_queue_pop_head(&batch))) g_queue_push_tail(&uplink->replay, entry);
  g_cond_broadcast(&uplink->changed);
}

static void look_at_spool(FoveaUplink *uplink) {
  gint64 now = g_get_monotonic_time();
  if (!uplink->spool || now - uplink->looked_at < LOOK_US)
    return;
  uplink->looked_at = now;
  FvError err;
  g_mutex_unlock(&uplink->lock);
  int synced = fv_spool_sync(uplink->spool, &err);
  FvSpoolStats stats = fv_spool_stats(uplink->spool);
  gint64 pending = fv_spool_pending(uplink->reader.reader);
  g_mutex_lock(&uplink->lock);
  uplink->stats.spool = stats;
  uplink->stats.pending = pending;
  if (synced < 0)
    warn(uplink, "Kept video may not survive a power cut", err.message);
}

/* ---- confirmation ---- */

/* Handed over long enough ago; something came behind it, so that it does not wait in the child any more, and more than the far side's machine has not acknowledged. */
static gboolean is_confirmed(const FoveaUplink *uplink, const FoveaLink *link, const FoveaEntry *entry, gint64 unacknowledged) {
  if (uplink->stopping && link->drained && unacknowledged == 0)
    return TRUE;
  return g_get_monotonic_time() - entry->handed_at >= us(uplink->params.confirm_after) && (link->drained || link->frames - entry->handed_frames >= 2) &&
         (gint64)(link->bytes - entry->handed_bytes) >= unacknowledged;
}

static FoveaEntry *next_confirmed(FoveaUplink *uplink, GQueue *queue, const FoveaSlot *slot) {
  FoveaEntry *entry = g_queue_peek_head(queue);
  if (!entry || !slot->link || slot->link->failed || !is_confirmed(uplink, slot->link, entry, fovea_link_unacknowledged(slot->link)))
    return NULL;
  return g_queue_pop_head(queue);
}

static void confirm(FoveaUplink *uplink) {
  FoveaEntry *entry;
  while ((entry = next_confirmed(uplink, &uplink->sent, &uplink->live))) {
    fovea_backoff_reset(&uplink->live.backoff);
    uplink->memory -= entry->gop->bytes;
    uplink->stats.live_gops++;
    uplink->stats.live_bytes += entry->gop->bytes;
    fovea_entry_free(entry);
  }
  while ((entry = next_confirmed(uplink, &uplink->replayed, &uplink->again))) {
    fovea_backoff_reset(&uplink->again.backoff);
    fovea_gop_acknowledge(&uplink->reader, entry->ids);
    uplink->stats.replayed_gops++;
    uplink->stats.replayed_bytes += entry->gop->bytes;
    fovea_entry_free(entry);
  }
}

/* ---- links ---- */

/* What is not confirmed is sent again, from its key frames on. */
static void take_back_live(FoveaUplink *uplink) {
  FoveaEntry *entry = g_queue_peek_head(&uplink->queue);
  if (entry && entry->begun)
    entry->begun = FALSE, entry->sent = 0, uplink->stats.again_gops++;
  while ((entry = g_queue_pop_tail(&uplink->sent))) {
    entry->begun = FALSE, entry->sent = 0;
    uplink->stats.again_gops++;
    g_queue_push_head(&uplink->queue, entry);
  }
  uplink->live.follow = 0;
}

static void take_back_replay(FoveaUplink *uplink) {
  FoveaEntry *entry;
  uplink->stats.again_gops += uplink->replayed.length;
  while ((entry = g_queue_pop_head(&uplink->replayed)) || (entry = g_queue_pop_head(&uplink->replay))) {
    fovea_gop_take_back(&uplink->reader, entry->ids);
    fovea_entry_free(entry);
  }
  uplink->appended = TRUE; /* has the reader rewound */
}

static void drop_link(FoveaSlot *slot) {
  fovea_link_unref(slot->link);
  slot->link = NULL;
}

static void fail(FoveaUplink *uplink, FoveaSlot *slot, gchar *reason) {
  guint wait = fovea_backoff_next(&slot->backoff);
  slot->retry_at = g_get_monotonic_time() + us(wait);
  set_last_error(uplink, reason);
  set_state(slot, FOVEA_LINK_RETRYING, reason, wait);
  if (slot == &uplink->live)
    take_back_live(uplink);
  else
    take_back_replay(uplink);
}

static void start_link(FoveaUplink *uplink, FoveaSlot *slot, const gchar *text, const FoveaLinkFeed *functions) {
  FoveaLinkFeed feed = *functions;
  GError *error = NULL;
  feed.lock = &uplink->lock, feed.changed = &uplink->changed, feed.user = uplink;
  if (slot->state == FOVEA_LINK_OFFLINE)
    set_state(slot, slot->worked ? FOVEA_LINK_RETRYING : FOVEA_LINK_CONNECTING, NULL, 0);
  g_atomic_ref_count_inc(&uplink->references);
  const FoveaEntry *first = g_queue_peek_head(&uplink->replay);
  slot->link = fovea_link_new(text, slot == &uplink->again && first ? first->gop->caps : uplink->caps, uplink->newest, &feed, &error);
  if (slot->link)
    return;
  fovea_uplink_unref(uplink); /* not the last: the keeper has one */
  fail(uplink, slot, fovea_child_describe(error->message));
  g_error_free(error);
}

static void note_connected(FoveaUplink *uplink, FoveaSlot *slot) {
  if (!slot->link->connected || slot->state == FOVEA_LINK_CONNECTED)
    return;
  uplink->stats.reconnects += slot == &uplink->live && slot->worked ? 1 : 0;
  slot->worked = TRUE;
  slot->retry_at = 0;
  set_state(slot, FOVEA_LINK_CONNECTED, NULL, 0);
}

static gboolean hangs(const FoveaUplink *uplink, const FoveaLink *link) {
  gint64 limit = us(uplink->params.stall_timeout) + (link->drained ? us(uplink->params.confirm_after) : 0);
  return !link->ended && uplink->params.stall_timeout && link->busy_since && g_get_monotonic_time() - link->busy_since > limit;
}

static void let_go(FoveaUplink *uplink, FoveaSlot *slot) {
  fovea_link_let_go(slot->link);
  uplink->stats.let_go++;
  drop_link(slot);
  fail(uplink, slot, g_strdup_printf("it took nothing for %u ms", uplink->params.stall_timeout));
}

static void supervise(FoveaUplink *uplink, FoveaSlot *slot, const gchar *text, const FoveaLinkFeed *feed, gboolean wanted) {
  gint64 now = g_get_monotonic_time();
  if (slot->link)
    note_connected(uplink, slot);
  if (slot->link && hangs(uplink, slot->link))
    let_go(uplink, slot);
  else if (slot->link && slot->link->ended) {
    gboolean failed = slot->link->failed;
    gchar *reason = fovea_link_reason(slot->link);
    drop_link(slot);
    if (failed)
      fail(uplink, slot, reason ? reason : g_strdup("the connection ended"));
    else {
      g_free(reason);
      set_state(slot, FOVEA_LINK_OFFLINE, NULL, 0);
    }
  } else if (!slot->link && wanted && now >= slot->retry_at && fovea_links_astray() < MAX_ASTRAY)
    start_link(uplink, slot, text, feed);
}

static void supervise_both(FoveaUplink *uplink) {
  const gchar *sink = uplink->params.sink, *replay = uplink->params.replay_sink ? uplink->params.replay_sink : sink;
  supervise(uplink, &uplink->live, sink, &fovea_live_feed, !uplink->stopping && uplink->newest != FOVEA_NO_TIME);
  supervise(uplink, &uplink->again, replay, &fovea_replay_feed, !uplink->stopping && uplink->live.state == FOVEA_LINK_CONNECTED && uplink->replay.length > 0);
  if (uplink->again.link && uplink->again.link->drained && uplink->replayed.length == 0)
    fovea_link_quit(uplink->again.link);
}

/* ---- from start to stop ---- */

static gboolean has_work_left(FoveaUplink *uplink) {
  gboolean live = uplink->live.state == FOVEA_LINK_CONNECTED && (uplink->queue.length > 0 || uplink->sent.length > 0);
  gboolean again = uplink->again.state == FOVEA_LINK_CONNECTED && uplink->replayed.length > 0;
  return !uplink->stopping || ((live || again) && g_get_monotonic_time() < uplink->stop_by);
}

static void work(FoveaUplink *uplink) {
  while (has_work_left(uplink)) {
    if (uplink->params.spool && !uplink->spool && (!uplink->opened_at || g_get_monotonic_time() - uplink->opened_at > REOPEN_US))
      open_spool(uplink);
    fovea_uplink_doom_old(uplink);
    store_doomed(uplink, FALSE);
    confirm(uplink);
    supervise_both(uplink);
    read_ahead(uplink);
    look_at_spool(uplink);
    post(uplink);
    g_cond_wait_until(&uplink->wake, &uplink->lock, g_get_monotonic_time() + TICK_US);
  }
}

static void end_link(FoveaUplink *uplink, FoveaSlot *slot, gint64 until) {
  if (!slot->link)
    return;
  fovea_link_quit(slot->link);
  while (!slot->link->ended && g_cond_wait_until(&uplink->changed, &uplink->lock, until)) {
  }
  fovea_link_let_go(slot->link);
  drop_link(slot);
}

/* What nobody has confirmed stays for the next time. */
static void keep_the_rest(FoveaUplink *uplink) {
  FoveaEntry *entry;
  take_back_live(uplink);
  take_back_replay(uplink);
  while ((entry = g_queue_pop_head(&uplink->queue))) g_queue_push_tail(&uplink->doomed, entry);
  store_doomed(uplink, TRUE);
}

gpointer fovea_uplink_keep(gpointer data) {
  FoveaUplink *uplink = data;
  uplink->target = fovea_child_describe(uplink->params.sink);
  uplink->reader.out = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  g_mutex_lock(&uplink->lock);
  work(uplink);
  gint64 until = g_get_monotonic_time() + END_US;
  end_link(uplink, &uplink->live, until);
  end_link(uplink, &uplink->again, until);
  keep_the_rest(uplink);
  set_state(&uplink->live, FOVEA_LINK_OFFLINE, NULL, 0);
  post(uplink);
  uplink->looked_at = 0;
  look_at_spool(uplink);
  g_mutex_unlock(&uplink->lock);
  fv_spool_reader_close(&uplink->reader.reader);
  fv_spool_close(&uplink->spool);
  g_hash_table_unref(uplink->reader.out);
  g_free(uplink->target);
  fovea_uplink_unref(uplink);
  return NULL;
}

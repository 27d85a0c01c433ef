#include "courier.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "common/backoff.h"
#include "common/linkwatch.h"

#define TICK_US (FOVEA_OUTBOX_TICK_MS * 1000)
#define SETTLED_US (30 * G_USEC_PER_SEC) /* a connection that lived so long counts as a good one, though nothing was sent */
#define STALE_ATTEMPT_US (3 * G_USEC_PER_SEC) /* an attempt so old began on a network that was not there: when it comes up, a new one is faster */
#define RATE_POLL_MS 20 /* how often to look whether the limit of the backlog lets another message go */

struct FoveaCourier {
  FoveaTransport *transport;
  FoveaOutbox *outbox;
  guint answer_timeout_ms;
  const FoveaCourierEvents *events;
  gpointer user;
  gint wake;    /* eventfd */
  gint stopping, link_came_up; /* atomic */
  FoveaLinkWatch *watch;
  GThread *thread;

  /* the thread's own */
  FoveaBackoff backoff;
  gboolean connected, lost, ever_connected;
  gboolean unproven;       /* connected, and not said so yet */
  guint open;              /* sent, not answered */
  GHashTable *sizes;       /* of the open ones: id -> bytes */
  guint not_before_ms;     /* what the far side asked for when it was lost */
  gint64 since, progress_at, ticked_at; /* monotonic us: this attempt or connection; the last answer */
  gchar *lost_reason;

  GMutex lock;
  GCond drained_changed;
  gboolean draining, drained;
  FoveaCourierStats stats;
};

static void change_state(FoveaCourier *courier, FoveaLinkState state, const gchar *reason, guint retry_in_ms) {
  g_mutex_lock(&courier->lock);
  courier->stats.state = state;
  g_mutex_unlock(&courier->lock);
  courier->events->state_changed(courier->user, state, reason, retry_in_ms, courier->backoff.failures);
}

/* --- what the transport tells ------------------------------------------------------------------------------ */

static void show_connected(FoveaCourier *courier) {
  courier->unproven = FALSE;
  change_state(courier, FOVEA_LINK_CONNECTED, NULL, 0);
}

static void on_connected(gpointer user) {
  FoveaCourier *courier = user;
  courier->connected = TRUE;
  courier->unproven = courier->backoff.failures > 0 && courier->transport->method->proven_by_answer;
  courier->since = courier->progress_at = g_get_monotonic_time();
  g_mutex_lock(&courier->lock);
  courier->stats.reconnects += courier->ever_connected ? 1 : 0;
  g_mutex_unlock(&courier->lock);
  courier->ever_connected = TRUE;
  if (!courier->unproven)
    show_connected(courier);
}

/* An answer: the message leaves the outbox. Its size. */
static gsize settle(FoveaCourier *courier, guint64 id) {
  gpointer size = g_hash_table_lookup(courier->sizes, &id);
  if (!g_hash_table_remove(courier->sizes, &id))
    return 0;
  courier->open--;
  courier->progress_at = g_get_monotonic_time();
  fovea_outbox_acknowledge(courier->outbox, id);
  if (courier->unproven)
    show_connected(courier);
  fovea_backoff_reset(&courier->backoff);
  return GPOINTER_TO_SIZE(size);
}

static void on_acknowledged(gpointer user, guint64 id) {
  FoveaCourier *courier = user;
  gsize size = settle(courier, id);
  g_mutex_lock(&courier->lock);
  courier->stats.acknowledged += size ? 1 : 0;
  courier->stats.acknowledged_bytes += size;
  g_mutex_unlock(&courier->lock);
}

static void on_rejected(gpointer user, guint64 id, const gchar *reason) {
  FoveaCourier *courier = user;
  settle(courier, id);
  g_mutex_lock(&courier->lock);
  courier->stats.rejected++;
  g_mutex_unlock(&courier->lock);
  courier->events->rejected(courier->user, reason);
}

static void on_lost(gpointer user, const gchar *reason, guint not_before_ms) {
  FoveaCourier *courier = user;
  if (courier->lost)
    return;
  courier->lost = TRUE; /* acted upon when the transport has returned */
  courier->not_before_ms = not_before_ms;
  courier->lost_reason = g_strdup(reason);
}

static const FoveaTransportEvents transport_events = {on_connected, on_acknowledged, on_rejected, on_lost};

/* --- the thread -------------------------------------------------------------------------------------------- */

static gboolean stopping(FoveaCourier *courier) { return g_atomic_int_get(&courier->stopping); }

static void clear_wake(FoveaCourier *courier) {
  eventfd_t count;
  eventfd_read(courier->wake, &count);
}

static void tick(FoveaCourier *courier) {
  gint64 now = g_get_monotonic_time();
  if (now - courier->ticked_at < TICK_US)
    return;
  courier->ticked_at = now;
  fovea_outbox_tick(courier->outbox);
  courier->events->tick(courier->user);
}

static gint until_tick_ms(const FoveaCourier *courier) {
  gint64 left = courier->ticked_at + TICK_US - g_get_monotonic_time();
  return (gint)(CLAMP(left, 0, TICK_US) / 1000) + 1;
}

/* Closes what was, and gives everything open back to the outbox. */
static void hang_up(FoveaCourier *courier, gboolean orderly) {
  courier->transport->method->disconnect(courier->transport, orderly);
  g_mutex_lock(&courier->lock);
  courier->stats.duplicates_possible += courier->open;
  g_mutex_unlock(&courier->lock);
  courier->open = 0;
  g_hash_table_remove_all(courier->sizes);
  courier->connected = courier->lost = FALSE;
  fovea_outbox_keep(courier->outbox);
  fovea_outbox_rewind(courier->outbox);
}

/* Until the next attempt is due, the network comes up or the courier is stopped. */
static void wait_to_retry(FoveaCourier *courier, guint wait_ms) {
  gint64 until = g_get_monotonic_time() + (gint64)wait_ms * 1000, now;
  while (!stopping(courier) && (now = g_get_monotonic_time()) < until) {
    if (g_atomic_int_compare_and_exchange(&courier->link_came_up, TRUE, FALSE)) {
      fovea_backoff_reset(&courier->backoff);
      return;
    }
    fovea_transport_wait(courier->wake, -1, 0, MIN((gint)((until - now) / 1000) + 1, until_tick_ms(courier)));
    clear_wake(courier);
    tick(courier);
  }
}

static void recover(FoveaCourier *courier) {
  gchar *reason = g_steal_pointer(&courier->lost_reason);
  guint not_before = courier->not_before_ms;
  hang_up(courier, FALSE);
  guint wait = fovea_backoff_next(&courier->backoff);
  wait = MAX(wait, not_before);
  g_mutex_lock(&courier->lock);
  courier->stats.failures++;
  g_free(courier->stats.last_error);
  courier->stats.last_error = g_strdup(reason);
  g_mutex_unlock(&courier->lock);
  g_atomic_int_set(&courier->link_came_up, FALSE);
  change_state(courier, FOVEA_LINK_RETRYING, reason, wait);
  wait_to_retry(courier, wait);
  g_free(reason);
}

static void begin_attempt(FoveaCourier *courier) {
  g_atomic_int_set(&courier->link_came_up, FALSE);
  courier->since = g_get_monotonic_time();
  courier->transport->method->connect(courier->transport);
}

/* Hands over what may be open; TRUE: there is more, which the limit of the backlog will let go without anybody saying so. */
static gboolean send_some(FoveaCourier *courier) {
  FvSpoolRecord message;
  while (!courier->lost && courier->open + fovea_outbox_unkept(courier->outbox) < courier->transport->window) {
    if (!fovea_outbox_next(courier->outbox, &message))
      return fovea_outbox_holds_back(courier->outbox, courier->open);
    guint64 *id = g_new(guint64, 1);
    *id = message.id;
    if (courier->open++ == 0)
      courier->progress_at = g_get_monotonic_time();
    g_hash_table_insert(courier->sizes, id, GSIZE_TO_POINTER(message.size));
    g_mutex_lock(&courier->lock);
    courier->stats.sent++;
    courier->stats.sent_bytes += message.size;
    g_mutex_unlock(&courier->lock);
    courier->transport->method->send(courier->transport, message.id, message.data, message.size);
  }
  return FALSE;
}

/* Whoever waits for the end is told when nothing waits any more. */
static gboolean finish_draining(FoveaCourier *courier) {
  FoveaOutboxStats box;
  g_mutex_lock(&courier->lock);
  gboolean draining = courier->draining && !courier->drained;
  g_mutex_unlock(&courier->lock);
  if (!draining)
    return FALSE;
  courier->transport->method->flush(courier->transport);
  fovea_outbox_stats(courier->outbox, &box);
  if (courier->lost || box.pending > 0)
    return TRUE;
  g_mutex_lock(&courier->lock);
  courier->drained = TRUE;
  g_cond_broadcast(&courier->drained_changed);
  g_mutex_unlock(&courier->lock);
  return FALSE;
}

static void check_silence(FoveaCourier *courier) {
  gint64 now = g_get_monotonic_time();
  if (!courier->connected && now - courier->since > (gint64)courier->transport->method->connect_timeout_ms * 1000) {
    on_lost(courier, "no connection within the time for an attempt", 0);
  } else if (courier->connected && courier->open > 0 && now - courier->progress_at > (gint64)courier->answer_timeout_ms * 1000) {
    gchar *reason = g_strdup_printf("no answer for %u s", courier->answer_timeout_ms / 1000);
    on_lost(courier, reason, 0);
    g_free(reason);
  } else if (courier->connected && courier->open == 0 && now - courier->since > SETTLED_US) {
    if (courier->unproven)
      show_connected(courier);
    fovea_backoff_reset(&courier->backoff);
  }
}

static void renew_stale_attempt(FoveaCourier *courier) {
  if (courier->connected || courier->lost || g_get_monotonic_time() - courier->since < STALE_ATTEMPT_US ||
      !g_atomic_int_compare_and_exchange(&courier->link_came_up, TRUE, FALSE))
    return;
  hang_up(courier, FALSE);
  begin_attempt(courier);
}

static void work(FoveaCourier *courier) {
  gboolean held = courier->connected && send_some(courier), draining = !courier->lost && courier->connected && finish_draining(courier);
  if (fovea_outbox_unkept(courier->outbox) >= MAX(courier->transport->window / 2, 1))
    fovea_outbox_keep(courier->outbox);
  if (courier->lost)
    return;
  gint wait = courier->connected && (held || draining) ? MIN(until_tick_ms(courier), RATE_POLL_MS) : until_tick_ms(courier);
  courier->transport->method->poll(courier->transport, courier->wake, wait);
  clear_wake(courier);
}

static gpointer courier_thread(gpointer data) {
  FoveaCourier *courier = data;
  change_state(courier, FOVEA_LINK_CONNECTING, NULL, 0);
  while (!stopping(courier)) {
    begin_attempt(courier);
    while (!stopping(courier) && !courier->lost) {
      work(courier);
      tick(courier);
      check_silence(courier);
      renew_stale_attempt(courier);
    }
    if (courier->lost)
      recover(courier);
  }
  hang_up(courier, courier->connected);
  g_clear_pointer(&courier->lost_reason, g_free);
  change_state(courier, FOVEA_LINK_OFFLINE, NULL, 0);
  return NULL;
}

/* --- */

static void link_is_up(gpointer user) {
  FoveaCourier *courier = user;
  g_atomic_int_set(&courier->link_came_up, TRUE);
  fovea_courier_wake(courier);
}

FoveaCourier *fovea_courier_new(const FoveaCourierParams *params) {
  FoveaCourier *courier = g_new0(FoveaCourier, 1);
  g_mutex_init(&courier->lock);
  g_cond_init(&courier->drained_changed);
  courier->transport = params->transport;
  courier->transport->events = &transport_events;
  courier->transport->user = courier;
  courier->outbox = params->outbox;
  courier->answer_timeout_ms = params->answer_timeout_ms;
  courier->backoff = (FoveaBackoff){.min_ms = MAX(params->retry_min_ms, 1), .max_ms = MAX(params->retry_max_ms, MAX(params->retry_min_ms, 1))};
  courier->events = params->events;
  courier->user = params->user;
  courier->sizes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  courier->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  courier->ticked_at = g_get_monotonic_time();
  return courier;
}

void fovea_courier_start(FoveaCourier *courier) {
  courier->watch = fovea_link_watch_new(link_is_up, courier);
  courier->thread = g_thread_new("fovea-publish", courier_thread, courier);
}

void fovea_courier_stop(FoveaCourier *courier) {
  g_atomic_int_set(&courier->stopping, TRUE);
  fovea_courier_wake(courier);
  g_thread_join(courier->thread);
  fovea_link_watch_free(courier->watch);
  courier->watch = NULL;
}

void fovea_courier_free(FoveaCourier *courier) {
  if (!courier)
    return;
  courier->transport->method->destroy(courier->transport);
  close(courier->wake);
  g_hash_table_unref(courier->sizes);
  g_free(courier->stats.last_error);
  g_cond_clear(&courier->drained_changed);
  g_mutex_clear(&courier->lock);
  g_free(courier);
}

void fovea_courier_wake(FoveaCourier *courier) { eventfd_write(courier->wake, 1); }

gboolean fovea_courier_drain(FoveaCourier *courier, gint64 until) {
  g_mutex_lock(&courier->lock);
  courier->draining = TRUE;
  courier->drained = FALSE;
  fovea_courier_wake(courier);
  while (!courier->drained && g_cond_wait_until(&courier->drained_changed, &courier->lock, until)) {
  }
  gboolean drained = courier->drained;
  courier->draining = FALSE;
  g_mutex_unlock(&courier->lock);
  return drained;
}

void fovea_courier_stats(FoveaCourier *courier, FoveaCourierStats *ret_stats) {
  g_mutex_lock(&courier->lock);
  *ret_stats = courier->stats;
  ret_stats->last_error = g_strdup(courier->stats.last_error);
  g_mutex_unlock(&courier->lock);
}

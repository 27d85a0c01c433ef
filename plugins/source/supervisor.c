#include "supervisor.h"

#include "common/backoff.h"
#include "common/linkwatch.h"
#include "common/secret.h"

GST_DEBUG_CATEGORY_EXTERN(fovea_source_debug);
#define GST_CAT_DEFAULT fovea_source_debug

#define RELEASE_US (1 * G_USEC_PER_SEC)   /* for an attempt to end before the next one begins */
#define STABLE_US (10 * G_USEC_PER_SEC)   /* after frames for this long, the next failure waits the shortest time again */
#define HASTY_US (1 * G_USEC_PER_SEC)     /* an attempt younger than this is not given up when a link comes up */
#define DOUBT_MS 1000                     /* without a frame, once there was a sign, and without DOUBT_FRAMES of them */
#define DOUBT_FRAMES 4
#define UNAUTHORISED_MS 60000             /* cameras lock accounts after a handful of wrong passwords */
#define MAX_HANGING 4                     /* attempts that were let go of and have not ended */

typedef enum Outcome { OUTCOME_QUIT, OUTCOME_ERROR, OUTCOME_END, OUTCOME_STALL, OUTCOME_LINK_UP } Outcome;

struct FoveaSupervisor {
  GstElement *element;
  FoveaFeed *feed;
  FoveaSupervisorOptions options;
  FoveaNews *news;
  FoveaLinkWatch *watch;
  GThread *thread;
  gint *hanging; /* atomic, counted reference: attempts outlive us */

  /* the thread */
  FoveaBackoff backoff;
  guint attempt;              /* of this process: one that still hangs is not taken for another */
  gboolean had_frames;        /* in this or an earlier attempt */
  gint64 begun_at, framed_at; /* monotonic us; framed_at 0: no frame yet */
  gboolean finite;            /* what ended has a known length */
  gboolean doubt;             /* about this attempt */
  GError *error;

  GMutex lock; /* of stats */
  FoveaSupervisorStats stats;
};

/* --- what others see ---------------------------------------------------------------------------------------- */

static void set_state(FoveaSupervisor *self, FoveaLinkState state, const gchar *reason, guint retry_ms) {
  g_mutex_lock(&self->lock);
  if (self->stats.state != state)
    self->stats.state_since = g_get_monotonic_time();
  self->stats.state = state;
  g_mutex_unlock(&self->lock);
  GST_INFO_OBJECT(self->element, "%s is %s%s%s", self->options.place.target, fovea_link_state_nick(state), reason[0] ? ": " : "", reason);
  fovea_link_state_post(self->element, state, self->options.place.target, reason, retry_ms, state == FOVEA_LINK_CONNECTED ? 0 : self->backoff.failures);
}

void fovea_supervisor_get_stats(FoveaSupervisor *self, FoveaSupervisorStats *ret_stats) {
  g_mutex_lock(&self->lock);
  *ret_stats = self->stats;
  ret_stats->last_error = g_strdup(self->stats.last_error);
  g_mutex_unlock(&self->lock);
}

static void note_error(FoveaSupervisor *self, const gchar *sentence) {
  g_mutex_lock(&self->lock);
  g_free(self->stats.last_error);
  self->stats.last_error = g_strdup(sentence);
  g_mutex_unlock(&self->lock);
}

static void count(FoveaSupervisor *self, guint64 *counter) {
  g_mutex_lock(&self->lock);
  ++*counter;
  g_mutex_unlock(&self->lock);
}

/* --- one attempt -------------------------------------------------------------------------------------------- */

/* Properties come before what the URI says. */
static gboolean find_secrets(FoveaSupervisor *self, gchar **ret_password, GError **error) {
  const FoveaSupervisorOptions *options = &self->options;
  if (options->password_from)
    return (*ret_password = fovea_secret_read(options->password_from, error)) != NULL;
  *ret_password = g_strdup(options->password ? options->password : options->place.password);
  return TRUE;
}

gboolean fovea_supervisor_check(FoveaSupervisor *self, GError **error) {
  gchar *password = NULL;
  gboolean found = find_secrets(self, &password, error);
  fovea_secret_free(password);
  return found;
}

/* NULL with self->error set. */
static FoveaDetached *begin(FoveaSupervisor *self) {
  FoveaInputOptions input = self->options.input;
  gchar *password = NULL;
  if (g_atomic_int_get(self->hanging) >= MAX_HANGING) {
    g_set_error(&self->error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_BUSY, "%d earlier attempts hang and have not ended", MAX_HANGING);
    return NULL;
  }
  if (!find_secrets(self, &password, &self->error))
    return NULL;
  input.place = &self->options.place;
  input.user = self->options.username ? self->options.username : self->options.place.user;
  input.password = password;
  input.clock = gst_element_get_clock(self->element);
  input.base_time = gst_element_get_base_time(self->element);
  FoveaDetached *detached = fovea_input_new(&input, self->attempt, self->feed, self->news, &self->error);
  gst_clear_object(&input.clock);
  fovea_secret_free(password);
  return detached;
}

static void stopped(gpointer user) {
  gint *hanging = user;
  g_atomic_int_add(hanging, -1);
  g_atomic_rc_box_release(hanging);
}

static void end(FoveaSupervisor *self, FoveaDetached *detached) {
  fovea_news_follow(self->news, 0);
  fovea_feed_end_attempt(self->feed);
  g_atomic_int_inc(self->hanging);
  if (!fovea_detached_release(&detached, g_get_monotonic_time() + RELEASE_US, stopped, g_atomic_rc_box_acquire(self->hanging)))
    GST_WARNING_OBJECT(self->element, "the attempt to read %s hangs; it is left alone", self->options.place.target);
}

static guint patience_ms(const FoveaSupervisor *self, const FoveaFeedStats *feed) {
  guint64 doubt = MAX(DOUBT_MS, DOUBT_FRAMES * feed->interval / GST_MSECOND);
  return self->doubt && self->framed_at > 0 ? (guint)MIN(self->options.stall_ms, doubt) : self->options.stall_ms;
}

/* Until when frames may be waited for; nobody waits while downstream is busy, and that is no stall. */
static gint64 stall_at(FoveaSupervisor *self) {
  FoveaFeedStats feed;
  fovea_feed_get_stats(self->feed, &feed);
  gint64 since = feed.waiting_since ? MAX(feed.waiting_since, self->begun_at) : g_get_monotonic_time();
  return self->options.stall_ms > 0 ? since + (gint64)patience_ms(self, &feed) * 1000 : G_MAXINT64;
}

static void take_frame(FoveaSupervisor *self) {
  self->framed_at = g_get_monotonic_time();
  if (self->had_frames)
    count(self, &self->stats.reconnects);
  self->had_frames = TRUE;
  set_state(self, FOVEA_LINK_CONNECTED, "", 0);
}

static gboolean is_hopeful(const FoveaSupervisor *self) { return self->framed_at > 0 || g_get_monotonic_time() - self->begun_at < HASTY_US; }

/* Waits in slices, as the reason to wait longer (a busy downstream) may come later. */
static Outcome watch(FoveaSupervisor *self) {
  for (;;) {
    gint64 limit = stall_at(self);
    switch (fovea_news_wait(self->news, limit, &self->error, &self->finite)) {
      case FOVEA_NEWS_QUIT: return OUTCOME_QUIT;
      case FOVEA_NEWS_ERROR: return OUTCOME_ERROR;
      case FOVEA_NEWS_END: return OUTCOME_END;
      case FOVEA_NEWS_FRAME: take_frame(self); break;
      case FOVEA_NEWS_DOUBT: self->doubt = TRUE; break;
      case FOVEA_NEWS_LINK_UP:
        if (!is_hopeful(self))
          return OUTCOME_LINK_UP;
        break;
      case FOVEA_NEWS_NONE:
        if (stall_at(self) <= g_get_monotonic_time())
          return OUTCOME_STALL;
    }
  }
}

/* --- what comes next ---------------------------------------------------------------------------------------- */

/* A camera has no end, so one that is seen is a failure of its link; a film does, even when it comes over the network. */
static gboolean comes_back(const FoveaSupervisor *self, Outcome outcome) {
  gboolean live = self->options.place.live;
  gboolean ended = outcome == OUTCOME_END;
  switch (self->options.restart) {
    case FOVEA_RESTART_ALWAYS: return TRUE;
    case FOVEA_RESTART_ON_ERROR: return !ended;
    case FOVEA_RESTART_NEVER: return FALSE;
    case FOVEA_RESTART_AUTO: break;
  }
  return live && !(ended && self->finite && self->options.place.kind == FOVEA_PLACE_HTTP);
}

static gchar *reason_of(FoveaSupervisor *self, Outcome outcome) {
  switch (outcome) {
    case OUTCOME_ERROR: return g_strdup(self->error->message);
    case OUTCOME_END: return g_strdup("the stream ended");
    case OUTCOME_STALL: {
      FoveaFeedStats feed;
      fovea_feed_get_stats(self->feed, &feed);
      return g_strdup_printf("no frame for %.1f s", patience_ms(self, &feed) / 1000.0);
    }
    case OUTCOME_LINK_UP: return g_strdup("a network link came up");
    case OUTCOME_QUIT: break;
  }
  return g_strdup("");
}

/* The time that a fruitless attempt has taken counts. */
static gint64 wait_ms(FoveaSupervisor *self, Outcome outcome) {
  gint64 lasted = (g_get_monotonic_time() - self->begun_at) / 1000;
  if (outcome == OUTCOME_LINK_UP)
    return 0;
  if (self->framed_at > 0 && g_get_monotonic_time() - self->framed_at > STABLE_US)
    fovea_backoff_reset(&self->backoff);
  gint64 wait = fovea_backoff_next(&self->backoff);
  if (outcome == OUTCOME_ERROR && g_error_matches(self->error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED))
    return MAX(wait, UNAUTHORISED_MS / 2 + g_random_int_range(0, UNAUTHORISED_MS / 2));
  return self->framed_at > 0 ? wait : MAX(wait - lasted, 0);
}

/* FALSE: to quit. */
static gboolean wait_for_retry(FoveaSupervisor *self, Outcome outcome, const gchar *reason) {
  GError *late = NULL;
  gint64 wait = wait_ms(self, outcome), until = g_get_monotonic_time() + wait * 1000;
  set_state(self, FOVEA_LINK_RETRYING, reason, (guint)wait);
  FoveaNewsKind kind = fovea_news_wait(self->news, until, &late, &self->finite);
  if (kind == FOVEA_NEWS_LINK_UP)
    fovea_backoff_reset(&self->backoff);
  g_clear_error(&late);
  return kind != FOVEA_NEWS_QUIT;
}

static void give_up(FoveaSupervisor *self, Outcome outcome, const gchar *reason) {
  set_state(self, FOVEA_LINK_OFFLINE, reason, 0);
  if (outcome == OUTCOME_END) {
    fovea_feed_finish(self->feed);
    return;
  }
  GError *error = self->error ? self->error : g_error_new_literal(GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, reason);
  self->error = error;
  gchar *sentence = g_strdup_printf("%s: %s", self->options.place.target, reason);
  gst_element_message_full(self->element, GST_MESSAGE_ERROR, error->domain, error->code, sentence, NULL, __FILE__, G_STRFUNC, __LINE__);
  fovea_feed_fall_silent(self->feed);
}

/* FALSE: this was the last attempt. */
static gboolean run_attempt(FoveaSupervisor *self, gchar **reason) {
  static gint attempts = 0;
  self->attempt = (guint)g_atomic_int_add(&attempts, 1) + 1;
  self->begun_at = g_get_monotonic_time();
  self->framed_at = 0;
  self->doubt = FALSE;
  fovea_news_follow(self->news, self->attempt);
  fovea_feed_begin_attempt(self->feed, self->attempt, *reason);
  FoveaDetached *detached = begin(self);
  Outcome outcome = OUTCOME_ERROR;
  if (detached) {
    fovea_detached_play(detached);
    outcome = watch(self);
    end(self, detached);
  }
  if (outcome == OUTCOME_QUIT)
    return FALSE;
  g_free(*reason);
  *reason = reason_of(self, outcome);
  if (outcome != OUTCOME_LINK_UP)
    note_error(self, *reason);
  if (outcome == OUTCOME_STALL)
    count(self, &self->stats.stalls);
  gboolean again = comes_back(self, outcome);
  if (!again)
    give_up(self, outcome, *reason);
  else
    again = wait_for_retry(self, outcome, *reason);
  g_clear_error(&self->error);
  return again;
}

static gpointer supervise(gpointer user) {
  FoveaSupervisor *self = user;
  gchar *reason = g_strdup("");
  set_state(self, FOVEA_LINK_CONNECTING, "", 0);
  while (run_attempt(self, &reason)) {}
  g_free(reason);
  return NULL;
}

/* --- life --------------------------------------------------------------------------------------------------- */

static void on_link_up(gpointer user) { fovea_news_tell(((FoveaSupervisor *)user)->news, 0, FOVEA_NEWS_LINK_UP); }

static gboolean needs_network(const FoveaSupervisor *self) {
  return self->options.place.kind != FOVEA_PLACE_FILE && self->options.place.kind != FOVEA_PLACE_V4L2;
}

FoveaSupervisor *fovea_supervisor_new(GstElement *element, FoveaFeed *feed, FoveaSupervisorOptions *options) {
  FoveaSupervisor *self = g_new0(FoveaSupervisor, 1);
  self->element = element;
  self->feed = feed;
  self->options = *options;
  *options = (FoveaSupervisorOptions){0};
  self->news = fovea_news_new();
  self->hanging = g_atomic_rc_box_new0(gint);
  self->backoff.min_ms = self->options.retry_min_ms;
  self->backoff.max_ms = MAX(self->options.retry_min_ms, self->options.retry_max_ms);
  self->stats.state_since = g_get_monotonic_time();
  g_mutex_init(&self->lock);
  return self;
}

void fovea_supervisor_start(FoveaSupervisor *self) {
  fovea_news_reset(self->news);
  fovea_backoff_reset(&self->backoff);
  if (needs_network(self))
    self->watch = fovea_link_watch_new(on_link_up, self);
  self->thread = g_thread_new("fovea-source", supervise, self);
}

void fovea_supervisor_stop(FoveaSupervisor *self) {
  if (!self->thread)
    return;
  g_clear_pointer(&self->watch, fovea_link_watch_free);
  fovea_news_tell(self->news, 0, FOVEA_NEWS_QUIT);
  g_thread_join(g_steal_pointer(&self->thread));
  g_clear_error(&self->error);
  if (self->stats.state != FOVEA_LINK_OFFLINE)
    set_state(self, FOVEA_LINK_OFFLINE, "stopped", 0);
}

void fovea_supervisor_free(FoveaSupervisor *self) {
  if (!self)
    return;
  fovea_supervisor_stop(self);
  fovea_place_clear(&self->options.place);
  g_free(self->options.username);
  fovea_secret_free(self->options.password);
  g_free(self->options.password_from);
  g_free(self->stats.last_error);
  fovea_news_unref(self->news);
  g_atomic_rc_box_release(self->hanging);
  g_mutex_clear(&self->lock);
  g_free(self);
}

#include "feed.h"

#include <gst/video/video.h>

#include "common/decodetimes.h"
#include "placeholder.h"
#include "timeline.h"

GST_DEBUG_CATEGORY_STATIC(fovea_feed_debug);
#define GST_CAT_DEFAULT fovea_feed_debug

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

#define MAX_RAW 3          /* frames that wait */
#define MAX_ENCODED 64
#define MISSED_US (500 * 1000) /* without a frame: from then on there are substitutes */
#define MISSED_INTERVALS 3
#define MIN_INTERVAL (GST_SECOND / 120)
#define MAX_INTERVAL GST_SECOND

typedef enum ItemKind { ITEM_BUFFER, ITEM_CAPS, ITEM_QUERY } ItemKind;

typedef struct Item {
  ItemKind kind;
  gboolean first; /* of its attempt */
  GstBuffer *buffer;
  GstCaps *caps;
  FoveaFrameTime time;
  gint64 arrived; /* running time */
  /* a query belongs to its caller, who waits */
  GstQuery *query;
  gboolean taken, done, answered;
} Item;

struct _FoveaFeed {
  GstPushSrc parent;

  FoveaFeedOptions options; /* constant while it runs */

  GMutex lock; /* of all below */
  GCond changed;
  GQueue items; /* Item */
  guint attempt; /* 0: none */
  guint inside;  /* callers */
  gboolean first, flushing, finished, silent;
  gchar *reason; /* of the latest break; an interned constant would not do, for it is a message */
  guint buffers; /* in items */
  GstClockTime latency;
  gint64 fed_at; /* monotonic us: when a frame came last, or the wait for the first one began */
  FoveaFeedStats stats;

  /* streaming thread */
  FoveaTimeline timeline;
  FoveaDecodeTimes times; /* encoded video on its way out: GstBuffer */
  GstCaps *caps;          /* that come behind it; NULL: do not change */
  GstVideoInfo info;
  gboolean has_info, started; /* raw video in plain memory is known; a buffer was put out */
  gboolean substituted;       /* the latest one was a substitute */
  GstBuffer *last, *grey;
};

G_DEFINE_TYPE_WITH_CODE(FoveaFeed, fovea_feed, GST_TYPE_PUSH_SRC, GST_DEBUG_CATEGORY_INIT(fovea_feed_debug, "foveafeed", 0, "what foveasrc gives out"))

/* --- time --------------------------------------------------------------------------------------------------- */

/* Our running time; FOVEA_NO_TIME without a clock. */
static gint64 running_now(FoveaFeed *self) {
  GstClock *clock = gst_element_get_clock(GST_ELEMENT(self));
  GstClockTime base = gst_element_get_base_time(GST_ELEMENT(self));
  gint64 now = FOVEA_NO_TIME;
  if (clock && GST_CLOCK_TIME_IS_VALID(base))
    now = GST_CLOCK_DIFF(base, gst_clock_get_time(clock));
  gst_clear_object(&clock);
  return now;
}

static GstClockTime from_running(gint64 time) { return time == FOVEA_NO_TIME ? GST_CLOCK_TIME_NONE : (GstClockTime)MAX(time, 0); }

/* --- handing in --------------------------------------------------------------------------------------------- */

static void item_free(gpointer data) {
  Item *item = data;
  gst_clear_buffer(&item->buffer);
  gst_clear_caps(&item->caps);
  g_free(item);
}

static gboolean is_open(const FoveaFeed *self, guint attempt) { return self->attempt == attempt && !self->silent && !self->finished; }

static void leave(FoveaFeed *self) {
  self->inside--;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

static void enter(FoveaFeed *self) {
  g_mutex_lock(&self->lock);
  self->inside++;
}

GstFlowReturn fovea_feed_push(FoveaFeed *self, guint attempt, GstBuffer *buffer, const GstSegment *segment) {
  const guint most = self->options.encoded ? MAX_ENCODED : MAX_RAW;
  GstClockTime duration = GST_BUFFER_DURATION_IS_VALID(buffer) && GST_BUFFER_DURATION(buffer) <= MAX_INTERVAL ? GST_BUFFER_DURATION(buffer) : 0;
  gint64 arrived = running_now(self);
  enter(self);
  self->fed_at = g_get_monotonic_time();
  while (is_open(self, attempt) && self->buffers >= most)
    g_cond_wait(&self->changed, &self->lock);
  gboolean open = is_open(self, attempt);
  if (open) {
    Item *item = g_new0(Item, 1);
    item->buffer = buffer;
    item->time = (FoveaFrameTime){.pts = fovea_running_time(segment, GST_BUFFER_PTS(buffer)), .dts = fovea_running_time(segment, GST_BUFFER_DTS(buffer)), .duration = (gint64)duration};
    item->arrived = arrived;
    item->first = self->first;
    self->first = FALSE;
    self->buffers++;
    g_queue_push_tail(&self->items, item);
  } else {
    gst_buffer_unref(buffer);
  }
  leave(self);
  return open ? GST_FLOW_OK : GST_FLOW_FLUSHING;
}

gboolean fovea_feed_push_caps(FoveaFeed *self, guint attempt, GstCaps *caps) {
  enter(self);
  gboolean open = is_open(self, attempt);
  if (open) {
    Item *item = g_new0(Item, 1);
    item->kind = ITEM_CAPS;
    item->caps = gst_caps_ref(caps);
    g_queue_push_tail(&self->items, item);
  }
  leave(self);
  return open;
}

/* In turn, by the streaming thread. Under the lock. */
static gboolean ask_in_turn(FoveaFeed *self, guint attempt, GstQuery *query) {
  Item item = {.kind = ITEM_QUERY, .query = query};
  g_queue_push_tail(&self->items, &item);
  g_cond_broadcast(&self->changed);
  while (!item.done && (item.taken || is_open(self, attempt)))
    g_cond_wait(&self->changed, &self->lock);
  if (!item.taken)
    g_queue_remove(&self->items, &item);
  return item.answered;
}

/* From the caller's thread; it is inside meanwhile, so that the pad does not go away from under it. Under the lock. */
static gboolean ask_at_once(FoveaFeed *self, GstQuery *query) {
  g_mutex_unlock(&self->lock);
  gboolean answered = gst_pad_peer_query(GST_BASE_SRC_PAD(self), query);
  g_mutex_lock(&self->lock);
  return answered;
}

gboolean fovea_feed_ask(FoveaFeed *self, guint attempt, GstQuery *query) {
  gboolean answered = FALSE;
  enter(self);
  if (is_open(self, attempt))
    answered = GST_QUERY_IS_SERIALIZED(query) ? ask_in_turn(self, attempt, query) : ask_at_once(self, query);
  leave(self);
  return answered;
}

void fovea_feed_set_latency(FoveaFeed *self, guint attempt, GstClockTime latency) {
  enter(self);
  gboolean more = is_open(self, attempt) && latency > self->latency;
  if (more)
    self->latency = latency;
  leave(self);
  if (more)
    gst_element_post_message(GST_ELEMENT(self), gst_message_new_latency(GST_OBJECT(self)));
}

void fovea_feed_begin_attempt(FoveaFeed *self, guint attempt, const gchar *reason) {
  g_mutex_lock(&self->lock);
  self->attempt = attempt;
  self->first = TRUE;
  self->fed_at = g_get_monotonic_time();
  g_free(self->reason);
  self->reason = g_strdup(reason);
  g_mutex_unlock(&self->lock);
}

void fovea_feed_end_attempt(FoveaFeed *self) {
  g_mutex_lock(&self->lock);
  self->attempt = 0;
  g_cond_broadcast(&self->changed);
  while (self->inside > 0)
    g_cond_wait(&self->changed, &self->lock);
  g_mutex_unlock(&self->lock);
}

static void say_last(FoveaFeed *self, gboolean *word) {
  g_mutex_lock(&self->lock);
  *word = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

void fovea_feed_finish(FoveaFeed *self) { say_last(self, &self->finished); }
void fovea_feed_fall_silent(FoveaFeed *self) { say_last(self, &self->silent); }

/* --- giving out --------------------------------------------------------------------------------------------- */

static void tell_gap(FoveaFeed *self, const FoveaFrameTime *time, const gchar *reason) {
  GstPad *pad = GST_BASE_SRC_PAD(self);
  GST_INFO_OBJECT(self, "%" GST_TIME_FORMAT " are missing: %s", GST_TIME_ARGS((GstClockTime)time->gap), reason);
  g_mutex_lock(&self->lock);
  self->stats.gaps++;
  self->stats.gap += (GstClockTime)time->gap;
  g_mutex_unlock(&self->lock);
  if (!self->substituted)
    gst_pad_push_event(pad, gst_event_new_gap(from_running(time->gap_start), (GstClockTime)time->gap));
  gst_pad_push_event(pad, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                               gst_structure_new("fovea-gap", "start", G_TYPE_UINT64, (guint64)from_running(time->gap_start), "duration",
                                                                 G_TYPE_UINT64, (guint64)time->gap, "reason", G_TYPE_STRING, reason, NULL)));
}

static void stamp(FoveaFeed *self, GstBuffer *buffer, const FoveaFrameTime *time) {
  GST_BUFFER_PTS(buffer) = from_running(time->pts);
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_OFFSET(buffer) = GST_BUFFER_OFFSET_END(buffer) = GST_BUFFER_OFFSET_NONE;
  if (time->discont || self->substituted)
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
}

/* What waits for others to tell when it is decoded. */
static GstBuffer *next_encoded(FoveaFeed *self) {
  gint64 dts;
  GstBuffer *buffer = fovea_decode_times_take(&self->times, &dts);
  if (buffer)
    GST_BUFFER_DTS(buffer) = from_running(dts);
  return buffer;
}

/* The frame as it goes out, or NULL: it came too late for its time, or goes by next_encoded(). Takes the item. */
static GstBuffer *place(FoveaFeed *self, Item *item, const gchar *reason) {
  GstBuffer *buffer = NULL;
  gint64 now = item->arrived != FOVEA_NO_TIME ? item->arrived : 0;
  if (item->first)
    fovea_timeline_begin(&self->timeline);
  if (fovea_timeline_place(&self->timeline, &item->time, now) == FOVEA_TIMELINE_PASS) {
    if (item->time.gap > 0 && self->started)
      tell_gap(self, &item->time, item->time.resumed ? "paused" : reason);
    buffer = gst_buffer_make_writable(g_steal_pointer(&item->buffer));
    stamp(self, buffer, &item->time);
    self->started = TRUE;
    self->substituted = FALSE;
  }
  g_mutex_lock(&self->lock);
  *(buffer ? &self->stats.frames : &self->stats.late) += 1;
  self->stats.interval = (GstClockTime)self->timeline.interval;
  g_mutex_unlock(&self->lock);
  if (buffer && self->options.encoded)
    fovea_decode_times_put(&self->times, g_steal_pointer(&buffer), item->time.pts, item->time.dts);
  else if (buffer && self->options.placeholder == FOVEA_PLACEHOLDER_LAST)
    gst_buffer_replace(&self->last, buffer);
  item_free(item);
  return buffer;
}

static gboolean apply_caps(FoveaFeed *self, GstCaps *caps) {
  const GstCapsFeatures *features = gst_caps_get_features(caps, 0);
  gboolean plain = !features || gst_caps_features_is_equal(features, GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY);
  self->has_info = plain && !self->options.encoded && gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw") &&
                   gst_video_info_from_caps(&self->info, caps);
  gst_clear_buffer(&self->grey);
  gst_clear_buffer(&self->last);
  if (self->options.encoded)
    fovea_decode_times_begin(&self->times, caps);
  return gst_base_src_set_caps(GST_BASE_SRC(self), caps);
}

static GstClockTime frame_interval(FoveaFeed *self) {
  GstClockTime interval = self->timeline.interval > 0 ? (GstClockTime)self->timeline.interval : 40 * GST_MSECOND;
  if (self->has_info && GST_VIDEO_INFO_FPS_N(&self->info) > 0)
    interval = gst_util_uint64_scale(GST_SECOND, (guint64)GST_VIDEO_INFO_FPS_D(&self->info), (guint64)GST_VIDEO_INFO_FPS_N(&self->info));
  return CLAMP(interval, MIN_INTERVAL, MAX_INTERVAL);
}

static gboolean wants_substitutes(const FoveaFeed *self) {
  return self->options.live && !self->options.encoded && self->options.placeholder != FOVEA_PLACEHOLDER_NONE;
}

/* When the next substitute is due, monotonic us; G_MAXINT64: none is. Under the lock. */
static gint64 substitute_due(FoveaFeed *self) {
  if (!wants_substitutes(self) || (self->started && !self->has_info))
    return G_MAXINT64;
  gint64 interval = (gint64)(frame_interval(self) / GST_USECOND), missed = self->fed_at + MAX(MISSED_US, MISSED_INTERVALS * interval);
  gint64 now = running_now(self);
  if (now == FOVEA_NO_TIME || self->timeline.end == FOVEA_NO_TIME)
    return missed;
  /* Substitutes are as far behind the clock as frames are. */
  gint64 next = g_get_monotonic_time() + (self->timeline.end + (gint64)self->latency - now) / (gint64)GST_USECOND;
  return MAX(missed, next);
}

/* Before the source has ever told what it gives. */
static gboolean choose_caps(FoveaFeed *self) {
  GstCaps *accepted = gst_pad_peer_query_caps(GST_BASE_SRC_PAD(self), NULL);
  GstCaps *caps = fovea_placeholder_caps(accepted, self->options.width > 0 ? self->options.width : 640, self->options.height > 0 ? self->options.height : 360);
  gboolean chosen = caps && apply_caps(self, caps) && self->has_info;
  gst_caps_unref(accepted);
  gst_clear_caps(&caps);
  return chosen;
}

static GstBuffer *substitute(FoveaFeed *self, GstClockTime latency) {
  if (!self->has_info && !choose_caps(self))
    return NULL;
  if (!self->last && !self->grey && !(self->grey = fovea_placeholder_grey(&self->info)))
    return NULL;
  gint64 interval = (gint64)frame_interval(self), now = running_now(self), wanted = MAX(now - (gint64)latency, 0);
  gint64 pts = self->timeline.end == FOVEA_NO_TIME ? wanted : MAX(self->timeline.end, wanted - interval);
  GstBuffer *buffer = fovea_placeholder_repeat(self->last ? self->last : self->grey);
  GST_BUFFER_PTS(buffer) = (GstClockTime)pts;
  GST_BUFFER_DTS(buffer) = GST_CLOCK_TIME_NONE;
  GST_BUFFER_DURATION(buffer) = (GstClockTime)interval;
  if (!self->substituted)
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
  fovea_timeline_substitute(&self->timeline, pts, interval);
  self->substituted = self->started = TRUE;
  g_mutex_lock(&self->lock);
  self->stats.placeholders++;
  g_mutex_unlock(&self->lock);
  return buffer;
}

/* Frames that come faster than they happen (a playlist's, of a live stream) wait for their time. Under the lock; TRUE: it is not yet time, *ret_until says when. */
static gboolean is_early(FoveaFeed *self, const Item *item, gint64 *ret_until) {
  gint64 now = running_now(self), time = item->time.pts;
  if (!self->options.live || self->timeline.clocked || item->first || self->timeline.fresh || time == FOVEA_NO_TIME || now == FOVEA_NO_TIME)
    return FALSE;
  gint64 early = MIN(time + self->timeline.offset - now, (gint64)GST_SECOND); /* looks again after a second, whatever the time says */
  *ret_until = g_get_monotonic_time() + early / (gint64)GST_USECOND;
  return early > (gint64)GST_MSECOND;
}

typedef enum Step { STEP_ITEM, STEP_SUBSTITUTE, STEP_END, STEP_FLUSH } Step;

/* Waits for what to do next. Under the lock. */
static Step next_step(FoveaFeed *self, Item **ret_item) {
  for (;;) {
    gint64 until = G_MAXINT64;
    Item *head = g_queue_peek_head(&self->items);
    if (self->flushing || self->silent)
      return STEP_FLUSH;
    if (head && !(head->kind == ITEM_BUFFER && is_early(self, head, &until))) {
      *ret_item = g_queue_pop_head(&self->items);
      self->buffers -= head->kind == ITEM_BUFFER ? 1 : 0;
      g_cond_broadcast(&self->changed);
      return STEP_ITEM;
    }
    if (!head && self->finished)
      return STEP_END;
    if (!head && (until = substitute_due(self)) <= g_get_monotonic_time())
      return STEP_SUBSTITUTE;
    if (!head && self->stats.waiting_since == 0)
      self->stats.waiting_since = g_get_monotonic_time();
    if (until == G_MAXINT64)
      g_cond_wait(&self->changed, &self->lock);
    else
      g_cond_wait_until(&self->changed, &self->lock, until);
  }
}

/* Under the lock, which is given up meanwhile. */
static void answer(FoveaFeed *self, Item *item) {
  item->taken = TRUE;
  g_mutex_unlock(&self->lock);
  gboolean answered = gst_pad_peer_query(GST_BASE_SRC_PAD(self), item->query);
  g_mutex_lock(&self->lock);
  item->answered = answered;
  item->done = TRUE;
  g_cond_broadcast(&self->changed);
}

/* A frame or NULL, for there is none in this step. Under the lock, which is given up meanwhile. */
static GstBuffer *take_step(FoveaFeed *self, Step step, Item *item) {
  GstBuffer *buffer = NULL;
  if (step == STEP_ITEM && item->kind == ITEM_QUERY) {
    answer(self, item);
    return NULL;
  }
  gchar *reason = g_strdup(self->reason ? self->reason : "");
  GstClockTime latency = self->latency;
  g_mutex_unlock(&self->lock);
  if (step == STEP_SUBSTITUTE) {
    buffer = substitute(self, latency);
    if (!buffer)
      self->options.placeholder = FOVEA_PLACEHOLDER_NONE; /* it will not be possible later either */
  } else if (item->kind == ITEM_BUFFER) {
    buffer = place(self, item, reason);
  } else { /* once what came before has gone */
    fovea_decode_times_settle(&self->times);
    gst_caps_replace(&self->caps, item->caps);
    item_free(item);
  }
  g_free(reason);
  g_mutex_lock(&self->lock);
  return buffer;
}

/* What is ready to go before another step is taken: a frame, or NULL, then with the caps of those that come next. Under the lock, which is given up meanwhile. */
static GstBuffer *take_ready(FoveaFeed *self, GstFlowReturn *ret_flow) {
  g_mutex_unlock(&self->lock);
  GstBuffer *buffer = next_encoded(self);
  if (!buffer && self->caps) {
    if (!apply_caps(self, self->caps))
      *ret_flow = GST_PAD_IS_FLUSHING(GST_BASE_SRC_PAD(self)) ? GST_FLOW_FLUSHING : GST_FLOW_NOT_NEGOTIATED;
    gst_clear_caps(&self->caps);
  }
  g_mutex_lock(&self->lock);
  return buffer;
}

/* Under the lock. */
static GstBuffer *next_buffer(FoveaFeed *self, GstFlowReturn *ret_flow) {
  Item *item = NULL;
  GstBuffer *buffer = take_ready(self, ret_flow);
  if (buffer || *ret_flow != GST_FLOW_OK)
    return buffer;
  Step step = next_step(self, &item);
  if (step == STEP_FLUSH)
    *ret_flow = GST_FLOW_FLUSHING;
  else if (step == STEP_END) {
    fovea_decode_times_settle(&self->times);
    if (!(buffer = next_encoded(self)))
      *ret_flow = GST_FLOW_EOS;
  } else
    buffer = take_step(self, step, item);
  if (step == STEP_ITEM)
    self->stats.waiting_since = 0;
  return buffer;
}

static GstFlowReturn create(GstPushSrc *source, GstBuffer **ret_buffer) {
  FoveaFeed *self = FOVEA_FEED(source);
  GstFlowReturn flow = GST_FLOW_OK;
  GstBuffer *buffer = NULL;
  g_mutex_lock(&self->lock);
  while (!buffer && flow == GST_FLOW_OK) buffer = next_buffer(self, &flow);
  if (flow != GST_FLOW_OK)
    self->stats.waiting_since = 0;
  g_mutex_unlock(&self->lock);
  *ret_buffer = buffer;
  return flow;
}

/* --- element ------------------------------------------------------------------------------------------------ */

static void set_flushing(FoveaFeed *self, gboolean flushing) {
  g_mutex_lock(&self->lock);
  self->flushing = flushing;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

static gboolean unlock(GstBaseSrc *source) {
  set_flushing(FOVEA_FEED(source), TRUE);
  return TRUE;
}

static gboolean unlock_stop(GstBaseSrc *source) {
  set_flushing(FOVEA_FEED(source), FALSE);
  return TRUE;
}

/* Queries on the stacks of their callers are theirs: they leave with their attempt, which has ended by then. */
static void drop_items(FoveaFeed *self) {
  Item *item;
  while ((item = g_queue_pop_head(&self->items)))
    if (item->kind != ITEM_QUERY)
      item_free(item);
  self->buffers = 0;
}

static void drop_encoded(FoveaFeed *self) {
  fovea_decode_times_clear(&self->times, (GDestroyNotify)gst_buffer_unref);
  gst_clear_caps(&self->caps);
}

static gboolean stop(GstBaseSrc *source) {
  FoveaFeed *self = FOVEA_FEED(source);
  g_mutex_lock(&self->lock);
  drop_items(self);
  g_mutex_unlock(&self->lock);
  drop_encoded(self);
  gst_clear_buffer(&self->last);
  gst_clear_buffer(&self->grey);
  return TRUE;
}

void fovea_feed_set_up(FoveaFeed *self, const FoveaFeedOptions *options) {
  g_mutex_lock(&self->lock);
  drop_items(self);
  self->options = *options;
  self->attempt = 0;
  self->finished = self->silent = FALSE;
  self->stats = (FoveaFeedStats){0};
  self->latency = options->live ? options->latency_ms * GST_MSECOND : 0;
  self->fed_at = g_get_monotonic_time();
  g_mutex_unlock(&self->lock);
  fovea_timeline_reset(&self->timeline);
  self->timeline.live = options->live;
  self->timeline.encoded = options->encoded;
  self->timeline.stamped = options->stamped;
  self->timeline.latency = (gint64)self->latency;
  self->has_info = self->started = self->substituted = FALSE;
  gst_base_src_set_live(GST_BASE_SRC(self), options->live);
}

void fovea_feed_get_stats(FoveaFeed *self, FoveaFeedStats *ret_stats) {
  g_mutex_lock(&self->lock);
  *ret_stats = self->stats;
  g_mutex_unlock(&self->lock);
}

static gboolean query(GstBaseSrc *source, GstQuery *asked) {
  FoveaFeed *self = FOVEA_FEED(source);
  if (GST_QUERY_TYPE(asked) != GST_QUERY_LATENCY || !self->options.live)
    return GST_BASE_SRC_CLASS(fovea_feed_parent_class)->query(source, asked);
  g_mutex_lock(&self->lock);
  GstClockTime latency = self->latency;
  g_mutex_unlock(&self->lock);
  gst_query_set_latency(asked, TRUE, latency, GST_CLOCK_TIME_NONE); /* whoever hands in waits, for as long as it takes */
  return TRUE;
}

/* Buffers come from the attempts, so no pool is made. */
static gboolean decide_allocation(GstBaseSrc *source, GstQuery *asked) {
  while (gst_query_get_n_allocation_pools(asked) > 0)
    gst_query_remove_nth_allocation_pool(asked, 0);
  return TRUE;
}

static gboolean negotiate(GstBaseSrc *source) { return TRUE; }

static void finalize(GObject *object) {
  FoveaFeed *self = FOVEA_FEED(object);
  drop_items(self);
  drop_encoded(self);
  gst_clear_buffer(&self->last);
  gst_clear_buffer(&self->grey);
  g_free(self->reason);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
  G_OBJECT_CLASS(fovea_feed_parent_class)->finalize(object);
}

static void fovea_feed_init(FoveaFeed *self) {
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  g_queue_init(&self->items);
  fovea_timeline_reset(&self->timeline);
  gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
}

static void fovea_feed_class_init(FoveaFeedClass *klass) {
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GstBaseSrcClass *source_class = GST_BASE_SRC_CLASS(klass);
  G_OBJECT_CLASS(klass)->finalize = finalize;
  source_class->unlock = unlock;
  source_class->unlock_stop = unlock_stop;
  source_class->stop = stop;
  source_class->query = query;
  source_class->negotiate = negotiate;
  source_class->decide_allocation = decide_allocation;
  GST_PUSH_SRC_CLASS(klass)->create = create;
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Fovea feed", "Source", "Inside foveasrc: what its attempts hand in, as one stream", "Fovea");
}

/**
 * SECTION:element-foveaspool
 * @title: foveaspool
 *
 * Sends encoded video over a link that comes and goes. `sink` is launch text of what sends; it runs as a pipeline of its own, which is built anew after every error, and whose
 * errors never reach this one. Video that would wait for the link longer than `live-latency` goes to the disk in whole GOPs, and is sent over a second connection when
 * the link is back, while live video goes first.
 *
 * |[
 * gst-launch-1.0 rtspsrc location=rtsp://camera/ ! rtph264depay ! h264parse ! \
 *   foveaspool sink="mpegtsmux ! srtsink uri=srt://server:9000" \
 *     replay-sink="mpegtsmux ! srtsink uri=srt://server:9001" spool=/var/lib/fovea/gate replay-rate=500000
 * ]|
 */
#include "foveaspool.h"

#include "child.h"
#include "common/linkwatch.h"
#include "door.h"
#include "trigger.h"
#include "uplink.h"

GST_DEBUG_CATEGORY_STATIC(fovea_spool_debug);
#define GST_CAT_DEFAULT fovea_spool_debug

static GstStaticPadTemplate sink_template =
  GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(FOVEA_ENCODED_CAPS "; video/x-vp8; image/jpeg"));

enum {
  PROP_0, PROP_SINK, PROP_REPLAY_SINK, PROP_SPOOL, PROP_SPOOL_BYTES, PROP_SPOOL_AGE, PROP_SPOOL_POLICY, PROP_SPOOL_ORDER, PROP_REPLAY_RATE, PROP_LIVE_LATENCY,
  PROP_RETRY_MIN, PROP_RETRY_MAX, PROP_CONFIRM_AFTER, PROP_STALL_TIMEOUT, PROP_DRAIN_TIMEOUT, PROP_QUEUE_BYTES, PROP_TIMESTAMPS, PROP_TRIGGER,
  PROP_STATE = PROP_TRIGGER + FOVEA_TRIGGER_PROPERTIES, PROP_STATS,
};

struct _GstFoveaSpool {
  GstBaseSink parent;

  /* object lock */
  FoveaUplinkParams params;
  FoveaTriggerFilter filter;

  GMutex lock;         /* of the three below: started and stopped together */
  FoveaUplink *uplink; /* while started */
  FoveaTrigger *trigger;
  FoveaLinkWatch *watch;
  FoveaDoor door;      /* streaming thread */
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaSpool, gst_fovea_spool, GST_TYPE_BASE_SINK,
                        GST_DEBUG_CATEGORY_INIT(fovea_spool_debug, "foveaspool", 0, "encoded video over a link that comes and goes"))
GST_ELEMENT_REGISTER_DEFINE(foveaspool, "foveaspool", GST_RANK_NONE, GST_TYPE_FOVEA_SPOOL)

#define POLICY_TYPE (policy_get_type())
static GType policy_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FV_SPOOL_DROP_OLDEST, "The oldest goes", "drop-oldest"},
    {FV_SPOOL_DROP_LOWEST_PRIORITY, "The oldest without an event goes first", "drop-lowest-priority"},
    {FV_SPOOL_REFUSE_NEW, "New video is not kept", "refuse-new"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaSpoolPolicy", values));
  return type;
}

#define ORDER_TYPE (order_get_type())
static GType order_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FALSE, "GOPs with an event first, then by time", "oldest-first"},
    {TRUE, "GOPs with an event first, then the newest, several at a time", "newest-first"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaSpoolOrder", values));
  return type;
}

#define TIMES_TYPE (times_get_type())
static GType times_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {FOVEA_TIMES_RUNNING, "Running time of the pipeline that took the video; begins anew with each", "running-time"},
    {FOVEA_TIMES_UTC, "Since 1970; goes on over restarts", "utc"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaSpoolTimestamps", values));
  return type;
}

/* --- stream ------------------------------------------------------------------------------------------------ */

static void take_frames(GstFoveaSpool *self) {
  FoveaFrame frame;
  while (fovea_door_take(&self->door, &frame)) fovea_uplink_append(self->uplink, &frame, self->door.caps);
}

static void take_the_rest(GstFoveaSpool *self) {
  fovea_door_settle(&self->door);
  take_frames(self);
}

static gboolean set_caps(GstBaseSink *sink, GstCaps *caps) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(sink);
  take_the_rest(self);
  fovea_door_set_caps(&self->door, caps);
  return TRUE;
}

static GstFlowReturn render(GstBaseSink *sink, GstBuffer *buffer) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(sink);
  if (!self->door.caps)
    return GST_FLOW_NOT_NEGOTIATED;
  fovea_door_put(&self->door, buffer, &sink->segment);
  take_frames(self);
  return GST_FLOW_OK;
}

static gboolean event(GstBaseSink *sink, GstEvent *given) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(sink);
  if (GST_EVENT_TYPE(given) == GST_EVENT_EOS)
    take_the_rest(self);
  if (GST_EVENT_TYPE(given) == GST_EVENT_FLUSH_STOP)
    fovea_door_flush(&self->door);
  if (GST_EVENT_TYPE(given) == GST_EVENT_EOS || GST_EVENT_TYPE(given) == GST_EVENT_FLUSH_STOP)
    fovea_uplink_end_gop(self->uplink);
  return GST_BASE_SINK_CLASS(gst_fovea_spool_parent_class)->event(sink, given);
}

/* --- start and stop ---------------------------------------------------------------------------------------- */

static gboolean check_text(GstFoveaSpool *self, const gchar *property, const gchar *text) {
  GError *error = NULL;
  if (fovea_child_check(text, &error))
    return TRUE;
  gchar *sentence = fovea_child_describe(error->message);
  GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("The property %s is no launch text of a sink: %s.", property, sentence), (NULL));
  g_free(sentence);
  g_error_free(error);
  return FALSE;
}

static FoveaUplinkParams copy_params(GstFoveaSpool *self, FoveaTriggerFilter *filter) {
  GST_OBJECT_LOCK(self);
  FoveaUplinkParams params = self->params;
  params.sink = g_strdup(params.sink);
  params.replay_sink = g_strdup(params.replay_sink);
  params.spool = g_strdup(params.spool);
  *filter = fovea_trigger_filter_copy(&self->filter);
  params.trigger_delay = filter->delay;
  GST_OBJECT_UNLOCK(self);
  return params;
}

static void on_trigger(gpointer user, gint64 running_time, const gchar *label) { fovea_uplink_trigger(user, running_time); }

static void on_network(gpointer user) { fovea_uplink_retry(user); }

static gboolean start(GstBaseSink *sink) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(sink);
  FoveaTriggerFilter filter;
  FoveaUplinkParams params = copy_params(self, &filter);
  gboolean right = check_text(self, "sink", params.sink) && (!params.replay_sink || check_text(self, "replay-sink", params.replay_sink));
  if (right) {
    g_mutex_lock(&self->lock);
    self->uplink = fovea_uplink_start(GST_ELEMENT(self), &params);
    self->trigger = fovea_trigger_start(GST_ELEMENT(self), &filter, on_trigger, self->uplink);
    self->watch = fovea_link_watch_new(on_network, self->uplink);
    g_mutex_unlock(&self->lock);
  }
  fovea_uplink_params_clear(&params);
  fovea_trigger_filter_clear(&filter);
  return right;
}

static gboolean stop(GstBaseSink *sink) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(sink);
  g_mutex_lock(&self->lock);
  FoveaUplink *uplink = g_steal_pointer(&self->uplink);
  FoveaTrigger *trigger = g_steal_pointer(&self->trigger);
  FoveaLinkWatch *watch = g_steal_pointer(&self->watch);
  g_mutex_unlock(&self->lock);
  fovea_trigger_stop(trigger);
  fovea_link_watch_free(watch);
  fovea_uplink_stop(uplink);
  fovea_door_clear(&self->door);
  return TRUE;
}

/* --- properties -------------------------------------------------------------------------------------------- */

static void trigger(GstFoveaSpool *self, guint64 running_time, const gchar *label) {
  g_mutex_lock(&self->lock);
  if (self->uplink && running_time <= G_MAXINT64)
    fovea_uplink_trigger(self->uplink, (gint64)running_time);
  g_mutex_unlock(&self->lock);
}

static void take_text(gchar **place, const GValue *value) {
  g_free(*place);
  *place = g_value_dup_string(value);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(object);
  FoveaUplinkParams *params = &self->params;
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_SINK: take_text(&params->sink, value); break;
    case PROP_REPLAY_SINK: take_text(&params->replay_sink, value); break;
    case PROP_SPOOL: take_text(&params->spool, value); break;
    case PROP_SPOOL_BYTES: params->spool_bytes = g_value_get_int64(value); break;
    case PROP_SPOOL_AGE: params->spool_age = g_value_get_uint(value); break;
    case PROP_SPOOL_POLICY: params->spool_policy = (FvSpoolPolicy)g_value_get_enum(value); break;
    case PROP_SPOOL_ORDER: params->newest_first = g_value_get_enum(value); break;
    case PROP_REPLAY_RATE: params->replay_rate = g_value_get_uint64(value); break;
    case PROP_LIVE_LATENCY: params->live_latency = g_value_get_uint(value); break;
    case PROP_RETRY_MIN: params->retry_min = g_value_get_uint(value); break;
    case PROP_RETRY_MAX: params->retry_max = g_value_get_uint(value); break;
    case PROP_CONFIRM_AFTER: params->confirm_after = g_value_get_uint(value); break;
    case PROP_STALL_TIMEOUT: params->stall_timeout = g_value_get_uint(value); break;
    case PROP_DRAIN_TIMEOUT: params->drain_timeout = g_value_get_uint(value); break;
    case PROP_QUEUE_BYTES: params->queue_bytes = g_value_get_uint64(value); break;
    case PROP_TIMESTAMPS: params->times = (FoveaUplinkTimes)g_value_get_enum(value); break;
    default:
      if (!fovea_trigger_set_property(&self->filter, id - PROP_TRIGGER, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static FoveaUplinkStats current(GstFoveaSpool *self, gboolean *watched) {
  g_mutex_lock(&self->lock);
  FoveaUplinkStats stats = {0};
  if (self->uplink)
    stats = fovea_uplink_stats(self->uplink);
  *watched = fovea_trigger_found(self->trigger);
  g_mutex_unlock(&self->lock);
  return stats;
}

static GstStructure *make_stats(GstFoveaSpool *self) {
  gboolean watched;
  FoveaUplinkStats stats = current(self, &watched);
  GST_OBJECT_LOCK(self);
  gchar *target = fovea_child_describe(self->params.sink);
  GST_OBJECT_UNLOCK(self);
  GstStructure *structure = gst_structure_new(
    "foveaspool-stats", "state", G_TYPE_STRING, fovea_link_state_nick(stats.state), "replay-state", G_TYPE_STRING, fovea_link_state_nick(stats.replay_state), "target",
    G_TYPE_STRING, target, "frames", G_TYPE_UINT64, stats.frames, "undecodable", G_TYPE_UINT64, stats.undecodable, "live-gops", G_TYPE_UINT64, stats.live_gops,
    "live-bytes", G_TYPE_UINT64, stats.live_bytes, "spooled-gops", G_TYPE_UINT64, stats.spooled_gops, "spooled-bytes", G_TYPE_UINT64, stats.spooled_bytes, "event-gops",
    G_TYPE_UINT64, stats.event_gops, "replayed-gops", G_TYPE_UINT64, stats.replayed_gops, "replayed-bytes", G_TYPE_UINT64, stats.replayed_bytes, "again-gops", G_TYPE_UINT64,
    stats.again_gops, "dropped-gops", G_TYPE_UINT64, stats.dropped_gops, "dropped-bytes", G_TYPE_UINT64, stats.dropped_bytes, "damaged-gops", G_TYPE_UINT64,
    stats.damaged_gops, "reconnects", G_TYPE_UINT64, stats.reconnects, "let-go", G_TYPE_UINT64, stats.let_go, "waiting-ms", G_TYPE_UINT64,
    (guint64)(stats.waiting_ns / (gint64)GST_MSECOND), "pending", G_TYPE_UINT64, (guint64)stats.pending, "spool-bytes", G_TYPE_UINT64, (guint64)stats.spool.bytes,
    "spool-dropped", G_TYPE_UINT64, stats.spool.dropped, "refused", G_TYPE_UINT64, stats.spool.refused, "trigger-found", G_TYPE_BOOLEAN, watched, "last-error",
    G_TYPE_STRING, stats.last_error ? stats.last_error : "", NULL);
  g_free(stats.last_error);
  g_free(target);
  return structure;
}

static void get_live(GstFoveaSpool *self, guint id, GValue *value) {
  gboolean watched;
  if (id == PROP_STATS) {
    g_value_take_boxed(value, make_stats(self));
    return;
  }
  FoveaUplinkStats stats = current(self, &watched);
  g_value_set_enum(value, stats.state);
  g_free(stats.last_error);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(object);
  const FoveaUplinkParams *params = &self->params;
  if (id == PROP_STATE || id == PROP_STATS) {
    get_live(self, id, value);
    return;
  }
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_SINK: g_value_take_string(value, params->sink ? fovea_child_describe(params->sink) : NULL); break;
    case PROP_REPLAY_SINK: g_value_take_string(value, params->replay_sink ? fovea_child_describe(params->replay_sink) : NULL); break;
    case PROP_SPOOL: g_value_set_string(value, params->spool); break;
    case PROP_SPOOL_BYTES: g_value_set_int64(value, params->spool_bytes); break;
    case PROP_SPOOL_AGE: g_value_set_uint(value, (guint)params->spool_age); break;
    case PROP_SPOOL_POLICY: g_value_set_enum(value, (gint)params->spool_policy); break;
    case PROP_SPOOL_ORDER: g_value_set_enum(value, params->newest_first); break;
    case PROP_REPLAY_RATE: g_value_set_uint64(value, params->replay_rate); break;
    case PROP_LIVE_LATENCY: g_value_set_uint(value, params->live_latency); break;
    case PROP_RETRY_MIN: g_value_set_uint(value, params->retry_min); break;
    case PROP_RETRY_MAX: g_value_set_uint(value, params->retry_max); break;
    case PROP_CONFIRM_AFTER: g_value_set_uint(value, params->confirm_after); break;
    case PROP_STALL_TIMEOUT: g_value_set_uint(value, params->stall_timeout); break;
    case PROP_DRAIN_TIMEOUT: g_value_set_uint(value, params->drain_timeout); break;
    case PROP_QUEUE_BYTES: g_value_set_uint64(value, params->queue_bytes); break;
    case PROP_TIMESTAMPS: g_value_set_enum(value, (gint)params->times); break;
    default:
      if (!fovea_trigger_get_property(&self->filter, id - PROP_TRIGGER, value))
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void finalize(GObject *object) {
  GstFoveaSpool *self = GST_FOVEA_SPOOL(object);
  fovea_uplink_params_clear(&self->params);
  fovea_trigger_filter_clear(&self->filter);
  g_mutex_clear(&self->lock);
  G_OBJECT_CLASS(gst_fovea_spool_parent_class)->finalize(object);
}

static void gst_fovea_spool_init(GstFoveaSpool *self) {
  self->params = (FoveaUplinkParams){.spool_bytes = G_GINT64_CONSTANT(1) << 30, .live_latency = 2000, .retry_min = 500, .retry_max = 30000, .confirm_after = 2000,
                                     .stall_timeout = 10000, .drain_timeout = 3000, .queue_bytes = 64 << 20};
  self->filter.delay = FOVEA_TRIGGER_DELAY;
  g_mutex_init(&self->lock);
  gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
  gst_base_sink_set_async_enabled(GST_BASE_SINK(self), FALSE); /* the pipeline starts without video and without network */
  gst_base_sink_set_last_sample_enabled(GST_BASE_SINK(self), FALSE);
}

#define READY (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)

static void install_text(GObjectClass *class, guint id, const gchar *name, const gchar *nick, const gchar *blurb) {
  g_object_class_install_property(class, id, g_param_spec_string(name, nick, blurb, NULL, READY));
}

static void install_ms(GObjectClass *class, guint id, const gchar *name, const gchar *nick, const gchar *blurb, guint least, guint preset) {
  g_object_class_install_property(class, id, g_param_spec_uint(name, nick, blurb, least, 24 * 3600 * 1000, preset, READY));
}

static void install_link_properties(GObjectClass *class) {
  install_text(class, PROP_SINK, "sink", "Sink", "Launch text of what sends; its first element takes the encoded video. Reads with *** for passwords");
  install_text(class, PROP_REPLAY_SINK, "replay-sink", "Replay sink", "Launch text of what sends kept video; unset: that of sink, a second connection");
  install_ms(class, PROP_LIVE_LATENCY, "live-latency", "Live latency", "Video that has waited for the link so long before any of its GOP was sent goes to the spool (ms)", 0, 2000);
  install_ms(class, PROP_RETRY_MIN, "retry-min", "Shortest wait", "Before the second attempt to connect, doubling with each (ms)", 1, 500);
  install_ms(class, PROP_RETRY_MAX, "retry-max", "Longest wait", "Between two attempts to connect (ms)", 1, 30000);
  install_ms(class, PROP_CONFIRM_AFTER, "confirm-after", "Confirm after", "What was handed to the sink more recently than this is sent again after a failure (ms)", 0, 2000);
  install_ms(class, PROP_STALL_TIMEOUT, "stall-timeout", "Stall timeout", "A sink that takes nothing, or does not start, for so long is let go and built anew (ms; 0: never)", 0, 10000);
  install_ms(class, PROP_DRAIN_TIMEOUT, "drain-timeout", "Drain timeout", "When stopping, how long to wait for what is on its way, where connected; the rest stays in the spool (ms)", 0, 3000);
  g_object_class_install_property(class, PROP_QUEUE_BYTES,
                                  g_param_spec_uint64("queue-bytes", "Queue bytes", "Memory for video that waits for link and disk; beyond it the oldest is dropped (bytes)", 1 << 20,
                                                      G_GUINT64_CONSTANT(1) << 34, 64 << 20, READY));
  g_object_class_install_property(class, PROP_TIMESTAMPS, g_param_spec_enum("timestamps", "Timestamps", "What the times are that the sinks see", TIMES_TYPE, FOVEA_TIMES_RUNNING, READY));
}

static void install_spool_properties(GObjectClass *class) {
  install_text(class, PROP_SPOOL, "spool", "Spool", "Directory for video that waits for the link, this element's own; made when its parent is there; unset: none is kept");
  g_object_class_install_property(class, PROP_SPOOL_BYTES,
                                  g_param_spec_int64("spool-bytes", "Spool bytes", "Bound of the spool (bytes)", FV_SPOOL_MIN_BYTES, G_GINT64_CONSTANT(1) << 50,
                                                     G_GINT64_CONSTANT(1) << 30, READY));
  g_object_class_install_property(class, PROP_SPOOL_AGE,
                                  g_param_spec_uint("spool-age", "Spool age", "Kept video older than this goes (seconds; 0: no bound)", 0, G_MAXINT, 0, READY));
  g_object_class_install_property(class, PROP_SPOOL_POLICY, g_param_spec_enum("spool-policy", "Spool policy", "What goes when the spool is full", POLICY_TYPE, FV_SPOOL_DROP_OLDEST, READY));
  g_object_class_install_property(class, PROP_SPOOL_ORDER, g_param_spec_enum("spool-order", "Spool order", "Order in which kept video is sent", ORDER_TYPE, FALSE, READY));
  g_object_class_install_property(class, PROP_REPLAY_RATE,
                                  g_param_spec_uint64("replay-rate", "Replay rate", "Kept video is sent at most so fast (bytes/s; 0: no limit)", 0, G_GUINT64_CONSTANT(1) << 40, 0, READY));
}

static void install_news_properties(GObjectClass *class) {
  g_object_class_install_property(class, PROP_STATE,
                                  g_param_spec_enum("state", "State", "Of the live link", FOVEA_TYPE_LINK_STATE, FOVEA_LINK_OFFLINE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property(class, PROP_STATS,
                                  g_param_spec_boxed("stats", "Statistics", "GOPs and bytes sent live, kept, replayed, sent again and dropped since the start; state of links and spool",
                                                     GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void gst_fovea_spool_class_init(GstFoveaSpoolClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_link_properties(object_class);
  install_spool_properties(object_class);
  fovea_trigger_install_properties(object_class, PROP_TRIGGER,
                                   "Name of an element of the same pipeline, a foveadetect for one: where frames with objects leave it, the GOP of that time is kept with priority",
                                   "Detections may come so much later than the encoded video (ms)");
  install_news_properties(object_class);
  sink_class->set_caps = set_caps;
  sink_class->render = render;
  sink_class->event = event;
  sink_class->start = start;
  sink_class->stop = stop;
  fovea_trigger_install_signal(object_class, G_CALLBACK(trigger));
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_set_static_metadata(element_class, "Fovea uplink with a spool", "Sink/Network/Video", "Sends encoded video over a link that comes and goes, and keeps it meanwhile", "Fovea");
  gst_type_mark_as_plugin_api(POLICY_TYPE, 0);
  gst_type_mark_as_plugin_api(ORDER_TYPE, 0);
  gst_type_mark_as_plugin_api(TIMES_TYPE, 0);
  gst_type_mark_as_plugin_api(FOVEA_TYPE_LINK_STATE, 0);
}

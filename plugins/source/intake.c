#include "intake.h"

struct _FoveaIntake {
  GstElement parent;

  GstPad *pad;
  FoveaFeed *feed;
  FoveaNews *news;
  guint attempt;
  GstClockTime min_interval; /* 0: no limit */

  /* object lock */
  gboolean has_reference;
  gint64 reference; /* NTP - time, ns */

  /* streaming thread */
  GstSegment segment;
  gboolean told;
  GstClockTime next; /* frames before it are too many */
};

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE(FoveaIntake, fovea_intake, GST_TYPE_ELEMENT)

static GstCaps *ntp_caps(void) {
  static GstStaticCaps caps = GST_STATIC_CAPS("timestamp/x-ntp");
  return gst_static_caps_get(&caps);
}

void fovea_intake_set_reference(FoveaIntake *self, GstClockTime time, GstClockTime ntp) {
  GST_OBJECT_LOCK(self);
  self->has_reference = TRUE;
  self->reference = (gint64)(ntp - time);
  GST_OBJECT_UNLOCK(self);
}

/* Parsers and decoders lose metas when they build new buffers. */
static GstBuffer *restore_reference(FoveaIntake *self, GstBuffer *buffer) {
  GST_OBJECT_LOCK(self);
  gboolean known = self->has_reference;
  GstClockTime ntp = GST_BUFFER_PTS(buffer) + (guint64)self->reference;
  GST_OBJECT_UNLOCK(self);
  if (!known || !GST_BUFFER_PTS_IS_VALID(buffer) || gst_buffer_get_meta(buffer, GST_REFERENCE_TIMESTAMP_META_API_TYPE))
    return buffer;
  GstCaps *caps = ntp_caps();
  buffer = gst_buffer_make_writable(buffer);
  gst_buffer_add_reference_timestamp_meta(buffer, caps, ntp, GST_CLOCK_TIME_NONE);
  gst_caps_unref(caps);
  return buffer;
}

/* Lets every frame pass that comes when one is due, and keeps the rhythm where frames come a little early. */
static gboolean is_too_many(FoveaIntake *self, const GstBuffer *buffer) {
  GstClockTime pts = GST_BUFFER_PTS(buffer), slack = self->min_interval / 8;
  if (self->min_interval == 0 || !GST_CLOCK_TIME_IS_VALID(pts))
    return FALSE;
  gboolean jumped = self->next > pts && self->next - pts > 2 * self->min_interval;
  if (GST_CLOCK_TIME_IS_VALID(self->next) && !jumped && pts + slack < self->next)
    return TRUE;
  self->next = GST_CLOCK_TIME_IS_VALID(self->next) && !jumped && pts < self->next + self->min_interval ? self->next + self->min_interval : pts + self->min_interval;
  return FALSE;
}

static void tell_first(FoveaIntake *self) {
  GstQuery *latency = gst_query_new_latency();
  GstClockTime min = 0;
  gboolean live = FALSE;
  if (gst_pad_peer_query(self->pad, latency))
    gst_query_parse_latency(latency, &live, &min, NULL);
  gst_query_unref(latency);
  if (live)
    fovea_feed_set_latency(self->feed, self->attempt, min);
  fovea_news_tell(self->news, self->attempt, FOVEA_NEWS_FRAME);
  self->told = TRUE;
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
  FoveaIntake *self = FOVEA_INTAKE(parent);
  if (!self->told)
    tell_first(self);
  if (is_too_many(self, buffer)) {
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
  }
  return fovea_feed_push(self->feed, self->attempt, restore_reference(self, buffer), &self->segment);
}

static gboolean is_finite(GstPad *pad) {
  gint64 duration = 0;
  return gst_pad_peer_query_duration(pad, GST_FORMAT_TIME, &duration) && duration > 0;
}

static gboolean event(GstPad *pad, GstObject *parent, GstEvent *event) {
  FoveaIntake *self = FOVEA_INTAKE(parent);
  gboolean taken = TRUE;
  GstCaps *caps;
  switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
      gst_event_parse_caps(event, &caps);
      taken = fovea_feed_push_caps(self->feed, self->attempt, caps);
      break;
    case GST_EVENT_SEGMENT: gst_event_copy_segment(event, &self->segment); break;
    case GST_EVENT_EOS: fovea_news_tell_end(self->news, self->attempt, is_finite(pad)); break;
    default: break;
  }
  gst_event_unref(event);
  return taken;
}

/* What caps and allocations are wanted, downstream of the feed knows. */
static gboolean query(GstPad *pad, GstObject *parent, GstQuery *query) {
  FoveaIntake *self = FOVEA_INTAKE(parent);
  switch (GST_QUERY_TYPE(query)) {
    case GST_QUERY_CAPS:
    case GST_QUERY_ACCEPT_CAPS: return fovea_feed_ask(self->feed, self->attempt, query) || gst_pad_query_default(pad, parent, query);
    case GST_QUERY_ALLOCATION: return fovea_feed_ask(self->feed, self->attempt, query);
    default: return gst_pad_query_default(pad, parent, query);
  }
}

GstElement *fovea_intake_new(FoveaFeed *feed, FoveaNews *news, guint attempt, gdouble max_rate) {
  FoveaIntake *self = g_object_new(FOVEA_TYPE_INTAKE, "name", "intake", NULL);
  self->feed = gst_object_ref(feed);
  self->news = fovea_news_ref(news);
  self->attempt = attempt;
  self->min_interval = max_rate > 0 ? (GstClockTime)(GST_SECOND / max_rate) : 0;
  return GST_ELEMENT(self);
}

void fovea_intake_trust_rate(FoveaIntake *self) { self->min_interval = 0; }

static void finalize(GObject *object) {
  FoveaIntake *self = FOVEA_INTAKE(object);
  gst_clear_object(&self->feed);
  g_clear_pointer(&self->news, fovea_news_unref);
  G_OBJECT_CLASS(fovea_intake_parent_class)->finalize(object);
}

static void fovea_intake_init(FoveaIntake *self) {
  self->pad = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->pad, chain);
  gst_pad_set_event_function(self->pad, event);
  gst_pad_set_query_function(self->pad, query);
  gst_element_add_pad(GST_ELEMENT(self), self->pad);
  gst_segment_init(&self->segment, GST_FORMAT_TIME);
  self->next = GST_CLOCK_TIME_NONE;
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SINK);
}

static void fovea_intake_class_init(FoveaIntakeClass *klass) {
  G_OBJECT_CLASS(klass)->finalize = finalize;
  gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &sink_template);
  gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Fovea intake", "Sink", "Inside foveasrc: the end of an attempt", "Fovea");
}

/**
 * SECTION:element-foveapublish
 * @title: foveapublish
 *
 * Sends what the buffers' metas describe as JSON, one object a frame ("fovea.frame/1", configs/schemas/fovea.frame-1.json), or
 * an object when something comes, stays and goes ("fovea.event/1"): to a file, MQTT, HTTP or Kafka. Frames pass unchanged and
 * never wait for a network: messages wait in memory or on disk until the far side has them.
 *
 * |[
 * gst-launch-1.0 -q filesrc location=street.mp4 ! decodebin ! videoconvert ! foveadetect model=nanodet_m_320.onnx \
 *   ! foveapublish source=gate method=mqtt address=mqtt://broker spool=/var/lib/fovea/gate ! fakesink
 * ]|
 */
#include "foveapublish.h"

#include <gio/gio.h>
#include <gst/video/video.h>

#include "common/framerecord.h"
#include "delivery.h"
#include "events.h"

GST_DEBUG_CATEGORY_STATIC(fovea_publish_debug);
#define GST_CAT_DEFAULT fovea_publish_debug

static GstStaticPadTemplate sink_template =
  GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template =
  GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw(ANY)"));

enum { PROP_0, PROP_STATE, PROP_STATS, PROP_FIRST_SETTING };

/* What goes first, and stays longest, with spool-policy=drop-lowest-priority. */
enum { PRIORITY_EMPTY_FRAME = 1, PRIORITY_EVENT_UPDATE = 2, PRIORITY_FRAME = 3, PRIORITY_EVENT = 5 };

struct _GstFoveaPublish {
  GstBaseTransform parent;

  /* object lock */
  FoveaPublishSettings settings;
  FoveaDelivery *delivery;
  GstStructure *last_stats; /* of the run before; NULL: there was none */

  /* streaming thread */
  gint content;
  FoveaEvents *events;
  gint width, height;
  gint live; /* atomic */
  guint64 seq;
  gchar run[17];    /* the first part of every message's id: no other run has it */
  guint64 messages; /* the second part */
  GArray *objects;  /* FoveaObject */
  GString *line;
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaPublish, gst_fovea_publish, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(fovea_publish_debug, "foveapublish", 0, "publishing of detections"))
GST_ELEMENT_REGISTER_DEFINE(foveapublish, "foveapublish", GST_RANK_NONE, GST_TYPE_FOVEA_PUBLISH)

/* --- one frame --------------------------------------------------------------------------------------------- */

/* The same message has the same id wherever and however often it comes: it is part of what is stored. */
static const gchar *next_id(GstFoveaPublish *self, gchar *into, gsize size) {
  g_snprintf(into, size, "%s-%" G_GUINT64_FORMAT, self->run, ++self->messages);
  return into;
}

static void put_line(GstFoveaPublish *self, guint8 priority) {
  fovea_delivery_put(self->delivery, priority, self->line->str, self->line->len, !g_atomic_int_get(&self->live));
}

static void publish_frame(GstFoveaPublish *self, FoveaRecord *record) {
  gchar id[64];
  record->id = next_id(self, id, sizeof id);
  g_string_truncate(self->line, 0);
  fovea_json_append_record(self->line, record);
  put_line(self, record->object_count ? PRIORITY_FRAME : PRIORITY_EMPTY_FRAME);
}

static void publish_event(const FoveaEvent *event, gpointer user) {
  GstFoveaPublish *self = user;
  gchar id[64];
  g_string_truncate(self->line, 0);
  fovea_json_append_event(self->line, event, next_id(self, id, sizeof id));
  put_line(self, event->kind == FOVEA_EVENT_UPDATE ? PRIORITY_EVENT_UPDATE : PRIORITY_EVENT);
}

static GstFlowReturn transform_ip(GstBaseTransform *transform, GstBuffer *buffer) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  FoveaFrameContext context = {.width = self->width, .height = self->height, .segment = &transform->segment,
                               .element = GST_ELEMENT(self), .live = g_atomic_int_get(&self->live), .seq = self->seq++};
  FoveaRecord record;
  fovea_frame_record(buffer, &context, self->objects, &record);
  GST_OBJECT_LOCK(self);
  gboolean wanted = (self->settings.include_empty || record.object_count > 0) && (!self->settings.analysed_only || record.analysed);
  gchar *source = g_strdup(self->settings.source ? self->settings.source : GST_OBJECT_NAME(self));
  GST_OBJECT_UNLOCK(self);
  record.source = source;
  if (self->content != FOVEA_CONTENT_FRAMES)
    fovea_events_add(self->events, &record, publish_event, self);
  if (wanted && self->content != FOVEA_CONTENT_EVENTS)
    publish_frame(self, &record);
  g_free(source);
  return GST_FLOW_OK;
}

/* --- element ----------------------------------------------------------------------------------------------- */

static gboolean set_caps(GstBaseTransform *transform, GstCaps *incoming, GstCaps *outgoing) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  const GstStructure *structure = gst_caps_get_structure(incoming, 0);
  return gst_structure_get_int(structure, "width", &self->width) && gst_structure_get_int(structure, "height", &self->height);
}

/* Liveness decides whether a frame's time can be told in UTC; it is known once the pipeline has asked for its latency. */
static gboolean query(GstBaseTransform *transform, GstPadDirection direction, GstQuery *asked) {
  gboolean answered = GST_BASE_TRANSFORM_CLASS(gst_fovea_publish_parent_class)->query(transform, direction, asked);
  if (answered && GST_QUERY_TYPE(asked) == GST_QUERY_LATENCY) {
    gboolean live;
    gst_query_parse_latency(asked, &live, NULL, NULL);
    g_atomic_int_set(&GST_FOVEA_PUBLISH(transform)->live, live);
  }
  return answered;
}

static void begin_run(GstFoveaPublish *self, const FoveaPublishSettings *settings) {
  self->seq = self->messages = 0;
  g_snprintf(self->run, sizeof self->run, "%08x%08x", g_random_int(), g_random_int());
  g_atomic_int_set(&self->live, FALSE);
  self->content = settings->content;
  self->events = fovea_events_new(self->run, settings->event_interval, settings->event_timeout);
}

static gboolean start(GstBaseTransform *transform) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  FoveaPublishSettings settings;
  GError *error = NULL;
  GST_OBJECT_LOCK(self);
  fovea_publish_settings_copy(&settings, &self->settings);
  gchar *source = g_strdup(settings.source ? settings.source : GST_OBJECT_NAME(self));
  GST_OBJECT_UNLOCK(self);
  begin_run(self, &settings);
  FoveaDelivery *delivery = fovea_delivery_new(GST_ELEMENT(self), &settings, source, &error);
  GST_OBJECT_LOCK(self);
  self->delivery = delivery;
  gst_clear_structure(&self->last_stats);
  GST_OBJECT_UNLOCK(self);
  if (delivery)
    fovea_delivery_start(delivery);
  if (!delivery && g_error_matches(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s.", error->message), (NULL));
  else if (!delivery)
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE, ("Messages cannot be published: %s.", error->message), (NULL));
  if (!delivery)
    g_clear_pointer(&self->events, fovea_events_free);
  g_clear_error(&error);
  g_free(source);
  fovea_publish_settings_finish(&settings);
  return delivery != NULL;
}

static gboolean stop(GstBaseTransform *transform) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  FoveaDelivery *delivery = self->delivery;
  if (!delivery)
    return TRUE;
  fovea_events_finish(self->events, publish_event, self);
  fovea_delivery_drain(delivery);
  fovea_delivery_stop(delivery);
  GST_OBJECT_LOCK(self);
  self->last_stats = fovea_delivery_stats(delivery);
  self->delivery = NULL;
  GST_OBJECT_UNLOCK(self);
  fovea_delivery_free(delivery);
  g_clear_pointer(&self->events, fovea_events_free);
  return TRUE;
}

/* What was published before the end has arrived when the pipeline says it has ended, if it can arrive at all. */
static gboolean sink_event(GstBaseTransform *transform, GstEvent *event) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && self->delivery) {
    fovea_events_finish(self->events, publish_event, self);
    fovea_delivery_drain(self->delivery);
  }
  return GST_BASE_TRANSFORM_CLASS(gst_fovea_publish_parent_class)->sink_event(transform, event);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(object);
  GST_OBJECT_LOCK(self);
  fovea_publish_settings_set(&self->settings, id - PROP_FIRST_SETTING, value);
  GST_OBJECT_UNLOCK(self);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(object);
  GST_OBJECT_LOCK(self);
  if (id == PROP_STATE)
    g_value_set_enum(value, fovea_delivery_state(self->delivery));
  else if (id == PROP_STATS && !self->delivery && self->last_stats)
    g_value_set_boxed(value, self->last_stats);
  else if (id == PROP_STATS)
    g_value_take_boxed(value, fovea_delivery_stats(self->delivery));
  else
    fovea_publish_settings_get(&self->settings, id - PROP_FIRST_SETTING, value);
  GST_OBJECT_UNLOCK(self);
}

static void finalize(GObject *object) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(object);
  fovea_publish_settings_finish(&self->settings);
  gst_clear_structure(&self->last_stats);
  g_array_unref(self->objects);
  g_string_free(self->line, TRUE);
  G_OBJECT_CLASS(gst_fovea_publish_parent_class)->finalize(object);
}

static void gst_fovea_publish_init(GstFoveaPublish *self) {
  fovea_publish_settings_init(&self->settings);
  self->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  self->line = g_string_sized_new(1024);
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), TRUE);
}

static void install_properties(GObjectClass *class) {
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  g_object_class_install_property(
    class, PROP_STATE,
    g_param_spec_enum("state", "State", "Whether the far side can be reached; changes are notified of, and posted as element messages " FOVEA_LINK_MESSAGE,
                      FOVEA_TYPE_LINK_STATE, FOVEA_LINK_OFFLINE, read));
  g_object_class_install_property(
    class, PROP_STATS,
    g_param_spec_boxed("stats", "Statistics",
                       "Since the start, or of the last run: written and bytes (delivered), failed (lost), state, target, pending, spool-bytes, spool-degraded, dropped, "
                       "refused, rejected, sent, acknowledged, duplicates-possible, reconnects, last-error",
                       GST_TYPE_STRUCTURE, read));
  fovea_publish_settings_install(class, PROP_FIRST_SETTING);
}

static void gst_fovea_publish_class_init(GstFoveaPublishClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  GstBaseTransformClass *transform_class = GST_BASE_TRANSFORM_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  install_properties(object_class);
  transform_class->set_caps = set_caps;
  transform_class->query = query;
  transform_class->start = start;
  transform_class->stop = stop;
  transform_class->sink_event = sink_event;
  transform_class->transform_ip = transform_ip;
  transform_class->transform_ip_on_passthrough = TRUE;
  gst_element_class_add_static_pad_template(element_class, &sink_template);
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Fovea publisher", "Filter/Metadata/Video",
                                        "Sends detected objects as JSON to a file, MQTT, HTTP or Kafka, over networks that come and go", "Fovea");
  gst_type_mark_as_plugin_api(FOVEA_TYPE_LINK_STATE, 0);
}

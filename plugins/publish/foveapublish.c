/**
 * SECTION:element-foveapublish
 * @title: foveapublish
 *
 * Writes what the buffers' metas describe as JSON Lines, one object a frame ("fovea.frame/1",
 * configs/schemas/fovea.frame-1.json). Frames pass unchanged. A line that cannot be written is counted and warned of; the stream
 * goes on.
 *
 * |[
 * gst-launch-1.0 -q filesrc location=street.mp4 ! decodebin ! videoconvert ! foveadetect model=nanodet_m_320.onnx \
 *   ! foveapublish source=gate ! fakesink
 * ]|
 */
#include "foveapublish.h"

#include <gst/video/video.h>

#include "common/framerecord.h"
#include "transport.h"

GST_DEBUG_CATEGORY_STATIC(fovea_publish_debug);
#define GST_CAT_DEFAULT fovea_publish_debug

static GstStaticPadTemplate sink_template =
  GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw(ANY)"));
static GstStaticPadTemplate src_template =
  GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS("video/x-raw(ANY)"));

typedef enum Method { METHOD_STDOUT = 0, METHOD_FILE } Method;

#define WARNING_INTERVAL (10 * G_USEC_PER_SEC) /* between two warnings about failed writes */

enum { PROP_0, PROP_METHOD, PROP_FILE_PATH, PROP_APPEND, PROP_SOURCE, PROP_INCLUDE_EMPTY, PROP_ANALYSED_ONLY, PROP_STATS };

struct _GstFoveaPublish {
  GstBaseTransform parent;

  /* object lock */
  Method method;
  gchar *file_path, *source;
  gboolean append, include_empty, analysed_only;
  guint64 written, bytes, failed;

  /* streaming thread */
  FoveaTransport *transport;
  gint width, height;
  gint live; /* atomic */
  guint64 seq;
  gint64 warned_at; /* monotonic us; 0: never */
  GArray *objects;  /* FoveaObject */
  GString *line;
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaPublish, gst_fovea_publish, GST_TYPE_BASE_TRANSFORM,
                        GST_DEBUG_CATEGORY_INIT(fovea_publish_debug, "foveapublish", 0, "publishing of detections"))
GST_ELEMENT_REGISTER_DEFINE(foveapublish, "foveapublish", GST_RANK_NONE, GST_TYPE_FOVEA_PUBLISH)

#define METHOD_TYPE (method_get_type())
static GType method_get_type(void) {
  static gsize type = 0;
  static const GEnumValue values[] = {
    {METHOD_STDOUT, "Standard output, unless file-path is set", "stdout"},
    {METHOD_FILE, "The file of file-path", "file"},
    {0, NULL, NULL},
  };
  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("GstFoveaPublishMethod", values));
  return type;
}

/* --- one frame --------------------------------------------------------------------------------------------- */

static void warn_of_failure(GstFoveaPublish *self, GError *error) {
  gint64 now = g_get_monotonic_time();
  if (self->warned_at && now - self->warned_at < WARNING_INTERVAL)
    return;
  self->warned_at = now;
  GST_ELEMENT_WARNING(self, RESOURCE, WRITE, ("Detections are being lost: %s.", error->message), (NULL));
}

static void write_line(GstFoveaPublish *self) {
  GError *error = NULL;
  gboolean done = self->transport->method->write(self->transport, self->line->str, self->line->len, &error);
  GST_OBJECT_LOCK(self);
  self->written += done ? 1 : 0;
  self->bytes += done ? self->line->len : 0;
  self->failed += done ? 0 : 1;
  GST_OBJECT_UNLOCK(self);
  if (!done)
    warn_of_failure(self, error);
  g_clear_error(&error);
}

static GstFlowReturn transform_ip(GstBaseTransform *transform, GstBuffer *buffer) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  FoveaFrameContext context = {.width = self->width, .height = self->height, .segment = &transform->segment,
                               .element = GST_ELEMENT(self), .live = g_atomic_int_get(&self->live), .seq = self->seq++};
  FoveaRecord record;
  fovea_frame_record(buffer, &context, self->objects, &record);
  GST_OBJECT_LOCK(self);
  gboolean wanted = (self->include_empty || record.object_count > 0) && (!self->analysed_only || record.analysed);
  gchar *source = g_strdup(self->source ? self->source : GST_OBJECT_NAME(self));
  GST_OBJECT_UNLOCK(self);
  if (wanted) {
    record.source = source;
    g_string_truncate(self->line, 0);
    fovea_json_append_record(self->line, &record);
    write_line(self);
  }
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

static gboolean start(GstBaseTransform *transform) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  GError *error = NULL;
  GST_OBJECT_LOCK(self);
  gchar *path = g_strdup(self->file_path ? self->file_path : self->method == METHOD_STDOUT ? "-" : NULL);
  FoveaTransportOptions options = {.path = path, .append = self->append};
  self->written = self->bytes = self->failed = 0;
  GST_OBJECT_UNLOCK(self);
  self->seq = 0;
  self->warned_at = 0;
  g_atomic_int_set(&self->live, FALSE);
  if (!path)
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("method=file needs the property file-path."), (NULL));
  else if (!(self->transport = fovea_transport_file.open(&options, &error)))
    GST_ELEMENT_ERROR(self, RESOURCE, OPEN_WRITE, ("Detections cannot be written to %s.", error->message), (NULL));
  g_clear_error(&error);
  g_free(path);
  return self->transport != NULL;
}

static gboolean stop(GstBaseTransform *transform) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  if (self->transport)
    self->transport->method->close(self->transport);
  self->transport = NULL;
  return TRUE;
}

/* What was written before the end is on the disk when the pipeline says it has ended. */
static gboolean sink_event(GstBaseTransform *transform, GstEvent *event) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(transform);
  GError *error = NULL;
  if (GST_EVENT_TYPE(event) == GST_EVENT_EOS && self->transport && !self->transport->method->flush(self->transport, &error))
    warn_of_failure(self, error);
  g_clear_error(&error);
  return GST_BASE_TRANSFORM_CLASS(gst_fovea_publish_parent_class)->sink_event(transform, event);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(object);
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_METHOD: self->method = (Method)g_value_get_enum(value); break;
    case PROP_FILE_PATH:
      g_free(self->file_path);
      self->file_path = g_value_dup_string(value);
      break;
    case PROP_APPEND: self->append = g_value_get_boolean(value); break;
    case PROP_SOURCE:
      g_free(self->source);
      self->source = g_value_dup_string(value);
      break;
    case PROP_INCLUDE_EMPTY: self->include_empty = g_value_get_boolean(value); break;
    case PROP_ANALYSED_ONLY: self->analysed_only = g_value_get_boolean(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(object);
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_METHOD: g_value_set_enum(value, self->method); break;
    case PROP_FILE_PATH: g_value_set_string(value, self->file_path); break;
    case PROP_APPEND: g_value_set_boolean(value, self->append); break;
    case PROP_SOURCE: g_value_set_string(value, self->source); break;
    case PROP_INCLUDE_EMPTY: g_value_set_boolean(value, self->include_empty); break;
    case PROP_ANALYSED_ONLY: g_value_set_boolean(value, self->analysed_only); break;
    case PROP_STATS:
      g_value_take_boxed(value, gst_structure_new("foveapublish-stats", "written", G_TYPE_UINT64, self->written, "bytes",
                                                  G_TYPE_UINT64, self->bytes, "failed", G_TYPE_UINT64, self->failed, NULL));
      break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void finalize(GObject *object) {
  GstFoveaPublish *self = GST_FOVEA_PUBLISH(object);
  g_free(self->file_path);
  g_free(self->source);
  g_array_unref(self->objects);
  g_string_free(self->line, TRUE);
  G_OBJECT_CLASS(gst_fovea_publish_parent_class)->finalize(object);
}

static void gst_fovea_publish_init(GstFoveaPublish *self) {
  self->include_empty = TRUE;
  self->objects = g_array_new(FALSE, FALSE, sizeof(FoveaObject));
  self->line = g_string_sized_new(1024);
  gst_base_transform_set_passthrough(GST_BASE_TRANSFORM(self), TRUE);
}

static void install_properties(GObjectClass *class) {
  const GParamFlags any_time = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  g_object_class_install_property(class, PROP_METHOD,
                                  g_param_spec_enum("method", "Method", "Where the lines go", METHOD_TYPE, METHOD_STDOUT, ready));
  g_object_class_install_property(
    class, PROP_FILE_PATH,
    g_param_spec_string("file-path", "File path", "File that the lines are written to; - is standard output", NULL, ready));
  g_object_class_install_property(
    class, PROP_APPEND,
    g_param_spec_boolean("append", "Append", "Keep what the file holds already; otherwise it starts empty", FALSE, ready));
  g_object_class_install_property(
    class, PROP_SOURCE,
    g_param_spec_string("source", "Source", "Name of the camera or file in each line; unset: the element's name", NULL,
                        any_time));
  g_object_class_install_property(
    class, PROP_INCLUDE_EMPTY,
    g_param_spec_boolean("include-empty", "Include empty", "Write frames on which nothing was found", TRUE, any_time));
  g_object_class_install_property(
    class, PROP_ANALYSED_ONLY,
    g_param_spec_boolean("analysed-only", "Analysed only", "Leave out frames that carry the boxes of an earlier one", FALSE,
                         any_time));
  g_object_class_install_property(
    class, PROP_STATS,
    g_param_spec_boxed("stats", "Statistics", "Lines written, their bytes, and lines that could not be written, since the start",
                       GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
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
                                        "Writes detected objects as JSON Lines", "Fovea");
  gst_type_mark_as_plugin_api(METHOD_TYPE, 0);
}

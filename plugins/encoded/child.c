#include "child.h"

#include "common/secret.h"

/* Where running time 0 lies in the child's segment: decoding times may come before it. */
#define ORIGIN (3600 * (gint64)GST_SECOND)
#define MARGIN (10 * (gint64)GST_SECOND) /* by which frames are late */

struct FoveaChild {
  gatomicrefcount references;
  GstElement *pipeline;
  GstPad *pad;      /* ours, a source */
  GstCaps *caps;    /* last sent; NULL: nothing yet */
  gboolean started; /* with stream and segment */
  GMutex lock;
  GCond changed;
  gchar *error;
  gboolean ended;
};

gchar *fovea_child_describe(const gchar *text) {
  static gsize secrets = 0;
  if (g_once_init_enter(&secrets))
    g_once_init_leave(&secrets, (gsize)g_regex_new("((?:pass(?:word|phrase|wd)|user-pw|user-id|secret|token|streamid|auth|credential|[-_]key\\b|\\bkey\\b)[\\w-]*\\s*=\\s*)"
                                                   "(?:\\([a-zA-Z]+\\)\\s*)?(?:\"(?:[^\"\\\\]|\\\\.)*\"|[^\\s&\"]+)",
                                                   G_REGEX_CASELESS | G_REGEX_OPTIMIZE, 0, NULL));
  gchar *masked = fovea_secret_mask_uri(text ? text : ""), *whole = g_regex_replace((GRegex *)secrets, masked, -1, 0, "\\1***", 0, NULL);
  if (!whole) /* not UTF-8 */
    return masked;
  g_free(masked);
  return whole;
}

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer user) {
  FoveaChild *child = user;
  g_mutex_lock(&child->lock);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && !child->error) {
    GError *error = NULL;
    gst_message_parse_error(message, &error, NULL);
    child->error = g_strdup_printf("%s: %s", GST_MESSAGE_SRC_NAME(message), error->message);
    g_error_free(error);
  }
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS)
    child->ended = TRUE;
  g_cond_broadcast(&child->changed);
  g_mutex_unlock(&child->lock);
  gst_message_unref(message);
  return GST_BUS_DROP;
}

/* Nothing is before us, so nothing adds latency. */
static gboolean answer(GstPad *pad, GstObject *parent, GstQuery *query) {
  if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
    return gst_pad_query_default(pad, parent, query);
  gst_query_set_latency(query, FALSE, 0, GST_CLOCK_TIME_NONE);
  return TRUE;
}

static GstElement *parse(const gchar *text, GError **error) {
  if (!text || !*text) {
    g_set_error_literal(error, GST_PARSE_ERROR, GST_PARSE_ERROR_EMPTY, "no element is named");
    return NULL;
  }
  GstElement *bin = gst_parse_bin_from_description_full(text, TRUE, NULL, GST_PARSE_FLAG_FATAL_ERRORS | GST_PARSE_FLAG_NO_SINGLE_ELEMENT_BINS, error);
  if (!bin)
    return NULL;
  GstPad *sink = gst_element_get_static_pad(bin, "sink");
  gboolean free_pad = sink && gst_pad_get_direction(sink) == GST_PAD_SINK;
  gst_clear_object(&sink);
  if (free_pad)
    return bin;
  g_set_error_literal(error, GST_PARSE_ERROR, GST_PARSE_ERROR_LINK, "its first element has no sink pad free");
  gst_object_unref(gst_object_ref_sink(bin));
  return NULL;
}

gchar *fovea_child_complete(const gchar *text, GstCaps *caps) {
  static const struct { const gchar *media_type, *element, *text; } parsers[] = {
    {"video/x-h264", "h264parse", "h264parse config-interval=-1"}, {"video/x-h265", "h265parse", "h265parse config-interval=-1"}};
  const gchar *first = "identity silent=true"; /* muxers have no pad before it is asked for */
  if (!text || !*text)
    return NULL;
  for (guint i = 0; caps && i < G_N_ELEMENTS(parsers); i++)
    if (gst_structure_has_name(gst_caps_get_structure(caps, 0), parsers[i].media_type) && gst_registry_check_feature_version(gst_registry_get(), parsers[i].element, 1, 0, 0))
      first = parsers[i].text;
  return g_strdup_printf("%s ! %s", first, text);
}

gboolean fovea_child_check(const gchar *text, GError **error) {
  gchar *whole = fovea_child_complete(text, NULL);
  GstElement *bin = parse(whole, error);
  g_free(whole);
  if (!bin)
    return FALSE;
  gst_object_unref(gst_object_ref_sink(bin));
  return TRUE;
}

FoveaChild *fovea_child_new(const gchar *text, GError **error) {
  GstElement *bin = parse(text, error);
  if (!bin)
    return NULL;
  FoveaChild *child = g_new0(FoveaChild, 1);
  g_atomic_ref_count_init(&child->references);
  g_mutex_init(&child->lock);
  g_cond_init(&child->changed);
  child->pipeline = gst_pipeline_new(NULL);
  child->pad = gst_pad_new("src", GST_PAD_SRC);
  gst_pad_set_query_function(child->pad, answer);
  gst_bin_add(GST_BIN(child->pipeline), bin);
  GstPad *sink = gst_element_get_static_pad(bin, "sink");
  gst_pad_link_full(child->pad, sink, GST_PAD_LINK_CHECK_NOTHING);
  gst_object_unref(sink);
  GstBus *bus = gst_element_get_bus(child->pipeline);
  gst_bus_set_sync_handler(bus, on_message, fovea_child_ref(child), (GDestroyNotify)fovea_child_unref);
  gst_object_unref(bus);
  return child;
}

FoveaChild *fovea_child_ref(FoveaChild *child) {
  g_atomic_ref_count_inc(&child->references);
  return child;
}

void fovea_child_unref(FoveaChild *child) {
  if (!child || !g_atomic_ref_count_dec(&child->references))
    return;
  gst_object_unref(child->pad);
  gst_object_unref(child->pipeline);
  gst_clear_caps(&child->caps);
  g_mutex_clear(&child->lock);
  g_cond_clear(&child->changed);
  g_free(child->error);
  g_free(child);
}

static void set_error(FoveaChild *child, const gchar *sentence) {
  g_mutex_lock(&child->lock);
  if (!child->error)
    child->error = g_strdup(sentence);
  g_mutex_unlock(&child->lock);
}

gboolean fovea_child_start(FoveaChild *child, gint64 now) {
  GstClock *clock = gst_system_clock_obtain();
  gst_pipeline_use_clock(GST_PIPELINE(child->pipeline), clock);
  gst_element_set_start_time(child->pipeline, GST_CLOCK_TIME_NONE);
  gint64 base = (gint64)gst_clock_get_time(clock) - now - MARGIN;
  gst_element_set_base_time(child->pipeline, base > 0 ? (GstClockTime)base : 0);
  gst_object_unref(clock);
  gst_pad_set_active(child->pad, TRUE);
  if (gst_element_set_state(child->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE)
    return TRUE;
  set_error(child, "it does not start");
  return FALSE;
}

static void begin(FoveaChild *child, GstCaps *caps) {
  if (!child->started) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.position = ORIGIN;
    gst_pad_push_event(child->pad, gst_event_new_stream_start("fovea"));
    gst_pad_push_event(child->pad, gst_event_new_caps(caps));
    gst_pad_push_event(child->pad, gst_event_new_segment(&segment));
    child->started = TRUE;
  } else
    gst_pad_push_event(child->pad, gst_event_new_caps(caps));
  gst_caps_replace(&child->caps, caps);
}

static GstClockTime shifted(gint64 time, gint64 shift) {
  if (time == FOVEA_NO_TIME)
    return GST_CLOCK_TIME_NONE;
  return (GstClockTime)MAX(time + shift + ORIGIN, 0);
}

GstFlowReturn fovea_child_push(FoveaChild *child, const FoveaFrame *frame, GstCaps *caps, gint64 shift, gboolean discont) {
  if (!child->caps || !gst_caps_is_equal(child->caps, caps))
    begin(child, caps);
  GstBuffer *buffer = gst_buffer_copy(frame->buffer);
  GST_BUFFER_PTS(buffer) = shifted(frame->pts, shift);
  GST_BUFFER_DTS(buffer) = shifted(frame->dts, shift);
  GST_BUFFER_OFFSET(buffer) = GST_BUFFER_OFFSET_END(buffer) = GST_BUFFER_OFFSET_NONE;
  if (discont)
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
  else
    GST_BUFFER_FLAG_UNSET(buffer, GST_BUFFER_FLAG_DISCONT);
  GstFlowReturn flow = gst_pad_push(child->pad, buffer);
  if (flow != GST_FLOW_OK)
    set_error(child, gst_flow_get_name(flow));
  return flow;
}

gboolean fovea_child_drain(FoveaChild *child, gint timeout_ms) {
  if (!child->started)
    return TRUE;
  gst_pad_push_event(child->pad, gst_event_new_eos());
  gint64 until = g_get_monotonic_time() + timeout_ms * G_GINT64_CONSTANT(1000);
  g_mutex_lock(&child->lock);
  while (!child->ended && !child->error && g_cond_wait_until(&child->changed, &child->lock, until)) {
  }
  gboolean drained = child->ended && !child->error;
  g_mutex_unlock(&child->lock);
  return drained;
}

void fovea_child_stop(FoveaChild *child) {
  gst_element_set_state(child->pipeline, GST_STATE_NULL);
  gst_pad_set_active(child->pad, FALSE);
  GstBus *bus = gst_element_get_bus(child->pipeline);
  gst_bus_set_sync_handler(bus, NULL, NULL, NULL);
  gst_object_unref(bus);
}

gchar *fovea_child_error(FoveaChild *child) {
  g_mutex_lock(&child->lock);
  gchar *error = g_strdup(child->error);
  g_mutex_unlock(&child->lock);
  return error;
}

GstElement *fovea_child_find(FoveaChild *child, const gchar *property, const gchar *other) {
  GstIterator *elements = gst_bin_iterate_recurse(GST_BIN(child->pipeline));
  GValue item = G_VALUE_INIT;
  GstElement *found = NULL;
  while (!found && gst_iterator_next(elements, &item) == GST_ITERATOR_OK) {
    GObject *element = g_value_get_object(&item);
    if (g_object_class_find_property(G_OBJECT_GET_CLASS(element), property) && g_object_class_find_property(G_OBJECT_GET_CLASS(element), other))
      found = gst_object_ref(element);
    g_value_reset(&item);
  }
  g_value_unset(&item);
  gst_iterator_free(elements);
  return found;
}

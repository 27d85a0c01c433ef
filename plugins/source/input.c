#include "input.h"

#include <string.h>

#include "common/secret.h"
#include "intake.h"

GST_DEBUG_CATEGORY_EXTERN(fovea_source_debug);
#define GST_CAT_DEFAULT fovea_source_debug

#define RTSP_TCP_TIMEOUT_US (5 * G_USEC_PER_SEC) /* for an answer, or a connection */
#define HTTP_TIMEOUT_S 5
#define SETTLE_US (500 * 1000)
#define BUILD_KEY "fovea-build"

/* What the callbacks of an attempt's elements share; it lives as long as they do. */
typedef struct Build {
  guint attempt;
  FoveaFeed *feed;
  FoveaNews *news;
  GstElement *pipeline; /* not a reference: the pipeline owns the callbacks */
  GstElement *intake;   /* the same */
  FoveaPlaceKind kind;
  gchar *user, *password, *skip, *loop_filter;
  gboolean encoded, wants_own;
  gdouble max_fps;
  gint has_video; /* atomic */

  GMutex lock;
  GCond changed;
  gchar *missing; /* what no element was found for */
  gint plugging;  /* bins that choose their elements just now */
  gboolean closed, failed;
} Build;

static void build_clear(gpointer data) {
  Build *self = data;
  gst_clear_object(&self->feed);
  fovea_news_unref(self->news);
  g_free(self->user);
  fovea_secret_free(self->password);
  g_free(self->skip);
  g_free(self->loop_filter);
  g_free(self->missing);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
}

static void build_unref(gpointer data) { g_atomic_rc_box_release_full(data, build_clear); }
static void build_unref_closure(gpointer data, GClosure *closure) { build_unref(data); }

static void connect_to(gpointer object, const gchar *signal, GCallback callback, Build *self) {
  g_signal_connect_data(object, signal, callback, g_atomic_rc_box_acquire(self), build_unref_closure, 0);
}

/* --- what goes wrong ---------------------------------------------------------------------------------------- */

/* Elements say what they could not do in the message, and why in the last line of the debug text. */
static gchar *error_sentence(Build *self, const GError *error, const gchar *debug) {
  const gchar *why = debug ? strstr(debug, ":\n") : NULL;
  g_mutex_lock(&self->lock);
  gchar *text = self->missing ? g_strdup_printf("no element for %s", self->missing)
                : why         ? g_strdup_printf("%s %s", error->message, why + 2)
                              : g_strdup(error->message);
  g_mutex_unlock(&self->lock);
  gchar *masked = fovea_secret_mask_uri(text);
  g_strdelimit(masked, "\r\n", ' ');
  g_free(text);
  return g_strchomp(masked);
}

static void tell_error(Build *self, GstMessage *message) {
  GError *error = NULL;
  gchar *debug = NULL;
  gst_message_parse_error(message, &error, &debug);
  gchar *sentence = error_sentence(self, error, debug);
  GST_INFO("attempt %u: %s", self->attempt, sentence);
  g_mutex_lock(&self->lock);
  self->failed = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
  fovea_news_tell_error(self->news, self->attempt, g_error_new_literal(error->domain, error->code, sentence));
  g_error_free(error);
  g_free(sentence);
  g_free(debug);
}

static void remember_missing(Build *self, GstMessage *message) {
  const GstStructure *details = gst_message_get_structure(message);
  if (!details || !gst_structure_has_name(details, "missing-plugin"))
    return;
  g_mutex_lock(&self->lock);
  g_free(self->missing);
  self->missing = g_strdup(gst_structure_get_string(details, "name"));
  g_mutex_unlock(&self->lock);
}

/* Nothing leaves the attempt but the search for contexts (displays, HTTP sessions), which outer elements and the application answer. */
static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer user) {
  Build *self = user;
  switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR: tell_error(self, message); break;
    case GST_MESSAGE_WARNING: fovea_news_tell(self->news, self->attempt, FOVEA_NEWS_DOUBT); break; /* so says rtspsrc when its connection ends while UDP may go on */
    case GST_MESSAGE_ELEMENT: remember_missing(self, message); break;
    case GST_MESSAGE_NEED_CONTEXT:
    case GST_MESSAGE_HAVE_CONTEXT: gst_element_post_message(GST_ELEMENT(self->feed), gst_message_ref(message)); break;
    default: break;
  }
  gst_message_unref(message);
  return GST_BUS_DROP;
}

static void fail(Build *self, gint code, const gchar *sentence) {
  fovea_news_tell_error(self->news, self->attempt, g_error_new_literal(GST_STREAM_ERROR, code, sentence));
}

/* --- stopping what chooses its elements ---------------------------------------------------------------------- */

/* parsebin and decodebin must not be stopped while they choose elements: these are locked in their states then, run on and meet what has been freed. So
 * nothing new comes to such a bin once its attempt is to end, and one that is choosing gets the moment that it takes. */
typedef struct Gate {
  Build *build;
  gboolean plugging, done;
} Gate;

static void gate_clear(gpointer data) { build_unref(((Gate *)data)->build); }
static void gate_unref(gpointer data) { g_atomic_rc_box_release_full(data, gate_clear); }
static void gate_unref_closure(gpointer data, GClosure *closure) { gate_unref(data); }

static void begin_plugging(Gate *gate) {
  gate->build->plugging += gate->plugging || gate->done ? 0 : 1;
  gate->plugging |= !gate->done;
}

static GstPadProbeReturn pass_gate(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  Gate *gate = user;
  Build *self = gate->build;
  gboolean matters = !(info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) || GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_CAPS;
  if (!matters)
    return GST_PAD_PROBE_OK;
  g_mutex_lock(&self->lock);
  gboolean closed = self->closed;
  if (!closed)
    begin_plugging(gate);
  g_mutex_unlock(&self->lock);
  return closed ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

static void end_plugging(GstElement *bin, GstPad *pad, Gate *gate) {
  Build *self = gate->build;
  g_mutex_lock(&self->lock);
  self->plugging -= gate->plugging ? 1 : 0;
  gate->plugging = FALSE;
  gate->done = TRUE;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

/* at_once: it pulls, so nothing will be seen to arrive. */
static void guard(Build *self, GstElement *bin, gboolean at_once) {
  Gate *gate = g_atomic_rc_box_new0(Gate);
  gate->build = g_atomic_rc_box_acquire(self);
  if (at_once)
    begin_plugging(gate);
  GstPad *pad = gst_element_get_static_pad(bin, "sink");
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, pass_gate, g_atomic_rc_box_acquire(gate), gate_unref);
  gst_object_unref(pad);
  g_signal_connect_data(bin, "pad-added", G_CALLBACK(end_plugging), gate, gate_unref_closure, G_CONNECT_AFTER);
}

static void wait_until_settled(GstElement *pipeline) {
  Build *self = g_object_get_data(G_OBJECT(pipeline), BUILD_KEY);
  gint64 until = g_get_monotonic_time() + SETTLE_US;
  g_mutex_lock(&self->lock);
  self->closed = TRUE;
  while (self->plugging > 0 && !self->failed && g_cond_wait_until(&self->changed, &self->lock, until)) {}
  g_mutex_unlock(&self->lock);
}

/* --- from the source's pads to the intake ------------------------------------------------------------------- */

static GstElement *add(Build *self, const gchar *factory) {
  GstElement *element = gst_element_factory_make(factory, NULL);
  if (!element) {
    gchar *sentence = g_strdup_printf("there is no element %s; Debian has it in gstreamer1.0-plugins-base", factory);
    fail(self, GST_STREAM_ERROR_FAILED, sentence);
    g_free(sentence);
    return NULL;
  }
  gst_bin_add(GST_BIN(self->pipeline), element);
  return element;
}

static gboolean link_to(GstPad *pad, GstElement *element) {
  GstPad *sink = gst_element_get_static_pad(element, "sink");
  gboolean linked = sink && GST_PAD_LINK_SUCCESSFUL(gst_pad_link(pad, sink));
  gst_clear_object(&sink);
  return linked;
}

/* A sink would have to preroll, and whoever pushes into it might be the one that the video waits for. */
static GstPadProbeReturn drop(GstPad *pad, GstPadProbeInfo *info, gpointer user) { return GST_PAD_PROBE_DROP; }
static void ignore(GstPad *pad) { gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST, drop, NULL, NULL); }

static void on_decoded(GstElement *decoder, GstPad *pad, Build *self) {
  if (!link_to(pad, self->intake))
    ignore(pad);
}

static gboolean decode_with_decodebin(Build *self, GstPad *pad) {
  GstElement *decoder = add(self, "decodebin");
  if (!decoder)
    return FALSE;
  connect_to(decoder, "pad-added", G_CALLBACK(on_decoded), self);
  guard(self, decoder, FALSE);
  return link_to(pad, decoder) && gst_element_sync_state_with_parent(decoder);
}

/* FALSE: it is not there, or this codec is not its; nothing was linked. */
static gboolean decode_with_own(Build *self, GstPad *pad) {
  GstElement *decoder = gst_element_factory_make("foveadecode", NULL);
  if (!decoder)
    return FALSE;
  gst_bin_add(GST_BIN(self->pipeline), decoder);
  if (self->skip)
    gst_util_set_object_arg(G_OBJECT(decoder), "skip", self->skip);
  if (self->loop_filter)
    gst_util_set_object_arg(G_OBJECT(decoder), "loop-filter", self->loop_filter);
  if (self->max_fps > 0)
    g_object_set(decoder, "max-fps", self->max_fps, NULL);
  if (link_to(pad, decoder)) {
    fovea_intake_trust_rate(FOVEA_INTAKE(self->intake));
    gst_element_link(decoder, self->intake);
    gst_element_sync_state_with_parent(decoder);
    return TRUE;
  }
  gst_bin_remove(GST_BIN(self->pipeline), decoder);
  return FALSE;
}

static gboolean is_video(GstPad *pad) {
  GstCaps *caps = gst_pad_get_current_caps(pad);
  if (!caps)
    caps = gst_pad_query_caps(pad, NULL);
  const gchar *name = gst_caps_is_empty(caps) || gst_caps_is_any(caps) ? "" : gst_structure_get_name(gst_caps_get_structure(caps, 0));
  gboolean video = g_str_has_prefix(name, "video/") || g_str_has_prefix(name, "image/");
  gst_caps_unref(caps);
  return video;
}

static gboolean use_video(Build *self, GstPad *pad) {
  if (self->encoded)
    return link_to(pad, self->intake);
  return (self->wants_own && decode_with_own(self, pad)) || decode_with_decodebin(self, pad);
}

static void on_parsed(GstElement *parser, GstPad *pad, Build *self) {
  if (!is_video(pad) || !g_atomic_int_compare_and_exchange(&self->has_video, FALSE, TRUE))
    ignore(pad);
  else if (!use_video(self, pad))
    fail(self, GST_STREAM_ERROR_FORMAT, self->encoded ? "the video cannot be linked to what follows; is its codec one that downstream takes?"
                                                      : "the video cannot be linked to a decoder");
}

static void on_all_parsed(GstElement *parser, Build *self) {
  if (self->kind != FOVEA_PLACE_HTTP && !g_atomic_int_get(&self->has_video)) /* playlists may have their sound apart */
    fail(self, GST_STREAM_ERROR_TYPE_NOT_FOUND, "there is no video in it");
}

static gboolean parse(Build *self, GstPad *pad) {
  GstElement *parser = add(self, "parsebin");
  if (!parser)
    return FALSE;
  connect_to(parser, "pad-added", G_CALLBACK(on_parsed), self);
  connect_to(parser, "no-more-pads", G_CALLBACK(on_all_parsed), self); /* not every version tells */
  connect_to(parser, "drained", G_CALLBACK(on_all_parsed), self);
  guard(self, parser, self->kind == FOVEA_PLACE_FILE);
  return link_to(pad, parser) && gst_element_sync_state_with_parent(parser);
}

/* Where a camera sends reports of its clock, its source's buffers have them; later elements may lose them. */
static GstPadProbeReturn note_reference(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
  const GstReferenceTimestampMeta *meta = gst_buffer_get_reference_timestamp_meta(buffer, NULL);
  if (meta && GST_BUFFER_PTS_IS_VALID(buffer) && gst_structure_has_name(gst_caps_get_structure(meta->reference, 0), "timestamp/x-ntp"))
    fovea_intake_set_reference(FOVEA_INTAKE(user), GST_BUFFER_PTS(buffer), meta->timestamp);
  return GST_PAD_PROBE_OK;
}

static void on_source_pad(GstElement *source, GstPad *pad, Build *self) {
  if (self->kind == FOVEA_PLACE_RTSP)
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, note_reference, gst_object_ref(self->intake), gst_object_unref);
  parse(self, pad);
}

/* --- sources ------------------------------------------------------------------------------------------------ */

static void set_if_there(GstElement *element, const gchar *name, const gchar *value) {
  if (value && g_object_class_find_property(G_OBJECT_GET_CLASS(element), name))
    gst_util_set_object_arg(G_OBJECT(element), name, value);
}

static void set_string_if_there(GstElement *element, const gchar *name, const gchar *value) {
  GParamSpec *spec = value ? g_object_class_find_property(G_OBJECT_GET_CLASS(element), name) : NULL;
  if (spec && G_IS_PARAM_SPEC_STRING(spec))
    g_object_set(element, name, value, NULL);
}

/* Elements name them differently. */
static void give_credentials(GstElement *source, const Build *self) {
  set_string_if_there(source, "user-id", self->user);
  set_string_if_there(source, "user-pw", self->password);
  set_string_if_there(source, "username", self->user);
  set_string_if_there(source, "password", self->password);
  set_string_if_there(source, "passphrase", self->password);
}

static void on_source_made(GstElement *bin, GstElement *source, Build *self) {
  gchar *seconds = g_strdup_printf("%d", HTTP_TIMEOUT_S);
  give_credentials(source, self);
  if (self->kind == FOVEA_PLACE_HTTP)
    set_if_there(source, "timeout", seconds);
  g_free(seconds);
}

static gboolean on_select_stream(GstElement *source, guint number, GstCaps *caps, Build *self) {
  const GstStructure *media = gst_caps_get_structure(caps, 0);
  return g_strcmp0(gst_structure_get_string(media, "media"), "video") == 0;
}

static GstElement *rtsp_source(Build *self, const FoveaInputOptions *options) {
  static const gchar *protocols[] = {"tcp+udp+udp-mcast", "tcp", "udp+udp-mcast"};
  GstElement *source = gst_element_factory_make("rtspsrc", NULL);
  if (!source)
    return NULL;
  g_object_set(source, "location", options->place->uri, "latency", options->latency_ms, "tcp-timeout", (guint64)RTSP_TCP_TIMEOUT_US, NULL);
  set_if_there(source, "add-reference-timestamp-meta", "true");
  if (!strstr(options->place->uri, "rtspt://") && !strstr(options->place->uri, "rtspu://")) /* these say it themselves */
    set_if_there(source, "protocols", protocols[options->transport]);
  give_credentials(source, self);
  connect_to(source, "select-stream", G_CALLBACK(on_select_stream), self);
  connect_to(source, "pad-added", G_CALLBACK(on_source_pad), self);
  return source;
}

static GstElement *general_source(Build *self, const FoveaInputOptions *options) {
  GstElement *source = gst_element_factory_make("urisourcebin", NULL);
  if (!source)
    return NULL;
  g_object_set(source, "uri", options->place->uri, NULL);
  connect_to(source, "source-setup", G_CALLBACK(on_source_made), self);
  connect_to(source, "pad-added", G_CALLBACK(on_source_pad), self);
  return source;
}

static GstElement *path_source(const FoveaInputOptions *options) {
  gboolean device = options->place->kind == FOVEA_PLACE_V4L2;
  GstElement *source = gst_element_factory_make(device ? "v4l2src" : "filesrc", NULL);
  if (source)
    g_object_set(source, device ? "device" : "location", options->place->path, NULL);
  return source;
}

static GstElement *make_source(Build *self, const FoveaInputOptions *options) {
  switch (options->place->kind) {
    case FOVEA_PLACE_RTSP: return rtsp_source(self, options);
    case FOVEA_PLACE_FILE:
    case FOVEA_PLACE_V4L2: return path_source(options);
    default: return general_source(self, options);
  }
}

/* The device's own formats, of the size asked for. */
static GstCaps *device_caps(const FoveaInputOptions *options) {
  GstCaps *caps = gst_caps_from_string(options->encoded ? "video/x-h264;video/x-h265;image/jpeg" : "video/x-raw;image/jpeg;video/x-h264");
  for (guint i = 0; i < gst_caps_get_size(caps); i++) {
    GstStructure *structure = gst_caps_get_structure(caps, i);
    if (options->width > 0)
      gst_structure_set(structure, "width", G_TYPE_INT, options->width, NULL);
    if (options->height > 0)
      gst_structure_set(structure, "height", G_TYPE_INT, options->height, NULL);
  }
  return caps;
}

static gboolean attach_device(Build *self, GstElement *source, const FoveaInputOptions *options) {
  GstElement *filter = add(self, "capsfilter");
  if (!filter)
    return FALSE;
  GstCaps *caps = device_caps(options);
  g_object_set(filter, "caps", caps, NULL);
  gst_caps_unref(caps);
  GstPad *pad = gst_element_get_static_pad(filter, "src");
  gboolean attached = gst_element_link(source, filter) && (options->encoded ? parse(self, pad) : decode_with_decodebin(self, pad));
  gst_object_unref(pad);
  return attached;
}

static gboolean attach_file(Build *self, GstElement *source) {
  GstPad *pad = gst_element_get_static_pad(source, "src");
  gboolean attached = parse(self, pad);
  gst_object_unref(pad);
  return attached;
}

/* --- the attempt -------------------------------------------------------------------------------------------- */

static gboolean missing_element(const FoveaPlace *place, GError **error) {
  const gchar *package = fovea_place_package(place);
  gchar *scheme = place->kind == FOVEA_PLACE_V4L2 ? g_strdup("v4l2") : place->kind == FOVEA_PLACE_FILE ? g_strdup("file") : gst_uri_get_protocol(place->uri);
  g_set_error(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "no element reads %s: URIs%s%s", scheme ? scheme : "such",
              package ? "; Debian has one in " : "; is the scheme spelt right?", package ? package : "");
  g_free(scheme);
  return FALSE;
}

gboolean fovea_input_is_possible(const FoveaPlace *place, GError **error) {
  static const gchar *factories[] = {[FOVEA_PLACE_FILE] = "filesrc", [FOVEA_PLACE_RTSP] = "rtspsrc", [FOVEA_PLACE_V4L2] = "v4l2src"};
  if (place->kind != FOVEA_PLACE_HTTP && place->kind != FOVEA_PLACE_OTHER) {
    GstElementFactory *factory = gst_element_factory_find(factories[place->kind]);
    gboolean there = factory != NULL;
    gst_clear_object(&factory);
    return there || missing_element(place, error);
  }
  gchar *scheme = gst_uri_get_protocol(place->uri);
  gboolean there = gst_uri_protocol_is_supported(GST_URI_SRC, scheme);
  g_free(scheme);
  return there || missing_element(place, error);
}

static Build *build_new(const FoveaInputOptions *options, guint attempt, FoveaFeed *feed, FoveaNews *news) {
  Build *self = g_atomic_rc_box_new0(Build);
  self->attempt = attempt;
  self->feed = gst_object_ref(feed);
  self->news = fovea_news_ref(news);
  self->kind = options->place->kind;
  self->user = g_strdup(options->user);
  self->password = g_strdup(options->password);
  self->skip = g_strdup(options->skip);
  self->loop_filter = g_strdup(options->loop_filter);
  self->max_fps = options->max_fps;
  self->encoded = options->encoded;
  self->wants_own = options->decoder == FOVEA_DECODER_OWN || (options->decoder == FOVEA_DECODER_AUTO && (options->skip || options->loop_filter || options->max_fps > 0));
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  return self;
}

static gboolean assemble(Build *self, const FoveaInputOptions *options, GError **error) {
  GstElement *source = make_source(self, options);
  if (!source)
    return missing_element(options->place, error);
  gst_bin_add_many(GST_BIN(self->pipeline), source, self->intake, NULL);
  gboolean attached = options->place->kind == FOVEA_PLACE_V4L2   ? attach_device(self, source, options)
                      : options->place->kind == FOVEA_PLACE_FILE ? attach_file(self, source)
                                                                 : TRUE;
  if (!attached)
    g_set_error_literal(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN, "parsebin and decodebin are missing; Debian has them in gstreamer1.0-plugins-base");
  return attached;
}

FoveaDetached *fovea_input_new(const FoveaInputOptions *options, guint attempt, FoveaFeed *feed, FoveaNews *news, GError **error) {
  Build *self = build_new(options, attempt, feed, news);
  self->pipeline = gst_pipeline_new(NULL);
  self->intake = fovea_intake_new(feed, news, attempt, options->encoded ? 0 : options->max_fps);
  FoveaDetached *detached = fovea_detached_new(self->pipeline, wait_until_settled);
  g_object_set_data_full(G_OBJECT(self->pipeline), BUILD_KEY, g_atomic_rc_box_acquire(self), build_unref);
  GstBus *bus = gst_element_get_bus(self->pipeline);
  gst_bus_set_sync_handler(bus, on_message, g_atomic_rc_box_acquire(self), build_unref);
  gst_object_unref(bus);
  gst_pipeline_use_clock(GST_PIPELINE(self->pipeline), options->clock);
  gst_element_set_start_time(self->pipeline, GST_CLOCK_TIME_NONE); /* its running time is the outer pipeline's */
  gst_element_set_base_time(self->pipeline, options->base_time);
  if (!assemble(self, options, error))
    fovea_detached_release(&detached, 0, NULL, NULL);
  build_unref(self);
  return detached;
}

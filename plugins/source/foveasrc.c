/**
 * SECTION:element-foveasrc
 * @title: foveasrc
 *
 * Video from a camera, a stream or a file that goes on when its source goes away and comes back: it reconnects after errors, the end of a
 * live stream and stalls, running time never goes back, and what is missing is marked (DISCONT, a GAP event and a custom event `fovea-gap`).
 *
 * |[
 * gst-launch-1.0 foveasrc uri=rtsp://camera/stream username=viewer password-from=env:CAMERA_PASSWORD ! videoconvert ! autovideosink
 * ]|
 */
#include "foveasrc.h"

#include <string.h>

#include "common/secret.h"
#include "supervisor.h"

GST_DEBUG_CATEGORY(fovea_source_debug);
#define GST_CAT_DEFAULT fovea_source_debug

static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

#define DEFAULT_LATENCY 200     /* ms */
#define DEFAULT_RETRY_MIN 250   /* ms */
#define DEFAULT_RETRY_MAX 1000  /* ms: frames are to flow within 5 s of a camera's return, and saying hello takes its part of that on a slow line */
#define DEFAULT_LIVE_STALL 10000 /* ms */
#define MAX_MS 3600000

typedef enum Output { OUTPUT_RAW, OUTPUT_ENCODED } Output;
typedef enum Skip { SKIP_NONE, SKIP_NONREF, SKIP_NOKEY } Skip;
typedef enum LoopFilter { LOOP_FILTER_ON, LOOP_FILTER_NONREF, LOOP_FILTER_OFF } LoopFilter;

enum {
  PROP_0, PROP_URI, PROP_USERNAME, PROP_PASSWORD, PROP_PASSWORD_FROM, PROP_OUTPUT, PROP_DECODER, PROP_LATENCY, PROP_TRANSPORT, PROP_STALL_TIMEOUT, PROP_RETRY_MIN,
  PROP_RETRY_MAX, PROP_RESTART, PROP_PLACEHOLDER, PROP_MAX_FPS, PROP_SKIP, PROP_LOOP_FILTER, PROP_WIDTH, PROP_HEIGHT, PROP_STATUS, PROP_STATISTICS,
};

struct _GstFoveaSrc {
  GstBin parent;

  FoveaFeed *feed; /* owned by the bin */

  /* object lock */
  gchar *uri, *username, *password, *password_from; /* uri as it was set, secrets included */
  Output output;
  FoveaDecoderChoice decoder;
  FoveaTransportChoice transport;
  FoveaRestart restart;
  FoveaPlaceholder placeholder;
  Skip skip;
  LoopFilter loop_filter;
  guint latency, retry_min, retry_max;
  gint stall_timeout, width, height;
  gdouble max_fps;

  /* from READY to PAUSED until the next start; replaced under the object lock, which readers of `statistics` take */
  FoveaSupervisor *supervisor;
  gchar *target;
  gboolean live;
};

G_DEFINE_TYPE_WITH_CODE(GstFoveaSrc, gst_fovea_src, GST_TYPE_BIN, GST_DEBUG_CATEGORY_INIT(fovea_source_debug, "foveasrc", 0, "self-healing source"))
GST_ELEMENT_REGISTER_DEFINE(foveasrc, "foveasrc", GST_RANK_NONE, GST_TYPE_FOVEA_SRC)

#define DEFINE_ENUM(function, name, ...)                                        \
  static GType function(void) {                                                 \
    static gsize type = 0;                                                      \
    static const GEnumValue values[] = {__VA_ARGS__, {0, NULL, NULL}};          \
    if (g_once_init_enter(&type))                                               \
      g_once_init_leave(&type, g_enum_register_static(name, values));           \
    return type;                                                                \
  }
DEFINE_ENUM(output_type, "GstFoveaSrcOutput", {OUTPUT_RAW, "Decoded frames", "raw"}, {OUTPUT_ENCODED, "The video as it comes, parsed", "encoded"})
DEFINE_ENUM(decoder_type, "GstFoveaSrcDecoder", {FOVEA_DECODER_AUTO, "foveadecode when skip, loop-filter or max-fps ask for it, else decodebin", "auto"},
            {FOVEA_DECODER_OWN, "foveadecode for the codecs it knows, else decodebin", "foveadecode"}, {FOVEA_DECODER_DECODEBIN, "What decodebin chooses", "decodebin"})
DEFINE_ENUM(transport_type, "GstFoveaSrcTransport", {FOVEA_TRANSPORT_AUTO, "UDP, and TCP where nothing comes through", "auto"},
            {FOVEA_TRANSPORT_TCP, "TCP, within the RTSP connection", "tcp"}, {FOVEA_TRANSPORT_UDP, "UDP alone", "udp"})
DEFINE_ENUM(restart_type, "GstFoveaSrcRestart", {FOVEA_RESTART_AUTO, "Live sources come back, files end", "auto"},
            {FOVEA_RESTART_ALWAYS, "Begins again after errors and after the end", "always"}, {FOVEA_RESTART_ON_ERROR, "Begins again after errors, ends at the end", "on-error"},
            {FOVEA_RESTART_NEVER, "An error is an error, the end is the end", "never"})
DEFINE_ENUM(placeholder_type, "GstFoveaSrcPlaceholder", {FOVEA_PLACEHOLDER_NONE, "Nothing", "none"},
            {FOVEA_PLACEHOLDER_LAST, "The last frame; grey before the first", "last"}, {FOVEA_PLACEHOLDER_GREY, "A grey picture", "grey"})
DEFINE_ENUM(skip_type, "GstFoveaSrcSkip", {SKIP_NONE, "Every frame is decoded", "none"}, {SKIP_NONREF, "Frames that no other needs are not", "nonref"},
            {SKIP_NOKEY, "Key frames alone are", "nokey"})
DEFINE_ENUM(loop_filter_type, "GstFoveaSrcLoopFilter", {LOOP_FILTER_ON, "On every frame", "on"}, {LOOP_FILTER_NONREF, "Not on frames that no other needs", "nonref"},
            {LOOP_FILTER_OFF, "On none", "off"})

/* --- start and stop ----------------------------------------------------------------------------------------- */

static gchar *copy_text(const gchar *text) { return text && text[0] ? g_strdup(text) : NULL; }

/* Under the object lock; nicks NULL where the value is what a decoder does anyway. */
static FoveaSupervisorOptions gather(GstFoveaSrc *self) {
  static const gchar *skips[] = {NULL, "nonref", "nokey"}, *filters[] = {NULL, "nonref", "off"};
  return (FoveaSupervisorOptions){
    .input = {.latency_ms = self->latency, .transport = self->transport, .encoded = self->output == OUTPUT_ENCODED, .decoder = self->decoder, .skip = skips[self->skip],
              .loop_filter = filters[self->loop_filter], .max_fps = self->max_fps, .width = self->width, .height = self->height},
    .username = copy_text(self->username), .password = copy_text(self->password), .password_from = copy_text(self->password_from),
    .retry_min_ms = self->retry_min, .retry_max_ms = self->retry_max, .restart = self->restart};
}

static guint stall_ms(const GstFoveaSrc *self, gboolean live) {
  return self->stall_timeout >= 0 ? (guint)self->stall_timeout : live ? DEFAULT_LIVE_STALL : 0;
}

static void replace_supervisor(GstFoveaSrc *self, FoveaSupervisor *supervisor) {
  GST_OBJECT_LOCK(self);
  FoveaSupervisor *old = self->supervisor;
  self->supervisor = supervisor;
  GST_OBJECT_UNLOCK(self);
  fovea_supervisor_free(old);
}

static gboolean set_up(GstFoveaSrc *self, GError **error) {
  FoveaPlace place;
  GST_OBJECT_LOCK(self);
  gchar *uri = g_strdup(self->uri);
  FoveaSupervisorOptions options = gather(self);
  FoveaFeedOptions feed = {.encoded = self->output == OUTPUT_ENCODED, .placeholder = self->placeholder, .latency_ms = self->latency, .width = self->width, .height = self->height};
  GST_OBJECT_UNLOCK(self);
  gboolean usable = fovea_place_parse(uri, &place, error) && fovea_input_is_possible(&place, error);
  fovea_secret_free(uri);
  GST_OBJECT_LOCK(self);
  options.place = place;
  options.stall_ms = stall_ms(self, place.live);
  self->live = feed.live = place.live;
  feed.stamped = place.kind == FOVEA_PLACE_RTSP || place.kind == FOVEA_PLACE_V4L2;
  g_free(self->target);
  self->target = g_strdup(place.target);
  GST_OBJECT_UNLOCK(self);
  FoveaSupervisor *supervisor = fovea_supervisor_new(GST_ELEMENT(self), self->feed, &options);
  usable = usable && fovea_supervisor_check(supervisor, error);
  fovea_feed_set_up(self->feed, &feed);
  replace_supervisor(self, supervisor);
  return usable;
}

static gboolean prepare(GstFoveaSrc *self) {
  GError *error = NULL;
  if (set_up(self, &error))
    return TRUE;
  gst_element_message_full(GST_ELEMENT(self), GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, fovea_secret_mask_uri(error->message), NULL, __FILE__,
                           G_STRFUNC, __LINE__);
  g_error_free(error);
  return FALSE;
}

/* A paused camera is disconnected: what it shows meanwhile nobody could be given. A file is read ahead for the preroll. */
static GstStateChangeReturn change_state(GstElement *element, GstStateChange transition) {
  GstFoveaSrc *self = GST_FOVEA_SRC(element);
  if (transition == GST_STATE_CHANGE_READY_TO_PAUSED && !prepare(self))
    return GST_STATE_CHANGE_FAILURE;
  if ((transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED && self->live) || transition == GST_STATE_CHANGE_PAUSED_TO_READY)
    fovea_supervisor_stop(self->supervisor);
  GstStateChangeReturn result = GST_ELEMENT_CLASS(gst_fovea_src_parent_class)->change_state(element, transition);
  if (result == GST_STATE_CHANGE_FAILURE)
    return result;
  if (transition == (self->live ? GST_STATE_CHANGE_PAUSED_TO_PLAYING : GST_STATE_CHANGE_READY_TO_PAUSED))
    fovea_supervisor_start(self->supervisor);
  return result;
}

/* --- properties --------------------------------------------------------------------------------------------- */

static FoveaSupervisorStats supervisor_stats(GstFoveaSrc *self) {
  FoveaSupervisorStats stats = {.state = FOVEA_LINK_OFFLINE, .state_since = g_get_monotonic_time()};
  if (self->supervisor)
    fovea_supervisor_get_stats(self->supervisor, &stats);
  return stats;
}

static GstStructure *statistics(GstFoveaSrc *self) {
  FoveaSupervisorStats link = supervisor_stats(self);
  FoveaFeedStats feed;
  fovea_feed_get_stats(self->feed, &feed);
  GstStructure *structure = gst_structure_new(
    "foveasrc-statistics", "state", G_TYPE_STRING, fovea_link_state_nick(link.state), "target", G_TYPE_STRING, self->target ? self->target : "", "frames", G_TYPE_UINT64,
    feed.frames, "late", G_TYPE_UINT64, feed.late, "reconnects", G_TYPE_UINT64, link.reconnects, "stalls", G_TYPE_UINT64, link.stalls, "gaps", G_TYPE_UINT64, feed.gaps,
    "gap-ms", G_TYPE_UINT64, (guint64)(feed.gap / GST_MSECOND), "placeholders", G_TYPE_UINT64, feed.placeholders, "last-error", G_TYPE_STRING,
    link.last_error ? link.last_error : "", "since-ms", G_TYPE_UINT64, (guint64)MAX(0, (g_get_monotonic_time() - link.state_since) / 1000), NULL);
  g_free(link.last_error);
  return structure;
}

/* As it was set, but for the password, so that nobody reads it by chance. */
static gchar *readable_uri(const gchar *uri) {
  FoveaPlace place;
  if (!uri)
    return NULL;
  if (!fovea_place_parse(uri, &place, NULL))
    return fovea_secret_mask_uri(uri);
  const gchar *authority = strstr(place.uri, "://");
  gchar *user = place.user ? g_uri_escape_string(place.user, NULL, FALSE) : NULL;
  gchar *text = user && authority ? g_strdup_printf("%.*s%s@%s", (gint)(authority + 3 - place.uri), place.uri, user, authority + 3) : g_strdup(place.uri);
  g_free(user);
  fovea_place_clear(&place);
  return text;
}

static void set_text(gchar **text, const GValue *value) {
  fovea_secret_free(*text);
  *text = g_value_dup_string(value);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
  GstFoveaSrc *self = GST_FOVEA_SRC(object);
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_URI: set_text(&self->uri, value); break;
    case PROP_USERNAME: set_text(&self->username, value); break;
    case PROP_PASSWORD: set_text(&self->password, value); break;
    case PROP_PASSWORD_FROM: set_text(&self->password_from, value); break;
    case PROP_OUTPUT: self->output = (Output)g_value_get_enum(value); break;
    case PROP_DECODER: self->decoder = (FoveaDecoderChoice)g_value_get_enum(value); break;
    case PROP_LATENCY: self->latency = g_value_get_uint(value); break;
    case PROP_TRANSPORT: self->transport = (FoveaTransportChoice)g_value_get_enum(value); break;
    case PROP_STALL_TIMEOUT: self->stall_timeout = g_value_get_int(value); break;
    case PROP_RETRY_MIN: self->retry_min = g_value_get_uint(value); break;
    case PROP_RETRY_MAX: self->retry_max = g_value_get_uint(value); break;
    case PROP_RESTART: self->restart = (FoveaRestart)g_value_get_enum(value); break;
    case PROP_PLACEHOLDER: self->placeholder = (FoveaPlaceholder)g_value_get_enum(value); break;
    case PROP_MAX_FPS: self->max_fps = g_value_get_double(value); break;
    case PROP_SKIP: self->skip = (Skip)g_value_get_enum(value); break;
    case PROP_LOOP_FILTER: self->loop_filter = (LoopFilter)g_value_get_enum(value); break;
    case PROP_WIDTH: self->width = g_value_get_int(value); break;
    case PROP_HEIGHT: self->height = g_value_get_int(value); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
  GstFoveaSrc *self = GST_FOVEA_SRC(object);
  GST_OBJECT_LOCK(self);
  switch (id) {
    case PROP_URI: g_value_take_string(value, readable_uri(self->uri)); break;
    case PROP_USERNAME: g_value_set_string(value, self->username); break;
    case PROP_PASSWORD_FROM: g_value_set_string(value, self->password_from); break;
    case PROP_OUTPUT: g_value_set_enum(value, self->output); break;
    case PROP_DECODER: g_value_set_enum(value, (gint)self->decoder); break;
    case PROP_LATENCY: g_value_set_uint(value, self->latency); break;
    case PROP_TRANSPORT: g_value_set_enum(value, (gint)self->transport); break;
    case PROP_STALL_TIMEOUT: g_value_set_int(value, self->stall_timeout); break;
    case PROP_RETRY_MIN: g_value_set_uint(value, self->retry_min); break;
    case PROP_RETRY_MAX: g_value_set_uint(value, self->retry_max); break;
    case PROP_RESTART: g_value_set_enum(value, (gint)self->restart); break;
    case PROP_PLACEHOLDER: g_value_set_enum(value, (gint)self->placeholder); break;
    case PROP_MAX_FPS: g_value_set_double(value, self->max_fps); break;
    case PROP_SKIP: g_value_set_enum(value, (gint)self->skip); break;
    case PROP_LOOP_FILTER: g_value_set_enum(value, (gint)self->loop_filter); break;
    case PROP_WIDTH: g_value_set_int(value, self->width); break;
    case PROP_HEIGHT: g_value_set_int(value, self->height); break;
    case PROP_STATUS: {
      FoveaSupervisorStats stats = supervisor_stats(self);
      g_value_set_enum(value, (gint)stats.state);
      g_free(stats.last_error);
      break;
    }
    case PROP_STATISTICS: g_value_take_boxed(value, statistics(self)); break;
    default: G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
  GST_OBJECT_UNLOCK(self);
}

static void finalize(GObject *object) {
  GstFoveaSrc *self = GST_FOVEA_SRC(object);
  fovea_secret_free(self->uri);
  g_free(self->username);
  fovea_secret_free(self->password);
  g_free(self->password_from);
  g_free(self->target);
  G_OBJECT_CLASS(gst_fovea_src_parent_class)->finalize(object);
}

/* While the feed is still there. */
static void dispose(GObject *object) {
  replace_supervisor(GST_FOVEA_SRC(object), NULL);
  G_OBJECT_CLASS(gst_fovea_src_parent_class)->dispose(object);
}

static void gst_fovea_src_init(GstFoveaSrc *self) {
  self->latency = DEFAULT_LATENCY;
  self->retry_min = DEFAULT_RETRY_MIN;
  self->retry_max = DEFAULT_RETRY_MAX;
  self->stall_timeout = -1;
  self->feed = g_object_new(FOVEA_TYPE_FEED, "name", "feed", NULL);
  gst_bin_add(GST_BIN(self), GST_ELEMENT(self->feed));
  GstPadTemplate *template = gst_static_pad_template_get(&src_template);
  GstPad *pad = gst_ghost_pad_new_from_template("src", GST_BASE_SRC_PAD(self->feed), template);
  gst_object_unref(template);
  gst_element_add_pad(GST_ELEMENT(self), pad);
  GST_OBJECT_FLAG_SET(self, GST_ELEMENT_FLAG_SOURCE);
  gst_bin_set_suppressed_flags(GST_BIN(self), GST_ELEMENT_FLAG_SINK);
}

#define READY (G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)

static void install_place(GObjectClass *class) {
  g_object_class_install_property(
    class, PROP_URI,
    g_param_spec_string("uri", "URI", "rtsp(s)://, http(s):// (HLS too), srt://, rtmp://, v4l2:///dev/video0, file:// or a path. Reads back without its password", NULL,
                        G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_USERNAME,
                                  g_param_spec_string("username", "User name", "For the source; unset: what the URI says", NULL, G_PARAM_READWRITE | READY));
  g_object_class_install_property(
    class, PROP_PASSWORD,
    g_param_spec_string("password", "Password", "For the source (of SRT: the passphrase); never shown. password-from keeps it out of command lines", NULL,
                        G_PARAM_WRITABLE | READY));
  g_object_class_install_property(
    class, PROP_PASSWORD_FROM,
    g_param_spec_string("password-from", "Password from", "env:NAME or file:PATH, read anew before every attempt to connect; before password and uri", NULL,
                        G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_TRANSPORT, g_param_spec_enum("transport", "Transport", "How RTSP media come", transport_type(), FOVEA_TRANSPORT_AUTO,
                                                                           G_PARAM_READWRITE | READY));
  g_object_class_install_property(
    class, PROP_LATENCY,
    g_param_spec_uint("latency", "Latency", "ms that live frames may wait for others: the jitter buffer of RTSP, the allowance of other networks", 0, 60000, DEFAULT_LATENCY,
                      G_PARAM_READWRITE | READY));
  g_object_class_install_property(
    class, PROP_WIDTH, g_param_spec_int("width", "Width", "Pixels asked of a device, and of grey placeholders before the first frame; 0: the device's choice, 640", 0, 16384, 0,
                                        G_PARAM_READWRITE | READY));
  g_object_class_install_property(
    class, PROP_HEIGHT, g_param_spec_int("height", "Height", "Pixels asked of a device, and of grey placeholders before the first frame; 0: the device's choice, 360", 0, 16384,
                                         0, G_PARAM_READWRITE | READY));
}

static void install_healing(GObjectClass *class) {
  g_object_class_install_property(
    class, PROP_STALL_TIMEOUT,
    g_param_spec_int("stall-timeout", "Stall timeout", "ms without a frame after which the source counts as lost; 0: never, -1: 10000 for live sources, never for files", -1,
                     MAX_MS, -1, G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_RETRY_MIN,
                                  g_param_spec_uint("retry-min", "Shortest wait", "ms before the first attempt to come back; doubles with each failure, a random part up to half taken off", 10, MAX_MS,
                                                    DEFAULT_RETRY_MIN, G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_RETRY_MAX, g_param_spec_uint("retry-max", "Longest wait", "ms between attempts to come back", 10, MAX_MS, DEFAULT_RETRY_MAX,
                                                                           G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_RESTART, g_param_spec_enum("restart", "Restart", "What errors and the end of the stream mean", restart_type(),
                                                                         FOVEA_RESTART_AUTO, G_PARAM_READWRITE | READY));
  g_object_class_install_property(
    class, PROP_PLACEHOLDER,
    g_param_spec_enum("placeholder", "Placeholder", "Frames that stand in while a live source is away, marked as gaps; raw video in plain memory only", placeholder_type(),
                      FOVEA_PLACEHOLDER_NONE, G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_STATUS, g_param_spec_enum("status", "Status", "How the link to the source fares", FOVEA_TYPE_LINK_STATE, FOVEA_LINK_OFFLINE,
                                                                        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
  g_object_class_install_property(
    class, PROP_STATISTICS,
    g_param_spec_boxed("statistics", "Statistics",
                       "state, target, frames, late (came after their time was taken), reconnects, stalls, gaps, gap-ms, placeholders, last-error, since-ms (in this state)",
                       GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static void install_decoding(GObjectClass *class) {
  g_object_class_install_property(class, PROP_OUTPUT, g_param_spec_enum("output", "Output", "What is given out", output_type(), OUTPUT_RAW, G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_DECODER, g_param_spec_enum("decoder", "Decoder", "What decodes", decoder_type(), FOVEA_DECODER_AUTO, G_PARAM_READWRITE | READY));
  g_object_class_install_property(
    class, PROP_MAX_FPS, g_param_spec_double("max-fps", "Most frames a second", "Of raw output; others are left out, and not decoded where the decoder can do that; 0: all", 0,
                                             1000, 0, G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_SKIP, g_param_spec_enum("skip", "Skip", "Frames that foveadecode leaves out; other decoders decode all", skip_type(), SKIP_NONE,
                                                                      G_PARAM_READWRITE | READY));
  g_object_class_install_property(class, PROP_LOOP_FILTER, g_param_spec_enum("loop-filter", "Loop filter", "Frames that foveadecode's loop filter runs on; other decoders filter all",
                                                                             loop_filter_type(), LOOP_FILTER_ON, G_PARAM_READWRITE | READY));
}

static void gst_fovea_src_class_init(GstFoveaSrcClass *klass) {
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS(klass);
  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->dispose = dispose;
  object_class->finalize = finalize;
  install_place(object_class);
  install_healing(object_class);
  install_decoding(object_class);
  element_class->change_state = change_state;
  gst_element_class_add_static_pad_template(element_class, &src_template);
  gst_element_class_set_static_metadata(element_class, "Fovea source", "Source/Video/Network", "Video that goes on when its source goes away and comes back", "Fovea");
  GType types[] = {output_type(), decoder_type(), transport_type(), restart_type(), placeholder_type(), skip_type(), loop_filter_type(), FOVEA_TYPE_LINK_STATE};
  for (guint i = 0; i < G_N_ELEMENTS(types); i++)
    gst_type_mark_as_plugin_api(types[i], 0);
}

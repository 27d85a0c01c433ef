#include "settings.h"

#include "common/secret.h"

typedef enum Kind { STRING, SECRET, BOOLEAN, UINT, UINT64, ENUM } Kind;

typedef struct Row {
  const gchar *name, *nick, *blurb;
  Kind kind;
  gsize offset;
  guint64 standard, low, high; /* of numbers */
  GType (*enum_type)(void);
  gboolean any_time; /* else before the element starts */
} Row;

#define DEFINE_ENUM(function, type_name, ...)                                             \
  static GType function(void) {                                                           \
    static gsize type = 0;                                                                \
    static const GEnumValue values[] = {__VA_ARGS__, {0, NULL, NULL}};                    \
    if (g_once_init_enter(&type))                                                         \
      g_once_init_leave(&type, g_enum_register_static(type_name, values));                \
    return type;                                                                          \
  }

DEFINE_ENUM(method_type, "GstFoveaPublishMethod", {FOVEA_PUBLISH_STDOUT, "Standard output, unless file-path is set", "stdout"},
            {FOVEA_PUBLISH_FILE, "The file of file-path", "file"}, {FOVEA_PUBLISH_MQTT, "An MQTT broker (needs libmosquitto)", "mqtt"},
            {FOVEA_PUBLISH_HTTP, "POST requests with lines of JSON (needs libcurl)", "http"}, {FOVEA_PUBLISH_KAFKA, "Apache Kafka (needs librdkafka)", "kafka"})
DEFINE_ENUM(content_type, "GstFoveaPublishContent", {FOVEA_CONTENT_FRAMES, "A message for each frame", "frames"},
            {FOVEA_CONTENT_EVENTS, "Messages when an object comes, stays and goes", "events"}, {FOVEA_CONTENT_BOTH, "Both", "both"})
DEFINE_ENUM(mqtt_version_type, "GstFoveaMqttVersion", {FOVEA_MQTT_5, "MQTT 5", "5"}, {FOVEA_MQTT_3_1_1, "MQTT 3.1.1", "3.1.1"})
DEFINE_ENUM(policy_type, "GstFoveaPublishSpoolPolicy", {FV_SPOOL_DROP_OLDEST, "The oldest messages make room", "drop-oldest"},
            {FV_SPOOL_DROP_LOWEST_PRIORITY, "The oldest of the least important make room; important ones are sent first", "drop-lowest-priority"},
            {FV_SPOOL_REFUSE_NEW, "New messages are not taken", "refuse-new"})
DEFINE_ENUM(sync_type, "GstFoveaPublishSpoolSync", {FV_SPOOL_SYNC_INTERVAL, "Every spool-sync-interval", "interval"},
            {FV_SPOOL_SYNC_RECORD, "Each message before the next frame", "record"}, {FV_SPOOL_SYNC_SEGMENT, "When a file of the spool is full", "segment"})
DEFINE_ENUM(order_type, "GstFoveaPublishSpoolOrder", {FALSE, "In the order of their frames", "oldest-first"},
            {TRUE, "New ones at once, then what waited, the newest first", "newest-first"})

#define AT(field) offsetof(FoveaPublishSettings, field)
#define STRING_ROW(name, nick, field, blurb) {name, nick, blurb, STRING, AT(field), 0, 0, 0, NULL, FALSE}
#define SECRET_ROW(name, nick, field, blurb) {name, nick, blurb, SECRET, AT(field), 0, 0, 0, NULL, FALSE}
#define BOOLEAN_ROW(name, nick, field, standard, any_time, blurb) {name, nick, blurb, BOOLEAN, AT(field), standard, 0, 1, NULL, any_time}
#define UINT_ROW(name, nick, field, standard, low, high, blurb) {name, nick, blurb, UINT, AT(field), standard, low, high, NULL, FALSE}
#define UINT64_ROW(name, nick, field, standard, blurb) {name, nick, blurb, UINT64, AT(field), standard, 0, G_MAXINT64, NULL, FALSE}
#define ENUM_ROW(name, nick, field, type, standard, blurb) {name, nick, blurb, ENUM, AT(field), standard, 0, 0, type, FALSE}

#define HOUR_MS 3600000

static const Row rows[] = {
  ENUM_ROW("method", "Method", method, method_type, FOVEA_PUBLISH_STDOUT, "Where messages go"),
  STRING_ROW("file-path", "File path", file_path, "File that the lines are written to; - is standard output"),
  BOOLEAN_ROW("append", "Append", append, FALSE, FALSE, "Keep what the file holds already; otherwise it starts empty"),
  UINT64_ROW("rotate-bytes", "Rotate bytes", rotate_bytes, 0, "Begin a new file before this one grows larger, the old one becoming file-path.1 (0: never)"),
  UINT_ROW("rotate-keep", "Rotate keep", rotate_keep, 5, 0, 1000, "Old files kept, file-path.1 being the youngest"),
  STRING_ROW("address", "Address", address,
             "mqtt://host:1883, mqtts://host:8883, http://host/path, https://host/path, or for Kafka host:9092[,host:port…]; user:password@ in it is taken out and not shown"),
  STRING_ROW("topic", "Topic", topic, "Of MQTT or Kafka; {source} in it becomes the source; unset: fovea/{source}, with Kafka fovea"),
  UINT_ROW("qos", "QoS", qos, 1, 0, 2, "MQTT quality of service; with 0 a message counts as delivered when it is sent"),
  ENUM_ROW("mqtt-version", "MQTT version", mqtt_version, mqtt_version_type, FOVEA_MQTT_5, "Version of the protocol"),
  STRING_ROW("client-id", "Client id", client_id,
             "By which the MQTT broker knows us; unset: made from machine and availability-topic, or without that topic by chance"),
  STRING_ROW("availability-topic", "Availability topic", availability_topic, "MQTT topic whose retained message is online while we are connected, else offline; {source} as in topic; unset: none"),
  UINT_ROW("keep-alive", "Keep alive", keep_alive, 30, 5, 65535, "Seconds without a word from the far side after which the connection counts as lost"),
  STRING_ROW("username", "User name", username, "For MQTT, HTTP basic authentication or Kafka SASL"),
  SECRET_ROW("password", "Password", password, "Belongs to username; cannot be read back. password-from keeps it out of command lines and logs"),
  STRING_ROW("password-from", "Password from", password_from, "env:NAME or file:PATH that holds the password, read at the start"),
  STRING_ROW("token-from", "Token from", token_from, "env:NAME or file:PATH that holds the bearer token of HTTP, read at the start"),
  STRING_ROW("ca-file", "CA file", ca_file, "Authorities (PEM) that the far side's certificate must come from; unset: the system's"),
  STRING_ROW("cert-file", "Certificate file", cert_file, "Our own certificate (PEM), where the far side asks for one"),
  STRING_ROW("key-file", "Key file", key_file, "The key of cert-file (PEM)"),
  BOOLEAN_ROW("tls-verify", "TLS verify", tls_verify, TRUE, FALSE, "Refuse a far side whose certificate is not valid for its name"),
  UINT_ROW("batch-records", "Batch records", batch_records, 100, 1, 10000, "HTTP: most messages in a request"),
  UINT_ROW("batch-ms", "Batch time", batch_ms, 1000, 0, 60000, "HTTP: milliseconds that a message waits for company"),
  ENUM_ROW("content", "Content", content, content_type, FOVEA_CONTENT_FRAMES, "What there are messages of"),
  UINT_ROW("event-interval", "Event interval", event_interval, 1000, 0, HOUR_MS, "Milliseconds between two messages about an object that stays (0: none)"),
  UINT_ROW("event-timeout", "Event timeout", event_timeout, 1000, 1, HOUR_MS, "Milliseconds without a sight of an object after which it has gone"),
  {"source", "Source", "Name of the camera or file in each message; unset: the element's name", STRING, AT(source), 0, 0, 0, NULL, TRUE},
  BOOLEAN_ROW("include-empty", "Include empty", include_empty, TRUE, TRUE, "Write frames on which nothing was found"),
  BOOLEAN_ROW("analysed-only", "Analysed only", analysed_only, FALSE, TRUE, "Leave out frames that carry the boxes of an earlier one"),
  STRING_ROW("spool", "Spool", spool, "Directory where messages wait until the far side has them, over restarts too; unset: they wait in memory"),
  UINT64_ROW("spool-bytes", "Spool bytes", spool_bytes, 0, "Most bytes that may wait (0: 512 MiB on disk, 16 MiB in memory)"),
  UINT_ROW("spool-age", "Spool age", spool_age, 0, 0, G_MAXINT, "Seconds after which a message that waits is dropped (0: never)"),
  ENUM_ROW("spool-policy", "Spool policy", spool_policy, policy_type, FV_SPOOL_DROP_OLDEST, "What happens when no more may wait"),
  ENUM_ROW("spool-sync", "Spool sync", spool_sync, sync_type, FV_SPOOL_SYNC_INTERVAL, "When what waits on disk is written through, so that a power cut spares it"),
  UINT_ROW("spool-sync-interval", "Spool sync interval", spool_sync_interval, 1000, 1, HOUR_MS, "Milliseconds"),
  ENUM_ROW("spool-order", "Spool order", newest_first, order_type, FALSE, "Of messages that waited"),
  UINT64_ROW("spool-rate", "Spool rate", spool_rate, 0,
             "Bytes a second of messages that waited, new ones going before them (0: no limit, and with oldest-first all go in their order)"),
  UINT_ROW("retry-min", "Retry min", retry_min, 500, 1, HOUR_MS, "Milliseconds between the first attempts to connect; doubles with each failure, less up to half of it by chance"),
  UINT_ROW("retry-max", "Retry max", retry_max, 30000, 1, HOUR_MS, "Milliseconds between attempts at most; an attempt is made at once when the network comes up"),
  UINT_ROW("drain-timeout", "Drain timeout", drain_timeout, 5000, 0, HOUR_MS, "Milliseconds that the end of the stream, or a stop, waits for messages that are not delivered yet"),
};

static gpointer field(const FoveaPublishSettings *settings, const Row *row) { return (gchar *)settings + row->offset; }

static GParamSpec *make_spec(const Row *row) {
  GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | (row->any_time ? GST_PARAM_MUTABLE_PLAYING : GST_PARAM_MUTABLE_READY);
  switch (row->kind) {
    case STRING: return g_param_spec_string(row->name, row->nick, row->blurb, NULL, flags);
    case SECRET: return g_param_spec_string(row->name, row->nick, row->blurb, NULL, flags & ~G_PARAM_READABLE);
    case BOOLEAN: return g_param_spec_boolean(row->name, row->nick, row->blurb, row->standard != 0, flags);
    case UINT: return g_param_spec_uint(row->name, row->nick, row->blurb, (guint)row->low, (guint)row->high, (guint)row->standard, flags);
    case UINT64: return g_param_spec_uint64(row->name, row->nick, row->blurb, row->low, row->high, row->standard, flags);
    case ENUM: break;
  }
  gst_type_mark_as_plugin_api(row->enum_type(), 0);
  return g_param_spec_enum(row->name, row->nick, row->blurb, row->enum_type(), (gint)row->standard, flags);
}

guint fovea_publish_settings_install(GObjectClass *class, guint first_id) {
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) g_object_class_install_property(class, first_id + i, make_spec(&rows[i]));
  return first_id + G_N_ELEMENTS(rows);
}

void fovea_publish_settings_init(FoveaPublishSettings *settings) {
  *settings = (FoveaPublishSettings){0};
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (rows[i].kind == UINT64)
      *(guint64 *)field(settings, &rows[i]) = rows[i].standard;
    else if (rows[i].kind != STRING && rows[i].kind != SECRET)
      *(guint *)field(settings, &rows[i]) = (guint)rows[i].standard;
  }
}

void fovea_publish_settings_copy(FoveaPublishSettings *to, const FoveaPublishSettings *from) {
  *to = *from;
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (rows[i].kind == STRING || rows[i].kind == SECRET)
      *(gchar **)field(to, &rows[i]) = g_strdup(*(gchar **)field(from, &rows[i]));
  }
  to->address_user = g_strdup(from->address_user);
  to->address_password = g_strdup(from->address_password);
}

void fovea_publish_settings_finish(FoveaPublishSettings *settings) {
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (rows[i].kind == STRING || rows[i].kind == SECRET)
      fovea_secret_free(*(gchar **)field(settings, &rows[i]));
  }
  g_free(settings->address_user);
  fovea_secret_free(settings->address_password);
  *settings = (FoveaPublishSettings){0};
}

/* Nobody who reads the property back, a dot dump for one, sees the password. */
static void split_address(FoveaPublishSettings *settings) {
  g_clear_pointer(&settings->address_user, g_free);
  g_clear_pointer(&settings->address_password, fovea_secret_free);
  if (!settings->address)
    return;
  gchar *plain = fovea_secret_split_uri(settings->address, &settings->address_user, &settings->address_password);
  fovea_secret_free(settings->address);
  settings->address = plain;
}

void fovea_publish_settings_set(FoveaPublishSettings *settings, guint index, const GValue *value) {
  const Row *row = &rows[index];
  gpointer place = field(settings, row);
  switch (row->kind) {
    case STRING:
    case SECRET:
      fovea_secret_free(*(gchar **)place);
      *(gchar **)place = g_value_dup_string(value);
      if (row->offset == AT(address))
        split_address(settings);
      break;
    case BOOLEAN: *(gboolean *)place = g_value_get_boolean(value); break;
    case UINT: *(guint *)place = g_value_get_uint(value); break;
    case UINT64: *(guint64 *)place = g_value_get_uint64(value); break;
    case ENUM: *(gint *)place = g_value_get_enum(value); break;
  }
}

void fovea_publish_settings_get(const FoveaPublishSettings *settings, guint index, GValue *value) {
  const Row *row = &rows[index];
  gpointer place = field(settings, row);
  switch (row->kind) {
    case STRING: g_value_set_string(value, *(gchar **)place); break;
    case SECRET: break;
    case BOOLEAN: g_value_set_boolean(value, *(gboolean *)place); break;
    case UINT: g_value_set_uint(value, *(guint *)place); break;
    case UINT64: g_value_set_uint64(value, *(guint64 *)place); break;
    case ENUM: g_value_set_enum(value, *(gint *)place); break;
  }
}

/* MQTT by libmosquitto, driven from our own loop: it neither starts threads nor connects again by itself. Every connection begins with a new client and a clean
 * session; what was not acknowledged comes again out of the outbox, not out of the client's memory. */
#include "transport.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "common/secret.h"
#include "library.h"
#include "resolve.h"

#define WINDOW 64
#define WINDOW_QOS_2 20 /* brokers store what they have not released; mosquitto, without saying so, no more than these of a client of MQTT 3.1.1 */
#define GOOD_BYE_US (G_USEC_PER_SEC)
#define AVAILABILITY_QOS 1 /* with 2 the broker would want another word, and good-byes are short */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs"

#define FUNCTIONS(X)                                                                                                                                     \
  X(mosquitto_lib_init) X(mosquitto_new) X(mosquitto_destroy) X(mosquitto_int_option) X(mosquitto_username_pw_set) X(mosquitto_will_set)                 \
  X(mosquitto_tls_set) X(mosquitto_tls_opts_set) X(mosquitto_tls_insecure_set) X(mosquitto_connect_async) X(mosquitto_disconnect) X(mosquitto_publish)   \
  X(mosquitto_socket) X(mosquitto_want_write) X(mosquitto_loop_read) X(mosquitto_loop_write) X(mosquitto_loop_misc) X(mosquitto_strerror)                \
  X(mosquitto_connack_string) X(mosquitto_reason_string) X(mosquitto_connect_v5_callback_set) X(mosquitto_disconnect_callback_set)                       \
  X(mosquitto_publish_v5_callback_set) X(mosquitto_log_callback_set) X(mosquitto_pub_topic_check)

static struct { FUNCTIONS(FOVEA_LIBRARY_POINTER) } lib;
static const gchar *const names[] = {FUNCTIONS(FOVEA_LIBRARY_NAME)};

typedef struct MqttTransport {
  FoveaTransport base;
  gchar *host, *topic, *availability, *client_id, *username, *password, *ca_file, *cert_file, *key_file;
  gint port, qos, version, keep_alive;
  gboolean tls, tls_verify;

  FoveaResolve *resolve;    /* the name is being looked up; then there is no client yet */
  struct mosquitto *client; /* NULL: not connected */
  GHashTable *open;         /* message number of the client -> guint64 id, allocated */
  gboolean sending;         /* inside mosquitto_publish, which may already call back */
  gint sent_at_once;        /* the number that it called back with, 0: none */
  gboolean leaving;
  gchar *tls_error;         /* what OpenSSL said last; the return code says "a TLS error" only */
} MqttTransport;

/* --- settings ---------------------------------------------------------------------------------------------- */

static gboolean bad(GError **error, const gchar *format, const gchar *what) {
  gchar *text = g_strdup_printf(format, what);
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, text);
  g_free(text);
  return FALSE;
}

static gboolean parse_address(MqttTransport *mqtt, const gchar *address, GError **error) {
  GUri *uri = g_uri_parse(address, G_URI_FLAGS_NONE, NULL);
  const gchar *scheme = uri ? g_uri_get_scheme(uri) : "", *host = uri ? g_uri_get_host(uri) : NULL;
  gboolean plain = g_str_equal(scheme, "mqtt");
  mqtt->tls = g_str_equal(scheme, "mqtts");
  if ((plain || mqtt->tls) && host && *host) {
    mqtt->host = g_strdup(host);
    mqtt->port = g_uri_get_port(uri) > 0 ? g_uri_get_port(uri) : mqtt->tls ? 8883 : 1883;
  }
  if (uri)
    g_uri_unref(uri);
  return mqtt->host || bad(error, "address %s is not of the form mqtt://host:1883 or mqtts://host:8883", address);
}

static gboolean check_file(const gchar *path, GError **error) {
  return !path || access(path, R_OK) == 0 || bad(error, "file %s cannot be read", path);
}

/* A name that stays the same over restarts lets the broker end our own old connection, whose last will would otherwise come after we are online again. */
static gchar *default_client_id(const gchar *availability) {
  gchar *machine = NULL, *id;
  if (!availability)
    return g_strdup_printf("fovea-%08x%08x", g_random_int(), g_random_int());
  if (!g_file_get_contents("/etc/machine-id", &machine, NULL, NULL))
    machine = g_strdup(g_get_host_name());
  gchar *text = g_strconcat(machine, "\n", availability, NULL), *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  id = g_strdup_printf("fovea-%.16s", sum); /* 22 characters: MQTT 3.1.1 promises 23 */
  g_free(sum);
  g_free(text);
  g_free(machine);
  return id;
}

static gboolean take_topics(MqttTransport *mqtt, const FoveaTransportOptions *options, GError **error) {
  mqtt->topic = fovea_transport_topic(options->topic ? options->topic : "fovea/{source}", options->source, "+#");
  if (options->availability_topic)
    mqtt->availability = fovea_transport_topic(options->availability_topic, options->source, "+#");
  if (lib.mosquitto_pub_topic_check(mqtt->topic) != MOSQ_ERR_SUCCESS || !*mqtt->topic)
    return bad(error, "topic '%s' is not one that can be published to", mqtt->topic);
  if (mqtt->availability && (lib.mosquitto_pub_topic_check(mqtt->availability) != MOSQ_ERR_SUCCESS || !*mqtt->availability))
    return bad(error, "availability-topic '%s' is not one that can be published to", mqtt->availability);
  return TRUE;
}

static gboolean open_library(GError **error) {
  static gsize done = 0;
  if (!fovea_library_open("libmosquitto.so.1", "libmosquitto1", names, (gpointer *)&lib, G_N_ELEMENTS(names), error))
    return FALSE;
  if (g_once_init_enter(&done)) {
    lib.mosquitto_lib_init();
    g_once_init_leave(&done, 1);
  }
  return TRUE;
}

static FoveaTransport *mqtt_create(const FoveaTransportOptions *options, GError **error) {
  if (!open_library(error))
    return NULL;
  MqttTransport *mqtt = g_new0(MqttTransport, 1);
  mqtt->base.method = &fovea_transport_mqtt;
  mqtt->base.window = WINDOW;
  mqtt->base.target = g_strdup(options->address);
  mqtt->open = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  mqtt->qos = options->qos;
  mqtt->version = options->mqtt_version == 4 ? MQTT_PROTOCOL_V311 : MQTT_PROTOCOL_V5;
  mqtt->keep_alive = (gint)options->keep_alive_s;
  mqtt->tls_verify = options->tls_verify;
  mqtt->username = g_strdup(options->username);
  mqtt->password = g_strdup(options->password);
  mqtt->ca_file = g_strdup(options->ca_file);
  mqtt->cert_file = g_strdup(options->cert_file);
  mqtt->key_file = g_strdup(options->key_file);
  gboolean done = parse_address(mqtt, options->address, error) && take_topics(mqtt, options, error) && check_file(mqtt->ca_file, error) &&
                  check_file(mqtt->cert_file, error) && check_file(mqtt->key_file, error);
  mqtt->client_id = options->client_id ? g_strdup(options->client_id) : default_client_id(mqtt->availability);
  if (done)
    return &mqtt->base;
  fovea_transport_mqtt.destroy(&mqtt->base);
  return NULL;
}

/* --- what the client tells --------------------------------------------------------------------------------- */

static void lose(MqttTransport *mqtt, const gchar *reason) {
  if (!mqtt->leaving)
    mqtt->base.events->lost(mqtt->base.user, reason, 0);
}

static void lose_by_code(MqttTransport *mqtt, gint code) {
  const gchar *reason = code == MOSQ_ERR_ERRNO && errno ? g_strerror(errno) : lib.mosquitto_strerror(code);
  gchar *text = code == MOSQ_ERR_TLS && mqtt->tls_error ? g_strdup(mqtt->tls_error) : g_strchomp(g_strdup(reason));
  lose(mqtt, g_str_has_suffix(text, ".") ? (text[strlen(text) - 1] = '\0', text) : text);
  g_free(text);
}

static void on_log(struct mosquitto *client, void *user, int level, const char *text) {
  MqttTransport *mqtt = user;
  const gchar *what = strstr(text, "error:");
  if (!g_str_has_prefix(text, "OpenSSL") || !what) /* other lines are about packets */
    return;
  g_free(mqtt->tls_error);
  mqtt->tls_error = g_strdup_printf("TLS %s", what);
}

static void on_connect(struct mosquitto *client, void *user, int code, int flags, const mosquitto_property *properties) {
  MqttTransport *mqtt = user;
  if (code != 0) {
    gchar *reason = g_strdup_printf("the broker refuses: %s", mqtt->version == MQTT_PROTOCOL_V5 ? lib.mosquitto_reason_string(code) : lib.mosquitto_connack_string(code));
    lose(mqtt, reason);
    g_free(reason);
    return;
  }
  if (mqtt->availability)
    lib.mosquitto_publish(client, NULL, mqtt->availability, 6, "online", AVAILABILITY_QOS, true);
  mqtt->base.events->connected(mqtt->base.user);
}

static void on_disconnect(struct mosquitto *client, void *user, int code) {
  MqttTransport *mqtt = user;
  if (code >= 0x80) /* MQTT 5: the broker says why */
    lose(mqtt, lib.mosquitto_reason_string(code));
  else
    lose_by_code(mqtt, code ? code : MOSQ_ERR_CONN_LOST);
}

/* Whether the broker refuses this very message; other refusals are about us, or about now. */
static gboolean is_about_the_message(gint reason) {
  return reason == MQTT_RC_TOPIC_NAME_INVALID || reason == MQTT_RC_PACKET_TOO_LARGE || reason == MQTT_RC_PAYLOAD_FORMAT_INVALID;
}

static void on_publish(struct mosquitto *client, void *user, int number, int reason, const mosquitto_property *properties) {
  MqttTransport *mqtt = user;
  guint64 *open = g_hash_table_lookup(mqtt->open, GINT_TO_POINTER(number)), id = open ? *open : 0;
  if (mqtt->sending && !open)
    mqtt->sent_at_once = number;
  if (!open)
    return;
  g_hash_table_remove(mqtt->open, GINT_TO_POINTER(number));
  if (reason < 0x80)
    mqtt->base.events->acknowledged(mqtt->base.user, id);
  else if (is_about_the_message(reason))
    mqtt->base.events->rejected(mqtt->base.user, id, lib.mosquitto_reason_string(reason));
  else
    lose(mqtt, lib.mosquitto_reason_string(reason));
}

/* Without it OpenSSL would ask on the terminal for an encrypted key's password. */
static int no_key_password(char *buffer, int size, int writing, void *user) { return 0; }

/* --- connection -------------------------------------------------------------------------------------------- */

static gint set_up_tls(MqttTransport *mqtt) {
  gint code = MOSQ_ERR_SUCCESS;
  gboolean directory = !mqtt->ca_file && g_file_test(SYSTEM_AUTHORITIES, G_FILE_TEST_IS_DIR);
  if (mqtt->ca_file || directory)
    code = lib.mosquitto_tls_set(mqtt->client, mqtt->ca_file, directory ? SYSTEM_AUTHORITIES : NULL, mqtt->cert_file, mqtt->key_file, no_key_password);
  else
    code = lib.mosquitto_int_option(mqtt->client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
  if (code == MOSQ_ERR_SUCCESS)
    code = lib.mosquitto_tls_opts_set(mqtt->client, mqtt->tls_verify ? 1 : 0, NULL, NULL);
  return code == MOSQ_ERR_SUCCESS ? lib.mosquitto_tls_insecure_set(mqtt->client, !mqtt->tls_verify) : code;
}

static gint set_up_client(MqttTransport *mqtt) {
  gint code = lib.mosquitto_int_option(mqtt->client, MOSQ_OPT_PROTOCOL_VERSION, mqtt->version);
  lib.mosquitto_int_option(mqtt->client, MOSQ_OPT_TCP_NODELAY, 1);
  lib.mosquitto_int_option(mqtt->client, MOSQ_OPT_SEND_MAXIMUM, mqtt->qos == 2 ? WINDOW_QOS_2 : WINDOW);
  lib.mosquitto_connect_v5_callback_set(mqtt->client, on_connect);
  lib.mosquitto_disconnect_callback_set(mqtt->client, on_disconnect);
  lib.mosquitto_publish_v5_callback_set(mqtt->client, on_publish);
  lib.mosquitto_log_callback_set(mqtt->client, on_log);
  if (code == MOSQ_ERR_SUCCESS && mqtt->username)
    code = lib.mosquitto_username_pw_set(mqtt->client, mqtt->username, mqtt->password);
  if (code == MOSQ_ERR_SUCCESS && mqtt->availability)
    code = lib.mosquitto_will_set(mqtt->client, mqtt->availability, 7, "offline", AVAILABILITY_QOS, true);
  return code == MOSQ_ERR_SUCCESS && mqtt->tls ? set_up_tls(mqtt) : code;
}

static void open_connection(MqttTransport *mqtt) {
  errno = 0;
  mqtt->client = lib.mosquitto_new(mqtt->client_id, true, mqtt);
  if (!mqtt->client) {
    lose(mqtt, "the client cannot be made; is client-id a valid one?");
    return;
  }
  gint code = set_up_client(mqtt);
  if (code == MOSQ_ERR_SUCCESS)
    code = lib.mosquitto_connect_async(mqtt->client, mqtt->host, mqtt->port, mqtt->keep_alive);
  if (code > MOSQ_ERR_SUCCESS)
    lose_by_code(mqtt, code);
}

static void mqtt_connect(FoveaTransport *base) {
  MqttTransport *mqtt = (MqttTransport *)base;
  mqtt->leaving = FALSE;
  g_clear_pointer(&mqtt->tls_error, g_free);
  mqtt->resolve = fovea_resolve_start(mqtt->host);
}

static void await_name(MqttTransport *mqtt, gint wake_fd, gint timeout_ms) {
  const gchar *problem;
  fovea_transport_wait(wake_fd, fovea_resolve_fd(mqtt->resolve), POLLIN, timeout_ms);
  if (!fovea_resolve_done(mqtt->resolve, &problem))
    return;
  g_clear_pointer(&mqtt->resolve, fovea_resolve_free);
  if (problem)
    lose(mqtt, problem);
  else
    open_connection(mqtt);
}

/* Reads and writes what the socket is ready for. */
static gint serve(MqttTransport *mqtt, gshort ready) {
  gint code = MOSQ_ERR_SUCCESS;
  errno = 0;
  if (ready & POLLOUT)
    code = lib.mosquitto_loop_write(mqtt->client, 1);
  if (code == MOSQ_ERR_SUCCESS && (ready & (POLLIN | POLLHUP | POLLERR)))
    code = lib.mosquitto_loop_read(mqtt->client, 1);
  return code == MOSQ_ERR_SUCCESS ? lib.mosquitto_loop_misc(mqtt->client) : code;
}

static gshort wanted(MqttTransport *mqtt) { return (gshort)(POLLIN | (lib.mosquitto_want_write(mqtt->client) ? POLLOUT : 0)); }

static void mqtt_poll(FoveaTransport *base, gint wake_fd, gint timeout_ms) {
  MqttTransport *mqtt = (MqttTransport *)base;
  if (mqtt->resolve) {
    await_name(mqtt, wake_fd, timeout_ms);
    return;
  }
  gshort ready = fovea_transport_wait(wake_fd, lib.mosquitto_socket(mqtt->client), wanted(mqtt), timeout_ms);
  gint code = serve(mqtt, ready);
  if (code != MOSQ_ERR_SUCCESS)
    lose_by_code(mqtt, code);
}

static void mqtt_send(FoveaTransport *base, guint64 id, const gchar *line, gsize size) {
  MqttTransport *mqtt = (MqttTransport *)base;
  gint number = 0;
  mqtt->sending = TRUE;
  mqtt->sent_at_once = 0;
  gint code = lib.mosquitto_publish(mqtt->client, &number, mqtt->topic, (int)(size - 1), line, mqtt->qos, false); /* without the line break */
  mqtt->sending = FALSE;
  if (code == MOSQ_ERR_OVERSIZE_PACKET || code == MOSQ_ERR_PAYLOAD_SIZE) {
    base->events->rejected(base->user, id, "larger than the broker takes");
  } else if (code == MOSQ_ERR_QOS_NOT_SUPPORTED) {
    lose(mqtt, "the broker does not know this qos; set a lower one");
  } else if (code != MOSQ_ERR_SUCCESS) {
    lose_by_code(mqtt, code);
  } else if (mqtt->sent_at_once == number) {
    base->events->acknowledged(base->user, id);
  } else {
    g_hash_table_insert(mqtt->open, GINT_TO_POINTER(number), g_memdup2(&id, sizeof id));
  }
}

static void mqtt_flush(FoveaTransport *base) {}

/* Says that we are offline, and waits for the broker to close: closing first could overtake what it has not read yet. */
static void say_good_bye(MqttTransport *mqtt) {
  gint64 until = g_get_monotonic_time() + GOOD_BYE_US, now;
  gint code = MOSQ_ERR_SUCCESS;
  mqtt->leaving = TRUE;
  if (mqtt->availability)
    lib.mosquitto_publish(mqtt->client, NULL, mqtt->availability, 7, "offline", AVAILABILITY_QOS, true);
  lib.mosquitto_disconnect(mqtt->client);
  while (code == MOSQ_ERR_SUCCESS && lib.mosquitto_socket(mqtt->client) >= 0 && (now = g_get_monotonic_time()) < until)
    code = serve(mqtt, fovea_transport_wait(-1, lib.mosquitto_socket(mqtt->client), wanted(mqtt), (gint)((until - now) / 1000) + 1));
}

static void mqtt_disconnect(FoveaTransport *base, gboolean orderly) {
  MqttTransport *mqtt = (MqttTransport *)base;
  g_clear_pointer(&mqtt->resolve, fovea_resolve_free);
  if (mqtt->client && orderly)
    say_good_bye(mqtt);
  mqtt->leaving = TRUE;
  if (mqtt->client)
    lib.mosquitto_destroy(mqtt->client);
  mqtt->client = NULL;
  g_hash_table_remove_all(mqtt->open);
}


static void mqtt_destroy(FoveaTransport *base) {
  MqttTransport *mqtt = (MqttTransport *)base;
  gchar *texts[] = {mqtt->host, mqtt->topic, mqtt->availability, mqtt->client_id, mqtt->username, mqtt->ca_file, mqtt->cert_file, mqtt->key_file, mqtt->tls_error, base->target};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) g_free(texts[i]);
  fovea_secret_free(mqtt->password);
  g_hash_table_unref(mqtt->open);
  g_free(mqtt);
}

const FoveaTransportMethod fovea_transport_mqtt = {"mqtt",    FALSE,     20000,      mqtt_create,     mqtt_connect,
                                                   mqtt_send, mqtt_poll, mqtt_flush, mqtt_disconnect, mqtt_destroy};

/* Kafka by librdkafka: acks=all and idempotent, so that what one connection delivers comes once and in order. Small disturbances librdkafka heals by itself; when no broker
 * answers any more, the connection counts as lost and a new producer is made, with what was not acknowledged coming again. */
#include "transport.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "library.h"

#define WINDOW 500
#define METADATA_MS 250 /* a look whether a broker answers; blocks, so it is short and repeated */
#define GOOD_BYE_MS 500

#define FUNCTIONS(X)                                                                                                                                          \
  X(rd_kafka_conf_new) X(rd_kafka_conf_set) X(rd_kafka_conf_destroy) X(rd_kafka_conf_dup) X(rd_kafka_conf_set_dr_msg_cb) X(rd_kafka_conf_set_error_cb)        \
  X(rd_kafka_conf_set_log_cb) X(rd_kafka_conf_set_opaque) X(rd_kafka_new) X(rd_kafka_destroy) X(rd_kafka_topic_new) X(rd_kafka_topic_destroy)                 \
  X(rd_kafka_produce) X(rd_kafka_last_error) X(rd_kafka_err2str) X(rd_kafka_poll) X(rd_kafka_flush) X(rd_kafka_purge) X(rd_kafka_metadata)                    \
  X(rd_kafka_metadata_destroy) X(rd_kafka_queue_get_main) X(rd_kafka_queue_io_event_enable) X(rd_kafka_queue_destroy)

static struct { FUNCTIONS(FOVEA_LIBRARY_POINTER) } lib;
static const gchar *const names[] = {FUNCTIONS(FOVEA_LIBRARY_NAME)};

typedef struct KafkaTransport {
  FoveaTransport base;
  rd_kafka_conf_t *conf;
  gchar *topic_name, *key;
  gint news; /* eventfd: librdkafka has something to tell */

  rd_kafka_t *producer; /* NULL: not connected */
  rd_kafka_topic_t *topic;
  gboolean connected, leaving;
  GHashTable *open; /* number -> guint64 id, allocated */
  guint32 number;
  gchar *problem; /* what a broker connection said last; NULL: nothing */
} KafkaTransport;

/* --- what librdkafka tells, within rd_kafka_poll ------------------------------------------------------------ */

static void lose(KafkaTransport *kafka, const gchar *reason) {
  if (!kafka->leaving)
    kafka->base.events->lost(kafka->base.user, reason, 0);
}

static gboolean is_about_the_message(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || code == RD_KAFKA_RESP_ERR_INVALID_MSG || code == RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE ||
         code == RD_KAFKA_RESP_ERR_INVALID_RECORD;
}

static void on_delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *user) {
  KafkaTransport *kafka = user;
  guint64 *open = g_hash_table_lookup(kafka->open, message->_private), id = open ? *open : 0;
  if (!open || kafka->leaving)
    return;
  g_hash_table_remove(kafka->open, message->_private);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
    kafka->base.events->acknowledged(kafka->base.user, id);
  else if (is_about_the_message(message->err))
    kafka->base.events->rejected(kafka->base.user, id, lib.rd_kafka_err2str(message->err));
  else
    lose(kafka, lib.rd_kafka_err2str(message->err));
}

static void on_error(rd_kafka_t *producer, int code, const char *reason, void *user) {
  KafkaTransport *kafka = user;
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || code == RD_KAFKA_RESP_ERR__FATAL) {
    lose(kafka, code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && kafka->problem ? kafka->problem : reason);
    return;
  }
  g_free(kafka->problem);
  kafka->problem = g_strdup(reason);
}

static void on_log(const rd_kafka_t *producer, int level, const char *facility, const char *text) {} /* errors come to on_error as well */

/* --- settings ---------------------------------------------------------------------------------------------- */

static gboolean set(KafkaTransport *kafka, const gchar *name, const gchar *value, GError **error) {
  gchar text[512];
  if (!value || lib.rd_kafka_conf_set(kafka->conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
    return TRUE;
  /* The library's own text repeats the value, which may be the password. */
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "librdkafka does not take what became its %s", name);
  return FALSE;
}

static gboolean set_number(KafkaTransport *kafka, const gchar *name, guint value, GError **error) {
  gchar text[16];
  g_snprintf(text, sizeof text, "%u", value);
  return set(kafka, name, text, error);
}

/* kafka://, which may be left out, is plain, kafkas:// TLS; so is everything that has a certificate to show or to check. */
static gboolean set_address(KafkaTransport *kafka, const FoveaTransportOptions *options, GError **error) {
  const gchar *hosts = options->address;
  gboolean tls = g_str_has_prefix(hosts, "kafkas://") || options->ca_file || options->cert_file;
  hosts += g_str_has_prefix(hosts, "kafkas://") ? 9 : g_str_has_prefix(hosts, "kafka://") ? 8 : 0;
  gboolean good = *hosts && !strpbrk(hosts, "/ @?");
  if (!good)
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "address %s is not of the form host:9092[,host:port…]", options->address);
  return good && set(kafka, "bootstrap.servers", hosts, error) &&
         set(kafka, "security.protocol", options->username ? tls ? "sasl_ssl" : "sasl_plaintext" : tls ? "ssl" : "plaintext", error);
}

static gboolean set_security(KafkaTransport *kafka, const FoveaTransportOptions *options, GError **error) {
  gboolean good = set(kafka, "ssl.ca.location", options->ca_file, error) && set(kafka, "ssl.certificate.location", options->cert_file, error) &&
                  set(kafka, "ssl.key.location", options->key_file, error);
  if (good && !options->tls_verify)
    good = set(kafka, "enable.ssl.certificate.verification", "false", error) && set(kafka, "ssl.endpoint.identification.algorithm", "none", error);
  else if (good)
    good = set(kafka, "ssl.endpoint.identification.algorithm", "https", error);
  if (good && options->username)
    good = set(kafka, "sasl.mechanisms", "PLAIN", error) && set(kafka, "sasl.username", options->username, error) &&
           set(kafka, "sasl.password", options->password ? options->password : "", error);
  return good;
}

static gboolean set_all(KafkaTransport *kafka, const FoveaTransportOptions *options, GError **error) {
  lib.rd_kafka_conf_set_opaque(kafka->conf, kafka);
  lib.rd_kafka_conf_set_dr_msg_cb(kafka->conf, on_delivered);
  lib.rd_kafka_conf_set_error_cb(kafka->conf, on_error);
  lib.rd_kafka_conf_set_log_cb(kafka->conf, on_log);
  return set_address(kafka, options, error) && set_security(kafka, options, error) && set(kafka, "client.id", options->client_id ? options->client_id : "fovea", error) &&
         set(kafka, "acks", "all", error) && set(kafka, "enable.idempotence", "true", error) && set(kafka, "message.timeout.ms", "0", error) &&
         set(kafka, "linger.ms", "20", error) && set(kafka, "socket.keepalive.enable", "true", error) &&
         set_number(kafka, "socket.timeout.ms", options->keep_alive_s * 1000, error) && set(kafka, "reconnect.backoff.max.ms", "1000", error);
}

static gboolean topic_is_valid(const gchar *topic, GError **error) {
  gsize length = strlen(topic);
  if (length > 0 && length <= 249 && strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == length)
    return TRUE;
  g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "topic '%s' is not one of Kafka's: letters, digits, '.', '_' and '-'", topic);
  return FALSE;
}

/* A source may be called anything; in a topic's name stands what Kafka allows. */
static gchar *topic_name(const FoveaTransportOptions *options) {
  gchar *source = g_strdup(options->source);
  for (gchar *c = source; *c; c++) *c = g_ascii_isalnum(*c) || strchr("._-", *c) ? *c : '_';
  gchar *name = fovea_transport_topic(options->topic ? options->topic : "fovea", source, "");
  g_free(source);
  return name;
}

static FoveaTransport *kafka_create(const FoveaTransportOptions *options, GError **error) {
  if (!fovea_library_open("librdkafka.so.1", "librdkafka1", names, (gpointer *)&lib, G_N_ELEMENTS(names), error))
    return NULL;
  KafkaTransport *kafka = g_new0(KafkaTransport, 1);
  kafka->base.method = &fovea_transport_kafka;
  kafka->base.window = WINDOW;
  kafka->base.target = g_strdup(options->address);
  kafka->key = g_strdup(options->source);
  kafka->topic_name = topic_name(options);
  kafka->open = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  kafka->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  kafka->conf = lib.rd_kafka_conf_new();
  if (topic_is_valid(kafka->topic_name, error) && set_all(kafka, options, error))
    return &kafka->base;
  fovea_transport_kafka.destroy(&kafka->base);
  return NULL;
}

/* --- transport --------------------------------------------------------------------------------------------- */

static void kafka_connect(FoveaTransport *base) {
  KafkaTransport *kafka = (KafkaTransport *)base;
  gchar text[512] = "";
  rd_kafka_conf_t *conf = lib.rd_kafka_conf_dup(kafka->conf);
  kafka->leaving = FALSE;
  g_clear_pointer(&kafka->problem, g_free);
  kafka->producer = lib.rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
  if (!kafka->producer) {
    lib.rd_kafka_conf_destroy(conf);
    lose(kafka, text);
    return;
  }
  static const guint64 one = 1;
  rd_kafka_queue_t *queue = lib.rd_kafka_queue_get_main(kafka->producer);
  lib.rd_kafka_queue_io_event_enable(queue, kafka->news, &one, sizeof one);
  lib.rd_kafka_queue_destroy(queue);
  kafka->topic = lib.rd_kafka_topic_new(kafka->producer, kafka->topic_name, NULL);
}

static void look_for_broker(KafkaTransport *kafka) {
  const struct rd_kafka_metadata *metadata;
  if (lib.rd_kafka_metadata(kafka->producer, 0, kafka->topic, &metadata, METADATA_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
    return;
  lib.rd_kafka_metadata_destroy(metadata);
  kafka->connected = TRUE;
  kafka->base.events->connected(kafka->base.user);
}

static void kafka_poll(FoveaTransport *base, gint wake_fd, gint timeout_ms) {
  KafkaTransport *kafka = (KafkaTransport *)base;
  eventfd_t count;
  if (kafka->connected && (fovea_transport_wait(wake_fd, kafka->news, POLLIN, timeout_ms) & POLLIN))
    eventfd_read(kafka->news, &count);
  lib.rd_kafka_poll(kafka->producer, 0);
  if (!kafka->connected)
    look_for_broker(kafka);
}

static void kafka_send(FoveaTransport *base, guint64 id, const gchar *line, gsize size) {
  KafkaTransport *kafka = (KafkaTransport *)base;
  gpointer number = GUINT_TO_POINTER(++kafka->number);
  if (lib.rd_kafka_produce(kafka->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, (void *)line, size - 1, kafka->key, strlen(kafka->key), number) == 0) {
    g_hash_table_insert(kafka->open, number, g_memdup2(&id, sizeof id));
    return;
  }
  rd_kafka_resp_err_t code = lib.rd_kafka_last_error();
  if (is_about_the_message(code))
    base->events->rejected(base->user, id, lib.rd_kafka_err2str(code));
  else
    lose(kafka, lib.rd_kafka_err2str(code));
}

static void kafka_flush(FoveaTransport *base) {} /* linger.ms is all that waits */

static void kafka_disconnect(FoveaTransport *base, gboolean orderly) {
  KafkaTransport *kafka = (KafkaTransport *)base;
  if (!kafka->producer)
    return;
  kafka->leaving = TRUE;
  if (orderly)
    lib.rd_kafka_flush(kafka->producer, GOOD_BYE_MS);
  lib.rd_kafka_purge(kafka->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  lib.rd_kafka_poll(kafka->producer, 0);
  lib.rd_kafka_topic_destroy(kafka->topic);
  lib.rd_kafka_destroy(kafka->producer);
  kafka->producer = NULL;
  kafka->topic = NULL;
  kafka->connected = FALSE;
  g_hash_table_remove_all(kafka->open);
}

static void kafka_destroy(FoveaTransport *base) {
  KafkaTransport *kafka = (KafkaTransport *)base;
  lib.rd_kafka_conf_destroy(kafka->conf);
  close(kafka->news);
  g_hash_table_unref(kafka->open);
  g_free(kafka->topic_name);
  g_free(kafka->key);
  g_free(kafka->problem);
  g_free(base->target);
  g_free(kafka);
}

const FoveaTransportMethod fovea_transport_kafka = {"kafka",    FALSE,      20000,       kafka_create,     kafka_connect,
                                                    kafka_send, kafka_poll, kafka_flush, kafka_disconnect, kafka_destroy};

#include "delivery.h"

#include <string.h>

#include "common/secret.h"
#include "courier.h"

#define WARNING_INTERVAL (10 * G_USEC_PER_SEC) /* between two warnings of a kind */
#define PATIENCE_US 2000

struct FoveaDelivery {
  GstElement *element;
  FoveaOutbox *outbox;
  FoveaCourier *courier;
  gchar *target, *spool;
  gboolean local; /* a file or standard output */
  guint64 patience_bytes;
  gint64 drain_timeout, drain_until; /* us; monotonic us, 0: not draining yet */
  gint state; /* FoveaLinkState, atomic */
  gboolean stopped;

  /* the courier's thread */
  gboolean outage_told, degraded_told;
  gint64 loss_told_at, rejection_told_at, outage_told_at; /* monotonic us */
  guint64 losses_told;

  GMutex lock;
  gchar *refusal; /* why a message was last refused */
};

static gboolean may_tell(gint64 *told_at) {
  gint64 now = g_get_monotonic_time();
  if (*told_at && now - *told_at < WARNING_INTERVAL)
    return FALSE;
  *told_at = now;
  return TRUE;
}

/* --- what the courier tells -------------------------------------------------------------------------------- */

static void on_state(gpointer user, FoveaLinkState state, const gchar *reason, guint retry_in_ms, guint attempt) {
  FoveaDelivery *delivery = user;
  g_atomic_int_set(&delivery->state, (gint)state);
  fovea_link_state_post(delivery->element, state, delivery->target, reason, retry_in_ms, attempt);
  g_object_notify(G_OBJECT(delivery->element), "state");
  if (state == FOVEA_LINK_CONNECTED)
    delivery->outage_told = FALSE;
  if (state != FOVEA_LINK_RETRYING || delivery->outage_told || !may_tell(&delivery->outage_told_at))
    return;
  delivery->outage_told = TRUE; /* of one outage once */
  if (delivery->local)
    GST_ELEMENT_WARNING_WITH_DETAILS(delivery->element, RESOURCE, WRITE, ("Messages cannot be written to %s and wait: %s.", delivery->target, reason), (NULL),
                                     (FOVEA_TOLD_FIELD, G_TYPE_STRING, FOVEA_LINK_MESSAGE, NULL));
  else
    GST_ELEMENT_WARNING_WITH_DETAILS(delivery->element, RESOURCE, OPEN_WRITE, ("No connection to %s; messages wait: %s.", delivery->target, reason), (NULL),
                                     (FOVEA_TOLD_FIELD, G_TYPE_STRING, FOVEA_LINK_MESSAGE, NULL));
}

static void post_losses(FoveaDelivery *delivery, const FoveaOutboxStats *box, guint64 rejected, const gchar *reason) {
  gst_element_post_message(delivery->element,
                           gst_message_new_element(GST_OBJECT(delivery->element),
                                                   gst_structure_new(FOVEA_PUBLISH_LOSS_MESSAGE, "dropped", G_TYPE_UINT64, box->dropped, "refused", G_TYPE_UINT64,
                                                                     box->refused, "rejected", G_TYPE_UINT64, rejected, "reason", G_TYPE_STRING, reason, NULL)));
}

static guint64 rejected_count(FoveaDelivery *delivery) {
  FoveaCourierStats stats;
  fovea_courier_stats(delivery->courier, &stats);
  g_free(stats.last_error);
  return stats.rejected;
}

static void on_rejected(gpointer user, const gchar *reason) {
  FoveaDelivery *delivery = user;
  FoveaOutboxStats box;
  if (!may_tell(&delivery->rejection_told_at))
    return;
  fovea_outbox_stats(delivery->outbox, &box);
  guint64 rejected = rejected_count(delivery);
  GST_ELEMENT_WARNING(delivery->element, RESOURCE, WRITE,
                      ("%s will not take a message, which is put aside: %s. (%" G_GUINT64_FORMAT " so far)", delivery->target, reason, rejected), (NULL));
  post_losses(delivery, &box, rejected, reason);
}

static void tell_losses(FoveaDelivery *delivery, const FoveaOutboxStats *box) {
  guint64 losses = box->dropped + box->refused;
  if (losses == delivery->losses_told || !may_tell(&delivery->loss_told_at))
    return;
  g_mutex_lock(&delivery->lock);
  gchar *reason = g_strdup(box->refused && delivery->refusal ? delivery->refusal : "more waited than may, or for longer");
  g_mutex_unlock(&delivery->lock);
  GST_ELEMENT_WARNING(delivery->element, RESOURCE, NO_SPACE_LEFT,
                      ("%" G_GUINT64_FORMAT " messages were lost: %s.", losses - delivery->losses_told, reason), (NULL));
  post_losses(delivery, box, rejected_count(delivery), reason);
  delivery->losses_told = losses;
  g_free(reason);
}

static void tell_disk(FoveaDelivery *delivery, gboolean degraded, const gchar *problem) {
  delivery->degraded_told = degraded;
  gst_element_post_message(delivery->element,
                           gst_message_new_element(GST_OBJECT(delivery->element),
                                                   gst_structure_new(FOVEA_SPOOL_DEGRADED_MESSAGE, "spool", G_TYPE_STRING, delivery->spool, "degraded", G_TYPE_BOOLEAN,
                                                                     degraded, "reason", G_TYPE_STRING, problem ? problem : "", NULL)));
  if (degraded)
    GST_ELEMENT_WARNING(delivery->element, RESOURCE, NO_SPACE_LEFT,
                        ("The spool's disk does not take what it should, messages wait in memory: %s.", problem ? problem : "no reason known"), (NULL));
}

static void on_tick(gpointer user) {
  FoveaDelivery *delivery = user;
  FoveaOutboxStats box;
  fovea_outbox_stats(delivery->outbox, &box);
  tell_losses(delivery, &box);
  if (box.degraded != delivery->degraded_told) {
    gchar *problem = fovea_outbox_problem(delivery->outbox);
    tell_disk(delivery, box.degraded, problem);
    g_free(problem);
  }
}

static const FoveaCourierEvents courier_events = {on_state, on_rejected, on_tick};

/* --- making ------------------------------------------------------------------------------------------------ */

static const FoveaTransportMethod *transport_method(gint method) {
  switch (method) {
    case FOVEA_PUBLISH_MQTT: return &fovea_transport_mqtt;
    case FOVEA_PUBLISH_HTTP: return &fovea_transport_http;
    case FOVEA_PUBLISH_KAFKA: return &fovea_transport_kafka;
    default: return &fovea_transport_file;
  }
}

static gboolean wrong(GError **error, const gchar *sentence) {
  g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, sentence);
  return FALSE;
}

static gboolean check(const FoveaPublishSettings *settings, GError **error) {
  gboolean local = settings->method <= FOVEA_PUBLISH_FILE;
  if (settings->method == FOVEA_PUBLISH_FILE && !settings->file_path)
    return wrong(error, "method=file needs the property file-path");
  if (!local && (!settings->address || !*settings->address))
    return wrong(error, "this method needs the property address");
  if ((settings->cert_file != NULL) != (settings->key_file != NULL))
    return wrong(error, "cert-file and key-file go together");
  if (settings->password && settings->password_from)
    return wrong(error, "password and password-from exclude each other");
  if (settings->retry_min > settings->retry_max)
    return wrong(error, "retry-min is larger than retry-max");
  if (settings->spool && settings->spool_bytes && settings->spool_bytes < FV_SPOOL_MIN_BYTES)
    return wrong(error, "spool-bytes is smaller than a spool on disk can be, 262144");
  return TRUE;
}

static gboolean read_secret(const gchar *reference, gchar **ret_secret, GError **error) {
  *ret_secret = reference ? fovea_secret_read(reference, error) : NULL;
  return !reference || *ret_secret;
}

static FoveaTransport *make_transport(const FoveaPublishSettings *settings, const gchar *source, GError **error) {
  gchar *password = NULL, *token = NULL;
  FoveaTransport *transport = NULL;
  if (read_secret(settings->password_from, &password, error) && read_secret(settings->token_from, &token, error)) {
    const FoveaTransportOptions options = {
      .source = source, .path = settings->file_path ? settings->file_path : "-", .append = settings->append, .rotate_bytes = settings->rotate_bytes,
      .rotate_keep = settings->rotate_keep, .address = settings->address, .topic = settings->topic,
      .username = settings->username ? settings->username : settings->address_user,
      .password = password ? password : settings->password ? settings->password : settings->address_password, .token = token, .ca_file = settings->ca_file,
      .cert_file = settings->cert_file, .key_file = settings->key_file, .tls_verify = settings->tls_verify, .keep_alive_s = settings->keep_alive,
      .qos = (gint)settings->qos, .mqtt_version = settings->mqtt_version, .client_id = settings->client_id, .availability_topic = settings->availability_topic,
      .batch_records = settings->batch_records, .batch_ms = settings->batch_ms};
    transport = transport_method(settings->method)->create(&options, error);
  }
  fovea_secret_free(password);
  fovea_secret_free(token);
  return transport;
}

static FoveaOutbox *make_outbox(FoveaDelivery *delivery, const FoveaPublishSettings *settings, GError **error) {
  gchar *problem;
  FoveaOutbox *outbox = fovea_outbox_new(
    &(FoveaOutboxSettings){.spool = settings->spool, .bytes = settings->spool_bytes, .age_s = settings->spool_age, .policy = (FvSpoolPolicy)settings->spool_policy,
                           .sync = (FvSpoolSync)settings->spool_sync, .sync_interval_ms = settings->spool_sync_interval, .newest_first = settings->newest_first,
                           .backlog_bytes_per_s = settings->spool_rate},
    &problem, error);
  if (problem)
    tell_disk(delivery, TRUE, problem);
  g_free(problem);
  return outbox;
}

FoveaDelivery *fovea_delivery_new(GstElement *element, const FoveaPublishSettings *settings, const gchar *source, GError **error) {
  if (!check(settings, error))
    return NULL;
  FoveaDelivery *delivery = g_new0(FoveaDelivery, 1);
  g_mutex_init(&delivery->lock);
  delivery->element = element;
  delivery->local = settings->method <= FOVEA_PUBLISH_FILE;
  delivery->spool = g_strdup(settings->spool ? settings->spool : "");
  delivery->patience_bytes = settings->spool ? 0 : (settings->spool_bytes ? settings->spool_bytes : FOVEA_OUTBOX_MEMORY_BYTES) / 2;
  delivery->drain_timeout = (gint64)settings->drain_timeout * 1000;
  FoveaTransport *transport = make_transport(settings, source, error);
  if (transport && (delivery->outbox = make_outbox(delivery, settings, error))) {
    delivery->target = g_strdup(transport->target);
    delivery->courier = fovea_courier_new(&(FoveaCourierParams){.transport = transport, .outbox = delivery->outbox, .retry_min_ms = settings->retry_min,
                                                                .retry_max_ms = settings->retry_max,
                                                                .answer_timeout_ms = settings->keep_alive * 1000 + (delivery->local ? 0 : settings->batch_ms),
                                                                .events = &courier_events, .user = delivery});
    return delivery;
  }
  if (transport)
    transport->method->destroy(transport);
  fovea_delivery_free(delivery);
  return NULL;
}

/* What is in memory goes with us; what is on disk waits for the next start. */
static void tell_rest(FoveaDelivery *delivery) {
  FoveaOutboxStats box;
  fovea_outbox_stats(delivery->outbox, &box);
  guint64 kept = box.pending - box.in_memory;
  if (box.in_memory)
    GST_ELEMENT_WARNING(delivery->element, RESOURCE, WRITE,
                        ("%" G_GUINT64_FORMAT " messages for %s were not delivered and are lost.", box.in_memory, delivery->target), (NULL));
  if (kept)
    GST_INFO_OBJECT(delivery->element, "%" G_GUINT64_FORMAT " messages wait in %s", kept, delivery->spool);
}

void fovea_delivery_start(FoveaDelivery *delivery) { fovea_courier_start(delivery->courier); }

void fovea_delivery_stop(FoveaDelivery *delivery) {
  fovea_courier_stop(delivery->courier);
  delivery->stopped = TRUE;
  delivery->loss_told_at = 0;
  on_tick(delivery);
  tell_rest(delivery);
}

void fovea_delivery_free(FoveaDelivery *delivery) {
  if (!delivery)
    return;
  fovea_courier_free(delivery->courier);
  fovea_outbox_free(delivery->outbox);
  g_free(delivery->target);
  g_free(delivery->spool);
  g_free(delivery->refusal);
  g_mutex_clear(&delivery->lock);
  g_free(delivery);
}

/* --- using ------------------------------------------------------------------------------------------------- */

/* Where a file is written faster than frames are shown, the frames wait; a reader that sleeps counts as an outage after a while, which ends the waiting. */
static void be_patient(FoveaDelivery *delivery) {
  FoveaOutboxStats box;
  for (;;) {
    fovea_outbox_stats(delivery->outbox, &box);
    if (box.bytes < delivery->patience_bytes || fovea_delivery_state(delivery) != FOVEA_LINK_CONNECTED)
      return;
    g_usleep(PATIENCE_US);
  }
}

void fovea_delivery_put(FoveaDelivery *delivery, guint8 priority, const gchar *line, gsize size, gboolean patient) {
  GError *error = NULL;
  if (patient && delivery->local && delivery->patience_bytes)
    be_patient(delivery);
  if (fovea_outbox_append(delivery->outbox, priority, line, size, &error)) {
    fovea_courier_wake(delivery->courier);
    return;
  }
  g_mutex_lock(&delivery->lock);
  g_free(delivery->refusal);
  delivery->refusal = g_strdup(error->message);
  g_mutex_unlock(&delivery->lock);
  g_error_free(error);
}

void fovea_delivery_drain(FoveaDelivery *delivery) {
  FoveaOutboxStats box;
  fovea_outbox_stats(delivery->outbox, &box);
  if (box.in_memory == 0 && fovea_delivery_state(delivery) == FOVEA_LINK_RETRYING)
    return;
  if (!delivery->drain_until)
    delivery->drain_until = g_get_monotonic_time() + delivery->drain_timeout;
  fovea_courier_drain(delivery->courier, delivery->drain_until);
}

FoveaLinkState fovea_delivery_state(FoveaDelivery *delivery) {
  return delivery ? (FoveaLinkState)g_atomic_int_get(&delivery->state) : FOVEA_LINK_OFFLINE;
}

GstStructure *fovea_delivery_stats(FoveaDelivery *delivery) {
  FoveaCourierStats link = {0};
  FoveaOutboxStats box = {0};
  if (delivery) {
    fovea_courier_stats(delivery->courier, &link);
    fovea_outbox_stats(delivery->outbox, &box);
    box.dropped += delivery->stopped ? box.in_memory : 0;
  }
  GstStructure *stats = gst_structure_new(
    "foveapublish-stats", "written", G_TYPE_UINT64, link.acknowledged, "bytes", G_TYPE_UINT64, link.acknowledged_bytes, "failed", G_TYPE_UINT64,
    box.dropped + box.refused + link.rejected, "state", G_TYPE_STRING, fovea_link_state_nick(link.state), "target", G_TYPE_STRING,
    delivery ? delivery->target : "", "pending", G_TYPE_UINT64, box.pending, "spool-bytes", G_TYPE_UINT64, box.bytes, "spool-degraded", G_TYPE_BOOLEAN, box.degraded,
    "dropped", G_TYPE_UINT64, box.dropped, "refused", G_TYPE_UINT64, box.refused, "rejected", G_TYPE_UINT64, link.rejected, "sent", G_TYPE_UINT64, link.sent,
    "acknowledged", G_TYPE_UINT64, link.acknowledged, "duplicates-possible", G_TYPE_UINT64, link.duplicates_possible, "reconnects", G_TYPE_UINT64, link.reconnects,
    "last-error", G_TYPE_STRING, link.last_error ? link.last_error : "", NULL);
  g_free(link.last_error);
  return stats;
}
